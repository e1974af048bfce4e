//! Screens drawn with known truth: every size and shape, moved, noisy, coded; and screens of something else.

use std::time::Duration;

use pixels::jpeg::{Decoder, Encoder, inspect};
use pixels::{I420, Matrix, Range};

use crate::pack::{Reader, heroes, load, spread, took};
use crate::portraits::{Dice, Pixels, Portraits, SIZE, draw};

const PLAYERS: [[f32; 3]; 10] = [
    [51.0, 117.0, 255.0],
    [102.0, 255.0, 191.0],
    [191.0, 0.0, 191.0],
    [243.0, 240.0, 11.0],
    [255.0, 107.0, 0.0],
    [254.0, 134.0, 194.0],
    [161.0, 180.0, 71.0],
    [101.0, 217.0, 247.0],
    [0.0, 131.0, 33.0],
    [164.0, 105.0, 0.0],
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Game,
    Pick,
}

/// What a picture shows; lengths are pixels at 1080 lines.
struct Scene {
    width: u32,
    height: u32,
    kind: Kind,
    /// How far down the bar is.
    down: f32,
    /// Which portraits.
    slots: [Option<usize>; 10],
    dead: [bool; 10],
    quality: u8,
    seed: u64,
}

/// The upper part of a picture, where everything is that is looked at.
#[derive(Clone)]
struct Band {
    width: usize,
    height: usize,
    pixels: Pixels,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small"
)]
impl Band {
    /// Hills of chance at two sizes.
    fn land(width: u32, height: usize, unit: f32, dice: &mut Dice) -> Self {
        let width = width as usize;
        let knots: Vec<[f32; 3]> = (0..64 * 64)
            .map(|_| [dice.between(20.0, 170.0), dice.between(-40.0, 40.0), dice.between(-40.0, 40.0)])
            .collect();
        let at = |x: f32, y: f32| {
            let (column, row) = (x as usize % 63, y as usize % 63);
            let (u, v) = (x.fract(), y.fract());
            let knot = |dx: usize, dy: usize| knots[(row + dy) * 64 + column + dx];
            let mix = |a: f32, b: f32, part: f32| a + (b - a) * part;
            std::array::from_fn::<f32, 3, _>(|c| {
                mix(mix(knot(0, 0)[c], knot(1, 0)[c], u), mix(knot(0, 1)[c], knot(1, 1)[c], u), v)
            })
        };
        let pixels = (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32 / unit, (i / width) as f32 / unit);
                let (coarse, fine) = (at(x / 70.0, y / 50.0), at(31.0 + x / 9.0, y / 8.0));
                std::array::from_fn(|c| coarse[c] * 0.75 + fine[c] * 0.25)
            })
            .collect();
        Self { width, height, pixels }
    }

    /// Paints a leaning box: left edge at the top and at the bottom, width, top and bottom.
    fn paint(
        &mut self,
        edges: (f32, f32),
        wide: f32,
        rows: (f32, f32),
        color: impl Fn(f32, f32) -> [f32; 3],
    ) {
        for y in rows.0.max(0.0) as usize..(rows.1.ceil() as usize).min(self.height) {
            let middle = y as f32 + 0.5;
            let covered = (rows.1.min(middle + 0.5) - rows.0.max(middle - 0.5)).clamp(0.0, 1.0);
            let part = ((middle - rows.0) / (rows.1 - rows.0)).clamp(0.0, 1.0);
            let left = edges.0 + (edges.1 - edges.0) * part;
            for x in left.max(0.0) as usize..((left + wide).ceil().max(0.0) as usize).min(self.width) {
                let middle_x = x as f32 + 0.5;
                let cover =
                    covered * ((left + wide).min(middle_x + 0.5) - left.max(middle_x - 0.5)).clamp(0.0, 1.0);
                let to = color(middle_x, middle);
                for (is, to) in self.pixels[y * self.width + x].iter_mut().zip(to) {
                    *is += (to - *is) * cover;
                }
            }
        }
    }

    /// The picture with this at its top.
    fn picture(&self, height: u32, noise: f32, dice: &mut Dice) -> I420 {
        let mut picture = I420::new(self.width as u32, height, Range::Full, Matrix::Bt601);
        picture.y.fill(80);
        for y in 0..self.height {
            for (sample, pixel) in picture.y.row_mut(y as u32).iter_mut().zip(&self.pixels[y * self.width..])
            {
                *sample = (pixel[0] + noise * (dice.part() + dice.part() - 1.0)).clamp(0.0, 255.0) as u8;
            }
        }
        for y in 0..self.height / 2 {
            for x in 0..self.width / 2 {
                let four =
                    [0, 1, self.width, self.width + 1].map(|i| self.pixels[2 * y * self.width + 2 * x + i]);
                let mean = |c: usize| {
                    (128.0 + four.iter().map(|pixel| pixel[c]).sum::<f32>() / 4.0).clamp(0.0, 255.0) as u8
                };
                picture.u.row_mut(y as u32)[x] = mean(1);
                picture.v.row_mut(y as u32)[x] = mean(2);
            }
        }
        picture
    }
}

