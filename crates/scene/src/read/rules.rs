//! Rules: what may stand in a field, and the sentence for a client whose value may not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{At, Choice, Record, Rule, Schemas, Slot};

/// A number in a range. JSON has no infinities and no NaN, so what is read is finite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within(pub(crate) f64, pub(crate) f64);

impl Rule<f64> for Within {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "number", "minimum": self.0, "maximum": self.1})
    }

    fn read<'v>(&self, target: &mut f64, value: &'v Value, at: &mut At<'v>) {
        match value.as_f64() {
            Some(number) if (self.0..=self.1).contains(&number) => *target = number,
            _ => at.wrong(format!("must be a number from {} to {}", self.0, self.1)),
        }
    }

    fn slot<'t>(&self, target: &'t mut f64, path: &[Box<str>]) -> Option<Slot<'t>> {
        path.is_empty().then_some(Slot::Number { value: target, least: self.0, most: self.1 })
    }
}

/// A whole number in a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole(pub(crate) i64, pub(crate) i64);

impl Rule<i64> for Whole {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "integer", "minimum": self.0, "maximum": self.1})
    }

    fn read<'v>(&self, target: &mut i64, value: &'v Value, at: &mut At<'v>) {
        match value.as_i64().or_else(|| whole(value.as_f64()?)) {
            Some(number) if (self.0..=self.1).contains(&number) => *target = number,
            _ => at.wrong(format!("must be a whole number from {} to {}", self.0, self.1)),
        }
    }

    fn slot<'t>(&self, target: &'t mut i64, path: &[Box<str>]) -> Option<Slot<'t>> {
        path.is_empty().then_some(Slot::Whole { value: target, least: self.0, most: self.1 })
    }
}

/// The height of a layer: above all others where nothing is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Height(pub(crate) i64);

impl Rule<i64> for Height {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        Whole(-self.0, self.0).schema(schemas)
    }

    fn has_default(&self) -> bool {
        false
    }

    fn read<'v>(&self, target: &mut i64, value: &'v Value, at: &mut At<'v>) {
        Whole(-self.0, self.0).read(target, value, at);
    }

    fn slot<'t>(&self, target: &'t mut i64, path: &[Box<str>]) -> Option<Slot<'t>> {
        Whole(-self.0, self.0).slot(target, path)
    }
}

/// A count that the store keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted;

impl Rule<u64> for Counted {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "integer", "minimum": 0})
    }

    fn has_default(&self) -> bool {
        false
    }

    fn read<'v>(&self, target: &mut u64, value: &'v Value, at: &mut At<'v>) {
        match value.as_u64() {
            Some(count) => *target = count,
            None => at.wrong("must be a whole number from 0"),
        }
    }
}

/// A number that JSON writes as `3.0` is whole too.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and fits: looked at before")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag;

impl Rule<bool> for Flag {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "boolean"})
    }

    fn read<'v>(&self, target: &mut bool, value: &'v Value, at: &mut At<'v>) {
        match value.as_bool() {
            Some(flag) => *target = flag,
            None => at.wrong("must be true or false"),
        }
    }
}

/// A text with a length in characters and a say about what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    least: usize,
    most: usize,
    allowed: fn(char) -> bool,
    /// Completes "must be …".
    what: &'static str,
}

/// Text of several lines to show, at most 10,000 characters.
pub(crate) const fn prose() -> Text {
    let allowed = |c: char| !c.is_control() || c == '\n' || c == '\t';
    Text { least: 0, most: 10_000, allowed, what: "a text without control characters but newline and tab" }
}

/// One line of text to show; may be empty.
pub(crate) const fn line(most: usize) -> Text {
    Text { least: 0, most, allowed: |c| !c.is_control(), what: "a line of text without control characters" }
}

/// A name of something, that must be there: an asset, a file beside the scene, a family of fonts.
pub(crate) const fn label(what: &'static str) -> Text {
    Text { least: 1, most: 512, allowed: |c| !c.is_control(), what }
}

/// An id, of `[A-Za-z0-9_-]`, or nothing.
pub(crate) const fn id() -> Text {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    Text { least: 0, most: 64, allowed, what: "letters A-Z a-z, digits, '_' and '-'" }
}

/// ASCII that another parser looks at: path data, formats.
pub(crate) const fn plain(most: usize, what: &'static str) -> Text {
    Text { least: 1, most, allowed: |c| c.is_ascii() && (!c.is_control() || c.is_ascii_whitespace()), what }
}

/// What somebody says, that must be there.
pub(crate) const fn said(most: usize) -> Text {
    Text { least: 1, most, ..prose() }
}

/// A program's source, at most 65,536 characters.
pub(crate) const fn source() -> Text {
    Text { least: 1, most: 65_536, ..prose() }
}

