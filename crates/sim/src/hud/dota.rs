//! Screens like Dota's: the bar of ten portraits over a game, the screen where heroes are picked, and what comes between.
//!
//! Called by the drawing. Sizes are pixels of 1920 × 1080, measured on real screens. A portrait stands upright behind a
//! leaning window; over it lie bars, diamonds, badges and numbers as a spectator sees them, or nothing as a player does.

use std::collections::HashMap;

use pixels::plane::NEUTRAL;
use pixels::{I420, Matrix, Quad, Range, convert, warp};

use super::letters::{Face, Side, word};
use super::paint::{Mask, Sprite, leaning, paste, side, signed, tint, upright};
use super::portraits::{SIZE, portraits};
use super::screens;
use super::script::dota::{Phase, State};
use super::stage::{Frame, Stage, Truth};
use crate::picture::canvas::{Colour, byte, rgb};

/// Colours of the players, as they stand above a game.
const PLAYERS: [[u8; 3]; 10] = [
    [0x33, 0x75, 0xff],
    [0x66, 0xff, 0xbf],
    [0xbf, 0x00, 0xbf],
    [0xf3, 0xf0, 0x0b],
    [0xff, 0x6b, 0x00],
    [0xfe, 0x86, 0xc2],
    [0xa1, 0xb4, 0x47],
    [0x65, 0xd9, 0xf7],
    [0x00, 0x83, 0x21],
    [0xa4, 0x69, 0x00],
];

/// Boxes of clock and scores, with the height of their digits and where their tops are.
const CLOCK: (Quad, f32, f32) = (upright(928.0, 22.0, 64.0, 15.0), 8.7, 25.3);
const COUNTDOWN: (Quad, f32, f32) = (upright(870.0, 10.0, 180.0, 54.0), 42.0, 17.0);
const SCORES: [(Quad, f32, f32); 2] =
    [(upright(865.0, 9.0, 44.0, 22.0), 14.0, 13.0), (upright(1011.0, 9.0, 44.0, 22.0), 14.0, 13.0)];

/// Where the ten portraits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Bar,
    Pick,
}

/// The window of a slot, below the player's colour.
fn window(place: Place, slot: usize) -> Quad {
    let lean = if slot < 5 { 1.0 } else { -1.0 };
    let number = f32::from(u8::try_from(slot % 5).unwrap_or(0));
    match place {
        Place::Bar => {
            let middle = if slot < 5 { 577.0 } else { 1095.0 } + 62.0 * number;
            leaning(middle - 30.0 - lean * 2.5, 5.0, 60.0, 35.0, lean * 5.0)
        }
        Place::Pick => {
            let middle = if slot < 5 { 267.6 } else { 1155.4 } + 123.5 * number;
            leaning(middle - 54.0 - lean * 5.0, 6.0, 108.0, 66.0, lean * 10.0)
        }
    }
}

/// The player's colour above a window.
fn strip(window: &Quad) -> Quad {
    let slant = window.slant * window.y / window.height;
    leaning(window.x - slant, 0.0, window.width, window.y, slant)
}

fn shown(seconds: i64) -> String {
    let (sign, plain) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
    format!("{sign}{}:{:02}", plain / 60, plain % 60)
}

pub(super) fn truth(state: &State, stage: Stage) -> Truth {
    let frame = stage.centred();
    let place = match state.phase {
        Phase::Preparing => return Truth::of("preparing"),
        Phase::Ad => return Truth::of("ad"),
        Phase::End => return Truth::of("end"),
        Phase::Game => Place::Bar,
        Phase::Pick(_) => Place::Pick,
    };
    let mut truth = Truth::of(if place == Place::Bar { "game" } else { "pick" });
    for (slot, portrait) in state.heroes.iter().enumerate() {
        let Some(portrait) = portrait else { continue };
        let tag = portraits()[*portrait].tag;
        truth.put(&format!("heroes.{slot}"), tag, frame.quad(&window(place, slot)), None);
    }
    let mut put = |id: &str, value: serde_json::Value, (area, digit, _): (Quad, f32, f32)| {
        truth.put(id, value, frame.quad(&area), Some(frame.length(digit)));
    };
    match state.phase {
        Phase::Pick(left) => put("countdown", shown(left.cast_signed()).into(), COUNTDOWN),
        _ => {
            put("clock", shown(state.clock).into(), CLOCK);
            put("score.radiant", state.score[0].into(), SCORES[0]);
            put("score.dire", state.score[1].into(), SCORES[1]);
        }
    }
    truth
}

