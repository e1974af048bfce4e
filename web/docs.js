// The API, from the document the server makes of its own handlers. All of its text goes in as text.

import { token } from './api.js';
import { $, copy } from './dom.js';
import { capital } from './format.js';
import { deref, isNull, limits, plain, sample, setDocument, typeName, variants } from './schema.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const REASONS = {
  101: 'Switching protocols', 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No content', 206: 'Partial content',
  400: 'Malformed', 401: 'Token or key missing or wrong', 403: 'Not allowed', 404: 'Not found', 405: 'Wrong method', 408: 'Took too long',
  409: 'Conflict', 412: 'Changed meanwhile', 413: 'Too large', 415: 'Wrong type', 416: 'Range outside the file', 422: 'Not valid',
  429: 'Too many requests', 500: 'Error inside', 503: 'No room, or not ready',
};

function h(tag, attributes, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') el[name] = value;
    else if (value != null && value !== false) el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ''));
  return el;
}

/** Text with `code` in it. */
const words = (text) => text.split('`').map((part, i) => (i % 2 ? h('code', null, part) : part));
const prose = (text) => (text ?? '').split(/\n\s*\n/).filter(Boolean).map((part) => h('p', null, words(part.replace(/\s+/g, ' '))));

// --- Schemas

/** What there is to open: the properties of an object, of a list's items, of each variant. */
function inside(schema, seen = []) {
  const name = schema.$ref;
  if (name && seen.includes(name)) return [h('p', { class: 'muted' }, 'As above.')];
  const path = name ? [...seen, name] : seen;
  const s = deref(plain(schema));
  if (plain(schema) !== schema || (plain(schema).$ref && !name)) return inside(plain(schema), path);
  const several = [...(s.allOf ?? []), ...(variants(s) ?? []).filter((one) => !isNull(one))];
  const parts = several.flatMap((one) => inside(one, path));
  if (s.items) parts.push(...inside(s.items, path));
  if (typeof s.additionalProperties === 'object') parts.push(property('any key', s.additionalProperties, null, path));
  const required = new Set(s.required ?? []);
  for (const [key, value] of Object.entries(s.properties ?? {})) parts.push(property(key, value, required.has(key), path));
  return parts;
}

function property(name, schema, required, seen) {
  const rest = inside(schema, seen);
  const description = schema.description ?? deref(plain(schema)).description;
  const example = schema.example ?? schema.examples?.[0];
  const bounds = limits(schema);
  const head = [
    h('code', { class: 'key' }, name), h('span', { class: 'type' }, typeName(schema)), required === false && h('span', { class: 'optional' }, 'optional'),
    (description || bounds || example != null) && h('span', { class: 'about' },
      words([description?.replace(/\s+/g, ' '), bounds && capital(bounds)].filter(Boolean).join(' ')),
      example != null && [' e.g. ', h('code', null, JSON.stringify(example))]),
  ];
  if (!rest.length) return h('div', { class: 'property' }, head);
  return h('details', { class: 'property' }, h('summary', null, head), h('div', { class: 'nested' }, rest));
}

function content(body) {
  return Object.entries(body.content ?? {}).map(([type, { schema }]) => {
    const parts = /json|form-data/.test(type) ? schema : null; // A picture's schema says no more than that it has bytes.
    const rest = parts ? inside(parts) : [];
    const title = [h('code', null, type), parts && h('span', { class: 'type' }, typeName(parts))];
    if (!rest.length) return h('div', { class: 'media' }, title);
    return h('details', { class: 'media' }, h('summary', null, title), h('div', { class: 'nested' }, rest));
  });
}

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
/** The one given; for an object that may hold anything, the one in the prose. */
function example(body, operation) {
  const made = body.example ?? sample(body.schema);
  if (Object.keys(made).length) return made;
  const told = operation.description?.match(/`(\{.+?\})`/)?.[1];
  try {
    return JSON.parse(told);
  } catch {
    return made;
  }
}

const EXAMPLES = { name: 'camera', stream: 'camera', file: 'camera_20250101_120000.mp4' };

