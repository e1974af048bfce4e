//! One bitmap's alpha or light deciding how much of another is seen.
//!
//! Called by the compositor, once for each pair that changes.

use super::bitmap::{Bitmap, PIXEL};
use super::rows::{div255, low};

/// What of a mask counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mask {
    /// Its alpha.
    Alpha,
    /// How light it is (BT.709's weights), by its alpha: what is transparent hides.
    Luma,
}

/// Makes `bitmap` as transparent as `mask` says, whose corner is at `x`, `y` of it. What the mask does not cover is hidden.
pub fn mask(bitmap: &mut Bitmap, mask: &Bitmap, (x, y): (i32, i32), mode: Mask) {
    let width = usize::try_from(bitmap.width()).unwrap_or(0);
    for row in 0..bitmap.height() {
        let line = u32::try_from(i64::from(row) - i64::from(y)).ok().filter(|line| *line < mask.height());
        let shares = line.map_or(&[][..], |line| mask.row(line));
        for (column, pixel) in (0..width).zip(bitmap.row_mut(row).chunks_exact_mut(PIXEL)) {
            let at = usize::try_from(column as i64 - i64::from(x)).ok();
            let share =
                at.and_then(|at| shares.get(at * PIXEL..at * PIXEL + PIXEL)).map_or(0, |pixel| match mode {
                    Mask::Alpha => u16::from(pixel[3]),
                    Mask::Luma => lightness(pixel),
                });
            pixel.iter_mut().for_each(|sample| *sample = low(div255(u16::from(*sample) * share)));
        }
    }
}

/// Of a premultiplied pixel, 0–255.
fn lightness(pixel: &[u8]) -> u16 {
    let [r, g, b] = [0, 1, 2].map(|channel: usize| u32::from(pixel[channel]));
    u16::try_from((r * 2126 + g * 7152 + b * 722 + 5000) / 10_000).unwrap_or(255).min(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_hides_what_it_does_not_cover_and_fades_what_it_half_covers() {
        let mut over = Bitmap::new(2, 1);
        over.row_mut(0).copy_from_slice(&[128, 128, 128, 128, 0, 0, 0, 255]);
        for (mode, at, want) in [
            (Mask::Alpha, (1, 0), [[0; 4], [100, 50, 0, 128], [200, 100, 0, 255]]),
            (Mask::Luma, (1, 0), [[0; 4], [100, 50, 0, 128], [0; 4]]),
            (Mask::Alpha, (-1, 0), [[200, 100, 0, 255], [0; 4], [0; 4]]),
            (Mask::Alpha, (0, 1), [[0; 4]; 3]),
            (Mask::Alpha, (i32::MIN, i32::MAX), [[0; 4]; 3]),
        ] {
            let mut bitmap = Bitmap::filled(3, 1, [200, 100, 0, 255]);
            mask(&mut bitmap, &over, at, mode);
            assert_eq!([0, 1, 2].map(|x| bitmap.pixel(x, 0)), want, "{mode:?} at {at:?}");
        }
    }
}
