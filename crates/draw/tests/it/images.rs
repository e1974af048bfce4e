//! Image files: made here, damaged here, read back.

use std::io::Cursor;

use draw::Error;
use draw::image::{Fit, Kind, decode, frames, probe};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, ImageFormat, Rgba, RgbaImage};

use crate::looks::picture;

fn rgba(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_raw(width, height, picture(width, height).into_data()).unwrap()
}

fn coded(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    DynamicImage::from(rgba(width, height)).write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn solid(colour: [u8; 4]) -> RgbaImage {
    RgbaImage::from_pixel(24, 16, Rgba(colour))
}

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];

/// A GIF of red, blue, blue, of 100, 250 and 100 ms.
fn moving_gif() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new(&mut out);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for (colour, ms) in [(RED, 100), (BLUE, 250), (BLUE, 0)] {
        let delay = Delay::from_numer_denom_ms(ms, 1);
        encoder.encode_frame(Frame::from_parts(solid(colour), 0, 0, delay)).unwrap();
    }
    drop(encoder);
    out
}

/// An APNG of red and blue, of 100 and 250 ms, shown twice.
fn moving_png() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 24, 16);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(2, 2).unwrap();
    encoder.set_frame_delay(100, 1000).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&solid(RED)).unwrap();
    writer.set_frame_delay(1, 4).unwrap();
    writer.write_image_data(&solid(BLUE)).unwrap();
    writer.finish().unwrap();
    out
}

/// An animated WebP of two lossless pictures, of 100 and 250 ms.
fn moving_webp() -> Vec<u8> {
    let chunk = |name: &[u8], data: &[u8]| {
        let mut out = name.to_vec();
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        out.extend(vec![0; data.len() % 2]);
        out
    };
    let u24 = |n: u32| n.to_le_bytes()[..3].to_vec();
    let frame = |colour: [u8; 4], ms: u32| {
        let mut still = Cursor::new(Vec::new());
        DynamicImage::from(solid(colour)).write_to(&mut still, ImageFormat::WebP).unwrap();
        let mut data = [u24(0), u24(0), u24(23), u24(15), u24(ms), vec![2]].concat();
        data.extend(&still.into_inner()[12..]);
        chunk(b"ANMF", &data)
    };
    let head = [vec![0x12, 0, 0, 0], u24(23), u24(15)].concat();
    let body = [
        b"WEBP".to_vec(),
        chunk(b"VP8X", &head),
        chunk(b"ANIM", &[0, 0, 0, 0, 0, 0]),
        frame(RED, 100),
        frame(BLUE, 250),
    ]
    .concat();
    chunk(b"RIFF", &body)
}

#[test]
fn stills_are_probed_and_decoded() {
    for (format, kind) in
        [(ImageFormat::Png, Kind::Png), (ImageFormat::Gif, Kind::Gif), (ImageFormat::WebP, Kind::WebP)]
    {
        let bytes = coded(format, 64, 48);
        let found = probe(&bytes).unwrap();
        assert_eq!((found.kind, found.width, found.height, found.duration()), (kind, 64, 48, 0));
        let out = decode(&bytes, None).unwrap();
        let near = |at: (u32, u32), want: [u8; 3]| {
            let got = out.pixel(at.0, at.1);
            assert!(got.iter().zip(want).all(|(a, b)| a.abs_diff(b) < 12), "{kind} {at:?}: {got:?}");
        };
        near((3, 3), [230, 60, 40]);
        near((60, 3), [40, 180, 80]);
        near((3, 44), [40, 90, 220]);
        let fitted = decode(&bytes, Some((32, 32, Fit::Contain))).unwrap();
        assert_eq!((fitted.pixel(5, 1)[3], fitted.pixel(5, 16)[3]), (0, 255));
    }
}