function curl(method, path, operation, parameters) {
  const query = parameters.filter((p) => p.in === 'query' && p.required).map((p) => `${p.name}=${sample(p.schema)}`).join('&');
  const filled = path.replace(/\{([^}]+)\}/g, (_, name) => EXAMPLES[name] ?? name.toUpperCase());
  const url = `${location.origin}${filled}${query && `?${query}`}`;
  if (operation.responses?.['101']) return `websocat ${token ? '-H "Authorization: Bearer $ONAIR_TOKEN" ' : ''}${quote(url.replace(/^http/, 'ws'))}`;
  const line = ['curl'];
  if (token) line.push('-H "Authorization: Bearer $ONAIR_TOKEN"');
  const bodies = deref(operation.requestBody).content ?? {};
  const type = ['multipart/form-data', 'application/json'].find((one) => bodies[one]) ?? Object.keys(bodies)[0];
  if (method !== (type ? 'post' : 'get')) line.push('-X', method.toUpperCase()); // Else curl takes it by itself.
  if (type === 'multipart/form-data') {
    const schema = deref(bodies[type].schema);
    for (const key of Object.keys(schema.properties ?? {})) line.push('-F', `${key}=@picture.jpg`);
  } else if (type?.includes('json')) line.push('-H', quote(`Content-Type: ${type}`), '-d', quote(JSON.stringify(example(bodies[type], operation))));
  else if (type) line.push('-H', quote(`Content-Type: ${type}`), '--data-binary', '@file');
  const answers = Object.entries(operation.responses ?? {}).filter(([code]) => code < 300).flatMap(([, r]) => Object.keys(deref(r).content ?? {}));
  if (answers.some((one) => /^(image|video)\//.test(one))) line.push('-O');
  else if (answers.some((one) => one.startsWith('multipart/'))) line.push('-N -o stream.mjpeg');
  return [...line, quote(url)].join(' ');
}

// --- Routes

function command(text) {
  const code = h('code', null, text);
  const onclick = async () => {
    button.textContent = $('said').textContent = (await copy(code)) ? 'Copied' : 'Selected';
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  };
  const button = h('button', { class: 'small', onclick }, 'Copy');
  return h('div', { class: 'command' }, code, button);
}

function route(method, path, operation, shared) {
  const id = `${method}${path}`.replace(/[{}]/g, '').replace(/[^a-z0-9]+/gi, '-').replace(/-$/, '');
  const parameters = [...(shared ?? []), ...(operation.parameters ?? [])].map(deref);
  const body = operation.requestBody && deref(operation.requestBody);
  const responses = Object.entries(operation.responses ?? {}).map(([code, r]) => [code, deref(r)]);
  const part = (title, ...children) => h('section', null, h('h4', null, title), children);
  const parameter = (p) => {
    const type = [p.schema?.type].flat().filter((one) => one !== 'null'); // It can be left out, but not be null.
    return property(p.name, { ...p.schema, type: type.length > 1 ? type : type[0], description: p.description ?? p.schema?.description }, p.required ? null : false, []);
  };
  const says = (code, r) => words(r.description || REASONS[code] || '');
  const refusals = new Map(); // Those with the same body together.
  for (const [code, r] of responses.filter((one) => one[0] >= 400)) {
    const key = JSON.stringify(r.content);
    refusals.set(key, [...(refusals.get(key) ?? []), [code, r]]);
  }
  const places = { path: 'Path', query: 'Query', header: 'Headers', cookie: 'Cookies' };
  const el = h('article', { class: 'route', id },
    h('h3', null, h('span', { class: `method ${method}` }, method.toUpperCase()), h('code', null, breakable(path)), h('a', { class: 'anchor', href: `#${id}`, 'aria-label': `Link to ${method} ${path}` }, '#')),
    h('p', { class: 'summary' }, words(operation.summary ?? ''), operation.deprecated && h('span', { class: 'badge' }, 'Deprecated')),
    prose(operation.description),
    command(curl(method, path, operation, parameters)),
    Object.entries(places).map(([where, title]) => {
      const here = parameters.filter((p) => p.in === where);
      return here.length > 0 && part(title, here.map(parameter));
    }),
    body && part(body.required ? 'Body' : 'Body, optional', prose(body.description), content(body)),
    part('Answers', responses.filter(([code]) => code < 400).map(([code, r]) => h('div', { class: 'answer' },
      h('b', { class: `code c${code[0]}` }, code), h('div', null, h('span', { class: 'reason' }, says(code, r)), content(r))))),
    refusals.size > 0 && part('Refusals', [...refusals.values()].map((alike) => h('div', { class: 'refusal' },
      h('div', { class: 'reason' }, alike.map(([code, r]) => h('span', null, h('b', null, code), says(code, r)))), content(alike[0][1])))));
  const text = [method, path, operation.summary, operation.description, operation.operationId].join(' ').toLowerCase();
  const link = h('a', { href: `#${id}` }, h('span', { class: `method ${method}` }, method === 'delete' ? 'DEL' : method.toUpperCase()), h('span', null, breakable(path)));
  return { el, link, text };
}

/** Long paths break after a slash. */
const breakable = (path) => path.split(/(?<=\/)/).flatMap((part) => [part, h('wbr')]);

let groups = [];

function draw(doc) {
  setDocument(doc);
  const { title, version, description } = doc.info;
  const secured = 'If the server has `auth.token` set, send it in the header `Authorization: Bearer <token>`, or where that can’t be done as `?token=<token>`.';
  $('intro').replaceChildren(h('h1', null, `${title} API`, h('span', { class: 'version' }, version)), ...prose(description), h('p', { class: 'muted' }, words(secured)),
    h('p', { class: 'muted' }, 'For programs: ', h('a', { href: '/api/openapi.json' }, 'OpenAPI 3.1')));
  const told = new Map((doc.tags ?? []).map((tag) => [tag.name, { ...tag, routes: [] }]));
  for (const [path, item] of Object.entries(doc.paths ?? {})) {
    for (const method of METHODS.filter((one) => item[one])) {
      const tag = item[method].tags?.[0] ?? 'other';
      if (!told.has(tag)) told.set(tag, { name: tag, routes: [] });
      told.get(tag).routes.push(route(method, path, item[method], item.parameters));
    }
  }
  groups = [...told.values()].filter((tag) => tag.routes.length).map((tag) => {
    const id = `tag-${tag.name}`;
    const el = h('section', { class: 'group', id }, h('h2', null, capital(tag.name), tag.description && h('small', null, tag.description)), tag.routes.map((r) => r.el));
    const contents = h('div', null, h('a', { class: 'tag', href: `#${id}` }, capital(tag.name)), tag.routes.map((r) => r.link));
    return { el, contents, routes: tag.routes };
  });
  $('routes').replaceChildren(...groups.map((group) => group.el));
  $('contents').replaceChildren(...groups.map((group) => group.contents));
}

function filter() {
  const wanted = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const { el, contents, routes } of groups) {
    let here = 0;
    for (const r of routes) {
      const match = wanted.every((word) => r.text.includes(word));
      r.el.hidden = r.link.hidden = !match;
      here += match;
    }
    el.hidden = contents.hidden = !here;
    left += here;
  }
  $('none').hidden = left > 0 || !groups.length;
}

$('search').oninput = () => {
  filter();
  scrollTo(0, 0);
};
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '/' && !event.target.matches('input')) {
    event.preventDefault();
    $('search').select();
  } else if (event.key === 'Escape' && event.target === $('search')) {
    $('search').value = '';
    $('search').blur();
    filter();
  }
});

try {
  const answer = await fetch('/api/openapi.json', { cache: 'no-cache' });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  draw(await answer.json());
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (e) {
  $('intro').replaceChildren(h('p', { class: 'blank' }, `The description of the API could not be read: ${e.message}. `, h('a', { href: '/api/docs' }, 'Try again')));
}
