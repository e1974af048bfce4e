// The table of recordings, of all streams or of one: what there is, to play, download or delete.

import { ask, askJson, recordingPath, recordingsPath, recordingUrl } from './api.js';
import { confirmDelete } from './dialog.js';
import { $, action, entitle, field, fill, instance, place, say } from './dom.js';
import { bytes, capital, count, counted, duration, moment, size } from './format.js';
import { play } from './player.js';
import { away } from './poll.js';
import { attempt, toast } from './toast.js';

const EVERY_MS = 6000;
const PAGE = 100; // Rows.
const MOST = 1000; // Recordings asked for; more when that many are looked at.

const rows = new Map(); // URL → row.
let shown = null; // Whose: a stream's, or '' for all; null while the table is not on the page.
let filter = '';
let listing = null; // What the server said last.
let most = PAGE;

/** Shows those of one stream, or of all. */
export function open(stream = '') {
  close();
  [shown, most] = [stream, PAGE];
  refresh();
}

export function close() {
  for (const row of rows.values()) row.remove();
  rows.clear();
  [shown, listing] = [null, null];
}

export async function refresh() {
  if (shown === null || away || document.hidden) return;
  const asked = shown;
  try {
    const answer = await askJson(recordingsPath(asked, Math.max(MOST, most)));
    if (shown !== asked) return;
    listing = answer;
    render();
  } catch (e) {
    if (!listing && e.status !== 401) toast(`Recordings: ${e.message}`, 'error');
  }
}

/** Of all recordings, shows those of streams with this in their name. */
export function setFilter(text) {
  filter = text;
  if (listing) render();
}

function render() {
  const { recordings: all, total, total_bytes, free_bytes } = listing;
  const wanted = shown ? '' : filter;
  const list = all.filter((r) => r.stream.toLowerCase().includes(wanted));
  const free = free_bytes == null ? '' : ` · ${bytes(free_bytes)} free`;
  say($('totals'), `${counted(total, 'file')} · ${bytes(total_bytes)}${free}`);
  $('no-rows').hidden = list.length > 0;
  say($('no-rows'), wanted && all.length ? `No recording of a stream with “${wanted}” in its name.` : 'Nothing is recorded yet.');
  $('more').hidden = list.length <= most && all.length === total;
  $('table').hidden = !list.length;
  $('table').classList.toggle('one', Boolean(shown));
  const page = list.slice(0, most);
  const urls = new Set(page.map((r) => r.url));
  for (const [url, row] of rows) {
    if (urls.has(url)) continue;
    row.remove();
    rows.delete(url);
  }
  page.forEach((r, index) => {
    if (!rows.has(r.url)) rows.set(r.url, newRow(r));
    describe(rows.get(r.url), r);
    place($('rows'), rows.get(r.url), index);
  });
}

function describe(row, r) {
  const length = r.duration_seconds == null ? '' : duration(r.duration_seconds);
  fill(row, {
    start: moment(r.start_time), file: r.file, stream: r.stream, duration: length || '–', bytes: bytes(r.size_bytes), size: size(r) || '–', codec: r.codec ?? '–',
    flag: r.active ? 'Being written' : r.recovered ? 'Recovered' : '',
    short: [shown ? '' : r.stream, length, bytes(r.size_bytes), r.codec].filter(Boolean).join(' · '),
  });
  field(row, 'flag').dataset.is = r.active ? 'recording' : 'recovered';
  field(row, 'flag').title = r.active ? '' : 'Finished after a crash, at the last whole fragment';
  action(row, 'delete').disabled = r.active;
  action(row, 'delete').title = r.active ? 'Stop the recording first' : 'Delete';
  action(row, 'play').onclick = () => play(r);
}

function newRow(r) {
  const row = instance('row');
  for (const what of ['play', 'download', 'delete']) entitle(action(row, what), capital(what), r.file);
  field(row, 'stream').href = `#/stream/${encodeURIComponent(r.stream)}`;
  action(row, 'download').href = recordingUrl(r);
  action(row, 'delete').onclick = async ({ currentTarget: button }) => {
    if (!(await confirmDelete('Delete this recording?', `${r.file}, ${bytes(r.size_bytes)}. It can’t be brought back.`))) return;
    attempt(button, r.file, async () => {
      await ask(recordingPath(r), { method: 'DELETE', seconds: 60 });
      toast(`${r.file} deleted`);
      await refresh();
    });
  };
  return row;
}

$('more').onclick = () => {
  most += PAGE;
  render();
  refresh();
};
setInterval(refresh, EVERY_MS);
