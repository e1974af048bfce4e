//! Fragmented MP4 (ISO/IEC 14496-12) with a picture track and a sound track: its head, and fragments of packets.
//!
//! Called by the file outlet and the segmenter. Pure. The single-track file of recordings is [`crate::fmp4`], whose boxes these
//! are. Pictures are timed in ticks, sound in samples: both exact.

use super::{Packet, PictureTrack, RATE, SoundCodec, SoundTrack, TICKS, Tracks, VideoCodec, rescale};
use crate::fmp4::boxes::{MEHD_SIZE, boxed, full_box, u16, u32, u64, write_mehd};
use crate::fmp4::init::{ONE, descriptor, matrix};
use crate::fmp4::writer::{KEYFRAME, NOT_KEYFRAME};

const PICTURE: u32 = 1;
const SOUND: u32 = 2;

/// `ftyp` and `moov`, and where their durations stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    /// Offset of a duration in 64 bits, and what a second is there.
    durations: Vec<(u64, u32)>,
    mehd: u64,
}

/// # Errors
/// What MP4 is not written with.
pub(super) fn head(tracks: &Tracks) -> Result<Head, &'static str> {
    if tracks.picture.codec != VideoCodec::H264 {
        return Err("MP4 is written with H.264");
    }
    let mut head = Head::default();
    let mut bytes = Vec::with_capacity(1500);
    let out = &mut bytes;
    boxed(out, b"ftyp", |out| {
        out.extend(b"iso6");
        u32(out, 0);
        out.extend(b"iso6iso5isommp41avc1");
    });
    boxed(out, b"moov", |out| {
        full_box(out, b"mvhd", 1, 0, |out| {
            out.extend([0; 16]);
            u32(out, TICKS);
            duration(out, &mut head, TICKS);
            u32(out, ONE); // rate
            u16(out, 0x100); // volume
            out.extend([0; 10]);
            matrix(out, [[ONE, 0], [0, ONE]], [0, 0]);
            out.extend([0; 24]);
            u32(out, 3); // next track
        });
        let picture = &tracks.picture;
        trak(out, &mut head, PICTURE, [picture.width, picture.height], |out| picture_entry(out, picture));
        if let Some(sound) = &tracks.sound {
            trak(out, &mut head, SOUND, [0, 0], |out| sound_entry(out, sound));
        }
        boxed(out, b"mvex", |out| {
            head.mehd = out.len() as u64;
            boxed(out, b"free", |out| out.extend([0; MEHD_SIZE - 8]));
            for track in [PICTURE, SOUND].into_iter().take(1 + usize::from(tracks.sound.is_some())) {
                full_box(out, b"trex", 0, 0, |out| {
                    u32(out, track);
                    u32(out, 1); // sample description
                    out.extend([0; 12]);
                });
            }
        });
    });
    head.bytes = bytes;
    Ok(head)
}

impl Head {
    /// What makes the durations true once the file lasts that many ticks: offsets and the bytes that belong there.
    pub(super) fn patches(&self, ticks: u64) -> Vec<(u64, Vec<u8>)> {
        let scaled = |second: u32| ticks * u64::from(second) / u64::from(TICKS);
        let mut patches: Vec<_> =
            self.durations.iter().map(|(at, second)| (*at, scaled(*second).to_be_bytes().to_vec())).collect();
        let mut mehd = Vec::new();
        write_mehd(&mut mehd, ticks);
        patches.push((self.mehd, mehd));
        patches
    }
}

/// A duration to be patched.
fn duration(out: &mut Vec<u8>, head: &mut Head, second: u32) {
    head.durations.push((out.len() as u64, second));
    u64(out, 0);
}

