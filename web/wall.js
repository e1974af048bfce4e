// The first page: every stream as it is now, or plainly that it can't be told. Nothing here is remembered but the token.

const POLL_MS = 2000;
const MOST_LIVE = 4; // Browsers open six HTTP/1.1 connections to a host; two stay free for everything else.
const WALL_FPS = 12;
const BACK_OFF = [1, 2, 4, 8, 15]; // Seconds.
const ROWS = 100;

const $ = (id) => document.getElementById(id);
const field = (root, name) => root.querySelector(`[data-f=${name}]`);
const action = (root, name) => root.querySelector(`[data-do=${name}]`);
const stage = $('stage');

let token = sessionStorage.getItem('onair-token') ?? '';
let streams = null; // What the server said last.
let heard = null; // When it said so.
let away = false;
let asking = false; // For the token.
let route = {};
let lastTile = null; // Where the focus returns to.
const tiles = new Map(); // Name → tile.
const endings = new Map(); // Name → why it ended.

// --- Talking to the server

async function ask(path, { method = 'GET', body, seconds = 8, any = false } = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers['Content-Type'] = 'application/json';
  const signal = AbortSignal.timeout(seconds * 1000);
  const request = { method, headers, signal, cache: 'no-store', body: body && JSON.stringify(body) };
  const response = await fetch(path, request).catch((e) => {
    throw new Error(e.name === 'TimeoutError' ? `No answer within ${seconds} seconds.` : 'It can’t be reached.');
  });
  if (response.ok || any) return response;
  const problem = await response.json().catch(() => ({}));
  const fields = (problem.errors ?? []).map((e) => `${e.field}: ${e.message}`).join('; ');
  const text = [problem.detail ?? `It answered ${response.status}`, fields].filter(Boolean).join(' – ');
  throw Object.assign(new Error(text), { status: response.status });
}

async function askJson(path, options) {
  const response = await ask(path, options);
  return response.json().catch(() => {
    throw new Error('Something else answers in its place.');
  });
}

/** For elements that can't send a header. */
const media = (path) => (token ? `${path}${path.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}` : path);
const of = (name) => `/api/streams/${encodeURIComponent(name)}`;
const mjpeg = (name, fps) => media(`/stream/${encodeURIComponent(name)}${fps ? `?fps=${fps}` : ''}`);

/** Does something at the user's wish; what goes wrong is a toast. */
async function attempt(button, what, work) {
  button.disabled = true;
  try {
    await work();
  } catch (e) {
    if (e.status === 401) askToken();
    else toast(`${what}: ${e.message}`, 'error');
  }
  button.disabled = false;
  poll();
}

let polling = false;
let pollAgain = false;
let failures = 0;
let timer;
let dueAt = 0;

async function poll() {
  if (polling) return void (pollAgain = true);
  clearTimeout(timer);
  if (document.hidden || asking) return;
  [polling, pollAgain] = [true, false];
  try {
    const [list, health] = await Promise.all([askJson('/api/streams'), askJson('/health', { any: true })]);
    [streams, heard, failures] = [list.streams, new Date(), 0];
    reached(health, list);
  } catch (e) {
    if (e.status === 401) askToken();
    else lost(e);
  }
  polling = false;
  if (asking) return;
  const wait = failures ? BACK_OFF[Math.min(failures, BACK_OFF.length) - 1] * 1000 : pollAgain ? 100 : POLL_MS;
  dueAt = Date.now() + wait;
  timer = setTimeout(poll, wait);
}

function reached(health, list) {
  if (away) for (const picture of pictures()) picture.stop();
  away = false;
  $('away').hidden = true;
  document.body.classList.remove('is-away');
  const ill = Object.entries(health.components ?? {}).filter(([, c]) => c.detail);
  const known = { healthy: 'Healthy', degraded: 'Degraded', stopping: 'Stopping' };
  say($('health'), known[health.status] ?? 'Unknown').dataset.is = health.status;
  $('trouble').hidden = !ill.length;
  say($('trouble'), ill.map(([name, c]) => `${capital(name)}: ${c.detail}`).join(' · '));
  const viewers = streams.reduce((sum, s) => sum + s.viewer_count, 0);
  say($('streams'), count(list.total));
  say($('streams-word'), list.total === 1 ? 'stream' : 'streams');
  say($('viewers'), count(viewers));
  say($('viewers-word'), viewers === 1 ? 'viewer' : 'viewers');
  $('leave').hidden = !token;
  if (!socket) listen();
  render();
}

