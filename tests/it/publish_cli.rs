//! `onair publish`: what it reads is what the server records, whatever happens in between; and what it says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::harness::{Process, Server, answer, client, eventually};
use crate::tools::{
    Ended, Program, lasting_port, numbers, onair, pictures_of, probe, recording, recordings, repository,
    sooner_or_later, tool, video,
};

async fn server(codec: &str) -> Server {
    Server::start(&[("recording.enabled", "true"), ("recording.codec", codec)]).await
}

/// `onair publish` to that address.
fn publish(url: &str, args: &[&str]) -> Program {
    Program::start(onair().arg("publish").args(["--server", url]).args(args))
}

/// Its end, and the lines it said: plain, because nobody's terminal is there.
async fn ended(program: Program) -> (Ended, Vec<String>) {
    let ended = program.end().await;
    assert!(!ended.err.contains(['\r', '\x1b']), "{:?}", ended.err);
    assert!(ended.out.is_empty(), "{:?}", String::from_utf8_lossy(&ended.out));
    let lines = ended.err.lines().map(str::to_owned).collect();
    (ended, lines)
}

async fn recorded(server: &Server, stream: &str) -> PathBuf {
    server.delete(&format!("/api/streams/{stream}")).await.json();
    recording(&server.folder().join("recordings"), stream)
}

/// H.264 as a camera or a phone would write it.
async fn film(count: u64, fps: u32) -> NamedTempFile {
    video(&pictures_of(count), fps, &["-c:v", "libx264", "-crf", "14", "-pix_fmt", "yuv420p"], ".mp4").await
}

