//! The one error type of the service.
//!
//! An error carries a [`Kind`], a sentence for the person who meets it, and the error below it. Which HTTP status a
//! kind becomes is decided in `api::error` and nowhere else. Secrets and addresses never go into the sentence.

use std::fmt;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request or file can't be parsed at all.
    Malformed,
    /// No credentials, or wrong ones.
    Unauthorized,
    /// Understood and refused: a foreign origin, a key for another stream.
    Forbidden,
    NotFound,
    /// The client was too slow.
    Timeout,
    /// The thing is in a state, or belongs to someone, that forbids it.
    Conflict,
    /// It was changed since the client looked.
    Stale,
    TooLarge,
    /// The content is of a type we don't take.
    WrongType,
    /// A byte range outside the file.
    RangeNotSatisfiable,
    /// Parsed, and a value in it is not allowed.
    Invalid,
    RateLimited,
    /// Full, or not ready; trying again may work.
    Unavailable,
    /// The machine below us failed: disk, encoder, a thread.
    Internal,
}

/// One value that is not allowed, by the name the client knows it under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub field: String,
    pub message: String,
}

#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    fields: Vec<Field>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            fields: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// `field` has a value that is not allowed; `message` says what is.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = Field { field: field.into(), message: message.into() };
        let mut error = Self::new(Kind::Invalid, format!("{}: {}", field.field, field.message));
        error.0.fields.push(field);
        error
    }

    /// The same for several fields at once, so that a client can mend them in one go.
    pub fn invalid_fields(detail: impl Into<String>, fields: Vec<Field>) -> Self {
        let mut error = Self::new(Kind::Invalid, detail);
        error.0.fields = fields;
        error
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    /// Something below us failed while doing `what`.
    pub fn internal(what: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::new(Kind::Internal, what).caused_by(source)
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The sentence, without what caused it: safe to show to a client.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// The sentence and all that caused it, for logs and the terminal.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_line_names_the_cause_and_the_client_sentence_does_not() {
        let error = Error::internal("can't write the recording", std::io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "can't write the recording: disk on fire");
        assert_eq!(error.detail(), "can't write the recording");
    }
}
