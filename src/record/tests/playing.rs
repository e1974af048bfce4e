//! What is recorded plays as it was pushed: every frame, at its time, in one file or the next.

use super::harness::{Bench, File, ms, picture, turned};
use crate::record::Codec;
use crate::record::sidecar::Why;
use std::time::Duration;

const CODECS: [(Codec, &str); 3] = [(Codec::H264, "h264"), (Codec::Mp4v, "mpeg4"), (Codec::Mjpeg, "mjpeg")];

/// Arrival times at `fps` with up to 40 % jitter, the same at every run.
fn jittered(fps: u64, frames: u64) -> Vec<Duration> {
    let gap = 1_000_000 / fps;
    let mut seed = fps;
    (0..frames)
        .map(|i| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_micros(i * gap + (seed >> 33) % (gap * 2 / 5))
        })
        .collect()
}

#[test]
fn played_time_is_wall_time_at_every_rate_in_every_codec() {
    for (codec, name) in CODECS {
        for fps in [7, 15, 29] {
            let mut bench = Bench::new(codec);
            let times = jittered(fps, fps * 3);
            let mut before = Duration::ZERO;
            for (number, &time) in (0..).zip(&times) {
                bench.push(picture(64, 48, number), time - before);
                before = time;
            }
            let files = bench.stop();
            let [file] = &files[..] else { panic!("{files:?}") };
            let what = format!("{name} at {fps}");
            assert_eq!((file.codec.as_str(), file.size), (name, (64, 48)), "{what}");
            assert_eq!((file.packets.len(), file.decoded), (times.len(), times.len()), "{what}");
            for (&(pts, _), &time) in file.packets.iter().zip(&times) {
                let expected = (time - times[0]).as_secs_f64();
                assert!((pts - expected).abs() < 0.000_02, "{what}: {pts} for {expected}");
            }
            assert!((file.duration - 3.0).abs() < 1.5 / fps as f64, "{what}: {}", file.duration);
            check_sidecar(file, codec, times.len() as u64, &what);
        }
    }
}

fn check_sidecar(file: &File, codec: Codec, frames: u64, what: &str) {
    let sidecar = &file.sidecar;
    assert_eq!(
        (sidecar.codec, sidecar.total_frames, sidecar.reason),
        (codec, frames, Some(Why::Stopped)),
        "{what}"
    );
    let seconds = sidecar.duration_seconds.unwrap();
    assert!((seconds - file.duration).abs() < 0.002, "{what}: {seconds} and {}", file.duration);
    assert!((sidecar.average_fps.unwrap() - frames as f64 / seconds).abs() < 0.01, "{what}");
    assert_eq!((sidecar.recovered, sidecar.frames_not_recorded), (false, 0), "{what}");
    assert!(sidecar.recording_path.ends_with("/recordings/cam/cam_20260121_103000.mp4"), "{what}");
}

#[test]
fn a_pause_in_the_push_is_a_long_frame() {
    for (codec, name) in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(10, (64, 48), ms(100));
        bench.wait(ms(600));
        bench.wait(ms(20_000));
        bench.push_many(10, (64, 48), ms(100));
        let [file] = &bench.stop()[..] else { panic!("one file") };
        let expected = (0..10).chain(216..226).map(|tenths| f64::from(tenths) / 10.0);
        assert_eq!(file.packets.len(), 20, "{name}");
        assert!(
            file.packets.iter().zip(expected).all(|((pts, _), expected)| (pts - expected).abs() < 1e-4),
            "{name}"
        );
        assert!((file.duration - 22.6).abs() < 0.02, "{name}: {}", file.duration);
    }
}

#[test]
fn frames_of_the_same_moment_and_a_single_frame_are_kept() {
    for (codec, name) in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(3, (64, 48), Duration::ZERO);
        let [file] = &bench.stop()[..] else { panic!("one file") };
        assert_eq!((file.packets.len(), file.decoded), (3, 3), "{name}");
        let mut bench = Bench::new(codec);
        bench.push_many(1, (64, 48), Duration::ZERO);
        let [file] = &bench.stop()[..] else { panic!("one file") };
        assert_eq!((file.packets.len(), file.sidecar.total_frames), (1, 1), "{name}");
    }
}

