// Streams that the server shall fetch: one with all that can be said of it, or many, one a line. The server judges each; what it
// refuses is shown where it was written.

import { ask, askJson } from './api.js';
import { $, fill, instance, say } from './dom.js';
import { counted } from './format.js';
import { attempt, toast } from './toast.js';

/** What a person wrote, as the API takes it: a channel, or an address. */
const source = (text) => (/[:/]/.test(text) ? { url: text } : { username: text });

for (const select of document.querySelectorAll('[data-priorities]')) {
  const word = { 1: ' (most important)', 10: ' (least)' };
  for (let n = 1; n <= 10; n++) select.add(new Option(`${n}${word[n] ?? ''}`, n, n === 5, n === 5));
}

// --- One

const form = $('follow');
const value = (name) => form.elements[name].value.trim();

form.onsubmit = (event) => {
  event.preventDefault();
  refuse([]);
  const interval = value('interval').replace(',', '.');
  if (interval && !Number.isFinite(Number(interval))) return refuse([{ field: 'interval', message: 'a number of seconds, such as 3' }]);
  const wish = { ...source(value('source')), priority: Number(value('priority')) };
  for (const name of ['name', 'quality']) if (value(name)) wish[name] = value(name);
  if (interval) wish.interval = Number(interval);
  attempt(event.submitter ?? form.querySelector('.primary'), 'It is not followed', async () => {
    try {
      const response = await ask('/api/streams', { method: 'POST', body: wish });
      const { name } = await response.json();
      form.reset();
      form.elements.source.focus();
      $('followed').hidden = false;
      fill($('followed'), { name, what: response.status === 201 ? ' is followed.' : ' was followed already; what you said of it holds now.' });
      $('followed').querySelector('a').href = `#/stream/${encodeURIComponent(name)}`;
    } catch (e) {
      if (!e.fields?.length) throw e;
      refuse(e.fields);
    }
  });
};

/** Says beside each field what is wrong with it. */
function refuse(errors) {
  $('followed').hidden = true;
  let first = null;
  for (const el of form.querySelectorAll('[data-e]')) {
    const wrong = errors.filter(({ field }) => el.dataset.e.split(' ').includes(field));
    const input = el.parentElement.querySelector('input, select');
    say(el, wrong.map((e) => e.message).join('; '));
    input.setAttribute('aria-invalid', wrong.length > 0);
    if (wrong.length) first ??= input;
  }
  first?.focus();
}

// --- Many

/** The entry of a line, null for a line that says nothing, or why it can't be one. */
function read(line) {
  const words = line.trim().split(/\s+/);
  const remark = words.findIndex((word) => word.startsWith('#'));
  const [first, name, ...more] = remark < 0 ? words : words.slice(0, remark);
  if (!first) return null;
  if (more.length) return 'more than a channel or an address and a name';
  return name ? { ...source(first), name } : source(first);
}

/** An entry comes back with its refusal; by this it is known again. */
const key = ({ username, url, name }) => JSON.stringify([username, url, name]);

$('lines').onsubmit = (event) => {
  event.preventDefault();
  const area = $('lines').elements.lines;
  const lines = area.value.split('\n').map((text) => ({ text: text.trim(), entry: read(text) })).filter(({ entry }) => entry !== null);
  attempt(event.submitter ?? $('lines').querySelector('.primary'), 'They are not followed', async () => {
    const streams = lines.filter(({ entry }) => typeof entry === 'object').map(({ entry }) => entry);
    const done = await askJson('/api/streams/bulk', { method: 'POST', body: { streams }, seconds: 60 });
    const reasons = new Map(done.rejected.map(({ entry, reason }) => [key(entry), reason]));
    const refused = lines.map(({ text, entry }) => ({ text, why: typeof entry === 'string' ? entry : reasons.get(key(entry)) })).filter(({ why }) => why);
    area.value = refused.map(({ text }) => text).join('\n'); // To be mended and sent again.
    $('refused').replaceChildren(...refused.map(({ text, why }) => {
      const el = instance('refused-line');
      fill(el, { text, why });
      return el;
    }));
    $('refused').hidden = !refused.length;
    const parts = [`${counted(done.added, 'stream')} added`, done.updated && `${done.updated} known already`, refused.length && `${counted(refused.length, 'line')} refused, left above to be mended`];
    say($('lines-done'), `${parts.filter(Boolean).join(', ')}.`).hidden = false;
  });
};

$('anew').onclick = ({ currentTarget: button }) => attempt(button, 'Capture', async () => toast((await askJson('/api/restart', { method: 'POST' })).message));
