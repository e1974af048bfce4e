//! Events over WebSockets.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, Ws, eventually, picture};

async fn connected(server: &Server) -> (Ws, Value) {
    let mut client = Ws::open(&server.ws_url("/ws")).await;
    let hello = client.next().await;
    (client, hello)
}

#[tokio::test]
async fn a_client_is_greeted_with_everything_and_told_of_streams_that_come_and_go() {
    let server = Server::start(&[]).await;
    server.publish("early", picture(1)).await.json();
    let (mut client, hello) = connected(&server).await;
    assert_eq!((&hello["type"], &hello["seq"]), (&json!("hello"), &json!(1)));
    assert_eq!(hello["payload"]["version"], env!("CARGO_PKG_VERSION"));
    let streams = hello["payload"]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1);
    assert_eq!((&streams[0]["name"], &streams[0]["state"]), (&json!("early"), &json!("online")));
    server.publish("late", picture(1)).await.json();
    server.publish("late", picture(2)).await.json();
    server.delete("/api/streams/early").await.json();
    let event = |seq: u64, payload: Value| json!({ "type": "streamEvent", "payload": payload, "seq": seq });
    assert_eq!(client.next().await, event(2, json!({ "event": "sourceOnline", "stream": "late" })));
    let gone = json!({ "event": "sourceOffline", "stream": "early", "reason": "deleted" });
    assert_eq!(client.next().await, event(3, gone));
    let (_, second) = connected(&server).await;
    assert_eq!(second["payload"]["streams"][0]["name"], "late");
    server.stop().await;
}

#[tokio::test]
async fn what_a_client_asks_is_answered_with_its_ref() {
    let server = Server::start(&[]).await;
    let (mut client, _) = connected(&server).await;
    for (sent, kind, payload) in [
        (json!({ "type": "ping", "ref": 7 }), "pong", json!({ "ref": 7 })),
        (json!({ "type": "ping" }), "pong", json!({ "ref": null })),
        (json!({ "type": "ping", "ref": { "a": [1] } }), "pong", json!({ "ref": { "a": [1] } })),
        (
            json!({ "type": "subscribe", "payload": { "topics": ["streamEvent"] }, "ref": "x" }),
            "ack",
            json!({ "ref": "x", "revision": 0 }),
        ),
        (
            json!({ "type": "subscribe", "payload": { "topics": [] }, "ref": "y" }),
            "ack",
            json!({ "ref": "y", "revision": 0 }),
        ),
    ] {
        client.send_json(&sent).await;
        let answer = client.next().await;
        assert_eq!((answer["type"].as_str().unwrap(), &answer["payload"]), (kind, &payload), "{sent}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_and_the_connection_goes_on() {
    let server = Server::start(&[]).await;
    let (mut client, _) = connected(&server).await;
    for (sent, reference, words) in [
        (Message::text("not JSON"), json!(null), "payload"),
        (Message::text("[]"), json!(null), "payload"),
        (Message::text("{}"), json!(null), "payload"),
        (Message::text(r#"{"type":5}"#), json!(null), "payload"),
        (Message::text(r#"{"type":"dance","ref":1}"#), json!(1), "dance"),
        (Message::text(r#"{"type":"subscribe","ref":2}"#), json!(2), "topics"),
        (
            Message::text(r#"{"type":"subscribe","payload":{"topics":["weather"]},"ref":3}"#),
            json!(3),
            "streamEvent",
        ),
        (
            Message::text(r#"{"type":"subscribe","payload":{"topics":"streamEvent"},"ref":4}"#),
            json!(4),
            "topics",
        ),
        (
            Message::text(r#"{"type":"subscribe","payload":{"topics":[],"more":1},"ref":5}"#),
            json!(5),
            "topics",
        ),
        (Message::binary(vec![1, 2, 3]), json!(null), "text"),
    ] {
        client.send(sent.clone()).await;
        let answer = client.next().await;
        assert_eq!(answer["type"], "error", "{sent}");
        assert_eq!(
            (&answer["payload"]["ref"], &answer["payload"]["code"]),
            (&reference, &json!("invalid")),
            "{sent}"
        );
        assert!(answer["payload"]["message"].as_str().unwrap().contains(words), "{answer}");
    }
    client.send_json(&json!({ "type": "ping" })).await;
    assert_eq!(client.next().await["type"], "pong");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn figures_come_every_second_to_those_who_asked_and_events_stop_for_those_who_did_not() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    let (mut asking, _) = connected(&server).await;
    let (mut usual, _) = connected(&server).await;
    asking
        .send_json(&json!({ "type": "subscribe", "payload": { "topics": ["metricsUpdate"] }, "ref": 1 }))
        .await;
    assert_eq!(asking.next().await["type"], "ack");
    asking.next().await;
    let start = tokio::time::Instant::now();
    server.publish("other", picture(1)).await.json();
    for _ in 0..3 {
        let update = asking.next().await;
        assert_eq!(update["type"], "metricsUpdate", "not the event it did not ask for");
        assert_eq!(update["payload"]["streams"]["cam"]["totalFrames"], 1);
        assert_eq!(update["payload"]["streams"]["cam"]["viewers"], 0);
    }
    assert!((2500..=3500).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    let event = usual.next().await;
    assert_eq!((&event["type"], &event["payload"]["stream"]), (&json!("streamEvent"), &json!("other")));
    usual.send_json(&json!({ "type": "ping" })).await;
    assert_eq!(usual.next().await["type"], "pong", "and no figures before it");
    server.stop().await;
}

#[tokio::test]
async fn events_come_in_order_without_a_gap() {
    let server = Server::start(&[]).await;
    let (mut client, _) = connected(&server).await;
    let jpeg = picture(1);
    for i in 0..40 {
        server.publish(&format!("stays{i}"), jpeg.clone()).await.json();
    }
    let (mut known, mut seq) = (std::collections::BTreeSet::new(), 1);
    while known.len() < 40 {
        let message = client.next().await;
        seq += 1;
        assert_eq!(message["seq"], seq, "none is missing without a word");
        known.insert(message["payload"]["stream"].as_str().unwrap().to_owned());
    }
    server.stop().await;
}

#[tokio::test]
async fn messages_over_the_limit_and_the_end_of_the_server_close_with_the_reason() {
    let server = Server::start(&[("limits.websocket_message_mb", "0.01")]).await;
    let (mut client, _) = connected(&server).await;
    client.send(Message::text("x".repeat(20_000))).await;
    let farewell = client.close_frame().await.expect("a reason");
    assert_eq!(u16::from(farewell.code), 1009, "{farewell:?}");
    let (mut client, _) = connected(&server).await;
    let mut publisher = Ws::open(&server.ws_url("/publish/cam/ws")).await;
    let open = async || server.metric("onair_websocket_connections").await;
    eventually("the first is gone", async || open().await == Some(1.0)).await;
    server.stop().await;
    for socket in [&mut client, &mut publisher] {
        let farewell = socket.close_frame().await.expect("a reason");
        assert_eq!(u16::from(farewell.code), 1001, "{farewell:?}");
    }
}
