//! What moves behind a HUD: a pitch with players and a crowd, a land with trees and units.
//!
//! Called by the drawings. What does not move is drawn once, larger than the frame, and panned over; so a frame costs
//! little more than its copying.

use std::f32::consts::TAU;
use std::time::Duration;

use pixels::{I420, Matrix, Plane, Range, scale};

use super::paint::{Mask, side, tint, upright};
use super::stage::Stage;
use crate::dice::Dice;
use crate::picture::canvas::{Area, Canvas, Colour, at, byte, position, rgb, whole};
use crate::picture::phase;

/// What a game is played on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    Pitch,
    Land,
}

#[derive(Debug)]
pub(super) struct Backdrop {
    ground: Ground,
    map: I420,
    seed: u64,
    /// What this one's movements begin at: 0 to 1.
    start: f32,
}

/// Colours of shirts.
pub(super) const KITS: [[u8; 3]; 6] =
    [[196, 24, 32], [240, 240, 244], [30, 60, 170], [250, 205, 30], [20, 20, 24], [110, 190, 235]];

impl Backdrop {
    /// A map of `size`, which is to be larger than the frames.
    pub(super) fn new(ground: Ground, stage: Stage, seed: u64) -> Self {
        let size = (stage.width + stage.width / 4, stage.height + stage.height / 6);
        let size = (size.0.next_multiple_of(8), size.1.next_multiple_of(8));
        let mut dice = Dice::new(seed, "backdrop", 1);
        let mut map = match ground {
            Ground::Land => land(size, &mut dice),
            Ground::Pitch => pitch(size, &mut dice),
        };
        roughen(&mut map.y, &mut dice);
        Self { ground, map, seed, start: dice.part() }
    }

    /// Fills the game's part of `out`. `elsewhere` is another look at it: a replay, a close-up.
    pub(super) fn draw(&self, stage: Stage, time: Duration, elsewhere: bool, kits: [u64; 2], out: &mut I420) {
        let (x, y) = self.pan(stage, time, elsewhere);
        let rows = stage.title..stage.height;
        copy(&self.map.y, &mut out.y, (x, y), rows.clone());
        let half = rows.start / 2..rows.end.div_ceil(2);
        copy(&self.map.u, &mut out.u, (x / 2, y / 2), half.clone());
        copy(&self.map.v, &mut out.v, (x / 2, y / 2), half);
        match self.ground {
            Ground::Pitch => self.players(stage, time, elsewhere, kits, out),
            Ground::Land => self.units(stage, time, out),
        }
    }

    /// The upper left corner of what is seen; even.
    fn pan(&self, stage: Stage, time: Duration, elsewhere: bool) -> (u32, u32) {
        let (free_x, free_y) = (self.map.width - stage.width, self.map.height - stage.height);
        let turn = |seconds: u64, shift: f32| {
            let turn = phase(time, Duration::from_secs(seconds)) + shift + self.start;
            0.5 + 0.48 * (turn * TAU).sin()
        };
        let jump = if elsewhere { 0.4 } else { 0.0 };
        let part = |part: f32, free: u32| u32::try_from(whole(part * side(free))).unwrap_or(0).min(free) & !1;
        (part(turn(19, jump), free_x), part(turn(31, 0.2 + jump), free_y))
    }

    fn players(&self, stage: Stage, time: Duration, elsewhere: bool, kits: [u64; 2], out: &mut I420) {
        let (width, height) = (side(stage.width), side(stage.rows()));
        let size = height / if elsewhere { 9.0 } else { 24.0 };
        let mut canvas = Canvas { picture: out };
        for number in 0..14_u8 {
            let colour = KITS[usize::try_from(kits[usize::from(number % 2)]).unwrap_or(0) % KITS.len()];
            let n = f32::from(number);
            let wave =
                |seconds: u64, shift: f32| ((phase(time, Duration::from_secs(seconds)) + shift) * TAU).sin();
            let x = 0.5 + 0.42 * wave(11 + u64::from(number % 5), n * 0.31 + self.start);
            let y = 0.62 + 0.3 * wave(7 + u64::from(number % 4), n * 0.17);
            let foot = at(x * width, side(stage.title) + y * height);
            let black = rgb(10, 26, 12);
            canvas.slab(at(foot.x + size * 0.3, foot.y), at(size * 0.5, size * 0.12), 0.0, 0.0, black, 0.5);
            let [r, g, b] = colour;
            let swing = 0.16 * wave(1, n * 0.4);
            canvas.slab(
                at(foot.x, foot.y - size * 0.3),
                at(size * 0.14, size * 0.3),
                2.0,
                swing,
                rgb(24, 24, 30),
                1.0,
            );
            canvas.slab(
                at(foot.x, foot.y - size * 0.75),
                at(size * 0.24, size * 0.3),
                3.0,
                swing,
                rgb(r, g, b),
                1.0,
            );
            canvas.disc(at(foot.x, foot.y - size * 1.18), size * 0.16, rgb(150, 104, 76), 1.0);
        }
        let wave =
            |seconds: u64, shift: f32| ((phase(time, Duration::from_secs(seconds)) + shift) * TAU).sin();
        let ball = at(
            (0.5 + 0.4 * wave(9, self.start)) * width,
            side(stage.title) + (0.62 + 0.26 * wave(5, 0.1)) * height,
        );
        canvas.disc(ball, (size * 0.13).max(1.5), rgb(250, 250, 250), 1.0);
    }

