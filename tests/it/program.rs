//! The program: what is composed of the scene, as viewers see it.

use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sim::hud::{self, Game};

use crate::harness::{Answer, Server, Ws, answer, eventually, within};
use crate::packs::{Film, LENGTH, show};
use crate::record::solid;
use crate::tools::{Program, tool, video};

/// Red, green and blue of a pixel of the program's newest frame; `None` while there is none.
async fn pixel(server: &Server, x: usize, y: usize) -> Option<[u8; 3]> {
    let answer = server.get("/api/streams/program/snapshot.jpg").await;
    if answer.status != 200 {
        return None;
    }
    let image: turbojpeg::Image<Vec<u8>> =
        turbojpeg::decompress(&answer.body, turbojpeg::PixelFormat::RGB).unwrap();
    let at = y * image.pitch + x * 3;
    Some([image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]])
}

async fn until(server: &Server, what: &str, (x, y): (usize, usize), wanted: [u8; 3]) {
    eventually(what, async || {
        let found = pixel(server, x, y).await;
        found.is_some_and(|found| found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 6))
    })
    .await;
}

const SMALL: [(&str, &str); 1] = [("compositor.resolution", "640x360")];

#[tokio::test]
async fn layers_and_a_pushed_stream_are_composed_in_true_colours_for_whoever_looks() {
    let server = Server::start(&SMALL).await;
    server.get("/stream/program").await.problem(404);
    let ground = json!({"id": "ground", "content": {"kind": "shape", "shape": "rectangle", "width": 640, "height": 360,
        "style": {"fillColor": "#0000ff"}}});
    assert_eq!(server.ask(Method::POST, "/stream/layers", &ground).await.status, 201);
    // Nobody watches and nothing is live: what changed is composed all the same.
    until(&server, "the ground is blue", (600, 300), [0, 0, 255]).await;
    let feed = json!({"id": "feed", "content": {"kind": "stream", "name": "cam", "width": 200, "height": 100, "fit": "fill"}});
    assert_eq!(server.ask(Method::POST, "/stream/layers", &feed).await.status, 201);
    assert_eq!(server.publish("cam", solid([255, 0, 0])).await.status, 200);
    let mut viewer = server.watch("program").await;
    assert!(viewer.next().await.is_some(), "the newest frame comes at once");
    until(&server, "the stream is red", (100, 50), [255, 0, 0]).await;
    let hide = json!({"visible": false});
    server.ask(Method::POST, "/stream/layers/feed/visibility", &hide).await;
    until(&server, "the ground is seen again", (100, 50), [0, 0, 255]).await;
    assert_eq!(server.stream("program").await["source"]["kind"], "program");
}

#[tokio::test]
async fn a_pause_holds_the_picture_and_nobody_else_has_the_programs_name() {
    let server = Server::start(&SMALL).await;
    let layer = json!({"id": "one", "content": {"kind": "shape", "shape": "rectangle", "width": 640, "height": 360,
        "style": {"fillColor": "#00ff00"}}});
    server.publish("program", solid([255, 0, 0])).await.problem(409);
    server.ask(Method::POST, "/stream/layers", &layer).await;
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    until(&server, "it is green", (10, 10), [0, 255, 0]).await;
    server.publish("program", solid([255, 0, 0])).await.problem(409);
    server.delete("/api/streams/program").await.problem(409);
    server.ask(Method::POST, "/stream/control", &json!({"action": "pause"})).await;
    let patch = json!({"content": {"style": {"fillColor": "#ff0000"}}});
    server.ask(Method::PATCH, "/stream/layers/one", &patch).await;
    assert_eq!(pixel(&server, 10, 10).await.map(|found| found[1] > 200), Some(true));
    server.ask(Method::POST, "/stream/control", &json!({"action": "resume"})).await;
    until(&server, "it is red", (10, 10), [255, 0, 0]).await;
}

