//! Multipart bodies, as they come off the wire: `multipart/form-data` (one POST, a few fields) and
//! `multipart/x-mixed-replace` (one POST or one camera connection that carries pictures for hours).
//!
//! Owns the delimiter search, the part heads and the limits on both. Called by the publish routes and the
//! MJPEG pull source, which own the socket: bytes go in with [`Parser::push`], parts come out of
//! [`Parser::next`]. Never does I/O, never looks at what a body means, and never holds more than one part,
//! one head and one pushed chunk.
//!
//! What it accepts beyond RFC 2046, because devices of the field send it: a `boundary` parameter that already
//! carries the two leading dashes, lines that end in LF alone, spaces after the delimiter, one blank line too
//! many before it or none at all, text before the first delimiter and after the last.
//!
//! Two kinds of body end. A part with `Content-Length` is delivered with its last byte, so a picture isn't
//! held back until the next one; that a delimiter follows is checked afterwards. A part without it is known
//! to be whole only when the **next** delimiter arrives: such a publisher is shown one picture late, and its
//! last picture is lost if it hangs up without a closing delimiter.

mod header;
mod parser;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use header::boundary;
pub use parser::Parser;

/// Most headers a part may have.
pub const MAX_HEADERS: usize = 32;
/// The usual [`Limits::max_head`]: 8 KiB, what HTTP servers commonly allow for a whole request head.
pub const DEFAULT_MAX_HEAD: usize = 8 * 1024;

/// What a stranger may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one part's body.
    pub max_part: usize,
    /// Bytes in one part's head, and bytes before the first delimiter.
    pub max_head: usize,
}

impl Limits {
    /// Bodies up to `max_part` bytes, heads of the usual size.
    #[must_use]
    pub const fn parts_up_to(max_part: usize) -> Self {
        Self { max_part, max_head: DEFAULT_MAX_HEAD }
    }
}

/// One part, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The form field's name, from `Content-Disposition`.
    pub name: Option<String>,
    /// The name the sender gave the file, from `Content-Disposition`. Never a path to be trusted.
    pub file_name: Option<String>,
    /// The `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// All headers in order: lower-case names, trimmed values. At most [`MAX_HEADERS`].
    pub headers: Vec<(String, String)>,
    /// The body. Keeps alive at most four times its own length of memory.
    pub body: Bytes,
}

impl Part {
    /// The first header called `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why a body can't be read on. All are final: a parser that has failed repeats its error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the Content-Type is not multipart")]
    NotMultipart,
    #[error("the Content-Type names no boundary")]
    NoBoundary,
    #[error("the boundary must have 1 to 70 printable characters (RFC 2046, 5.1.1)")]
    BadBoundary,
    #[error("no line of the body starts with the boundary of the Content-Type")]
    NoDelimiter,
    #[error("a part is larger than {limit} bytes")]
    PartTooLarge { limit: usize },
    #[error("a part's headers are larger than {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("a part has more than {limit} headers")]
    TooManyHeaders { limit: usize },
    #[error("a part has a header line that is not `name: value`")]
    BadHeader,
    #[error("a part's Content-Length is not a number, or there are two that differ")]
    BadContentLength,
    #[error("a part's Content-Length is {length}, but no boundary follows there")]
    LengthMismatch { length: usize },
    #[error("the body ends in the middle of a part")]
    Truncated,
}
