//! Box writing: big-endian numbers, nesting, and the three boxes both ends share (`mfra` and the duration
//! patches).
//!
//! Called by `init`, `writer` and `reader`. Pure.

use super::{Entry, Finish};

/// A box `kind` around what `content` writes.
///
/// # Panics
/// If the box reaches 4 GiB; only `mdat` could, and it isn't written with this.
pub(crate) fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    content(out);
    let size = u32::try_from(out.len() - start).expect("header boxes are kilobytes");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// A box with version and flags (a FullBox).
pub(crate) fn full_box(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    content: impl FnOnce(&mut Vec<u8>),
) {
    boxed(out, kind, |out| {
        u32(out, u32::from(version) << 24 | flags);
        content(out);
    });
}

pub(crate) fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

pub(crate) fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

pub(crate) fn u64(out: &mut Vec<u8>, value: u64) {
    out.extend(value.to_be_bytes());
}

/// Where in a file the durations stand that are known only at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Durations {
    /// Offsets of the 64-bit durations in `mvhd`, `tkhd` and `mdhd`.
    pub(super) fields: [u64; 3],
    /// Offset of the box that is `free` in an open file and `mehd` in a finished one.
    pub(super) mehd: u64,
}

impl Durations {
    /// The patches that say the file lasts `duration` ticks.
    pub(super) fn patches(&self, duration: u64) -> Vec<(u64, Vec<u8>)> {
        let mut patches: Vec<_> =
            self.fields.iter().map(|&at| (at, duration.to_be_bytes().to_vec())).collect();
        let mut mehd = Vec::new();
        write_mehd(&mut mehd, duration);
        patches.push((self.mehd, mehd));
        patches
    }

    /// How a file with these fields is completed after its last fragment.
    pub(super) fn finish(&self, mut tail: Vec<u8>, entries: &[Entry], duration: u64) -> Finish {
        write_mfra(&mut tail, entries);
        Finish { tail, patches: self.patches(duration) }
    }
}

/// Bytes of a `mehd` box of version 1, and of the `free` box that holds its place.
pub(crate) const MEHD_SIZE: usize = 20;

pub(crate) fn write_mehd(out: &mut Vec<u8>, duration: u64) {
    full_box(out, b"mehd", 1, 0, |out| u64(out, duration));
}

/// The index of keyframes at the end of a finished file (ISO/IEC 14496-12, 8.8.9 to 8.8.11), 64-bit
/// throughout.
pub(crate) fn write_mfra(out: &mut Vec<u8>, entries: &[Entry]) {
    let start = out.len();
    boxed(out, b"mfra", |out| {
        full_box(out, b"tfra", 1, 0, |out| {
            u32(out, 1); // track
            u32(out, 0b00_00_11); // 1 byte for the traf number, 1 for the trun number, 4 for the sample number
            u32(out, u32::try_from(entries.len()).unwrap_or(u32::MAX));
            for entry in entries.iter().take(u32::MAX as usize) {
                u64(out, entry.pts);
                u64(out, entry.moof);
                out.extend([1, 1]);
                u32(out, entry.sample);
            }
        });
        let size = u32::try_from(out.len() - start + 16).expect("four billion keyframes take centuries");
        full_box(out, b"mfro", 0, 0, |out| u32(out, size));
    });
}
