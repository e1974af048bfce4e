//! H.264 (ITU-T H.264): sequence and picture parameter sets and the first fields of slice headers.

use super::Size;
use super::bits::{Bits, unescaped};

pub(crate) const IDR: u8 = 5;
pub(crate) const SPS: u8 = 7;
pub(crate) const PPS: u8 = 8;
pub(crate) const AUD: u8 = 9;

/// Bytes of a parameter set we look at.
const MOST: usize = 1024;
/// Bytes of a slice NAL unit that surely hold what [`Sets::slice`] reads.
pub(crate) const SLICE_HEAD: usize = 32;

pub(crate) fn kind(header: u8) -> u8 {
    header & 0x1f
}

/// A sequence parameter set (7.3.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sps {
    id: u32,
    pub(crate) size: Size,
    separate_planes: bool,
    frame_num_bits: u32,
    frames_only: bool,
}

/// What tells one picture's slices from the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// It is the first of its picture, as far as it says itself.
    pub(crate) first: bool,
    pub(crate) size: Size,
    pub(crate) frame_num: u32,
    /// In pictures of one field: whether it is the bottom one.
    pub(crate) field: Option<bool>,
}

/// The parameter sets seen so far: at most 32 and 256.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    sequence: Vec<Sps>,
    /// Id, and id of its sequence parameter set.
    picture: Vec<(u32, u32)>,
}

impl Sets {
    /// Takes a NAL unit if it is a whole parameter set that can be read.
    pub(crate) fn take(&mut self, unit: &[u8]) {
        match unit.first().map(|&header| kind(header)) {
            Some(SPS) => {
                if let Some(sps) = sps(unit) {
                    self.sequence.retain(|other| other.id != sps.id);
                    self.sequence.push(sps);
                }
            }
            Some(PPS) => {
                if let Some(pps) = pps(unit) {
                    self.picture.retain(|other| other.0 != pps.0);
                    self.picture.push(pps);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn size(&self) -> Option<Size> {
        self.sequence.last().map(|sps| sps.size)
    }

    /// The head of a slice NAL unit; `None` if it is cut off or refers to parameter sets that were not seen.
    pub(crate) fn slice(&self, unit: &[u8]) -> Option<Slice> {
        let head = unescaped(unit, SLICE_HEAD);
        let mut bits = Bits::new(head.get(1..)?);
        let first_macroblock = bits.ue()?;
        bits.ue()?; // slice_type
        let picture = bits.ue()?;
        let sequence = self.picture.iter().find(|pps| pps.0 == picture)?.1;
        let sps = self.sequence.iter().find(|sps| sps.id == sequence)?;
        let plane = if sps.separate_planes { bits.bits(2)? } else { 0 };
        let frame_num = bits.bits(sps.frame_num_bits)?;
        let field = if !sps.frames_only && bits.bit()? { Some(bits.bit()?) } else { None };
        Some(Slice { first: first_macroblock == 0 && plane == 0, size: sps.size, frame_num, field })
    }
}

pub(crate) fn sps(unit: &[u8]) -> Option<Sps> {
    let rbsp = unescaped(unit, MOST);
    let mut bits = Bits::new(rbsp.get(1..)?);
    let profile = bits.bits(8)?;
    bits.skip(16)?; // constraints, level
    let id = bits.ue().filter(|id| *id < 32)?;
    let mut chroma = 1;
    let mut separate_planes = false;
    if matches!(profile, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244) {
        chroma = bits.ue().filter(|chroma| *chroma < 4)?;
        separate_planes = chroma == 3 && bits.bit()?;
        bits.ue()?; // luma depth
        bits.ue()?; // chroma depth
        bits.bit()?;
        if bits.bit()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let frame_num_bits = bits.ue().filter(|bits| *bits <= 12)? + 4;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue().filter(|count| *count < 256)? {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?; // reference frames
    bits.bit()?;
    let columns = bits.ue()?.checked_add(1)?;
    let rows = bits.ue()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.bit()?;
    }
    bits.bit()?;
    let fields = if frames_only { 1 } else { 2 };
    let (width, height) = (columns.checked_mul(16)?, rows.checked_mul(16)?.checked_mul(fields)?);
    let [left, right, top, bottom] =
        if bits.bit()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };
    // CropUnitX and CropUnitY (7-19 to 7-22).
    let (sub_width, sub_height) = match chroma {
        _ if separate_planes => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let cropped =
        |side: u32, a: u32, b: u32, unit: u32| side.checked_sub(a.checked_add(b)?.checked_mul(unit)?);
    let size = Size::new(
        cropped(width, left, right, sub_width)?,
        cropped(height, top, bottom, sub_height * fields)?,
    )?;
    Some(Sps { id, size, separate_planes, frame_num_bits, frames_only })
}

fn skip_scaling_list(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..entries {
        if next != 0 {
            next = (last + bits.se()?.clamp(-128, 127) + 256) % 256;
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Id of a picture parameter set and of the sequence parameter set it refers to.
fn pps(unit: &[u8]) -> Option<(u32, u32)> {
    let rbsp = unescaped(unit, 16);
    let mut bits = Bits::new(rbsp.get(1..)?);
    let id = bits.ue().filter(|id| *id < 256)?;
    Some((id, bits.ue().filter(|id| *id < 32)?))
}
