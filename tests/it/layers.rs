//! Layers over HTTP: what they become, what is refused and why, and that what was answered is there after a crash.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Process, Server, answer, within};

fn text(id: &str) -> Value {
    json!({"id": id, "content": {"kind": "text", "text": id}})
}

impl Server {
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        answer(self.request(method, path).json(body)).await
    }

    async fn ids(&self) -> Vec<String> {
        let list = self.get("/stream/layers").await.json();
        list["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| layer["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_layer_is_made_changed_shown_and_deleted() {
    let server = Server::start(&[]).await;
    let made = server.ask(Method::POST, "/stream/layers", &text("bid")).await;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "\"1\""));
    let made = made.json();
    assert_eq!((&made["visible"], &made["opacity"], &made["zIndex"]), (&json!(true), &json!(1.0), &json!(0)));
    let other =
        server.ask(Method::POST, "/stream/layers", &json!({"content": {"kind": "group"}})).await.json();
    assert_eq!(other["zIndex"], 1, "above all");
    let id = other["id"].as_str().unwrap();
    assert_eq!(id.as_bytes()[14], b'7', "a UUID of version 7: {id}");
    let patch = json!({"transform": {"position": {"x": 9}}, "content": {"text": "3 ETH"}, "zIndex": 5});
    let patched = server.ask(Method::PATCH, "/stream/layers/bid", &patch).await;
    assert_eq!(patched.header("etag"), "\"3\"");
    let patched = patched.json();
    assert_eq!(
        (&patched["transform"]["position"]["x"], &patched["content"]["text"]),
        (&json!(9.0), &json!("3 ETH"))
    );
    let put = server.ask(Method::PUT, "/stream/layers/bid", &json!({"opacity": 0.5})).await.json();
    assert_eq!(
        (&put["opacity"], &put["content"]["text"]),
        (&json!(0.5), &json!("3 ETH")),
        "a merge patch too"
    );
    let hidden = server.ask(Method::POST, "/stream/layers/bid/visibility", &json!({"visible": false})).await;
    assert_eq!(hidden.json()["visible"], false);
    assert_eq!(server.get("/stream/layers/bid").await.json(), hidden.json());
    assert_eq!(server.ids().await, [id, "bid"]);
    let status = server.get("/stream/status").await.json();
    assert_eq!((&status["layerCount"], &status["revision"]), (&json!(2), &json!(5)));
    server.delete("/stream/layers/bid").await.json();
    server.get("/stream/layers/bid").await.problem(404);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_by_its_field_and_changes_nothing() {
    let server = Server::start(&[("compositor.max_layers", "3")]).await;
    for id in ["a", "b"] {
        server.ask(Method::POST, "/stream/layers", &text(id)).await.json();
    }
    server
        .ask(Method::POST, "/stream/layers", &json!({"id": "g", "content": {"kind": "group"}}))
        .await
        .json();
    let before = server.get("/stream/layers").await.json();
    let (post, patch) = (Method::POST, Method::PATCH);
    let (layers, a) = ("/stream/layers", "/stream/layers/a");
    for (method, path, body, status, field) in [
        (&patch, a, json!({"opacity": 7}), 422, "opacity"),
        (&patch, a, json!({"transform": {"scale": {"x": 1e9}}}), 422, "transform.scale.x"),
        (&patch, a, json!({"zIndex": 1_u64 << 40}), 422, "zIndex"),
        (&patch, a, json!({"colour": "red"}), 422, "colour"),
        (&patch, a, json!({"id": "z"}), 422, "id"),
        (&patch, a, json!({"type": "host"}), 422, "type"),
        (&patch, a, json!({"content": {"kind": "hologram"}}), 422, "content.kind"),
        (&patch, a, json!({"content": {"text": "x".repeat(600_000)}}), 422, "content.text"),
        (&patch, a, json!({"content": {"style": {"fontSize": -1}}}), 422, "content.style.fontSize"),
        (&patch, a, json!({"effects": [{"type": "melt"}]}), 422, "effects.0.type"),
        (&patch, a, json!({"parent": "b"}), 422, "parent"),
        (&patch, "/stream/layers/g", json!({"parent": "g"}), 422, "parent"),
        (&patch, a, json!({"mask": {"layerId": "nobody"}}), 422, "mask.layerId"),
        (&patch, a, json!(["opacity"]), 422, "body"),
        (&post, "/stream/layers/a/visibility", json!({}), 422, "visible"),
        (&post, "/stream/layers/update", json!({"updates": []}), 422, "updates"),
        (&post, "/stream/layers/update", json!({"updates": [{"id": "a"}, {"id": "x"}]}), 422, "updates.1.id"),
        (&post, "/stream/layers/a/animations", json!({"preset": "melt"}), 422, "preset"),
        (
            &post,
            "/stream/layers/a/animations",
            json!({"tracks": [{"property": "mood", "keyframes": [
            {"t": 0, "value": 0}, {"t": 9, "value": 1}]}]}),
            422,
            "tracks.0.property",
        ),
        (
            &post,
            "/stream/layers/a/animations",
            json!({"tracks": [{"property": "opacity", "keyframes": [
            {"t": 0, "value": 0, "easing": "wobble"}, {"t": 9, "value": 1}]}]}),
            422,
            "tracks.0.keyframes.0.easing",
        ),
        (
            &post,
            "/stream/timeline",
            json!({"animations": [{"layerId": "x", "preset": "fade"}]}),
            422,
            "animations.0.layerId",
        ),
        (&post, layers, json!({"id": "update", "content": {"kind": "group"}}), 422, "id"),
        (&post, layers, text("fourth"), 409, ""),
        (&patch, "/stream/layers/nobody", json!({}), 404, ""),
        (&patch, "/stream/layers/a.b", json!({}), 404, ""),
        (&post, "/stream/control", json!({"action": "stop"}), 409, ""),
    ] {
        let problem = server.ask(method.clone(), path, &body).await.problem(status);
        if status == 422 {
            let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| &e["field"]).collect();
            assert_eq!(fields, [&json!(field)], "{body}");
        }
    }
    // JSON has no NaN and no infinity; what can't be read at all is malformed.
    for (body, status) in
        [("{\"opacity\": NaN}", 400), ("{\"opacity\": 1e999}", 400), ("", 400), ("{\"opacity\": 1", 400)]
    {
        let request = server.request(Method::PATCH, a).header("content-type", "application/json").body(body);
        answer(request).await.problem(status);
    }
    let deep = "[".repeat(100_000);
    let request = server.request(Method::PATCH, a).header("content-type", "application/json").body(deep);
    answer(request).await.problem(400);
    assert_eq!(server.get("/stream/layers").await.json(), before);
    server.stop().await;
}

