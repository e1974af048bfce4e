//! The binary from its start to its end: told to stop, killed, started wrongly, asked how it is.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use reqwest::Client;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep_until};

use crate::harness::{Mjpeg, Process, answer, client, eventually, number, picture};
use crate::tools::{
    Program, Sent, Served, numbers, onair, pictures_of, probe, recording, recordings, sidecar,
    sooner_or_later,
};

/// Pushes pictures until the server is gone.
async fn push_while_there(client: &Client, url: &str, frames: &[Bytes], fps: f64) -> Vec<Sent> {
    let start = Instant::now();
    let mut sent = Vec::new();
    for (number, jpeg) in (0_u32..).zip(frames) {
        sleep_until(start + Duration::from_secs_f64(f64::from(number) / fps)).await;
        let at = Instant::now();
        let request = client.post(url).header("content-type", "image/jpeg").body(jpeg.clone());
        match request.send().await {
            Ok(answer) if answer.status() == 200 => sent.push(Sent { at, taken: Instant::now() }),
            Ok(_) | Err(_) => return sent,
        }
    }
    panic!("the server is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_recordings_play_to_the_last_second_and_the_next_start_completes_them() {
    const STREAMS: [&str; 3] = ["a", "b", "c"];
    for codec in ["h264", "mjpeg", "mp4v"] {
        let codec = format!("recording.codec={codec}");
        let server = Process::start(&["--set", &codec]).await;
        let (client, frames) = (client(), pictures_of(1000));
        let urls = STREAMS.map(|stream| server.url(&format!("/publish/{stream}")));
        let pushing = join_all(urls.iter().map(|url| push_while_there(&client, url, &frames, 20.0)));
        let killing = async {
            wait_for_fragments(&server.recordings().join(STREAMS[2])).await;
            (server.kill(), Instant::now())
        };
        let (sent, (folder, killed)) = join(pushing, killing).await;
        let recordings = folder.path().join("recordings");
        let mut before = Vec::new();
        for (stream, sent) in STREAMS.iter().zip(&sent) {
            let file = recording(&recordings, stream);
            let kept = numbers(&file).await;
            check_kept(&format!("{codec} {stream}"), &kept, sent, killed);
            assert_eq!(sidecar(&file)["end_time"], Value::Null, "it has not been finished");
            before.push(kept);
        }
        let server = Process::start_in(Arc::clone(&folder), &["--set", &codec]).await;
        for (stream, before) in STREAMS.iter().zip(before) {
            check_recovered(&format!("{codec} {stream}"), &recording(&recordings, stream), &before).await;
        }
        let list = answer(server.client.get(server.url("/api/recordings"))).await.json();
        let recovered = list["recordings"].as_array().unwrap().iter().all(|r| r["recovered"] == true);
        assert!(recovered && list["count"] == 3, "{list}");
    }
}

/// Waits until the file in that folder has grown a few times, so that there is something to lose.
async fn wait_for_fragments(folder: &Path) {
    let stream = folder.file_name().unwrap().to_str().unwrap();
    let (mut length, mut grown) = (0, 0);
    eventually("four fragments are written", async || {
        let file = recordings(folder.parent().unwrap(), stream).pop();
        let now = file.and_then(|file| std::fs::metadata(file).ok()).map_or(0, |meta| meta.len());
        grown += u32::from(now > length);
        length = now;
        // The head is the first.
        grown >= 5
    })
    .await;
}

/// What was pushed up to a second before the kill plays, from the first frame on.
fn check_kept(what: &str, kept: &[u32], sent: &[Sent], killed: Instant) {
    assert_eq!(kept, (0..u32::try_from(kept.len()).unwrap()).collect::<Vec<_>>(), "{what}");
    if let Some(lost) = sent.get(kept.len()) {
        let ago = killed - lost.at;
        assert!(ago <= Duration::from_secs(1), "{what}: a frame pushed {ago:?} before the kill is lost");
    }
}

async fn check_recovered(what: &str, file: &Path, before: &[u32]) {
    let (sidecar, told) = (sidecar(file), probe(file).await);
    assert_eq!((&sidecar["recovered"], &sidecar["reason"]), (&json!(true), &json!("crashed")), "{what}");
    assert_eq!(sidecar["total_frames"], told.frames, "{what}");
    assert_eq!(numbers(file).await, before, "{what}: recovery loses nothing that played before");
    assert!(
        (sidecar["duration_seconds"].as_f64().unwrap() - told.duration).abs() < 0.002,
        "{what}: {sidecar}"
    );
    let time = |field: &str| sidecar[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lasted = time("end_time").duration_since(time("start_time")).as_secs_f64();
    assert!((lasted - told.duration).abs() < 0.002, "{what}: {sidecar}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again_at_once_it_serves_on_the_same_ports() {
    let server = Process::start(&[]).await;
    let address = server.address("server.port");
    server.publish("cam", picture(1)).await.json();
    let mut viewer = Mjpeg::open(&server.client, &server.url("/stream/cam")).await;
    viewer.next().await.unwrap();
    let folder = server.kill();
    // The viewer's connection is still half open: that must not keep the port.
    let server = Process::start_in(folder, &["--set", &format!("server.port={}", address.port())]).await;
    assert_eq!(server.address("server.port"), address);
    server.publish("cam", picture(2)).await.json();
    drop(viewer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_it_ends_well_with_every_file_whole() {
    const COUNT: usize = 20;
    let mut server = Process::start(&["--set", "recording.codec=mjpeg"]).await;
    let (client, frames) = (client(), pictures_of(1000));
    let names: Vec<String> = (0..COUNT).map(|n| format!("cam-{n}")).collect();
    let taken: Vec<AtomicU64> = names.iter().map(|_| AtomicU64::new(0)).collect();
    let stopped = AtomicBool::new(false);
    let publish = async |name: &String, taken: &AtomicU64| {
        let url = server_url(server_address(&server), &format!("/publish/{name}"));
        for jpeg in &frames {
            let request = client.post(&url).header("content-type", "image/jpeg").body(jpeg.clone());
            match request.send().await {
                Ok(answer) if answer.status() == 200 => taken.fetch_add(1, Ordering::Relaxed),
                Ok(answer) => return assert_eq!(answer.status(), 503, "{name}"),
                Err(_) => return assert!(stopped.load(Ordering::Relaxed), "{name}: cut off before the stop"),
            };
        }
        panic!("{name} was never stopped");
    };
    let watch = async |name: &String, taken: &AtomicU64| {
        eventually("the stream is there", async || taken.load(Ordering::Relaxed) > 0).await;
        let url = server_url(server_address(&server), &format!("/stream/{name}"));
        let mut viewer = Mjpeg::open(&client, &url).await;
        let mut last = None;
        // That it ends as a body should is checked on the way.
        while let Some(shown) = viewer.next().await {
            let now = number(&shown.jpeg).expect("a number");
            assert!(last < Some(now), "{name}: {last:?} then {now}");
            last = Some(now);
        }
    };
    let publishing = join_all(names.iter().zip(&taken).map(|(name, taken)| publish(name, taken)));
    let watching = join_all(names.iter().zip(&taken).map(|(name, taken)| watch(name, taken)));
    let stopping = async {
        eventually("all publish", async || taken.iter().all(|taken| taken.load(Ordering::Relaxed) >= 10))
            .await;
        let viewers = server_url(server_address(&server), "/api/status");
        eventually("all watch", async || {
            answer(client.get(&viewers)).await.json()["stats"]["viewers"] == COUNT
        })
        .await;
        stopped.store(true, Ordering::Relaxed);
        rustix::process::kill_process(pid(&server), Signal::TERM).unwrap();
    };
    join(join(publishing, watching), stopping).await;
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{:?}", server.log().last());
    for (name, taken) in names.iter().zip(&taken) {
        let file = recording(&server.recordings(), name);
        let (kept, sidecar) = (numbers(&file).await, sidecar(&file));
        let taken = usize::try_from(taken.load(Ordering::Relaxed)).unwrap();
        // The last frame may have been taken and its answer lost.
        assert!((taken..=taken + 1).contains(&kept.len()), "{name}: {taken} taken, {} kept", kept.len());
        assert_eq!(kept, (0..u32::try_from(kept.len()).unwrap()).collect::<Vec<_>>(), "{name}");
        assert_eq!(
            (&sidecar["reason"], &sidecar["recovered"]),
            (&json!("shutdown"), &json!(false)),
            "{name}"
        );
        assert_eq!(sidecar["total_frames"], kept.len(), "{name}");
    }
}

fn server_address(server: &Process) -> SocketAddr {
    server.address("server.port")
}

fn server_url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

fn pid(server: &Process) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap()
}

/// Runs to its end in `folder`, which should be at once.
async fn run(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = onair();
    command.current_dir(folder).args(args).envs(environment.iter().copied());
    let ended = Program::start(&mut command).end().await;
    Output { status: ended.status, stdout: ended.out, stderr: ended.err.into_bytes() }
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stderr.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_port_in_use_is_one_line_that_names_its_setting() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for setting in ["port", "api_port", "ws_port", "metrics_port", "health_port", "rtmp_port"] {
        let mut args = vec!["serve".to_owned(), "--host".to_owned(), "127.0.0.1".to_owned()];
        for other in ["port", "api_port", "ws_port", "metrics_port", "health_port", "rtmp_port"] {
            let value = if other == setting { &port } else { "auto" };
            args.extend(["--set".to_owned(), format!("server.{other}={value}")]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = run(folder.path(), &args, &[]).await;
        assert_eq!(output.status.code(), Some(1));
        let told: Vec<String> =
            lines(&output).into_iter().filter(|line| line.starts_with("onair: ")).collect();
        let [line] = &told[..] else { panic!("{setting}: {told:?}") };
        let expected = format!("server.{setting}: can't listen on 127.0.0.1:{port}: the port is in use");
        assert!(line.contains(&expected), "{line}");
    }
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_told_at_once_one_a_line() {
    let folder = TempDir::new().unwrap();
    let config = "streams:\n  timeout_seconds: soon\nrecording:\n  codec: divx\n  colour: blue\nserver:\n  port: 70000\n";
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    std::fs::write(folder.path().join(".env"), "LOG_LEVEL=loud\n").unwrap();
    let args = ["serve", "--set", "limits.max_side=3", "--set", "recording.quality=99"];
    let output = run(folder.path(), &args, &[("MAX_CONCURRENT_STREAMS", "-1")]).await;
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    for (value, place) in [
        ("streams.timeout_seconds", "config.yaml:2"),
        ("recording.codec", "config.yaml:4"),
        ("colour", "config.yaml:5"),
        ("server.port", "config.yaml:7"),
        ("logging.level", "LOG_LEVEL"),
        ("streams.max_concurrent", "MAX_CONCURRENT_STREAMS"),
        ("limits.max_side", "command line"),
        ("recording.quality", "command line"),
    ] {
        let about: Vec<&String> = lines.iter().filter(|line| line.contains(value)).collect();
        let [line] = about[..] else { panic!("{value} in {lines:#?}") };
        assert!(line.starts_with("onair: ") && line.contains(place), "{line}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");
    assert!(
        !folder.path().join("recordings").exists() && !folder.path().join("logs").exists(),
        "nothing was begun"
    );
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    for (args, said) in [
        (&["serve", "--set", "nonsense"][..], "--set nonsense: write it as --set KEY=VALUE"),
        (&["serve", "--config", "not-there.yaml"], "not-there.yaml"),
        (&["serve", "--port", "http"], "server.port"),
        (&["serve", "--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let output = run(folder.path(), args, &[]).await;
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {:?}", output.status);
        let told = lines(&output).join("\n");
        assert!(told.contains(said) && !told.contains("panicked"), "{args:?}: {told}");
    }
}

#[tokio::test]
async fn help_says_what_there_is() {
    let folder = TempDir::new().unwrap();
    for (args, said) in [
        (&["--help"][..], &["serve", "publish", "demo", "doctor", "health"][..]),
        // -h is the host, as it always was.
        (
            &["serve", "--help"],
            &["-h, --host", "-p, --port", "-d, --debug", "--config", "--data-dir", "--set"],
        ),
        (
            &["publish", "--help"],
            &["--camera", "--test", "--server", "--stream", "--fps", "--quality", "--loop"],
        ),
        (&["help", "health"], &["--timeout"]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
    ] {
        let output = run(folder.path(), args, &[]).await;
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(said.iter().all(|said| told.contains(said)), "{args:?}: {told}");
        assert!(told.lines().all(|line| line.chars().count() <= 100), "{args:?}: {told}");
    }
    let host = run(folder.path(), &["serve", "-h", "not an address"], &[]).await;
    assert_eq!(host.status.code(), Some(1));
    assert!(lines(&host)[0].contains("server.host"), "{:?}", lines(&host));
}

#[tokio::test]
async fn doctor_looks_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ports = "api_port: 0\n  ws_port: 0\n  metrics_port: 0\n  health_port: 0\n  rtmp_port: 0";
    let config = |port: u16| {
        format!("server:\n  host: 127.0.0.1\n  port: {port}\n  {ports}\nlogging:\n  file: null\n")
    };
    let file = folder.path().join("config.yaml");
    for (text, code, said) in [
        (config(0), 0, "ok       libx264"),
        (config(port), 1, "missing  server.port"),
        ("recording:\n  codec: divx\n".to_owned(), 1, "missing  configuration"),
    ] {
        std::fs::write(&file, text).unwrap();
        let path = std::env::var("PATH").unwrap();
        let output = run(folder.path(), &["doctor"], &[("PATH", &path)]).await;
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(said) && !told.contains('\x1b'), "{told}");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config.yaml"]);
}

#[tokio::test]
async fn health_asks_a_server_and_tells_by_its_exit_code() {
    let server = Process::start(&["--set", "server.health_port=auto"]).await;
    let listens = "listening (server.health_port)";
    eventually("it says so", async || server.log().iter().any(|line| line["message"] == listens)).await;
    let address = server.address("server.health_port");
    let (folder, url) = (TempDir::new().unwrap(), format!("http://{address}/health"));
    let well = run(folder.path(), &["health", &url], &[]).await;
    assert_eq!(well.status.code(), Some(0));
    let told: Value = serde_json::from_str(&lines(&well).concat()).unwrap();
    assert_eq!(told["status"], "healthy");
    let wrong = run(folder.path(), &["health", &format!("http://{address}/nothing")], &[]).await;
    assert_eq!(wrong.status.code(), Some(1));
    drop(server);
    let away = run(folder.path(), &["health", &url], &[]).await;
    assert_eq!(away.status.code(), Some(1));
    assert_eq!(lines(&away).len(), 1, "{:?}", lines(&away));
    assert!(lines(&away)[0].starts_with("onair: the server does not answer"), "{:?}", lines(&away));
}

#[tokio::test]
async fn no_secret_reaches_a_log_or_a_terminal() {
    const SECRETS: [&str; 3] = ["tok-9f31c7", "key-52ab80", "wrong-77d0"];
    let [token, key, wrong] = SECRETS;
    let auth = format!("auth.token={token}");
    let keys = format!("auth.publish_keys=cam={key}");
    let args = ["--debug", "--set", &auth, "--set", &keys, "--set", "logging.file=logs/server.log"];
    let server = Served::start(Command::new("env"), &args).await;
    let client = client();
    let as_jpeg =
        |request: reqwest::RequestBuilder| request.header("content-type", "image/jpeg").body(picture(1));
    let url = |path: &str| server.url(path);
    for (request, status) in [
        (as_jpeg(client.post(url("/publish/cam")).bearer_auth(key)), 200),
        (as_jpeg(client.post(url(&format!("/publish/cam?token={key}")))), 200),
        (as_jpeg(client.post(url("/publish/cam")).bearer_auth(wrong)), 401),
        (as_jpeg(client.post(url(&format!("/publish/other?token={key}")))), 403),
        (client.get(url("/api/streams")).bearer_auth(token), 200),
        (client.get(url(&format!("/api/streams?token={token}"))), 200),
        (client.get(url(&format!("/api/streams?token={wrong}"))), 401),
        (client.get(url("/api/streams")).basic_auth(wrong, Some(token)), 401),
        (client.get(url(&format!("/nothing/here?token={token}"))), 404),
        (client.get(url(&format!("/api/streams/cam/snapshot.jpg?width=no&token={token}"))), 422),
        (client.delete(url(&format!("/api/streams/none?token={token}"))), 404),
        (client.get(url("/api/config")).bearer_auth(token), 200),
        (client.get(url("/metrics")).bearer_auth(token), 200),
    ] {
        let answer = answer(request).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(SECRETS.iter().all(|secret| !answer.text().contains(secret)), "{}", answer.text());
    }
    let watched = answer(client.get(url(&format!("/ws?token={token}")))).await;
    assert_eq!(watched.status, 400, "{}", watched.text());
    server.program.signal(Signal::TERM);
    let Served { program, folder, .. } = server;
    let ended = program.end().await;
    assert_eq!(ended.status.code(), Some(0));
    let logs = std::fs::read_dir(folder.path().join("logs"))
        .unwrap()
        .map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let mut texts: Vec<String> = logs.map(|log| String::from_utf8(log).unwrap()).collect();
    assert!(texts.concat().contains("path=\"/api/streams\""), "the requests are logged: {texts:?}");
    texts.extend([ended.err, String::from_utf8(ended.out).unwrap()]);
    for (text, secret) in texts.iter().flat_map(|text| SECRETS.map(|secret| (text, secret))) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // Nor what a mistake in it would quote.
    let bad = run(folder.path(), &["serve", "--set", &format!("auth.token={token} with a space")], &[]).await;
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        lines(&bad)[0].contains("auth.token is ***") && !lines(&bad).concat().contains(token),
        "{:?}",
        lines(&bad)
    );
}

#[tokio::test]
async fn the_demo_serves_two_moving_pictures_and_says_where() {
    let folder = TempDir::new().unwrap();
    let mut command = onair();
    command.current_dir(folder.path()).arg("demo").args([
        "--set",
        "server.host=127.0.0.1",
        "--set",
        "server.port=auto",
    ]);
    for off in ["api_port", "ws_port", "metrics_port", "health_port", "rtmp_port"] {
        command.args(["--set", &format!("server.{off}=0")]);
    }
    let program = Program::start(command.args(["--set", "recording.min_free_gb=0"]));
    let mut address = String::new();
    sooner_or_later("it says where to open it", async || {
        let said = program.said();
        let line = said.lines().find_map(|line| line.trim().strip_prefix("Open ").map(str::to_owned));
        address = line.unwrap_or_default();
        !address.is_empty()
    })
    .await;
    let client = client();
    for stream in ["test-bars", "test-court"] {
        let url = format!("{address}/api/streams/{stream}").replace("localhost", "127.0.0.1");
        sooner_or_later("it moves", async || {
            let answer = answer(client.get(&url)).await;
            answer.status == 200 && answer.json()["total_frames"].as_u64() >= Some(10)
        })
        .await;
        let mut viewer =
            Mjpeg::open(&client, &format!("{address}/stream/{stream}").replace("localhost", "127.0.0.1"))
                .await;
        let mut last = None;
        for _ in 0..3 {
            let now = number(&viewer.next().await.unwrap().jpeg);
            assert!(last < now, "{stream}");
            last = now;
        }
    }
    program.signal(Signal::INT);
    let ended = program.end().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    for stream in ["test-bars", "test-court"] {
        let file = recording(&folder.path().join("recordings"), stream);
        let seen = numbers(&file).await;
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]) && seen.len() >= 10, "{stream}: {seen:?}");
        assert_eq!(sidecar(&file)["reason"], "shutdown");
    }
}
