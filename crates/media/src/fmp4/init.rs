//! The head of a file: `ftyp` and `moov`.
//!
//! Called by `writer` once a file. Pure. `moov` has no samples; they are all in fragments.

use super::boxes::{Durations, MEHD_SIZE, boxed, full_box, u16, u32, u64};
use super::{Codec, Track};
use crate::time::TIMESCALE;
use pixels::Matrix;

/// Seconds from 1904, where ISO base media counts from, to 1970.
pub(crate) const EPOCH: u64 = 2_082_844_800;
/// 1.0 in 16.16 fixed point.
pub(crate) const ONE: u32 = 0x1_0000;
/// The code in primaries, transfer and matrix alike (ISO/IEC 23091-2, tables 2 to 4): of BT.601, that for 525 lines.
///
/// JPEG means the matrix of BT.601 and says nothing of primaries; with 6 there, players take the same path as
/// for any standard-definition video and none converts the gamut.
const fn code(matrix: Matrix) -> u16 {
    match matrix {
        Matrix::Bt601 => 6,
        Matrix::Bt709 => 1,
    }
}

/// `ftyp` and `moov` for `track`, and where its durations stand.
pub(super) fn write(track: &Track) -> (Vec<u8>, Durations) {
    let mut out = Vec::with_capacity(1024);
    let out = &mut out;
    let mut durations = Durations::default();
    boxed(out, b"ftyp", |out| {
        out.extend(b"iso6");
        u32(out, 0);
        out.extend(b"iso6iso5isommp41");
        if matches!(track.codec, Codec::H264 { .. }) {
            out.extend(b"avc1");
        }
    });
    boxed(out, b"moov", |out| {
        full_box(out, b"mvhd", 1, 0, |out| {
            times(out, track);
            u32(out, TIMESCALE);
            durations.fields[0] = duration(out);
            u32(out, ONE); // rate
            u16(out, 0x100); // volume
            out.extend([0; 10]);
            matrix(out, [[ONE, 0], [0, ONE]], [0, 0]);
            out.extend([0; 24]);
            u32(out, 2); // next track
        });
        boxed(out, b"trak", |out| {
            // Enabled, in the movie.
            full_box(out, b"tkhd", 1, 0b11, |out| {
                times(out, track);
                u32(out, 1); // track
                u32(out, 0);
                durations.fields[1] = duration(out);
                out.extend([0; 16]); // reserved, layer, group, volume
                rotation(out, track);
                u32(out, u32::from(track.width) << 16);
                u32(out, u32::from(track.height) << 16);
            });
            boxed(out, b"mdia", |out| durations.fields[2] = media(out, track));
        });
        boxed(out, b"mvex", |out| {
            durations.mehd = out.len() as u64;
            boxed(out, b"free", |out| out.extend([0; MEHD_SIZE - 8]));
            full_box(out, b"trex", 0, 0, |out| {
                u32(out, 1); // track
                u32(out, 1); // sample description
                out.extend([0; 12]);
            });
        });
    });
    (std::mem::take(out), durations)
}

fn times(out: &mut Vec<u8>, track: &Track) {
    let created = track.created.saturating_add(EPOCH);
    u64(out, created);
    u64(out, created);
}

/// A duration to be patched; gives its offset.
fn duration(out: &mut Vec<u8>) -> u64 {
    u64(out, 0);
    out.len() as u64 - 8
}

/// The content of `mdia`; gives the offset of `mdhd`'s duration.
fn media(out: &mut Vec<u8>, track: &Track) -> u64 {
    let mut at = 0;
    full_box(out, b"mdhd", 1, 0, |out| {
        times(out, track);
        u32(out, TIMESCALE);
        at = duration(out);
        u16(out, 0x55C4); // language "und", three letters of five bits
        u16(out, 0);
    });
    full_box(out, b"hdlr", 0, 0, |out| {
        u32(out, 0);
        out.extend(b"vide");
        out.extend([0; 12]);
        out.extend(b"video\0");
    });
    boxed(out, b"minf", |out| {
        full_box(out, b"vmhd", 0, 1, |out| out.extend([0; 8]));
        boxed(out, b"dinf", |out| {
            full_box(out, b"dref", 0, 0, |out| {
                u32(out, 1);
                full_box(out, b"url ", 0, 1, |_| {}); // in this file
            });
        });
        boxed(out, b"stbl", |out| {
            full_box(out, b"stsd", 0, 0, |out| {
                u32(out, 1);
                sample_entry(out, track);
            });
            full_box(out, b"stts", 0, 0, |out| u32(out, 0));
            full_box(out, b"stsc", 0, 0, |out| u32(out, 0));
            full_box(out, b"stsz", 0, 0, |out| out.extend([0; 8]));
            full_box(out, b"stco", 0, 0, |out| u32(out, 0));
        });
    });
    at
}