function lost(error) {
  failures++;
  away = true;
  document.body.classList.add('is-away');
  $('away').hidden = false;
  $('loading').hidden = true;
  $('trouble').hidden = true;
  say($('away-why'), error.message);
  say($('away-since'), heard ? `What you see is from ${clock(heard)}.` : '');
  say($('health'), 'Away').dataset.is = 'away';
  for (const id of ['streams', 'viewers']) say($(id), '–');
  arrange();
}

setInterval(() => {
  const left = Math.max(0, Math.ceil((dueAt - Date.now()) / 1000));
  if (away) say($('again'), polling ? 'Trying…' : `Try now (${left} s)`);
}, 250);

let socket = null;
let socketFailures = 0;

/** Events only say when to look; what there is comes from the list. */
function listen() {
  const url = new URL(media('/ws'), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  socket = new WebSocket(url);
  socket.onopen = () => socket.send(JSON.stringify({ type: 'subscribe', payload: { topics: ['streamEvent'] } }));
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === 'hello') socketFailures = 0;
    if (payload?.event === 'sourceOffline') endings.set(payload.stream, payload.reason ?? '');
    if (type === 'streamEvent') poll();
  };
  socket.onclose = () => {
    const wait = BACK_OFF[Math.min(socketFailures++, BACK_OFF.length - 1)];
    setTimeout(() => (socket = null), wait * 1000); // The next answer to a poll opens a new one.
    poll();
  };
}

function askToken() {
  say($('sign-in-error'), token ? 'The server does not take this token.' : '');
  for (const picture of pictures()) picture.stop();
  forget();
  clearTimeout(timer);
  [asking, away, failures] = [true, false, 0];
  document.body.classList.remove('is-away');
  $('away').hidden = $('trouble').hidden = true;
  say($('health'), 'Locked').dataset.is = 'away';
  for (const id of ['streams', 'viewers']) say($(id), '–');
  show('sign-in');
  $('token').focus();
}

function forget() {
  sessionStorage.removeItem('onair-token');
  [token, streams, heard] = ['', null, null];
  $('leave').hidden = true;
}

$('sign-in').onsubmit = (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  sessionStorage.setItem('onair-token', token);
  $('token').value = '';
  asking = false;
  show('loading');
  ways();
  poll();
};
$('leave').onclick = () => {
  forget();
  location.reload();
};
$('again').onclick = poll;
$('metrics').onclick = async (event) => {
  if (!token) return;
  event.preventDefault(); // A link can't send the token.
  attempt($('leave'), 'Metrics', async () => open(URL.createObjectURL(await (await ask('/metrics')).blob())));
};

// --- Pictures

/** A canvas with the latest still, and over it, while it is live, an MJPEG image. */
class Picture {
  img = null;
  time = null; // Of the still.
  notBefore = 0;

  constructor(root) {
    this.canvas = root.querySelector('canvas');
  }

  start(src, created) {
    if (this.img && this.created !== created) this.stop(); // Another stream of the same name.
    if (this.img) return;
    this.created = created;
    this.img = Object.assign(new Image(), { alt: '', className: 'live', src });
    this.since = Date.now();
    this.img.onerror = () => {
      this.notBefore = Date.now() + 3000;
      this.stop();
    };
    this.canvas.after(this.img);
  }

  draw(picture, width, height) {
    const scale = Math.min(1, 1280 / width);
    [this.canvas.width, this.canvas.height] = [width * scale, height * scale];
    this.canvas.getContext('2d').drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
  }

