//! The text of multipart: the boundary out of a Content-Type, and the head of a part.
//!
//! Called by the publish routes ([`boundary`]) and by `parser` ([`Head::parse`]). Pure functions of whole
//! texts.

use super::{Error, MAX_HEADERS};

/// Longest boundary of RFC 2046, section 5.1.1.
const MAX_BOUNDARY: usize = 70;

/// The boundary named by a `Content-Type` value, quotes removed, leading dashes kept (see
/// [`super::Parser::new`]).
///
/// # Errors
/// [`Error::NotMultipart`], [`Error::NoBoundary`], [`Error::BadBoundary`] (empty, over 70 characters, or not
/// printable ASCII).
pub fn boundary(content_type: &str) -> Result<String, Error> {
    let (kind, params) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim();
    if !kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) || kind.len() == 10 {
        return Err(Error::NotMultipart);
    }
    let boundary = Params(params)
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value)
        .ok_or(Error::NoBoundary)?;
    let printable = boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !(1..=MAX_BOUNDARY).contains(&boundary.len()) || !printable || boundary.ends_with(' ') {
        return Err(Error::BadBoundary);
    }
    Ok(boundary)
}

/// A part's head, read.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) name: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content_length: Option<usize>,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    /// Reads header lines ending in CRLF or LF; `text` may include the blank line that ends them.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            if line.iter().any(|&byte| byte == b'\r' || byte == 0) {
                return Err(Error::BadHeader);
            }
            // RFC 5322 folding: a line that starts with white space goes on with the header before it.
            if matches!(line[0], b' ' | b'\t') {
                let (_, value) = headers.last_mut().ok_or(Error::BadHeader)?;
                value.push(' ');
                value.push_str(String::from_utf8_lossy(line).trim());
                continue;
            }
            if headers.len() == MAX_HEADERS {
                return Err(Error::TooManyHeaders { limit: MAX_HEADERS });
            }
            headers.push(header(line)?);
        }
        Self::from_headers(headers)
    }

    fn from_headers(headers: Vec<(String, String)>) -> Result<Self, Error> {
        let mut head = Self::default();
        for (name, value) in &headers {
            match name.as_str() {
                "content-type" if head.content_type.is_none() => head.content_type = Some(value.clone()),
                "content-length" => {
                    let length = length(value)?;
                    if head.content_length.replace(length).is_some_and(|before| before != length) {
                        return Err(Error::BadContentLength);
                    }
                }
                "content-disposition" => {
                    let (_, params) = value.split_once(';').unwrap_or((value, ""));
                    for (name, value) in Params(params) {
                        if name.eq_ignore_ascii_case("name") {
                            head.name.get_or_insert(value);
                        } else if name.eq_ignore_ascii_case("filename") {
                            head.file_name.get_or_insert(value);
                        }
                    }
                }
                _ => {}
            }
        }
        head.headers = headers;
        Ok(head)
    }
}

/// `name: value` of one line, the name in lower case.
fn header(line: &[u8]) -> Result<(String, String), Error> {
    let colon = memchr::memchr(b':', line).ok_or(Error::BadHeader)?;
    let name = std::str::from_utf8(&line[..colon]).map_err(|_| Error::BadHeader)?.trim_end();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::BadHeader);
    }
    let value = String::from_utf8_lossy(&line[colon + 1..]);
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn length(value: &str) -> Result<usize, Error> {
    // `parse` alone would take a sign.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::BadContentLength);
    }
    value.parse().map_err(|_| Error::BadContentLength)
}

/// The parameters of a header value, `; name=value; name="quoted \" value"`, forgiving: what can't be read is
/// skipped.
struct Params<'a>(&'a str);

impl<'a> Iterator for Params<'a> {
    type Item = (&'a str, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.0 = self.0.trim_start_matches([';', ' ', '\t']);
            if self.0.is_empty() {
                return None;
            }
            let Some(stop) = self.0.find(['=', ';']) else {
                self.0 = "";
                return None;
            };
            let (name, rest) = self.0.split_at(stop);
            let Some(rest) = rest.strip_prefix('=') else {
                self.0 = rest;
                continue;
            };
            let rest = rest.trim_start();
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted),
                None => {
                    let (value, rest) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
                    (value.trim_end().to_owned(), rest)
                }
            };
            self.0 = rest;
            return Some((name.trim(), value));
        }
    }
}

/// The text up to the closing quote, and what follows it. A missing closing quote ends at the end.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            // Browsers escape only the quote, and old ones send Windows paths: a backslash elsewhere is a
            // backslash.
            '\\' if text[at + 1..].starts_with(['"', '\\']) => {
                if let Some((_, escaped)) = chars.next() {
                    value.push(escaped);
                }
            }
            char => value.push(char),
        }
    }
    (value, "")
}
