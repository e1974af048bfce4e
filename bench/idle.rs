//! Whether viewers who wait for a frame cost anything.

use std::time::Duration;

use tokio::time::sleep;

use crate::harness::crowd::Crowd;
use crate::harness::push::{Kind, Pusher};
use crate::harness::server::Server;
use crate::harness::{Outcome, pictures, watch};
use crate::report::Row;
use crate::say;

const VIEWERS: u32 = 1000;
const STREAMS: u32 = 10;
const MEASURED: Duration = Duration::from_secs(20);
/// The kernel counts in 10 ms: two readings of nothing differ by that much, at either end.
const NOISE_MS: f64 = 20.0;

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let server = Server::start(&["recording.enabled=false"]).await?;
    let frames = pictures::drawn(640, 480, 85)?;
    let mut crowd = Crowd::default();
    for stream in 0..STREAMS {
        crowd.add(Pusher::new(server.address, stream, &frames, Kind::Jpeg).run(30.0, Duration::ZERO, 1));
    }
    crowd.join().await?;
    sleep(Duration::from_secs(2)).await;
    let nobody = spent(&server).await?;
    let mut viewers = Vec::new();
    for viewer in 0..VIEWERS {
        viewers.push(watch::ask(server.address, viewer % STREAMS).await?);
    }
    sleep(Duration::from_secs(2)).await;
    let all = spent(&server).await?;
    let memory = server.process.memory()?.1 as f64 / 1e6;
    say(&format!("idle: {nobody} ms of CPU in 20 s without viewers, {all} ms with {}", viewers.len()));
    drop(viewers);
    server.stop()?;
    Ok(vec![
        Row::at_most(
            "idle",
            "CPU of 1,000 waiting viewers in 20 s, above that of none",
            all - nobody,
            NOISE_MS,
            " ms",
        )
        .against(format!("none: {nobody} ms, 1,000: {all} ms")),
        Row::at_most("idle", "peak memory with 1,000 waiting viewers", memory, 400.0, " MB"),
    ])
}

/// Milliseconds of processor time in [`MEASURED`].
async fn spent(server: &Server) -> Outcome<f64> {
    let before = server.process.cpu()?;
    sleep(MEASURED).await;
    Ok((server.process.cpu()? - before).as_secs_f64() * 1000.0)
}
