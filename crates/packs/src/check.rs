//! How well a pack reads pictures whose content is known.
//!
//! Pictures come with what should be read of them; what was read is counted by value (the items of a list together), so that
//! one version of a pack can be held against another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::session::Outcome;
use crate::value::Value;

/// What should be read of a picture.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The screen; none when the pack should refuse the picture. Not judged if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some")]
    pub screen: Option<Option<String>>,
    /// Values by id as they are shown (`2`, `45:12`, `axe`); null where nothing should be read. What is left out is not judged.
    #[serde(default)]
    pub values: BTreeMap<String, Option<serde_json::Value>>,
    /// Values that must not be read: what somebody called wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not: BTreeMap<String, serde_json::Value>,
}

/// Tells null from nothing.
fn some<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// How often a value was read right.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Tally {
    /// Read as it should be.
    pub right: u64,
    /// Read as something else, or read where nothing is.
    pub wrong: u64,
    /// There, but not read.
    pub missed: u64,
    /// Nothing there, and nothing read.
    pub empty: u64,
}

impl Tally {
    /// Of what was read, the part that is right; 1 when nothing was read.
    #[must_use]
    pub fn precision(&self) -> f64 {
        part(self.right, self.right + self.wrong)
    }

    /// Of what is there, the part that was read right; 1 when nothing is there.
    #[must_use]
    pub fn recall(&self) -> f64 {
        part(self.right, self.right + self.missed + self.wrong)
    }

    /// Of all that was judged, the part that was right: read so, or left alone where nothing is.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        part(self.right + self.empty, self.right + self.empty + self.missed + self.wrong)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of pictures are far below 2^53")]
fn part(some: u64, all: u64) -> f64 {
    if all == 0 { 1.0 } else { some as f64 / all as f64 }
}

/// All that was counted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Report {
    pub pictures: u64,
    /// Whether the screen was known, and other pictures refused.
    pub screen: Tally,
    pub values: BTreeMap<String, Tally>,
    /// Microseconds by what they were spent on, of every picture, sorted.
    #[serde(skip)]
    pub times: BTreeMap<String, Vec<u64>>,
}

impl Report {
    /// Counts one picture; what was wrong with it, a line each.
    pub fn add(&mut self, expected: &Expected, outcome: &Outcome) -> Vec<String> {
        self.pictures += 1;
        for (what, took) in &outcome.times {
            let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let times = self.times.entry(what.to_string()).or_default();
            let at = times.partition_point(|time| *time < took);
            times.insert(at, took);
        }
        let mut wrong = Vec::new();
        let reading = outcome.reading.as_ref();
        let shown =
            |text: Option<&str>| text.map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"));
        if let Some(screen) = &expected.screen {
            let (screen, found) = (screen.as_deref(), reading.map(|reading| &*reading.screen));
            if count(&mut self.screen, screen, found, screen == found) {
                wrong.push(format!("screen is {}, should be {}", shown(found), shown(screen)));
            }
        }
        for (id, value) in &expected.values {
            let found = reading.and_then(|reading| reading.value(id));
            let text = value.as_ref().map(text);
            let right = match (&text, found) {
                (Some(text), Some(found)) => says(found, text),
                (None, None) => true,
                _ => false,
            };
            let found = found.map(ToString::to_string);
            if count(self.values.entry(group(id)).or_default(), text.as_deref(), found.as_deref(), right) {
                wrong.push(format!(
                    "{id} is {}, should be {}",
                    shown(found.as_deref()),
                    shown(text.as_deref())
                ));
            }
        }
        for (id, value) in &expected.not {
            let (tally, text) = (self.values.entry(group(id)).or_default(), text(value));
            if reading.and_then(|reading| reading.value(id)).is_some_and(|found| says(found, &text)) {
                tally.wrong += 1;
                wrong.push(format!("{id} is {text:?}, which is wrong"));
            } else {
                tally.empty += 1;
            }
        }
        wrong
    }

    /// What is worse than in `before`: a line each.
    #[must_use]
    pub fn worse_than(&self, before: &Self) -> Vec<String> {
        // Less than one picture in ten thousand is no difference.
        const SAME: f64 = 1e-4;
        let all = |report: &Self| -> BTreeMap<String, Tally> {
            let screen = ("screen".to_owned(), report.screen);
            report.values.iter().map(|(id, tally)| (id.clone(), *tally)).chain([screen]).collect()
        };
        let now = all(self);
        let mut worse = Vec::new();
        for (id, was) in all(before) {
            let Some(is) = now.get(&id) else {
                worse.push(format!("{id} is no longer read"));
                continue;
            };
            for (what, is, was) in
                [("precision", is.precision(), was.precision()), ("recall", is.recall(), was.recall())]
            {
                if is + SAME < was {
                    worse.push(format!("{what} of {id}: {is:.4}, was {was:.4}"));
                }
            }
        }
        worse
    }

