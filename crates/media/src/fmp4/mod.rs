//! Fragmented MP4 (ISO/IEC 14496-12) with one video track: the writer recordings go through, and the reader
//! that finds out how much of a file survived a crash.
//!
//! Owns the boxes. Called by the recorder and by recovery at start-up, which own the file: the writer gives
//! bytes to append, the reader walks a `Read + Seek`. Never opens a file, never reads a clock, never looks
//! inside a coded picture.
//!
//! Ours and not a library's, because three things have to hold together: a fragment ends when a timer says so
//! and is then on disk to its last byte, so that a kill costs half a second; every sample's duration is the
//! true gap to the next, and what is only known at the end is patched in then; recovery must read the same
//! boxes anyway.
//!
//! The shape: `ftyp moov (moof mdat)*`, and after a clean end `mfra`. Time is in [`crate::time`] ticks
//! everywhere. Each fragment says its own absolute start (`tfdt`, 64 bits), so no error accumulates. Until
//! the end the durations in `moov` are 0 and the place of `mehd` is held by a `free` box: a reader of a
//! growing file is told nothing rather than something false.

pub(crate) mod boxes;
pub(crate) mod init;
mod reader;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use bytes::Bytes;
use pixels::Matrix;

pub use reader::{Scan, finish_recovered, scan};
pub use writer::Writer;

/// What the samples are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// `avc1`. Samples are NAL units, each after its length in 4 bytes; `avcc` is the whole
    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
    H264 { avcc: Vec<u8> },
    /// `mp4v`, MPEG-4 part 2. `esds_config` holds the headers down to the VOL (ISO/IEC 14496-2).
    Mpeg4 { esds_config: Vec<u8> },
    /// `mp4v` with object type 0x6C (ISO/IEC 10918-1): each sample is one whole JPEG file.
    Mjpeg,
}

/// The one track of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    pub codec: Codec,
    /// Size of the coded picture in pixels, before `rotation`.
    pub width: u16,
    pub height: u16,
    /// Degrees clockwise the player turns the picture: 0, 90, 180 or 270. Any other value counts as 0.
    pub rotation: u16,
    /// Luma 0–255 (JPEG) instead of 16–235.
    pub full_range: bool,
    /// Luma weights, and what players take primaries and transfer to be.
    pub matrix: Matrix,
    /// When the recording began, Unix seconds.
    pub created: u64,
}

/// One coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub data: Bytes,
    /// Ticks since the file's start, larger than the sample's before. No picture is reordered: this is the
    /// decoding time too.
    pub pts: u64,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// What makes a file complete: append `tail` at the end, then write each patch over the bytes at its offset.
///
/// Until all is written the file is as playable as before; a crash half-way leaves a file that [`scan`] calls
/// unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    pub tail: Vec<u8>,
    /// Absolute file offsets and the bytes that belong there.
    pub patches: Vec<(u64, Vec<u8>)>,
}

/// Why a file can't be scanned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read the file: {0}")]
    Io(#[from] std::io::Error),
    #[error("the file ends before its moov box is whole: nothing was recorded")]
    NoMoov,
    #[error("not a recording of this program: {0}")]
    Foreign(&'static str),
}

/// A keyframe to seek to: the `tfra` entry of one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pts: u64,
    pub(crate) moof: u64,
    /// 1-based place of the keyframe in its fragment.
    pub(crate) sample: u32,
}
