//! Playlists, videos and files that are not Twitch's, followed by the puller alone; served by the stand-in, or by a server of a
//! few lines.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use onair::base::clock::Clock;
use onair::base::tasks::Tasks;
use onair::egress::{Client, Policy, Trust};
use onair::sources::{Captured, Cause, FailureKind, Puller, Quality, SegmentKind, Shared, Target, twitch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::pull_twitch::Outside;

const DEADLINE: Duration = Duration::from_secs(60);

/// Paths and what is answered there: status line and headers, and the body.
pub(crate) type Files = BTreeMap<String, (String, Vec<u8>)>;

/// Serves `files`, with ranges; gives its address.
pub(crate) async fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let files = Arc::new(files);
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(connection(socket, Arc::clone(&files)));
        }
    });
    address
}

async fn connection(mut socket: TcpStream, files: Arc<Files>) {
    let mut pending = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let Ok(read @ 1..) = socket.read(&mut buffer).await else { return };
        pending.extend_from_slice(&buffer[..read]);
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(pending.drain(..end + 4).collect()).unwrap();
            if socket.write_all(&answer(&head, &files)).await.is_err() {
                return;
            }
        }
    }
}

fn answer(head: &str, files: &Files) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap();
    let Some((headers, body)) = files.get(path) else {
        return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
    };
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let range = range.and_then(|range| range.split_once('-'));
    let mut out = match range {
        Some((start, last)) if headers.starts_with("HTTP/1.1 200") => {
            let start: usize = start.parse().unwrap();
            let end = last.parse().map_or(body.len(), |last: usize| (last + 1).min(body.len()));
            if start >= end {
                return b"HTTP/1.1 416 No\r\ncontent-length: 0\r\n\r\n".to_vec();
            }
            let length = end - start;
            let place = format!("bytes {start}-{}/{}", end - 1, body.len());
            let head =
                format!("HTTP/1.1 206 Partial\r\ncontent-range: {place}\r\ncontent-length: {length}\r\n\r\n");
            let mut out = head.into_bytes();
            out.extend_from_slice(&body[start..end]);
            return out;
        }
        _ => format!("{headers}content-length: {}\r\n\r\n", body.len()).into_bytes(),
    };
    out.extend_from_slice(body);
    out
}

pub(crate) fn file(kind: &str, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n"), body.into())
}

pub(crate) fn shared(clock: &Clock, policy: Policy) -> Shared {
    let nowhere: url::Url = "http://127.0.0.1:9/".parse().unwrap();
    let twitch = twitch::Settings {
        gql_url: nowhere.clone(),
        usher_url: nowhere,
        client_id: String::new(),
        token_hash: String::new(),
    };
    Shared::new(Client::new(policy, clock.clone()), clock.clone(), Tasks::default(), twitch)
}

pub(crate) fn clock() -> Clock {
    Clock::simulated("2026-10-01T00:00:00Z".parse().unwrap())
}

pub(crate) fn puller(shared: &Arc<Shared>, target: &str, trust: Trust) -> Puller {
    let target = Target::parse("url", target, trust).unwrap();
    Puller::new(target, trust, Arc::clone(shared), Quality::default())
}

fn size(captured: &Captured) -> (u32, u32) {
    (captured.keyframe.width, captured.keyframe.height)
}

/// Media shared between checkouts of the project; a newcomer's has none.
fn shared_media(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(path);
    path.exists().then_some(path)
}

fn folder(path: &Path) -> Files {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| format!("/{}", path.file_name().unwrap().to_string_lossy());
    entries
        .map(|path| (name(&path), file("application/octet-stream", std::fs::read(&path).unwrap())))
        .collect()
}

#[tokio::test]
async fn plain_playlists_of_both_containers_are_followed() {
    let outside = Outside::new(|_| {}).await;
    for list in ["master.m3u8", "cmaf.m3u8"] {
        let mut puller = outside.puller(&format!("{}/hls/sim_0001/{list}", outside.address));
        for _ in 0..4 {
            let captured = puller.capture(DEADLINE).await.unwrap();
            let (newest, _) = outside.world.newest("sim_0001").unwrap();
            assert_eq!(captured.segment.as_ref().unwrap().sequence, newest, "{list}");
            assert_eq!(
                Some(crate::pull_twitch::number(&captured)),
                outside.world.number_at("sim_0001", newest)
            );
            outside.clock.advance(Duration::from_secs(3));
        }
        let wrong = puller.segments().find(|segment| segment.kind == SegmentKind::Gap);
        assert_eq!(wrong, None);
    }
}

