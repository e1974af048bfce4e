//! The outcome: a configuration without mistakes, with where each value of it comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::mistakes::{Mistake, Mistakes, Origin};
use super::net::Port;
use super::setting::{Effect, Setting};
use super::table::{SETTINGS, find};
use super::typed::Config;
use super::values::Values;

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What is set at all, by key; of each key the winner is last.
pub(super) type Layers = BTreeMap<&'static str, Vec<Given>>;

/// A configuration without mistakes.
#[derive(Clone)]
pub struct Resolved {
    pub config: Config,
    /// What was accepted and has no effect, for the log.
    pub notes: Vec<String>,
    values: Values,
    pub(super) layers: Layers,
}

/// One setting as `GET /api/config` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingView {
    pub key: &'static str,
    /// Secrets are `***`.
    pub value: Value,
    pub default: Value,
    /// `default`, `config.yaml:12`, `stored by PUT /api/config`, `environment NAME` or `command line`.
    pub origin: String,
    /// Whether `PUT /api/config` may change it.
    pub live: bool,
    pub doc: &'static str,
    /// What it may hold, in words.
    pub allowed: String,
}

impl Resolved {
    /// Every setting, in the order of the table.
    pub fn settings(&self) -> Vec<SettingView> {
        let view = |setting: &'static Setting| SettingView {
            key: setting.key,
            value: if setting.kind.is_secret() {
                hidden(self.values.get(setting.key))
            } else {
                self.values.get(setting.key).clone()
            },
            default: setting.default(),
            origin: self.origin(setting.key).to_string(),
            live: setting.live,
            doc: setting.doc,
            allowed: setting.allowed(),
        };
        SETTINGS.iter().map(view).collect()
    }

    /// The same with what `PUT /api/config` stored, where nothing that wins over it is given.
    ///
    /// # Errors
    /// When values that are fine each don't go together.
    pub fn restored(&self, stored: &Map<String, Value>) -> Result<Self, Mistakes> {
        let (mut layers, mut notes) = (self.layers.clone(), self.notes.clone());
        for (key, value) in stored {
            let Some(setting) = find(key) else {
                // Another version's key is not worth refusing to start.
                notes.push(format!("{}: {key} is not a setting of this version", Origin::Stored));
                continue;
            };
            let Some(value) = setting.check(value) else {
                notes.push(format!("{}: {key} has a value this version does not take", Origin::Stored));
                continue;
            };
            let given = layers.entry(setting.key).or_default();
            given.retain(|given| given.origin != Origin::Stored);
            let at = given.partition_point(|given| given.origin < Origin::Stored);
            given.insert(at, Given { value, origin: Origin::Stored });
        }
        finish(layers, notes, Vec::new())
    }

    /// Where the value of `key` comes from.
    pub fn origin(&self, key: &str) -> Origin {
        let winner = self.layers.get(key).and_then(|given| given.last());
        winner.map_or(Origin::Default, |given| given.origin.clone())
    }

    /// What `PUT /api/config` has set so far, to be kept and given back as [`Inputs::stored`].
    pub fn stored(&self) -> Map<String, Value> {
        let stored = |given: &Vec<Given>| given.iter().find(|given| given.origin == Origin::Stored).cloned();
        let pairs =
            self.layers.iter().filter_map(|(key, given)| Some(((*key).to_owned(), stored(given)?.value)));
        pairs.collect()
    }
}

/// Every setting at its default, whatever files and variables say.
impl Default for Resolved {
    fn default() -> Self {
        finish(Layers::new(), Vec::new(), Vec::new()).expect("a test resolves the defaults")
    }
}

/// Secrets stay out of it.
impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved")
            .field("config", &self.config)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

fn hidden(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Object(entries) => entries.keys().map(|name| (name.clone(), json!("***"))).collect(),
        _ => json!("***"),
    }
}

/// From checked values to the configuration; or to the mistakes that only show when values meet.
pub(super) fn finish(
    layers: Layers,
    mut notes: Vec<String>,
    mut mistakes: Vec<Mistake>,
) -> Result<Resolved, Mistakes> {
    let mut values = Values::default();
    for setting in SETTINGS {
        let winner = layers.get(setting.key).and_then(|given| given.last());
        let value = winner.map_or_else(|| setting.default(), |given| given.value.clone());
        if let (Some(given), Effect::Accepted(why)) = (winner, setting.effect)
            && value != setting.default()
        {
            let note = format!("{}: {} {why}", given.origin, setting.key);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        values.set(setting.key, value);
    }
    let config = Config::build(&values);
    let resolved = Resolved { config, notes, values, layers };
    let refused: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.key).collect();
    mistakes.extend(twice_bound(&resolved, &refused));
    if mistakes.is_empty() { Ok(resolved) } else { Err(Mistakes(mistakes)) }
}

/// Two listeners can't have one port. Of a key in `refused` the port isn't known.
fn twice_bound(resolved: &Resolved, refused: &[&str]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut ports = resolved.config.server.ports().to_vec();
    ports.retain(|(key, _)| !refused.contains(key));
    for (i, (second, port)) in ports.iter().enumerate() {
        let first = ports[..i].iter().find(|(_, other)| other == port && matches!(port, Port::Fixed(_)));
        if let Some((first, _)) = first {
            let (mut origin, mut other) = (resolved.origin(second), resolved.origin(first));
            if other > origin {
                std::mem::swap(&mut origin, &mut other);
            }
            let problem = format!("{first} and {second} are both {port}, each needs a port of its own");
            mistakes.push(Mistake::new(origin, problem));
        }
    }
    mistakes
}
