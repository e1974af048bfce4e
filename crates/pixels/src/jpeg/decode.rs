//! Coded bytes to an upright I420 picture.
//!
//! Owns the libjpeg-turbo decompressor and its scratch memory; one per thread that decodes. It is given only
//! what [`super::inspect()`] has passed, so no allocation here is larger than the `max_side` of that call
//! allows.

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, Subsamp, YuvImage};

use super::inspect::MAX_SCANS;
use super::markers::{Markers, code};
use super::{Error, Header};
use crate::convert;
use crate::plane::{I420, Matrix, NEUTRAL, Plane, Range};

/// Scratch memory above this is given back after the picture that needed it: one 1080p picture as RGB,
/// rounded up.
const KEPT_SCRATCH: usize = 8 << 20;

/// Decodes one JPEG after another, reusing its memory.
///
/// The library's decompressor is made anew for each picture (less than a microsecond): it keeps Huffman
/// tables, and after a broken header its half-read state, so that one stranger's picture could spoil the next
/// one's.
#[derive(Debug)]
pub struct Decoder {
    /// The stream without the segments that do not bear on its pixels.
    bare: Vec<u8>,
    /// Planes or pixels as the library writes them.
    scratch: Vec<u8>,
    /// A picture before it is turned upright.
    sideways: I420,
}

impl Decoder {
    /// # Errors
    /// [`Error::Library`] when memory is out.
    pub fn new() -> Result<Self, Error> {
        library()?;
        Ok(Self {
            bare: Vec::new(),
            scratch: Vec::new(),
            sideways: I420::new(0, 0, Range::Full, Matrix::Bt601),
        })
    }

    /// Decodes `bytes` into `out`: upright, full range, BT.601, of the size [`Header::shown_size`] says,
    /// whatever `out` was before; its memory is reused. `header` must be what [`super::inspect()`] made of
    /// the same bytes.
    ///
    /// Damage inside the coded data that libjpeg can bridge leaves grey or smeared blocks and is not an
    /// error. Chroma that is not 4:2:0 is averaged or repeated to 4:2:0; RGB, CMYK and the rarer samplings go
    /// by way of RGB.
    ///
    /// # Errors
    /// [`Error::Undecodable`] when the library gave up, [`Error::OtherHeader`] when `header` is of other
    /// bytes. `out` may then hold part of the picture.
    pub fn decode(&mut self, bytes: &[u8], header: &Header, out: &mut I420) -> Result<(), Error> {
        let whole = bytes.get(..header.len).ok_or(Error::OtherHeader)?;
        strip(whole, header, &mut self.bare)?;
        let mut library = library()?;
        let coded = library.read_header(&self.bare).map_err(|e| Error::Undecodable(reason(e)))?;
        if (coded.width, coded.height) != (usize::from(header.width), usize::from(header.height)) {
            return Err(Error::OtherHeader);
        }
        let result = if header.orientation == 1 {
            self.pixels(&mut library, &coded, header, out)
        } else {
            let mut sideways =
                std::mem::replace(&mut self.sideways, I420::new(0, 0, Range::Full, Matrix::Bt601));
            let result = self.pixels(&mut library, &coded, header, &mut sideways);
            convert::upright(&sideways, header.orientation, out);
            self.sideways = sideways;
            result
        };
        if self.scratch.capacity() > KEPT_SCRATCH {
            self.scratch = Vec::new();
            self.sideways = I420::new(0, 0, Range::Full, Matrix::Bt601);
        }
        result
    }

