//! The chunks of a WebP file (RFC 9649).
//!
//! Called by `probe`. Decodes nothing; every length is a stranger's.

use super::probe::{Kind, Probe};
use crate::Error;

/// Looks at a WebP, whose first twelve bytes have been seen.
pub(super) fn webp(bytes: &[u8]) -> Result<Probe, Error> {
    let kind = Kind::WebP;
    let said = u64::from(u32_le(bytes, 4)) + 8;
    if said > bytes.len() as u64 {
        return Err(Error::CutShort(kind));
    }
    let bytes = &bytes[..usize::try_from(said).map_err(|_| Error::CutShort(kind))?];
    let mut found: Option<Probe> = None;
    let (mut at, mut pixels) = (12, false);
    while at < bytes.len() {
        let head = bytes.get(at..at + 8).ok_or(Error::CutShort(kind))?;
        let length = u32_le(head, 4) as usize;
        let end = (at + 8).checked_add(length).ok_or(Error::CutShort(kind))?;
        let data = bytes.get(at + 8..end).ok_or(Error::CutShort(kind))?;
        match (&head[..4], &mut found) {
            (b"VP8X", None) if data.len() >= 10 => {
                found = Some(Probe::new(kind, u24_le(data, 4) + 1, u24_le(data, 7) + 1)?);
            }
            (b"VP8 " | b"VP8L", None) => {
                let (width, height) = coded_size(&head[..4], data)?;
                found = Some(Probe::new(kind, width, height)?);
                pixels = true;
            }
            (b"VP8 " | b"VP8L", Some(_)) => pixels = true,
            (b"ANIM", Some(probe)) if data.len() >= 6 => {
                probe.plays = u16::from_le_bytes([data[4], data[5]]).into();
            }
            (b"ANMF", Some(probe)) if data.len() >= 16 => {
                probe.frame(u24_le(data, 12), 1000)?;
                pixels = true;
            }
            (_, Some(_)) => {}
            (_, None) => return Err(Error::damaged(kind, "it does not begin with its header")),
        }
        at = end + (length & 1);
    }
    match found {
        Some(probe) if pixels => Ok(probe),
        _ => Err(Error::damaged(kind, "it has no picture")),
    }
}

/// Width and height at the beginning of a lossy (RFC 6386, 9.1) or lossless (RFC 9649, 3.4) picture.
fn coded_size(name: &[u8], data: &[u8]) -> Result<(u32, u32), Error> {
    let kind = Kind::WebP;
    if name == b"VP8L" {
        let head = data.get(..5).ok_or(Error::CutShort(kind))?;
        let sizes = u32_le(head, 1);
        return match head[0] {
            0x2f => Ok(((sizes & 0x3fff) + 1, ((sizes >> 14) & 0x3fff) + 1)),
            _ => Err(Error::damaged(kind, "its picture does not begin as one")),
        };
    }
    let head = data.get(..10).ok_or(Error::CutShort(kind))?;
    if head[3..6] != [0x9d, 0x01, 0x2a] {
        return Err(Error::damaged(kind, "its picture does not begin as one"));
    }
    let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]) & 0x3fff);
    Ok((side(6), side(8)))
}

fn u24_le(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0])
}

fn u32_le(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
