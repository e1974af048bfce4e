//! `onair serve` by its command line: every option as the first program had it, the streams file, SIGHUP.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::follow::Twitch;
use crate::harness::{Answer, answer, client, eventually};
use crate::redis::Redis;
use crate::tools::{Program, listening, onair, sooner_or_later};

/// Nobody is there: what is followed is never online.
const NOBODY: [&str; 2] =
    ["capture.twitch.gql_url=http://127.0.0.1:9/gql", "capture.twitch.usher_url=http://127.0.0.1:9"];

/// The binary, serving in a folder.
pub(crate) struct Cli {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Cli {
    /// With just these options; ports but the main one are off, by the file.
    pub(crate) async fn start(folder: &Path, args: &[&str]) -> Self {
        Self::run(command(folder, args)).await
    }

    pub(crate) async fn run(mut command: Command) -> Self {
        let mut program = Program::start(&mut command);
        let address = program.listens().await;
        Self { program, address, client: client() }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.try_ask(method, path, body).await.json()
    }

    pub(crate) async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        answer(request).await
    }

    /// One figure of `/metrics` by its whole name, labels included.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.try_ask(Method::GET, "/metrics", None).await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series}")).parse().expect("a number")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    /// What is followed, in order.
    async fn followed(&self) -> Vec<String> {
        let list = self.get("/api/streams?kind=pull").await;
        let mut names: Vec<String> =
            list["streams"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().into()).collect();
        names.sort();
        names
    }

    pub(crate) async fn follows(&self, names: &[&str]) {
        eventually(&format!("it follows {names:?}"), async || self.followed().await == names).await;
    }

    /// How often the log says so.
    pub(crate) fn said(&self, what: &str) -> usize {
        self.program.said().matches(what).count()
    }

    /// Has the streams file read again, and waits until it has been.
    async fn hang_up(&self, answered_by: &str) {
        let before = self.said(answered_by);
        self.program.signal(Signal::HUP);
        eventually("the file is read again", async || self.said(answered_by) > before).await;
    }

    pub(crate) async fn stop(self) {
        self.program.signal(Signal::TERM);
        let ended = self.program.end().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    }
}

const FOLLOWING: &str = "following the streams file";
const KEPT: &str = "the streams file is not followed anew";

/// `onair serve` with these options, on a free port and nothing else, with no environment.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let ports =
        "host: 127.0.0.1, port: auto, api_port: 0, ws_port: 0, metrics_port: 0, health_port: 0, rtmp_port: 0";
    std::fs::write(folder.join("config.yaml"), format!("server: {{{ports}}}\nlogging: {{file: null}}\n"))
        .unwrap();
    let mut command = onair();
    command.current_dir(folder).arg("serve");
    for set in NOBODY {
        command.args(["--set", set]);
    }
    command.args(args);
    command
}

/// The value of a setting, which must come from the command line.
fn given(config: &Value, key: &str) -> Value {
    let setting =
        config["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    assert_eq!(setting["origin"], "command line", "{key}");
    setting["value"].clone()
}

#[tokio::test]
async fn every_option_does_what_it_did_by_its_short_name_and_its_long_one() {
    let short = ["-h", "-p", "-i", "-m", "-q", "-f", "-d"];
    let long =
        ["--host", "--port", "--interval", "--max-concurrent", "--quality", "--streams-file", "--debug"];
    for [host, port, interval, concurrent, quality, file, debug] in [short, long] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("streamers.txt"), "# Popular\ngorgc\n\nDendi\n").unwrap();
        let free =
            std::net::TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port().to_string();
        let args = [
            host,
            "127.0.0.2",
            port,
            &free,
            interval,
            "7.5",
            concurrent,
            "12",
            quality,
            "480p",
            file,
            "streamers.txt",
            debug,
        ];
        let server = Cli::start(folder.path(), &args).await;
        assert_eq!(server.address.to_string(), format!("127.0.0.2:{free}"));
        server.follows(&["dendi", "gorgc"]).await;
        let config = server.get("/api/config").await;
        for (key, value) in [
            ("server.host", json!("127.0.0.2")),
            ("server.port", json!(free.parse::<u16>().unwrap())),
            ("capture.interval", json!(7.5)),
            ("capture.max_concurrent", json!(12)),
            ("capture.quality", json!("480p")),
            ("capture.streams_file", json!("streamers.txt")),
            ("server.debug", json!(true)),
        ] {
            assert_eq!(given(&config, key), value, "{key}");
        }
        let status = server.get("/api/status").await;
        let told = &status["config"];
        assert_eq!(
            told,
            &json!({"capture_interval": 7.5, "max_concurrent": 12, "quality": "480p", "total_streams": 2})
        );
        eventually("debugging is logged", async || server.said("DEBUG") > 0).await;
        server.stop().await;
    }
}

