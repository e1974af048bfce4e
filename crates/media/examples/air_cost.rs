//! What encoding for the air costs, against x264 alone on the same pictures.
//!
//! `cargo run --release -p media --example air_cost -- [presets, by commas] [moving|still] [fps] [kbps] [width] [height]`
//!
//! Each preset encodes the same pictures three times over: by [`VideoEncoder`], and by the program `ffmpeg` from a file of them
//! (`-tune zerolatency`, the same rate), of which what only reading costs is taken off. Prints frames for each second of
//! processor time of both, their ratio, and how long a picture takes from going in to its packet.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use media::air::{Acceleration, Preset, VideoCodec, VideoEncoder, VideoSettings};
use pixels::{I420, Matrix, Range};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Pictures made, and how often they are shown.
const PICTURES: u32 = 90;
const ROUNDS: u32 = 3;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, usual: &str| arguments.get(at).map_or(usual, String::as_str).to_owned();
    let presets = argument(0, "ultrafast,superfast,veryfast");
    let moving = argument(1, "moving") == "moving";
    let [fps, kbps] = [argument(2, "30").parse()?, argument(3, "4000").parse()?];
    let [width, height] = [argument(4, "1920").parse()?, argument(5, "1080").parse()?];
    let pictures: Vec<Arc<I420>> =
        (0..PICTURES).map(|number| Arc::new(picture(number, width, height, moving))).collect();
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("pictures.yuv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&raw)?);
    for plane in pictures.iter().flat_map(|picture| picture.planes()) {
        plane.rows().try_for_each(|row| file.write_all(row))?;
    }
    drop(file);
    let settings = |preset| VideoSettings {
        codec: VideoCodec::H264,
        width,
        height,
        fps,
        kbps,
        preset,
        keyframe_every_s: 2,
        acceleration: Acceleration::None,
    };
    let reading = bare(&raw, &settings(Preset::Veryfast), false)?.0;
    for preset in presets.split(',') {
        let settings = settings(preset.parse()?);
        let mut ours = encode(&settings, &pictures)?;
        let (bare_cpu, bare_kbps) = bare(&raw, &settings, true)?;
        let count = f64::from(PICTURES * ROUNDS);
        let bare_cpu = bare_cpu - reading;
        ours.times.sort_by(f64::total_cmp);
        let at = |share: usize| ours.times[(ours.times.len() - 1) * share / 100];
        println!(
            "{preset}: {:.1} fps a CPU second, x264 alone {:.1}: ratio {:.3}; {:.0} kbit/s, x264 alone {bare_kbps:.0}; \
             ms a picture p50 {:.1} p99 {:.1} max {:.1}",
            count / ours.cpu,
            count / bare_cpu,
            ours.cpu / bare_cpu,
            ours.kbps,
            at(50),
            at(99),
            at(100)
        );
    }
    Ok(())
}

struct Figures {
    /// Seconds of processor time.
    cpu: f64,
    kbps: f64,
    /// Milliseconds of each picture.
    times: Vec<f64>,
}

fn encode(settings: &VideoSettings, pictures: &[Arc<I420>]) -> Outcome<Figures> {
    let mut encoder = VideoEncoder::open(settings)?;
    let (mut times, mut bytes, mut number) = (Vec::new(), 0, 0);
    let start = processor_seconds()?;
    for picture in (0..ROUNDS).flat_map(|_| pictures) {
        let begin = now();
        let packets = encoder.encode(picture, number, false)?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
        bytes += packets.iter().map(|packet| packet.data.len()).sum::<usize>();
        number += 1;
    }
    encoder.finish()?;
    let seconds = f64::from(PICTURES * ROUNDS) / f64::from(settings.fps);
    Ok(Figures { cpu: processor_seconds()? - start, kbps: bytes as f64 * 8.0 / 1000.0 / seconds, times })
}

/// Seconds of processor time of the program `ffmpeg`, and the rate it made.
fn bare(raw: &Path, settings: &VideoSettings, encode: bool) -> Outcome<(f64, f64)> {
    let VideoSettings { width, height, fps, kbps, preset, .. } = settings;
    let codec = if encode {
        format!(
            "-c:v libx264 -preset {preset} -tune zerolatency -b:v {kbps}k -maxrate {kbps}k -bufsize {}k -g {} -f h264",
            kbps * 3 / 2,
            fps * 2
        )
    } else {
        "-c:v wrapped_avframe -f null".to_owned()
    };
    let out = raw.with_extension("h264");
    let line = format!(
        "-hide_banner -nostdin -y -benchmark -stream_loop {} -f rawvideo -pix_fmt yuv420p -s {width}x{height} -r {fps} -i",
        ROUNDS - 1
    );
    let ran = Command::new("ffmpeg")
        .args(line.split(' '))
        .arg(raw)
        .args(codec.split(' '))
        .arg(if encode { out.as_path() } else { Path::new("/dev/null") })
        .output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let figure = |name: &str| -> Outcome<f64> {
        let rest = said.rsplit_once(name).ok_or_else(|| format!("ffmpeg said: {said}"))?.1;
        Ok(rest.split('s').next().unwrap_or_default().parse()?)
    };
    let bytes = std::fs::metadata(&out).map_or(0, |data| data.len());
    let seconds = f64::from(PICTURES * ROUNDS) / f64::from(*fps);
    Ok((figure("utime=")? + figure("stime=")?, bytes as f64 * 8.0 / 1000.0 / seconds))
}

/// A textured picture; still but for a ticker, or panned with boxes that move over it.
fn picture(number: u32, width: u32, height: u32, moving: bool) -> I420 {
    let mut picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
    let shift = if moving { number * 4 } else { 0 };
    for y in 0..height {
        let ticker = y > height - 60;
        let shift = if ticker { number * 3 } else { shift };
        for (x, sample) in (0..).zip(picture.y.row_mut(y)) {
            let (x, y) = (x + shift, y + shift / 3);
            let hash = (x / 2).wrapping_mul(2_654_435_761).wrapping_add((y / 2).wrapping_mul(40_503)) >> 9;
            let wave = |at: u32, length: u32| (at % length).abs_diff(length / 2) * 60 / length;
            *sample = u8::try_from(50 + wave(x, 233) * 2 + wave(y, 145) + hash % 24).unwrap_or(16);
        }
    }
    for (plane, part) in [(&mut picture.u, 53), (&mut picture.v, 71)] {
        for y in 0..height / 2 {
            for (x, sample) in (0..).zip(plane.row_mut(y)) {
                *sample = u8::try_from(100 + ((x + shift / 2) / part + y / part) % 50).unwrap_or(128);
            }
        }
    }
    for side in 0..if moving { 6 } else { 0 } {
        let left = (number * (7 + side) + side * 300) % (width - 200);
        let top = (number * (3 + side) + side * 150) % (height - 150);
        for y in top..top + 140 {
            let row = &mut picture.y.row_mut(y)[left as usize..left as usize + 180];
            for (x, sample) in (0..).zip(row) {
                *sample = u8::try_from(40 + (x * (side + 2) + y) % 160).unwrap_or(16);
            }
        }
    }
    picture
}

/// Of this process, all threads.
fn processor_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("no field")?.parse()?) };
    // User and system time, in hundredths of a second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is what is measured")]
fn now() -> Instant {
    Instant::now()
}
