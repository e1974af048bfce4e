//! Image files: what they are, their pixels, their frames.
//!
//! Called when an asset comes in ([`probe`]) and when a layer that shows it has to be drawn ([`decode`], [`frames`]).
//! Decoders see only what [`probe`] has passed, so nothing is allocated by a header that nobody looked at. Colours are
//! taken for sRGB; embedded profiles are not applied.

mod fit;
mod frames;
mod jpeg;
mod probe;
mod riff;
mod svg;

use std::io::Cursor;

use ::image::{DynamicImage, ImageDecoder};
use pixels::compose::Bitmap;

pub use fit::{box_of, fit};
pub use frames::{Animation, cut_sheet, frames};
pub use probe::{Kind, MAX_BYTES, MAX_FRAMES, Probe, probe};
pub use scene::content::Fit;

use crate::seam::guarded;
use crate::{Error, MAX_PIXELS, MAX_SIDE};

/// How large an image is wanted, in px; without, it is as large as it says it is.
pub type Wanted = Option<(u32, u32, Fit)>;

/// The pixels of an image file, upright, at its own size or in a box of `wanted` size. Of an animation, its first frame.
///
/// An SVG is drawn at the wanted size, anything else resampled to it.
///
/// # Errors
/// As [`probe`], and damage that shows only in decoding.
pub fn decode(bytes: &[u8], wanted: Wanted) -> Result<Bitmap, Error> {
    let found = probe(bytes)?;
    check_box(wanted)?;
    guarded("image", || {
        let picture = match found.kind {
            Kind::Svg => return svg::draw(bytes, &found, wanted),
            Kind::Jpeg => jpeg::decode(bytes)?,
            Kind::Png | Kind::Gif | Kind::WebP => still(bytes, found.kind)?,
        };
        Ok(fitted(picture, wanted))
    })
}

fn check_box(wanted: Wanted) -> Result<(), Error> {
    match wanted {
        Some((width, height, _))
            if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS =>
        {
            Err(Error::TooLarge { what: "image", width, height })
        }
        _ => Ok(()),
    }
}

fn fitted(picture: Bitmap, wanted: Wanted) -> Bitmap {
    match wanted {
        Some((width, height, how)) => fit(&picture, width, height, how),
        None => picture,
    }
}

fn still(bytes: &[u8], kind: Kind) -> Result<Bitmap, Error> {
    let bytes = Cursor::new(bytes);
    let wrong = |error| broken(kind, &error);
    let picture = match kind {
        Kind::Gif => pixels_of(::image::codecs::gif::GifDecoder::new(bytes).map_err(wrong)?),
        Kind::WebP => pixels_of(::image::codecs::webp::WebPDecoder::new(bytes).map_err(wrong)?),
        _ => pixels_of(::image::codecs::png::PngDecoder::new(bytes).map_err(wrong)?),
    };
    straight(picture.map_err(wrong)?.into_rgba8())
}

fn pixels_of(mut decoder: impl ImageDecoder) -> ::image::ImageResult<DynamicImage> {
    decoder.set_limits(limits())?;
    DynamicImage::from_decoder(decoder)
}

/// What decoders may take: [`probe`] has bounded the picture, this bounds what they hold besides.
fn limits() -> ::image::Limits {
    let mut limits = ::image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    // Sixteen bits of four samples, twice.
    limits.max_alloc = Some(MAX_PIXELS * 16);
    limits
}

fn straight(picture: ::image::RgbaImage) -> Result<Bitmap, Error> {
    let (width, height) = picture.dimensions();
    Bitmap::from_straight(width, height, picture.into_raw())
        .ok_or_else(|| Error::Failed { what: "image", why: "its decoder miscounted its pixels".to_owned() })
}

/// What a decoder says of a file whose structure was right.
fn broken(kind: Kind, error: &::image::ImageError) -> Error {
    match error {
        ::image::ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::CutShort(kind)
        }
        error => Error::damaged(kind, error.to_string()),
    }
}
