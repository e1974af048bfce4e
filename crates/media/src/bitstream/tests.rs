use super::*;
use crate::keyframe::Codec;
use crate::segment::Error;

/// Writes bits, most significant first.
#[derive(Default)]
struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    fn bits(mut self, value: u32, count: u32) -> Self {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(self, value: u32) -> Self {
        let length = 32 - (value + 1).leading_zeros();
        self.bits(0, length - 1).bits(value + 1, length)
    }

    /// A NAL unit after its start code: header, these bits, a stop bit, and `tail`.
    fn unit(self, header: &[u8], tail: &[u8]) -> Vec<u8> {
        let mut bits = self.bits(1, 1).bits;
        bits.resize(bits.len().next_multiple_of(8), false);
        let payload: Vec<u8> =
            bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit))).collect();
        let mut unit = vec![0, 0, 0, 1];
        unit.extend_from_slice(header);
        let mut zeros = 0;
        for byte in payload {
            if zeros >= 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            unit.push(byte);
        }
        unit.extend_from_slice(tail);
        unit
    }
}

/// A sequence parameter set of baseline profile.
fn sps(columns: u32, rows: u32, frames_only: bool, crop: [u32; 4]) -> Vec<u8> {
    let writer = Writer::default().bits(66, 8).bits(0, 8).bits(30, 8).ue(0).ue(0).ue(2).ue(1).bits(0, 1);
    let writer = writer.ue(columns - 1).ue(rows - 1).bits(u32::from(frames_only), 1);
    let writer = if frames_only { writer } else { writer.bits(0, 1) };
    let writer = crop.into_iter().fold(writer.bits(1, 1).bits(1, 1), Writer::ue);
    writer.bits(0, 1).unit(&[0x67], &[])
}

fn pps() -> Vec<u8> {
    Writer::default().ue(0).ue(0).bits(0, 8).unit(&[0x68], &[])
}

fn slice(kind: u8, first: u32, frame_num: u32, field: Option<bool>, interlaced: bool) -> Vec<u8> {
    let writer = Writer::default().ue(first).ue(7).ue(0).bits(frame_num, 4);
    let writer = match field {
        Some(bottom) => writer.bits(1, 1).bits(u32::from(bottom), 1),
        None if interlaced => writer.bits(0, 1),
        None => writer,
    };
    writer.unit(&[0x60 | kind], &[0x5a; 60])
}

const AUD: [u8; 6] = [0, 0, 0, 1, 9, 0x10];

/// Pushes pieces of `step` bytes; where the keyframe ends in `stream`, if one is told before its end.
fn told(stream: &[u8], step: usize) -> Option<usize> {
    let mut units = Units::new(Codec::H264, 1 << 20);
    for piece in stream.chunks(step) {
        if let Some(found) = units.push(piece).unwrap() {
            let at = stream.windows(found.data.len()).position(|window| window == &found.data[..]).unwrap();
            return Some(at + found.data.len());
        }
    }
    None
}

#[test]
fn sizes_are_those_shown() {
    for (columns, rows, frames_only, crop, size) in [
        (80, 45, true, [0; 4], Some((1280, 720))),
        (120, 68, true, [0, 0, 0, 4], Some((1920, 1080))),
        (120, 34, false, [0, 0, 0, 2], Some((1920, 1080))),
        (7, 4, true, [3, 4, 1, 2], Some((98, 58))),
        (1, 1, true, [4, 4, 0, 0], None),
        (1, 1, true, [u32::MAX / 2, 4, 0, 0], None),
        (5000, 1, true, [0; 4], None),
        (1 << 31, 2, true, [0; 4], None),
    ] {
        let found = h264::sps(&sps(columns, rows, frames_only, crop)[4..])
            .map(|sps| (sps.size.width, sps.size.height));
        assert_eq!(found, size, "{columns}x{rows}");
    }
    let whole = sps(80, 45, true, [0; 4]);
    for cut in 4..whole.len() - 1 {
        assert!(h264::sps(&whole[4..cut]).is_none(), "cut at {cut}");
    }
}

#[test]
fn two_fields_are_one_picture_and_a_single_one_is_not_whole() {
    let head = [sps(6, 2, false, [0; 4]), pps()].concat();
    let (top, bottom) = (slice(5, 0, 0, Some(false), true), slice(1, 0, 0, Some(true), true));
    let next = slice(1, 0, 1, Some(false), true);
    let frame = slice(1, 0, 1, None, true);
    for (name, parts, pictures) in [
        ("plain", vec![&top, &bottom, &next], 2),
        ("with delimiters", vec![&top, &AUD.to_vec(), &bottom, &AUD.to_vec(), &next], 3),
        ("before a frame", vec![&top, &bottom, &frame], 2),
        ("alone", vec![&top, &frame], 1),
        ("alone, then the same parity", vec![&top, &next], 1),
    ] {
        let stream =
            [&head, &parts.iter().flat_map(|part| part.iter().copied()).collect()].map(Vec::clone).concat();
        let end = head.len() + parts[..pictures].iter().map(|part| part.len()).sum::<usize>();
        for step in [1, 5, 1000] {
            assert_eq!(told(&stream, step), Some(end), "{name} by {step}");
        }
    }
    for (name, parts, expected) in [
        ("both", vec![&top, &bottom], true),
        ("one", vec![&top], false),
        ("one and a delimiter", vec![&top, &AUD.to_vec()], false),
    ] {
        let mut units = Units::new(Codec::H264, 1 << 20);
        units.push(&head).unwrap();
        assert!(parts.iter().all(|part| units.push(part).unwrap().is_none()));
        let result = units.finish(true);
        assert_eq!(result.is_ok(), expected, "{name}");
        assert!(expected || matches!(result, Err(Error::CutShort)), "{name}");
    }
}

