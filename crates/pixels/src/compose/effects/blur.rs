//! Blur, and what is made of it: shadow and glow.

use super::bounded;
use crate::compose::bitmap::{Bitmap, PIXEL};
use crate::compose::rows::{div255, low};

/// Larger radii count as this one, in pixels.
pub const MAX_RADIUS: f32 = 256.0;

/// A bitmap that has become larger on all sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    pub bitmap: Bitmap,
    /// Where the former's left upper corner now is in it.
    pub left: u32,
    pub top: u32,
}

/// The effect `blur`: a Gaussian of a standard deviation of half the radius (as CSS's shadows have), which three means in
/// a row come close to.
#[must_use]
pub fn blur(bitmap: &Bitmap, radius: f32) -> Grown {
    let passes = passes(radius);
    let margin = passes.iter().sum::<u32>();
    let mut grown = grow(bitmap, [margin; 4]);
    smooth(&mut grown.bitmap, passes);
    grown
}

/// The effect `shadow`: the bitmap's shape in `color` (sRGB and alpha), blurred as by [`blur`], moved, and under it.
/// Moves are bounded as radii are.
#[must_use]
pub fn shadow(bitmap: &Bitmap, color: [u8; 4], radius: f32, (x, y): (f32, f32)) -> Grown {
    let passes = passes(radius);
    let margin = i32::try_from(passes.iter().sum::<u32>()).unwrap_or(0);
    let [x, y] = [x, y].map(|n| whole(bounded(n, -MAX_RADIUS, MAX_RADIUS, 0.0)));
    let side = |n: i32| n.max(0).unsigned_abs();
    let mut grown = grow(bitmap, [side(margin - x), side(margin - y), side(margin + x), side(margin + y)]);
    let mut shape = Bitmap::new(grown.bitmap.width(), grown.bitmap.height());
    silhouette(
        bitmap,
        color,
        &mut shape,
        (grown.left.saturating_add_signed(x), grown.top.saturating_add_signed(y)),
    );
    smooth(&mut shape, passes);
    under(&mut grown.bitmap, &shape);
    grown
}

/// The effect `glow`: light of `color` (sRGB and alpha) around the bitmap's shape, brighter than a shadow is dark.
#[must_use]
pub fn glow(bitmap: &Bitmap, color: [u8; 4], radius: f32) -> Grown {
    let passes = passes(radius);
    let mut grown = grow(bitmap, [passes.iter().sum(); 4]);
    let mut shape = Bitmap::new(grown.bitmap.width(), grown.bitmap.height());
    silhouette(bitmap, color, &mut shape, (grown.left, grown.top));
    smooth(&mut shape, passes);
    let most = u16::from(color[3]);
    for pixel in shape.data_mut().chunks_exact_mut(PIXEL) {
        // Twice as strong, up to what the colour allows.
        let alpha = u16::from(pixel[3]);
        if alpha > 0 {
            let wanted = (2 * alpha).min(most.max(alpha));
            let scaled = |sample: u8| low((u16::from(sample) * 2).min(u16::from(sample) * wanted / alpha));
            pixel.copy_from_slice(&[scaled(pixel[0]), scaled(pixel[1]), scaled(pixel[2]), low(wanted)]);
        }
    }
    under(&mut grown.bitmap, &shape);
    grown
}

/// How far three means in a row reach on each side, so that together they are as wide as the Gaussian.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the largest radius")]
fn passes(radius: f32) -> [u32; 3] {
    let deviation = bounded(radius, 0.0, MAX_RADIUS, 0.0) / 2.0;
    // The variance of a mean of `w` samples is (w² - 1) / 12; some of the three are of one width, the rest two wider.
    let variance = 12.0 * deviation * deviation;
    let ideal = (variance / 3.0 + 1.0).sqrt();
    let reach = (((ideal - 1.0) / 2.0).floor()).max(0.0);
    let width = 2.0 * reach + 1.0;
    let narrow = ((variance - 3.0 * width * width - 12.0 * width - 9.0) / (-4.0 * width - 4.0)).round();
    std::array::from_fn(|pass| reach as u32 + u32::from(pass as f32 >= narrow))
}

