//! What is pushed over HTTP is what lies on the disk: read back by ffprobe and FFmpeg, and served again over HTTP.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range, convert};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Server, answer, client, eventually, jpeg, number, picture};
use crate::tools::{
    Sent, Served, colour, numbers, pictures_of, probe, push_paced, recording, recordings, sidecar, tool,
};

/// As we call them, and as ffprobe does.
const CODECS: [(&str, &str); 3] = [("h264", "h264"), ("mp4v", "mpeg4"), ("mjpeg", "mjpeg")];

async fn recording_server(settings: &[(&str, &str)]) -> Server {
    Server::start(&[&[("recording.enabled", "true")], settings].concat()).await
}

fn folder(server: &Server) -> PathBuf {
    server.folder().join("recordings")
}

/// What the list says of a stream's recordings, oldest first.
async fn listed(server: &Server, stream: &str) -> Vec<Value> {
    let mut list = server.get(&format!("/api/recordings?stream={stream}")).await.json();
    let Value::Array(mut list) = list["recordings"].take() else { panic!("{list}") };
    list.reverse();
    list
}

async fn push(server: &Server, stream: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        server.publish(stream, picture(number)).await.json();
    }
}

/// Ends a stream; its only recording.
async fn ended(server: &Server, stream: &str) -> PathBuf {
    server.delete(&format!("/api/streams/{stream}")).await.json();
    recording(&folder(server), stream)
}

fn counting(to: u64) -> Vec<u32> {
    (0..u32::try_from(to).unwrap()).collect()
}

