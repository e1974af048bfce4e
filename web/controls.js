// What a tile of the wall and the single view both have: badges that say a stream's state and source, and buttons that record or
// delete it.

import { ask, askJson, secondsSince, streamPath } from './api.js';
import { confirmDelete } from './dialog.js';
import { action, entitle, field, fill } from './dom.js';
import { age } from './format.js';
import { attempt, toast } from './toast.js';

const SLOW_S = 60; // The server answers when a recording is whole.
const REC = { recording: 'Rec', fallback_mjpeg: 'Rec as MJPEG', waiting: 'Rec waiting', off: 'Rec ready' };
const KINDS = { push: 'Pushed to the server', pull: 'Fetched by the server' };

/** What a stream can be in, as the API says it and as people do. */
export const WORDS = { online: 'Online', pending: 'Pending', idle: 'Idle', ad: 'Ad', offline: 'Offline', error: 'Error' };

/** States in which a stream that is fetched has no new picture. */
export const TROUBLE = ['ad', 'offline', 'error'];

export function describe(root, s) {
  const { enabled, state, reason } = s.recording;
  const [pull, { kind }] = [s.source.kind === 'pull', s.source];
  root.dataset.state = s.state;
  root.dataset.rec = enabled ? 'on' : 'off';
  field(root, 'why').title = reason ?? '';
  fill(root, {
    state: WORDS[s.state] ?? s.state,
    rec: !pull && (enabled || state !== 'off') && (REC[state] ?? state),
    why: reason && `Recording: ${reason}`,
    says: silence(s),
    kind: KINDS[kind],
  });
  field(root, 'rec').dataset.is = state;
  const mark = root.querySelector('.kind');
  mark.title = KINDS[kind];
  mark.querySelector('use').setAttribute('href', `#i-${kind}`);
  const record = action(root, 'record');
  record.hidden = pull;
  record.querySelector('use').setAttribute('href', enabled ? '#i-stop' : '#i-record');
  entitle(record, enabled ? 'Stop recording' : 'Record', s.name);
  entitle(action(root, 'delete'), pull ? 'Follow no longer' : 'Delete', s.name);
}

/** Over a picture that is not new. */
function silence(s) {
  if (s.state === 'pending') return 'Waiting for the first picture';
  if (s.state === 'idle') return `No new picture for ${age(s.inactive_seconds)}`;
  if (!TROUBLE.includes(s.state)) return '';
  return s.last_frame_time ? `Last picture ${age(secondsSince(s.last_frame_time))} ago` : 'No picture yet';
}

const QUESTIONS = {
  push: {
    title: (name) => `Delete ${name}?`,
    text: 'Its viewers are disconnected and its recording is closed; recorded files stay. If something still sends pictures under this name, it comes back with the next one.',
  },
  pull: { title: (name) => `Follow ${name} no longer?`, text: 'It is followed no longer; its captured pictures are deleted.' },
};

/** `stream()` is the one shown at the time; `switched` and `deleted` are called with its name after that was done. */
export function enable(root, stream, { switched, deleted } = {}) {
  action(root, 'record').onclick = ({ currentTarget: button }) => {
    const { name, recording } = stream();
    attempt(button, `Recording of ${name}`, async () => {
      await ask(`${streamPath(name)}/recording`, { method: 'PUT', body: { enabled: !recording.enabled }, seconds: SLOW_S });
      switched?.(name);
    });
  };
  action(root, 'delete').onclick = async ({ currentTarget: button }) => {
    const { name, source } = stream();
    const { title, text } = QUESTIONS[source.kind];
    if (!(await confirmDelete(title(name), text))) return;
    attempt(button, name, async () => {
      toast((await askJson(streamPath(name), { method: 'DELETE', seconds: SLOW_S })).message);
      deleted?.(name);
    });
  };
}