fn whole(n: f32) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the largest radius")]
    let n = n.round() as i32;
    n
}

/// The bitmap with that much room to the left, above, to the right and below.
fn grow(bitmap: &Bitmap, [left, top, right, bottom]: [u32; 4]) -> Grown {
    let mut out = Bitmap::new(bitmap.width() + left + right, bitmap.height() + top + bottom);
    let from = left as usize * PIXEL;
    for y in 0..bitmap.height() {
        let row = bitmap.row(y);
        out.row_mut(y + top)[from..from + row.len()].copy_from_slice(row);
    }
    Grown { bitmap: out, left, top }
}

/// The shape of `bitmap` in one colour, its corner at `left`, `top` of `out`.
fn silhouette(bitmap: &Bitmap, color: [u8; 4], out: &mut Bitmap, (left, top): (u32, u32)) {
    let [r, g, b, a] = color.map(u16::from);
    let full = [div255(r * a), div255(g * a), div255(b * a), a];
    let from = left as usize * PIXEL;
    for y in 0..bitmap.height().min(out.height().saturating_sub(top)) {
        let pixels = out.row_mut(y + top)[from..].chunks_exact_mut(PIXEL);
        for (out, pixel) in pixels.zip(bitmap.row(y).chunks_exact(PIXEL)) {
            let alpha = u16::from(pixel[3]);
            out.copy_from_slice(&full.map(|sample| low(div255(sample * alpha))));
        }
    }
}

/// Lays `below` under `bitmap`, which has its size.
fn under(bitmap: &mut Bitmap, below: &Bitmap) {
    for (pixel, below) in bitmap.data_mut().chunks_exact_mut(PIXEL).zip(below.data().chunks_exact(PIXEL)) {
        let through = 255 - u16::from(pixel[3]);
        for (sample, below) in pixel.iter_mut().zip(below) {
            *sample = low((u16::from(*sample) + div255(u16::from(*below) * through)).min(255));
        }
    }
}

/// Takes means across and down, once for each pass.
fn smooth(bitmap: &mut Bitmap, passes: [u32; 3]) {
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let mut line = vec![0; width * PIXEL];
    let mut sums = vec![0_u32; width * PIXEL];
    let mut source = Vec::new();
    for reach in passes.into_iter().filter(|reach| *reach > 0) {
        for row in bitmap.data_mut().chunks_exact_mut((width * PIXEL).max(1)) {
            line.copy_from_slice(row);
            across(&line, row, reach as usize);
        }
        source.clear();
        source.extend_from_slice(bitmap.data());
        down(&source, bitmap.data_mut(), &mut sums, height, reach as usize);
    }
}

/// `1 / (2·reach + 1)` in 2^23ths.
fn share(reach: usize) -> u32 {
    let width = u32::try_from(2 * reach + 1).unwrap_or(u32::MAX);
    (1 << 23) / width
}

fn mean(sum: u32, share: u32) -> u8 {
    // The sum is at most 255 times what `share` is one part of, so the product is below 255·2^23.
    ((sum * share + (1 << 22)) >> 23).to_le_bytes()[0]
}

fn across(from: &[u8], to: &mut [u8], reach: usize) {
    let share = share(reach);
    for channel in 0..PIXEL {
        let at = |x: usize| from.get(x * PIXEL + channel).map_or(0, |sample| u32::from(*sample));
        let mut sum: u32 = (0..reach).map(at).sum();
        for (x, out) in to[channel..].iter_mut().step_by(PIXEL).enumerate() {
            sum += at(x + reach);
            *out = mean(sum, share);
            if let Some(gone) = x.checked_sub(reach) {
                sum -= at(gone);
            }
        }
    }
}

