//! Coded pictures as MP4 and FFmpeg's demuxers give them: whole samples, with the parameter sets in a record of the container.
//!
//! Called by [`crate::segment`] for fragmented MP4 and by [`crate::live`].

use super::{Size, av1, h264, hevc, starts};
use crate::keyframe::Codec;

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Decoding can start with it, by its own bits.
    pub(crate) keyframe: bool,
    pub(crate) size: Option<Size>,
}

/// What the body of an `avcC`, `hvcC` or `av1C` box says (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1; AV1 in ISOBMFF, 2.3.3).
#[derive(Debug)]
pub(crate) enum Config {
    H264 { length_bytes: usize, sets: Vec<Vec<u8>> },
    Hevc { length_bytes: usize, size: Option<Size> },
    Av1 { size: Option<Size> },
}

impl Config {
    /// `None` when the record is not one.
    pub(crate) fn parse(codec: Codec, body: &[u8]) -> Option<Self> {
        match codec {
            Codec::H264 => {
                let (&[1, _, _, _, lengths, count], mut rest) = body.split_first_chunk::<6>()? else {
                    return None;
                };
                let mut sets = Vec::new();
                for _ in 0..count & 0x1f {
                    sets.push(with_length(&mut rest, 2)?.to_vec());
                }
                let (&count, after) = rest.split_first()?;
                rest = after;
                for _ in 0..count {
                    sets.push(with_length(&mut rest, 2)?.to_vec());
                }
                Some(Self::H264 { length_bytes: usize::from(lengths & 3) + 1, sets })
            }
            Codec::Hevc => {
                let (head, mut rest) = body.split_first_chunk::<23>()?;
                if head[0] > 1 {
                    return None;
                }
                let mut size = None;
                for _ in 0..head[22] {
                    let (array, after) = rest.split_first_chunk::<3>()?;
                    rest = after;
                    for _ in 0..u16::from_be_bytes([array[1], array[2]]) {
                        let unit = with_length(&mut rest, 2)?;
                        if array[0] & 0x3f == hevc::SPS {
                            size = size.or(hevc::sps(unit));
                        }
                    }
                }
                Some(Self::Hevc { length_bytes: usize::from(head[21] & 3) + 1, size })
            }
            Codec::Av1 => {
                let (head, obus) = body.split_first_chunk::<4>()?;
                (head[0] == 0x81)
                    .then(|| Self::Av1 { size: av1::look(obus, None).and_then(|unit| unit.size) })
            }
        }
    }

    /// Looks at a sample; `None` if its lengths don't add up.
    pub(crate) fn look(&self, sample: &[u8]) -> Option<Look> {
        match self {
            Self::H264 { length_bytes, sets } => {
                let mut seen = AvcLook::default();
                sets.iter().for_each(|set| seen.take(set));
                each(sample, *length_bytes, |unit| seen.take(unit))?;
                Some(seen.finish())
            }
            Self::Hevc { length_bytes, size } => {
                let mut seen = HevcLook { size: *size, ..HevcLook::default() };
                each(sample, *length_bytes, |unit| seen.take(unit))?;
                Some(seen.finish())
            }
            Self::Av1 { size } => {
                let unit = av1::look(sample, *size)?;
                Some(Look { keyframe: unit.keyframe, size: unit.size })
            }
        }
    }
}

/// Looks at one access unit of a byte stream (AV1: of the low-overhead format), which brings its own parameter sets or comes
/// after `sets`.
pub(crate) fn look_annexb(codec: Codec, sets: &[u8], data: &[u8]) -> Option<Look> {
    match codec {
        Codec::H264 => {
            let mut seen = AvcLook::default();
            starts(sets).chain(starts(data)).for_each(|unit| seen.take(unit));
            Some(seen.finish())
        }
        Codec::Hevc => {
            let mut seen = HevcLook::default();
            starts(sets).chain(starts(data)).for_each(|unit| seen.take(unit));
            Some(seen.finish())
        }
        Codec::Av1 => {
            let known = av1::look(sets, None).and_then(|unit| unit.size);
            let unit = av1::look(data, known)?;
            Some(Look { keyframe: unit.keyframe, size: unit.size })
        }
    }
}

/// Whether a piece of a byte stream begins a picture, rather than bringing more of the one before or no picture at all: by the
/// first slice's place (H.264 7.3.3, HEVC 7.3.6.1).
pub(crate) fn begins_picture(codec: Codec, data: &[u8]) -> bool {
    let first = |unit: &[u8]| match (codec, unit) {
        // The number of the slice's first block, zero being a single one.
        (Codec::H264, [header, place, ..]) if matches!(h264::kind(*header), 1 | 2 | h264::IDR) => {
            Some(*place)
        }
        (Codec::Hevc, [header, _, place, ..]) if hevc::kind(*header) < hevc::VPS => Some(*place),
        _ => None,
    };
    codec == Codec::Av1 || starts(data).find_map(first).is_some_and(|place| place & 0x80 != 0)
}

/// Splits off what follows its length in `bytes` bytes.
fn with_length<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(bytes)?;
    let length = length.iter().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
    let (unit, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(unit)
}

fn each(mut sample: &[u8], length_bytes: usize, mut take: impl FnMut(&[u8])) -> Option<()> {
    while !sample.is_empty() {
        take(with_length(&mut sample, length_bytes)?);
    }
    Some(())
}

#[derive(Default)]
struct AvcLook {
    sets: h264::Sets,
    /// Of the first slice: whether it is one of an IDR picture, and its picture's size.
    first: Option<(bool, Option<Size>)>,
}

impl AvcLook {
    fn take(&mut self, unit: &[u8]) {
        let Some(&header) = unit.first() else { return };
        match h264::kind(header) {
            h264::SPS | h264::PPS => self.sets.take(unit),
            kind @ (1 | 2 | h264::IDR) if self.first.is_none() => {
                let slice = self.sets.slice(unit);
                let idr = kind == h264::IDR && slice.is_some_and(|slice| slice.first);
                self.first = Some((idr, slice.map(|slice| slice.size)));
            }
            _ => {}
        }
    }

    fn finish(self) -> Look {
        let (keyframe, size) = self.first.unwrap_or((false, None));
        Look { keyframe, size: size.or(self.sets.size()) }
    }
}

#[derive(Default)]
struct HevcLook {
    size: Option<Size>,
    keyframe: Option<bool>,
}

impl HevcLook {
    fn take(&mut self, unit: &[u8]) {
        let [header, layer, rest @ ..] = unit else { return };
        if header & 1 != 0 || layer >> 3 != 0 {
            return;
        }
        match hevc::kind(*header) {
            hevc::SPS => self.size = hevc::sps(unit).or(self.size),
            kind @ 0..=31 if self.keyframe.is_none() => {
                let first = rest.first().is_some_and(|byte| byte & 0x80 != 0);
                self.keyframe = Some(first && hevc::random_access(kind));
            }
            _ => {}
        }
    }

    fn finish(self) -> Look {
        Look { keyframe: self.keyframe == Some(true), size: self.size }
    }
}
