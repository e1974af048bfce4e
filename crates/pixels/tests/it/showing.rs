//! Colours come out right, upright and at the right size, whatever the JPEG's kind, and go back in right.

use pixels::jpeg::{Decoder, Encoder, Error, inspect, with_huffman_tables};
use pixels::{I420, Matrix, Range, convert};
use turbojpeg::{Colorspace, Subsamp};

use crate::making::{
    Coding, MAX_SIDE, USUAL, exif, jpeg, planes, psnr, scene, segments, solid, with, without, worst_psnr,
};

const COLOURS: [[u8; 3]; 6] =
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [128, 128, 128], [0, 0, 0]];

fn decode(bytes: &[u8]) -> I420 {
    let header = inspect(bytes, MAX_SIDE).unwrap();
    let mut out = I420::new(3, 3, Range::Limited, Matrix::Bt709);
    Decoder::new().unwrap().decode(bytes, &header, &mut out).unwrap();
    assert_eq!((out.range, out.matrix), (Range::Full, Matrix::Bt601));
    out
}

fn codings() -> Vec<Coding> {
    let mut all = Vec::new();
    for progressive in [false, true] {
        for subsamp in [
            Subsamp::Sub2x2,
            Subsamp::Sub2x1,
            Subsamp::Sub1x2,
            Subsamp::None,
            Subsamp::Sub4x1,
            Subsamp::Sub1x4,
        ] {
            all.push(Coding { subsamp, progressive, colorspace: None });
        }
        for space in [Colorspace::RGB, Colorspace::CMYK, Colorspace::YCCK] {
            all.push(Coding { subsamp: Subsamp::None, progressive, colorspace: Some(space) });
        }
    }
    all
}

#[test]
fn solid_colours_come_out_as_they_went_in_for_every_coding() {
    for coding in codings() {
        for colour in COLOURS {
            let (width, height) = (37, 23);
            let made = decode(&jpeg(&solid(width, height, colour), width, height, coding));
            for (plane, want) in made.planes().into_iter().zip(convert::yuv_of_rgb(colour)) {
                let worst = plane.data.iter().map(|s| s.abs_diff(want)).max();
                assert!(worst <= Some(2), "{coding:?} {colour:?}: off by {worst:?}");
            }
        }
    }
}

#[test]
fn every_coding_shows_the_same_scene_at_even_and_odd_sizes() {
    for coding in codings() {
        for (width, height) in [(64, 48), (61, 47), (17, 64), (1, 1), (8, 1), (1, 9), (2, 2)] {
            let rgb = scene(width, height);
            let made = decode(&jpeg(&rgb, width, height, coding));
            let want = planes(&rgb, width, height);
            let (luma, worst) = (psnr(&made.y, &want.y), worst_psnr(&made, &want));
            // Small pictures have the whole rainbow in a few chroma samples.
            let enough = width.min(height) <= 17 || worst > 33.0;
            assert!(luma > 33.0 && enough, "{coding:?} {width}x{height}: {luma:.1}, {worst:.1} dB");
        }
    }
}

#[test]
fn grey_has_neutral_chroma() {
    let rgb: Vec<u8> = scene(50, 31).chunks(3).flat_map(|p| [p[0]; 3]).collect();
    for progressive in [false, true] {
        let made =
            decode(&jpeg(&rgb, 50, 31, Coding { subsamp: Subsamp::Gray, progressive, colorspace: None }));
        assert!(psnr(&made.y, &planes(&rgb, 50, 31).y) > 36.0);
        assert!(made.u.data.iter().chain(&made.v.data).all(|&s| s == 128));
        assert_eq!((made.u.width, made.u.height), (25, 16));
    }
}

#[test]
fn cmyk_without_adobes_mark_is_not_inverted() {
    let coding = Coding { subsamp: Subsamp::None, progressive: false, colorspace: Some(Colorspace::CMYK) };
    let ink: Vec<u8> = solid(16, 16, [255, 255, 0]);
    // Stored as is: full cyan, full magenta, no yellow, full black; then without the mark.
    let black = decode(&without(&jpeg(&ink, 16, 16, coding), 0xee));
    assert!(black.y.data.iter().all(|&s| s <= 2));
}

