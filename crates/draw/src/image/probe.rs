//! What an image file says of itself, found without decoding a pixel.
//!
//! Called for every upload and before anything is decoded: kind, size, frames and their times, and whether the file is
//! all there. It walks over chunks and blocks and trusts no length; the decoders see only what has passed here.

use super::riff;
use crate::{Error, MAX_PIXELS, MAX_SIDE};

/// Most frames of an animation.
pub const MAX_FRAMES: usize = 10_000;
/// Longest an image file may be, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// How long a frame stays that asks for no time at all, in ms: what browsers do.
const UNSAID: u32 = 100;
/// Frames that want to be gone sooner than this (ms) get [`UNSAID`], as in browsers.
const SHORTEST: u32 = 11;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PNG, and APNG if it has frames.
    Png,
    Jpeg,
    Gif,
    WebP,
    Svg,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
            Self::Svg => "SVG",
        })
    }
}

/// What is known of an image before it is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub kind: Kind,
    /// As shown, after the EXIF orientation of a JPEG; of an SVG the size it asks for, rounded up.
    pub width: u32,
    pub height: u32,
    /// How long each frame stays, in ms; empty for what does not move.
    pub delays: Vec<u32>,
    /// How often the frames are shown; 0 is for ever.
    pub plays: u32,
}

impl Probe {
    /// Whether there is more than one frame.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.delays.len() > 1
    }

    /// How long all frames take once, in ms; 0 for what does not move.
    #[must_use]
    pub fn duration(&self) -> u64 {
        if self.moves() { self.delays.iter().map(|&delay| u64::from(delay)).sum() } else { 0 }
    }

    pub(super) fn new(kind: Kind, width: u32, height: u32) -> Result<Self, Error> {
        if width == 0 || height == 0 {
            return Err(Error::damaged(kind, "it has no pixels"));
        }
        if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(Error::TooManyPixels { kind, width, height });
        }
        Ok(Self { kind, width, height, delays: Vec::new(), plays: 0 })
    }

    /// Notes a frame that stays for `numerator / denominator` seconds.
    pub(super) fn frame(&mut self, numerator: u32, denominator: u32) -> Result<(), Error> {
        if self.delays.len() == MAX_FRAMES {
            return Err(Error::TooManyFrames(self.kind));
        }
        let ms = u64::from(numerator) * 1000 / u64::from(denominator.max(1));
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        self.delays.push(if ms < SHORTEST { UNSAID } else { ms });
        Ok(())
    }
}

/// Looks at an image file.
///
/// # Errors
/// What the file is not, or lacks, in words for whoever sent it: no image of a kind that is taken, too large, cut short,
/// damaged, forbidden.
pub fn probe(bytes: &[u8]) -> Result<Probe, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooManyBytes { what: "image", bytes: bytes.len(), most: MAX_BYTES });
    }
    match kind_of(bytes)? {
        Kind::Png => png(bytes),
        Kind::Gif => gif(bytes),
        Kind::WebP => riff::webp(bytes),
        Kind::Svg => super::svg::probe(bytes),
        Kind::Jpeg => {
            let header = super::jpeg::inspect(bytes)?;
            let (width, height) = header.shown_size();
            Probe::new(Kind::Jpeg, width.into(), height.into())
        }
    }
}

/// What the first bytes are the beginning of.
fn kind_of(bytes: &[u8]) -> Result<Kind, Error> {
    const SVG_WITHIN: usize = 4096;
    Ok(match bytes {
        [] => return Err(Error::Empty),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Kind::Png,
        [0xff, 0xd8, 0xff, ..] => Kind::Jpeg,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Kind::Gif,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Kind::WebP,
        _ => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
            let head = &text[..text.len().min(SVG_WITHIN)];
            if head.first() == Some(&b'<') && head.windows(4).any(|word| word == b"<svg") {
                Kind::Svg
            } else {
                return Err(Error::UnknownImage);
            }
        }
    })
}

/// PNG (ISO/IEC 15948, 5.3) and its animation chunks (PNG third edition, 11.3.2).
fn png(bytes: &[u8]) -> Result<Probe, Error> {
    let kind = Kind::Png;
    let mut at = 8;
    let mut found: Option<Probe> = None;
    let (mut animated, mut pixels) = (false, false);
    loop {
        let head = bytes.get(at..at + 8).ok_or(Error::CutShort(kind))?;
        let length = u32_be(head, 0) as usize;
        let end = at.checked_add(12).and_then(|end| end.checked_add(length)).ok_or(Error::CutShort(kind))?;
        let data = bytes.get(at + 8..end - 4).ok_or(Error::CutShort(kind))?;
        if end > bytes.len() {
            return Err(Error::CutShort(kind));
        }
        at = end;
        let name = &head[4..8];
        let Some(probe) = &mut found else {
            if name != b"IHDR" || data.len() != 13 {
                return Err(Error::damaged(kind, "it does not begin with its header"));
            }
            found = Some(Probe::new(kind, u32_be(data, 0), u32_be(data, 4))?);
            continue;
        };
        match name {
            b"acTL" if data.len() == 8 && !pixels => {
                animated = true;
                probe.plays = u32_be(data, 4);
            }
            b"fcTL" if data.len() == 26 && animated => {
                let (over, under) = (u16_be(data, 20), u16_be(data, 22));
                probe.frame(over.into(), if under == 0 { 100 } else { under.into() })?;
            }
            b"IDAT" => pixels = true,
            b"IEND" if pixels => return Ok(found.expect("the header came first")),
            b"IEND" => return Err(Error::damaged(kind, "it has no picture")),
            _ => {}
        }
    }
}

/// GIF89a, sections 17 to 27.
fn gif(bytes: &[u8]) -> Result<Probe, Error> {
    let kind = Kind::Gif;
    let cut = Error::CutShort(kind);
    let head = bytes.get(..13).ok_or(cut.clone())?;
    let mut probe = Probe::new(kind, u16_le(head, 6).into(), u16_le(head, 8).into())?;
    probe.plays = 1;
    let mut at = 13 + colours(head[10]);
    let mut delay = 0;
    loop {
        match bytes.get(at).ok_or(cut.clone())? {
            0x3b if probe.delays.is_empty() => return Err(Error::damaged(kind, "it has no picture")),
            0x3b => return Ok(probe),
            0x21 => {
                let label = *bytes.get(at + 1).ok_or(cut.clone())?;
                let body = bytes.get(at + 2..).ok_or(cut.clone())?;
                match label {
                    0xf9 if body.len() >= 5 && body[0] == 4 => delay = u16_le(body, 2).into(),
                    0xff if body.starts_with(b"\x0bNETSCAPE2.0\x03\x01") && body.len() >= 16 => {
                        let again = u16_le(body, 14);
                        probe.plays = if again == 0 { 0 } else { u32::from(again) + 1 };
                    }
                    _ => {}
                }
                at = sub_blocks(bytes, at + 2).ok_or(cut.clone())?;
            }
            0x2c => {
                let packed = *bytes.get(at + 9).ok_or(cut.clone())?;
                // The descriptor, its colours, then the code size before the coded pixels.
                at = sub_blocks(bytes, at + 10 + colours(packed) + 1).ok_or(cut.clone())?;
                probe.frame(std::mem::take(&mut delay), 100)?;
            }
            _ => return Err(Error::damaged(kind, "there is something between its blocks")),
        }
    }
}

/// Bytes of the colour table that `packed` announces.
fn colours(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

/// Where the chain of sub-blocks that begins at `at` ends.
fn sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

fn u16_be(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u16_le(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
