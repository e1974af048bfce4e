//! JPEGs of every kind the field sends, made here, and the tools to change and compare them.

use pixels::{I420, Matrix, Plane, Range};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

pub(crate) const MAX_SIDE: u16 = 8192;

/// How a test JPEG is coded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coding {
    pub(crate) subsamp: Subsamp,
    pub(crate) progressive: bool,
    pub(crate) colorspace: Option<turbojpeg::Colorspace>,
}

pub(crate) const USUAL: Coding = Coding { subsamp: Subsamp::Sub2x2, progressive: false, colorspace: None };

/// A soft picture with some of every colour: no hard edges, so that all samplings show it alike.
pub(crate) fn scene(width: usize, height: usize) -> Vec<u8> {
    let wave = |n: usize, of: usize, turns: f64, phase: f64| {
        let angle = (n as f64 / of as f64) * turns * std::f64::consts::TAU + phase;
        127.5 + 110.0 * angle.sin()
    };
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let red = wave(x, width, 1.0, 0.0);
            let green = wave(y, height, 1.0, 1.0);
            let blue = wave(x + y, width + height, 2.0, 2.0);
            [red, green, blue].map(|c| c as u8)
        })
        .collect()
}

pub(crate) fn solid(width: usize, height: usize, rgb: [u8; 3]) -> Vec<u8> {
    rgb.repeat(width * height)
}

/// Encodes interleaved RGB with libjpeg-turbo itself, not with our encoder.
pub(crate) fn jpeg(rgb: &[u8], width: usize, height: usize, coding: Coding) -> Vec<u8> {
    let mut library = Compressor::new().unwrap();
    library.set_quality(95).unwrap();
    library.set_subsamp(coding.subsamp).unwrap();
    library.set_progressive(coding.progressive).unwrap();
    let cmyk: Vec<u8>;
    let (pixels, format) = match coding.colorspace {
        Some(space) => {
            library.set_colorspace(space).unwrap();
            if matches!(space, turbojpeg::Colorspace::CMYK | turbojpeg::Colorspace::YCCK) {
                // As Adobe stores it: inverted ink, no black.
                cmyk = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
                (cmyk.as_slice(), PixelFormat::CMYK)
            } else {
                (rgb, PixelFormat::RGB)
            }
        }
        None => (rgb, PixelFormat::RGB),
    };
    let pitch = width * format.size();
    library.compress_to_vec(Image { pixels, width, pitch, height, format }).unwrap()
}

/// The picture our conversion makes of the RGB, as the thing to compare with.
pub(crate) fn planes(rgb: &[u8], width: usize, height: usize) -> I420 {
    let mut out =
        I420::new(width.try_into().unwrap(), height.try_into().unwrap(), Range::Full, Matrix::Bt601);
    pixels::convert::rgb_to_i420(rgb, 3, &mut out);
    out
}

/// Position and length of each segment before the first scan, by marker.
pub(crate) fn segments(jpeg: &[u8]) -> Vec<(u8, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        found.push((jpeg[at + 1], at..end));
        at = end;
    }
    found.push((0xda, at..at));
    found
}

/// Without the segments of this marker.
pub(crate) fn without(jpeg: &[u8], marker: u8) -> Vec<u8> {
    let mut out = jpeg.to_vec();
    for (_, range) in segments(jpeg).into_iter().rev().filter(|(code, _)| *code == marker) {
        out.drain(range);
    }
    out
}

/// With a segment put in right behind the start of the image.
pub(crate) fn with(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, payload, &jpeg[2..]].concat()
}

/// An EXIF segment's payload, big-endian, with this orientation and a thumbnail picture inside.
pub(crate) fn exif(orientation: u8, thumbnail: &[u8]) -> Vec<u8> {
    let directory = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
    [b"Exif\0\0MM\0\x2a\0\0\0\x08".as_slice(), &directory, thumbnail].concat()
}

/// Peak signal to noise ratio of one plane against another, in dB; identical planes give 99.
pub(crate) fn psnr(a: &Plane, b: &Plane) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let squares: u64 =
        a.rows().flatten().zip(b.rows().flatten()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    if squares == 0 {
        return 99.0;
    }
    let mean = squares as f64 / f64::from(a.width * a.height);
    10.0 * (255.0_f64.powi(2) / mean).log10()
}

/// The worst of the three planes.
pub(crate) fn worst_psnr(a: &I420, b: &I420) -> f64 {
    a.planes().into_iter().zip(b.planes()).map(|(a, b)| psnr(a, b)).fold(99.0, f64::min)
}
