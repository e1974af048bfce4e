//! The second part of the soak: streams we fetch, from a stand-in that misbehaves, while everything is changed all the time.
//!
//! Called by `soak`. The stand-in is a process of its own; every channel spends a part of its time in faults. Streams are
//! removed and added, viewers come and go, settings change, capture begins anew. Channels that are well must be captured
//! as they should; memory, threads, descriptors and connections must stay; at the end, with nothing followed, nothing may
//! be left.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::crowd::Crowd;
use crate::harness::process::{Process, free_address, listening};
use crate::harness::server::Server;
use crate::harness::{Outcome, median};

/// Part of its time that a channel misbehaves; what chance starts from.
const FAULTS: (&str, &str) = ("0.05", "3");
/// Shorter than the shortest fault, so that none is missed.
const LOOK: Duration = Duration::from_secs(4);
/// After a fault: the longest back-off, and the capture after it.
const RECOVERY: Duration = Duration::from_secs(45);
/// Between two changes of a setting.
const SETTING: Duration = Duration::from_secs(15);
/// All settings once. Pictures are smaller in a part of it, so that only whole rounds can be compared.
const ROUND: Duration = Duration::from_secs(6 * SETTING.as_secs());
/// Until the rings are full and every channel has been watched.
const WARM_UP: Duration = Duration::from_secs(2 * ROUND.as_secs());
/// Of the captures that channels without a fault should give.
const LEAST: f64 = 0.95;
/// Of those one channel should give in half a minute, also while everything begins anew.
const FEWEST: f64 = 0.5;
/// What may be more in the last third than in the first: a part, and a number.
const GROWTH: (f64, f64) = (0.10, SPARE);
const SPARE: f64 = 8.0;
/// The same of memory, in bytes: chance makes rounds of the same length differ by a few percent.
const MORE_MEMORY: (f64, f64) = (0.05, 8e6);
/// Bytes that may stay for each core when nothing is followed any more. One thread decodes there and one fetches, and up to
/// 8 MB are kept at hand for each (`media::decode::keep_memory`).
const KEPT: f64 = 20e6;

/// What went wrong in `time` with so many channels.
pub(crate) async fn soak(time: Duration, channels: u32) -> Outcome<Vec<String>> {
    let sim = Sim::start(channels).await?;
    let server = sim.server().await?;
    let baseline = Sample::take(&server, &sim).await?;
    let world = World::new(&server, &sim, time).await?;
    let mut crowd = Crowd::default();
    world.populate(&mut crowd);
    let (mut samples, begun, mut told) = (Vec::new(), Instant::now(), 0);
    while !world.over() {
        sleep(Duration::from_secs(2)).await;
        crowd.check().await?;
        let sample = Sample::take(&server, &sim).await?;
        if begun.elapsed().as_secs() / 60 > told {
            told = begun.elapsed().as_secs() / 60;
            crate::say(&format!("{told} min: {sample}, healthy {}", world.healthy.borrow()));
        }
        samples.push((begun.elapsed(), sample));
    }
    crowd.join().await?;
    let mut verdict = Verdict::default();
    verdict.streams(&world);
    verdict.growth(&samples);
    verdict.panics(&server).await?;
    verdict.end(&world, &server, &sim, &baseline).await?;
    let folder = server.stop()?;
    let files = pictures(&folder.path().join("data/frames"))?;
    verdict.must(files == 0, format!("files of pictures left: {files}"));
    let panicked = crate::logs(&folder.path().join("logs"))?.matches("panicked").count();
    verdict.must(panicked == 0, format!("panics in the log: {panicked}"));
    Ok(verdict.mistakes)
}

/// `onair sim`, as a process.
struct Sim {
    process: Process,
    address: SocketAddr,
    names: Vec<String>,
}

