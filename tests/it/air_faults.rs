//! Destinations that fail: each is a state with a reason, ends by itself, and disturbs no other.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::air::{SMALL, files, red};
use crate::air_nginx::{Nginx, Received};
use crate::harness::{Server, Ws};
use crate::redis::Redis;
use crate::serve_cli::{Cli, command};
use crate::tools::{lasting_port, sooner_or_later};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_is_reached_again_and_the_other_destination_has_no_gap() {
    let mut nginx = Nginx::start().await;
    let server = Server::start(&SMALL).await;
    server.ask(Method::POST, "/stream/layers", &red()).await;
    server.output(&json!({"id": "far", "url": nginx.url("live/sesame")})).await;
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("far", "live").await;
    server.on_air_for(60.0).await;
    let mut events = Ws::open(&server.ws_url("/ws")).await;
    nginx.kill();
    server.until_state("far", "reconnecting").await;
    while events.next().await["payload"]["event"] != "streamError" {}
    let lost = server.get("/stream/outputs/far").await.json();
    assert!(!lost["lastError"].as_str().unwrap().is_empty());
    assert!(!lost.to_string().contains("sesame"), "{lost}");
    let health = server.get("/health").await.json();
    assert_eq!(health["components"]["outputs"]["status"], "degraded", "{health}");
    server.on_air_for(60.0).await;
    nginx.begin().await;
    server.until_state("far", "live").await;
    let back = server.get("/stream/outputs/far").await.json();
    assert_eq!(back["reconnects"], 1);
    server.on_air_for(60.0).await;
    server.control("stop").await;
    for id in ["far", "near"] {
        server.until_state(id, "idle").await;
    }
    let file = files(&server.folder().join("recordings"), "show");
    assert_eq!(file.len(), 1);
    let whole = Received::of(&file[0]).await;
    whole.is_whole(30.0, 60);
    assert!(whole.pictures.len() >= 180, "{}", whole.pictures.len());
    let kept = nginx.kept();
    assert_eq!(kept.len(), 2);
    Received::of(&kept[1]).await.is_whole(30.0, 60);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_is_a_state_with_a_reason() {
    let nginx = Nginx::start().await;
    // Accepts, and never says a word.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let closed = lasting_port();
    let mut settings = SMALL.to_vec();
    settings.push(("outputs.connect_seconds", "1"));
    let server = Server::start(&settings).await;
    let silent_url = format!("rtmp://{}/live/sesame", silent.local_addr().unwrap());
    server.output(&json!({"id": "silent", "url": silent_url})).await;
    server.output(&json!({"id": "closed", "url": format!("rtmp://127.0.0.1:{closed}/live/sesame")})).await;
    server.output(&json!({"id": "nowhere", "url": "rtmp://nowhere.invalid/live/sesame"})).await;
    server.output(&json!({"id": "refused", "url": nginx.url("closed/sesame")})).await;
    server.output(&json!({"id": "plain", "url": nginx.url("live/x").replace("rtmp:", "rtmps:")})).await;
    server.output(&json!({"id": "fine", "url": nginx.url("live/sesame")})).await;
    server.control("start").await;
    server.until_state("fine", "live").await;
    for id in ["silent", "closed", "nowhere", "refused", "plain"] {
        let failed = async || {
            let output = server.get(&format!("/stream/outputs/{id}")).await.json();
            let lost = ["reconnecting", "failed"].contains(&output["state"].as_str().unwrap());
            lost && output["lastError"].is_string()
        };
        sooner_or_later(&format!("{id} has failed"), failed).await;
        let output = server.get(&format!("/stream/outputs/{id}")).await.json();
        assert!(!output.to_string().contains("sesame"), "{output}");
    }
    assert_eq!(server.state_of("fine").await, "live");
    let health = server.get("/health").await.json();
    assert_eq!(health["status"], "degraded");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_this_network_is_for_the_operator_only() {
    let nginx = Nginx::start().await;
    let url = nginx.url("live/sesame");
    let settings = [SMALL[0], SMALL[1], SMALL[2], ("outputs.url", url.as_str())];
    let server = Server::start(&settings).await;
    server.output(&json!({"id": "api", "url": nginx.url("live/other")})).await;
    server.control("start").await;
    server.until_state("stream", "live").await;
    sooner_or_later("it is refused", async || {
        let output = server.get("/stream/outputs/api").await.json();
        output["lastError"].as_str().is_some_and(|error| error.contains("loopback"))
    })
    .await;
    let fixed = server.get("/stream/outputs/stream").await;
    assert!(!fixed.text().contains("sesame"), "{}", fixed.text());
    server.put("/stream/outputs/stream", &json!({"enabled": false})).await.problem(409);
    server.delete("/stream/outputs/stream").await.problem(409);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_can_not_be_written_is_tried_again_until_it_can() {
    let server = Server::start(&SMALL).await;
    let recordings = server.folder().join("recordings");
    std::fs::create_dir_all(&recordings).unwrap();
    // Something that is no folder where the folder should be.
    std::fs::write(recordings.join("program"), "").unwrap();
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("near", "reconnecting").await;
    let output = server.get("/stream/outputs/near").await.json();
    assert!(output["lastError"].as_str().unwrap().contains("file can't be written"), "{output}");
    std::fs::remove_file(recordings.join("program")).unwrap();
    server.until_state("near", "live").await;
    server.on_air_for(30.0).await;
    server.control("stop").await;
    server.until_state("near", "idle").await;
    Received::of(&files(&recordings, "show")[0]).await.is_whole(30.0, 60);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_servers_that_share_a_store_one_sends_and_another_goes_on_with_the_same_outputs() {
    let (redis, nginx) = (Redis::start(None).await, Nginx::start().await);
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let serve = async |folder: &TempDir| {
        let mut command = command(folder.path(), &[]);
        command.env("REDIS_URL", redis.url());
        for (key, value) in SMALL {
            command.args(["--set", &format!("{key}={value}")]);
        }
        Cli::run(command).await
    };
    let (first, second) = (serve(&folders[0]).await, serve(&folders[1]).await);
    let far = json!({"id": "far", "url": nginx.url("live"), "key": "sesame"});
    // Made where nothing is sent from.
    assert_eq!(second.try_ask(Method::POST, "/stream/outputs", Some(far)).await.status, 201);
    second.ask(Method::POST, "/stream/control", Some(json!({"action": "start"}))).await;
    let state = async |server: &Cli| {
        let answer = server.try_ask(Method::GET, "/stream/outputs/far", None).await;
        let output: Value = serde_json::from_slice(&answer.body).unwrap();
        output["state"].as_str().unwrap_or("unknown").to_owned()
    };
    sooner_or_later("the first sends it", async || state(&first).await == "live").await;
    assert_eq!(state(&second).await, "idle");
    first.program.signal(Signal::KILL);
    first.program.end().await;
    sooner_or_later("the second sends it", async || state(&second).await == "live").await;
    assert_eq!(second.try_ask(Method::DELETE, "/stream/outputs/far", None).await.status, 200);
    second.stop().await;
}