/// Draws one game's screens; keeps the portraits it has scaled.
#[derive(Debug, Default)]
pub(super) struct Painter {
    sprites: HashMap<(usize, usize, Place, bool), Sprite>,
    stage: Option<Stage>,
}

impl Painter {
    /// Draws over the land. A spectator sees everyone's bars, a player does not.
    pub(super) fn draw(&mut self, state: &State, stage: Stage, seed: u64, spectator: bool, out: &mut I420) {
        /// More than a match needs; the next match has other heroes.
        const MOST: usize = 64;
        if self.stage != Some(stage) || self.sprites.len() > MOST {
            self.sprites.clear();
            self.stage = Some(stage);
        }
        match state.phase {
            Phase::Preparing => screens::preparing(stage, seed, out),
            Phase::Ad => screens::ad(stage, seed, out),
            Phase::End => end(state, stage, out),
            Phase::Pick(left) => self.pick(state, stage, left, seed, out),
            Phase::Game => self.game(state, stage, spectator, out),
        }
    }

    fn portrait(
        &mut self,
        portrait: usize,
        slot: usize,
        place: Place,
        dead: bool,
        stage: Stage,
        out: &mut I420,
    ) {
        let key = (portrait, slot, place, dead);
        let sprite = self.sprites.entry(key).or_insert_with(|| {
            let area = stage.centred().quad(&window(place, slot));
            sprite(portrait, &area, dead)
        });
        paste(out, sprite);
    }

    fn game(&mut self, state: &State, stage: Stage, spectator: bool, out: &mut I420) {
        let frame = stage.centred();
        let quad = |quad: Quad| Mask::quad(&frame.quad(&quad));
        tint(out, &quad(upright(853.0, 0.0, 214.0, 40.0)), rgb(38, 44, 54), 0.9);
        tint(out, &quad(leaning(913.0, 0.0, 100.0, 44.0, 5.0)), rgb(20, 22, 24), 0.5);
        tint(out, &quad(upright(917.0, 0.0, 86.0, 43.0)), rgb(46, 47, 46), 1.0);
        let day = state.clock.div_euclid(300) % 2 == 0;
        let sun = if day { rgb(240, 196, 92) } else { rgb(150, 176, 220) };
        tint(out, &Mask::disc(frame.x(960.0), frame.y(14.0), frame.length(6.0)), sun, 1.0);
        write(out, &frame, &shown(state.clock), 960.0, CLOCK.2, CLOCK.1);
        for ((area, digit, top), score) in SCORES.into_iter().zip(state.score) {
            write(out, &frame, &score.to_string(), area.x + area.width / 2.0, top, digit);
        }
        for (slot, portrait) in state.heroes.iter().enumerate() {
            let window = window(Place::Bar, slot);
            tint(out, &quad(Quad { x: window.x - 1.0, width: 62.0, ..window }), rgb(8, 8, 10), 1.0);
            let [r, g, b] = PLAYERS[slot];
            tint(out, &quad(strip(&window)), rgb(r, g, b), 1.0);
            let dead = state.dead[slot];
            if let Some(portrait) = portrait {
                self.portrait(*portrait, slot, Place::Bar, dead.is_some(), stage, out);
            }
            if spectator {
                bars(state, slot, &frame, out);
            }
            if let Some(seconds) = dead {
                let middle = window.x + window.slant + 30.0;
                let top = if spectator { 57.0 } else { 41.0 };
                tint(out, &quad(upright(middle - 29.0, top, 58.0, 19.0)), rgb(22, 26, 30), 0.92);
                write(out, &frame, &seconds.to_string(), middle, top + 4.0, 11.0);
            }
        }
        // A minimap and a panel with abilities, as always.
        tint(out, &quad(upright(10.0, 860.0, 210.0, 210.0)), rgb(18, 30, 20), 0.9);
        tint(out, &quad(upright(560.0, 930.0, 800.0, 150.0)), rgb(22, 25, 28), 0.95);
        for ability in 0..6_u8 {
            let x = 760.0 + 70.0 * f32::from(ability);
            let [r, g, b] = PLAYERS[usize::from(ability)].map(|c| c / 2 + 30);
            tint(out, &quad(upright(x, 950.0, 60.0, 60.0)), rgb(r, g, b), 1.0);
        }
    }