impl Sim {
    async fn start(channels: u32) -> Outcome<Self> {
        let films = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/films");
        let address = free_address()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_onair"));
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .arg("sim")
            .args(["--prepare", "--cache"])
            .arg(films);
        command.args(["--port", &address.port().to_string(), "--channels", &channels.to_string()]);
        command.args(["--renditions", "720p30,360p30", "--fault", FAULTS.0, "--seed", FAULTS.1]);
        let process = Process::start(&mut command)?;
        listening(address, &process).await?;
        // It listens before its films are made, which takes a while the first time, and answers then.
        let mut tries = 0;
        while let Err(e) = fetch(address, "GET", "/sim/stats", None).await {
            tries += 1;
            if tries > 10 {
                return Err(e);
            }
        }
        let names = (1..=channels).map(|n| format!("sim_{n:04}")).collect();
        Ok(Self { process, address, names })
    }

    async fn server(&self) -> Outcome<Server> {
        let address = self.address;
        let leads = [
            format!("capture.twitch.gql_url=http://{address}/gql"),
            format!("capture.twitch.usher_url=http://{address}"),
            "egress.allow_private=true".to_owned(),
            "logging.level=error".to_owned(),
            "server.rtmp_port=0".to_owned(),
            "recording.enabled=false".to_owned(),
        ];
        Server::start(&leads.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Connections open to it.
    async fn connections(&self) -> Outcome<f64> {
        let stats: Value = serde_json::from_str(&fetch(self.address, "GET", "/sim/stats", None).await?.1)?;
        Ok(stats["open_connections"].as_f64().ok_or("no open_connections")?)
    }
}

/// The server at one moment.
#[derive(Clone, Copy)]
struct Sample {
    memory: f64,
    threads: f64,
    descriptors: f64,
    connections: f64,
}

impl Sample {
    async fn take(server: &Server, sim: &Sim) -> Outcome<Self> {
        let id = server.process.id();
        let count = |what: &str| -> Outcome<f64> {
            Ok(std::fs::read_dir(format!("/proc/{id}/{what}"))?.count() as f64)
        };
        Ok(Self {
            memory: server.process.memory()?.0 as f64,
            threads: count("task")?,
            descriptors: count("fd")?,
            connections: sim.connections().await?,
        })
    }

    /// The middle of each, of those taken in that time.
    fn middle(samples: &[(Duration, Self)], time: Range<Duration>) -> Self {
        let of = |which: fn(&Self) -> f64| {
            let within = samples.iter().filter(|(at, _)| time.contains(at));
            median(within.map(|(_, sample)| which(sample)))
        };
        Self {
            memory: of(|sample| sample.memory),
            threads: of(|sample| sample.threads),
            descriptors: of(|sample| sample.descriptors),
            connections: of(|sample| sample.connections),
        }
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { memory, threads, descriptors, connections } = self;
        write!(
            f,
            "{:.0} MB, {threads} threads, {descriptors} descriptors, {connections} connections out",
            memory / 1e6
        )
    }
}

#[derive(Default)]
struct Verdict {
    mistakes: Vec<String>,
}

impl Verdict {
    fn must(&mut self, holds: bool, what: String) {
        crate::say(&what);
        if !holds {
            self.mistakes.push(what);
        }
    }

    fn streams(&mut self, world: &World) {
        let healthy = world.healthy.borrow();
        let enough = healthy.due > 100.0;
        let fewest = healthy.worst.as_ref().map_or(0.0, |(part, _)| *part);
        self.must(
            enough && healthy.part() >= LEAST && fewest >= FEWEST,
            format!("captures of channels without a fault: {healthy}"),
        );
        let (views, changes, restarts) = (world.views.get(), world.changes.get(), world.restarts.get());
        let all = views > 0 && changes > 0 && restarts > 0;
        self.must(
            all,
            format!(
                "{views} viewers came and went, {changes} streams and settings changed, {restarts} restarts"
            ),
        );
    }

    /// Compares the first and the last third of the whole rounds after the warm-up.
    fn growth(&mut self, samples: &[(Duration, Sample)]) {
        let took = samples.last().map_or(Duration::ZERO, |(at, _)| at.saturating_sub(WARM_UP));
        let rounds = u32::try_from(took.as_secs() / ROUND.as_secs()).unwrap_or(u32::MAX);
        let third = rounds / 3;
        if third == 0 {
            return self.must(false, "the run is too short to see growth: 8 minutes at least".to_owned());
        }
        let during = |rounds: Range<u32>| {
            Sample::middle(samples, WARM_UP + ROUND * rounds.start..WARM_UP + ROUND * rounds.end)
        };
        let (early, late) = (during(0..third), during(rounds - third..rounds));
        let mut bound = |what: &str, early: f64, late: f64, (part, more): (f64, f64), unit: f64| {
            let line =
                format!("{what}: {:.1} in the first third, {:.1} in the last", early / unit, late / unit);
            self.must(late <= early * (1.0 + part) + more, line);
        };
        bound("memory, MB", early.memory, late.memory, MORE_MEMORY, 1e6);
        bound("threads", early.threads, late.threads, (0.0, SPARE), 1.0);
        bound("descriptors", early.descriptors, late.descriptors, GROWTH, 1.0);
        bound("connections out", early.connections, late.connections, GROWTH, 1.0);
    }

    async fn panics(&mut self, server: &Server) -> Outcome<()> {
        for what in ["task", "handler", "decode", "recording"] {
            let panics = server.metric(&format!("onair_{what}_panics_total")).await?;
            self.must(panics == 0.0, format!("panics ({what}): {panics}"));
        }
        Ok(())
    }

    /// Nothing is followed any more: what was held for it must go.
    async fn end(&mut self, world: &World, server: &Server, sim: &Sim, baseline: &Sample) -> Outcome<()> {
        for name in &sim.names {
            let (status, body) =
                fetch(world.address, "DELETE", &format!("/api/streams/{name}"), None).await?;
            if !matches!(status, 200 | 404) {
                return Err(format!("DELETE {name}: {status} {body}").into());
            }
        }
        let mut after = Sample::take(server, sim).await?;
        let bounds = [
            |sample: &Sample| sample.threads,
            |sample: &Sample| sample.descriptors,
            |sample: &Sample| sample.connections,
        ];
        let kept = KEPT * std::thread::available_parallelism()?.get() as f64;
        let as_before = |after: &Sample| {
            after.memory <= baseline.memory + kept
                && bounds.iter().all(|of| of(after) <= of(baseline) + SPARE)
        };
        let mut left = Left::take(server).await?;
        // Files are deleted by a thread that nobody waits for, and memory is given back twice a minute.
        for _ in 0..120 {
            if as_before(&after) && left == Left::default() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
            (after, left) = (Sample::take(server, sim).await?, Left::take(server).await?);
        }
        self.must(
            as_before(&after),
            format!("before anything was followed: {baseline}; afterwards: {after}"),
        );
        self.must(left == Left::default(), format!("left of what was followed: {left:?}"));
        let sim_memory = sim.process.memory()?.0 as f64 / 1e6;
        crate::say(&format!("the stand-in itself: {sim_memory:.0} MB"));
        Ok(())
    }
}

/// What is held for streams that are followed.
#[derive(Debug, Default, PartialEq)]
struct Left {
    streams: f64,
    bytes_in_memory: f64,
    bytes_on_disk: f64,
}

impl Left {
    async fn take(server: &Server) -> Outcome<Self> {
        Ok(Self {
            streams: server.metric("onair_pull_streams").await?,
            bytes_in_memory: server.metric("onair_memory_captures_bytes").await?,
            bytes_on_disk: server.metric("onair_captures_disk_bytes").await?,
        })
    }
}

/// Captures that were due of channels that were well, and those that were made.
#[derive(Default)]
struct Made {
    due: f64,
    made: f64,
    /// The channel that had the smallest part of its own.
    worst: Option<(f64, String)>,
}

impl Made {
    fn part(&self) -> f64 {
        self.made / self.due
    }
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} of {:.0} ({:.2} %)", self.made, self.due, self.part() * 100.0)?;
        match &self.worst {
            Some((part, name)) => write!(f, ", fewest in a stretch: {name} with {:.0} %", part * 100.0),
            None => Ok(()),
        }
    }
}

