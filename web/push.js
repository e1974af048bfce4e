// How to bring a stream on air: commands to copy.

import { token } from './api.js';
import { $, copy, field, fill, instance } from './dom.js';
import { toast } from './toast.js';

/** One way to do it, with a command or an address to copy. */
export function way(title, text, command) {
  const el = instance('way');
  fill(el, { title, text, command });
  el.querySelector('button').onclick = async () => toast((await copy(field(el, 'command'))) ? 'Copied' : 'Selected: press Ctrl+C to copy');
  return el;
}

export function render() {
  const { origin } = location;
  const header = token ? ' -H "Authorization: Bearer $ONAIR_TOKEN"' : '';
  $('push-token').hidden = !token;
  $('ways').replaceChildren(...[
    way('A test picture', 'Moving colour bars, from any machine that has onair.', `onair publish --test --server ${origin}`),
    way('One picture, with curl', 'Each request is a frame. Any JPEG will do.', `curl${header} -F frame=@picture.jpg ${origin}/publish/camera`),
    way('A webcam, with Python', 'The client in client/, in your own program or as it is.', `python client/examples/webcam_publisher.py --server ${origin} --stream webcam`),
  ].map((el) => {
    const item = document.createElement('li');
    item.append(el);
    return item;
  }));
}
