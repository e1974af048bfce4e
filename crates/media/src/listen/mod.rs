//! The sound of a file, or of bytes that come in order, as samples for the mixer: 48 kHz, stereo, whatever it was.
//!
//! Called by the outputs and by players, on a thread of their own: every call blocks. Opens nothing but the file it is given. FFmpeg's types
//! stay in here.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ffmpeg_next::format::context::StreamIo;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Dictionary, Packet, Rational, format, media};

use crate::live::{custom, raw};

mod voice;

pub use voice::Voice;

/// Samples a second, of both channels each.
pub const RATE: u32 = 48_000;

/// Consecutive samples.
#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    /// When the first is heard, in samples by the container's clock; subtract [`Listener::start`].
    pub number: i64,
    /// Left and right, full scale at 1; never none.
    pub samples: Vec<[f32; 2]>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file's name is not valid UTF-8 text")]
    Name,
    #[error("it can't be opened: {0}")]
    Open(ffmpeg_next::Error),
    #[error("it has no sound")]
    NoSound,
    #[error("its sound is {0}, which is not supported")]
    Codec(String),
    #[error("its sound is out of bounds: {0}")]
    Bounds(&'static str),
    #[error("reading failed: {0}")]
    Read(ffmpeg_next::Error),
    #[error("its sound can't be converted: {0}")]
    Convert(ffmpeg_next::Error),
    #[error("it was told to stop")]
    Interrupted,
}

/// Containers of one file that refer to no other.
const FORMATS: &str = "mov,mp4,matroska,webm,mpegts,mpeg,flv,avi,ogg,asf,wav,w64,aiff,caf,mp3,aac,flac,ac3";

/// Damaged packets in a row until we give up.
const MOST_DAMAGED: u32 = 1000;

/// An open source of sound.
pub struct Listener {
    container: format::context::Input,
    stop: Arc<AtomicBool>,
    stream: usize,
    voice: Voice,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    /// The container is at its end; the decoder may hold more.
    Draining,
    /// And the resampler.
    Flushing,
    Over,
}

impl Listener {
    /// `stop` set to true ends this call or any later one.
    ///
    /// # Errors
    /// When it can't be opened or has no sound we know.
    pub fn open(path: &Path, stop: Arc<AtomicBool>) -> Result<Self, Error> {
        crate::init();
        let name = path.to_str().filter(|name| !name.contains('\0')).ok_or(Error::Name)?;
        let mut settings = Dictionary::new();
        settings.set("protocol_whitelist", "file");
        settings.set("format_whitelist", FORMATS);
        // With the prefix a colon in the name can't be taken for a protocol.
        let container = raw::open(&format!("file:{name}"), None, settings, Arc::clone(&stop));
        Self::begin(container, stop)
    }

    /// The same of bytes that come in order: segments of a transport stream, or of MP4 after their head. Whoever gives them ends
    /// their own waiting.
    ///
    /// # Errors
    /// As [`Listener::open`].
    pub fn read(bytes: Box<dyn Read + Send>, stop: Arc<AtomicBool>) -> Result<Self, Error> {
        crate::init();
        let io = StreamIo::from_read(bytes).map_err(Error::Open)?;
        let container = custom(io, FORMATS, Dictionary::new(), Arc::clone(&stop));
        Self::begin(container, stop)
    }

    fn begin(
        container: Result<format::context::Input, ffmpeg_next::Error>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let stopped =
            |error| if stop.load(Ordering::Relaxed) { Error::Interrupted } else { Error::Open(error) };
        let mut container = container.map_err(stopped)?;
        let best = container.streams().best(media::Type::Audio).ok_or(Error::NoSound)?;
        let stream = best.index();
        let voice = Voice::new(best.parameters(), best.time_base())?;
        raw::only(&mut container, &[stream]);
        Ok(Self { container, stop, stream, voice, stage: Stage::Reading })
    }

    /// When the container begins, in samples by its clock: what pictures in it count from too.
    #[must_use]
    pub fn start(&self) -> i64 {
        rescale(raw::start_time(&self.container), Rational(1, ffmpeg_next::ffi::AV_TIME_BASE)).unwrap_or(0)
    }

    /// How many samples it says it has; live ones don't say.
    #[must_use]
    pub fn length(&self) -> Option<i64> {
        rescale(self.container.duration(), Rational(1, ffmpeg_next::ffi::AV_TIME_BASE))
            .filter(|length| *length > 0)
    }

    /// The next samples; `None` at the end. What is damaged is a gap in the numbers.
    ///
    /// # Errors
    /// When reading fails or is interrupted.
    #[expect(clippy::should_implement_trait, reason = "an error is told apart from the end")]
    pub fn next(&mut self) -> Result<Option<Block>, Error> {
        let mut damaged = 0;
        while self.stage != Stage::Over {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if self.stage == Stage::Flushing {
                self.stage = Stage::Over;
                return self.voice.flush();
            }
            match self.voice.receive() {
                Ok(Some(decoded)) => {
                    if let Some(block) = self.voice.convert(decoded)? {
                        return Ok(Some(block));
                    }
                }
                Err(ffmpeg_next::Error::Eof) => self.stage = Stage::Flushing,
                Ok(None) | Err(_) if self.stage == Stage::Draining => self.stage = Stage::Flushing,
                Ok(None) => self.feed(&mut damaged)?,
                Err(error) => spend(&mut damaged, error)?,
            }
        }
        Ok(None)
    }

    /// Gives the decoder the next packet, or the end.
    fn feed(&mut self, damaged: &mut u32) -> Result<(), Error> {
        let mut packet = Packet::empty();
        match packet.read(&mut self.container) {
            Ok(()) if packet.stream() != self.stream => Ok(()),
            Ok(()) => match self.voice.send(&packet) {
                Ok(()) => Ok(()),
                Err(error) => spend(damaged, error),
            },
            Err(ffmpeg_next::Error::Eof) => {
                self.stage = Stage::Draining;
                self.voice.finish().map_err(Error::Read)
            }
            Err(_) if self.stop.load(Ordering::Relaxed) => Err(Error::Interrupted),
            Err(error @ (ffmpeg_next::Error::InvalidData | ffmpeg_next::Error::Other { errno: EAGAIN })) => {
                spend(damaged, error)
            }
            Err(error) => Err(Error::Read(error)),
        }
    }
}

/// Counts a fault, until there are too many.
fn spend(damaged: &mut u32, error: ffmpeg_next::Error) -> Result<(), Error> {
    *damaged += 1;
    if *damaged > MOST_DAMAGED { Err(Error::Read(error)) } else { Ok(()) }
}

/// In samples of ours; `None` where the container doesn't say.
fn rescale(time: i64, base: Rational) -> Option<i64> {
    if time == ffmpeg_next::ffi::AV_NOPTS_VALUE {
        return None;
    }
    let scaled = i128::from(time) * i128::from(base.numerator()) * i128::from(RATE);
    i64::try_from(scaled.div_euclid(i128::from(base.denominator().max(1)))).ok()
}

#[cfg(test)]
mod tests;
