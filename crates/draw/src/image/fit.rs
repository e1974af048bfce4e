//! An image in a box of another shape.
//!
//! Called when an image or one of its frames is drawn. Resamples with all the pixels that a target pixel covers, in
//! premultiplied colours, so that no edge takes on the colour of what is transparent.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use pixels::compose::{Bitmap, PIXEL};
use scene::content::Fit;

use crate::MAX_SIDE;

/// The box of a picture, in px: as wide and high as is said, what is not said following the picture's proportions.
///
/// Sides are at least 1 and at most [`crate::MAX_SIDE`].
#[must_use]
pub fn box_of(picture: (u32, u32), width: Option<f64>, height: Option<f64>) -> (u32, u32) {
    let own = (f64::from(picture.0.max(1)), f64::from(picture.1.max(1)));
    let (width, height) = match (width, height) {
        (Some(width), Some(height)) => (width, height),
        (Some(width), None) => (width, width * own.1 / own.0),
        (None, Some(height)) => (height * own.0 / own.1, height),
        (None, None) => own,
    };
    let most = f64::from(MAX_SIDE);
    (whole_px(width.min(most)), whole_px(height.min(most)))
}

/// `picture` in a box of `width` × `height` px (0 counts as 1), which the caller bounds.
#[must_use]
pub fn fit(picture: &Bitmap, width: u32, height: u32, how: Fit) -> Bitmap {
    let (width, height) = (width.max(1), height.max(1));
    let from = (picture.width(), picture.height());
    if from == (width, height) || from.0 == 0 || from.1 == 0 {
        return if from == (width, height) { picture.clone() } else { Bitmap::new(width, height) };
    }
    let (across, down) = (f64::from(width) / f64::from(from.0), f64::from(height) / f64::from(from.1));
    let whole = (0.0, 0.0, f64::from(from.0), f64::from(from.1));
    match how {
        Fit::Fill => resample(picture, whole, width, height),
        Fit::Cover => {
            let scale = across.max(down);
            let (crop_width, crop_height) = (f64::from(width) / scale, f64::from(height) / scale);
            let left = (f64::from(from.0) - crop_width).max(0.0) / 2.0;
            let top = (f64::from(from.1) - crop_height).max(0.0) / 2.0;
            resample(picture, (left, top, crop_width, crop_height), width, height)
        }
        Fit::Contain => {
            let scale = across.min(down);
            let inner_width = whole_px(f64::from(from.0) * scale).min(width);
            let inner_height = whole_px(f64::from(from.1) * scale).min(height);
            let inner = resample(picture, whole, inner_width, inner_height);
            let mut out = Bitmap::new(width, height);
            paste(&inner, &mut out, (width - inner_width) / 2, (height - inner_height) / 2);
            out
        }
    }
}

/// Copies all of `source` into `target`, from column `x` and row `y` on.
///
/// # Panics
/// If it does not fit.
pub(crate) fn paste(source: &Bitmap, target: &mut Bitmap, x: u32, y: u32) {
    let (from, bytes) = (x as usize * PIXEL, source.width() as usize * PIXEL);
    for row in 0..source.height() {
        target.row_mut(y + row)[from..from + bytes].copy_from_slice(source.row(row));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a size in px, bounded by the caller"
)]
fn whole_px(length: f64) -> u32 {
    length.round().max(1.0) as u32
}

/// The part `(left, top, width, height)` of `picture` at another size.
fn resample(picture: &Bitmap, part: (f64, f64, f64, f64), width: u32, height: u32) -> Bitmap {
    let from = TypedImageRef::<U8x4>::from_buffer(picture.width(), picture.height(), picture.data())
        .expect("a bitmap has four bytes a pixel");
    let mut out = Bitmap::new(width, height);
    let mut to = TypedImage::<U8x4>::from_buffer(width, height, out.data_mut())
        .expect("a bitmap has four bytes a pixel");
    let grows = f64::from(width) > part.2 || f64::from(height) > part.3;
    let filter = if grows { FilterType::CatmullRom } else { FilterType::Bilinear };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(part.0, part.1, part.2, part.3)
        .use_alpha(false);
    Resizer::new().resize_typed(&from, &mut to, &options).expect("the part lies in the picture");
    // A filter that sharpens may take a colour above its alpha.
    if grows {
        for pixel in out.data_mut().chunks_exact_mut(PIXEL) {
            let alpha = pixel[3];
            pixel[..3].iter_mut().for_each(|colour| *colour = (*colour).min(alpha));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns, red and blue, opaque.
    fn halves(width: u32, height: u32) -> Bitmap {
        let mut out = Bitmap::new(width, height);
        for y in 0..height {
            for (x, pixel) in (0..width).zip(out.row_mut(y).chunks_exact_mut(PIXEL)) {
                pixel.copy_from_slice(if x < width / 2 { &[255, 0, 0, 255] } else { &[0, 0, 255, 255] });
            }
        }
        out
    }

    #[test]
    fn the_three_fits_put_a_wide_picture_into_a_square() {
        let picture = halves(40, 20);
        let contained = fit(&picture, 20, 20, Fit::Contain);
        assert_eq!(contained.pixel(10, 2), [0; 4]);
        assert_eq!(contained.pixel(2, 10), [255, 0, 0, 255]);
        assert_eq!(contained.pixel(17, 10), [0, 0, 255, 255]);
        for how in [Fit::Cover, Fit::Fill] {
            let filled = fit(&picture, 20, 20, how);
            assert_eq!((filled.width(), filled.height()), (20, 20));
            assert_eq!(filled.pixel(2, 1), [255, 0, 0, 255], "{how:?}");
            assert_eq!(filled.pixel(17, 18), [0, 0, 255, 255], "{how:?}");
        }
    }

    #[test]
    fn a_side_that_is_not_said_follows_the_proportions() {
        for (width, height, want) in [
            (None, None, (640, 360)),
            (Some(320.0), None, (320, 180)),
            (None, Some(90.0), (160, 90)),
            (Some(50.0), Some(50.0), (50, 50)),
            (Some(8192.0), None, (8192, 4608)),
            (None, Some(8192.0), (8192, 8192)),
            (Some(0.1), None, (1, 1)),
        ] {
            assert_eq!(box_of((640, 360), width, height), want);
        }
    }

    #[test]
    fn sizes_that_are_nothing_or_odd_are_borne() {
        for how in [Fit::Contain, Fit::Cover, Fit::Fill] {
            for (width, height) in [(0, 0), (1, 1), (1, 300), (300, 1), (7, 13)] {
                let out = fit(&halves(31, 17), width, height, how);
                assert_eq!((out.width(), out.height()), (width.max(1), height.max(1)));
                assert_eq!(fit(&Bitmap::new(0, 5), 4, 4, how), Bitmap::new(4, 4));
            }
        }
    }

    #[test]
    fn transparent_pixels_lend_no_colour_to_edges() {
        let mut picture = Bitmap::new(8, 8);
        for y in 0..8 {
            for pixel in picture.row_mut(y)[16..].chunks_exact_mut(PIXEL) {
                pixel.copy_from_slice(&[200, 100, 0, 255]);
            }
        }
        for pixel in fit(&picture, 61, 33, Fit::Fill).data().chunks_exact(PIXEL) {
            assert!(pixel[..3].iter().all(|colour| *colour <= pixel[3]), "{pixel:?}");
            assert_eq!(pixel[2], 0);
        }
    }
}
