//! Packs at work: what is read of pushed and of fetched streams, events with their evidence, trying and changing packs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use onair::base::tasks::Tasks;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use reqwest::Method;
use serde_json::{Value, json};
use sim::hud::{self, Drawing, Game, Stage, Truth};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Server, Ws, answer, eventually, picture};

pub(crate) const LENGTH: Duration = Duration::from_secs(240);
const STAGE: Stage = Stage { width: 1280, height: 720, title: 0 };

/// A drawn match, as JPEGs.
pub(crate) struct Film {
    drawing: Drawing,
    picture: I420,
    encoder: Encoder,
}

impl Film {
    pub(crate) fn new(game: Game, seed: u64) -> Self {
        Self {
            drawing: Drawing::new(game, seed, LENGTH, STAGE),
            picture: I420::new(2, 2, Range::Full, Matrix::Bt601),
            encoder: Encoder::new(85).unwrap(),
        }
    }

    pub(crate) fn at(&mut self, time: Duration) -> (Bytes, Truth) {
        let truth = self.drawing.draw(time, &mut self.picture);
        (self.encoder.encode(&self.picture).unwrap().into(), truth)
    }
}

/// Publishes a frame and waits until it has been read.
pub(crate) async fn show(server: &Server, name: &str, jpeg: Bytes) -> Value {
    let before = server.get(&format!("/api/streams/{name}/readings?limit=1000")).await;
    let before = if before.status == 200 { before.json()["count"].as_u64().unwrap() } else { 0 };
    server.publish(name, jpeg).await.json();
    let mut newest = Value::Null;
    eventually("the frame is read", async || {
        let readings = server.get(&format!("/api/streams/{name}/readings?limit=1000")).await.json();
        newest = readings["readings"][0].clone();
        readings["count"].as_u64().unwrap() > before
    })
    .await;
    newest
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test]
async fn a_pushed_match_is_read_and_its_goal_is_an_event_with_evidence_and_verdict() {
    let server = Server::start(&[("packs.push_interval", "0.02")]).await;
    let mut film = Film::new(Game::Football, 1);
    let events = hud::events(Game::Football, 1, LENGTH, Duration::ZERO, LENGTH);
    let goal =
        events.iter().find(|event| event.kind == "goal").expect("a match without a goal shows nothing");
    let mut ws = Ws::open(&server.ws_url("/ws")).await;
    ws.next().await;
    ws.send_json(&json!({ "type": "subscribe", "payload": { "topics": ["event"] }, "ref": 1 })).await;
    assert_eq!(ws.next().await["type"], "ack");

    // At the film's own pace: rules hold the game's clock against the time between pictures.
    let step = Duration::from_millis(500);
    let mut pace = tokio::time::interval(step);
    for number in 0..12 {
        pace.tick().await;
        let time = goal.at.saturating_sub(step * 6) + step * number + step / 2;
        let (jpeg, truth) = film.at(time);
        let reading = show(&server, "cup", jpeg).await;
        assert_eq!((reading["pack"].as_str(), reading["stream"].as_str()), (Some("fifa20"), Some("cup")));
        for (id, value) in &truth.values {
            let path = format!("/values/{}", id.replace('.', "/"));
            if let Some(read) = reading.pointer(&path) {
                assert_eq!(shown(read), shown(value), "{id} at {time:?}");
            }
        }
        assert_eq!(shown(&reading["values"]["score"]["home"]), shown(&truth.values["score.home"]));
    }
    let told = ws.next().await;
    assert_eq!((told["type"].as_str(), told["payload"]["type"].as_str()), (Some("event"), Some("goal")));
    let event = &told["payload"];
    assert_eq!(event["data"]["side"], goal.data["side"]);
    assert!(event["media_time"].as_str() < event["detected_at"].as_str());
    assert!(!event["rule_trace"].as_array().unwrap().is_empty());

    let id = event["id"].as_str().unwrap();
    let all = server.get("/api/events?stream=cup&type=goal").await.json();
    assert_eq!((all["count"].as_u64(), &all["events"][0]), (Some(1), event));
    let frame = server.get(event["frame"].as_str().unwrap()).await;
    let size = pixels::jpeg::inspect(&frame.body, 8192).unwrap().shown_size();
    assert_eq!((frame.header("content-type"), size), ("image/jpeg", (1280, 720)));
    let judged = server.put(&format!("/api/events/{id}/verdict"), &json!({ "correct": true })).await.json();
    assert_eq!(judged["verdict"], true);
    let stream = server.stream("cup").await;
    assert_eq!((stream["matches"].as_u64(), &stream["pack"]), (Some(12), &Value::Null));
    assert!(server.get("/metrics").await.text().contains("onair_readings_total{result=\"accepted\"} 12"));

    // What people said right is read again; the check measures it.
    let folder = server.folder().to_owned();
    let checked = onair(&folder, &["pack", "check", "fifa20", "--stored", "--verbose"]);
    assert!(checked.status.success(), "{}", said(&checked));
    assert!(said(&checked).contains("1 pictures"), "{}", said(&checked));
    server.stop().await;
}

