//! Sound for the air: samples in, AAC or Opus out.
//!
//! Called by the outputs, on the thread of their mixer. No I/O, no clock.

use bytes::Bytes;
use ffmpeg_next::format::{Sample, sample};
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{ChannelLayout, Dictionary, Packet as Raw, Rational, codec, encoder, frame};

use super::{Error, Packet, SoundCodec, SoundTrack, Track, sample_ticks};
use crate::encode::raw;

/// Samples a second, of both channels each.
pub const RATE: u32 = 48_000;

/// An open encoder: 48 kHz, stereo.
///
/// What it gives is in time with what it was given: the run-in of the codec comes before the first sample.
pub struct SoundEncoder {
    encoder: encoder::Audio,
    codec: SoundCodec,
    kbps: u32,
    config: Bytes,
    /// Samples of a frame.
    frame: usize,
    /// Given and not yet encoded: less than a frame.
    waiting: Vec<[f32; 2]>,
    /// The number of the first of them.
    next: i64,
}

impl SoundEncoder {
    /// The sample given first is number `first_sample` of the output's clock.
    ///
    /// # Errors
    /// When FFmpeg lacks the encoder or refuses the rate.
    pub fn open(codec: SoundCodec, kbps: u32, first_sample: i64) -> Result<Self, Error> {
        crate::init();
        let (name, format, most) = match codec {
            SoundCodec::Aac => ("aac", sample::Type::Planar, 512),
            SoundCodec::Opus => ("libopus", sample::Type::Packed, 510),
        };
        if !(32..=most).contains(&kbps) {
            return Err(Error::Settings(format!("sound of {kbps} kbit/s: use 32 to {most}")));
        }
        let found = codec::encoder::find_by_name(name).ok_or(Error::Missing(name))?;
        let refused = |source| Error::Open { name, source };
        let mut context = codec::Context::new_with_codec(found);
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        context.set_threading(codec::threading::Config::count(1));
        let mut audio = context.encoder().audio().map_err(refused)?;
        audio.set_rate(RATE.cast_signed());
        audio.set_format(Sample::F32(format));
        audio.set_channel_layout(ChannelLayout::STEREO);
        audio.set_time_base(Rational(1, RATE.cast_signed()));
        audio.set_bit_rate(kbps as usize * 1000);
        let mut options = Dictionary::new();
        if codec == SoundCodec::Opus {
            options.set("frame_duration", "20");
        }
        let encoder = audio.open_as_with(found, options).map_err(refused)?;
        let config = Bytes::copy_from_slice(raw::sound_extradata(&encoder));
        if config.is_empty() {
            return Err(Error::Config("headers"));
        }
        let frame = usize::try_from(encoder.frame_size()).unwrap_or(0);
        if frame == 0 {
            return Err(Error::Config("length of its frames"));
        }
        Ok(Self {
            encoder,
            codec,
            kbps,
            config,
            frame,
            waiting: Vec::with_capacity(frame),
            next: first_sample,
        })
    }

    #[must_use]
    pub fn track(&self) -> SoundTrack {
        SoundTrack { codec: self.codec, kbps: self.kbps, config: self.config.clone() }
    }

    /// Takes the next samples, left and right, from -1 to 1 (louder is clipped, what is no number is silence); gives the frames
    /// that are ready.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn encode(&mut self, samples: &[[f32; 2]]) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::new();
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.frame - self.waiting.len()));
            self.waiting.extend(now.iter().map(|sample| sample.map(proper)));
            rest = later;
            if self.waiting.len() == self.frame {
                self.send()?;
                self.take(&mut packets)?;
            }
        }
        Ok(packets)
    }

    /// The rest, filled up with silence.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn finish(mut self) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::new();
        if !self.waiting.is_empty() {
            self.waiting.resize(self.frame, [0.0; 2]);
            self.send()?;
            self.take(&mut packets)?;
        }
        self.encoder.send_eof().map_err(Error::Encode)?;
        self.take(&mut packets)?;
        Ok(packets)
    }

    /// Gives the encoder the frame that waits.
    fn send(&mut self) -> Result<(), Error> {
        let mut input = frame::Audio::new(self.encoder.format(), self.frame, ChannelLayout::STEREO);
        input.set_rate(RATE);
        if input.is_planar() {
            for channel in 0..2 {
                let plane = input.plane_mut::<f32>(channel);
                plane.iter_mut().zip(&self.waiting).for_each(|(to, from)| *to = from[channel]);
            }
        } else {
            let plane = input.plane_mut::<(f32, f32)>(0);
            plane.iter_mut().zip(&self.waiting).for_each(|(to, from)| *to = (from[0], from[1]));
        }
        input.set_pts(Some(self.next));
        self.next = self.next.saturating_add(i64::try_from(self.frame).unwrap_or(0));
        self.waiting.clear();
        self.encoder.send_frame(&input).map_err(Error::Encode)
    }

    fn take(&mut self, packets: &mut Vec<Packet>) -> Result<(), Error> {
        loop {
            let mut packet = Raw::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => return Ok(()),
                Err(e) => return Err(Error::Encode(e)),
            }
            let (Some(data), Some(start)) = (packet.data(), packet.pts()) else { continue };
            let end = start.saturating_add(i64::try_from(self.frame).unwrap_or(0));
            let pts = sample_ticks(start);
            packets.push(Packet {
                track: Track::Sound,
                pts,
                dts: pts,
                duration: u32::try_from(sample_ticks(end) - pts).unwrap_or(0),
                keyframe: true,
                data: Bytes::copy_from_slice(data),
            });
        }
    }
}

fn proper(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}
