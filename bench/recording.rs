//! What it costs to keep every frame, and whether every frame is kept.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep;

use crate::harness::crowd::Crowd;
use crate::harness::push::{Kind, Pusher};
use crate::harness::server::Server;
use crate::harness::{Outcome, median, pictures, videos};
use crate::report::{Row, short};
use crate::say;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const QUALITY: u8 = 85;
const ROUNDS: usize = 3;
const MOST_MEMORY_MB: f64 = 400.0;
/// Cores for 50 streams kept as they come.
const MOST_CORES: f64 = 0.4;
/// A film to take pictures from besides the drawn ones, where there is one.
const FILM: &str = "../shared/media/video/bbb_trailer_720p24_mp3_55s.mp4";

/// What is pushed, and how it is to be kept.
#[derive(Clone, Copy)]
struct Load {
    codec: &'static str,
    streams: u32,
    fps: f64,
    /// Frames of each stream.
    frames: u64,
}

/// Not to be recorded.
const NOTHING: &str = "";
const MJPEG: Load = Load { codec: "mjpeg", streams: 50, fps: 30.0, frames: 450 };
/// One that goes easy on the machine, for the cost of a frame.
const FEW: Load = Load { codec: NOTHING, streams: 4, fps: 30.0, frames: 300 };
const H264: Load = Load { codec: "h264", streams: 50, fps: 5.0, frames: 100 };

struct Recorded {
    cores: f64,
    /// Processor time for each frame, receiving it included, ms.
    cost: f64,
    /// Highest resident memory, MB.
    memory: f64,
    /// Frames pushed that are in no file, and files not of the codec asked for.
    lost: u64,
    others: usize,
}

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let mut sets = vec![("drawn", pictures::drawn(WIDTH, HEIGHT, QUALITY)?)];
    let film = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILM);
    if film.exists() {
        sets.push(("filmed", pictures::filmed(&film, WIDTH, HEIGHT, QUALITY)?));
    }
    let mut rows = Vec::new();
    for load in [MJPEG, H264] {
        rows.extend(many(load, &sets).await?);
    }
    for (what, frames) in &sets {
        rows.extend(against_opencv(what, frames).await?);
    }
    Ok(rows)
}

/// 50 streams in real time.
async fn many(load: Load, sets: &[(&str, Vec<Bytes>)]) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, frames) in sets {
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            let recorded = record(load, frames).await?;
            let Recorded { cores, memory, lost, others, .. } = &recorded;
            let told =
                format!("{} cores, {} MB, {lost} lost, {others} fallen back", short(*cores), short(*memory));
            say(&format!("recording, round {round}, 50 × {} fps {what} as {}: {told}", load.fps, load.codec));
            rounds.push(recorded);
        }
        let middle = |figure: fn(&Recorded) -> f64| median(rounds.iter().map(figure));
        let kb = frames.iter().map(Bytes::len).sum::<usize>() / frames.len() / 1000;
        let figure = |name: &str| format!("{name}, 50 × {} fps {what} ({kb} KB) as {}", load.fps, load.codec);
        let cores = Row::at_most("recording", &figure("cores"), middle(|r| r.cores), MOST_CORES, "");
        rows.push(if load.codec == "mjpeg" {
            cores
        } else {
            Row::told("recording", &figure("cores"), short(middle(|r| r.cores)))
        });
        let worst = |figure: fn(&Recorded) -> f64| rounds.iter().map(figure).fold(0.0, f64::max);
        let unkept = worst(|r| r.lost as f64 + r.others as f64);
        rows.push(Row::at_most(
            "recording",
            &figure("frames lost and files fallen back, worst round"),
            unkept,
            0.0,
            "",
        ));
        rows.push(Row::at_most(
            "recording",
            &figure("peak memory"),
            worst(|r| r.memory),
            MOST_MEMORY_MB,
            " MB",
        ));
    }
    Ok(rows)
}

