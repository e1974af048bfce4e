//! One setting: its names, what it may hold, and how that is read, checked and told.

use serde_json::{Value, json};

use super::kind::Kind;

/// One line of the list.
#[derive(Debug)]
pub struct Setting {
    /// `section.name`, or a bare name.
    pub key: &'static str,
    /// Environment variables that set it; the first that isn't empty wins.
    pub env: &'static [&'static str],
    pub kind: Kind,
    pub nullable: bool,
    pub(super) default: Literal,
    /// One plain sentence.
    pub doc: &'static str,
    /// Whether `PUT /api/config` may change it while the program runs.
    pub live: bool,
    /// The name the API of the first version knew it under.
    pub short: Option<&'static str>,
    pub effect: Effect,
}

/// Whether the program acts on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Used,
    /// Read, checked and shown; the sentence says what becomes of it.
    Accepted(&'static str),
}

/// A default, as it can stand in a table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Literal {
    Null,
    Flag(bool),
    Whole(u32),
    Text(&'static str),
    NoItems,
    NoEntries,
}

impl Setting {
    pub fn default(&self) -> Value {
        match self.default {
            Literal::Null => Value::Null,
            Literal::Flag(flag) => json!(flag),
            Literal::Whole(number) => json!(number),
            Literal::Text(text) => json!(text),
            Literal::NoItems => json!([]),
            Literal::NoEntries => json!({}),
        }
    }

    /// What may be written, in words.
    pub fn allowed(&self) -> String {
        let null = if self.nullable { ", or null" } else { "" };
        format!("{}{null}", self.kind)
    }

    /// The value in the form its kind gives it, or `None` when it isn't allowed.
    pub fn check(&self, value: &Value) -> Option<Value> {
        if value.is_null() && self.nullable {
            return Some(Value::Null);
        }
        self.kind.check(value)
    }

    /// The value that `text` from the environment or the command line stands for; not yet checked.
    pub fn read(&self, text: &str) -> Value {
        let text = text.trim();
        if self.nullable && text.eq_ignore_ascii_case("null") { Value::Null } else { self.kind.read(text) }
    }

    pub(super) const fn env(mut self, names: &'static [&'static str]) -> Self {
        self.env = names;
        self
    }

    pub(super) const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    pub(super) const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub(super) const fn short(mut self, name: &'static str) -> Self {
        self.short = Some(name);
        self
    }

    pub(super) const fn accepted(mut self, why: &'static str) -> Self {
        self.effect = Effect::Accepted(why);
        self
    }
}

pub(super) const fn setting(key: &'static str, kind: Kind, default: Literal, doc: &'static str) -> Setting {
    let (env, nullable, live, short, effect) = (&[], false, false, None, Effect::Used);
    Setting { key, env, kind, nullable, default, doc, live, short, effect }
}
