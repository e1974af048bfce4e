//! The state machine: where a part starts, where it ends, how much may be held.
//!
//! Called by whoever owns the connection. Never rescans bytes it has searched, so one-byte chunks cost the
//! same as large ones.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

use super::header::Head;
use super::{Error, Limits, Part};

/// White space tolerated between a delimiter and its line end, bytes.
const MAX_PADDING: usize = 128;
/// Line ends tolerated between a body of known length and its delimiter.
const MAX_LINE_ENDS: usize = 2;
/// A body keeps its buffer's allocation when it fills at least this fraction of it; otherwise it is copied
/// out.
const MIN_FILL: usize = 4;

/// Splits one multipart body into parts. See the module's documentation for what is tolerated.
///
/// Use: for each chunk, [`push`](Self::push) it, then call [`next`](Self::next) until it gives `None`; at the
/// end of input call [`finish`](Self::finish).
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    delimiter: Delimiter,
    buffer: BytesMut,
    /// Upper bound of `buffer`'s whole allocation, which `BytesMut::capacity` doesn't tell after an advance.
    allocated: usize,
    /// Bytes of `buffer` that need not be searched again in this state.
    searched: usize,
    state: State,
    failed: Option<Error>,
}

#[derive(Debug)]
enum State {
    /// Before the first delimiter; `skipped` bytes are gone already.
    Preamble { skipped: usize },
    /// After a delimiter line; the current line starts at `line`.
    Head { line: usize },
    /// In a body. `crlf`: this part's lines end in CR LF, so a CR before the delimiter isn't the body's.
    Body { head: Head, crlf: bool },
    /// After a body of the `length` its head gave.
    AfterBody { length: usize },
    /// After the closing delimiter.
    Closed,
}

/// What stands where a delimiter could stand.
enum Found {
    No,
    /// The bytes end before it can be said.
    Unknown,
    /// A delimiter line, `usize` bytes with its line end.
    Line(usize),
    Closing,
}

#[derive(Debug)]
struct Delimiter {
    /// `--boundary`, the delimiter of RFC 2046.
    strict: Vec<u8>,
    /// The boundary as it is, when it starts with dashes of its own: what devices that put `--frame` in the
    /// header send.
    loose: Option<Vec<u8>>,
    /// Line feed and whichever of the two came first in this body.
    finder: Finder<'static>,
}

impl Delimiter {
    fn new(boundary: &str) -> Self {
        let strict = [b"--", boundary.as_bytes()].concat();
        let loose = boundary.starts_with("--").then(|| boundary.as_bytes().to_vec());
        let finder = after_line_feed(&strict);
        Self { strict, loose, finder }
    }

    fn chosen(&self) -> &[u8] {
        &self.finder.needle()[1..]
    }

    /// The first delimiter of the body decides which form counts from then on.
    fn first_at(&mut self, bytes: &[u8]) -> Found {
        match (found(bytes, &self.strict), &self.loose) {
            (Found::No, Some(loose)) => {
                let found = found(bytes, loose);
                if matches!(found, Found::Line(_) | Found::Closing) {
                    self.finder = after_line_feed(loose);
                }
                found
            }
            (found, _) => found,
        }
    }
}

impl Parser {
    /// A parser at the start of a body. `boundary` is what [`super::boundary`] gave, with or without leading
    /// dashes.
    #[must_use]
    pub fn new(boundary: &str, limits: Limits) -> Self {
        Self {
            limits,
            delimiter: Delimiter::new(boundary),
            buffer: BytesMut::new(),
            allocated: 0,
            searched: 0,
            state: State::Preamble { skipped: 0 },
            failed: None,
        }
    }

    /// Takes the next bytes of the body, of any number. Not copied when nothing is buffered and nobody else
    /// holds them.
    pub fn push(&mut self, chunk: Bytes) {
        if self.closed() || self.failed.is_some() {
            return;
        }
        if self.buffer.is_empty() {
            match chunk.try_into_mut() {
                Ok(chunk) => {
                    self.allocated = chunk.capacity();
                    self.buffer = chunk;
                }
                Err(chunk) => self.append(&chunk),
            }
        } else {
            self.append(&chunk);
        }
    }

    fn append(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
        self.allocated = self.allocated.max(self.buffer.capacity());
    }

