//! One file's pictures: from the JPEG that came to what goes into the file.
//!
//! `h264` and `mp4v`: decoded upright, encoded in limited range. `mjpeg`: the JPEG untouched; which way up it
//! is goes into the file's header. A picture of another size than the file's (sizes flap) is fitted into it;
//! for `mjpeg` that one is encoded again, because few players can follow a size that changes within a track.
//! So is one that EXIF says is mirrored, which a file's header can't say.

use bytes::Bytes;
use media::encode::{self, Encoder, Packet, VideoCodec};
use media::fmp4::{self, Sample, Track, Writer};
use media::time::TIMESCALE;
use pixels::jpeg::{self, Decoder, Header};
use pixels::{I420, Matrix, Range, convert};

use super::cut::Shape;
use super::fit::fit;
use super::{Codec, Settings};
use crate::streams::Frame;

/// What ends a file.
#[derive(Debug)]
pub(super) enum Trouble {
    Disk(std::io::Error),
    Encoder(String),
}

/// The shape of a frame as far as a file of `codec` cares.
pub(super) fn shape(codec: Codec, header: &Header) -> Shape {
    let (width, height) = header.shown_size();
    match codec {
        Codec::Mjpeg if rotation(header.orientation).is_some() => Shape {
            width: header.width.into(),
            height: header.height.into(),
            orientation: header.orientation.clamp(1, 8),
        },
        Codec::H264 | Codec::Mp4v | Codec::Mjpeg => {
            Shape { width: width.into(), height: height.into(), orientation: 1 }
        }
    }
}

/// Degrees clockwise a picture of that EXIF orientation must be turned by, if turning is enough.
fn rotation(orientation: u8) -> Option<u16> {
    match orientation {
        3 => Some(180),
        6 => Some(90),
        8 => Some(270),
        2 | 4 | 5 | 7 => None,
        _ => Some(0),
    }
}

pub(super) struct Coder {
    shape: Shape,
    kind: Kind,
    pictures: Pictures,
}

enum Kind {
    Encode(Box<Encoder>),
    /// The JPEG encoder is made when the first picture has to be encoded again.
    Keep(Option<jpeg::Encoder>),
}

impl Coder {
    /// Ticks between keyframes: a player finds its place within two seconds.
    const KEYFRAME_EVERY: u64 = 2 * TIMESCALE as u64;