fn down(from: &[u8], to: &mut [u8], sums: &mut [u32], height: usize, reach: usize) {
    let (share, pitch) = (share(reach), sums.len());
    let row = |y: usize| &from[y * pitch..(y + 1) * pitch];
    sums.fill(0);
    let add = |sums: &mut [u32], y: usize| {
        if y < height {
            sums.iter_mut().zip(row(y)).for_each(|(sum, sample)| *sum += u32::from(*sample));
        }
    };
    (0..reach).for_each(|y| add(sums, y));
    for y in 0..height {
        add(sums, y + reach);
        let out = &mut to[y * pitch..(y + 1) * pitch];
        out.iter_mut().zip(&*sums).for_each(|(out, sum)| *out = mean(*sum, share));
        if let Some(gone) = y.checked_sub(reach) {
            sums.iter_mut().zip(row(gone)).for_each(|(sum, sample)| *sum -= u32::from(*sample));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blurred_dot_is_a_gaussian_of_half_the_radius() {
        for radius in [2.0_f32, 8.0, 21.0, 60.0] {
            let grown = blur(&Bitmap::filled(31, 31, [255; 4]), radius);
            assert_eq!(grown.bitmap.width(), 31 + 2 * grown.left);
            // Nothing is lost, and what is measured along the middle row has the wanted spread.
            let total: u64 = grown.bitmap.data().iter().map(|s| u64::from(*s)).sum();
            let was = 31.0 * 31.0 * 255.0 * 4.0;
            assert!((total as f64 - was).abs() < was * 0.05, "{radius}: {total} of {was}");
            let middle = grown.bitmap.row(grown.top + 15);
            let (mut weight, mut spread) = (0.0, 0.0);
            for (x, pixel) in middle.chunks(4).enumerate() {
                let away = x as f64 - f64::from(grown.left) - 15.0;
                weight += f64::from(pixel[0]);
                spread += f64::from(pixel[0]) * away * away;
            }
            let wanted = f64::from(radius / 2.0).powi(2) + (31.0 * 31.0 - 1.0) / 12.0;
            assert!(
                (spread / weight / wanted - 1.0).abs() < 0.1,
                "{radius}: {} for {wanted}",
                spread / weight
            );
        }
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "the largest radius is small")]
    fn hostile_radii_are_bounded_and_nothing_stays_nothing() {
        for radius in [0.0, -1.0, f32::NAN] {
            let bitmap = Bitmap::filled(3, 2, [9, 9, 9, 99]);
            assert_eq!(blur(&bitmap, radius), Grown { bitmap, left: 0, top: 0 });
        }
        let large = blur(&Bitmap::filled(1, 1, [255; 4]), f32::INFINITY);
        assert!(large.bitmap.width() < 4 * MAX_RADIUS as u32);
        assert!(blur(&Bitmap::default(), 9.0).bitmap.data().iter().all(|s| *s == 0));
        let far = shadow(&Bitmap::filled(2, 2, [255; 4]), [0, 0, 0, 255], f32::NAN, (1e30, f32::NAN));
        assert_eq!((far.bitmap.width(), far.bitmap.height()), (2 + MAX_RADIUS as u32, 2));
    }

    #[test]
    fn a_shadow_lies_under_and_beside_and_a_glow_around() {
        let bitmap = Bitmap::filled(4, 4, [10, 20, 30, 255]);
        let made = shadow(&bitmap, [0, 0, 200, 128], 0.0, (3.0, -2.0));
        assert_eq!((made.left, made.top), (0, 2));
        assert_eq!((made.bitmap.width(), made.bitmap.height()), (7, 6));
        assert_eq!(made.bitmap.pixel(0, 2), [10, 20, 30, 255]);
        assert_eq!(made.bitmap.pixel(6, 0), [0, 0, 100, 128]);
        assert_eq!(made.bitmap.pixel(0, 0), [0; 4]);
        let made = glow(&Bitmap::filled(24, 24, [10, 20, 30, 255]), [255, 0, 0, 255], 6.0);
        let middle = made.top + 12;
        assert_eq!(made.bitmap.pixel(made.left + 1, middle), [10, 20, 30, 255]);
        let [r, g, b, a] = made.bitmap.pixel(made.left - 1, middle);
        assert!(r == a && a > 150 && g == 0 && b == 0, "{r} {g} {b} {a}");
    }
}