impl Text {
    fn wrong(&self) -> String {
        match self.least {
            0 => format!("must be {}, at most {} characters", self.what, self.most),
            least => format!("must be {}, {least} to {} characters", self.what, self.most),
        }
    }
}

impl Rule<String> for Text {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        let mut schema = json!({"type": "string", "maxLength": self.most});
        if self.least > 0 {
            schema["minLength"] = self.least.into();
        }
        schema
    }

    fn read<'v>(&self, target: &mut String, value: &'v Value, at: &mut At<'v>) {
        // No character has more than four bytes: a text of a megabyte is refused without being looked at.
        let fits = |text: &str| text.len() <= self.most * 4 && text.chars().count() <= self.most;
        match value.as_str() {
            Some(text) if fits(text) && text.chars().all(self.allowed) => text.clone_into(target),
            _ => at.wrong(self.wrong()),
        }
    }

    fn check(&self, target: &String, at: &mut At<'_>) {
        if target.len() < self.least {
            at.wrong(format!("is missing; it {}", self.wrong()));
        }
    }
}

/// An enum of words, declared by [`super::words!`].
pub(crate) trait Words: Copy + Sized + 'static {
    const ALL: &'static [(&'static str, Self)];
}

/// One of a type's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word;

impl<T: Words> Rule<T> for Word {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        let words: Vec<_> = T::ALL.iter().map(|(word, _)| *word).collect();
        json!({"type": "string", "enum": words})
    }

    fn read<'v>(&self, target: &mut T, value: &'v Value, at: &mut At<'v>) {
        match value.as_str().and_then(|text| T::ALL.iter().find(|(word, _)| *word == text)) {
            Some((_, found)) => *target = *found,
            None => {
                let words: Vec<_> = T::ALL.iter().map(|(word, _)| *word).collect();
                at.wrong(format!("must be one of {}", words.join(", ")));
            }
        }
    }
}

/// A type with a grammar of its own inside a JSON value.
pub(crate) trait Spoken: Sized {
    /// The sentence of an error says what is allowed.
    fn hear(value: &Value) -> Result<Self, String>;

    /// What it allows, as JSON Schema says it.
    fn schema() -> Value;

    fn slot(&mut self) -> Option<Slot<'_>> {
        None
    }
}

/// A value that its type reads by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said;

impl<T: Spoken> Rule<T> for Said {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        T::schema()
    }

    fn read<'v>(&self, target: &mut T, value: &'v Value, at: &mut At<'v>) {
        match T::hear(value) {
            Ok(heard) => *target = heard,
            Err(message) => at.wrong(message),
        }
    }

    fn slot<'t>(&self, target: &'t mut T, path: &[Box<str>]) -> Option<Slot<'t>> {
        if path.is_empty() { target.slot() } else { None }
    }
}

/// An object with fields of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner;

impl<T: Record> Rule<T> for Inner {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        schemas.of::<T>()
    }

    fn read<'v>(&self, target: &mut T, value: &'v Value, at: &mut At<'v>) {
        if let Some(object) = at.object(value) {
            target.read_fields(object, &[], at);
        }
    }

    fn check(&self, target: &T, at: &mut At<'_>) {
        target.check_fields(at);
    }

    fn slot<'t>(&self, target: &'t mut T, path: &[Box<str>]) -> Option<Slot<'t>> {
        target.slot_in(path)
    }
}

/// One of several kinds of object, that something new must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen;

impl<T: Choice> Rule<T> for Chosen {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        schemas.of::<T>()
    }

    fn read<'v>(&self, target: &mut T, value: &'v Value, at: &mut At<'v>) {
        Inner.read(target, value, at);
    }

    fn check(&self, target: &T, at: &mut At<'_>) {
        Inner.check(target, at);
    }

    fn missing(&self, at: &mut At<'_>) {
        at.wrong_in(T::TAG, format!("is missing; it must be one of {}", T::ALL.join(", ")));
        at.spoil();
    }

    fn slot<'t>(&self, target: &'t mut T, path: &[Box<str>]) -> Option<Slot<'t>> {
        Inner.slot(target, path)
    }
}

/// Something that may be left out, or taken away by `null`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maybe<R>(pub(crate) R);

impl<T: Default, R: Rule<T>> Rule<Option<T>> for Maybe<R> {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        self.0.schema(schemas)
    }

    fn read<'v>(&self, target: &mut Option<T>, value: &'v Value, at: &mut At<'v>) {
        match target {
            Some(there) => self.0.read(there, value, at),
            None => at.anew(|at| self.0.read(target.insert(T::default()), value, at)),
        }
    }

    fn check(&self, target: &Option<T>, at: &mut At<'_>) {
        if let Some(there) = target {
            self.0.check(there, at);
        }
    }

    fn slot<'t>(&self, target: &'t mut Option<T>, path: &[Box<str>]) -> Option<Slot<'t>> {
        self.0.slot(target.as_mut()?, path)
    }

    fn absent(&self, target: &Option<T>) -> bool {
        target.is_none()
    }
}

