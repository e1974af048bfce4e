//! What strangers and broken programs send: each is answered by name, and touches nobody else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Answer, LONG, Mjpeg, Raw, Server, Ws, answer, eventually, form, part, picture, within};

const MB: usize = 1 << 20;

/// A server with a stream that must go on whatever happens elsewhere.
struct Bystander {
    server: Server,
    viewer: Mjpeg,
    shown: u64,
}

impl Bystander {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let server = Server::start(settings).await;
        server.publish("bystander", picture(0)).await.json();
        let viewer = server.watch("bystander").await;
        Self { server, viewer, shown: 0 }
    }

    async fn goes_on(&mut self, after: &str) {
        self.shown += 1;
        let jpeg = picture(self.shown);
        self.server.publish("bystander", jpeg.clone()).await.json();
        while let Some(shown) = self.viewer.next().await {
            if shown.jpeg == jpeg {
                return;
            }
        }
        panic!("the bystander's viewer was cut off after {after}");
    }

    async fn stop(self) {
        assert_eq!(self.server.metric("onair_handler_panics_total").await, Some(0.0));
        assert_eq!(self.server.metric("onair_task_panics_total").await, Some(0.0));
        self.server.stop().await;
    }
}

fn head(path: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

fn mentions(problem: &Value, words: &str) {
    assert!(problem.to_string().contains(words), "{words:?} in {problem}");
}

/// A JPEG's head that says it is this big.
fn claiming(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = picture(1).to_vec();
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

#[expect(clippy::too_many_lines, clippy::type_complexity, reason = "a table of cases")]
#[tokio::test]
async fn what_is_no_frame_is_refused_by_name() {
    let mut bystander = Bystander::start(&[]).await;
    let jpeg = picture(1);
    let half = jpeg[..jpeg.len() / 2].to_vec();
    let (form_type, good_form) = form(&[("frame", &jpeg)]);
    let image = |body: &[u8]| ("image/jpeg".to_owned(), body.to_vec());
    let typed = |content_type: &str| (content_type.to_owned(), jpeg.to_vec());
    let cases: Vec<(&str, (String, Vec<u8>), u16, &str)> = vec![
        ("not a JPEG", image(b"GIF89a, not a JPEG"), 415, "not a JPEG"),
        ("HTML", image(b"<script>alert(1)</script>"), 415, "not a JPEG"),
        ("a PNG's head", image(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), 415, "not a JPEG"),
        ("not a JPEG in a form", form(&[("frame", b"GIF89a")]), 415, "not a JPEG"),
        ("cut short", image(&half), 422, "cut short"),
        ("cut short in a form", form(&[("frame", &half)]), 422, "cut short"),
        ("only the start marker", image(&[0xff, 0xd8, 0xff]), 422, "cut short"),
        ("60000x60000 pixels", image(&claiming(60_000, 60_000)), 422, "60000x60000"),
        ("8193 pixels wide", image(&claiming(8193, 16)), 422, "8192"),
        ("no width", image(&claiming(0, 16)), 422, "frame"),
        ("nothing", image(b""), 422, "no data"),
        ("an empty field", form(&[("frame", b"")]), 422, "no data"),
        ("a form without the field", form(&[("picture", &jpeg)]), 422, "no field 'frame'"),
        ("a form without fields", form(&[]), 422, "no field 'frame'"),
        ("an empty form", (form_type.clone(), Vec::new()), 400, "closing boundary"),
        (
            "a form that breaks off",
            (form_type, good_form[..good_form.len() / 2].to_vec()),
            400,
            "closing boundary",
        ),
        ("a form without boundary", ("multipart/form-data".to_owned(), good_form.clone()), 400, "boundary"),
        (
            "an empty boundary",
            ("multipart/form-data; boundary=".to_owned(), good_form.clone()),
            400,
            "boundary",
        ),
        ("another boundary", ("multipart/form-data; boundary=other".to_owned(), good_form), 400, "boundary"),
        ("a long request without boundary", typed("multipart/x-mixed-replace"), 400, "boundary"),
        (
            "a long request of something else",
            ("multipart/x-mixed-replace; boundary=cam".to_owned(), jpeg.to_vec()),
            400,
            "boundary",
        ),
        (
            "a long request that breaks off",
            (LONG.to_owned(), part(&jpeg, true)[..2000].to_vec()),
            400,
            "middle of a part",
        ),
        (
            "a part with a wrong length",
            (LONG.to_owned(), b"--cam\r\nContent-Length: 5\r\n\r\nlonger than five\r\n--cam--".to_vec()),
            400,
            "Content-Length",
        ),
        (
            "a part with a senseless length",
            (LONG.to_owned(), b"--cam\r\nContent-Length: x\r\n\r\n".to_vec()),
            400,
            "Content-Length",
        ),
        (
            "a part with a head without end",
            (LONG.to_owned(), [&b"--cam\r\n"[..], &[b'x'; 20_000]].concat()),
            400,
            "headers",
        ),
        ("PNG by type", typed("image/png"), 415, "image/png"),
        ("JSON by type", typed("application/json"), 415, "application/json"),
        ("a form of the other kind", typed("application/x-www-form-urlencoded"), 415, "multipart/form-data"),
        ("a mixed multipart", typed("multipart/mixed; boundary=x"), 415, "multipart/mixed"),
        ("a type that is none", typed(";;;"), 415, "Content-Type"),
    ];
    for (what, (content_type, body), status, words) in cases {
        let request =
            bystander.server.request(Method::POST, "/publish/bad").header("content-type", content_type);
        let problem = answer(request.body(body)).await.problem(status);
        mentions(&problem, words);
        if status == 422 {
            assert_eq!(problem["errors"][0]["field"], "frame", "{what}");
        }
        bystander.goes_on(what).await;
    }
    let untyped = bystander.server.request(Method::POST, "/publish/bad").body(jpeg);
    mentions(&answer(untyped).await.problem(415), "Content-Type");
    assert_eq!(bystander.server.stream("bad").await, Value::Null, "nothing came of it");
    bystander.stop().await;
}

#[tokio::test]
async fn refused_frames_are_counted_by_what_was_wrong_with_them() {
    let server = Server::start(&[("streams.max_concurrent", "1")]).await;
    server.publish("cam", picture(1)).await.json();
    let jpeg = picture(1);
    for (reason, body) in [
        ("not_jpeg", b"nothing".to_vec()),
        ("cut_short", jpeg[..1000].to_vec()),
        ("too_large", vec![0; 10 * MB + 1]),
        ("full", jpeg.to_vec()),
    ] {
        let series = format!("onair_frames_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(server.metric(&series).await, Some(0.0));
        let name = if reason == "full" { "another" } else { "cam" };
        assert!(server.publish(name, body).await.status.as_u16() >= 400);
        assert_eq!(server.metric(&series).await, Some(1.0), "{reason}");
    }
    server.stop().await;
}

#[tokio::test]
async fn names_are_checked_before_anything_else_is_done_with_them() {
    let mut bystander = Bystander::start(&[]).await;
    let long = "x".repeat(65);
    for (name, status) in [
        ("a%2Fb", 422),
        ("..", 422),
        ("%2e%2e", 422),
        ("..%2f..%2fetc%2fpasswd", 422),
        (".", 422),
        ("cam%0a", 422),
        ("%0acam", 422),
        ("cam%00", 422),
        ("cam%20", 422),
        ("cam.jpg", 422),
        ("kamera-%C3%B6", 422),
        ("%E2%80%AEcam", 422),
        ("%", 422),
        ("cam%zz", 422),
        (&long, 422),
        ("program", 409),
        ("ws", 422),
        ("status", 422),
        ("hls", 422),
        ("audio", 422),
        ("%ff%fe", 400),
        ("a/b", 404),
        ("", 404),
    ] {
        let jpeg = picture(1);
        let length = format!("Content-Length: {}", jpeg.len());
        // Written by hand: a well-behaved client would tidy up the dots.
        let mut raw = Raw::connect(bystander.server.address()).await;
        let head = head(&format!("/publish/{name}"), &["Content-Type: image/jpeg", &length]);
        raw.send([head.as_bytes(), &jpeg].concat()).await;
        let problem = raw.answer().await.problem(status);
        if status == 422 {
            assert_eq!(problem["errors"][0]["field"], "name", "{name}");
        }
        for (method, path) in [
            ("GET", format!("/stream/{name}")),
            ("DELETE", format!("/api/streams/{name}")),
            ("GET", format!("/api/recordings/{name}/a.mp4")),
        ] {
            if ["/stream/status", "/stream/audio"].contains(&path.as_str()) {
                // Routes of their own: they say how the program is doing.
                continue;
            }
            let mut raw = Raw::connect(bystander.server.address()).await;
            raw.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            let problem = raw.answer().await;
            assert!(matches!(problem.status.as_u16(), 400 | 404 | 405 | 422), "{method} {path}: {problem:?}");
            problem.problem(problem.status.as_u16());
        }
        bystander.goes_on(name).await;
    }
    for name in ["a", "-", "_", "Camera-1_left", &long[1..]] {
        bystander.server.publish(name, picture(1)).await.json();
    }
    bystander.stop().await;
}

#[tokio::test]
async fn a_recording_is_asked_for_by_nothing_but_its_name() {
    let server = Server::start(&[]).await;
    std::fs::create_dir_all(server.folder().join("recordings/cam")).unwrap();
    std::fs::write(server.folder().join("recordings/secret.mp4"), "secret").unwrap();
    for file in [
        "..%2fsecret.mp4",
        "%2e%2e%2fsecret.mp4",
        "..",
        ".",
        "%2e%2e",
        "%2fetc%2fpasswd",
        "nothing.mp4",
        "a%00.mp4",
        "%ff.mp4",
        "cam_20260101_000000.mp4",
        "..%5csecret.mp4",
        "config.yaml",
    ] {
        for method in ["GET", "DELETE"] {
            let mut raw = Raw::connect(server.address()).await;
            raw.send(format!("{method} /api/recordings/cam/{file} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            let answer = raw.answer().await;
            assert!(matches!(answer.status.as_u16(), 400 | 404 | 422), "{method} {file}: {answer:?}");
            answer.problem(answer.status.as_u16());
        }
    }
    assert!(server.folder().join("recordings/secret.mp4").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_body_too_large_is_refused_at_once_and_its_sender_sees_why() {
    let mut bystander = Bystander::start(&[]).await;
    let address = bystander.server.address();
    let body = vec![0xff; 11 * MB];
    let length = format!("Content-Length: {}", body.len());
    let form_type = "Content-Type: multipart/form-data; boundary=XyZ";
    for content_type in ["Content-Type: image/jpeg", form_type] {
        // Who waits for the answer before sending gets it.
        let mut raw = Raw::connect(address).await;
        raw.send(head("/publish/big", &[content_type, &length])).await;
        mentions(&raw.answer().await.problem(413), "server.max_frame_size_mb");
        // Who sends on gets it too.
        raw.try_send(&body).await;
        drop(raw);

        // Who sends everything before it reads, as most programs do.
        let mut raw = Raw::connect(address).await;
        raw.send(head("/publish/big", &[content_type, &length])).await;
        assert!(raw.try_send(&body).await, "all of it is read");
        raw.answer().await.problem(413);
        // And the connection serves on.
        raw.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.status, 200);

        // Who asks first is told before it sends.
        let mut raw = Raw::connect(address).await;
        raw.send(head("/publish/big", &[content_type, &length, "Expect: 100-continue"])).await;
        raw.answer().await.problem(413);
        bystander.goes_on(content_type).await;

        // Without a length.
        let mut raw = Raw::connect(address).await;
        raw.send(head("/publish/big", &[content_type, "Transfer-Encoding: chunked"])).await;
        let mut chunks = JoinSet::new();
        let (mut pieces, megabyte) = (Vec::new(), vec![0xff; MB]);
        for _ in 0..11 {
            pieces.extend(format!("{MB:x}\r\n").bytes());
            pieces.extend(&megabyte);
            pieces.extend(b"\r\n");
        }
        pieces.extend(b"0\r\n\r\n");
        chunks.spawn(async move {
            assert!(raw.try_send(&pieces).await, "all of it is read");
            raw.answer().await
        });
        within(chunks.join_next()).await.unwrap().unwrap().problem(413);
        bystander.goes_on("a chunked body").await;
    }
    let long = bystander.server.request(Method::POST, "/publish/big").header("content-type", LONG);
    answer(long.body(part(&body, true))).await.problem(413);
    let endless = bystander.server.request(Method::POST, "/publish/big").header("content-type", LONG);
    answer(endless.body(part(&body, false))).await.problem(413);
    bystander.goes_on("a part too large").await;
    assert_eq!(bystander.server.stream("big").await, Value::Null);
    bystander.stop().await;
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_sends_everything_before_it_reads() {
    let server = Server::start(&[("auth.publish_keys", "*=secret")]).await;
    let cases = [
        ("no credentials", "/publish/cam", "Content-Type: image/jpeg", "X: y", 401),
        ("a wrong type", "/publish/cam", "Content-Type: image/png", "Authorization: Bearer secret", 415),
        ("a bad name", "/publish/cam.jpg", "Content-Type: image/jpeg", "Authorization: Bearer secret", 422),
        ("no such route", "/publish/a/b/c", "Content-Type: image/jpeg", "Authorization: Bearer secret", 404),
        ("a wrong method", "/stream/cam", "Content-Type: image/jpeg", "Authorization: Bearer secret", 405),
    ];
    let body = vec![0xff; 9 * MB];
    let length = format!("Content-Length: {}", body.len());
    for (what, path, content_type, authorization, status) in cases {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(head(path, &[content_type, authorization, &length])).await;
        assert!(raw.try_send(&body).await, "{what}: all of it is read");
        raw.answer().await.problem(status);
    }
    let junk = part(&[0; 1000], true).repeat(9000);
    let mut raw = Raw::connect(server.address()).await;
    let length = format!("Content-Length: {}", junk.len());
    let content_type = format!("Content-Type: {LONG}");
    raw.send(head("/publish/cam", &[&content_type, "Authorization: Bearer secret", &length])).await;
    assert!(raw.try_send(&junk).await, "a long publisher of junk: all of it is read");
    raw.answer().await.problem(415);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_does_not_get_whole_in_time_is_given_up() {
    let server = Server::start(&[]).await;
    let jpeg = picture(1);
    let length = format!("Content-Length: {}", jpeg.len());
    let long = format!("Content-Type: {LONG}");
    let whole = part(&jpeg, true);
    let cases: [(&str, [&str; 2], &[u8], u64); 4] = [
        ("image/jpeg", ["Content-Type: image/jpeg", &length], &jpeg, 10),
        (
            "a form",
            ["Content-Type: multipart/form-data; boundary=XyZ", &length],
            b"--XyZ\r\nContent-Disposition: form-data",
            10,
        ),
        ("a long request", [&long, "Transfer-Encoding: chunked"], &whole, 30),
        ("a silent one", [&long, "Transfer-Encoding: chunked"], b"", 300),
    ];
    for (what, headers, body, seconds) in cases {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(head("/publish/slow", &headers)).await;
        let chunked = headers[1].starts_with("Transfer");
        let start = tokio::time::Instant::now();
        // A byte a second, of what would take an hour.
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut bytes = body[..body.len().saturating_sub(1)].iter();
        let answered = loop {
            tokio::select! {
                answered = raw.read_answer() => break answered,
                _ = tick.tick() => {}
            }
            if let Some(byte) = bytes.next() {
                let piece = if chunked { [b"1\r\n", &[*byte][..], b"\r\n"].concat() } else { vec![*byte] };
                raw.try_send(piece).await;
            }
        };
        mentions(&answered.problem(408), "not whole");
        let took = start.elapsed();
        let most = Duration::from_secs(seconds) + Duration::from_secs(2);
        assert!((Duration::from_secs(seconds)..most).contains(&took), "{what}: after {took:?}");
        assert_eq!(server.stream("slow").await, Value::Null);
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_head_does_not_come_is_given_up() {
    let server = Server::start(&[]).await;
    let start = tokio::time::Instant::now();
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /health HTTP/1.1\r\nHo").await;
    raw.closed().await;
    assert!(start.elapsed() >= Duration::from_secs(9), "{:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_publisher_that_vanishes_leaves_nothing_behind() {
    let mut bystander = Bystander::start(&[]).await;
    let jpeg = picture(1);
    let long = format!("Content-Type: {LONG}");
    let connections = async |server: &Server| server.metric("onair_connections").await.unwrap();
    let before = connections(&bystander.server).await;
    for (what, headers) in [
        ("image/jpeg", ["Content-Type: image/jpeg", "Content-Length: 10000"]),
        ("a form", ["Content-Type: multipart/form-data; boundary=XyZ", "Content-Length: 10000"]),
        ("a long request", [&long, "Content-Length: 10000"]),
        ("a chunked body", ["Content-Type: image/jpeg", "Transfer-Encoding: chunked"]),
    ] {
        let mut raw = Raw::connect(bystander.server.address()).await;
        raw.send(head("/publish/gone", &headers)).await;
        raw.send(&jpeg[..500]).await;
        drop(raw);
        eventually("its connection is let go", async || connections(&bystander.server).await <= before).await;
        assert_eq!(bystander.server.stream("gone").await, Value::Null, "{what}");
        bystander.goes_on(what).await;
    }
    let mut websocket = Ws::open(&bystander.server.ws_url("/publish/gone/ws")).await;
    websocket.send(Message::binary(jpeg.slice(..500))).await;
    drop(websocket);
    bystander.goes_on("a WebSocket").await;
    bystander.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_connection_only() {
    let mut bystander = Bystander::start(&[]).await;
    let headers = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Much: more\r\n".repeat(500));
    let huge = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Huge: {}\r\n\r\n", "x".repeat(600_000));
    let cases: [(&str, &[u8]); 8] = [
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on"),
        ("zeroes", &[0; 4096]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("RTSP", b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("two lengths", b"POST /publish/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        ("a bad chunk", b"POST /publish/x HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ("500 headers", headers.as_bytes()),
        ("a huge header", huge.as_bytes()),
    ];
    for (what, bytes) in cases {
        let mut raw = Raw::connect(bystander.server.address()).await;
        raw.try_send(bytes).await;
        raw.finish().await;
        raw.closed().await;
        bystander.goes_on(what).await;
    }
    bystander.stop().await;
}

#[tokio::test]
async fn api_calls_that_make_no_sense_are_problems() {
    let mut bystander = Bystander::start(&[]).await;
    let server = &bystander.server;
    let switch = |body: &'static str| -> RequestBuilder {
        let request = server.request(Method::PUT, "/api/streams/bystander/recording");
        request.header("content-type", "application/json").body(body)
    };
    let config = |body: &'static str| -> RequestBuilder {
        server.request(Method::PUT, "/api/config").header("content-type", "application/json").body(body)
    };
    let big = "{\"x\":\"".to_owned() + &"x".repeat(2 * MB) + "\"}";
    let big = server.request(Method::PUT, "/api/config").header("content-type", "application/json").body(big);
    let untyped = server.request(Method::PUT, "/api/config").body("{}");
    let get = |path: &str| server.request(Method::GET, path);
    let cases: Vec<(&str, RequestBuilder, u16, &str)> = vec![
        ("no such route", get("/nothing/here"), 404, "/api/docs"),
        ("no such API route", get("/api/nothing"), 404, "/api/docs"),
        ("a path with markup", get("/%3Cscript%3E"), 404, "/api/docs"),
        ("a wrong method", server.request(Method::PATCH, "/api/streams/bystander"), 405, "PATCH"),
        ("a wrong method for publishing", get("/publish/bystander"), 405, "GET"),
        ("a wrong method for a page", server.request(Method::POST, "/"), 405, "POST"),
        ("no JSON", switch("{"), 400, "JSON"),
        ("empty JSON", switch(""), 400, "JSON"),
        ("a missing field", switch("{}"), 422, "enabled"),
        ("a wrong type", switch("{\"enabled\":\"yes\"}"), 422, "enabled"),
        ("an unknown field", switch("{\"enabled\":true,\"colour\":1}"), 422, "colour"),
        ("a list", switch("[]"), 422, "body"),
        ("settings that are a list", config("[]"), 422, "body"),
        ("JSON as text", untyped, 415, "application/json"),
        ("2 MB of JSON", big, 413, ""),
        ("an unknown parameter", get("/api/streams?colour=red"), 422, "colour"),
        ("a wrong parameter", get("/api/streams?limit=many"), 422, "limit"),
        ("a parameter of recordings", get("/api/recordings?colour=red"), 422, "colour"),
        ("no such stream", get("/api/streams/nobody"), 404, "nobody"),
        ("no such stream's figures", get("/api/streams/nobody/stats"), 404, "nobody"),
        ("deleting no such stream", server.request(Method::DELETE, "/api/streams/nobody"), 404, "nobody"),
        ("no upgrade", get("/ws"), 400, ""),
        ("no upgrade to publish", get("/publish/bystander/ws"), 400, ""),
    ];
    for (what, request, status, words) in cases {
        let answer = answer(request).await;
        mentions(&answer.problem(status), words);
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{what}");
    }
    bystander.goes_on("all of it").await;
    bystander.stop().await;
}

#[tokio::test]
async fn a_range_outside_the_file_is_refused_with_its_size() {
    let server = Server::start(&[]).await;
    let folder = server.folder().join("recordings/cam");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cam_20260101_000000.mp4"), [7; 1000]).unwrap();
    let ask = async |range: &str| -> Answer {
        let request = server.request(Method::GET, "/api/recordings/cam/cam_20260101_000000.mp4");
        answer(request.header("range", range)).await
    };
    for range in ["bytes=1000-", "bytes=2000-3000", "bytes=-0"] {
        let refused = ask(range).await;
        refused.problem(416);
        assert_eq!(refused.header("content-range"), "bytes */1000", "{range}");
    }
    for (range, content_range) in [
        ("bytes=0-99", "bytes 0-99/1000"),
        ("bytes=-100", "bytes 900-999/1000"),
        ("bytes=990-", "bytes 990-999/1000"),
        ("bytes=990-5000", "bytes 990-999/1000"),
    ] {
        let partial = ask(range).await;
        assert_eq!(
            (partial.status, partial.header("content-range")),
            (StatusCode::PARTIAL_CONTENT, content_range)
        );
        assert_eq!(partial.header("content-type"), "video/mp4");
    }
    server.stop().await;
}

/// Posts each picture, and looks at what came of it; nothing may break.
async fn survives(
    bystander: &mut Bystander,
    pictures: impl Iterator<Item = (String, Vec<u8>)>,
) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    for (i, (name, bytes)) in pictures.enumerate() {
        let server = &bystander.server;
        let said = server.publish("broken", bytes).await;
        if said.status == StatusCode::OK {
            taken += 1;
            assert_eq!(
                server.watch("broken").await.next().await.unwrap().headers["content-type"],
                "image/jpeg"
            );
            let snapshot = server.get("/api/streams/broken/snapshot.jpg?width=64").await;
            match snapshot.status.as_u16() {
                200 => assert_eq!(snapshot.header("content-type"), "image/jpeg", "{name}"),
                status => drop(snapshot.problem(status)),
            }
            assert!(snapshot.status != StatusCode::INTERNAL_SERVER_ERROR, "{name}: {snapshot:?}");
        } else {
            refused += 1;
            assert!(said.status.is_client_error(), "{name}: {said:?}");
            said.problem(said.status.as_u16());
        }
        if i % 16 == 0 {
            bystander.goes_on(&name).await;
        }
    }
    bystander.goes_on("all of them").await;
    (taken, refused)
}

#[tokio::test]
async fn broken_jpegs_are_refused_or_shown_as_well_as_they_go() {
    let mut bystander = Bystander::start(&[]).await;
    let jpeg = picture(1).to_vec();
    let cut = (0..24).map(|i| (format!("cut at {i}"), jpeg[..jpeg.len() * i / 24].to_vec()));
    let flipped = (0..200).map(|i| {
        let mut jpeg = jpeg.clone();
        // Two thirds of them in the head, where it hurts most.
        let at = if i % 3 == 0 { 2 + i * (jpeg.len() - 2) / 200 } else { 2 + i * 620 / 200 };
        jpeg[at] ^= 1 << (i % 8);
        (format!("bit {} of byte {at}", i % 8), jpeg)
    });
    let noise = (0..16_u32).map(|seed| {
        let mut state = seed + 1;
        let bytes = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        (
            format!("noise {seed}"),
            [0xff, 0xd8, 0xff, 0xe0].into_iter().chain(bytes.take(3000)).chain([0xff, 0xd9]).collect(),
        )
    });
    let all: Vec<(String, Vec<u8>)> = cut.chain(flipped).chain(noise).collect();
    let (taken, refused) = survives(&mut bystander, all.into_iter()).await;
    assert!(taken > 50 && refused > 50, "{taken} taken, {refused} refused");
    bystander.stop().await;
}

/// The collected broken JPEGs, where they are at hand: beside the repository, not in it.
fn collected() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media/corrupt");
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let jpegs = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("jpeg"));
    jpegs
        .flat_map(|folder| std::fs::read_dir(folder.path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

#[tokio::test]
async fn collected_broken_jpegs_are_refused_or_shown_as_well_as_they_go() {
    let mut bystander = Bystander::start(&[]).await;
    let files = collected();
    let all = files.iter().map(|file| (file.display().to_string(), std::fs::read(file).unwrap()));
    let (taken, refused) = survives(&mut bystander, all).await;
    assert_eq!(taken + refused, files.len());
    bystander.stop().await;
}

#[tokio::test]
async fn problems_of_json_calls_name_the_field() {
    let server = Server::start(&[]).await;
    let refused = server
        .put("/api/config", &json!({ "streams.timeout_seconds": -1, "server.port": 1, "nonsense": 1 }))
        .await;
    let problem = refused.problem(422);
    let mut fields: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["nonsense", "server.port", "streams.timeout_seconds"]);
    server.stop().await;
}
