//! Outputs over the API: what is refused, what comes back, what stays.

use reqwest::Method;
use serde_json::{Value, json};

use crate::air::SMALL;
use crate::harness::Server;

#[tokio::test]
async fn what_can_not_be_sent_is_refused_by_its_field() {
    let server = Server::start(&SMALL).await;
    for (asked, status, field) in [
        (json!({"url": "rtmp://h/live/k", "videoCodec": "vp9"}), 422, "videoCodec"),
        (json!({"url": "rtmp://h/live/k", "bitrateKbps": 0}), 422, "bitrateKbps"),
        (json!({"url": "rtmp://h/live/k", "profile": "twitch", "bitrateKbps": 8000}), 422, "bitrateKbps"),
        (json!({"url": "http://h/live"}), 422, "url"),
        (json!({"url": "rtmp://user:sesame@h/live"}), 422, "url"),
        (json!({"type": "file", "name": "/etc/passwd"}), 422, "name"),
        (json!({"type": "file", "name": "../up"}), 422, "name"),
        (json!({"type": "file"}), 422, "name"),
        (json!({"colour": "red", "type": "hls"}), 422, "colour"),
        (json!({"fps": 61, "type": "hls"}), 422, "fps"),
        (json!([1]), 422, "body"),
    ] {
        let refused = server.ask(Method::POST, "/stream/outputs", &asked).await.problem(status);
        assert_eq!(refused["errors"][0]["field"], field, "{asked}: {refused}");
        assert!(!refused.to_string().contains("sesame"), "{refused}");
    }
    assert_eq!(server.get("/stream/outputs").await.json()["outputs"], json!([]));
    let wrong = Server::refused(&[("outputs.url", "http://h/live")]).await;
    assert_eq!(wrong.fields()[0].field, "outputs.url");
    server.stop().await;
}

#[tokio::test]
async fn outputs_are_kept_changed_and_forgotten_and_their_keys_never_come_back() {
    let server = Server::start(&SMALL).await;
    let made = server
        .output(&json!({"id": "x", "url": "rtmps://h/app", "key": "sesame", "profile": "twitch"}))
        .await;
    assert_eq!(
        (&made["url"], &made["key"], &made["profile"]),
        (&json!("rtmps://h/app/***"), &Value::Null, &json!("twitch"))
    );
    let again = json!({"id": "x", "type": "hls"});
    server.ask(Method::POST, "/stream/outputs", &again).await.problem(409);
    for (patch, status) in [
        (json!({"id": "y"}), 422),
        (json!({"type": "hls"}), 422),
        (json!({"bitrateKbps": 9000}), 422),
        (json!({"enabled": false, "bitrateKbps": 2500}), 200),
    ] {
        assert_eq!(server.put("/stream/outputs/x", &patch).await.status, status, "{patch}");
    }
    let mut shown = server.get("/stream/outputs/x").await.json();
    assert_eq!((&shown["enabled"], &shown["bitrateKbps"]), (&json!(false), &json!(2500)));
    // What a client was given it may send back.
    shown["enabled"] = json!(true);
    assert_eq!(server.put("/stream/outputs/x", &shown).await.json()["url"], "rtmps://h/app/***");
    let server = server.restart(&SMALL).await;
    let kept = server.get("/stream/outputs").await;
    assert_eq!(kept.json()["outputs"][0]["id"], "x");
    assert!(!kept.text().contains("sesame"));
    assert_eq!(server.delete("/stream/outputs/x").await.status, 200);
    server.delete("/stream/outputs/x").await.problem(404);
    let server = server.restart(&SMALL).await;
    assert_eq!(server.get("/stream/outputs").await.json()["outputs"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn there_are_so_many_outputs_and_encodes_and_no_more() {
    let server = Server::start(&SMALL).await;
    for (number, kbps) in [500, 600, 700].into_iter().enumerate() {
        server.output(&json!({"url": format!("rtmp://h/live/{number}"), "bitrateKbps": kbps})).await;
    }
    let fourth = json!({"url": "rtmp://h/live/x", "bitrateKbps": 800});
    let refused = server.ask(Method::POST, "/stream/outputs", &fourth).await.problem(409);
    assert!(refused["detail"].as_str().unwrap().contains("3 different encodes"), "{refused}");
    for number in 3..32 {
        server.output(&json!({"url": format!("rtmp://h/live/{number}"), "bitrateKbps": 500})).await;
    }
    let one_more = json!({"url": "rtmp://h/live/x", "bitrateKbps": 500});
    server.ask(Method::POST, "/stream/outputs", &one_more).await.problem(409);
    server.stop().await;
}