#[test]
fn slices_after_the_first_belong_to_its_picture() {
    let head = [sps(6, 4, true, [0; 4]), pps()].concat();
    let slices =
        [slice(5, 0, 0, None, false), slice(5, 6, 0, None, false), slice(5, 12, 0, None, false)].concat();
    let picture = [&head[..], &slices].concat();
    for next in
        [slice(1, 0, 1, None, false), slice(5, 0, 0, None, false), AUD.to_vec(), sps(6, 4, true, [0; 4])]
    {
        let stream = [&picture[..], &next, &slice(1, 0, 2, None, false)].concat();
        for step in [1, 50, 1000] {
            assert_eq!(told(&stream, step), Some(picture.len()), "by {step}");
        }
    }
}

#[test]
fn a_picture_without_its_first_slice_or_its_parameter_sets_is_passed_over() {
    let head = [sps(6, 4, true, [0; 4]), pps()].concat();
    let key = slice(5, 0, 0, None, false);
    let good = [&head[..], &key].concat();
    let after = slice(1, 0, 1, None, false);
    for (name, before) in [
        ("no first slice", [&head[..], &slice(5, 6, 0, None, false)].concat()),
        ("no parameter sets", key.clone()),
        ("no picture set", [&sps(6, 4, true, [0; 4])[..], &key].concat()),
        ("not alone", [&head[..], &after].concat()),
        ("no start", vec![1, 2, 3, 0, 0]),
    ] {
        let stream = [&before[..], &good, &after, &after].concat();
        for step in [1, 30, 1000] {
            assert_eq!(told(&stream, step), Some(before.len() + good.len()), "{name} by {step}");
        }
    }
}

#[test]
fn records_are_read_to_their_last_byte_or_not_at_all() {
    let (set, picture) = (&sps(80, 45, true, [0; 4])[4..], &pps()[4..]);
    let length = |unit: &[u8]| u16::try_from(unit.len()).unwrap().to_be_bytes();
    let record =
        [&[1, 66, 0, 30, 0xff, 0xe1][..], &length(set), set, &[1], &length(picture), picture].concat();
    let sample = [&[0, 0, 0, 70][..], &slice(5, 0, 0, None, false)[4..]].concat();
    let sample = [&u32::try_from(sample.len() - 4).unwrap().to_be_bytes()[..], &sample[4..]].concat();
    let look = Config::parse(Codec::H264, &record).unwrap().look(&sample);
    assert_eq!(look, Some(Look { keyframe: true, size: Size::new(1280, 720) }));
    for cut in 0..record.len() {
        assert!(Config::parse(Codec::H264, &record[..cut]).is_none(), "cut at {cut}");
    }
    let config = Config::parse(Codec::H264, &record).unwrap();
    for cut in 1..sample.len() {
        assert_eq!(config.look(&sample[..cut]), None, "sample cut at {cut}");
    }
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
        assert!(Config::parse(codec, &[0, 0, 0, 1, 0x67, 66, 0, 30]).is_none(), "Annex B is no record");
    }
}

#[test]
fn pieces_that_begin_a_picture_are_told_from_those_that_go_on_with_it() {
    let sets = [sps(6, 4, true, [0; 4]), pps()].concat();
    let start = slice(5, 0, 0, None, false);
    let more = slice(5, 6, 0, None, false);
    let hevc = |kind: u8, place: u8| vec![0, 0, 0, 1, kind << 1, 1, place];
    for (codec, piece, begins) in [
        (Codec::H264, [&sets[..], &start].concat(), true),
        (Codec::H264, slice(1, 0, 1, None, false), true),
        (Codec::H264, [&sets[..], &more].concat(), false),
        (Codec::H264, sets, false),
        (Codec::H264, Vec::new(), false),
        (Codec::Hevc, [hevc(33, 0x80), hevc(19, 0x80)].concat(), true),
        (Codec::Hevc, [hevc(33, 0x80), hevc(19, 0)].concat(), false),
        (Codec::Hevc, hevc(33, 0x80), false),
        (Codec::Av1, vec![0x12, 0], true),
    ] {
        assert_eq!(begins_picture(codec, &piece), begins, "{codec:?} {piece:x?}");
    }
}
