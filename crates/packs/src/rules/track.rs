//! What one rule believes of one value: what holds, and what was seen since that speaks for something else.
//!
//! A value holds until enough readings say something else: as many as the rule wants for a change it waits for, far more for
//! any other (a score does not jump by ten, nor fall). A read that fails and one that is wrong are daily business here.

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use crate::value::Value;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Track {
    held: Option<Held>,
    /// Since what is held was last seen, the oldest first.
    seen: Vec<Sighting>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Held {
    /// `None`: not there.
    value: Option<Value>,
    /// The last reading that showed it.
    at: i64,
}

/// One read of the value, or of its absence.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Sighting {
    pub(super) value: Option<Value>,
    pub(super) at: i64,
    pub(super) confidence: f32,
    /// Whether the game's clock was read with it, where there is one.
    pub(super) clock: bool,
}

/// A change that is believed.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) from: Option<Value>,
    pub(super) to: Option<Value>,
    /// The last reading before, and the first that showed it.
    pub(super) after: i64,
    pub(super) at: i64,
    /// Times and confidences of the readings that said so.
    pub(super) hits: Vec<(i64, f32)>,
    /// How many readings said something else meanwhile.
    pub(super) misses: usize,
    /// More than one step at once while nothing could be seen: so many.
    pub(super) uncertain: Option<u8>,
}

/// What a change needs to be believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) confirm: u32,
    /// Readings until something is known at all.
    pub(super) first: u32,
    /// Whether the clock must have been read with it.
    pub(super) clock: bool,
}

impl Need {
    /// Readings for a change that the rule does not wait for.
    const fn other(self) -> u32 {
        2 * self.confirm + 2
    }
}

impl Track {
    /// Sightings that are kept.
    const MOST: usize = 24;
    /// How long nothing must have been seen for several steps at once to be likely.
    const GAP: i64 = 15_000;

    /// What a reading showed; the changes that are believed now, in the order they happened.
    pub(super) fn see(&mut self, sighting: Sighting, need: Need, rule: &Condition) -> Vec<Step> {
        if self.seen.len() >= Self::MOST {
            self.seen.remove(0);
        }
        let (value, now, clock) = (sighting.value.clone(), sighting.at, sighting.clock);
        self.seen.push(sighting);
        let alike = |seen: &Sighting| same(seen.value.as_ref(), value.as_ref());
        if let Some(held) = self.held.as_mut().filter(|held| same(held.value.as_ref(), value.as_ref())) {
            // One read may be wrong, and without its clock it may be of a replay: then it only speaks against what was seen.
            let sure = self.seen.iter().filter(|seen| alike(seen)).count() * 2 > self.seen.len() && clock;
            if sure || self.seen.len() == 1 {
                held.at = now;
                self.seen.clear();
            }
            return Vec::new();
        }
        let first = self.first(value.as_ref());
        let hits: Vec<&Sighting> = self.seen[first..].iter().filter(|seen| alike(seen)).collect();
        let misses = self.seen.len() - first - hits.len();
        let enough = |need: u32| hits.len() >= (need as usize) + misses;
        let clocked = !need.clock || hits.iter().any(|hit| hit.clock);
        let Some(held) = &self.held else {
            // An absence may be a read that failed.
            if enough(need.first + u32::from(value.is_none())) {
                self.hold(value, now);
            }
            return Vec::new();
        };
        let direct = rule.fits(held.value.as_ref(), value.as_ref());
        let path = self.path(held, first, rule).or_else(|| direct.then(Vec::new));
        let expected = path.is_some() && value.is_some();
        if !clocked || !enough(if expected { need.confirm } else { need.other() }) {
            return Vec::new();
        }
        let last = self.seen[first].at;
        let many = rule.steps(held.value.as_ref(), value.as_ref()).filter(|_| last - held.at >= Self::GAP);
        let mut steps = Vec::new();
        let (mut from, mut after) = (held.value.clone(), held.at);
        for between in path.iter().flatten() {
            let hits = vec![(between.at, between.confidence)];
            let to = between.value.clone();
            steps.push(Step {
                from,
                to: to.clone(),
                after,
                at: between.at,
                hits,
                misses: 0,
                uncertain: None,
            });
            (from, after) = (to, between.at);
        }
        if path.is_some() || many.is_some() {
            let hits = hits.iter().map(|hit| (hit.at, hit.confidence)).collect();
            let uncertain = if path.is_some() { None } else { many };
            steps.push(Step { from, to: value.clone(), after, at: last, hits, misses, uncertain });
        }
        self.hold(value, now);
        steps
    }

    /// Where the sightings begin that speak for a value: from there on it was always seen more often than what is held.
    fn first(&self, value: Option<&Value>) -> usize {
        let (mut first, mut more) = (self.seen.len() - 1, 0u32);
        for (number, seen) in self.seen.iter().enumerate() {
            let held = |held: &Held| same(held.value.as_ref(), seen.value.as_ref());
            if same(seen.value.as_ref(), value) {
                first = if more == 0 { number } else { first };
                more += 1;
            } else if self.held.as_ref().is_some_and(held) {
                more = more.saturating_sub(1);
            }
        }
        first
    }

    /// The values seen on the way to the one first seen at `first`, when each step from what is held is one the rule waits
    /// for: a score that went on before it was confirmed.
    fn path(&self, held: &Held, first: usize, rule: &Condition) -> Option<Vec<&Sighting>> {
        let target = self.seen[first].value.as_ref()?;
        let (mut path, mut from) = (Vec::new(), held.value.as_ref());
        let held_again = |seen: &Sighting| same(seen.value.as_ref(), held.value.as_ref());
        let since = self.seen[..first].iter().rposition(held_again).map_or(0, |last| last + 1);
        for between in &self.seen[since..first] {
            let number = |value: Option<&Value>| value.and_then(Value::number);
            let (Some(here), Some(there)) = (number(from), number(between.value.as_ref())) else { continue };
            let end = target.number()?;
            let on_the_way = (here < there && there < end) || (here > there && there > end);
            if on_the_way && rule.fits(from, between.value.as_ref()) {
                path.push(between);
                from = between.value.as_ref();
            }
        }
        (!path.is_empty() && rule.fits(from, Some(target))).then_some(path)
    }

    fn hold(&mut self, value: Option<Value>, at: i64) {
        self.held = Some(Held { value, at });
        self.seen.clear();
    }

    /// Whether a value is what is held, where that is known, and nothing speaks for another.
    pub(super) fn agrees(&self, value: &Value) -> bool {
        let held = |held: &Held| self.seen.is_empty() && same(held.value.as_ref(), Some(value));
        self.held.as_ref().is_none_or(held)
    }

    /// The readings that speak for something that is not believed yet.
    pub(super) fn pending(&self) -> impl Iterator<Item = i64> {
        self.seen.iter().map(|seen| seen.at)
    }

    /// The readings that are still to be had.
    pub(super) fn moments(&self) -> impl Iterator<Item = i64> {
        self.held.iter().map(|held| held.at).chain(self.seen.iter().map(|seen| seen.at))
    }
}

fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.same(other),
        _ => false,
    }
}