/// What it says when it doesn't start.
async fn refused(folder: &Path, args: &[&str]) -> Vec<String> {
    let ended = Program::start(&mut command(folder, args)).end().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    ended.err.lines().filter_map(|line| line.strip_prefix("onair: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn wrong_values_are_refused_by_name_a_line_each() {
    let folder = TempDir::new().unwrap();
    for (wrong, right, key) in [
        ("nowhere", "127.0.0.1", "server.host"),
        ("70000", "auto", "server.port"),
        ("0", "0.1", "capture.interval"),
        ("soon", "86400", "capture.interval"),
        ("0", "1", "capture.max_concurrent"),
        ("1.5", "10000", "capture.max_concurrent"),
        ("sharp", "best", "capture.quality"),
    ] {
        let option = match key {
            "server.host" => "-h",
            "server.port" => "-p",
            "capture.interval" => "-i",
            "capture.max_concurrent" => "-m",
            _ => "-q",
        };
        let lines = refused(folder.path(), &[option, wrong]).await;
        let [line] = &lines[..] else { panic!("{option} {wrong}: {lines:#?}") };
        assert!(line.contains(key) && line.contains(wrong) && line.contains("command line"), "{line}");
        Cli::start(folder.path(), &[option, right]).await.stop().await;
    }
    let all = ["-h", "x", "-p", "x", "-i", "x", "-m", "x", "-q", "x"];
    let lines = refused(folder.path(), &all).await;
    assert_eq!(lines.len(), 5, "{lines:#?}");
}

#[tokio::test]
async fn a_streams_file_that_cannot_be_read_stops_the_start_and_bad_lines_are_told_and_passed_over() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("noise.txt"), [0xff, 0xfe, 0, 1]).unwrap();
    for file in ["no-such-file.txt", "noise.txt", ".", "/dev/null"] {
        let lines = refused(folder.path(), &["-f", file]).await;
        let [line] = &lines[..] else { panic!("{file}: {lines:#?}") };
        assert!(line.contains(&format!("streams file {file}")), "{line}");
    }
    std::fs::write(folder.path().join("some.txt"), "gorgc\nno-such login!\n\ndendi\ngorgc\nstatus\n")
        .unwrap();
    let server = Cli::start(folder.path(), &["-f", "some.txt"]).await;
    server.follows(&["dendi", "gorgc"]).await;
    for line in [2, 5, 6] {
        assert_eq!(server.said(&format!("some.txt:{line}: ")), 1, "{}", server.program.said());
    }
    assert_eq!(server.said("some.txt:"), 3);
    server.stop().await;
}

#[tokio::test]
async fn a_hangup_adds_and_removes_what_is_the_files_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("streamers.txt");
    let write = |names: &[&str]| std::fs::write(&list, names.join("\n")).unwrap();
    write(&["a", "b"]);
    let server = Cli::start(folder.path(), &["-f", "streamers.txt"]).await;
    server.follows(&["a", "b"]).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "own", "priority": 2}))).await;
    server.ask(Method::PUT, "/api/streams/b/priority", Some(json!({"priority": 1}))).await;

    write(&["b", "c", "own"]);
    server.hang_up(FOLLOWING).await;
    server.follows(&["b", "c", "own"]).await;
    for (name, priority) in [("b", 1), ("c", 5), ("own", 2)] {
        assert_eq!(server.get(&format!("/api/streams/{name}")).await["priority"], priority, "{name}");
    }
    // Added over the API: it does not end with its line.
    write(&["b", "c"]);
    server.hang_up(FOLLOWING).await;
    server.follows(&["b", "c", "own"]).await;

    // Twice, and the second finds another file.
    write(&["c", "d"]);
    server.program.signal(Signal::HUP);
    write(&["d", "e"]);
    server.program.signal(Signal::HUP);
    server.follows(&["d", "e", "own"]).await;

    std::fs::remove_file(&list).unwrap();
    server.hang_up(KEPT).await;
    // The second of the two hangups may have found it gone as well.
    assert!(server.said("streamers.txt can't be read") >= 1, "{}", server.program.said());
    assert_eq!(server.followed().await, ["d", "e", "own"]);
    std::fs::write(&list, "# nobody for now\n").unwrap();
    server.hang_up(FOLLOWING).await;
    server.follows(&["own"]).await;
    write(&["d", "e"]);
    server.hang_up(FOLLOWING).await;
    server.follows(&["d", "e", "own"]).await;

    // Deleted, and still in the file: it comes back with the next start, and the others are as they were.
    server.ask(Method::DELETE, "/api/streams/d", None).await;
    assert_eq!(server.followed().await, ["e", "own"]);
    server.stop().await;
    let server = Cli::start(folder.path(), &["-f", "streamers.txt"]).await;
    server.follows(&["d", "e", "own"]).await;
    assert_eq!(server.get("/api/streams/own").await["priority"], 2);
    server.stop().await;
    // What came from a file that is named no more goes on: only a file that is read takes it away.
    let server = Cli::start(folder.path(), &[]).await;
    server.follows(&["d", "e", "own"]).await;
    server.hang_up("no streams file to read again").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channel_name_follows_that_channel() {
    let (twitch, folder) = (Twitch::start(1).await, TempDir::new().unwrap());
    let settings = twitch.settings(&[]);
    let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut command = command(folder.path(), &["-i", "0.2"]);
    for set in &settings {
        command.args(["--set", set]);
    }
    let server = Cli::run({
        command.env("CHANNEL_NAME", "Sim_0001");
        command
    })
    .await;
    server.follows(&["sim_0001"]).await;
    eventually("it is online", async || server.get("/api/streams/sim_0001").await["state"] == "online").await;
    assert_eq!(server.get("/api/streams/sim_0001").await["pack"], "fifa20");
    server.stop().await;
}

/// Whether the process takes hangups itself.
fn takes_hangups(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("signals it takes");
    // proc(5): a mask, signal 1 is its lowest bit.
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1
}

#[tokio::test]
async fn a_hangup_while_it_starts_does_not_end_it() {
    let (redis, folder) = (Redis::start(None).await, TempDir::new().unwrap());
    // The start waits for an answer.
    redis.freeze();
    let mut command = command(folder.path(), &[]);
    let mut program = Program::start(command.env("REDIS_URL", redis.url()));
    sooner_or_later("it takes hangups", async || takes_hangups(program.id())).await;
    program.signal(Signal::HUP);
    assert!(listening(&program.said()).is_none(), "it has not started yet");
    sooner_or_later("it listens all the same", async || {
        assert!(program.ended().is_none(), "it ended: {}", program.said());
        listening(&program.said()).is_some()
    })
    .await;
    redis.thaw();
}
