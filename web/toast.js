// What became of what the user asked for: a note in the corner that goes away by itself.

import { $ } from './dom.js';
import { poll } from './poll.js';

export function toast(text, kind = 'done') {
  const el = document.createElement('p');
  el.className = `toast ${kind}`;
  el.textContent = text;
  el.onclick = () => el.remove();
  $('toasts').append(el);
  setTimeout(() => el.remove(), kind === 'error' ? 10_000 : 5000);
}

/** Does something at the user's wish; what goes wrong is a toast. */
export async function attempt(button, what, work) {
  button.disabled = true;
  try {
    await work();
  } catch (e) {
    if (e.status !== 401) toast(`${what}: ${e.message}`, 'error'); // Else the token is being asked for.
  }
  button.disabled = false;
  poll();
}
