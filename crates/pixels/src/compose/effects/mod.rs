//! What changes a layer's picture before it is laid: blur, shadow, glow, colour, key, tint, corners, pixels.
//!
//! Called by the compositor when the layer or the effect changed, on bitmaps, and by `feed` for each frame, on planes,
//! where a live picture can have the effect. Every parameter is bounded here: hostile numbers give a plain picture, never
//! a panic or a huge one.

mod blur;
mod grade;
mod key;
mod shape;

pub use blur::{Grown, MAX_RADIUS, blur, glow, shadow};
pub use grade::{Grade, tint};
pub use key::Key;
pub use shape::{Corners, pixelate};

use super::bitmap::{Bitmap, PIXEL};
use super::colour::byte;

/// Changes each pixel's colour (not premultiplied, 0–1) and alpha (0–1).
fn each_pixel(bitmap: &mut Bitmap, change: impl Fn([f32; 3], f32) -> ([f32; 3], f32)) {
    for pixel in bitmap.data_mut().chunks_exact_mut(PIXEL).filter(|pixel| pixel[3] > 0) {
        let alpha = f32::from(pixel[3]);
        let colour = [pixel[0], pixel[1], pixel[2]].map(|c| (f32::from(c) / alpha).min(1.0));
        let (colour, alpha) = change(colour, alpha / 255.0);
        let alpha = alpha.clamp(0.0, 1.0) * 255.0;
        for (out, colour) in pixel.iter_mut().zip(colour) {
            *out = byte(colour.clamp(0.0, 1.0) * alpha);
        }
        pixel[3] = byte(alpha);
        let most = pixel[3];
        pixel[..3].iter_mut().for_each(|colour| *colour = (*colour).min(most));
    }
}

/// Y, Cb, Cr (BT.709; 0–1, chroma around 0) of a colour.
fn ycc([r, g, b]: [f32; 3]) -> [f32; 3] {
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    [y, (b - y) / 1.8556, (r - y) / 1.5748]
}

/// The colour of Y, Cb, Cr.
fn rgb([y, cb, cr]: [f32; 3]) -> [f32; 3] {
    let (r, b) = (y + 1.5748 * cr, y + 1.8556 * cb);
    [r, (y - 0.2126 * r - 0.0722 * b) / 0.7152, b]
}

/// `n`, or `other` when it is not a number, kept within bounds.
fn bounded(n: f32, least: f32, most: f32, other: f32) -> f32 {
    if n.is_nan() { other } else { n.clamp(least, most) }
}