fn trak(out: &mut Vec<u8>, head: &mut Head, track: u32, size: [u32; 2], entry: impl FnOnce(&mut Vec<u8>)) {
    let is_sound = track == SOUND;
    boxed(out, b"trak", |out| {
        // Enabled, in the movie.
        full_box(out, b"tkhd", 1, 0b11, |out| {
            out.extend([0; 16]);
            u32(out, track);
            u32(out, 0);
            duration(out, head, TICKS);
            out.extend([0; 12]); // reserved, layer, group
            u16(out, if is_sound { 0x100 } else { 0 }); // volume
            u16(out, 0);
            matrix(out, [[ONE, 0], [0, ONE]], [0, 0]);
            size.into_iter().for_each(|side| u32(out, side << 16));
        });
        boxed(out, b"mdia", |out| {
            let second = if is_sound { RATE } else { TICKS };
            full_box(out, b"mdhd", 1, 0, |out| {
                out.extend([0; 16]);
                u32(out, second);
                duration(out, head, second);
                u16(out, 0x55C4); // language "und", three letters of five bits
                u16(out, 0);
            });
            full_box(out, b"hdlr", 0, 0, |out| {
                u32(out, 0);
                out.extend(if is_sound { b"soun" } else { b"vide" });
                out.extend([0; 12]);
                out.extend(if is_sound { b"sound\0" } else { b"video\0" });
            });
            boxed(out, b"minf", |out| {
                if is_sound {
                    full_box(out, b"smhd", 0, 0, |out| u32(out, 0));
                } else {
                    full_box(out, b"vmhd", 0, 1, |out| out.extend([0; 8]));
                }
                boxed(out, b"dinf", |out| {
                    full_box(out, b"dref", 0, 0, |out| {
                        u32(out, 1);
                        full_box(out, b"url ", 0, 1, |_| {}); // in this file
                    });
                });
                boxed(out, b"stbl", |out| {
                    full_box(out, b"stsd", 0, 0, |out| {
                        u32(out, 1);
                        entry(out);
                    });
                    full_box(out, b"stts", 0, 0, |out| u32(out, 0));
                    full_box(out, b"stsc", 0, 0, |out| u32(out, 0));
                    full_box(out, b"stsz", 0, 0, |out| out.extend([0; 8]));
                    full_box(out, b"stco", 0, 0, |out| u32(out, 0));
                });
            });
        });
    });
}

fn picture_entry(out: &mut Vec<u8>, track: &PictureTrack) {
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    boxed(out, b"avc1", |out| {
        out.extend([0; 6]);
        u16(out, 1); // data reference
        out.extend([0; 16]);
        u16(out, side(track.width));
        u16(out, side(track.height));
        u32(out, 72 * ONE); // dots per inch, as everyone writes
        u32(out, 72 * ONE);
        u32(out, 0);
        u16(out, 1); // pictures in a sample
        out.extend([0; 32]); // compressor name
        u16(out, 24); // depth
        u16(out, 0xFFFF);
        boxed(out, b"avcC", |out| out.extend(&track.config));
        boxed(out, b"colr", |out| {
            out.extend(b"nclx");
            (0..3).for_each(|_| u16(out, 1)); // BT.709
            out.push(0); // limited range
        });
        boxed(out, b"pasp", |out| {
            u32(out, 1);
            u32(out, 1);
        });
    });
}

fn sound_entry(out: &mut Vec<u8>, track: &SoundTrack) {
    let kind = match track.codec {
        SoundCodec::Aac => b"mp4a",
        SoundCodec::Opus => b"Opus",
    };
    boxed(out, kind, |out| {
        out.extend([0; 6]);
        u16(out, 1); // data reference
        out.extend([0; 8]);
        u16(out, 2); // channels
        u16(out, 16); // bits, as everyone writes
        u32(out, 0);
        u32(out, RATE << 16);
        match track.codec {
            SoundCodec::Aac => esds(out, track),
            SoundCodec::Opus => boxed(out, b"dOps", |out| opus(out, &track.config)),
        }
    });
}

