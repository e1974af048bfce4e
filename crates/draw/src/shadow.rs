//! A soft shadow below what was drawn.
//!
//! Called by text and cards, whose pixels leave room for it. The outline is blurred by three box filters, which come
//! within a few hundredths of a Gaussian (Wells 1986), and each costs the same however wide it is.

use pixels::compose::{Bitmap, PIXEL};
use scene::style::Shadow;
use vello_cpu::kurbo::Rect;

/// `rect` with the shadow it throws.
#[expect(clippy::cast_precision_loss, reason = "radii are at most a few hundred")]
pub(crate) fn reach(rect: Rect, shadow: Option<&Shadow>) -> Rect {
    let Some(shadow) = shadow.filter(|shadow| shadow.color.a > 0) else { return rect };
    let soft = radii(shadow.blur).iter().sum::<usize>() as f64 + 1.0;
    let thrown = rect + vello_cpu::kurbo::Vec2::new(shadow.offset_x, shadow.offset_y);
    rect.union(thrown.inflate(soft, soft))
}

/// Half the sides, in px, of three boxes that together blur like a Gaussian of deviation `blur / 2`.
///
/// The variance of a box `w` wide is `(w² - 1) / 12`; the first boxes are two px narrower than the last as it takes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "blur is bounded")]
fn radii(blur: f64) -> [usize; 3] {
    let variance = (blur.clamp(0.0, 400.0) / 2.0).powi(2);
    let wide = (4.0 * variance + 1.0).sqrt();
    let radius = ((wide - 1.0) / 2.0).floor();
    let narrow = 2.0 * radius + 1.0;
    let wider = ((12.0 * variance - 3.0 * (narrow * narrow - 1.0)) / (4.0 * narrow + 4.0)).round();
    [0, 1, 2].map(|index| radius as usize + usize::from(f64::from(index) >= 3.0 - wider))
}

/// Puts the shadow of what is in `drawn` below it.
pub(crate) fn cast(drawn: &mut Bitmap, shadow: &Shadow) {
    if shadow.color.a == 0 || drawn.width() == 0 {
        return;
    }
    let (width, height) = (drawn.width() as usize, drawn.height() as usize);
    let alpha: Vec<u8> = drawn.data().chunks_exact(PIXEL).map(|pixel| pixel[3]).collect();
    let mut moved = vec![0; alpha.len()];
    shift(&alpha, &mut moved, width, (shadow.offset_x, shadow.offset_y));
    let radii = radii(shadow.blur);
    if radii != [0; 3] {
        let mut turned = alpha;
        smear_rows(&mut moved, width, radii);
        transpose(&moved, &mut turned, width);
        smear_rows(&mut turned, height, radii);
        transpose(&turned, &mut moved, height);
    }
    let colour = [shadow.color.r, shadow.color.g, shadow.color.b, shadow.color.a].map(u32::from);
    for (pixel, alpha) in drawn.data_mut().chunks_exact_mut(PIXEL).zip(&moved) {
        if *alpha == 0 || pixel[3] == 255 {
            continue;
        }
        let strength = u32::from(*alpha) * colour[3] * (255 - u32::from(pixel[3]));
        for (channel, colour) in pixel.iter_mut().zip([colour[0], colour[1], colour[2], 255]) {
            // Three factors of 255 too many, rounded.
            let below = (u64::from(colour) * u64::from(strength) + (255 * 255 * 255) / 2) / (255 * 255 * 255);
            *channel = channel.saturating_add(u8::try_from(below).unwrap_or(255));
        }
    }
}

/// Moves a plane by parts of pixels, bilinearly.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "offsets are bounded by the scene"
)]
fn shift(from: &[u8], to: &mut [u8], width: usize, (across, down): (f64, f64)) {
    let height = from.len() / width;
    let (left, top) = (across.floor() as isize, down.floor() as isize);
    let part = |offset: f64| (offset.rem_euclid(1.0) * 256.0) as u32;
    let (x_part, y_part) = (part(across), part(down));
    let at = |x: isize, y: isize| -> u32 {
        let inside = x >= 0 && y >= 0 && (x as usize) < width && (y as usize) < height;
        if inside { u32::from(from[y as usize * width + x as usize]) } else { 0 }
    };
    for (y, row) in (0_isize..).zip(to.chunks_exact_mut(width)) {
        let source = y - top;
        if source < 0 || source > height as isize {
            continue;
        }
        for (x, target) in (0_isize..).zip(row) {
            let (x, y) = (x - left, source);
            let upper = at(x - 1, y - 1) * x_part + at(x, y - 1) * (256 - x_part);
            let lower = at(x - 1, y) * x_part + at(x, y) * (256 - x_part);
            *target = ((upper * y_part + lower * (256 - y_part) + (1 << 15)) >> 16).min(255) as u8;
        }
    }
}

