//! What a text must look like to count, and the values it becomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex_lite::Regex;

use crate::raw::Kind;
use crate::value::{Read, Value};

/// The pattern of a region and the values it gives.
#[derive(Clone, Debug)]
pub struct Shape {
    pattern: Option<Regex>,
    /// The group (none: the whole text), the value's id, what it is.
    values: Vec<(Option<String>, Arc<str>, Kind)>,
}

impl Shape {
    /// `id` is the region's; a pattern's named groups become `id.group`.
    ///
    /// # Errors
    /// What is wrong with the pattern or the kinds.
    pub fn new(id: &str, pattern: Option<&str>, kinds: &BTreeMap<String, Kind>) -> Result<Self, String> {
        // All of the text, not a part of it.
        let whole = pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
        let pattern = whole.transpose().map_err(|e| format!("pattern: {e}"))?;
        let groups: Vec<&str> =
            pattern.iter().flat_map(|pattern| pattern.capture_names().flatten()).collect();
        let kind = |name: &str| kinds.get(name).copied().unwrap_or_default();
        let values = if groups.is_empty() {
            vec![(
                None,
                id.into(),
                kinds.get(id).or_else(|| kinds.values().next()).copied().unwrap_or_default(),
            )]
        } else {
            let id = |group: &str| Arc::from(format!("{id}.{group}"));
            groups.iter().map(|group| (Some((*group).to_owned()), id(group), kind(group))).collect()
        };
        let known = |name: &&String| name.as_str() == id || groups.contains(&name.as_str());
        if let Some(name) = kinds.keys().find(|name| !known(name)) {
            let names = if groups.is_empty() { id.to_owned() } else { groups.join(", ") };
            return Err(format!("values: there is no {name:?}; there is {names}"));
        }
        Ok(Self { pattern, values })
    }

    /// The ids of all values it can give.
    pub fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.values.iter().map(|(_, id, _)| id)
    }

    /// The values of a text; none when it does not look like that.
    #[must_use]
    pub fn values(&self, text: &str, confidence: f32) -> Vec<(Arc<str>, Read)> {
        let captures = match &self.pattern {
            None => None,
            Some(pattern) => match pattern.captures(text) {
                None => return Vec::new(),
                captures => captures,
            },
        };
        let mut values = Vec::with_capacity(self.values.len());
        for (group, id, kind) in &self.values {
            let part = match (group, &captures) {
                (Some(group), Some(captures)) => captures.name(group).map(|part| part.as_str()),
                _ => Some(text),
            };
            // A group that is not there, or is no number, makes no value.
            let value =
                part.map(str::trim).filter(|part| !part.is_empty()).and_then(|part| value(part, *kind));
            values.extend(value.map(|value| (Arc::clone(id), Read { value, confidence })));
        }
        values
    }
}

fn value(text: &str, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::Text(text.into())),
        Kind::Int => text.parse().ok().map(Value::Int),
        Kind::Number => text.replace(',', ".").parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Real),
        Kind::Clock => clock(text).map(|seconds| Value::Clock { seconds, shown: text.into() }),
    }
}

/// The seconds of `45:12`, `-0:30`, `1:02:03`, `47` and `9.4` (whole seconds of it).
#[must_use]
pub fn clock(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix(['-', '−']) {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let digits = |part: &str, most: usize| {
        let fits = !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| part.parse::<i64>().ok()).flatten()
    };
    let sexagesimal = |part: &str| digits(part, 2).filter(|n| part.len() == 2 && *n < 60);
    let parts: Vec<&str> = text.split(':').collect();
    let seconds = match parts[..] {
        [alone] => match alone.split_once('.') {
            Some((seconds, rest)) => digits(rest, 3).and(digits(seconds, 3))?,
            None => digits(alone, 4)?,
        },
        [minutes, seconds] => digits(minutes, 3)? * 60 + sexagesimal(seconds)?,
        [hours, minutes, seconds] => {
            digits(hours, 2)? * 3600 + sexagesimal(minutes)? * 60 + sexagesimal(seconds)?
        }
        _ => return None,
    };
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_seconds() {
        let good =
            [("45:12", 2712), ("-0:30", -30), ("1:02:03", 3723), ("120:00", 7200), ("47", 47), ("9.4", 9)];
        for (text, seconds) in good {
            assert_eq!(clock(text), Some(seconds), "{text}");
        }
        for text in
            ["", ":", "4:5", "45:61", "45:123", "a:12", "1:2:3:4", "12345", "--1:00", "1::00", "99999:00"]
        {
            assert_eq!(clock(text), None, "{text}");
        }
    }

    #[test]
    fn groups_become_values_and_what_looks_otherwise_none() {
        let kinds = BTreeMap::from([("home".to_owned(), Kind::Int), ("away".to_owned(), Kind::Int)]);
        let shape = Shape::new("score", Some(r"(?<home>\d{1,2})-(?<away>\d{1,2})"), &kinds).unwrap();
        assert_eq!(shape.ids().map(|id| &**id).collect::<Vec<_>>(), ["score.home", "score.away"]);
        let values = shape.values("2-11", 0.9);
        let values: Vec<_> = values.iter().map(|(id, read)| (&**id, &read.value)).collect();
        assert_eq!(values, [("score.home", &Value::Int(2)), ("score.away", &Value::Int(11))]);
        for text in ["", "2", "2-", "2-1 x", "x2-1", "2-111"] {
            assert!(shape.values(text, 0.9).is_empty(), "{text}");
        }
        let wrong = Shape::new("score", Some("a"), &kinds).unwrap_err();
        assert!(wrong.contains("there is score"), "{wrong}");
        assert!(Shape::new("score", Some("(a"), &BTreeMap::new()).is_err());
        let clock = Shape::new("clock", None, &BTreeMap::from([("clock".to_owned(), Kind::Clock)])).unwrap();
        assert_eq!(clock.values("45:12", 1.0)[0].1.value.number(), Some(2712.0));
        assert!(clock.values("no", 1.0).is_empty());
    }
}
