//! A way out of the machine: packets in, a connection or a file fed.
//!
//! Called by a destination, on its own thread: calls block, each for a bounded time. An outlet is one connection and ends with
//! its first error; who reconnects opens another. FFmpeg opens sockets for RTMP, RTMPS and SRT, by a list of protocols.

mod file;
mod raw;
mod watch;

mod destination;
mod heard;
#[cfg(target_os = "linux")]
mod patience;
mod secret;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Packet, SoundCodec, Track, Tracks, VideoCodec};
use file::File;
pub(crate) use heard::listen;
use raw::Muxer;
pub use secret::redacted;

/// Where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// `rtmp://` or `rtmps://` with the key at its end.
    Flv(String),
    /// `srt://`
    MpegTs(String),
    /// Fragmented: what is written plays, whatever happens next.
    Mp4(PathBuf),
    WebM(PathBuf),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Until the server has agreed to take the stream.
    pub connect: Duration,
    /// How long no byte may be taken.
    pub stall: Duration,
}

/// Who a URL leads to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    /// What the name in the URL stands for.
    pub address: Option<IpAddr>,
    /// Certificates (PEM) trusted for `rtmps` besides this machine's own.
    pub authorities: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), stall: Duration::from_secs(10) }
    }
}

/// Why an outlet ended, or could not be opened. No text holds a key or credentials.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OutletError {
    /// A server was there and does not want it: a wrong key, mostly.
    #[error("the server refuses the stream: {0}")]
    Refused(String),
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    #[error("no trusted connection: {0}")]
    Tls(String),
    #[error("the server takes nothing any more")]
    Stalled,
    #[error("the server did not answer in time")]
    Timeout,
    #[error("it was told to stop")]
    Stopped,
    #[error("the file can't be written: {0}")]
    Disk(String),
    #[error("{0}")]
    Unsupported(String),
}

/// An open way out. Dropped without [`Outlet::finish`], it just ends.
pub struct Outlet {
    to: To,
    /// When the first picture is shown: zero for who receives it.
    base: Option<i64>,
    has_sound: bool,
    /// Of the last packet of each track.
    last: [Option<i64>; 2],
}

enum To {
    Muxer(Box<Muxer>),
    File(Box<File>),
}

impl Outlet {
    /// Connects, or makes the file, and says what comes. `stop`, set from another thread, ends this or any later call within
    /// 200 ms.
    ///
    /// # Errors
    /// When the way does not take these codecs, or can't be opened.
    pub fn open(
        way: &Way,
        tracks: &Tracks,
        limits: Limits,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, OutletError> {
        Self::open_at(way, None, tracks, limits, stop)
    }

    /// The same; with `address` the name in the URL is not looked up again: for URLs whose address has been checked. It is also
    /// the only way to be ended in time while a name is looked up, which nothing interrupts.
    ///
    /// # Errors
    /// As [`Outlet::open`].
    pub fn open_at(
        way: &Way,
        address: Option<IpAddr>,
        tracks: &Tracks,
        limits: Limits,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, OutletError> {
        Self::open_to(way, &Peer { address, authorities: None }, tracks, limits, stop)
    }

    /// The same, with all that can be known of the server before.
    ///
    /// # Errors
    /// As [`Outlet::open`].
    pub fn open_to(
        way: &Way,
        peer: &Peer,
        tracks: &Tracks,
        limits: Limits,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, OutletError> {
        crate::init();
        way.takes(tracks)?;
        let to = match way {
            Way::Mp4(path) => To::File(Box::new(File::create(path, tracks)?)),
            Way::Flv(_) | Way::MpegTs(_) | Way::WebM(_) => {
                To::Muxer(Box::new(Muxer::open(way, peer, tracks, limits, stop)?))
            }
        };
        Ok(Self { to, base: None, has_sound: tracks.sound.is_some(), last: [None; 2] })
    }

    /// Sends a packet. What comes before the first keyframe is left out, and so are sound that no track was announced for and
    /// what is not later than the last packet of its track: the run-in of a sound encoder made anew.
    ///
    /// # Errors
    /// When the other side takes no more; the outlet is of no more use then.
    pub fn write(&mut self, packet: &Packet) -> Result<(), OutletError> {
        let base = match self.base {
            Some(base) => base,
            None if packet.track == Track::Picture && packet.keyframe => *self.base.insert(packet.dts),
            None => return Ok(()),
        };
        let last = &mut self.last[usize::from(packet.track == Track::Sound)];
        let late = last.is_some_and(|last| packet.dts <= last);
        if packet.dts < base || late || packet.track == Track::Sound && !self.has_sound {
            return Ok(());
        }
        *last = Some(packet.dts);
        match &mut self.to {
            To::Muxer(muxer) => muxer.write(packet, base),
            To::File(file) => file.write(packet, base),
        }
    }

    /// Bytes that left, or were written, headers included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        match &self.to {
            To::Muxer(muxer) => muxer.sent(),
            To::File(file) => file.sent(),
        }
    }

    /// Ends it properly: a file gets its end, a server is told. Takes two seconds at most, 200 ms if `stop` is set.
    ///
    /// # Errors
    /// When that fails; what was sent before is not undone.
    pub fn finish(self) -> Result<(), OutletError> {
        match self.to {
            To::Muxer(muxer) => muxer.finish(),
            To::File(file) => file.finish(),
        }
    }
}

impl Way {
    /// Whether these codecs go that way.
    ///
    /// # Errors
    /// With what does not, and what would.
    pub fn takes(&self, tracks: &Tracks) -> Result<(), OutletError> {
        let picture = tracks.picture.codec;
        let sound = tracks.sound.as_ref().map(|sound| sound.codec);
        let refused = |what: &str| Err(OutletError::Unsupported(what.to_owned()));
        match self {
            Self::Flv(_) if picture != VideoCodec::H264 => refused("RTMP takes H.264 only, not VP8 or VP9"),
            Self::Flv(_) if sound == Some(SoundCodec::Opus) => refused("RTMP takes AAC only, not Opus"),
            Self::MpegTs(_) if picture != VideoCodec::H264 => refused("SRT takes H.264 only, not VP8 or VP9"),
            Self::Mp4(_) if picture != VideoCodec::H264 => {
                refused("an MP4 file takes H.264 only; use .webm for VP8 and VP9")
            }
            Self::WebM(_) if picture == VideoCodec::H264 => {
                refused("a WebM file takes VP8 and VP9 only; use .mp4 for H.264")
            }
            Self::WebM(_) if sound == Some(SoundCodec::Aac) => {
                refused("a WebM file takes Opus only, not AAC")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
