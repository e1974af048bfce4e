//! Letters of few pixels: known shapes are laid over the samples as they are, and the row of shapes that leaves least
//! unexplained is what they say.
//!
//! Called by the readers of text before anything else when a line is so low. Parting ink from ground, as larger letters are
//! read, takes away what little there is: of a digit four pixels high, most samples are edges.

mod forms;
mod grid;
mod lay;
mod settle;
mod shapes;

use pixels::{I420, Quad};

use crate::raw::Polarity;
use grid::Grid;
use lay::{Laid, lay};
use settle::Line;
use shapes::{Drawn, PHASES, Size};

pub(super) use forms::Forms;
pub(super) use shapes::Font;

/// How a line stood in its box when it was read last, in parts of the box: the next one most likely stands so, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    font: usize,
    top: f32,
    height: f32,
    stretch: f32,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fitted {
    pub(super) text: String,
    /// How alike the samples are to what is drawn, -1 to 1.
    pub(super) alike: f32,
    /// How much worse the next best line is, in what the samples differ by anyway.
    pub(super) margin: f32,
    pub(super) place: Place,
}

/// What may stand in a box.
pub(super) struct Wanted<'a> {
    pub(super) fonts: &'a [Font],
    pub(super) polarity: Polarity,
    /// What `matches`, digits being alike.
    pub(super) forms: &'a Forms,
    pub(super) allowed: &'a dyn Fn(char) -> bool,
    pub(super) matches: &'a dyn Fn(&str) -> bool,
}

/// A line laid over a box.
#[derive(Clone, Debug)]
struct Attempt {
    font: usize,
    size: Size,
    left: f32,
    letters: Vec<Laid>,
    drawn: Vec<Drawn>,
}

/// What came of a box.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// No line of small letters.
    Nothing,
    /// Some, and what they say if they can be these. `tiny`: nobody else could read them.
    Small { fitted: Option<Fitted>, tiny: bool },
}

impl Fitted {
    /// The less alike, the worse the next best line must be.
    pub(super) fn is_sure(&self) -> bool {
        let needed = SURE.1 + (SURE.0 - self.alike).max(0.0) * SURE.2;
        self.alike >= LEAST.1 && self.margin >= needed
    }

    /// Whether it says something about what others read.
    pub(super) fn counts(&self) -> bool {
        self.alike >= LEAST.0
    }

    /// 0 to 1.
    pub(super) fn confidence(&self) -> f32 {
        (0.88 + (self.alike - SURE.0) / 2.0 + (self.margin - SURE.1) / 1000.0).clamp(0.85, 0.99)
    }
}

/// Reads a line of small letters.
pub(super) fn read(picture: &I420, quad: &Quad, wanted: &Wanted<'_>, last: Option<Place>) -> Found {
    let Some((grid, line)) = grid::find(picture, quad, wanted.polarity) else { return Found::Nothing };
    let legible = line.height >= LOWEST;
    let fitted = legible.then(|| search(&grid, line, quad, wanted, last)).flatten();
    Found::Small { fitted, tiny: line.height < TINY }
}

fn search(
    grid: &Grid,
    line: grid::Line,
    quad: &Quad,
    wanted: &Wanted<'_>,
    last: Option<Place>,
) -> Option<Fitted> {
    let attempt = |font: usize, size: Size| {
        let drawn = wanted.fonts.get(font)?.draw(size, grid.rows, wanted.allowed);
        let lay::Row { letters, left, .. } = lay(grid, &drawn, wanted.forms);
        Some(Attempt { font, size, left, letters, drawn })
    };
    if let Some(last) = last {
        let (top, height) = (last.top * quad.height - grid.above, last.height * quad.height);
        let again = attempt(last.font, Size { top, height, stretch: last.stretch });
        let fitted = again.and_then(|again| finish(grid, quad, &again, wanted));
        if let Some(fitted) = fitted.filter(|fitted| fitted.alike >= AGAIN && fitted.is_sure()) {
            return Some(fitted);
        }
    }
    let mut starts: Vec<Attempt> = Vec::new();
    for font in 0..wanted.fonts.len() {
        let tried = [-0.08, 0.0, 0.08].into_iter().filter_map(|by| {
            attempt(font, Size { top: line.top + by * line.height, height: line.height, stretch: 1.0 })
        });
        starts.extend(tried.min_by(|a, b| a.left.total_cmp(&b.left)));
    }
    starts.sort_by(|a, b| a.left.total_cmp(&b.left));
    let mut best: Option<Fitted> = None;
    for start in starts.into_iter().take(REFINED) {
        let fitted = finish(grid, quad, &refine(start, &attempt), wanted);
        if let Some(fitted) =
            fitted.filter(|fitted| best.as_ref().is_none_or(|best| fitted.alike > best.alike))
        {
            let well = fitted.alike >= WELL;
            best = Some(fitted);
            if well {
                break;
            }
        }
    }
    best
}

