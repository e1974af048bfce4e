//! Decodes one track of sound, whatever it is, to samples for the mixer.

use ffmpeg_next::codec::{self, Parameters, decoder};
use ffmpeg_next::format::{Sample, sample};
use ffmpeg_next::software::resampling;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{ChannelLayout, Packet, Rational, frame};

use super::{Block, Error, RATE};
use crate::tape::Coded;

/// What decodes a track.
pub struct Voice {
    decoder: decoder::Audio,
    base: Rational,
    resampler: Resampler,
    /// The number of the sample that comes next.
    next: Option<i64>,
}

/// FFmpeg's resampler for the samples heard last, made anew when they change.
struct Resampler(Option<resampling::Context>);

#[expect(unsafe_code, reason = "the binding leaves Send to us")]
// SAFETY: a resampler is a heap object without ties to a thread; `Voice` owns it alone and uses it through `&mut`.
unsafe impl Send for Resampler {}

/// Samples a decoder may give at once.
const MOST_SAMPLES: usize = 1 << 18;
/// Samples that times may be off without meaning it: 50 ms.
const JITTER: i64 = RATE as i64 / 20;

impl Voice {
    pub(crate) fn new(parameters: Parameters, base: Rational) -> Result<Self, Error> {
        let name = parameters.id().name().to_owned();
        let context = codec::Context::from_parameters(parameters).map_err(Error::Open)?;
        let decoder = context.decoder().audio().map_err(|_| Error::Codec(name))?;
        Ok(Self { decoder, base, resampler: Resampler(None), next: None })
    }

    /// What comes of a part of a tape's sound. What is damaged is a gap in the numbers.
    ///
    /// # Errors
    /// When its samples are out of bounds or can't be converted.
    pub fn hear(&mut self, coded: &Coded) -> Result<Vec<Block>, Error> {
        let mut blocks = Vec::new();
        if self.send(&coded.packet).is_err() {
            return Ok(blocks);
        }
        while let Ok(Some(decoded)) = self.receive() {
            blocks.extend(self.convert(decoded)?);
        }
        Ok(blocks)
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<(), ffmpeg_next::Error> {
        self.decoder.send_packet(packet)
    }

    pub(super) fn finish(&mut self) -> Result<(), ffmpeg_next::Error> {
        self.decoder.send_eof()
    }

    /// `None`: another packet is needed.
    pub(super) fn receive(&mut self) -> Result<Option<frame::Audio>, ffmpeg_next::Error> {
        let mut decoded = frame::Audio::empty();
        match self.decoder.receive_frame(&mut decoded) {
            Ok(()) => Ok(Some(decoded)),
            Err(ffmpeg_next::Error::Other { errno: EAGAIN }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn convert(&mut self, mut decoded: frame::Audio) -> Result<Option<Block>, Error> {
        if !(4000..=384_000).contains(&decoded.rate()) {
            return Err(Error::Bounds("a rate from 4 to 384 kHz is taken"));
        }
        if decoded.samples() > MOST_SAMPLES {
            return Err(Error::Bounds("a frame has too many samples"));
        }
        if decoded.channel_layout().is_empty() {
            decoded.set_channel_layout(ChannelLayout::default(i32::from(decoded.channels())));
        }
        let time = decoded.timestamp().or(decoded.pts()).and_then(|time| super::rescale(time, self.base));
        let number = match (self.next, time) {
            (Some(next), Some(time)) if next.saturating_sub(time).saturating_abs() > JITTER => time,
            (Some(next), _) => next,
            (None, time) => time.unwrap_or(0),
        };
        let format = resampling::context::Definition {
            format: decoded.format(),
            channel_layout: decoded.channel_layout(),
            rate: decoded.rate(),
        };
        // A stream may become another in the middle.
        if self.resampler.0.as_ref().is_none_or(|resampler| *resampler.input() != format) {
            let made = resampling::Context::get(
                format.format,
                format.channel_layout,
                format.rate,
                Sample::F32(sample::Type::Packed),
                ChannelLayout::STEREO,
                RATE,
            );
            self.resampler.0 = Some(made.map_err(Error::Convert)?);
        }
        let resampler = self.resampler.0.as_mut().expect("made above");
        // What comes of this frame, and what the resampler held back.
        let most = decoded.samples() as u64 * u64::from(RATE) / u64::from(decoded.rate()) + 4096;
        let mut out = blank(usize::try_from(most).unwrap_or(MOST_SAMPLES));
        resampler.run(&decoded, &mut out).map_err(Error::Convert)?;
        Ok(self.block(number, &out))
    }

    /// What the resampler held back.
    pub(super) fn flush(&mut self) -> Result<Option<Block>, Error> {
        let (Some(resampler), Some(next)) = (&mut self.resampler.0, self.next) else { return Ok(None) };
        let mut out = blank(4096);
        resampler.flush(&mut out).map_err(Error::Convert)?;
        Ok(self.block(next, &out))
    }

    fn block(&mut self, number: i64, out: &frame::Audio) -> Option<Block> {
        // FFmpeg keeps the power of one channel when it makes two of it; a voice is to stay as loud as it was on each side.
        let mono =
            self.resampler.0.as_ref().is_some_and(|made| made.input().channel_layout == ChannelLayout::MONO);
        let gain = if mono { std::f32::consts::SQRT_2 } else { 1.0 };
        let pairs = out.plane::<(f32, f32)>(0).iter();
        let samples: Vec<[f32; 2]> = pairs.map(|&(l, r)| [l * gain, r * gain]).collect();
        self.next = Some(number.saturating_add(i64::try_from(samples.len()).unwrap_or(0)));
        (!samples.is_empty()).then_some(Block { number, samples })
    }
}

/// Room for that many samples of ours.
fn blank(samples: usize) -> frame::Audio {
    let mut out = frame::Audio::new(Sample::F32(sample::Type::Packed), samples, ChannelLayout::STEREO);
    out.set_rate(RATE);
    out
}
