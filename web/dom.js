// The page's elements: finding them, filling them, copying from them. What comes from the server goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);
export const field = (root, name) => root.querySelector(`[data-f=${name}]`);
export const action = (root, name) => root.querySelector(`[data-do=${name}]`);
export const instance = (template) => $(template).content.cloneNode(true).firstElementChild;

export function say(el, text) {
  if (el.textContent !== String(text)) el.textContent = text;
  return el;
}

/** A field without text is hidden. */
export function fill(root, texts) {
  for (const [name, text] of Object.entries(texts)) say(field(root, name), text ?? '').hidden = !text;
}

/** An icon button says in words what it does, and to what. */
export function entitle(button, what, whose) {
  button.title = what;
  button.setAttribute('aria-label', `${what} ${whose}`);
}

/** Puts the element at this place among its parent's children; one that is there already keeps its focus and its video. */
export function place(parent, el, index) {
  const there = parent.children[index];
  if (there !== el) parent.insertBefore(el, there ?? null);
}

/** Whether it is on the clipboard. If not, it is selected at least: without TLS there is no clipboard. */
export async function copy(el) {
  getSelection().selectAllChildren(el);
  if (!navigator.clipboard) return document.execCommand('copy');
  return navigator.clipboard.writeText(el.textContent).then(() => true, () => false);
}
