//! What is known outside the scene: the newest readings of streams and how many events there were, for templates; how loud
//! sources of sound are, for sprites that talk.
//!
//! Whoever knows of them publishes the whole as one [`Known`], which never changes after that; the frame clock takes up the
//! newest when a frame begins and looks things up in it. Nobody waits for anybody, and looking up allocates nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use scene::template::{Datum, Seen};
use serde_json::Value;

/// Where the newest [`Known`] is. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Outside(Arc<Shared>);

#[derive(Default)]
struct Shared {
    known: ArcSwap<Known>,
    levels: ArcSwap<Levels>,
}

/// The highest sample of each source of sound a moment ago, 1 being full scale. What is not there is not heard.
type Levels = BTreeMap<String, f32>;

/// Readings and counts at one moment. Times are in ms since the program's start, and before it negative.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Another one whenever anything is other than before.
    version: u64,
    readings: BTreeMap<String, Arc<Latest>>,
    events: BTreeMap<String, BTreeMap<String, Count>>,
}

#[derive(Debug)]
struct Latest {
    values: Value,
    at: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    events: u64,
    at: f64,
}

/// A [`Known`] as the frame at one moment sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    known: Arc<Known>,
    /// Program time less the time since the start, in ms: what takes one to the other.
    ahead: f64,
}

impl Outside {
    pub fn publish(&self, known: &Known) {
        self.0.known.store(Arc::new(known.clone()));
    }

    /// How loud everything is now, some times for each frame.
    pub fn hear(&self, levels: BTreeMap<String, f32>) {
        self.0.levels.store(Arc::new(levels));
    }

    pub(super) fn newest(&self) -> Arc<Known> {
        self.0.known.load_full()
    }

    pub(super) fn level(&self, source: &str) -> f64 {
        self.0.levels.load().get(source).copied().map_or(0.0, f64::from)
    }
}

impl Known {
    /// Kinds of events of one stream that are counted; names of more are not taken up.
    const KINDS: usize = 256;

    /// What was read of a stream at `at`.
    pub fn read(&mut self, stream: &str, values: Value, at: f64) {
        self.version += 1;
        self.readings.insert(stream.to_owned(), Arc::new(Latest { values, at }));
    }

    /// Counts `more` events of a kind, the newest of them at `at`.
    pub fn count(&mut self, stream: &str, kind: &str, more: u64, at: f64) {
        self.version += 1;
        let kinds = self.events.entry(stream.to_owned()).or_default();
        if kinds.len() < Self::KINDS || kinds.contains_key(kind) {
            let count = kinds.entry(kind.to_owned()).or_default();
            count.events += more;
            count.at = at;
        }
    }

    /// Forgets the events, to count them anew.
    pub fn uncount(&mut self) {
        self.version += 1;
        self.events.clear();
    }

    /// Forgets the readings of streams that are gone. Events stay: what was counted has been.
    pub fn retain(&mut self, still: impl Fn(&str) -> bool) {
        let before = self.readings.len();
        self.readings.retain(|stream, _| still(stream));
        self.version += u64::from(self.readings.len() != before);
    }

    fn get(&self, path: &[Box<str>]) -> Option<(Datum<'_>, f64)> {
        match path {
            [what, stream, readings, rest @ ..] if &**what == "streams" && &**readings == "readings" => {
                let latest = self.readings.get(&**stream)?;
                let found = rest.iter().try_fold(&latest.values, |value, key| match value {
                    Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                    value => value.get(&**key),
                });
                Some((datum(found?)?, latest.at))
            }
            [what, stream, kind] if &**what == "events" => {
                let count = self.events.get(&**stream)?.get(&**kind)?;
                #[expect(clippy::cast_precision_loss, reason = "nobody counts that many events")]
                let events = count.events as f64;
                Some((Datum::Number(events), count.at))
            }
            _ => None,
        }
    }
}

fn datum(value: &Value) -> Option<Datum<'_>> {
    match value {
        Value::Number(number) => number.as_f64().map(Datum::Number),
        Value::String(text) => Some(Datum::Text(text)),
        Value::Bool(flag) => Some(Datum::Flag(*flag)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl View {
    /// Takes up the newest for the frame at `program`, which is shown `now` ms after the start; whether it is other than before.
    pub(super) fn look(&mut self, outside: &Outside, program: f64, now: f64) -> bool {
        let known = outside.newest();
        let news = known.version != self.known.version;
        (self.known, self.ahead) = (known, program - now);
        news
    }

    pub(super) fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
        let (value, at) = self.known.get(path)?;
        Some(Seen { value, at: at + self.ahead })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_by_their_path_and_their_times_are_program_times() {
        let (outside, mut view, mut known) = (Outside::default(), View::default(), Known::default());
        assert!(!view.look(&outside, 0.0, 0.0));
        known.read("cup", json!({"score": {"home": 2, "sure": true}, "names": ["Ada", null]}), 4_000.0);
        known.count("cup", "goal", 2, 3_000.0);
        known.count("cup", "goal", 1, 3_500.0);
        outside.publish(&known);
        assert!(view.look(&outside, 11_000.0, 5_000.0), "there is news");
        for (path, expected) in [
            ("streams.cup.readings.score.home", Some((Datum::Number(2.0), 10_000.0))),
            ("streams.cup.readings.score.sure", Some((Datum::Flag(true), 10_000.0))),
            ("streams.cup.readings.names.0", Some((Datum::Text("Ada"), 10_000.0))),
            ("streams.cup.readings.names.1", None),
            ("streams.cup.readings.names.2", None),
            ("streams.cup.readings.names.x", None),
            ("streams.cup.readings.score", None),
            ("streams.cup.readings", None),
            ("streams.cup.score.home", None),
            ("streams.cap.readings.score.home", None),
            ("events.cup.goal", Some((Datum::Number(3.0), 9_500.0))),
            ("events.cup.card", None),
        ] {
            let path: Vec<Box<str>> = path.split('.').map(Box::from).collect();
            assert_eq!(view.get(&path).map(|seen| (seen.value, seen.at)), expected, "{path:?}");
        }
        known.retain(|_| false);
        outside.publish(&known);
        assert!(view.look(&outside, 11_000.0, 5_000.0));
        let path = ["streams", "cup", "readings", "score", "home"].map(Box::from);
        assert_eq!(view.get(&path), None, "its stream is gone");
        assert!(!view.look(&outside, 12_000.0, 6_000.0));
    }

    #[test]
    fn kinds_of_events_are_bounded() {
        let mut known = Known::default();
        (0..2 * Known::KINDS).for_each(|n| known.count("cup", &format!("kind{n}"), 1, 0.0));
        assert_eq!(known.events["cup"].len(), Known::KINDS);
    }
}