/// What is believed: how alike, how much worse the next best line is, and how much more of that for each one less alike.
const SURE: (f32, f32, f32) = (0.92, 9.0, 400.0);
/// Less alike speaks neither against what others read, nor, below the second, for itself.
const LEAST: (f32, f32) = (0.8, 0.82);
/// Letters lower than that are alike whatever they are, in pixels.
const LOWEST: f32 = 3.4;
/// Letters lower than that have no ink that could be parted from ground, in pixels.
const TINY: f32 = 4.6;
/// A line so alike where the last one stood needs no search.
const AGAIN: f32 = 0.93;
/// With one so alike, no other font is looked at.
const WELL: f32 = 0.97;
/// How many fonts are looked at closely.
const REFINED: usize = 2;
/// Between two letters of a line, in heights.
const WIDEST_GAP: f32 = 1.5;
/// What of a letter may be beside the line, unexplained, in squares of its height.
const BESIDE: f32 = 0.08;

/// Steps to better sizes and places, ever smaller.
fn refine(start: Attempt, attempt: &dyn Fn(usize, Size) -> Option<Attempt>) -> Attempt {
    let mut best = start;
    for step in [0.08, 0.04, 0.02] {
        for _ in 0..2 {
            let Size { top, height, stretch } = best.size;
            let (more, less) = (height * step, -height * step);
            let grown = |by: f32| Size { top: top - by / 2.0, height: height + by, stretch };
            let moved = |by: f32| Size { top: top + by, height, stretch };
            let wider = |by: f32| Size { top, height, stretch: (stretch * (1.0 + by)).clamp(0.8, 1.25) };
            let sizes = [grown(more), grown(less), moved(more), moved(less), wider(step), wider(-step)];
            let tried = sizes.into_iter().filter_map(|size| attempt(best.font, size));
            match tried.min_by(|a, b| a.left.total_cmp(&b.left)) {
                Some(next) if next.left < best.left => best = next,
                _ => break,
            }
        }
    }
    best
}

/// What an attempt says when its letters have settled.
#[expect(clippy::cast_precision_loss, reason = "parts of pixels of a small box")]
fn finish(grid: &Grid, quad: &Quad, attempt: &Attempt, wanted: &Wanted<'_>) -> Option<Fitted> {
    let line = Line::settle(grid, &attempt.drawn, attempt.letters.clone(), wanted.forms)?;
    let Size { top, height, stretch } = attempt.size;
    let (first, last) = line.span();
    let whole = first > 0 && last < grid.columns.len() * PHASES;
    let near = line.gap() as f32 <= WIDEST_GAP * height * PHASES as f32;
    if !whole || !near || line.beside() > BESIDE * height * height {
        return None;
    }
    let (text, margin) = chosen(&line, wanted.matches)?;
    let margin = margin.min(line.form_margin());
    let place = Place {
        font: attempt.font,
        top: (top + grid.above) / quad.height,
        height: height / quad.height,
        stretch,
    };
    Some(Fitted { text, alike: line.alike(), margin, place })
}

/// The best line that looks like the pattern, and how much worse the next one is: one letter may differ from what fits best.
fn chosen(line: &Line<'_>, matches: &dyn Fn(&str) -> bool) -> Option<(String, f32)> {
    /// Lines further off are not asked about.
    const FAR: f32 = 200.0;
    let text = line.text();
    let with = |place: usize, letter: char| {
        text.chars().enumerate().map(|(at, now)| if at == place { letter } else { now }).collect::<String>()
    };
    let mut others = line.others();
    others.retain(|other| other.worse < FAR);
    others.sort_by(|a, b| a.worse.total_cmp(&b.worse));
    let mut fitting = others.into_iter().map(|other| (with(other.place, other.letter), other.worse));
    let mut next = || fitting.find(|(text, _)| matches(text));
    if matches(&text) {
        let margin = next().map_or(FAR, |(_, worse)| worse);
        return Some((text, margin));
    }
    let (text, worse) = next()?;
    let margin = next().map_or(FAR, |(_, more)| more) - worse;
    Some((text, margin))
}
