//! The network between us and a destination goes away for half a minute and comes back: by itself the output is back, and the
//! other one has noticed nothing.
//!
//! The server and nginx each have a network of their own, joined by a cable that the test pulls. Where no networks may be made the
//! cable is a server that neither reads nor answers.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sim::sink::{Behaviour, Settings};
use tempfile::TempDir;

use crate::air::{SMALL, files, red};
use crate::air_nginx::Received;
use crate::harness::{Server, eventually};
use crate::tools::{Program, Served, sooner_or_later, tool};

/// Frames of half a minute.
const AWAY: f64 = 900.0;

/// A command in the network (and as the user) of that process.
fn within(process: u32, arguments: &[&str]) -> Command {
    let mut command = Command::new(tool("nsenter"));
    command.args(["-t", &process.to_string(), "-U", "-n", "--preserve-credentials"]).args(arguments);
    command
}

async fn run(process: u32, line: &str) -> Vec<u8> {
    Program::start(&mut within(process, &line.split(' ').collect::<Vec<_>>())).success().await
}

/// The API of a server whose network is not ours.
async fn ask(served: &Served, method: &str, path: &str, body: &str) -> Value {
    let url = served.url(path);
    let kind = ["-H", "content-type: application/json"];
    let arguments = ["curl", "-sS", "--fail-with-body", "-X", method, kind[0], kind[1], "-d", body, &url];
    let answer = Program::start(&mut within(served.program.id(), &arguments)).success().await;
    serde_json::from_slice(&answer).unwrap_or_default()
}

async fn frames(served: &Served) -> f64 {
    let url = served.url("/metrics");
    let text = Program::start(&mut within(served.program.id(), &["curl", "-sS", &url])).success().await;
    let text = String::from_utf8(text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("onair_encoded_frames_total "));
    line.unwrap().parse().unwrap()
}

/// nginx in a network of its own, which is joined to that of `served`.
async fn nginx_beyond(served: &Served, folder: &Path) -> Program {
    std::fs::create_dir(folder.join("kept")).unwrap();
    let configuration = format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off;\nmaster_process off;\n\
         pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nrtmp {{ access_log off; server {{ listen 1935; chunk_size 4096;\n\
         application live {{ live on; record all; record_path {folder}/kept; record_unique on; }} }} }}\n",
        folder = folder.display(),
    );
    std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let server = served.program.id();
    let path = |name: &str| folder.join(name).display().to_string();
    let (prefix, configuration) = (folder.display().to_string(), path("nginx.conf"));
    let line = ["unshare", "-n", "/usr/sbin/nginx", "-p", &prefix, "-c", &configuration, "-e", "stderr"];
    let mut nginx = Program::start(&mut within(server, &line));
    eventually("nginx runs", async || {
        assert!(nginx.ended().is_none(), "nginx ended: {}", nginx.said());
        folder.join("nginx.pid").exists()
    })
    .await;
    let far = nginx.id();
    run(server, &format!("ip link add near type veth peer name far netns {far}")).await;
    for line in ["ip addr add 10.98.7.1/24 dev near", "ip link set near up"] {
        run(server, line).await;
    }
    for line in ["ip addr add 10.98.7.2/24 dev far", "ip link set far up"] {
        run(far, line).await;
    }
    nginx
}

