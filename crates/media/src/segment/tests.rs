use std::path::PathBuf;
use std::process::Command;

use pixels::{I420, Matrix, Range};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::decode::decode;
use crate::keyframe::Codec;
use crate::ts::writer::{Stream, TsWriter};

/// Pushes a segment in pieces of `step` bytes, until there is a keyframe or an error.
fn find(mut finder: Finder, bytes: &[u8], step: usize) -> Result<Keyframe, Error> {
    for piece in bytes.chunks(step.max(1)) {
        if let Some(found) = finder.push(piece)? {
            return Ok(found);
        }
    }
    finder.finish()
}

fn whole(bytes: &[u8]) -> Result<Keyframe, Error> {
    find(Finder::new(Limits::default()), bytes, bytes.len())
}

/// What FFmpeg's program makes of these arguments, as bytes.
pub(crate) fn ffmpeg(arguments: &str, input: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), input).unwrap();
    let output = Command::new("ffmpeg")
        .current_dir(folder.path())
        .args("-hide_banner -nostdin -loglevel error".split(' '))
        .args(arguments.split_whitespace())
        .args(["pipe:1"])
        .output()
        .expect("the program ffmpeg is installed (./dev setup)");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A second of moving picture, coded and packed as told.
fn made(size: &str, coding: &str, packing: &str) -> Vec<u8> {
    ffmpeg(&format!("-f lavfi -i testsrc2=size={size}:rate=12:duration=1 {coding} {packing}"), &[])
}

const X264: &str = "-c:v libx264 -threads 1 -g 6";
const X265: &str = "-c:v libx265 -x265-params log-level=none:pools=1 -g 6 -tag:v hvc1";
const AV1: &str = "-c:v libaom-av1 -cpu-used 8 -threads 1 -g 6";
const TS: &str = "-f mpegts";
const FMP4: &str = "-f mp4 -movflags frag_keyframe+empty_moov+default_base_moof";

/// Name, codec, shown size, and the segment: made once for all tests.
fn kinds() -> &'static [Kind] {
    static KINDS: std::sync::LazyLock<Vec<Kind>> = std::sync::LazyLock::new(make_kinds);
    &KINDS
}

