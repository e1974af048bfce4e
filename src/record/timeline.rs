//! When each frame of one file is shown, and for how long. Pure.
//!
//! Ticks of 1/90000 s since the file's first frame, by the monotonic clock, each converted from the absolute
//! distance so that nothing adds up; strictly increasing. Played time is wall time whatever the push rate: a
//! frame is shown until the next one comes.

use media::time::{TIMESCALE, ticks};

use crate::base::clock::Monotonic;

/// Owned by one file; told of every frame in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    first: Monotonic,
    frames: u64,
    last: u64,
    /// Distance of the last two frames.
    gap: u64,
}

impl Timeline {
    /// Of a file whose first frame arrived at `first`.
    pub(super) fn new(first: Monotonic) -> Self {
        Self { first, frames: 0, last: 0, gap: 0 }
    }

    /// The tick of a frame that arrived at `at`: after every tick given before.
    pub(super) fn next(&self, at: Monotonic) -> u64 {
        let tick = ticks(at.since(self.first));
        if self.frames == 0 { tick } else { tick.max(self.last + 1) }
    }

    /// A frame is at `tick`, which [`Self::next`] has just given.
    pub(super) fn push(&mut self, tick: u64) {
        if self.frames > 0 {
            self.gap = tick - self.last;
        }
        self.frames += 1;
        self.last = tick;
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Where the last frame ends when nothing follows it: as long as frames were apart, by the mean or by the
    /// last two, whichever is less, so that one long gap does not count.
    pub(super) fn end(&self) -> u64 {
        let gap = match self.frames {
            0 | 1 => u64::from(TIMESCALE) / 30,
            frames => (self.last / (frames - 1)).min(self.gap),
        };
        self.last + gap.max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(micros: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(1000) + Duration::from_micros(micros))
    }

    fn run(micros: &[u64]) -> (Timeline, Vec<u64>) {
        let mut timeline = Timeline::new(at(micros[0]));
        let ticks = micros.iter().map(|&micros| {
            let tick = timeline.next(at(micros));
            timeline.push(tick);
            tick
        });
        let ticks = ticks.collect();
        (timeline, ticks)
    }

    #[test]
    fn ticks_are_the_true_distances_and_never_equal() {
        let (_, ticks) = run(&[500, 500, 501, 100_500, 200_500]);
        assert_eq!(ticks, [0, 1, 2, 9_000, 18_000]);
    }

    #[test]
    fn a_month_at_29_fps_ends_where_the_clock_says() {
        let last = 30 * 86_400 * 29;
        let (timeline, _) = run(&(0..=1000).map(|i| last * i / 1000 * 1_000_000 / 29).collect::<Vec<_>>());
        assert_eq!(timeline.last, 30 * 86_400 * 90_000);
    }

    #[test]
    fn the_last_frame_lasts_as_long_as_frames_were_apart() {
        for (micros, end) in [
            (&[0_u64][..], 3_000),
            (&[0, 40_000], 7_200),
            (&[0, 0], 2),
            (&[0, 100_000, 200_000, 60_200_000], 5_418_000 + 1_806_000),
            (&[0, 60_000_000, 60_100_000], 5_409_000 + 9_000),
        ] {
            assert_eq!(run(micros).0.end(), end, "{micros:?}");
        }
    }
}