/// The elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5) of AAC.
fn esds(out: &mut Vec<u8>, track: &SoundTrack) {
    full_box(out, b"esds", 0, 0, |out| {
        descriptor(out, 3, |out| {
            u16(out, 2);
            out.push(0);
            descriptor(out, 4, |out| {
                out.push(0x40); // AAC
                out.push(0x15); // sound stream, reserved bit set
                out.extend([0; 3]); // buffer size: unknown
                u32(out, track.kbps.saturating_mul(1000));
                u32(out, track.kbps.saturating_mul(1000));
                descriptor(out, 5, |out| out.extend(&track.config));
            });
            descriptor(out, 6, |out| out.push(2)); // the sync layer MP4 files use
        });
    });
}

/// What `dOps` says, from an `OpusHead` (RFC 7845, 5.1) of two channels in mapping family 0: the same numbers, the highest byte
/// first.
fn opus(out: &mut Vec<u8>, head: &[u8]) {
    let byte = |at: usize| head.get(at).copied().unwrap_or(0);
    out.extend([0, 2, byte(11), byte(10), byte(15), byte(14), byte(13), byte(12), byte(17), byte(16), 0]);
}

/// `moof` and `mdat` of packets in their order, whose times count from `base`; none may be before it.
pub(super) fn fragment(sequence: u32, base: i64, pictures: &[Packet], sounds: &[Packet]) -> Vec<u8> {
    let payload: usize = pictures.iter().chain(sounds).map(|packet| packet.data.len()).sum();
    let mut out = Vec::with_capacity(256 + 16 * (pictures.len() + sounds.len()) + payload);
    let mut offsets = Vec::with_capacity(2);
    boxed(&mut out, b"moof", |out| {
        full_box(out, b"mfhd", 0, 0, |out| u32(out, sequence));
        for (track, packets, second) in [(PICTURE, pictures, TICKS), (SOUND, sounds, RATE)] {
            if !packets.is_empty() {
                offsets.push((traf(out, base, track, packets, second), packets));
            }
        }
    });
    let mut at = out.len() + 8;
    for (offset, packets) in offsets {
        let place = u32::try_from(at).expect("a fragment is far below 4 GiB");
        out[offset..offset + 4].copy_from_slice(&place.to_be_bytes());
        at += packets.iter().map(|packet| packet.data.len()).sum::<usize>();
    }
    u32(&mut out, u32::try_from(payload + 8).expect("a fragment is far below 4 GiB"));
    out.extend(b"mdat");
    for packet in pictures.iter().chain(sounds) {
        out.extend_from_slice(&packet.data);
    }
    out
}

/// One track's part of a `moof`; gives where the offset of its data stands.
fn traf(out: &mut Vec<u8>, base: i64, track: u32, packets: &[Packet], second: u32) -> usize {
    let mut offset = 0;
    let time =
        |ticks: i64| rescale(ticks.saturating_sub(base).max(0), second.into(), TICKS.into()).cast_unsigned();
    boxed(out, b"traf", |out| {
        // Offsets count from this moof.
        full_box(out, b"tfhd", 0, 0x02_0000, |out| u32(out, track));
        full_box(out, b"tfdt", 1, 0, |out| u64(out, time(packets[0].pts)));
        // Data offset, then duration, size and flags of each sample.
        full_box(out, b"trun", 0, 0x701, |out| {
            u32(out, u32::try_from(packets.len()).expect("a fragment has few samples"));
            offset = out.len();
            u32(out, 0);
            for (n, packet) in packets.iter().enumerate() {
                let end = packets.get(n + 1).map_or(packet.pts + i64::from(packet.duration), |next| next.pts);
                let length = time(end).saturating_sub(time(packet.pts));
                u32(out, u32::try_from(length).unwrap_or(u32::MAX));
                u32(out, u32::try_from(packet.data.len()).expect("a coded picture is megabytes at most"));
                u32(out, if packet.keyframe { KEYFRAME } else { NOT_KEYFRAME });
            }
        });
    });
    offset
}