type Kind = (&'static str, Codec, (u32, u32), Vec<u8>);

fn make_kinds() -> Vec<Kind> {
    let sound = "-f lavfi -i sine=duration=1 -c:a aac -shortest";
    [
        ("H.264 in TS", Codec::H264, "160x90", X264.to_owned(), TS),
        ("cropped", Codec::H264, "98x58", X264.to_owned(), TS),
        ("B-frames", Codec::H264, "160x90", format!("{X264} -bf 3"), TS),
        ("with sound", Codec::H264, "160x90", format!("{sound} {X264}"), TS),
        ("slices", Codec::H264, "160x96", format!("{X264} -x264-params slices=4:aud=0"), TS),
        ("no delimiters", Codec::H264, "160x90", format!("{X264} -bsf:v h264_metadata=aud=remove"), TS),
        ("interlaced", Codec::H264, "160x96", format!("{X264} -flags +ildct+ilme -x264-params tff=1"), TS),
        ("bounded PES", Codec::H264, "160x90", X264.to_owned(), "-f mpegts -omit_video_pes_length 0"),
        ("constant rate", Codec::H264, "160x90", X264.to_owned(), "-f mpegts -muxrate 2000000"),
        ("HEVC in TS", Codec::Hevc, "162x90", X265.to_owned(), TS),
        ("H.264 in fMP4", Codec::H264, "98x58", format!("{X264} -bf 2"), FMP4),
        (
            "edit list",
            Codec::H264,
            "98x58",
            format!("{X264} -bf 2"),
            "-f mp4 -movflags frag_keyframe+delay_moov",
        ),
        (
            "CMAF with sound",
            Codec::H264,
            "160x90",
            format!("{sound} {X264}"),
            "-f mp4 -movflags cmaf+frag_keyframe+empty_moov",
        ),
        ("in-band sets", Codec::H264, "160x90", format!("{X264} -tag:v avc3"), FMP4),
        ("HEVC in fMP4", Codec::Hevc, "162x90", X265.to_owned(), FMP4),
        ("AV1 in fMP4", Codec::Av1, "98x58", AV1.to_owned(), "-f mp4 -movflags frag_keyframe+delay_moov"),
    ]
    .into_iter()
    .map(|(name, codec, size, coding, packing)| {
        let (width, height) = size.split_once('x').unwrap();
        (name, codec, (width.parse().unwrap(), height.parse().unwrap()), made(size, &coding, packing))
    })
    .collect()
}

/// The planes, one after the other.
fn planes(keyframe: &Keyframe) -> Vec<u8> {
    let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
    decode(keyframe, &mut picture).unwrap();
    assert_eq!((picture.width, picture.height), (keyframe.width, keyframe.height));
    picture
        .planes()
        .into_iter()
        .flat_map(|plane| plane.rows().flatten().copied().collect::<Vec<_>>())
        .collect()
}

/// FFmpeg's own first picture.
fn reference(segment: &[u8]) -> Vec<u8> {
    ffmpeg("-i in -frames:v 1 -pix_fmt yuv420p -f rawvideo", segment)
}

#[test]
fn the_first_keyframe_of_every_kind_of_segment_is_found_however_it_is_cut_into_pieces() {
    for (name, codec, (width, height), segment) in kinds() {
        let found = whole(segment).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((found.codec, found.width, found.height), (*codec, *width, *height), "{name}");
        assert!(planes(&found) == reference(segment), "{name}: FFmpeg decodes another picture");
        for step in [1, 7, 187, 188, 189, 1000] {
            assert_eq!(
                find(Finder::new(Limits::default()), segment, step).as_ref(),
                Ok(&found),
                "{name} by {step}"
            );
        }
    }
}

#[test]
fn a_segment_cut_anywhere_gives_the_very_keyframe_or_none() {
    for (name, _, _, segment) in kinds() {
        let found = whole(segment).unwrap();
        let mut finder = Finder::new(Limits::default());
        let mut enough = None;
        for (at, byte) in segment.iter().enumerate() {
            if finder.push(std::slice::from_ref(byte)).unwrap().is_some() {
                enough = Some(at + 1);
                break;
            }
        }
        let enough = enough.expect("a segment of several pictures tells before its end");
        let mut early = 0;
        for cut in 0..enough {
            match whole(&segment[..cut]) {
                Ok(other) => {
                    assert_eq!(other, found, "{name} cut at {cut}");
                    early += 1;
                }
                Err(Error::Malformed("no program map" | "no moov") | Error::Empty | Error::CutShort) => {}
                Err(Error::NotMedia("unknown bytes")) if cut < 8 => {}
                // Nothing but the header came.
                Err(Error::NoKeyframe) if !segment[..cut].windows(4).any(|kind| kind == b"moof") => {}
                Err(error) => panic!("{name} cut at {cut}: {error}"),
            }
        }
        assert!(early <= 400, "{name}: {early} cuts were taken for whole");
    }
}

#[test]
fn a_lost_packet_never_leaves_a_hole_in_a_picture() {
    for (name, _, _, segment) in kinds().iter().filter(|kind| kind.3[0] == 0x47) {
        let found = whole(segment).unwrap();
        for lost in 0..segment.len() / 188 {
            let rest = [&segment[..lost * 188], &segment[(lost + 1) * 188..]].concat();
            // The picture lost its start: the next keyframe is as good.
            if let Ok(other) = whole(&rest) {
                assert!(other == found || other.pts > found.pts, "{name} without packet {lost}");
                assert!(other == found || planes(&other).len() == planes(&found).len());
            }
        }
    }
}

#[test]
fn no_more_is_read_than_the_keyframe_needs() {
    for (name, _, _, segment) in kinds() {
        let found = whole(segment).unwrap();
        let mut finder = Finder::new(Limits::default());
        let mut known = None;
        for byte in segment {
            let done = finder.push(std::slice::from_ref(byte)).unwrap().is_some();
            known = known.or(finder.end_of_keyframe());
            if done {
                break;
            }
        }
        let at = segment.windows(found.data.len()).position(|window| window == &found.data[..]);
        if let Some(at) = at.filter(|_| known.is_some()) {
            let end = (at + found.data.len()) as u64;
            assert_eq!((known, finder.consumed()), (Some(end), end), "{name}");
        }
        assert!(finder.first_pts().is_some_and(|first| first <= found.pts), "{name}");
    }
}

#[test]
fn a_fragment_needs_its_init_section_and_is_read_with_it() {
    for packing in
        [FMP4, "-f mp4 -movflags frag_keyframe+delay_moov", "-f mp4 -movflags cmaf+frag_keyframe+empty_moov"]
    {
        let file = made("98x58", X264, packing);
        let moof = file.windows(4).position(|kind| kind == b"moof").unwrap() - 4;
        let (init, rest) = file.split_at(moof);
        let expected = whole(&file).unwrap();
        let finder = || Finder::with_init(init, Limits::default()).unwrap();
        assert_eq!(find(finder(), rest, 100), Ok(expected));
        assert_eq!(find(finder(), &[], 1), Err(Error::Empty));
        assert_eq!(whole(rest), Err(Error::Malformed("no moov before the first fragment")));
        assert!(Finder::with_init(&init[..init.len() - 1], Limits::default()).is_err());
    }
    assert!(matches!(Finder::with_init(b"<html>", Limits::default()), Err(Error::NotMedia("HTML"))));
    assert!(matches!(Finder::with_init(b"", Limits::default()), Err(Error::Empty)));
}

#[test]
fn what_is_no_segment_is_refused_by_name() {
    let not = |what| Err(Error::NotMedia(what));
    for (bytes, expected) in [
        (&b""[..], Err(Error::Empty)),
        (b"<!DOCTYPE html><html>", not("HTML")),
        (b"\xef\xbb\xbf\n  <?xml version='1.0'?>", not("HTML")),
        (b"{\"error\":\"gone\"}", not("JSON")),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", not("an image")),
        (b"\x89PNG\r\n\x1a\n", not("an image")),
        (b"#EXTM3U\n", not("a playlist")),
        (b"ID3\x04\0\0\0\0\0\x3f", Err(Error::NoVideo)),
        (b"\xff\xf1\x50\x80\x2e\x7f", Err(Error::NoVideo)),
        (b"no such thing", not("unknown bytes")),
        (&[0; 5000], not("unknown bytes")),
        (b"G", Err(Error::CutShort)),
        (b"\0\0\0\x18ftypiso5", Err(Error::CutShort)),
        (b"\0\0\0\x07ftyp", Err(Error::Malformed("a box of impossible size"))),
        (b"\0\0\0\x08free", Err(Error::Malformed("no moov"))),
        (
            b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff",
            Err(Error::Malformed("a moov or moof of more than 2 MiB")),
        ),
        (b"\x7f\xff\xff\xffmoof", Err(Error::Malformed("a moov or moof of more than 2 MiB"))),
    ] {
        assert_eq!(whole(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(
            find(Finder::new(Limits::default()), bytes, 1),
            expected,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn segments_without_a_picture_for_us_are_refused_by_name() {
    let sound = "-f lavfi -i sine=duration=1 -c:a aac";
    let encrypted = "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
         -encryption_kid a7e61c373e219033c21091fa607bf3b8";
    for (name, segment, expected) in [
        ("sound in TS", ffmpeg(&format!("{sound} {TS}"), &[]), Error::NoVideo),
        ("sound in fMP4", ffmpeg(&format!("{sound} {FMP4}"), &[]), Error::NoVideo),
        ("MPEG-2", made("160x90", "-c:v mpeg2video", TS), Error::Codec("MPEG-2 video".to_owned())),
        (
            "VP9",
            made("160x90", "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime", FMP4),
            Error::Codec("VP8 or VP9".to_owned()),
        ),
        ("MPEG-4", made("160x90", "-c:v mpeg4", FMP4), Error::Codec("mp4v".to_owned())),
        ("encrypted", made("160x90", &format!("{X264} {encrypted}"), FMP4), Error::Encrypted),
        ("not fragmented", plain_mp4(), Error::Malformed("an MP4 file that is not fragmented")),
        ("Matroska", made("160x90", X264, "-f matroska"), Error::NotMedia("Matroska or WebM")),
    ] {
        assert_eq!(whole(&segment), Err(expected), "{name}");
    }
}

/// An MP4 file with its index first.
fn plain_mp4() -> Vec<u8> {
    let fragmented = made("160x90", X264, FMP4);
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.mp4"), folder.path().join("out.mp4"));
    std::fs::write(&from, fragmented).unwrap();
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-i"])
        .arg(&from)
        .args(["-c", "copy", "-movflags", "+faststart"])
        .arg(&to)
        .status();
    assert!(status.unwrap().success());
    std::fs::read(to).unwrap()
}

#[test]
fn limits_are_kept() {
    for (_, _, _, segment) in kinds() {
        for limits in [Limits { max_bytes: 500, max_side: 8192 }, Limits { max_bytes: 4 << 20, max_side: 64 }]
        {
            assert_eq!(find(Finder::new(limits), segment, 4096), Err(Error::TooLarge));
        }
    }
}

/// The access units of a short byte stream, each with its delimiter.
fn access_units() -> Vec<Vec<u8>> {
    let stream = made("96x64", &format!("{X264} -bsf:v h264_metadata=aud=insert"), "-f h264");
    let starts: Vec<usize> =
        (0..stream.len() - 5).filter(|&at| stream[at..].starts_with(&[0, 0, 0, 1, 9])).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts.iter().zip(ends).map(|(&start, end)| stream[start..end].to_vec()).collect()
}

#[test]
fn pictures_are_told_apart_however_they_lie_in_pes_packets() {
    let units = access_units();
    let expected = |pts| {
        let mut ts = TsWriter::new(&[Stream::H264]);
        units.iter().take(2).for_each(|unit| ts.pes(0, Some(pts), unit, false));
        whole(&ts.bytes).unwrap()
    };
    assert_eq!(expected(900).pts, 900);

    let mut two_in_one = TsWriter::new(&[Stream::H264]);
    two_in_one.pes(0, Some(900), &units[..3].concat(), false);
    assert_eq!(whole(&two_in_one.bytes), Ok(expected(900)));

    let mut over_several = TsWriter::new(&[Stream::H264]);
    let (a, b) = units[0].split_at(700);
    over_several.pes(0, Some(900), a, true);
    over_several.pes(0, None, b, true);
    over_several.pes(0, Some(4500), &units[1], true);
    assert_eq!(whole(&over_several.bytes), Ok(expected(900)));

    let mut not_first = TsWriter::new(&[Stream::H264, Stream::Aac]);
    not_first.pes(1, Some(100), &[0; 50], true);
    not_first.pes(0, Some(300), &units[1], false);
    not_first.pes(0, Some(600), &units[2], false);
    not_first.pes(0, Some(900), &units[0], false);
    not_first.pes(0, Some(1200), &units[1], false);
    assert_eq!(whole(&not_first.bytes), Ok(expected(900)));

    // Parameter sets that come with an earlier picture still count.
    let sets = &units[0][..units[0].windows(4).position(|start| start == [0, 0, 1, 0x65]).unwrap()];
    let sliced = [&units[0][..6], &units[0][sets.len()..]].concat();
    let mut apart = TsWriter::new(&[Stream::H264]);
    apart.pes(0, Some(300), &[sets, &units[1][6..]].concat(), false);
    apart.pes(0, Some(900), &sliced, false);
    apart.pes(0, Some(1200), &units[1], false);
    assert_eq!(planes(&whole(&apart.bytes).unwrap()), planes(&expected(900)));
}

#[test]
fn a_picture_at_the_very_end_is_taken_on_evidence_only() {
    let unit = &access_units()[0];
    let with = |length: usize, bounded: bool| {
        let mut ts = TsWriter::new(&[Stream::H264]);
        // Filler (type 12) makes any length.
        let filler = [&[0, 0, 1, 12][..], &vec![0xff; length - unit.len() - 5], &[0x80]].concat();
        ts.pes(0, Some(900), &[&unit[..], &filler].concat(), bounded);
        // The zero byte before the first start code is no part of it.
        whole(&ts.bytes).map(|found| found.data.len() + 1)
    };
    // 14 bytes of header with the PTS; 184 fit into a packet.
    let fits = (unit.len() + 200).next_multiple_of(184) - 14;
    assert_eq!(with(fits - 1, false), Ok(fits - 1), "the last packet was filled up");
    assert_eq!(with(fits, true), Ok(fits), "as many bytes as announced");
    assert_eq!(with(fits, false), Err(Error::CutShort), "a full packet proves nothing");
}

#[test]
fn scrambled_repeated_and_renumbered_packets_are_known() {
    let units = access_units();
    let write = |edit: &dyn Fn(&mut TsWriter)| {
        let mut ts = TsWriter::new(&[Stream::H264]);
        edit(&mut ts);
        units[..2].iter().for_each(|unit| ts.pes(0, Some(900), unit, false));
        ts
    };
    let plain = write(&|_| {});
    let expected = whole(&plain.bytes).unwrap();

    let mut scrambled = plain.bytes.clone();
    scrambled[2 * 188 + 3] |= 0x80;
    assert_eq!(whole(&scrambled), Err(Error::Encrypted));

    let twice: Vec<u8> = plain.bytes.chunks(188).flat_map(|packet| [packet, packet].concat()).collect();
    assert_eq!(whole(&twice).as_ref(), Ok(&expected));

    let mut damaged = plain.bytes.clone();
    damaged[4 * 188 + 1] |= 0x80;
    assert_eq!(whole(&damaged), Err(Error::CutShort));

    let junk = [&b"some bytes before"[..], &plain.bytes].concat();
    assert_eq!(whole(&junk).as_ref(), Ok(&expected));

    let mut bad_table = plain.bytes.clone();
    bad_table[188 + 12] ^= 1;
    assert_eq!(whole(&bad_table), Err(Error::Malformed("no program map")), "the checksum is wrong");
}

#[test]
fn times_go_on_over_the_33_bit_wrap() {
    let units = access_units();
    let mut ts = TsWriter::new(&[Stream::H264, Stream::Aac]);
    ts.pes(1, Some((1 << 33) - 1000), &[0; 50], true);
    ts.pes(0, Some(500), &units[0], false);
    ts.pes(0, Some(4100), &units[1], false);
    let mut finder = Finder::new(Limits::default());
    let found = finder.push(&ts.bytes).unwrap().unwrap();
    assert_eq!(found.pts - finder.first_pts().unwrap(), 1500);
}

#[test]
fn a_change_of_size_takes_effect_with_its_keyframe() {
    let small = made("96x64", X264, TS);
    let large = made("160x96", X264, TS);
    // The second segment begins its counters anew, as after a discontinuity; its first picture is what counts.
    let joined = [&small[..188 * 4], &large].concat();
    let found = whole(&joined).map(|found| (found.width, found.height));
    assert!(matches!(found, Ok((160, 96)) | Err(Error::CutShort)), "{found:?}");
}

#[test]
fn real_segments_give_the_picture_ffmpeg_sees() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/hls");
    for file in ["bipbop_overflow_720p/fileSequence0.ts"]
        .into_iter()
        .map(str::to_owned)
        .chain((1..=8).map(|i| format!("google_io_720p_mp3/seg-{i}-v1-a1.ts")))
    {
        // A clone of the repository alone has none; what follows is proven on made ones above.
        let Ok(segment) = std::fs::read(root.join(&file)) else { continue };
        let mut finder = Finder::new(Limits::default());
        let found = segment.chunks(2000).find_map(|piece| finder.push(piece).unwrap()).unwrap();
        assert_eq!((found.width, found.height), (1280, 720), "{file}");
        assert!(
            finder.consumed() < segment.len() as u64 / 4,
            "{file}: {} bytes were needed",
            finder.consumed()
        );
        assert!(planes(&found) == reference(&segment), "{file}: FFmpeg sees another picture");
    }
}

#[test]
fn real_broken_files_are_refused_or_read_right() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/corrupt/media");
    let Ok(files) = std::fs::read_dir(root) else { return };
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        if let Ok(found) = whole(&bytes) {
            assert!(planes(&found) == reference(&bytes));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn damage_never_panics_and_pieces_never_matter(
        mp4: bool, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), step in 1usize..400,
    ) {
        static SEGMENTS: std::sync::LazyLock<[Vec<u8>; 2]> =
            std::sync::LazyLock::new(|| [TS, FMP4].map(|packing| made("96x64", X264, packing)));
        let mut bytes = SEGMENTS[usize::from(mp4)].clone();
        for (at, value) in damage {
            // The headers are at the start.
            let at = at.index(bytes.len().min(4000));
            bytes[at] = value;
        }
        let whole = whole(&bytes);
        prop_assert_eq!(&find(Finder::new(Limits::default()), &bytes, step), &whole);
        if let Ok(found) = whole {
            prop_assert!(found.data.len() <= bytes.len());
        }
    }
}