  /** So that something is left to see when the live picture ends. */
  keep() {
    if (this.img?.naturalWidth) this.draw(this.img, this.img.naturalWidth, this.img.naturalHeight);
  }

  stop() {
    if (!this.img) return;
    this.keep();
    this.img.onerror = null;
    this.img.src = ''; // Ends the connection; taking it out of the page would not.
    this.img.remove();
    this.img = null;
  }

  clear() {
    this.stop();
    this.canvas.width = this.canvas.height = this.time = 0;
  }
}

const big = { el: stage, picture: new Picture(stage), stream: null, seen: true };
const pictures = () => [big, ...tiles.values()].map((tile) => tile.picture);
const wanted = (tile) => tile.stream && tile.seen && !tile.el.hidden && (tile === big) === (route.view === 'stage');

// All windows of a browser share its connections.
const windows = new Map();
const me = Math.random();
const channel = new BroadcastChannel('onair');
channel.onmessage = ({ data }) => {
  const before = room();
  windows.set(data.me, data.shown ? Date.now() : 0);
  if (room() !== before) arrange();
};
const room = () => Math.floor(MOST_LIVE / (1 + [...windows.values()].filter((at) => Date.now() - at < 5000).length));

/** Gives the live connections to tiles on screen; the others get stills. */
function arrange() {
  channel.postMessage({ me, shown: !document.hidden });
  for (const { picture, stream } of [big, ...tiles.values()]) {
    picture.keep();
    // The server would know of us.
    if (picture.img && stream?.viewer_count === 0 && Date.now() - picture.since > 6000) picture.stop();
  }
  const may = (tile) => wanted(tile) && tile.stream.state === 'online' && Date.now() >= tile.picture.notBefore;
  const all = away || document.hidden || asking ? [] : [big, ...tiles.values()].filter(may);
  const first = all.filter((tile) => tile.picture.img);
  const live = new Set([...first, ...all.filter((tile) => !tile.picture.img)].slice(0, Math.max(room(), route.view === 'stage')));
  for (const tile of [big, ...tiles.values()]) if (!live.has(tile)) tile.picture.stop();
  for (const tile of live) tile.picture.start(mjpeg(tile.stream.name, tile === big ? 0 : WALL_FPS), tile.stream.created_at);
  stills();
}

let drawing = false;

/** One after the other: a connection must stay free. */
async function stills() {
  if (drawing) return;
  drawing = true;
  for (const tile of [big, ...tiles.values()]) {
    const { picture, stream } = tile;
    if (away || document.hidden || asking || !wanted(tile) || picture.img) continue;
    if (!stream.has_current_frame || picture.time === stream.last_frame_time) continue;
    const width = Math.min(tile === big ? 1280 : 480, stream.width);
    try {
      const answer = await ask(`${of(stream.name)}/snapshot.jpg?width=${width}&t=${Date.now()}`);
      const still = await createImageBitmap(await answer.blob());
      if (tile.stream?.name !== stream.name) continue;
      picture.draw(still, still.width, still.height);
      picture.time = stream.last_frame_time;
    } catch {
      // What is wrong, the next poll says.
    }
  }
  drawing = false;
}

const seeing = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const tile = tiles.get(target.dataset.name);
    if (tile) tile.seen = isIntersecting;
  }
  arrange();
}, { rootMargin: '40px' });

document.addEventListener('visibilitychange', () => {
  arrange();
  poll();
});
addEventListener('online', poll);
addEventListener('pagehide', () => channel.postMessage({ me, shown: false }));

// --- What is shown

function say(el, text) {
  if (el.textContent !== String(text)) el.textContent = text;
  return el;
}

function fill(root, texts) {
  for (const [name, text] of Object.entries(texts)) say(field(root, name), text ?? '').hidden = !text;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const count = (n) => n.toLocaleString();
const size = (s) => (s.width ? `${s.width}×${s.height}` : '');
const clock = (date) => date.toLocaleTimeString();
const when = (text) => (text ? new Date(text).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }) : 'unknown');
const fps = (s) => (s.state === 'online' ? `${s.fps.toFixed(s.fps < 9.95 ? 1 : 0)} fps` : '');

