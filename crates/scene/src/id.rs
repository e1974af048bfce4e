//! What layers, scenes and animations are called.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::read::Spoken;

/// `[A-Za-z0-9_-]{1,64}`. Cheap to clone. The default one is empty and stands for "not named yet".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    pub const MAX_LEN: usize = 64;

    /// `None` if the text is not an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let good = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed);
        good.then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has not been named yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Spoken for Id {
    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        let id = value.as_str().and_then(Self::parse);
        id.ok_or_else(|| {
            "must be 1 to 64 characters, each a letter A-Z or a-z, a digit, '_' or '-'".to_owned()
        })
    }
}