    fn units(&self, stage: Stage, time: Duration, out: &mut I420) {
        let (width, height) = (side(stage.width), side(stage.rows()));
        let size = height / 40.0;
        for number in 0..16_u8 {
            let n = f32::from(number);
            let wave =
                |seconds: u64, shift: f32| ((phase(time, Duration::from_secs(seconds)) + shift) * TAU).sin();
            let x = (0.5 + 0.45 * wave(13 + u64::from(number % 6), n * 0.29 + self.start)) * width;
            let y = side(stage.title) + (0.52 + 0.4 * wave(17 + u64::from(number % 4), n * 0.13)) * height;
            let friend = number % 2 == 0;
            let mut dice = Dice::new(self.seed, "unit", u64::from(number));
            let [r, g, b] = std::array::from_fn(|_| byte(dice.between(40.0, 230.0)));
            tint(out, &Mask::disc(x + size * 0.3, y + size * 0.5, size), rgb(8, 14, 10), 0.5);
            tint(out, &Mask::disc(x, y, size), rgb(r, g, b), 1.0);
            tint(out, &Mask::disc(x + size * 0.2, y - size * 0.3, size * 0.5), rgb(b, r, g), 1.0);
            let bar = |full: f32| {
                Mask::quad(&upright(x - size * 1.2, y - size * 1.9, size * 2.4 * full, size * 0.35))
            };
            tint(out, &bar(1.0), rgb(16, 20, 16), 1.0);
            let colour = if friend { rgb(70, 200, 60) } else { rgb(215, 50, 40) };
            tint(out, &bar(0.3 + 0.6 * (0.5 + 0.5 * wave(6, n * 0.2))), colour, 1.0);
        }
    }
}

fn copy(from: &Plane, to: &mut Plane, (x, y): (u32, u32), rows: std::ops::Range<u32>) {
    let first = rows.start;
    for row in rows {
        let line = &from.row((y + row - first).min(from.height - 1))[x as usize..];
        let target = to.row_mut(row);
        let length = target.len().min(line.len());
        target[..length].copy_from_slice(&line[..length]);
    }
}

/// Noise between the points of a lattice, of cells of that many pixels: 0 to 1.
struct Field {
    cell: usize,
    across: usize,
    values: Vec<f32>,
}

impl Field {
    fn new(dice: &mut Dice, (width, height): (u32, u32), cell: usize) -> Self {
        let (across, down) = (width as usize / cell + 2, height as usize / cell + 2);
        Self { cell, across, values: (0..across * down).map(|_| dice.part()).collect() }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let smooth = |part: f32| part * part * (3.0 - 2.0 * part);
        let (fx, fy) = (position(x % self.cell), position(y % self.cell));
        let (fx, fy) = (smooth(fx / position(self.cell)), smooth(fy / position(self.cell)));
        let value =
            |dx: usize, dy: usize| self.values[(y / self.cell + dy) * self.across + x / self.cell + dx];
        let upper = value(0, 0) + (value(1, 0) - value(0, 0)) * fx;
        let lower = value(0, 1) + (value(1, 1) - value(0, 1)) * fx;
        upper + (lower - upper) * fy
    }
}

/// Earth, grass and water with trees on it: drawn at a quarter of the size, then grown.
fn land(size: (u32, u32), dice: &mut Dice) -> I420 {
    let (width, height) = ((size.0 / 4).max(2), (size.1 / 4).max(2));
    let mut small = I420::new(width, height, Range::Full, Matrix::Bt601);
    let fields = [48, 19, 7, 3].map(|cell| Field::new(dice, (width, height), cell));
    let night = dice.part() < 0.4;
    let tone = |x: usize, y: usize| -> (f32, f32) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|n: usize| fields[n].at(x, y));
        (0.35 * a + 0.3 * b + 0.2 * c + 0.15 * d, 0.6 * b + 0.4 * a)
    };
    for y in 0..height {
        for (x, sample) in small.y.row_mut(y).iter_mut().enumerate() {
            let (light, _) = tone(x, y as usize);
            *sample = byte(if night { 12.0 + 95.0 * light } else { 25.0 + 160.0 * light });
        }
    }
    for y in 0..small.u.height {
        let targets = small.u.row_mut(y).iter_mut().zip(small.v.row_mut(y));
        for (x, (u, v)) in targets.enumerate() {
            let (_, wet) = tone(2 * x, 2 * y as usize);
            let (blue, red) = if night { (22.0, -14.0) } else { (-16.0, -4.0) };
            *u = byte(128.0 + blue + (wet - 0.5) * 60.0);
            *v = byte(128.0 + red - (wet - 0.5) * 36.0);
        }
    }
    let mut canvas = Canvas { picture: &mut small };
    for _ in 0..160 {
        let place = at(dice.between(0.0, side(width)), dice.between(0.0, side(height)));
        let radius = dice.between(0.006, 0.02) * side(height);
        let shade = dice.between(10.0, 60.0);
        canvas.disc(place, radius, rgb(byte(shade * 0.6), byte(shade), byte(shade * 0.7)), 0.9);
    }
    scale(&small, size.0, size.1)
}

