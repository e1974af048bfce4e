//! How much anyone may take, and who may do what.

use std::net::IpAddr;
use std::time::Duration;

use onair::base::clock::Clock;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::harness::{Answer, Raw, Server, Ws, answer, client_from, eventually, picture};

#[tokio::test]
async fn the_stream_after_the_last_is_told_to_come_back() {
    let server = Server::start(&[]).await;
    let jpeg = picture(1);
    for i in 0..50 {
        server.publish(&format!("cam{i}"), jpeg.clone()).await.json();
    }
    let refused = server.publish("cam50", jpeg.clone()).await;
    assert!(refused.problem(503)["detail"].as_str().unwrap().contains("50 streams"));
    assert_eq!(refused.header("retry-after"), "10");
    server.publish("cam0", jpeg.clone()).await.json();
    let mut websocket = Ws::open(&server.ws_url("/publish/cam51/ws")).await;
    websocket.send(tokio_tungstenite::tungstenite::Message::binary(jpeg.clone())).await;
    let farewell = websocket.close_frame().await.expect("a reason");
    assert_eq!(u16::from(farewell.code), 1013, "{farewell:?}");
    server.delete("/api/streams/cam7").await.json();
    server.publish("cam50", jpeg).await.json();
    assert_eq!(server.get("/api/streams").await.json()["total"], 50);
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_of_an_address_are_told_so_and_closed_and_others_are_not() {
    let server = Server::start(&[("limits.connections_per_ip", "3")]).await;
    let ask = async |raw: &mut Raw| {
        raw.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.status, 200);
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(server.address()).await;
        ask(&mut raw).await;
        held.push(raw);
    }
    let mut refused = Raw::connect(server.address()).await;
    refused.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let told = refused.answer().await;
    let detail = told.problem(429)["detail"].to_string();
    assert!(detail.contains("3 connections from one address"), "{detail}");
    assert_eq!(told.header("retry-after"), "1");
    refused.closed().await;
    let other = client_from(IpAddr::from([127, 0, 0, 2]));
    let health = async || other.get(server.url("/health")).send().await.unwrap().status();
    assert_eq!(health().await, 200);
    let metrics = answer(other.get(server.url("/metrics"))).await.text();
    assert!(metrics.contains("onair_connections_refused_total 1\n"), "{metrics}");
    ask(&mut held[0]).await;
    held.pop();
    eventually("there is room again", async || {
        let metrics = answer(other.get(server.url("/metrics"))).await.text();
        // Two held, and the one that asks.
        metrics.contains("onair_connections 3\n")
    })
    .await;
    ask(&mut Raw::connect(server.address()).await).await;
    drop(held);
    server.stop().await;
}

#[tokio::test]
async fn an_address_over_its_rate_waits_and_frames_never_count() {
    let clock = Clock::simulated("2026-01-21T10:30:00Z".parse().unwrap());
    let settings = [("limits.requests_per_second_per_ip", "5"), ("server.trusted_proxies", "127.0.0.3")];
    let server = Server::start_with(clock.clone(), &settings).await;
    for _ in 0..30 {
        server.publish("cam", picture(1)).await.json();
    }
    for _ in 0..10 {
        server.get("/api/streams").await.json();
    }
    let refused = server.get("/api/streams").await;
    refused.problem(429);
    assert_eq!(refused.header("retry-after"), "1");
    server.publish("cam", picture(1)).await.json();
    let other = client_from(IpAddr::from([127, 0, 0, 2]));
    answer(other.get(server.url("/api/streams"))).await.json();
    let lying = server.request(Method::GET, "/api/streams").header("x-forwarded-for", "10.0.0.1");
    answer(lying).await.problem(429);
    let proxy = client_from(IpAddr::from([127, 0, 0, 3]));
    let through =
        |client: &str| proxy.get(server.url("/api/streams")).header("x-forwarded-for", client.to_owned());
    for _ in 0..10 {
        answer(through("10.0.0.1")).await.json();
    }
    answer(through("10.0.0.1")).await.problem(429);
    answer(through("10.0.0.2")).await.json();
    answer(through("10.0.0.9, 10.0.0.1")).await.problem(429);
    clock.advance(Duration::from_secs(1));
    for _ in 0..5 {
        server.get("/api/streams").await.json();
    }
    server.get("/api/streams").await.problem(429);
    server.stop().await;
}

