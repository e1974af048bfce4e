//! The scene over WebSockets: updates in both directions, nothing lost, nothing half done, everything as described.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Server, Ws, within};
use crate::openapi::mismatch;

/// A client that knows the scene from what it is sent, and what does not fit the description of it.
struct Watcher {
    socket: Ws,
    document: Arc<Value>,
    revision: u64,
    layers: BTreeMap<String, Value>,
}

impl Watcher {
    async fn open(server: &Server) -> Self {
        let document = Arc::new(server.get("/api/asyncapi.json").await.json());
        let socket = Ws::open(&server.ws_url("/ws")).await;
        let mut watcher = Self { socket, document, revision: 0, layers: BTreeMap::new() };
        assert_eq!(watcher.next().await["type"], "hello");
        watcher
    }

    /// The next message, after taking in what it says of the scene.
    async fn next(&mut self) -> Value {
        let message = self.socket.next().await;
        let kind = message["type"].as_str().unwrap();
        let schema = &self.document["components"]["messages"][format!("server.{kind}")]["payload"];
        assert!(schema.is_object(), "{kind} is not described");
        assert_eq!(mismatch(&self.document, schema, &message, kind), None, "{message}");
        let payload = &message["payload"];
        if kind == "hello" {
            self.layers.clear();
            self.put(&payload["scene"]["layers"]);
            self.revision = payload["revision"].as_u64().unwrap();
        }
        if kind == "layerUpdate" {
            if payload.get("entered").is_some() {
                self.layers.clear();
            }
            self.put(&payload["layers"]);
            for id in payload["removed"].as_array().into_iter().flatten() {
                self.layers.remove(id.as_str().unwrap());
            }
            let revision = payload["revision"].as_u64().unwrap();
            assert!(revision > self.revision, "{revision} after {}", self.revision);
            self.revision = revision;
        }
        message
    }

    fn put(&mut self, layers: &Value) {
        for layer in layers.as_array().into_iter().flatten() {
            self.layers.insert(layer["id"].as_str().unwrap().to_owned(), layer.clone());
        }
    }

    async fn send(&mut self, kind: &str, payload: Value, reference: impl Into<Value>) {
        self.socket.send_json(&json!({"type": kind, "payload": payload, "ref": reference.into()})).await;
    }

    /// Passes by everything until the answer to that `ref`.
    async fn answer(&mut self, reference: impl Into<Value>) -> Value {
        let reference = reference.into();
        loop {
            let message = self.next().await;
            if ["ack", "error", "pong"].contains(&message["type"].as_str().unwrap()) {
                assert_eq!(message["payload"]["ref"], reference, "answers come in order");
                return message;
            }
        }
    }

    async fn reach(&mut self, revision: u64) {
        while self.revision < revision {
            self.next().await;
        }
    }
}

async fn create(server: &Server, id: &str) {
    let body = json!({"id": id, "content": {"kind": "text", "text": "0"}});
    server.ask(Method::POST, "/stream/layers", &body).await.json();
}

/// The layers as HTTP has them.
async fn layers(server: &Server) -> BTreeMap<String, Value> {
    let list = server.get("/stream/layers").await.json();
    let layers = list["layers"].as_array().unwrap().iter();
    layers.map(|layer| (layer["id"].as_str().unwrap().to_owned(), layer.clone())).collect()
}

