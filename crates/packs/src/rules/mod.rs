//! Readings in, events out.

use std::sync::Arc;

use crate::raw;
use crate::value::{Reading, Value};

/// The rules of a pack, checked.
#[derive(Debug, Default)]
pub struct Ruleset {}

/// What one stream's rules remember. One for each stream and pack.
#[derive(Debug, Default)]
pub struct State {}

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
    pub data: serde_json::Map<String, serde_json::Value>,
    pub before_reading: Option<Arc<Reading>>,
    pub after_reading: Arc<Reading>,
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
        let _ = (rules, events, known);
        Ok(Self {})
    }

    /// What one more reading brings. `None` is a picture that the pack's gate refused.
    pub fn step(&self, state: &mut State, reading: Option<&Arc<Reading>>, at: i64) -> Vec<Event> {
        let _ = (state, reading, at, None::<Value>);
        Vec::new()
    }
}
