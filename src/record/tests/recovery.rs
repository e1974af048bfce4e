//! After a kill the file plays, and the next start completes it.

use std::fs;

use super::harness::{Bench, File, ms};
use crate::record::sidecar::{Sidecar, Why};
use crate::record::{Codec, Recovered};

const CODECS: [Codec; 3] = [Codec::H264, Codec::Mp4v, Codec::Mjpeg];

/// 5 s at 10 fps, then a kill.
fn killed(codec: Codec) -> Bench {
    let mut bench = Bench::new(codec);
    bench.push_many(50, (64, 48), ms(100));
    bench.kill();
    bench
}

#[test]
fn after_a_kill_less_than_a_second_is_missing_and_the_start_completes_the_rest() {
    for codec in CODECS {
        let bench = killed(codec);
        let [file] = &bench.files()[..] else { panic!("one file") };
        assert!(file.packets.len() > 40, "{codec}: {}", file.packets.len());
        assert!(!file.sidecar.finished());
        let played = file.packets.len();

        assert_eq!(bench.recorders.recover(), Recovered { finished: 1, ..Recovered::default() }, "{codec}");
        let [file] = &bench.files()[..] else { panic!("one file") };
        assert_eq!((file.packets.len(), file.decoded), (played, played), "{codec}");
        let sidecar = &file.sidecar;
        assert_eq!((sidecar.recovered, sidecar.reason), (true, Some(Why::Crashed)), "{codec}");
        assert_eq!((sidecar.total_frames, sidecar.codec), (played as u64, codec));
        assert!((sidecar.duration_seconds.unwrap() - file.duration).abs() < 0.002, "{codec}");
        assert_eq!(bench.recorders.recover(), Recovered::default(), "nothing is left to do");
    }
}

#[test]
fn what_waits_while_nothing_comes_is_on_the_disk_after_half_a_second() {
    for codec in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(3, (64, 48), ms(100));
        bench.wait(ms(600));
        bench.kill();
        let [file] = &bench.files()[..] else { panic!("one file") };
        assert_eq!(file.packets.len(), 3, "{codec}");
    }
}

#[test]
fn a_file_cut_anywhere_is_recovered_or_was_empty() {
    for codec in CODECS {
        let whole = killed(codec);
        let path = whole.files()[0].path.clone();
        let (bytes, json) = (fs::read(&path).unwrap(), fs::read(path.with_extension("json")).unwrap());
        let mut most = 0;
        for cut in (0..12).map(|i| bytes.len() * i / 12 + i * 7).chain([3, 700, bytes.len() - 1]) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &bytes[..cut]).unwrap();
            fs::write(path.with_extension("json"), &json).unwrap();
            let recovered = whole.recorders.recover();
            assert_eq!(recovered.finished + recovered.deleted, 1, "{codec} cut at {cut}: {recovered:?}");
            if path.exists() {
                let file = File::read(&path);
                assert_eq!(file.decoded as u64, file.sidecar.total_frames, "{codec} cut at {cut}");
                assert!(file.sidecar.recovered && file.sidecar.total_frames > 0);
                most = most.max(file.decoded);
            } else {
                assert!(!path.with_extension("json").exists());
            }
        }
        assert!(most >= 35, "{codec}: {most}");
    }
}

#[test]
fn a_missing_sidecar_is_made_from_the_file() {
    for codec in CODECS {
        let bench = killed(codec);
        let path = bench.files()[0].path.clone();
        fs::remove_file(path.with_extension("json")).unwrap();
        assert_eq!(bench.recorders.recover().finished, 1);
        let sidecar = Sidecar::read(&path.with_extension("json")).unwrap();
        assert_eq!((sidecar.codec, sidecar.width, sidecar.recovered), (codec, 64, true));
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let mut bench = Bench::new(Codec::Mjpeg);
    bench.push_many(1, (64, 48), ms(100));
    let finished = bench.stop()[0].path.clone();
    let bytes = fs::read(&finished).unwrap();
    let foreign = bench.folder().join("cam_20250101_000000.mp4");
    fs::write(&foreign, vec![7; 100_000]).unwrap();
    fs::write(bench.folder().join("cam.mp4"), "mine").unwrap();
    assert_eq!(bench.recorders.recover(), Recovered { kept: 1, ..Recovered::default() });
    assert_eq!(fs::read(&foreign).unwrap().len(), 100_000);
    assert_eq!(fs::read(finished).unwrap(), bytes);
    assert!(bench.folder().join("cam.mp4").exists());
}
