//! What it costs to be on air, and what it costs others: the benchmark's scene at 1080p30, x264 veryfast, and at 1080p60,
//! superfast, both at 4 Mbit/s, over RTMP.
//!
//! The server is started as users start it; the scene is made over its API, and a sink that speaks RTMP takes what comes.
//! `AIR_SECONDS` says for how long each part is measured (60); `AIR_ONLY=cost` or `soon` does one of both parts.

mod soon;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sim::sink::{self, Sink};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::compose::peers::Way;
use crate::compose::scene::{self, PICTURES, Scene};
use crate::harness::server::Server;
use crate::harness::{Outcome, median};
use crate::report::{Row, short};
use crate::say;

const SUBJECT: &str = "air";
const FPS: u32 = 30;
/// What is sent: frames a second, and how hard x264 tries.
const SHOWS: [(u32, &str); 2] = [(FPS, "veryfast"), (60, "superfast")];
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(6);

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let seconds = match std::env::var("AIR_SECONDS") {
        Ok(text) => text.parse().map_err(|e| format!("AIR_SECONDS: {e}"))?,
        Err(_) => 60,
    };
    let folder = tempfile::tempdir()?;
    let only = std::env::var("AIR_ONLY").unwrap_or_default();
    let mut rows = Vec::new();
    if only != "soon" {
        scene::write(folder.path())?;
        for (fps, preset) in SHOWS {
            rows.extend(cost(folder.path(), fps, preset, seconds).await?);
        }
        let ten = on_air(folder.path(), SHOWS[0], 10, seconds).await?;
        let one = on_air(folder.path(), SHOWS[0], 1, seconds).await?;
        let ratio = ten.cost / one.cost;
        let more = Row::at_most(SUBJECT, "CPU a frame with ten destinations against one", ratio, 1.05, "×");
        rows.push(more.against(format!("{} ms, {} ms", short(ten.cost), short(one.cost))));
    }
    if only != "cost" {
        rows.extend(soon::measure().await?);
    }
    Ok(rows)
}

/// One show, beside its peers, which take turns.
async fn cost(folder: &Path, fps: u32, preset: &str, seconds: u64) -> Outcome<Vec<Row>> {
    pictures(folder, fps)?;
    let ways = [Way::X264, Way::X264Paced, Way::FfmpegAir, Way::GstreamerAir];
    let mut peers = ways.map(|way| (way, Vec::new(), String::new()));
    let mut ours = Vec::new();
    for round in 1..=ROUNDS {
        for (way, costs, version) in &mut peers {
            let (cost, told) = way.cost_on_air(folder, fps, preset)?;
            say(&format!(
                "air, {fps} fps, round {round}, CPU a frame with {}: {} ms",
                way.name(),
                short(cost)
            ));
            costs.push(cost);
            *version = told;
        }
        ours.push(on_air(folder, (fps, preset), 1, seconds).await?);
    }
    let what = format!("1080p{fps} {preset} 4 Mbit/s");
    let lost = ours.iter().map(|one| one.lost).sum();
    let own = median(ours.iter().map(|one| one.cost));
    let [received, kbps] =
        [|one: &OnAir| one.received, |one: &OnAir| one.kbps].map(|of| median(ours.iter().map(of)));
    let memory = ours.iter().map(|one| one.memory).fold(0.0, f64::max);
    let mut rows = vec![
        Row::at_most(
            SUBJECT,
            &format!("{what}: frames dropped or repeated, {ROUNDS} × {seconds} s"),
            lost,
            0.0,
            "",
        ),
        Row::told(SUBJECT, &format!("{what}: CPU a frame on air"), format!("{} ms", short(own)))
            .against(format!("frames received: {}, kbit/s: {}", short(received), short(kbps))),
        Row::told(SUBJECT, &format!("{what}: peak memory on air"), format!("{} MB", short(memory))),
    ];
    for (way, costs, version) in peers {
        let cost = median(costs);
        let peer = format!("{} ms, {version}", short(cost));
        let row = match way {
            Way::X264 => {
                let figure =
                    format!("{what}: CPU a frame on air against x264 alone, which runs without a pause");
                Row::told(SUBJECT, &figure, format!("{}×", short(own / cost)))
            }
            Way::X264Paced => {
                let figure = format!("{what}: CPU a frame on air against x264 alone, paced as on air");
                Row::at_most(SUBJECT, &figure, own / cost, 1.15, "×")
            }
            _ => {
                let figure = format!("{what}: CPU a frame with {} against ours", way.name());
                Row::at_least(SUBJECT, &figure, cost / own, 1.0, "×")
            }
        };
        rows.push(row.against(peer));
    }
    Ok(rows)
}

