//! The third part of the soak: on air for hours while one destination is killed, hangs, refuses and resets by turns.
//!
//! Called by `soak`. A second destination takes all of it and a file keeps it: neither may miss a picture, nothing may be repeated,
//! and memory, descriptors and threads must stay as they were.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sim::sink::{self, Behaviour, Sink};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::harness::server::Server;
use crate::harness::{Outcome, median, videos};

/// What the bad destination does, one after the other, each for [`BAD`], with [`GOOD`] in between.
const FAULTS: [Behaviour; 5] = [
    Behaviour::Down,
    Behaviour::HalfOpen,
    Behaviour::RefusePublish,
    Behaviour::StopReading,
    Behaviour::ResetAfter(200_000),
];
const BAD: Duration = Duration::from_secs(9);
const GOOD: Duration = Duration::from_secs(11);
const LOOK: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_secs(10);
/// What may be more in the last third than in the first: a part, and bytes.
const MORE_MEMORY: (f64, f64) = (0.05, 8e6);
/// Milliseconds from a picture to the next at 30 a second, as RTMP rounds them.
const STEP: u32 = 34;

/// What went wrong.
pub(crate) async fn soak(time: Duration) -> Outcome<Vec<String>> {
    let settings = ["recording.enabled=false", "egress.allow_private=true", "compositor.resolution=1280x720"];
    let server =
        Server::start(&[&settings[..], &["outputs.stall_seconds=5", "outputs.bitrate=2500"]].concat())
            .await?;
    let (steady, shaky) = (sink(&server, "steady").await?, sink(&server, "shaky").await?);
    server
        .send(
            "POST",
            "/stream/outputs",
            &json!({ "id": "kept", "type": "file", "name": "program" }).to_string(),
        )
        .await?;
    for number in 0..6_u32 {
        let text = json!({ "content": { "kind": "text", "text": "{{ program.frame }} of the soak", "style": { "fontSize": 48 } },
            "transform": { "position": { "x": 40 + number * 30, "y": 40 + number * 100 } } });
        server.send("POST", "/stream/layers", &text.to_string()).await?;
    }
    server.send("POST", "/stream/control", &json!({ "action": "start" }).to_string()).await?;
    sleep(WARM_UP).await;
    let (before, begun) = (status(&server).await?, Instant::now());
    let (mut memory, mut descriptors, mut told, mut lost) = (Vec::new(), Vec::new(), 0, 0_u64);
    let mut was_live = true;
    while begun.elapsed() < time {
        let at = begun.elapsed().as_millis() % (BAD + GOOD).as_millis();
        let turn = usize::try_from(begun.elapsed().as_millis() / (BAD + GOOD).as_millis())? % FAULTS.len();
        shaky.behave(if at < GOOD.as_millis() { Behaviour::Proper } else { FAULTS[turn] });
        sleep(LOOK).await;
        let live = state(&status(&server).await?, "shaky") == "live";
        lost += u64::from(was_live && !live);
        was_live = live;
        memory.push(server.process.memory()?.0 as f64);
        descriptors.push(server.process.descriptors()? as f64);
        if begun.elapsed().as_secs() / 60 > told {
            told = begun.elapsed().as_secs() / 60;
            let resident = memory.last().copied().unwrap_or(0.0) / 1e6;
            crate::say(&format!(
                "air, {told} min: {resident:.0} MB, the bad destination was lost {lost} times"
            ));
        }
    }
    shaky.behave(Behaviour::Proper);
    let mut tries = 0;
    while state(&status(&server).await?, "shaky") != "live" && tries < 60 {
        sleep(LOOK).await;
        tries += 1;
    }
    let mut verdict = Verdict::default();
    verdict.must(lost > 0, format!("the bad destination was lost {lost} times"));
    verdict.must(tries < 60, "the bad destination is live at the end".to_owned());
    verdict.growth(
        "memory (MB)",
        &memory.iter().map(|bytes| bytes / 1e6).collect::<Vec<_>>(),
        MORE_MEMORY.1 / 1e6,
    );
    verdict.growth("descriptors", &descriptors, 4.0);
    verdict.frames(&before, &status(&server).await?);
    server.send("POST", "/stream/control", &json!({ "action": "stop" }).to_string()).await?;
    sleep(LOOK).await;
    let pictures = verdict.received(&steady);
    let panics =
        server.metric("onair_task_panics_total").await? + server.metric("onair_handler_panics_total").await?;
    verdict.must(panics == 0.0, format!("panics: {panics}"));
    let folder = server.stop()?;
    let files = videos::below(&folder.path().join("recordings"))?;
    verdict.must(files.len() == 1, format!("files: {}", files.len()));
    for file in &files {
        let (frames, _) = videos::probe(file)?;
        // They began within two seconds of each other.
        let holds = frames.abs_diff(pictures) <= 60;
        verdict.must(holds, format!("pictures in the file: {frames}, at the good destination: {pictures}"));
    }
    Ok(verdict.0)
}

/// A server that takes RTMP, as an output of that name.
async fn sink(server: &Server, id: &str) -> Outcome<Sink> {
    let sink = Sink::new(sink::Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("rtmp://{}/live", listener.local_addr()?);
    tokio::task::spawn_local(sink::serve(listener, sink.clone()));
    let output = json!({ "id": id, "url": url, "key": id, "profile": "custom" });
    server.send("POST", "/stream/outputs", &output.to_string()).await?;
    Ok(sink)
}

async fn status(server: &Server) -> Outcome<Value> {
    Ok(serde_json::from_str(&server.ask("GET", "/stream/status").await?)?)
}

fn state<'a>(status: &'a Value, id: &str) -> &'a str {
    let mut outputs = status["outputs"].as_array().into_iter().flatten();
    outputs.find(|output| output["id"] == id).and_then(|output| output["state"].as_str()).unwrap_or_default()
}

/// What was wrong.
#[derive(Default)]
struct Verdict(Vec<String>);

impl Verdict {
    fn must(&mut self, holds: bool, what: String) {
        crate::say(&format!("air, {what}"));
        if !holds {
            self.0.push(format!("air, {what}"));
        }
    }

    fn growth(&mut self, what: &str, samples: &[f64], more: f64) {
        let third = |at: usize| {
            median(samples.chunks(samples.len().div_ceil(3).max(1)).nth(at).into_iter().flatten().copied())
        };
        let [first, middle, last] = [0, 1, 2].map(third);
        let holds = last <= first * (1.0 + MORE_MEMORY.0) + more;
        self.must(holds, format!("{what} by thirds: {first:.1}, {middle:.1}, {last:.1}"));
    }

    fn frames(&mut self, before: &Value, after: &Value) {
        for field in ["droppedFrames", "repeatedFrames", "skippedFrames"] {
            let more = after[field].as_f64().unwrap_or(f64::NAN) - before[field].as_f64().unwrap_or(f64::NAN);
            self.must(more == 0.0, format!("{field}: {more}"));
        }
    }

    /// The good destination was connected once and has every picture.
    fn received(&mut self, steady: &Sink) -> u64 {
        let (connections, pictures, gaps) = steady.with(|all| {
            let gaps = all.iter().map(|one| one.gaps(STEP).len()).sum::<usize>();
            (all.len(), all.iter().map(|one| one.pictures.len()).sum::<usize>(), gaps)
        });
        self.must(connections == 1, format!("connections of the good destination: {connections}"));
        self.must(gaps == 0, format!("pictures at the good destination: {pictures}, gaps: {gaps}"));
        pictures as u64
    }
}
