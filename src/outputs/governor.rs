//! How much work goes into a frame: stepped down before frames are lost, and up again when there is room. Pure.
//!
//! The steps are the presets from the one that is wanted down to the quickest, and then every second frame only. Told
//! what each frame took; called by `encode` only, which does what it says.

use std::time::Duration;

use media::air::Preset;

use crate::base::clock::Monotonic;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    pub preset: Preset,
    /// Every second frame is left out.
    pub half: bool,
}

/// Decides on the step.
#[derive(Clone, Debug)]
pub(super) struct Governor {
    steps: Vec<Effort>,
    at: usize,
    /// Time for one frame.
    budget: Duration,
    /// Of the frames since `since`.
    busy: Duration,
    frames: u32,
    lost: u64,
    since: Monotonic,
    /// Since when there was room at this step.
    roomy: Option<Monotonic>,
    /// How long there must have been, before more is tried; longer after each time that it was too much.
    patience: Duration,
    raised: Option<Monotonic>,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Parts in a hundred of a frame's time: above it is too much.
const MOST: u32 = 85;
/// Below there is room for the next preset, which takes up to twice as long.
const ROOM: u32 = 38;
const PATIENCE: Duration = Duration::from_secs(15);
const MOST_PATIENCE: Duration = Duration::from_mins(10);
/// A step up that is taken back so soon was a mistake.
const REGRET: Duration = Duration::from_secs(20);

impl Governor {
    pub(super) fn new(wanted: Preset, fps: u32, now: Monotonic) -> Self {
        let presets = Preset::ALL.into_iter().rev().skip_while(|preset| *preset != wanted);
        let mut steps: Vec<_> = presets.map(|preset| Effort { preset, half: false }).collect();
        steps.push(Effort { preset: Preset::Ultrafast, half: true });
        Self {
            steps,
            at: 0,
            budget: Duration::from_secs(1) / fps.max(1),
            busy: Duration::ZERO,
            frames: 0,
            lost: 0,
            since: now,
            roomy: None,
            patience: PATIENCE,
            raised: None,
        }
    }

    pub(super) fn effort(&self) -> Effort {
        self.steps[self.at]
    }

    /// A frame took `took`, and `lost` before it were left out for want of time. The step, when it changes.
    pub(super) fn frame(&mut self, took: Duration, lost: u64, now: Monotonic) -> Option<Effort> {
        self.busy += took;
        self.frames += 1;
        self.lost += lost;
        let passed = now.since(self.since);
        if passed < LOOK_EVERY {
            return None;
        }
        let budget = self.budget * if self.effort().half { 2 } else { 1 };
        let share = self.busy.as_nanos() * 100 / (budget.as_nanos() * u128::from(self.frames)).max(1);
        let (share, lost) = (u32::try_from(share).unwrap_or(u32::MAX), self.lost);
        (self.busy, self.frames, self.lost, self.since) = (Duration::ZERO, 0, 0, now);
        if share > MOST || lost > 1 {
            self.roomy = None;
            return self.lower(now);
        }
        if share > ROOM || self.at == 0 {
            self.roomy = None;
            return None;
        }
        let roomy = *self.roomy.get_or_insert(now);
        (now.since(roomy) >= self.patience).then(|| self.raise(now))
    }

    fn lower(&mut self, now: Monotonic) -> Option<Effort> {
        if self.raised.take().is_some_and(|raised| now.since(raised) < REGRET) {
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
        if self.at + 1 == self.steps.len() {
            return None;
        }
        self.at += 1;
        Some(self.effort())
    }

    fn raise(&mut self, now: Monotonic) -> Effort {
        self.at -= 1;
        (self.roomy, self.raised) = (None, Some(now));
        self.effort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs 30 frames a second for `seconds`; `cost` says what a frame takes in ms at a step (0: the wanted preset).
    fn run(governor: &mut Governor, from: u64, seconds: u64, cost: impl Fn(usize) -> u64) -> Vec<Effort> {
        let mut changes = Vec::new();
        for frame in from * 30..(from + seconds) * 30 {
            let now = Monotonic::from_start(Duration::from_millis(frame * 1000 / 30));
            let took = Duration::from_millis(cost(governor.at));
            changes.extend(governor.frame(took, 0, now));
        }
        changes
    }

    fn veryfast() -> Governor {
        Governor::new(Preset::Veryfast, 30, Monotonic::default())
    }

    #[test]
    fn effort_goes_down_step_by_step_until_it_fits_and_no_further() {
        let mut governor = veryfast();
        let changes = run(&mut governor, 0, 10, |step| [60, 31, 20, 10][step]);
        let expected: Vec<_> =
            [Preset::Superfast, Preset::Ultrafast].map(|preset| Effort { preset, half: false }).into();
        assert_eq!(changes, expected);
        // The last step is half the frames; below it there is none.
        let changes = run(&mut governor, 10, 10, |_| 100);
        assert_eq!(changes, [Effort { preset: Preset::Ultrafast, half: true }]);
    }

    #[test]
    fn effort_comes_back_when_there_is_room_and_each_mistake_makes_it_more_patient() {
        let mut governor = veryfast();
        run(&mut governor, 0, 3, |_| 32);
        assert!(governor.at > 0);
        run(&mut governor, 3, 120, |_| 5);
        assert_eq!(governor.effort(), Effort { preset: Preset::Veryfast, half: false });
        // Superfast fits with room, veryfast does not: tried ever more seldom.
        let changes = run(&mut governor, 123, 1000, |step| [40, 10, 5, 5][step]);
        assert!((6..20).contains(&changes.len()), "{} changes in 1000 s", changes.len());
    }

    #[test]
    fn frames_that_are_lost_lower_it_even_if_encoding_is_quick() {
        let mut governor = veryfast();
        let at = |ms| Monotonic::from_start(Duration::from_millis(ms));
        assert_eq!(governor.frame(Duration::from_millis(1), 3, at(500)), None);
        let lowered = governor.frame(Duration::from_millis(1), 0, at(1000)).unwrap();
        assert_eq!(lowered.preset, Preset::Superfast);
    }
}