/// Whether we may make networks.
async fn may_make_networks() -> bool {
    let script = "ip link add near type veth peer name far netns $$";
    Program::start(Command::new(tool("unshare")).args(["-r", "-n", "sh", "-c", script]))
        .end()
        .await
        .status
        .success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_gone_for_half_a_minute_disturbs_one_output_only_which_comes_back_by_itself() {
    if !may_make_networks().await {
        return a_server_that_is_not_heard_of().await;
    }
    let mut apart = Command::new(tool("unshare"));
    apart.args(["-r", "-n", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    let mut settings: Vec<String> = SMALL.iter().map(|(key, value)| format!("{key}={value}")).collect();
    settings.push("outputs.stall_seconds=5".to_owned());
    let settings: Vec<&str> = settings.iter().flat_map(|set| ["--set", set]).collect();
    let served = Served::start(apart, &settings).await;
    let folder = TempDir::new().unwrap();
    let nginx = nginx_beyond(&served, folder.path()).await;
    ask(&served, "POST", "/stream/layers", &red().to_string()).await;
    let far = json!({"id": "far", "url": "rtmp://10.98.7.2/live", "key": "sesame"});
    ask(&served, "POST", "/stream/outputs", &far.to_string()).await;
    ask(
        &served,
        "POST",
        "/stream/outputs",
        &json!({"id": "near", "type": "file", "name": "show"}).to_string(),
    )
    .await;
    ask(&served, "POST", "/stream/control", &json!({"action": "start"}).to_string()).await;
    let shown = async |id: &str| ask(&served, "GET", &format!("/stream/outputs/{id}"), "").await;
    sooner_or_later("it is live", async || shown("far").await["state"] == "live").await;
    let (begun, reconnects) = (frames(&served).await, shown("far").await["reconnects"].as_u64().unwrap());
    sooner_or_later("some is sent", async || frames(&served).await > begun + 60.0).await;

    run(nginx.id(), "ip link set far down").await;
    let gone = frames(&served).await;
    sooner_or_later("it is noticed", async || {
        let far = shown("far").await;
        far["state"] != "live" && far["state"] != "stalled" && far["lastError"].is_string()
    })
    .await;
    sooner_or_later("half a minute", async || frames(&served).await > gone + AWAY).await;
    assert_eq!(shown("near").await["state"], "live");
    run(nginx.id(), "ip link set far up").await;
    sooner_or_later("it is back", async || shown("far").await["state"] == "live").await;
    assert!(shown("far").await["reconnects"].as_u64().unwrap() > reconnects);
    let back = frames(&served).await;
    sooner_or_later("some more is sent", async || frames(&served).await > back + 90.0).await;
    ask(&served, "POST", "/stream/control", &json!({"action": "stop"}).to_string()).await;
    sooner_or_later("all is over", async || {
        shown("far").await["state"] == "idle" && shown("near").await["state"] == "idle"
    })
    .await;
    let kept = files(&served.folder.path().join("recordings"), "show");
    assert_eq!(kept.len(), 1, "the file was never opened again");
    let near = Received::of(&kept[0]).await;
    assert!(near.pictures.len() > 900, "{}", near.pictures.len());
    near.is_whole(30.0, 60);
    let mut received: Vec<_> =
        std::fs::read_dir(folder.path().join("kept")).unwrap().map(|file| file.unwrap().path()).collect();
    received.sort_by_key(|path| std::fs::metadata(path).unwrap().created().unwrap());
    let last = Received::of(received.last().unwrap()).await;
    assert!(last.pictures.len() >= 60, "{}", last.pictures.len());
    last.is_whole(30.0, 60);
}

/// The same with a server that is there and can't be heard.
async fn a_server_that_is_not_heard_of() {
    let (sink, url) = crate::air_sink::sink(Settings::default()).await;
    let mut settings = SMALL.to_vec();
    settings.extend([("outputs.stall_seconds", "5"), ("outputs.connect_seconds", "2")]);
    let server = Server::start(&settings).await;
    server.output(&json!({"id": "far", "url": url, "key": "one"})).await;
    server.output(&json!({"id": "near", "type": "file", "name": "show"})).await;
    server.control("start").await;
    server.until_state("far", "live").await;
    sink.behave(Behaviour::Down);
    sooner_or_later("it is noticed", async || server.state_of("far").await != "live").await;
    sink.behave(Behaviour::HalfOpen);
    server.on_air_for(AWAY).await;
    sink.behave(Behaviour::Proper);
    server.until_state("far", "live").await;
    server.control("stop").await;
    server.until_state("near", "idle").await;
    let kept = files(&server.folder().join("recordings"), "show");
    assert_eq!(kept.len(), 1);
    Received::of(&kept[0]).await.is_whole(30.0, 60);
    server.stop().await;
}
