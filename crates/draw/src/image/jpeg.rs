//! JPEG by way of `pixels::jpeg`, turned upright.

use pixels::compose::{Bitmap, PIXEL};
use pixels::jpeg::{Decoder, Header, Refusal};

use super::Kind;
use crate::{Error, MAX_SIDE};

/// # Errors
/// What [`pixels::jpeg::inspect()`] refuses.
pub(super) fn inspect(bytes: &[u8]) -> Result<Header, Error> {
    let most = u16::try_from(MAX_SIDE).unwrap_or(u16::MAX);
    pixels::jpeg::inspect(bytes, most).map_err(|refusal| match refusal {
        Refusal::Empty => Error::Empty,
        Refusal::CutShort => Error::CutShort(Kind::Jpeg),
        Refusal::TooManyPixels { width, height, .. } => {
            Error::TooManyPixels { kind: Kind::Jpeg, width: width.into(), height: height.into() }
        }
        Refusal::NotJpeg => Error::UnknownImage,
        Refusal::Malformed(what) => Error::damaged(Kind::Jpeg, what),
        Refusal::Unsupported(what) => Error::forbidden(Kind::Jpeg, format!("uses {what}")),
    })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Bitmap, Error> {
    let header = inspect(bytes)?;
    let damaged = |error: pixels::jpeg::Error| Error::damaged(Kind::Jpeg, error.to_string());
    let mut decoder = Decoder::new().map_err(damaged)?;
    let pixels = decoder.rgba(bytes, &header).map_err(damaged)?;
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    let lying =
        Bitmap::from_premultiplied(width, height, pixels).expect("the decoder gives the header's size");
    Ok(upright(lying, header.orientation))
}

/// The eight EXIF orientations, as `pixels::convert::upright` has them for planes.
fn upright(lying: Bitmap, orientation: u8) -> Bitmap {
    if !(2..=8).contains(&orientation) {
        return lying;
    }
    let (width, height) = (lying.width(), lying.height());
    let turned = orientation >= 5;
    let mut out = if turned { Bitmap::new(height, width) } else { Bitmap::new(width, height) };
    for y in 0..out.height() {
        for (x, target) in (0..out.width()).zip(out.row_mut(y).chunks_exact_mut(PIXEL)) {
            let (column, row) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            target.copy_from_slice(&lying.pixel(column, row));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_orientation_puts_the_corners_where_exif_says() {
        let rows = |text: &str| text.split('/').map(|row| row.bytes().collect()).collect::<Vec<Vec<u8>>>();
        for (orientation, want) in [
            (1, "abc/def"),
            (2, "cba/fed"),
            (3, "fed/cba"),
            (4, "def/abc"),
            (5, "ad/be/cf"),
            (6, "da/eb/fc"),
            (7, "fc/eb/da"),
            (8, "cf/be/ad"),
            (9, "abc/def"),
        ] {
            let data = b"abcdef".iter().flat_map(|&letter| [letter, 0, 0, 255]).collect();
            let out = upright(Bitmap::from_premultiplied(3, 2, data).unwrap(), orientation);
            let got: Vec<Vec<u8>> = (0..out.height())
                .map(|y| out.row(y).chunks_exact(PIXEL).map(|pixel| pixel[0]).collect())
                .collect();
            assert_eq!(got, rows(want), "orientation {orientation}");
        }
    }
}