/// Smears each row of a plane three times.
fn smear_rows(plane: &mut [u8], width: usize, [first, second, third]: [usize; 3]) {
    let (mut once, mut twice) = (vec![0; width], vec![0; width]);
    for row in plane.chunks_exact_mut(width).filter(|row| row.iter().any(|sample| *sample > 0)) {
        smear(row, &mut once, first);
        smear(&once, &mut twice, second);
        smear(&twice, row, third);
    }
}

/// The mean of each sample of `from` and its `radius` neighbours on both sides; there is nothing beyond the ends.
fn smear(from: &[u8], to: &mut [u8], radius: usize) {
    let side = u32::try_from(2 * radius + 1).unwrap_or(u32::MAX);
    let mut sum: u32 = from.iter().take(radius).copied().map(u32::from).sum();
    let coming = from.iter().skip(radius).copied().chain(std::iter::repeat(0));
    let going = std::iter::repeat_n(0, radius + 1).chain(from.iter().copied());
    for ((target, new), old) in to.iter_mut().zip(coming).zip(going) {
        sum = sum + u32::from(new) - u32::from(old);
        *target = u8::try_from((sum + side / 2) / side).unwrap_or(255);
    }
}

fn transpose(from: &[u8], to: &mut [u8], width: usize) {
    let height = from.len() / width;
    const BLOCK: usize = 32;
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            for y in top..(top + BLOCK).min(height) {
                for x in left..(left + BLOCK).min(width) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alpha_of(bitmap: &Bitmap, x: u32, y: u32) -> u8 {
        bitmap.pixel(x, y)[3]
    }

    #[test]
    fn smearing_keeps_the_sum_and_widens_evenly() {
        let (mut dot, mut row) = (vec![0; 41], vec![9; 41]);
        dot[20] = 210;
        smear(&dot, &mut row, 3);
        let want: Vec<u8> = (0..41).map(|x: i32| if (17..=23).contains(&x) { 30 } else { 0 }).collect();
        assert_eq!(row, want);
        let mut short = vec![0; 3];
        smear(&[100; 3], &mut short, 10);
        assert_eq!(short, [14, 14, 14]);
    }

    #[test]
    fn a_hard_shadow_is_the_outline_moved() {
        let mut bitmap = Bitmap::new(20, 20);
        for y in 5..8 {
            bitmap.row_mut(y)[5 * PIXEL..8 * PIXEL].copy_from_slice(&[255, 255, 255, 255].repeat(3));
        }
        let shadow = Shadow {
            color: scene::Color { r: 200, g: 0, b: 0, a: 128 },
            blur: 0.0,
            offset_x: 4.0,
            offset_y: -2.0,
        };
        cast(&mut bitmap, &shadow);
        assert_eq!(bitmap.pixel(6, 6), [255; 4]);
        assert_eq!(bitmap.pixel(10, 4), [100, 0, 0, 128]);
        assert_eq!(bitmap.pixel(12, 4), [0; 4]);
        assert_eq!(bitmap.pixel(10, 6), [0; 4]);
    }

    #[test]
    fn a_soft_shadow_fades_like_a_gaussian() {
        let mut bitmap = Bitmap::new(200, 200);
        bitmap.row_mut(100)[..].fill(0);
        for y in 0..200 {
            bitmap.row_mut(y)[..100 * PIXEL].copy_from_slice(&[0, 0, 0, 255].repeat(100));
        }
        let shadow = Shadow {
            color: scene::Color { r: 0, g: 0, b: 0, a: 255 },
            blur: 20.0,
            offset_x: 0.0,
            offset_y: 0.0,
        };
        cast(&mut bitmap, &shadow);
        // The edge of a half plane blurred by a deviation of 10: the normal distribution at 0.05, 1.05, 2.05.
        for (x, want) in [(100, 122), (110, 37), (120, 5)] {
            assert!(alpha_of(&bitmap, x, 100).abs_diff(want) <= 4, "{x}: {}", alpha_of(&bitmap, x, 100));
        }
    }
}
