//! Inputs that are not HLS, pulled from the programs that people run: nginx with its RTMP module, FFmpeg as an SRT listener,
//! GStreamer's RTSP server. Each is started here, killed, and started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use onair::base::clock::Clock;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::follow::Twitch;
use crate::harness::number;
use crate::serve_cli::{Cli, command};
use crate::tools::{Program, lasting_port, pictures_of, repository, sooner_or_later, tool, video};

/// Pictures of the film that is broadcast, each with its number, ten a second.
const PICTURES: u64 = 50;

/// A minute of numbered pictures with a keyframe twice a second, and sound.
async fn film(folder: &Path) -> PathBuf {
    let options = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-tune", "zerolatency"];
    let turn = video(&pictures_of(PICTURES), 10, &[&options[..], &["-g", "5"]].concat(), ".mp4").await;
    let film = folder.join("film.mp4");
    let mut command = ffmpeg(&["-stream_loop", "11", "-i"]);
    command.arg(turn.path()).args(["-f", "lavfi", "-i", "sine=sample_rate=48000"]);
    command.args(["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-shortest"]);
    Program::start(command.arg(&film)).success().await;
    film
}

fn ffmpeg(args: &[&str]) -> Command {
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error"]).args(args);
    command
}

/// FFmpeg sends `film` at its pace, over and over.
fn send(film: &Path, format: &str, to: &str) -> Command {
    let mut command = ffmpeg(&["-re", "-stream_loop", "-1", "-i"]);
    command.arg(film).args(["-c", "copy", "-f", format, to]);
    command
}

/// nginx with these blocks beside `events`.
fn nginx(folder: &Path, blocks: &str) -> Command {
    const MODULES: &str = "/usr/lib/nginx/modules";
    let mut config = String::from("daemon off;\nmaster_process off;\nerror_log stderr;\n");
    for module in ["rtmp", "stream"] {
        let path = format!("{MODULES}/ngx_{module}_module.so");
        assert!(Path::new(&path).is_file(), "{path} is missing: run ./dev setup");
        config += &format!("load_module {path};\n");
    }
    config += &format!("pid {};\nevents {{}}\n{blocks}\n", folder.join("nginx.pid").display());
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
    // Debian keeps it where only root's path leads.
    let nginx = if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx".into() } else { tool("nginx") };
    let mut command = Command::new(nginx);
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    command
}

