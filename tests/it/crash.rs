//! Events through kill -9: each is told once, none that was told is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Process, Ws, answer, eventually};

const LAMP: &str = r##"
format = 1
id = "lamp"
name = "Lamp"
version = "1.0.0"
[[screen]]
id = "lamp"
gate.signs = [{ kind = "luma", box = [0.0, 0.0, 1.0, 0.1], mean = [100.0, 156.0] }]
[[screen.region]]
id = "light"
box = [0.2, 0.3, 0.6, 0.4]
reader = { kind = "color", palette = { white = "#ffffff", black = "#000000" } }
[[event]]
type = "lit"
when = "light becomes white"
confirm = 2
"##;

/// A picture of the lamp; `number` makes no two alike.
fn lamp(lit: bool, number: u8) -> Bytes {
    let mut picture = I420::new(320, 180, Range::Full, Matrix::Bt601);
    picture.y.fill(if lit { 255 } else { 0 });
    for y in 0..36 {
        picture.y.row_mut(y).fill(128);
    }
    for y in 170..180 {
        picture.y.row_mut(y).fill(number);
    }
    Encoder::new(80).unwrap().encode(&picture).unwrap().into()
}

struct Watched {
    process: Process,
    ws: Ws,
}

impl Watched {
    async fn start(folder: Arc<TempDir>) -> Self {
        let settings = ["--set", "packs.push_interval=0.02", "--set", "recording.enabled=false"];
        let process = Process::start_in(folder, &settings).await;
        let mut ws = Ws::open(&process.url("/ws").replace("http", "ws")).await;
        ws.next().await;
        ws.send_json(&json!({ "type": "subscribe", "payload": { "topics": ["event"] }, "ref": 1 })).await;
        assert_eq!(ws.next().await["type"], "ack");
        Self { process, ws }
    }

    async fn get(&self, path: &str) -> Value {
        answer(self.process.client.get(self.process.url(path))).await.json()
    }

    /// Ids of the newest readings of the stream.
    async fn readings(&self) -> usize {
        let answer =
            answer(self.process.client.get(self.process.url("/api/streams/hall/readings?limit=1000"))).await;
        if answer.status == 200 { answer.json()["readings"].as_array().unwrap().len() } else { 0 }
    }

    async fn show(&self, jpeg: Bytes) {
        let before = self.readings().await;
        self.process.publish("hall", jpeg).await.json();
        eventually("it has been read", async || self.readings().await > before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_told_once_through_kill_9_and_what_was_told_is_kept() {
    let folder = Arc::new(TempDir::new().unwrap());
    let packs = folder.path().join("data/packs/lamp");
    std::fs::create_dir_all(&packs).unwrap();
    std::fs::write(packs.join("pack.toml"), LAMP).unwrap();
    let mut watched = Watched::start(folder).await;
    let (mut told, mut number) = (BTreeSet::new(), 0_u8);
    let mut next = |lit| {
        number = number.wrapping_add(1);
        lamp(lit, number)
    };
    // When each lighting is interrupted: never; before it is confirmed; as the picture that confirms it comes; when it was told.
    let lightings = [0, 1, 2, 3, 2, 3];
    for interrupted in lightings {
        // Longer than what a crash may forget.
        let dark = tokio::time::Instant::now();
        while dark.elapsed() < Duration::from_millis(2500) {
            watched.show(next(false)).await;
        }
        watched.show(next(true)).await;
        match interrupted {
            0 => watched.show(next(true)).await,
            1 => {}
            2 => drop(watched.process.publish("hall", next(true)).await.json()),
            _ => {
                watched.show(next(true)).await;
                told.insert(watched.ws.next().await["payload"]["id"].as_str().unwrap().to_owned());
            }
        }
        if interrupted > 0 {
            let folder = watched.process.kill();
            watched = Watched::start(folder).await;
            // The lamp is still lit.
            for _ in 0..3 {
                watched.show(next(true)).await;
            }
        }
    }
    let mut events = Value::Null;
    eventually("every lighting is an event", async || {
        events = watched.get("/api/events?stream=hall&limit=1000").await["events"].clone();
        events.as_array().unwrap().len() >= lightings.len()
    })
    .await;
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), lightings.len(), "{events:#?}");
    let ids: BTreeSet<String> = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert!(told.is_subset(&ids), "{told:?} were told, {ids:?} are there");
    for event in events {
        assert_eq!(event["type"], "lit");
        let frame = watched.process.url(event["frame"].as_str().unwrap());
        let frame = answer(watched.process.client.get(frame)).await;
        assert_eq!(frame.header("content-type"), "image/jpeg");
    }
}
