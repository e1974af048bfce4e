//! Soft-edged masks and pictures, blended into the planes of a full-range BT.601 picture.
//!
//! Called by the screens. A mask says how much of each pixel is covered; everything that is drawn is one, so that edges
//! fall between pixels as a game's do. What lies outside the picture is left out.

use pixels::{I420, Plane, Quad};

use crate::picture::canvas::{Colour, byte, position, whole};

/// How much of each pixel is covered, 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: usize,
    pub(super) data: Vec<u8>,
}

/// A small picture in a mask. Its left and top are even, so that its chroma falls on the target's.
#[derive(Clone, Debug)]
pub(super) struct Sprite {
    pub(super) mask: Mask,
    pub(super) picture: I420,
}

/// The box `x`, `y`, `width`, `height`, leaning by `slant` from its upper to its lower edge.
pub(super) const fn leaning(x: f32, y: f32, width: f32, height: f32, slant: f32) -> Quad {
    Quad { x, y, width, height, slant }
}

/// An upright box.
pub(super) const fn upright(x: f32, y: f32, width: f32, height: f32) -> Quad {
    leaning(x, y, width, height, 0.0)
}

impl Mask {
    pub(super) fn new(left: i32, top: i32, width: usize, height: usize) -> Self {
        Self { left, top, width, data: vec![0; width * height] }
    }

    /// A mask that `cover` (0 to 1 for the pixel whose middle is there) fills within these bounds.
    pub(super) fn shaped(bounds: [f32; 4], cover: impl Fn(f32, f32) -> f32) -> Self {
        let mut mask = Self::around(bounds);
        let (left, top) = (signed(mask.left), signed(mask.top));
        for (row, samples) in mask.data.chunks_mut(mask.width.max(1)).enumerate() {
            for (column, sample) in samples.iter_mut().enumerate() {
                let covered = cover(left + position(column) + 0.5, top + position(row) + 0.5);
                *sample = byte(covered.clamp(0.0, 1.0) * 255.0);
            }
        }
        mask
    }

    /// An empty mask of all pixels within these bounds.
    fn around([left, top, right, bottom]: [f32; 4]) -> Self {
        let (x, y) = (whole(left), whole(top));
        let side = |from: i32, to: f32| {
            let length = whole(to).saturating_add(1).saturating_sub(from);
            usize::try_from(length).unwrap_or(0).min(1 << 14)
        };
        Self::new(x, y, side(x, right), side(y, bottom))
    }

    /// A leaning box: the part of each pixel that it covers.
    pub(super) fn quad(quad: &Quad) -> Self {
        let (left, right) = (quad.x + quad.slant.min(0.0), quad.x + quad.width + quad.slant.max(0.0));
        let bottom = quad.y + quad.height;
        let mut mask = Self::around([left, quad.y, right, bottom]);
        let (x, y) = (signed(mask.left), signed(mask.top));
        let overlap = |at: f32, from: f32, to: f32| (to.min(at + 1.0) - from.max(at)).clamp(0.0, 1.0);
        for (row, samples) in mask.data.chunks_mut(mask.width.max(1)).enumerate() {
            let top = y + position(row);
            let part = ((top + 0.5 - quad.y) / quad.height.max(0.01)).clamp(0.0, 1.0);
            let (from, to) = (quad.x + quad.slant * part - x, quad.x + quad.width + quad.slant * part - x);
            let down = overlap(top, quad.y, bottom);
            let column = |at: f32| usize::try_from(whole(at)).unwrap_or(0).min(samples.len());
            let (first, last) = (column(from), column(to + 1.0));
            let inner = (first + 1).min(last)..last.saturating_sub(1).max(first + 1).min(last);
            for at in [first, first + 1, last.saturating_sub(2), last.saturating_sub(1)] {
                if at < last {
                    samples[at] = byte(down * overlap(position(at), from, to) * 255.0);
                }
            }
            if inner.len() > 2 {
                samples[inner.start + 1..inner.end - 1].fill(byte(down * 255.0));
            }
        }
        mask
    }

