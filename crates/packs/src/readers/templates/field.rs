//! What a slot shows, and a little around it: sampled once, looked at in many places.

use pixels::correlate::flat;
use pixels::{Plane, Quad, sample};

use super::cells::cell_by_cell;
use super::set::{COARSE, COARSE_LEN, FINE};

/// How many samples of the fine patch a picture may be off at most, each way.
const FARTHEST: f32 = 8.0;

/// A place in a field: how many samples of the fine patch right of and below the upper left one.
pub(super) type Place = (u8, u8);

/// The samples of a slot at the size of the fine patch, with a rim as wide as the search.
#[derive(Default)]
pub(super) struct Field {
    columns: usize,
    samples: Vec<f32>,
    /// Means of 2 × 2 samples, the first being that of the upper left four.
    blocks: Vec<f32>,
    /// The farthest place.
    last: Place,
}

impl Field {
    /// `search` is how far a picture may be off, across and down, in pixels. No field when less than half of the slot is
    /// inside the plane.
    #[expect(clippy::cast_precision_loss, reason = "patches are small")]
    pub(super) fn take(plane: &Plane, quad: &Quad, search: (f32, f32)) -> Option<Self> {
        if !mostly_inside(plane, quad) {
            return None;
        }
        let (across, down) = (quad.width / FINE.0 as f32, quad.height / FINE.1 as f32);
        let (rim_x, rim_y) = (rim(search.0 / across), rim(search.1 / down));
        let (x, y) = (f32::from(rim_x), f32::from(rim_y));
        let (columns, rows) = (FINE.0 + 2 * u32::from(rim_x), FINE.1 + 2 * u32::from(rim_y));
        let lean = quad.slant / FINE.1 as f32;
        let wide = Quad {
            x: quad.x - x * across - y * lean,
            y: quad.y - y * down,
            width: columns as f32 * across,
            height: rows as f32 * down,
            slant: lean * rows as f32,
        };
        let mut field = Self { columns: columns as usize, last: (2 * rim_x, 2 * rim_y), ..Self::default() };
        sample(plane, &wide, columns, rows, &mut field.samples);
        let lines = field.samples.windows(field.columns + 2);
        // The last one of a line is never asked for.
        field.blocks.extend(
            lines.map(|line| (line[0] + line[1] + line[columns as usize] + line[columns as usize + 1]) / 4.0),
        );
        Some(field)
    }

    /// The place where the box is.
    pub(super) const fn middle(&self) -> Place {
        (self.last.0 / 2, self.last.1 / 2)
    }

    /// All places.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let (right, below) = self.last;
        (0..=below).flat_map(move |y| (0..=right).map(move |x| (x, y)))
    }

    /// `place` and those around it.
    pub(super) fn around(&self, (x, y): Place) -> impl Iterator<Item = Place> + use<> {
        let (right, below) = self.last;
        let (from, to) = (x.saturating_sub(1), (x + 1).min(right));
        (y.saturating_sub(1)..=(y + 1).min(below)).flat_map(move |y| (from..=to).map(move |x| (x, y)))
    }

    /// The flattened coarse patch there.
    pub(super) fn coarse(&self, (x, y): Place, out: &mut Vec<f32>) {
        out.clear();
        for row in 0..COARSE.1 as usize {
            let start = (usize::from(y) + 2 * row) * self.columns + usize::from(x);
            out.extend(self.blocks[start..].iter().step_by(2).take(COARSE.0 as usize));
        }
        flat(out);
        out.resize(COARSE_LEN, 0.0);
    }

    /// The flattened fine patch there, cell by cell; its standard deviation before.
    pub(super) fn fine(&self, (x, y): Place, out: &mut Vec<f32>) -> f32 {
        let rows: Vec<f32> = (0..FINE.1 as usize)
            .flat_map(|row| {
                let start = (usize::from(y) + row) * self.columns + usize::from(x);
                self.samples[start..start + FINE.0 as usize].iter().copied()
            })
            .collect();
        out.clear();
        out.extend(cell_by_cell(&rows));
        flat(out)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn rim(samples: f32) -> u8 {
    // NaN becomes 0.
    samples.ceil().clamp(0.0, FARTHEST) as u8
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
fn mostly_inside(plane: &Plane, quad: &Quad) -> bool {
    let part =
        |from: f32, size: f32, whole: u32| ((from + size).min(whole as f32) - from.max(0.0)).max(0.0) / size;
    let (across, down) = (part(quad.x, quad.width, plane.width), part(quad.y, quad.height, plane.height));
    // Less than two pixels across say nothing.
    quad.width >= 2.0 && quad.height >= 2.0 && across * down >= 0.5
}
