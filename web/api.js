// The server's API: its addresses, requests with the token, refusals in words. The token is kept in this tab only.

const KEY = 'onair-token';

export let token = sessionStorage.getItem(KEY) ?? '';
let refused = () => {};
let ahead = 0; // Milliseconds that the server's clock is ahead of ours.

export function setToken(text) {
  token = text;
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/** Called when the server wants a token, or another one. */
export const onRefused = (listener) => (refused = listener);

/** The answer, or an error that says why there is none. `any` takes an answer of whatever status. */
export async function ask(path, { method = 'GET', body, seconds = 8, any = false } = {}) {
  const used = token;
  const headers = used ? { Authorization: `Bearer ${used}` } : {};
  if (body) headers['Content-Type'] = 'application/json';
  const signal = AbortSignal.timeout(seconds * 1000);
  const request = { method, headers, signal, cache: 'no-store', body: body && JSON.stringify(body) };
  const response = await fetch(path, request).catch((e) => {
    throw new Error(e.name === 'TimeoutError' ? `No answer within ${seconds} seconds.` : 'It can’t be reached.');
  });
  heard(response);
  if (response.ok || any) return response;
  if (response.status === 401 && used === token) refused(); // An answer to an earlier token says nothing of this one.
  const problem = await response.json().catch(() => ({}));
  const fields = (problem.errors ?? []).map((e) => `${e.field}: ${e.message}`).join('; ');
  const text = [problem.detail ?? `It answered ${response.status}`, fields].filter(Boolean).join(' – ');
  throw Object.assign(new Error(text), { status: response.status, fields: problem.errors ?? [] });
}

export async function askJson(path, options) {
  const response = await ask(path, options);
  return response.json().catch(() => {
    throw new Error('Something else answers in its place.');
  });
}

/** Its `Date` is cut to whole seconds. */
function heard(response) {
  const at = Date.parse(response.headers.get('date'));
  if (at) ahead = at + 500 - Date.now();
}

/** Seconds since a time that the server told, by its own clock. */
export const secondsSince = (text) => Math.max(0, (Date.now() + ahead - Date.parse(text)) / 1000);

/** For elements that can't send a header. */
const withToken = (path) => (token ? `${path}${path.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}` : path);

export const listPath = (params) => `/api/streams?${new URLSearchParams(Object.entries(params).filter(([, value]) => value !== ''))}`;
export const pictureUrl = (path) => withToken(path);
export const streamPath = (name) => `/api/streams/${encodeURIComponent(name)}`;
export const stillPath = (name, width) => `${streamPath(name)}/snapshot.jpg${width ? `?width=${width}` : ''}`;
export const recordingsPath = (name, limit) => `/api/recordings?limit=${limit}${name ? `&stream=${encodeURIComponent(name)}` : ''}`;
export const recordingPath = (r) => `/api/recordings/${encodeURIComponent(r.stream)}/${encodeURIComponent(r.file)}`;
export const recordingUrl = (r) => withToken(recordingPath(r));
export const eventsPath = (name, limit, cursor) =>
  `/api/events?${new URLSearchParams({ limit, ...(name && { stream: name }), ...(cursor && { cursor }) })}`;
export const verdictPath = (id) => `/api/events/${encodeURIComponent(id)}/verdict`;
export const liveUrl = (name, fps) => withToken(`/stream/${encodeURIComponent(name)}${fps ? `?fps=${fps}` : ''}`);

export function eventsUrl() {
  const url = new URL(withToken('/ws'), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}
