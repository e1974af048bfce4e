// The view of a single stream: its picture, its figures, how else to watch it; of one that is fetched also its last pictures and how
// important it is. Its recordings are the table's.

import { ask as request, askJson, secondsSince, streamPath, token } from './api.js';
import * as captures from './captures.js';
import { describe, enable } from './controls.js';
import { $, action, fill, say } from './dom.js';
import { age, count, moment, pace, percent, size, timeOfDay } from './format.js';
import { Picture } from './pictures.js';
import { ending } from './poll.js';
import { way } from './push.js';
import { refresh } from './recordings.js';
import { attempt } from './toast.js';

const root = $('stream');
const picture = new Picture(root, true);
let name = '';

export function open(stream) {
  picture.clear();
  captures.clear();
  name = stream;
  say($('stream-name'), name);
  const url = `${location.origin}/stream/${encodeURIComponent(name)}`;
  const how = `MJPEG: as an image in a page, in VLC, in OBS.${token ? ' Add ?token= and the token.' : ''}`;
  $('watch').replaceChildren(way('Watch elsewhere', how, url));
}

export function close() {
  picture.clear();
  captures.clear();
  name = '';
}

/** The stream as it is now; null when there is none of that name. */
export function ask() {
  return askJson(streamPath(name)).catch((e) => {
    if (e.status === 404 || e.status === 422) return null; // 422: what stands in the address is no name.
    throw e;
  });
}

/** `s` is null when there is no such stream. */
export function render(s) {
  const pull = s?.source.kind === 'pull';
  picture.stream = s;
  root.classList.toggle('ended', !s);
  $('facts').hidden = !s;
  $('importance').hidden = !pull;
  for (const what of ['record', 'delete']) action(root, what).hidden = !s;
  root.querySelector('.kind').toggleAttribute('hidden', !s);
  captures.render(s?.frames ?? []);
  if (!s) {
    const why = ending(name);
    root.dataset.state = 'offline';
    return fill(root, { state: 'Offline', rec: '', why: '', says: `This stream is not on air${why ? `: ${why}` : ''}.` });
  }
  describe(root, s);
  fill(root, { record: s.recording.enabled ? 'Stop recording' : 'Record', delete: pull ? 'Follow no longer' : 'Delete' });
  if (pull && s.last_error) fill(root, { why: s.last_error });
  state(pull ? fetched(s) : pushed(s));
  const select = $('importance').querySelector('select');
  if (!select.disabled) select.value = s.priority;
}

const pushed = (s) => ({
  'Frames a second': s.fps.toFixed(1), Picture: size(s) || '–', Viewers: count(s.viewer_count), Publishers: count(s.publishers),
  'On air for': age(s.uptime_seconds), 'Frames so far': count(s.total_frames),
  'Last picture': s.last_frame_time ? timeOfDay(new Date(s.last_frame_time)) : 'none yet', 'On air since': moment(s.created_at),
  Recording: s.recording.file ?? (s.recording.enabled ? 'on, no file yet' : 'off'),
});

function fetched(s) {
  const clock = (text) => (text ? timeOfDay(new Date(text)) : '–');
  return {
    Source: s.source.channel ? `Twitch: ${s.source.channel}` : s.source.url,
    'Rendition up to': s.source.quality ?? 'as in the settings',
    Picture: size(s) || '–',
    Taken: s.last_frame_time ? `${age(secondsSince(s.last_frame_time))} ago` : 'none yet',
    'Asked for': pace(s.fps) || '–',
    'Last capture': clock(s.last_capture), 'Next capture': clock(s.next_capture),
    Captures: count(s.captures), 'With a new picture': s.captures ? `${count(s.successful_captures)} · ${percent(s.successful_captures / s.captures)}` : '–',
    'Left out for lack of time': count(s.skipped_captures),
    Errors: count(s.error_count), 'Errors in a row': count(s.consecutive_errors),
    Viewers: count(s.viewer_count), 'Followed since': moment(s.created_at),
  };
}

/** As a list of terms; those of another kind of stream go. */
function state(facts) {
  const entries = Object.entries(facts);
  while ($('facts').children.length > entries.length) $('facts').lastChild.remove();
  entries.forEach(([term, text], i) => {
    const pair = $('facts').children[i] ?? $('facts').appendChild(document.createElement('div'));
    if (!pair.firstChild) pair.append(document.createElement('dt'), document.createElement('dd'));
    say(pair.firstChild, term);
    say(pair.lastChild, text);
  });
}

enable(root, () => picture.stream, {
  switched: refresh,
  deleted: (gone) => {
    if (gone === name) location.hash = '#/';
  },
});
$('importance').onchange = ({ target: select }) => {
  const of = name;
  attempt(select, `Priority of ${of}`, () => request(`${streamPath(of)}/priority`, { method: 'PUT', body: { priority: Number(select.value) } }));
};
$('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $('stream-picture').requestFullscreen());
$('full').hidden = !document.fullscreenEnabled;
