//! Text that must never be seen: tokens, keys, passwords.

use std::fmt;

use serde::{Serialize, Serializer};

/// Shows as `***` wherever it is printed or serialised; compared in constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `offered` is this secret. The time taken depends on the length of `offered` only.
    pub fn is(&self, offered: &str) -> bool {
        let (secret, offered) = (self.0.as_bytes(), offered.as_bytes());
        let mut difference = u8::from(secret.len() != offered.len());
        for (i, byte) in offered.iter().enumerate() {
            difference |= byte ^ secret.get(i).copied().unwrap_or(0);
        }
        std::hint::black_box(difference) == 0
    }

    /// The text itself, for the one place that must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_itself_only_and_never_shows() {
        let secret = Secret::new("hunter2");
        assert!(secret.is("hunter2"));
        for wrong in ["", "hunter", "hunter22", "hunter2\0", "Hunter2"] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }
}
