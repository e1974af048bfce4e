//! All pictures and the sound of one source, in order: for whoever shows it at its full rate.
//!
//! Called by players, on threads of their own: a [`Tape`] blocks until something comes, decoders work for milliseconds. What is
//! opened, and what is never opened, is as in [`crate::live`]. Times are in µs by the container's clock, the same for both.

mod decoded;
mod screen;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Packet, Rational, format, media};

pub use decoded::Decoded;
pub use screen::Screen;

use crate::input::planes;
use crate::listen::Voice;
use crate::live::{self, Error, Options, Source, raw};

/// Which of its two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Picture,
    Sound,
}

/// A part of a track, as it was coded.
pub struct Coded {
    pub track: Track,
    /// When it is shown or heard, as far as its container says; in µs.
    pub at: Option<i64>,
    /// When it is to be decoded; not after it is shown.
    pub decode_at: Option<i64>,
    pub(crate) packet: Packet,
}

impl Coded {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.packet.size()
    }

    /// Whether a decoder can begin with it.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.packet.is_key()
    }
}

/// An open source.
pub struct Tape {
    container: format::context::Input,
    stop: Arc<AtomicBool>,
    pictures: (usize, Rational),
    sound: Option<(usize, Rational)>,
}

/// What was opened: the source itself, and what decodes each of its tracks.
pub struct Opened {
    pub tape: Tape,
    pub screen: Screen,
    /// `None`: it has no sound, or none we know.
    pub voice: Option<Voice>,
}

/// Damaged packets in a row until we give up.
const MOST_DAMAGED: u32 = 1000;

impl Tape {
    /// Connects, and finds the video and the sound. `interrupt` is as in [`live::Input::open`].
    ///
    /// # Errors
    /// When it can't be opened or has no video that this machine can decode.
    pub fn open(source: Source, options: &Options, interrupt: Arc<AtomicBool>) -> Result<Opened, Error> {
        let mut container = live::connect(source, options, &interrupt)?;
        let best = container.streams().best(media::Type::Video).ok_or(Error::NoVideo)?;
        if best.disposition().contains(format::stream::Disposition::ATTACHED_PIC) {
            return Err(Error::NoVideo);
        }
        let pictures = (best.index(), best.time_base());
        let turned = best
            .side_data()
            .find(|data| data.kind() == side_data::Type::DisplayMatrix)
            .map_or(1, |data| planes::orientation(data.data()));
        let screen = Screen::new(best.parameters(), pictures.1, turned, options.limits.max_side)?;
        let heard = container.streams().best(media::Type::Audio);
        let heard = heard.and_then(|best| {
            let voice = Voice::new(best.parameters(), best.time_base()).ok()?;
            Some(((best.index(), best.time_base()), voice))
        });
        let (sound, voice) = heard.unzip();
        let kept: Vec<_> = [Some(pictures.0), sound.map(|(index, _)| index)].into_iter().flatten().collect();
        raw::only(&mut container, &kept);
        Ok(Opened { tape: Self { container, stop: interrupt, pictures, sound }, screen, voice })
    }

    /// The next part of either track; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, takes too long or is interrupted.
    #[expect(clippy::should_implement_trait, reason = "an error is told apart from the end")]
    pub fn next(&mut self) -> Result<Option<Coded>, Error> {
        let mut damaged = 0;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.container) {
                Ok(()) => {
                    let index = packet.stream();
                    let (track, base) = match (self.pictures, self.sound) {
                        ((pictures, base), _) if pictures == index => (Track::Picture, base),
                        (_, Some((sound, base))) if sound == index => (Track::Sound, base),
                        _ => continue,
                    };
                    let [at, decode_at] = [packet.pts().or(packet.dts()), packet.dts().or(packet.pts())]
                        .map(|time| time.map(|time| micros(time, base)));
                    return Ok(Some(Coded { track, at, decode_at, packet }));
                }
                Err(ffmpeg_next::Error::Eof) => return Ok(None),
                Err(ffmpeg_next::Error::InvalidData | ffmpeg_next::Error::Other { errno: EAGAIN })
                    if damaged < MOST_DAMAGED =>
                {
                    damaged += 1;
                }
                Err(error) => return Err(live::failed(error, &self.stop, Error::Read)),
            }
        }
    }
}

/// In µs; what can't be said is the nearest that can.
fn micros(time: i64, base: Rational) -> i64 {
    let scaled = i128::from(time) * i128::from(base.numerator()) * 1_000_000;
    let micros = scaled.div_euclid(i128::from(base.denominator().max(1)));
    i64::try_from(micros.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4))).unwrap_or(0)
}
