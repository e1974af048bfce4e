//! Frames in: whatever carries a JPEG, the same bytes come out.

use std::net::IpAddr;
use std::time::Duration;

use onair::base::clock::Clock;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{
    Answer, LONG, Raw, Server, Ws, answer, client_from, eventually, form, long_body, part, picture, within,
};

fn post(server: &Server, name: &str, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = server.request(Method::POST, &format!("/publish/{name}"));
    request.header("content-type", content_type).body(body)
}

async fn shows(server: &Server, name: &str, jpeg: &[u8], how: &str) {
    let mut viewer = server.watch(name).await;
    assert_eq!(viewer.next().await.unwrap().jpeg, jpeg, "the view of {how}");
    let snapshot = server.get(&format!("/api/streams/{name}/snapshot.jpg")).await;
    assert_eq!((snapshot.status.as_u16(), snapshot.header("content-type")), (200, "image/jpeg"), "{how}");
    assert_eq!(snapshot.body, jpeg, "the snapshot of {how}");
}

#[tokio::test]
async fn one_post_brings_its_bytes_to_viewers_and_snapshots_however_it_is_wrapped() {
    let server = Server::start(&[]).await;
    let jpeg = picture(1);
    let frame = ("frame", &jpeg[..]);
    let plain = |content_type: &str| (content_type.to_owned(), jpeg.to_vec());
    let with_length = [
        b"--XyZ\r\nContent-Disposition: form-data; name=frame\r\nContent-Type: image/jpeg\r\nContent-Length: ".to_vec(),
        format!("{}\r\n\r\n", jpeg.len()).into_bytes(),
        jpeg.to_vec(),
        b"\r\n--XyZ--\r\n".to_vec(),
    ]
    .concat();
    let cases = [
        ("a form", form(&[frame])),
        ("a form with fields before", form(&[("camera", b"left"), ("note", b""), frame])),
        ("a form with fields after", form(&[frame, ("camera", b"left"), ("frame", b"a second one")])),
        ("a form part with its length", ("multipart/form-data; boundary=\"XyZ\"".to_owned(), with_length)),
        ("image/jpeg", plain("image/jpeg")),
        ("an upper-case type", plain("IMAGE/JPEG")),
        ("a type with a parameter", plain("image/jpeg; quality=85")),
        ("image/jpg", plain("image/jpg")),
        ("application/octet-stream", plain("application/octet-stream")),
    ];
    for (i, (how, (content_type, body))) in cases.into_iter().enumerate() {
        for (name, request) in [
            (format!("cam{i}"), post(&server, &format!("cam{i}"), &content_type, body.clone())),
            (format!("chunked{i}"), chunked(&server, &format!("chunked{i}"), &content_type, &body)),
        ] {
            let said = answer(request).await.json();
            assert_eq!(said, json!({"status": "success", "stream": name, "frame_size": jpeg.len()}), "{how}");
            shows(&server, &name, &jpeg, how).await;
        }
    }
    server.stop().await;
}

/// The same without a Content-Length, in pieces.
fn chunked(server: &Server, name: &str, content_type: &str, body: &[u8]) -> RequestBuilder {
    let pieces: Vec<_> = body.chunks(997).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    post(server, name, content_type, reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)))
}

