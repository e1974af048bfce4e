//! A box of a picture as upright letters: 255 is ink, 0 is what it stands on.
//!
//! Called by the readers of text. Pure and bounded: whatever the box, no more than [`MOST_ACROSS`] samples in a row.

use pixels::{I420, Plane, Quad, Range};

use crate::raw::Polarity;

/// The widest crop, in samples: a line of 40 letters 48 high is half of it.
pub(super) const MOST_ACROSS: u32 = 2048;
/// Fewer lines of a picture than this hold no letters.
const LEAST_DOWN: f32 = 6.0;
/// Less between dark and bright than this (of 255) is a flat box with noise on it.
const LEAST_CONTRAST: u8 = 32;

/// `quad` at `height` lines, its proportions kept; `None` when it is not whole in the picture, too small for letters, or flat.
/// Stretched to black and white.
pub(super) fn stretched(picture: &I420, quad: &Quad, height: u32) -> Option<Plane> {
    let inner = inside(picture, quad)?;
    let mut plane = upright(&picture.y, &inner, width(&inner, height), height);
    stretch(&mut plane, picture.range).then_some(plane)
}

/// Letters bright, ground dark, whatever they were.
pub(super) fn to_ink(plane: &mut Plane, polarity: Polarity) {
    let dark = match polarity {
        Polarity::Light => false,
        Polarity::Dark => true,
        Polarity::Auto => {
            let level = otsu(plane);
            let bright = plane.data.iter().filter(|sample| **sample > level).count();
            bright * 2 > plane.data.len()
        }
    };
    if dark {
        plane.data.iter_mut().for_each(|sample| *sample = 255 - *sample);
    }
}

/// The box cut to the picture when it reaches out by less than a pixel; `None` when by more, or when it is no box.
fn inside(picture: &I420, quad: &Quad) -> Option<Quad> {
    let grown = Quad { x: quad.x + 1.0, y: quad.y + 1.0, ..*quad };
    let whole = grown.inside(picture.width + 2, picture.height + 2);
    // Not a number fails these, too.
    (whole && quad.width >= 3.0 && quad.height >= LEAST_DOWN && quad.slant.is_finite()).then_some(*quad)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped"
)]
fn width(quad: &Quad, height: u32) -> u32 {
    (quad.width * height as f32 / quad.height).round().clamp(4.0, MOST_ACROSS as f32) as u32
}

/// Black and white at the ends of what occurs, but for a hundredth of the samples on either side. Says whether there was
/// contrast enough.
fn stretch(plane: &mut Plane, range: Range) -> bool {
    let counts = histogram(plane);
    let few = plane.data.len() / 100;
    let end = |levels: &[u8]| {
        let mut seen = 0;
        levels.iter().copied().find(|level| {
            seen += counts[usize::from(*level)];
            seen > few
        })
    };
    let mut levels: Vec<u8> = (0..=255).collect();
    let low = end(&levels);
    levels.reverse();
    let high = end(&levels);
    let (Some(low), Some(high)) = (low, high) else { return false };
    let least = if range == Range::Full { LEAST_CONTRAST } else { LEAST_CONTRAST * 7 / 8 };
    if high.saturating_sub(low) < least {
        return false;
    }
    let (low, span) = (u16::from(low), u16::from(high - low));
    for sample in &mut plane.data {
        let level = (u16::from(*sample).saturating_sub(low) * 255 / span).min(255);
        *sample = u8::try_from(level).unwrap_or(255);
    }
    true
}

fn histogram(plane: &Plane) -> [usize; 256] {
    let mut counts = [0; 256];
    plane.data.iter().for_each(|sample| counts[usize::from(*sample)] += 1);
    counts
}

/// The level that parts dark from bright best: most variance between the two (Otsu, 1979).
#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^52")]
pub(super) fn otsu(plane: &Plane) -> u8 {
    let counts = histogram(plane);
    let all = plane.data.len() as f64;
    let total: f64 = (0_u8..=255).zip(counts).map(|(level, count)| f64::from(level) * count as f64).sum();
    let (mut below, mut sum, mut best) = (0.0, 0.0, (0.0, 127));
    for (level, count) in (0_u8..=255).zip(counts) {
        below += count as f64;
        sum += f64::from(level) * count as f64;
        let above = all - below;
        if below > 0.0 && above > 0.0 {
            let apart = sum / below - (total - sum) / above;
            let variance = below * above * apart * apart;
            if variance > best.0 {
                best = (variance, level);
            }
        }
    }
    best.1
}