#[test]
fn exif_orientation_is_applied() {
    let (width, height) = (60, 44);
    let stored = jpeg(&scene(width, height), width, height, USUAL);
    let plain = decode(&stored);
    for orientation in 1..=8 {
        let bytes = with(&stored, 0xe1, &exif(orientation, &[]));
        let shown = decode(&bytes);
        let (shown_width, shown_height) = inspect(&bytes, MAX_SIDE).unwrap().shown_size();
        assert_eq!((shown.width, shown.height), (u32::from(shown_width), u32::from(shown_height)));
        let mut want = plain.clone();
        convert::upright(&plain, orientation, &mut want);
        assert_eq!(shown, want, "orientation {orientation}");
    }
}

#[test]
fn pictures_without_huffman_tables_decode_to_the_same_pixels_with_and_without_them() {
    let whole = jpeg(&scene(64, 48), 64, 48, USUAL);
    let avi1 = with(&without(&whole, 0xc4), 0xe0, b"AVI1\0\0\0\0\0\0\0\0\0\0");
    let header = inspect(&avi1, MAX_SIDE).unwrap();
    let want = decode(&whole);
    assert_eq!(decode(&avi1), want);
    assert_eq!(decode(&with_huffman_tables(&avi1, &header)), want);
}

#[test]
fn odd_segments_that_do_not_bear_on_the_pixels_do_not_matter() {
    let whole = jpeg(&scene(64, 48), 64, 48, USUAL);
    let want = decode(&whole);
    let jfif_of_the_future = [b"JFIF\0\x09\x09".as_slice(), &[0, 0, 1, 0, 1, 0, 0]].concat();
    for (name, bytes) in [
        ("future JFIF", with(&without(&whole, 0xe0), 0xe0, &jfif_of_the_future)),
        ("strange Adobe transform", with(&whole, 0xee, b"Adobe\0\x64\0\0\0\0\x09")),
        ("broken colour profile", with(&whole, 0xe2, b"ICC_PROFILE\0\x07\x02junk")),
        ("stray bytes", [&whole[..20], b"\0\0\0", &whole[20..]].concat()),
        ("no JFIF", without(&whole, 0xe0)),
    ] {
        assert_eq!(decode(&bytes), want, "{name}");
    }
}

#[test]
fn damage_inside_the_picture_is_shown_and_a_broken_header_is_an_error() {
    let whole = jpeg(&scene(256, 256), 256, 256, USUAL);
    let header = inspect(&whole, MAX_SIDE).unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    let mut decoder = Decoder::new().unwrap();
    let mut damaged = whole.clone();
    for at in header.first_scan + 1000..whole.len() - 2 {
        if whole[at] != 0xff && whole[at - 1] != 0xff {
            damaged[at] = 0x55;
        }
    }
    let seen = inspect(&damaged, MAX_SIDE).unwrap();
    decoder.decode(&damaged, &seen, &mut out).unwrap();
    assert_eq!((out.width, out.height), (256, 256));
    let mut broken = whole.clone();
    let tables = segments(&whole).into_iter().find(|(code, _)| *code == 0xc4).unwrap().1;
    broken[tables.start + 5..tables.start + 21].fill(0xff);
    let seen = inspect(&broken, MAX_SIDE).unwrap();
    assert!(matches!(decoder.decode(&broken, &seen, &mut out), Err(Error::Undecodable(_))));
    decoder.decode(&whole, &header, &mut out).unwrap();
    assert_eq!(out, decode(&whole), "an error leaves the decoder usable");
}

#[test]
fn the_tables_of_one_picture_are_not_used_for_the_next() {
    // A progressive picture brings tables made for it alone.
    let own = jpeg(&scene(64, 48), 64, 48, Coding { progressive: true, ..USUAL });
    let avi1 = without(&jpeg(&scene(64, 48), 64, 48, USUAL), 0xc4);
    let mut decoder = Decoder::new().unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    for bytes in [&own, &avi1] {
        decoder.decode(bytes, &inspect(bytes, MAX_SIDE).unwrap(), &mut out).unwrap();
    }
    assert_eq!(out, decode(&avi1));
}

