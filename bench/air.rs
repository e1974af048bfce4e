//! What it costs to be on air, and what it costs others: the benchmark's scene at 1080p30, x264 veryfast, 4 Mbit/s, over RTMP.
//!
//! The server is started as users start it; the scene is made over its API, and a sink that speaks RTMP takes what comes.
//! `AIR_SECONDS` says for how long each part is measured (60).

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
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(6);

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let seconds = match std::env::var("AIR_SECONDS") {
        Ok(text) => text.parse().map_err(|e| format!("AIR_SECONDS: {e}"))?,
        Err(_) => 60,
    };
    let folder = tempfile::tempdir()?;
    scene::write(folder.path())?;
    pictures(folder.path())?;
    let mut peers =
        [Way::X264, Way::FfmpegAir, Way::GstreamerAir].map(|way| (way, Vec::new(), String::new()));
    for round in 1..=ROUNDS {
        for (way, costs, version) in &mut peers {
            let (cost, told) = way.cost(folder.path())?;
            say(&format!("air, round {round}, CPU a frame with {}: {} ms", way.name(), short(cost)));
            costs.push(cost);
            *version = told;
        }
    }
    let one = on_air(folder.path(), 1, seconds).await?;
    let ten = on_air(folder.path(), 10, seconds).await?;
    let what = format!("1080p30 veryfast 4 Mbit/s for {seconds} s");
    let mut rows = vec![
        Row::at_most(SUBJECT, &format!("frames dropped or repeated, {what}"), one.lost, 0.0, ""),
        Row::told(SUBJECT, &format!("CPU a frame on air, {what}"), format!("{} ms", short(one.cost)))
            .against(format!("frames received: {}, kbit/s: {}", short(one.received), short(one.kbps))),
        Row::told(SUBJECT, "peak memory on air", format!("{} MB", short(one.memory))),
    ];
    for (way, costs, version) in peers {
        let cost = median(costs);
        let peer = format!("{} ms, {version}", short(cost));
        rows.push(
            match way {
                Way::X264 => {
                    Row::at_most(SUBJECT, "CPU a frame on air against x264 alone", one.cost / cost, 1.15, "×")
                }
                _ => {
                    let figure = format!("CPU a frame with {} against ours", way.name());
                    Row::at_least(SUBJECT, &figure, cost / one.cost, 1.0, "×")
                }
            }
            .against(peer),
        );
    }
    let more = Row::at_most(
        SUBJECT,
        "CPU a frame with ten destinations against one",
        ten.cost / one.cost,
        1.05,
        "×",
    );
    rows.push(more.against(format!("{} ms", short(ten.cost))));
    Ok(rows)
}

/// Frames of the scene for x264 alone.
fn pictures(folder: &Path) -> Outcome<()> {
    let mut command = Command::new(crate::compose::binary());
    command.arg("render").arg(folder.join(Scene::Whole.file())).args(["--fps", &FPS.to_string()]);
    let status = command.args(["--duration", "9.2", "-o"]).arg(folder.join("pictures.yuv")).status()?;
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
async fn on_air(folder: &Path, destinations: u32, seconds: u64) -> Outcome<OnAir> {
    let fps = format!("compositor.fps={FPS}");
    let settings = ["recording.enabled=false", "egress.allow_private=true", &fps];
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
    let (frames, memory) = ((seconds * u64::from(FPS)) as f64, memory as f64 / 1e6);
    let cost = spent.as_secs_f64() * 1000.0 / frames;
    say(&format!(
        "air, {destinations} destinations: {} ms a frame, {} of {frames} frames received, {lost} lost",
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
