// The list of events, of all streams or of one: what happened when, on which picture, and whether people say it did.

import { ask, askJson, eventsPath, pictureUrl, verdictPath } from './api.js';
import { $, action, field, fill, instance, place } from './dom.js';
import { capital, percent, timeOfDay, moment } from './format.js';
import { away } from './poll.js';
import { attempt, toast } from './toast.js';

const EVERY_MS = 3000;
const PAGE = 50; // Events.

const items = new Map(); // Id → element.
let shown = null; // Whose: a stream's, or '' for all; null while the list is not on the page.
let known = []; // The newest first.
let next = null; // Where the page after the last begins.
let more = false; // Whether that is on the page, too.

/** Shows those of one stream, or of all. */
export function open(stream = '') {
  close();
  shown = stream;
  refresh();
}

export function close() {
  for (const item of items.values()) item.remove();
  items.clear();
  [shown, known, next, more] = [null, [], null, false];
}

export async function refresh() {
  if (shown === null || away || document.hidden) return;
  const asked = shown;
  try {
    const { events, next: after } = await askJson(eventsPath(asked, PAGE));
    if (shown !== asked) return;
    const fresh = new Set(events.map((e) => e.id));
    known = more ? [...events, ...known.filter((e) => !fresh.has(e.id))] : events;
    if (!more) next = after;
    render();
  } catch (e) {
    if (!known.length && e.status !== 401) toast(`Events: ${e.message}`, 'error');
  }
}

function render() {
  $('no-events').hidden = known.length > 0;
  $('more-events').hidden = !next;
  $('event-list').classList.toggle('one', Boolean(shown));
  const ids = new Set(known.map((e) => e.id));
  for (const [id, item] of items) {
    if (ids.has(id)) continue;
    item.remove();
    items.delete(id);
  }
  known.forEach((e, index) => {
    if (!items.has(e.id)) items.set(e.id, newItem(e));
    judge(items.get(e.id), e.verdict);
    place($('event-list'), items.get(e.id), index);
  });
}

/** What an event says of itself, in words. */
function words(data) {
  return Object.entries(data).map(([key, value]) => `${key.replaceAll('_', ' ')}: ${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' · ');
}

function newItem(e) {
  const item = instance('event');
  const seen = new Date(e.media_time);
  fill(item, {
    kind: capital(e.type.replaceAll('_', ' ')), stream: e.stream, data: words(e.data), at: timeOfDay(seen), day: moment(e.media_time),
    sure: `${percent(e.confidence)} sure · ${e.pack} ${e.pack_version}`,
  });
  field(item, 'stream').href = `#/stream/${encodeURIComponent(e.stream)}`;
  field(item, 'at').title = `${e.media_time}, up to ${(e.media_time_error_ms / 1000).toFixed(1)} s earlier`;
  field(item, 'trace').textContent = e.rule_trace.join('\n');
  const [button, img] = [item.querySelector('.evidence'), item.querySelector('img')];
  button.hidden = !e.frame;
  if (e.frame) img.src = pictureUrl(e.frame);
  item.querySelector('.crops').append(...Object.entries(e.crops ?? {}).map(([region, path]) => crop(region, path)));
  button.setAttribute('aria-label', `Picture of ${e.type}, ${timeOfDay(seen)}, large`);
  button.onclick = () => {
    $('evidence').querySelector('img').src = pictureUrl(e.frame);
    $('evidence-title').textContent = `${capital(e.type.replaceAll('_', ' '))}, ${e.stream}, ${timeOfDay(seen)}`;
    $('evidence').showModal();
  };
  for (const [what, correct] of [['right', true], ['wrong', false]]) {
    const of = action(item, what);
    of.setAttribute('aria-label', `${e.type} of ${timeOfDay(seen)} is ${what}`);
    of.onclick = () => attempt(of, e.type, async () => {
      const now = known.find((other) => other.id === e.id);
      const verdict = now?.verdict === correct ? null : correct; // Again takes it back.
      await ask(verdictPath(e.id), { method: 'PUT', body: { correct: verdict } });
      if (now) now.verdict = verdict;
      judge(item, verdict);
    });
  }
  return item;
}

/** What a pack read of one region, as it saw it. */
function crop(region, path) {
  const [item, img] = [document.createElement('li'), document.createElement('img')];
  Object.assign(img, { alt: region.replaceAll('.', ' '), title: region, loading: 'lazy', src: pictureUrl(path) });
  item.append(img);
  return item;
}

function judge(item, verdict) {
  action(item, 'right').setAttribute('aria-pressed', verdict === true);
  action(item, 'wrong').setAttribute('aria-pressed', verdict === false);
}

$('more-events').onclick = ({ currentTarget: button }) => {
  const asked = shown;
  attempt(button, 'Events', async () => {
    const page = await askJson(eventsPath(asked, PAGE, next));
    if (shown !== asked) return;
    [known, next, more] = [[...known, ...page.events], page.next, true];
    render();
  });
};
setInterval(refresh, EVERY_MS);
