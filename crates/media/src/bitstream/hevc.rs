//! HEVC (ITU-T H.265): NAL unit types and the sequence parameter set as far as the size.

use super::Size;
use super::bits::{Bits, unescaped};

pub(crate) const VPS: u8 = 32;
pub(crate) const SPS: u8 = 33;
pub(crate) const PPS: u8 = 34;

const MOST: usize = 1024;

pub(crate) fn kind(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// Whether a NAL unit type is a picture where decoding can start (IRAP, table 7-1).
pub(crate) fn random_access(kind: u8) -> bool {
    (16..=21).contains(&kind)
}

/// Size in a sequence parameter set (7.3.2.2.1).
pub(crate) fn sps(unit: &[u8]) -> Option<Size> {
    let rbsp = unescaped(unit, MOST);
    let mut bits = Bits::new(rbsp.get(2..)?);
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    bits.bit()?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.ue()?; // id
    let chroma = bits.ue().filter(|chroma| *chroma < 4)?;
    if chroma == 3 {
        bits.bit()?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let [left, right, top, bottom] =
        if bits.bit()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };
    let (sub_width, sub_height) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let cropped =
        |side: u32, a: u32, b: u32, unit: u32| side.checked_sub(a.checked_add(b)?.checked_mul(unit)?);
    Size::new(cropped(width, left, right, sub_width)?, cropped(height, top, bottom, sub_height)?)
}

/// 7.3.3: 88 bits and a level for the whole, then the same for each sub-layer that says so.
fn skip_profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut skip = 0;
    for _ in 0..sub_layers {
        skip += if bits.bit()? { 88 } else { 0 };
        skip += if bits.bit()? { 8 } else { 0 };
    }
    if sub_layers > 0 {
        for _ in sub_layers..8 {
            bits.skip(2)?;
        }
    }
    bits.skip(skip)
}
