// Plays a recording over the page, or says why this browser can't.

import { recordingUrl } from './api.js';
import { $, say } from './dom.js';
import { bytes, moment, size } from './format.js';
import { away } from './poll.js';

const CODECS = {
  h264: ['H.264', 'avc1.64001f'],
  mp4v: ['MPEG-4 Part 2', 'mp4v.20.9'],
  mjpeg: ['Motion JPEG', 'mp4v.6c'],
};

export function play(r) {
  const [video, note] = [$('player').querySelector('video'), $('player-note')];
  const [coding, type] = CODECS[r.codec] ?? [r.codec ?? 'its coding'];
  const cannot = `This browser can’t play ${coding} video. Download the file: VLC, mpv and FFmpeg play it.`;
  const playable = !type || video.canPlayType(`video/mp4; codecs="${type}"`) !== '';
  say($('player-title'), r.stream);
  say($('player-facts'), [moment(r.start_time), size(r), coding, bytes(r.size_bytes)].filter(Boolean).join(' · '));
  $('player-download').href = recordingUrl(r);
  note.hidden = playable && !r.active;
  say(note, playable ? 'It is still being written: you see it up to now.' : cannot);
  video.hidden = !playable;
  video.onerror = () => {
    if (!video.hasAttribute('src')) return;
    note.hidden = !(video.hidden = true);
    say(note, away ? 'The server is away.' : `It can’t be played here. ${cannot}`);
  };
  if (playable) video.src = recordingUrl(r);
  $('player').onclose = () => {
    video.removeAttribute('src');
    video.load();
  };
  $('player').showModal();
  if (playable) video.play().catch(() => {}); // The browser may want a click first; the controls are there.
}
