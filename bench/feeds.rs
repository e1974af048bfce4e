//! Four live feeds of 1080p30 H.264 in a 2×2 with twenty layers over them: what decoding and composing them costs, and whether
//! they go out at 1080p30 without losing a frame.
//!
//! The feeds are channels of the stand-in for Twitch, served by this process, so that serving them is not in the figures; the
//! server is started as users start it. `FEEDS_SECONDS` says for how long each part is measured (60).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sim::clip::Clip;
use sim::ladder::{Rendition, Video};
use sim::sink::{self, Sink};
use sim::world::{self, World};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::compose::scene;
use crate::harness::Outcome;
use crate::harness::server::Server;
use crate::report::{Row, short};
use crate::say;

const SUBJECT: &str = "feeds";
const FPS: u32 = 30;
const FEEDS: u32 = 4;
const WARM_UP: Duration = Duration::from_secs(10);
/// Cores that decoding and composing may take.
const MOST: f64 = 1.3;
/// From the one that makes most of a bit.
const PRESETS: [&str; 3] = ["veryfast", "superfast", "ultrafast"];

pub(crate) async fn measure() -> Outcome<Vec<Row>> {
    let seconds = match std::env::var("FEEDS_SECONDS") {
        Ok(text) => text.parse().map_err(|e| format!("FEEDS_SECONDS: {e}"))?,
        Err(_) => 60,
    };
    let folder = tempfile::tempdir()?;
    scene::write(folder.path())?;
    let feeds = Feeds::start().await?;
    let alone = feeds.run(folder.path(), None, seconds).await?;
    let what = format!("four 1080p30 feeds in a 2×2 with 20 layers, {seconds} s");
    let mut rows = vec![
        Row::at_most(SUBJECT, &format!("cores to decode and compose {what}"), alone.cores, MOST, "")
            .against(alone.told()),
        Row::told(SUBJECT, "peak memory of that", format!("{} MB", short(alone.memory))),
    ];
    for preset in PRESETS {
        let air = feeds.run(folder.path(), Some(preset), seconds).await?;
        let figure = format!("frames dropped or repeated on air with {what}, {preset}, 1080p30");
        let told = format!("{} cores; {}", short(air.cores), air.told());
        if air.lost == 0.0 || preset == PRESETS[PRESETS.len() - 1] {
            rows.push(Row::at_most(SUBJECT, &figure, air.lost, 0.0, "").against(told));
            break;
        }
        rows.push(Row::told(SUBJECT, &figure, short(air.lost)).against(told));
    }
    Ok(rows)
}

/// The stand-in's channels.
struct Feeds {
    address: String,
    _serving: tokio::task::JoinHandle<()>,
}

/// What one run took.
struct Run {
    cores: f64,
    /// MB.
    memory: f64,
    /// Frames of the program dropped, repeated or left out.
    lost: f64,
    /// Frames of the program that were late.
    late: f64,
    /// Pictures of the feeds that were decoded, each second, and those left out.
    decoded: f64,
    dropped: f64,
    /// ms of a frame.
    p50: f64,
    /// The encoder's effort at the end.
    preset: String,
}

impl Run {
    fn told(&self) -> String {
        let Self { late, decoded, dropped, p50, preset, .. } = self;
        let preset = if preset.is_empty() { String::new() } else { format!(", at the end {preset}") };
        format!(
            "{} pictures of the feeds decoded a second, {} left out, a frame takes {} ms, {} late{preset}",
            short(*decoded),
            short(*dropped),
            short(*p50),
            short(*late)
        )
    }
}

