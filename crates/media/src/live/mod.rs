//! Keyframes of what is not HLS: RTMP, RTSP, SRT, a body that someone fetches for us, or a file, through a kept-open FFmpeg demuxer.
//!
//! Called by the pull sources, on a thread of their own: every call blocks. Decodes nothing. FFmpeg opens sockets for the four
//! live schemes alone, and nothing that a redirect or a playlist could lead to.

mod address;
pub(crate) mod raw;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use address::target;
use bytes::Bytes;
use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::format::context::StreamIo;
use ffmpeg_next::util::error::{EAGAIN, ETIMEDOUT};
use ffmpeg_next::{Dictionary, Packet, Rational, codec, format, media};

use crate::bitstream::{Config, Look, Size, begins_picture, look_annexb};
use crate::keyframe::{Codec, Keyframe};
use crate::segment::Limits;
use crate::time::TIMESCALE;

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long connecting, or waiting for bytes, may take.
    pub timeout: Duration,
    pub limits: Limits,
    /// Certificates (PEM) trusted for `rtmps` instead of this machine's own.
    pub authorities: Option<PathBuf>,
    /// Whether its sound is wanted too.
    pub sound: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), limits: Limits::default(), authorities: None, sound: false }
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
pub struct Input {
    container: format::context::Input,
    stop: Arc<AtomicBool>,
    limits: Limits,
    stream: usize,
    codec: Codec,
    time_base: Rational,
    headers: Headers,
    first: Option<i64>,
    /// In containers that don't say how long a picture is, one is known to be whole once the next one came.
    holds_back: bool,
    held: Option<Held>,
}

/// A keyframe that may go on.
struct Held {
    keyframe: Keyframe,
    /// What came of it since: RTSP gives a picture's slices one by one where parameter sets stand between them.
    rest: Vec<u8>,
}

/// What a stream's pictures need besides themselves.
enum Headers {
    /// MP4's records, and what they say.
    Record(Bytes, Config),
    /// Parameter sets of a byte stream; may be empty.
    Stream(Vec<u8>),
}

/// Containers of one file that refer to no other.
const FORMATS: &str = "mov,mp4,matroska,webm,mpegts,mpeg,flv,avi,ogg,asf,h264,hevc,ivf,obu";

/// Damaged packets in a row until we give up.
const MOST_DAMAGED: u32 = 1000;

impl Input {
    /// Connects and finds the video. `interrupt` set to true ends this call or any later one within 100 ms, except that a
    /// [`Source::Reader`] has to end its own waiting. The timeout bounds each wait for bytes; who wants the whole bounded sets
    /// `interrupt`.
    ///
    /// # Errors
    /// When it can't be opened or has no video we know.
    pub fn open(source: Source, options: &Options, interrupt: Arc<AtomicBool>) -> Result<Self, Error> {
        let container = connect(source, options, &interrupt)?;
        Self::start(container, options.limits, interrupt)
    }

    fn start(
        mut container: format::context::Input,
        limits: Limits,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let best = container.streams().best(media::Type::Video).ok_or(Error::NoVideo)?;
        if best.disposition().contains(format::stream::Disposition::ATTACHED_PIC) {
            return Err(Error::NoVideo);
        }
        let (stream, time_base) = (best.index(), best.time_base());
        let codec = match best.parameters().id() {
            codec::Id::H264 => Codec::H264,
            codec::Id::HEVC => Codec::Hevc,
            codec::Id::AV1 => Codec::Av1,
            other => return Err(Error::Codec(other.name().to_owned())),
        };
        let headers = Headers::read(codec, &raw::extradata(&container, stream));
        raw::only(&mut container, &[stream]);
        let holds_back = !container
            .format()
            .name()
            .split(',')
            .any(|name| matches!(name, "mov" | "matroska" | "flv" | "avi"));
        Ok(Self {
            container,
            stop,
            limits,
            stream,
            codec,
            time_base,
            headers,
            first: None,
            holds_back,
            held: None,
        })
    }

    /// The next keyframe, its PTS counted from the stream's first; `None` at the end. A file is read as fast as it goes.
    ///
    /// # Errors
    /// When reading fails, takes too long or is interrupted.
    pub fn next_keyframe(&mut self) -> Result<Option<Keyframe>, Error> {
        let mut damaged = 0;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.container) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) if self.goes_on(&packet)? => {}
                Ok(()) => {
                    let found = self.take(&packet)?;
                    let ready = if self.holds_back { self.hold(found) } else { found };
                    if ready.is_some() {
                        return Ok(ready);
                    }
                }
                Err(ffmpeg_next::Error::Eof) => return Ok(None),
                Err(ffmpeg_next::Error::InvalidData | ffmpeg_next::Error::Other { errno: EAGAIN })
                    if damaged < MOST_DAMAGED =>
                {
                    damaged += 1;
                    // Whatever was held may be what was damaged.
                    self.held = None;
                }
                Err(error) => return Err(failed(error, &self.stop, Error::Read)),
            }
        }
    }

    /// Whether the packet is more of the picture that is held, which then has it.
    fn goes_on(&mut self, packet: &Packet) -> Result<bool, Error> {
        let Headers::Stream(_) = self.headers else { return Ok(false) };
        let Some(held) = self.held.as_mut().filter(|_| !packet.is_corrupt()) else { return Ok(false) };
        let Some(data) = packet.data().filter(|data| !begins_picture(self.codec, data)) else {
            return Ok(false);
        };
        if held.keyframe.data.len() + held.rest.len() + data.len() > self.limits.max_bytes {
            return Err(Error::TooLarge);
        }
        held.rest.extend_from_slice(data);
        Ok(true)
    }

    /// Holds `found` instead of what was held, which is whole now.
    fn hold(&mut self, found: Option<Keyframe>) -> Option<Keyframe> {
        let found = found.map(|keyframe| Held { keyframe, rest: Vec::new() });
        let Held { mut keyframe, rest } = std::mem::replace(&mut self.held, found)?;
        if !rest.is_empty() {
            keyframe.data = [&keyframe.data[..], &rest].concat().into();
        }
        Some(keyframe)
    }

    /// The packet as a keyframe, if it is one.
    fn take(&mut self, packet: &Packet) -> Result<Option<Keyframe>, Error> {
        let new = packet.side_data().find(|data| data.kind() == side_data::Type::NewExtraData);
        if let Some(headers) = new {
            self.headers = Headers::read(self.codec, headers.data());
        }
        let time = packet.pts().or_else(|| packet.dts());
        let first = match time {
            Some(time) => *self.first.get_or_insert(time),
            None => 0,
        };
        if packet.is_corrupt() {
            // Bytes were missing before it or in it, so what was held may lack its end.
            self.held = None;
            return Ok(None);
        }
        let Some(data) = packet.data().filter(|_| packet.is_key()) else { return Ok(None) };
        if data.len() > self.limits.max_bytes {
            return Err(Error::TooLarge);
        }
        let Some((data, config, size)) = self.headers.complete(self.codec, data) else { return Ok(None) };
        if size.width.max(size.height) > self.limits.max_side {
            return Err(Error::TooLarge);
        }
        let pts = ticks(time.unwrap_or(first).saturating_sub(first), self.time_base);
        let (width, height) = (size.width, size.height);
        Ok(Some(Keyframe { codec: self.codec, data, config, width, height, pts }))
    }
}

