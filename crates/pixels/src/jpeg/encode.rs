//! I420 pictures to baseline 4:2:0 JPEG.
//!
//! Owns the libjpeg-turbo compressor; one per thread that encodes. Hands the planes over as they lie, without
//! a detour by RGB; only a picture that is not what JPEG means (full range, BT.601) is converted first.

use std::borrow::Cow;

use turbojpeg::{Compressor, Subsamp, YuvPlanesImage};

use super::Error;
use crate::convert;
use crate::plane::{I420, Matrix, Plane, Range};

/// Encodes at one quality.
#[derive(Debug)]
pub struct Encoder {
    library: Compressor,
}

impl Encoder {
    /// `quality` is libjpeg's scale, 1–100.
    ///
    /// # Errors
    /// [`Error::Quality`] outside that scale, [`Error::Library`] when memory is out.
    pub fn new(quality: u8) -> Result<Self, Error> {
        if !(1..=100).contains(&quality) {
            return Err(Error::Quality(quality));
        }
        let mut library = Compressor::new().map_err(|e| Error::Library(e.to_string()))?;
        library.set_quality(i32::from(quality)).map_err(|e| Error::Library(e.to_string()))?;
        Ok(Self { library })
    }

    /// One whole JPEG (JFIF, baseline, standard Huffman tables).
    ///
    /// # Errors
    /// [`Error::Unencodable`] for a picture without pixels or with more than 65,500 a side.
    pub fn encode(&mut self, picture: &I420) -> Result<Vec<u8>, Error> {
        if !(1..=65_500).contains(&picture.width) || !(1..=65_500).contains(&picture.height) {
            return Err(Error::Unencodable(format!("it is {}x{} pixels", picture.width, picture.height)));
        }
        let converted;
        let picture = if (picture.range, picture.matrix) == (Range::Full, Matrix::Bt601) {
            picture
        } else {
            converted = convert::to_full_bt601(picture);
            &converted
        };
        let luma = even(&picture.y);
        let planes = YuvPlanesImage {
            y_plane: luma.data.as_slice(),
            u_plane: picture.u.data.as_slice(),
            v_plane: picture.v.data.as_slice(),
            width: picture.width as usize,
            height: picture.height as usize,
            y_stride: luma.stride,
            u_stride: picture.u.stride,
            v_stride: picture.v.stride,
            subsamp: Subsamp::Sub2x2,
        };
        self.library.compress_yuv_planes_to_vec(&planes).map_err(|e| Error::Unencodable(e.to_string()))
    }
}

/// The plane with even sides, which the library expects of 4:2:0 luma: the last column and row are repeated.
fn even(plane: &Plane) -> Cow<'_, Plane> {
    if plane.width.is_multiple_of(2) && plane.height.is_multiple_of(2) {
        return Cow::Borrowed(plane);
    }
    let mut out = Plane::new(plane.width.next_multiple_of(2), plane.height.next_multiple_of(2), 0);
    for y in 0..out.height {
        let source = plane.row(y.min(plane.height - 1));
        let target = out.row_mut(y);
        target[..source.len()].copy_from_slice(source);
        target[source.len()..].fill(source[source.len() - 1]);
    }
    Cow::Owned(out)
}
