//! What was read: values with their confidence, and the reading they make together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// One thing read from a picture.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Value {
    Int(i64),
    Real(f64),
    Text(Arc<str>),
    Flag(bool),
    /// A game's clock: seconds, negative before the start, and how it stood there (`45:12`).
    Clock {
        seconds: i64,
        shown: Arc<str>,
    },
    /// One of a set of pictures (a hero).
    Item(Arc<Item>),
}

/// A picture of a set, recognised in a slot.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Item {
    /// The name of the picture in its set (`antimage`).
    pub tag: Arc<str>,
    /// Which of several pictures of the same thing (`persona1`); empty for the usual one.
    pub variant: Arc<str>,
    /// How alike they are, 0 to 1.
    pub score: f32,
    /// What the set and the slot say of it (`hero_id`, `team`, `position`).
    pub fields: Map<String, serde_json::Value>,
}

impl Value {
    /// As a number, where it is one; a clock counts in seconds, a flag as 0 or 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "scores and clocks are far below 2^53")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::Real(real) => Some(*real),
            Self::Clock { seconds, .. } => Some(*seconds as f64),
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Text(_) | Self::Item(_) => None,
        }
    }

    /// Whether two reads say the same; a recognised picture is its tag, however alike they were.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Item(one), Self::Item(other)) => one.tag == other.tag,
            (Self::Clock { seconds: one, .. }, Self::Clock { seconds: other, .. }) => one == other,
            _ => self == other,
        }
    }

    /// The shape the API speaks.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Int(int) => json!(int),
            Self::Real(real) => json!(real),
            Self::Text(text) | Self::Clock { shown: text, .. } => json!(&**text),
            Self::Flag(flag) => json!(flag),
            Self::Item(item) => {
                let mut fields = item.fields.clone();
                fields.insert("variant".to_owned(), json!(&*item.variant));
                fields.insert("match_score".to_owned(), json!(rounded(item.score)));
                serde_json::Value::Object(fields)
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => write!(f, "{int}"),
            Self::Real(real) => write!(f, "{real}"),
            Self::Text(text) | Self::Clock { shown: text, .. } => f.write_str(text),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Item(item) => f.write_str(&item.tag),
        }
    }
}

/// A value and how sure its reader is, 0 to 1.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Read {
    pub value: Value,
    pub confidence: f32,
}

/// What a pack read from one picture. A value that could not be read is not in it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Reading {
    pub pack: Arc<str>,
    pub pack_version: Arc<str>,
    /// Which of the pack's screens.
    pub screen: Arc<str>,
    /// By id (`score.home`, `heroes.3`).
    pub values: BTreeMap<Arc<str>, Read>,
}

impl Reading {
    /// The value of that id.
    #[must_use]
    pub fn value(&self, id: &str) -> Option<&Value> {
        self.values.get(id).map(|read| &read.value)
    }

    /// `{score:{home:2,away:1}, heroes:[…]}`: an id's dots make objects, numbers behind the last dot make lists (without
    /// what was not read).
    #[must_use]
    pub fn values_json(&self) -> serde_json::Value {
        let mut root = Map::new();
        let mut lists: BTreeMap<&str, Vec<(usize, serde_json::Value)>> = BTreeMap::new();
        for (id, read) in &self.values {
            match id.rsplit_once('.').and_then(|(list, number)| Some((list, number.parse().ok()?))) {
                Some((list, number)) => lists.entry(list).or_default().push((number, read.value.json())),
                None => put(&mut root, id, read.value.json()),
            }
        }
        for (id, mut items) in lists {
            items.sort_by_key(|(number, _)| *number);
            put(&mut root, id, items.into_iter().map(|(_, item)| item).collect());
        }
        serde_json::Value::Object(root)
    }

    /// `{"score.home":0.98, …}`
    #[must_use]
    pub fn confidence_json(&self) -> serde_json::Value {
        self.values.iter().map(|(id, read)| (id.to_string(), json!(rounded(read.confidence)))).collect()
    }
}

fn put(root: &mut Map<String, serde_json::Value>, id: &str, value: serde_json::Value) {
    match id.split_once('.') {
        None => drop(root.insert(id.to_owned(), value)),
        Some((first, rest)) => {
            let inside = root.entry(first).or_insert_with(|| serde_json::Value::Object(Map::new()));
            // The pack is refused when one id is the beginning of another.
            if let serde_json::Value::Object(inside) = inside {
                put(inside, rest, value);
            }
        }
    }
}

/// To three places: more would be noise.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_objects_and_lists() {
        let item = |tag: &str| {
            let fields = Map::from_iter([("hero_name".to_owned(), json!(tag))]);
            Value::Item(Arc::new(Item { tag: tag.into(), variant: "".into(), score: 0.91, fields }))
        };
        let read = |value| Read { value, confidence: 0.98765 };
        let clock = Value::Clock { seconds: 2712, shown: "45:12".into() };
        let values = BTreeMap::from([
            ("score.home".into(), read(Value::Int(2))),
            ("score.away".into(), read(Value::Int(1))),
            ("clock".into(), read(clock)),
            ("heroes.10".into(), read(item("axe"))),
            ("heroes.2".into(), read(item("lina"))),
        ]);
        let reading = Reading { pack: "p".into(), pack_version: "1".into(), screen: "s".into(), values };
        let hero = |tag: &str| json!({"hero_name": tag, "variant": "", "match_score": 0.91});
        let expected = json!({
            "score": {"home": 2, "away": 1}, "clock": "45:12", "heroes": [hero("lina"), hero("axe")],
        });
        assert_eq!(reading.values_json(), expected);
        assert_eq!(reading.confidence_json()["score.home"], json!(0.988));
    }
}
