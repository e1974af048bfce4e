//! How long to wait before a lost destination is tried again. Pure.
//!
//! 0.25, 0.5 and 1 s, then every 1.5 s for two minutes, then further and further apart up to 15 s, for ever; a little
//! at random, so that many destinations of one server don't come back in step. Called by `machine` only.

use std::time::Duration;

use crate::base::clock::Monotonic;

/// Pauses between tries.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    tries: u32,
    /// When it was lost.
    since: Option<Monotonic>,
    /// What the steps have come to that follow the two minutes.
    long: Duration,
    dice: u64,
}

const FIRST: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000)];
const STEADY: Duration = Duration::from_millis(1500);
const STEADY_FOR: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_secs(15);

impl Backoff {
    /// `seed` is anything that differs between destinations.
    pub(super) const fn new(seed: u64) -> Self {
        Self { tries: 0, since: None, long: STEADY, dice: seed }
    }

    /// The pause before the next try, `now` that one has failed.
    pub(super) fn next(&mut self, now: Monotonic) -> Duration {
        let since = *self.since.get_or_insert(now);
        let pause = match FIRST.get(self.tries as usize) {
            Some(first) => *first,
            None if now.since(since) < STEADY_FOR => STEADY,
            None => {
                self.long = (self.long * 2).min(LONGEST);
                self.long
            }
        };
        self.tries = self.tries.saturating_add(1);
        (pause * (90 + self.roll(21)) / 100).min(LONGEST)
    }

    /// All is well again.
    pub(super) const fn reset(&mut self) {
        *self = Self::new(self.dice);
    }

    /// A number below `sides` (Steele et al., `SplitMix64`).
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(sides)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of a destination that stays away for `away`, with the moment each begins.
    fn pauses(seed: u64, away: Duration) -> Vec<(Duration, Duration)> {
        let (mut backoff, mut now, mut all) = (Backoff::new(seed), Monotonic::default(), Vec::new());
        while now.since_start() < away {
            let pause = backoff.next(now);
            all.push((now.since_start(), pause));
            now = now + pause;
        }
        all
    }

    #[test]
    fn tries_come_quickly_at_first_then_steadily_then_seldom_and_never_end() {
        let all = pauses(7, Duration::from_hours(24));
        for (number, wanted) in [(0, 250), (1, 500), (2, 1000), (3, 1500), (20, 1500), (60, 1500)] {
            let pause = all[number].1.as_millis();
            assert!((wanted * 9 / 10..=wanted * 11 / 10).contains(&pause), "try {number}: {pause} ms");
        }
        for (at, pause) in &all {
            let most = if *at < STEADY_FOR { 1650 } else { 15_000 };
            assert!(pause.as_millis() <= most, "{pause:?} at {at:?}");
        }
        let late: Vec<_> = all.iter().filter(|(at, _)| *at > Duration::from_mins(4)).collect();
        assert!(late.len() > 5000 && late.iter().all(|(_, pause)| *pause >= Duration::from_millis(13_500)));
    }

    #[test]
    fn two_destinations_do_not_come_back_in_step_and_one_that_came_back_begins_anew() {
        let of = |seed| pauses(seed, Duration::from_secs(60));
        assert_ne!(of(1), of(2));
        let mut backoff = Backoff::new(3);
        for second in 0..600 {
            backoff.next(Monotonic::from_start(Duration::from_secs(second)));
        }
        backoff.reset();
        assert!(backoff.next(Monotonic::from_start(Duration::from_hours(1))) < Duration::from_millis(300));
    }
}