    /// The next whole part, or `None` when more bytes are needed (or the closing delimiter has come).
    ///
    /// # Errors
    /// Any but the first three of [`Error`], and not [`Error::Truncated`]; the parser then stays failed.
    #[expect(
        clippy::should_implement_trait,
        reason = "None is not the end of an iterator: more may come after a push"
    )]
    pub fn next(&mut self) -> Result<Option<Part>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.step();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        }
        result
    }

    /// The input has ended: gives the parts not yet taken, one a call, then `None`.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the input ended inside a part, [`Error::NoDelimiter`] when it had bytes but
    /// no delimiter, and what [`Parser::next`] gives. A missing closing delimiter alone is no error: cameras
    /// never send one.
    pub fn finish(&mut self) -> Result<Option<Part>, Error> {
        if let Some(part) = self.next()? {
            return Ok(Some(part));
        }
        let error = match &self.state {
            State::Preamble { skipped } if *skipped > 0 || !self.buffer.is_empty() => Error::NoDelimiter,
            State::Head { .. } if !self.buffer.is_empty() => Error::Truncated,
            State::Body { .. } => Error::Truncated,
            _ => return Ok(None),
        };
        self.failed = Some(error.clone());
        Err(error)
    }

    /// Whether the closing delimiter has come. What follows it is ignored.
    #[must_use]
    pub fn closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether something has begun that more bytes must complete: a part, or text before the first delimiter.
    #[must_use]
    pub fn midway(&self) -> bool {
        match self.state {
            State::Preamble { skipped } => skipped > 0 || !self.buffer.is_empty(),
            State::Head { .. } => !self.buffer.is_empty(),
            State::Body { .. } => true,
            State::AfterBody { .. } | State::Closed => false,
        }
    }

    /// Bytes held for the part under way, for tests of the memory bound.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    fn step(&mut self) -> Result<Option<Part>, Error> {
        loop {
            let moved = match &mut self.state {
                State::Preamble { .. } => self.preamble()?,
                State::Head { .. } => self.head()?,
                State::Body { .. } => match self.body()? {
                    Some(part) => return Ok(Some(part)),
                    None => false,
                },
                State::AfterBody { length } => {
                    let length = *length;
                    self.after_body(length)?
                }
                State::Closed => {
                    self.buffer = BytesMut::new();
                    false
                }
            };
            if !moved {
                return Ok(None);
            }
        }
    }

    /// Drops lines until one is a delimiter.
    fn preamble(&mut self) -> Result<bool, Error> {
        let State::Preamble { skipped } = &mut self.state else { return Ok(false) };
        let limit = self.limits.max_head;
        loop {
            if *skipped > limit {
                return Err(Error::NoDelimiter);
            }
            match self.delimiter.first_at(&self.buffer) {
                Found::No => {}
                Found::Unknown => return Ok(false),
                found => {
                    self.enter(&found);
                    return Ok(true);
                }
            }
            let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return if *skipped + self.searched > limit { Err(Error::NoDelimiter) } else { Ok(false) };
            };
            let line = self.searched + end + 1;
            *skipped += line;
            self.buffer.advance(line);
            self.searched = 0;
        }
    }

    /// Waits for the blank line that ends a head and reads the head.
    fn head(&mut self) -> Result<bool, Error> {
        let State::Head { line } = &mut self.state else { return Ok(false) };
        let limit = self.limits.max_head;
        while let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            let end = self.searched + end;
            let start = std::mem::replace(line, end + 1);
            self.searched = end + 1;
            if end + 1 > limit {
                return Err(Error::HeadTooLarge { limit });
            }
            let crlf = match &self.buffer[start..end] {
                b"" => false,
                b"\r" => true,
                _ => continue,
            };
            let head = Head::parse(&self.buffer[..start])?;
            self.buffer.advance(end + 1);
            self.searched = 0;
            if let Some(length) = head.content_length {
                if length > self.limits.max_part {
                    return Err(Error::PartTooLarge { limit: self.limits.max_part });
                }
                self.allocate_for(length);
            }
            self.state = State::Body { head, crlf };
            return Ok(true);
        }
        self.searched = self.buffer.len();
        if self.searched > limit { Err(Error::HeadTooLarge { limit }) } else { Ok(false) }
    }

    /// Makes room for a body of known length at once, unless it is nearly there: it is then neither moved nor
    /// over-allocated.
    ///
    /// A head alone must not make us allocate what it promises, so no more than 16 times what has come (at
    /// least 64 KiB).
    fn allocate_for(&mut self, length: usize) {
        let wanted = length.min((16 * self.buffer.len()).max(64 * 1024));
        if wanted > self.buffer.len() {
            let mut buffer = BytesMut::with_capacity(wanted);
            buffer.extend_from_slice(&self.buffer);
            self.allocated = buffer.capacity();
            self.buffer = buffer;
        }
    }

    /// The part, once its last byte is there.
    fn body(&mut self) -> Result<Option<Part>, Error> {
        let State::Body { head, crlf } = &mut self.state else { return Ok(None) };
        if let Some(length) = head.content_length {
            if self.buffer.len() < length {
                return Ok(None);
            }
            let head = std::mem::take(head);
            self.state = State::AfterBody { length };
            self.searched = 0;
            return Ok(Some(self.deliver(head, length, 0)));
        }
        let Some((length, drop, found)) = find_end(&self.delimiter, &self.buffer, &mut self.searched, *crlf)
        else {
            // A CR and the start of a delimiter may be at the end of what is known to be body.
            let certain = self.searched.saturating_sub(1);
            let limit = self.limits.max_part;
            return if certain > limit { Err(Error::PartTooLarge { limit }) } else { Ok(None) };
        };
        if length > self.limits.max_part {
            return Err(Error::PartTooLarge { limit: self.limits.max_part });
        }
        let head = std::mem::take(head);
        let part = self.deliver(head, length, drop);
        self.enter(&found);
        Ok(Some(part))
    }

    /// Checks that a delimiter follows a body of known length.
    fn after_body(&mut self, length: usize) -> Result<bool, Error> {
        let mut at = 0;
        for _ in 0..MAX_LINE_ENDS {
            match &self.buffer[at..] {
                [b'\n', ..] => at += 1,
                [b'\r', b'\n', ..] => at += 2,
                [b'\r'] | [] => return Ok(false),
                _ => break,
            }
        }
        match found(&self.buffer[at..], self.delimiter.chosen()) {
            Found::No => Err(Error::LengthMismatch { length }),
            Found::Unknown => Ok(false),
            found => {
                self.buffer.advance(at);
                self.enter(&found);
                Ok(true)
            }
        }
    }

    /// Goes past a delimiter that stands at the buffer's start.
    fn enter(&mut self, found: &Found) {
        self.searched = 0;
        if let Found::Line(length) = found {
            self.buffer.advance(*length);
            self.state = State::Head { line: 0 };
        } else {
            self.buffer = BytesMut::new();
            self.state = State::Closed;
        }
    }

    /// Takes the body of `length` bytes off the buffer, and `drop` bytes after it.
    fn deliver(&mut self, head: Head, length: usize, drop: usize) -> Part {
        let rest = self.buffer.len() - length - drop;
        let body = if length >= rest && length >= self.allocated / MIN_FILL {
            let tail = BytesMut::from(&self.buffer[length + drop..]);
            self.allocated = tail.capacity();
            let mut body = std::mem::replace(&mut self.buffer, tail);
            body.truncate(length);
            body.freeze()
        } else {
            let body = Bytes::copy_from_slice(&self.buffer[..length]);
            self.buffer.advance(length + drop);
            body
        };
        let Head { name, file_name, content_type, headers, .. } = head;
        Part { name, file_name, content_type, headers, body }
    }
}

