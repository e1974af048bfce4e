//! Full and limited range, BT.601 and BT.709.
//!
//! Called by the recorder (`to_limited`) and the JPEG encoder (`to_full_bt601`). A picture already there is
//! left alone.

use crate::compose::simd::dispatched;
use crate::plane::{I420, Matrix, Plane, Range};

/// Turns a full-range picture into a limited-range one in place; its matrix stays.
///
/// Padding is converted along with the samples. About 50 µs for 640×480.
pub fn to_limited(picture: &mut I420) {
    if picture.range == Range::Limited {
        return;
    }
    picture.range = Range::Limited;
    for (plane, squeeze) in [
        (&mut picture.y, Squeeze::LUMA),
        (&mut picture.u, Squeeze::CHROMA),
        (&mut picture.v, Squeeze::CHROMA),
    ] {
        // One straight pass over 16-bit products, which compiles to SIMD; a table of 256 does not.
        plane.data.iter_mut().for_each(|sample| *sample = squeeze.of(*sample));
    }
}

/// Full range to limited range, sample by sample.
///
/// Luma becomes `16 + y·219/255`, chroma `128 + (c − 128)·224/255` (ITU-R BT.601-7 table 3 against JFIF
/// 1.02), rounded to nearest.
#[derive(Clone, Copy, Debug)]
pub struct Squeeze {
    gain: u16,
    /// In 255ths.
    offset: u16,
}

impl Squeeze {
    pub const LUMA: Self = Self { gain: 219, offset: 16 * 255 };
    /// 128 · (255 − 224) keeps the middle in place.
    pub const CHROMA: Self = Self { gain: 224, offset: 128 * 31 };

    /// Writes what becomes of `full` into `limited`, which must be as long.
    ///
    /// # Panics
    /// When it is not.
    pub fn copy(self, full: &[u8], limited: &mut [u8]) {
        assert_eq!(full.len(), limited.len(), "samples to write and room for them");
        limited.iter_mut().zip(full).for_each(|(to, from)| *to = self.of(*from));
    }

    #[inline]
    fn of(self, sample: u8) -> u8 {
        div255(u16::from(sample) * self.gain + self.offset)
    }
}

/// `n / 255` rounded to nearest; exact for `n` up to 255².
#[inline]
pub(crate) fn div255(n: u16) -> u8 {
    let n = n + 128;
    ((n + (n >> 8)) >> 8).to_le_bytes()[0]
}

/// A full-range BT.601 copy of a picture of any range and matrix: what JPEG means.
///
/// Values outside the limited range are clipped. With BT.709 the luma of each pixel is corrected by the
/// chroma sample it shares.
#[must_use]
pub fn to_full_bt601(picture: &I420) -> I420 {
    let mut out = I420::new(picture.width, picture.height, Range::Full, Matrix::Bt601);
    let (luma_table, chroma_table) = expansion(picture.range);
    if picture.matrix == Matrix::Bt601 {
        look_up(&picture.y, &luma_table, &mut out.y);
        look_up(&picture.u, &chroma_table, &mut out.u);
        look_up(&picture.v, &chroma_table, &mut out.v);
        return out;
    }
    let change = Change::from_709(picture.range);
    let (luma, chroma) = (Spread::luma(picture.range), Spread::chroma(picture.range));
    let mut shifts = vec![0; picture.u.width as usize * 2];
    for y in 0..out.u.height {
        let (u_in, v_in) = (picture.u.row(y), picture.v.row(y));
        shift_row::best(&mut shifts, u_in, v_in, change.luma);
        chroma_row::best(out.u.row_mut(y), u_in, v_in, change.cb, chroma);
        chroma_row::best(out.v.row_mut(y), u_in, v_in, change.cr, chroma);
        for y in (2 * y..out.height).take(2) {
            luma_row::best(out.y.row_mut(y), picture.y.row(y), &shifts, luma);
        }
    }
    out
}

fn look_up(plane: &Plane, table: &[u8; 256], out: &mut Plane) {
    for y in 0..plane.height {
        for (&sample, target) in plane.row(y).iter().zip(out.row_mut(y)) {
            *target = table[usize::from(sample)];
        }
    }
}

/// What `expansion` looks up, as arithmetic: a code less `from`, times `gain` 65536ths, plus `to`. The same for every code.
#[derive(Clone, Copy, Debug)]
pub(in crate::convert) struct Spread {
    from: i32,
    gain: i32,
    to: i32,
}

impl Spread {
    const NONE: Self = Self { from: 0, gain: 1 << 16, to: 0 };

    fn luma(range: Range) -> Self {
        match range {
            Range::Full => Self::NONE,
            Range::Limited => Self { from: 16, gain: fixed(255.0 / 219.0), to: 0 },
        }
    }

