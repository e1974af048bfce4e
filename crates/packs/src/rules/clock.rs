//! The game's clock over time: which readings are of now, which of a replay, and when a new match has begun.
//!
//! A clock runs forward, or stands, and not much faster than a game's can. A reading whose clock does not fit is put aside:
//! it is a replay, or misread. If what does not fit goes on and fits itself, the clock was moved, and this is now.

use serde::{Deserialize, Serialize};

/// What a clock showed, in the game's seconds, at a media time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Mark {
    pub(super) clock: i64,
    pub(super) at: i64,
}

impl Mark {
    /// Seconds that a clock may be misread backwards.
    const BACK: i64 = 2;
    /// Game seconds in a second: halves of four minutes run eleven times as fast as their clock.
    const FASTEST: i64 = 15;
    const AHEAD: i64 = 30;

    /// Whether `next` can be the same clock, later.
    pub(super) fn leads_to(self, next: Self) -> bool {
        let (gone, by) = (next.at.saturating_sub(self.at), next.clock.saturating_sub(self.clock));
        by >= -Self::BACK && by <= Self::AHEAD.saturating_add(gone.saturating_mul(Self::FASTEST) / 1000)
    }
}

/// Readings that do not fit, and fit each other.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Run {
    pub(super) first: Mark,
    pub(super) last: Mark,
    pub(super) count: u32,
    /// The last so many of them showed nothing but what holds.
    agreeing: u32,
    /// Readings meanwhile that fit nothing.
    strange: u32,
}

impl Run {
    pub(super) const fn of(first: Mark) -> Self {
        Self { first, last: first, count: 1, agreeing: 0, strange: 0 }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Clock {
    /// The newest mark that the next one bore out.
    front: Option<Mark>,
    newest: Option<Mark>,
    astray: Option<Run>,
}

/// What a reading is, by its clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Now,
    /// Not now: nothing is concluded from it.
    Astray,
    /// Now, and all that was believed is of another time.
    Anew,
    /// Now, and the clock has been set back by more than a match allows.
    Reset(Run),
}

impl Clock {
    /// Readings for a reset, and for taking over a clock whose values are those that hold.
    const SURE: u32 = 4;
    /// Readings and milliseconds until a clock is taken over although its values differ: longer than a replay.
    const LONG: (u32, i64) = (8, 60_000);

    /// `agrees`: the reading shows nothing but what holds. `reset`: how far back is a new match.
    pub(super) fn judge(&mut self, mark: Mark, agrees: bool, reset: Option<i64>) -> Verdict {
        let fits = self.front.is_none_or(|front| front.leads_to(mark));
        if fits {
            if let Some(newest) = self.newest.filter(|newest| newest.leads_to(mark)) {
                self.front = Some(newest);
            }
            self.newest = Some(mark);
            self.astray = None;
            return Verdict::Now;
        }
        let run = match self.astray {
            Some(run) if run.last.leads_to(mark) => {
                let agreeing = if agrees { run.agreeing + 1 } else { 0 };
                Run { last: mark, count: run.count + 1, agreeing, strange: 0, ..run }
            }
            Some(run) if run.strange < run.count.min(2) => Run { strange: run.strange + 1, ..run },
            _ => Run { agreeing: u32::from(agrees), ..Run::of(mark) },
        };
        self.astray = Some(run);
        let back = self.front.map_or(0, |front| front.clock.saturating_sub(run.last.clock));
        let long = run.count >= Self::LONG.0 && mark.at - run.first.at >= Self::LONG.1;
        let verdict = if run.last != mark {
            Verdict::Astray
        } else if run.count >= Self::SURE && reset.is_some_and(|by| back >= by) {
            Verdict::Reset(run)
        } else if run.agreeing >= Self::SURE {
            Verdict::Now
        } else if long {
            Verdict::Anew
        } else {
            Verdict::Astray
        };
        if !matches!(verdict, Verdict::Astray) {
            *self = Self { front: Some(mark), newest: Some(mark), astray: None };
        }
        verdict
    }

    /// The last mark that was of now.
    pub(super) const fn newest(&self) -> Option<Mark> {
        self.newest
    }

    /// Whether nothing has borne out what it showed.
    pub(super) const fn is_unborne(&self) -> bool {
        self.front.is_none()
    }

    /// What does not fit, lately.
    pub(super) const fn run(&self) -> Option<Run> {
        self.astray
    }

    /// Whether the last clock that was read did not fit.
    pub(super) const fn is_astray(&self) -> bool {
        self.astray.is_some()
    }

    /// The readings that are still to be had.
    pub(super) fn moments(&self) -> impl Iterator<Item = i64> {
        self.front.into_iter().chain(self.newest).map(|mark| mark.at)
    }
}
