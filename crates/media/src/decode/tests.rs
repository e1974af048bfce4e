use bytes::Bytes;
use pixels::{I420, Matrix, Range};

use super::*;
use crate::segment::{Finder, Limits, tests::ffmpeg};

fn keyframe(segment: &[u8]) -> Keyframe {
    let mut finder = Finder::new(Limits::default());
    match finder.push(segment).unwrap() {
        Some(found) => found,
        None => finder.finish().unwrap(),
    }
}

/// A keyframe of a moving test picture.
fn made(size: &str, coding: &str) -> Keyframe {
    let source = format!("-f lavfi -i testsrc2=size={size}:rate=10:duration=0.5");
    keyframe(&ffmpeg(&format!("{source} {coding} -threads 1 -f mpegts"), &[]))
}

fn picture() -> I420 {
    I420::new(2, 2, Range::Full, Matrix::Bt601)
}

#[test]
fn range_and_matrix_are_the_streams_own_or_what_players_take_for_granted() {
    let x264 = "-c:v libx264 -preset ultrafast";
    for (size, coding, range, matrix) in [
        ("320x180", "", Range::Limited, Matrix::Bt601),
        ("1280x720", "", Range::Limited, Matrix::Bt709),
        ("320x180", "-colorspace bt709", Range::Limited, Matrix::Bt709),
        ("1280x720", "-colorspace smpte170m", Range::Limited, Matrix::Bt601),
        ("320x180", "-pix_fmt yuvj420p", Range::Full, Matrix::Bt601),
    ] {
        let mut into = picture();
        decode(&made(size, &format!("{x264} {coding}")), &mut into).unwrap();
        assert_eq!((into.range, into.matrix), (range, matrix), "{size} {coding}");
    }
}

#[test]
fn pictures_of_more_bits_or_more_colour_become_planes_of_eight_bits() {
    let mut expected = picture();
    decode(&made("320x180", "-c:v libx264 -qp 10"), &mut expected).unwrap();
    for coding in [
        "-c:v libx264 -qp 10 -pix_fmt yuv420p10le",
        "-c:v libx264 -qp 10 -pix_fmt yuv422p",
        "-c:v libx264 -qp 10 -pix_fmt yuv444p",
        "-c:v libx265 -x265-params log-level=none:pools=1:qp=10 -pix_fmt yuv420p10le",
    ] {
        let mut into = picture();
        decode(&made("320x180", coding), &mut into).unwrap();
        assert_eq!((into.width, into.height, into.range), (320, 180, Range::Limited), "{coding}");
        let error: u64 = into
            .y
            .rows()
            .flatten()
            .zip(expected.y.rows().flatten())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        assert!(error < 320 * 180 * 3, "{coding}: off by {} on average", error / (320 * 180));
    }
}

#[test]
fn edges_as_coded_change_little_and_only_near_them() {
    for coding in [
        "-c:v libx264 -preset ultrafast -x264-params no-deblock=0:qp=28",
        "-c:v libx265 -x265-params log-level=none:pools=1",
    ] {
        let keyframe = made("320x180", coding);
        let (mut smoothed, mut coded) = (picture(), picture());
        decode(&keyframe, &mut smoothed).unwrap();
        decode_unsmoothed(&keyframe, &mut coded).unwrap();
        let pairs = smoothed.y.rows().flatten().zip(coded.y.rows().flatten());
        let error: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        assert!(error > 0, "{coding}: the filter ran");
        assert!(error < 320 * 180 * 16, "{coding}: off by {} squared on average", error / (320 * 180));
    }
}

#[test]
fn one_picture_leaves_nothing_to_the_next() {
    let (large, small) = (made("640x360", "-c:v libx264"), made("98x58", "-c:v libx264"));
    let (mut fresh, mut used) = (picture(), picture());
    decode(&small, &mut fresh).unwrap();
    for keyframe in [&large, &small, &large, &small] {
        decode(keyframe, &mut used).unwrap();
    }
    assert_eq!(used, fresh);
}

#[test]
fn what_is_damaged_or_cut_is_an_error_and_no_picture() {
    for coding in ["-c:v libx264", "-c:v libx265 -x265-params log-level=none:pools=1"] {
        let whole = made("320x180", coding);
        let length = whole.data.len();
        for (name, data) in [
            ("nothing", Bytes::new()),
            ("headers alone", whole.data.slice(..60)),
            ("half", whole.data.slice(..length / 2)),
            ("noise", Bytes::from_static(&[0x5a; 500])),
        ] {
            if whole.codec == Codec::Hevc && name == "half" {
                // FFmpeg makes up the rest of an HEVC picture without a word: that is why we find out before.
                continue;
            }
            let broken = Keyframe { data, ..whole.clone() };
            assert!(decode(&broken, &mut picture()).is_err(), "{coding}: {name}");
        }
    }
    let whole = made("320x180", "-c:v libx264");
    let lying = Keyframe { width: 16, height: 16, ..whole.clone() };
    assert!(decode(&lying, &mut picture()).is_err(), "larger than was looked at");
    let bad = Keyframe { config: Some(Bytes::from_static(&[1; 40])), ..whole };
    assert!(decode(&bad, &mut picture()).is_err(), "a record that is none");
}

#[test]
fn every_codec_that_is_looked_for_can_be_decoded_here() {
    for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
        assert!(supported(codec), "{}", codec.name());
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_picture_takes_no_new_memory_from_the_kernel_when_one_was_decoded_before() {
    /// Pages this thread was given so far.
    fn pages() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // proc(5): minflt is field 10; what stands behind the name begins with field 3.
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(7).unwrap().parse().unwrap()
    }
    keep_memory();
    for size in ["1280x720", "1920x1080"] {
        let keyframe = made(size, "-c:v libx264 -preset ultrafast");
        // On a thread of its own, as in the pool: what is free elsewhere is of no use there.
        let decode_on = || {
            let mut into = picture();
            decode(&keyframe, &mut into).unwrap();
            let before = pages();
            (0..20).for_each(|_| decode(&keyframe, &mut into).unwrap());
            pages() - before
        };
        let pages = std::thread::scope(|scope| scope.spawn(decode_on).join().unwrap());
        // Another test may return once what is free meanwhile.
        assert!(pages < 20 * 80, "{size}: {pages} pages for 20 pictures; one of 720 lines has about 700");
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn freed_memory_goes_back_to_the_kernel_also_between_what_is_still_held() {
    const PIECE: usize = 60_000;
    const MANY: usize = 3_000;
    /// Bytes of this process that are in memory.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
    keep_memory();
    let mut pieces: Vec<Vec<u8>> = (0..MANY).map(|_| vec![1; PIECE]).collect();
    let mut number = 0;
    pieces.retain(|_| {
        number += 1;
        number % 10 == 0
    });
    let before = resident();
    release_memory();
    let after = resident();
    // 162 MB are free; other tests take and return some meanwhile.
    assert!(after + PIECE * MANY / 2 < before, "{before} bytes before, {after} after");
    assert!(pieces.iter().all(|piece| piece.iter().all(|byte| *byte == 1)));
}
