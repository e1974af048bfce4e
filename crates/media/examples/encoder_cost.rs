//! What one recording costs: processor time for each frame, and memory for each encoder.
//!
//! `cargo run --release -p media --example encoder_cost -- <file of MJPEG frames> [h264|mpeg4] [preset] [encoders]`
//!
//! Prints JPEG decoding and encoding apart, in ms of this thread's processor time a frame, and the growth of
//! the resident set for each open encoder after ten frames.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::path::Path;

use media::encode::{Encoder, Settings, VideoCodec};
use media::input::{Input, Picture, Source};
use pixels::{I420, Matrix, Range, convert, jpeg};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Frames read at most, so that they fit in memory.
const FRAMES: usize = 200;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument =
        |at: usize, usual: &'static str| arguments.get(at).map_or(usual, String::as_str).to_owned();
    let codec = if argument(2, "h264") == "mpeg4" { VideoCodec::Mpeg4 } else { VideoCodec::H264 };
    let preset: &'static str = Box::leak(argument(3, "ultrafast").into_boxed_str());
    let encoders: usize = argument(4, "50").parse()?;
    let jpegs = jpegs(Path::new(&argument(1, "frames.avi")))?;

    let mut decoder = jpeg::Decoder::new()?;
    let mut pictures = Vec::new();
    let start = processor_ms()?;
    for bytes in &jpegs {
        let mut picture = I420::new(0, 0, Range::Full, Matrix::Bt601);
        let header = jpeg::inspect(bytes, 8192)?;
        decoder.decode(bytes, &header, &mut picture)?;
        convert::to_limited(&mut picture);
        pictures.push(picture);
    }
    let decoded = processor_ms()? - start;

    let first = pictures.first().ok_or("no frame")?;
    let (width, height) = (first.width, first.height);
    let quality = if codec == VideoCodec::H264 { 23 } else { 4 };
    let settings = Settings { codec, width, height, preset, quality, keyframe_every: 180_000 };
    let mut encoder = Encoder::new(&settings)?;
    let mut bytes = 0;
    let start = processor_ms()?;
    for (pts, picture) in (0..).step_by(3000).zip(&pictures) {
        bytes += encoder.encode(picture, pts)?.iter().map(|packet| packet.data.len()).sum::<usize>();
    }
    let encoded = processor_ms()? - start;
    let count = f64::from(u32::try_from(pictures.len())?);
    println!(
        "{codec:?} {preset} {width}x{height}, {count} frames: JPEG to limited range {:.2} ms, encoding {:.2} ms, {} bytes a frame",
        decoded / count,
        encoded / count,
        bytes / pictures.len()
    );

    let before = resident_kb()?;
    let mut open = Vec::new();
    for _ in 0..encoders {
        let mut encoder = Encoder::new(&settings)?;
        for (pts, picture) in (0..).step_by(3000).zip(&pictures).take(10) {
            encoder.encode(picture, pts)?;
        }
        open.push(encoder);
    }
    println!("{encoders} encoders: {} KB resident each", (resident_kb()? - before) / encoders.max(1) as u64);
    Ok(())
}

fn jpegs(file: &Path) -> Outcome<Vec<bytes::Bytes>> {
    let mut input = Input::open(Source::File(file))?;
    let mut jpegs = Vec::new();
    while jpegs.len() < FRAMES
        && let Some((picture, _)) = input.next()?
    {
        match picture {
            Picture::Jpeg(bytes) => jpegs.push(bytes),
            Picture::I420(_) => return Err("the file's frames are not JPEG".into()),
        }
    }
    Ok(jpegs)
}

/// Processor time of this thread so far (the first number of `/proc/thread-self/schedstat`, ns).
fn processor_ms() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().ok_or("schedstat is empty")?.parse()?;
    Ok(nanoseconds / 1e6)
}

fn resident_kb() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
