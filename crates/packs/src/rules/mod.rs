//! Readings in, events out.
//!
//! Owns what a change on the screen must be like to be an event: seen often enough, a step that can happen, while the game's
//! clock runs forward, in the right match. A pure state machine: called by whoever reads a stream's pictures, with the media
//! time of each; it never asks a clock. From a picture that shows nothing, and a value that was not read, nothing is concluded.

mod check;
mod clock;
mod condition;
mod data;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod track;

use std::sync::Arc;

use crate::expr::Expr;
use crate::raw;
use crate::value::Reading;

use condition::Condition;
use data::Template;

pub use state::State;

/// The rules of a pack, checked.
#[derive(Debug, Default)]
pub struct Ruleset {
    clock: Option<Arc<str>>,
    countdown: bool,
    /// How far back the clock goes when a match begins, in seconds.
    back: Option<i64>,
    reset: Vec<Condition>,
    screens: Vec<Arc<str>>,
    min_confidence: f32,
    rules: Vec<Rule>,
    /// A memory made by other rules is of no use.
    print: u64,
}

/// One `[[event]]`.
#[derive(Debug)]
struct Rule {
    kind: Arc<str>,
    /// As it is written.
    when: Arc<str>,
    condition: Condition,
    guard: Option<(Arc<str>, Expr)>,
    confirm: u32,
    /// Milliseconds.
    cooldown: i64,
    once: bool,
    min_confidence: f32,
    clock_forward: bool,
    data: Vec<(String, Template)>,
    clip: (f64, f64),
}

/// A moment, found by a rule.
#[derive(Clone, Debug)]
pub struct Event {
    /// `goal`.
    pub kind: Arc<str>,
    /// Media time of the first reading that showed it, in milliseconds since 1970.
    pub at: i64,
    /// Media time of the last reading that did not.
    pub after: Option<i64>,
    /// Media time of the reading that confirmed it.
    pub confirmed: i64,
    /// What the pack says of it; `uncertain` and `steps` besides when several happened unseen.
    pub data: serde_json::Map<String, serde_json::Value>,
    pub before_reading: Option<Arc<Reading>>,
    pub after_reading: Arc<Reading>,
    /// The ids of the values that were looked at for it, in the order of the alphabet.
    pub values: Vec<String>,
    pub confidence: f32,
    /// What led to it, a line each.
    pub trace: Vec<String>,
    /// Seconds of the clip around it.
    pub clip: (f64, f64),
}

impl Ruleset {
    /// `known` are the ids of all values, `*` standing for the numbers of lists.
    ///
    /// # Errors
    /// The path in the file (`event[0].when`) and what is wrong, for each mistake.
    pub fn new(
        rules: &raw::Rules,
        events: &[raw::Event],
        known: &[Arc<str>],
    ) -> Result<Self, Vec<(String, String)>> {
        check::check(rules, events, known)
    }

    /// The types of events it can find, each once.
    #[must_use]
    pub fn kinds(&self) -> std::collections::BTreeSet<&Arc<str>> {
        self.rules.iter().map(|rule| &rule.kind).collect()
    }

    /// Whether a condition waits for the game's clock.
    fn about_clock(&self, condition: &Condition) -> bool {
        matches!(&condition.subject, condition::Subject::Value(id) if Some(id) == self.clock.as_ref())
    }

    /// What one more reading brings, in the order it happened. `None` is a picture that the pack's gate refused.
    ///
    /// `at` is the picture's media time in milliseconds since 1970. A picture no later than the one before is left out; one
    /// that is much earlier begins everything anew, as does one after a long silence.
    pub fn step(&self, state: &mut State, reading: Option<&Arc<Reading>>, at: i64) -> Vec<Event> {
        step::step(self, state, reading, at)
    }
}

/// To milliseconds, of seconds that were checked to be few.
fn millis(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a day at the most")]
    let millis = (seconds * 1000.0).round() as i64;
    millis
}
