// When the server is asked: every two seconds, at once when an event says that a stream came or went, and with growing pauses while
// it is away. What is asked, and what is made of the answer, is the page's affair; shows nothing itself.

import { eventsUrl } from './api.js';

const EVERY_MS = 2000;
const SOON_MS = 100;
const BACK_OFF_S = [1, 2, 4, 8, 15];

/** Whether the server failed to answer last time. */
export let away = false;
const endings = new Map(); // Stream → why it ended.
let listener = null;
let polling = false;
let again = false; // Something changed while an answer was under way.
let failures = 0;
let timer;
let dueAt = 0;

const backOff = (failed) => BACK_OFF_S[Math.min(failed, BACK_OFF_S.length - 1)] * 1000;

/** From now on `ask()` is called each time, and then `reached(answer)` or `lost(error)`. */
export function start(ask, reached, lost) {
  listener = { ask, reached, lost };
  poll();
}

export function stop() {
  clearTimeout(timer);
  [listener, away, failures] = [null, false, 0];
}

export async function poll() {
  if (polling) return void (again = true);
  clearTimeout(timer);
  if (document.hidden || !listener) return;
  [polling, again] = [true, false];
  let result;
  try {
    result = await listener.ask();
    [away, failures] = [false, 0];
  } catch (e) {
    result = e;
  }
  polling = false;
  if (!listener) return;
  if (result instanceof Error) {
    if (result.status === 401) return void poll(); // It was to an earlier token.
    [away, failures] = [true, failures + 1];
    listener.lost(result);
  } else {
    listen();
    listener.reached(result);
  }
  const wait = away ? backOff(failures - 1) : again ? SOON_MS : EVERY_MS;
  dueAt = Date.now() + wait;
  timer = setTimeout(poll, wait);
}

/** Seconds until the server is asked again; 0 while it is being asked. */
export const dueIn = () => (polling ? 0 : Math.max(0, Math.ceil((dueAt - Date.now()) / 1000)));

/** Why a stream ended, if that was seen. */
export const ending = (name) => endings.get(name);

let socket = null;
let socketFailures = 0;

/** Events only say when to look; what there is comes from the list. */
function listen() {
  if (socket) return;
  try {
    socket = new WebSocket(eventsUrl());
  } catch {
    return; // Before Safari 16, 'self' in a content policy leaves sockets out. The list is asked for all the same.
  }
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === 'hello') socketFailures = 0;
    if (type !== 'streamEvent') return;
    if (payload.event === 'sourceOffline') endings.set(payload.stream, payload.reason ?? '');
    poll();
  };
  socket.onclose = () => {
    setTimeout(() => (socket = null), backOff(socketFailures++)); // The next answer to a poll opens a new one.
    poll();
  };
}

addEventListener('online', poll);
document.addEventListener('visibilitychange', poll);
