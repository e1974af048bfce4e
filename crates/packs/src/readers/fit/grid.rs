//! The samples of a box at the picture's own size, as ink on ground, and where a line of letters stands among them.
//!
//! Called by the fitting. Pure and bounded by the box.

use pixels::{I420, Quad};

use super::shapes::{Column, ROWS};
use crate::raw::Polarity;

/// Boxes wider or higher than that hold no small letters, in pixels.
const MOST_ACROSS: usize = 256;
const MOST_DOWN: usize = 48;
/// Heights of letters that are small, in pixels.
const HEIGHTS: std::ops::RangeInclusive<f32> = 1.5..=9.5;
/// Less between ground and ink is a flat box.
const LEAST_CONTRAST: f32 = 28.0;

/// Rows of pixels with a line among them.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// From left to right; 0 is ground, 1 about ink.
    pub(super) columns: Vec<Column>,
    /// How many rows of each are in use.
    pub(super) rows: usize,
    /// The first of them, in pixels from the upper edge of the box.
    pub(super) above: f32,
}

/// Where a line seems to stand: its upper edge and its height, in pixels from the upper edge of the box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) top: f32,
    pub(super) height: f32,
}

/// Finds the line in a box. `None` when the box is not whole in the picture, leans, is flat, or holds letters of another size.
pub(super) fn find(picture: &I420, quad: &Quad, polarity: Polarity) -> Option<(Grid, Line)> {
    let samples = Samples::of(picture, quad, polarity)?;
    let line = samples.line()?;
    let from = (line.top - line.height * 0.35 - 0.5).floor().max(0.0);
    let until = (line.top + line.height * 1.35 + 0.5).ceil();
    let rows = whole(until - from).min(ROWS).min(samples.rows - whole(from));
    let columns = (0..samples.across)
        .map(|x| {
            let mut column = [0.0; ROWS];
            for (row, sample) in column.iter_mut().enumerate().take(rows) {
                *sample = samples.ink[(whole(from) + row) * samples.across + x];
            }
            column
        })
        .collect();
    Some((Grid { columns, rows, above: from }, Line { top: line.top - from, height: line.height }))
}

struct Samples {
    ink: Vec<f32>,
    across: usize,
    rows: usize,
}

impl Samples {
    fn of(picture: &I420, quad: &Quad, polarity: Polarity) -> Option<Self> {
        let grown = Quad { x: quad.x + 1.0, y: quad.y + 1.0, ..*quad };
        if quad.slant != 0.0 || !grown.inside(picture.width + 2, picture.height + 2) {
            return None;
        }
        // Whole pixels of which at least the half is in the box.
        let (left, top) = (whole(quad.x.round()), whole(quad.y.round()));
        let right = whole((quad.x + quad.width).round()).min(picture.width as usize);
        let bottom = whole((quad.y + quad.height).round()).min(picture.height as usize);
        let (across, rows) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
        if !(4..=MOST_ACROSS).contains(&across) || !(4..=MOST_DOWN).contains(&rows) {
            return None;
        }
        let mut ink = Vec::with_capacity(across * rows);
        for y in top..bottom {
            let row = picture.y.row(u32::try_from(y).ok()?);
            ink.extend(row[left..right].iter().map(|sample| f32::from(*sample)));
        }
        let mut sorted = ink.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |part: usize| sorted[(sorted.len() - 1) * part / 1000];
        let bright = match polarity {
            Polarity::Light => true,
            Polarity::Dark => false,
            Polarity::Auto => at(985) - at(500) >= at(500) - at(15),
        };
        // A small box is mostly letters and their soft edges.
        let (ground, most) = if bright { (at(250), at(985)) } else { (at(750), at(15)) };
        if (most - ground).abs() < LEAST_CONTRAST {
            return None;
        }
        let contrast = most - ground;
        ink.iter_mut().for_each(|sample| *sample = ((*sample - ground) / contrast).clamp(-0.5, 1.5));
        Some(Self { ink, across, rows })
    }

    /// By how much ink each row has: most rows of a line of digits have much.
    #[expect(clippy::cast_precision_loss, reason = "rows of a small box")]
    fn line(&self) -> Option<Line> {
        let rows: Vec<f32> = self
            .ink
            .chunks_exact(self.across)
            .map(|row| row.iter().map(|ink| (ink - 0.2).max(0.0)).sum())
            .collect();
        let (most, peak) = rows.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let least = peak * 0.15;
        let first = (0..most).rev().take_while(|row| rows[*row] > least).last().unwrap_or(most);
        let last = (most..rows.len()).take_while(|row| rows[*row] > least).last().unwrap_or(most);
        let part = &rows[first..=last];
        let all: f32 = part.iter().sum();
        let quantile = |wanted: f32| {
            let mut seen = 0.0;
            for (row, ink) in part.iter().enumerate() {
                if seen + ink >= wanted * all {
                    return row as f32 + (wanted * all - seen) / ink.max(1e-6);
                }
                seen += ink;
            }
            part.len() as f32
        };
        let (upper, lower) = (quantile(0.08), quantile(0.92));
        let height = (lower - upper) / 0.84;
        let top = first as f32 + (upper + lower - height) / 2.0;
        HEIGHTS.contains(&height).then_some(Line { top: top.max(0.0), height })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a small box; less is 0"
)]
fn whole(place: f32) -> usize {
    place as usize
}
