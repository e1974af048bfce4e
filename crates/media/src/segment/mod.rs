//! Finds the first keyframe of a media segment while its bytes arrive: MPEG-TS or fragmented MP4, told apart by the bytes.
//!
//! Called by the sampler, which stops fetching as soon as there is a keyframe. Sans-IO. Says "whole" only on evidence of its own:
//! FFmpeg conceals what is missing of a cut picture without a word. Never holds more than [`Limits`] allow.

use crate::keyframe::Keyframe;

/// What a segment may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one access unit.
    pub max_bytes: usize,
    /// Pixels of the longer side.
    pub max_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 20, max_side: 8192 }
    }
}

/// Why a segment has no keyframe for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the segment is empty")]
    Empty,
    #[error("the segment is no media: {0}")]
    NotMedia(&'static str),
    #[error("the segment has no video")]
    NoVideo,
    #[error("the segment is encrypted")]
    Encrypted,
    #[error("the segment's video is {0}, which is not supported")]
    Codec(String),
    #[error("the segment has no keyframe")]
    NoKeyframe,
    #[error("the segment is cut short")]
    CutShort,
    #[error("the picture is larger than allowed")]
    TooLarge,
    #[error("the segment is malformed: {0}")]
    Malformed(&'static str),
}

/// Searches one segment.
#[derive(Debug)]
pub struct Finder {
    consumed: u64,
}

impl Finder {
    /// For a segment that brings all it needs.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let _ = limits;
        Self { consumed: 0 }
    }

    /// For a segment of a playlist with `EXT-X-MAP`, whose bytes are `init` (`ftyp moov`).
    ///
    /// # Errors
    /// When `init` has no video track we know.
    pub fn with_init(init: &[u8], limits: Limits) -> Result<Self, Error> {
        let _ = init;
        Ok(Self::new(limits))
    }

    /// Takes the segment's next bytes; `Some` as soon as the keyframe is known to be whole.
    ///
    /// # Errors
    /// As soon as it is known that there will be none.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Keyframe>, Error> {
        self.consumed += bytes.len() as u64;
        Ok(None)
    }

    /// The segment ended here.
    ///
    /// # Errors
    /// When the segment, as far as it was pushed, has no whole keyframe.
    pub fn finish(self) -> Result<Keyframe, Error> {
        Err(Error::NotMedia("unknown bytes"))
    }

    /// Bytes pushed so far.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// MP4 only, once the keyframe's place is known: how many bytes of the segment are enough.
    #[must_use]
    pub fn end_of_keyframe(&self) -> Option<u64> {
        None
    }

    /// Earliest PTS of any track so far, ticks of 1/90000 s: where the segment starts on its clock.
    #[must_use]
    pub fn first_pts(&self) -> Option<u64> {
        None
    }
}