    fn chroma(range: Range) -> Self {
        match range {
            Range::Full => Self::NONE,
            Range::Limited => Self { from: 128, gain: fixed(255.0 / 224.0), to: 128 },
        }
    }

    /// `code` may be any sum; it is clipped to a code first.
    #[inline(always)]
    fn of(self, code: i32) -> u8 {
        let spread = (code.clamp(0, 255) - self.from) * self.gain + (1 << 15);
        ((spread >> 16) + self.to).clamp(0, 255).to_le_bytes()[0]
    }
}

dispatched! {
    /// What to add to the luma of each pixel of a row, for the chroma samples it shares: two a sample.
    fn shift_row(shifts: &mut [i32], u: &[u8], v: &[u8], factors: [i32; 2]) {
        for (pair, (u, v)) in shifts.chunks_exact_mut(2).zip(u.iter().zip(v)) {
            let shift = mixed(factors, *u, *v);
            pair[0] = shift;
            pair[1] = shift;
        }
    }
}

dispatched! {
    fn luma_row(out: &mut [u8], luma: &[u8], shifts: &[i32], spread: Spread) {
        for ((out, luma), shift) in out.iter_mut().zip(luma).zip(shifts) {
            *out = spread.of(i32::from(*luma) + shift);
        }
    }
}

dispatched! {
    fn chroma_row(out: &mut [u8], u: &[u8], v: &[u8], factors: [i32; 2], spread: Spread) {
        for (out, (u, v)) in out.iter_mut().zip(u.iter().zip(v)) {
            *out = spread.of(mixed(factors, *u, *v) + 128);
        }
    }
}

/// A sum of both chroma samples, in the 65536ths of `factors`.
#[inline(always)]
fn mixed([from_cb, from_cr]: [i32; 2], u: u8, v: u8) -> i32 {
    (from_cb * (i32::from(u) - 128) + from_cr * (i32::from(v) - 128) + (1 << 15)) >> 16
}

/// Tables from the codes of `range` to full-range ones, for luma and chroma.
fn expansion(range: Range) -> ([u8; 256], [u8; 256]) {
    let (mut luma, mut chroma) = ([0; 256], [0; 256]);
    for (code, (luma, chroma)) in (0_i32..256).zip(luma.iter_mut().zip(&mut chroma)) {
        (*luma, *chroma) = match range {
            Range::Full => (clip(code), clip(code)),
            Range::Limited => {
                (clip(rounded((code - 16) * 255, 219)), clip(rounded((code - 128) * 255, 224) + 128))
            }
        };
    }
    (luma, chroma)
}

/// `n / d` to nearest, halves away from zero.
fn rounded(n: i32, d: i32) -> i32 {
    if n < 0 { -((-n + d / 2) / d) } else { (n + d / 2) / d }
}

fn clip(value: i32) -> u8 {
    value.clamp(0, 255).to_le_bytes()[0]
}

/// The linear step from BT.709 to BT.601 YCbCr, in 65536ths.
///
/// Derived from the definitions `Y = Kr·R + Kg·G + Kb·B`, `Cb = (B − Y) / (2 − 2·Kb)`, `Cr = (R − Y) / (2 −
/// 2·Kr)` with the constants of each recommendation. White keeps its luma, so luma is only ever corrected by
/// chroma, and chroma depends on chroma alone.
struct Change {
    luma: [i32; 2],
    cb: [i32; 2],
    cr: [i32; 2],
}

impl Change {
    fn from_709(range: Range) -> Self {
        // A step of limited chroma is a 224th of its span, a step of limited luma a 219th.
        let luma_steps = if range == Range::Limited { 219.0 / 224.0 } else { 1.0 };
        let columns = [Self::column(1.0, 0.0), Self::column(0.0, 1.0)];
        let row = |index: usize, steps: f64| columns.map(|column| fixed(column[index] * steps));
        Self { luma: row(0, luma_steps), cb: row(1, 1.0), cr: row(2, 1.0) }
    }

