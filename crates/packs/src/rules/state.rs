//! What one stream's rules remember. Written down and read again, it goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::{Clock, Mark};
use super::step::MATCH;
use super::track::Track;
use crate::value::{Read, Reading};

/// What one stream's rules remember. One for each stream and pack.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct State {
    /// The rules that made it.
    pub(super) print: u64,
    /// The last picture, with or without a reading.
    pub(super) last: Option<i64>,
    /// The last reading of a screen that counts.
    pub(super) read: Option<i64>,
    /// The last of them that was of now.
    pub(super) sure: Option<i64>,
    /// The first picture since that showed none.
    pub(super) gone: Option<i64>,
    /// The first of the last pictures that showed none before one did again.
    pub(super) left: Option<i64>,
    /// Readings in this match, as far as they matter.
    pub(super) count: u32,
    pub(super) clock: Clock,
    /// Readings whose clock did not fit, until it is known of when they are.
    pub(super) aside: Vec<i64>,
    pub(super) opening: Opening,
    pub(super) ended: bool,
    /// By rule, then by slot; rules of one value have one, called "".
    pub(super) tracks: Vec<BTreeMap<Arc<str>, Track>>,
    pub(super) resets: Vec<BTreeMap<Arc<str>, Track>>,
    /// The last confident read of each value in this match.
    pub(super) recent: BTreeMap<Arc<str>, Recent>,
    /// When each type (and slot) last was an event.
    pub(super) fired: BTreeMap<String, i64>,
    /// Rules (and slots) that were events in this match.
    pub(super) done: BTreeSet<String>,
    /// The readings that something above still points to, by their media time.
    pub(super) readings: BTreeMap<i64, Arc<Reading>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Recent {
    pub(super) at: i64,
    pub(super) read: Read,
}

/// The beginning of a match.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) enum Opening {
    /// Not seen, nor has anything been seen that would be later; so many readings were.
    #[default]
    Open,
    /// A clock that has just begun to run.
    Watched {
        before: Option<i64>,
        first: i64,
        last: Mark,
        count: u32,
    },
    Late(u32),
    Done,
}

impl State {
    /// What is believed of values, not which match it is.
    pub(super) fn forget(&mut self) {
        self.tracks.iter_mut().chain(&mut self.resets).for_each(BTreeMap::clear);
        self.recent.clear();
    }

    /// What is believed of the clock alone.
    pub(super) fn forget_clock(&mut self, rules: &super::Ruleset) {
        let of_clock = rules.rules.iter().map(|rule| rules.about_clock(&rule.condition));
        self.tracks
            .iter_mut()
            .zip(of_clock)
            .filter(|(_, clock)| *clock)
            .for_each(|(tracks, _)| tracks.clear());
    }

    /// Another match.
    pub(super) fn begin(&mut self) {
        self.forget();
        self.done.clear();
        (self.count, self.ended, self.opening) = (0, false, Opening::default());
    }

    /// Media times of the pictures that an event may yet turn out to have been seen on first.
    ///
    /// Whoever keeps evidence keeps these pictures, and none of another time.
    #[must_use]
    pub fn pending(&self) -> BTreeSet<i64> {
        let tracks = self.tracks.iter().chain(&self.resets).flat_map(BTreeMap::values);
        let mut pending: BTreeSet<i64> = tracks.flat_map(Track::pending).collect();
        pending.extend(self.aside.iter().copied());
        pending.extend(self.clock.run().map(|run| run.first.at));
        let turning = self.clock.run().is_some()
            || self.resets.iter().flat_map(BTreeMap::values).any(|track| track.pending().next().is_some());
        let left = self.left.filter(|_| turning);
        pending.extend(self.gone.or(left).filter(|_| !self.ended && self.count >= MATCH));
        if let Opening::Watched { first, .. } = self.opening {
            pending.insert(first);
        }
        pending
    }

    /// Lets go of readings that nothing points to.
    pub(super) fn tidy(&mut self) {
        let tracks = self.tracks.iter().chain(&self.resets).flat_map(BTreeMap::values);
        let mut needed: BTreeSet<i64> = tracks.flat_map(Track::moments).collect();
        needed.extend(self.clock.moments().chain(self.aside.iter().copied()));
        needed.extend(self.read);
        needed.extend(self.sure);
        if let Opening::Watched { before, first, .. } = self.opening {
            needed.extend(before);
            needed.insert(first);
        }
        self.readings.retain(|at, _| needed.contains(at));
    }
}
