//! The program on air: encoded once, received by a real server, by files and as HLS, and looked at with ffprobe.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::air_nginx::{Nginx, Received};
use crate::harness::{Answer, Process, Server, Ws, answer, eventually};
use crate::tools::{Program, colour, sooner_or_later, tool};

pub(crate) const SMALL: [(&str, &str); 4] = [
    ("compositor.resolution", "640x360"),
    ("outputs.bitrate", "800"),
    ("outputs.preset", "ultrafast"),
    ("egress.allow_private", "true"),
];

/// A red ground over the whole canvas.
pub(crate) fn red() -> Value {
    json!({"id": "ground", "content": {"kind": "shape", "shape": "rectangle", "width": 640, "height": 360,
        "style": {"fillColor": "#ff0000"}}})
}

impl Server {
    pub(crate) async fn control(&self, action: &str) -> Answer {
        self.ask(Method::POST, "/stream/control", &json!({ "action": action })).await
    }

    pub(crate) async fn output(&self, asked: &Value) -> Value {
        let made = self.ask(Method::POST, "/stream/outputs", asked).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        made.json()
    }

    pub(crate) async fn state_of(&self, id: &str) -> String {
        let output = self.get(&format!("/stream/outputs/{id}")).await.json();
        output["state"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn until_state(&self, id: &str, state: &str) {
        sooner_or_later(&format!("{id} is {state}"), async || self.state_of(id).await == state).await;
    }

    /// Until so many more frames were encoded.
    pub(crate) async fn on_air_for(&self, frames: f64) {
        let encoded = async || self.metric("onair_encoded_frames_total").await.unwrap();
        let from = encoded().await;
        sooner_or_later("frames are encoded", async || encoded().await >= from + frames).await;
    }
}

/// The files of an output of that name, oldest first.
pub(crate) fn files(recordings: &Path, name: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(recordings.join("program")).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(&format!("{name}_"));
    let mut files: Vec<PathBuf> = all.filter(ours).collect();
    files.sort_by_key(|path| std::fs::metadata(path).unwrap().created().unwrap());
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_encode_reaches_a_server_and_a_file_whole_in_order_and_in_true_colours() {
    let nginx = Nginx::start().await;
    let server = Server::start(&SMALL).await;
    assert_eq!(server.ask(Method::POST, "/stream/layers", &red()).await.status, 201);
    let asked = json!({"id": "far", "url": nginx.url("live"), "key": "sesame"});
    let made = server.output(&asked).await;
    assert_eq!((&made["type"], &made["state"]), (&json!("rtmp"), &json!("idle")));
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    let mut events = Ws::open(&server.ws_url("/ws")).await;
    assert_eq!(server.control("start").await.status, 200);
    server.until_state("far", "live").await;
    server.until_state("near", "live").await;
    loop {
        let event = events.next().await["payload"].clone();
        if event["event"] == "outputState" && event["output"] == "far" && event["state"] == "live" {
            break;
        }
    }
    server.on_air_for(160.0).await;
    let status = server.get("/stream/status").await.json();
    assert_eq!(status["outputs"].as_array().unwrap().len(), 2);
    assert_eq!(status["encoders"].as_array().unwrap().len(), 1, "two destinations, one encode");
    assert!(status["outputs"][0]["bitrateKbps"].as_f64().unwrap() > 10.0, "{status}");
    assert!(
        server.metric("onair_output_latency_seconds_count").await.unwrap() > 200.0,
        "two times 160 and less"
    );
    for path in ["/stream/status", "/stream/outputs", "/stream/outputs/far", "/metrics", "/health"] {
        assert!(!server.get(path).await.text().contains("sesame"), "{path} has the key");
    }
    assert_eq!(server.control("stop").await.status, 200);
    for id in ["far", "near"] {
        server.until_state(id, "idle").await;
    }
    let mut seen = nginx.kept();
    seen.extend(files(&server.folder().join("recordings"), "show"));
    assert_eq!(seen.len(), 2, "{seen:?}");
    for file in &seen {
        let received = Received::of(file).await;
        assert!(received.pictures.len() >= 140, "{}: {} pictures", file.display(), received.pictures.len());
        received.is_whole(30.0, 60);
        let video = &received.video;
        assert_eq!(
            (&video["codec_name"], &video["width"], &video["height"]),
            (&json!("h264"), &json!(640), &json!(360))
        );
        for tag in ["color_space", "color_primaries", "color_transfer"] {
            assert_eq!(video[tag], "bt709", "{}: {tag}", file.display());
        }
        assert_eq!((&video["color_range"], &video["pix_fmt"]), (&json!("tv"), &json!("yuv420p")));
        let audio = &received.audio;
        assert_eq!(
            (&audio["codec_name"], &audio["sample_rate"], &audio["channels"]),
            (&json!("aac"), &json!("48000"), &json!(2))
        );
        let gap = received.sounds.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
        assert!(gap < 0.03, "{}: {gap} s without sound", file.display());
        let apart = (received.sounds[0] - received.pictures[0].1).abs();
        assert!(apart < 0.04, "{}: sound begins {apart} s apart", file.display());
        let [r, g, b] = colour(file).await;
        assert!(r > 240.0 && g < 15.0 && b < 15.0, "{}: {r} {g} {b}", file.display());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hls_is_served_with_times_and_an_empty_scene_shows_a_slate() {
    let server = Server::start(&SMALL).await;
    server.get("/hls/program/index.m3u8").await.problem(404);
    server.output(&json!({"id": "web", "type": "hls"})).await;
    server.ask(Method::POST, "/stream/outputs", &json!({"type": "hls"})).await.problem(409);
    server.control("start").await;
    let playlist = async || server.get("/hls/program/index.m3u8").await;
    sooner_or_later("two segments", async || playlist().await.text().matches("#EXTINF").count() >= 2).await;
    let listed = playlist().await;
    assert_eq!(listed.header("content-type"), "application/vnd.apple.mpegurl");
    let text = listed.text();
    assert_eq!(text.matches("#EXT-X-PROGRAM-DATE-TIME:2").count(), text.matches("#EXTINF").count());
    assert!(!text.contains("#EXT-X-ENDLIST"));
    let init = text.split("URI=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut film = server.get(&format!("/hls/program/{init}")).await.body.to_vec();
    for segment in text.lines().filter(|line| line.ends_with(".m4s")).take(2) {
        film.extend(server.get(&format!("/hls/program/{segment}")).await.body);
    }
    server.get("/hls/program/segment-1-999.m4s").await.problem(404);
    let file = server.folder().join("hls.mp4");
    std::fs::write(&file, film).unwrap();
    let received = Received::of(&file).await;
    received.is_whole(30.0, 60);
    assert!(received.pictures.len() >= 100, "{}", received.pictures.len());
    let [r, g, b] = colour(&file).await;
    assert!(r + g + b > 60.0, "an empty scene is not black: {r} {g} {b}");
    server.control("stop").await;
    sooner_or_later("it ends", async || playlist().await.text().contains("#EXT-X-ENDLIST")).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_come_and_go_while_live_without_disturbing_others() {
    let nginx = Nginx::start().await;
    let server = Server::start(&SMALL).await;
    server.ask(Method::POST, "/stream/layers", &red()).await;
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("near", "live").await;
    server.output(&json!({"id": "far", "url": nginx.url("live/one")})).await;
    server.until_state("far", "live").await;
    server.on_air_for(30.0).await;
    let off = server.put("/stream/outputs/far", &json!({"enabled": false})).await.json();
    assert_eq!(off["enabled"], false);
    server.until_state("far", "idle").await;
    server.put("/stream/outputs/far", &json!({"enabled": true})).await;
    server.until_state("far", "live").await;
    server.control("pause").await;
    server.on_air_for(40.0).await;
    server.control("resume").await;
    // Another bitrate is another encode; the file keeps its own.
    server.output(&json!({"id": "lean", "url": nginx.url("live/two"), "bitrateKbps": 300})).await;
    server.until_state("lean", "live").await;
    assert_eq!(server.get("/stream/status").await.json()["encoders"].as_array().unwrap().len(), 2);
    assert_eq!(server.delete("/stream/outputs/far").await.status, 200);
    server.get("/stream/outputs/far").await.problem(404);
    server.on_air_for(60.0).await;
    server.control("stop").await;
    server.until_state("near", "idle").await;
    let file = files(&server.folder().join("recordings"), "show");
    assert_eq!(file.len(), 1, "it was never opened again");
    Received::of(&file[0]).await.is_whole(30.0, 60);
    server.stop().await;
}

/// The binary with the settings of [`SMALL`].
async fn process(folder: Arc<TempDir>) -> Process {
    let sets: Vec<String> = SMALL.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    Process::start_in(folder, &args).await
}

async fn ask(process: &Process, path: &str, body: &Value) -> Answer {
    let answer = answer(process.client.post(process.url(path)).json(body)).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    answer
}

async fn until_live(process: &Process, id: &str) {
    sooner_or_later("it is live", async || {
        let shown = answer(process.client.get(process.url(&format!("/stream/outputs/{id}")))).await;
        shown.json()["state"] == "live"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_it_is_on_air_again_and_a_term_ends_everything_properly() {
    let nginx = Nginx::start().await;
    let first = process(Arc::new(TempDir::new().unwrap())).await;
    ask(&first, "/stream/layers", &red()).await;
    ask(&first, "/stream/outputs", &json!({"id": "far", "url": nginx.url("live"), "key": "sesame"})).await;
    ask(&first, "/stream/outputs", &json!({"id": "near", "type": "file", "name": "show"})).await;
    ask(&first, "/stream/control", &json!({"action": "start"})).await;
    until_live(&first, "far").await;
    until_live(&first, "near").await;
    eventually("the server has something", async || !nginx.kept().is_empty()).await;
    let mut again = process(first.kill()).await;
    until_live(&again, "far").await;
    until_live(&again, "near").await;
    let status = answer(again.client.get(again.url("/stream/status"))).await.json();
    assert_eq!((&status["isLive"], status["outputs"].as_array().unwrap().len()), (&json!(true), 2));
    let frames = async || {
        let text = answer(again.client.get(again.url("/metrics"))).await.text();
        let line =
            text.lines().find(|line| line.starts_with("onair_encoded_frames_total")).unwrap().to_owned();
        line.split(' ').next_back().unwrap().parse::<f64>().unwrap()
    };
    sooner_or_later("frames are encoded", async || frames().await > 60.0).await;
    assert_eq!(again.terminate().await.code(), Some(0));
    let logged = serde_json::to_string(&again.log()).unwrap();
    assert!(!logged.contains("sesame"), "the key is in the log");
    let shows = files(&again.recordings(), "show");
    assert_eq!(shows.len(), 2);
    Received::of(&shows[1]).await.is_whole(30.0, 60);
    // One file when both began within a second: nginx names them by it.
    let received = Received::of(nginx.kept().last().unwrap()).await;
    received.is_whole(30.0, 60);
    assert!(received.pictures.len() > 40, "{}", received.pictures.len());
}

/// Half a second of 1 kHz at half of full scale, as a WAV file of 48 kHz stereo.
fn tone() -> Vec<u8> {
    let samples = (0..24_000_u32).flat_map(|number| {
        let angle = f64::from(number) * std::f64::consts::TAU / 48.0;
        #[expect(clippy::cast_possible_truncation, reason = "a sine is small")]
        let value = (angle.sin() * 16_384.0) as i16;
        [value.to_le_bytes(), value.to_le_bytes()].concat()
    });
    let data: Vec<u8> = samples.collect();
    let size = u32::try_from(data.len()).unwrap();
    let head = [
        b"RIFF".as_slice(),
        &(size + 36).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &[1, 0, 2, 0],
        &48_000_u32.to_le_bytes(),
        &192_000_u32.to_le_bytes(),
        &[4, 0, 16, 0],
        b"data",
        &size.to_le_bytes(),
    ];
    [head.concat(), data].concat()
}

/// Mean volume in dB of a stretch of a file, as FFmpeg hears it.
async fn volume(file: &Path, from: &str, seconds: &str) -> f64 {
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "info", "-ss", from, "-t", seconds, "-i"]).arg(file);
    let ended =
        Program::start(command.args(["-map", "0:a", "-af", "volumedetect", "-f", "null", "-"])).end().await;
    let said = ended.err.split("mean_volume: ").nth(1).unwrap_or_else(|| panic!("{}", ended.err)).to_owned();
    said.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_is_heard_metered_turned_down_and_taken_away() {
    let server = Server::start(&SMALL).await;
    let upload =
        server.request(Method::POST, "/api/assets?name=tone.wav").header("content-type", "audio/wav");
    let asset = answer(upload.body(tone())).await.json();
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("near", "live").await;
    server.on_air_for(60.0).await;
    let music = json!({"src": asset["id"], "loop": true});
    let set = server.ask(Method::PATCH, "/stream/audio/music", &music).await.json();
    assert_eq!((&set["source"], &set["volume"]), (&json!("music"), &json!(1.0)));
    let peak =
        async || server.get("/stream/audio").await.json()["program"]["peakDb"].as_f64().unwrap_or(-120.0);
    sooner_or_later("the tone is heard", async || (-7.0..-5.0).contains(&peak().await)).await;
    let mut levels = Ws::open(&server.ws_url("/ws")).await;
    levels.send_json(&json!({"type": "subscribe", "payload": {"topics": ["levels"]}})).await;
    loop {
        let message = levels.next().await;
        if message["type"] == "levels" {
            let peak = message["payload"]["sources"][0]["level"]["peakDb"].as_f64().unwrap();
            assert!((-7.0..-5.0).contains(&peak), "{message}");
            break;
        }
    }
    server.on_air_for(60.0).await;
    server.ask(Method::PATCH, "/stream/audio/music", &json!({"volume": 0.1, "fadeMs": 50})).await.json();
    sooner_or_later("it is softer", async || (-28.0..-24.0).contains(&peak().await)).await;
    server.on_air_for(30.0).await;
    server.ask(Method::PATCH, "/stream/audio/music", &json!({"volume": 3})).await.problem(422);
    assert_eq!(server.delete("/stream/audio/music").await.status, 200);
    sooner_or_later("it is silent", async || peak().await < -100.0).await;
    server.control("stop").await;
    server.until_state("near", "idle").await;
    let file = &files(&server.folder().join("recordings"), "show")[0];
    let received = Received::of(file).await;
    received.is_whole(30.0, 60);
    assert!(volume(file, "0", "1.5").await < -80.0, "silence before");
    // A sine of half of full scale: 6 dB for that, 3 dB for its mean.
    let heard = volume(file, "3", "0.8").await;
    assert!((-10.0..-8.0).contains(&heard), "{heard} dB");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_of_sound_are_kept_over_a_restart() {
    let server = Server::start(&SMALL).await;
    let upload =
        server.request(Method::POST, "/api/assets?name=tone.wav").header("content-type", "audio/wav");
    let asset = answer(upload.body(tone())).await.json();
    let music = json!({"src": asset["id"], "volume": 0.5, "duck": {"by": "voice", "amountDb": 12}});
    server.ask(Method::PATCH, "/stream/audio/music", &music).await.json();
    let server = server.restart(&SMALL).await;
    let used = server.delete(&format!("/api/assets/{}", asset["id"].as_str().unwrap())).await.problem(409);
    assert!(used["detail"].as_str().unwrap().contains("music"), "{used}");
    let kept = server.get("/stream/audio").await.json();
    assert_eq!(kept["sources"][0]["volume"], 0.5);
    assert_eq!(kept["sources"][0]["duck"], json!({"by": "voice", "amountDb": 12.0}));
    assert_eq!(server.delete("/stream/audio/music").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_watched_with_its_sound_without_any_output() {
    let server = Server::start(&SMALL).await;
    server.get("/hls/program/live.mp4").await.problem(404);
    server.ask(Method::POST, "/stream/layers", &red()).await;
    server.control("start").await;
    let mut watched = server.request(Method::GET, "/hls/program/live.mp4").send().await.unwrap();
    assert_eq!(watched.headers()["content-type"], "video/mp4");
    let mut film = Vec::new();
    while film.windows(4).filter(|four| four == b"moof").count() < 12 {
        film.extend(crate::harness::within(watched.chunk()).await.unwrap().expect("it never ends"));
    }
    let lanes = async || server.get("/stream/status").await.json()["encoders"].as_array().unwrap().len();
    assert_eq!(lanes().await, 1);
    drop(watched);
    sooner_or_later("nobody watches: nothing is encoded", async || lanes().await == 0).await;
    let file = server.folder().join("live.mp4");
    std::fs::write(&file, film).unwrap();
    let received = Received::of(&file).await;
    received.is_whole(30.0, 60);
    assert!(received.pictures.len() >= 60, "{}", received.pictures.len());
    let heard = received.sounds.last().unwrap() - received.sounds[0];
    let seen = received.pictures.last().unwrap().1 - received.pictures[0].1;
    assert!((heard - seen).abs() < 0.3, "{heard} s are heard, {seen} s are seen");
    let [r, g, b] = colour(&file).await;
    assert!(r > 240.0 && g < 15.0 && b < 15.0, "{r} {g} {b}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sprite_talks_while_its_sound_is_heard_and_only_then() {
    let server = Server::start(&SMALL).await;
    let upload = async |name: &str, kind: &str, body: Vec<u8>| -> Value {
        let request = server.request(Method::POST, &format!("/api/assets?name={name}"));
        answer(request.header("content-type", kind).body(body)).await.json()["id"].take()
    };
    let mut faces = Vec::new();
    for (name, color) in [("quiet", "#f00"), ("loud", "#0f0")] {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="{color}"/></svg>"#
        );
        faces.push(upload(&format!("{name}.svg"), "image/svg+xml", svg.into_bytes()).await);
    }
    let voice = upload("tone.wav", "audio/wav", tone()).await;
    let host = json!({"id": "host", "type": "host", "content": {"kind": "sprite",
        "states": {"idle": faces[0], "talking": faces[1]}, "state": "idle", "drivenBy": {"source": "mic"}}});
    server.ask(Method::POST, "/stream/layers", &host).await;
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("near", "live").await;
    let shows = async |color: [u8; 3]| {
        let frame = server.get("/stream/frame").await;
        let mut reader = png::Decoder::new(std::io::Cursor::new(&frame.body)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let at = (reader.info().width as usize * 16 + 16) * 3;
        pixels[at..at + 3].iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 4)
    };
    sooner_or_later("it is quiet", async || shows([255, 0, 0]).await).await;
    server.ask(Method::PATCH, "/stream/audio/mic", &json!({"src": voice, "loop": true})).await.json();
    sooner_or_later("it talks", async || shows([0, 255, 0]).await).await;
    server.ask(Method::PATCH, "/stream/audio/mic", &json!({"mute": true})).await.json();
    sooner_or_later("it is quiet again", async || shows([255, 0, 0]).await).await;
    server.stop().await;
}
