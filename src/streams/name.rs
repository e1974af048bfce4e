//! What a stream may be called.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::base::error::{Error, Result};

/// `[A-Za-z0-9_-]{1,64}`, not one of the words the routes use themselves. Cheap to clone; safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

impl StreamName {
    pub const MAX_LEN: usize = 64;
    /// The stream of what we compose.
    pub const PROGRAM: &str = "program";

    /// Words that follow `/stream/` in routes of their own.
    pub const RESERVED: [&str; 12] = [
        "audio", "bulk", "chat", "control", "frame", "hls", "layers", "outputs", "scenes", "status",
        "timeline", "values",
    ];

    /// # Errors
    /// `Invalid` with what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return Err(Error::invalid(
                "name",
                "a stream name has 1 to 64 characters, each a letter A-Z or a-z, a digit, '_' or '-'",
            ));
        }
        if Self::RESERVED.contains(&text) || text == "ws" {
            return Err(Error::invalid("name", format!("'{text}' is reserved; choose another name")));
        }
        Ok(Self(text.into()))
    }

    /// Whether it is the name of what we compose, which nobody else's stream may have.
    pub fn is_program(&self) -> bool {
        &*self.0 == Self::PROGRAM
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_plain_words_are_names() {
        let long = "x".repeat(65);
        for bad in ["", "a/b", "..", "a.b", "%2e", "cam\n", "cam ", "kamera-ö", "status", "ws", &long] {
            assert!(StreamName::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "camera1", "Robot_2-left", "-", "Status", &long[1..]] {
            assert_eq!(StreamName::parse(good).unwrap().as_str(), good);
        }
    }
}
