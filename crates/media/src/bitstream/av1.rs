//! AV1 (AV1 Bitstream & Decoding Process Specification): OBUs, the sequence header and the start of frame headers.

use super::Size;
use super::bits::Bits;

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// What a temporal unit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) size: Option<Size>,
    /// Its first frame is a shown key frame.
    pub(crate) keyframe: bool,
}

/// Looks at a temporal unit in the low-overhead format (5.2); `None` if its lengths don't add up.
///
/// `known` is the size by a sequence header that came before, in the container's header.
pub(crate) fn look(mut bytes: &[u8], known: Option<Size>) -> Option<Unit> {
    let mut unit = Unit { size: known, keyframe: false };
    let mut frames = 0;
    let mut reduced = false;
    while let Some((&header, rest)) = bytes.split_first() {
        let kind = header >> 3 & 0xf;
        if header & 0x80 != 0 {
            return None;
        }
        let rest = if header & 4 != 0 { rest.get(1..)? } else { rest };
        let (payload, after) = if header & 2 != 0 {
            let (length, rest) = leb128(rest)?;
            rest.split_at_checked(length)?
        } else {
            (rest, &[][..])
        };
        match kind {
            SEQUENCE_HEADER => {
                let (size, still) = sequence_header(payload)?;
                (unit.size, reduced) = (Some(size), still);
            }
            FRAME | FRAME_HEADER => {
                if frames == 0 {
                    unit.keyframe = reduced || starts_shown_key_frame(payload)?;
                }
                frames += 1;
            }
            _ => {}
        }
        bytes = after;
    }
    Some(unit)
}

/// show_existing_frame, frame_type and show_frame (5.9.2).
fn starts_shown_key_frame(frame: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(frame);
    let existing = bits.bit()?;
    let kind = bits.bits(2)?;
    Some(!existing && kind == 0 && bits.bit()?)
}

/// A number of at most 32 bits (4.10.5), and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, &bytes[i + 1..]));
        }
    }
    None
}

/// Largest frame size, and whether all frames are still pictures with the short header (5.5.1).
fn sequence_header(payload: &[u8]) -> Option<(Size, bool)> {
    let mut bits = Bits::new(payload);
    bits.skip(3)?; // profile
    bits.bit()?; // still picture
    let reduced = bits.bit()?;
    if reduced {
        bits.skip(5)?;
    } else {
        skip_timing_and_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let (width, height) = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    Some((Size::new(width, height)?, reduced))
}

fn skip_timing_and_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            bits.ue()?; // uvlc() is the same code
        }
        if bits.bit()? {
            delay_bits = Some(bits.bits(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = bits.bit()?;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?;
        if bits.bits(5)? > 7 {
            bits.bit()?;
        }
        if let Some(count) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * usize::try_from(count).ok()? + 1)?;
        }
        if display_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(())
}
