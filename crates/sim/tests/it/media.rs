//! Segments, read back by FFmpeg's programs and by the counter in the pictures.

use std::path::Path;
use std::time::Duration;

use pixels::{I420, Matrix, Range};
use serde_json::Value;
use sim::picture::read_counter;

use crate::harness::{Outcome, Served, addresses, ffprobe, luma};

/// Lets `segments` go by and gives them one after the other, with the number of the first.
fn watched(served: &Served, segments: usize) -> Outcome<(u64, Vec<u8>)> {
    let (first, _) = served.world.newest("sim_0001").ok_or("no channel")?;
    let mut bytes = Vec::new();
    for _ in 0..segments {
        let list = served.playlist("sim_0001")?.text();
        let segment = served.get(addresses(&list).last().ok_or("no segment")?)?;
        assert_eq!(segment.status, 200);
        bytes.extend(segment.body);
        served.advance(Duration::from_secs(2));
    }
    Ok((first, bytes))
}

/// Times of the packets of one kind in a file, ascending.
fn times(file: &Path, kind: &str) -> Outcome<Vec<f64>> {
    let found = ffprobe(&["-select_streams", kind, "-show_entries", "packet=pts_time"], file)?;
    let packets = found["packets"].as_array().ok_or("no packets")?;
    let time = |packet: &Value| packet["pts_time"].as_str().and_then(|text| text.parse::<f64>().ok());
    let mut times: Vec<f64> = packets.iter().filter_map(time).collect();
    times.sort_by(f64::total_cmp);
    Ok(times)
}

#[test]
fn times_go_on_over_the_loops_seam_and_so_do_sound_and_continuity() -> Outcome {
    let served = Served::small()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.ts");
    let (first, bytes) = watched(&served, 10)?;
    let mut last = std::collections::BTreeMap::new();
    for packet in bytes.chunks(188).filter(|packet| packet[3] & 0x10 != 0) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        if let Some(before) = last.insert(pid, packet[3] & 15) {
            assert_eq!(packet[3] & 15, (before + 1) & 15, "packets of {pid:#x} are counted on");
        }
    }
    std::fs::write(&file, bytes)?;
    let video = times(&file, "v")?;
    assert_eq!(video.len(), 600);
    let start = first as f64 * 2.0;
    for (frame, time) in video.iter().enumerate() {
        let expected = start + frame as f64 / 30.0;
        assert!((time - expected).abs() < 0.001, "frame {frame} at {time} instead of {expected}");
    }
    let sound = times(&file, "a")?;
    assert!(sound.len() >= 936, "{} frames of sound", sound.len());
    let steady = sound.windows(2).all(|two| (two[1] - two[0] - 1024.0 / 48000.0).abs() < 0.001);
    assert!(steady, "sound has a gap");
    Ok(())
}

#[test]
fn times_start_again_after_33_bits() -> Outcome {
    // 2^33 ticks are 95443.718 s.
    let served = Served::with(|settings| settings.uptime = Some(Duration::from_secs(95_440)))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.ts");
    let (first, bytes) = watched(&served, 6)?;
    std::fs::write(&file, bytes)?;
    let video = times(&file, "v")?;
    let start = first as f64 * 2.0 - 95_443.717_688_889;
    // FFmpeg counts on where the clock wrapped within a file; seen from there the start lies before zero.
    let shown = if video[0] > 90_000.0 { video[0] - 95_443.717_688_889 } else { video[0] };
    assert!((shown - start).abs() < 0.001, "{} instead of {start}", video[0]);
    assert_eq!(video.len(), 360);
    assert!(video.windows(2).all(|two| (two[1] - two[0] - 1.0 / 30.0).abs() < 0.001));
    Ok(())
}

#[test]
fn the_number_in_each_picture_is_that_of_its_media_time() -> Outcome {
    let served = Served::small()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.ts");
    let (first, bytes) = watched(&served, 5)?;
    std::fs::write(&file, bytes)?;
    let frames = luma(&file, 284, 160)?;
    assert_eq!(frames.len(), 300);
    for (frame, samples) in (0_u32..).zip(frames) {
        let mut picture = I420::new(284, 160, Range::Limited, Matrix::Bt601);
        picture.y.data = samples;
        let sequence = first + u64::from(frame / 60);
        let expected = served.world.number_at("sim_0001", sequence).map(|number| number + frame % 60 * 2);
        assert_eq!(read_counter(&picture), expected, "frame {frame}");
    }
    Ok(())
}

#[test]
fn any_range_is_exact_and_the_rest_is_refused_as_the_standard_says() -> Outcome {
    let served = Served::small()?;
    let segment = addresses(&served.playlist("sim_0001")?.text()).remove(7);
    let whole = served.get(&segment)?.body;
    let length = whole.len();
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=0-4999", 0..5000),
        ("bytes=187-189", 187..190),
        ("bytes=1000-", 1000..length),
        ("bytes=-1", length - 1..length),
        ("bytes=5-99999999", 5..length),
    ] {
        let answer = served.ask("GET", &segment, &[("Range", range)], b"")?;
        assert_eq!(answer.status, 206, "{range}");
        let said = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
        assert_eq!(answer.headers.get("content-range"), Some(&said));
        assert_eq!(answer.body, whole[expected], "{range}");
    }
    let outside = served.ask("GET", &segment, &[("Range", &format!("bytes={length}-"))], b"")?;
    assert_eq!(
        (outside.status, outside.headers.get("content-range")),
        (416, Some(&format!("bytes */{length}")))
    );
    assert_eq!(served.ask("GET", &segment, &[("Range", "bytes=0-1,5-6")], b"")?.status, 200);
    let head = served.ask("HEAD", &segment, &[], b"");
    assert_eq!(head?.headers.get("content-length"), Some(&length.to_string()));
    Ok(())
}

