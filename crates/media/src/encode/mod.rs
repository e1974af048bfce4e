//! Video encoding without look-ahead: one picture in, its packet out at once.
//!
//! Called by the recorder, on its own threads. The one place that knows FFmpeg's encoders; no I/O, no clock.

pub(crate) mod annexb;
pub(crate) mod raw;
pub mod steady;

use bytes::Bytes;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{
    Dictionary, Packet as Raw, Rational, codec, color, encoder, format::Pixel, frame, picture,
};
use pixels::convert::Squeeze;
use pixels::{I420, Plane, Range};

use crate::fmp4;
use crate::time::TIMESCALE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    H264,
    /// MPEG-4 part 2 (`mp4v`).
    Mpeg4,
}

/// How to encode.
#[derive(Clone, Debug)]
pub struct Settings {
    pub codec: VideoCodec,
    /// Pixels. Odd sizes are padded to even ones by repeating the last column and row, as 4:2:0 wants.
    pub width: u32,
    pub height: u32,
    /// x264's preset; no meaning for MPEG-4.
    pub preset: &'static str,
    /// H.264: constant rate factor (quantiser for `ultrafast`), 0 (best) to 51. MPEG-4: quantiser, 2 (best)
    /// to 31.
    pub quality: u8,
    /// A keyframe at least every so many ticks of 1/90 000 s: we decide by time, for frames come at any rate.
    pub keyframe_every: u64,
}

/// One coded picture.
#[derive(Clone, Debug)]
pub struct Packet {
    /// H.264: NAL units with 4-byte lengths. MPEG-4: one VOP.
    pub data: Bytes,
    /// As given to [`Encoder::encode`].
    pub pts: u64,
    pub keyframe: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this machine's FFmpeg has no encoder {0}")]
    Missing(&'static str),
    #[error("the encoder refuses {width}x{height}: {source}")]
    Open { width: u32, height: u32, source: ffmpeg_next::Error },
    #[error("encoding failed: {0}")]
    Encode(ffmpeg_next::Error),
    #[error("the encoder gave no {0}")]
    Config(&'static str),
    #[error("the picture is {0}x{1}, the encoder was made for {2}x{3}")]
    Size(u32, u32, u32, u32),
}

/// An open encoder.
///
/// Cost at 640×480, from `cargo run -p media --example encoder_cost`, relative to MPEG-4: ultrafast takes 0.9
/// times the time a frame (and 1.8 times what decoding its JPEG takes), superfast 2.1 times, veryfast 3.8
/// times. Memory: MPEG-4 3.3 MB, ultrafast
/// 3.4 MB, the others 8 MB each, so 50 recordings stay under 200 MB with the first two.
pub struct Encoder {
    encoder: encoder::Video,
    codec: VideoCodec,
    config: fmp4::Codec,
    input: frame::Video,
    /// Takes turns with `input` where the encoder holds on to the last one: MPEG-4's does.
    spare: Option<frame::Video>,
    /// What FFmpeg's fixed quantiser is asked for by, with each picture; what the encoder is opened with has
    /// no say.
    lambda: i32,
    width: u32,
    height: u32,
    keyframe_every: u64,
    next_keyframe: u64,
    /// Times of the pictures whose packets are still to come.
    waiting: std::collections::VecDeque<u64>,
    /// The last picture's time, and what the encoder was told of it on its own clock.
    last: Option<(u64, i64)>,
}

impl Encoder {
    /// The finest clock MPEG-4 part 2 can have (16 bits of denominator). The container keeps the exact times.
    const MPEG4_CLOCK: i32 = 60_000;
    /// What rate control takes a frame to last; the true times are only known as frames come.
    const NOMINAL_FPS: i32 = 25;
    /// FFmpeg's measure of a quantiser of 1 (`FF_QP2LAMBDA`).
    const LAMBDA: i32 = 118;

    /// # Errors
    /// When FFmpeg lacks the encoder or refuses the size.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        crate::init();
        let name = match settings.codec {
            VideoCodec::H264 => "libx264",
            VideoCodec::Mpeg4 => "mpeg4",
        };
        let found = codec::encoder::find_by_name(name).ok_or(Error::Missing(name))?;
        let (width, height) = (settings.width.next_multiple_of(2), settings.height.next_multiple_of(2));
        let refused = |source| Error::Open { width: settings.width, height: settings.height, source };
        let mut context = codec::Context::new_with_codec(found);
        context.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::QSCALE);
        context.set_threading(codec::threading::Config::count(1));
        let mut video = context.encoder().video().map_err(refused)?;
        video.set_width(width);
        video.set_height(height);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(match settings.codec {
            VideoCodec::H264 => Rational(1, TIMESCALE.cast_signed()),
            VideoCodec::Mpeg4 => Rational(1, Self::MPEG4_CLOCK),
        });
        video.set_frame_rate(Some(Rational(Self::NOMINAL_FPS, 1)));
        video.set_max_b_frames(0);
        video.set_gop(match settings.codec {
            VideoCodec::H264 => 100_000,
            VideoCodec::Mpeg4 => 600,
        });
        video.set_colorspace(color::Space::SMPTE170M);
        video.set_color_range(color::Range::MPEG);
        video.set_color_primaries(color::Primaries::SMPTE170M);
        video.set_color_transfer_characteristic(color::TransferCharacteristic::SMPTE170M);
        let mut options = Dictionary::new();
        match settings.codec {
            VideoCodec::H264 => {
                options.set("preset", settings.preset);
                options.set("tune", "zerolatency");
                // ultrafast has no adaptive quantisation for a rate factor to steer. A fixed quantiser of the
                // same number gave files 3 % smaller to 12 % larger (PSNR 0.1 dB lower where measured), a
                // third less memory and about a tenth less time: x264 then keeps no half-size copies.
                let quality = if settings.preset == "ultrafast" { "qp" } else { "crf" };
                options.set(quality, &settings.quality.to_string());
                options.set("forced-idr", "1");
                options.set("x264-params", "threads=1:sliced-threads=0:scenecut=0");
            }
            VideoCodec::Mpeg4 => {
                // Far motion costs more to look for than it saves: at 640×480 this took a tenth off the time
                // a frame of film, and gave a file of the same size.
                options.set("me_range", "16");
            }
        }
        let encoder = video.open_with(options).map_err(refused)?;
        let config = config(settings.codec, raw::extradata(&encoder))?;
        let lambda = match settings.codec {
            VideoCodec::H264 => 0,
            VideoCodec::Mpeg4 => i32::from(settings.quality.clamp(2, 31)) * Self::LAMBDA,
        };
        let input = blank(width, height, lambda);
        Ok(Self {
            encoder,
            codec: settings.codec,
            config,
            input,
            spare: None,
            lambda,
            width: settings.width,
            height: settings.height,
            keyframe_every: settings.keyframe_every,
            next_keyframe: 0,
            waiting: std::collections::VecDeque::new(),
            last: None,
        })
    }

