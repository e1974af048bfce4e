//! What is known of a stream's segments, and the ring that keeps it. Pure.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::base::clock::MediaTime;

/// How much its content and time can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    Full,
    /// Whole, and its time is in doubt: the first after a discontinuity or a jump of the clock.
    Suspect,
    /// Still being made.
    Partial,
    Ad,
    /// Missing: the playlist says so, or skipped its number.
    Gap,
}

/// One segment, as its playlist tells; its bytes are fetched only when someone needs them.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentInfo {
    pub sequence: u64,
    /// Of low-latency lists: `url` is this part of the segment alone, and whole.
    pub part: Option<u32>,
    /// Absolute; empty for a gap. May carry a token: never show it.
    pub url: Arc<str>,
    /// Bytes of `url`; all when `None`.
    pub byte_range: Option<Range<u64>>,
    /// Where its header is, for fragmented MP4.
    pub map: Option<Arc<Map>>,
    pub duration: Duration,
    /// When its first picture was seen.
    pub media_time: MediaTime,
    pub media_time_error: Duration,
    pub kind: SegmentKind,
    /// Timestamps begin anew with it.
    pub discontinuity: bool,
    pub encrypted: bool,
}

/// Where the header of segments is.
#[derive(Debug, PartialEq, Eq)]
pub struct Map {
    pub url: String,
    pub byte_range: Option<Range<u64>>,
}

impl SegmentInfo {
    /// Where its first picture stands among those of its stream.
    pub(super) fn place(&self) -> (u64, u32) {
        (self.sequence, self.part.unwrap_or(0))
    }

    /// Whether a picture may be taken from it.
    pub fn has_picture(&self) -> bool {
        !matches!(self.kind, SegmentKind::Gap | SegmentKind::Ad)
    }
}

/// The time `micros` µs after 1970, as near as a calendar has it.
pub(super) fn media_time(micros: i64) -> MediaTime {
    let within = micros.clamp(Timestamp::MIN.as_second() * 1_000_000, Timestamp::MAX.as_second() * 1_000_000);
    MediaTime(Timestamp::from_microsecond(within).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// A duration in µs, as far as that can be said.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The last segments: five minutes, and never more than [`Ring::MOST`] or [`Ring::MOST_BYTES`].
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    segments: VecDeque<SegmentInfo>,
    bytes: usize,
    span: Duration,
}

impl Ring {
    pub(super) const MOST: usize = 200;
    /// Of addresses.
    const MOST_BYTES: usize = 128 << 10;
    const SPAN: Duration = Duration::from_secs(300);

    pub(super) fn push(&mut self, segment: SegmentInfo) {
        self.bytes += segment.url.len();
        self.span += segment.duration;
        self.segments.push_back(segment);
        while self.segments.len() > 1
            && (self.segments.len() > Self::MOST
                || self.bytes > Self::MOST_BYTES
                || self.span.saturating_sub(self.segments[0].duration) >= Self::SPAN)
        {
            let old = self.segments.pop_front().expect("there are at least two");
            self.forget(&old);
        }
    }

    /// Takes back what is not whole yet: its place will be taken by the whole.
    pub(super) fn drop_partial(&mut self) {
        while let Some(last) = self.segments.pop_back_if(|last| last.kind == SegmentKind::Partial) {
            self.forget(&last);
        }
    }

    fn forget(&mut self, segment: &SegmentInfo) {
        self.bytes -= segment.url.len();
        self.span = self.span.saturating_sub(segment.duration);
    }

    pub(super) fn iter(&self) -> std::collections::vec_deque::Iter<'_, SegmentInfo> {
        self.segments.iter()
    }

    pub(super) fn last(&self) -> Option<&SegmentInfo> {
        self.segments.back()
    }

    /// Moves `sequence` and all after it, which were counted on from it, by `micros` µs.
    pub(super) fn shift_from(&mut self, sequence: u64, by: i64) {
        for segment in self.segments.iter_mut().rev().take_while(|segment| segment.sequence >= sequence) {
            let moved = segment.media_time.0.as_microsecond().saturating_add(by);
            segment.media_time = media_time(moved);
        }
    }
}

/// A whole segment of long ago, for tests.
#[cfg(test)]
pub(super) fn example(sequence: u64, seconds: u64, url: &str) -> SegmentInfo {
    SegmentInfo {
        sequence,
        part: None,
        url: url.into(),
        byte_range: None,
        map: None,
        duration: Duration::from_secs(seconds),
        media_time: media_time(0),
        media_time_error: Duration::ZERO,
        kind: SegmentKind::Full,
        discontinuity: false,
        encrypted: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_five_minutes_within_its_bounds() {
        for (seconds, url_bytes, kept) in
            [(2, 10, 150), (1, 10, 200), (6, 10, 50), (1000, 10, 1), (2, 1 << 10, 128), (2, 1 << 20, 1)]
        {
            let mut ring = Ring::default();
            for sequence in 0..1000 {
                ring.push(example(sequence, seconds, &"u".repeat(url_bytes)));
            }
            assert_eq!(ring.iter().count(), kept, "{seconds} s, {url_bytes} bytes");
            assert_eq!(ring.last().unwrap().sequence, 999);
        }
    }

    #[test]
    fn times_outside_the_calendar_are_its_ends() {
        assert_eq!(media_time(i64::MAX).0.as_second(), Timestamp::MAX.as_second());
        assert_eq!(media_time(i64::MIN).0.as_second(), Timestamp::MIN.as_second());
        assert_eq!(media_time(1_500_000).to_string(), "1970-01-01T00:00:01.500Z");
    }
}
