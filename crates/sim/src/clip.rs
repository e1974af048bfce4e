//! The pictures of a film: drawn here, or read from a video file.
//!
//! Called while a film is made, on a blocking thread. Pictures come at the film's own size and rate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use media::input::{Input, Picture, Source};
use pixels::{I420, Matrix, Range, convert, jpeg, scale};

use crate::dice::Dice;
use crate::film::Error;
use crate::hud::{Drawing, Game, Stage};
use crate::picture::{Kind, TestPicture, draw_counter};

/// What a film shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Clip {
    /// A test picture. Each carries a number a machine can read: `number × NUMBERS` plus its time in
    /// sixtieths of a second since the loop's start, the same in every rendition.
    Drawn { kind: Kind, label: String, number: u32 },
    /// A game with its HUD: one match from its first picture to its last. Carries a number as a test picture does.
    Hud { game: Game, seed: u64, number: u32 },
    /// The first seconds of a video file, from its start again when it is too short, stretched to the
    /// rendition's shape.
    File(PathBuf),
}

impl Clip {
    /// Numbers of one drawn clip.
    pub const NUMBERS: u32 = 100_000;
    /// The number of the clip that stands for advertisements.
    pub const AD: u32 = 900;

    /// Drawn clips unlike each other.
    #[must_use]
    pub fn drawn(count: u32) -> Vec<Self> {
        let kinds = [Kind::Court, Kind::Bars].into_iter().cycle();
        let clip = |(number, kind)| Self::Drawn { kind, label: format!("CLIP {number}"), number };
        (0..count).zip(kinds).map(clip).collect()
    }

    /// Matches unlike each other, football and Dota in turn.
    #[must_use]
    pub fn huds(count: u32) -> Vec<Self> {
        let games = [Game::Football, Game::Dota].into_iter().cycle();
        (0..count)
            .zip(games)
            .map(|(number, game)| Self::Hud { game, seed: u64::from(number), number })
            .collect()
    }

    pub(crate) fn ad() -> Self {
        Self::Drawn { kind: Kind::Bars, label: "ADVERTISEMENT".to_owned(), number: Self::AD }
    }

    /// What the clip's tone sounds like, in Hz: a multiple of 1/8, so that a loop of 8 s has no seam.
    pub(crate) fn pitch(&self) -> f32 {
        match self {
            Self::Drawn { number, .. } | Self::Hud { number, .. } => {
                [330.0, 440.0, 550.0, 660.0][(number % 4) as usize]
            }
            Self::File(_) => 392.0,
        }
    }
}

/// Pictures one after the other.
pub(crate) struct Pictures {
    from: From,
    size: (u32, u32),
    fps: u32,
    canvas: I420,
}

enum From {
    Drawn { picture: Box<TestPicture>, number: u32, grain: Vec<i8> },
    Hud { drawing: Box<Drawing>, number: u32, grain: Vec<i8> },
    File(Box<Reader>),
}

impl Pictures {
    /// The pictures of a loop of `length`.
    pub(crate) fn open(clip: &Clip, size: (u32, u32), fps: u32, length: Duration) -> Result<Self, Error> {
        let from = match clip {
            Clip::Drawn { kind, label, number } => {
                let picture = Box::new(TestPicture::new(*kind, size.0, size.1, label));
                From::Drawn { picture, number: *number, grain: grain() }
            }
            Clip::Hud { game, seed, number } => {
                let drawing = Box::new(Drawing::new(*game, *seed, length, Stage::new(size.0, size.1)));
                From::Hud { drawing, number: *number, grain: grain() }
            }
            Clip::File(path) => From::File(Box::new(Reader::open(path)?)),
        };
        Ok(Self { from, size, fps, canvas: I420::new(size.0, size.1, Range::Full, Matrix::Bt601) })
    }

    /// The matrix of the pictures to come.
    pub(crate) fn matrix(&mut self) -> Result<Matrix, Error> {
        match &mut self.from {
            From::Drawn { .. } | From::Hud { .. } => Ok(Matrix::Bt601),
            From::File(reader) => Ok(reader.at(Duration::ZERO)?.matrix),
        }
    }