/// All that is done to the server.
#[derive(Clone)]
struct World {
    address: SocketAddr,
    sim: SocketAddr,
    end: Instant,
    names: Rc<Vec<String>>,
    /// Seconds between captures just now.
    interval: Rc<Cell<f64>>,
    healthy: Rc<RefCell<Made>>,
    views: Rc<Cell<u64>>,
    changes: Rc<Cell<u64>>,
    restarts: Rc<Cell<u64>>,
}

impl World {
    async fn new(server: &Server, sim: &Sim, time: Duration) -> Outcome<Self> {
        let world = Self {
            address: server.address,
            sim: sim.address,
            end: Instant::now() + time,
            names: Rc::new(sim.names.clone()),
            interval: Rc::new(Cell::new(3.0)),
            healthy: Rc::default(),
            views: Rc::default(),
            changes: Rc::default(),
            restarts: Rc::default(),
        };
        let body = json!({ "streams": *world.names });
        world.ask("POST", "/api/streams/bulk", Some(&body)).await?;
        Ok(world)
    }

    fn populate(&self, crowd: &mut Crowd) {
        crowd.add(self.clone().count());
        crowd.add(self.clone().replace());
        crowd.add(self.clone().configure());
        for viewer in 0..20 {
            crowd.add(self.clone().view(viewer));
        }
    }

