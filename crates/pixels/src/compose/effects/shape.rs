//! Round corners and large pixels.

use super::bounded;
use crate::compose::bitmap::{Bitmap, PIXEL};
use crate::compose::rows::{div255, low};

/// The effect `cornerRadius`, in pixels of the picture; at most half its shorter side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners(pub f32);

impl Corners {
    /// Applies it to a bitmap.
    pub fn bitmap(self, bitmap: &mut Bitmap) {
        let (width, height) = (bitmap.width(), bitmap.height());
        self.each(width, height, |x, y, share| {
            let at = x as usize * PIXEL;
            for sample in &mut bitmap.row_mut(y)[at..at + PIXEL] {
                *sample = low(div255(u16::from(*sample) * share));
            }
        });
    }

    /// Calls `change` with each pixel of a picture that is not wholly inside, and how much of it is (0–255).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the sides")]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub(crate) fn each(self, width: u32, height: u32, mut change: impl FnMut(u32, u32, u16)) {
        let radius = bounded(self.0, 0.0, width.min(height) as f32 / 2.0, 0.0);
        let side = radius.ceil() as u32;
        for y in 0..side.min(height) {
            for x in 0..side.min(width) {
                let (across, down) = (radius - x as f32 - 0.5, radius - y as f32 - 0.5);
                if across <= 0.0 || down <= 0.0 {
                    continue;
                }
                let inside = radius - across.hypot(down) + 0.5;
                if inside >= 1.0 {
                    continue;
                }
                let share = (inside.max(0.0) * 255.0 + 0.5) as u16;
                // In a picture as wide as its corners, the middle column belongs to two of them: once is enough.
                let (right, bottom) = (width - 1 - x, height - 1 - y);
                change(x, y, share);
                if right != x {
                    change(right, y, share);
                }
                if bottom != y {
                    change(x, bottom, share);
                }
                if right != x && bottom != y {
                    change(right, bottom, share);
                }
            }
        }
    }
}

/// The effect `pixelate`: squares of `size` pixels (at least 1) get the mean of what they cover.
pub fn pixelate(bitmap: &mut Bitmap, size: u32) {
    let (width, height, size) = (bitmap.width(), bitmap.height(), size.max(1));
    if size == 1 {
        return;
    }
    for top in (0..height).step_by(size as usize) {
        let rows = top..top.saturating_add(size).min(height);
        for left in (0..width).step_by(size as usize) {
            let columns = left as usize * PIXEL..left.saturating_add(size).min(width) as usize * PIXEL;
            let mut sums = [0_u64; PIXEL];
            for y in rows.clone() {
                for pixel in bitmap.row(y)[columns.clone()].chunks_exact(PIXEL) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, sample)| *sum += u64::from(*sample));
                }
            }
            let count = rows.len() as u64 * (columns.len() / PIXEL) as u64;
            let mean = sums.map(|sum| ((sum + count / 2) / count).to_le_bytes()[0]);
            for y in rows.clone() {
                let pixels = bitmap.row_mut(y)[columns.clone()].chunks_exact_mut(PIXEL);
                pixels.for_each(|pixel| pixel.copy_from_slice(&mean));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_round_alike_and_nothing_else_changes() {
        for (width, height, radius) in [(40, 30, 10.0), (9, 9, 99.0), (20, 50, 7.3), (1, 1, 4.0)] {
            let mut bitmap = Bitmap::filled(width, height, [200, 100, 0, 255]);
            Corners(radius).bitmap(&mut bitmap);
            let share: u64 = bitmap.data().chunks(4).map(|p| u64::from(p[3])).sum();
            let radius = f64::from(radius).min(f64::from(width.min(height)) / 2.0);
            let exact = f64::from(width * height) - (4.0 - std::f64::consts::PI) * radius * radius;
            assert!(
                (share as f64 / 255.0 - exact).abs() <= exact * 0.02 + 0.3,
                "{width}x{height}: {share} {exact}"
            );
            for y in 0..height {
                for x in 0..width {
                    assert_eq!(bitmap.pixel(x, y), bitmap.pixel(width - 1 - x, y));
                    assert_eq!(bitmap.pixel(x, y), bitmap.pixel(x, height - 1 - y));
                }
            }
        }
        for radius in [0.0, -3.0, f32::NAN] {
            let mut bitmap = Bitmap::filled(4, 4, [1, 1, 1, 255]);
            Corners(radius).bitmap(&mut bitmap);
            assert_eq!(bitmap, Bitmap::filled(4, 4, [1, 1, 1, 255]));
        }
    }

    #[test]
    fn large_pixels_are_means_even_at_the_edges() {
        let mut bitmap = Bitmap::new(5, 3);
        for y in 0..3 {
            for (x, pixel) in (0..).zip(bitmap.row_mut(y).chunks_exact_mut(4)) {
                pixel.copy_from_slice(&[x * 10, 0, 0, 255]);
            }
        }
        pixelate(&mut bitmap, 2);
        let row: Vec<u8> = (0..5).map(|x| bitmap.pixel(x, 2)[0]).collect();
        assert_eq!(row, [5, 5, 25, 25, 40]);
        pixelate(&mut bitmap, u32::MAX);
        assert!(bitmap.data().chunks(4).all(|p| p == [20, 0, 0, 255]));
        pixelate(&mut Bitmap::default(), 0);
    }
}
