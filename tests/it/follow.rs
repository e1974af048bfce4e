//! Streams we fetch: added over the API, captured from the stand-in world, shown, kept, changed, removed.

use std::sync::Arc;
use std::time::Duration;

use onair::base::clock::Clock;
use onair::base::tasks::Tasks;
use reqwest::Method;
use serde_json::{Value, json};
use sim::clip::Clip;
use sim::fault::Fault;
use sim::ladder;
use sim::world::{Settings, World, serve};

use crate::harness::{Answer, Server, answer, eventually};

/// A stand-in Twitch of small pictures, on a port of its own.
pub(crate) struct Twitch {
    pub(crate) world: World,
    pub(crate) url: String,
}

impl Twitch {
    pub(crate) async fn start(channels: u32) -> Self {
        let names: Vec<String> = (1..=channels).map(|n| format!("sim_{n:04}")).collect();
        Self::of(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// With channels of these names.
    pub(crate) async fn of(names: &[&str]) -> Self {
        let clock = Clock::real();
        let now = move || Duration::from_millis(u64::try_from(clock.wall().0.as_millisecond()).unwrap());
        let mut settings = Settings::new(Arc::new(now), 0);
        settings.channels = names.iter().map(|name| (*name).to_owned()).collect();
        (settings.ladder, settings.clips) = (ladder::small(), Clip::drawn(1));
        let world = World::new(settings).unwrap();
        world.prepare(&["160p30"]).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tasks = Tasks::default();
        tasks.spawn("stand-in Twitch", serve(listener, world.clone()));
        Self { world, url }
    }

    /// A server that takes it for Twitch, with these settings besides.
    pub(crate) async fn server(&self, settings: &[(&str, &str)]) -> Server {
        Server::start(&self.settings(settings).iter().map(|(k, v)| (*k, v.as_str())).collect::<Vec<_>>())
            .await
    }

    pub(crate) fn settings<'a>(&self, more: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
        let mut settings: Vec<(&str, String)> = vec![
            ("capture.twitch.gql_url", format!("{}/gql", self.url)),
            ("capture.twitch.usher_url", self.url.clone()),
            ("egress.allow_private", "true".to_owned()),
        ];
        settings.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
        settings
    }
}

/// Often, so that a test need not wait.
pub(crate) const OFTEN: (&str, &str) = ("capture.interval", "0.2");

impl Server {
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Waits until a stream is in that state, and gives it.
    pub(crate) async fn in_state(&self, name: &str, state: &str) -> Value {
        eventually(&format!("{name} is {state}"), async || self.stream(name).await["state"] == state).await;
        self.stream(name).await
    }
}

#[tokio::test]
async fn a_channel_is_followed_shown_kept_and_forgotten() {
    let twitch = Twitch::start(2).await;
    let server = twitch.server(&[OFTEN]).await;
    let added = server.post_json("/api/streams", &json!({"username": "Sim_0001", "priority": 3})).await;
    assert_eq!(added.status, 201, "{}", added.text());
    assert_eq!(added.json()["name"], "sim_0001");
    let again = server.post_json("/api/streams", &json!({"username": "sim_0001", "priority": 2})).await;
    assert_eq!((again.status.as_u16(), &again.json()["priority"]), (200, &json!(2)));

    let stream = server.in_state("sim_0001", "online").await;
    assert_eq!(stream["source"], json!({"kind": "pull", "channel": "sim_0001"}));
    assert_eq!((&stream["width"], &stream["height"]), (&json!(284), &json!(160)));
    assert_eq!(stream["last_error"], Value::Null);
    let frame = stream["frames"][0].as_str().unwrap().to_owned();
    let picture = server.get(&frame).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/jpeg"));
    // The picture of the segment that its time lies in.
    let seen: jiff::Timestamp = picture.header("x-timestamp").parse().unwrap();
    let snapshot = server.get("/api/streams/sim_0001/snapshot.jpg?width=142").await;
    let header = pixels::jpeg::inspect(&snapshot.body, 1000).unwrap();
    assert_eq!(header.shown_size(), (142, 80));
    let now = Clock::real().wall().0;
    assert!(now.duration_since(seen).as_secs() < 15, "seen at {seen}, now {now}");

    let mut viewer = server.watch("sim_0001").await;
    let first = viewer.next().await.unwrap();
    let second = viewer.next().await.unwrap();
    assert!(first.headers["x-timestamp"] < second.headers["x-timestamp"]);

    assert_eq!(server.delete("/api/streams/sim_0001").await.status, 200);
    while viewer.next().await.is_some() {}
    assert_eq!(server.stream("sim_0001").await, Value::Null);
    server.get(&frame).await.problem(404);
    server.stop().await;
}

#[tokio::test]
async fn the_pictures_shown_are_those_of_their_media_time() {
    let twitch = Twitch::start(1).await;
    let server = twitch.server(&[OFTEN]).await;
    server.post_json("/api/streams", &json!({"username": "sim_0001"})).await.json();
    server.in_state("sim_0001", "online").await;
    let mut viewer = server.watch("sim_0001").await;
    for _ in 0..2 {
        let shown = viewer.next().await.unwrap();
        let seen: jiff::Timestamp = shown.headers["x-timestamp"].parse().unwrap();
        let (newest, begins) = twitch.world.newest("sim_0001").unwrap();
        // A keyframe begins its segment, which may be one that is still being made.
        let after = (i128::from(seen.as_millisecond()) - i128::from(begins) + 1000).div_euclid(2000);
        let sequence = u64::try_from(i128::from(newest) + after).unwrap();
        let number = crate::harness::number(&shown.jpeg);
        assert!(
            number.is_some() && number == twitch.world.number_at("sim_0001", sequence),
            "{seen}: {number:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn thousands_are_added_at_once_and_each_refusal_is_told() {
    let twitch = Twitch::start(1).await;
    let server = twitch.server(&[("capture.max_streams", "3002"), ("capture.max_concurrent", "1")]).await;
    server.publish("pushed", crate::harness::jpeg(64, 48, 0)).await.json();
    let mut streams: Vec<Value> = (0..3000).map(|n| json!(format!("channel_{n}"))).collect();
    streams.extend([
        json!({"username": "chat", "name": "twitch_chat", "priority": 1}),
        json!({"username": "chat"}),
        json!({"username": "no-such-login"}),
        json!({"username": "a", "priority": 11, "interval": 0, "quality": "720", "pack": "X"}),
        json!({"username": "a", "colour": "red"}),
        json!({"url": "file:///etc/passwd", "name": "x"}),
        json!({"url": "https://example.com/live.m3u8"}),
        json!({"username": "pushed"}),
        json!({"username": "one_too_many"}),
        json!(7),
    ]);
    let done = server.post_json("/api/streams/bulk", &json!({"streams": streams})).await.json();
    assert_eq!((&done["added"], &done["updated"]), (&json!(3001), &json!(0)));
    let reasons: Vec<&str> =
        done["rejected"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect();
    let said =
        |part: &str| assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:#?}");
    assert_eq!(reasons.len(), 9);
    for part in [
        "'chat' is reserved",
        "username: ",
        "priority: a whole number from 1 to 10",
        "quality: lines such as 720p",
        "unknown field `colour`",
        "files can be followed from the configuration",
        "name: an address needs a name",
        "pushed; choose another name",
        "capture.max_streams",
        "a channel's name, or an object",
    ] {
        said(part);
    }
    let list = server.get("/api/streams?kind=pull&limit=2").await.json();
    assert_eq!((&list["count"], &list["total"]), (&json!(2), &json!(3001)));
    server.publish("channel_1", crate::harness::jpeg(64, 48, 0)).await.problem(409);
    server.stop().await;
}

#[tokio::test]
async fn bad_wishes_name_each_field() {
    let server = Server::start(&[]).await;
    let refused =
        server.post_json("/api/streams", &json!({"username": "a b", "priority": 0, "interval": -1})).await;
    let problem = refused.problem(422);
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["username", "priority", "interval"]);
    for (body, field) in [
        (json!({}), "username"),
        (json!({"username": "a", "url": "https://h/x"}), "url"),
        (json!({"url": "https://h/x.m3u8"}), "name"),
        (json!({"url": "gopher://h/x", "name": "x"}), "url"),
        (json!({"url": "/etc/passwd", "name": "x"}), "url"),
        (json!({"url": "https://user:pass@h/x", "name": "x"}), "url"),
        (json!({"username": "status"}), "name"),
    ] {
        let problem = server.post_json("/api/streams", &body).await.problem(422);
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let put = |body: Value| {
        let server = &server;
        async move { server.put("/api/streams/nobody/priority", &body).await }
    };
    put(json!({"priority": 11})).await.problem(422);
    put(json!({"priority": 1})).await.problem(404);
    server.publish("cam", crate::harness::jpeg(64, 48, 0)).await.json();
    server.put("/api/streams/cam/priority", &json!({"priority": 1})).await.problem(409);
    server.stop().await;
}

#[tokio::test]
async fn what_is_followed_and_changed_survives_a_restart_and_a_restart_of_capture() {
    let twitch = Twitch::start(2).await;
    let settings = twitch.settings(&[]);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let server = Server::start(&settings).await;
    let body =
        json!({"username": "sim_0002", "priority": 2, "quality": "160p", "interval": 0.3, "pack": "dota2"});
    let created = server.post_json("/api/streams", &body).await.json()["created_at"].clone();
    server.put("/api/config", &json!({"capture_interval": 0.5, "quality": "360p"})).await.json();
    let before = server.in_state("sim_0002", "online").await;

    assert_eq!(server.post("/api/restart").await.status, 200);
    let captures = before["captures"].as_u64().unwrap();
    eventually("captures go on and count on", async || {
        server.stream("sim_0002").await["captures"].as_u64().unwrap() > captures
    })
    .await;
    let server = server.restart(&settings).await;
    let stream = server.stream("sim_0002").await;
    for (field, value) in [("priority", json!(2)), ("pack", json!("dota2")), ("created_at", created)] {
        assert_eq!(stream[field], value, "{field}");
    }
    assert_eq!(stream["source"]["quality"], "160p");
    assert!(!stream["frames"].as_array().unwrap().is_empty(), "kept pictures are found again");
    let config = server.get("/api/status").await.json()["config"].clone();
    assert_eq!((&config["capture_interval"], &config["quality"]), (&json!(0.5), &json!("360p")));
    server.delete("/api/streams/sim_0002").await.json();
    let server = server.restart(&settings).await;
    assert_eq!(server.stream("sim_0002").await, Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn states_say_why_and_end_when_their_cause_ends() {
    let twitch = Twitch::start(3).await;
    let server = twitch.server(&[OFTEN]).await;
    twitch.world.fault("sim_0001", Fault::Offline {}, None).unwrap();
    twitch.world.fault("sim_0002", Fault::SegmentHtml {}, None).unwrap();
    for name in ["sim_0001", "sim_0002", "sim_0003"] {
        server.post_json("/api/streams", &json!({"username": name})).await.json();
    }
    let offline = server.in_state("sim_0001", "offline").await;
    assert_eq!(offline["consecutive_errors"], 0);
    let error = server.in_state("sim_0002", "error").await;
    assert!(error["last_error"].as_str().unwrap().contains("HTML"), "{error}");
    assert!(error["error_count"].as_u64().unwrap() > 0);
    server.in_state("sim_0003", "online").await;
    server.get("/api/streams/sim_0001/snapshot.jpg").await.problem(404);
    let status = server.get("/api/status").await.json();
    assert_eq!(status["stats"]["active"], 1);
    assert!(status["stats"]["failed_captures"].as_u64().unwrap() > 0);
    assert!(server.metric("onair_captures_total{result=\"offline\"}").await.unwrap() >= 1.0);
    assert_eq!(server.metric("onair_pull_streams{state=\"error\"}").await, Some(1.0));
    assert!(server.metric("onair_playlist_age_seconds_count").await.unwrap() >= 1.0);
    twitch.world.clear("sim_0002").unwrap();
    server.in_state("sim_0002", "online").await;
    server.stop().await;
}