/// The mean of what a pixel of the screen covers of a portrait.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small"
)]
fn shown(portrait: &Pixels, u: f32, v: f32, across: f32, down: f32) -> [f32; 3] {
    let mut sum = [0.0; 3];
    for i in 0..16 {
        let (du, dv) = (((i % 4) as f32 - 1.5) / 4.0 * across, ((i / 4) as f32 - 1.5) / 4.0 * down);
        let x = ((u + du) * SIZE.0 as f32).clamp(0.0, SIZE.0 as f32 - 1.0) as usize;
        let y = ((v + dv) * SIZE.1 as f32).clamp(0.0, SIZE.1 as f32 - 1.0) as usize;
        for (sum, value) in sum.iter_mut().zip(portrait[y * SIZE.0 + x]) {
            *sum += value / 16.0;
        }
    }
    sum
}

fn codes([r, g, b]: [f32; 3]) -> [f32; 3] {
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772, (r - y) / 1.402]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small"
)]
fn picture(scene: &Scene, portraits: &Portraits) -> I420 {
    let mut dice = Dice::new(scene.seed);
    let unit = scene.height as f32 / 1080.0;
    let height = (160.0 * unit) as usize / 2 * 2;
    let mut band = Band::land(scene.width, height, unit, &mut dice);
    let middle = scene.width as f32 / 2.0;
    let x = |at: f32| middle + (at - 960.0) * unit;
    let y = |at: f32| (at + scene.down) * unit;
    if scene.kind == Kind::Pick {
        band.paint((0.0, 0.0), scene.width as f32, (y(0.0), height as f32), |_, _| [44.0, 3.0, -3.0]);
    } else {
        band.paint((x(848.0), x(852.0)), 224.0 * unit, (y(0.0), y(40.0)), |_, _| [35.0, 2.0, -2.0]);
    }
    for (slot, player) in PLAYERS.into_iter().enumerate() {
        let (lean, number) = (if slot < 5 { 1.0 } else { -1.0 }, (slot % 5) as f32);
        // The portrait's middle, width, top and bottom; the window's width, lean and the height of the player's colour.
        let (centre, wide, top, bottom, window, slant, strip) = match scene.kind {
            Kind::Game => {
                (if slot < 5 { 577.0 } else { 1095.2 } + 62.0 * number, 66.0, 3.9, 40.1, 60.0, 5.0, 5.0)
            }
            Kind::Pick => {
                (if slot < 5 { 267.3 } else { 1155.3 } + 123.6 * number, 117.4, 6.0, 72.0, 108.0, 10.0, 6.0)
            }
        };
        let edge = |at: f32| x(centre - window / 2.0 + lean * slant * ((at - top) / (bottom - top) - 0.5));
        match scene.slots[slot] {
            Some(portrait) => {
                let pixels = &portraits.all[portrait].2;
                let (left, upper) = (x(centre - wide / 2.0), y(top));
                let (across, down) = (wide * unit, (bottom - top) * unit);
                band.paint((edge(strip), edge(bottom)), window * unit, (y(strip), y(bottom)), |px, py| {
                    let [luma, cb, cr] =
                        shown(pixels, (px - left) / across, (py - upper) / down, 1.0 / across, 1.0 / down);
                    if scene.dead[slot] { [luma * 0.8, 0.0, 0.0] } else { [luma, cb, cr] }
                });
                if dice.part() < 0.6 {
                    // A badge in the lower outer corner.
                    let from =
                        if slot < 5 { centre - window / 2.0 + 3.0 } else { centre + window / 2.0 - 17.0 };
                    let color =
                        [dice.between(90.0, 220.0), dice.between(-60.0, 60.0), dice.between(-60.0, 60.0)];
                    band.paint(
                        (x(from), x(from)),
                        14.0 * unit,
                        (y(bottom - 16.0), y(bottom - 2.0)),
                        |_, _| color,
                    );
                }
            }
            None => band.paint((edge(top), edge(bottom)), window * unit, (y(0.0), y(bottom)), |_, py| {
                let part = (py - y(0.0)) / (y(bottom) - y(0.0));
                [36.0 + 28.0 * part, 3.0, -2.0]
            }),
        }
        let at = if scene.slots[slot].is_none() { bottom - strip } else { 0.0 };
        let color = codes(player);
        band.paint((edge(at), edge(at + strip)), window * unit, (y(at), y(at + strip)), |_, _| color);
    }
    let picture = band.picture(scene.height, 6.0, &mut dice);
    coded(&picture, scene.quality)
}