    /// The middle time and the longest, in milliseconds, of one thing it was spent on.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a picture are far below 2^53")]
    pub fn time(&self, what: &str) -> Option<(f64, f64)> {
        let times = self.times.get(what)?;
        let ms = |us: &u64| *us as f64 / 1000.0;
        Some((ms(times.get(times.len() / 2)?), ms(times.last()?)))
    }
}

/// Counts one judgement; whether it is wrong.
fn count(tally: &mut Tally, should: Option<&str>, is: Option<&str>, right: bool) -> bool {
    match (should, is) {
        (None, None) => tally.empty += 1,
        (Some(_), None) => tally.missed += 1,
        _ if right => tally.right += 1,
        _ => tally.wrong += 1,
    }
    !right
}

/// The items of a list count together.
fn group(id: &str) -> String {
    match id.rsplit_once('.') {
        Some((list, number)) if number.parse::<usize>().is_ok() => list.to_owned(),
        _ => id.to_owned(),
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a value is that; clocks by their time, not by how they are written.
fn says(found: &Value, text: &str) -> bool {
    match found {
        Value::Clock { seconds, .. } => crate::shape::clock(text) == Some(*seconds),
        Value::Real(real) => text.parse::<f64>().is_ok_and(|wanted| (wanted - real).abs() < 0.05),
        _ => found.to_string() == text,
    }
}

/// What a region took in a picture it was read in.
#[must_use]
pub fn milliseconds(times: &[(std::sync::Arc<str>, Duration)]) -> serde_json::Value {
    let round = |took: &Duration| (took.as_secs_f64() * 1e6).round() / 1000.0;
    times.iter().map(|(what, took)| (what.to_string(), serde_json::json!(round(took)))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::value::{Read, Reading};

    fn outcome(values: &[(&str, Value)]) -> Outcome {
        let read =
            |(id, value): &(&str, Value)| (Arc::from(*id), Read { value: value.clone(), confidence: 1.0 });
        let values = values.iter().map(read).collect();
        let reading = Reading { pack: "p".into(), pack_version: "1".into(), screen: "match".into(), values };
        Outcome {
            reading: Some(reading),
            times: vec![("gate".into(), Duration::from_micros(250))],
            ..Outcome::default()
        }
    }

    #[test]
    fn right_wrong_missed_and_empty_are_told_apart() {
        let expected: Expected = serde_json::from_str(
            r#"{"screen": "match", "values": {"home": 2, "away": 1, "clock": "05:00", "name": null, "foul": null},
                "not": {"home": 11}}"#,
        )
        .unwrap();
        let clock = Value::Clock { seconds: 300, shown: "5:00".into() };
        let seen = outcome(&[("home", Value::Int(11)), ("clock", clock), ("foul", Value::Text("x".into()))]);
        let mut report = Report::default();
        let wrong = report.add(&expected, &seen);
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert_eq!(report.values["home"], Tally { wrong: 2, ..Tally::default() });
        assert_eq!(report.values["away"], Tally { missed: 1, ..Tally::default() });
        assert_eq!(report.values["clock"], Tally { right: 1, ..Tally::default() });
        assert_eq!(report.values["name"], Tally { empty: 1, ..Tally::default() });
        assert_eq!(report.values["foul"], Tally { wrong: 1, ..Tally::default() });
        assert_eq!(report.screen.right, 1);
        assert_eq!(report.time("gate"), Some((0.25, 0.25)));

        let nothing: Expected = serde_json::from_str(r#"{"screen": null}"#).unwrap();
        assert!(!report.add(&nothing, &seen).is_empty());
        assert!(report.add(&nothing, &Outcome::default()).is_empty());
        assert!(report.add(&Expected::default(), &seen).is_empty(), "nothing said, nothing judged");
    }

    #[test]
    fn a_version_that_does_worse_is_known() {
        let tally = |right, wrong| Tally { right, wrong, ..Tally::default() };
        let report = |right, wrong| Report {
            values: BTreeMap::from([("score".to_owned(), tally(right, wrong))]),
            ..Report::default()
        };
        assert!(report(99, 1).worse_than(&report(99, 1)).is_empty());
        assert!(report(100, 0).worse_than(&report(99, 1)).is_empty());
        assert_eq!(report(98, 2).worse_than(&report(99, 1)).len(), 2);
        assert_eq!(Report::default().worse_than(&report(1, 0)), ["score is no longer read"]);
    }
}