    /// For a file of `codec` and `shape`.
    pub(super) fn new(codec: Codec, shape: Shape, settings: &Settings) -> Result<Self, Trouble> {
        let encoder = |codec, quality| {
            let (Shape { width, height, .. }, preset) = (shape, settings.preset.word());
            let keyframe_every = Self::KEYFRAME_EVERY;
            Encoder::new(&encode::Settings { codec, width, height, preset, quality, keyframe_every })
                .map(|encoder| Kind::Encode(Box::new(encoder)))
                .map_err(failed)
        };
        let kind = match codec {
            Codec::Mjpeg => Kind::Keep(None),
            Codec::H264 => encoder(VideoCodec::H264, settings.quality)?,
            Codec::Mp4v => encoder(VideoCodec::Mpeg4, quantiser(settings.quality))?,
        };
        Ok(Self { shape, kind, pictures: Pictures::default() })
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// What the file's header says of the pictures in it; `created` in Unix seconds.
    pub(super) fn track(&self, created: u64) -> Track {
        let Shape { width, height, orientation } = self.shape;
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        let (codec, even) = match &self.kind {
            Kind::Keep(_) => (fmp4::Codec::Mjpeg, 1),
            Kind::Encode(encoder) => (encoder.codec_config(), 2),
        };
        Track {
            full_range: codec == fmp4::Codec::Mjpeg,
            matrix: Matrix::Bt601,
            codec,
            width: side(width.next_multiple_of(even)),
            height: side(height.next_multiple_of(even)),
            rotation: rotation(orientation).unwrap_or(0),
            created,
        }
    }

    /// Codes one frame to be shown at `tick` and gives it to `writer`. `false`: it can't be decoded.
    pub(super) fn code(&mut self, frame: &Frame, tick: u64, writer: &mut Writer) -> Result<bool, Trouble> {
        match &mut self.kind {
            Kind::Keep(_) if shape(Codec::Mjpeg, &frame.header) == self.shape && turns(&frame.header) => {
                writer.push(Sample { data: frame.jpeg.clone(), pts: tick, keyframe: true });
            }
            Kind::Keep(again) => {
                let Some(picture) = self.pictures.fitted(frame, shown(self.shape)) else { return Ok(false) };
                let data = encode_again(picture, self.shape.orientation, again)?;
                writer.push(Sample { data, pts: tick, keyframe: true });
            }
            Kind::Encode(encoder) => {
                let Some(picture) = self.pictures.fitted(frame, shown(self.shape)) else { return Ok(false) };
                encoder
                    .encode(picture, tick)
                    .map_err(failed)?
                    .into_iter()
                    .for_each(|packet| push(packet, writer));
            }
        }
        Ok(true)
    }

    /// Gives `writer` what the encoder still holds.
    pub(super) fn finish(self, writer: &mut Writer) -> Result<(), Trouble> {
        if let Kind::Encode(encoder) = self.kind {
            encoder.finish().map_err(failed)?.into_iter().for_each(|packet| push(packet, writer));
        }
        Ok(())
    }
}

fn push(packet: Packet, writer: &mut Writer) {
    let Packet { data, pts, keyframe } = packet;
    writer.push(Sample { data, pts, keyframe });
}

fn failed(e: impl std::fmt::Display) -> Trouble {
    Trouble::Encoder(e.to_string())
}

/// The quantiser of MPEG-4 part 2 for x264's constant rate factor. Its step is linear in it, x264's doubles
/// every 6; 23 is given 3, which is at least as good as what OpenCV's `VideoWriter` makes (measured:
/// `docs/benchmarks.md`). FFmpeg goes no lower than 2.
fn quantiser(crf: u8) -> u8 {
    let quantiser = 3.0 * ((f64::from(crf) - 23.0) / 6.0).exp2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 2 and 31")]
    let quantiser = quantiser.round().clamp(2.0, 31.0) as u8;
    quantiser
}

/// Whether a header can say how the picture is to be turned.
fn turns(header: &Header) -> bool {
    rotation(header.orientation).is_some()
}

/// Width and height as a player shows them.
fn shown(shape: Shape) -> (u32, u32) {
    if shape.orientation >= 5 { (shape.height, shape.width) } else { (shape.width, shape.height) }
}

/// The upright picture as a JPEG that stands as `orientation` says.
fn encode_again(
    picture: &I420,
    orientation: u8,
    encoder: &mut Option<jpeg::Encoder>,
) -> Result<Bytes, Trouble> {
    const QUALITY: u8 = 90;
    // What turns by 90° is undone by what turns by 270°.
    let inverse = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    let mut turned = I420::new(0, 0, Range::Full, Matrix::Bt601);
    convert::upright(picture, inverse, &mut turned);
    if encoder.is_none() {
        *encoder = Some(jpeg::Encoder::new(QUALITY).map_err(failed)?);
    }
    let encoder = encoder.as_mut().expect("it has just been made");
    encoder.encode(&turned).map(Bytes::from).map_err(failed)
}

/// JPEG to planes. Decoder and memory are made when the first picture has to be decoded.
#[derive(Default)]
struct Pictures {
    decoder: Option<Decoder>,
    picture: Option<I420>,
}

impl Pictures {
    /// The upright picture, full range, in that size; `None` if it can't be decoded.
    fn fitted(&mut self, frame: &Frame, (width, height): (u32, u32)) -> Option<&mut I420> {
        if self.decoder.is_none() {
            self.decoder = Decoder::new().ok();
        }
        let picture = self.picture.get_or_insert_with(|| I420::new(0, 0, Range::Full, Matrix::Bt601));
        self.decoder.as_mut()?.decode(&frame.jpeg, &frame.header, picture).ok()?;
        if (picture.width, picture.height) != (width, height) {
            *picture = fit(picture, width, height);
        }
        Some(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiser_follows_the_rate_factor() {
        let pairs = [(0, 2), (11, 2), (17, 2), (23, 3), (29, 6), (35, 12), (41, 24), (51, 31)];
        for (crf, expected) in pairs {
            assert_eq!(quantiser(crf), expected, "{crf}");
        }
    }
}
