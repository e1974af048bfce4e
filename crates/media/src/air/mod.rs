//! What goes on air: coded packets of a picture track and a sound track, and the ways they leave the machine.
//!
//! Called by the outputs, each part on a thread of its caller's: encoders never wait, an [`Outlet`] blocks. The timeline is the
//! caller's: pictures are numbered on the output's clock, sound is counted in samples, both become ticks here and nowhere else.
//! Nothing in here starts a thread, reconnects or decides what is dropped.
//!
//! ```text
//! I420 + number ──► VideoEncoder ─┐
//!                                 ├─► Packet ──► Outlet (RTMP, SRT, file), one a destination
//! [f32; 2] ───────► SoundEncoder ─┘         └──► Segmenter (HLS, preview)
//! ```

mod fmp4;
mod outlet;
mod preset;
mod segmenter;
mod sound;
#[cfg(test)]
mod tests;
mod video;

use bytes::Bytes;

pub(crate) use outlet::listen;
pub use outlet::{Limits, Outlet, OutletError, Peer, Way, redacted};
pub use preset::{Acceleration, Preset};
pub use segmenter::{Segment, Segmenter};
pub use sound::{RATE, SoundEncoder};
pub use video::{VideoEncoder, VideoSettings};

/// Ticks of a second, for both tracks.
pub const TICKS: u32 = crate::time::TIMESCALE;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Track {
    Picture,
    Sound,
}

/// One coded picture, or one frame of coded sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    pub track: Track,
    /// When it is shown or heard, in ticks of the output's clock. The first packet of sound may lie before zero: the encoder's
    /// run-in.
    pub pts: i64,
    /// The same as `pts`: nothing is reordered.
    pub dts: i64,
    /// Ticks.
    pub duration: u32,
    /// Whether decoding can start here; always so for sound.
    pub keyframe: bool,
    /// H.264: NAL units, each after its length in four bytes, no parameter sets. AAC: without ADTS. VP8, VP9, Opus: as coded.
    pub data: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VideoCodec {
    H264,
    Vp8,
    Vp9,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SoundCodec {
    Aac,
    Opus,
}

/// Always 4:2:0, BT.709, limited range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PictureTrack {
    pub codec: VideoCodec,
    /// Pixels, even.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    pub kbps: u32,
    /// H.264: the AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). VP8, VP9: empty.
    pub config: Bytes,
}

/// Always 48 kHz, stereo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoundTrack {
    pub codec: SoundCodec,
    pub kbps: u32,
    /// AAC: the AudioSpecificConfig (ISO/IEC 14496-3). Opus: the `OpusHead` (RFC 7845, 5.1).
    pub config: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracks {
    pub picture: PictureTrack,
    pub sound: Option<SoundTrack>,
}

/// Why something can't be encoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this machine's FFmpeg has no encoder {0}")]
    Missing(&'static str),
    #[error("{0}")]
    Settings(String),
    #[error("the encoder {name} can't be opened: {source}")]
    Open { name: &'static str, source: ffmpeg_next::Error },
    #[error("encoding failed: {0}")]
    Encode(ffmpeg_next::Error),
    #[error("the encoder gave no {0}")]
    Config(&'static str),
    #[error("the picture is {0}x{1}, the encoder was made for {2}x{3}")]
    Size(u32, u32, u32, u32),
    #[error("the picture is not BT.709 of limited range")]
    Colours,
    #[error("frame {0} does not come after frame {1}")]
    Order(i64, i64),
}

/// When frame `number` of a clock of `fps` frames a second is shown, in ticks, to nearest.
#[must_use]
pub fn frame_ticks(number: i64, fps: u32) -> i64 {
    rescale(number, i128::from(TICKS), i128::from(fps.max(1)))
}

/// When sample `number` of 48,000 a second is heard, in ticks, to nearest.
#[must_use]
pub fn sample_ticks(number: i64) -> i64 {
    rescale(number, i128::from(TICKS), i128::from(RATE))
}

/// `value * to / from`, to nearest, halves up, saturating.
fn rescale(value: i64, to: i128, from: i128) -> i64 {
    let scaled = (i128::from(value) * to * 2 + from).div_euclid(from * 2);
    i64::try_from(scaled).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