    fn over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// The last tenth of the channels is removed and added again all the time; the others stay.
    fn steady(&self) -> &[String] {
        &self.names[..self.names.len() - self.names.len() / 10]
    }

    /// Counts what channels without a fault give, in stretches of half a minute.
    async fn count(self) -> Outcome<()> {
        let (mut ill, mut before, mut at) = (BTreeMap::<String, Instant>::new(), None, Instant::now());
        while !self.over() {
            let (mut due, began) = (0.0, Instant::now());
            while began.elapsed() < Duration::from_secs(30) {
                let interval = self.interval.get();
                for name in self.faulty().await? {
                    ill.insert(name, Instant::now());
                }
                sleep(LOOK).await;
                let now = Instant::now();
                due += (now - at).as_secs_f64() / interval;
                at = now;
            }
            let now = self.captured().await?;
            // The first stretch begins when all have been captured once.
            if let Some(before) = before.replace(now.clone()) {
                self.add(&before, &now, due, &ill);
            }
            ill.retain(|_, at| at.elapsed() < Duration::from_secs(30) + RECOVERY);
        }
        Ok(())
    }

    fn add(
        &self,
        before: &BTreeMap<String, f64>,
        now: &BTreeMap<String, f64>,
        due: f64,
        ill: &BTreeMap<String, Instant>,
    ) {
        let mut healthy = self.healthy.borrow_mut();
        let well = self.steady().iter().filter(|name| !ill.contains_key(*name));
        for name in well {
            let (Some(before), Some(now)) = (before.get(name), now.get(name)) else { continue };
            let made = now - before;
            healthy.due += due;
            healthy.made += made;
            if healthy.worst.as_ref().is_none_or(|(part, _)| made / due < *part) {
                healthy.worst = Some((made / due, name.clone()));
            }
        }
    }

    /// Channels something is wrong with just now.
    async fn faulty(&self) -> Outcome<BTreeSet<String>> {
        let all: Value = serde_json::from_str(&fetch(self.sim, "GET", "/sim/channels", None).await?.1)?;
        let all = all["channels"].as_array().ok_or("no channels")?;
        let names = all.iter().filter(|channel| !channel["fault"].is_null());
        Ok(names.filter_map(|channel| Some(channel["name"].as_str()?.to_owned())).collect())
    }

    async fn captured(&self) -> Outcome<BTreeMap<String, f64>> {
        let all = self.ask("GET", "/api/streams?kind=pull&limit=100000", None).await?;
        let all = all["streams"].as_array().ok_or("no streams")?;
        let made = |stream: &Value| {
            Some((stream["name"].as_str()?.to_owned(), stream["successful_captures"].as_f64()?))
        };
        Ok(all.iter().filter_map(made).collect())
    }