/// How alike each frame of two videos is, in dB over all colours; frames are paired by their order.
async fn likeness(one: &Path, other: &Path) -> Vec<f64> {
    let stats = NamedTempFile::new().unwrap();
    let same = "settb=1/25,setpts=N,format=gbrp";
    let graph =
        format!("[0:v]{same}[a];[1:v]{same}[b];[a][b]psnr=stats_file={}:shortest=1", stats.path().display());
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error", "-i"]).arg(one).arg("-i").arg(other);
    Program::start(command.args(["-lavfi", &graph, "-f", "null", "-"])).success().await;
    let text = std::fs::read_to_string(stats.path()).unwrap();
    let value = |line: &str| line.split_once("psnr_avg:")?.1.split(' ').next()?.parse().ok();
    text.lines().map(|line| value(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

#[tokio::test]
async fn a_file_is_recorded_frame_for_frame_at_its_times() {
    // Slow, so that a frame is longer than a busy machine keeps one waiting.
    let source = film(16, 5).await;
    let mut told = probe(source.path()).await;
    // They come in the order of decoding.
    told.times.sort_by(f64::total_cmp);
    for codec in ["h264", "mjpeg"] {
        let server = server(codec).await;
        let path = source.path().to_str().unwrap();
        let (ended, lines) = ended(publish(&server.url(""), &[path, "--stream", "film"])).await;
        assert!(ended.status.success(), "{lines:?}");
        assert!(lines.last().unwrap().starts_with("film: 16 frames, "), "{lines:?}");
        let file = recorded(&server, "film").await;
        assert_eq!(numbers(&file).await, (0..16).collect::<Vec<_>>(), "{codec}");
        let likeness = likeness(&file, source.path()).await;
        assert_eq!(likeness.len(), 16, "{codec}");
        assert!(likeness.iter().all(|db| *db >= 30.0), "{codec}: {likeness:?}");
        let frame = 0.2;
        let kept = probe(&file).await;
        for (kept_at, shown_at) in kept.times.iter().zip(&told.times) {
            let off = (kept_at - (shown_at - told.times[0])).abs();
            assert!(off <= frame, "{codec}: {shown_at} is at {kept_at}");
        }
        assert!(
            (kept.duration - told.duration).abs() <= frame,
            "{codec}: {} of {}",
            kept.duration,
            told.duration
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_real_film_comes_back_alike() {
    // Not ours to distribute, so it may be away; a film of our own stands in for it then.
    let trailer = repository().join("../shared/media/video/bbb_trailer_720p24_mp3_55s.mp4");
    let ours = film(100, 24).await;
    let source = if trailer.is_file() { trailer.as_path() } else { ours.path() };
    let server = server("h264").await;
    let args = [source.to_str().unwrap(), "--stream", "film", "--duration", "4", "--quality", "92"];
    let (ended, lines) = ended(publish(&server.url(""), &args)).await;
    assert!(ended.status.success(), "{lines:?}");
    let file = recorded(&server, "film").await;
    let told = probe(&file).await;
    assert_eq!(told.frames, 96, "four seconds of 24 frames");
    let likeness = likeness(&file, source).await;
    assert!(likeness.len() == 96 && likeness.iter().all(|db| *db >= 30.0), "{likeness:?}");
    server.stop().await;
}

#[tokio::test]
async fn test_pictures_are_sent_at_the_rate_and_for_the_time_asked_for() {
    let server = server("mjpeg").await;
    for kind in ["bars", "court"] {
        let args =
            ["--test", kind, "--size", "320x240", "--fps", "20", "--duration", "1.5", "--stream", kind];
        let (ended, lines) = ended(publish(&server.url(""), &args)).await;
        assert!(ended.status.success(), "{lines:?}");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&format!("{kind}: 30 frames, ")), "{lines:?}");
        let file = recorded(&server, kind).await;
        let told = probe(&file).await;
        assert_eq!((told.width, told.height), (320, 240));
        assert_eq!(numbers(&file).await, (0..30).collect::<Vec<_>>());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_looped_file_begins_again_and_fewer_frames_are_sent_if_asked() {
    let server = server("mjpeg").await;
    let source = film(10, 10).await;
    let path = source.path().to_str().unwrap();
    let looped = ["--loop", "--duration", "2.5", "--stream", "again", path];
    let (ended, lines) = ended(publish(&server.url(""), &looped)).await;
    assert!(ended.status.success(), "{lines:?}");
    let expected: Vec<u32> = (0..25).map(|n| n % 10).collect();
    assert_eq!(numbers(&recorded(&server, "again").await).await, expected);

    let (ended, lines) =
        self::ended(publish(&server.url(""), &["--fps", "5", "--stream", "fewer", path])).await;
    assert!(ended.status.success(), "{lines:?}");
    assert_eq!(numbers(&recorded(&server, "fewer").await).await, [0, 2, 4, 6, 8]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_costs_no_frame_of_a_file() {
    let source = film(60, 20).await;
    let folder = Arc::new(TempDir::new().unwrap());
    let port = lasting_port();
    let set = format!("server.port={port}");
    let args = ["--set", &set, "--set", "recording.codec=mjpeg"];
    let publisher =
        publish(&format!("http://127.0.0.1:{port}"), &[source.path().to_str().unwrap(), "--stream", "film"]);
    eventually("it says that the server is away", async || {
        publisher.said().contains("film: the server can't be reached")
    })
    .await;

    let mut server = Process::start_in(Arc::clone(&folder), &args).await;
    let client = client();
    sooner_or_later("some of it has come", async || {
        let answer = answer(client.get(server.url("/api/streams/film"))).await;
        answer.status == 200 && answer.json()["total_frames"].as_u64() >= Some(20)
    })
    .await;
    assert!(server.terminate().await.success());
    let mut server = Process::start_in(Arc::clone(&folder), &args).await;
    let (ended, lines) = ended(publisher).await;
    assert!(ended.status.success(), "{lines:?}");
    let connected = lines.iter().filter(|line| *line == "film: connected").count();
    assert_eq!(connected, 2, "it tells when it goes on: {lines:?}");
    assert!(server.terminate().await.success());
    let mut kept = Vec::new();
    for file in recordings(&folder.path().join("recordings"), "film") {
        kept.extend(numbers(&file).await);
    }
    // One that was taken when its answer was lost is sent again.
    kept.dedup();
    assert_eq!(kept, (0..60).collect::<Vec<_>>(), "{lines:?}");
}

#[tokio::test]
async fn a_server_that_wants_a_key_gets_it_or_says_so() {
    let server = Server::start(&[("auth.token", "sesame")]).await;
    let test = ["--test", "--size", "320x240", "--duration", "0.2"];
    for more in [&[][..], &["--token", "open"]] {
        let (ended, lines) = ended(publish(&server.url(""), &[&test, more].concat())).await;
        assert_eq!(ended.status.code(), Some(1), "{lines:?}");
        let last = lines.last().unwrap();
        assert!(last.starts_with("onair: the server says 401 Unauthorized: "), "{lines:?}");
        assert!(!ended.err.contains("open\""), "{lines:?}");
    }
    let (ended, lines) = ended(publish(&server.url(""), &[&test[..], &["--token", "sesame"]].concat())).await;
    assert!(ended.status.success(), "{lines:?}");
    let mut from_environment = onair();
    from_environment.env("ONAIR_TOKEN", "sesame").args(["publish", "--server", &server.url("")]).args(test);
    let (ended, lines) = self::ended(Program::start(&mut from_environment)).await;
    assert!(ended.status.success(), "{lines:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_one_clear_line() {
    let server = Server::start(&[]).await;
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "this is no video\n".repeat(100)).unwrap();
    let (text, away) = (text.to_str().unwrap(), folder.path().join("away.mp4"));
    let away = away.to_str().unwrap();
    for (args, said) in [
        (&[text][..], "text.mp4"),
        (&[away], "away.mp4"),
        (&[folder.path().to_str().unwrap()], folder.path().to_str().unwrap()),
        (&["--camera", "/dev/video73"], "/dev/video73"),
        (&["--test", "--stream", "no name"], "name"),
        (&["--test", "--stream", "chat"], "chat"),
        (&["--test", "--duration=-1"], "duration"),
    ] {
        let (ended, lines) = ended(publish(&server.url(""), args)).await;
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {lines:?}");
        let [line] = &lines[..] else { panic!("{args:?}: {lines:?}") };
        assert!(line.starts_with("onair: ") && line.contains(said), "{args:?}: {line}");
    }
    let (ended, lines) = ended(publish("localhost", &["--test"])).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(lines[0].contains("--server"), "{lines:?}");
    let list: Value = server.get("/api/streams").await.json();
    assert_eq!(list["count"], 0, "nothing was begun");
    server.stop().await;
}

#[tokio::test]
async fn ctrl_c_and_sigterm_end_it_with_a_last_line() {
    let server = Server::start(&[]).await;
    for (signal, stream) in [(Signal::INT, "int"), (Signal::TERM, "term")] {
        let publisher = publish(&server.url(""), &["--test", "--size", "320x240", "--stream", stream]);
        eventually("frames come", async || server.stream(stream).await["total_frames"].as_u64() >= Some(5))
            .await;
        publisher.signal(signal);
        let (ended, lines) = ended(publisher).await;
        assert_eq!(ended.status.code(), Some(0), "{lines:?}");
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let frames = line.strip_prefix(&format!("{stream}: ")).and_then(|rest| rest.split_once(" frames, "));
        let frames: u64 = frames.unwrap_or_else(|| panic!("{line}")).0.parse().unwrap();
        let taken = server.stream(stream).await["total_frames"].as_u64().unwrap();
        // One may have been taken whose answer nobody waited for.
        assert!((frames..=frames + 1).contains(&taken), "{line}, {taken} taken");
    }
    server.stop().await;
}