/// Something that has no default and must be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed<R>(pub(crate) R);

impl<T: Default, R: Rule<T>> Rule<Option<T>> for Needed<R> {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        self.0.schema(schemas)
    }

    fn read<'v>(&self, target: &mut Option<T>, value: &'v Value, at: &mut At<'v>) {
        self.0.read(target.get_or_insert_default(), value, at);
    }

    fn check(&self, target: &Option<T>, at: &mut At<'_>) {
        match target {
            Some(there) => self.0.check(there, at),
            None => at.wrong("is missing"),
        }
    }
}

/// Something that is shared rather than copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<R>(pub(crate) R);

impl<T: Clone, R: Rule<T>> Rule<Arc<T>> for Held<R> {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        self.0.schema(schemas)
    }

    fn read<'v>(&self, target: &mut Arc<T>, value: &'v Value, at: &mut At<'v>) {
        self.0.read(Arc::make_mut(target), value, at);
    }

    fn check(&self, target: &Arc<T>, at: &mut At<'_>) {
        self.0.check(target, at);
    }
}

/// A list; a patch replaces it as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<R> {
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) each: R,
}

impl<T: Default, R: Rule<T>> Rule<Vec<T>> for List<R> {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        json!({"type": "array", "items": self.each.schema(schemas), "minItems": self.least, "maxItems": self.most})
    }

    fn read<'v>(&self, target: &mut Vec<T>, value: &'v Value, at: &mut At<'v>) {
        match value.as_array() {
            Some(values) if (self.least..=self.most).contains(&values.len()) => {
                target.clear();
                at.anew(|at| {
                    for (index, value) in values.iter().enumerate() {
                        let mut each = T::default();
                        at.index(index, |at| self.each.read(&mut each, value, at));
                        target.push(each);
                    }
                });
            }
            _ => at.wrong(format!("must be a list of {} to {} entries", self.least, self.most)),
        }
    }

    fn check(&self, target: &Vec<T>, at: &mut At<'_>) {
        if target.len() < self.least {
            at.wrong(format!("is missing; it must be a list of {} to {} entries", self.least, self.most));
        }
        for (index, each) in target.iter().enumerate() {
            at.index(index, |at| self.each.check(each, at));
        }
    }

    fn slot<'t>(&self, target: &'t mut Vec<T>, path: &[Box<str>]) -> Option<Slot<'t>> {
        let (index, rest) = path.split_first()?;
        self.each.slot(target.get_mut(index.parse::<usize>().ok()?)?, rest)
    }
}

/// An object of the client's own keys; `null` takes one away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<R> {
    pub(crate) most: usize,
    pub(crate) each: R,
}

impl<T: Default, R: Rule<T>> Rule<BTreeMap<String, T>> for Named<R> {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        let each = json!({"anyOf": [self.each.schema(schemas), {"type": "null"}]});
        json!({"type": "object", "additionalProperties": each, "maxProperties": self.most})
    }

    fn read<'v>(&self, target: &mut BTreeMap<String, T>, value: &'v Value, at: &mut At<'v>) {
        let Some(object) = at.object(value) else { return };
        // Before anything is kept, so that an object of a million keys costs nothing.
        if object.len() > self.most * 2 {
            return at.wrong(format!("must have at most {} entries", self.most));
        }
        for (key, value) in object {
            at.key(key, |at| {
                if key.is_empty() || key.len() > 128 || key.chars().any(char::is_control) {
                    return at.wrong("has a name that is not 1 to 128 bytes without control characters");
                }
                if value.is_null() {
                    target.remove(key);
                } else if let Some(there) = target.get_mut(key) {
                    self.each.read(there, value, at);
                } else {
                    let mut each = T::default();
                    at.anew(|at| self.each.read(&mut each, value, at));
                    target.insert(key.clone(), each);
                }
            });
        }
        if target.len() > self.most {
            at.wrong(format!("must have at most {} entries", self.most));
        }
    }

    fn check(&self, target: &BTreeMap<String, T>, at: &mut At<'_>) {
        for (key, each) in target {
            at.key(key.clone(), |at| self.each.check(each, at));
        }
    }

    fn slot<'t>(&self, target: &'t mut BTreeMap<String, T>, path: &[Box<str>]) -> Option<Slot<'t>> {
        let (key, rest) = path.split_first()?;
        self.each.slot(target.get_mut(&**key)?, rest)
    }

    fn absent(&self, target: &BTreeMap<String, T>) -> bool {
        target.is_empty()
    }
}
