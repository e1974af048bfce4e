//! Bindings: properties and texts that take their value from outside the scene.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::layer::Layer;
use crate::read::{At, Maybe, Said, Spoken, Within, plain, record};

record! {
    /// What a property takes its value from.
    pub struct Binding {
        /// A template: `{{ streams.match.readings.score.home }}`.
        value "value": String = String::new(), plain(1000, "a template");
        /// Seconds for which a value is shown after it was seen; for ever unless it is said.
        max_age "maxAge": Option<f64> = None, Maybe(Within(0.0, 86_400.0));
        /// Shown in the place of a value that is older or was never there; the layer's own value unless it is said.
        otherwise "otherwise": Option<Scalar> = None, Maybe(Said);
    }
}

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Number(f64),
    Text(String),
    Flag(bool),
}

impl Default for Scalar {
    fn default() -> Self {
        Self::Number(0.0)
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl Spoken for Scalar {
    fn hear(value: &Value) -> Result<Self, String> {
        const MOST: usize = 4000;
        match value {
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::String(text) if text.len() <= MOST => Some(Self::Text(text.clone())),
            _ => None,
        }
        .ok_or_else(|| format!("must be a number, true, false, or a text of at most {MOST} bytes"))
    }
}

pub(crate) fn check(_layer: &Layer, _at: &mut At<'_>) {}
