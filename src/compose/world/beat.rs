//! Which of the pictures of a stream is shown in a frame. Pure.
//!
//! Called by `feeds` for each stream and frame.

use std::time::Duration;

use crate::base::clock::Monotonic;

/// How a stream's pictures stand to the frames of the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    /// A picture may be so much early, in µs: half a frame, a little more or less.
    early: i64,
    half: i64,
}

/// Pictures that are this near to being shown a frame sooner or later would be now one and now the other, by the jitter of their
/// times: the line between is moved away from them by so much, in µs.
const NEAR: i64 = 2500;
const LEAN: i64 = 6000;

impl Beat {
    pub(super) fn new(period: Duration) -> Self {
        let half = i64::try_from(period.as_micros() / 2).unwrap_or(0);
        Self { early: half, half }
    }

    /// The newest of those that are `due` by `beat`, or nearly; they are in order.
    pub(super) fn choose(&mut self, due: impl Iterator<Item = Monotonic>, beat: Monotonic) -> Option<usize> {
        let (beat, mut chosen, mut near) = (micros(beat), None, None);
        for (at, due) in due.enumerate() {
            let margin = beat + self.early - micros(due);
            if margin.abs() < NEAR {
                near = Some(margin);
            }
            if margin < 0 {
                break;
            }
            chosen = Some(at);
        }
        match near {
            Some(margin) if margin >= 0 => self.early = (self.half + LEAN).max(self.early),
            Some(_) => self.early = (self.half - LEAN).min(self.early),
            None => {}
        }
        chosen
    }
}

fn micros(time: Monotonic) -> i64 {
    i64::try_from(time.since_start().as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_micros(micros))
    }

    #[test]
    fn the_newest_that_is_due_within_half_a_frame_is_shown() {
        for (beat, chosen) in
            [(0, None), (70, None), (85, Some(0)), (130, Some(1)), (175, Some(2)), (900, Some(2))]
        {
            let mut line = Beat::new(Duration::from_millis(40));
            let due = [100_000, 140_000, 180_000].map(at);
            assert_eq!(line.choose(due.into_iter(), at(beat * 1000)), chosen, "at {beat} ms");
        }
    }

    #[test]
    fn every_picture_is_shown_once_whatever_its_phase_and_the_jitter_of_its_time() {
        const PERIOD: u64 = 33_333;
        for phase in (0..PERIOD).step_by(500) {
            let mut line = Beat::new(Duration::from_micros(PERIOD));
            let jitter = [0, 900, 300, 1000, 100, 700];
            let due = |n: u64| at(1_000_000 + phase + n * PERIOD + jitter[usize::try_from(n).unwrap() % 6]);
            let mut shown = Vec::new();
            for frame in 0..300 {
                let beat = at(1_000_000 + frame * PERIOD);
                let first = frame.saturating_sub(2);
                let chosen = line.choose((first..first + 5).map(due), beat);
                shown.extend(chosen.map(|chosen| first + chosen as u64));
            }
            let steps: Vec<_> = shown.windows(2).map(|two| two[1] - two[0]).collect();
            let odd = steps.iter().filter(|step| **step != 1).count();
            assert!(odd <= 1, "phase {phase}: {steps:?}");
        }
    }
}
