// The view of a single stream: its picture, its figures, how else to watch it. Its recordings are the table's.

import { token } from './api.js';
import { describe, enable } from './controls.js';
import { $, action, fill, say } from './dom.js';
import { age, count, moment, size, timeOfDay } from './format.js';
import { Picture } from './pictures.js';
import { ending } from './poll.js';
import { way } from './push.js';
import { refresh } from './recordings.js';

const root = $('stream');
const picture = new Picture(root, true);
let name = '';

export function open(stream) {
  picture.clear();
  name = stream;
  say($('stream-name'), name);
  const url = `${location.origin}/stream/${encodeURIComponent(name)}`;
  const how = `MJPEG: as an image in a page, in VLC, in OBS.${token ? ' Add ?token= and the token.' : ''}`;
  $('watch').replaceChildren(way('Watch elsewhere', how, url));
}

export function close() {
  picture.clear();
  name = '';
}

export function render(streams) {
  const s = streams.find((one) => one.name === name) ?? null;
  picture.stream = s;
  root.classList.toggle('ended', !s);
  $('facts').hidden = !s;
  for (const what of ['record', 'delete']) action(root, what).hidden = !s;
  if (!s) {
    const why = ending(name);
    root.dataset.state = 'offline';
    return fill(root, { state: 'Offline', rec: '', why: '', says: `This stream is not on air${why ? `: ${why}` : ''}.` });
  }
  describe(root, s);
  fill(root, { record: s.recording.enabled ? 'Stop recording' : 'Record' });
  state({
    'Frames a second': s.fps.toFixed(1), Picture: size(s) || '–', Viewers: count(s.viewer_count), Publishers: count(s.publishers),
    'On air for': age(s.uptime_seconds), 'Frames so far': count(s.total_frames),
    'Last picture': s.last_frame_time ? timeOfDay(new Date(s.last_frame_time)) : 'none yet', 'On air since': moment(s.created_at),
    Recording: s.recording.file ?? (s.recording.enabled ? 'on, no file yet' : 'off'),
  });
}

function state(facts) {
  Object.entries(facts).forEach(([term, text], i) => {
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
$('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $('stream-picture').requestFullscreen());
$('full').hidden = !document.fullscreenEnabled;