    fn pick(&mut self, state: &State, stage: Stage, left: u64, seed: u64, out: &mut I420) {
        let frame = stage.centred();
        let quad = |quad: Quad| Mask::quad(&frame.quad(&quad));
        screens::shade(stage, rgb(28, 34, 42), 0.94, out);
        for (slot, portrait) in state.heroes.iter().enumerate() {
            let window = window(Place::Pick, slot);
            tint(out, &quad(window), rgb(16, 18, 22), 1.0);
            let [r, g, b] = PLAYERS[slot];
            // Below a slot that is empty.
            let below =
                Quad { x: window.x + window.slant * 61.0 / 66.0, y: 67.0, height: 5.0, ..strip(&window) };
            tint(out, &quad(if portrait.is_some() { strip(&window) } else { below }), rgb(r, g, b), 1.0);
            let middle = window.x + window.width / 2.0 + window.slant / 2.0;
            match portrait {
                Some(portrait) => {
                    self.portrait(*portrait, slot, Place::Pick, false, stage, out);
                    tint(out, &quad(upright(middle - 48.0, 49.0, 96.0, 15.0)), rgb(70, 34, 44), 0.55);
                    small(out, &frame, "Legend II", middle - 8.0, 52.0, 9.0);
                }
                None => tint(
                    out,
                    &Mask::disc(frame.x(middle), frame.y(38.0), frame.length(13.0)),
                    rgb(34, 38, 46),
                    1.0,
                ),
            }
            let name = NAMES[(usize::try_from(seed % 1_000).unwrap_or(0) + slot * 7) % NAMES.len()];
            small(out, &frame, name, middle + window.slant * 0.3, 84.0, 11.0);
        }
        write(out, &frame, &shown(left.cast_signed()), 960.0, COUNTDOWN.2, COUNTDOWN.1);
        small(out, &frame, if left > 6 { "ALL PICK" } else { "STRATEGY TIME" }, 960.0, 74.0, 12.0);
        // The grid of all heroes, small; a picture of many heads that is no bar.
        for number in 0..60_u8 {
            let (x, y) = (230.0 + 74.0 * f32::from(number % 20), 220.0 + 120.0 * f32::from(number / 20));
            let shade = byte(30.0 + f32::from(number.wrapping_mul(37) % 90));
            tint(out, &quad(upright(x, y, 66.0, 104.0)), rgb(shade, shade / 2 + 20, 60), 1.0);
        }
    }
}

/// What a spectator sees of a hero: health, mana, the ultimate and a badge.
fn bars(state: &State, slot: usize, frame: &Frame, out: &mut I420) {
    let window = window(Place::Bar, slot);
    let left = window.x + window.slant + if slot < 5 { 0.5 } else { -0.5 };
    let mut bar = |y: f32, height: f32, full: f32, colour: Colour| {
        let quad = frame.quad(&upright(left, y, 60.0 * full, height));
        tint(out, &Mask::quad(&quad), colour, 1.0);
    };
    bar(35.0, 21.0, 1.0, rgb(10, 14, 12));
    bar(40.5, 6.0, state.health[slot], if slot < 5 { rgb(112, 190, 48) } else { rgb(214, 60, 32) });
    bar(48.0, 6.0, state.mana[slot], rgb(92, 142, 226));
    let middle = left + 30.0;
    let ready = state.mana[slot] > 0.5 && state.dead[slot].is_none();
    let diamond = |radius: f32| Mask::diamond(frame.x(middle), frame.y(38.5), frame.length(radius));
    tint(out, &diamond(7.0), if ready { rgb(16, 92, 24) } else { rgb(90, 90, 92) }, 1.0);
    tint(out, &diamond(5.6), if ready { rgb(36, 190, 50) } else { rgb(40, 36, 40) }, 1.0);
    if slot % 3 != 2 {
        let x = middle + if slot < 5 { -19.0 } else { 19.0 };
        tint(out, &Mask::disc(frame.x(x), frame.y(30.0), frame.length(6.0)), rgb(176, 214, 220), 0.85);
        tint(out, &Mask::disc(frame.x(x), frame.y(30.0), frame.length(2.5)), rgb(70, 120, 140), 0.9);
    }
}

