//! Frames of a video file or a camera, one after the other, as JPEG or 4:2:0 planes.
//!
//! Called by `onair publish`, on a thread of its own: every call blocks on the disk or the device. Opens
//! nothing but the file or device it is given. FFmpeg's types stay in here.

pub(crate) mod planes;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, decoder, format, frame, media};
use pixels::{I420, Plane};

use planes::Converter;

/// What to read.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    File(&'a Path),
    /// A Video4Linux device. Wishes it can't fulfil are answered by what it can do best.
    Camera {
        device: &'a str,
        width: Option<u32>,
        height: Option<u32>,
        fps: Option<u32>,
    },
}

/// One frame.
#[derive(Debug)]
pub enum Picture {
    /// As it was coded; may lack its Huffman tables.
    Jpeg(Bytes),
    I420(I420),
}

/// What the file or device says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Info {
    /// Pixels, before any rotation the file asks for.
    pub width: u32,
    pub height: u32,
    pub fps: Option<f64>,
    pub duration: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} can't be opened: {1}")]
    Open(String, String),
    #[error("{0} has no video in it")]
    NoVideo(String),
    #[error("{0} has video this machine has no decoder for ({1})")]
    NoDecoder(String, String),
    #[error(
        "the camera {0} can't be opened: {1}; see what there is with: ls /dev/video*, and whether you may use it: groups (video)"
    )]
    Camera(String, String),
    #[error("this machine's FFmpeg has no Video4Linux support (libavdevice)")]
    NoCameras,
    #[error("reading failed: {0}")]
    Read(ffmpeg_next::Error),
    #[error("decoding failed: {0}")]
    Decode(ffmpeg_next::Error),
    #[error("the picture can't be converted to 4:2:0: {0}")]
    Convert(ffmpeg_next::Error),
}

/// An open file or camera.
pub struct Input {
    container: format::context::Input,
    stream: usize,
    time_base: Rational,
    /// `None` where frames are JPEG already.
    decoder: Option<decoder::Video>,
    converter: Converter,
    decoded: frame::Video,
    first: Option<i64>,
    ended: bool,
    info: Info,
}

impl Input {
    /// # Errors
    /// When it is not there, not readable, or holds no video we can decode; the text says what to do.
    pub fn open(source: Source<'_>) -> Result<Self, Error> {
        Self::open_for(source, false)
    }

