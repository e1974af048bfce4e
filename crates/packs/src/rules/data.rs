//! What an event says: texts with `{{ value }}`, `{{ before.score.home }}`, `{{ slot.team }}`.

use std::sync::Arc;

use serde_json::Value as Json;

/// A text with places that values are put into.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Name(Arc<str>),
}

impl Template {
    /// Bytes of a text.
    const MOST: usize = 1000;

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > Self::MOST {
            return Err(format!("a text has {} bytes at most", Self::MOST));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once("{{") {
            let (name, behind) = behind.split_once("}}").ok_or("a {{ has no }}")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Name(name.trim().into()));
            rest = behind;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Name(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// A single name keeps what it is (a number stays one) and is null when it is not there; inside a text it is `?` then.
    pub(super) fn fill(&self, look: impl Fn(&str) -> Option<Json>) -> Json {
        if let [Part::Name(name)] = &self.0[..] {
            return look(name).unwrap_or(Json::Null);
        }
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => match look(name) {
                None | Some(Json::Null) => "?".to_owned(),
                Some(Json::String(text)) => text,
                Some(other) => other.to_string(),
            },
        };
        Json::String(self.0.iter().map(text).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_values_and_one_alone_keeps_its_kind() {
        let look = |name: &str| match name {
            "score.home" => Some(json!(2)),
            "team" => Some(json!("ARS")),
            _ => None,
        };
        for (text, filled) in [
            ("home", json!("home")),
            ("", json!("")),
            ("{{ score.home }}", json!(2)),
            ("{{score.home}}:{{ missing }}", json!("2:?")),
            ("{{ missing }}", Json::Null),
            ("{{ team }} scores", json!("ARS scores")),
            ("} { {a}", json!("} { {a}")),
        ] {
            assert_eq!(Template::parse(text).unwrap().fill(look), filled, "{text}");
        }
        assert!(Template::parse("{{ open").is_err() && Template::parse(&"x".repeat(2000)).is_err());
    }
}