function bytes(n) {
  const step = Math.min(4, Math.floor(Math.log10(Math.max(n, 1)) / 3));
  return `${(n / 1000 ** step).toLocaleString([], { maximumFractionDigits: step > 1 ? 1 : 0 })} ${['bytes', 'kB', 'MB', 'GB', 'TB'][step]}`;
}

function span(seconds) {
  const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  return d ? `${d}d ${h}h` : h ? `${h}h ${m}m` : m ? `${m} min` : `${s} s`;
}

function watch(seconds) {
  const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  return [h, h ? String(m).padStart(2, '0') : m, String(s).padStart(2, '0')].slice(h ? 0 : 1).join(':');
}

const REC = { recording: 'Rec', fallback_mjpeg: 'Rec as MJPEG', waiting: 'Rec waiting', off: 'Rec ready' };

/** What a tile and the big picture both say. */
function describe(root, s) {
  const { enabled, state, reason } = s.recording;
  const silent = { pending: 'Waiting for the first picture', idle: `No new picture for ${span(s.inactive_seconds)}` };
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
  const [record, what] = [action(root, 'record'), enabled ? 'Stop recording' : 'Record'];
  record.querySelector('use').setAttribute('href', enabled ? '#i-stop' : '#i-record');
  record.title = what;
  record.setAttribute('aria-label', `${what} ${s.name}`);
  action(root, 'delete').title = 'Delete';
  action(root, 'delete').setAttribute('aria-label', `Delete ${s.name}`);
}

function actions(root, stream) {
  action(root, 'record').onclick = (event) => {
    const { name, recording } = stream();
    const body = { enabled: !recording.enabled };
    attempt(event.currentTarget, `Recording of ${name}`, async () => {
      await ask(`${of(name)}/recording`, { method: 'PUT', body, seconds: 60 });
      listRecordings();
    });
  };
  action(root, 'delete').onclick = async (event) => {
    const [button, { name }] = [event.currentTarget, stream()];
    const text = 'Its viewers are disconnected and its recording is closed; recorded files stay. If something still sends pictures under this name, it comes back with the next one.';
    if (!(await sure(`Delete ${name}?`, text))) return;
    attempt(button, name, async () => {
      toast((await askJson(of(name), { method: 'DELETE', seconds: 60 })).message);
      if (route.name === name) location.hash = '#/';
    });
  };
}

function newTile(name) {
  const el = $('tile').content.cloneNode(true).firstElementChild;
  const tile = { el, picture: new Picture(el), stream: null, seen: false };
  el.dataset.name = name;
  const link = field(el, 'name');
  link.href = `#/stream/${encodeURIComponent(name)}`;
  link.setAttribute('aria-keyshortcuts', 'Enter');
  actions(el, () => tile.stream);
  tiles.set(name, tile);
  seeing.observe(el);
  return tile;
}

function render() {
  if (!streams || asking) return;
  const names = new Set(streams.map((s) => s.name));
  for (const [name, tile] of tiles) {
    if (names.has(name)) continue;
    seeing.unobserve(tile.el);
    tile.picture.stop();
    tile.el.remove();
    tiles.delete(name);
  }
  const filter = $('search').value.trim().toLowerCase();
  let [place, shown] = [0, 0];
  for (const s of streams) {
    const tile = tiles.get(s.name) ?? newTile(s.name);
    tile.stream = s;
    describe(tile.el, s);
    fill(tile.el, {
      name: s.name, fps: fps(s), size: size(s), uptime: `up ${span(s.uptime_seconds)}`,
      publishers: s.publishers > 1 && `${s.publishers} publishers`, viewers: count(s.viewer_count),
    });
    tile.el.hidden = !s.name.toLowerCase().includes(filter);
    shown += !tile.el.hidden;
    const there = $('tiles').children[place++];
    if (there !== tile.el) $('tiles').insertBefore(tile.el, there ?? null);
  }
  $('tiles').dataset.few = shown;
  $('no-match').hidden = shown > 0;
  say($('no-match'), `No stream has “${filter}” in its name.`);
  const view = route.view === 'wall' && !streams.length ? 'push' : route.view;
  say($('push-title'), streams.length ? 'Push a stream' : 'Nothing on air yet');
  if (view === 'stage') renderStage();
  show(view);
  arrange();
}

