//! JSON Schema of the scene, made from the declarations that read it: what the schema says is what the reader does.
//!
//! Called by the service for its OpenAPI document and by the test that compares `docs/scene.schema.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{At, Record, Rule};

/// Schemas by the names of their types.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// Where they will stand: `#/$defs/`.
    prefix: &'static str,
    done: BTreeMap<&'static str, Value>,
}

/// One shape that an object can have.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) about: String,
    pub(crate) properties: Map<String, Value>,
    pub(crate) required: Vec<&'static str>,
}

impl Schemas {
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self { prefix, done: BTreeMap::new() }
    }

    /// A reference to the schema of a type, which is made if it is not there yet.
    pub(crate) fn of<T: Record>(&mut self) -> Value {
        if !self.done.contains_key(T::NAME) {
            self.done.insert(T::NAME, Value::Null);
            let mut shapes: Vec<_> = T::shapes(self).into_iter().map(Shape::schema).collect();
            let mut schema = if shapes.len() == 1 { shapes.remove(0) } else { json!({ "oneOf": shapes }) };
            if !T::ABOUT.is_empty() {
                schema["description"] = T::ABOUT.into();
            }
            self.done.insert(T::NAME, schema);
        }
        json!({"$ref": format!("{}{}", self.prefix, T::NAME)})
    }

    pub(crate) fn finish(self) -> BTreeMap<&'static str, Value> {
        self.done
    }
}

impl Shape {
    pub(crate) fn new(about: String) -> Self {
        Self { about, properties: Map::new(), required: Vec::new() }
    }

    /// Adds a field with its rule, its documentation and its default.
    pub(crate) fn field<T: serde::Serialize, R: Rule<T>>(
        mut self,
        schemas: &mut Schemas,
        name: &'static str,
        docs: &[&str],
        rule: &R,
        default: &T,
    ) -> Self {
        let mut schema = rule.schema(schemas);
        let about = prose(docs);
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        // What the reader refuses where nothing is said must be said.
        let mut at = At::fresh();
        rule.missing(&mut at);
        rule.check(default, &mut at);
        if at.is_clean() {
            let default = if rule.absent(default) || !rule.has_default() {
                None
            } else {
                serde_json::to_value(default).ok()
            };
            if let Some(default) = default.filter(|default| !default.is_object()) {
                schema["default"] = default;
            }
        } else {
            self.required.push(name);
        }
        self.properties.insert(name.to_owned(), schema);
        self
    }

    fn schema(self) -> Value {
        let Self { about, properties, required } = self;
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        schema
    }
}

/// Lines of documentation as one text.
pub(crate) fn prose(docs: &[&str]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
