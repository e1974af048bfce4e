//! A playlist that was complete when first read: played as if it were live, from its start, over and over. Pure.

use std::time::Duration;

use super::segments::{SegmentInfo, media_time, micros};
use crate::base::clock::{Monotonic, Wall};

/// A film of segments and when it began to play.
#[derive(Debug)]
pub(super) struct Recorded {
    segments: Vec<SegmentInfo>,
    /// Where each begins.
    starts: Vec<Duration>,
    total: Duration,
    began: Monotonic,
    /// µs since 1970.
    began_at: i64,
}

impl Recorded {
    /// Plays `segments` from `now` on; `None` when they last no time.
    pub(super) fn new(segments: Vec<SegmentInfo>, now: Monotonic, wall: Wall) -> Option<Self> {
        let mut total = Duration::ZERO;
        let starts = segments
            .iter()
            .map(|segment| {
                let start = total;
                total = total.saturating_add(segment.duration);
                start
            })
            .collect();
        let began_at = wall.0.as_microsecond();
        (!total.is_zero()).then_some(Self { segments, starts, total, began: now, began_at })
    }

    /// All, in order.
    pub(super) fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// The segment that plays at `now`. Its number goes on from round to round; its time is when it plays, not when it
    /// was recorded, and sure to within its length.
    pub(super) fn at(&self, now: Monotonic) -> SegmentInfo {
        let played = now.since(self.began);
        let rounds = u64::try_from(played.as_nanos() / self.total.as_nanos()).unwrap_or(u64::MAX);
        let left = played.as_nanos() % self.total.as_nanos();
        let place = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
        let index = self.starts.partition_point(|&start| start <= place).saturating_sub(1);
        let segment = &self.segments[index];
        let begins = played.saturating_sub(place.saturating_sub(self.starts[index]));
        SegmentInfo {
            sequence: rounds.saturating_mul(self.segments.len() as u64).saturating_add(index as u64),
            media_time: media_time(self.began_at.saturating_add(micros(begins))),
            media_time_error: segment.duration,
            ..segment.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments::example;
    use super::*;

    #[test]
    fn a_recorded_playlist_plays_in_its_own_time_over_and_over() {
        let segment = |seconds: u64| example(7, seconds, &format!("http://h/{seconds}.ts"));
        let start = Monotonic::from_start(Duration::from_secs(100));
        let wall = Wall("2026-01-01T00:00:00Z".parse().unwrap());
        let film = Recorded::new(vec![segment(4), segment(0), segment(2), segment(3)], start, wall).unwrap();
        for (ms, url, sequence, at) in [
            (0, "http://h/4.ts", 0, "2026-01-01T00:00:00.000Z"),
            (3999, "http://h/4.ts", 0, "2026-01-01T00:00:00.000Z"),
            (4000, "http://h/2.ts", 2, "2026-01-01T00:00:04.000Z"),
            (8999, "http://h/3.ts", 3, "2026-01-01T00:00:06.000Z"),
            (9000, "http://h/4.ts", 4, "2026-01-01T00:00:09.000Z"),
            (13_500, "http://h/2.ts", 6, "2026-01-01T00:00:13.000Z"),
        ] {
            let playing = film.at(start + Duration::from_millis(ms));
            assert_eq!((&*playing.url, playing.sequence), (url, sequence), "{ms}");
            assert_eq!(playing.media_time.to_string(), at, "{ms}");
        }
        assert!(Recorded::new(vec![segment(0)], start, wall).is_none());
        assert!(Recorded::new(Vec::new(), start, wall).is_none());
    }
}