function renderStage() {
  const s = streams.find((one) => one.name === route.name);
  big.stream = s ?? null;
  stage.classList.toggle('ended', !s);
  $('facts').hidden = !s;
  for (const name of ['record', 'delete']) action(stage, name).hidden = !s;
  if (!s) {
    const why = endings.get(route.name);
    stage.dataset.state = 'offline';
    return fill(stage, { state: 'Offline', rec: '', why: '', says: `This stream is not on air${why ? `: ${why}` : ''}.` });
  }
  describe(stage, s);
  fill(stage, { record: s.recording.enabled ? 'Stop recording' : 'Record' });
  const facts = {
    'Frames a second': s.fps.toFixed(1), Picture: size(s) || '–', Viewers: count(s.viewer_count), Publishers: count(s.publishers),
    'On air for': span(s.uptime_seconds), 'Frames so far': count(s.total_frames),
    'Last picture': s.last_frame_time ? clock(new Date(s.last_frame_time)) : 'none yet', 'On air since': when(s.created_at),
    Recording: s.recording.file ?? (s.recording.enabled ? 'on, no file yet' : 'off'),
  };
  Object.entries(facts).forEach(([name, text], i) => {
    const pair = $('facts').children[i] ?? $('facts').appendChild(document.createElement('div'));
    if (!pair.firstChild) pair.append(document.createElement('dt'), document.createElement('dd'));
    say(pair.firstChild, name);
    say(pair.lastChild, text);
  });
}

const SECTIONS = { loading: [], 'sign-in': [], wall: [], push: [], stage: ['recordings'], recordings: [] };

