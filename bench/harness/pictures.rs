//! JPEGs to push, and the stamp by which a viewer knows again what it sees.
//!
//! The stamp is a comment segment right after the start of the image: servers that do not decode pass it on.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use media::input::{Input, Picture, Source};
use pixels::jpeg::{Decoder, Encoder, inspect};
use pixels::{I420, Matrix, Range, scale};
use sim::picture::{Kind, TestPicture};

use super::Outcome;

/// Stands before the stream's number and the frame's.
pub(crate) const MARK: &[u8] = b"onair-bench-stamp";
/// [`MARK`], a stream's number in 4 bytes, a frame's in 8.
pub(crate) const STAMP: usize = MARK.len() + 12;
/// A comment segment's marker and length.
const SEGMENT: usize = 4;
/// Frames of one set; they are pushed over and over.
const FRAMES: u32 = 60;

/// Frames of a drawn game at 30 a second.
pub(crate) fn drawn(width: u32, height: u32, quality: u8) -> Outcome<Vec<Bytes>> {
    let mut picture = TestPicture::new(Kind::Court, width, height, "bench");
    let mut canvas = I420::new(width, height, Range::Full, Matrix::Bt601);
    let mut encoder = Encoder::new(quality)?;
    let mut frames = Vec::new();
    for number in 0..FRAMES {
        picture.draw(u64::from(number), Duration::from_secs(1) * number / 30, &mut canvas);
        frames.push(Bytes::from(encoder.encode(&canvas)?));
    }
    Ok(frames)
}

/// Frames of a film from ten seconds after its start, scaled to that size.
pub(crate) fn filmed(path: &Path, width: u32, height: u32, quality: u8) -> Outcome<Vec<Bytes>> {
    const FROM: Duration = Duration::from_secs(10);
    let mut film = Input::open(Source::File(path))?;
    let mut encoder = Encoder::new(quality)?;
    let mut frames = Vec::new();
    while frames.len() < FRAMES as usize {
        let Some((picture, time)) = film.next()? else { break };
        if time < FROM {
            continue;
        }
        let picture = match picture {
            Picture::I420(picture) => picture,
            Picture::Jpeg(jpeg) => {
                let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
                Decoder::new()?.decode(&jpeg, &inspect(&jpeg, u16::MAX)?, &mut picture)?;
                picture
            }
        };
        frames.push(Bytes::from(encoder.encode(&scale::scale(&picture, width, height))?));
    }
    if frames.is_empty() { Err("the film is shorter than ten seconds".into()) } else { Ok(frames) }
}

/// Frames of that many bytes each once stamped, of the best quality that fits.
pub(crate) fn weighing(bytes: usize) -> Outcome<Vec<Bytes>> {
    let fits = |frames: &Vec<Bytes>| frames.iter().all(|jpeg| jpeg.len() + 2 * SEGMENT + STAMP <= bytes);
    for quality in (30..=95).rev() {
        let frames = drawn(1280, 720, quality)?;
        if fits(&frames) {
            return Ok(frames.iter().map(|jpeg| filled(jpeg, bytes - SEGMENT - STAMP)).collect());
        }
    }
    Err("no quality gives pictures that small".into())
}

/// The JPEG with a comment of zeros that makes it `bytes` long.
fn filled(jpeg: &[u8], bytes: usize) -> Bytes {
    let fill = bytes - jpeg.len() - SEGMENT;
    [&jpeg[..2], &comment(fill), &vec![0; fill], &jpeg[2..]].concat().into()
}

fn comment(payload: usize) -> [u8; SEGMENT] {
    let [high, low] = u16::try_from(payload + 2).expect("a comment has 64 KB at most").to_be_bytes();
    [0xff, 0xfe, high, low]
}

/// Bytes that are put into a JPEG by stamping it.
pub(crate) const fn stamp_bytes() -> usize {
    SEGMENT + STAMP
}

/// Appends the JPEG to `out`, stamped as frame `number` of `stream`.
pub(crate) fn stamped(jpeg: &[u8], stream: u32, number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&jpeg[..2]);
    out.extend_from_slice(&comment(STAMP));
    out.extend_from_slice(MARK);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&jpeg[2..]);
}