#[tokio::test]
async fn what_one_client_changes_every_client_is_told() {
    let server = Server::start(&[]).await;
    create(&server, "a").await;
    let (mut one, mut other) = (Watcher::open(&server).await, Watcher::open(&server).await);
    assert_eq!(one.layers["a"]["content"]["text"], "0");
    for (reference, kind, payload, ack) in [
        (1, "layerUpdate", json!({"id": "a", "opacity": 0.5}), json!({"ref": 1, "revision": 2})),
        (2, "layerUpdate", json!({"updates": [{"id": "a", "zIndex": 4}]}), json!({"ref": 2, "revision": 3})),
        (3, "chat", json!({"author": "ada", "text": "hello"}), json!({"ref": 3, "revision": 4})),
        (4, "values", json!({"values": {"bid": 3}}), json!({"ref": 4, "revision": 5})),
        (5, "control", json!({"action": "start"}), json!({"ref": 5, "revision": 5, "state": "live"})),
    ] {
        one.send(kind, payload, reference).await;
        let answer = one.answer(reference).await;
        assert_eq!((&answer["type"], &answer["payload"]), (&json!("ack"), &ack));
    }
    other.reach(5).await;
    assert_eq!(other.layers, layers(&server).await);
    loop {
        let message = other.next().await;
        if message["type"] == "streamEvent" {
            let expected = json!({"event": "streamStart", "stream": "program", "state": "live"});
            assert_eq!(message["payload"], expected);
            break;
        }
    }
    // What HTTP changes is told as well.
    server.delete("/stream/layers/a").await.json();
    other.reach(6).await;
    assert!(other.layers.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_is_refused_says_why_and_changes_nothing() {
    let server = Server::start(&[]).await;
    create(&server, "a").await;
    let mut client = Watcher::open(&server).await;
    for (reference, (kind, payload, code, field)) in [
        ("layerUpdate", json!({"id": "a", "opacity": 7}), "invalid", "opacity"),
        ("layerUpdate", json!({"id": "nobody", "opacity": 1}), "notFound", ""),
        ("layerUpdate", json!({"opacity": 1}), "invalid", ""),
        ("layerUpdate", json!(7), "invalid", ""),
        (
            "layerUpdate",
            json!({"updates": [{"id": "a", "opacity": 0}, {"id": "a", "mood": 1}]}),
            "invalid",
            "updates.1.mood",
        ),
        ("chat", json!({"text": "x".repeat(501)}), "invalid", "text"),
        ("values", json!({"values": 3}), "invalid", "values"),
        ("control", json!({"action": "pause"}), "conflict", ""),
        ("control", json!({"action": "dance"}), "invalid", "action"),
    ]
    .into_iter()
    .enumerate()
    {
        client.send(kind, payload.clone(), reference).await;
        let answer = client.answer(reference).await;
        assert_eq!(
            (&answer["type"], &answer["payload"]["code"]),
            (&json!("error"), &json!(code)),
            "{payload}"
        );
        let said = answer["payload"]["errors"][0]["field"].as_str().unwrap_or_default();
        assert_eq!(said, field, "{answer}");
    }
    assert_eq!(server.get("/stream/status").await.json()["revision"], 1);
    server.stop().await;
}

#[tokio::test]
async fn who_was_away_is_sent_what_it_missed_or_everything() {
    let server = Server::start(&[]).await;
    for id in ["a", "b"] {
        create(&server, id).await;
    }
    let mut client = Watcher::open(&server).await;
    for opacity in [0.1, 0.2, 0.3] {
        server.ask(Method::PATCH, "/stream/layers/a", &json!({ "opacity": opacity })).await.json();
    }
    client.reach(5).await;
    // As after a break: what it knows is older.
    client.revision = 3;
    client.send("subscribe", json!({"since": 3}), "again").await;
    assert_eq!(client.answer("again").await["payload"]["revision"], 5);
    let mut seen = Vec::new();
    while client.revision < 5 {
        let message = client.next().await;
        assert_eq!(message["type"], "layerUpdate", "not everything anew");
        seen.push(message["payload"]["revision"].as_u64().unwrap());
    }
    assert_eq!(seen, [4, 5]);
    client.send("subscribe", json!({"since": 900}), "from elsewhere").await;
    client.answer("from elsewhere").await;
    assert_eq!(client.next().await["type"], "hello", "a revision of another time");
    client.send("subscribe", json!({"topics": ["event"]}), "quiet").await;
    client.answer("quiet").await;
    server.ask(Method::PATCH, "/stream/layers/b", &json!({"opacity": 0.5})).await.json();
    client.send("ping", json!(null), "still there").await;
    assert_eq!(client.next().await["type"], "pong", "it did not ask for layers");
    client.send("subscribe", json!({"topics": ["layerUpdate"], "since": 5}), "loud").await;
    client.answer("loud").await;
    client.reach(6).await;
    assert_eq!(client.layers, layers(&server).await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_updates_from_fifty_clients_none_is_lost() {
    const CLIENTS: u64 = 50;
    const EACH: u64 = 200;
    let server = Arc::new(Server::start(&[]).await);
    for n in 0..CLIENTS {
        create(&server, &format!("l{n}")).await;
    }
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..CLIENTS {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut client = Watcher::open(&server).await;
            for count in 1..=EACH {
                let patch = json!({"id": format!("l{n}"), "content": {"text": count.to_string()}});
                client.send("layerUpdate", patch, count).await;
            }
            for count in 1..=EACH {
                assert_eq!(client.answer(count).await["type"], "ack", "client {n}, update {count}");
            }
            client
        });
    }
    let all = CLIENTS + CLIENTS * EACH;
    let mut watchers = Vec::new();
    while let Some(client) = within(clients.join_next()).await {
        watchers.push(client.unwrap());
    }
    let there = layers(&server).await;
    let last = EACH.to_string();
    assert!(there.values().all(|layer| layer["content"]["text"] == last.as_str()));
    assert_eq!(server.get("/stream/status").await.json()["revision"], all, "one revision for each");
    for mut watcher in watchers {
        watcher.reach(all).await;
        assert_eq!(watcher.layers, there);
    }
    let Ok(server) = Arc::try_unwrap(server) else { panic!("a client holds the server") };
    server.stop().await;
}