/// Where the body at the start of `bytes` ends: its length, the bytes of line end to drop after it, and the
/// delimiter there.
fn find_end(
    delimiter: &Delimiter,
    bytes: &[u8],
    searched: &mut usize,
    crlf: bool,
) -> Option<(usize, usize, Found)> {
    if *searched == 0 {
        // An empty body: the blank line after the head doubles as the delimiter's own line end.
        match found(bytes, delimiter.chosen()) {
            Found::No => {}
            Found::Unknown => return None,
            found => return Some((0, 0, found)),
        }
    }
    while let Some(at) = delimiter.finder.find(&bytes[*searched..]) {
        let at = *searched + at;
        match found(&bytes[at + 1..], delimiter.chosen()) {
            Found::No => *searched = at + 1,
            Found::Unknown => {
                *searched = at;
                return None;
            }
            found => {
                let cr = usize::from(crlf && at > 0 && bytes[at - 1] == b'\r');
                return Some((at - cr, 1 + cr, found));
            }
        }
    }
    let overlap = delimiter.finder.needle().len() - 1;
    *searched = bytes.len().saturating_sub(overlap).max(*searched);
    None
}

fn after_line_feed(delimiter: &[u8]) -> Finder<'static> {
    Finder::new(&[b"\n", delimiter].concat()).into_owned()
}

fn found(bytes: &[u8], delimiter: &[u8]) -> Found {
    let Some(rest) = bytes.strip_prefix(delimiter) else {
        return if delimiter.starts_with(bytes) { Found::Unknown } else { Found::No };
    };
    if rest.starts_with(b"--") {
        return Found::Closing;
    }
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if padding > MAX_PADDING {
        return Found::No;
    }
    match &rest[padding..] {
        [b'\n', ..] => Found::Line(delimiter.len() + padding + 1),
        [b'\r', b'\n', ..] => Found::Line(delimiter.len() + padding + 2),
        [] | [b'\r'] => Found::Unknown,
        [b'-'] if padding == 0 => Found::Unknown,
        _ => Found::No,
    }
}
