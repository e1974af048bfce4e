//! Streams that layers show in full: every picture of what is pulled or published over RTMP, in true colours, only while shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use sim::fault::Fault;

use crate::air::files;
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

/// When something begins that was not there before, in seconds; `every` is the time of one of them.
fn onsets(loud: impl Iterator<Item = bool>, every: f64) -> Vec<f64> {
    let mut before = true;
    let mut found = Vec::new();
    for (at, now) in (0_u32..).zip(loud) {
        if now && !before {
            found.push(f64::from(at) * every);
        }
        before = now;
    }
    found
}

/// What FFmpeg makes of a file, as bytes.
async fn decoded(file: &Path, output: &[&str]) -> Vec<u8> {
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error", "-i"]).arg(file).args(output).arg("-");
    Program::start(&mut command).success().await
}

/// Times of flashes and of beeps in a file of the program, from its beginning.
async fn flashes_and_beeps(file: &Path) -> (Vec<f64>, Vec<f64>) {
    let grey = ["-fps_mode", "cfr", "-r", "30", "-vf", "scale=16:16", "-pix_fmt", "gray", "-f", "rawvideo"];
    let pictures = decoded(file, &grey).await;
    let bright = |picture: &[u8]| picture.iter().map(|luma| u32::from(*luma)).sum::<u32>() > 256 * 128;
    let flashes = onsets(pictures.chunks_exact(256).map(bright), 1.0 / 30.0);
    let mono = ["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "48000", "-f", "s16le"];
    let samples = decoded(file, &mono).await;
    let loud = |stretch: &[u8]| {
        let samples = stretch.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample));
        samples.map(i16::unsigned_abs).max().unwrap_or(0) > 3000
    };
    // By the millisecond; what is quiet for less is still the same beep.
    let mut quiet = 0;
    let sounding = samples.chunks_exact(96).map(|stretch| {
        quiet = if loud(stretch) { 0 } else { quiet + 1 };
        quiet < 100
    });
    (flashes, onsets(sounding, 0.001))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sound_of_a_stream_that_is_shown_is_in_the_program_in_step_with_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    let mut command = Command::new(tool("ffmpeg"));
    let picture = "color=c=black:s=320x180:r=30:d=12,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.4)'";
    let sound = "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.4)':s=44100:d=12";
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    Program::start(command.arg(&film)).success().await;
    let film = std::fs::read(&film).unwrap();
    let address = serve(BTreeMap::from([("/film.mp4".to_owned(), file("video/mp4", film))])).await;
    let small = ("compositor.resolution", "320x180");
    let more = [small, ("outputs.bitrate", "800"), ("outputs.preset", "ultrafast")];
    let server = Server::start(&[&SMALL[..], &more].concat()).await;
    let stream = json!({"url": format!("{address}/film.mp4"), "name": "stage"});
    assert_eq!(server.post_json("/api/streams", &stream).await.status, 201);
    shows(&server, &whole("stage")).await;
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    is_in_state(&server, "stage", "playing").await;
    server.on_air_for(330.0).await;
    let audio = server.get("/stream/audio").await.json();
    let source =
        audio["sources"].as_array().unwrap().iter().find(|source| source["source"] == "stage").unwrap();
    assert_eq!(
        (&source["stream"], &source["src"], &source["volume"]),
        (&json!("stage"), &Value::Null, &json!(1.0))
    );
    assert!(source["level"].is_object(), "{audio}");
    let muted = server.ask(Method::PATCH, "/stream/audio/stage", &json!({"mute": true})).await;
    assert_eq!(muted.status, 200, "{}", muted.text());
    server.on_air_for(150.0).await;
    server.control("stop").await;
    server.until_state("near", "idle").await;
    let file = files(&server.folder().join("recordings"), "show").pop().unwrap();
    let (flashes, beeps) = flashes_and_beeps(&file).await;
    assert!(flashes.len() >= 5 && beeps.len() >= 5, "{flashes:?} {beeps:?}");
    let (beep, flash) = (beeps.last().unwrap(), flashes.last().unwrap());
    assert!(beep + 2.0 < *flash, "muted, it is not heard: {flashes:?} {beeps:?}");
    let apart = |beep: &f64| {
        let near = |a: &f64, b: &f64| (a - beep).abs().total_cmp(&(b - beep).abs());
        beep - flashes.iter().copied().min_by(near).unwrap()
    };
    // A busy machine shows a picture late now and then; the first beep may be cut.
    let mut apart: Vec<f64> = beeps[1..].iter().map(apart).collect();
    apart.sort_by(f64::total_cmp);
    let middle = apart[apart.len() / 2];
    assert!(middle.abs() <= 0.04, "sound is {middle} s after its picture: {apart:?}");
    server.stop().await;
}
