//! What composing costs on this machine: `cargo run --release -p pixels --example compose_cost`.
//!
//! Prints the median of many rounds on one thread, and how often copying the same bytes (source, alpha and target read,
//! target written) would fit into it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::disallowed_methods, reason = "measuring needs the real clock")]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pixels::compose::effects::{Corners, Grade, Key, blur};
use pixels::compose::{Affine, Band, Bitmap, Canvas, Crop, Feed, Mode, Picture, Rect};
use pixels::{I420, Matrix, Range};

const ALL: Rect = Rect { left: 0, top: 0, right: 1920, bottom: 1080 };
const OPACITY: u8 = 204;

fn main() {
    let background = Picture::new(&drawn(1920, 1080, false));
    let pictures: Vec<Picture> = (0..10).map(|_| Picture::new(&drawn(640, 360, true))).collect();
    let mut canvas = Canvas::new(1920, 1080, 1);
    let bytes = |frame: f64| frame * 1.5;
    let copied = copying(bytes(1920.0 * 1080.0));
    report("copy a frame's bytes (the floor's unit)", copied, 1920.0 * 1080.0 * 1.5, || {
        canvas.bands()[0].over(&background, 0, 0, 255, ALL);
    });
    // Source, alpha (at both sizes) and target are read, target is written.
    let layer = 640.0 * 360.0 * (1.0 + 1.0 + 0.5 + 0.25 + 1.5);
    let band = |canvas: &mut Canvas, damage: &[Rect], step: i32| {
        for clip in damage {
            frame(&mut canvas.bands()[0], &background, &pictures, step, *clip);
        }
    };
    let mut step = 0;
    report("scene S, everything drawn again", copied, 1920.0 * 1080.0 * 1.5 + 10.0 * layer, || {
        step += 1;
        band(&mut canvas, &[ALL], step);
    });
    report("scene S, four of ten pictures moving", copied, 4.0 * 1.3 * (640.0 * 360.0 * 1.5 + layer), || {
        step += 1;
        let damage: Vec<Rect> = (0..4).map(|n| box_of(n, step).join(&box_of(n, step - 1))).collect();
        band(&mut canvas, &damage, step);
    });
    let mut alone = |name: &str, picture: &Picture, opacity: u8| {
        let mut at = 0;
        let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
        report(name, copied, width * height * 4.25, || {
            at = (at + 7) % 600;
            canvas.bands()[0].over(black_box(picture), at, at / 2, opacity, ALL);
        });
    };
    alone("one 640×360 with alpha", &pictures[0], 255);
    alone("one 640×360 with alpha, faded", &pictures[0], OPACITY);
    alone("one 1920×1080 opaque, faded", &background, OPACITY);
    let map = Affine::moved(100.0, 100.0);
    report("one 640×360 multiplied", copied, 640.0 * 360.0 * 5.5, || {
        canvas.bands()[0].blend(black_box(&pictures[0]), &map, OPACITY, Mode::Multiply, ALL);
    });
    turned(&mut canvas, copied);
    feeds(&mut canvas, copied);
    making(copied);
}

fn frame(band: &mut Band, background: &Picture, pictures: &[Picture], step: i32, clip: Rect) {
    band.over(background, 0, 0, 255, clip);
    for (n, picture) in (0..).zip(pictures) {
        let place = box_of(n, step);
        band.over(picture, place.left, place.top, OPACITY, clip);
    }
}

/// Where picture `n` is: the first four move.
fn box_of(n: i32, step: i32) -> Rect {
    let (x, y) = (n * 137 % 1280, n * 211 % 720);
    let moved = if n < 4 { ((x + 7 * step) % 1280, (y + 3 * step) % 720) } else { (x, y) };
    Rect::at(moved.0, moved.1, 640, 360)
}

fn turned(canvas: &mut Canvas, copied: f64) {
    let pictures: Vec<Picture> = (0..50).map(|_| Picture::new(&drawn(320, 180, true))).collect();
    pictures.iter().for_each(Picture::prepare_affine);
    let mut step = 0.0;
    for (name, least, most, opacity, different) in [
        ("fifty 320×180 turned, scale 0.5–1.5", 0.5, 1.5, 255, 50),
        ("fifty 320×180 turned, scale 1", 1.0, 1.0, 255, 50),
        ("one 320×180 turned, scale 1, fifty times", 1.0, 1.0, 255, 1),
        ("fifty 320×180 turned, scale 0.6, faded", 0.6, 0.6, OPACITY, 50),
    ] {
        report(name, copied, 50.0 * 320.0 * 180.0 * 6.0, || {
            step += 1.0;
            for (n, picture) in pictures[..different].iter().cycle().take(50).enumerate() {
                let n = n as f64;
                let scale = least + (most - least) * (n / 49.0);
                let at = (100.0 + n % 10.0 * 180.0 + step % 50.0, 90.0 + (n / 10.0).floor() * 210.0);
                let map = Affine::placed(at, n * 7.0 + step, (scale, scale), (160.0, 90.0));
                canvas.bands()[0].over_affine(black_box(picture), &map, opacity, ALL);
            }
        });
    }
}