#[test]
fn plain_playlists_play_as_transport_stream_and_as_fragmented_mp4() -> Outcome {
    let served = Served::small()?;
    for (master, streams) in [("master", 2), ("cmaf", 1)] {
        let address = format!("http://{}/hls/sim_0001/{master}.m3u8", served.address);
        let arguments = ["-allowed_extensions", "ALL", "-live_start_index", "0", "-show_entries"];
        let arguments = [&arguments[..], &["stream=codec_name,width,start_time:program="]].concat();
        let found = ffprobe(&arguments, Path::new(&address))?;
        let all = found["streams"].as_array().ok_or("no streams")?;
        let video = all.iter().find(|stream| stream["codec_name"] == "h264").ok_or("no video")?;
        assert_eq!(video["width"], 284);
        assert!(all.len() >= streams, "{found}");
    }
    Ok(())
}

#[test]
fn segments_of_fragmented_mp4_go_on_too() -> Outcome {
    let served = Served::small()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.mp4");
    let list = served.get("/hls/sim_0001/cmaf/160p30.m3u8")?.text();
    let mut bytes = served.get("/hls/sim_0001/cmaf/160p30/init.mp4")?.body;
    for segment in addresses(&list) {
        bytes.extend(served.get(&format!("/hls/sim_0001/cmaf/{segment}"))?.body);
    }
    std::fs::write(&file, bytes)?;
    let video = times(&file, "v")?;
    assert_eq!(video.len(), 900);
    assert!(video.windows(2).all(|two| (two[1] - two[0] - 1.0 / 30.0).abs() < 0.001));
    Ok(())
}

#[test]
fn a_segment_in_the_making_comes_with_the_clock() -> Outcome {
    let served = Served::small()?;
    let list = served.playlist("sim_0001")?.text();
    let prefetch =
        list.lines().find_map(|line| line.strip_prefix("#EXT-X-TWITCH-PREFETCH:")).ok_or("none")?;
    let whole = std::thread::scope(|scope| -> Outcome<Vec<u8>> {
        let asked = scope.spawn(|| served.get(prefetch).map(|answer| answer.body).map_err(|e| e.to_string()));
        // Its bytes are those of the finished segment, whatever the clock did meanwhile.
        served.advance(Duration::from_secs(4));
        Ok(asked.join().map_err(|_| "panicked")??)
    })?;
    assert_eq!(whole, served.get(prefetch)?.body);
    Ok(())
}

#[test]
fn films_kept_on_disk_are_the_same_films() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cached = || {
        Served::with(|settings| {
            settings.cache = Some(folder.path().to_owned());
            settings.ladder.truncate(1);
        })
    };
    let newest = |served: &Served| -> Outcome<Vec<u8>> {
        let list = served.playlist("sim_0001")?.text();
        Ok(served.get(addresses(&list).last().ok_or("none")?)?.body)
    };
    let made = newest(&cached()?)?;
    let files: Vec<_> = std::fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
    assert_eq!(files.len(), 1);
    assert!(newest(&cached()?)? == made, "what was kept is another film");
    let whole = std::fs::metadata(files[0].path())?.len();
    std::fs::write(files[0].path(), b"damaged")?;
    assert!(newest(&cached()?)?.len() > 20_000);
    let mended = std::fs::metadata(files[0].path())?.len();
    assert!(mended > whole / 2, "a damaged file of {whole} bytes is made anew, not left at {mended}");
    Ok(())
}

#[test]
fn a_video_file_becomes_a_channel_at_any_rendition() -> Outcome {
    let folder = tempfile::tempdir()?;
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/video/bbb_720p25_aac51_5s.mp4");
    let made = folder.path().join("a.mp4");
    let source = "-v error -f lavfi -i testsrc2=s=320x180:r=25:d=3 -c:v libx264 -pix_fmt yuv420p";
    let status = std::process::Command::new("ffmpeg").args(source.split(' ')).arg(&made).status()?;
    assert!(status.success());
    for video in [made, shared].into_iter().filter(|video| video.exists()) {
        let served = Served::with(|settings| settings.clips = vec![sim::clip::Clip::File(video.clone())])?;
        let file = folder.path().join("a.ts");
        let (_, bytes) = watched(&served, 4)?;
        std::fs::write(&file, bytes)?;
        let frames = luma(&file, 284, 160)?;
        assert_eq!(frames.len(), 240, "{}", video.display());
        let moving = frames.windows(2).filter(|two| two[0] != two[1]).count();
        assert!(moving > 180, "only {moving} pictures differ from the one before");
    }
    Ok(())
}
