//! The parser against what browsers, cameras and enemies send.

use bytes::Bytes;
use proptest::prelude::*;

use super::{DEFAULT_MAX_HEAD, Error, Limits, MAX_HEADERS, Parser, Part, boundary};

const LIMITS: Limits = Limits::parts_up_to(1000);

/// All parts of `body` pushed in chunks of `sizes` (repeated), and how it ended.
fn parse(edge: &str, body: &[u8], sizes: &[usize]) -> (Vec<Part>, Result<bool, Error>) {
    let mut parser = Parser::new(edge, LIMITS);
    let mut parts = Vec::new();
    let mut rest = body;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap()).clamp(1, rest.len());
        let (chunk, tail) = rest.split_at(size);
        rest = tail;
        parser.push(Bytes::copy_from_slice(chunk));
        assert!(parser.buffered() <= LIMITS.max_part + LIMITS.max_head + size, "holds too much");
        loop {
            match parser.next() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next(), Err(error.clone()), "an error is final");
                    return (parts, Err(error));
                }
            }
        }
    }
    loop {
        match parser.finish() {
            Ok(Some(part)) => parts.push(part),
            Ok(None) => return (parts, Ok(parser.closed())),
            Err(error) => return (parts, Err(error)),
        }
    }
}

fn bodies(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| std::str::from_utf8(&part.body).unwrap()).collect()
}

#[test]
fn the_boundary_is_read_from_what_devices_send() {
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for (value, expected) in [
        ("multipart/form-data; boundary=abc", Ok("abc")),
        ("Multipart/X-Mixed-Replace;BOUNDARY=\"a b'c\"; charset=x", Ok("a b'c")),
        ("multipart/x-mixed-replace;boundary=--frame", Ok("--frame")),
        (
            "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryX ;q",
            Ok("----WebKitFormBoundaryX"),
        ),
        ("multipart/x; note=\"; boundary=no\"; boundary=yes", Ok("yes")),
        ("multipart/x; boundary=\"a\\\"b\"", Ok("a\"b")),
        ("image/jpeg", Err(Error::NotMultipart)),
        ("multipart/; boundary=x", Err(Error::NotMultipart)),
        ("größe/x; boundary=x", Err(Error::NotMultipart)),
        ("multipart/form-data", Err(Error::NoBoundary)),
        ("multipart/form-data; xboundary=a", Err(Error::NoBoundary)),
        ("multipart/form-data; boundary=", Err(Error::BadBoundary)),
        ("multipart/form-data; boundary=\"a \"", Err(Error::BadBoundary)),
        ("multipart/form-data; boundary=\"ä\"", Err(Error::BadBoundary)),
        (long.as_str(), Err(Error::BadBoundary)),
    ] {
        assert_eq!(boundary(value), expected.map(str::to_owned), "{value}");
    }
}

#[test]
fn every_tolerated_shape_gives_the_parts_meant() {
    for (name, edge, body, expected, closed) in [
        (
            "form",
            "b",
            "--b\r\nContent-Disposition: form-data; name=\"frame\"\r\n\r\none\r\n--b--\r\n",
            vec!["one"],
            true,
        ),
        ("two parts", "b", "--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n--b--", vec!["one", "two"], true),
        (
            "preamble and epilogue",
            "b",
            "hello\r\n--bad\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\nno",
            vec!["one"],
            true,
        ),
        ("first delimiter after an empty line", "b", "\r\n--b\r\n\r\none\r\n--b--", vec!["one"], true),
        ("padding", "b", "--b \t\r\n\r\none\r\n--b  \r\n\r\ntwo\r\n--b--", vec!["one", "two"], true),
        ("line feeds only", "b", "--b\nA: 1\n\none\n--b\n\ntwo\r\n--b\n", vec!["one", "two\r"], false),
        ("dashes in the header, as RFC", "--b", "----b\r\n\r\none\r\n----b--", vec!["one"], true),
        ("dashes in the header, as cameras", "--b", "--b\r\n\r\none\r\n--b\r\n", vec!["one"], false),
        (
            "delimiter look-alikes",
            "b",
            "--b\r\n\r\n--bc\r\n-\r\n--b x\r\n\r\n--b--",
            vec!["--bc\r\n-\r\n--b x\r\n"],
            true,
        ),
        ("empty bodies", "b", "--b\r\n\r\n\r\n--b\r\n\r\n--b\r\nA: 1\r\n\r\n--b--", vec!["", "", ""], true),
        ("length", "b", "--b\r\nContent-Length: 8\r\n\r\none\n--b\n\r\n--b\r\n", vec!["one\n--b\n"], false),
        ("length and end of input", "b", "--b\r\nContent-Length: 3\r\n\r\none", vec!["one"], false),
        (
            "length, no line end",
            "b",
            "--b\r\nContent-Length: 3\r\n\r\none--b\r\n\r\ntwo\r\n--b--",
            vec!["one", "two"],
            true,
        ),
        ("length, two line ends", "b", "--b\r\nContent-Length: 3\r\n\r\none\r\n\r\n--b--", vec!["one"], true),
        ("length 0", "b", "--b\r\nContent-Length: 0\r\n\r\n\r\n--b--", vec![""], true),
        ("no part", "b", "--b--", vec![], true),
        ("nothing", "b", "", vec![], false),
    ] {
        for size in [1, 2, 3, 1000] {
            let (parts, end) = parse(edge, body.as_bytes(), &[size]);
            assert_eq!(bodies(&parts), expected, "{name}, chunks of {size}");
            assert_eq!(end, Ok(closed), "{name}, chunks of {size}");
        }
    }
}

