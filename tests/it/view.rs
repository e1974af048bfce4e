//! Pictures out: MJPEG for any number of viewers, snapshots, and what a viewer must never do to others.

use std::time::Duration;

use onair::base::clock::Clock;
use pixels::{I420, Plane};
use reqwest::Method;
use serde_json::Value;
use turbojpeg::{Colorspace, Compressor, Image, PixelFormat, Subsamp};

use crate::harness::{Raw, Server, answer, decoded, eventually, jpeg, number, picture};

#[tokio::test]
async fn each_part_says_its_type_length_and_media_time() {
    let clock = Clock::simulated("2026-01-21T10:30:00.123Z".parse().unwrap());
    let server = Server::start_with(clock.clone(), &[]).await;
    server.publish("cam", picture(1)).await.json();
    let mut viewer = server.watch("cam").await;
    for (number, time) in
        (1..).zip(["2026-01-21T10:30:00.123Z", "2026-01-21T10:30:00.163Z", "2026-01-21T10:30:00.203Z"])
    {
        if number > 1 {
            clock.advance(Duration::from_millis(40));
            server.publish("cam", picture(number)).await.json();
        }
        let shown = viewer.next().await.unwrap();
        assert_eq!(shown.jpeg, picture(number));
        assert_eq!(shown.headers["content-type"], "image/jpeg");
        assert_eq!(shown.headers["content-length"], shown.jpeg.len().to_string());
        assert_eq!(shown.headers["x-timestamp"], time);
        assert_eq!(server.get("/api/streams/cam/snapshot.jpg").await.header("x-timestamp"), time);
        assert_eq!(server.stream("cam").await["last_frame_time"], time);
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_with_pictures_are_never_kept_by_caches_or_proxies() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    let response = server.request(Method::GET, "/stream/cam").send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("cache-control"), "no-store, no-transform");
    assert_eq!(header("x-accel-buffering"), "no");
    assert_eq!(server.get("/api/streams/cam/snapshot.jpg").await.header("cache-control"), "no-store");
    drop(response);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn fps_caps_what_a_viewer_gets() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(0)).await.json();
    for (fps, seconds) in [("1", 6), ("2.5", 4), ("10", 2)] {
        let mut viewer = server.watch(&format!("cam?fps={fps}")).await;
        let start = tokio::time::Instant::now();
        let end = start + Duration::from_secs(seconds);
        let publishing = async {
            let mut tick = tokio::time::interval(Duration::from_millis(25));
            while tokio::time::Instant::now() < end {
                tick.tick().await;
                server.publish("cam", picture(1)).await.json();
            }
        };
        let mut seen = 0.0;
        let watching = async {
            while tokio::time::Instant::now() < end {
                viewer.next().await.unwrap();
                seen += 1.0;
            }
        };
        tokio::join!(publishing, watching);
        let most = fps.parse::<f64>().unwrap() * end.duration_since(start).as_secs_f64();
        assert!((most * 0.9..=most + 2.0).contains(&seen), "{seen} frames in {seconds} s at {fps}");
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delete_ends_the_bodies_of_all_viewers_even_of_those_who_wait_for_their_next_turn() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    let (mut usual, mut slow) = (server.watch("cam").await, server.watch("cam?fps=0.01").await);
    for viewer in [&mut usual, &mut slow] {
        viewer.next().await.unwrap();
    }
    let deleted = tokio::time::Instant::now();
    server.delete("/api/streams/cam").await.json();
    assert!(usual.next().await.is_none());
    assert!(slow.next().await.is_none());
    assert!(deleted.elapsed() < Duration::from_secs(1), "at once, not after {:?}", deleted.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn snapshots_scale_in_proportion() {
    let server = Server::start(&[]).await;
    for (size, width, expected) in [
        ((640, 480), 160, (160, 120)),
        ((640, 480), 320, (320, 240)),
        ((641, 361), 100, (100, 56)),
        ((160, 400), 32, (32, 80)),
        ((320, 240), 640, (640, 480)),
        ((640, 480), 640, (640, 480)),
    ] {
        server.publish("cam", jpeg(size.0, size.1, 7)).await.json();
        let snapshot = server.get(&format!("/api/streams/cam/snapshot.jpg?width={width}")).await;
        assert_eq!(snapshot.header("content-type"), "image/jpeg");
        let small = decoded(&snapshot.body);
        assert_eq!((small.width, small.height), expected, "{size:?} at {width}");
        if width >= 160 {
            assert_eq!(number(&snapshot.body), Some(7), "it is the same picture");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn all_viewers_see_the_newest_frame() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(0)).await.json();
    let mut viewers = Vec::new();
    for _ in 0..40 {
        viewers.push(server.watch("cam").await);
    }
    for number in 1..=5 {
        server.publish("cam", picture(number)).await.json();
        for viewer in &mut viewers {
            viewer.until(&picture(number)).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn viewers_are_counted_exactly_through_connects_ends_and_aborts() {
    let server = Server::start(&[]).await;
    let count = async || server.stream("cam").await["viewer_count"].as_u64().unwrap();
    server.publish("cam", picture(1)).await.json();
    assert_eq!(count().await, 0);
    let mut viewers = Vec::new();
    for expected in 1..=5 {
        viewers.push(server.watch("cam").await);
        assert_eq!(count().await, expected);
    }
    let asked = answer(server.request(Method::HEAD, "/stream/cam")).await;
    assert_eq!((asked.status.as_u16(), asked.body.len()), (200, 0));
    eventually("who only asks is no viewer", async || count().await == 5).await;
    viewers.pop();
    eventually("one less", async || count().await == 4).await;
    let mut aborting = Raw::connect(server.address()).await;
    aborting.send("GET /stream/cam HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("one more", async || count().await == 5).await;
    drop(aborting);
    eventually("one less", async || count().await == 4).await;
    assert_eq!(server.get("/api/status").await.json()["stats"]["viewers"], 4);
    drop(viewers);
    eventually("none left", async || count().await == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_viewer_who_never_reads_harms_nobody() {
    let server = Server::start(&[("streams.max_buffer_frames", "10000")]).await;
    let big = jpeg(1280, 960, 1);
    server.publish("cam", big.clone()).await.json();
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(server.address()).await;
        raw.send("GET /stream/cam HTTP/1.1\r\nHost: x\r\n\r\n").await;
        stuck.push(raw);
    }
    let viewers = async || server.stream("cam").await["viewer_count"].clone();
    eventually("all watch", async || viewers().await == 3).await;
    let mut viewer = server.watch("cam").await;
    viewer.next().await.unwrap();
    // Far more than the sockets' buffers hold.
    let mut sent = 0;
    while sent < 24 << 20 {
        server.publish("cam", big.clone()).await.json();
        sent += big.len();
        assert_eq!(viewer.next().await.unwrap().jpeg, big, "who reads misses nothing");
    }
    let held = server.metric("onair_memory_frames_bytes").await.unwrap();
    assert!(held <= f64::from(8 << 20), "{held} bytes of frames are kept");
    assert_eq!(viewers().await, 4, "they are still connected");
    drop(stuck);
    eventually("they are gone", async || viewers().await == 1).await;
    let newest = picture(2);
    server.publish("cam", newest.clone()).await.json();
    assert_eq!(viewer.next().await.unwrap().jpeg, newest);
    server.stop().await;
}

#[tokio::test]
async fn a_slow_viewer_gets_the_newest_frame_and_what_it_missed_is_counted() {
    let server = Server::start(&[]).await;
    let big = jpeg(1280, 960, 1);
    server.publish("cam", big.clone()).await.json();
    let mut slow = server.watch("cam").await;
    let mut sent = 0;
    while sent < 16 << 20 {
        server.publish("cam", big.clone()).await.json();
        sent += big.len();
    }
    let newest = picture(2);
    server.publish("cam", newest.clone()).await.json();
    slow.until(&newest).await;
    let skipped = server.metric("onair_viewer_frames_skipped_total{stream=\"cam\"}").await.unwrap();
    let frames = server.stream("cam").await["total_frames"].as_f64().unwrap();
    let delivered = server.metric("onair_viewer_frames_total{stream=\"cam\"}").await.unwrap();
    assert!(skipped > 0.0);
    assert_eq!(skipped + delivered, frames, "each frame was handed over or counted");
    server.stop().await;
}

#[tokio::test]
async fn what_slow_viewers_among_many_are_shown_is_whole() {
    let server = Server::start(&[]).await;
    let (one, other) = (jpeg(1280, 960, 1), jpeg(1280, 960, 2));
    server.publish("cam", one.clone()).await.json();
    let mut slow = Vec::new();
    for _ in 0..12 {
        slow.push(server.watch("cam").await);
    }
    let mut sent = 0;
    while sent < 16 << 20 {
        for jpeg in [&one, &other] {
            server.publish("cam", jpeg.clone()).await.json();
            sent += jpeg.len();
        }
    }
    let newest = picture(3);
    server.publish("cam", newest.clone()).await.json();
    for viewer in &mut slow {
        loop {
            let shown = viewer.next().await.unwrap().jpeg;
            if shown == newest {
                break;
            }
            assert!(shown == one || shown == other, "frames never run into each other");
        }
    }
    server.delete("/api/streams/cam").await.json();
    for viewer in &mut slow {
        assert!(viewer.next().await.is_none(), "the answer ends well");
    }
    server.stop().await;
}

/// A picture with the upper left quarter white and the rest black, coded as `coding` says.
fn quarter(
    width: usize,
    height: usize,
    subsamp: Subsamp,
    progressive: bool,
    space: Option<Colorspace>,
) -> Vec<u8> {
    let cmyk = matches!(space, Some(Colorspace::CMYK | Colorspace::YCCK));
    let format = if cmyk { PixelFormat::CMYK } else { PixelFormat::RGB };
    let white = |x, y| x < width / 2 && y < height / 2;
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            vec![if white(x, y) { 255 } else { 0 }; if cmyk { 3 } else { format.size() }]
                .into_iter()
                .chain(cmyk.then_some(255))
        })
        .collect();
    let mut library = Compressor::new().unwrap();
    library.set_quality(90).unwrap();
    library.set_subsamp(subsamp).unwrap();
    library.set_progressive(progressive).unwrap();
    if let Some(space) = space {
        library.set_colorspace(space).unwrap();
    }
    let pitch = width * format.size();
    library.compress_to_vec(Image { pixels: pixels.as_slice(), width, pitch, height, format }).unwrap()
}

/// With a segment put in right behind the start of the image.
fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, payload, &jpeg[2..]].concat()
}

fn rotated(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let directory = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
    with_segment(jpeg, 0xe1, &[b"Exif\0\0MM\0\x2a\0\0\0\x08".as_slice(), &directory].concat())
}

/// Without its Huffman tables, as Motion JPEG cameras send it.
fn avi1(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (jpeg[..2].to_vec(), 2);
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xc4 {
            out.extend(&jpeg[at..end]);
        }
        at = end;
    }
    out.extend(&jpeg[at..]);
    with_segment(&out, 0xe0, b"AVI1\0\0\0\0\0\0\0\0\0\0")
}

/// Which quarters are white: upper left, upper right, lower left, lower right.
fn white_quarters(picture: &I420) -> [bool; 4] {
    let at = |x: u32, y: u32| luma(&picture.y, x * picture.width / 4, y * picture.height / 4) > 128;
    [at(1, 1), at(3, 1), at(1, 3), at(3, 3)]
}

fn luma(plane: &Plane, x: u32, y: u32) -> u8 {
    plane.row(y)[x as usize]
}

const UPPER_LEFT: [bool; 4] = [true, false, false, false];
const UPPER_RIGHT: [bool; 4] = [false, true, false, false];
const LOWER_LEFT: [bool; 4] = [false, false, true, false];
const LOWER_RIGHT: [bool; 4] = [false, false, false, true];

#[expect(clippy::type_complexity, reason = "a table of cases")]
#[tokio::test]
async fn jpegs_of_every_kind_are_served_unchanged_and_scaled_upright() {
    let server = Server::start(&[]).await;
    let usual = quarter(96, 64, Subsamp::Sub2x2, false, None);
    let colours = |space| Some(space);
    let cases: Vec<(&str, Vec<u8>, (u64, u64), [bool; 4])> = vec![
        ("4:2:0", usual.clone(), (96, 64), UPPER_LEFT),
        ("4:2:2", quarter(96, 64, Subsamp::Sub2x1, false, None), (96, 64), UPPER_LEFT),
        ("4:4:4", quarter(96, 64, Subsamp::None, false, None), (96, 64), UPPER_LEFT),
        ("4:4:0", quarter(96, 64, Subsamp::Sub1x2, false, None), (96, 64), UPPER_LEFT),
        ("grey", quarter(96, 64, Subsamp::Gray, false, None), (96, 64), UPPER_LEFT),
        ("progressive", quarter(96, 64, Subsamp::Sub2x2, true, None), (96, 64), UPPER_LEFT),
        ("RGB", quarter(96, 64, Subsamp::None, false, colours(Colorspace::RGB)), (96, 64), UPPER_LEFT),
        ("CMYK", quarter(96, 64, Subsamp::None, false, colours(Colorspace::CMYK)), (96, 64), UPPER_LEFT),
        ("YCCK", quarter(96, 64, Subsamp::None, false, colours(Colorspace::YCCK)), (96, 64), UPPER_LEFT),
        ("odd sizes", quarter(97, 63, Subsamp::Sub2x2, false, None), (97, 63), UPPER_LEFT),
        ("mirrored", rotated(&usual, 2), (96, 64), UPPER_RIGHT),
        ("upside down", rotated(&usual, 3), (96, 64), LOWER_RIGHT),
        ("flipped", rotated(&usual, 4), (96, 64), LOWER_LEFT),
        ("transposed", rotated(&usual, 5), (64, 96), UPPER_LEFT),
        ("turned right", rotated(&usual, 6), (64, 96), UPPER_RIGHT),
        ("transverse", rotated(&usual, 7), (64, 96), LOWER_RIGHT),
        ("turned left", rotated(&usual, 8), (64, 96), LOWER_LEFT),
    ];
    for (kind, jpeg, (width, height), white) in cases {
        server.publish("cam", jpeg.clone()).await.json();
        assert_eq!(server.watch("cam").await.next().await.unwrap().jpeg, jpeg, "{kind}");
        assert_eq!(server.get("/api/streams/cam/snapshot.jpg").await.body, jpeg, "{kind}");
        let stream = server.stream("cam").await;
        assert_eq!(
            (stream["width"].as_u64(), stream["height"].as_u64()),
            (Some(width), Some(height)),
            "{kind}"
        );
        let small = decoded(&server.get("/api/streams/cam/snapshot.jpg?width=32").await.body);
        assert_eq!((u64::from(small.width), u64::from(small.height)), (32, 32 * height / width), "{kind}");
        assert_eq!(white_quarters(&small), white, "{kind}");
    }
    server.stop().await;
}

#[tokio::test]
async fn motion_jpeg_without_huffman_tables_gets_them_and_is_shown() {
    let server = Server::start(&[]).await;
    let whole = quarter(96, 64, Subsamp::Sub2x1, false, None);
    let bare = avi1(&whole);
    assert!(bare.len() + 400 < whole.len(), "its tables are gone");
    server.publish("cam", bare.clone()).await.json();
    let shown = server.watch("cam").await.next().await.unwrap().jpeg;
    assert!(shown.len() >= bare.len() + 400, "it has tables");
    // A decoder that knows nothing of AVI1.
    let pixels = turbojpeg::decompress(&shown, PixelFormat::GRAY).unwrap();
    assert!(pixels.pixels[16 * pixels.pitch + 16] > 200);
    assert_eq!(decoded(&shown), decoded(&whole));
    server.stop().await;
}

#[tokio::test]
async fn what_follows_the_end_of_a_jpeg_is_cut_off() {
    let server = Server::start(&[]).await;
    let jpeg = picture(1);
    server.publish("cam", [&jpeg[..], &[0; 1000], b"--frame\r\n"].concat()).await.json();
    assert_eq!(server.watch("cam").await.next().await.unwrap().jpeg, jpeg);
    server.stop().await;
}

#[tokio::test]
async fn a_silent_stream_turns_idle_and_is_removed_after_its_timeout() {
    let clock = Clock::simulated("2026-01-21T10:30:00Z".parse().unwrap());
    let server = Server::start_with(clock.clone(), &[("streams.timeout_seconds", "60")]).await;
    for name in ["silent", "lively"] {
        server.publish(name, picture(1)).await.json();
    }
    let mut viewer = server.watch("silent").await;
    viewer.next().await.unwrap();
    for (seconds, state, removed) in
        [(4, "online", false), (1, "idle", false), (54, "idle", false), (1, "", true)]
    {
        clock.advance(Duration::from_secs(seconds));
        server.publish("lively", picture(2)).await.json();
        assert_eq!(
            server.stream("silent").await["state"].as_str().unwrap_or_default(),
            if removed { "idle" } else { state }
        );
        let done = server.post("/api/cleanup").await.json();
        let names = if removed { vec!["silent"] } else { vec![] };
        assert_eq!(done["removed_streams"], Value::from(names), "after {seconds} s more");
    }
    assert!(viewer.next().await.is_none(), "its viewers are let go");
    assert_eq!(server.stream("silent").await, Value::Null);
    assert_eq!(server.stream("lively").await["state"], "online");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn inactive_streams_are_looked_for_every_cleanup_interval() {
    let clock = Clock::simulated("2026-01-21T10:30:00Z".parse().unwrap());
    let settings = [("streams.timeout_seconds", "1"), ("cleanup.interval_seconds", "30")];
    let server = Server::start_with(clock.clone(), &settings).await;
    server.publish("cam", picture(1)).await.json();
    clock.advance(Duration::from_secs(2));
    assert_ne!(server.stream("cam").await, Value::Null, "nobody has looked yet");
    tokio::time::advance(Duration::from_secs(31)).await;
    eventually("it is removed", async || server.stream("cam").await.is_null()).await;
    server.stop().await;
}

#[tokio::test]
async fn viewing_refuses_what_it_does_not_understand() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    for (path, status, field) in [
        ("/stream/nobody", 404, ""),
        ("/api/streams/nobody/snapshot.jpg", 404, ""),
        ("/stream/cam?fps=0", 422, "fps"),
        ("/stream/cam?fps=-1", 422, "fps"),
        ("/stream/cam?fps=NaN", 422, "fps"),
        ("/stream/cam?fps=inf", 422, "fps"),
        ("/stream/cam?fps=1000", 422, "fps"),
        ("/stream/cam?fps=fast", 422, "query"),
        ("/stream/cam?speed=2", 422, "query"),
        ("/stream/cam?fps=1&fps=2", 422, "query"),
        ("/api/streams/cam/snapshot.jpg?width=0", 422, "width"),
        ("/api/streams/cam/snapshot.jpg?width=15", 422, "width"),
        ("/api/streams/cam/snapshot.jpg?width=8193", 422, "width"),
        ("/api/streams/cam/snapshot.jpg?width=-5", 422, "query"),
        ("/api/streams/cam/snapshot.jpg?width=99999999999", 422, "query"),
        ("/api/streams/cam/snapshot.jpg?height=5", 422, "query"),
    ] {
        let problem = server.get(path).await.problem(status);
        if status == 422 {
            assert_eq!(problem["errors"][0]["field"], field, "{path}: {problem}");
        }
    }
    assert_eq!(server.get("/api/streams/cam/snapshot.jpg?t=1").await.status, 200);
    server.stop().await;
}