    /// A file whose frames all come decoded, with their [alpha](Self::alpha) where they have any.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_film(path: &Path) -> Result<Self, Error> {
        Self::open_for(Source::File(path), true)
    }

    fn open_for(source: Source<'_>, film: bool) -> Result<Self, Error> {
        crate::init();
        let (name, container) = match source {
            Source::File(path) => {
                let name = path.display().to_string();
                let opened = open_file(path).map_err(|why| Error::Open(name.clone(), why))?;
                (name, opened)
            }
            Source::Camera { device, width, height, fps } => {
                (device.to_owned(), open_camera(device, width.zip(height), fps)?)
            }
        };
        let best =
            container.streams().best(media::Type::Video).ok_or_else(|| Error::NoVideo(name.clone()))?;
        let (stream, time_base) = (best.index(), best.time_base());
        let orientation = best
            .side_data()
            .find(|data| data.kind() == side_data::Type::DisplayMatrix)
            .map_or(1, |data| planes::orientation(data.data()));
        let parameters = best.parameters();
        let no_decoder = |e: ffmpeg_next::Error| Error::NoDecoder(name.clone(), e.to_string());
        let context = codec::Context::from_parameters(parameters).map_err(no_decoder)?;
        let jpeg = context.id() == codec::Id::MJPEG && orientation == 1 && !film;
        let marked = film && best.metadata().get("alpha_mode") == Some("1");
        let video = match with_alpha(context.id()).filter(|_| marked) {
            Some(codec) => context.decoder().open_as(codec).and_then(decoder::Opened::video),
            None => context.decoder().video(),
        };
        let video = video.map_err(no_decoder)?;
        let rate = best.avg_frame_rate();
        let info = Info {
            width: video.width(),
            height: video.height(),
            fps: Some(f64::from(rate)).filter(|fps| fps.is_finite() && *fps > 0.0),
            duration: u64::try_from(container.duration())
                .ok()
                .filter(|us| *us > 0)
                .map(Duration::from_micros),
        };
        let decoder = if jpeg { None } else { Some(video) };
        let converter = if film { Converter::with_alpha(orientation) } else { Converter::new(orientation) };
        let decoded = frame::Video::empty();
        Ok(Self {
            container,
            stream,
            time_base,
            decoder,
            converter,
            decoded,
            first: None,
            ended: false,
            info,
        })
    }

    pub fn info(&self) -> Info {
        self.info
    }

    /// The next frame and its time since the first; `None` at the end.
    ///
    /// # Errors
    /// When the disk or device fails; damaged frames are passed over.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not be rewound")]
    pub fn next(&mut self) -> Result<Option<(Picture, Duration)>, Error> {
        loop {
            if let Some(found) = self.decoded_frame()? {
                return Ok(Some(found));
            }
            if self.ended {
                return Ok(None);
            }
            let mut packet = Packet::empty();
            match packet.read(&mut self.container) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => {
                    if let Some(found) = self.take(&packet)? {
                        return Ok(Some(found));
                    }
                }
                Err(ffmpeg_next::Error::Eof) => {
                    self.ended = true;
                    if let Some(decoder) = &mut self.decoder {
                        decoder.send_eof().map_err(Error::Decode)?;
                    }
                }
                // A non-blocking device has nothing yet, or one packet was damaged.
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::InvalidData) => {}
                Err(e) => return Err(Error::Read(e)),
            }
        }
    }

    /// Back to the first frame; times start again at zero.
    ///
    /// # Errors
    /// On a camera, and on what can't be sought.
    pub fn rewind(&mut self) -> Result<(), Error> {
        self.container.seek(0, ..).map_err(Error::Read)?;
        if let Some(decoder) = &mut self.decoder {
            decoder.flush();
        }
        (self.first, self.ended) = (None, false);
        Ok(())
    }

    /// To the last place at or before `to` (since the first frame) where decoding can begin. Times go on counting from the first.
    ///
    /// # Errors
    /// On a camera, and on what can't be sought.
    pub fn seek(&mut self, to: Duration) -> Result<(), Error> {
        let micros = |ticks: i64| {
            let (numerator, denominator) = (self.time_base.numerator(), self.time_base.denominator().max(1));
            i128::from(ticks) * i128::from(numerator) * 1_000_000 / i128::from(denominator)
        };
        let to = i128::try_from(to.as_micros()).unwrap_or(i128::MAX);
        let to = i64::try_from(to.saturating_add(self.first.map_or(0, micros))).unwrap_or(i64::MAX);
        self.container.seek(to, ..to).map_err(Error::Read)?;
        if let Some(decoder) = &mut self.decoder {
            decoder.flush();
        }
        self.ended = false;
        Ok(())
    }

    /// How opaque each sample of the last frame's luma is; `None` where all are.
    pub fn alpha(&self) -> Option<&Plane> {
        self.converter.alpha()
    }

    fn take(&mut self, packet: &Packet) -> Result<Option<(Picture, Duration)>, Error> {
        let Some(decoder) = &mut self.decoder else {
            let time = self.since_first(packet.pts().or_else(|| packet.dts()));
            return Ok(packet.data().map(|data| (Picture::Jpeg(Bytes::copy_from_slice(data)), time)));
        };
        match decoder.send_packet(packet) {
            Ok(()) | Err(ffmpeg_next::Error::InvalidData) => Ok(None),
            Err(e) => Err(Error::Decode(e)),
        }
    }

    fn decoded_frame(&mut self) -> Result<Option<(Picture, Duration)>, Error> {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        match decoder.receive_frame(&mut self.decoded) {
            Ok(()) => {
                let time = self.since_first(self.decoded.timestamp());
                let picture = self.converter.convert(&self.decoded).map_err(Error::Convert)?;
                Ok(Some((Picture::I420(picture), time)))
            }
            Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => Ok(None),
            Err(ffmpeg_next::Error::InvalidData) => Ok(None),
            Err(e) => Err(Error::Decode(e)),
        }
    }

    fn since_first(&mut self, pts: Option<i64>) -> Duration {
        let Some(pts) = pts else { return Duration::ZERO };
        let ticks = pts.saturating_sub(*self.first.get_or_insert(pts)).max(0);
        let (numerator, denominator) = (self.time_base.numerator(), self.time_base.denominator().max(1));
        let nanoseconds = i128::from(ticks) * i128::from(numerator) * 1_000_000_000 / i128::from(denominator);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
    }
}

/// A decoder that gives alpha as well, for codecs that have one which does not.
fn with_alpha(id: codec::Id) -> Option<ffmpeg_next::Codec> {
    let name = match id {
        codec::Id::VP8 => "libvpx",
        codec::Id::VP9 => "libvpx-vp9",
        _ => return None,
    };
    decoder::find_by_name(name)
}

/// Opens a file, and nothing that a name or a playlist in it could lead to elsewhere.
fn open_file(path: &Path) -> Result<format::context::Input, String> {
    // The binding panics on such names.
    let name = path.to_str().filter(|name| !name.contains('\0')).ok_or("its name is not valid UTF-8 text")?;
    let mut options = Dictionary::new();
    options.set("protocol_whitelist", "file");
    // With the prefix a colon in the name can't be taken for a protocol.
    format::input_with_dictionary(&format!("file:{name}"), options).map_err(|e| e.to_string())
}

/// Asks for MJPEG first: it passes through uncoded, and most cameras reach their best rates with it.
fn open_camera(
    device: &str,
    size: Option<(u32, u32)>,
    fps: Option<u32>,
) -> Result<format::context::Input, Error> {
    let failed = |why: String| Error::Camera(device.to_owned(), why);
    if device.contains('\0') {
        return Err(failed("no device has such a name".to_owned()));
    }
    let v4l2 = ffmpeg_next::device::input::video()
        .find(|format| matches!(format.name(), "video4linux2" | "video4linux2,v4l2" | "v4l2"))
        .ok_or(Error::NoCameras)?;
    let mut wish = Dictionary::new();
    if let Some((width, height)) = size {
        wish.set("video_size", &format!("{width}x{height}"));
    }
    if let Some(fps) = fps {
        wish.set("framerate", &fps.to_string());
    }
    let mut mjpeg = wish.to_owned();
    mjpeg.set("input_format", "mjpeg");
    let open = |options: Dictionary<'_>| format::open_with(device, &v4l2, options);
    let opened = open(mjpeg).or_else(|_| open(wish)).or_else(|_| open(Dictionary::new()));
    match opened.map_err(|e| failed(e.to_string()))? {
        format::Context::Input(input) => Ok(input),
        format::Context::Output(_) => Err(failed("it is an output".to_owned())),
    }
}
