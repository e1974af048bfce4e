//! Streams that layers show in full: every picture of what is pulled or published over RTMP, in true colours, only while shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use sim::fault::Fault;

use crate::follow::Twitch;
use crate::harness::{Server, eventually, number};
use crate::pull_hls::{file, serve};
use crate::tools::{Program, pictures_of, sooner_or_later, tool, video};

const SMALL: [(&str, &str); 3] =
    [("compositor.resolution", "640x360"), ("egress.allow_private", "true"), ("compositor.fps", "30")];

/// A layer that shows a stream over the whole canvas.
fn whole(stream: &str) -> Value {
    json!({"id": "feed", "content": {"kind": "stream", "name": stream, "width": 640, "height": 360, "fit": "fill"}})
}

async fn shows(server: &Server, layer: &Value) {
    let made = server.ask(Method::POST, "/stream/layers", layer).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// What is said of the player of a stream; null while there is none.
async fn played(server: &Server, stream: &str) -> Value {
    let status = server.get("/stream/status").await.json();
    let all = status["played"].as_array().unwrap();
    all.iter().find(|played| played["stream"] == stream).cloned().unwrap_or_default()
}

async fn is_in_state(server: &Server, stream: &str, state: &str) {
    sooner_or_later(&format!("{stream} is {state}"), async || played(server, stream).await["state"] == state)
        .await;
}

/// The numbers in so many frames of the program, one after the other; each as often as it was shown.
async fn numbers(server: &Server, frames: usize) -> Vec<u32> {
    let mut viewer = server.watch("program").await;
    let mut seen = Vec::new();
    while seen.len() < frames {
        let shown = viewer.next().await.expect("the program goes on");
        seen.extend(number(&shown.jpeg));
    }
    seen
}

/// Of these, those that go on by one or two from the one before, as those of a film do whose every picture is there.
fn steps(numbers: &[u32]) -> usize {
    numbers.windows(2).filter(|two| (1..=2).contains(&two[1].wrapping_sub(two[0]))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_shown_at_its_full_rate_only_while_a_layer_shows_it_and_comes_back_by_itself() {
    let twitch = Twitch::start(1).await;
    let server = twitch.server(&SMALL).await;
    assert_eq!(server.post_json("/api/streams", &json!({"username": "sim_0001"})).await.status, 201);
    let mut layer = whole("sim_0001");
    layer["content"]["whenLost"] = json!({"show": "hide", "after": 1});
    shows(&server, &layer).await;
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    is_in_state(&server, "sim_0001", "playing").await;
    // At keyframes alone two numbers would be far apart.
    let seen = numbers(&server, 90).await;
    assert!(steps(&seen) > 30, "{seen:?}");
    let told = played(&server, "sim_0001").await;
    assert_eq!((&told["width"], &told["sound"]), (&json!(284), &json!(true)), "{told}");

    twitch.world.fault("sim_0001", Fault::Offline {}, None).unwrap();
    is_in_state(&server, "sim_0001", "lost").await;
    let status = server.get("/stream/status").await.json();
    assert_eq!(status["state"], "live", "the program goes on");
    sooner_or_later("the layer is hidden", async || {
        let frame = server.get("/api/streams/program/snapshot.jpg").await;
        number(&frame.body).is_none()
    })
    .await;
    twitch.world.clear("sim_0001").unwrap();
    is_in_state(&server, "sim_0001", "playing").await;
    assert!(played(&server, "sim_0001").await["reconnects"].as_u64() > Some(0));
    assert!(steps(&numbers(&server, 60).await) > 20);

    let hidden = json!({"visible": false});
    server.ask(Method::POST, "/stream/layers/feed/visibility", &hidden).await;
    sooner_or_later("nobody decodes it", async || played(&server, "sim_0001").await.is_null()).await;
    let ticking = json!({"id": "ticking", "content": {"kind": "text", "text": "{{ program.frame }}"}});
    shows(&server, &ticking).await;
    frames(&server, 15).await;
    let decoded = server.metric("onair_played_pictures_total").await;
    frames(&server, 15).await;
    assert_eq!(server.metric("onair_played_pictures_total").await, decoded);
    server.stop().await;
}

/// So many frames of the program go by.
async fn frames(server: &Server, frames: usize) {
    let mut viewer = server.watch("program").await;
    for _ in 0..frames {
        viewer.next().await.expect("the program goes on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_over_rtmp_is_shown_at_its_full_rate_and_ends_with_its_publisher() {
    let server = Server::start(&[&SMALL[..], &[("server.rtmp_port", "auto")]].concat()).await;
    let codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-bf", "2", "-g", "15"];
    let film = video(&pictures_of(75), 25, &codec, ".mp4").await;
    let address = server.address_of("server.rtmp_port");
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(film.path());
    command.args(["-f", "lavfi", "-i", "sine", "-c:v", "copy", "-c:a", "aac", "-f", "flv"]);
    let publishing = Program::start(command.arg(format!("rtmp://{address}/live/stage")));
    sooner_or_later("it is there", async || server.stream("stage").await["name"] == "stage").await;
    shows(&server, &whole("stage")).await;
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    is_in_state(&server, "stage", "playing").await;
    let seen = numbers(&server, 90).await;
    assert!(steps(&seen) > 30, "{seen:?}");
    assert_eq!(played(&server, "stage").await["sound"], true);
    drop(publishing);
    sooner_or_later("nothing is played any more", async || played(&server, "stage").await.is_null()).await;
    server.stop().await;
}

/// Two seconds of one colour, coded in that way.
async fn plain(folder: &Path, name: &str, matrix: &str, range: &str, format: &str) -> Vec<u8> {
    let path = folder.join(format!("{name}.mp4"));
    let mut command = Command::new(tool("ffmpeg"));
    let convert = format!("scale=out_color_matrix={matrix}:out_range={range},format={format}");
    command.args([
        "-nostdin",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=c=0x5aa01e:s=320x180:r=10:d=2,format=rgb24",
    ]);
    let space = if matrix == "bt709" { "bt709" } else { "smpte170m" };
    command.args([
        "-vf",
        &convert,
        "-c:v",
        "libx264",
        "-qp",
        "8",
        "-colorspace",
        space,
        "-color_range",
        range,
    ]);
    Program::start(command.arg(&path)).success().await;
    std::fs::read(&path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_source_has_its_own_matrix_and_range_and_is_shown_in_true_colours() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        ("old", "bt601", "tv", "yuv420p"),
        ("new", "bt709", "tv", "yuv420p"),
        ("full", "bt601", "pc", "yuvj420p"),
        ("wide", "bt709", "tv", "yuv422p"),
        ("deep", "bt709", "tv", "yuv420p10le"),
        ("dense", "bt601", "tv", "yuv444p"),
    ];
    let mut files = BTreeMap::new();
    for (name, matrix, range, format) in kinds {
        let film = plain(folder.path(), name, matrix, range, format).await;
        files.insert(format!("/{name}.mp4"), file("video/mp4", film));
    }
    let address = serve(files).await;
    let server = Server::start(&SMALL).await;
    for (x, (name, ..)) in (0..).step_by(100).zip(kinds) {
        let stream = json!({"url": format!("{address}/{name}.mp4"), "name": name});
        let added = server.post_json("/api/streams", &stream).await;
        assert_eq!(added.status, 201, "{}", added.text());
        let layer = json!({"id": name, "transform": {"position": {"x": x}}, "content": {"kind": "stream",
            "name": name, "width": 100, "height": 360, "fit": "fill"}});
        shows(&server, &layer).await;
    }
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    for (name, ..) in kinds {
        is_in_state(&server, name, "playing").await;
    }
    for (x, (name, ..)) in (50..).step_by(100).zip(kinds) {
        eventually(&format!("{name} is in its colours"), async || {
            let frame = server.get("/stream/frame").await;
            let mut reader = png::Decoder::new(std::io::Cursor::new(&frame.body)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let at = (180 * 640 + x) * 3;
            [0x5a_u8, 0xa0, 0x1e].iter().zip(&pixels[at..at + 3]).all(|(a, b)| a.abs_diff(*b) <= 4)
        })
        .await;
    }
    server.stop().await;
}