#[test]
fn the_next_file_goes_on_where_the_last_ended_and_begins_with_a_keyframe() {
    for (codec, name) in CODECS {
        let mut bench = Bench::starting("2026-01-21T23:59:55Z", codec, |settings| {
            settings.max_file = Duration::from_secs(8)
        });
        bench.push_many(200, (64, 48), ms(100));
        let files = bench.stop();
        let short: Vec<_> = files.iter().map(|f| (f.name(), f.packets.len(), f.reason().unwrap())).collect();
        let expected = [
            ("cam_20260121_235955.mp4", 49, Why::Rotated),
            ("cam_20260122_000000.mp4", 80, Why::Rotated),
            ("cam_20260122_000008.mp4", 71, Why::Stopped),
        ];
        assert_eq!(short, expected, "{name}");
        for (file, seconds) in files.iter().zip([4.9, 8.0, 7.1]) {
            assert!(file.packets[0].1, "{name}");
            assert!((file.duration - seconds).abs() < 0.02, "{name}: {}", file.duration);
        }
    }
}

#[test]
fn a_new_size_is_a_new_file_and_one_that_flaps_is_fitted_into_it() {
    for (codec, name) in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(10, (64, 48), ms(100));
        for i in 0..120 {
            let size = if i % 2 == 0 { (96, 48) } else { (64, 48) };
            bench.push_many(1, size, ms(100));
        }
        let files = bench.stop();
        let short: Vec<_> = files.iter().map(|f| (f.size, f.packets.len(), f.decoded)).collect();
        assert_eq!(short, [((64, 48), 10, 10), ((96, 48), 101, 101), ((64, 48), 19, 19)], "{name}");
        assert_eq!(files[0].reason(), Some(Why::SizeChange));
    }
}

#[test]
fn odd_sizes_are_recorded() {
    for (codec, name) in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(5, (33, 17), ms(100));
        let [file] = &bench.stop()[..] else { panic!("one file") };
        assert_eq!(file.decoded, 5, "{name}");
        assert_eq!((file.sidecar.width, file.sidecar.height), (33, 17), "{name}");
    }
}

#[test]
fn a_turned_camera_is_upright_by_the_header_or_by_the_pixels() {
    for (codec, size, rotation) in
        [(Codec::H264, (48, 64), 0), (Codec::Mp4v, (48, 64), 0), (Codec::Mjpeg, (64, 48), -90)]
    {
        let mut bench = Bench::new(codec);
        for number in 0..3 {
            bench.push(turned(&picture(64, 48, number), 6), ms(100));
        }
        // The size flaps: an upright picture must be turned to stand like the others.
        bench.push(picture(48, 64, 3), ms(100));
        bench.push(picture(64, 64, 3), ms(100));
        bench.push(turned(&picture(64, 48, 4), 6), ms(100));
        let files = bench.stop();
        assert_eq!(files[0].size, size, "{codec}");
        assert_eq!(files[0].rotation, rotation, "{codec}");
        assert_eq!(files.iter().map(|file| file.decoded).sum::<usize>(), 6, "{codec}");
    }
}

#[test]
fn a_mirrored_picture_is_recorded_upright() {
    let mut bench = Bench::new(Codec::Mjpeg);
    for orientation in [2, 4] {
        bench.push(turned(&picture(64, 48, 0), orientation), ms(100));
    }
    let [file] = &bench.stop()[..] else { panic!("one file") };
    assert_eq!((file.decoded, file.rotation), (2, 0));
}

#[test]
fn mjpeg_keeps_the_bytes_as_they_came() {
    let mut bench = Bench::new(Codec::Mjpeg);
    let frame = picture(64, 48, 1);
    bench.push(frame.clone(), ms(100));
    let [file] = &bench.stop()[..] else { panic!("one file") };
    let bytes = std::fs::read(&file.path).unwrap();
    assert!(bytes.windows(frame.jpeg.len()).any(|window| window == frame.jpeg));
}