fn end(state: &State, stage: Stage, out: &mut I420) {
    let frame = stage.centred();
    screens::shade(stage, rgb(18, 20, 26), 0.8, out);
    let won = if state.score[0] >= state.score[1] { "RADIANT VICTORY" } else { "DIRE VICTORY" };
    write(out, &frame, won, 960.0, 480.0, 60.0);
}

fn write(out: &mut I420, frame: &Frame, text: &str, middle: f32, top: f32, digit: f32) {
    let digit = frame.length(digit);
    let shadow = word(Face::Bold, text, digit, Side::Middle, frame.x(middle), frame.y(top), 0.1).moved(1, 1);
    tint(out, &shadow, rgb(0, 0, 0), 0.6);
    let mask = word(Face::Bold, text, digit, Side::Middle, frame.x(middle), frame.y(top), 0.1);
    tint(out, &mask, rgb(250, 250, 250), 1.0);
}

fn small(out: &mut I420, frame: &Frame, text: &str, middle: f32, top: f32, digit: f32) {
    let mask =
        word(Face::Narrow, text, frame.length(digit), Side::Middle, frame.x(middle), frame.y(top), 0.0);
    tint(out, &mask, rgb(196, 200, 206), 0.9);
}

/// Where the whole portrait lies behind a window: it stands upright and is a little larger, as measured in the game.
fn art_behind(window: &Quad) -> Quad {
    let (width, height) = (window.width * 1.095, window.height * 1.03);
    let middle = window.x + (window.slant + window.width) / 2.0;
    upright(middle - width / 2.0, window.y - window.height * 0.02, width, height)
}

/// A portrait behind its window.
fn sprite(portrait: usize, area: &Quad, dead: bool) -> Sprite {
    let mask = Mask::quad(area).evened();
    let mut art = I420::new(SIZE.0, SIZE.1, Range::Full, Matrix::Bt601);
    convert::rgb_to_i420(portraits()[portrait].rgb(), 3, &mut art);
    let art_of = art_behind(area);
    let (left, top) = (art_of.x, art_of.y);
    let (scale_x, scale_y) = (side(SIZE.0) / art_of.width, side(SIZE.1) / art_of.height);
    let (across, down) = (mask.width, mask.height());
    let samples = |side: usize| u32::try_from(side).unwrap_or(2).max(2);
    let mut picture = I420::new(samples(across), samples(down), Range::Full, Matrix::Bt601);
    let from = Quad {
        x: (signed(mask.left) - left) * scale_x,
        y: (signed(mask.top) - top) * scale_y,
        width: side(picture.width) * scale_x,
        height: side(picture.height) * scale_y,
        slant: 0.0,
    };
    warp::warp(&art.y, &from, &mut picture.y);
    warp::warp(&art.u, &from.halved(), &mut picture.u);
    warp::warp(&art.v, &from.halved(), &mut picture.v);
    if dead {
        picture.y.data.iter_mut().for_each(|luma| *luma = byte(f32::from(*luma) * 0.62));
        picture.u.fill(NEUTRAL);
        picture.v.fill(NEUTRAL);
    }
    Sprite { mask, picture }
}

const NAMES: [&str; 12] = [
    "Amerigo",
    "BoneZone",
    "quiet river",
    "Otto.7",
    "Kettle",
    "nightshift",
    "Pansarpung",
    "Hm.",
    "LaneBuddy",
    "zzTop4",
    "Margit",
    "five by five",
];
