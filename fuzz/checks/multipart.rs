//! What must hold for any multipart body. Run by the fuzz target on made-up input and by `crates/media/tests` on the corpus.

use bytes::Bytes;
use media::multipart::{Error, Limits, Parser, Part};

const LIMITS: Limits = Limits { max_part: 4096, max_head: 512 };

/// The first byte of `input` seeds the chunk sizes, the rest is the body; its boundary is `b`, once without and once with dashes.
///
/// # Panics
/// If the way a body is cut into chunks changes what is read, or if the parser holds more than its limits allow.
pub(crate) fn multipart(input: &[u8]) {
    let Some((&seed, body)) = input.split_first() else { return };
    for boundary in ["b", "--b"] {
        let whole = read(boundary, body, |_| usize::MAX);
        let mut state = u32::from(seed) | 1;
        let cut = read(boundary, body, |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            1 + (state >> 24) as usize % 32
        });
        assert_eq!(whole, cut, "chunking changes the result");
    }
}

fn read(
    boundary: &str,
    mut body: &[u8],
    mut size: impl FnMut(usize) -> usize,
) -> (Vec<Part>, Result<bool, Error>) {
    let mut parser = Parser::new(boundary, LIMITS);
    let mut parts = Vec::new();
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(size(body.len()).min(body.len()));
        body = rest;
        parser.push(Bytes::copy_from_slice(chunk));
        loop {
            match parser.next() {
                Ok(Some(part)) => {
                    assert!(part.body.len() <= LIMITS.max_part, "a part over the limit");
                    parts.push(part);
                }
                Ok(None) => break,
                Err(error) => return (parts, Err(error)),
            }
        }
        // A delimiter with its padding may wait for its end.
        assert!(parser.buffered() <= LIMITS.max_part + LIMITS.max_head + 256, "the parser holds too much");
    }
    loop {
        match parser.finish() {
            Ok(Some(part)) => parts.push(part),
            Ok(None) => return (parts, Ok(parser.closed())),
            Err(error) => return (parts, Err(error)),
        }
    }
}
