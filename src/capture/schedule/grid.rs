//! The deadlines of one stream: a grid of points one interval apart, shifted by the stream's phase. Used by the
//! schedule only. Pure arithmetic on nanoseconds since the clock's start.
//!
//! The grid is absolute, not counted from the last capture: lateness never adds up, and streams stay spread out
//! whenever each was added and whatever their interval becomes.

use std::time::Duration;

use crate::base::clock::Monotonic;

/// Where in its interval a stream is due, in 2⁻⁶⁴ of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase(pub(super) u64);

/// Phases that lie far apart from each other however many were taken: multiples of the golden ratio modulo 1 (Weyl's
/// sequence with the least discrepancy).
#[derive(Debug)]
pub(super) struct Phases(u64);

impl Phases {
    /// 2⁶⁴ divided by the golden ratio.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    pub(super) fn new(first: u64) -> Self {
        Self(first)
    }

    pub(super) fn take(&mut self) -> Phase {
        self.0 = self.0.wrapping_add(Self::STEP);
        Phase(self.0)
    }
}

/// The first deadline later than `time`.
pub(super) fn after(time: Monotonic, interval: Duration, phase: Phase) -> Monotonic {
    let (time, interval) = (nanos(time.since_start()), nanos(interval));
    let offset = u64::try_from((u128::from(interval) * u128::from(phase.0)) >> 64)
        .expect("a fraction of the interval is less than the interval");
    let passed = time.checked_sub(offset).map_or(0, |time| time / interval + 1);
    Monotonic::from_start(Duration::from_nanos(passed.saturating_mul(interval).saturating_add(offset)))
}

/// Whole intervals from `earlier` to `later`.
pub(super) fn intervals(earlier: Monotonic, later: Monotonic, interval: Duration) -> u64 {
    nanos(later.since(earlier)) / nanos(interval)
}

/// `count` intervals after `time`.
pub(super) fn later(time: Monotonic, interval: Duration, count: u64) -> Monotonic {
    time + Duration::from_nanos(nanos(interval).saturating_mul(count))
}

/// Five hundred years fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn deadlines_are_one_interval_apart_and_always_later_than_asked() {
        let interval = Duration::from_secs(4);
        for (phase, time, due) in [
            (0, 0, 4_000),
            (0, 3_999, 4_000),
            (0, 4_000, 8_000),
            (1 << 63, 0, 2_000),
            (1 << 63, 1_999, 2_000),
            (1 << 63, 2_000, 6_000),
            (1 << 62, 1_001, 5_000),
        ] {
            assert_eq!(after(at(time), interval, Phase(phase)), at(due), "phase {phase}, time {time}");
        }
    }

    #[test]
    fn phases_of_any_number_of_streams_leave_no_crowd_and_no_gap() {
        for (seed, count) in [(0, 7), (1, 100), (99, 5_000), (u64::MAX, 10_000)] {
            let mut phases = Phases::new(seed);
            let mut taken: Vec<_> = (0..count).map(|_| phases.take().0).collect();
            taken.sort_unstable();
            let mean = u64::MAX / count;
            let around = taken.windows(2).map(|pair| pair[1] - pair[0]);
            let gaps: Vec<_> = around.chain([taken[0].wrapping_sub(*taken.last().unwrap())]).collect();
            assert!(gaps.iter().all(|gap| *gap > mean / 4 && *gap < mean * 3), "{count} streams");
        }
    }
}
