//! The server with Redis as its store: what it remembers, what it does while Redis is away, who sees the password.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::follow::Twitch;
use crate::harness::{Answer, eventually};
use crate::redis::Redis;
use crate::serve_cli::{Cli, command};

const PASSWORD: &str = "open-says-me-1234";

/// A server on that Redis, which captures often and keeps a log.
async fn serve(folder: &Path, twitch: &Twitch, environment: &[(&str, &str)]) -> Cli {
    let mut command = command(folder, &["-d"]);
    for (key, value) in twitch.settings(&[("logging.file", "logs/server.log")]) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    command.envs(environment.iter().copied());
    Cli::run(command).await
}

/// What the server has ever said, to look for what it must not say.
#[derive(Default)]
struct Said(String);

impl Said {
    fn note(&mut self, answer: &Answer) {
        self.0 += &answer.text();
        self.0 += &format!("{:?}", answer.headers);
    }

    /// Also what it has logged, to the terminal and to its file.
    fn end(mut self, folder: &Path, terminal: &str) {
        self.0 += terminal;
        let logs = std::fs::read_dir(folder.join("logs")).unwrap();
        let files: Vec<String> =
            logs.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        assert!(files.concat().contains("listening (server.port)"), "the log file holds the log");
        self.0 += &files.concat();
        assert!(!self.0.contains(PASSWORD), "the password is shown: {}", self.0);
    }
}

async fn store(server: &Cli) -> Value {
    server.get("/health").await["components"]["store"].clone()
}

