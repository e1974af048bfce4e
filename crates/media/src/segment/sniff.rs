//! What a segment's first bytes say it is.

use super::Error;
use crate::ts::{PACKET, SYNC};

/// Bytes before the first packet that we look past.
const MAX_LEAD: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Ts,
    Mp4,
    /// More bytes have to tell.
    Unknown,
}

/// Tells by the bytes so far; `all` when no more will come.
///
/// # Errors
/// When they are nothing that could hold a keyframe.
pub(super) fn sniff(head: &[u8], all: bool) -> Result<Sniffed, Error> {
    if head.is_empty() {
        return if all { Err(Error::Empty) } else { Ok(Sniffed::Unknown) };
    }
    if let Some(kind) = head.get(4..8)
        && matches!(
            kind,
            b"ftyp"
                | b"styp"
                | b"moov"
                | b"moof"
                | b"sidx"
                | b"ssix"
                | b"emsg"
                | b"prft"
                | b"free"
                | b"skip"
                | b"mdat"
                | b"uuid"
        )
    {
        return Ok(Sniffed::Mp4);
    }
    if let Some(other) = other(head) {
        return Err(other);
    }
    if head[0] == SYNC && (head.get(PACKET) == Some(&SYNC) || all && head.len() <= PACKET) {
        return Ok(Sniffed::Ts);
    }
    let grid = |at: usize| (0..3).all(|i| head.get(at + i * PACKET) == Some(&SYNC));
    if (0..head.len().min(MAX_LEAD)).any(grid) {
        return Ok(Sniffed::Ts);
    }
    if all || head.len() >= MAX_LEAD + 2 * PACKET {
        // Too little to be anything is what a cut leaves.
        return Err(if head.len() < 8 && head[0] == 0 {
            Error::CutShort
        } else {
            Error::NotMedia("unknown bytes")
        });
    }
    Ok(Sniffed::Unknown)
}

/// Formats that servers send in a segment's place.
fn other(head: &[u8]) -> Option<Error> {
    let text = head.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    for (start, name) in [
        (&b"\xff\xd8\xff"[..], "an image"),
        (b"\x89PNG", "an image"),
        (b"GIF8", "an image"),
        (b"#EXTM3U", "a playlist"),
        (b"WEBVTT", "subtitles"),
        (b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
        (b"FLV\x01", "FLV"),
        (b"\x1f\x8b", "compressed"),
    ] {
        if text.starts_with(start) {
            return Some(Error::NotMedia(name));
        }
    }
    match text.first()? {
        b'<' => return Some(Error::NotMedia("HTML")),
        b'{' | b'[' => return Some(Error::NotMedia("JSON")),
        _ => {}
    }
    // Sound without a container: AAC or MP3 frames, or the tag before them (RFC 8216, 3.4).
    let bare = matches!(head, [0xff, 0xf0..=0xf1 | 0xf8..=0xfb, ..]) || head.starts_with(b"ID3");
    bare.then_some(Error::NoVideo)
}