    /// Removes a stream and adds it again, each time another way.
    async fn replace(self) -> Outcome<()> {
        let churn = &self.names[self.steady().len()..];
        for (round, name) in churn.iter().cycle().enumerate() {
            if self.over() {
                break;
            }
            self.ask("DELETE", &format!("/api/streams/{name}"), None).await?;
            sleep(Duration::from_millis(200)).await;
            let priority = round % 10 + 1;
            if round % 2 == 0 {
                let body = json!({"username": name, "priority": priority, "interval": 1.5});
                self.ask("POST", "/api/streams", Some(&body)).await?;
            } else {
                self.ask("POST", "/api/streams/bulk", Some(&json!({ "streams": [name] }))).await?;
                let path = format!("/api/streams/{name}/priority");
                self.ask("PUT", &path, Some(&json!({ "priority": priority }))).await?;
            }
            self.changes.set(self.changes.get() + 2);
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Changes a setting every few seconds; every minute and a half capture begins anew.
    async fn configure(self) -> Outcome<()> {
        let settings = [
            json!({"quality": "360p"}),
            json!({"capture_interval": 4}),
            json!({"max_concurrent": 60}),
            json!({"quality": "720p"}),
            json!({"capture_interval": 3}),
            json!({"max_concurrent": 100}),
        ];
        for (round, settings) in settings.iter().cycle().enumerate() {
            sleep(SETTING).await;
            if self.over() {
                break;
            }
            self.ask("PUT", "/api/config", Some(settings)).await?;
            self.interval.set(settings["capture_interval"].as_f64().unwrap_or(self.interval.get()));
            self.changes.set(self.changes.get() + 1);
            if round % 6 == 5 {
                self.ask("POST", "/api/restart", None).await?;
                self.restarts.set(self.restarts.get() + 1);
            }
        }
        Ok(())
    }

    /// Watches one channel after the other for a while, and looks at its pictures.
    async fn view(self, viewer: usize) -> Outcome<()> {
        for name in self.names.iter().cycle().skip(viewer * 7).step_by(13) {
            if self.over() {
                break;
            }
            let request = format!("GET /stream/{name} HTTP/1.1\r\nHost: soak\r\n\r\n");
            let mut socket = TcpStream::connect(self.address).await?;
            socket.write_all(request.as_bytes()).await?;
            let mut buffer = vec![0; 1 << 16];
            let watching = async { while matches!(socket.read(&mut buffer).await, Ok(1..)) {} };
            // It ends by itself when the stream is removed.
            let _ = timeout(Duration::from_secs(3 + (viewer % 5) as u64), watching).await;
            drop(socket);
            // 404 while there is no picture, or no stream just now.
            let snapshot = format!("/api/streams/{name}/snapshot.jpg?width=320");
            for path in [format!("/api/streams/{name}"), snapshot] {
                let (status, body) = fetch(self.address, "GET", &path, None).await?;
                if !matches!(status, 200 | 404) {
                    return Err(format!("GET {path}: {status} {body}").into());
                }
            }
            self.views.set(self.views.get() + 1);
        }
        Ok(())
    }

    /// The JSON of a success.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Outcome<Value> {
        let (status, text) = fetch(self.address, method, path, body).await?;
        if !(200..300).contains(&status) {
            return Err(format!("{method} {path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// How many files there are in the folders of a folder.
fn pictures(folder: &Path) -> Outcome<usize> {
    let mut files = 0;
    for stream in std::fs::read_dir(folder).into_iter().flatten() {
        files += std::fs::read_dir(stream?.path())?.count();
    }
    Ok(files)
}

/// One request, one connection: status and body.
async fn fetch(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Outcome<(u16, String)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n{kind}");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let answering = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let late = || format!("{method} {path}: no answer in 30 s");
    let answer = timeout(Duration::from_secs(30), answering).await.map_err(|_| late())??;
    let end = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or("no answer")?;
    let status = std::str::from_utf8(answer.get(9..12).ok_or("no status")?)?.parse()?;
    Ok((status, String::from_utf8_lossy(&answer[end + 4..]).into_owned()))
}
