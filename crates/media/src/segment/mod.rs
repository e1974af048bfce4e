//! Finds the first keyframe of a media segment while its bytes arrive: MPEG-TS or fragmented MP4, told apart by the bytes.
//!
//! Called by the sampler, which stops fetching as soon as there is a keyframe. Sans-IO. Says "whole" only on evidence of its own:
//! FFmpeg conceals what is missing of a cut picture without a word. Never holds more than [`Limits`] allow.
//!
//! Evidence in a transport stream: the next picture's start was seen with no packet missing before it; or, where the segment ends
//! with the picture, its PES packet has all the bytes it announced, or its last transport packet was filled up. In MP4: the sizes
//! of the fragment's table and of the units inside the sample add up.

mod boxes;
mod moof;
mod moov;
mod mp4;
mod sniff;
#[cfg(test)]
pub(crate) mod tests;

use crate::keyframe::Keyframe;
use crate::ts;

use mp4::Mp4;
use sniff::Sniffed;

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

/// Searches one segment. After a keyframe or an error it has nothing more to say.
#[derive(Debug)]
pub struct Finder {
    limits: Limits,
    consumed: u64,
    format: Format,
}

#[derive(Debug)]
enum Format {
    /// The first bytes, while they don't tell.
    Unknown(Vec<u8>),
    Ts(Box<ts::Demux>),
    Mp4(Box<Mp4>),
}

impl Finder {
    /// For a segment that brings all it needs.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, consumed: 0, format: Format::Unknown(Vec::new()) }
    }

    /// For a segment of a playlist with `EXT-X-MAP`, whose bytes are `init`: `ftyp moov`, or tables of a transport stream.
    ///
    /// # Errors
    /// When `init` has no video track we know.
    pub fn with_init(init: &[u8], limits: Limits) -> Result<Self, Error> {
        let format = match sniff::sniff(init, true)? {
            Sniffed::Ts => {
                let mut demux = ts::Demux::new(limits);
                demux.push(init)?;
                Format::Ts(Box::new(demux))
            }
            Sniffed::Mp4 => Format::Mp4(Box::new(Mp4::with_init(init, limits)?)),
            Sniffed::Unknown => return Err(Error::CutShort),
        };
        Ok(Self { limits, consumed: 0, format })
    }

    /// Takes the segment's next bytes; `Some` as soon as the keyframe is known to be whole.
    ///
    /// # Errors
    /// As soon as it is known that there will be none.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Keyframe>, Error> {
        self.consumed += bytes.len() as u64;
        match &mut self.format {
            Format::Ts(demux) => return demux.push(bytes),
            Format::Mp4(mp4) => return mp4.push(bytes),
            Format::Unknown(head) => head.extend_from_slice(bytes),
        }
        let Format::Unknown(head) = &self.format else { return Ok(None) };
        self.settle(sniff::sniff(head, false)?)
    }

    /// The segment ended here.
    ///
    /// # Errors
    /// When the segment, as far as it was pushed, has no whole keyframe.
    pub fn finish(mut self) -> Result<Keyframe, Error> {
        if let Format::Unknown(head) = &self.format {
            let sniffed = sniff::sniff(head, true)?;
            if let Some(keyframe) = self.settle(sniffed)? {
                return Ok(keyframe);
            }
        }
        match self.format {
            Format::Ts(_) | Format::Mp4(_) if self.consumed == 0 => Err(Error::Empty),
            Format::Ts(demux) => demux.finish(),
            Format::Mp4(mp4) => mp4.finish(),
            Format::Unknown(_) => Err(Error::CutShort),
        }
    }

    /// Bytes pushed so far.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// MP4 only, once the keyframe's place is known: how many bytes of the segment are enough.
    #[must_use]
    pub fn end_of_keyframe(&self) -> Option<u64> {
        match &self.format {
            Format::Mp4(mp4) => mp4.end_of_keyframe(),
            _ => None,
        }
    }

    /// Earliest PTS of any track so far, ticks of 1/90000 s: where the segment starts on its clock.
    #[must_use]
    pub fn first_pts(&self) -> Option<u64> {
        match &self.format {
            Format::Ts(demux) => demux.first_pts(),
            Format::Mp4(mp4) => mp4.first_pts(),
            Format::Unknown(_) => None,
        }
    }

    /// Goes on as what the first bytes turned out to be.
    fn settle(&mut self, sniffed: Sniffed) -> Result<Option<Keyframe>, Error> {
        let Format::Unknown(head) = &mut self.format else { return Ok(None) };
        let head = std::mem::take(head);
        match sniffed {
            Sniffed::Unknown => {
                self.format = Format::Unknown(head);
                Ok(None)
            }
            Sniffed::Ts => {
                let mut demux = ts::Demux::new(self.limits);
                let found = demux.push(&head);
                self.format = Format::Ts(Box::new(demux));
                found
            }
            Sniffed::Mp4 => {
                let mut mp4 = Mp4::new(self.limits);
                let found = mp4.push(&head);
                self.format = Format::Mp4(Box::new(mp4));
                found
            }
        }
    }
}
