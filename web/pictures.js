// Live pictures within the browser's budget of connections, and stills for those that go without.
//
// A view makes a Picture and sets its `stream`, as listed; which of them are live is decided here, by what is on screen. Only what
// the server sends is drawn, and a picture never moves unless the stream does.

import { ask, liveUrl, stillPath } from './api.js';

const MOST_LIVE = 4; // Browsers open six HTTP/1.1 connections to a host; two stay free for everything else.
const TILE = { fps: 12, width: 480 };
const ALONE = { fps: 0, width: 1280 }; // 0: all frames.
const FETCHED = 'pull'; // A stream that changes every few seconds: a still says as much as a connection held open for it.
const RETRY_MS = 3000;
const SETTLE_MS = 6000; // By then the server counts a live picture as a viewer.
const WINDOW_MS = 5000; // A window that shows pictures says so with each poll.

const pictures = new Set();
let paused = true;

/** A canvas with the latest still, and over it, while it is live, an MJPEG image. */
export class Picture {
  stream = null;
  #img = null;
  #canvas;
  #box;
  #onScreen = false;
  #created = ''; // When the stream of the live picture began.
  #since = 0; // When the live picture was asked for.
  #notBefore = 0;
  #still = null; // The last frame's time when the still was asked for.

  /** `alone`: nothing else is live on its page, and it is large. */
  constructor(root, alone = false) {
    this.#canvas = root.querySelector('canvas');
    this.#box = this.#canvas.parentElement;
    this.alone = alone;
    pictures.add(this);
    seeing.observe(this.#box);
    boxes.set(this.#box, this);
  }

  get isLive() {
    return this.#img !== null;
  }

  /** Its first frame may take a while: until then a still is shown. */
  get #moves() {
    return Boolean(this.#img?.naturalWidth);
  }

  get wantsStill() {
    return this.isWanted && !this.#moves;
  }

  get isWanted() {
    return this.stream !== null && this.#onScreen;
  }

  /** The connection ended without a word: the server knows of no viewer. */
  get isDead() {
    return this.isLive && this.stream?.viewer_count === 0 && Date.now() - this.#since > SETTLE_MS;
  }

  get mayLive() {
    const moves = this.alone || this.stream?.source.kind !== FETCHED;
    return this.isWanted && moves && this.stream.state === 'online' && Date.now() >= this.#notBefore;
  }

  get #most() {
    return this.alone ? ALONE : TILE;
  }

  set onScreen(yes) {
    this.#onScreen = yes;
  }

  start() {
    const { name, created_at: created } = this.stream;
    if (this.#img && this.#created !== created) this.stop(); // Another stream of the same name.
    if (this.#img) return;
    this.#created = created;
    this.#img = Object.assign(new Image(), { alt: '', className: 'live', src: liveUrl(name, this.#most.fps) });
    this.#since = Date.now();
    this.#img.onerror = () => {
      this.#notBefore = Date.now() + RETRY_MS;
      this.stop();
    };
    this.#canvas.after(this.#img);
  }

  /** Puts what the live picture shows on the canvas, so that something is left to see when it ends. */
  keep() {
    if (this.#img?.naturalWidth) this.#draw(this.#img, this.#img.naturalWidth, this.#img.naturalHeight);
  }

  stop() {
    if (!this.#img) return;
    const img = this.#img;
    this.keep();
    this.#img = null;
    img.onerror = null;
    img.src = ''; // Ends the connection; taking it out of the page would not.
    img.remove();
  }

  /** Shows nothing, as before its first stream. */
  clear() {
    this.stop();
    [this.stream, this.#still, this.#notBefore] = [null, null, 0];
    this.#canvas.width = this.#canvas.height = 0;
  }

  /** For good. */
  remove() {
    this.clear();
    seeing.unobserve(this.#box);
    boxes.delete(this.#box);
    pictures.delete(this);
  }

  async refreshStill() {
    const { name, created_at: created, has_current_frame: any, last_frame_time: time, width } = this.stream;
    if (!any || time === this.#still) return;
    const answer = await ask(stillPath(name, width > this.#most.width && this.#most.width));
    const still = await createImageBitmap(await answer.blob());
    if (this.stream?.created_at !== created || this.stream.name !== name) return;
    this.#draw(still, still.width, still.height);
    this.#still = time;
  }

  #draw(picture, width, height) {
    const scale = Math.min(1, ALONE.width / width);
    [this.#canvas.width, this.#canvas.height] = [width * scale, height * scale];
    this.#canvas.getContext('2d').drawImage(picture, 0, 0, this.#canvas.width, this.#canvas.height);
  }
}

/** While paused nothing is live and nothing is asked for. */
export function pause(yes) {
  if (paused === yes) return;
  paused = yes;
  arrange();
}

/** Gives the live connections to pictures on screen, those that have one first; the others get stills. */
export function arrange() {
  channel.postMessage({ me, shown: !document.hidden });
  for (const picture of pictures) {
    if (picture.isDead) picture.stop();
    else picture.keep();
  }
  const may = paused || document.hidden ? [] : [...pictures].filter((picture) => picture.mayLive);
  may.sort((a, b) => b.isLive - a.isLive);
  const live = new Set(may.slice(0, Math.max(room(), may.some((picture) => picture.alone))));
  for (const picture of pictures) if (!live.has(picture)) picture.stop();
  for (const picture of live) picture.start();
  refreshStills();
}

let refreshing = false;

/** One after the other: a connection must stay free. */
async function refreshStills() {
  if (refreshing) return;
  refreshing = true;
  for (const picture of pictures) {
    if (paused || document.hidden) break;
    if (!picture.wantsStill) continue;
    await picture.refreshStill().catch(() => {}); // What is wrong, the next poll says.
  }
  refreshing = false;
}

// All windows of a browser share its connections.
const windows = new Map(); // Window → when it last showed pictures.
const me = Math.random();
const channel = new BroadcastChannel('onair');
channel.onmessage = ({ data }) => {
  const before = room();
  windows.set(data.me, data.shown ? Date.now() : 0);
  if (room() !== before) arrange();
};
const room = () => Math.floor(MOST_LIVE / (1 + [...windows.values()].filter((at) => Date.now() - at < WINDOW_MS).length));

const boxes = new Map(); // Element → picture.
const seeing = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (boxes.has(target)) boxes.get(target).onScreen = isIntersecting;
  arrange();
}, { rootMargin: '40px' });

document.addEventListener('visibilitychange', arrange);
addEventListener('pagehide', () => channel.postMessage({ me, shown: false }));