/// Processor time a frame beside OpenCV's, both with the same frames of as many streams at the rate they are made: what the
/// server takes more than when it records nothing, for the peer receives nothing.
async fn against_opencv(what: &str, frames: &[Bytes]) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    for (number, jpeg) in frames.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number:04}.jpg")), jpeg)?;
    }
    let codecs = [("mp4v", 0.8), ("h264", 1.0)];
    let (mut ours, mut peer) = ([Vec::new(), Vec::new()], Vec::new());
    let (mut receiving, mut at_once) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        peer.push(opencv(folder.path(), FEW.streams, FEW.frames / frames.len() as u64)?);
        at_once.push(opencv(folder.path(), 0, 10)?);
        let only_received = record(Load { codec: NOTHING, ..FEW }, frames).await?.cost;
        receiving.push(only_received);
        for ((codec, _), costs) in codecs.into_iter().zip(&mut ours) {
            let recorded = record(Load { codec, ..FEW }, frames).await?;
            if recorded.lost + recorded.others as u64 > 0 {
                say(&format!(
                    "recording: {} lost, {} fallen back as {codec}",
                    recorded.lost, recorded.others
                ));
            }
            costs.push(recorded.cost - only_received);
        }
        let [mp4v, h264] = [0, 1].map(|at| ours[at].last().copied().map_or_else(String::new, short));
        let opencv = peer.last().copied().map_or_else(String::new, short);
        say(&format!(
            "recording, round {round}, {what}: OpenCV {opencv} ms a frame, mp4v {mp4v}, h264 {h264}, and {} for receiving",
            short(only_received)
        ));
    }
    let whole =
        |costs: &[f64]| median(costs.iter().zip(&receiving).map(|(cost, receiving)| cost + receiving));
    let mut rows = Vec::new();
    for ((codec, most), costs) in codecs.into_iter().zip(&ours) {
        let figure = format!("CPU a frame as {codec}, {what}, against OpenCV's mp4v");
        let against = |peer: &[f64]| median(costs.iter().zip(peer).map(|(ours, peer)| ours / peer));
        let middle = |costs: &[f64]| short(median(costs.iter().copied()));
        let told = format!(
            "opencv_record.py --live: {} ms; onair: {}, and {} with its HTTP, which the peer does not do",
            middle(&peer),
            middle(costs),
            short(whole(costs))
        );
        rows.push(Row::at_most("recording", &figure, against(&peer), most, "×").against(told));
        let one = format!("{figure} at its best: one stream as fast as it goes, all in the cache");
        let told = format!("opencv_record.py: {} ms", middle(&at_once));
        rows.push(Row::told("recording", &one, format!("{}×", short(against(&at_once)))).against(told));
    }
    Ok(rows)
}

/// Milliseconds of processor time OpenCV takes a frame of that many live streams, or of one that need not wait if it is 0.
fn opencv(folder: &Path, live: u32, repeat: u64) -> Outcome<f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    let mut command = Command::new(&python);
    command.arg(root.join("bench/peers/opencv_record.py")).arg("--frames-dir").arg(folder).args([
        "--live",
        &live.to_string(),
        "--repeat",
        &repeat.to_string(),
    ]);
    let output =
        command.output().map_err(|e| format!("{}: {e}; ./dev bench installs it", python.display()))?;
    if !output.status.success() {
        return Err(format!("opencv_record.py: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    told["cpu_ms_per_frame"].as_f64().ok_or_else(|| "opencv_record.py gave no figure".into())
}

async fn record(load: Load, frames: &[Bytes]) -> Outcome<Recorded> {
    let Load { codec, streams, fps, frames: each } = load;
    let recording = if codec == NOTHING {
        "recording.enabled=false".to_owned()
    } else {
        format!("recording.codec={codec}")
    };
    let server = Server::start(&[&recording]).await?;
    let (before, began) = (server.process.cpu()?, Instant::now());
    let mut crowd = Crowd::default();
    for stream in 0..streams {
        let delay = Duration::from_secs(1).div_f64(fps) * stream / streams;
        crowd.add(Pusher::new(server.address, stream, frames, Kind::Jpeg).run(fps, delay, each));
    }
    crowd.join().await?;
    let took = began.elapsed();
    // What waits for the encoders counts too.
    while codec != NOTHING && server.metric("onair_recording_queue").await? > 0.0 {
        sleep(Duration::from_millis(50)).await;
    }
    let cpu = (server.process.cpu()? - before).as_secs_f64();
    let memory = server.process.memory()?.1 as f64 / 1e6;
    let folder = server.stop()?;
    let (mut kept, mut others) = (0, 0);
    let recordings = folder.path().join("recordings");
    for file in if codec == NOTHING { Vec::new() } else { videos::below(&recordings)? } {
        let (frames, coded) = videos::probe(&file)?;
        kept += frames;
        others += usize::from(coded != if codec == "mp4v" { "mpeg4" } else { codec });
    }
    let pushed = u64::from(streams) * each;
    Ok(Recorded {
        cores: cpu / took.as_secs_f64(),
        cost: cpu * 1000.0 / pushed as f64,
        memory,
        lost: pushed.saturating_sub(kept),
        others,
    })
}
