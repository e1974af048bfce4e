// Numbers and times as people read them, in their language's digits and their time zone.

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const count = (n) => n.toLocaleString();
export const counted = (n, noun) => `${count(n)} ${plural(n, noun)}`;
export const plural = (n, noun) => (n === 1 ? noun : `${noun}s`);
export const size = ({ width, height }) => (width ? `${width}×${height}` : '');
export const timeOfDay = (date) => date.toLocaleTimeString();
export const percent = (share) => share.toLocaleString([], { style: 'percent', maximumFractionDigits: 1 });
export const moment = (text) => (text ? new Date(text).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }) : 'unknown');

export function bytes(n) {
  const step = Math.min(4, Math.floor(Math.log10(Math.max(n, 1)) / 3));
  return `${(n / 1000 ** step).toLocaleString([], { maximumFractionDigits: step > 1 ? 1 : 0 })} ${['bytes', 'kB', 'MB', 'GB', 'TB'][step]}`;
}

/** How long something has lasted so far, roughly. */
export function age(seconds) {
  const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  return d ? `${d}d ${h}h` : h ? `${h}h ${m}m` : m ? `${m} min` : `${s} s`;
}

/** How long a video is, as players write it. */
export function duration(seconds) {
  const [h, m, s] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  return [h, h ? String(m).padStart(2, '0') : m, String(s).padStart(2, '0')].slice(h ? 0 : 1).join(':');
}

/** How often a stream is pictured, of which this many are taken a second. */
export function pace(fps) {
  const seconds = 1 / fps;
  return fps > 0 ? `every ${seconds.toLocaleString([], { maximumFractionDigits: seconds < 10 ? 1 : 0 })} s` : '';
}
