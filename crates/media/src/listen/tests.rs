use std::io::Cursor;
use std::process::Command;

use super::*;

/// A file of two seconds of a tone of 1 kHz at half of full scale, made with these arguments.
fn file(folder: &Path, name: &str, arguments: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    let tone = "aevalsrc=0.5*sin(2*PI*1000*t)|0.5*sin(2*PI*1000*t):s=48000:d=2";
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", tone])
        .args(arguments.split_whitespace())
        .arg(&path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    path
}

/// All of it: the first number from the start, and the samples.
fn hear(mut listener: Listener) -> (i64, Vec<[f32; 2]>) {
    let (mut first, mut all) = (None, Vec::<[f32; 2]>::new());
    while let Some(block) = listener.next().unwrap() {
        let from = *first.get_or_insert(block.number - listener.start());
        let at = usize::try_from(block.number - listener.start() - from).unwrap();
        assert_eq!(at, all.len(), "the numbers go on");
        all.extend(block.samples);
    }
    (first.unwrap(), all)
}

/// Crossings of zero from below, a second: the tone's pitch.
fn pitch(samples: &[[f32; 2]], side: usize) -> usize {
    samples.windows(2).filter(|pair| pair[0][side] < 0.0 && pair[1][side] >= 0.0).count()
}

#[test]
fn sound_of_any_kind_comes_as_48_khz_stereo_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments, height) in [
        ("plain.wav", "", 0.5),
        ("low.wav", "-ar 8000 -ac 1", 0.5),
        ("cd.flac", "-ar 44100", 0.5),
        ("high.wav", "-ar 96000 -c:a pcm_s24le", 0.5),
        ("around.wav", "-ac 6", 0.5),
        ("a.mp3", "-b:a 192k", 0.5),
        ("a.m4a", "-c:a aac -b:a 192k -ar 44100", 0.5),
        ("a.ogg", "-c:a libopus -b:a 128k", 0.5),
        ("a.mkv", "-c:a ac3", 0.5),
        ("film.mp4", "-f lavfi -i color=s=64x64:d=2 -c:a aac -c:v libx264 -threads 1 -map 0 -map 1", 0.5),
    ] {
        let path = file(folder.path(), name, arguments);
        let listener = Listener::open(&path, Arc::default()).unwrap();
        let length = listener.length().unwrap();
        let (first, samples) = hear(listener);
        // Coders run in and out; some say so and some don't.
        assert!(first.abs() <= 2400, "{name} begins at {first}");
        assert!((95_000..100_000).contains(&samples.len()), "{name}: {}", samples.len());
        assert!((95_000..100_000).contains(&length), "{name}: {length}");
        let middle = &samples[24_000..72_000];
        for side in 0..2 {
            assert!((999..=1001).contains(&pitch(middle, side)), "{name}: {} Hz", pitch(middle, side));
            let peak = middle.iter().fold(0.0_f32, |peak, sample| peak.max(sample[side].abs()));
            assert!((peak - height).abs() < 0.05, "{name}: {peak}");
        }
    }
}

#[test]
fn a_sample_is_where_it_was_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    // Silence for a second, then the tone.
    for (name, arguments, run_in) in [
        ("late.wav", "-af adelay=1000:all=1", 0),
        ("late.flac", "-ar 44100 -af adelay=1000:all=1", 0),
        ("late.m4a", "-af adelay=1000:all=1 -c:a aac -b:a 192k", 0),
        // Which has no field for the coder's run-in.
        ("late.ts", "-af adelay=1000:all=1 -c:a aac -b:a 192k", 1024),
    ] {
        let path = file(folder.path(), name, arguments);
        let (first, samples) = hear(Listener::open(&path, Arc::default()).unwrap());
        let begins = samples.iter().position(|sample| sample[0].abs() > 0.05).unwrap();
        let begins = i64::try_from(begins).unwrap() + first;
        assert!((begins - 48_000 - run_in).abs() <= 240, "{name}: {begins}");
    }
}

#[test]
fn segments_are_heard_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("a.ts", "-c:a aac"),
        ("a.mp4", "-c:a aac -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 500000"),
    ] {
        let bytes = std::fs::read(file(folder.path(), name, arguments)).unwrap();
        let listener = Listener::read(Box::new(Cursor::new(bytes)), Arc::default()).unwrap();
        let (_, samples) = hear(listener);
        assert!((95_000..100_000).contains(&samples.len()), "{name}: {}", samples.len());
    }
}

#[test]
fn what_has_no_sound_or_is_damaged_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let silent = folder.path().join("silent.mp4");
    let picture = ["-v", "error", "-f", "lavfi", "-i", "color=s=64x64:d=1", "-threads", "1"];
    assert!(Command::new("ffmpeg").args(picture).arg(&silent).status().unwrap().success());
    assert!(matches!(Listener::open(&silent, Arc::default()), Err(Error::NoSound)));
    let text = folder.path().join("list.m3u8");
    std::fs::write(&text, "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n").unwrap();
    assert!(matches!(Listener::open(&text, Arc::default()), Err(Error::Open(_))));
    assert!(matches!(Listener::open(&folder.path().join("none.wav"), Arc::default()), Err(Error::Open(_))));
    let stopped = Arc::new(AtomicBool::new(true));
    let good = file(folder.path(), "a.ts", "-c:a aac");
    assert!(matches!(Listener::open(&good, stopped), Err(Error::Interrupted)));
    let bytes = std::fs::read(&good).unwrap();
    for seed in 0..40_usize {
        let mut bytes = bytes.clone();
        for n in 0..50 {
            let at = (seed * 7919 + n * 104_729) % bytes.len();
            bytes[at] ^= u8::try_from((seed + n) % 255 + 1).unwrap();
        }
        bytes.truncate(bytes.len() - seed * 100);
        let Ok(mut listener) = Listener::read(Box::new(Cursor::new(bytes)), Arc::default()) else { continue };
        while let Ok(Some(block)) = listener.next() {
            assert!(!block.samples.is_empty());
        }
    }
}