async fn is_back(server: &Cli) {
    eventually("the store is back", async || server.get("/health").await["status"] == "healthy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_priorities_and_settings_are_in_redis_and_survive_a_restart_elsewhere() {
    let (twitch, redis, folder) =
        (Twitch::start(2).await, Redis::start(Some(PASSWORD)).await, TempDir::new().unwrap());
    let apart = redis.url();
    let server = serve(folder.path(), &twitch, &[("REDIS_URL", &apart), ("REDIS_PASSWORD", PASSWORD)]).await;
    server.ask(Method::PUT, "/api/config", Some(json!({"capture_interval": 0.3, "quality": "160p"}))).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "sim_0001", "priority": 3}))).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "sim_0002", "pack": "dota2"}))).await;
    server.ask(Method::PUT, "/api/streams/sim_0001/priority", Some(json!({"priority": 1}))).await;
    let before = server.get("/api/streams/sim_0001").await;
    let mut said = Said::default();
    for path in ["/health", "/metrics", "/api/config", "/api/status", "/api/streams"] {
        said.note(&server.try_ask(Method::GET, path, None).await);
    }
    let terminal = server.program.said();
    server.stop().await;
    said.end(folder.path(), &terminal);

    // Another folder: nothing but Redis can know. And the password within the address.
    let elsewhere = TempDir::new().unwrap();
    let within = apart.replace("redis://", &format!("redis://:{PASSWORD}@"));
    let server = serve(elsewhere.path(), &twitch, &[("REDIS_URL", &within)]).await;
    server.follows(&["sim_0001", "sim_0002"]).await;
    let after = server.get("/api/streams/sim_0001").await;
    assert_eq!(after["priority"], 1);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_eq!(server.get("/api/streams/sim_0002").await["pack"], "dota2");
    let status = server.get("/api/status").await;
    assert_eq!(status["config"]["capture_interval"], 0.3);
    assert_eq!(status["config"]["quality"], "160p");
    for name in ["sim_0001", "sim_0002"] {
        let path = format!("/api/streams/{name}");
        eventually("it is captured", async || server.get(&path).await["state"] == "online").await;
    }
    let mut said = Said::default();
    said.note(&server.try_ask(Method::GET, "/api/config", None).await);
    let terminal = server.program.said();
    server.stop().await;
    said.end(elsewhere.path(), &terminal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_captures_go_on_changes_are_refused_and_then_all_is_well_by_itself() {
    let (twitch, folder) = (Twitch::start(2).await, TempDir::new().unwrap());
    let mut redis = Redis::start(Some(PASSWORD)).await;
    let url = redis.url();
    let server = serve(folder.path(), &twitch, &[("REDIS_URL", &url), ("REDIS_PASSWORD", PASSWORD)]).await;
    server.ask(Method::PUT, "/api/config", Some(json!({"capture_interval": 0.2}))).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "sim_0001"}))).await;
    eventually("it is captured", async || server.get("/api/streams/sim_0001").await["state"] == "online")
        .await;
    assert_eq!(store(&server).await["status"], "ok");
    assert_eq!(server.metric("onair_store_away").await, 0.0);

    redis.kill().await;
    eventually("it is noticed", async || store(&server).await["status"] == "degraded").await;
    let health = server.try_ask(Method::GET, "/health", None).await;
    let told = health.json();
    assert_eq!(told["status"], "degraded", "a reason to wait, none to restart");
    let detail = told["components"]["store"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("redis away since "), "{detail}");
    assert_eq!(server.metric("onair_store_away").await, 1.0);
    let mut said = Said::default();
    said.note(&health);
    for (method, path, body) in [
        (Method::POST, "/api/streams", Some(json!({"username": "sim_0002"}))),
        (Method::POST, "/api/streams/bulk", Some(json!({"streams": ["sim_0002"]}))),
        (Method::PUT, "/api/streams/sim_0001/priority", Some(json!({"priority": 1}))),
        (Method::PUT, "/api/config", Some(json!({"capture_interval": 9}))),
        (Method::DELETE, "/api/streams/sim_0001", None),
    ] {
        let answer = server.try_ask(method, path, body).await;
        let problem = answer.problem(503);
        assert!(problem["detail"].as_str().unwrap().contains("store"), "{path}: {problem}");
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        said.note(&answer);
    }
    // Nothing of what was refused was done, and captures go on.
    assert_eq!(server.get("/api/status").await["config"]["capture_interval"], 0.2);
    let captures =
        async || server.get("/api/streams/sim_0001").await["successful_captures"].as_u64().unwrap();
    let before = captures().await;
    eventually("captures go on", async || captures().await >= before + 2).await;
    assert_eq!(server.get("/api/streams/sim_0001").await["priority"], 5);
    assert_eq!(server.try_ask(Method::GET, "/api/streams/sim_0002", None).await.status, 404);
    assert!(server.metric("onair_store_failures_total").await >= 1.0);

    redis.up().await;
    is_back(&server).await;
    assert_eq!(server.metric("onair_store_away").await, 0.0);
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "sim_0002"}))).await;
    server.follows(&["sim_0001", "sim_0002"]).await;
    let terminal = server.program.said();
    server.stop().await;
    said.end(folder.path(), &terminal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_without_redis_it_serves_and_follows_as_soon_as_redis_is_there() {
    let (twitch, folder) = (Twitch::start(2).await, TempDir::new().unwrap());
    let mut redis = Redis::start(None).await;
    let url = redis.url();
    let server = serve(folder.path(), &twitch, &[("REDIS_URL", &url)]).await;
    server.ask(Method::PUT, "/api/config", Some(json!({"capture_interval": 0.2}))).await;
    server.ask(Method::POST, "/api/streams", Some(json!({"username": "sim_0001"}))).await;
    server.stop().await;
    redis.kill().await;

    std::fs::write(folder.path().join("list.txt"), "sim_0002\n").unwrap();
    let mut command = command(folder.path(), &["-f", "list.txt"]);
    for (key, value) in twitch.settings(&[]) {
        command.args(["--set", &format!("{key}={value}")]);
    }
    command.env("REDIS_URL", &url);
    let server = Cli::run(command).await;
    assert_eq!(store(&server).await["status"], "degraded");
    assert_eq!(server.get("/api/streams").await["count"], 0);
    assert_eq!(server.said("nothing is followed until the store answers"), 1);
    redis.up().await;
    server.follows(&["sim_0001", "sim_0002"]).await;
    is_back(&server).await;
    assert_eq!(server.get("/api/status").await["config"]["capture_interval"], 0.2);
    eventually("it is captured", async || server.get("/api/streams/sim_0002").await["state"] == "online")
        .await;
    server.stop().await;
}