#[test]
fn bad_input_is_named_precisely() {
    let large = "x".repeat(2000);
    let head = |text: &str| format!("--b\r\n{text}\r\n\r\nx\r\n--b--");
    for (name, body, expected) in [
        ("no delimiter", "hello".to_owned(), Error::NoDelimiter),
        ("endless preamble", format!("{}--b\r\n\r\n", "x\n".repeat(5000)), Error::NoDelimiter),
        ("cut in a head", "--b\r\nA: 1\r\n".to_owned(), Error::Truncated),
        ("cut in a body", "--b\r\nA: 1\r\n\r\nx".to_owned(), Error::Truncated),
        ("cut in a body of known length", "--b\r\nContent-Length: 9\r\n\r\nx".to_owned(), Error::Truncated),
        ("cut in a delimiter", "--b\r\n\r\nx\r\n--b".to_owned(), Error::Truncated),
        ("too large", format!("--b\r\n\r\n{large}"), Error::PartTooLarge { limit: 1000 }),
        ("too large, whole", format!("--b\r\n\r\n{large}\r\n--b--"), Error::PartTooLarge { limit: 1000 }),
        ("too large by its own word", head("Content-Length: 1001"), Error::PartTooLarge { limit: 1000 }),
        ("length too short", head("Content-Length: 0"), Error::LengthMismatch { length: 0 }),
        ("length too long", head("Content-Length: 4"), Error::LengthMismatch { length: 4 }),
        ("negative length", head("Content-Length: -1"), Error::BadContentLength),
        ("signed length", head("Content-Length: +1"), Error::BadContentLength),
        ("huge length", head("Content-Length: 99999999999999999999"), Error::BadContentLength),
        ("two lengths", head("Content-Length: 1\r\nContent-Length: 2"), Error::BadContentLength),
        ("no colon", head("nonsense"), Error::BadHeader),
        ("space in a name", head("a b: c"), Error::BadHeader),
        ("no name", head(": c"), Error::BadHeader),
        ("NUL", head("a: \0"), Error::BadHeader),
        ("folding nothing", head(" a: b"), Error::BadHeader),
        (
            "many headers",
            head("a: b\r\n".repeat(MAX_HEADERS + 1).trim_end()),
            Error::TooManyHeaders { limit: MAX_HEADERS },
        ),
        (
            "large head",
            head(&format!("a: {}", "x".repeat(9000))),
            Error::HeadTooLarge { limit: DEFAULT_MAX_HEAD },
        ),
        (
            "endless head",
            format!("--b\r\n{}", "x".repeat(9000)),
            Error::HeadTooLarge { limit: DEFAULT_MAX_HEAD },
        ),
    ] {
        for size in [1, 7, 100_000] {
            assert_eq!(
                parse("b", body.as_bytes(), &[size]).1,
                Err(expected.clone()),
                "{name}, chunks of {size}"
            );
        }
    }
}

#[test]
fn a_part_over_the_limit_is_refused_before_it_has_all_come() {
    let mut parser = Parser::new("b", LIMITS);
    parser.push(Bytes::from_static(b"--b\r\nContent-Length: 1001\r\n\r\n"));
    assert_eq!(parser.next(), Err(Error::PartTooLarge { limit: 1000 }));
}

#[test]
fn a_part_of_known_length_does_not_wait_for_the_next() {
    let mut parser = Parser::new("b", LIMITS);
    parser.push(Bytes::from_static(b"--b\r\nContent-Length: 3\r\n\r\non"));
    assert_eq!(parser.next(), Ok(None));
    parser.push(Bytes::from_static(b"e"));
    assert_eq!(parser.next().unwrap().unwrap().body, "one");
}

#[test]
fn between_parts_nothing_is_under_way() {
    let mut parser = Parser::new("b", Limits::parts_up_to(100));
    assert!(!parser.midway());
    for (piece, midway) in [
        ("text", true),
        ("\r\n--b\r\n", false),
        ("Content-", true),
        ("Length: 2\r\n\r\n", true),
        ("o", true),
        ("k", false),
        ("\r\n--b", false),
        ("\r\n", false),
        ("\r\nno length", true),
        ("\r\n--b\r\n", false),
        ("\r\n\r\n--b--", false),
    ] {
        parser.push(Bytes::from(piece));
        while parser.next().unwrap().is_some() {}
        assert_eq!(parser.midway(), midway, "after {piece:?}");
    }
}

