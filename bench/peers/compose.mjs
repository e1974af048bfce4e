// What a frame of the benchmark's scene costs with sharp (libvips) and @napi-rs/canvas (Skia).
//
// compose.mjs sharp|canvas FOLDER: FOLDER holds layout.json and its pictures; see bench/compose/scene.rs. Prints JSON:
// milliseconds of processor time a frame, all threads, pictures loaded before. Both end with RGB(A) in memory: what it costs to
// make 4:2:0 of it is not charged to them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [way, folder] = process.argv.slice(2);
const require = createRequire(join(process.env.COMPOSE_MODULES, 'package.json'));
const layout = JSON.parse(readFileSync(join(folder, 'layout.json')));
const { width, height, opacity, period, pictures, text } = layout;
const WARM = 5;

const place = (picture, frame) => ({
  left: picture.x + picture.dx * (frame % period),
  top: picture.y + picture.dy * (frame % period),
});
const line = (frame) => text.text.replace('{{ program.frame }}', frame);

async function sharpWay() {
  const sharp = require('sharp');
  const raw = async (file, alpha) => {
    const image = sharp(join(folder, file));
    const { data, info } = await (alpha ? image.ensureAlpha() : image.removeAlpha()).raw().toBuffer({ resolveWithObject: true });
    return { data, raw: { width: info.width, height: info.height, channels: info.channels } };
  };
  const background = await raw(layout.background, false);
  const layers = [];
  for (const picture of pictures) {
    const layer = await raw(picture.file, true);
    for (let at = 3; at < layer.data.length; at += 4) layer.data[at] = Math.round(layer.data[at] * opacity);
    layers.push(layer);
  }
  return {
    version: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`,
    frame: async (number) => {
      const over = layers.map((layer, n) => ({ input: layer.data, raw: layer.raw, ...place(pictures[n], number) }));
      const words = { text: `<span foreground="white">${line(number)}</span>`, font: 'DejaVu Sans 42', rgba: true, dpi: 96 };
      over.push({ input: { text: words }, left: text.x, top: text.y });
      const image = sharp(background.data, { raw: background.raw }).composite(over).removeAlpha().raw();
      return (await image.toBuffer()).length;
    },
  };
}

async function canvasWay() {
  const { createCanvas, loadImage } = require('@napi-rs/canvas');
  const background = await loadImage(join(folder, layout.background));
  const images = await Promise.all(pictures.map((picture) => loadImage(join(folder, picture.file))));
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  return {
    version: `@napi-rs/canvas ${require('@napi-rs/canvas/package.json').version}`,
    frame: async (number) => {
      context.globalAlpha = 1;
      context.drawImage(background, 0, 0);
      context.globalAlpha = opacity;
      images.forEach((image, n) => {
        const { left, top } = place(pictures[n], number);
        context.drawImage(image, left, top);
      });
      context.globalAlpha = 1;
      context.font = `${text.size}px "DejaVu Sans"`;
      context.fillStyle = '#fff';
      context.textBaseline = 'top';
      context.fillText(line(number), text.x, text.y);
      return canvas.data().length;
    },
  };
}

const { version, frame } = await { sharp: sharpWay, canvas: canvasWay }[way]();
const frames = Number(process.env.COMPOSE_FRAMES ?? 60);
for (let number = 0; number < WARM; number += 1) await frame(number);
const began = process.cpuUsage();
let bytes = 0;
for (let number = WARM; number < WARM + frames; number += 1) bytes += await frame(number);
const spent = process.cpuUsage(began);
if (bytes < frames * width * height * 3) throw new Error(`only ${bytes} bytes of pictures came`);
console.log(JSON.stringify({ version, cpu_ms_per_frame: (spent.user + spent.system) / 1000 / frames }));
