// The wall: a tile for each stream on air, in the order of the list.

import { $, field, fill, instance, place, say } from './dom.js';
import { age, count, size } from './format.js';
import { describe, enable } from './controls.js';
import { Picture } from './pictures.js';

const tiles = new Map(); // Stream → tile.

const fps = (s) => (s.state === 'online' ? `${s.fps.toFixed(s.fps < 9.95 ? 1 : 0)} fps` : '');
const link = (el) => field(el, 'name');

/** Shows those with `filter` in their name. */
export function render(streams, filter) {
  const names = new Set(streams.map((s) => s.name));
  for (const name of tiles.keys()) if (!names.has(name)) remove(name);
  let shown = 0;
  streams.forEach((s, index) => {
    const tile = tiles.get(s.name) ?? newTile(s.name);
    tile.picture.stream = s;
    describe(tile.el, s);
    fill(tile.el, {
      name: s.name, fps: fps(s), size: size(s), uptime: `up ${age(s.uptime_seconds)}`,
      publishers: s.publishers > 1 && `${s.publishers} publishers`, viewers: count(s.viewer_count),
    });
    tile.el.hidden = !s.name.toLowerCase().includes(filter);
    shown += !tile.el.hidden;
    place($('tiles'), tile.el, index);
  });
  $('tiles').dataset.few = shown;
  $('no-match').hidden = shown > 0;
  say($('no-match'), `No stream has “${filter}” in its name.`);
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

/** Moves the focus from tile to tile; whether there was one to move to. */
export function moveFocus(key) {
  const links = [...$('tiles').children].filter((el) => !el.hidden).map(link);
  if (!links.length) return false;
  const top = (one) => one.getBoundingClientRect().top;
  const secondRow = links.findIndex((one) => top(one) > top(links[0]) + 4);
  const columns = secondRow < 0 ? links.length : secondRow;
  const tile = document.activeElement.closest('.tile');
  const from = tile ? links.indexOf(link(tile)) : -1;
  const to = from < 0 ? 0 : from + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  links[to]?.focus();
  links[to]?.closest('.tile').scrollIntoView({ block: 'nearest' });
  return true;
}
