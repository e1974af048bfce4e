//! Named scenes, animations and the broadcast over HTTP.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Server, Ws, answer, eventually, form, picture};
use crate::redis::Redis;
use crate::serve_cli::{Cli, command};

fn group(id: &str) -> Value {
    json!({"id": id, "content": {"kind": "group"}})
}

#[tokio::test]
async fn a_scene_keeps_its_layers_whatever_happens_on_air() {
    let server = Server::start(&[]).await;
    server.ask(Method::POST, "/stream/layers", &group("old")).await.json();
    let scene = json!({"id": "s", "name": "Break", "layers": [group("x"), group("y")],
        "animations": [{"layerId": "x", "preset": "fade", "duration": 600_000}]});
    let made = server.ask(Method::POST, "/stream/scenes", &scene).await;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "\"2\""));
    let aired = server.ask(Method::POST, "/stream/scenes/s/activate", &json!({})).await.json();
    assert_eq!(aired["count"], 2);
    let ids = async || {
        let list = server.get("/stream/layers").await.json();
        let layers = list["layers"].as_array().unwrap().clone();
        layers.iter().map(|layer| layer["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, ["x", "y"]);
    assert_eq!(server.get("/stream/scenes").await.json()["onAir"], "s");
    let playing = server.get("/stream/layers/x/animations").await.json();
    assert_eq!(playing["animations"][0]["status"], "running");
    server.ask(Method::PATCH, "/stream/layers/x", &json!({"opacity": 0.1})).await.json();
    assert_eq!(server.get("/stream/scenes/s").await.json()["layers"][0]["opacity"], 1.0);
    let renamed = server.ask(Method::PUT, "/stream/scenes/s", &json!({"name": "Pause"})).await.json();
    assert_eq!((&renamed["name"], renamed["layers"].as_array().unwrap().len()), (&json!("Pause"), 2));
    server.delete("/stream/scenes/s").await.json();
    assert_eq!(ids().await, ["x", "y"], "what is on air stays");
    let copy = server.ask(Method::POST, "/stream/scenes", &json!({"id": "copy"})).await.json();
    assert_eq!(copy["layers"].as_array().unwrap().len(), 2, "without layers it takes those on air");
    server.stop().await;
}

#[tokio::test]
async fn an_animation_that_is_over_is_in_its_layer_once() {
    let server = Server::start(&[]).await;
    server.ask(Method::POST, "/stream/layers", &group("a")).await.json();
    let animation = json!({"tracks": [{"property": "opacity", "keyframes": [{"t": 1500, "value": 0.25}]}]});
    let begun = server.ask(Method::POST, "/stream/layers/a/animations", &animation).await.json();
    assert_eq!(begun["animations"].as_array().unwrap().len(), 1);
    let layer = async || server.get("/stream/layers/a").await.json();
    eventually("it is written", async || layer().await["opacity"] == 0.25).await;
    assert_eq!(layer().await["revision"], 3, "made, animated, over");
    assert_eq!(server.get("/stream/layers/a/animations").await.json()["animations"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn an_animation_is_held_and_sought_and_ended() {
    let server = Server::start(&[]).await;
    server.ask(Method::POST, "/stream/layers", &group("a")).await.json();
    let body = json!({"id": "r", "preset": "rotate", "duration": 1_000_000});
    server.ask(Method::POST, "/stream/layers/a/animations", &body).await.json();
    let control = async |body: Value| {
        server.ask(Method::POST, "/stream/layers/a/animations/r/control", &body).await.json()
    };
    assert_eq!(control(json!({"action": "pause"})).await["status"], "paused");
    let sought = control(json!({"action": "seek", "t": 500_000})).await;
    assert_eq!((&sought["status"], &sought["time"]), (&json!("paused"), &json!(500_000.0)));
    assert_eq!(control(json!({"action": "play"})).await["status"], "running");
    server.delete("/stream/layers/a/animations/r").await.json();
    server.delete("/stream/layers/a/animations/r").await.problem(404);
    server.stop().await;
}

#[tokio::test]
async fn the_broadcast_is_started_paused_resumed_and_stopped_and_says_what_makes_no_sense() {
    let server = Server::start(&[("compositor.fps", "50")]).await;
    for (action, state) in [
        ("pause", None),
        ("resume", None),
        ("stop", None),
        ("start", Some("live")),
        ("start", None),
        ("resume", None),
        ("pause", Some("paused")),
        ("pause", None),
        ("resume", Some("live")),
        ("stop", Some("idle")),
        ("stop", None),
    ] {
        let answer = server.ask(Method::POST, "/stream/control", &json!({ "action": action })).await;
        match state {
            None => drop(answer.problem(409)),
            Some(state) => {
                let status = answer.json();
                assert_eq!(status["state"], state, "{action}");
                assert_eq!(
                    (&status["isLive"], &status["isPaused"]),
                    (&json!(state != "idle"), &json!(state == "paused"))
                );
                assert_eq!(status["targetFPS"], 50);
            }
        }
    }
    server.stop().await;
}

const SVG: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"/>"##;

#[tokio::test]
async fn an_asset_is_kept_by_what_it_is_and_stays_while_it_is_shown() {
    let server = Server::start(&[("compositor.max_assets", "3")]).await;
    let send = async |query: &str, body: &[u8]| {
        answer(server.request(Method::POST, &format!("/api/assets{query}")).body(body.to_vec())).await
    };
    let added = send("?id=bg&name=Blue.svg", SVG.as_bytes()).await;
    assert_eq!(added.status, 201);
    let expected = json!({"id": "bg", "name": "Blue.svg", "media_type": "image/svg+xml", "width": 40, "height": 20,
        "size_bytes": SVG.len(), "used_by": []});
    assert_eq!(added.json(), expected);
    let picture = send("", &picture(1)).await.json();
    assert_eq!((&picture["media_type"], &picture["width"]), (&json!("image/jpeg"), &json!(320)));
    for (query, body, status) in
        [("?id=bg", SVG.as_bytes(), 409), ("", b"no picture", 415), ("?colour=red", b"", 422)]
    {
        send(query, body).await.problem(status);
    }
    let (form, body) = form(&[("file", SVG.as_bytes()), ("id", b"again")]);
    let request = server.request(Method::POST, "/api/assets").header("content-type", form).body(body);
    assert_eq!(answer(request).await.json()["id"], "again");
    send("", b"one too many").await.problem(409);
    let folder = server.folder().join("data/assets");
    let files = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files(), 2, "the same content is kept once");
    let layer = json!({"id": "back", "content": {"kind": "image", "src": "bg"}});
    server.ask(Method::POST, "/stream/layers", &layer).await.json();
    assert_eq!(server.get("/api/assets/bg").await.json()["used_by"], json!(["back"]));
    let refused = server.delete("/api/assets/bg").await.problem(409);
    assert!(refused["detail"].as_str().unwrap().contains("back"), "{refused}");
    let server = server.restart(&[]).await;
    assert_eq!(server.get("/api/assets/bg").await.json()["used_by"], json!(["back"]));
    server.delete("/stream/layers/back").await.json();
    server.delete("/api/assets/bg").await.json();
    assert_eq!(files(), 2, "another asset has the same content");
    server.delete("/api/assets/again").await.json();
    assert_eq!(files(), 1);
    assert_eq!(server.get("/api/assets").await.json()["count"], 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_the_scene_goes_on_and_is_written_when_it_is_back() {
    let mut redis = Redis::start(None).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), redis.url());
    let start = async || {
        let mut command = command(folder.path(), &[]);
        command.env("REDIS_URL", &url);
        Cli::run(command).await
    };
    let server = start().await;
    server.ask(Method::POST, "/stream/layers", Some(group("a"))).await;
    let patch = async |opacity: f64| {
        server.try_ask(Method::PATCH, "/stream/layers/a", Some(json!({ "opacity": opacity }))).await
    };
    assert_eq!(patch(0.5).await.header("x-stored"), "");
    redis.kill().await;
    let late = patch(0.25).await;
    assert_eq!((late.status.as_u16(), late.header("x-stored")), (200, "later"));
    assert_eq!(server.get("/stream/layers/a").await["opacity"], 0.25);
    redis.up().await;
    let back = async || server.get("/health").await["status"] == "healthy";
    eventually("the store is back", back).await;
    eventually("updates are stored at once again", async || patch(0.125).await.header("x-stored").is_empty())
        .await;
    server.ask(Method::POST, "/stream/control", Some(json!({"action": "start"}))).await;
    server.program.signal(Signal::KILL);
    server.program.end().await;
    let server = start().await;
    assert_eq!(server.get("/stream/layers/a").await["opacity"], 0.125);
    assert_eq!(server.get("/stream/status").await["state"], "live");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scene_that_is_not_known_yet_is_not_taken_for_an_empty_one() {
    let mut redis = Redis::start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let mut first = command(folder.path(), &[]);
    first.env("REDIS_URL", redis.url());
    let server = Cli::run(first).await;
    server.ask(Method::POST, "/stream/layers", Some(group("a"))).await;
    server.stop().await;
    redis.kill().await;
    let mut second = command(folder.path(), &[]);
    second.env("REDIS_URL", redis.url());
    let server = Cli::run(second).await;
    server.try_ask(Method::POST, "/stream/layers", Some(group("b"))).await.problem(503);
    redis.up().await;
    eventually("the scene is back", async || server.get("/stream/layers").await["count"] == 1).await;
    server.ask(Method::POST, "/stream/layers", Some(group("b"))).await;
    assert_eq!(server.get("/stream/layers").await["count"], 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_one_redis_have_one_scene_and_lose_nothing_to_each_other() {
    const EACH: u32 = 60;
    let redis = Redis::start(None).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut servers = Vec::new();
    for folder in &folders {
        let mut command = command(folder.path(), &[]);
        command.env("REDIS_URL", redis.url());
        servers.push(Cli::run(command).await);
    }
    let mut watcher = Ws::open(&format!("ws://{}/ws", servers[1].address)).await;
    assert_eq!(watcher.next().await["type"], "hello");
    servers[0].ask(Method::POST, "/stream/layers", Some(group("a"))).await;
    let update = watcher.next().await;
    assert_eq!(
        (&update["type"], &update["payload"]["layers"][0]["id"]),
        (&json!("layerUpdate"), &json!("a"))
    );
    servers[1].ask(Method::POST, "/stream/layers", Some(group("b"))).await;
    // Both at once, each its own layer: every update is a revision of its own.
    let work = |server: usize, id: &'static str| {
        let server = &servers[server];
        async move {
            for n in 1..=EACH {
                let patch = json!({"zIndex": n});
                server.ask(Method::PATCH, &format!("/stream/layers/{id}"), Some(patch)).await;
            }
        }
    };
    tokio::join!(work(0, "a"), work(1, "b"));
    let all = 2 + 2 * EACH;
    for server in &servers {
        eventually("it knows all", async || server.get("/stream/status").await["revision"] == all).await;
        for id in ["a", "b"] {
            assert_eq!(server.get(&format!("/stream/layers/{id}")).await["zIndex"], EACH, "{id}");
        }
    }
    // Both for the same revision of one layer: one of them is told.
    let revision = servers[0].get("/stream/layers/a").await["revision"].to_string();
    let stake = |server: &Cli| {
        let url = format!("http://{}/stream/layers/a", server.address);
        answer(server.client.patch(url).header("if-match", &revision).json(&json!({"opacity": 0.5})))
    };
    let (one, other) = tokio::join!(stake(&servers[0]), stake(&servers[1]));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    servers[0].ask(Method::POST, "/stream/control", Some(json!({"action": "start"}))).await;
    eventually("both are live", async || servers[1].get("/stream/status").await["state"] == "live").await;
    servers[1].try_ask(Method::POST, "/stream/control", Some(json!({"action": "start"}))).await.problem(409);
    for server in servers {
        server.stop().await;
    }
}