async fn listens(program: &mut Program, port: u16) {
    sooner_or_later("the server listens", async || {
        assert!(program.ended().is_none(), "it has ended: {}", program.said());
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
}

/// Programs that broadcast together, and where.
struct Peer {
    url: String,
    /// In the order of their start.
    parts: Vec<Part>,
    running: Vec<Program>,
}

/// How a program is started, and the TCP port that it opens, if it does.
type Part = (Box<dyn Fn() -> Command>, Option<u16>);

impl Peer {
    /// Starts what does not run.
    async fn up(&mut self) {
        for (command, port) in &self.parts[self.running.len()..] {
            let mut program = Program::start(&mut command());
            if let Some(port) = port {
                listens(&mut program, *port).await;
            }
            self.running.push(program);
        }
    }

    /// As a machine that fails does, all but the first `kept`.
    async fn kill(&mut self, kept: usize) {
        for program in self.running.drain(kept..).rev() {
            program.signal(Signal::KILL);
            program.end().await;
        }
    }
}

/// A server that follows the address as the operator wrote it down, and everything it says.
struct Watching {
    server: Cli,
    folder: TempDir,
    answers: String,
}

impl Watching {
    async fn start(list: &str, environment: &[(&str, &Path)]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("list.txt"), list).unwrap();
        let mut command = command(folder.path(), &["-f", "list.txt", "-i", "0.5", "-d"]);
        command.envs(environment.iter().copied());
        Self { server: Cli::run(command).await, folder, answers: String::new() }
    }

    async fn stream(&mut self, name: &str) -> Value {
        let answer = self.server.try_ask(Method::GET, &format!("/api/streams/{name}"), None).await;
        self.answers += &answer.text();
        answer.json()
    }

    /// Waits until the stream is in one of these states.
    async fn until(&mut self, name: &str, states: &[&str]) -> Value {
        let mut last = Value::Null;
        sooner_or_later(&format!("{name} is {states:?}"), async || {
            last = self.stream(name).await;
            states.iter().any(|state| last["state"] == *state)
        })
        .await;
        last
    }

    /// Waits for `count` more pictures of a broadcast that is as it should be.
    async fn sees(&mut self, name: &str, count: u64) {
        let captures = |stream: &Value| stream["successful_captures"].as_u64().unwrap();
        let before = captures(&self.until(name, &["online"]).await);
        let what = format!("{name} is captured {count} times");
        sooner_or_later(&what, async || captures(&self.stream(name).await) >= before + count).await;
        let stream = self.stream(name).await;
        assert_eq!((&stream["width"], &stream["height"]), (&json!(320), &json!(240)), "{stream}");
        let path = format!("/api/streams/{name}/snapshot.jpg");
        let picture = self.server.try_ask(Method::GET, &path, None).await;
        assert_eq!(picture.status, 200, "{}", picture.text());
        let shown = number(&picture.body).expect("the pictures carry their number");
        assert!(u64::from(shown) < PICTURES && shown.is_multiple_of(5), "{shown} is no keyframe's");
        let seen: jiff::Timestamp = picture.header("x-timestamp").parse().unwrap();
        let age = Clock::real().wall().0.duration_since(seen);
        assert!(age.as_secs().abs() < 10, "seen {age:?} ago");
    }

    /// What it has said in its log and its answers.
    async fn end(self) -> String {
        let Self { server, folder, answers } = self;
        let said = server.program.said() + &answers;
        server.stop().await;
        drop(folder);
        said
    }
}

/// Captured, lost with a reason, and captured again by itself.
async fn comes_goes_and_comes_back(mut peer: Peer) -> String {
    peer.up().await;
    let mut watching = Watching::start(&format!("{} cam\n", peer.url), &[]).await;
    watching.sees("cam", 3).await;
    // All of it, and where there are two the one that fills the server.
    for kept in 0..peer.parts.len() {
        peer.kill(kept).await;
        let lost = watching.until("cam", &["offline", "error"]).await;
        let reason = lost["last_error"].as_str().expect("there is a reason");
        assert!(!reason.is_empty(), "{lost}");
        peer.up().await;
        watching.sees("cam", 3).await;
        assert_eq!(watching.stream("cam").await["last_error"], Value::Null);
    }
    watching.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmp_from_nginx_is_captured_lost_and_found_again() {
    let folder = TempDir::new().unwrap();
    let (film, port) = (film(folder.path()).await, lasting_port());
    let url = format!("rtmp://localhost:{port}/live/secret-key");
    let block = format!("rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}");
    let (place, target) = (folder.path().to_owned(), url.clone());
    let said = comes_goes_and_comes_back(Peer {
        url,
        parts: vec![
            (Box::new(move || nginx(&place, &block)), Some(port)),
            (Box::new(move || send(&film, "flv", &target)), None),
        ],
        running: Vec::new(),
    })
    .await;
    assert!(!said.contains("secret-key"), "the key is shown: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srt_from_ffmpeg_is_captured_lost_and_found_again() {
    let folder = TempDir::new().unwrap();
    let (film, port) = (film(folder.path()).await, lasting_port());
    let passphrase = "open-says-me-1234";
    let url = format!("srt://127.0.0.1:{port}?passphrase={passphrase}");
    let listener = format!("{url}&mode=listener");
    let said = comes_goes_and_comes_back(Peer {
        url,
        parts: vec![(Box::new(move || send(&film, "mpegts", &listener)), None)],
        running: Vec::new(),
    })
    .await;
    assert!(!said.contains(passphrase), "the passphrase is shown: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtsp_from_gstreamer_is_captured_lost_and_found_again() {
    let folder = TempDir::new().unwrap();
    let (film, port) = (film(folder.path()).await, lasting_port());
    let shown = film.clone();
    let said = comes_goes_and_comes_back(Peer {
        url: format!("rtsp://viewer:open-says-me@127.0.0.1:{port}/camera"),
        parts: vec![(Box::new(move || rtsp_server(port, &shown)), Some(port))],
        running: Vec::new(),
    })
    .await;
    assert!(!said.contains("open-says-me"), "the password is shown: {said}");

    let mut camera = Program::start(&mut rtsp_server(port, &film));
    listens(&mut camera, port).await;
    let list = format!("rtsp://viewer:guess@127.0.0.1:{port}/camera cam\n");
    let mut watching = Watching::start(&list, &[]).await;
    let refused = watching.until("cam", &["error"]).await;
    assert!(refused["last_error"].as_str().unwrap().contains("401"), "{refused}");
    assert_eq!(refused["source"]["url"], format!("rtsp://***@127.0.0.1:{port}/camera"));
    let said = watching.end().await;
    assert!(!said.contains("guess"), "the password is shown: {said}");
}

fn rtsp_server(port: u16, film: &Path) -> Command {
    // Debian's own, which has the packages of `./dev`.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(repository().join("tests/it/samples/rtsp_server.py"));
    command.arg(port.to_string()).arg(film).args(["viewer", "open-says-me"]);
    command
}

/// An authority of our own, and certificates: `good`, `other` (for another name), `own` (signed by itself), `old` (of yesterday).
async fn certificates(folder: &Path) {
    let run = async |args: String| {
        let mut openssl = Command::new(tool("openssl"));
        openssl.current_dir(folder).args(args.split(' '));
        Program::start(&mut openssl).success().await;
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(format!("req -x509 {key} -days 2 -subj /CN=ours -keyout ours.key -out ours.pem")).await;
    for (name, host, signed, days) in [
        ("good", "localhost", true, 2),
        ("other", "elsewhere.example", true, 2),
        ("own", "localhost", false, 2),
        ("old", "localhost", true, -1),
    ] {
        let extensions =
            format!("-addext subjectAltName=DNS:{host} -addext basicConstraints=critical,CA:FALSE");
        run(format!("req -new {key} -subj /CN={host} {extensions} -keyout {name}.key -out {name}.csr")).await;
        let by =
            if signed { "-CA ours.pem -CAkey ours.key".to_owned() } else { format!("-signkey {name}.key") };
        run(format!("x509 -req -in {name}.csr {by} -days {days} -copy_extensions copyall -out {name}.pem"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_decide_over_https_and_rtmps_alike() {
    const CERTIFICATES: [(&str, &str); 4] =
        [("good", ""), ("other", "not valid for name"), ("own", "UnknownIssuer"), ("old", "Expired")];
    let (folder, twitch) = (TempDir::new().unwrap(), Twitch::start(1).await);
    let (film, rtmp) = (film(folder.path()).await, lasting_port());
    certificates(folder.path()).await;
    let (mut https, mut streams, mut list) = (String::new(), String::new(), String::new());
    for (name, _) in CERTIFICATES {
        let (web, live) = (lasting_port(), lasting_port());
        let path = |kind: &str| folder.path().join(format!("{name}.{kind}")).display().to_string();
        let pair = format!("ssl_certificate {}; ssl_certificate_key {};", path("pem"), path("key"));
        https += &format!(
            "server {{ listen 127.0.0.1:{web} ssl; {pair} location / {{ proxy_pass {}; proxy_buffering off; }} }}\n",
            twitch.url
        );
        streams +=
            &format!("server {{ listen 127.0.0.1:{live} ssl; {pair} proxy_pass 127.0.0.1:{rtmp}; }}\n");
        list += &format!("https://localhost:{web}/hls/sim_0001/master.m3u8 https_{name}\n");
        list += &format!("rtmps://localhost:{live}/live/key rtmps_{name}\n");
    }
    let blocks = format!(
        "http {{ access_log off;\n{https}}}\nstream {{\n{streams}}}\n\
         rtmp {{ server {{ listen 127.0.0.1:{rtmp}; application live {{ live on; }} }} }}"
    );
    let (place, target) = (folder.path().to_owned(), format!("rtmp://127.0.0.1:{rtmp}/live/key"));
    let mut peer = Peer {
        url: String::new(),
        parts: vec![
            (Box::new(move || nginx(&place, &blocks)), Some(rtmp)),
            (Box::new(move || send(&film, "flv", &target)), None),
        ],
        running: Vec::new(),
    };
    peer.up().await;

    let ours = folder.path().join("ours.pem");
    let mut trusting = Watching::start(&list, &[("SSL_CERT_FILE", &ours)]).await;
    let mut strange = Watching::start(&list, &[]).await;
    for (name, words) in CERTIFICATES {
        for scheme in ["https", "rtmps"] {
            let stream = format!("{scheme}_{name}");
            let stranger = strange.until(&stream, &["error"]).await;
            let reason = stranger["last_error"].as_str().unwrap();
            assert!(reason.contains("can't speak TLS with localhost"), "{stream}: {reason}");
            if words.is_empty() {
                trusting.until(&stream, &["online"]).await;
                continue;
            }
            let refused = trusting.until(&stream, &["error"]).await;
            let reason = refused["last_error"].as_str().unwrap();
            assert!(reason.contains("TLS with localhost") && reason.contains(words), "{stream}: {reason}");
            assert_eq!(refused["successful_captures"], 0, "{stream}");
        }
    }
    trusting.end().await;
    strange.end().await;
}