fn sample_entry(out: &mut Vec<u8>, track: &Track) {
    let kind = match track.codec {
        Codec::H264 { .. } => b"avc1",
        Codec::Mpeg4 { .. } | Codec::Mjpeg => b"mp4v",
    };
    boxed(out, kind, |out| {
        out.extend([0; 6]);
        u16(out, 1); // data reference
        out.extend([0; 16]);
        u16(out, track.width);
        u16(out, track.height);
        u32(out, 72 * ONE); // dots per inch, as everyone writes
        u32(out, 72 * ONE);
        u32(out, 0);
        u16(out, 1); // pictures in a sample
        out.extend([0; 32]); // compressor name
        u16(out, 24); // depth
        u16(out, 0xFFFF);
        match &track.codec {
            Codec::H264 { avcc } => boxed(out, b"avcC", |out| out.extend(avcc)),
            Codec::Mpeg4 { esds_config } => esds(out, 0x20, esds_config),
            Codec::Mjpeg => esds(out, 0x6C, &[]),
        }
        boxed(out, b"colr", |out| {
            out.extend(b"nclx");
            (0..3).for_each(|_| u16(out, code(track.matrix)));
            out.push(u8::from(track.full_range) << 7);
        });
        boxed(out, b"pasp", |out| {
            u32(out, 1);
            u32(out, 1);
        });
    });
}

/// The elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5) of a visual stream.
fn esds(out: &mut Vec<u8>, object_type: u8, config: &[u8]) {
    full_box(out, b"esds", 0, 0, |out| {
        let specific = |out: &mut Vec<u8>| {
            if !config.is_empty() {
                descriptor(out, 5, |out| out.extend(config));
            }
        };
        descriptor(out, 3, |out| {
            u16(out, 1);
            out.push(0);
            descriptor(out, 4, |out| {
                out.push(object_type);
                out.push(0x11); // visual stream, reserved bit set
                out.extend([0; 11]); // buffer size and bit rates: unknown
                specific(out);
            });
            descriptor(out, 6, |out| out.push(2)); // the sync layer MP4 files use
        });
    });
}

/// A descriptor with its length in four bytes of seven bits, the form every reader takes.
pub(crate) fn descriptor(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    content(&mut inner);
    out.push(tag);
    for shift in [21, 14, 7, 0] {
        let bits = u8::try_from(inner.len() >> shift & 0x7F).expect("seven bits");
        out.push(if shift == 0 { bits } else { bits | 0x80 });
    }
    out.extend(inner);
}

fn rotation(out: &mut Vec<u8>, track: &Track) {
    let minus = ONE.wrapping_neg();
    let (width, height) = (u32::from(track.width) << 16, u32::from(track.height) << 16);
    match track.rotation {
        90 => matrix(out, [[0, ONE], [minus, 0]], [height, 0]),
        180 => matrix(out, [[minus, 0], [0, minus]], [width, height]),
        270 => matrix(out, [[0, minus], [ONE, 0]], [0, width]),
        _ => matrix(out, [[ONE, 0], [0, ONE]], [0, 0]),
    }
}

/// The 3×3 matrix of `mvhd` and `tkhd`: two rows that turn, then the shift, all 16.16 but the last column
/// (2.30).
pub(crate) fn matrix(out: &mut Vec<u8>, [[a, b], [c, d]]: [[u32; 2]; 2], [x, y]: [u32; 2]) {
    for value in [a, b, 0, c, d, 0, x, y, 1 << 30] {
        u32(out, value);
    }
}
