// Asks before something is lost.

import { $, say } from './dom.js';

/** Whether the user wants it deleted. */
export function confirmDelete(title, text) {
  say($('confirm-title'), title);
  say($('confirm-text'), text);
  $('confirm').returnValue = '';
  $('confirm').showModal();
  return new Promise((resolve) => ($('confirm').onclose = () => resolve($('confirm').returnValue === 'yes')));
}
