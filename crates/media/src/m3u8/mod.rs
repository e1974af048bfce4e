//! HLS playlists (RFC 8216 and its second edition's low-latency parts), as players read them and as Twitch writes them.
//!
//! Called by the playlist follower. Lenient where players are, bounded everywhere; URIs are kept as written, because resolving
//! and allowing them is the caller's business. Sans-IO: no clock, no fetch.

use std::ops::Range;
use std::time::Duration;

/// Largest playlist read, bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Most variants, segments, parts or date ranges read.
pub const MAX_ENTRIES: usize = 20_000;

/// Why a playlist can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is a web page, not a playlist")]
    Html,
    #[error("it is not a playlist")]
    NotAPlaylist,
    #[error("the playlist has more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the playlist has more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    #[error("the playlist is a delta update, which was not asked for")]
    Delta,
    #[error("line {line} of the playlist: {what}")]
    Malformed { line: usize, what: &'static str },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Playlist {
    Master(Master),
    Media(Media),
}

/// A list of the qualities there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Master {
    pub variants: Vec<Variant>,
}

/// One quality.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    pub uri: String,
    /// Bits per second at the most; 0 when not said.
    pub bandwidth: u64,
    /// Width and height, pixels.
    pub resolution: Option<(u32, u32)>,
    pub fps: Option<f64>,
    /// As written, e.g. `avc1.64002A,mp4a.40.2`.
    pub codecs: Option<String>,
    /// `STABLE-VARIANT-ID`, `IVS-NAME`, or the `NAME` of its group of videos.
    pub name: Option<String>,
    /// `false` when it is known to be sound alone.
    pub video: bool,
}

/// The segments of one quality.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    pub target_duration: Duration,
    /// Number of the first segment.
    pub sequence: u64,
    pub discontinuity_sequence: u64,
    pub segments: Vec<Segment>,
    /// Of the segment being made, after the last whole one.
    pub parts: Vec<Part>,
    /// URIs of segments to come (`EXT-X-TWITCH-PREFETCH`).
    pub prefetch: Vec<String>,
    pub preload_hint: Option<String>,
    pub part_target: Option<Duration>,
    pub can_block_reload: bool,
    /// No segment will follow.
    pub ended: bool,
    pub ad_ranges: Vec<AdRange>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    pub uri: String,
    pub duration: Duration,
    pub sequence: u64,
    /// When its first picture was seen, µs since 1970.
    pub time: Option<i64>,
    /// `time` is the playlist's word for this very segment, not counted on from an earlier one.
    pub time_given: bool,
    pub discontinuity: bool,
    /// Bytes of `uri`; all when `None`.
    pub byte_range: Option<Range<u64>>,
    pub map: Option<Map>,
    pub encrypted: bool,
    pub gap: bool,
    /// An advertisement by the marks Twitch sets.
    pub ad: bool,
}

/// Where the header of fragmented MP4 segments is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    pub uri: String,
    pub byte_range: Option<Range<u64>>,
}

/// A piece of the segment that is being made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub uri: String,
    pub duration: Duration,
    /// It starts with a keyframe.
    pub independent: bool,
    pub byte_range: Option<Range<u64>>,
    pub gap: bool,
}

/// A stretch of time filled with advertisements.
#[derive(Clone, Debug, PartialEq)]
pub struct AdRange {
    pub id: String,
    /// µs since 1970.
    pub start: Option<i64>,
    pub duration: Option<Duration>,
}

/// Reads a playlist.
///
/// # Errors
/// See [`Error`]; never more than the first.
pub fn parse(bytes: &[u8]) -> Result<Playlist, Error> {
    let _ = bytes;
    Err(Error::NotAPlaylist)
}