    /// What a player must know before the first packet.
    pub fn codec_config(&self) -> fmp4::Codec {
        self.config.clone()
    }

    /// Encodes one picture shown at `pts` (ticks, rising from call to call). The first is a keyframe. What
    /// goes into the packet is of limited range: a picture of full range is brought to it on its way into the
    /// encoder.
    ///
    /// # Errors
    /// When the picture has another size than the encoder, or the encoder fails.
    pub fn encode(&mut self, picture: &I420, pts: u64) -> Result<Vec<Packet>, Error> {
        if (picture.width, picture.height) != (self.width, self.height) {
            return Err(Error::Size(picture.width, picture.height, self.width, self.height));
        }
        let keyframe = pts >= self.next_keyframe;
        if keyframe {
            self.next_keyframe = pts + self.keyframe_every;
        }
        // The encoder may still refer to the last input, which must not be written over.
        if !raw::is_writable(&mut self.input) {
            let spare = self
                .spare
                .take()
                .unwrap_or_else(|| blank(self.input.width(), self.input.height(), self.lambda));
            self.spare = Some(std::mem::replace(&mut self.input, spare));
        }
        raw::make_writable(&mut self.input).map_err(Error::Encode)?;
        for (i, plane) in picture.planes().into_iter().enumerate() {
            let stride = self.input.stride(i);
            let (to, most) = (self.input.data_mut(i), if i == 0 { 2 } else { 1 });
            match picture.range {
                Range::Limited => copy_padded(plane, to, stride, most),
                Range::Full => {
                    let squeeze = if i == 0 { Squeeze::LUMA } else { Squeeze::CHROMA };
                    put_padded(plane, to, stride, most, |from, to| squeeze.copy(from, to));
                }
            }
        }
        let told = self.tell(pts);
        self.last = Some((pts, told));
        self.input.set_pts(Some(told));
        self.input.set_kind(if keyframe { picture::Type::I } else { picture::Type::None });
        self.encoder.send_frame(&self.input).map_err(Error::Encode)?;
        self.waiting.push_back(pts);
        self.packets()
    }

