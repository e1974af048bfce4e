// The wall: a tile for each stream, in the order of the list. There may be thousands: only those near what is on screen are asked
// for and have a tile; room is kept for the others. Which states there are is counted by the server.

import { askJson, listPath, secondsSince } from './api.js';
import { $, field, fill, instance, place, say } from './dom.js';
import { age, count, pace, size } from './format.js';
import { describe, enable, TROUBLE, WORDS } from './controls.js';
import { Picture } from './pictures.js';
import { poll } from './poll.js';

const FIRST = 48; // Tiles asked for before it is known how many fit.
const COUNT_MS = 6000;

const tiles = new Map(); // Stream → tile.
const known = new Map(); // State → how many are in it; '' → how many there are.
let counted = { filter: null, at: 0 };
let state = ''; // Only streams in it are shown; '' for all.
let shown = { offset: 0, count: 0, total: 0 };
let range = { offset: 0, limit: FIRST };

const link = (el) => field(el, 'name');

// --- What the server is asked

/** The streams around what is on screen, with `filter` in their name. */
export async function ask(filter) {
  range = around(1) ?? range;
  const [wanted, from] = [state, range];
  const list = await askJson(listPath({ q: filter, state: wanted, ...from }));
  await askCounts(filter, wanted, list);
  return { ...list, filter, state: wanted, offset: from.offset };
}

/** How many are in each state: seen in the list when it is all there is, else asked for now and then. */
async function askCounts(filter, wanted, { streams, total }) {
  const all = !wanted && streams.length === total;
  if (!all && counted.filter === filter && Date.now() - counted.at < COUNT_MS) return;
  counted = { filter, at: all ? 0 : Date.now() };
  const totalOf = async (one) => (await askJson(listPath({ q: filter, state: one, limit: 0 }))).total;
  // Some change their state meanwhile, so the states may not add up to all.
  for (const one of Object.keys(WORDS)) known.set(one, all ? streams.filter((s) => s.state === one).length : await totalOf(one));
  known.set('', wanted ? await totalOf('') : total);
}

/** The streams whose rows are on screen, with so many screens around them; null while that can't be told. */
function around(screens) {
  const { columns, row } = grid();
  if (!row) return null;
  const visible = Math.ceil(innerHeight / row) + 1;
  const first = Math.floor(Math.max(0, -$('tiles').getBoundingClientRect().top) / row);
  const from = Math.max(0, Math.floor(first - screens * visible));
  return { offset: from * columns, limit: Math.ceil(first + (1 + screens) * visible - from) * columns };
}

function grid() {
  const [style, first] = [getComputedStyle($('tiles')), $('tiles').firstElementChild];
  const height = first?.offsetHeight ?? 0;
  return { columns: style.gridTemplateColumns.split(' ').length, row: height && height + parseFloat(style.rowGap) };
}

function look() {
  const { offset, limit } = around(0.5) ?? range;
  const end = Math.min(offset + limit, shown.total);
  if (offset < shown.offset || end > shown.offset + shown.count) poll();
}

addEventListener('scroll', look, { passive: true });
addEventListener('resize', look);

// --- What is shown

export function render(answer) {
  const { streams, total, filter, offset } = answer;
  shown = { offset, count: streams.length, total };
  const names = new Set(streams.map((s) => s.name));
  for (const name of tiles.keys()) if (!names.has(name)) remove(name);
  streams.forEach((s, index) => {
    const tile = tiles.get(s.name) ?? newTile(s.name);
    describeTile(tile, s);
    place($('tiles'), tile.el, index);
  });
  $('tiles').dataset.few = total;
  leaveRoom();
  renderChips();
  $('no-match').hidden = total > 0;
  const named = filter ? ` with “${filter}” in its name` : '';
  say($('no-match'), `No stream${named}${answer.state ? ` is in state “${WORDS[answer.state]}”` : ''}.`);
}

/** For those above and below that have no tile. */
function leaveRoom() {
  const { columns, row } = grid();
  const [rows, above] = [Math.ceil(shown.total / columns), Math.ceil(shown.offset / columns)];
  const below = Math.max(0, rows - above - Math.ceil(shown.count / columns));
  $('tiles').style.paddingTop = `${Math.min(above, rows) * row}px`;
  $('tiles').style.paddingBottom = `${below * row}px`;
}

function describeTile(tile, s) {
  const { el } = tile;
  const pull = s.source.kind === 'pull';
  const trouble = pull && TROUBLE.includes(s.state);
  tile.picture.stream = s;
  describe(el, s);
  fill(el, {
    name: s.name, size: !trouble && size(s), publishers: s.publishers > 1 && `${s.publishers} publishers`, viewers: count(s.viewer_count),
    rate: pull ? !trouble && pace(s.fps) : s.state === 'online' && `${s.fps.toFixed(s.fps < 9.95 ? 1 : 0)} fps`,
    uptime: !pull && `up ${age(s.uptime_seconds)}`, reason: trouble && (s.last_error ?? 'No reason is known'),
    age: pull && !trouble && s.last_frame_time && `${age(secondsSince(s.last_frame_time))} old`, priority: pull && !trouble && `priority ${s.priority}`,
  });
  field(el, 'reason').title = s.last_error ?? '';
  el.querySelector('.eye').hidden = pull && !s.viewer_count;
}

export const focus = (name) => tiles.has(name) && link(tiles.get(name).el).focus({ preventScroll: true });

function newTile(name) {
  const el = instance('tile');
  const tile = { el, picture: new Picture(el) };
  link(el).href = `#/stream/${encodeURIComponent(name)}`;
  enable(el, () => tile.picture.stream);
  tiles.set(name, tile);
  return tile;
}

function remove(name) {
  const { el, picture } = tiles.get(name);
  picture.remove();
  el.remove();
  tiles.delete(name);
}

// --- States to choose from

function renderChips() {
  Object.entries({ '': 'All', ...WORDS }).forEach(([one, word], index) => {
    const n = known.get(one) ?? 0;
    const chip = $('states').children[index] ?? newChip(one, word);
    chip.hidden = n === 0 && one !== state && one !== '';
    chip.setAttribute('aria-pressed', one === state);
    fill(chip, { count: count(n) });
  });
  $('states').hidden = (known.get('') ?? 0) < 2 && !state;
}

function newChip(one, word) {
  const chip = instance('chip');
  chip.dataset.is = one;
  fill(chip, { word });
  chip.onclick = () => {
    state = one;
    scrollTo(0, 0);
    renderChips();
    poll();
  };
  return $('states').appendChild(chip);
}

// --- Keys

/** Moves the focus from tile to tile; whether there was one to move to. */
export function moveFocus(key) {
  const links = [...$('tiles').children].map(link);
  if (!links.length) return false;
  const { columns } = grid();
  const tile = document.activeElement.closest('.tile');
  const from = tile ? links.indexOf(link(tile)) : -1;
  const to = from < 0 ? 0 : from + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  links[to]?.focus();
  links[to]?.closest('.tile').scrollIntoView({ block: 'nearest' });
  return true;
}
