//! Pictures to measure packs with: games' screens at every size, coded as streams are, with things lying over them, and
//! pictures of everything else.
//!
//! Called by the packs' accuracy command and tests. A sample is a pure function of seed and number (and of the coders'
//! versions).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use media::decode;
use media::encode::steady::{self, Steady};
use media::keyframe::{Codec, Keyframe};
use pixels::{I420, Matrix, Quad, Range, convert, jpeg};

use super::backdrop::{Backdrop, Ground};
use super::letters::{Face, Side, word};
use super::paint::{Mask, side, tint, upright};
use super::stage::{Stage, Truth};
use super::{Drawing, Game, Match, ground, screens};
use crate::dice::Dice;
use crate::picture::canvas::{byte, rgb};
use crate::picture::{self, TestPicture};

/// What a sample shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A football game's board; now and then a menu, a replay or a break.
    Football,
    /// Dota's bar over a game.
    Bar,
    /// Dota's screen where heroes are picked.
    Pick,
    /// No HUD that any pack could read: [`Truth::screen`] is `other`.
    Other,
}

/// How a sample was coded before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Drawn,
    /// With this quality.
    Jpeg(u8),
    /// A keyframe of this many kilobytes or less.
    H264(u32),
}

/// One picture with what is on it.
#[derive(Clone, Debug)]
pub struct Sample {
    pub number: u64,
    pub kind: Kind,
    pub stage: Stage,
    pub coding: Coding,
    /// What lies over it: `nothing`, `camera`, `panel`, `notice`, `pointer`.
    pub over: &'static str,
    pub picture: I420,
    pub truth: Truth,
}

/// Samples without end, each kind in turn.
#[derive(Debug)]
pub struct Samples {
    seed: u64,
    next: u64,
    kinds: Vec<Kind>,
    heights: Vec<u32>,
    /// Made once for a few samples each.
    backdrops: HashMap<(bool, Stage, u64), Arc<Backdrop>>,
}

