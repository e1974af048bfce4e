//! Recordings of real coded pictures, read back by ffprobe: what was pushed is what a player shows, and when.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use media::encode::{Encoder, Settings, VideoCodec};
use media::fmp4::{self, Codec, Finish, Sample, Track, Writer};
use media::time;
use pixels::{I420, Matrix, Range};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

/// A picture that differs from its neighbours, limited range.
fn picture(number: usize) -> I420 {
    let mut picture = I420::new(WIDTH, HEIGHT, Range::Limited, Matrix::Bt601);
    for y in 0..HEIGHT {
        for (x, sample) in picture.y.row_mut(y).iter_mut().enumerate() {
            *sample = u8::try_from(16 + (x * 3 + y as usize + number * 5) % 200).expect("at most 215");
        }
    }
    picture
}

/// A file under way, with the fragments' ends.
struct Recording {
    writer: Writer,
    bytes: Vec<u8>,
    times: Vec<u64>,
    ends: Vec<(usize, usize)>,
}

/// Records pictures at `times`, a fragment every half second.
fn record(codec: VideoCodec, times: &[u64]) -> Outcome<Recording> {
    let quality = if codec == VideoCodec::H264 { 23 } else { 4 };
    let settings = Settings {
        codec,
        width: WIDTH,
        height: HEIGHT,
        preset: "ultrafast",
        quality,
        keyframe_every: 180_000,
    };
    let mut encoder = Encoder::new(&settings)?;
    let track = track(encoder.codec_config(), 0);
    let (mut writer, mut bytes) = Writer::new(&track);
    let mut ends = Vec::new();
    for (number, &pts) in times.iter().enumerate() {
        if writer.pending_ticks(pts) >= 45_000 {
            bytes.extend(writer.flush(Some(pts)).unwrap_or_default());
            ends.push((bytes.len(), number));
        }
        for packet in encoder.encode(&picture(number), pts)? {
            writer.push(Sample { data: packet.data, pts: packet.pts, keyframe: packet.keyframe });
        }
    }
    Ok(Recording { writer, bytes, times: times.to_vec(), ends })
}

fn track(codec: Codec, rotation: u16) -> Track {
    let full_range = codec == Codec::Mjpeg;
    Track {
        codec,
        width: 160,
        height: 120,
        rotation,
        full_range,
        matrix: pixels::Matrix::Bt601,
        created: 1_700_000_000,
    }
}

fn apply(bytes: &mut Vec<u8>, finish: &Finish) {
    bytes.extend(&finish.tail);
    for (at, patch) in &finish.patches {
        let at = usize::try_from(*at).expect("a small file");
        bytes[at..at + patch.len()].copy_from_slice(patch);
    }
}

/// `ffprobe`'s answer, one value a line. Anything it complains of fails the test.
fn probe(file: &Path, arguments: &[&str]) -> Outcome<Vec<String>> {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-select_streams", "v", "-of", "default=nk=1:nw=1"])
        .args(arguments)
        .arg(file)
        .output()
        .map_err(|e| format!("ffprobe can't be run: {e}"))?;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe complains");
    Ok(String::from_utf8(output.stdout)?.lines().map(|line| line.trim_end_matches(',').to_owned()).collect())
}

/// Checks each packet's time, that each picture decodes, and the file's duration in ticks.
fn check(bytes: &[u8], times: &[u64], duration: u64) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("recording.mp4");
    std::fs::write(&file, bytes)?;
    let packets: Vec<u64> = probe(&file, &["-show_entries", "packet=pts"])?
        .iter()
        .map(|line| line.parse().map_err(|e| format!("{line:?}: {e}")))
        .collect::<Result<_, _>>()?;
    assert_eq!(packets, times, "packet times");
    let frames = probe(&file, &["-count_frames", "-show_entries", "stream=nb_read_frames"])?;
    assert_eq!(frames, [times.len().to_string()], "decoded pictures");
    let seconds = time::duration(duration).as_secs_f64();
    for entry in ["stream=duration", "format=duration"] {
        let told: f64 = probe(&file, &["-show_entries", entry])?.concat().parse()?;
        assert!((told - seconds).abs() < 0.001, "{entry} is {told}, not {seconds}");
    }
    Ok(())
}

/// `count` times at `fps`, each late by up to `jitter` of a frame.
fn times(fps: f64, count: u32, jitter: f64) -> Vec<u64> {
    (0..count)
        .map(|number| {
            let late = if number == 0 { 0.0 } else { f64::from(number * 7919 % 101) / 101.0 * jitter };
            time::ticks(Duration::from_secs_f64((f64::from(number) + late) / fps))
        })
        .collect()
}