/// Catmull-Rom when it grows, a triangle over what it covers when it shrinks: letters stay smooth and thin lines stay there.
pub(super) fn upright(plane: &Plane, quad: &Quad, width: u32, height: u32) -> Plane {
    let mut out = Plane::new(width, height, 0);
    let down: Vec<Taps> = taps(quad.y, quad.height, height);
    let (Some(first), Some(last)) = (
        down.iter().map(|taps| taps.first).min(),
        down.iter().map(|taps| taps.first + i64::try_from(taps.weights.len()).unwrap_or(0)).max(),
    ) else {
        return out;
    };
    let straight = taps(quad.x, quad.width, width);
    let lines: Vec<Vec<f32>> = (first..last)
        .map(|y| {
            let line = plane.row(index(y, plane.height));
            if quad.slant == 0.0 {
                return straight.iter().map(|taps| taps.of(line)).collect();
            }
            #[expect(clippy::cast_precision_loss, reason = "a line of a picture")]
            let lean = quad.slant * ((y as f32 + 0.5 - quad.y) / quad.height).clamp(0.0, 1.0);
            taps(quad.x + lean, quad.width, width).iter().map(|taps| taps.of(line)).collect()
        })
        .collect();
    let mut sums = vec![0.0; width as usize];
    for (row, taps) in (0..height).zip(&down) {
        sums.fill(0.0);
        let start = usize::try_from(taps.first - first).unwrap_or(0);
        for (line, weight) in lines[start..].iter().zip(&taps.weights) {
            sums.iter_mut().zip(line).for_each(|(sum, sample)| *sum += sample * weight);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        out.row_mut(row)
            .iter_mut()
            .zip(&sums)
            .for_each(|(to, sum)| *to = (sum + 0.5).clamp(0.0, 255.0) as u8);
    }
    out
}

/// Which samples make one of the result, and how much each counts; they add up to 1.
struct Taps {
    first: i64,
    weights: Vec<f32>,
}

impl Taps {
    fn of(&self, line: &[u8]) -> f32 {
        let size = u32::try_from(line.len()).unwrap_or(u32::MAX);
        (self.first..)
            .zip(&self.weights)
            .map(|(at, weight)| f32::from(line[index(at, size) as usize]) * weight)
            .sum()
    }
}

/// The sample there; the edge goes on outside.
fn index(at: i64, size: u32) -> u32 {
    u32::try_from(at.max(0)).unwrap_or(u32::MAX).min(size.saturating_sub(1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a box inside a picture"
)]
fn taps(from: f32, length: f32, count: u32) -> Vec<Taps> {
    let step = length / count as f32;
    let wide = step.max(1.0);
    let reach = if step > 1.0 { wide } else { 2.0 };
    (0..count)
        .map(|i| {
            let centre = from + (i as f32 + 0.5) * step - 0.5;
            let first = (centre - reach).ceil();
            let last = (centre + reach).floor();
            let weight = |at: f32| {
                let t = ((at - centre) / wide).abs();
                if step > 1.0 { (1.0 - t).max(0.0) } else { catmull_rom(t) }
            };
            let count = (last - first).max(0.0) as usize + 1;
            let mut weights: Vec<f32> = (0..count).map(|n| weight(first + n as f32)).collect();
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Taps { first: first as i64, weights }
        })
        .collect()
}

fn catmull_rom(t: f32) -> f32 {
    if t < 1.0 {
        (1.5 * t - 2.5) * t * t + 1.0
    } else if t < 2.0 {
        ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixels::Matrix;

    fn picture() -> I420 {
        let mut picture = I420::new(80, 40, Range::Full, Matrix::Bt601);
        for y in 0..40 {
            picture.y.row_mut(y).fill(60);
            picture.y.row_mut(y)[20..30].fill(140);
        }
        picture
    }

    #[test]
    fn a_crop_is_stretched_and_letters_are_bright_whatever_they_were() {
        let quad = Quad { x: 0.0, y: 4.0, width: 80.0, height: 16.0, slant: 0.0 };
        let crop = stretched(&picture(), &quad, 48).unwrap();
        assert_eq!((crop.width, crop.height), (240, 48));
        for (polarity, letter) in [(Polarity::Auto, 255), (Polarity::Light, 255), (Polarity::Dark, 0)] {
            let mut ink = crop.clone();
            to_ink(&mut ink, polarity);
            let near = |x: usize, want: u8| ink.row(24)[x].abs_diff(want) < 16;
            assert!(near(75, letter) && near(200, 255 - letter), "{polarity:?}");
        }
        let level = otsu(&crop);
        assert!((1..255).contains(&level), "{level}");
    }

    #[test]
    fn a_leaning_box_comes_out_upright() {
        let mut picture = I420::new(80, 40, Range::Full, Matrix::Bt601);
        for y in 0..40_u32 {
            let at = 20 + y as usize / 4;
            picture.y.row_mut(y)[at..at + 10].fill(200);
        }
        let quad = Quad { x: 10.0, y: 0.0, width: 40.0, height: 40.0, slant: 10.0 };
        let crop = stretched(&picture, &quad, 40).unwrap();
        for y in 0..40 {
            assert!(
                crop.row(y)[13..17].iter().all(|s| *s > 220) && crop.row(y)[24..].iter().all(|s| *s < 60),
                "{y}"
            );
        }
    }

    #[test]
    fn a_flat_box_and_one_that_is_no_box_are_nothing() {
        let quad = Quad { x: 40.0, y: 4.0, width: 30.0, height: 16.0, slant: 0.0 };
        assert!(stretched(&picture(), &quad, 48).is_none(), "flat");
        let whole = Quad { x: 0.0, y: 0.0, width: 80.0, height: 40.0, slant: 0.0 };
        assert!(stretched(&picture(), &whole, 48).is_some());
        for quad in [
            Quad { x: -2.0, ..whole },
            Quad { height: 42.0, ..whole },
            Quad { slant: f32::NAN, ..whole },
            Quad { height: 5.0, ..whole },
            Quad { width: -80.0, ..whole },
        ] {
            assert!(stretched(&picture(), &quad, 48).is_none(), "{quad:?}");
        }
        // Very wide: bounded.
        let mut long = I420::new(4000, 8, Range::Full, Matrix::Bt601);
        long.y.row_mut(3).fill(255);
        let line = Quad { x: 0.0, y: 0.0, width: 4000.0, height: 8.0, slant: 0.0 };
        assert_eq!(stretched(&long, &line, 48).unwrap().width, MOST_ACROSS);
    }
}