    /// What the encoder still holds.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn finish(mut self) -> Result<Vec<Packet>, Error> {
        self.encoder.send_eof().map_err(Error::Encode)?;
        self.packets()
    }

    /// The picture's time on the encoder's own clock: one unit after the last picture or more, but no more
    /// than a minute, because FFmpeg's MPEG-4 encoder refuses gaps of an hour. Only rate control sees it;
    /// packets carry our own times.
    fn tell(&self, pts: u64) -> i64 {
        let clock = match self.codec {
            VideoCodec::H264 => u64::from(TIMESCALE),
            VideoCodec::Mpeg4 => u64::from(Self::MPEG4_CLOCK.unsigned_abs()),
        };
        let Some((last_pts, last_told)) = self.last else { return 0 };
        let gap = pts.saturating_sub(last_pts).min(60 * u64::from(TIMESCALE)) * clock / u64::from(TIMESCALE);
        last_told.saturating_add(i64::try_from(gap.max(1)).unwrap_or(1))
    }

    fn packets(&mut self) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::with_capacity(1);
        loop {
            let mut packet = Raw::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => {
                    return Ok(packets);
                }
                Err(e) => return Err(Error::Encode(e)),
            }
            let pts = self.waiting.pop_front().ok_or(Error::Config("picture for its packet"))?;
            let data = packet.data().unwrap_or_default();
            let data = match self.codec {
                VideoCodec::H264 => annexb::with_lengths(data),
                VideoCodec::Mpeg4 => Bytes::copy_from_slice(data),
            };
            packets.push(Packet { data, pts, keyframe: packet.is_key() });
        }
    }
}

/// A picture for the encoder, to be coded with that quality, its samples undefined.
fn blank(width: u32, height: u32, lambda: i32) -> frame::Video {
    let mut blank = frame::Video::new(Pixel::YUV420P, width, height);
    raw::set_quality(&mut blank, lambda);
    blank.set_color_range(color::Range::MPEG);
    blank.set_color_space(color::Space::SMPTE170M);
    blank
}

fn config(codec: VideoCodec, extradata: &[u8]) -> Result<fmp4::Codec, Error> {
    if extradata.is_empty() {
        return Err(Error::Config("headers"));
    }
    match codec {
        VideoCodec::H264 => {
            let avcc = annexb::configuration(extradata).ok_or(Error::Config("parameter sets"))?;
            Ok(fmp4::Codec::H264 { avcc })
        }
        VideoCodec::Mpeg4 => Ok(fmp4::Codec::Mpeg4 { esds_config: extradata.to_vec() }),
    }
}

/// Copies a plane into one that may be up to `most - 1` samples larger each way, repeating the last column
/// and row.
fn copy_padded(plane: &Plane, to: &mut [u8], stride: usize, most: usize) {
    put_padded(plane, to, stride, most, |from, to| to.copy_from_slice(from));
}

/// The same, each row by way of `put`.
fn put_padded(plane: &Plane, to: &mut [u8], stride: usize, most: usize, put: impl Fn(&[u8], &mut [u8])) {
    let (width, height) = (plane.width as usize, plane.height as usize);
    let (wide, high) = (width.next_multiple_of(most), height.next_multiple_of(most));
    for (y, row) in to.chunks_mut(stride).take(high).enumerate() {
        let source = plane.row(u32::try_from(y.min(height - 1)).expect("a plane's height is a u32"));
        put(source, &mut row[..width]);
        let last = row[width - 1];
        row[width..wide].fill(last);
    }
}

#[cfg(test)]
mod tests;