#[test]
fn what_moves_is_read_frame_by_frame_with_its_times() {
    for (bytes, kind, delays, plays) in [
        (moving_gif(), Kind::Gif, vec![100, 250, 100], 0),
        (moving_png(), Kind::Png, vec![100, 250], 2),
        (moving_webp(), Kind::WebP, vec![100, 250], 0),
    ] {
        let found = probe(&bytes).unwrap();
        assert_eq!((found.kind, &found.delays, found.plays), (kind, &delays, plays));
        let moving = frames(&bytes, None, 1 << 20).unwrap();
        assert_eq!(moving.frames().len(), delays.len());
        assert_eq!(moving.duration(), found.duration());
        assert_eq!(moving.bytes(), 2 * 24 * 16 * 4, "{kind}: like frames are kept once");
        assert_eq!(moving.frames()[moving.at(50)].pixel(5, 5), RED, "{kind}");
        assert_eq!(moving.frames()[moving.at(150)].pixel(5, 5), BLUE, "{kind}");
        assert_eq!(decode(&bytes, None).unwrap().pixel(5, 5), RED, "{kind}");
        let small = frames(&bytes, Some((6, 4, Fit::Fill)), 1 << 20).unwrap();
        assert_eq!(small.bytes(), 2 * 6 * 4 * 4);
        let refused = frames(&bytes, None, 2000).unwrap_err();
        assert!(matches!(refused, Error::TooMuchMotion { most: 2000, .. }), "{refused}");
    }
}

#[test]
fn a_jpeg_is_upright_and_keeps_its_colours() {
    let mut out = Vec::new();
    let i420 = {
        let mut planes = pixels::I420::new(64, 48, pixels::Range::Full, pixels::Matrix::Bt601);
        pixels::convert::rgb_to_i420(picture(64, 48).data(), 4, &mut planes);
        planes
    };
    out.extend(pixels::jpeg::Encoder::new(90).unwrap().encode(&i420).unwrap());
    let found = probe(&out).unwrap();
    assert_eq!((found.kind, found.width, found.height), (Kind::Jpeg, 64, 48));
    let shown = decode(&out, None).unwrap();
    for ((x, y), want) in [((8, 8), [230, 60, 40]), ((56, 8), [40, 180, 80]), ((8, 40), [40, 90, 220])] {
        let got = shown.pixel(x, y);
        assert!(got.iter().zip(want).all(|(a, b)| a.abs_diff(b) < 12), "{got:?}");
        assert_eq!(got[3], 255);
    }
    // An APP1 segment that says: turn by 90 degrees clockwise.
    let mut turned = out[..2].to_vec();
    turned
        .extend(b"\xff\xe1\0\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    turned.extend(&out[2..]);
    let found = probe(&turned).unwrap();
    assert_eq!((found.width, found.height), (48, 64));
    let got = decode(&turned, None).unwrap().pixel(40, 8);
    assert!(got[0] > 200 && got[1] < 90, "the red quarter is at the top right: {got:?}");
}

#[test]
fn every_cut_is_refused_and_none_panics() {
    let all = [
        coded(ImageFormat::Png, 20, 10),
        coded(ImageFormat::Gif, 20, 10),
        coded(ImageFormat::WebP, 20, 10),
        moving_gif(),
        moving_png(),
        moving_webp(),
    ];
    for whole in all {
        let kind = probe(&whole).unwrap().kind;
        for length in 0..whole.len() {
            let refused = probe(&whole[..length]);
            assert!(refused.is_err(), "{kind} of {length} of {} bytes", whole.len());
            if length > 30 {
                assert_eq!(refused, Err(Error::CutShort(kind)), "{length}");
            }
        }
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0xff;
            drop(decode(&bad, None));
            drop(frames(&bad, None, 1 << 20));
        }
    }
}

#[test]
fn bombs_are_refused_by_their_header() {
    let mut png = coded(ImageFormat::Png, 20, 10);
    png[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let mut gif = coded(ImageFormat::Gif, 20, 10);
    gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let mut webp = moving_webp();
    webp[24..30].copy_from_slice(&[0xff; 6]);
    for (bytes, size) in [(png, "30000x30000"), (gif, "65535x65535"), (webp, "16777216x16777216")] {
        let said = probe(&bytes).unwrap_err().to_string();
        assert!(said.contains(size) && said.contains("at most"), "{said}");
    }
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='90000' height='90000'/>";
    assert!(matches!(probe(svg), Err(Error::TooManyPixels { .. })));
    let wanted = Some((8192, 8192, Fit::Fill));
    assert!(matches!(decode(&coded(ImageFormat::Png, 2, 2), wanted), Err(Error::TooLarge { .. })));
}

#[test]
fn what_is_no_image_is_named() {
    assert_eq!(probe(b""), Err(Error::Empty));
    for other in [&b"hello"[..], b"<html><body></body></html>", b"BM\0\0\0\0", b"\x1f\x8b\x08\0", b"%PDF-1.4"]
    {
        assert_eq!(probe(other), Err(Error::UnknownImage));
    }
}
