//! Decides when encoding is more than the machine can do, and when to try again.
//!
//! Pure: told the time and how much waits. While overloaded a recording keeps the JPEGs as they came, which
//! costs next to nothing; every [`Overload::RETRY`] the encoder is tried again. Recordings take turns, so
//! that one falling back relieves the others before they fall back too, and not all come back in the same
//! moment.

use std::sync::Mutex;
use std::time::Duration;

use crate::base::clock::Monotonic;
use crate::base::queue::Bound;

/// What waits for the recorder when it takes a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) frames: usize,
    pub(super) bytes: usize,
    /// How long ago the frame now taken arrived.
    pub(super) late: Duration,
}

impl Load {
    /// Parts of the bound and of the tolerated lateness in use, in percent; the worst of the three.
    fn percent(self, bound: Bound) -> u128 {
        let of = |part: u128, whole: u128| part * 100 / whole.max(1);
        of(self.frames as u128, bound.items as u128)
            .max(of(self.bytes as u128, bound.weight as u128))
            .max(of(self.late.as_millis(), Overload::LATE.as_millis()) * Overload::HIGH / 100)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Go on without encoding.
    FallBack,
    /// Try the encoder again.
    Return,
}

/// One recording's state.
#[derive(Debug)]
pub(super) struct Overload {
    bound: Bound,
    fallen_back: Option<Monotonic>,
}

impl Overload {
    /// Percent of the queue's bound at which the encoder is too slow.
    const HIGH: u128 = 25;
    /// Percent at which there is no waiting for one's turn.
    const CRITICAL: u128 = 60;
    /// Percent below which the encoder may be tried again.
    const LOW: u128 = 5;
    /// A frame that waited this long counts as [`Self::HIGH`].
    const LATE: Duration = Duration::from_secs(2);
    pub(super) const RETRY: Duration = Duration::from_secs(60);

    pub(super) fn new(bound: Bound) -> Self {
        Self { bound, fallen_back: None }
    }

    pub(super) fn fallen_back(&self) -> bool {
        self.fallen_back.is_some()
    }

    /// The encoder failed: as if it had been too slow.
    pub(super) fn fall_back(&mut self, now: Monotonic) {
        self.fallen_back = Some(now);
    }

    pub(super) fn observe(&mut self, now: Monotonic, load: Load, turns: &Turns) -> Option<Change> {
        let percent = load.percent(self.bound);
        match self.fallen_back {
            None if percent >= Self::CRITICAL || percent >= Self::HIGH && turns.take(now) => {
                self.fallen_back = Some(now);
                Some(Change::FallBack)
            }
            Some(since) if now.since(since) >= Self::RETRY && percent <= Self::LOW && turns.take(now) => {
                self.fallen_back = None;
                Some(Change::Return)
            }
            None | Some(_) => None,
        }
    }
}

/// Shared by all recordings: one changes at a time.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Option<Monotonic>>);

impl Turns {
    const EVERY: Duration = Duration::from_millis(500);

    fn take(&self, now: Monotonic) -> bool {
        let mut last = self.0.lock().expect("no code that can panic runs under this lock");
        let free = last.is_none_or(|last| now.since(last) >= Self::EVERY);
        if free {
            *last = Some(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { items: 200, weight: 1000 };

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(ms))
    }

    fn load(frames: usize, bytes: usize, late_ms: u64) -> Load {
        Load { frames, bytes, late: Duration::from_millis(late_ms) }
    }

    #[test]
    fn a_quarter_of_the_queue_or_two_seconds_of_waiting_is_too_much() {
        for (load, too_much) in [
            (load(49, 0, 0), false),
            (load(50, 0, 0), true),
            (load(0, 249, 0), false),
            (load(0, 250, 0), true),
            (load(0, 0, 1950), false),
            (load(0, 0, 2000), true),
        ] {
            let change = Overload::new(BOUND).observe(at(0), load, &Turns::default());
            assert_eq!(change, too_much.then_some(Change::FallBack), "{load:?}");
        }
    }

    #[test]
    fn the_encoder_is_tried_again_after_a_minute_when_little_waits() {
        let (mut overload, turns) = (Overload::new(BOUND), Turns::default());
        let changes: Vec<_> = [
            (0, load(50, 0, 0)),
            (10_000, load(0, 0, 0)),
            (59_999, load(0, 0, 0)),
            (60_000, load(40, 0, 0)), // still behind
            (61_000, load(0, 0, 0)),
            (62_000, load(50, 0, 0)),
            (121_999, load(0, 0, 0)),
            (122_000, load(0, 0, 0)),
        ]
        .into_iter()
        .filter_map(|(ms, load)| Some((ms, overload.observe(at(ms), load, &turns)?)))
        .collect();
        use Change::{FallBack, Return};
        assert_eq!(changes, [(0, FallBack), (61_000, Return), (62_000, FallBack), (122_000, Return)]);
    }

    #[test]
    fn recordings_fall_back_one_at_a_time_unless_the_queue_is_nearly_full() {
        let turns = Turns::default();
        let mut all: Vec<_> = (0..4).map(|_| Overload::new(BOUND)).collect();
        let mut fall = |i: usize, ms, frames| all[i].observe(at(ms), load(frames, 0, 0), &turns).is_some();
        assert!(fall(0, 0, 60));
        assert!(!fall(1, 100, 60));
        assert!(fall(2, 100, 120));
        assert!(fall(1, 500, 60));
        assert!(!fall(3, 900, 60));
    }
}