#[tokio::test]
async fn a_stranger_s_playlist_reaches_nothing_inside() {
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:1/a.ts\n#EXTINF:2,\nhttp://127.0.0.1:1/b.ts\n";
    let address = serve(BTreeMap::from([("/live.m3u8".to_owned(), file("", list))])).await;
    let clock = clock();
    let shared = Arc::new(shared(&clock, Policy::default()));
    for (trust, cause) in [(Trust::Operator, Cause::Refused), (Trust::Outside, Cause::Refused)] {
        let mut puller = puller(&shared, &format!("{address}/live.m3u8"), trust);
        let failure = puller.capture(DEADLINE).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Error(cause), "{failure}");
        assert!(failure.reason.contains("127.0.0.1 is a loopback address"), "{failure}");
    }
}

#[tokio::test]
async fn what_an_address_leads_to_is_a_state() {
    let page = file("text/html", "<!doctype html><p>hello");
    let address = serve(BTreeMap::from([
        ("/page".to_owned(), page.clone()),
        ("/page.m3u8".to_owned(), page),
        ("/bad.m3u8".to_owned(), file("application/vnd.apple.mpegurl", "nonsense")),
        ("/empty".to_owned(), file("", "")),
    ]))
    .await;
    let clock = clock();
    let mut shared = shared(&clock, Policy::default());
    shared.streamlink = PathBuf::from("/nowhere/streamlink");
    let shared = Arc::new(shared);
    for (path, kind, words) in [
        ("/page", FailureKind::Error(Cause::Streamlink), "install streamlink"),
        ("/page.m3u8", FailureKind::Error(Cause::Resolve), "web page where a playlist"),
        ("/bad.m3u8", FailureKind::Error(Cause::Playlist), "not a playlist"),
        ("/missing", FailureKind::Offline, "404"),
    ] {
        let mut puller = puller(&shared, &format!("{address}{path}"), Trust::Operator);
        let failure = puller.capture(DEADLINE).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{path}: {failure}");
        assert!(failure.reason.contains(words), "{path}: {failure}");
    }
    let mut nobody = puller(&shared, "http://127.0.0.1:1/live.m3u8", Trust::Operator);
    let failure = nobody.capture(DEADLINE).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Error(Cause::Connect), "{failure}");
}

#[tokio::test]
async fn streamlink_is_asked_about_pages_and_its_answer_is_a_stranger_s() {
    let address = serve(BTreeMap::from([("/watch".to_owned(), file("text/html", "<p>video"))])).await;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("streamlink");
    let noted = folder.path().join("arguments");
    let script =
        format!("#!/bin/sh\nprintf '%s ' \"$@\" >{}\necho http://127.0.0.1:1/found.m3u8\n", noted.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let clock = clock();
    let mut shared = shared(&clock, Policy::default());
    shared.streamlink = program;
    let shared = Arc::new(shared);
    let mut puller = puller(&shared, &format!("{address}/watch"), Trust::Operator);
    let failure = puller.capture(DEADLINE).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Error(Cause::Refused), "{failure}");
    let arguments = std::fs::read_to_string(noted).unwrap();
    assert_eq!(arguments, format!("--stream-url -- {address}/watch best "));
}

/// A short film with a keyframe a second, in `container`.
fn film(folder: &Path, container: &str) -> PathBuf {
    let path = folder.join(format!("film.{container}"));
    let made = std::process::Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x180:rate=10:duration=5",
            "-c:v",
            "libx264",
        ])
        .args([
            "-preset",
            "ultrafast",
            "-g",
            "10",
            "-keyint_min",
            "10",
            "-sc_threshold",
            "0",
            "-pix_fmt",
            "yuv420p",
        ])
        .arg(&path)
        .status()
        .expect("ffmpeg is there: ./dev setup installs it");
    assert!(made.success());
    path
}

/// Captures `count` times, the clock going on a second each time a film waits for it.
async fn watch(clock: &Clock, puller: &mut Puller, count: usize) -> Vec<Captured> {
    let mut taken = Vec::new();
    while taken.len() < count {
        match puller.capture(Duration::from_millis(1500)).await {
            Ok(captured) => taken.push(captured),
            Err(failure) => assert_eq!(failure.kind, FailureKind::Error(Cause::Timeout), "{failure}"),
        }
        clock.advance(Duration::from_secs(1));
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_videos_play_in_their_own_time_over_and_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mp4, mkv) = (film(folder.path(), "mp4"), film(folder.path(), "mkv"));
    let address =
        serve(BTreeMap::from([("/film.mp4".to_owned(), file("video/mp4", std::fs::read(&mp4).unwrap()))]))
            .await;
    let clock = clock();
    let shared = Arc::new(shared(&clock, Policy::default()));
    let mut kept = None;
    for target in
        [mp4.to_str().unwrap().to_owned(), mkv.to_str().unwrap().to_owned(), format!("{address}/film.mp4")]
    {
        let mut puller = puller(&shared, &target, Trust::Operator);
        let taken = watch(&clock, &mut puller, 7).await;
        assert!(taken.iter().all(|captured| size(captured) == (320, 180)), "{target}");
        let times: Vec<_> = taken.iter().map(|captured| captured.media_time.0.as_millisecond()).collect();
        assert!(times.windows(2).all(|two| two[1] >= two[0] + 900), "{target}: {times:?}");
        kept = Some(puller);
    }
    assert!(shared.tasks.stop(Duration::from_secs(20)).await, "pullers leave no thread, dropped or not");
    drop(kept);
}

