//! H.264 from start codes (ITU-T H.264 Annex B) to lengths (ISO/IEC 14496-15), and its configuration record.

use bytes::Bytes;
use memchr::memmem;

const SPS: u8 = 7;
const PPS: u8 = 8;

/// The NAL units of a byte stream, without start codes and the zero bytes before them.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> = memmem::find_iter(stream, &[0, 0, 1]).map(|at| at + 3).collect();
    let ends: Vec<usize> = starts.iter().skip(1).map(|start| start - 3).chain([stream.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let unit = &stream[start..end];
        let zeros = unit.iter().rev().take_while(|&&byte| byte == 0).count();
        let unit = &unit[..unit.len() - zeros];
        (!unit.is_empty()).then_some(unit)
    })
}

/// Each unit after its length in four bytes. Parameter sets stay out: the container's header has them.
pub(crate) fn with_lengths(stream: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(stream.len() + 16);
    for unit in units(stream).filter(|unit| !matches!(unit[0] & 0x1f, SPS | PPS)) {
        let length = u32::try_from(unit.len()).expect("a coded picture is far below 4 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(unit);
    }
    out.into()
}

/// Back to start codes: units of `data` after their lengths, with the parameter sets of `record` before those of a keyframe; a
/// decoder that begins there wants them before anything else. What is cut short ends there.
pub(crate) fn with_start_codes(data: &[u8], record: Option<&[u8]>) -> Vec<u8> {
    const CODE: [u8; 4] = [0, 0, 0, 1];
    let mut out = Vec::with_capacity(data.len() + 128);
    for unit in record.into_iter().flat_map(parameter_sets) {
        out.extend_from_slice(&CODE);
        out.extend_from_slice(unit);
    }
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((unit, after)) = after.split_at_checked(length) else { break };
        out.extend_from_slice(&CODE);
        out.extend_from_slice(unit);
        rest = after;
    }
    out
}

/// The units in an AVCDecoderConfigurationRecord, as far as it is whole.
fn parameter_sets(record: &[u8]) -> Vec<&[u8]> {
    let (mut units, mut rest) = (Vec::new(), record.get(5..).unwrap_or_default());
    for mask in [0x1f, 0xff] {
        let Some((count, after)) = rest.split_first() else { break };
        rest = after;
        for _ in 0..count & mask {
            let Some((length, after)) = rest.split_first_chunk::<2>() else { return units };
            let Some((unit, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else {
                return units;
            };
            units.push(unit);
            rest = after;
        }
    }
    units
}

/// The AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) of the parameter sets in `stream`.
pub(crate) fn configuration(stream: &[u8]) -> Option<Vec<u8>> {
    let of_type = |kind: u8| units(stream).filter(move |unit| unit[0] & 0x1f == kind).collect::<Vec<_>>();
    let (sets, pictures) = (of_type(SPS), of_type(PPS));
    let [profile, compatibility, level] = *sets.first()?.get(1..4)? else { return None };
    let mut record = vec![1, profile, compatibility, level, 0xff, 0xe0 | u8::try_from(sets.len()).ok()?];
    append(&mut record, &sets)?;
    record.push(u8::try_from(pictures.len()).ok().filter(|count| *count > 0)?);
    append(&mut record, &pictures)?;
    if matches!(profile, 100 | 110 | 122 | 144) {
        // 4:2:0, 8 bits luma, 8 bits chroma, no extensions: what we encode.
        record.extend_from_slice(&[0xfc | 1, 0xf8, 0xf8, 0]);
    }
    Some(record)
}

fn append(record: &mut Vec<u8>, units: &[&[u8]]) -> Option<()> {
    for unit in units {
        record.extend_from_slice(&u16::try_from(unit.len()).ok()?.to_be_bytes());
        record.extend_from_slice(unit);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_of_both_lengths_become_lengths_and_parameter_sets_stay_out() {
        let stream = [
            &[0, 0, 0, 1, 0x67, 100, 0, 30, 9][..],
            &[0, 0, 0, 1, 0x68, 7],
            &[0, 0, 1, 0x65, 1, 2, 0, 0, 3, 1],
            &[0, 0, 0, 1, 0x41, 5],
        ]
        .concat();
        assert_eq!(with_lengths(&stream)[..], [0, 0, 0, 7, 0x65, 1, 2, 0, 0, 3, 1, 0, 0, 0, 2, 0x41, 5]);
        let record = configuration(&stream).unwrap();
        assert_eq!(record[..8], [1, 100, 0, 30, 0xff, 0xe1, 0, 5]);
        assert_eq!(record[13..], [1, 0, 2, 0x68, 7, 0xfd, 0xf8, 0xf8, 0]);
        let back = with_start_codes(&with_lengths(&stream), Some(&record));
        assert_eq!(units(&back).collect::<Vec<_>>(), units(&stream).collect::<Vec<_>>());
        for cut in 0..record.len() {
            with_start_codes(&record[..cut], Some(&record[..cut]));
        }
    }

    #[test]
    fn a_stream_without_parameter_sets_has_no_configuration() {
        for stream in [&[][..], &[0, 0, 1], &[0, 0, 1, 0x67, 1], &[0, 0, 1, 0x67, 100, 0, 30], &[1, 2, 3]] {
            assert_eq!(configuration(stream), None);
        }
    }
}