    /// Picture number `frame`, of limited range.
    pub(crate) fn draw(&mut self, frame: u32) -> Result<&I420, Error> {
        let time = Duration::from_secs(u64::from(frame)) / self.fps;
        match &mut self.from {
            From::Drawn { picture, number, grain } => {
                let sixtieths = frame * (60 / self.fps);
                picture.draw(u64::from(*number * Clip::NUMBERS + sixtieths), time, &mut self.canvas);
                convert::to_limited(&mut self.canvas);
                add_grain(&mut self.canvas, grain, frame);
            }
            From::Hud { drawing, number, grain } => {
                drawing.draw(time, &mut self.canvas);
                draw_counter(&mut self.canvas, *number * Clip::NUMBERS + frame * (60 / self.fps));
                convert::to_limited(&mut self.canvas);
                add_grain(&mut self.canvas, grain, frame);
            }
            From::File(reader) => {
                let source = reader.at(time)?;
                self.canvas = if (source.width, source.height) == self.size {
                    source.clone()
                } else {
                    scale(source, self.size.0, self.size.1)
                };
                convert::to_limited(&mut self.canvas);
            }
        }
        Ok(&self.canvas)
    }
}

/// Noise that makes a drawn picture as hard to encode as a camera's: without it no encoder would use its
/// bits.
fn grain() -> Vec<i8> {
    let mut dice = Dice::new(0, "grain", 0);
    (0..1 << 16).map(|_| i8::try_from(dice.within(0..13)).expect("small") - 6).collect()
}

fn add_grain(picture: &mut I420, grain: &[i8], frame: u32) {
    // The number at the bottom stays clean.
    let rows = picture.height - picture.height / 15;
    let mut dice = Dice::new(u64::from(frame), "row", 1);
    let width = picture.width as usize;
    for y in 0..rows {
        let start = usize::try_from(dice.within(0..60_000)).expect("small");
        let noise = grain[start..].iter().chain(grain);
        for (sample, noise) in picture.y.row_mut(y)[..width].iter_mut().zip(noise) {
            *sample = sample.saturating_add_signed(*noise).clamp(16, 235);
        }
    }
}

/// A video file as a loop of pictures by time.
struct Reader {
    input: Input,
    decoder: jpeg::Decoder,
    /// The picture shown now, and when the next one is due.
    shown: I420,
    next: Option<(I420, Duration)>,
    /// What the times of this pass through the file start at, and where its last picture stood.
    base: Duration,
    last: Duration,
    frame: Duration,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, Error> {
        let input = Input::open(Source::File(path))?;
        let frame = Duration::from_secs_f64(1.0 / input.info().fps.unwrap_or(30.0).clamp(1.0, 240.0));
        let decoder = jpeg::Decoder::new().map_err(|e| Error::Picture(e.to_string()))?;
        let blank = I420::new(2, 2, Range::Limited, Matrix::Bt601);
        let (base, last) = (Duration::ZERO, Duration::ZERO);
        let mut reader = Self { input, decoder, shown: blank, next: None, base, last, frame };
        let (first, _) = reader.read()?.ok_or_else(|| Error::NoPictures(path.display().to_string()))?;
        reader.shown = first;
        reader.next = reader.read()?;
        Ok(reader)
    }

    /// The picture shown at `time`, which never goes back.
    fn at(&mut self, time: Duration) -> Result<&I420, Error> {
        loop {
            match self.next.take() {
                Some((picture, due)) if due <= time => self.shown = picture,
                Some(later) => {
                    self.next = Some(later);
                    return Ok(&self.shown);
                }
                None => {
                    self.base = self.last + self.frame;
                    self.input.rewind()?;
                    self.next = self.read()?;
                    if self.next.is_none() {
                        return Ok(&self.shown);
                    }
                    continue;
                }
            }
            self.next = self.read()?;
        }
    }

    fn read(&mut self) -> Result<Option<(I420, Duration)>, Error> {
        let Some((picture, time)) = self.input.next()? else { return Ok(None) };
        let picture = match picture {
            Picture::I420(picture) => picture,
            Picture::Jpeg(bytes) => {
                let header = jpeg::inspect(&bytes, 8192).map_err(|e| Error::Picture(e.to_string()))?;
                let mut out = I420::new(2, 2, Range::Full, Matrix::Bt601);
                let decoded = self.decoder.decode(&bytes, &header, &mut out);
                decoded.map_err(|e| Error::Picture(e.to_string()))?;
                out
            }
        };
        self.last = self.base + time;
        Ok(Some((picture, self.last)))
    }
}
