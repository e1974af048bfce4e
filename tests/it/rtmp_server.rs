//! RTMP through the server's own port: what FFmpeg publishes is seen, recorded, counted, refused and ended like any push stream.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tempfile::{NamedTempFile, TempDir};

use crate::harness::{Mjpeg, eventually, number};
use crate::serve_cli::{Cli, command};
use crate::tools::{Program, numbers, pictures_of, probe, recordings, sidecar, sooner_or_later, tool, video};

/// A server that takes RTMP, and where.
async fn serve(folder: &Path, more: &[&str]) -> (Cli, SocketAddr) {
    let sets = ["server.rtmp_port=auto", "recording.codec=mjpeg", "recording.min_free_gb=0"];
    let args: Vec<&str> = sets.iter().chain(more).flat_map(|set| ["--set", set]).collect();
    let server = Cli::run(command(folder, &args)).await;
    let said = server.program.said();
    let (_, rest) = said.split_once("listening (server.rtmp_port) address=").expect("it takes RTMP");
    let address = rest.split_once('\n').unwrap().0.trim().parse().unwrap();
    (server, address)
}

/// Numbered pictures as H.264.
async fn film(count: u64) -> NamedTempFile {
    let options = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-tune", "zerolatency"];
    video(&pictures_of(count), 15, &[&options[..], &["-g", "15"]].concat(), ".mp4").await
}

/// FFmpeg sends `file` at its pace.
fn publish(file: &NamedTempFile, address: SocketAddr, key: &str) -> Program {
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error", "-re", "-i"]).arg(file.path());
    Program::start(command.args(["-c", "copy", "-f", "flv"]).arg(format!("rtmp://{address}/live/{key}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_shown_snapped_recorded_counted_and_begins_anew_when_deleted() {
    let (folder, film) = (TempDir::new().unwrap(), film(225).await);
    let (server, rtmp) = serve(folder.path(), &[]).await;
    let publisher = publish(&film, rtmp, "cam");
    let there = async || server.try_ask(Method::GET, "/api/streams/cam", None).await.status == 200;
    sooner_or_later("it is there", there).await;
    let list = server.get("/api/streams").await;
    let stream = &list["streams"][0];
    assert_eq!((&stream["name"], &stream["source"]["kind"]), (&json!("cam"), &json!("push")));
    let begun = stream["created_at"].clone();
    let url = |path: &str| format!("http://{}{path}", server.address);
    let mut viewer = Mjpeg::open(&server.client, &url("/stream/cam")).await;
    let mut last = None;
    for _ in 0..20 {
        let now = number(&viewer.next().await.unwrap().jpeg).expect("the pictures carry their number");
        assert!(last < Some(now), "{last:?} {now}");
        last = Some(now);
    }
    let snapshot = server.try_ask(Method::GET, "/api/streams/cam/snapshot.jpg", None).await;
    assert!(number(&snapshot.body) >= last);
    assert_eq!(server.metric("onair_rtmp_publishers").await, 1.0);
    assert!(server.metric("onair_rtmp_pictures_total").await >= 20.0);
    assert!(server.metric("onair_rtmp_received_bytes_total").await > 0.0);

    // The publisher is not told: its next picture makes a new stream, with a recording of its own.
    server.ask(Method::DELETE, "/api/streams/cam", None).await;
    while viewer.next().await.is_some() {}
    sooner_or_later("it is there again", there).await;
    assert_ne!(server.get("/api/streams/cam").await["created_at"], begun);
    publisher.success().await;
    eventually("it publishes no more", async || server.metric("onair_rtmp_publishers").await == 0.0).await;
    server.ask(Method::DELETE, "/api/streams/cam", None).await;
    let pictures = server.metric("onair_rtmp_pictures_total").await;
    let mut kept = Vec::new();
    let files = recordings(&folder.path().join("recordings"), "cam");
    assert_eq!(files.len(), 2);
    for file in &files {
        let told = probe(file).await;
        assert_eq!(sidecar(file)["total_frames"], told.frames);
        kept.extend(numbers(file).await);
    }
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "{kept:?}");
    assert_eq!(kept.len() as f64, pictures, "what was taken is in the files");
    assert!(kept.len() + 5 >= 225, "{} of 225", kept.len());
    for (what, count) in [("connections_taken", 1.0), ("refused", 0.0), ("pictures_damaged", 0.0)] {
        assert_eq!(server.metric(&format!("onair_rtmp_{what}_total")).await, count, "{what}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_names_of_others_are_refused_with_a_line_in_the_log() {
    let (folder, film) = (TempDir::new().unwrap(), film(30).await);
    let (server, rtmp) = serve(folder.path(), &["auth.publish_keys=cam=camera-key-1"]).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "followed"}))).await;
    for (key, admitted) in [
        ("cam", false),
        ("cam?key=guess", false),
        ("cam?key=camera-key-1", true),
        ("other?key=camera-key-1", false),
    ] {
        let ended = publish(&film, rtmp, key).end().await;
        assert_eq!(ended.status.success(), admitted, "{key}: {}", ended.err);
    }
    let there = async || server.try_ask(Method::GET, "/api/streams/cam", None).await.status == 200;
    eventually("what was admitted is there", there).await;
    let refused = server.metric("onair_rtmp_refused_total").await;
    assert_eq!(refused, 3.0);
    let said = server.program.said();
    assert!(said.contains("needs a key") && !said.contains("camera-key-1"), "{said}");
    server.stop().await;

    let (server, rtmp) = serve(folder.path(), &[]).await;
    server.follows(&["followed"]).await;
    let ended = publish(&film, rtmp, "followed").end().await;
    assert!(!ended.status.success(), "{}", ended.err);
    let stream = server.get("/api/streams/followed").await;
    assert_eq!((&stream["source"]["kind"], &stream["total_frames"]), (&json!("pull"), &json!(0)));
    let line = server.program.said();
    assert!(line.contains("is a stream we fetch ourselves"), "{line}");
    assert_eq!(server.metric("onair_rtmp_refused_total").await, 1.0);
    server.stop().await;
}

#[tokio::test]
async fn port_0_takes_no_rtmp_and_a_port_in_use_is_one_line() {
    let folder = TempDir::new().unwrap();
    let server = Cli::start(folder.path(), &["--set", "server.rtmp_port=0"]).await;
    assert_eq!(server.said("server.rtmp_port"), 0, "{}", server.program.said());
    server.stop().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setting = format!("server.rtmp_port={}", taken.local_addr().unwrap().port());
    let ended = Program::start(&mut command(folder.path(), &["--set", &setting])).end().await;
    assert_eq!(ended.status.code(), Some(1));
    let lines: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("onair: ")).collect();
    let [line] = lines[..] else { panic!("{}", ended.err) };
    assert!(
        line.contains("server.rtmp_port: can't listen on 127.0.0.1:") && line.contains("in use"),
        "{line}"
    );
}
