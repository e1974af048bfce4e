//! `PUT /api/config`: changes to a running configuration, all of them or none.

use serde_json::{Map, Value};

use super::mistakes::{Origin, closest, expected};
use super::resolved::{Given, Layers, Resolved, finish};
use super::setting::Setting;
use super::table::{self, SETTINGS};
use crate::base::error::Field;

/// `current` with `changes`, or what is wrong with each of them.
///
/// Keys are dotted (`"streams.timeout_seconds"`), nested (`{"streams":{"timeout_seconds":…}}`) or the short names of
/// the first version (`"timeout_seconds"`). `null` forgets what was stored, where it isn't a value of its own.
/// A setting that the environment or the command line decides can't be changed: it would stay as it is.
pub fn validate_change(current: &Resolved, changes: &Map<String, Value>) -> Result<Resolved, Vec<Field>> {
    let (mut layers, mut wrong) = (current.layers.clone(), Vec::new());
    let mut changed: Vec<&str> = Vec::new();
    for (field, setting, value) in flat(changes) {
        let outcome = match setting {
            Some(setting) if changed.contains(&setting.key) => Err("is there twice".to_owned()),
            Some(setting) => {
                changed.push(setting.key);
                change(&mut layers, setting, value)
            }
            None => Err(unknown(&field)),
        };
        if let Err(message) = outcome {
            wrong.push(Field { field, message });
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    finish(layers, current.notes.clone(), Vec::new()).map_err(|mistakes| {
        let field = |problem| Field { field: changed.join(", "), message: problem };
        mistakes.0.into_iter().map(|mistake| field(mistake.problem)).collect()
    })
}

/// Each change under the name the client gave it, with the setting meant.
fn flat(changes: &Map<String, Value>) -> Vec<(String, Option<&'static Setting>, &Value)> {
    let mut found = Vec::new();
    for (key, value) in changes {
        let setting = table::find(key).or_else(|| SETTINGS.iter().find(|setting| setting.short == Some(key)));
        match (setting, value) {
            (None, Value::Object(inner)) => below(key, inner, &mut found),
            _ => found.push((key.clone(), setting, value)),
        }
    }
    found
}

/// What stands in a section, or in a section of a section.
fn below<'v>(
    section: &str,
    entries: &'v Map<String, Value>,
    found: &mut Vec<(String, Option<&'static Setting>, &'v Value)>,
) {
    for (name, value) in entries {
        let key = format!("{section}.{name}");
        match (table::find(&key), value) {
            // A section has two levels at most: what goes deeper is no section.
            (None, Value::Object(inner)) if !section.contains('.') => below(&key, inner, found),
            (setting, value) => found.push((key, setting, value)),
        }
    }
}

fn change(layers: &mut Layers, setting: &'static Setting, value: &Value) -> Result<(), String> {
    if !setting.live {
        return Err("can't be changed while the program runs".to_owned());
    }
    let given = layers.entry(setting.key).or_default();
    if let Some(winner) = given.last().filter(|given| given.origin > Origin::Stored) {
        return Err(format!("is set by the {}, which wins over a change", winner.origin));
    }
    let value = match setting.check(value) {
        None if value.is_null() => None,
        None => return Err(format!("must be {}", expected(setting, value))),
        value => value,
    };
    given.retain(|given| given.origin != Origin::Stored);
    given.extend(value.map(|value| Given { value, origin: Origin::Stored }));
    if given.is_empty() {
        layers.remove(setting.key);
    }
    Ok(())
}

fn unknown(field: &str) -> String {
    let live = || SETTINGS.iter().filter(|setting| setting.live);
    let last = |setting: &&Setting| setting.key.rsplit_once('.').is_some_and(|(_, name)| name == field);
    let meant = live().find(last).map(|setting| setting.key);
    match meant.or_else(|| {
        closest(field, live().flat_map(|setting| std::iter::once(setting.key).chain(setting.short)))
    }) {
        Some(meant) => format!("is not a setting; did you mean {meant}?"),
        None => "is not a setting".to_owned(),
    }
}