#[test]
fn a_header_of_other_bytes_is_refused() {
    let one = jpeg(&scene(64, 48), 64, 48, USUAL);
    let other = jpeg(&scene(32, 200), 32, 200, USUAL);
    let header = inspect(&other, MAX_SIDE).unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    let mut decoder = Decoder::new().unwrap();
    for bytes in [&one[..], &one[..100], &other[..other.len() - 1], b""] {
        assert!(decoder.decode(bytes, &header, &mut out).is_err());
    }
}

#[test]
fn one_decoder_takes_pictures_of_all_kinds_in_turn() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    for coding in codings() {
        for (width, height) in [(64, 48), (17, 5), (33, 90)] {
            let bytes = jpeg(&scene(width, height), width, height, coding);
            let header = inspect(&bytes, MAX_SIDE).unwrap();
            decoder.decode(&bytes, &header, &mut out).unwrap();
            assert_eq!(out, decode(&bytes), "{coding:?}");
        }
    }
}

#[test]
fn what_we_encode_decodes_to_the_same_picture_at_even_and_odd_sizes() {
    let mut encoder = Encoder::new(95).unwrap();
    for (width, height) in [(64, 48), (61, 47), (16, 17), (17, 16), (1, 1), (3, 2)] {
        let picture = planes(&scene(width, height), width, height);
        let bytes = encoder.encode(&picture).unwrap();
        let header = inspect(&bytes, MAX_SIDE).unwrap();
        assert_eq!(header.len, bytes.len());
        let got = worst_psnr(&decode(&bytes), &picture);
        assert!(got > if width < 16 { 24.0 } else { 36.0 }, "{width}x{height}: {got:.1} dB");
    }
}

#[test]
fn rows_with_padding_are_encoded_like_rows_without() {
    let picture = planes(&scene(50, 30), 50, 30);
    let mut padded = picture.clone();
    for plane in padded.planes_mut() {
        let stride = plane.width as usize + 14;
        let mut data = vec![3; stride * plane.height as usize];
        for (target, row) in data.chunks_exact_mut(stride).zip(plane.rows()) {
            target[..row.len()].copy_from_slice(row);
        }
        (plane.data, plane.stride) = (data, stride);
    }
    let mut encoder = Encoder::new(80).unwrap();
    assert_eq!(encoder.encode(&padded).unwrap(), encoder.encode(&picture).unwrap());
}

#[test]
fn limited_range_and_bt709_pictures_are_converted_before_they_are_encoded() {
    // BT.709 limited codes of pure red, green and blue (ITU-R BT.709-6 section 3).
    for (colour, codes) in
        [([255, 0, 0], [63, 102, 240]), ([0, 255, 0], [173, 42, 26]), ([0, 0, 255], [32, 240, 118])]
    {
        let mut picture = I420::new(32, 32, Range::Limited, Matrix::Bt709);
        for (plane, code) in picture.planes_mut().into_iter().zip(codes) {
            plane.fill(code);
        }
        let made = decode(&Encoder::new(95).unwrap().encode(&picture).unwrap());
        for (plane, want) in made.planes().into_iter().zip(convert::yuv_of_rgb(colour)) {
            assert!(plane.data.iter().all(|s| s.abs_diff(want) <= 3), "{colour:?}: {} {want}", plane.data[0]);
        }
    }
}

#[test]
fn impossible_qualities_and_sizes_are_refused() {
    assert_eq!(Encoder::new(0).unwrap_err(), Error::Quality(0));
    assert_eq!(Encoder::new(101).unwrap_err(), Error::Quality(101));
    let empty = I420::new(0, 7, Range::Full, Matrix::Bt601);
    assert!(matches!(Encoder::new(75).unwrap().encode(&empty), Err(Error::Unencodable(_))));
}
