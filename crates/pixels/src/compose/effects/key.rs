//! The chroma key: a colour made transparent.

use super::{bounded, each_pixel, rgb, ycc};
use crate::compose::bitmap::Bitmap;
use crate::compose::colour::byte;
use crate::compose::simd::dispatched;

/// The effect `chromaKey`. How far a colour is from the key's is measured in Cb and Cr (0–1 across), not in luma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// sRGB.
    pub color: [u8; 3],
    /// Colours nearer than this are transparent, 0–1; 0.15 to 0.25 suit a lit green wall.
    pub similarity: f32,
    /// How much further they are opaque again, 0–1.
    pub smoothness: f32,
    /// How far from transparent colours lose their colour, so that the wall's light on hair and shoulders does not show,
    /// 0–1.
    pub spill: f32,
}

/// The same as numbers to calculate with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    chroma: [f32; 2],
    similarity: f32,
    /// By what a distance is multiplied.
    smoothness: f32,
    spill: f32,
}

impl Key {
    /// Applies it to a bitmap.
    pub fn bitmap(&self, bitmap: &mut Bitmap) {
        let numbers = self.numbers();
        each_pixel(bitmap, |colour, alpha| {
            let [y, cb, cr] = ycc(colour);
            let [share, kept] = numbers.of(cb, cr);
            (rgb([y, cb * kept, cr * kept]), alpha * share)
        });
    }

    /// Applies it to a row of Cb and Cr of limited range; writes what becomes of alpha.
    pub(crate) fn row(&self, u: &mut [u8], v: &mut [u8], alpha: &mut [u8]) {
        keyed::best(u, v, alpha, self.numbers());
    }

    fn numbers(&self) -> Numbers {
        let [_, cb, cr] = ycc(self.color.map(|c| f32::from(c) / 255.0));
        let wide = |n: f32| bounded(n, 0.0, 1.0, 0.0);
        let slope = |n: f32| 1.0 / wide(n).max(1.0 / 512.0);
        Numbers {
            chroma: [cb, cr],
            similarity: wide(self.similarity),
            smoothness: slope(self.smoothness),
            spill: slope(self.spill),
        }
    }
}

impl Numbers {
    /// How opaque a colour stays, and how much of its chroma.
    #[inline(always)]
    fn of(&self, cb: f32, cr: f32) -> [f32; 2] {
        let (across, up) = (cb - self.chroma[0], cr - self.chroma[1]);
        let beyond = (across * across + up * up).sqrt() - self.similarity;
        [self.smoothness, self.spill].map(|slope| (beyond * slope).clamp(0.0, 1.0))
    }
}

dispatched! {
    fn keyed(u: &mut [u8], v: &mut [u8], alpha: &mut [u8], numbers: Numbers) {
        for ((u, v), alpha) in u.iter_mut().zip(v).zip(alpha) {
            let (cb, cr) = (f32::from(*u) - 128.0, f32::from(*v) - 128.0);
            let [share, kept] = numbers.of(cb / 224.0, cr / 224.0);
            *alpha = byte(share * 255.0);
            (*u, *v) = (byte(cb * kept + 128.0), byte(cr * kept + 128.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::colour::texel;

    #[test]
    fn the_keys_colour_goes_and_others_stay() {
        let key = Key { color: [0, 255, 0], similarity: 0.2, smoothness: 0.1, spill: 0.1 };
        for (colour, alpha) in [
            ([0, 255, 0, 255], 0),
            ([10, 230, 20, 255], 0),
            ([220, 170, 140, 255], 255),
            ([255, 255, 255, 255], 255),
            ([0, 0, 0, 255], 255),
        ] {
            let mut bitmap = Bitmap::filled(1, 1, colour);
            key.bitmap(&mut bitmap);
            let got = bitmap.pixel(0, 0);
            assert_eq!(got[3], alpha, "{colour:?}");
            if alpha == 255 {
                assert!(got.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 1), "{colour:?}: {got:?}");
            }
            let [_, mut u, mut v, _] = texel(colour).map(|code| [code]);
            let mut row = [9];
            key.row(&mut u, &mut v, &mut row);
            assert_eq!(row, [alpha], "{colour:?} in planes");
        }
    }

    #[test]
    fn what_is_between_is_half_transparent_and_loses_its_tinge() {
        let key = Key { color: [0, 255, 0], similarity: 0.1, smoothness: 0.5, spill: 0.8 };
        let mut bitmap = Bitmap::filled(1, 1, [90, 200, 90, 255]);
        key.bitmap(&mut bitmap);
        let [r, g, b, a] = bitmap.pixel(0, 0);
        assert!((50..230).contains(&a), "{a}");
        let tinge = |r: u8, g: u8, b: u8, a: u8| (f32::from(g) - f32::from(r.max(b))) / f32::from(a);
        assert!(tinge(r, g, b, a) < tinge(90, 200, 90, 255) / 2.0, "{r} {g} {b} {a}");
    }

    #[test]
    fn what_the_machine_can_do_equals_the_truth_and_hostile_numbers_harm_nothing() {
        let mut noise = crate::compose::testing::Noise::new(8);
        for number in [0.0, 0.3, 1.0, f32::NAN, f32::INFINITY, -4.0] {
            let key = Key { color: [9, 99, 199], similarity: number, smoothness: number, spill: number };
            for count in [1, 15, 64, 77] {
                let (u, v) = (noise.bytes(count), noise.bytes(count));
                let (mut fast, mut truth) = ((u.clone(), v.clone(), u.clone()), (u.clone(), v, u));
                keyed::best(&mut fast.0, &mut fast.1, &mut fast.2, key.numbers());
                keyed::portable(&mut truth.0, &mut truth.1, &mut truth.2, key.numbers());
                assert_eq!(fast, truth);
            }
        }
    }
}
