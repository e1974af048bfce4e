//! The output's clock: which frame is due, and whether it is a new picture or the last one again. Pure.
//!
//! Frame n is due at the beginning + n / fps, whatever happens elsewhere. A picture is taken up to half a period early,
//! and waited for until a whole period late; then the last one is sent again. After a delay what was missed is made up for, with
//! the picture there is, so that nobody sees a gap; what is more than a second late is left out, so that the clock never drifts.
//! Called by `encode` only.

use std::time::Duration;

use crate::base::clock::Monotonic;

/// Which frame is next.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    begun: Monotonic,
    fps: u64,
    next: u64,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing, for so long; or until there is a new picture.
    Wait(Duration),
    Encode {
        number: u64,
        /// There is no new picture: the last one again.
        repeat: bool,
        /// Numbers before this one that there was no time for.
        left_out: u64,
    },
}

const NANOS: u64 = 1_000_000_000;

impl Pace {
    pub(super) fn new(begun: Monotonic, fps: u32) -> Self {
        Self { begun, fps: u64::from(fps.max(1)), next: 0 }
    }

    /// What is due `now`; `fresh`: there is a picture that was not encoded yet.
    pub(super) fn turn(&mut self, now: Monotonic, fresh: bool) -> Turn {
        let passed = u64::try_from(now.since(self.begun).as_nanos()).unwrap_or(u64::MAX);
        let newest = u64::try_from(u128::from(passed) * u128::from(self.fps) / u128::from(NANOS));
        let newest = newest.unwrap_or(u64::MAX - 1);
        if newest > self.next.saturating_add(self.fps) {
            let left_out = newest - self.next;
            return self.encode(newest, !fresh, left_out);
        }
        let (due, period) = (self.due(self.next), NANOS / self.fps);
        let taken_from = if fresh { due.saturating_sub(period / 2) } else { due + period };
        match taken_from.checked_sub(passed) {
            None | Some(0) => self.encode(self.next, !fresh, 0),
            Some(early) => Turn::Wait(Duration::from_nanos(early)),
        }
    }

    const fn encode(&mut self, number: u64, repeat: bool, left_out: u64) -> Turn {
        self.next = number + 1;
        Turn::Encode { number, repeat, left_out }
    }

    /// Nanoseconds after the beginning.
    fn due(&self, number: u64) -> u64 {
        let due = u128::from(number) * u128::from(NANOS) / u128::from(self.fps);
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are encoded when pictures come at `pictures` (ms) and each takes `cost` ms, until `end`.
    fn run(fps: u32, pictures: &[u64], cost: u64, end: u64) -> (Vec<(u64, bool)>, u64) {
        let at = |ms: u64| Monotonic::from_start(Duration::from_millis(ms));
        let (mut pace, mut encoded, mut lost, mut taken) = (Pace::new(at(0), fps), Vec::new(), 0, 0);
        let mut now = 0;
        while now < end {
            let there = pictures.iter().filter(|picture| **picture <= now).count();
            match pace.turn(at(now), there > taken) {
                Turn::Wait(_) => now += 1,
                Turn::Encode { number, repeat, left_out } => {
                    encoded.push((number, repeat));
                    lost += left_out;
                    taken = there;
                    now += cost;
                }
            }
        }
        (encoded, lost)
    }

    fn every(ms: u64, from: u64, to: u64) -> Vec<u64> {
        (from..to).step_by(usize::try_from(ms).unwrap()).collect()
    }

    #[test]
    fn every_picture_is_encoded_once_whatever_its_phase_and_jitter() {
        for phase in 0..40 {
            let mut pictures = every(40, phase, 10_000);
            for (i, picture) in pictures.iter_mut().enumerate() {
                *picture += [0, 9, 3, 15, 1][i % 5];
            }
            let (encoded, lost) = run(25, &pictures, 5, 9_900);
            assert_eq!(lost, 0, "phase {phase}");
            // The first wait may be repeated away once; from then on nothing is.
            let repeats = encoded.iter().filter(|(_, repeat)| *repeat).count();
            assert!(repeats <= 1, "phase {phase}: {repeats} repeats");
            assert!(encoded.iter().map(|(number, _)| *number).eq(0..encoded.len() as u64));
        }
    }

    #[test]
    fn a_picture_that_does_not_come_is_replaced_by_the_last_one_and_the_clock_goes_on() {
        // Nothing between 1 s and 3 s.
        let pictures = [every(40, 0, 1000), every(40, 3000, 5000)].concat();
        let (encoded, lost) = run(25, &pictures, 5, 5000);
        assert_eq!(lost, 0);
        assert!(encoded.iter().map(|(number, _)| *number).eq(0..encoded.len() as u64));
        let repeats = encoded.iter().filter(|(_, repeat)| *repeat).count();
        assert!((48..=52).contains(&repeats), "{repeats}");
        assert!((123..=126).contains(&encoded.len()), "{}", encoded.len());
    }

    #[test]
    fn what_takes_too_long_leaves_numbers_out_and_stays_on_time() {
        // Each frame takes two periods and a half.
        let (encoded, lost) = run(25, &every(40, 0, 10_000), 100, 10_000);
        let last = encoded.last().unwrap().0;
        assert_eq!(last + 1, encoded.len() as u64 + lost);
        assert!((224..=250).contains(&last), "{last}");
        assert!(lost > 100 && encoded.windows(2).all(|two| two[0].0 < two[1].0));
    }

    #[test]
    fn a_delay_is_made_up_for_without_a_gap() {
        // Nothing is done between 1 s and 1.6 s, as if the machine were busy elsewhere.
        let at = |ms: u64| Monotonic::from_start(Duration::from_millis(ms));
        let (mut pace, mut numbers, mut now) = (Pace::new(at(0), 25), Vec::new(), 0);
        while now < 2000 {
            if now == 1000 {
                now = 1600;
            }
            match pace.turn(at(now), now % 40 == 0) {
                Turn::Wait(_) => now += 1,
                Turn::Encode { number, left_out, .. } => {
                    assert_eq!(left_out, 0);
                    numbers.push(number);
                    now += 2;
                }
            }
        }
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
        assert!(numbers.len() >= 49, "{} frames in two seconds", numbers.len());
    }

    #[test]
    fn sixty_a_second_stays_exact_for_a_year() {
        let year = Duration::from_hours(24 * 365);
        let mut pace = Pace::new(Monotonic::default(), 60);
        let frames = year.as_secs() * 60;
        assert!(matches!(
            pace.turn(Monotonic::from_start(year), true),
            Turn::Encode { number, repeat: false, left_out } if number == frames && left_out == frames
        ));
    }
}
