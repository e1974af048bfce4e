//! AAC: samples in, frames with their headers out.
//!
//! Called by the stand-in world, which gives its films a sound. FFmpeg's types stay in here; no I/O, no
//! clock.

use bytes::Bytes;
use ffmpeg_next::format::{Sample, sample};
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{ChannelLayout, Packet, Rational, codec, encoder, frame};

/// Samples (of each channel) in a frame of AAC-LC.
pub const FRAME: usize = 1024;

/// Samples a second, of both channels each.
pub const RATE: u32 = 48_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this machine's FFmpeg has no encoder for AAC")]
    Missing,
    #[error("the AAC encoder can't be opened: {0}")]
    Open(ffmpeg_next::Error),
    #[error("encoding sound failed: {0}")]
    Encode(ffmpeg_next::Error),
}

/// One coded frame of [`FRAME`] samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// With its ADTS header (ISO/IEC 14496-3, 1.A.2).
    pub data: Bytes,
    /// The number of its first sample, counted as the samples given are; the encoder's first is before them.
    pub start: i64,
}

/// An open encoder: AAC-LC, 48 kHz, stereo.
pub struct Aac {
    encoder: encoder::Audio,
    next: i64,
}

impl Aac {
    /// # Errors
    /// When FFmpeg lacks the encoder or refuses the rate. Samples given first are number `start`.
    pub fn new(kbps: u32, start: i64) -> Result<Self, Error> {
        crate::init();
        let found = codec::encoder::find(codec::Id::AAC).ok_or(Error::Missing)?;
        let mut audio = codec::Context::new_with_codec(found).encoder().audio().map_err(Error::Open)?;
        audio.set_rate(RATE.cast_signed());
        audio.set_format(Sample::F32(sample::Type::Planar));
        audio.set_channel_layout(ChannelLayout::STEREO);
        audio.set_time_base(Rational(1, RATE.cast_signed()));
        audio.set_bit_rate(kbps as usize * 1000);
        let encoder = audio.open_as(found).map_err(Error::Open)?;
        Ok(Self { encoder, next: start })
    }

    /// Takes the next [`FRAME`] samples, the same for both channels, from -1 to 1; gives the frames that are
    /// ready.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn encode(&mut self, samples: &[f32; FRAME]) -> Result<Vec<Frame>, Error> {
        let mut input = frame::Audio::new(Sample::F32(sample::Type::Planar), FRAME, ChannelLayout::STEREO);
        input.set_rate(RATE);
        for channel in 0..2 {
            input.plane_mut::<f32>(channel).copy_from_slice(samples);
        }
        input.set_pts(Some(self.next));
        self.next += 1024;
        self.encoder.send_frame(&input).map_err(Error::Encode)?;
        self.ready()
    }

    /// The rest.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn finish(mut self) -> Result<Vec<Frame>, Error> {
        self.encoder.send_eof().map_err(Error::Encode)?;
        self.ready()
    }

    fn ready(&mut self) -> Result<Vec<Frame>, Error> {
        let mut frames = Vec::new();
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => {
                    return Ok(frames);
                }
                Err(e) => return Err(Error::Encode(e)),
            }
            let (Some(data), Some(start)) = (packet.data(), packet.pts()) else { continue };
            frames.push(Frame { data: adts(data), start });
        }
    }
}

/// `data` behind its header: AAC-LC, 48 kHz, two channels, no check.
fn adts(data: &[u8]) -> Bytes {
    const HEADER: usize = 7;
    let length = u32::try_from(data.len() + HEADER).expect("a frame of AAC is below 8 KiB");
    let [_, high, middle, low] = (length << 5).to_be_bytes();
    let mut out = Vec::with_capacity(data.len() + HEADER);
    // Object type 2 (minus one), rate index 3, channels 2, then 13 bits of length and 11 ones: a variable
    // rate.
    out.extend([0xff, 0xf1, 0x4c, 0x80 | high, middle, low | 0x1f, 0xfc]);
    out.extend_from_slice(data);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_says_its_length_and_follows_the_one_before() {
        let mut encoder = Aac::new(96, -2048).unwrap();
        let mut frames = Vec::new();
        for number in 0..50_u16 {
            let samples = std::array::from_fn(|n| (f32::from(number) * 1024.0 + n as f32).sin() * 0.3);
            frames.extend(encoder.encode(&samples).unwrap());
        }
        frames.extend(encoder.finish().unwrap());
        assert!(frames.len() >= 50);
        for (frame, start) in frames.iter().zip((-3072..).step_by(FRAME)) {
            assert_eq!(frame.start, start);
            assert_eq!(frame.data[..3], [0xff, 0xf1, 0x4c]);
            let said = usize::from(frame.data[3] & 3) << 11
                | usize::from(frame.data[4]) << 3
                | usize::from(frame.data[5]) >> 5;
            assert_eq!(said, frame.data.len());
        }
    }
}