/// Grass in stripes with its lines, boards and a crowd behind it.
fn pitch(size: (u32, u32), dice: &mut Dice) -> I420 {
    let mut map = I420::new(size.0, size.1, Range::Full, Matrix::Bt601);
    let (width, height) = (side(size.0), side(size.1));
    let edge = |part: f32, length: f32| whole(part * length);
    let mut canvas = Canvas { picture: &mut map };
    let bands = 14_u8;
    for band in 0..bands {
        let part = |n: u8| edge(f32::from(n) / f32::from(bands), width);
        let grass = if band % 2 == 0 { rgb(52, 118, 44) } else { rgb(64, 136, 52) };
        canvas.fill(Area(part(band), edge(0.33, height), part(band + 1), edge(1.0, height) + 1), grass);
    }
    let (white, line) = (rgb(214, 226, 212), (height / 260.0).max(1.0));
    let lines: [[f32; 4]; 9] = [
        [0.02, 0.37, 0.98, 0.37],
        [0.5, 0.37, 0.47, 1.0],
        [0.05, 0.37, 0.0, 0.7],
        [0.95, 0.37, 1.0, 0.7],
        [0.17, 0.47, 0.13, 0.9],
        [0.83, 0.47, 0.87, 0.9],
        [0.04, 0.47, 0.17, 0.47],
        [0.83, 0.47, 0.96, 0.47],
        [0.0, 0.9, 0.13, 0.9],
    ];
    for [x, y, to_x, to_y] in lines {
        canvas.line(at(x * width, y * height), at(to_x * width, to_y * height), line, white);
    }
    canvas.ring(at(width * 0.485, height * 0.68), height * 0.13, line, white);
    crowd(&mut canvas, dice, edge(0.28, height), height / 90.0);
    canvas.fill(Area(0, edge(0.28, height), edge(1.0, width) + 1, edge(0.33, height)), rgb(20, 28, 70));
    let dot = edge(0.004, height).max(1);
    for board in 0..8_u8 {
        let x = edge(f32::from(board) / 8.0 + 0.02, width);
        let word = *dice.one_of(&["ONAIR", "NORTHWIND", "PIXEL CO", "RIVERTON", "KETTLE", "BLUE OAK"]);
        canvas.text(x, edge(0.292, height), dot, word, rgb(230, 232, 240));
    }
    map
}

/// Heads and scarves from the top down to `bottom`.
fn crowd(canvas: &mut Canvas<'_>, dice: &mut Dice, bottom: i32, head: f32) {
    let step = whole(head).max(2);
    let width = canvas.picture.width.cast_signed();
    for y in (0..bottom).step_by(step.unsigned_abs() as usize) {
        for x in (0..width).step_by(step.unsigned_abs() as usize) {
            let light = dice.between(20.0, 190.0);
            let colour: Colour = match dice.within(0..6) {
                0 => rgb(byte(light), 20, 30),
                1 => rgb(20, 30, byte(light)),
                2 => rgb(byte(light), byte(light), byte(light * 0.9)),
                _ => rgb(byte(light * 0.4), byte(light * 0.36), byte(light * 0.34)),
            };
            canvas.fill(Area(x, y, x + step, y + step), colour);
        }
    }
}

/// Fine noise, so that nothing is as even as a drawing.
fn roughen(plane: &mut Plane, dice: &mut Dice) {
    let noise: Vec<i8> = (0..1 << 14).map(|_| i8::try_from(dice.within(0..19)).expect("small") - 9).collect();
    for y in 0..plane.height {
        let start = usize::try_from(dice.within(0..1 << 14)).expect("small");
        let noise = noise[start..].iter().chain(noise.iter().cycle());
        for (sample, noise) in plane.row_mut(y).iter_mut().zip(noise) {
            *sample = sample.saturating_add_signed(*noise);
        }
    }
}
