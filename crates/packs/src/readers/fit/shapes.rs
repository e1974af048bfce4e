//! Letters drawn at any size, a few pixels high and at parts of a pixel, as a screen shows them.
//!
//! Called by the fitting. Each sample is the mean of what it covers of the large shape. Pure.

use pixels::Plane;

/// Places of a letter inside a pixel, across.
pub(super) const PHASES: usize = 4;
/// Rows of pixels that a line takes with its surroundings, at most.
pub(super) const ROWS: usize = 16;
/// Samples of one column of pixels; 0 is ground, 1 is ink.
pub(super) type Column = [f32; ROWS];

/// A letter as large as it was learned.
#[derive(Clone, Debug)]
struct Shape {
    letter: char,
    /// Columns that hold its ink.
    across: usize,
    rows: usize,
    /// Of each column the ink above each row, in rows.
    sums: Vec<f32>,
}

/// The letters of one font, all learned at the same size.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Font {
    shapes: Vec<Shape>,
    /// Rows between which its tall letters stand.
    top: f32,
    tall: f32,
}

/// One letter at one place inside a pixel.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    pub(super) columns: Vec<Column>,
    /// The sum of its squares.
    pub(super) energy: f32,
}

/// One letter at one size.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) letter: char,
    /// Width of its ink in parts of a pixel, [`PHASES`] of which are one.
    pub(super) wide: usize,
    pub(super) patches: Vec<Patch>,
}

/// How a font is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    /// Where tall letters begin, in rows of pixels, and how high they are.
    pub(super) top: f32,
    pub(super) height: f32,
    /// How much wider than learned.
    pub(super) stretch: f32,
}

impl Font {
    /// Rows of the planes its letters come in, between which tall ones stand.
    #[expect(clippy::cast_precision_loss, reason = "rows of a small picture")]
    pub(in super::super) fn new(top: u32, bottom: u32) -> Self {
        Self { shapes: Vec::new(), top: top as f32, tall: bottom.saturating_sub(top).max(1) as f32 }
    }

    /// Adds the ink of some columns of a plane; nothing where there is none.
    pub(in super::super) fn learn(&mut self, letter: char, ink: &Plane, (left, right): (u32, u32)) {
        let inked = |x: &u32| (0..ink.height).any(|y| ink.row(y)[*x as usize] > 127);
        let (Some(first), Some(last)) = ((left..right).find(inked), (left..right).rev().find(inked)) else {
            return;
        };
        let mut sums = Vec::with_capacity((last - first + 1) as usize * (ink.height as usize + 1));
        for x in first..=last {
            let mut sum = 0.0;
            sums.push(sum);
            for y in 0..ink.height {
                sum += f32::from(ink.row(y)[x as usize]) / 255.0;
                sums.push(sum);
            }
        }
        let (across, rows) = ((last - first + 1) as usize, ink.height as usize);
        self.shapes.push(Shape { letter, across, rows, sums });
    }

    /// All letters that are `allowed`, at a size.
    pub(super) fn draw(&self, size: Size, rows: usize, allowed: &dyn Fn(char) -> bool) -> Vec<Drawn> {
        let shapes = self.shapes.iter().filter(|shape| allowed(shape.letter));
        shapes.map(|shape| self.draw_one(shape, size, rows)).collect()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes of letters of few pixels, none below zero"
    )]
    fn draw_one(&self, shape: &Shape, size: Size, rows: usize) -> Drawn {
        let down = self.tall / size.height;
        let across = down / size.stretch;
        // What each row of pixels covers of each column of the shape; then that from left to right, summed up.
        let mut sums = vec![[0.0; ROWS]; shape.across + 1];
        for (column, sums_of) in shape.sums.chunks_exact(shape.rows + 1).enumerate() {
            let mut row_sums = sums[column];
            let mut above = between(sums_of, self.top - size.top * down);
            for (row, sum) in row_sums.iter_mut().enumerate().take(rows.min(ROWS)) {
                let below = between(sums_of, self.top + (row as f32 + 1.0 - size.top) * down);
                *sum += (below - above) / down;
                above = below;
            }
            sums[column + 1] = row_sums;
        }
        let width = shape.across as f32 / across;
        let wide = (width * PHASES as f32).round().max(1.0) as usize;
        let patches = (0..PHASES).map(|phase| {
            let shift = phase as f32 / PHASES as f32;
            let count = (width + shift).ceil().max(1.0) as usize;
            let mut left = [0.0; ROWS];
            let columns: Vec<Column> = (0..count)
                .map(|column| {
                    let right = mixed(&sums, (column as f32 + 1.0 - shift) * across);
                    let covered = std::array::from_fn(|row| (right[row] - left[row]) / across);
                    left = right;
                    covered
                })
                .collect();
            let energy = columns.iter().flatten().map(|sample| sample * sample).sum();
            Patch { columns, energy }
        });
        Drawn { letter: shape.letter, wide, patches: patches.collect() }
    }
}

/// A value between two of a list; its ends go on outside.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to a short list"
)]
fn between(list: &[f32], at: f32) -> f32 {
    let last = list.len() - 1;
    let at = at.clamp(0.0, last as f32);
    let first = at as usize;
    let next = (first + 1).min(last);
    list[first] + (list[next] - list[first]) * (at - first as f32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to a short list"
)]
fn mixed(list: &[Column], at: f32) -> Column {
    let last = list.len() - 1;
    let at = at.clamp(0.0, last as f32);
    let first = at as usize;
    let (a, b, part) = (&list[first], &list[(first + 1).min(last)], at - first as f32);
    std::array::from_fn(|row| a[row] + (b[row] - a[row]) * part)
}
