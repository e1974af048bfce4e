// The first page: which view is open, how the server is, the token, the keys. Every stream as it is now, or plainly that it can't
// be told: nothing here is remembered but the token.

import { ask, askJson, onRefused, setToken, token } from './api.js';
import { $, say } from './dom.js';
import * as events from './events.js';
import './follow.js';
import { capital, count, plural, timeOfDay } from './format.js';
import * as pictures from './pictures.js';
import * as polling from './poll.js';
import * as push from './push.js';
import * as reading from './reading.js';
import * as recordings from './recordings.js';
import * as stream from './stream.js';
import { attempt } from './toast.js';
import * as wall from './wall.js';

const SECTIONS = { loading: [], 'sign-in': [], wall: [], add: [], stream: ['events', 'recordings'], events: [], recordings: [] };

let streams = null; // How many there are, as the server said last.
let heard = null; // When it said so.
let answers = {}; // Of the view: what the server said last.
let locked = false; // The token is being asked for.
let route = { view: 'wall' };
let scrolled = 0; // On the wall, to return to.
let looked = ''; // The stream that was looked at, for the focus to return to.

const filter = () => $('search').value.trim().toLowerCase();

// --- Views

/** Opens the view that the address names. */
function go() {
  const before = route.view;
  if (before === 'wall') scrolled = scrollY;
  const [view, name = ''] = location.hash.replace(/^#\/?/, '').split('/').map(decode);
  route = { view: ['stream', 'events', 'recordings', 'add'].includes(view) ? view : 'wall', name };
  answers = {};
  document.title = name ? `${name} – onair` : 'onair';
  if (locked) return;
  stream.close();
  recordings.close();
  events.close();
  if (route.view === 'stream') {
    stream.open(name);
    reading.open(name);
  }
  if (route.view === 'stream' || route.view === 'events') events.open(name);
  if (route.view === 'stream' || route.view === 'recordings') recordings.open(name);
  render();
  scrollTo(0, route.view === 'wall' ? scrolled : 0);
  if (route.view === 'stream') $('stream-name').focus({ preventScroll: true });
  else if (before === 'stream') wall.focus(looked);
  polling.poll();
  looked = name || looked;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function render() {
  if (streams === null) {
    show('loading');
    $('loading').hidden = polling.away;
    return;
  }
  say($('add-title'), streams ? 'Add a stream' : 'Nothing on air yet');
  show(route.view === 'wall' && !streams ? 'add' : route.view);
  if (route.view === 'wall' && answers.list) wall.render(answers.list);
  if (route.view === 'stream' && answers.stream !== undefined) {
    stream.render(answers.stream);
    reading.render(answers.stream, answers.reading);
    $('recordings').hidden = answers.stream?.source.kind === 'pull'; // Only what is pushed is recorded.
  }
  pictures.arrange();
}

function show(section) {
  for (const id of Object.keys(SECTIONS)) $(id).hidden = id !== section && !SECTIONS[section].includes(id);
  for (const link of document.querySelectorAll('[data-view]')) {
    if (link.dataset.view === route.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

$('search').oninput = () => {
  recordings.setFilter(filter());
  if (['stream', 'add'].includes(route.view)) location.hash = '#/';
  else if (!locked && route.view === 'wall') polling.poll();
};

// --- The server

/** All that is shown at the moment. */
async function askAll() {
  const of = route;
  const inView = async () => {
    if (of.view === 'wall') return { list: await wall.ask(filter()) };
    if (of.view !== 'stream') return {};
    const [now, read] = await Promise.all([stream.ask(), reading.ask(of.name)]);
    return { stream: now, reading: read };
  };
  const [{ stats }, health, seen] = await Promise.all([askJson('/api/status'), askJson('/health', { any: true }), inView()]);
  return { of, stats, health, seen };
}

function reached({ of, stats, health, seen }) {
  [streams, heard] = [stats.streams, new Date()];
  if (of === route) answers = seen; // Else another view was opened meanwhile.
  setAway(false);
  pictures.pause(false);
  const ill = Object.entries(health.components ?? {}).filter(([, c]) => c.status !== 'ok');
  const known = { healthy: 'Healthy', degraded: 'Degraded', stopping: 'Stopping' };
  say($('health'), known[health.status] ?? 'Unknown').dataset.is = health.status;
  $('trouble').hidden = !ill.length;
  say($('trouble'), ill.map(([name, c]) => `${capital(name)}: ${c.detail ?? c.status}`).join(' · '));
  setFigures(stats.streams, stats.viewers);
  $('leave').hidden = !token;
  render();
}

function lost(error) {
  setAway(true);
  $('loading').hidden = true;
  $('trouble').hidden = true;
  say($('away-why'), error.message);
  say($('away-since'), heard ? `What you see is from ${timeOfDay(heard)}.` : '');
  say($('health'), 'Away').dataset.is = 'away';
  setFigures();
  pictures.pause(true);
}

function setAway(away) {
  $('away').hidden = !away;
  document.body.classList.toggle('is-away', away);
}

/** Figures that can't be told are dashes. */
function setFigures(total, viewers) {
  for (const [noun, n] of Object.entries({ stream: total, viewer: viewers })) {
    say($(`${noun}s`), n === undefined ? '–' : count(n));
    say($(`${noun}s-word`), plural(n, noun));
  }
}

setInterval(() => {
  const left = polling.dueIn();
  if (polling.away) say($('again'), left ? `Try now (${left} s)` : 'Trying…');
}, 250);
$('again').onclick = polling.poll;

$('metrics').onclick = async (event) => {
  event.preventDefault(); // A link can't send the token, and their type is one that browsers save instead of showing it.
  attempt($('leave'), 'Metrics', async () => {
    const text = await (await ask('/metrics')).text();
    open(URL.createObjectURL(new Blob([text], { type: 'text/plain; charset=utf-8' })));
  });
};

// --- The token

onRefused(() => {
  if (locked) return;
  say($('sign-in-error'), token ? 'The server does not take this token.' : '');
  locked = true;
  polling.stop();
  stream.close();
  recordings.close();
  events.close();
  pictures.pause(true);
  setAway(false);
  forget();
  $('trouble').hidden = true;
  say($('health'), 'Locked').dataset.is = 'away';
  setFigures();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  show('sign-in');
  $('token').focus();
});

function forget() {
  setToken('');
  [streams, heard, answers] = [null, null, {}];
  $('leave').hidden = true;
}

$('sign-in').onsubmit = (event) => {
  event.preventDefault();
  setToken($('token').value.trim());
  $('token').value = '';
  begin();
};
$('leave').onclick = () => {
  forget();
  location.reload();
};

// --- Keys

document.addEventListener('keydown', (event) => {
  const search = $('search');
  if (locked || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
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
    if (wall.moveFocus(event.key)) event.preventDefault();
  }
});

function begin() {
  locked = false;
  push.render();
  go();
  polling.start(askAll, reached, lost);
}

addEventListener('hashchange', go);
begin();