    /// Decodes `bytes` to pixels of four bytes, R, G, B and 255, rows without padding, of the size coded in the file: the
    /// orientation is the caller's. Keeps the chroma that [`Decoder::decode`] would average. `header` must be what
    /// [`super::inspect()`] made of the same bytes.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn rgba(&mut self, bytes: &[u8], header: &Header) -> Result<Vec<u8>, Error> {
        let whole = bytes.get(..header.len).ok_or(Error::OtherHeader)?;
        strip(whole, header, &mut self.bare)?;
        let mut library = library()?;
        let coded = library.read_header(&self.bare).map_err(|e| Error::Undecodable(reason(e)))?;
        if (coded.width, coded.height) != (usize::from(header.width), usize::from(header.height)) {
            return Err(Error::OtherHeader);
        }
        let inks = matches!(coded.colorspace, Colorspace::CMYK | Colorspace::YCCK);
        let format = if inks { PixelFormat::CMYK } else { PixelFormat::RGBA };
        self.interleaved(&mut library, &coded, format)?;
        let mut pixels = std::mem::take(&mut self.scratch);
        if inks {
            multiply_black(&mut pixels, header.adobe_transform.is_some());
            pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
        }
        Ok(pixels)
    }

    /// Decodes `self.bare` as it lies.
    fn pixels(
        &mut self,
        library: &mut Decompressor,
        coded: &DecompressHeader,
        header: &Header,
        out: &mut I420,
    ) -> Result<(), Error> {
        (out.range, out.matrix) = (Range::Full, Matrix::Bt601);
        out.reshape(u32::from(header.width), u32::from(header.height));
        match (coded.colorspace, coded.subsamp) {
            (Colorspace::Gray, _)
            | (Colorspace::YCbCr, Subsamp::None | Subsamp::Sub2x1 | Subsamp::Sub2x2)
            | (Colorspace::YCbCr, Subsamp::Sub1x2 | Subsamp::Sub4x1 | Subsamp::Sub1x4) => {
                self.planes(library, coded, out)
            }
            (Colorspace::CMYK | Colorspace::YCCK, _) => {
                self.interleaved(library, coded, PixelFormat::CMYK)?;
                multiply_black(&mut self.scratch, header.adobe_transform.is_some());
                convert::rgb_to_i420(&self.scratch, 4, out);
                Ok(())
            }
            _ => {
                self.interleaved(library, coded, PixelFormat::RGB)?;
                convert::rgb_to_i420(&self.scratch, 3, out);
                Ok(())
            }
        }
    }

    fn planes(
        &mut self,
        library: &mut Decompressor,
        coded: &DecompressHeader,
        out: &mut I420,
    ) -> Result<(), Error> {
        let len = turbojpeg::yuv_pixels_len(coded.width, 1, coded.height, coded.subsamp)
            .map_err(|e| Error::Undecodable(reason(e)))?;
        self.scratch.resize(len, NEUTRAL);
        let mut image = YuvImage {
            pixels: self.scratch.as_mut_slice(),
            width: coded.width,
            align: 1,
            height: coded.height,
            subsamp: coded.subsamp,
        };
        tolerate(library.decompress_to_yuv(&self.bare, image.as_deref_mut()))?;
        let (luma_width, luma_height) = image.y_size();
        let (chroma_width, chroma_height) = image.uv_size();
        let (luma, chroma) = self.scratch.split_at(luma_width * luma_height);
        for (y, row) in (0..out.height).zip(luma.chunks_exact(luma_width)) {
            let target = out.y.row_mut(y);
            target.copy_from_slice(&row[..target.len()]);
        }
        if coded.subsamp == Subsamp::Gray {
            out.u.fill(NEUTRAL);
            out.v.fill(NEUTRAL);
            return Ok(());
        }
        let (u, v) = chroma.split_at(chroma_width * chroma_height);
        for (source, target) in [(u, &mut out.u), (v, &mut out.v)] {
            let source = Chroma { data: source, width: chroma_width, height: chroma_height };
            let (across, down) = coded.subsamp.size();
            source.to_420(across, down, target);
        }
        Ok(())
    }

    /// Decodes to interleaved pixels of `format`, rows without padding, into `scratch`.
    fn interleaved(
        &mut self,
        library: &mut Decompressor,
        coded: &DecompressHeader,
        format: PixelFormat,
    ) -> Result<(), Error> {
        let pitch = coded.width * format.size();
        self.scratch.resize(pitch * coded.height, 0);
        let image = Image {
            pixels: self.scratch.as_mut_slice(),
            width: coded.width,
            pitch,
            height: coded.height,
            format,
        };
        tolerate(library.decompress(&self.bare, image))
    }
}

fn library() -> Result<Decompressor, Error> {
    let mut library = Decompressor::new().map_err(|e| Error::Library(e.to_string()))?;
    library.set_scan_limit(MAX_SCANS).map_err(|e| Error::Library(e.to_string()))?;
    Ok(library)
}

/// A chroma plane as coded: no padding.
struct Chroma<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
}

