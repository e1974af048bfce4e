//! A leaning box of a plane, brought upright at another size.
//!
//! Called by the packs' readers. Each sample of the result is the mean of what it covers when the box shrinks, and
//! interpolated between its neighbours when it grows; never the nearest sample.

use crate::plane::Plane;

/// A box in a picture, in pixels of it; its sides may lean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quad {
    /// Where the top edge starts.
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
    /// How far right of the top edge the bottom edge lies; negative is left.
    pub slant: f32,
}

impl Quad {
    /// Whether all of it lies inside a picture of that size.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub fn inside(&self, width: u32, height: u32) -> bool {
        let (left, right) =
            (self.x.min(self.x + self.slant), (self.x + self.width).max(self.x + self.width + self.slant));
        left >= 0.0 && self.y >= 0.0 && right <= width as f32 && self.y + self.height <= height as f32
    }

    /// The same box in the planes of half the size.
    #[must_use]
    pub fn halved(&self) -> Self {
        let [x, y, width, height, slant] =
            [self.x, self.y, self.width, self.height, self.slant].map(|v| v / 2.0);
        Self { x, y, width, height, slant }
    }

    /// Moved by that many pixels.
    #[must_use]
    pub fn moved(&self, x: f32, y: f32) -> Self {
        Self { x: self.x + x, y: self.y + y, ..*self }
    }
}

/// Fills `out`, at the size it has, with what `quad` holds of `plane`. What lies outside counts as the edge.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes")]
pub fn warp(plane: &Plane, quad: &Quad, out: &mut Plane) {
    let mut samples = Vec::new();
    sample(plane, quad, out.width, out.height, &mut samples);
    for (row, line) in (0..out.height).zip(samples.chunks_exact(out.width.max(1) as usize)) {
        for (out, sample) in out.row_mut(row).iter_mut().zip(line) {
            *out = (sample + 0.5) as u8;
        }
    }
}

/// What `quad` holds of `plane` as `columns` × `rows` samples of 0 to 255, row after row, put into `out`, whose memory is
/// used again. Nothing when the plane or the result has no samples. What lies outside the plane counts as its edge.
///
/// Cost: each row of the plane inside the box is read about once, each sample of the result is a few products.
#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
pub fn sample(plane: &Plane, quad: &Quad, columns: u32, rows: u32, out: &mut Vec<f32>) {
    out.clear();
    if plane.width == 0 || plane.height == 0 || columns == 0 || rows == 0 {
        return;
    }
    out.reserve(columns as usize * rows as usize);
    let (step_x, step_y) = (quad.width / columns as f32, quad.height / rows as f32);
    let (mut across, mut down, mut line) = (Taps::default(), Taps::default(), Vec::new());
    for row in 0..rows {
        if row == 0 || quad.slant != 0.0 {
            let lean = quad.slant * (row as f32 + 0.5) / rows as f32;
            across.clear();
            for column in 0..columns {
                let left = quad.x + lean + column as f32 * step_x;
                across.push(left, left + step_x, plane.width);
            }
        }
        down.clear();
        down.push(quad.y + row as f32 * step_y, quad.y + (row + 1) as f32 * step_y, plane.height);
        let (from, to) = across.reach(plane.width);
        line.clear();
        line.resize(to - from, 0.0);
        for (y, weight) in down.of(down.all[0]) {
            let y = u32::try_from(clamped(y, plane.height)).unwrap_or(0);
            for (sum, sample) in line.iter_mut().zip(&plane.row(y)[from..to]) {
                *sum += f32::from(*sample) * weight;
            }
        }
        out.extend(across.all.iter().map(|taps| {
            across.of(*taps).map(|(x, weight)| line[clamped(x, plane.width) - from] * weight).sum::<f32>()
        }));
    }
}

fn clamped(at: i64, size: u32) -> usize {
    usize::try_from(at.clamp(0, i64::from(size) - 1)).unwrap_or(0)
}

/// How much each sample counts for each sample of a row or a column of the result; those of one add up to 1.
#[derive(Default)]
struct Taps {
    weights: Vec<f32>,
    /// The first sample that counts, and where its weights are.
    all: Vec<(i64, usize, usize)>,
}

impl Taps {
    fn clear(&mut self) {
        self.weights.clear();
        self.all.clear();
    }