#[tokio::test]
async fn a_file_that_is_none_is_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "no video at all").unwrap();
    let clock = clock();
    let shared = Arc::new(shared(&clock, Policy::default()));
    for path in [text, folder.path().join("missing.mp4")] {
        let mut puller = puller(&shared, path.to_str().unwrap(), Trust::Operator);
        let failure = puller.capture(DEADLINE).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Error(Cause::Input), "{failure}");
    }
}

#[tokio::test]
async fn real_playlists_are_played_from_their_start() {
    let (Some(bipbop), Some(google)) =
        (shared_media("hls/bipbop_overflow_720p"), shared_media("hls/google_io_720p_mp3"))
    else {
        return;
    };
    let clock = clock();
    let shared = Arc::new(shared(&clock, Policy::default()));
    for (path, list, captures) in [(bipbop, "media.m3u8", 1), (google, "index.m3u8", 8)] {
        let address = serve(folder(&path)).await;
        let mut puller = puller(&shared, &format!("{address}/{list}"), Trust::Operator);
        let (mut sequences, mut tries) = (Vec::new(), 0);
        while sequences.len() < captures {
            tries += 1;
            assert!(tries < 40, "{list}: {sequences:?}");
            match puller.capture(DEADLINE).await {
                Ok(captured) => {
                    let mut picture = pixels::I420::new(2, 2, pixels::Range::Limited, pixels::Matrix::Bt601);
                    media::decode::decode(&captured.keyframe, &mut picture).unwrap();
                    assert_eq!((picture.width, picture.height), size(&captured));
                    assert_eq!(size(&captured), (1280, 720), "{list}");
                    sequences.push(captured.segment.unwrap().sequence);
                }
                Err(failure) => assert_eq!(failure.kind, FailureKind::Unchanged, "{list}: {failure}"),
            }
            clock.advance(Duration::from_secs(2));
        }
        let expected: Vec<_> = (0..captures as u64).collect();
        assert_eq!(sequences, expected, "{list}");
    }
}

#[tokio::test]
async fn real_playlists_of_twitch_are_read_right() {
    let Some(folder) = shared_media("twitch") else { return };
    let clock = clock();
    // What is known of the segments is enough: their addresses are made to lead to where nobody may go.
    for (list, kinds, host) in [
        ("live_media_2023.m3u8", "f f f f f f f f f f f f f f f p", "video-edge-foo.bar.abs.hls.ttvnw.net"),
        ("live_media_fmp4_2026_trimmed.m3u8", "f f p", "7325bab210ad.j.cloudfront.hls.ttvnw.net"),
        ("live_media_midroll_2026_shortened.m3u8", "f f a a", "ads.example"),
    ] {
        let text = std::fs::read_to_string(folder.join(list)).unwrap();
        let text = text.replace("https://", "http://127.0.0.1:1/");
        let address = serve(BTreeMap::from([("/live.m3u8".to_owned(), file("", text))])).await;
        let shared = Arc::new(shared(&clock, Policy::default()));
        let mut puller = puller(&shared, &format!("{address}/live.m3u8"), Trust::Operator);
        let failure = puller.capture(Duration::from_secs(5)).await.unwrap_err();
        let ads = kinds.ends_with('a');
        let kind = if ads { FailureKind::Ad } else { FailureKind::Error(Cause::Refused) };
        assert_eq!(failure.kind, kind, "{list}: {failure}");
        let known: Vec<_> = puller
            .segments()
            .map(|segment| match segment.kind {
                SegmentKind::Full => "f",
                SegmentKind::Suspect => "s",
                SegmentKind::Partial => "p",
                SegmentKind::Ad => "a",
                SegmentKind::Gap => "g",
            })
            .collect();
        assert_eq!(known.join(" "), kinds, "{list}");
        let last = puller.segments().last().unwrap();
        assert!(last.url.starts_with(&format!("http://127.0.0.1:1/{host}/")), "{list}");
    }
}
