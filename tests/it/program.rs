//! The program: what is composed of the scene, as viewers see it.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Server, eventually};
use crate::record::solid;

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