/// One stream of the test below.
struct Run {
    codec: &'static str,
    fps: u32,
    url: String,
    frames: Vec<Bytes>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_plays_as_long_as_was_pushed_with_every_frame_at_its_time() {
    let (mut servers, mut runs) = (Vec::new(), Vec::new());
    for (codec, in_words) in CODECS {
        let server = recording_server(&[("recording.codec", codec)]).await;
        for fps in [7, 15, 29] {
            let url = server.url(&format!("/publish/at-{fps}"));
            runs.push(Run { codec: in_words, fps, url, frames: pictures_of(u64::from(fps) * 7 / 2) });
        }
        servers.push(server);
    }
    let client = client();
    let pushing = runs.iter().map(|run| push_paced(&client, &run.url, &run.frames, f64::from(run.fps)));
    let pushed = join_all(pushing).await;
    for (runs, (server, pushed)) in runs.chunks(3).zip(servers.into_iter().zip(pushed.chunks(3))) {
        for (run, pushed) in runs.iter().zip(pushed) {
            let file = ended(&server, &format!("at-{}", run.fps)).await;
            check_times(run, pushed, &file).await;
        }
        server.stop().await;
    }
}

/// A frame arrived between when it was sent and when it was acknowledged: that is all the tolerance there is.
async fn check_times(run: &Run, pushed: &[Sent], file: &Path) {
    let what = format!("{} at {} fps", run.codec, run.fps);
    let told = probe(file).await;
    assert_eq!((told.codec.as_str(), told.width, told.height), (run.codec, 320, 240), "{what}");
    assert_eq!((told.frames, told.times.len()), (pushed.len(), pushed.len()), "{what}");
    assert_eq!(numbers(file).await, counting(pushed.len() as u64), "{what}");

    let [first, .., last] = pushed else { panic!("{what}: too few") };
    let frame = 1.0 / f64::from(run.fps);
    let pushing = last.at.duration_since(first.at).as_secs_f64() + frame;
    let unsure = (first.taken - first.at).max(last.taken - last.at).as_secs_f64();
    let wrong = (told.duration - pushing).abs();
    assert!(wrong <= frame + unsure, "{what}: plays {} s, pushed for {pushing} s", told.duration);
    let wide = pushed.len() as f64 * frame;
    assert!(told.duration >= wide - 2.0 * frame, "{what}: plays {} s of {wide} s", told.duration);
    for (index, (sent, time)) in pushed.iter().zip(&told.times).enumerate() {
        let earliest = sent.at.saturating_duration_since(first.taken).as_secs_f64();
        let latest = (sent.taken - first.at).as_secs_f64();
        let millisecond = 0.001;
        let fits = (earliest - millisecond..=latest + millisecond).contains(time);
        assert!(fits, "{what}: frame {index} is shown at {time}, pushed between {earliest} and {latest}");
    }

    let sidecar = sidecar(file);
    assert_eq!(sidecar["total_frames"], pushed.len(), "{what}");
    assert!(
        (sidecar["duration_seconds"].as_f64().unwrap() - told.duration).abs() < 0.002,
        "{what}: {sidecar}"
    );
}

/// A JPEG of one colour, but for a pattern at its lower edge: of one that is flat all over, FFmpeg says wrongly that
/// its end is missing.
pub(crate) fn solid(rgb: [u8; 3]) -> Bytes {
    let mut pixels = rgb.repeat(320 * 240);
    for (index, sample) in pixels.iter_mut().enumerate().skip(320 * 220 * 3) {
        *sample = if index % 7 < 3 { 250 } else { 5 };
    }
    let mut picture = I420::new(320, 240, Range::Full, Matrix::Bt601);
    convert::rgb_to_i420(&pixels, 3, &mut picture);
    Encoder::new(95).unwrap().encode(&picture).unwrap().into()
}

#[tokio::test]
async fn colours_come_back_as_they_were() {
    const COLOURS: [(&str, [u8; 3]); 5] = [
        ("red", [255, 0, 0]),
        ("green", [0, 255, 0]),
        ("blue", [0, 0, 255]),
        ("white", [255, 255, 255]),
        ("grey", [100, 100, 100]),
    ];
    for (codec, _) in CODECS {
        let server = recording_server(&[("recording.codec", codec)]).await;
        for (name, rgb) in COLOURS {
            for _ in 0..5 {
                server.publish(name, solid(rgb)).await.json();
            }
            let seen = colour(&ended(&server, name).await).await;
            let close = seen.iter().zip(rgb).all(|(seen, meant)| (seen - f64::from(meant)).abs() <= 5.0);
            assert!(close, "{codec}: {name} is {seen:?}, not {rgb:?}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_new_size_makes_a_new_file_and_a_size_that_flaps_makes_no_more() {
    for (codec, _) in CODECS {
        let server = recording_server(&[("recording.codec", codec)]).await;
        push(&server, "cam", 0..10).await;
        for number in 10..60 {
            let (width, height) = if number < 20 || number % 2 == 0 { (640, 480) } else { (320, 240) };
            server.publish("cam", jpeg(width, height, number)).await.json();
        }
        server.delete("/api/streams/cam").await.json();
        let files = recordings(&folder(&server), "cam");
        assert_eq!(files.len(), 2, "{codec}: {files:?}");
        let (small, large) = (probe(&files[0]).await, probe(&files[1]).await);
        assert_eq!((small.width, small.height, small.frames), (320, 240, 10), "{codec}");
        assert_eq!((large.width, large.height, large.frames), (640, 480, 50), "{codec}");
        assert_eq!([numbers(&files[0]).await, numbers(&files[1]).await].concat(), counting(60), "{codec}");
        assert_eq!(sidecar(&files[0])["reason"], "size_change");
        assert_eq!(sidecar(&files[1])["reason"], "stopped");
        server.stop().await;
    }
}

#[tokio::test]
async fn recording_is_switched_off_and_on_without_viewers_noticing() {
    let server = recording_server(&[]).await;
    let switch = "/api/streams/cam/recording";
    push(&server, "cam", 0..1).await;
    let mut viewer = server.watch("cam").await;
    assert_eq!(number(&viewer.next().await.unwrap().jpeg), Some(0));
    for next in 1..40_u32 {
        match next {
            10 => {
                let off = server.put(switch, &json!({"enabled": false})).await.json();
                assert_eq!(off, json!({"enabled": false, "file": null, "state": "off"}));
                let file = recording(&folder(&server), "cam");
                assert_eq!(numbers(&file).await, counting(10), "the file is whole when the answer comes");
                assert_eq!(sidecar(&file)["reason"], "disabled");
            }
            30 => {
                let on = server.put(switch, &json!({"enabled": true})).await.json();
                assert_eq!((&on["enabled"], &on["state"]), (&json!(true), &json!("recording")));
            }
            _ => {}
        }
        push(&server, "cam", next.into()..u64::from(next) + 1).await;
        assert_eq!(number(&viewer.next().await.unwrap().jpeg), Some(next), "the viewer sees every frame");
    }
    server.delete("/api/streams/cam").await.json();
    assert!(viewer.next().await.is_none());
    let files = recordings(&folder(&server), "cam");
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(numbers(&files[1]).await, (30..40).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test]
async fn deleting_a_stream_answers_when_its_file_is_whole() {
    for (codec, _) in CODECS {
        let server = recording_server(&[("recording.codec", codec)]).await;
        push(&server, "cam", 0..7).await;
        let answer = server.delete("/api/streams/cam").await.json();
        let file = recording(&folder(&server), "cam");
        let (bytes, sidecar) = (std::fs::metadata(&file).unwrap().len(), self::sidecar(&file));
        assert_eq!(answer, json!({"status": "success", "message": "Stream 'cam' deleted"}));
        assert_eq!(numbers(&file).await, counting(7), "{codec}");
        assert_eq!((&sidecar["reason"], &sidecar["total_frames"]), (&json!("stopped"), &json!(7)), "{codec}");
        assert!(sidecar["end_time"].is_string(), "{sidecar}");
        let server = server.restart(&[]).await;
        assert_eq!(
            std::fs::metadata(&file).unwrap().len(),
            bytes,
            "{codec}: nothing was written after the answer"
        );
        assert_eq!(self::sidecar(&file), sidecar, "{codec}: there was nothing to recover");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_json_beside_a_recording_has_the_fields_of_the_readme() {
    let server = recording_server(&[("recording.codec", "mp4v")]).await;
    push_paced(&client(), &server.url("/publish/camera1"), &pictures_of(3), 20.0).await;
    let file = ended(&server, "camera1").await;
    let sidecar = sidecar(&file);
    for (field, expected) in [
        ("stream_name", json!("camera1")),
        ("total_frames", json!(3)),
        ("target_fps", json!(30)),
        ("codec", json!("mp4v")),
        ("recording_path", json!(file)),
        ("recovered", json!(false)),
    ] {
        assert_eq!(sidecar[field], expected, "{field} of {sidecar}");
    }
    for field in ["start_time", "end_time"] {
        let time: jiff::Timestamp = sidecar[field].as_str().unwrap().parse().unwrap();
        assert!(sidecar[field].as_str().unwrap().ends_with('Z'), "{time}");
    }
    let (duration, fps) =
        (sidecar["duration_seconds"].as_f64().unwrap(), sidecar["average_fps"].as_f64().unwrap());
    assert!(duration > 0.0 && (fps * duration - 3.0).abs() < 0.1, "{sidecar}");
    let start = sidecar["start_time"].as_str().unwrap();
    let stamp = format!("camera1_{}", start[..19].replace(['-', ':'], "").replace('T', "_"));
    assert_eq!(file.file_stem().unwrap().to_str(), Some(stamp.as_str()));
    server.stop().await;
}

/// A recording of `count` pictures, finished.
async fn record(server: &Server, stream: &str, count: u64) -> PathBuf {
    push(server, stream, 0..count).await;
    ended(server, stream).await
}

#[tokio::test]
async fn a_recording_is_listed_while_it_is_written_and_after() {
    let server = recording_server(&[]).await;
    push(&server, "cam", 0..5).await;
    // A fragment is written half a second after its first frame.
    eventually("the first fragment is written", async || {
        listed(&server, "cam").await[0]["total_frames"] == 5
    })
    .await;
    let now = listed(&server, "cam").await.remove(0);
    assert_eq!(
        (&now["active"], &now["end_time"], &now["codec"]),
        (&json!(true), &Value::Null, &json!("h264"))
    );
    assert!(
        now["size_bytes"].as_u64().unwrap() > 1000 && now["duration_seconds"].as_f64().unwrap() > 0.0,
        "{now}"
    );
    let stream = server.stream("cam").await;
    assert_eq!(stream["recording"], json!({"enabled": true, "file": now["file"], "state": "recording"}));

    let path = format!("/api/recordings/cam/{}", now["file"].as_str().unwrap());
    let refusal = server.delete(&path).await.problem(409);
    assert!(refusal["detail"].as_str().unwrap().contains("is being written"), "{refusal}");

    let file = ended(&server, "cam").await;
    let then = listed(&server, "cam").await.remove(0);
    let size = std::fs::metadata(&file).unwrap().len();
    assert_eq!(
        (&then["active"], &then["size_bytes"], &then["total_frames"]),
        (&json!(false), &json!(size), &json!(5))
    );
    assert_eq!(then["duration_seconds"], sidecar(&file)["duration_seconds"]);
    assert_eq!((&then["width"], &then["height"], &then["url"]), (&json!(320), &json!(240), &json!(path)));

    server.delete(&path).await.json();
    assert!(
        !file.exists() && !file.with_extension("json").exists() && listed(&server, "cam").await.is_empty()
    );
    server.get(&path).await.problem(404);
    server.delete(&path).await.problem(404);
    server.stop().await;
}

async fn ranged(server: &Server, path: &str, range: &str) -> Answer {
    answer(server.request(Method::GET, path).header("range", range)).await
}

#[tokio::test]
async fn a_recording_is_served_byte_for_byte_whole_or_in_parts() {
    let server = recording_server(&[]).await;
    let file = record(&server, "cam", 30).await;
    let bytes = std::fs::read(&file).unwrap();
    let (len, path) =
        (bytes.len(), format!("/api/recordings/cam/{}", file.file_name().unwrap().to_str().unwrap()));
    let whole = server.get(&path).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-type")), (200, "video/mp4"));
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), ("bytes", &*len.to_string()));
    assert!(whole.body == bytes);
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=100-299".to_owned(), 100, 300),
        ("bytes=1000-".to_owned(), 1000, len),
        (format!("bytes=1000-{}", len * 2), 1000, len),
        ("bytes=-500".to_owned(), len - 500, len),
        (format!("bytes={}-", len - 1), len - 1, len),
    ] {
        let part = ranged(&server, &path, &range).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{len}", to - 1), "{range}");
        assert_eq!(part.header("content-length"), (to - from).to_string(), "{range}");
        assert!(part.body == bytes[from..to], "{range}");
    }
    let outside = ranged(&server, &path, &format!("bytes={len}-")).await;
    outside.problem(416);
    assert_eq!(outside.header("content-range"), format!("bytes */{len}"));
    let json = server.get(&path.replace(".mp4", ".json")).await;
    assert_eq!((json.header("content-type"), json.json()), ("application/json", sidecar(&file)));
    server.stop().await;
}

#[tokio::test]
async fn what_is_over_the_limit_goes_oldest_first_and_never_what_is_being_written() {
    let server = recording_server(&[("recording.codec", "mjpeg")]).await;
    let limit = (1 << 30) / 1000;
    let picture = jpeg(1280, 720, 1);
    let per_file = limit / 3 / picture.len() + 1;
    for stream in ["d-oldest", "c", "b", "a-newest", "still-on"] {
        for _ in 0..per_file {
            server.publish(stream, picture.clone()).await.json();
        }
        if stream != "still-on" {
            ended(&server, stream).await;
        }
    }
    eventually("all of it is on the disk", async || {
        listed(&server, "still-on").await[0]["total_frames"] == per_file
    })
    .await;
    let before = server.get("/api/recordings").await.json();
    server.put("/api/config", &json!({"recording.max_total_gb": 0.001})).await.json();
    let cleaned = server.post("/api/cleanup").await.json();
    let after = server.get("/api/recordings").await.json();
    let left: Vec<&str> =
        after["recordings"].as_array().unwrap().iter().map(|r| r["stream"].as_str().unwrap()).collect();
    assert_eq!(left, ["still-on", "a-newest"], "{before} {cleaned}");
    assert_eq!((&cleaned["deleted_recordings"], &cleaned["removed_streams"]), (&json!(3), &json!([])));
    assert!(after["total_bytes"].as_u64().unwrap() <= limit as u64, "{after}");
    assert!(!folder(&server).join("c").exists(), "an empty folder goes too");

    server
        .put("/api/config", &json!({"recording.max_total_gb": null, "recording.max_stream_gb": 0.001}))
        .await
        .json();
    server.publish("still-on", picture.clone()).await.json();
    assert_eq!(server.post("/api/cleanup").await.json()["deleted_recordings"], 0);
    let file = ended(&server, "still-on").await;
    assert_eq!(probe(&file).await.frames, per_file + 1, "what was being written is whole");
    server.stop().await;
}

#[tokio::test]
async fn old_recordings_go_by_their_age() {
    let server = recording_server(&[("recording.retention_days", "7")]).await;
    let (old, young) = (record(&server, "old", 2).await, record(&server, "young", 2).await);
    let aged = folder(&server).join("old/old_20200101_120000.mp4");
    std::fs::rename(&old, &aged).unwrap();
    std::fs::rename(old.with_extension("json"), aged.with_extension("json")).unwrap();
    let then: jiff::Timestamp = "2020-01-01T12:00:05Z".parse().unwrap();
    std::fs::File::options().write(true).open(&aged).unwrap().set_modified(then.into()).unwrap();
    assert_eq!(server.post("/api/cleanup").await.json()["deleted_recordings"], 1);
    assert!(!aged.exists() && !aged.with_extension("json").exists() && young.exists());
    server.stop().await;
}

/// Pushes pictures until the stream's recording is in `state`; how it says so, and the next number.
async fn push_until(server: &impl Pushable, state: &str, next: &mut u64) -> Value {
    let mut recording = Value::Null;
    eventually(&format!("recording is {state}"), async || {
        server.push("cam", picture(*next)).await;
        *next += 1;
        recording = server.see("/api/streams/cam").await["recording"].take();
        recording["state"] == state
    })
    .await;
    recording
}

/// A server in this process or in another.
trait Pushable {
    async fn push(&self, stream: &str, jpeg: Bytes);
    async fn see(&self, path: &str) -> Value;
}

impl Pushable for Server {
    async fn push(&self, stream: &str, jpeg: Bytes) {
        self.publish(stream, jpeg).await.json();
    }

    async fn see(&self, path: &str) -> Value {
        self.get(path).await.json()
    }
}

impl Pushable for Served {
    async fn push(&self, stream: &str, jpeg: Bytes) {
        let request = self.client.post(self.url(&format!("/publish/{stream}")));
        answer(request.header("content-type", "image/jpeg").body(jpeg)).await.json();
    }

    async fn see(&self, path: &str) -> Value {
        answer(self.client.get(self.url(path))).await.json()
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_stops_no_stream_and_recording_resumes_by_itself() {
    let place = TempDir::new().unwrap();
    let blocked = place.path().join("recordings");
    std::fs::write(&blocked, "a file where the folder should be").unwrap();
    let server = recording_server(&[("recording.folder", blocked.to_str().unwrap())]).await;
    let mut next = 0;
    let waiting = push_until(&server, "waiting", &mut next).await;
    let reason = waiting["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("not a folder") || reason.contains("directory"), "{reason}");
    assert_eq!((&waiting["enabled"], &waiting["file"]), (&json!(true), &Value::Null));
    let health = server.get("/health").await.json();
    assert_eq!(health["status"], "degraded");
    assert!(health["components"]["recordings"]["detail"].as_str().unwrap().contains(&reason), "{health}");
    let mut viewer = server.watch("cam").await;
    push(&server, "cam", 1000..1001).await;
    viewer.until(&picture(1000)).await;

    std::fs::remove_file(&blocked).unwrap();
    push_until(&server, "recording", &mut next).await;
    assert_eq!(server.get("/health").await.json()["status"], "healthy");
    server.delete("/api/streams/cam").await.json();
    let file = recording(&blocked, "cam");
    let seen = numbers(&file).await;
    let lost = sidecar(&file)["frames_not_recorded"].as_u64().unwrap();
    assert_eq!(seen, (u32::try_from(lost).unwrap() - 1..u32::try_from(next).unwrap()).collect::<Vec<_>>());
    server.stop().await;
}

/// How the disk is kept from taking more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Full {
    /// A small file system of its own, full to the last block.
    Disk,
    /// No file may be longer than this.
    File,
}

impl Full {
    pub(crate) const BYTES: u64 = 3 << 20;

    /// A full disk where we may mount one, as root or in a user namespace; else files that may not grow.
    pub(crate) fn here() -> Vec<(Self, Command)> {
        let confined = |program: &str, arguments: &[&str], script: &str| {
            let mut command = Command::new(tool(program));
            command.args(arguments).args(["sh", "-c", &format!("{script} && exec \"$@\""), "sh"]);
            command
        };
        let mount = format!("mkdir -p recordings && mount -t tmpfs -o size={} none recordings", Self::BYTES);
        let may_mount = |how: &&&[&str]| {
            let place = TempDir::new().unwrap();
            let mut tried = confined("unshare", how, &mount);
            tried.arg("true").current_dir(place.path()).output().is_ok_and(|output| output.status.success())
        };
        let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];
        let disk = ways.iter().find(may_mount).map(|how| (Self::Disk, confined("unshare", how, &mount)));
        let limit = format!("trap '' XFSZ && ulimit -f {}", Self::BYTES / 512);
        let file = (Self::File, confined("env", &[], &limit));
        disk.into_iter().chain([file]).collect()
    }
}

#[tokio::test]
async fn a_full_disk_stops_no_stream_and_recording_resumes_when_there_is_room() {
    for (full, confined) in Full::here() {
        let server = Served::start(confined, &["--set", "recording.codec=mjpeg"]).await;
        let mut next = 0;
        let mut waiting = Value::Null;
        // As a camera would, so that some fragments fit before one does not.
        let mut pace = tokio::time::interval(Duration::from_millis(40));
        eventually("recording waits", async || {
            pace.tick().await;
            server.push("cam", jpeg(640, 480, next)).await;
            next += 1;
            waiting = server.see("/api/streams/cam").await["recording"].take();
            waiting["state"] == "waiting"
        })
        .await;
        let reason = waiting["reason"].as_str().unwrap();
        let named = if full == Full::Disk { "full" } else { "large" };
        assert!(reason.contains(named), "{full:?}: {reason}");
        assert_eq!(server.see("/health").await["status"], "degraded", "{full:?}");
        let stream = server.see("/api/streams/cam").await;
        assert_eq!(stream["total_frames"], next, "{full:?}: the stream goes on");

        let list = server.see("/api/recordings").await;
        let first = list["recordings"][0].clone();
        let size = first["size_bytes"].as_u64().unwrap();
        assert!((Full::BYTES / 2..=Full::BYTES).contains(&size), "{full:?}: {first}");
        let kept = fetched(&server, &first).await;
        let frames = numbers(kept.path()).await;
        assert_eq!(frames, counting(frames.len() as u64), "{full:?}: what is on the disk plays");
        assert_eq!(first["total_frames"], frames.len(), "{full:?}");
        if full == Full::Disk {
            // Room is made as a user would make it.
            let url = server.url(first["url"].as_str().unwrap());
            answer(server.client.delete(url)).await.json();
        }
        eventually("recording goes on", async || {
            server.push("cam", picture(next)).await;
            next += 1;
            server.see("/api/streams/cam").await["recording"]["state"] == "recording"
        })
        .await;
        let url = server.url("/api/streams/cam");
        answer(server.client.delete(url)).await.json();
        let list = server.see("/api/recordings").await;
        let last = fetched(&server, &list["recordings"][0]).await;
        assert_eq!(
            numbers(last.path()).await.last().map(|&last| u64::from(last)),
            Some(next - 1),
            "{full:?}"
        );
    }
}

/// A recording as the API serves it: the disk of a server may be one that we can't see.
async fn fetched(server: &Served, listed: &Value) -> tempfile::NamedTempFile {
    let video = answer(server.client.get(server.url(listed["url"].as_str().unwrap()))).await;
    assert_eq!(video.status, 200);
    let file = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    file.as_file().write_all_at(&video.body, 0).unwrap();
    file
}
