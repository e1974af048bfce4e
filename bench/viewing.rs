//! What it costs to show one frame to one viewer.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::harness::crowd::Crowd;
use crate::harness::process::{Process, free_address, listening};
use crate::harness::push::{Kind, Pusher};
use crate::harness::server::Server;
use crate::harness::watch::{Room, Watcher};
use crate::harness::{Outcome, median, pictures};
use crate::report::{Row, short};
use crate::{bare, say};

const VIEWERS: usize = 100;
const FPS: u32 = 30;
const FRAME_BYTES: usize = 50_000;
const ROUNDS: usize = 5;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
/// Times the bare loop that a delivered frame may cost.
const MOST_OF_FLOOR: f64 = 1.5;
/// Times less than the Flask server that it must cost.
const LEAST_GAIN: f64 = 8.0;

/// What one server did for its viewers.
struct Served {
    /// Processor time for each frame delivered, µs.
    cost: f64,
    /// Frames a viewer got in a second.
    fps: f64,
    bytes: f64,
    /// Highest resident memory, MB.
    memory: f64,
}

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let frames = pictures::weighing(FRAME_BYTES)?;
    let (mut floor, mut ours, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        floor.push(bare_loop(&frames).await?);
        ours.push(onair(&frames).await?);
        peer.push(flask(&frames).await?);
        let told = [&floor, &ours, &peer].map(|served| served.last().map_or(0.0, |served| served.cost));
        let [floor, ours, peer] = told.map(short);
        say(&format!("viewing, round {round}: bare loop {floor} µs a frame, onair {ours}, Flask {peer}"));
    }
    let ratio = |of: &[Served], to: &[Served]| median(of.iter().zip(to).map(|(of, to)| of.cost / to.cost));
    let middle = |of: &[Served], figure: fn(&Served) -> f64| median(of.iter().map(figure));
    let cost = |of: &[Served]| format!("{} µs", short(middle(of, |s| s.cost)));
    let setting = format!("{VIEWERS} viewers × {FPS} fps × {} KB", FRAME_BYTES / 1000);
    let figure = |what: &str| format!("{what}, {setting}");
    let rates = [&floor, &ours, &peer].map(|of| short(middle(of, |s| s.fps)));
    let full = middle(&ours, |s| s.fps) / f64::from(FPS);
    Ok(vec![
        Row::at_most(
            "viewing",
            &figure("CPU a delivered frame against a bare loop"),
            ratio(&ours, &floor),
            MOST_OF_FLOOR,
            "×",
        )
        .against(format!("bare write loop: {}, onair: {}", cost(&floor), cost(&ours))),
        Row::at_least(
            "viewing",
            &figure("Flask's CPU a delivered frame against ours"),
            ratio(&peer, &ours),
            LEAST_GAIN,
            "×",
        )
        .against(format!("flask_mjpeg.py: {}", cost(&peer))),
        Row::at_least("viewing", &figure("part of the frames delivered"), full, 0.99, "")
            .against(format!("fps a viewer: bare loop {}, onair {}, Flask {}", rates[0], rates[1], rates[2])),
        Row::at_most("viewing", &figure("peak memory"), middle(&ours, |s| s.memory), 400.0, " MB")
            .against(format!("flask_mjpeg.py: {} MB", short(middle(&peer, |s| s.memory)))),
        Row::told("viewing", "bytes on the socket a delivered frame", short(middle(&ours, |s| s.bytes))),
    ])
}

async fn bare_loop(frames: &[Bytes]) -> Outcome<Served> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &frames[0])?;
    let (process, address) = bare::start(VIEWERS, FPS, file.path())?;
    // It counts connections: one to look whether it listens would be one too many.
    sleep(Duration::from_millis(300)).await;
    serve(&process, address, None).await
}

async fn onair(frames: &[Bytes]) -> Outcome<Served> {
    let server = Server::start(&["recording.enabled=false"]).await?;
    let pusher = Pusher::new(server.address, 0, frames, Kind::Form);
    let served = serve(&server.process, server.address, Some(pusher)).await?;
    server.stop()?;
    Ok(served)
}

async fn flask(frames: &[Bytes]) -> Outcome<Served> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let address = free_address()?;
    let mut command = Command::new(root.join("target/venv/bin/python"));
    command.arg(root.join("bench/peers/flask_mjpeg.py")).args(["--port", &address.port().to_string()]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let process = Process::start(&mut command).map_err(|e| format!("{e}; ./dev bench installs it"))?;
    listening(address, &process)
        .await
        .map_err(|e| format!("the Flask peer: {e}; ./dev bench installs Flask"))?;
    serve(&process, address, Some(Pusher::new(address, 0, frames, Kind::Form))).await
}

/// Watches that server with all viewers, and pushes if it wants a publisher.
async fn serve(process: &Process, address: SocketAddr, pusher: Option<Pusher>) -> Outcome<Served> {
    let room = Room::new();
    let watchers: Vec<Watcher> = (0..VIEWERS).map(|_| Watcher::new(address, 0, &room, false)).collect();
    let mut crowd = Crowd::default();
    if let Some(pusher) = pusher {
        crowd.add(pusher.run(FPS.into(), Duration::ZERO, u64::MAX));
    }
    watchers.iter().for_each(|watcher| crowd.add(watcher.clone().run()));
    sleep(WARM_UP).await;
    let all = || {
        (watchers.iter().map(Watcher::frames).sum::<u64>(), watchers.iter().map(Watcher::bytes).sum::<u64>())
    };
    let (before, (frames, bytes)) = (process.cpu()?, all());
    sleep(MEASURED).await;
    let (after, (frames_after, bytes_after)) = (process.cpu()?, all());
    crowd.check().await?;
    let delivered = (frames_after - frames) as f64;
    if delivered == 0.0 {
        return Err("no frame was delivered".into());
    }
    Ok(Served {
        cost: (after - before).as_secs_f64() * 1e6 / delivered,
        fps: delivered / VIEWERS as f64 / MEASURED.as_secs_f64(),
        bytes: (bytes_after - bytes) as f64 / delivered,
        memory: process.memory()?.1 as f64 / 1e6,
    })
}
