// What packs read of the stream in view, as it says now, and which pack reads it.

import { ask as request, askJson, secondsSince, streamPath } from './api.js';
import { $, say } from './dom.js';
import { age, percent } from './format.js';
import { attempt } from './toast.js';

let name = '';
let packs = null; // Their ids, once they are known.

export function open(stream) {
  name = stream;
  $('reading').hidden = true;
  if (!packs) offer();
}

async function offer() {
  try {
    packs = (await askJson('/api/packs')).packs.map(({ id, name: called }) => [id, called ?? id]);
  } catch {
    return; // Asked again with the next stream.
  }
  const options = [['auto', 'Whichever knows it'], ['none', 'None'], ...packs];
  $('pack').replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

/** Asked with everything else that is shown of a stream. */
export async function ask(stream) {
  const { readings } = await askJson(`${streamPath(stream)}/readings?limit=1`).catch(() => ({ readings: [] }));
  return readings[0] ?? null;
}

/** `s` is the stream, `reading` its newest. */
export function render(s, reading) {
  $('reading').hidden = !s;
  if (!s) return;
  if (!$('pack').disabled && packs) $('pack').value = s.pack ?? 'auto';
  const rows = reading ? lines(reading) : [];
  say($('read-when'), reading ? `${reading.pack}, ${reading.screen}, ${age(secondsSince(reading.media_time))} ago` : 'Nothing has been read yet.');
  while ($('values').children.length > rows.length) $('values').lastChild.remove();
  rows.forEach(([term, text, sure], i) => {
    const pair = $('values').children[i] ?? $('values').appendChild(document.createElement('div'));
    if (!pair.firstChild) pair.append(document.createElement('dt'), document.createElement('dd'));
    say(pair.firstChild, term);
    say(pair.lastChild, text).title = sure === undefined ? '' : `${percent(sure)} sure`;
  });
}

/** Each value in a line; the items of a list together, by what they share. */
function lines({ values, confidence }) {
  const found = [];
  const walk = (value, path) => {
    if (Array.isArray(value)) {
      const groups = Map.groupBy?.(value, (item) => item.team ?? '') ?? new Map([['', value]]);
      for (const [group, all] of groups) found.push([group || path, all.map((item) => item.hero_localized_name ?? item.name ?? item.tag ?? JSON.stringify(item)).join(', ')]);
    } else if (value && typeof value === 'object') {
      for (const [key, inside] of Object.entries(value)) walk(inside, path ? `${path}.${key}` : key);
    } else {
      found.push([path, String(value), confidence[path]]);
    }
  };
  walk(values, '');
  return found;
}

$('pack').onchange = ({ target: select }) => {
  const of = name;
  attempt(select, `Pack of ${of}`, () => request(`${streamPath(of)}/pack`, { method: 'PUT', body: { pack: select.value } }));
};
