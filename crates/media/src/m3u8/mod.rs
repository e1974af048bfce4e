//! HLS playlists (RFC 8216 and its second edition's low-latency parts), as players read them and as Twitch writes them.
//!
//! Called by the playlist follower. Lenient where players are, bounded everywhere; URIs are kept as written, because resolving
//! and allowing them is the caller's business. Sans-IO: no clock, no fetch.

mod attributes;
mod date;
mod master;
mod media;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
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
    Media(Box<Media>),
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
    /// Of the last whole segment, where they are listed.
    pub last_parts: Vec<Part>,
    /// Of the segment being made, after the last whole one.
    pub parts: Vec<Part>,
    /// What is said of the segment being made.
    pub coming: Coming,
    /// URIs of segments to come (`EXT-X-TWITCH-PREFETCH`).
    pub prefetch: Vec<String>,
    pub preload_hint: Option<String>,
    pub part_target: Option<Duration>,
    pub can_block_reload: bool,
    /// No segment will follow.
    pub ended: bool,
    pub ad_ranges: Vec<AdRange>,
}

/// What tags say of a segment whose address is not listed yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coming {
    /// As a segment's.
    pub time: Option<i64>,
    pub time_given: bool,
    pub discontinuity: bool,
    pub map: Option<Map>,
    pub encrypted: bool,
    pub gap: bool,
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
    /// Shared, since every segment names it.
    pub uri: Arc<str>,
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
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with("#EXTM3U") {
        return Err(if text.starts_with('<') { Error::Html } else { Error::NotAPlaylist });
    }
    let kinds =
        || lines(text).filter_map(|(_, line)| if let Line::Tag(name, _) = line { Some(name) } else { None });
    if kinds().any(|name| name == "EXT-X-STREAM-INF") {
        return master::read(text).map(Playlist::Master);
    }
    if kinds().any(|name| matches!(name, "EXTINF" | "EXT-X-TARGETDURATION" | "EXT-X-MEDIA-SEQUENCE")) {
        return media::read(text).map(|media| Playlist::Media(Box::new(media)));
    }
    Err(Error::NotAPlaylist)
}

/// A line that says something.
enum Line<'a> {
    /// Name without `#`, and what follows its colon.
    Tag(&'a str, &'a str),
    Uri(&'a str),
}

/// The lines of a playlist with their numbers, without blank ones and comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, Line<'_>)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let line = line.trim();
        let line = match line.strip_prefix('#') {
            Some(tag) if tag.starts_with("EXT") => {
                let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
                Line::Tag(name.trim_end(), value.trim())
            }
            Some(_) => return None,
            None if line.is_empty() => return None,
            None => Line::Uri(line),
        };
        Some((number, line))
    })
}

/// Longest URI taken, bytes.
const MAX_URI: usize = 16 << 10;

fn uri(text: &str, line: usize) -> Result<String, Error> {
    if text.is_empty() {
        return Err(Error::Malformed { line, what: "an empty URI" });
    }
    if text.len() > MAX_URI {
        return Err(Error::Malformed { line, what: "a URI of more than 16 KiB" });
    }
    Ok(text.to_owned())
}

/// A whole number, also where somebody wrote it with decimals.
fn number(text: &str) -> Option<u64> {
    let whole = text.split_once('.').map_or(text, |(whole, decimals)| {
        if decimals.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { text }
    });
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    whole.parse().ok()
}

/// Seconds with decimals; at most twelve days, since a segment or part can't be longer.
fn seconds(text: &str) -> Option<Duration> {
    const MOST: f64 = 1_000_000.0;
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..=MOST).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}
