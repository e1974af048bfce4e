// The last pictures captured of the stream in view, as a strip; one of them large, over the page.

import { pictureUrl } from './api.js';
import { $, instance, place, say } from './dom.js';
import { timeOfDay } from './format.js';

const shots = new Map(); // Path → element.
let paths = []; // Oldest first.
let large = null; // The path of the one that is shown large.

/** `latest` first, as the API lists them. */
export function render(latest) {
  paths = [...latest].reverse();
  $('strip').hidden = !paths.length;
  for (const [path, el] of shots) {
    if (paths.includes(path)) continue;
    el.remove();
    shots.delete(path);
  }
  const atEnd = $('strip').scrollLeft + $('strip').clientWidth >= $('strip').scrollWidth - 8;
  let more = false;
  paths.forEach((path, index) => {
    if (!shots.has(path)) more = Boolean(shots.set(path, newShot(path)));
    place($('strip'), shots.get(path), index);
  });
  if (more && atEnd) $('strip').scrollLeft = $('strip').scrollWidth;
}

export function clear() {
  render([]);
  $('shot').close();
}

/** When it was taken, which its name says in UTC: `20260121_103000_250.jpg`. */
function taken(path) {
  const digits = path.split('/').pop().match(/^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)_(\d{3})/);
  if (!digits) return '';
  const [year, month, ...rest] = digits.slice(1).map(Number);
  return timeOfDay(new Date(Date.UTC(year, month - 1, ...rest)));
}

function newShot(path) {
  const el = instance('shot-small');
  const [button, img] = [el.querySelector('button'), el.querySelector('img')];
  img.src = pictureUrl(path);
  say(el.querySelector('span'), taken(path));
  button.setAttribute('aria-label', `Picture of ${taken(path)}, large`);
  button.onclick = () => {
    show(path);
    $('shot').showModal();
  };
  return el;
}

function show(path) {
  large = path;
  $('shot').querySelector('img').src = pictureUrl(path);
  say($('shot-title'), taken(path));
}

/** The one before or after; one that was deleted meanwhile has none. */
function step(by) {
  const next = paths[paths.indexOf(large) + by];
  if (paths.includes(large) && next) show(next);
}

$('shot-before').onclick = () => step(-1);
$('shot-after').onclick = () => step(1);
$('shot').onkeydown = ({ key }) => step({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0);
