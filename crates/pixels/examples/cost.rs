//! What the work of this crate costs on this machine: `cargo run --release -p pixels --example cost`.
//!
//! Prints the median of many rounds, one thread. The picture is a soft scene with grain, so that its JPEGs
//! have the size of a camera's.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::disallowed_methods, reason = "measuring needs the real clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pixels::jpeg::{Decoder, Encoder, inspect};
use pixels::{I420, Matrix, Range, convert, scale};

fn main() {
    for (width, height, quality) in [(640, 480, 75), (1280, 720, 75), (1280, 720, 85)] {
        let picture = scene(width, height);
        let mut encoder = Encoder::new(quality).unwrap();
        let bytes = encoder.encode(&picture).unwrap();
        println!("{width}x{height} quality {quality}: {} bytes", bytes.len());
        let header = inspect(&bytes, 8192).unwrap();
        report("inspect", || {
            let _ = black_box(inspect(black_box(&bytes), 8192));
        });
        let mut decoder = Decoder::new().unwrap();
        let mut out = picture.clone();
        report("decode", || decoder.decode(&bytes, &header, &mut out).unwrap());
        report("encode", || drop(black_box(encoder.encode(&picture).unwrap())));
        let mut work = picture.clone();
        report("to_limited", || {
            work.range = Range::Full;
            convert::to_limited(black_box(&mut work));
        });
        let mut limited = picture.clone();
        convert::to_limited(&mut limited);
        report("to_full_bt601, BT.601", || drop(black_box(convert::to_full_bt601(&limited))));
        limited.matrix = Matrix::Bt709;
        report("to_full_bt601, BT.709", || drop(black_box(convert::to_full_bt601(&limited))));
        report("turn by 90°", || convert::upright(&picture, 6, &mut out));
        report("scale to 320 wide", || drop(black_box(scale(&picture, 320, 320 * height / width))));
    }
    report("a new decompressor", || drop(black_box(turbojpeg::Decompressor::new().unwrap())));
}

fn report(name: &str, mut work: impl FnMut()) {
    let mut rounds: Vec<Duration> = Vec::new();
    let begin = Instant::now();
    while rounds.len() < 20 || begin.elapsed() < Duration::from_millis(400) {
        let start = Instant::now();
        work();
        rounds.push(start.elapsed());
    }
    rounds.sort();
    println!("  {name:<24} {:>9.1} µs", rounds[rounds.len() / 2].as_secs_f64() * 1e6);
}

fn scene(width: u32, height: u32) -> I420 {
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    let mut state = 1_u32;
    for (plane, turns) in picture.planes_mut().into_iter().zip([3.0, 1.0, 2.0]) {
        for y in 0..plane.height {
            for (x, sample) in (0_u32..).zip(plane.row_mut(y)) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let wave = (f64::from(x + y) / f64::from(width) * turns * std::f64::consts::TAU).sin();
                let [grain, ..] = state.to_be_bytes();
                *sample = grain / 16 + if wave > 0.3 { 150 } else { 80 };
            }
        }
    }
    picture
}