    /// A square on its corner.
    pub(super) fn diamond(x: f32, y: f32, radius: f32) -> Self {
        let bounds = [x - radius, y - radius, x + radius, y + radius];
        Self::shaped(bounds, |px, py| (radius - (px - x).abs() - (py - y).abs()) * 0.7 + 0.5)
    }

    pub(super) fn disc(x: f32, y: f32, radius: f32) -> Self {
        let bounds = [x - radius, y - radius, x + radius, y + radius];
        Self::shaped(bounds, |px, py| radius - (px - x).hypot(py - y) + 0.5)
    }

    pub(super) fn height(&self) -> usize {
        self.data.len() / self.width.max(1)
    }

    /// Moved by whole pixels.
    pub(super) fn moved(mut self, x: i32, y: i32) -> Self {
        (self.left, self.top) = (self.left.saturating_add(x), self.top.saturating_add(y));
        self
    }

    /// Grown to start at even pixels and to have even sides.
    pub(super) fn evened(&self) -> Self {
        let (left, top) = (self.left & !1, self.top & !1);
        let (x, y) = (usize::from(left != self.left), usize::from(top != self.top));
        let width = (self.width + x).next_multiple_of(2);
        let mut out = Self::new(left, top, width, (self.height() + y).next_multiple_of(2));
        for (from, to) in self.data.chunks(self.width.max(1)).zip(out.data.chunks_mut(width.max(1)).skip(y)) {
            to[x..x + from.len()].copy_from_slice(from);
        }
        out
    }
}

/// Blends `colour` where the mask is.
pub(super) fn tint(picture: &mut I420, mask: &Mask, colour: Colour, opacity: f32) {
    let strength = i32::from(byte(opacity.clamp(0.0, 1.0) * 255.0));
    let even = mask.evened();
    each_luma(&mut picture.y, &even, |sample, cover, _| mixed(sample, colour[0], cover * strength));
    for (plane, value) in [(&mut picture.u, colour[1]), (&mut picture.v, colour[2])] {
        each_chroma(plane, &even, |sample, cover, _| mixed(sample, value, cover * strength));
    }
}

/// Blends a sprite in.
pub(super) fn paste(picture: &mut I420, sprite: &Sprite) {
    let from = &sprite.picture;
    each_luma(&mut picture.y, &sprite.mask, |s, cover, at| mixed(s, from.y.data[at], cover * 255));
    each_chroma(&mut picture.u, &sprite.mask, |s, cover, at| mixed(s, from.u.data[at], cover * 255));
    each_chroma(&mut picture.v, &sprite.mask, |s, cover, at| mixed(s, from.v.data[at], cover * 255));
}

/// `cover` is of 255 × 255.
fn mixed(sample: u8, value: u8, cover: i32) -> u8 {
    let (sample, value) = (i32::from(sample), i32::from(value));
    u8::try_from((sample * 65_025 + (value - sample) * cover + 32_512) / 65_025).unwrap_or(255)
}

/// Calls for every luma sample under the mask: sample, cover, its number in a picture of the mask's size.
fn each_luma(plane: &mut Plane, mask: &Mask, mut change: impl FnMut(u8, i32, usize) -> u8) {
    for (row, covers) in mask.data.chunks(mask.width.max(1)).enumerate() {
        let Some((y, columns)) = clipped(plane, mask.left, mask.top, row, covers.len()) else { continue };
        let skipped = usize::try_from(mask.left.saturating_neg()).unwrap_or(0);
        let samples = &mut plane.row_mut(y)[columns];
        for (column, (sample, cover)) in samples.iter_mut().zip(&covers[skipped..]).enumerate() {
            if *cover > 0 {
                *sample = change(*sample, i32::from(*cover), row * mask.width + skipped + column);
            }
        }
    }
}