fn coded(picture: &I420, quality: u8) -> I420 {
    let bytes = Encoder::new(quality).unwrap().encode(picture).unwrap();
    let header = inspect(&bytes, 8192).unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    Decoder::new().unwrap().decode(&bytes, &header, &mut out).unwrap();
    out
}

/// Ten heroes, now and then one of them on both sides.
fn lineup(dice: &mut Dice, portraits: &Portraits) -> [Option<usize>; 10] {
    let mut taken: Vec<usize> = Vec::new();
    while taken.len() < 10 {
        let portrait = dice.below(portraits.all.len());
        if taken.iter().all(|other| portraits.all[*other].0 != portraits.all[portrait].0) {
            taken.push(portrait);
        }
    }
    if dice.part() < 0.15 {
        taken[5 + dice.below(5)] = taken[dice.below(5)];
    }
    std::array::from_fn(|slot| Some(taken[slot]))
}

struct Rate {
    slots: usize,
    right: usize,
    wrong: usize,
    /// Confidences of what was right and of what was wrong.
    sure: [Vec<f32>; 2],
    pictures: usize,
    refused: usize,
    looks: Vec<Duration>,
    again: Vec<Duration>,
    gates: Vec<Duration>,
}

/// Reads `count` drawn pictures, and each once more with other noise.
fn rate(
    count: u64,
    portraits: &Portraits,
    reader: &dyn Fn() -> Reader,
    scene: &dyn Fn(u64, &mut Dice) -> Scene,
) -> Rate {
    let (looks, again, gates) = (Vec::new(), Vec::new(), Vec::new());
    let mut rate = Rate {
        slots: 0,
        right: 0,
        wrong: 0,
        sure: [vec![], vec![]],
        pictures: 0,
        refused: 0,
        looks,
        again,
        gates,
    };
    for seed in 0..count {
        let mut dice = Dice::new(seed + 77);
        let mut scene = scene(seed, &mut dice);
        let mut reader = reader();
        for turn in 0..2 {
            scene.seed = seed * 2 + turn;
            let outcome = reader.read(&picture(&scene, portraits));
            rate.pictures += 1;
            rate.refused += usize::from(outcome.reading.is_none());
            if let Some(time) = took(&outcome, "heroes") {
                if turn == 0 { &mut rate.looks } else { &mut rate.again }.push(time);
            }
            if turn == 1 {
                rate.gates.extend(took(&outcome, "gate"));
            }
            for (slot, found) in heroes(&outcome).iter().enumerate() {
                let truth = scene.slots[slot].map(|portrait| portraits.all[portrait].0.as_str());
                let is = found.as_ref().map(|found| found.0.as_str());
                rate.slots += 1;
                rate.right += usize::from(is == truth);
                rate.wrong += usize::from(is.is_some() && is != truth);
                if let Some((_, _, confidence)) = found {
                    rate.sure[usize::from(is != truth)].push(*confidence);
                }
            }
        }
    }
    rate
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn print(name: &str, rate: &Rate) {
    let part = |count: usize| 100.0 * count as f32 / rate.slots as f32;
    let ((look, longest), (again, _), (gate, _)) =
        (spread(rate.looks.clone()), spread(rate.again.clone()), spread(rate.gates.clone()));
    println!(
        "{name:30} {:6.2} % right, {:5.2} % wrong of {} slots, {} of {} pictures refused; first {look:.1?} (most {longest:.1?}), \
         again {again:.1?}, gate {gate:.1?}",
        part(rate.right),
        part(rate.wrong),
        rate.slots,
        rate.refused,
        rate.pictures,
    );
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small")]
fn heroes_are_read_at_every_size() {
    let portraits = draw();
    let pack = load(&portraits.files);
    let mut sure = [vec![], vec![]];
    for (width, height, quality, count, least) in [
        (640, 360, 75, 30, 0.95),
        (640, 360, 40, 30, 0.95),
        (854, 480, 75, 30, 0.99),
        (854, 480, 45, 30, 0.99),
        (1280, 720, 75, 30, 0.99),
        (1280, 720, 35, 30, 0.99),
        (1680, 720, 70, 10, 0.99),
        (1920, 1080, 60, 10, 0.99),
        (2560, 1080, 60, 6, 0.99),
        (3840, 2160, 60, 2, 0.99),
    ] {
        let scene = |seed: u64, dice: &mut Dice| Scene {
            width,
            height,
            kind: Kind::Game,
            down: if seed.is_multiple_of(3) { dice.between(10.0, 45.0) } else { 0.0 },
            slots: lineup(dice, &portraits),
            dead: std::array::from_fn(|_| dice.part() < 0.15),
            quality,
            seed,
        };
        let rate = rate(count, &portraits, &|| Reader::new(&pack), &scene);
        print(&format!("game {width}x{height} q{quality}"), &rate);
        assert!(rate.right as f32 >= least * rate.slots as f32, "{} of {}", rate.right, rate.slots);
        sure[0].extend(rate.sure[0].iter().copied());
        sure[1].extend(rate.sure[1].iter().copied());
    }
    let below = |all: &[f32], limit: f32| all.iter().filter(|sure| **sure < limit).count();
    for limit in [0.6, 0.8, 0.9, 0.95, 0.99] {
        let [right, wrong] = [0, 1].map(|which| below(&sure[which], limit));
        println!(
            "confidence below {limit}: {right} of {} right, {wrong} of {} wrong",
            sure[0].len(),
            sure[1].len()
        );
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small")]
fn picks_are_read_and_empty_slots_are_empty() {
    let portraits = draw();
    let pack = load(&portraits.files);
    for (width, height, quality, count, least) in [
        (640, 360, 60, 30, 0.95),
        (854, 480, 60, 30, 0.99),
        (1280, 720, 60, 30, 0.99),
        (1920, 1080, 60, 10, 0.99),
    ] {
        let scene = |seed: u64, dice: &mut Dice| {
            let mut slots = lineup(dice, &portraits);
            slots.iter_mut().for_each(|slot| *slot = slot.filter(|_| dice.part() < 0.5));
            let (kind, down, dead) = (Kind::Pick, 0.0, [false; 10]);
            Scene { width, height, kind, down, slots, dead, quality, seed }
        };
        let rate = rate(count, &portraits, &|| Reader::new(&pack), &scene);
        print(&format!("pick {width}x{height} q{quality}"), &rate);
        assert!(rate.right as f32 >= least * rate.slots as f32, "{} of {}", rate.right, rate.slots);
        assert_eq!(rate.wrong, 0, "something where nothing is, or another hero");
    }
}

/// Something else: land, panels, rows of coloured boxes as other games have them.
#[expect(clippy::cast_precision_loss, reason = "small")]
fn something_else(seed: u64, land: &Band, height: u32) -> I420 {
    let mut dice = Dice::new(seed + 1_000_003);
    let unit = height as f32 / 1080.0;
    let mut band = land.clone();
    let width = band.width;
    for _ in 0..dice.below(30) {
        let (left, top) = (dice.between(-50.0, width as f32), dice.between(-5.0, 50.0));
        let (wide, tall) = (dice.between(3.0, 160.0), dice.between(1.0, 40.0));
        let color = codes([dice.between(0.0, 255.0), dice.between(0.0, 255.0), dice.between(0.0, 255.0)]);
        band.paint((left, left + dice.between(-9.0, 9.0)), wide, (top, top + tall), |_, _| color);
    }
    if dice.part() < 0.5 {
        // A row of team colours: others, or these in another order, pitch or place.
        let pitch = dice.between(20.0, 140.0) * unit;
        let (left, top, tall) =
            (dice.between(0.0, 700.0) * unit, dice.between(0.0, 60.0) * unit, dice.between(1.0, 6.0));
        let turn = 1 + dice.below(9);
        for number in 0..10 {
            let known = PLAYERS[(number * [1, 3, 7, 9][dice.below(4)] + turn) % 10];
            let color = if dice.part() < 0.5 {
                known
            } else {
                [dice.between(0.0, 255.0), dice.between(0.0, 255.0), 90.0]
            };
            let at = left + pitch * number as f32;
            band.paint((at, at), pitch * 0.95, (top, top + tall), |_, _| codes(color));
        }
    }
    band.picture(height, 8.0, &mut dice)
}

#[test]
fn nothing_else_is_accepted() {
    let pack = load(&std::collections::BTreeMap::new());
    let mut accepted = Vec::new();
    for (width, height, count) in [(640, 360, 10_000_u64), (1280, 720, 200)] {
        let mut times = Vec::new();
        let rows = if height == 360 { 54 } else { 108 };
        let mut land = None;
        for seed in 0..count {
            if seed.is_multiple_of(20) {
                let unit = f32::from(u16::try_from(height).unwrap()) / 1080.0;
                land = Some(Band::land(width, rows, unit, &mut Dice::new(seed)));
            }
            let picture = something_else(seed, land.as_ref().unwrap(), height);
            let outcome = Reader::new(&pack).read(&picture);
            accepted
                .extend(outcome.reading.as_ref().map(|reading| (height, seed, reading.screen.to_string())));
            times.extend(took(&outcome, "gate"));
        }
        println!(
            "{count} pictures of something else at {height}: all gates together {:.1?}",
            spread(times).0
        );
    }
    assert_eq!(accepted, []);
}

#[test]
fn without_portraits_the_bar_is_known_and_no_hero_is_read() {
    let portraits = draw();
    let pack = load(&std::collections::BTreeMap::new());
    assert!(pack.notes[0].contains("onair pack fetch dota2"), "{:?}", pack.notes);
    assert_eq!(pack.fetches["heroes"].files.len(), 127 + 46);
    let mut dice = Dice::new(5);
    let (slots, dead) = (lineup(&mut dice, &portraits), [false; 10]);
    let scene =
        Scene { width: 1280, height: 720, kind: Kind::Game, down: 0.0, slots, dead, quality: 80, seed: 1 };
    let outcome = Reader::new(&pack).read(&picture(&scene, &portraits));
    assert_eq!(outcome.reading.as_ref().map(|reading| &*reading.screen), Some("game"));
    assert_eq!(heroes(&outcome), [const { None }; 10]);
}