    /// Adds what `from..to` touches of `size` samples.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "clamped to the plane's surroundings"
    )]
    fn push(&mut self, from: f32, to: f32, size: u32) {
        let most = size as f32 + 2.0;
        let (from, to) = (from.clamp(-2.0, most), to.clamp(-2.0, most));
        let start = self.weights.len();
        let first = if to - from > 1.0 {
            let (first, last) = (from.floor(), to.ceil());
            let share = |at: f32| (to.min(at + 1.0) - from.max(at)).max(0.0) / (to - from);
            let count = (last - first) as usize;
            self.weights.extend((0..count).map(|i| share(first + i as f32)));
            first
        } else {
            // NaN comes here too, and becomes the first sample.
            let centre = f32::midpoint(from, to) - 0.5;
            let first = centre.floor();
            let part = if centre.is_nan() { 0.0 } else { centre - first };
            self.weights.extend([1.0 - part, part]);
            first
        };
        self.all.push((first as i64, start, self.weights.len()));
    }

    /// Samples and their weights.
    fn of(&self, (first, start, end): (i64, usize, usize)) -> impl Iterator<Item = (i64, f32)> {
        (first..).zip(self.weights[start..end].iter().copied())
    }

    /// The samples from and to which any counts.
    fn reach(&self, size: u32) -> (usize, usize) {
        let from = self.all.iter().map(|taps| taps.0).min().unwrap_or(0);
        let last =
            |(first, start, end): &(i64, usize, usize)| first + i64::try_from(end - start).unwrap_or(0);
        let to = self.all.iter().map(last).max().unwrap_or(0);
        (clamped(from, size), clamped(to - 1, size) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope() -> Plane {
        let mut plane = Plane::new(40, 20, 0);
        for y in 0..20 {
            for (x, sample) in plane.row_mut(y).iter_mut().enumerate() {
                *sample = u8::try_from(x * 4).unwrap() + u8::try_from(y).unwrap();
            }
        }
        plane
    }

    #[test]
    fn a_box_at_its_own_size_is_a_copy() {
        let (plane, mut out) = (slope(), Plane::new(5, 4, 0));
        warp(&plane, &Quad { x: 3.0, y: 2.0, width: 5.0, height: 4.0, slant: 0.0 }, &mut out);
        for y in 0..4 {
            assert_eq!(out.row(y), &plane.row(y + 2)[3..8]);
        }
    }

    #[test]
    fn a_smaller_result_is_the_mean_and_a_larger_one_lies_between() {
        let plane = slope();
        let mut out = Plane::new(2, 2, 0);
        warp(&plane, &Quad { x: 0.0, y: 0.0, width: 8.0, height: 4.0, slant: 0.0 }, &mut out);
        // Means of columns 0 to 3 (6) and 4 to 7 (22), of rows 0 and 1 (0.5), 2 and 3 (2.5); halves round up.
        assert_eq!((out.row(0), out.row(1)), (&[7, 23][..], &[9, 25][..]));
        let mut out = Plane::new(16, 1, 0);
        warp(&plane, &Quad { x: 8.0, y: 5.0, width: 4.0, height: 1.0, slant: 0.0 }, &mut out);
        assert!(out.row(0).is_sorted());
    }

    #[test]
    fn leaning_sides_are_brought_upright() {
        let mut plane = Plane::new(40, 20, 0);
        for y in 0..20_u32 {
            let at = 10 + y as usize / 2;
            plane.row_mut(y)[at..at + 6].fill(200);
        }
        let mut out = Plane::new(6, 20, 0);
        warp(&plane, &Quad { x: 9.75, y: 0.0, width: 6.0, height: 20.0, slant: 10.0 }, &mut out);
        assert!(out.rows().all(|row| row[1..5].iter().all(|s| *s == 200)), "{:?}", out.row(7));
    }

    #[test]
    fn a_box_outside_is_the_edge_and_never_a_panic() {
        let plane = slope();
        for (x, y) in [(-1e9, -1e9), (1e9, 1e9), (f32::NAN, 3.0), (-3.0, 18.0)] {
            let mut out = Plane::new(3, 3, 0);
            warp(&plane, &Quad { x, y, width: 9.0, height: 9.0, slant: 2.0 }, &mut out);
        }
        assert!(!Quad { x: 38.0, y: 0.0, width: 4.0, height: 4.0, slant: 0.0 }.inside(40, 20));
        assert!(!Quad { x: 1.0, y: 0.0, width: 4.0, height: 4.0, slant: -2.0 }.inside(40, 20));
        assert!(Quad { x: 2.0, y: 0.0, width: 4.0, height: 4.0, slant: -2.0 }.inside(40, 20));
    }
}