/// Whether anything is white between these columns of the program's newest frame.
async fn is_written(server: &Server, columns: std::ops::Range<usize>) -> bool {
    let answer = server.get("/api/streams/program/snapshot.jpg").await;
    let image: turbojpeg::Image<Vec<u8>> =
        turbojpeg::decompress(&answer.body, turbojpeg::PixelFormat::GRAY).unwrap();
    image.pixels.chunks(image.pitch).any(|row| row[columns.clone()].iter().any(|grey| *grey > 200))
}

#[tokio::test]
async fn readings_counts_and_values_are_written_into_layers_and_old_ones_are_not() {
    let server =
        Server::start(&[("compositor.resolution", "640x360"), ("packs.push_interval", "0.02")]).await;
    let text = |id: &str, x: u32, text: Value, bind: Value| {
        json!({"id": id, "transform": {"position": {"x": x, "y": 100}}, "bind": bind, "content": {"kind": "text",
            "text": text, "style": {"fontSize": 60, "color": "#ffffff"}}})
    };
    let home = "{{ streams.cup.readings.score.home }}";
    let layers = [
        text("home", 20, json!(home), json!({})),
        text("goals", 120, json!("{{ events.cup.goal }}"), json!({})),
        text("bid", 220, json!("{{ values.bid }}"), json!({})),
        text("held", 320, json!("x"), json!({"text": {"value": home, "maxAge": 86_400, "otherwise": ""}})),
        text("old", 420, json!(""), json!({"text": {"value": home, "maxAge": 0}})),
        text("never", 520, json!("{{ streams.cap.readings.score.home }}"), json!({})),
    ];
    for layer in layers {
        assert_eq!(server.ask(Method::POST, "/stream/layers", &layer).await.status, 201);
    }
    let columns = [0..100, 110..200, 210..300, 310..400, 410..500, 510..600];
    let written = async || {
        let mut written = Vec::new();
        for columns in columns.clone() {
            written.push(is_written(&server, columns).await);
        }
        written
    };
    eventually("the program is there", async || server.get("/api/streams/program").await.status == 200).await;
    let mut viewer = server.watch("program").await;
    assert!(viewer.next().await.is_some());
    assert_eq!(written().await, [false; 6], "nothing is known");

    let mut film = Film::new(Game::Football, 1);
    let events = hud::events(Game::Football, 1, LENGTH, Duration::ZERO, LENGTH);
    let goal = events.iter().find(|event| event.kind == "goal").unwrap();
    show(&server, "cup", film.at(goal.at.saturating_sub(Duration::from_secs(3))).0).await;
    let known = [true, false, false, true, false, false];
    eventually("what was read is written", async || written().await == known).await;
    assert_eq!(server.ask(Method::PUT, "/stream/values", &json!({"values": {"bid": 7}})).await.status, 200);
    let known = [true, false, true, true, false, false];
    eventually("what was set is written", async || written().await == known).await;

    // At the film's own pace: rules hold the game's clock against the time between pictures.
    let step = Duration::from_millis(500);
    let mut pace = tokio::time::interval(step);
    for number in 1..12 {
        pace.tick().await;
        let time = goal.at.saturating_sub(step * 6) + step * number + step / 2;
        show(&server, "cup", film.at(time).0).await;
    }
    let known = [true, true, true, true, false, false];
    eventually("the goal is counted", async || written().await == known).await;
}

/// Red, green and blue of a pixel of a frame that is asked for.
fn pixel_of(answer: &Answer, x: usize, y: usize) -> [u8; 3] {
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "image/png"),
        "{}",
        answer.text()
    );
    let mut reader = png::Decoder::new(std::io::Cursor::new(&answer.body)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (640, 360));
    let at = (y * 640 + x) * 3;
    [pixels[at], pixels[at + 1], pixels[at + 2]]
}

fn near(found: [u8; 3], wanted: [u8; 3]) -> bool {
    found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 6)
}