impl Samples {
    /// All kinds at 360, 480, 720, 1080 and 2160 lines.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let kinds = vec![Kind::Football, Kind::Bar, Kind::Pick, Kind::Other];
        let heights = vec![360, 480, 720, 1080, 2160];
        Self { seed, next: 0, kinds, heights, backdrops: HashMap::new() }
    }

    /// Only these kinds; all when there are none.
    #[must_use]
    pub fn kinds(mut self, kinds: &[Kind]) -> Self {
        if !kinds.is_empty() {
            self.kinds = kinds.to_vec();
        }
        self
    }

    /// Only these heights (16 to 4320); all when there are none.
    #[must_use]
    pub fn heights(mut self, heights: &[u32]) -> Self {
        if !heights.is_empty() {
            self.heights = heights.iter().map(|height| (*height).clamp(16, 4320)).collect();
        }
        self
    }

    /// The sample of that number, the same whenever it is asked for.
    pub fn sample(&mut self, number: u64) -> Sample {
        let mut dice = Dice::new(self.seed.wrapping_add(number), "sample", 7);
        let kind = self.kinds[usize::try_from(number % self.kinds.len() as u64).expect("an index")];
        let stage = stage(*dice.one_of(&self.heights), &mut dice);
        let mut picture = I420::new(stage.width, stage.height, Range::Full, Matrix::Bt601);
        let mut truth = match kind {
            Kind::Other => self.other(stage, &mut dice, &mut picture),
            kind => self.hud(kind, stage, &mut dice, &mut picture),
        };
        let over = cover(stage, &mut dice, &mut picture, &mut truth);
        if dice.chance(250_000) {
            relight(&mut picture, &mut dice);
        }
        let coding = coding(stage, &mut dice);
        code(&mut picture, coding);
        Sample { number, kind, stage, coding, over, picture, truth }
    }

    fn drawing(&mut self, game: Game, seed: u64, length: Duration, stage: Stage) -> Drawing {
        /// Of 4K, 18 MB each.
        const MOST: usize = 12;
        if self.backdrops.len() > MOST {
            self.backdrops.clear();
        }
        let ground = ground(game);
        let key = (ground == Ground::Pitch, stage, seed % 3);
        let backdrop = self.backdrops.entry(key);
        let backdrop = backdrop.or_insert_with(|| Arc::new(Backdrop::new(ground, stage, key.2)));
        Drawing::before(Arc::clone(backdrop), game, seed, length, stage)
    }

    fn hud(&mut self, kind: Kind, stage: Stage, dice: &mut Dice, out: &mut I420) -> Truth {
        let game = if kind == Kind::Football { Game::Football } else { Game::Dota };
        let length = Duration::from_secs(1200);
        let mut drawing = self.drawing(game, dice.within(0..1 << 40), length, stage);
        let wanted = match kind {
            Kind::Football if dice.chance(150_000) => None,
            Kind::Football => Some("board"),
            Kind::Pick => Some("pick"),
            _ => Some("game"),
        };
        let millis = u64::try_from(length.as_millis()).unwrap_or(1);
        // A screen takes at least a fiftieth of a match.
        let times = (0..400).map(|_| Duration::from_millis(dice.within(0..millis)));
        let fits =
            |time: &Duration| wanted.is_none_or(|screen| drawing.now.1.truth(*time, stage).screen == screen);
        let time = times.into_iter().find(fits).unwrap_or(length / 2);
        drawing.draw(time, out)
    }

    fn other(&mut self, stage: Stage, dice: &mut Dice, out: &mut I420) -> Truth {
        let (game, seed) = (*dice.one_of(&[Game::Football, Game::Dota]), dice.within(0..1 << 40));
        let time = Duration::from_millis(dice.within(0..60_000));
        match dice.within(0..screens::OTHERS + 4) {
            0 => {
                TestPicture::new(picture::Kind::Bars, stage.width, stage.height, "bars").draw(seed, time, out)
            }
            1 => TestPicture::new(picture::Kind::Court, stage.width, stage.height, "court")
                .draw(seed, time, out),
            2 | 3 => self.torn(game, stage, dice, out),
            kind => {
                let drawing = self.drawing(game, seed, Match::SHORTEST, stage);
                drawing.backdrop.draw(stage, time, seed.is_multiple_of(2), [seed % 6, seed / 6 % 6], out);
                screens::other(kind, stage, seed, out);
                screens::title(stage, "Window", out);
            }
        }
        Truth::of("other")
    }

    /// A HUD that reaches half out of the picture: nothing of it is whole.
    fn torn(&mut self, game: Game, stage: Stage, dice: &mut Dice, out: &mut I420) {
        let kind = if game == Game::Football { Kind::Football } else { Kind::Bar };
        let truth = self.hud(kind, stage, dice, out);
        let spots = truth.spots.values().map(|spot| spot.quad.y + spot.quad.height / 2.0);
        let rows = crate::picture::canvas::whole(spots.fold(side(stage.title) + 4.0, f32::max));
        let rows = u32::try_from(rows).unwrap_or(0).next_multiple_of(2).min(stage.height / 2);
        for (plane, rows) in out.planes_mut().into_iter().zip([rows, rows / 2, rows / 2]) {
            let skipped = rows as usize * plane.stride;
            plane.data.rotate_left(skipped);
        }
    }
}

impl Iterator for Samples {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        let sample = self.sample(self.next);
        self.next += 1;
        Some(sample)
    }
}

/// Mostly 16:9, sometimes 21:9, sometimes under a window's title.
fn stage(height: u32, dice: &mut Dice) -> Stage {
    let width = if dice.chance(200_000) { height * 64 / 27 } else { height * 16 / 9 };
    let title = if dice.chance(150_000) {
        height * u32::try_from(dice.within(25..45)).unwrap_or(30) / 1000
    } else {
        0
    };
    Stage { width: width.next_multiple_of(2), height, title }.sound()
}