function show(view) {
  for (const id of Object.keys(SECTIONS)) $(id).hidden = id !== view && !SECTIONS[view].includes(id);
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.dataset.view === route.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

let scrolled = 0;

function go() {
  const before = route.view;
  if (before === 'wall') scrolled = scrollY;
  const [view, name] = location.hash.replace(/^#\/?/, '').split('/');
  route = { view: { stream: 'stage', recordings: 'recordings', push: 'push' }[view] ?? 'wall', name };
  document.title = name ? `${name} – onair` : 'onair';
  big.picture.clear();
  big.stream = null;
  if (route.view === 'stage') {
    say($('stage-name'), name);
    const url = `${location.origin}/stream/${name}`;
    $('watch').replaceChildren(way('Watch elsewhere', 'MJPEG: as an image in a page, in VLC, in OBS.', url));
  }
  for (const row of rows.values()) row.remove();
  rows.clear();
  [recordings, most] = [null, ROWS];
  listRecordings();
  render();
  scrollTo(0, route.view === 'wall' ? scrolled : 0);
  if (route.view === 'stage') $('stage-name').focus({ preventScroll: true });
  else if (before === 'stage' && lastTile) tiles.get(lastTile)?.el.querySelector('a').focus({ preventScroll: true });
  lastTile = route.view === 'stage' ? name : lastTile;
}

// --- Recordings

let recordings = null;
let most = ROWS;
const rows = new Map();

async function listRecordings() {
  const { view, name } = route;
  if (!['stage', 'recordings'].includes(view) || asking || away || document.hidden) return;
  try {
    const query = view === 'stage' ? `?stream=${encodeURIComponent(name)}` : '';
    const answer = await askJson(`/api/recordings${query}`);
    if (route.view === view && route.name === name) renderRecordings((recordings = answer));
  } catch (e) {
    if (e.status === 401) askToken();
    else if (!recordings) toast(`Recordings: ${e.message}`, 'error');
  }
}

function renderRecordings({ recordings: all, total, total_bytes, free_bytes }) {
  const filter = route.view === 'recordings' ? $('search').value.trim().toLowerCase() : '';
  const list = all.filter((r) => r.stream.toLowerCase().includes(filter));
  const free = free_bytes == null ? '' : ` · ${bytes(free_bytes)} free`;
  say($('totals'), `${count(total)} ${total === 1 ? 'file' : 'files'} · ${bytes(total_bytes)}${free}`);
  $('no-rows').hidden = list.length > 0;
  say($('no-rows'), filter && all.length ? `No recording of a stream with “${filter}” in its name.` : 'Nothing is recorded yet.');
  $('more').hidden = list.length <= most;
  document.querySelector('table').hidden = !list.length;
  document.querySelector('table').classList.toggle('one', route.view === 'stage');
  const page = list.slice(0, most);
  const files = new Set(page.map((r) => r.file));
  for (const [file, row] of rows) {
    if (files.has(file)) continue;
    row.remove();
    rows.delete(file);
  }
  page.forEach((r, i) => {
    const row = rows.get(r.file) ?? newRow(r);
    rows.set(r.file, row);
    const duration = r.duration_seconds == null ? '–' : watch(r.duration_seconds);
    fill(row, {
      start: when(r.start_time), file: r.file, stream: r.stream, duration, bytes: bytes(r.size_bytes), size: size(r) || '–', codec: r.codec ?? '–',
      flag: r.active ? 'Being written' : r.recovered ? 'Recovered' : '',
      short: [route.view === 'stage' ? '' : r.stream, r.duration_seconds && duration, bytes(r.size_bytes), r.codec].filter(Boolean).join(' · '),
    });
    field(row, 'flag').dataset.is = r.active ? 'recording' : 'recovered';
    field(row, 'flag').title = r.active ? '' : 'Finished after a crash, at the last whole fragment';
    action(row, 'delete').disabled = r.active;
    action(row, 'delete').title = r.active ? 'Stop the recording first' : 'Delete';
    action(row, 'play').onclick = () => play(r);
    if ($('rows').children[i] !== row) $('rows').insertBefore(row, $('rows').children[i] ?? null);
  });
}

const fileUrl = (r) => `/api/recordings/${encodeURIComponent(r.stream)}/${encodeURIComponent(r.file)}`;

function newRow(r) {
  const row = $('row').content.cloneNode(true).firstElementChild;
  for (const name of ['play', 'download', 'delete']) {
    action(row, name).title = capital(name);
    action(row, name).setAttribute('aria-label', `${capital(name)} ${r.file}`);
  }
  field(row, 'stream').href = `#/stream/${encodeURIComponent(r.stream)}`;
  action(row, 'download').href = media(fileUrl(r));
  action(row, 'delete').onclick = async (event) => {
    const button = event.currentTarget;
    if (!(await sure('Delete this recording?', `${r.file}, ${bytes(r.size_bytes)}. It can’t be brought back.`))) return;
    attempt(button, r.file, async () => {
      await ask(fileUrl(r), { method: 'DELETE', seconds: 60 });
      toast(`${r.file} deleted`);
      await listRecordings();
    });
  };
  return row;
}

const CODECS = {
  h264: ['H.264', 'avc1.64001f'],
  mp4v: ['MPEG-4 Part 2', 'mp4v.20.9'],
  mjpeg: ['Motion JPEG', 'mp4v.6c'],
};

function play(r) {
  const [video, note] = [$('player').querySelector('video'), $('player-note')];
  const [coding, type] = CODECS[r.codec] ?? [r.codec ?? 'its coding'];
  const cannot = `This browser can’t play ${coding} video. Download the file: VLC, mpv and FFmpeg play it.`;
  const playable = !type || video.canPlayType(`video/mp4; codecs="${type}"`) !== '';
  say($('player-title'), r.stream);
  say($('player-facts'), [when(r.start_time), size(r), coding, bytes(r.size_bytes)].filter(Boolean).join(' · '));
  $('player-download').href = media(fileUrl(r));
  note.hidden = playable && !r.active;
  say(note, playable ? 'It is still being written: you see it up to now.' : cannot);
  video.hidden = !playable;
  video.onerror = () => {
    if (!video.hasAttribute('src')) return;
    note.hidden = !(video.hidden = true);
    say(note, away ? 'The server is away.' : `It can’t be played here. ${cannot}`);
  };
  if (playable) video.src = media(fileUrl(r));
  $('player').onclose = () => {
    video.removeAttribute('src');
    video.load();
  };
  $('player').showModal();
  if (playable) video.play().catch(() => {}); // The browser may want a click first; the controls are there.
}

// --- Small things

function sure(title, text) {
  say($('confirm-title'), title);
  say($('confirm-text'), text);
  say($('confirm-yes'), 'Delete');
  $('confirm').returnValue = '';
  $('confirm').showModal();
  return new Promise((resolve) => ($('confirm').onclose = () => resolve($('confirm').returnValue === 'yes')));
}

function toast(text, kind = 'done') {
  const el = document.createElement('p');
  el.className = `toast ${kind}`;
  el.textContent = text;
  el.onclick = () => el.remove();
  $('toasts').append(el);
  setTimeout(() => el.remove(), kind === 'error' ? 10_000 : 5000);
}

function way(title, text, command) {
  const el = $('way').content.cloneNode(true).firstElementChild;
  fill(el, { title, text, command });
  el.querySelector('button').onclick = async () => {
    getSelection().selectAllChildren(field(el, 'command'));
    const copied = navigator.clipboard ? navigator.clipboard.writeText(command).then(() => true, () => false) : document.execCommand('copy');
    toast((await copied) ? 'Copied' : 'Selected: press Ctrl+C to copy');
  };
  return el;
}

function ways() {
  const { origin } = location;
  const header = token ? ' -H "Authorization: Bearer $ONAIR_TOKEN"' : '';
  $('push-token').hidden = !token;
  $('ways').replaceChildren(...[
    way('A test picture', 'Moving colour bars, from any machine that has onair.', `onair publish --test --server ${origin}`),
    way('One picture, with curl', 'Each request is a frame. Any JPEG will do.', `curl${header} -F frame=@picture.jpg ${origin}/publish/camera`),
    way('A webcam, with Python', 'The client in client/, in your own program or as it is.', `python client/examples/webcam_publisher.py --server ${origin} --stream webcam`),
  ].map((el) => {
    const item = document.createElement('li');
    item.append(el);
    return item;
  }));
}

document.addEventListener('keydown', (event) => {
  const search = $('search');
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = event.target.matches('input, select, textarea, video');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    search.select();
  } else if (event.key === 'Escape' && event.target === search) {
    search.value = '';
    search.blur();
    search.oninput();
  } else if (event.key === 'Escape' && route.view !== 'wall' && !document.fullscreenElement) {
    location.hash = '#/';
  } else if (event.key.startsWith('Arrow') && route.view === 'wall' && (!typing || (event.target === search && event.key === 'ArrowDown'))) {
    const links = [...document.querySelectorAll('.tile:not([hidden]) .label a')];
    if (!links.length) return;
    const row = links.findIndex((link) => link.getBoundingClientRect().top > links[0].getBoundingClientRect().top + 4);
    const columns = row < 0 ? links.length : row;
    const from = links.indexOf(document.activeElement.closest('.tile')?.querySelector('.label a'));
    const to = from < 0 ? 0 : from + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    event.preventDefault();
    links[to]?.focus();
    links[to]?.closest('.tile').scrollIntoView({ block: 'nearest' });
  }
});

$('search').oninput = () => {
  if (['stage', 'push'].includes(route.view)) location.hash = '#/';
  render();
  if (recordings) renderRecordings(recordings);
};
$('more').onclick = () => {
  most += ROWS;
  renderRecordings(recordings);
};
$('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $('stage-picture').requestFullscreen());
$('full').hidden = !document.fullscreenEnabled;
setInterval(listRecordings, 6000);
actions(stage, () => big.stream);
addEventListener('hashchange', go);
go();
show('loading');
ways();
poll();
