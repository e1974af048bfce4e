//! The frame number in a test picture survives what happens to pictures on their way, and is not read where there is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers are clamped to a byte")]

use std::time::Duration;

use pixels::jpeg::{Decoder, Encoder, inspect};
use pixels::{I420, Matrix, Range, convert, scale};
use sim::picture::{Kind, TestPicture, read_counter};

const SIZES: [(u32, u32); 7] =
    [(320, 240), (426, 240), (640, 480), (641, 479), (854, 480), (1280, 720), (1920, 1080)];
const NUMBERS: [u64; 4] = [0, 29, 0x5555_5555, u32::MAX as u64];

fn drawn(kind: Kind, (width, height): (u32, u32), frame: u64) -> I420 {
    let mut out = I420::new(0, 0, Range::Limited, Matrix::Bt709);
    TestPicture::new(kind, width, height, "camera-1").draw(
        frame,
        Duration::from_millis(frame % 90_000 * 33),
        &mut out,
    );
    assert_eq!((out.width, out.height), (width, height));
    assert_eq!((out.range, out.matrix), (Range::Full, Matrix::Bt601));
    out
}

fn through_jpeg(picture: &I420, quality: u8) -> I420 {
    let bytes = Encoder::new(quality).unwrap().encode(picture).unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    Decoder::new().unwrap().decode(&bytes, &inspect(&bytes, 8192).unwrap(), &mut out).unwrap();
    out
}

/// What a starved video encoder does to luma: samples quantised coarsely, softened across block edges, with noise on top.
fn as_coarse_video(picture: &I420) -> I420 {
    let mut out = picture.clone();
    let mut state = 1_u32;
    // Only where the number is; the rest of the picture does not bear on it.
    for y in out.height * 9 / 10..out.height {
        let row = picture.y.row(y).to_vec();
        for (x, target) in out.y.row_mut(y).iter_mut().enumerate() {
            let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(row.len() - 1)]);
            let soft = (u32::from(left) + 2 * u32::from(row[x]) + u32::from(right)) / 4;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 24) % 49;
            *target = (soft / 12 * 12 + noise).saturating_sub(24).min(255) as u8;
        }
    }
    out
}

#[test]
fn the_number_survives_jpeg_range_changes_noise_and_scaling() {
    for kind in [Kind::Bars, Kind::Court] {
        for size in SIZES {
            for frame in NUMBERS {
                let picture = drawn(kind, size, frame);
                let mut limited = picture.clone();
                convert::to_limited(&mut limited);
                let small = scale(&picture, size.0 * 3 / 4, size.1 * 3 / 4);
                for (way, seen) in [
                    ("as drawn", &picture),
                    ("JPEG 60", &through_jpeg(&picture, 60)),
                    ("JPEG 20", &through_jpeg(&picture, 20)),
                    ("limited", &limited),
                    ("coarse video", &as_coarse_video(&limited)),
                    ("coarse video, then JPEG 60", &through_jpeg(&as_coarse_video(&picture), 60)),
                    ("three quarters of the size", &small),
                ] {
                    assert_eq!(read_counter(seen).map(u64::from), Some(frame), "{kind:?} {size:?} {way}");
                }
            }
        }
    }
}

#[test]
fn damage_is_noticed() {
    let good = drawn(Kind::Bars, (640, 480), 1234);
    for bit in 0..52 {
        let mut bad = good.clone();
        for y in 460..480 {
            for sample in &mut bad.y.row_mut(y)[bit * 640 / 52..(bit + 1) * 640 / 52] {
                *sample = 255 - *sample;
            }
        }
        assert_eq!(read_counter(&bad), None, "block {bit} inverted");
    }
    let mut torn = good.clone();
    let other = drawn(Kind::Bars, (640, 480), 0x00ff_00ff);
    for y in 460..480 {
        torn.y.row_mut(y)[..320].copy_from_slice(&other.y.row(y)[..320]);
    }
    assert_eq!(read_counter(&torn), None, "halves of two frames");
}

#[test]
fn pictures_without_a_number_have_none() {
    for size in [(0, 0), (1, 1), (155, 100), (640, 480)] {
        for fill in [0, 128, 255] {
            let mut blank = I420::new(size.0, size.1, Range::Full, Matrix::Bt601);
            blank.y.fill(fill);
            assert_eq!(read_counter(&blank), None);
        }
    }
    let mut noise = I420::new(640, 480, Range::Full, Matrix::Bt601);
    let mut state = 7_u32;
    for round in 0..200 {
        for sample in &mut noise.y.data[640 * 450..] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = if state >> 31 == 0 { 0 } else { 255 };
        }
        assert_eq!(read_counter(&noise), None, "round {round}");
    }
}

#[test]
fn pictures_are_the_same_for_the_same_arguments_and_differ_for_others() {
    let at = |kind, label: &str, frame: u64, millis: u64| {
        let mut out = I420::new(3, 3, Range::Full, Matrix::Bt601);
        TestPicture::new(kind, 320, 240, label).draw(frame, Duration::from_millis(millis), &mut out);
        out
    };
    for kind in [Kind::Bars, Kind::Court] {
        let one = at(kind, "a", 5, 170);
        assert_eq!(one, at(kind, "a", 5, 170));
        assert_ne!(one, at(kind, "a", 5, 203), "time moves something");
        assert_ne!(one, at(kind, "a", 6, 170), "the frame number shows");
        assert_ne!(one, at(kind, "b", 5, 170), "the label shows");
    }
    assert_ne!(at(Kind::Bars, "a", 5, 170), at(Kind::Court, "a", 5, 170));
}

#[test]
fn any_size_and_label_can_be_drawn() {
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    for kind in [Kind::Bars, Kind::Court] {
        for (width, height) in [(0, 0), (16, 16), (17, 300), (300, 17), (161, 121), (2000, 40)] {
            for label in ["", "x", "UMLAUT Ü and a very long name that cannot fit anywhere"] {
                let mut picture = TestPicture::new(kind, width, height, label);
                for time in [Duration::ZERO, Duration::from_secs(400_000), Duration::MAX] {
                    picture.draw(u64::MAX, time, &mut out);
                    assert_eq!((out.width, out.height), (width.max(16), height.max(16)));
                }
            }
        }
    }
}