fn feeds(canvas: &mut Canvas, copied: f64) {
    let key = Key { color: [0, 255, 0], similarity: 0.2, smoothness: 0.1, spill: 0.1 };
    let grade = Grade { brightness: 0.1, contrast: 1.1, saturation: 0.9, hue: 5.0 };
    let (mut feed, mut picture) = (Feed::default(), Picture::default());
    for (name, matrix, range, width, height) in [
        ("a 1080p feed into a quarter", Matrix::Bt709, Range::Limited, 960, 540),
        ("the same from BT.601 of full range", Matrix::Bt601, Range::Full, 960, 540),
        ("a 1080p feed at 854×480", Matrix::Bt709, Range::Limited, 854, 480),
    ] {
        let source = I420::new(1920, 1080, range, matrix);
        let crop = Crop::whole(1920, 1080);
        report(name, copied, 1920.0 * 1080.0 * 1.5, || {
            feed.take(black_box(source.view()), None, crop, width, height);
            feed.show(&mut picture);
            canvas.bands()[0].over(&picture, 960, 540, 255, ALL);
        });
    }
    let source = I420::new(1280, 720, Range::Limited, Matrix::Bt709);
    report("a 720p feed keyed, graded and rounded", copied, 1280.0 * 720.0 * 1.5, || {
        feed.take(black_box(source.view()), None, Crop::whole(1280, 720), 1280, 720);
        feed.grade(&grade);
        feed.key(&key);
        feed.round(Corners(24.0));
        feed.show(&mut picture);
    });
}

fn making(copied: f64) {
    let bitmap = drawn(640, 360, true);
    let mut picture = Picture::new(&bitmap);
    report("redraw a 640×360 picture", copied, 640.0 * 360.0 * 4.0, || {
        picture.redraw(black_box(&bitmap));
        picture.prepare(0, 0);
    });
    report("blur 640×360 by 12", copied, 640.0 * 360.0 * 4.0, || drop(black_box(blur(&bitmap, 12.0))));
    let line = drawn(900, 70, true);
    let mut picture = Picture::new(&line);
    report("redraw a line of text (900×70)", copied, 900.0 * 70.0 * 4.0, || {
        picture.redraw(black_box(&line));
        picture.prepare(0, 0);
    });
}

/// Seconds that copying a byte takes.
fn copying(bytes: f64) -> f64 {
    let source = vec![1_u8; bytes as usize];
    let mut target = vec![0_u8; bytes as usize];
    median(|| black_box(&mut target).copy_from_slice(black_box(&source))) / bytes
}

fn report(name: &str, copied: f64, bytes: f64, work: impl FnMut()) {
    let took = median(work);
    println!("{name:<44} {:>8.3} ms  {:>5.1} × copying", took * 1e3, took / (copied * bytes));
}

/// The median of ten groups of rounds, each group's processor time divided by its rounds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut groups: Vec<f64> = (0..10)
        .map(|_| {
            let (begin, start, mut rounds) = (Instant::now(), busy(), 0.0);
            while begin.elapsed() < Duration::from_millis(60) {
                work();
                rounds += 1.0;
            }
            (busy() - start) / rounds
        })
        .collect();
    groups.sort_by(f64::total_cmp);
    groups[groups.len() / 2]
}

/// Seconds this thread has had a processor.
fn busy() -> f64 {
    // Giving the processor up brings the kernel's figure up to date.
    std::thread::yield_now();
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// A picture with everything: opaque inside, a soft rim, holes, when `clear`.
fn drawn(width: u32, height: u32, clear: bool) -> Bitmap {
    let mut state = 1_u32;
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [grain, ..] = state.to_be_bytes();
            let alpha = if clear { (x * 255 / width + y * 255 / height).min(255) as u8 } else { 255 };
            data.extend([(x / 8) as u8, (y / 4) as u8, grain, alpha]);
        }
    }
    Bitmap::from_straight(width, height, data).unwrap()
}
