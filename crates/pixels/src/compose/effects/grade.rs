//! Brightness, contrast, saturation, hue; and tint.

use super::{bounded, each_pixel, rgb, ycc};
use crate::compose::bitmap::Bitmap;
use crate::compose::colour::byte;
use crate::compose::simd::dispatched;
use crate::plane::{I420, Range};

/// The effect `color`. Done on luma and chroma, in bitmaps as in planes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grade {
    /// Added to luma: -1 is black, 0 as it was, 1 white.
    pub brightness: f32,
    /// Around the middle grey: 0 is grey, 1 as it was; at most 8.
    pub contrast: f32,
    /// 0 is without colour, 1 as it was; at most 8.
    pub saturation: f32,
    /// Degrees round the colour circle, from red towards yellow.
    pub hue: f32,
}

impl Default for Grade {
    fn default() -> Self {
        Self { brightness: 0.0, contrast: 1.0, saturation: 1.0, hue: 0.0 }
    }
}

/// The same as numbers to multiply with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factors {
    gain: f32,
    /// Added to luma (0–1).
    start: f32,
    /// Cosine and sine of the turn of Cb and Cr, times their gain.
    turn: [f32; 2],
}

impl Grade {
    /// Applies it to a bitmap.
    pub fn bitmap(&self, bitmap: &mut Bitmap) {
        let Factors { gain, start, turn: [cos, sin] } = self.factors();
        each_pixel(bitmap, |colour, alpha| {
            let [y, cb, cr] = ycc(colour);
            (rgb([y * gain + start, cb * cos - cr * sin, cr * cos + cb * sin]), alpha)
        });
    }

    /// Applies it to planes.
    pub(crate) fn planes(&self, picture: &mut I420) {
        if *self == Self::default() {
            return;
        }
        let factors = self.factors();
        let (black, span) = if picture.range == Range::Full { (0.0, 255.0) } else { (16.0, 219.0) };
        for y in 0..picture.height {
            luma::best(picture.y.row_mut(y), factors, black, span);
        }
        for y in 0..picture.u.height {
            chroma::best(picture.u.row_mut(y), picture.v.row_mut(y), factors);
        }
    }

    fn factors(&self) -> Factors {
        let contrast = bounded(self.contrast, 0.0, 8.0, 1.0);
        let strength = contrast * bounded(self.saturation, 0.0, 8.0, 1.0);
        let hue = if self.hue.is_finite() { self.hue.rem_euclid(360.0).to_radians() } else { 0.0 };
        let start = 0.5 - 0.5 * contrast + bounded(self.brightness, -1.0, 1.0, 0.0);
        Factors { gain: contrast, start, turn: [hue.cos() * strength, hue.sin() * strength] }
    }
}

dispatched! {
    fn luma(row: &mut [u8], factors: Factors, black: f32, span: f32) {
        let (gain, start) = (factors.gain, black + factors.start * span - black * factors.gain);
        for sample in row {
            *sample = byte((f32::from(*sample) * gain + start).max(black).min(black + span));
        }
    }
}

dispatched! {
    fn chroma(u: &mut [u8], v: &mut [u8], factors: Factors) {
        let [cos, sin] = factors.turn;
        for (u, v) in u.iter_mut().zip(v) {
            let (cb, cr) = (f32::from(*u) - 128.0, f32::from(*v) - 128.0);
            *u = byte((cb * cos - cr * sin + 128.0).clamp(0.0, 255.0));
            *v = byte((cr * cos + cb * sin + 128.0).clamp(0.0, 255.0));
        }
    }
}

/// The effect `tint`: colours moved towards `colour` (sRGB) by `amount` (0–1); alpha stays.
pub fn tint(bitmap: &mut Bitmap, colour: [u8; 3], amount: f32) {
    let (amount, colour) = (bounded(amount, 0.0, 1.0, 0.0), colour.map(|c| f32::from(c) / 255.0));
    each_pixel(bitmap, |own, alpha| (std::array::from_fn(|i| own[i] + (colour[i] - own[i]) * amount), alpha));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Matrix;

    #[test]
    fn a_grade_changes_what_it_says() {
        let grade = |brightness, contrast, saturation, hue| Grade { brightness, contrast, saturation, hue };
        for (grade, from, to) in [
            (Grade::default(), [200, 30, 90, 255], [200, 30, 90, 255]),
            (grade(0.0, 1.0, 0.0, 0.0), [255, 0, 0, 255], [54, 54, 54, 255]),
            (grade(0.0, 0.0, 1.0, 0.0), [255, 0, 0, 255], [128, 128, 128, 255]),
            (grade(1.0, 1.0, 0.0, 0.0), [60, 60, 60, 100], [100, 100, 100, 100]),
            (grade(-1.0, 1.0, 1.0, 0.0), [60, 60, 60, 100], [0, 0, 0, 100]),
            (grade(f32::NAN, f32::NAN, f32::NAN, f32::INFINITY), [9, 8, 7, 99], [9, 8, 7, 99]),
        ] {
            let mut bitmap = Bitmap::filled(2, 2, from);
            grade.bitmap(&mut bitmap);
            assert!(
                bitmap.pixel(1, 1).iter().zip(to).all(|(a, b)| a.abs_diff(b) <= 1),
                "{grade:?}: {bitmap:?}"
            );
        }
        // A twelfth of the circle from red is towards yellow: green grows.
        let mut bitmap = Bitmap::filled(1, 1, [200, 50, 50, 255]);
        grade(0.0, 1.0, 1.0, 30.0).bitmap(&mut bitmap);
        let [r, g, b, _] = bitmap.pixel(0, 0);
        assert!(g > b && r > g, "{r} {g} {b}");
    }

    #[test]
    fn planes_are_graded_as_bitmaps_are() {
        let grade = Grade { brightness: 0.1, contrast: 0.8, saturation: 0.7, hue: 25.0 };
        for colour in [[180, 90, 60, 255], [40, 80, 160, 255], [128, 128, 128, 255]] {
            let mut bitmap = Bitmap::filled(1, 1, colour);
            let [y, u, v, _] = crate::compose::colour::texel(colour);
            let mut planes = I420::new(37, 2, Range::Limited, Matrix::Bt709);
            planes.planes_mut().into_iter().zip([y, u, v]).for_each(|(plane, code)| plane.fill(code));
            grade.planes(&mut planes);
            grade.bitmap(&mut bitmap);
            let want = crate::compose::colour::texel(bitmap.pixel(0, 0));
            let got = [planes.y.row(1)[36], planes.u.row(0)[18], planes.v.row(0)[18]];
            assert!(
                got.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 1),
                "{colour:?}: {got:?} for {want:?}"
            );
        }
    }

    #[test]
    fn a_tint_moves_colours_and_keeps_alpha() {
        let mut bitmap = Bitmap::filled(1, 1, [0, 100, 0, 100]);
        tint(&mut bitmap, [255, 0, 0], 0.5);
        assert_eq!(bitmap.pixel(0, 0), [50, 50, 0, 100]);
        tint(&mut bitmap, [1, 2, 3], f32::NAN);
        assert_eq!(bitmap.pixel(0, 0), [50, 50, 0, 100]);
    }
}