#[test]
fn played_time_is_pushed_time_to_the_tick_at_any_rate() -> Outcome<()> {
    for codec in [VideoCodec::H264, VideoCodec::Mpeg4] {
        for (fps, jitter) in [(7.0, 0.0), (15.0, 0.0), (29.0, 0.0), (29.97, 0.9), (60.0, 0.5), (0.7, 0.3)] {
            let times = times(fps, 60, jitter);
            let end = times[59] + 9000;
            let mut recording = record(codec, &times)?;
            apply(&mut recording.bytes, &recording.writer.finish(end));
            check(&recording.bytes, &times, end).map_err(|e| format!("{codec:?} at {fps} fps: {e}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_killed_recording_is_recovered_to_its_last_whole_fragment() -> Outcome<()> {
    for codec in [VideoCodec::H264, VideoCodec::Mpeg4] {
        let recording = record(codec, &times(25.0, 90, 0.4))?;
        for (end, samples) in recording.ends.iter().skip(1) {
            // Killed in the middle of writing what comes next.
            let cut = (end + 700).min(recording.bytes.len());
            let mut bytes = recording.bytes[..cut].to_vec();
            let scan = fmp4::scan(&mut std::io::Cursor::new(&bytes))?;
            assert!(scan.whole_len >= *end as u64 && !scan.finished);
            bytes.truncate(usize::try_from(scan.whole_len)?);
            apply(&mut bytes, &fmp4::finish_recovered(&scan));
            let samples = (*samples).max(usize::try_from(scan.samples)?);
            check(&bytes, &recording.times[..samples], scan.end_pts)?;
        }
    }
    Ok(())
}

#[test]
fn the_track_says_codec_colour_and_a_keyframe_every_two_seconds() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    for (codec, name) in [(VideoCodec::H264, "h264"), (VideoCodec::Mpeg4, "mpeg4")] {
        let times = times(10.0, 65, 0.0);
        let mut recording = record(codec, &times)?;
        apply(&mut recording.bytes, &recording.writer.finish(times[64] + 9000));
        let file = folder.path().join("recording.mp4");
        std::fs::write(&file, &recording.bytes)?;
        let entries = "stream=codec_name,width,height,pix_fmt,color_range,color_space,has_b_frames";
        let told = probe(&file, &["-show_entries", entries])?;
        assert_eq!(told, [name, "160", "120", "0", "yuv420p", "tv", "smpte170m"]);
        let flags = probe(&file, &["-show_entries", "packet=flags"])?;
        let keyframes: Vec<usize> = (0..flags.len()).filter(|&at| flags[at].starts_with('K')).collect();
        assert_eq!(keyframes, [0, 20, 40, 60], "{name}");
        let scan = fmp4::scan(&mut std::io::Cursor::new(&recording.bytes))?;
        assert_eq!((scan.keyframes, scan.samples, scan.finished), (4, 65, true));
    }
    Ok(())
}

#[test]
fn jpegs_are_kept_as_they_came_and_turned_by_the_player() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    for (rotation, told) in [(0, None), (90, Some("-90")), (180, Some("-180")), (270, Some("90"))] {
        let (mut writer, mut bytes) = Writer::new(&track(Codec::Mjpeg, rotation));
        let mut encoder = pixels::jpeg::Encoder::new(80)?;
        let mut full = I420::new(WIDTH, HEIGHT, Range::Full, Matrix::Bt601);
        let times = times(12.5, 30, 0.8);
        for (number, &pts) in times.iter().enumerate() {
            full.y = picture(number).y;
            writer.push(Sample { data: Bytes::from(encoder.encode(&full)?.to_vec()), pts, keyframe: true });
            if number % 6 == 5 {
                bytes.extend(writer.flush(None).unwrap_or_default());
            }
        }
        let end = times[29] + 7200;
        apply(&mut bytes, &writer.finish(end));
        check(&bytes, &times, end)?;
        let file = folder.path().join("recording.mp4");
        std::fs::write(&file, &bytes)?;
        let entries = probe(&file, &["-show_entries", "stream=codec_name,pix_fmt,color_range,color_space"])?;
        // The JPEG decoder overrules the container with the other name of the same matrix.
        assert_eq!(entries, ["mjpeg", "yuvj420p", "pc", "bt470bg"]);
        let angle = probe(&file, &["-show_entries", "stream_side_data=rotation"])?;
        assert_eq!(angle.first().map(String::as_str), told, "{rotation}");
    }
    Ok(())
}