#[tokio::test]
async fn a_frame_shows_the_program_at_any_time_and_disturbs_nobody() {
    let server = Server::start(&SMALL).await;
    let empty = server.get("/stream/frame").await;
    assert_eq!(pixel_of(&empty, 10, 10), [0, 0, 0], "there is a picture before there is a scene");
    let shape = |id: &str, width: u32, color: &str| {
        json!({"id": id, "content": {"kind": "shape", "shape": "rectangle", "width": width, "height": 360,
            "style": {"fillColor": color}}})
    };
    server.publish("cam", solid([255, 0, 0])).await;
    let feed = json!({"id": "feed", "content": {"kind": "stream", "name": "cam", "width": 200, "height": 100, "fit": "fill"}});
    for layer in [shape("ground", 640, "#0000ff"), feed, shape("moving", 20, "#00ff00")] {
        assert_eq!(server.ask(Method::POST, "/stream/layers", &layer).await.status, 201);
    }
    let begun = 100_000.0;
    let road = json!({"startAt": begun, "tracks": [{"property": "position.x", "keyframes": [
        {"t": 0, "value": 0, "easing": "linear"}, {"t": 60_000_000, "value": 600_000}]}]});
    server.ask(Method::POST, "/stream/layers/moving/animations", &road).await.json();
    for (after, x) in [(10_000.0, 100), (30_000.0, 300), (60_000.0, 600)] {
        let frame = server.get(&format!("/stream/frame?at={}", begun + after)).await;
        assert!(near(pixel_of(&frame, x + 10, 200), [0, 255, 0]), "it is at {x} px after {after} ms");
        assert!(near(pixel_of(&frame, x - 10, 200), [0, 0, 255]), "and nowhere else");
        assert!(near(pixel_of(&frame, 50, 50), [255, 0, 0]), "the stream is there");
        assert_eq!(frame.header("x-program-time"), (begun + after).to_string());
    }
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    until(&server, "the stream is on air", (100, 50), [255, 0, 0]).await;
    server.ask(Method::POST, "/stream/control", &json!({"action": "pause"})).await;
    // What is being coded when the pause begins is shown still.
    eventually("the frame is what is on air", async || {
        let frame = server.get("/stream/frame").await;
        let mut same = true;
        for x in (0..640).step_by(16) {
            same &= pixel(&server, x, 200).await.is_some_and(|shown| near(shown, pixel_of(&frame, x, 200)));
        }
        same
    })
    .await;
    let jpeg = server.get("/stream/frame?format=jpeg").await;
    assert_eq!(pixels::jpeg::inspect(&jpeg.body, 8192).unwrap().shown_size(), (640, 360));
    server.get("/stream/frame?at=1e12").await.problem(422);
    let status = server.get("/stream/status").await.json();
    assert_eq!((&status["failedFrames"], &status["layerErrors"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_stream_has_the_effects_that_other_layers_have_and_an_animated_one_needs_no_further_thread() {
    let server = Server::start(&SMALL).await;
    server.publish("cam", solid([255, 0, 0])).await;
    let feed = json!({"id": "feed", "content": {"kind": "stream", "name": "cam", "width": 200, "height": 100, "fit": "fill"}});
    assert_eq!(server.ask(Method::POST, "/stream/layers", &feed).await.status, 201);
    let effects = async |effects: Value| {
        let patch = json!({ "effects": effects });
        let patched = server.ask(Method::PATCH, "/stream/layers/feed", &patch).await;
        assert_eq!(patched.status, 200, "{}", patched.text());
    };
    until(&server, "it is red", (100, 50), [255, 0, 0]).await;
    effects(json!([{"type": "tint", "color": "#0000ff", "amount": 1}])).await;
    until(&server, "it is tinted", (100, 50), [0, 0, 255]).await;
    effects(json!([{"type": "shadow", "color": "#00ff00", "blur": 0, "offsetX": 300, "offsetY": 0}])).await;
    until(&server, "its shadow stands beside it", (400, 50), [0, 255, 0]).await;
    until(&server, "and it where it was", (100, 50), [255, 0, 0]).await;
    effects(json!([{"type": "color", "saturation": 0}, {"type": "glow", "color": "#ffffff", "radius": 20}]))
        .await;
    until(&server, "the shadow is gone", (400, 50), [0, 0, 0]).await;
    eventually("it glows", async || pixel(&server, 203, 50).await.is_some_and(|[r, ..]| r > 60)).await;
    let blur = json!({"tracks": [{"property": "effects.0.saturation", "keyframes": [
        {"t": 0, "value": 0}, {"t": 2000, "value": 1}]}]});
    server.ask(Method::POST, "/stream/layers/feed/animations", &blur).await.json();
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    until(&server, "the last value is shown", (100, 50), [255, 0, 0]).await;
    eventually("one stream is decoded", async || server.get("/stream/status").await.json()["feeds"] == 1)
        .await;
    assert_eq!(server.get("/stream/status").await.json()["damaged"], 0);
}

#[tokio::test]
async fn a_layer_that_can_not_be_shown_is_told_of_and_the_rest_goes_on() {
    let server = Server::start(&SMALL).await;
    let mut ws = Ws::open(&server.ws_url("/ws")).await;
    assert_eq!(ws.next().await["type"], "hello");
    ws.send_json(&json!({"type": "subscribe", "payload": {"topics": ["layerUpdate"]}, "ref": 1})).await;
    assert_eq!(ws.next().await["type"], "ack");
    let upload = server.request(Method::POST, "/api/assets?id=broken").header("content-type", "image/jpeg");
    let sent = answer(upload.body(solid([255, 0, 0]))).await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    let layers = [
        json!({"id": "ground", "content": {"kind": "shape", "shape": "rectangle", "width": 640, "height": 360,
            "style": {"fillColor": "#00ff00"}}}),
        json!({"id": "picture", "content": {"kind": "image", "src": "broken"}}),
    ];
    // The file goes after it was checked, as a disk may lose one.
    for file in std::fs::read_dir(server.folder().join("data/assets")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for layer in layers {
        assert_eq!(server.ask(Method::POST, "/stream/layers", &layer).await.status, 201);
    }
    let told = within(async {
        loop {
            let message = ws.next().await;
            if message["type"] == "error" {
                return message["payload"].clone();
            }
        }
    })
    .await;
    assert_eq!((&told["code"], &told["layer"]), (&json!("layer"), &json!("picture")), "{told}");
    until(&server, "the ground is there", (600, 300), [0, 255, 0]).await;
    let status = server.get("/stream/status").await.json();
    assert_eq!(status["layerErrors"][0]["layer"], "picture", "{status}");
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("onair_program_layer_errors 1"), "{metrics}");
    server.delete("/stream/layers/picture").await;
    eventually("the error is over", async || {
        server.get("/stream/status").await.json()["layerErrors"] == json!([])
    })
    .await;
}

async fn upload(server: &Server, id: &str, kind: &str, bytes: Vec<u8>) {
    let upload = server.request(Method::POST, &format!("/api/assets?id={id}")).header("content-type", kind);
    let sent = answer(upload.body(bytes)).await;
    assert_eq!(sent.status, 201, "{id}: {}", sent.text());
}

#[tokio::test]
async fn a_video_is_shown_picture_by_picture_looped_and_as_a_transition() {
    let server = Server::start(&SMALL).await;
    let (red, blue) = (solid([255, 0, 0]), solid([0, 0, 255]));
    let pictures: Vec<_> = (0..10).map(|n| if n < 5 { red.clone() } else { blue.clone() }).collect();
    let codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "4"];
    let clip = video(&pictures, 10, &codec, ".mp4").await;
    upload(&server, "clip", "video/mp4", std::fs::read(clip.path()).unwrap()).await;
    let layer = |id: &str, x: u32, start: f64, looped: bool| {
        json!({"id": id, "transform": {"position": {"x": x}}, "content": {"kind": "video", "src": "clip", "loop": looped,
            "startAt": start, "width": 320, "height": 240}})
    };
    for layer in [layer("once", 0, 100_000.0, false), layer("again", 320, 100_000.0, true)] {
        assert_eq!(server.ask(Method::POST, "/stream/layers", &layer).await.status, 201);
    }
    let (red, blue, none) = ([255, 0, 0], [0, 0, 255], [0, 0, 0]);
    for (at, once, again) in [
        (99_000.0, none, none),
        (100_050.0, red, red),
        (100_450.0, red, red),
        (100_550.0, blue, blue),
        (101_050.0, blue, red),
        (103_250.0, blue, red),
        (103_750.0, blue, blue),
        (3_700_250.0, blue, red),
    ] {
        let frame = server.get(&format!("/stream/frame?at={at}")).await;
        let found = [pixel_of(&frame, 100, 100), pixel_of(&frame, 420, 100)];
        assert!(near(found[0], once) && near(found[1], again), "at {at}: {found:?}");
    }
    for (id, x, looped) in [("once", 0, false), ("again", 320, true)] {
        server.delete(&format!("/stream/layers/{id}")).await;
        server.ask(Method::POST, "/stream/layers", &layer(id, x, 0.0, looped)).await;
    }
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await;
    for color in [red, blue, red] {
        until(&server, "it goes round on air", (420, 100), color).await;
    }
    until(&server, "the other one stays where it ended", (100, 100), blue).await;

    let next = json!({"id": "next", "name": "next", "layers": []});
    server.ask(Method::POST, "/stream/scenes", &next).await.json();
    let stinger = json!({"transition": {"type": "stinger", "src": "clip", "duration": 10_000}});
    let entered = server.ask(Method::POST, "/stream/scenes/next/activate", &stinger).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    until(&server, "the video covers the change", (600, 300), blue).await;
    assert_eq!(server.get("/stream/status").await.json()["layerErrors"], json!([]));
}

#[tokio::test]
async fn a_video_with_alpha_lets_through_what_is_below() {
    let server = Server::start(&SMALL).await;
    let ground = json!({"id": "ground", "content": {"kind": "shape", "shape": "rectangle", "width": 640, "height": 360,
        "style": {"fillColor": "#0000ff"}}});
    server.ask(Method::POST, "/stream/layers", &ground).await;
    let folder = tempfile::tempdir().unwrap();
    let codecs = [
        ("vp9", "clip.webm", vec!["-pix_fmt", "yuva420p", "-c:v", "libvpx-vp9", "-auto-alt-ref", "0"]),
        ("animation", "clip.mov", vec!["-pix_fmt", "argb", "-c:v", "qtrle"]),
        ("prores", "pro.mov", vec!["-pix_fmt", "yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"]),
    ];
    for (x, (id, name, codec)) in (0..).step_by(200).zip(&codecs) {
        let mut command = Command::new(tool("ffmpeg"));
        let source = "color=c=red@0.5:s=128x128:d=0.5:r=10,format=rgba";
        command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source]).args(codec);
        Program::start(command.arg(folder.path().join(name))).success().await;
        upload(&server, id, "application/octet-stream", std::fs::read(folder.path().join(name)).unwrap())
            .await;
        for (alpha, y) in [(true, 0), (false, 150)] {
            let layer = json!({"id": format!("{id}-{alpha}"), "transform": {"position": {"x": x, "y": y}},
                "content": {"kind": "video", "src": id, "loop": true, "alpha": alpha}});
            assert_eq!(server.ask(Method::POST, "/stream/layers", &layer).await.status, 201);
        }
    }
    let frame = server.get("/stream/frame").await;
    for (x, (id, ..)) in (0..).step_by(200).zip(&codecs) {
        let (clear, solid) = (pixel_of(&frame, x + 64, 64), pixel_of(&frame, x + 64, 214));
        let is = |found: [u8; 3], wanted: [u8; 3]| found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 12);
        assert!(is(clear, [127, 0, 127]), "{id}: {clear:?}");
        assert!(is(solid, [254, 0, 0]), "{id}: {solid:?}");
        until(&server, "it is on air", (x + 64, 64), clear).await;
    }
}