/// Lays something over the picture, as streamers do, and takes out of the truth what it hides.
fn cover(stage: Stage, dice: &mut Dice, out: &mut I420, truth: &mut Truth) -> &'static str {
    let (width, height) = (side(stage.width), side(stage.rows()));
    let top = side(stage.title);
    let mut lay = |area: Quad, opacity: f32, dice: &mut Dice| {
        let [r, g, b] = std::array::from_fn(|_| byte(dice.between(10.0, 240.0)));
        tint(out, &Mask::quad(&area), rgb(r, g, b), opacity);
        let text =
            *dice.one_of(&["new follower: Otto.7", "Subs today 20/50", "GG 3-1", "chat: is this live?"]);
        let digit = (area.height * 0.2).min(height / 50.0);
        let mask = word(Face::Bold, text, digit, Side::Left, area.x + digit, area.y + digit, 0.05);
        tint(out, &mask, rgb(255 - r, 255 - g, 255 - b), 1.0);
        if opacity > 0.3 {
            truth.covered(&area);
        }
    };
    match dice.within(0..12) {
        0 => {
            let x = if dice.chance(500_000) { 0.0 } else { width * 0.78 };
            let y = top + height * dice.between(0.3, 0.7);
            lay(upright(x, y, width * 0.22, height * 0.28), 1.0, dice);
            "camera"
        }
        1 => {
            let y = top + height * dice.between(0.08, 0.4);
            lay(upright(width * 0.76, y, width * 0.24, height * 0.5), dice.between(0.2, 0.9), dice);
            "panel"
        }
        2 => {
            let (x, y) = (width * dice.between(0.0, 0.8), top + height * dice.between(0.0, 0.06));
            lay(upright(x, y, width * dice.between(0.06, 0.2), height * 0.06), 1.0, dice);
            "notice"
        }
        3 => {
            let (x, y) = (width * dice.between(0.05, 0.9), top + height * dice.between(0.0, 0.08));
            let size = height / 40.0;
            tint(out, &Mask::diamond(x, y, size * 0.6), rgb(250, 250, 250), 1.0);
            truth.covered(&upright(x - size * 0.4, y - size * 0.4, size * 0.8, size * 0.8));
            "pointer"
        }
        _ => "nothing",
    }
}

/// Another brightness, contrast and strength of colour, as capture cards and filters give.
fn relight(picture: &mut I420, dice: &mut Dice) {
    let (gain, lift, strength) =
        (dice.between(0.75, 1.15), dice.between(-14.0, 18.0), dice.between(0.6, 1.3));
    let luma: [u8; 256] = std::array::from_fn(|code| byte(level(code) * gain + lift));
    let chroma: [u8; 256] = std::array::from_fn(|code| byte((level(code) - 128.0) * strength + 128.0));
    picture.y.data.iter_mut().for_each(|sample| *sample = luma[usize::from(*sample)]);
    picture.u.data.iter_mut().chain(&mut picture.v.data).for_each(|s| *s = chroma[usize::from(*s)]);
}

fn level(code: usize) -> f32 {
    crate::picture::canvas::position(code)
}

fn coding(stage: Stage, dice: &mut Dice) -> Coding {
    match dice.within(0..5) {
        0 => Coding::Drawn,
        1 | 2 => Coding::Jpeg(u8::try_from(dice.within(45..93)).unwrap_or(80)),
        // What a stream of 1.5 to 5 Mbit/s at 720 lines spends on a keyframe every two seconds.
        _ => {
            let pixels = u64::from(stage.width) * u64::from(stage.height);
            Coding::H264(u32::try_from(pixels * dice.within(50..130) / 1_000_000).unwrap_or(80).max(12))
        }
    }
}

/// Codes and decodes the picture.
///
/// # Panics
/// When a coder is missing: then there is nothing to measure.
fn code(picture: &mut I420, coding: Coding) {
    let coded = match coding {
        Coding::Drawn => return,
        Coding::Jpeg(quality) => as_jpeg(picture, quality),
        Coding::H264(kilobytes) => as_keyframe(picture, kilobytes),
    };
    *picture = coded.unwrap_or_else(|| panic!("{coding:?} of {} x {}", picture.width, picture.height));
}

fn as_jpeg(picture: &I420, quality: u8) -> Option<I420> {
    let bytes = jpeg::Encoder::new(quality).ok()?.encode(picture).ok()?;
    let header = jpeg::inspect(&bytes, 16_384).ok()?;
    let mut out = I420::new(2, 2, Range::Full, Matrix::Bt601);
    jpeg::Decoder::new().ok()?.decode(&bytes, &header, &mut out).ok()?;
    Some(out)
}

fn as_keyframe(picture: &I420, kilobytes: u32) -> Option<I420> {
    let mut limited = picture.clone();
    convert::to_limited(&mut limited);
    let (width, height) = (picture.width, picture.height);
    let settings = steady::Settings {
        width,
        height,
        fps: 1,
        kbps: kilobytes * 8,
        preset: "veryfast",
        group: 1,
        b_frames: 0,
        matrix: limited.matrix,
    };
    let mut encoder = Steady::new(&settings).ok()?;
    let mut coded = encoder.encode(&limited).ok()?;
    coded.extend(encoder.finish().ok()?);
    let data = coded.first()?.data.clone();
    let keyframe = Keyframe { codec: Codec::H264, data, config: None, width, height, pts: 0 };
    let mut out = I420::new(2, 2, Range::Limited, Matrix::Bt601);
    decode::decode(&keyframe, &mut out).ok()?;
    Some(out)
}
