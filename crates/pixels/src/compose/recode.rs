//! Planes of any matrix and range made BT.709 of limited range, in place.
//!
//! Called by `feed` once for each frame. The step is linear but for clipping: luma is scaled and corrected by the chroma
//! sample it shares, chroma depends on chroma alone.

use super::simd::dispatched;
use crate::plane::{I420, Matrix, NEUTRAL, Range};

/// Keeps the memory the conversion needs.
#[derive(Debug, Default)]
pub(super) struct Recoding {
    /// What is added to the luma of each column, in 4096ths.
    shifts: Vec<i32>,
}

/// Factors in 4096ths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    luma: i32,
    /// Black, there and here.
    black: [i32; 2],
    /// What Cb and Cr add to luma, to Cb and to Cr.
    shift: [i32; 2],
    cb: [i32; 2],
    cr: [i32; 2],
}

impl Recoding {
    /// Does nothing to a picture that is there already.
    pub(super) fn recode(&mut self, picture: &mut I420) {
        if (picture.matrix, picture.range) == (Matrix::Bt709, Range::Limited) {
            return;
        }
        let change = Change::from(picture.matrix, picture.range);
        (picture.matrix, picture.range) = (Matrix::Bt709, Range::Limited);
        self.shifts.resize(picture.u.width as usize * 2, 0);
        for y in 0..picture.u.height {
            chroma::best(picture.u.row_mut(y), picture.v.row_mut(y), &mut self.shifts, change);
            for y in (2 * y..picture.height).take(2) {
                luma::best(picture.y.row_mut(y), &self.shifts, change);
            }
        }
    }
}

dispatched! {
    fn chroma(u: &mut [u8], v: &mut [u8], shifts: &mut [i32], change: Change) {
        for ((u, v), shifts) in u.iter_mut().zip(v).zip(shifts.chunks_exact_mut(2)) {
            let (cb, cr) = (i32::from(*u) - i32::from(NEUTRAL), i32::from(*v) - i32::from(NEUTRAL));
            let code = |[by_cb, by_cr]: [i32; 2]| {
                let made = ((by_cb * cb + by_cr * cr + 2048) >> 12) + i32::from(NEUTRAL);
                made.clamp(0, 255).to_le_bytes()[0]
            };
            (*u, *v) = (code(change.cb), code(change.cr));
            shifts.fill(change.shift[0] * cb + change.shift[1] * cr);
        }
    }
}

dispatched! {
    fn luma(row: &mut [u8], shifts: &[i32], change: Change) {
        let start = (change.black[1] << 12) + 2048 - change.black[0] * change.luma;
        for (sample, shift) in row.iter_mut().zip(shifts) {
            let made = (i32::from(*sample) * change.luma + shift + start) >> 12;
            *sample = made.clamp(0, 255).to_le_bytes()[0];
        }
    }
}

impl Change {
    /// Derived from the definitions `Y = Kr·R + Kg·G + Kb·B`, `Cb = (B − Y) / (2 − 2·Kb)`, `Cr = (R − Y) / (2 − 2·Kr)`.
    fn from(matrix: Matrix, range: Range) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let (luma_span, chroma_span, black) = match range {
            Range::Full => (255.0, 255.0, 0),
            Range::Limited => (219.0, 224.0, 16),
        };
        // What a step of Cb or Cr of the source is, as BT.709's Y, Cb, Cr.
        let column = |cb: f64, cr: f64| {
            let (red, blue) = ((2.0 - 2.0 * kr) * cr, (2.0 - 2.0 * kb) * cb);
            let green = -(kr * red + kb * blue) / (1.0 - kr - kb);
            let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            [luma, (blue - luma) / (2.0 - 2.0 * 0.0722), (red - luma) / (2.0 - 2.0 * 0.2126)]
        };
        let columns = [column(1.0, 0.0), column(0.0, 1.0)];
        let factors = |row: usize, span: f64| columns.map(|column| fixed(column[row] * span / chroma_span));
        Self {
            luma: fixed(219.0 / luma_span),
            black: [black, 16],
            shift: factors(0, 219.0),
            cb: factors(1, 224.0),
            cr: factors(2, 224.0),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "factors below 2")]
fn fixed(factor: f64) -> i32 {
    (factor * 4096.0).round() as i32
}
