//! Destinations that fail on command, while others must not notice: every picture they received is counted.

use serde_json::json;
use sim::sink::{Behaviour, Settings, Sink};

use crate::air::{SMALL, red};
use crate::harness::Server;
use crate::tools::{lasting_port, sooner_or_later};

/// A server that keeps what it receives, and its address.
#[expect(clippy::disallowed_methods, reason = "it is the other side, which ends with the test")]
pub(crate) async fn sink(settings: Settings) -> (Sink, String) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", lasting_port())).await.unwrap();
    let address = listener.local_addr().unwrap();
    let sink = Sink::new(settings);
    tokio::spawn(sim::sink::serve(listener, sink.clone()));
    (sink, format!("rtmp://{address}/live"))
}

/// A scene that takes all of the bitrate, so that buffers on the way are full soon.
async fn busy(server: &Server) {
    for number in 0..40_u32 {
        let (x, y) = (number % 8 * 80, number / 8 * 72);
        let text = json!({"content": {"kind": "text", "text": "{{ program.frame }} {{ program.time }}",
            "style": {"fontSize": 40 + number % 7}}, "transform": {"position": {"x": x, "y": y}}});
        server.ask(reqwest::Method::POST, "/stream/layers", &text).await;
    }
}

/// One publication without a gap of more than a frame, keyframes two seconds apart at most.
fn is_whole(sink: &Sink, pictures: usize) {
    sink.with(|all| {
        assert_eq!(all.len(), 1, "it was connected once");
        let one = &all[0];
        assert!(one.pictures.len() >= pictures, "{} pictures", one.pictures.len());
        assert_eq!(one.gaps(35), Vec::<[u32; 2]>::new());
        assert!(one.groups().iter().all(|group| *group <= 60), "{:?}", one.groups());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_resets_hangs_and_closes_by_turns_comes_back_each_time_and_the_other_has_no_gap() {
    let (steady, steady_url) = sink(Settings::default()).await;
    let (shaky, shaky_url) = sink(Settings::default()).await;
    let mut settings = SMALL.to_vec();
    settings.extend([("outputs.connect_seconds", "1"), ("outputs.stall_seconds", "2")]);
    let server = Server::start(&settings).await;
    server.ask(reqwest::Method::POST, "/stream/layers", &red()).await;
    server.output(&json!({"id": "steady", "url": steady_url, "key": "one"})).await;
    server.output(&json!({"id": "shaky", "url": shaky_url, "key": "two"})).await;
    server.control("start").await;
    for id in ["steady", "shaky"] {
        server.until_state(id, "live").await;
    }
    for (number, fault) in (1..).zip([
        Behaviour::Down,
        Behaviour::ResetAfter(20_000),
        Behaviour::HalfOpen,
        Behaviour::RefusePublish,
    ]) {
        shaky.behave(fault);
        if fault == Behaviour::HalfOpen || fault == Behaviour::RefusePublish {
            // Those that are connected stay so: they are cut off first.
            shaky.behave(Behaviour::Down);
            sooner_or_later("it is lost", async || server.state_of("shaky").await != "live").await;
            shaky.behave(fault);
        }
        sooner_or_later(&format!("{fault:?} is noticed"), async || {
            let output = server.get("/stream/outputs/shaky").await.json();
            output["state"] != "live" && output["lastError"].is_string()
        })
        .await;
        shaky.behave(Behaviour::Proper);
        server.until_state("shaky", "live").await;
        let output = server.get("/stream/outputs/shaky").await.json();
        assert!(output["reconnects"].as_u64().unwrap() >= number, "{fault:?}: {output}");
    }
    server.on_air_for(30.0).await;
    server.control("stop").await;
    for id in ["steady", "shaky"] {
        server.until_state(id, "idle").await;
    }
    is_whole(&steady, 100);
    steady.with(|all| assert!(all[0].finished, "it was unpublished"));
    shaky.with(|all| {
        for one in all.iter().filter(|one| !one.pictures.is_empty()) {
            assert!(one.pictures[0].keyframe, "each connection begins with a keyframe");
        }
    });
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_reading_is_stalled_then_lost_then_live() {
    let (sink, url) = sink(Settings::default()).await;
    let mut settings = SMALL.to_vec();
    settings.extend([("outputs.stall_seconds", "5"), ("outputs.bitrate", "20000")]);
    let server = Server::start(&settings).await;
    server.output(&json!({"id": "x", "url": url, "key": "one"})).await;
    busy(&server).await;
    server.control("start").await;
    server.until_state("x", "live").await;
    sink.behave(Behaviour::StopReading);
    server.until_state("x", "stalled").await;
    sooner_or_later("it is given up", async || server.state_of("x").await == "reconnecting").await;
    let output = server.get("/stream/outputs/x").await.json();
    assert!(output["lastError"].as_str().unwrap().contains("takes nothing"), "{output}");
    sink.behave(Behaviour::Proper);
    server.until_state("x", "live").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_destinations_take_one_encode_and_a_wrong_key_is_refused() {
    let (sink, url) = sink(Settings { key: None, keep: 0 }).await;
    let (strict, strict_url) = self::sink(Settings { key: Some("right".into()), keep: 0 }).await;
    let server = Server::start(&SMALL).await;
    for number in 0..20 {
        server.output(&json!({"id": format!("to{number}"), "url": url, "key": format!("k{number}")})).await;
    }
    server.output(&json!({"id": "wrong", "url": strict_url, "key": "sesame"})).await;
    server.control("start").await;
    for number in 0..20 {
        server.until_state(&format!("to{number}"), "live").await;
    }
    server.until_state("wrong", "failed").await;
    let wrong = server.get("/stream/outputs/wrong").await;
    assert!(wrong.json()["lastError"].as_str().unwrap().contains("refuses"), "{}", wrong.text());
    assert!(!wrong.text().contains("sesame"));
    let status = server.get("/stream/status").await.json();
    assert_eq!(status["encoders"].as_array().unwrap().len(), 1);
    server.on_air_for(60.0).await;
    server.control("stop").await;
    for number in 0..20 {
        server.until_state(&format!("to{number}"), "idle").await;
    }
    sink.with(|all| {
        assert_eq!(all.len(), 20);
        for one in all {
            assert_eq!(one.gaps(35), Vec::<[u32; 2]>::new(), "{}", one.key);
            assert!(one.pictures.len() >= 40 && one.finished, "{}: {}", one.key, one.pictures.len());
        }
    });
    strict.with(|all| assert!(all.iter().all(|one| one.pictures.is_empty())));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_too_slow_loses_whole_groups_that_are_counted_and_the_other_loses_nothing() {
    let (steady, steady_url) = sink(Settings::default()).await;
    let (slow, slow_url) = sink(Settings::default()).await;
    let mut settings = SMALL.to_vec();
    settings.push(("outputs.bitrate", "20000"));
    let server = Server::start(&settings).await;
    busy(&server).await;
    server.output(&json!({"id": "steady", "url": steady_url, "key": "one"})).await;
    server.output(&json!({"id": "slow", "url": slow_url, "key": "two"})).await;
    slow.behave(Behaviour::Slow(60_000));
    server.control("start").await;
    server.until_state("steady", "live").await;
    let dropped = async || {
        let output = server.get("/stream/outputs/slow").await.json();
        output["droppedFrames"].as_u64().unwrap()
    };
    sooner_or_later("pictures are dropped", async || dropped().await > 0).await;
    slow.behave(Behaviour::Proper);
    let gap = async || slow.with(|all| all.iter().any(|one| !one.gaps(35).is_empty()));
    sooner_or_later("what was dropped is missing", gap).await;
    slow.with(|all| {
        assert_eq!(all.len(), 1, "it was slow, not lost");
        let one = &all[0];
        for [_, to] in one.gaps(35) {
            let after = one.pictures.iter().find(|picture| picture.timestamp == to).unwrap();
            assert!(after.keyframe, "it goes on with a keyframe at {to} ms");
        }
    });
    server.control("stop").await;
    server.until_state("steady", "idle").await;
    is_whole(&steady, 100);
    server.stop().await;
}
