//! Decides when a recording goes on in a new file.
//!
//! Pure: owns when the file began and when the size last forced a new one. Called by `recorder` for every
//! frame, before the frame is coded.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::sidecar::Why;
use crate::base::clock::{MediaTime, Monotonic};

/// What must be the same for all pictures of one file: pixels as coded, and which way up they are (EXIF 1–8;
/// always 1 where the picture is decoded and turned upright anyway).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: u8,
}

/// One recording's rules about new files. Lives as long as the recording; [`Cutter::began`] is told of every
/// new file.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    file: Option<Began>,
    resized: Option<Monotonic>,
}

#[derive(Clone, Copy, Debug)]
struct Began {
    at: Monotonic,
    day: Date,
    shape: Shape,
    longest: Duration,
}

impl Cutter {
    /// A size that flaps makes at most one new file in this time; in between, pictures are fitted into the
    /// file's size.
    pub(super) const SIZE_EVERY: Duration = Duration::from_secs(10);

    /// A file began with a frame of `shape` that arrived at `at`; it may last `longest`.
    pub(super) fn began(&mut self, at: Monotonic, media_time: MediaTime, shape: Shape, longest: Duration) {
        self.file = Some(Began { at, day: day(media_time), shape, longest });
    }

    /// Why the frame must go into a new file, if it must.
    pub(super) fn cut_before(&mut self, at: Monotonic, media_time: MediaTime, shape: Shape) -> Option<Why> {
        let file = self.file?;
        if shape != file.shape && self.resized.is_none_or(|last| at.since(last) >= Self::SIZE_EVERY) {
            self.resized = Some(at);
            return Some(Why::SizeChange);
        }
        (day(media_time) != file.day || at.since(file.at) >= file.longest).then_some(Why::Rotated)
    }
}

fn day(time: MediaTime) -> Date {
    TimeZone::UTC.to_datetime(time.0).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn shape(width: u32) -> Shape {
        Shape { width, height: 480, orientation: 1 }
    }

    /// Each row: seconds since the start, width; the answer is the seconds at which a new file was made, and
    /// why.
    fn cuts(start: &str, rows: impl IntoIterator<Item = (f64, u32)>) -> Vec<(f64, Why)> {
        let start: jiff::Timestamp = start.parse().unwrap();
        let mut cutter = Cutter::default();
        let mut cuts = Vec::new();
        for (seconds, width) in rows {
            let offset = Duration::from_secs_f64(seconds);
            let (at, media_time) = (Monotonic::from_start(offset), MediaTime(start + offset));
            let why = cutter.cut_before(at, media_time, shape(width));
            if let Some(why) = why {
                cuts.push((seconds, why));
            }
            if why.is_some() || cutter.file.is_none() {
                cutter.began(at, media_time, shape(width), HOUR);
            }
        }
        cuts
    }

    #[test]
    fn a_new_size_makes_a_new_file_at_once_but_not_twice_within_ten_seconds() {
        let rows = [(0.0, 640), (1.0, 320), (2.0, 640), (10.9, 640), (11.0, 640), (12.0, 320), (21.0, 320)];
        assert_eq!(
            cuts("2026-01-01T00:00:00Z", rows),
            [(1.0, Why::SizeChange), (11.0, Why::SizeChange), (21.0, Why::SizeChange)]
        );
    }

    #[test]
    fn a_size_that_flaps_with_every_frame_makes_one_file_in_ten_seconds() {
        let rows = (0..30 * 60).map(|i| (f64::from(i) / 30.0, if i % 2 == 0 { 640 } else { 320 }));
        let cuts = cuts("2026-01-01T00:00:00Z", rows);
        assert_eq!(cuts.len(), 6);
        assert!(cuts.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 10.0), "{cuts:?}");
    }

    #[test]
    fn midnight_utc_and_the_longest_time_begin_a_new_file() {
        let every_second = |n: u32| (0..n).map(|i| (f64::from(i), 640));
        assert_eq!(cuts("2026-01-21T23:59:55.500Z", every_second(20)), [(5.0, Why::Rotated)]);
        assert_eq!(
            cuts("2026-01-21T10:00:00Z", every_second(7300)),
            [(3600.0, Why::Rotated), (7200.0, Why::Rotated)]
        );
    }

    #[test]
    fn a_wall_clock_set_back_over_midnight_begins_a_new_file_too() {
        let mut cutter = Cutter::default();
        let at = |s| Monotonic::from_start(Duration::from_secs(s));
        let time = |text: &str| MediaTime(text.parse().unwrap());
        cutter.began(at(0), time("2026-01-22T00:00:01Z"), shape(640), HOUR);
        assert_eq!(cutter.cut_before(at(1), time("2026-01-21T23:59:59Z"), shape(640)), Some(Why::Rotated));
    }
}
