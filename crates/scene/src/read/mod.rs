//! The checked reader: JSON in, typed values out, every mistake named by its field, all at once.
//!
//! A type is declared once, by [`record!`], [`choice!`] or [`words!`], with the JSON name, the default and the [`Rule`]
//! of each field; reading, merge patches, writing and finding a number by its path follow from that. Called by every
//! type of this crate. Never panics, never recurses deeper than the types do, never keeps more than [`At::MOST`] problems.

mod macros;
mod rules;
mod schema;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};

pub(crate) use macros::{choice, record, words, written};
pub(crate) use rules::{
    Chosen, Counted, Flag, Height, Held, Inner, List, Maybe, Named, Needed, Said, Spoken, Text, Whole,
    Within, Word, Words, id, label, line, plain, prose, said, source,
};

pub(crate) use schema::{Schemas, Shape, prose as joined};

use crate::color::Color;

/// One value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it stands, as the client wrote it: `layers.3.transform.scale.x`.
    pub field: String,
    /// What is allowed there.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Where the reader stands in the document, and what it has found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct At<'v> {
    steps: Vec<Step<'v>>,
    problems: Vec<Problem>,
    /// Whether what is read is new, so that nothing stands below what is not said.
    fresh: bool,
    /// Objects that could not be read at all: what they lack is no further mistake.
    spoiled: Vec<String>,
}

#[derive(Debug)]
enum Step<'v> {
    Key(Cow<'v, str>),
    Index(usize),
}

impl<'v> At<'v> {
    /// Problems that are kept; a client that made more mends these first.
    pub(crate) const MOST: usize = 50;

    /// For something new.
    pub(crate) fn fresh() -> Self {
        Self { fresh: true, ..Self::default() }
    }

    /// For a change of something that is there.
    pub(crate) fn patch() -> Self {
        Self::default()
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Reads inside a value that is new although what holds it may not be.
    pub(crate) fn anew(&mut self, read: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.fresh, true);
        read(self);
        self.fresh = before;
    }

    pub(crate) fn key(&mut self, key: impl Into<Cow<'v, str>>, read: impl FnOnce(&mut Self)) {
        self.steps.push(Step::Key(key.into()));
        read(self);
        self.steps.pop();
    }

    pub(crate) fn index(&mut self, index: usize, read: impl FnOnce(&mut Self)) {
        self.steps.push(Step::Index(index));
        read(self);
        self.steps.pop();
    }

    /// What stands here is not allowed. The first word on a field is kept.
    pub(crate) fn wrong(&mut self, message: impl Into<String>) {
        let field = self.path();
        let known = self.problems.iter().any(|known| known.field == field);
        let within = |object: &String| {
            object.is_empty()
                || field.strip_prefix(&**object).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.problems.len() < Self::MOST && !known && !self.spoiled.iter().any(within) {
            self.problems.push(Problem { field, message: message.into() });
        }
    }

    /// What stands in the field `key` of what is here is not allowed.
    pub(crate) fn wrong_in(&mut self, key: &'static str, message: impl Into<String>) {
        self.key(key, |at| at.wrong(message));
    }

    /// Nothing more is to be said of what stands here.
    pub(crate) fn spoil(&mut self) {
        self.spoiled.push(self.path());
    }

    pub(crate) fn unknown(&mut self, allowed: &[&str]) {
        self.wrong(format!("is not known here; allowed are {}", allowed.join(", ")));
    }

    /// The object that must stand here.
    pub(crate) fn object(&mut self, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong("must be an object");
            self.spoil();
        }
        object
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            if !path.is_empty() {
                path.push('.');
            }
            match step {
                // A name made up by a stranger may be long.
                Step::Key(key) => path.extend(key.chars().filter(|c| !c.is_control()).take(80)),
                Step::Index(index) => path.push_str(&index.to_string()),
            }
        }
        path
    }
}

/// What may stand in a field of type `T`.
pub(crate) trait Rule<T> {
    /// Lays `value` over `target`; a wrong one leaves a problem.
    fn read<'v>(&self, target: &mut T, value: &'v Value, at: &mut At<'v>);

    /// What the rule allows, as JSON Schema says it.
    fn schema(&self, schemas: &mut Schemas) -> Value;

    /// What reading alone can't tell: something that must be there and is not.
    fn check(&self, _target: &T, _at: &mut At<'_>) {}

    /// What to say when something new does not have the field.
    fn missing(&self, _at: &mut At<'_>) {}

    /// The number or colour at `path` inside the field.
    fn slot<'t>(&self, _target: &'t mut T, _path: &[Box<str>]) -> Option<Slot<'t>> {
        None
    }

    /// Whether what stands there when nothing is said is the same for all.
    fn has_default(&self) -> bool {
        true
    }

    /// Whether the field is left out when written.
    fn absent(&self, _target: &T) -> bool {
        false
    }
}

/// A type whose fields are declared by [`record!`] or [`choice!`].
pub(crate) trait Record: Default {
    const NAME: &'static str;
    /// Its documentation.
    const ABOUT: &'static str;

    /// What an object of it can look like: one shape, or several to choose from.
    fn shapes(schemas: &mut Schemas) -> Vec<Shape>;
    /// Lays an object's fields over this; `but` are keys that somebody else reads.
    fn read_fields<'v>(&mut self, object: &'v Map<String, Value>, but: &[&str], at: &mut At<'v>);
    fn check_fields(&self, at: &mut At<'_>);
    fn slot_in<'t>(&'t mut self, path: &[Box<str>]) -> Option<Slot<'t>>;
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

/// A record that is one of several, told apart by a word.
pub(crate) trait Choice: Record {
    const TAG: &'static str;
    const ALL: &'static [&'static str];
}

/// A number or a colour inside a layer, that an animation or a binding can set.
#[derive(Debug)]
pub(crate) enum Slot<'t> {
    Number { value: &'t mut f64, least: f64, most: f64 },
    Whole { value: &'t mut i64, least: i64, most: i64 },
    Color(&'t mut Color),
}

/// Reads a new `T` from an object.
pub(crate) fn read_new<T: Record>(value: &Value) -> Result<T, Vec<Problem>> {
    let mut at = At::fresh();
    let mut target = T::default();
    Inner.read(&mut target, value, &mut at);
    target.check_fields(&mut at);
    at.finish(target)
}

#[cfg(test)]
mod tests;