#[tokio::test]
async fn of_two_clients_that_saw_one_revision_the_second_is_told() {
    let server = Server::start(&[]).await;
    server.ask(Method::POST, "/stream/layers", &text("a")).await.json();
    let change = async |revision: &str, opacity: f64| {
        let request = server.request(Method::PATCH, "/stream/layers/a").header("if-match", revision);
        answer(request.json(&json!({ "opacity": opacity }))).await
    };
    let first = change("\"1\"", 0.1).await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (200, "\"2\""));
    let late = change("\"1\"", 0.9).await.problem(412);
    assert!(late["detail"].as_str().unwrap().contains("revision 2"), "{late}");
    assert_eq!(change("2", 0.2).await.status, 200, "quotes or not");
    assert_eq!(change("*", 0.3).await.status, 200, "whatever it is");
    change("W/\"x\"", 0.4).await.problem(400);
    let request = server.request(Method::DELETE, "/stream/layers/a").header("if-match", "\"2\"");
    answer(request).await.problem(412);
    assert_eq!(server.get("/stream/layers/a").await.json()["opacity"], 0.3);
    server.stop().await;
}

#[tokio::test]
async fn an_update_of_several_layers_lands_as_one_revision_or_not_at_all() {
    let server = Server::start(&[]).await;
    for id in ["a", "b"] {
        server.ask(Method::POST, "/stream/layers", &text(id)).await.json();
    }
    let update = |b: f64| json!({"updates": [{"id": "a", "opacity": 0.5}, {"id": "b", "opacity": b}]});
    let refused = server.ask(Method::POST, "/stream/layers/update", &update(2.0)).await.problem(422);
    assert_eq!(refused["errors"][0]["field"], "updates.1.opacity");
    assert_eq!(server.get("/stream/layers/a").await.json()["opacity"], 1.0);
    let done = server.ask(Method::POST, "/stream/layers/update", &update(0.25)).await.json();
    assert_eq!(done["revision"], 3);
    let seen: Vec<_> =
        done["layers"].as_array().unwrap().iter().map(|l| (&l["revision"], &l["opacity"])).collect();
    assert_eq!(seen, [(&json!(3), &json!(0.5)), (&json!(3), &json!(0.25))]);
    server.stop().await;
}