/// The same for a plane of half the size; the mask is even.
fn each_chroma(plane: &mut Plane, mask: &Mask, mut change: impl FnMut(u8, i32, usize) -> u8) {
    let half = mask.width / 2;
    for (row, pair) in mask.data.chunks_exact((2 * mask.width).max(1)).enumerate() {
        let (upper, lower) = pair.split_at(mask.width);
        let Some((y, columns)) = clipped(plane, mask.left / 2, mask.top / 2, row, half) else { continue };
        let skipped = usize::try_from(mask.left.saturating_neg() / 2).unwrap_or(0);
        let samples = &mut plane.row_mut(y)[columns];
        for (column, sample) in (skipped..).zip(samples) {
            let cover: i32 =
                [upper[2 * column], upper[2 * column + 1], lower[2 * column], lower[2 * column + 1]]
                    .map(i32::from)
                    .iter()
                    .sum();
            if cover > 0 {
                *sample = change(*sample, cover / 4, row * half + column);
            }
        }
    }
}

/// The row and the columns of a plane that a row of a mask covers.
fn clipped(
    plane: &Plane,
    left: i32,
    top: i32,
    row: usize,
    width: usize,
) -> Option<(u32, std::ops::Range<usize>)> {
    let y = u32::try_from(i64::from(top) + i64::try_from(row).ok()?).ok().filter(|y| *y < plane.height)?;
    let end = i64::from(left) + i64::try_from(width).ok()?;
    let end = usize::try_from(end).ok()?.min(plane.width as usize);
    let start = usize::try_from(left).unwrap_or(0);
    (start < end).then_some((y, start..end))
}

/// A place in pixels as a number.
#[expect(clippy::cast_precision_loss, reason = "places in pictures are far below 2^24")]
pub(super) fn signed(place: i32) -> f32 {
    place as f32
}

/// A side of a picture as a number.
pub(super) fn side(pixels: u32) -> f32 {
    position(pixels as usize)
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    #[test]
    fn a_box_covers_as_much_as_it_is_large_wherever_it_lies() {
        for (x, y, width, height, slant) in [
            (0.0, 0.0, 8.0, 4.0, 0.0),
            (0.25, 0.5, 8.0, 4.0, 0.0),
            (3.9, 2.2, 0.4, 0.3, 0.0),
            (5.5, 1.5, 40.0, 23.3, 3.4),
            (9.5, 1.25, 40.0, 23.3, -3.4),
            (-7.3, -2.6, 20.0, 9.0, 1.0),
            (1.7, 1.0, 1.6, 5.0, 0.0),
        ] {
            let mask = Mask::quad(&leaning(x, y, width, height, slant));
            let covered: f32 = mask.data.iter().map(|cover| f32::from(*cover) / 255.0).sum();
            assert!(
                (covered - width * height).abs() < 0.02 * width * height + 0.05,
                "{x} {y} {width}: {covered}"
            );
        }
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut picture = I420::new(33, 17, Range::Full, Matrix::Bt601);
        for (x, y) in
            [(-50.0, -50.0), (-3.5, -2.5), (30.0, 15.0), (900.0, 4.0), (4.0, f32::MAX), (f32::MIN, 0.0)]
        {
            tint(&mut picture, &Mask::quad(&leaning(x, y, 9.0, 7.0, 2.0)), [255, 1, 2], 1.0);
            tint(&mut picture, &Mask::disc(x, y, 6.0), [255, 1, 2], 0.5);
        }
        assert!(picture.y.row(0)[0] > 0 && picture.y.row(16)[32] > 0);
        tint(&mut picture, &Mask::quad(&upright(-9.0, -9.0, 99.0, 99.0)), [200, 90, 60], 1.0);
        assert!(picture.y.data.iter().all(|s| *s == 200) && picture.u.data.iter().all(|s| *s == 90));
    }
}