#[tokio::test]
async fn with_a_token_everything_but_the_door_is_closed() {
    let server = Server::start(&[("auth.token", "open-sesame")]).await;
    let publish = |request: RequestBuilder| request.header("content-type", "image/jpeg").body(picture(1));
    let paths = [
        (Method::POST, "/publish/cam"),
        (Method::GET, "/publish/cam/ws"),
        (Method::GET, "/stream/cam"),
        (Method::GET, "/api/streams"),
        (Method::GET, "/api/streams/cam"),
        (Method::DELETE, "/api/streams/cam"),
        (Method::GET, "/api/streams/cam/snapshot.jpg"),
        (Method::PUT, "/api/streams/cam/recording"),
        (Method::GET, "/api/recordings"),
        (Method::GET, "/api/recordings/cam/x.mp4"),
        (Method::DELETE, "/api/recordings/cam/x.mp4"),
        (Method::GET, "/api/config"),
        (Method::PUT, "/api/config"),
        (Method::POST, "/api/cleanup"),
        (Method::GET, "/api/status"),
        (Method::GET, "/metrics"),
        (Method::GET, "/api/metrics"),
        (Method::GET, "/ws"),
        (Method::GET, "/nothing"),
    ];
    for (method, path) in paths {
        let bare = |path: &str| server.request(method.clone(), path);
        for request in [
            bare(path),
            bare(path).bearer_auth("open-sesam"),
            bare(path).bearer_auth("open-sesame2"),
            bare(path).bearer_auth(""),
            bare(path).header("authorization", "Basic open-sesame"),
            bare(path).header("authorization", "open-sesame"),
            bare(&format!("{path}?token=no")),
            bare(&format!("{path}?token=no&token=open-sesame")),
        ] {
            let refused = answer(request).await;
            let problem = refused.problem(401);
            assert_eq!(refused.header("www-authenticate"), "Bearer");
            assert!(!problem.to_string().contains("sesame"));
        }
    }
    answer(publish(server.request(Method::POST, "/publish/cam").bearer_auth("open-sesame"))).await.json();
    answer(publish(server.request(Method::POST, "/publish/cam?token=open-sesame"))).await.json();
    for path in
        ["/api/streams", "/api/streams/cam/snapshot.jpg", "/api/recordings", "/metrics", "/api/config"]
    {
        let lower = server.request(Method::GET, path).header("authorization", "bearer open-sesame");
        assert_eq!(answer(lower).await.status, 200, "{path}");
        let shown = server.get(&format!("{path}?token=open-sesame")).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(!String::from_utf8_lossy(&shown.body).contains("open-sesame"), "{path} tells the token");
    }
    server.watch("cam?token=open-sesame").await.next().await.unwrap();
    Ws::open(&server.ws_url("/ws?token=open-sesame")).await.next().await;
    for open in ["/", "/health", "/api/docs", "/api/openapi.json"] {
        assert_eq!(server.get(open).await.status, 200, "{open}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_publish_key_opens_its_own_stream_only() {
    let settings =
        [("auth.publish_keys", "cam=key-of-cam,door=key-of-door,*=key-of-all"), ("auth.token", "master")];
    let server = Server::start(&settings).await;
    for (name, key, status) in [
        ("cam", "key-of-cam", 200),
        ("cam", "master", 200),
        ("cam", "key-of-door", 403),
        ("cam", "key-of-all", 403),
        ("cam", "", 401),
        ("cam", "key", 401),
        ("door", "key-of-door", 200),
        ("door", "key-of-cam", 403),
        ("other", "key-of-all", 200),
        ("other", "key-of-cam", 403),
        // The same names, written so that they look like others.
        ("%63am", "key-of-all", 403),
        ("c%61m", "key-of-cam", 403),
        ("%64oor", "key-of-all", 403),
        ("./cam", "key-of-all", 404),
    ] {
        let jpeg = picture(1);
        let head = format!(
            "POST /publish/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            jpeg.len()
        );
        let mut raw = Raw::connect(server.address()).await;
        raw.send([head.as_bytes(), &jpeg].concat()).await;
        let said = raw.answer().await;
        assert_eq!(said.status, status, "{name} with {key:?}: {said:?}");
        let websocket = server.ws_url(&format!("/publish/{name}/ws?token={key}"));
        if status == 200 {
            drop(Ws::open(&websocket).await);
        } else if !name.starts_with('.') {
            assert_eq!(Ws::refused(&websocket, &[]).await, status, "{name} with {key:?}");
        }
    }
    server.get("/api/streams?token=key-of-all").await.problem(401);
    server.stop().await;
}

#[tokio::test]
async fn keys_alone_leave_watching_open() {
    let server = Server::start(&[("auth.publish_keys", "cam=key-of-cam")]).await;
    let publish = |name: &str| {
        let request = server.request(Method::POST, &format!("/publish/{name}")).bearer_auth("key-of-cam");
        request.header("content-type", "image/jpeg").body(picture(1))
    };
    answer(publish("cam")).await.json();
    answer(publish("other")).await.problem(403);
    server.publish("other", picture(1)).await.problem(401);
    server.watch("cam").await.next().await.unwrap();
    server.get("/api/streams").await.json();
    server.stop().await;
}

#[tokio::test]
async fn a_page_from_elsewhere_may_look_and_push_but_not_change_anything() {
    let server = Server::start(&[("server.cors_origins", "https://studio.example:8443")]).await;
    server.publish("cam", picture(1)).await.json();
    let own = server.url("");
    let from = |method: Method, path: &str, origin: &str| {
        server.request(method, path).header("origin", origin.to_owned())
    };
    const FOREIGN: &str = "https://evil.example";
    const LISTED: &str = "https://studio.example:8443";
    let changes = [
        (Method::DELETE, "/api/streams/nobody", 404),
        (Method::PUT, "/api/streams/nobody/recording", 415),
        (Method::PUT, "/api/config", 415),
        (Method::POST, "/api/cleanup", 200),
        (Method::DELETE, "/api/recordings/nobody/x.mp4", 404),
    ];
    for (method, path, otherwise) in changes {
        for foreign in [
            FOREIGN,
            "null",
            "https://studio.example",
            "http://studio.example:8443",
            &own.replace("http://", "http://x."),
        ] {
            let refused = answer(from(method.clone(), path, foreign)).await;
            refused.problem(403);
            assert_eq!(refused.header("access-control-allow-origin"), "", "{foreign}");
        }
        for trusted in [LISTED, &own] {
            let said = answer(from(method.clone(), path, trusted)).await;
            assert!(said.status != 403 && said.status != 401, "{method} {path} from {trusted}: {said:?}");
            assert!(
                said.status == otherwise || said.status == 400 || said.status == 422,
                "{method} {path}: {said:?}"
            );
        }
    }
    let pushed = answer(
        from(Method::POST, "/publish/cam", FOREIGN).header("content-type", "image/jpeg").body(picture(2)),
    )
    .await;
    pushed.json();
    assert_eq!(pushed.header("access-control-allow-origin"), "*");
    for path in ["/api/streams", "/api/streams/cam/snapshot.jpg", "/health"] {
        let shown = answer(from(Method::GET, path, FOREIGN)).await;
        assert_eq!(
            (shown.status.as_u16(), shown.header("access-control-allow-origin")),
            (200, "*"),
            "{path}"
        );
    }
    assert_eq!(Ws::refused(&server.ws_url("/ws"), &[("origin", FOREIGN)]).await, 403);
    assert_eq!(Ws::refused(&server.ws_url("/ws"), &[("origin", "null")]).await, 403);
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_says_what_a_page_may_do() {
    let server = Server::start(&[("server.cors_origins", "https://studio.example")]).await;
    let ask = async |path: &str, origin: &str| -> Answer {
        let request = server.request(Method::OPTIONS, path).header("origin", origin.to_owned());
        answer(request.header("access-control-request-method", "POST")).await
    };
    for (path, origin, allowed, methods) in [
        ("/publish/cam", "https://evil.example", "*", "GET, HEAD, POST, OPTIONS"),
        ("/api/streams/cam", "https://evil.example", "*", "GET, HEAD, OPTIONS"),
        (
            "/api/streams/cam",
            "https://studio.example",
            "https://studio.example",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
    ] {
        let said = ask(path, origin).await;
        assert_eq!(said.status, 204);
        assert_eq!(said.header("access-control-allow-origin"), allowed, "{path} {origin}");
        assert_eq!(said.header("access-control-allow-methods"), methods, "{path} {origin}");
        assert!(said.header("access-control-allow-headers").contains("Content-Type"));
    }
    server.stop().await;
    let server = Server::start(&[("server.cors_enabled", "false")]).await;
    let request = server.request(Method::OPTIONS, "/publish/cam").header("origin", "https://evil.example");
    assert_eq!(answer(request).await.header("access-control-allow-origin"), "");
    let request = server.request(Method::POST, "/publish/cam").header("origin", "https://evil.example");
    answer(request.header("content-type", "image/jpeg").body(picture(1))).await.problem(403);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_an_id_the_clients_own_where_it_is_plain() {
    let server = Server::start(&[]).await;
    for path in ["/health", "/nothing", "/api/streams/%ff", "/"] {
        let ask = async |id: &'static str| -> String {
            let said = answer(server.request(Method::GET, path).header("x-request-id", id)).await;
            assert_eq!(said.header("x-content-type-options"), "nosniff");
            said.header("x-request-id").to_owned()
        };
        assert_eq!(ask("Trace-1.a_b").await, "Trace-1.a_b");
        for id in ["", "with space", "a/b", "x\"y", &"x".repeat(65).leak()[..]] {
            let given = ask(id).await;
            assert!(given != id && given.len() == 36, "{given}");
        }
        assert_ne!(ask("").await, ask("").await);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_limit_changed_at_run_time_holds_at_once() {
    let server = Server::start(&[]).await;
    server.publish("a", picture(1)).await.json();
    server.put("/api/config", &json!({ "streams": { "max_concurrent": 1 } })).await.json();
    server.publish("b", picture(1)).await.problem(503);
    server.publish("a", picture(1)).await.json();
    server.put("/api/config", &json!({ "max_streams": 2 })).await.json();
    server.publish("b", picture(1)).await.json();
    server.stop().await;
}
