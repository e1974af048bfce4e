use std::time::Duration;

use pixels::{Matrix, Range};

use super::*;
use crate::segment::tests::ffmpeg;

/// A second of a moving picture and a tone.
fn film(coding: &str) -> Vec<u8> {
    let sources =
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=1 -f lavfi -i sine=frequency=440:duration=1";
    ffmpeg(&format!("{sources} {coding} -c:a aac -f mpegts"), &[])
}

fn open(bytes: Vec<u8>) -> Result<Opened, Error> {
    Tape::open(Source::Reader(Box::new(std::io::Cursor::new(bytes))), &Options::default(), Arc::default())
}

#[test]
fn every_picture_and_all_sound_come_with_times_of_one_clock() {
    for coding in ["-c:v libx264 -bf 2", "-c:v libx264 -bf 0 -pix_fmt yuv422p10le", "-c:v mpeg2video"] {
        let Opened { mut tape, mut screen, voice } = open(film(coding)).unwrap();
        let mut voice = voice.unwrap();
        let (mut times, mut samples, mut first) = (Vec::new(), 0, None);
        let mut take = |screen: &mut Screen| {
            while let Some((at, decoded)) = screen.receive().unwrap() {
                let view = decoded.view();
                assert_eq!((view.width, view.height), (320, 180), "{coding}");
                assert_eq!((view.planes[1].width, view.planes[2].height), (160, 90));
                times.push(at.unwrap());
            }
        };
        while let Some(coded) = tape.next().unwrap() {
            match coded.track {
                Track::Picture => {
                    screen.send(&coded).unwrap();
                    take(&mut screen);
                }
                Track::Sound => {
                    for block in voice.hear(&coded).unwrap() {
                        first.get_or_insert(block.number);
                        samples += block.samples.len();
                    }
                }
            }
        }
        screen.finish().unwrap();
        take(&mut screen);
        assert_eq!(times.len(), 25, "{coding}");
        assert!(times.windows(2).all(|two| two[1] - two[0] == 40_000), "{coding}: {times:?}");
        assert!((46_000..=52_000).contains(&samples), "{coding}: {samples} samples");
        let apart = first.unwrap() * 1_000_000 / 48_000 - times[0];
        assert!(apart.abs() < 60_000, "{coding}: sound begins {apart} µs after the pictures");
    }
}

#[test]
fn colours_are_the_sources_own_or_what_players_take_for_granted() {
    for (coding, range, matrix) in [
        ("-c:v libx264", Range::Limited, Matrix::Bt601),
        ("-c:v libx264 -colorspace bt709", Range::Limited, Matrix::Bt709),
        ("-c:v libx264 -pix_fmt yuvj420p", Range::Full, Matrix::Bt601),
        ("-c:v libx264 -pix_fmt yuv444p -colorspace bt709", Range::Limited, Matrix::Bt709),
    ] {
        let Opened { mut tape, mut screen, .. } = open(film(coding)).unwrap();
        let found = loop {
            let coded = tape.next().unwrap().unwrap();
            if coded.track == Track::Picture {
                screen.send(&coded).unwrap();
            }
            if let Some((_, decoded)) = screen.receive().unwrap() {
                break (decoded.view().range, decoded.view().matrix);
            }
        };
        assert_eq!(found, (range, matrix), "{coding}");
    }
}

#[test]
fn what_is_no_video_is_an_error_and_who_is_told_to_stop_stops() {
    assert!(open(vec![7; 10_000]).is_err());
    let silent = ffmpeg("-f lavfi -i sine=duration=1 -c:a aac -f mpegts", &[]);
    assert!(matches!(open(silent), Err(Error::NoVideo)));
    let stop = Arc::<AtomicBool>::default();
    let options = Options { timeout: Duration::from_secs(1), ..Options::default() };
    let reader = Source::Reader(Box::new(std::io::Cursor::new(film("-c:v libx264"))));
    let Opened { mut tape, .. } = Tape::open(reader, &options, Arc::clone(&stop)).unwrap();
    stop.store(true, Ordering::Release);
    assert!(matches!(tape.next(), Err(Error::Interrupted)));
}