impl Headers {
    fn read(codec: Codec, extradata: &[u8]) -> Self {
        match Config::parse(codec, extradata) {
            Some(parsed) => Self::Record(Bytes::copy_from_slice(extradata), parsed),
            None => Self::Stream(extradata.to_vec()),
        }
    }

    /// A picture with all it needs, and its size; `None` if it isn't a keyframe by its own bits.
    fn complete(&self, codec: Codec, data: &[u8]) -> Option<(Bytes, Option<Bytes>, Size)> {
        match self {
            Self::Record(record, parsed) => {
                let size = key(parsed.look(data)?)?;
                Some((Bytes::copy_from_slice(data), Some(record.clone()), size))
            }
            Self::Stream(sets) => {
                if let Some(size) = look_annexb(codec, &[], data).and_then(key) {
                    return Some((Bytes::copy_from_slice(data), None, size));
                }
                let size = key(look_annexb(codec, sets, data)?)?;
                Some(([sets, data].concat().into(), None, size))
            }
        }
    }
}

fn key(look: Look) -> Option<Size> {
    look.size.filter(|_| look.keyframe)
}

/// Opens `source`, and reads what its streams are.
pub(crate) fn connect(
    source: Source,
    options: &Options,
    interrupt: &Arc<AtomicBool>,
) -> Result<format::context::Input, Error> {
    crate::init();
    let mut settings = Dictionary::new();
    // Enough for the headers; frame rates and the like are of no use here.
    settings.set("analyzeduration", "2000000");
    settings.set("probesize", "2000000");
    settings.set("fpsprobesize", "0");
    let stop = Arc::clone(interrupt);
    let opened = match source {
        Source::Url { url, address } => {
            let target = address::target(&url, address, options)?;
            for (name, value) in &target.options {
                settings.set(name, value);
            }
            raw::open(&target.url, Some(target.format), settings, stop)
        }
        Source::File(path) => {
            let name = path.to_str().filter(|name| !name.contains('\0'));
            let name = name.ok_or(Error::Address("the file's name is not valid UTF-8 text"))?;
            settings.set("protocol_whitelist", "file");
            settings.set("format_whitelist", FORMATS);
            // With the prefix a colon in the name can't be taken for a protocol.
            raw::open(&format!("file:{name}"), None, settings, stop)
        }
        Source::Reader(reader) => {
            StreamIo::from_read(reader).and_then(|io| custom(io, FORMATS, settings, stop))
        }
        Source::Seekable(reader) => {
            StreamIo::from_read_seek(reader).and_then(|io| custom(io, FORMATS, settings, stop))
        }
    };
    opened.map_err(|error| failed(error, interrupt, Error::Open))
}

/// Opens what `io` reads, if it is one of `formats`.
pub(crate) fn custom(
    io: StreamIo,
    formats: &str,
    mut settings: Dictionary<'_>,
    stop: Arc<AtomicBool>,
) -> Result<format::context::Input, ffmpeg_next::Error> {
    settings.set("protocol_whitelist", "none");
    settings.set("format_whitelist", formats);
    format::input_from_stream_with_interrupt(io, None, Some(settings), move || stop.load(Ordering::Relaxed))
}

pub(crate) fn failed(
    error: ffmpeg_next::Error,
    stop: &AtomicBool,
    otherwise: impl FnOnce(ffmpeg_next::Error) -> Error,
) -> Error {
    match error {
        _ if stop.load(Ordering::Relaxed) => Error::Interrupted,
        // Our callback said so, and not because we were told to: it was the address.
        ffmpeg_next::Error::Exit => Error::Address("the server leads elsewhere"),
        ffmpeg_next::Error::Other { errno: ETIMEDOUT } => Error::TimedOut,
        error => otherwise(error),
    }
}

/// Ticks of 1/90000 s; 0 for what lies before the start.
fn ticks(time: i64, base: Rational) -> u64 {
    let scaled = i128::from(time.max(0)) * i128::from(base.numerator()) * i128::from(TIMESCALE);
    u64::try_from(scaled / i128::from(base.denominator().max(1))).unwrap_or(0)
}
