//! RGB to full-range BT.601 planes, for the few JPEGs that are not YCbCr and for drawn pictures; any planes to RGB, for
//! pictures that are looked at.
//!
//! Factors are those of JFIF 1.02 (page 3) in 65536ths. Alpha, if any, is ignored.

use crate::plane::{I420, Matrix, Range};

const Y: [i32; 3] = [19_595, 38_470, 7_471];
const CB: [i32; 3] = [-11_058, -21_710, 32_768];
const CR: [i32; 3] = [32_768, -27_439, -5_329];

/// The full-range BT.601 (Y, Cb, Cr) of an RGB colour.
#[must_use]
pub fn yuv_of_rgb(rgb: [u8; 3]) -> [u8; 3] {
    let rgb = rgb.map(i32::from);
    [luma(rgb), chroma(CB, rgb, 1), chroma(CR, rgb, 1)]
}

/// Fills `out` from interleaved pixels of `pixel` bytes each (3 or 4; R, G, B first), rows without padding,
/// of `out`'s size.
///
/// Each chroma sample is that of the mean of its pixels: four, or those that exist at an odd edge. `out`
/// becomes full range, BT.601.
///
/// # Panics
/// If `pixels` holds fewer than `out.width * out.height` pixels or `pixel` is less than 3.
pub fn rgb_to_i420(pixels: &[u8], pixel: usize, out: &mut I420) {
    (out.range, out.matrix) = (Range::Full, Matrix::Bt601);
    let pitch = out.width as usize * pixel;
    if pitch == 0 {
        return;
    }
    let rows: Vec<&[u8]> = pixels.chunks_exact(pitch).take(out.height as usize).collect();
    for (y, row) in (0..out.height).zip(&rows) {
        for (target, rgb) in out.y.row_mut(y).iter_mut().zip(row.chunks_exact(pixel)) {
            *target = luma([rgb[0], rgb[1], rgb[2]].map(i32::from));
        }
    }
    for (y, pair) in (0..out.u.height).zip(rows.chunks(2)) {
        let (upper, lower) = (pair[0], pair[pair.len() - 1]);
        let blocks = upper.chunks(2 * pixel).zip(lower.chunks(2 * pixel));
        let targets = out.u.row_mut(y).iter_mut().zip(out.v.row_mut(y));
        for ((upper, lower), (u, v)) in blocks.zip(targets) {
            let right = upper.len() - pixel;
            let sum = |c: usize| {
                [upper[c], upper[right + c], lower[c], lower[right + c]]
                    .map(i32::from)
                    .into_iter()
                    .sum::<i32>()
            };
            let sums = [sum(0), sum(1), sum(2)];
            *u = chroma(CB, sums, 4);
            *v = chroma(CR, sums, 4);
        }
    }
}

/// The picture as R, G, B, rows without padding; each pixel has its chroma sample's colour.
#[must_use]
pub fn i420_to_rgb(picture: &I420) -> Vec<u8> {
    // What 1.0 of luma and of chroma are, in codes.
    let (black, luma, chroma) = match picture.range {
        Range::Full => (0.0, 255.0, 255.0),
        Range::Limited => (16.0, 219.0, 224.0),
    };
    let (red, blue) = match picture.matrix {
        Matrix::Bt601 => (0.299_f32, 0.114_f32),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let green = 1.0 - red - blue;
    let mut out = Vec::with_capacity(picture.width as usize * picture.height as usize * 3);
    for (y, row) in (0..picture.height).zip(picture.y.rows()) {
        let colours = picture.u.row(y / 2).iter().zip(picture.v.row(y / 2));
        for (codes, (u, v)) in row.chunks(2).zip(colours) {
            let [u, v] = [u, v].map(|code| (f32::from(*code) - 128.0) / chroma);
            let (r, b) = (v * 2.0 * (1.0 - red), u * 2.0 * (1.0 - blue));
            let g = -(r * red + b * blue) / green;
            for code in codes {
                let y = (f32::from(*code) - black) / luma;
                out.extend([r, g, b].map(|colour| shown(y + colour)));
            }
        }
    }
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn shown(colour: f32) -> u8 {
    (colour * 255.0).round().clamp(0.0, 255.0) as u8
}

/// Averages two rows of samples into one of half the width; at an odd edge the last column counts twice.
pub(crate) fn halve(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    for ((upper, lower), target) in upper.chunks(2).zip(lower.chunks(2)).zip(out) {
        let sum: u16 = [upper[0], upper[upper.len() - 1], lower[0], lower[lower.len() - 1]]
            .map(u16::from)
            .into_iter()
            .sum();
        *target = ((sum + 2) / 4).to_le_bytes()[0];
    }
}

#[inline]
fn luma(rgb: [i32; 3]) -> u8 {
    byte((dot(Y, rgb) + (1 << 15)) >> 16)
}

/// Chroma of a colour given as the sum of `count` (1 or 4) pixels.
#[inline]
fn chroma(factors: [i32; 3], sums: [i32; 3], count: i32) -> u8 {
    byte(((dot(factors, sums) + (1 << 15) * count) >> (15 + count.ilog2() + 1)) + 128)
}

fn dot(factors: [i32; 3], rgb: [i32; 3]) -> i32 {
    factors[0] * rgb[0] + factors[1] * rgb[1] + factors[2] * rgb[2]
}

#[inline]
fn byte(value: i32) -> u8 {
    value.clamp(0, 255).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_the_codes_of_the_jfif_standard() {
        for (rgb, yuv) in [
            ([0, 0, 0], [0, 128, 128]),
            ([255, 255, 255], [255, 128, 128]),
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
            ([128, 128, 128], [128, 128, 128]),
        ] {
            assert_eq!(yuv_of_rgb(rgb), yuv, "{rgb:?}");
        }
    }

    #[test]
    fn odd_pictures_keep_the_colour_of_their_last_column_and_row() {
        for (width, height, pixel) in [(1, 1, 3), (3, 3, 3), (5, 2, 4), (2, 5, 4)] {
            let mut out = I420::new(width, height, Range::Limited, Matrix::Bt709);
            let pixels: Vec<u8> =
                (0..width * height).flat_map(|_| [200, 30, 60, 9][..pixel].to_vec()).collect();
            rgb_to_i420(&pixels, pixel, &mut out);
            for (plane, want) in out.planes().into_iter().zip(yuv_of_rgb([200, 30, 60])) {
                assert!(plane.data.iter().all(|&s| s == want), "{width}x{height}");
            }
            assert_eq!((out.range, out.matrix), (Range::Full, Matrix::Bt601));
        }
    }
}