#[tokio::test]
async fn a_long_request_brings_every_frame_whatever_the_size_of_its_pieces() {
    let server = Server::start(&[]).await;
    let frames: Vec<_> = (1..=3).map(picture).collect();
    for with_length in [true, false] {
        for ending in ["--cam--\r\n", "--cam--", "--cam\r\n"] {
            let body = [
                frames.iter().flat_map(|jpeg| part(jpeg, with_length)).collect(),
                ending.as_bytes().to_vec(),
            ]
            .concat();
            for size in [61, 1000, 4096, body.len()] {
                let name = format!("long_{with_length}_{}_{size}", ending.trim_end().len());
                let how = format!("{name} in pieces of {size}");
                let pieces: Vec<_> =
                    body.chunks(size).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
                let pieces = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
                let said = answer(post(&server, &name, LONG, pieces)).await.json();
                let size = frames[2].len();
                assert_eq!(said["frames"], 3, "{how}");
                assert_eq!((&said["refused"], &said["frame_size"]), (&json!(0), &json!(size)), "{how}");
                shows(&server, &name, &frames[2], &how).await;
                assert_eq!(server.stream(&name).await["total_frames"], 3, "{how}");
                server.delete(&format!("/api/streams/{name}")).await.json();
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_long_publisher_is_seen_frame_by_frame_while_its_request_is_open() {
    let server = Server::start(&[]).await;
    let (pieces, body) = long_body();
    let mut requests = JoinSet::new();
    requests.spawn(answer(post(&server, "cam", LONG, body)));
    let first = picture(1);
    pieces.send(part(&first, true)).await.unwrap();
    eventually("the stream is there", async || !server.stream("cam").await.is_null()).await;
    let mut viewer = server.watch("cam").await;
    assert_eq!(viewer.next().await.unwrap().jpeg, first);
    for number in 2..20 {
        let jpeg = picture(number);
        pieces.send(part(&jpeg, true)).await.unwrap();
        assert_eq!(viewer.next().await.unwrap().jpeg, jpeg, "without waiting for the next one");
    }
    drop(pieces);
    let said = within(requests.join_next()).await.unwrap().unwrap().json();
    assert_eq!(said["frames"], 19);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_publisher_may_be_as_slow_as_the_stream_timeout_allows() {
    let server = Server::start(&[("streams.timeout_seconds", "300")]).await;
    let (pieces, body) = long_body();
    let mut requests = JoinSet::new();
    let request = post(&server, "cam", LONG, body);
    requests.spawn(async { request.send().await.unwrap().json::<Value>().await.unwrap() });
    for number in 1..5 {
        let whole = part(&picture(number), true);
        // The line end after the picture comes in a piece of its own, as it does from many a camera.
        let (jpeg, line_end) = whole.split_at(whole.len() - 2);
        pieces.send(jpeg.to_vec()).await.unwrap();
        pieces.send(line_end.to_vec()).await.unwrap();
        eventually("it is taken", async || server.stream("cam").await["total_frames"] == number).await;
        tokio::time::advance(Duration::from_secs(100)).await;
    }
    drop(pieces);
    assert_eq!(requests.join_next().await.unwrap().unwrap()["frames"], 4);
    server.stop().await;
}

#[tokio::test]
async fn a_long_publisher_is_forgiven_a_few_bad_frames_and_sent_away_for_ten_in_a_row() {
    let server = Server::start(&[]).await;
    let good = picture(1);
    let bad = part(b"no jpeg at all", true);
    let body =
        [part(&good, true), bad.repeat(9), part(&good, true), bad.repeat(9), b"--cam--".to_vec()].concat();
    let said = answer(post(&server, "cam", LONG, body)).await.json();
    assert_eq!((&said["frames"], &said["refused"]), (&json!(2), &json!(18)));
    let away = answer(post(&server, "cam", LONG, [part(&good, true), bad.repeat(10)].concat())).await;
    away.problem(415);
    assert_eq!(server.stream("cam").await["total_frames"], 3);
    server.stop().await;
}

#[tokio::test]
async fn each_binary_message_of_a_websocket_is_a_frame() {
    let server = Server::start(&[]).await;
    let mut publisher = Ws::open(&server.ws_url("/publish/cam/ws")).await;
    publisher.send(Message::binary(picture(1))).await;
    eventually("the stream is there", async || !server.stream("cam").await.is_null()).await;
    let mut viewer = server.watch("cam").await;
    viewer.next().await.unwrap();
    for number in 2..10 {
        let jpeg = picture(number);
        publisher.send(Message::binary(jpeg.clone())).await;
        assert_eq!(viewer.next().await.unwrap().jpeg, jpeg);
    }
    publisher.send(Message::binary("no jpeg at all")).await;
    let refusal = publisher.next().await;
    assert_eq!(refusal["status"], 415, "{refusal}");
    let jpeg = picture(10);
    publisher.send(Message::binary(jpeg.clone())).await;
    shows(&server, "cam", &viewer.next().await.unwrap().jpeg, "a frame after a refused one").await;
    for _ in 0..10 {
        publisher.send(Message::binary("no jpeg at all")).await;
    }
    let farewell = publisher.close_frame().await.expect("a reason");
    assert_eq!(u16::from(farewell.code), 1008, "{farewell:?}");
    let mut publisher = Ws::open(&server.ws_url("/publish/cam/ws")).await;
    publisher.send("text").await;
    assert_eq!(u16::from(publisher.close_frame().await.expect("a reason").code), 1003);
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_frame_over_the_limit_closes_with_the_reason() {
    let server = Server::start(&[("server.max_frame_size_mb", "0.01")]).await;
    let mut publisher = Ws::open(&server.ws_url("/publish/cam/ws")).await;
    publisher.send(Message::binary(vec![0; 20_000])).await;
    let farewell = publisher.close_frame().await.expect("a reason");
    assert_eq!(u16::from(farewell.code), 1009, "{farewell:?}");
    server.stop().await;
}

#[tokio::test]
async fn two_publishers_of_one_name_alternate_and_are_counted() {
    let clock = Clock::simulated("2026-01-21T10:30:00Z".parse().unwrap());
    let server = Server::start_with(clock.clone(), &[]).await;
    let other = client_from(IpAddr::from([127, 0, 0, 2]));
    let from_other = async |number| -> Answer {
        let request = other.post(server.url("/publish/cam")).header("content-type", "image/jpeg");
        answer(request.body(picture(number))).await
    };
    let mut websocket = Ws::open(&server.ws_url("/publish/cam/ws")).await;
    server.publish("cam", picture(1)).await.json();
    assert_eq!(server.stream("cam").await["publishers"], 1);
    from_other(2).await.json();
    shows(&server, "cam", &picture(2), "the second publisher").await;
    server.publish("cam", picture(3)).await.json();
    shows(&server, "cam", &picture(3), "the first publisher").await;
    assert_eq!(server.stream("cam").await["publishers"], 2);
    websocket.send(Message::binary(picture(4))).await;
    eventually("all are counted", async || server.stream("cam").await["publishers"] == 3).await;
    clock.advance(Duration::from_secs(5));
    server.publish("cam", picture(5)).await.json();
    assert_eq!(server.stream("cam").await["publishers"], 1, "those not heard of are forgotten");
    server.stop().await;
}

#[tokio::test]
async fn a_push_after_a_delete_starts_a_new_stream() {
    let server = Server::start(&[]).await;
    let (pieces, body) = long_body();
    let mut requests = JoinSet::new();
    requests.spawn(answer(post(&server, "cam", LONG, body)));
    for number in 1..=3 {
        pieces.send(part(&picture(number), true)).await.unwrap();
    }
    eventually("frames came", async || server.stream("cam").await["total_frames"] == 3).await;
    let before = server.stream("cam").await["created_at"].clone();
    assert_eq!(server.delete("/api/streams/cam").await.json()["message"], "Stream 'cam' deleted");
    assert_eq!(server.stream("cam").await, Value::Null);
    pieces.send(part(&picture(4), true)).await.unwrap();
    eventually("it is there again", async || !server.stream("cam").await.is_null()).await;
    let after = server.stream("cam").await;
    assert_eq!(after["total_frames"], 1);
    assert_ne!(after["created_at"], before);
    shows(&server, "cam", &picture(4), "the new stream").await;
    drop(pieces);
    assert_eq!(within(requests.join_next()).await.unwrap().unwrap().json()["frames"], 4);
    server.stop().await;
}

#[tokio::test]
async fn pushes_pipelined_on_one_connection_are_all_taken_in_order() {
    let server = Server::start(&[]).await;
    let mut raw = Raw::connect(server.address()).await;
    for number in 1..=5 {
        let jpeg = picture(number);
        let head = format!(
            "POST /publish/cam HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            jpeg.len()
        );
        raw.send([head.as_bytes(), &jpeg].concat()).await;
    }
    for _ in 1..=5 {
        assert_eq!(raw.answer().await.json()["status"], "success");
    }
    shows(&server, "cam", &picture(5), "the last of them").await;
    assert_eq!(server.stream("cam").await["total_frames"], 5);
    server.stop().await;
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_no_reason_to_refuse_a_picture() {
    let server = Server::start(&[]).await;
    for time in
        ["2026-01-21T10:30:00.123Z", "2026-01-21T11:30:00+01:00", "yesterday", "", "9999999999999999999"]
    {
        let request = post(&server, "cam", "image/jpeg", picture(1)).header("x-timestamp", time);
        assert_eq!(answer(request).await.json()["status"], "success", "{time}");
    }
    server.stop().await;
}
