// What a tile of the wall and the single view both have: badges that say a stream's state, and buttons that record or delete it.

import { ask, askJson, streamPath } from './api.js';
import { confirmDelete } from './dialog.js';
import { action, entitle, field, fill } from './dom.js';
import { age, capital } from './format.js';
import { attempt, toast } from './toast.js';

const SLOW_S = 60; // The server answers when a recording is whole.
const REC = { recording: 'Rec', fallback_mjpeg: 'Rec as MJPEG', waiting: 'Rec waiting', off: 'Rec ready' };

export function describe(root, s) {
  const { enabled, state, reason } = s.recording;
  const silent = { pending: 'Waiting for the first picture', idle: `No new picture for ${age(s.inactive_seconds)}` };
  root.dataset.state = s.state;
  root.dataset.rec = enabled ? 'on' : 'off';
  field(root, 'why').title = reason ?? '';
  fill(root, {
    state: capital(s.state),
    rec: enabled || state !== 'off' ? REC[state] ?? state : '',
    why: reason && `Recording: ${reason}`,
    says: silent[s.state],
  });
  field(root, 'rec').dataset.is = state;
  const record = action(root, 'record');
  record.querySelector('use').setAttribute('href', enabled ? '#i-stop' : '#i-record');
  entitle(record, enabled ? 'Stop recording' : 'Record', s.name);
  entitle(action(root, 'delete'), 'Delete', s.name);
}

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
    const { name } = stream();
    const text = 'Its viewers are disconnected and its recording is closed; recorded files stay. If something still sends pictures under this name, it comes back with the next one.';
    if (!(await confirmDelete(`Delete ${name}?`, text))) return;
    attempt(button, name, async () => {
      toast((await askJson(streamPath(name), { method: 'DELETE', seconds: SLOW_S })).message);
      deleted?.(name);
    });
  };
}