#[test]
fn headers_are_read_into_their_places() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"frame\"; filename=\"C:\\a \\\"b\\\".jpg\"\r\n\
                CONTENT-TYPE:  image/jpeg \r\nX-Timestamp: 2026-01-01T00:00:00.000Z\r\nX-Long: a\r\n  b\r\n\r\nx\r\n--b--";
    let (parts, _) = parse("b", body.as_bytes(), &[5]);
    let part = &parts[0];
    assert_eq!(part.name.as_deref(), Some("frame"));
    assert_eq!(part.file_name.as_deref(), Some("C:\\a \"b\".jpg"));
    assert_eq!(part.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(part.header("x-timestamp"), Some("2026-01-01T00:00:00.000Z"));
    assert_eq!(part.header("x-long"), Some("a b"));
    assert_eq!(part.headers.len(), 4);
}

#[test]
fn a_body_in_one_chunk_is_not_copied() {
    let mut message = b"--b\r\nContent-Length: 900\r\n\r\n".to_vec();
    message.extend([7; 900]);
    message.extend(b"\r\n--b\r\n");
    let start = message.as_ptr() as usize;
    let range = start..start + message.len();
    let mut parser = Parser::new("b", LIMITS);
    parser.push(Bytes::from(message));
    let part = parser.next().unwrap().unwrap();
    assert!(range.contains(&(part.body.as_ptr() as usize)), "the body lies in the chunk");
}

/// One part to be written, and how.
#[derive(Clone, Debug)]
struct Sent {
    body: Vec<u8>,
    length: bool,
}

fn sent() -> impl Strategy<Value = Vec<Sent>> {
    // Bytes chosen so that look-alikes of the delimiter are common.
    let byte = prop_oneof![Just(b'-'), Just(b'b'), Just(b'\r'), Just(b'\n'), any::<u8>()];
    let part =
        (prop::collection::vec(byte, 0..60), any::<bool>()).prop_map(|(body, length)| Sent { body, length });
    prop::collection::vec(part, 0..6)
}

fn write(parts: &[Sent], eol: &str, delimiter: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend(format!("{delimiter}{eol}").bytes());
        if part.length {
            out.extend(format!("Content-Length: {}{eol}", part.body.len()).bytes());
        }
        out.extend(eol.bytes());
        out.extend(&part.body);
        out.extend(eol.bytes());
    }
    out.extend(format!("{delimiter}--").bytes());
    out
}

proptest! {
    #[test]
    fn what_was_written_is_read_whatever_the_chunks(
        parts in sent(), sizes in prop::collection::vec(1usize..40, 1..8), crlf: bool, device: bool,
    ) {
        // The boundary has a letter no body uses in full, so no body holds a delimiter.
        let (edge, delimiter) = if device { ("--bQzQ", "--bQzQ") } else { ("bQzQ", "--bQzQ") };
        let eol = if crlf { "\r\n" } else { "\n" };
        let (read, end) = parse(edge, &write(&parts, eol, delimiter), &sizes);
        prop_assert_eq!(end, Ok(true));
        let expected: Vec<&[u8]> = parts.iter().map(|part| &part.body[..]).collect();
        let read: Vec<&[u8]> = read.iter().map(|part| &part.body[..]).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_bytes_read_the_same_whatever_the_chunks(
        pieces in prop::collection::vec(prop_oneof![
            Just(&b"--b"[..]), Just(&b"\r\n"[..]), Just(&b"\n"[..]), Just(&b"--"[..]), Just(&b"\r"[..]), Just(&b" "[..]),
            Just(&b"Content-Length: 3\r\n\r\n"[..]), Just(&b"a: b\n\n"[..]), Just(&b"xyz"[..]), Just(&b"\r\n--b\r\n"[..]),
        ], 0..30),
        sizes in prop::collection::vec(1usize..9, 1..8),
    ) {
        let bytes = pieces.concat();
        for edge in ["b", "--b"] {
            prop_assert_eq!(parse(edge, &bytes, &sizes), parse(edge, &bytes, &[usize::MAX]));
        }
    }
}

#[test]
fn one_byte_chunks_of_a_large_body_cost_linear_time() {
    // Quadratic search would take 10^11 steps here and never end.
    let limits = Limits::parts_up_to(400_000);
    let mut parser = Parser::new("b", limits);
    parser.push(Bytes::from_static(b"--b\r\n\r\n"));
    for _ in 0..300_000 {
        parser.push(Bytes::from_static(b"\n"));
        assert_eq!(parser.next(), Ok(None));
    }
    parser.push(Bytes::from_static(b"\r\n--b\r\n"));
    assert_eq!(parser.next().unwrap().unwrap().body.len(), 300_000);
}