impl Feeds {
    async fn start() -> Outcome<Self> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut settings = world::Settings::new(Arc::new(now), FEEDS);
        let video = Video { width: 1920, height: 1080, fps: FPS, kbps: 4500, b_frames: 2 };
        settings.ladder = vec![Rendition::new("1080p30", "1080p30", video)];
        settings.clips = Clip::drawn(FEEDS);
        settings.cache = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/films"));
        let world = World::new(settings)?;
        say("feeds: making four films of 1080p30, which takes a while the first time");
        world.prepare(&["1080p30"]).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        // It ends with this process.
        let serving = tokio::task::spawn_local(world::serve(listener, world));
        Ok(Self { address, _serving: serving })
    }

    /// Shows them for so long; on air with that preset, if one is named.
    async fn run(&self, folder: &Path, preset: Option<&str>, seconds: u64) -> Outcome<Run> {
        let own = [
            format!("capture.twitch.gql_url={}/gql", self.address),
            format!("capture.twitch.usher_url={}", self.address),
            format!("compositor.fps={FPS}"),
            format!("outputs.preset={}", preset.unwrap_or("veryfast")),
            "capture.quality=best".to_owned(),
            // Captures are measured elsewhere.
            "capture.interval=60".to_owned(),
            "packs.default=none".to_owned(),
            "egress.allow_private=true".to_owned(),
            "recording.enabled=false".to_owned(),
        ];
        let settings: Vec<&str> = own.iter().map(String::as_str).collect();
        let server = Server::start(&settings).await?;
        for number in 1..=FEEDS {
            let stream = json!({ "username": format!("sim_{number:04}") });
            server.send("POST", "/api/streams", &stream.to_string()).await?;
        }
        stage(&server, folder).await?;
        let sink = Sink::new(sink::Settings::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let taking = tokio::task::spawn_local(sink::serve(listener, sink.clone()));
        if preset.is_some() {
            let output = json!({
                "id": "far", "type": "rtmp", "url": format!("rtmp://{address}/live"), "key": "key",
                "profile": "custom", "bitrateKbps": 4000,
            });
            server.send("POST", "/stream/outputs", &output.to_string()).await?;
        }
        server.send("POST", "/stream/control", &json!({ "action": "start" }).to_string()).await?;
        sleep(WARM_UP).await;
        let (before, cpu) = (Seen::read(&server).await?, server.process.cpu()?);
        sleep(Duration::from_secs(seconds)).await;
        let (after, spent) = (Seen::read(&server).await?, server.process.cpu()? - cpu);
        let memory = server.process.memory()?.1;
        let playing = after.status["played"].as_array().into_iter().flatten();
        if playing.filter(|played| played["state"] == "playing").count() != usize::try_from(FEEDS)? {
            return Err(format!("not all feeds play: {}", after.status["played"]).into());
        }
        server.send("POST", "/stream/control", &json!({ "action": "stop" }).to_string()).await?;
        server.stop()?;
        taking.abort();
        let change = |field: &str| {
            after.status[field].as_f64().unwrap_or(0.0) - before.status[field].as_f64().unwrap_or(0.0)
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of minutes, bytes of megabytes")]
        let (length, memory) = (seconds as f64, memory as f64 / 1e6);
        let late = change("droppedFrames");
        let encoded = if preset.is_some() { change("repeatedFrames") + change("skippedFrames") } else { 0.0 };
        let run = Run {
            cores: spent.as_secs_f64() / length,
            memory,
            lost: late + encoded,
            late,
            decoded: (after.decoded - before.decoded) / length,
            dropped: after.dropped - before.dropped,
            p50: after.status["renderTimeMs"]["p50"].as_f64().unwrap_or(f64::NAN),
            preset: after.status["encoders"][0]["preset"].as_str().unwrap_or_default().to_owned(),
        };
        say(&format!(
            "feeds, {}: {} cores, {} frames lost; {}",
            preset.unwrap_or("not sent"),
            short(run.cores),
            short(run.lost),
            run.told()
        ));
        Ok(run)
    }
}

/// What a server says of itself.
struct Seen {
    status: Value,
    decoded: f64,
    dropped: f64,
}

impl Seen {
    async fn read(server: &Server) -> Outcome<Self> {
        let status = serde_json::from_str(&server.ask("GET", "/stream/status").await?)?;
        let decoded = server.metric("onair_played_pictures_total").await?;
        let dropped = server.metric("onair_played_dropped_total").await?;
        Ok(Self { status, decoded, dropped })
    }
}

/// Makes the scene over the API: the feeds, ten pictures with alpha, four of them moving, six lines of text, one of them
/// changing with every frame, and four shapes.
async fn stage(server: &Server, folder: &Path) -> Outcome<()> {
    let mut layers = Vec::new();
    for (number, (x, y)) in (1..).zip([(0, 0), (960, 0), (0, 540), (960, 540)]) {
        layers.push(json!({
            "id": format!("feed{number}"), "transform": { "position": { "x": x, "y": y } }, "content": {
                "kind": "stream", "name": format!("sim_{number:04}"), "width": 960, "height": 540, "fit": "fill" },
        }));
    }
    let mut animations = Vec::new();
    for number in 0..10_u32 {
        let bytes = std::fs::read(folder.join(format!("{number}.png")))?;
        server.upload(&format!("/api/assets?id=picture-{number}"), "image/png", &bytes).await?;
        let (x, y) = (40 + 370 * (number % 5), 60 + 560 * (number / 5));
        layers.push(json!({
            "id": format!("p{number}"), "opacity": 0.8, "transform": { "position": { "x": x, "y": y } },
            "content": { "kind": "image", "src": format!("picture-{number}"), "width": 320, "height": 180 },
        }));
        if number < 4 {
            let way = json!({ "property": "position.x", "keyframes": [
                { "t": 0, "value": x }, { "t": 4000, "value": x + 210 }] });
            animations.push(json!({ "layerId": format!("p{number}"), "repeat": "forever", "yoyo": true, "tracks": [way] }));
        }
    }
    for line in 0..6 {
        let text = if line == 0 {
            "Frame {{ program.frame }}".to_owned()
        } else {
            format!("A line of text, number {line}")
        };
        layers.push(json!({
            "id": format!("line{line}"), "transform": { "position": { "x": 60, "y": 300 + 40 * line } },
            "content": { "kind": "text", "text": text, "style": { "fontSize": 32 } },
        }));
    }
    for shape in 0..4 {
        layers.push(json!({
            "id": format!("shape{shape}"), "opacity": 0.7, "transform": { "position": { "x": 900 + 220 * shape, "y": 480 } },
            "content": { "kind": "shape", "shape": "rectangle", "width": 200, "height": 60,
                "style": { "fillColor": "#204080" } },
        }));
    }
    let scene = json!({ "id": "scene", "layers": layers, "animations": animations });
    server.send("POST", "/stream/scenes", &scene.to_string()).await?;
    server.send("POST", "/stream/scenes/scene/activate", "{}").await?;
    Ok(())
}