impl Chroma<'_> {
    /// Averages or repeats samples that stand for `across`×`down` luma samples so that each stands for 2×2.
    fn to_420(&self, across: usize, down: usize, target: &mut Plane) {
        let row = |y: usize| &self.data[y.min(self.height - 1) * self.width..][..self.width];
        for y in 0..target.height {
            let at = y as usize;
            let (upper, lower) = match down {
                1 => (row(2 * at), row(2 * at + 1)),
                2 => (row(at), row(at)),
                _ => (row(at / 2), row(at / 2)),
            };
            let target = target.row_mut(y);
            match across {
                1 => convert::halve(upper, lower, target),
                2 => target
                    .iter_mut()
                    .zip(upper.iter().zip(lower))
                    .for_each(|(t, (&a, &b))| *t = a.midpoint(b)),
                _ => target.iter_mut().zip(upper.iter().flat_map(|s| [s; 2])).for_each(|(t, &s)| *t = s),
            }
        }
    }
}

/// Turns CMYK into RGB in place; the fourth byte of each pixel is left over.
///
/// Each colour is what neither its ink nor the black ink takes away. Adobe's programs store all four
/// inverted, and mark such files with an APP14 segment (Adobe technical note 5116).
fn multiply_black(pixels: &mut [u8], inverted: bool) {
    let flip = if inverted { 0 } else { 255 };
    for [c, m, y, k] in pixels.as_chunks_mut().0 {
        for ink in [c, m, y] {
            *ink = convert::div255(u16::from(*ink ^ flip) * u16::from(*k ^ flip));
        }
    }
}

/// Copies what the decoder needs: tables, frame and scans, and the two segments that tell the colour model.
///
/// Everything else before the first scan is left out, so that a wrong JFIF version, a broken colour profile
/// or stray bytes between segments, none of which touch the pixels, cannot make the library refuse the
/// header.
fn strip(whole: &[u8], header: &Header, out: &mut Vec<u8>) -> Result<(), Error> {
    const JFIF: &[u8] = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    const ADOBE: &[u8] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0";
    out.clear();
    out.extend_from_slice(&[0xff, code::SOI]);
    let mut markers = Markers::after_soi(whole);
    let mut jfif = false;
    loop {
        let marker = markers.next().map_err(|_| Error::OtherHeader)?;
        match marker.code {
            code::SOS => break,
            code::APP0 if !jfif && marker.payload.len() >= 14 && marker.payload.starts_with(b"JFIF\0") => {
                jfif = true;
                out.extend_from_slice(JFIF);
            }
            code::DQT | code::DHT | code::DRI | code::SOF0..=code::SOF2 => {
                out.extend_from_slice(&whole[marker.at..markers.position()]);
            }
            _ => {}
        }
    }
    if let Some(transform) = header.adobe_transform {
        // A transform number without a meaning is read as the usual one, as libjpeg does.
        let usual = if header.components == 4 { 2 } else { 1 };
        out.extend_from_slice(ADOBE);
        out.push(if transform == 0 { 0 } else { usual });
    }
    out.extend_from_slice(whole.get(header.first_scan..).ok_or(Error::OtherHeader)?);
    Ok(())
}

/// Takes a picture with damage that libjpeg bridged for a picture.
///
/// The library reports both kinds of trouble alike; what tells them apart is the text, which is libjpeg's
/// first warning unless something fatal followed (jerror.h, the messages named `JWRN_…`).
fn tolerate(result: turbojpeg::Result<()>) -> Result<(), Error> {
    const WARNINGS: [&str; 6] = [
        "Corrupt JPEG data:",
        "Inconsistent progression sequence",
        "Premature end of JPEG file",
        "Invalid SOS parameters for sequential JPEG",
        "Warning: ",
        "Unknown Adobe color transform",
    ];
    match result.map_err(reason) {
        Err(text) if !WARNINGS.iter().any(|warning| text.starts_with(warning)) => {
            Err(Error::Undecodable(text))
        }
        _ => Ok(()),
    }
}

/// libjpeg's own words, without the crate's prefix.
fn reason(error: turbojpeg::Error) -> String {
    match error {
        turbojpeg::Error::TurboJpegError(text) => text,
        other => other.to_string(),
    }
}
