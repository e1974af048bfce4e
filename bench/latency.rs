//! How long a frame takes from its publisher to its viewer on one machine.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::harness::crowd::Crowd;
use crate::harness::push::{Kind, Pusher};
use crate::harness::server::Server;
use crate::harness::watch::{Room, Watcher};
use crate::harness::{Outcome, median, pictures};
use crate::report::{Row, short};
use crate::say;

const STREAMS: u32 = 50;
const FPS: f64 = 30.0;
const ROUNDS: usize = 5;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);
/// Milliseconds.
const MOST: f64 = 10.0;

/// Milliseconds from the first byte written by the publisher to the last read by the viewer.
struct Latency {
    half: f64,
    p99: f64,
    worst: f64,
}

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let frames = pictures::drawn(640, 480, 85)?;
    let settings =
        [("nothing recorded", "recording.enabled=false"), ("all recorded as mjpeg", "recording.codec=mjpeg")];
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        for ((what, setting), measured) in settings.into_iter().zip(&mut rounds) {
            let latency = push_and_watch(&frames, setting).await?;
            let [half, p99, worst] = [latency.half, latency.p99, latency.worst].map(short);
            say(&format!("latency, round {round}, {what}: half within {half} ms, p99 {p99}, worst {worst}"));
            measured.push(latency);
        }
    }
    let rows = settings.into_iter().zip(&rounds).map(|((what, _), rounds)| {
        let figure = format!("push to view, p99, {STREAMS} streams × {FPS} fps, {what}");
        let [half, worst] =
            [|l: &Latency| l.half, |l: &Latency| l.worst].map(|f| short(median(rounds.iter().map(f))));
        Row::at_most("latency", &figure, median(rounds.iter().map(|l| l.p99)), MOST, " ms")
            .against(format!("median {half} ms, worst {worst} ms"))
    });
    Ok(rows.collect())
}

async fn push_and_watch(frames: &[Bytes], setting: &str) -> Outcome<Latency> {
    let server = Server::start(&[setting]).await?;
    let (room, mut crowd) = (Room::new(), Crowd::default());
    let pushers: Vec<Pusher> =
        (0..STREAMS).map(|stream| Pusher::new(server.address, stream, frames, Kind::Jpeg)).collect();
    let watchers: Vec<Watcher> =
        (0..STREAMS).map(|stream| Watcher::new(server.address, stream, &room, true)).collect();
    for (stream, (pusher, watcher)) in (0..).zip(pushers.iter().zip(&watchers)) {
        // As cameras do: not all in the same moment.
        let delay = Duration::from_secs(1).div_f64(FPS) * stream / STREAMS;
        crowd.add(pusher.clone().run(FPS, delay, u64::MAX));
        crowd.add(watcher.clone().run());
    }
    sleep(WARM_UP).await;
    watchers.iter().for_each(|watcher| drop(watcher.take_seen()));
    sleep(MEASURED).await;
    crowd.check().await?;
    let seen = pushers.iter().zip(&watchers).flat_map(|(pusher, watcher)| {
        let took = |(number, at): (u64, std::time::Instant)| Some(at - pusher.sent_at(number)?);
        watcher.take_seen().into_iter().filter_map(took).collect::<Vec<_>>()
    });
    let mut took: Vec<f64> = seen.map(|took| took.as_secs_f64() * 1000.0).collect();
    took.sort_by(f64::total_cmp);
    let missed: u64 = watchers.iter().map(Watcher::missed).sum();
    if missed > 0 {
        say(&format!("latency: viewers skipped {missed} frames"));
    }
    drop(crowd);
    server.stop()?;
    let at = |percent: usize| {
        took.get(took.len().saturating_sub(1) * percent / 100).copied().ok_or("no frame seen")
    };
    Ok(Latency { half: at(50)?, p99: at(99)?, worst: at(100)? })
}