/// Frames of the scene for x264 alone.
fn pictures(folder: &Path, fps: u32) -> Outcome<()> {
    /// A few more than `bench/peers/compose.py` takes.
    const COUNT: u32 = 276;
    let mut command = Command::new(crate::compose::binary());
    command.arg("render").arg(folder.join(Scene::Whole.file())).args(["--fps", &fps.to_string()]);
    let duration = (f64::from(COUNT) / f64::from(fps)).to_string();
    let status = command.args(["--duration", &duration, "-o"]).arg(folder.join("pictures.yuv")).status()?;
    if status.success() { Ok(()) } else { Err("onair render failed".into()) }
}

struct OnAir {
    /// ms of processor time a frame.
    cost: f64,
    /// Frames dropped, repeated or left out.
    lost: f64,
    /// Frames that the first sink took.
    received: f64,
    kbps: f64,
    /// MB.
    memory: f64,
}

/// Sends the scene to so many destinations.
async fn on_air(
    folder: &Path,
    (fps, preset): (u32, &str),
    destinations: u32,
    seconds: u64,
) -> Outcome<OnAir> {
    let (rate, effort) = (format!("compositor.fps={fps}"), format!("outputs.preset={preset}"));
    let settings = ["recording.enabled=false", "egress.allow_private=true", &rate, &effort];
    let server = Server::start(&settings).await?;
    stage(&server, folder).await?;
    let sink = Sink::new(sink::Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let taking = tokio::task::spawn_local(sink::serve(listener, sink.clone()));
    for number in 0..destinations {
        let output = json!({
            "id": format!("far{number}"), "type": "rtmp", "url": format!("rtmp://{address}/live"),
            "key": format!("key{number}"), "profile": "custom", "bitrateKbps": 4000,
        });
        server.send("POST", "/stream/outputs", &output.to_string()).await?;
    }
    server.send("POST", "/stream/control", &json!({ "action": "start" }).to_string()).await?;
    sleep(WARM_UP).await;
    let count = || sink.with(|all| all.first().map_or(0, |one| one.pictures.len()));
    let (before, cpu, had) = (status(&server).await?, server.process.cpu()?, count());
    sleep(Duration::from_secs(seconds)).await;
    let (after, spent) = (status(&server).await?, server.process.cpu()? - cpu);
    let memory = server.process.memory()?.1;
    let received = f64::from(u32::try_from(count() - had)?);
    for output in after["outputs"].as_array().into_iter().flatten() {
        if output["state"] != "live" {
            return Err(format!("a destination is not live: {output}").into());
        }
    }
    let change = |field: &str| after[field].as_f64().unwrap_or(0.0) - before[field].as_f64().unwrap_or(0.0);
    let lost = change("droppedFrames") + change("repeatedFrames") + change("skippedFrames");
    let kbps = after["outputs"][0]["sentKbps"].as_f64().or(after["outputs"][0]["bitrateKbps"].as_f64());
    server.send("POST", "/stream/control", &json!({ "action": "stop" }).to_string()).await?;
    server.stop()?;
    taking.abort();
    #[expect(clippy::cast_precision_loss, reason = "frames of minutes, bytes of megabytes")]
    let (frames, memory) = ((seconds * u64::from(fps)) as f64, memory as f64 / 1e6);
    let cost = spent.as_secs_f64() * 1000.0 / frames;
    say(&format!(
        "air, {fps} fps, {destinations} destinations: {} ms a frame, {} of {frames} frames received, {lost} lost",
        short(cost),
        short(received)
    ));
    Ok(OnAir { cost, lost, received, kbps: kbps.unwrap_or(f64::NAN), memory })
}

async fn status(server: &Server) -> Outcome<Value> {
    Ok(serde_json::from_str(&server.ask("GET", "/stream/status").await?)?)
}

/// Makes the scene over the API.
async fn stage(server: &Server, folder: &Path) -> Outcome<()> {
    let names = (0..PICTURES).map(|number| number.to_string()).chain(["background".to_owned()]);
    for name in names {
        let bytes = std::fs::read(folder.join(format!("{name}.png")))?;
        server.upload(&format!("/api/assets?id=picture-{name}"), "image/png", &bytes).await?;
    }
    let mut scene: Value = serde_json::from_slice(&std::fs::read(folder.join(Scene::Whole.file()))?)?;
    for layer in scene["layers"].as_array_mut().into_iter().flatten() {
        if let Some(src) = layer["content"]["src"].as_str() {
            layer["content"]["src"] = json!(format!("picture-{}", src.trim_end_matches(".png")));
        }
    }
    scene["id"] = json!("scene");
    server.send("POST", "/stream/scenes", &scene.to_string()).await?;
    server.send("POST", "/stream/scenes/scene/activate", "{}").await?;
    Ok(())
}