#[tokio::test]
async fn what_no_pack_knows_gives_nothing_and_none_reads_nothing() {
    let server = Server::start(&[("packs.push_interval", "0.02")]).await;
    server.publish("cam", picture(1)).await.json();
    let looked = async |result: &str| {
        let text = server.get("/metrics").await.text();
        let line = format!("onair_readings_total{{result=\"{result}\"}} ");
        text.lines().find_map(|text| text.strip_prefix(&*line)?.parse::<u64>().ok()).unwrap()
    };
    eventually("packs have looked at it", async || looked("refused").await > 0).await;
    assert_eq!(
        (looked("accepted").await, server.get("/api/streams/cam/readings").await.json()["count"].as_u64()),
        (0, Some(0))
    );
    let switched = server.put("/api/streams/cam/pack", &json!({ "pack": "none" })).await.json();
    assert_eq!(switched["pack"], "none");
    server.stop().await;
}

#[tokio::test]
async fn a_pack_is_tried_on_a_picture_and_shows_where_it_looked() {
    let server = Server::start(&[]).await;
    let (jpeg, truth) = Film::new(Game::Football, 1).at(Duration::from_secs(20));
    assert_eq!(truth.screen, "board");
    let tried = |path: &str, body: Bytes| {
        answer(server.request(Method::POST, path).header("content-type", "image/jpeg").body(body))
    };
    let tried_one = tried("/api/packs/fifa20/read?annotated=1", jpeg.clone()).await.json();
    assert_eq!(shown(&tried_one["values"]["clock"]), shown(&truth.values["clock"]));
    assert!(tried_one["timing_ms"]["gate"].is_number() && tried_one.get("stream").is_none());
    assert!(tried_one["annotated"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    let any = tried("/api/packs/auto/read", jpeg.clone()).await.json();
    assert_eq!((&any["pack"], any.get("annotated")), (&json!("fifa20"), None));
    let other = tried("/api/packs/dota2/read", jpeg).await.json();
    assert_eq!((&other["pack"], &other["values"]), (&Value::Null, &Value::Null));
    server.stop().await;
}

const BOARD: &str = r##"
format = 1
id = "board"
name = "Board"
version = "1.0.0"
[[screen]]
id = "lit"
gate.signs = [{ kind = "luma", box = [0.0, 0.0, 1.0, 1.0], mean = [150.0, 255.0] }]
[[screen.region]]
id = "light"
box = [0.2, 0.2, 0.6, 0.6]
reader = { kind = "color", palette = { white = "#ffffff", black = "#000000" } }
"##;

#[tokio::test]
async fn a_pack_of_ones_own_is_loaded_while_the_server_runs_and_a_broken_one_changes_nothing() {
    let server = Server::start(&[]).await;
    let folder = server.folder().join("data/packs/board");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pack.toml"), BOARD).unwrap();
    let version = async || server.get("/api/packs/board").await.json()["version"].clone();
    eventually("the pack is loaded", async || server.get("/api/packs/board").await.status == 200).await;
    std::fs::write(
        folder.join("pack.toml"),
        BOARD.replace("box = [0.2", "box = [0.9").replace("1.0.0", "1.1.0"),
    )
    .unwrap();
    let mut problems = Value::Null;
    eventually("the mistake is told", async || {
        problems = server.get("/api/packs/board").await.json()["problems"].clone();
        problems != json!([])
    })
    .await;
    let problem = problems[0].as_str().unwrap();
    assert!(
        problem.starts_with("pack.toml:11:") && problem.contains("reaches out of the frame"),
        "{problem}"
    );
    assert_eq!(version().await, "1.0.0");
    std::fs::write(folder.join("pack.toml"), BOARD.replace("1.0.0", "1.2.0")).unwrap();
    eventually("the mended pack is loaded", async || version().await == "1.2.0").await;
    assert_eq!(server.get("/api/packs/board").await.json()["problems"], json!([]));
    server.stop().await;
}

/// The program's command line, in `folder`.
fn onair(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onair"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_command_line_lists_reads_annotates_and_checks() {
    let place = TempDir::new().unwrap();
    let (folder, labels) = (place.path(), place.path().join("labelled"));
    std::fs::create_dir(&labels).unwrap();
    let listed = onair(folder, &["pack", "list"]);
    assert!(listed.status.success() && said(&listed).contains("fifa20"), "{}", said(&listed));

    let (jpeg, truth) = Film::new(Game::Football, 3).at(Duration::from_secs(30));
    std::fs::write(labels.join("a.jpg"), &jpeg).unwrap();
    std::fs::write(labels.join("b.jpg"), picture(7)).unwrap();
    let read = onair(folder, &["pack", "read", "auto", "labelled/a.jpg", "--annotate", "out.png"]);
    assert!(read.status.success(), "{}", said(&read));
    let json: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(shown(&json["values"]["score"]["away"]), shown(&truth.values["score.away"]));
    let drawn = ::packs::picture::from_png(&std::fs::read(folder.join("out.png")).unwrap()).unwrap();
    assert_eq!((drawn.width, drawn.height), (1280, 720));
    let nothing = onair(folder, &["pack", "read", "fifa20", "labelled/b.jpg"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", said(&nothing));
    let missing = onair(folder, &["pack", "read", "fifa20", "missing.jpg"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("missing.jpg can't be opened"), "{}", said(&missing));

    let label = json!({
        "a.jpg": { "values": { "score.home": truth.values["score.home"], "clock": truth.values["clock"] } },
        "b.jpg": { "screen": null },
    });
    std::fs::write(labels.join("labels.json"), label.to_string()).unwrap();
    let check = || onair(folder, &["pack", "check", "fifa20", "--frames", "labelled"]);
    let checked = check();
    assert!(checked.status.success(), "{}", said(&checked));
    // A version that reads less than the one before is refused.
    let own = folder.join("data/packs/fifa20");
    std::fs::create_dir_all(&own).unwrap();
    let built_in = onair::reading::built_in("fifa20").unwrap();
    for (name, bytes) in &built_in {
        let path = own.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let text = String::from_utf8(built_in["pack.toml"].clone()).unwrap();
    std::fs::write(own.join("pack.toml"), text.replace("0123456789", "abc")).unwrap();
    let worse = check();
    assert_eq!(worse.status.code(), Some(1), "{}", said(&worse));
    assert!(said(&worse).contains("does worse than"), "{}", said(&worse));
}

#[test]
fn portraits_are_taken_from_a_folder_and_wrong_ones_are_left() {
    let place = TempDir::new().unwrap();
    let from = place.path().join("from");
    std::fs::create_dir(&from).unwrap();
    hud::portraits::write(&from).unwrap();
    std::fs::write(from.join("abaddon.png"), "no picture").unwrap();
    let fetch = || onair(place.path(), &["pack", "fetch", "dota2", "--from", "from"]);
    let fetched = fetch();
    assert_eq!(fetched.status.code(), Some(1), "{}", said(&fetched));
    assert!(said(&fetched).contains("abaddon.png: is no PNG"), "{}", said(&fetched));
    assert!(place.path().join("data/packs/dota2/portraits/antimage.png").is_file());
    assert!(!place.path().join("data/packs/dota2/portraits/abaddon.png").exists());
    let list = onair(place.path(), &["pack", "list"]);
    assert!(said(&list).contains("heroes: no picture of 1 of"), "{}", said(&list));
}

/// A server of pictures that breaks off in the middle of one and gives another for a second, while something is wrong with it.
struct Pictures {
    files: BTreeMap<String, Vec<u8>>,
    broken: AtomicBool,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Pictures {
    const CUT: &str = "/axe.png";
    const WRONG: &str = "/zuus.png";

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(1..) = socket.read_buf(&mut head).await else { break };
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("").to_owned();
            *self.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
            let broken = self.broken.load(Ordering::Relaxed);
            let given = if broken && path == Self::WRONG { Self::CUT } else { &path };
            // Special sets are called otherwise here than in the pack.
            let special =
                || self.files.get(&given.rsplit_once('_').map(|(tag, set)| format!("{tag}@{set}"))?);
            let Some(body) = self.files.get(given).or_else(special) else { continue };
            let sent = if broken && path == Self::CUT { body.len() / 2 } else { body.len() };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            // Who asked may be gone.
            let _ = socket.write_all(&[answer.as_bytes(), &body[..sent]].concat()).await;
        }
    }
}

/// The pack of Dota 2 in `folder`, with its portraits at `address` and their checksums.
fn dota_from(folder: &Path, address: &str, files: &BTreeMap<String, Vec<u8>>) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in &onair::reading::built_in("dota2").unwrap() {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let text = std::fs::read_to_string(folder.join("pack.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("url = ")).unwrap().to_owned();
    let own = format!("url = \"{address}/{{file}}.png\"\nchecksums = \"sums.txt\"");
    std::fs::write(folder.join("pack.toml"), text.replace(&line, &own)).unwrap();
    let sum = |bytes: &[u8]| -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let sums: Vec<_> =
        files.iter().map(|(path, bytes)| format!("{}  {}\n", sum(bytes), &path[1..])).collect();
    std::fs::write(folder.join("sums.txt"), sums.concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portraits_are_fetched_and_what_was_cut_off_or_wrong_is_fetched_again_and_nothing_else() {
    let place = TempDir::new().unwrap();
    let drawn = place.path().join("drawn");
    std::fs::create_dir(&drawn).unwrap();
    hud::portraits::write(&drawn).unwrap();
    let files: BTreeMap<String, Vec<u8>> = std::fs::read_dir(&drawn)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (format!("/{}", path.file_name().unwrap().to_string_lossy()), std::fs::read(&path).unwrap())
        })
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    dota_from(&place.path().join("data/packs/dota2"), &address, &files);
    std::fs::write(place.path().join("config.yaml"), "egress: {allow_private: true}\n").unwrap();
    let all = files.len();
    let pictures = Arc::new(Pictures { files, broken: AtomicBool::new(true), asked: Mutex::default() });
    Tasks::default().spawn("pictures", Arc::clone(&pictures).serve(listener));
    let fetch = async || {
        let folder = place.path().to_owned();
        let fetched = tokio::task::spawn_blocking(move || onair(&folder, &["pack", "fetch", "dota2"]));
        fetched.await.unwrap()
    };
    let fetched = fetch().await;
    assert_eq!(fetched.status.code(), Some(1), "{}", said(&fetched));
    assert!(
        said(&fetched).contains("axe.png: ") && said(&fetched).contains("zuus.png: has the checksum"),
        "{}",
        said(&fetched)
    );
    assert!(said(&fetched).contains("2 missing"), "{}", said(&fetched));
    let kept = |name: &str| place.path().join("data/packs/dota2/portraits").join(name);
    assert!(kept("antimage.png").is_file() && !kept("axe.png").exists() && !kept("zuus.png").exists());

    pictures.broken.store(false, Ordering::Relaxed);
    pictures.asked.lock().unwrap().clear();
    let again = fetch().await;
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("2 new") && said(&again).contains("0 missing"), "{}", said(&again));
    let asked: Vec<String> = pictures.asked.lock().unwrap().keys().cloned().collect();
    assert_eq!(asked, [Pictures::CUT, Pictures::WRONG]);
    assert_eq!(std::fs::read(kept("axe.png")).unwrap(), pictures.files[Pictures::CUT]);
    assert!(std::fs::read_dir(kept("")).unwrap().count() <= all, "nothing half is left");
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pack.schema.json");
    let schema = format!("{}\n", ::packs::raw::schema());
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == schema,
        "{} is out of date: UPDATE_EXAMPLES=1 cargo test --test it schema",
        path.display()
    );
}