#[tokio::test]
async fn layers_scenes_values_and_a_pause_come_back_after_a_restart() {
    let server = Server::start(&[]).await;
    for id in ["z", "a", "m"] {
        server
            .ask(
                Method::POST,
                "/stream/layers",
                &json!({"id": id, "zIndex": 0, "content": {"kind": "group"}}),
            )
            .await
            .json();
    }
    server.ask(Method::POST, "/stream/scenes", &json!({"id": "s", "name": "One"})).await.json();
    server.ask(Method::PUT, "/stream/values", &json!({"values": {"bid": 3}})).await.json();
    server.ask(Method::POST, "/stream/chat", &json!({"author": "ada", "text": "hello"})).await.json();
    let animation = json!({"id": "f", "preset": "rotate", "duration": 60_000, "repeat": "forever"});
    server.ask(Method::POST, "/stream/layers/a/animations", &animation).await.json();
    server.ask(Method::POST, "/stream/control", &json!({"action": "start"})).await.json();
    let paused = server.ask(Method::POST, "/stream/control", &json!({"action": "pause"})).await.json();
    let paths =
        ["/stream/layers", "/stream/scenes", "/stream/values", "/stream/chat", "/stream/layers/a/animations"];
    let mut before = Vec::new();
    for path in paths {
        before.push(server.get(path).await.json());
    }
    assert_eq!(server.ids().await, ["z", "a", "m"], "in the order in which they were made");
    let server = server.restart(&[]).await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(server.get(path).await.json(), before, "{path}");
    }
    let status = server.get("/stream/status").await.json();
    assert_eq!(
        (&status["state"], &status["isLive"], &status["isPaused"]),
        (&json!("paused"), &json!(true), &json!(true))
    );
    assert_eq!(status["time"], paused["time"], "program time stands still in a pause");
    server.ask(Method::POST, "/stream/control", &json!({"action": "resume"})).await.json();
    let later = server.get("/stream/status").await.json();
    assert!(later["time"].as_f64() > paused["time"].as_f64());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_update_that_was_answered_is_there_after_a_kill() {
    const CLIENTS: usize = 8;
    let process = Process::start(&[]).await;
    for n in 0..CLIENTS {
        let body = json!({"id": format!("l{n}"), "content": {"kind": "text", "text": "0"}});
        answer(process.client.post(process.url("/stream/layers")).json(&body)).await.json();
    }
    let acknowledged: Arc<[std::sync::atomic::AtomicU64]> = (0..CLIENTS).map(|_| 0.into()).collect();
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..CLIENTS {
        let (client, url) = (process.client.clone(), process.url(&format!("/stream/layers/l{n}")));
        let acknowledged = Arc::clone(&acknowledged);
        clients.spawn(async move {
            for count in 1_u64.. {
                let body = json!({"content": {"text": count.to_string()}});
                let Ok(answer) = client.patch(&url).json(&body).send().await else { return };
                assert_eq!(answer.status(), 200);
                acknowledged[n].store(count, std::sync::atomic::Ordering::SeqCst);
            }
        });
    }
    let total = || acknowledged.iter().map(|n| n.load(std::sync::atomic::Ordering::SeqCst)).sum::<u64>();
    crate::harness::eventually("many were answered", async || total() >= 200).await;
    let folder = process.kill();
    while within(clients.join_next()).await.is_some() {}
    let back = Process::start_in(folder, &[]).await;
    for n in 0..CLIENTS {
        let layer = answer(back.client.get(back.url(&format!("/stream/layers/l{n}")))).await.json();
        let kept: u64 = layer["content"]["text"].as_str().unwrap().parse().unwrap();
        let answered = acknowledged[n].load(std::sync::atomic::Ordering::SeqCst);
        assert!(kept >= answered, "l{n}: {answered} was answered, {kept} is there");
    }
}