    /// BT.601 (Y, Cb, Cr) of the BT.709 colour with Y = 0 and this chroma.
    fn column(cb: f64, cr: f64) -> [f64; 3] {
        let (red_709, blue_709) = (0.2126, 0.0722);
        let (red_601, blue_601) = (0.299, 0.114);
        let red = (2.0 - 2.0 * red_709) * cr;
        let blue = (2.0 - 2.0 * blue_709) * cb;
        let green = -(red_709 * red + blue_709 * blue) / (1.0 - red_709 - blue_709);
        let luma = red_601 * red + (1.0 - red_601 - blue_601) * green + blue_601 * blue;
        [luma, (blue - luma) / (2.0 - 2.0 * blue_601), (red - luma) / (2.0 - 2.0 * red_601)]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the factors are below 2, so the products fit easily")]
fn fixed(factor: f64) -> i32 {
    (factor * 65536.0).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::yuv_of_rgb;

    fn solid(codes: [u8; 3], range: Range, matrix: Matrix) -> I420 {
        let mut picture = I420::new(6, 5, range, matrix);
        for (plane, code) in picture.planes_mut().into_iter().zip(codes) {
            plane.fill(code);
        }
        picture
    }

    /// Codes of an RGB colour by the definitions, in floating point.
    fn codes([r, g, b]: [u8; 3], range: Range, matrix: Matrix) -> [f64; 3] {
        let (kr, kb) = if matrix == Matrix::Bt601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
        let [r, g, b] = [r, g, b].map(|c| f64::from(c) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (cb, cr) = ((b - y) / (2.0 - 2.0 * kb), (r - y) / (2.0 - 2.0 * kr));
        match range {
            Range::Full => [255.0 * y, 128.0 + 255.0 * cb, 128.0 + 255.0 * cr].map(|c| c.clamp(0.0, 255.0)),
            Range::Limited => [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr],
        }
    }

    #[test]
    fn every_code_is_squeezed_to_the_nearest_limited_one() {
        let mut picture = I420::new(256, 2, Range::Full, Matrix::Bt601);
        for plane in picture.planes_mut() {
            for y in 0..plane.height {
                plane.row_mut(y).iter_mut().zip(0..=255).for_each(|(sample, x)| *sample = x);
            }
        }
        to_limited(&mut picture);
        for x in 0..=255_u8 {
            let luma = 16.0 + f64::from(x) * 219.0 / 255.0;
            assert_eq!(f64::from(picture.y.row(1)[usize::from(x)]), luma.round(), "luma {x}");
            if x < 128 {
                let chroma = 128.0 + (f64::from(x) - 128.0) * 224.0 / 255.0;
                assert_eq!(f64::from(picture.u.row(0)[usize::from(x)]), chroma.round(), "chroma {x}");
            }
        }
        assert_eq!(picture.range, Range::Limited);
        let before = picture.clone();
        to_limited(&mut picture);
        assert_eq!(picture, before, "a limited picture is left alone");
    }

    #[test]
    fn what_the_machine_can_do_equals_the_tables_for_every_code_and_shift() {
        for range in [Range::Full, Range::Limited] {
            let (luma, chroma) = expansion(range);
            let codes: Vec<u8> = (0..=255).collect();
            for shift in -90..=90 {
                let want: Vec<u8> = (0..256).map(|code| luma[usize::from(clip(code + shift))]).collect();
                for row in [luma_row::portable, luma_row::best] {
                    let mut out = vec![0; 256];
                    row(&mut out, &codes, &[shift; 256], Spread::luma(range));
                    assert_eq!(out, want, "{range:?} {shift}");
                }
            }
            for other in 0..=255 {
                for factors in [[1 << 16, 0], Change::from_709(range).cb, Change::from_709(range).cr] {
                    let want: Vec<u8> = (0..=255)
                        .map(|code| chroma[usize::from(clip(mixed(factors, code, other) + 128))])
                        .collect();
                    for row in [chroma_row::portable, chroma_row::best] {
                        let mut out = vec![0; 256];
                        row(&mut out, &codes, &[other; 256], factors, Spread::chroma(range));
                        assert_eq!(out, want, "{range:?} {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn full_to_limited_and_back_is_within_one() {
        for code in 0..=255 {
            let mut picture = solid([code, code, code], Range::Full, Matrix::Bt601);
            to_limited(&mut picture);
            let back = to_full_bt601(&picture);
            for plane in back.planes() {
                assert!(plane.data.iter().all(|s| s.abs_diff(code) <= 1), "{code}: {:?}", plane.data[0]);
            }
        }
    }

    #[test]
    fn colours_survive_the_way_from_every_range_and_matrix_to_jpeg() {
        let colours =
            [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [90, 160, 30], [128; 3]];
        for range in [Range::Full, Range::Limited] {
            for matrix in [Matrix::Bt601, Matrix::Bt709] {
                for colour in colours {
                    let from = codes(colour, range, matrix).map(|c| clip(fixed(c / 65536.0)));
                    let made = to_full_bt601(&solid(from, range, matrix));
                    for (plane, want) in made.planes().into_iter().zip(yuv_of_rgb(colour)) {
                        assert!(
                            plane.data.iter().all(|s| s.abs_diff(want) <= 2),
                            "{colour:?} {range:?} {matrix:?}: {} for {want}",
                            plane.data[0]
                        );
                    }
                }
            }
        }
    }
}
