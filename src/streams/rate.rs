//! Frames a second, as people mean it: over the last seconds, not over the last frames, which may have come in a burst.

use crate::base::clock::Monotonic;

/// Counts frames by whole seconds.
#[derive(Debug)]
pub(super) struct Rate {
    begun: Monotonic,
    /// A second and the frames in it, at its number modulo the length.
    seconds: [(u64, u32); Self::SECONDS + 1],
}

impl Rate {
    /// Whole seconds looked back.
    const SECONDS: usize = 5;

    pub(super) fn new(now: Monotonic) -> Self {
        Self { begun: now, seconds: [(0, 0); Self::SECONDS + 1] }
    }

    pub(super) fn count(&mut self, now: Monotonic) {
        let second = self.second(now);
        let slot = self.slot(second);
        let (of, frames) = &mut self.seconds[slot];
        if *of != second {
            (*of, *frames) = (second, 0);
        }
        *frames += 1;
    }

    /// Over the last five whole seconds, or as many as there were; before the first is over, what has come so far.
    pub(super) fn per_second(&self, now: Monotonic) -> f64 {
        let this = self.second(now);
        let frames_in = |second: u64| {
            let (of, frames) = self.seconds[self.slot(second)];
            if of == second { frames } else { 0 }
        };
        let first = this.saturating_sub(Self::SECONDS as u64);
        let whole = u32::try_from(this - first).expect("five at most");
        if whole == 0 {
            return f64::from(frames_in(this)) / now.since(self.begun).as_secs_f64().max(0.1);
        }
        f64::from((first..this).map(frames_in).sum::<u32>()) / f64::from(whole)
    }

    fn second(&self, now: Monotonic) -> u64 {
        now.since(self.begun).as_secs()
    }

    fn slot(&self, second: u64) -> usize {
        usize::try_from(second % self.seconds.len() as u64).expect("less than the length")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_does_not_change_the_rate_and_silence_ends_it() {
        let at = |ms| Monotonic::from_start(Duration::from_millis(ms));
        let mut rate = Rate::new(at(0));
        let even = |i: u64| i * 40;
        let in_bursts = |i: u64| i / 25 * 1000 + 900 + i % 25;
        for time in [even, in_bursts] {
            rate = Rate::new(at(0));
            (0..250).for_each(|i| rate.count(at(time(i))));
            assert!((rate.per_second(at(10_000)) - 25.0).abs() < 0.01);
        }
        assert!((rate.per_second(at(12_000)) - 15.0).abs() < 0.01);
        assert!(rate.per_second(at(16_000)).abs() < 0.01);
    }

    #[test]
    fn a_slow_stream_has_a_rate_too_and_a_new_one_at_once() {
        let at = |ms| Monotonic::from_start(Duration::from_millis(ms));
        let mut rate = Rate::new(at(500));
        (0..10).for_each(|i| rate.count(at(500 + i * 50)));
        assert!((rate.per_second(at(1000)) - 20.0).abs() < 0.01);
        let mut slow = Rate::new(at(0));
        (0..10).for_each(|i| slow.count(at(i * 2500)));
        assert!((slow.per_second(at(25_000)) - 0.4).abs() < 0.01);
    }
}
