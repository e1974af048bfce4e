//! Hours of load with faults: `./dev soak`, or `SOAK_MINUTES=5 cargo bench --bench soak`; `SOAK_ONLY=push`, `capture`
//! or `air` does one of its parts.
//!
//! First what is pushed to us, here; then what we fetch (`soak_capture`), `SOAK_CHANNELS` (500) of it; then what we send (`soak_air`).
//! Publishers that
//! stay, that come and go, whose streams are deleted under them, whose pictures change size; viewers who watch, leave,
//! dawdle or never read; input of every wrong kind. At the end every frame the server took must be in a file, and
//! memory, descriptors and panics must be as if nothing had been. Ends with 1 when they are not.
#![expect(clippy::disallowed_methods, reason = "it measures this machine's time from outside")]
#![expect(clippy::print_stderr, reason = "it tells its progress")]

#[allow(dead_code, reason = "shared with the published benchmarks, which use more of it")]
mod harness;
mod soak_air;
mod soak_capture;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use harness::crowd::Crowd;
use harness::push::{Kind, Pusher, name};
use harness::server::Server;
use harness::watch::{Room, Watcher, ask};
use harness::{Outcome, median, pictures, videos};

/// Streams with a publisher that stays; the last changes its size all the time.
const STEADY: u32 = 8;
/// Steady streams that are deleted now and then.
const DELETED: u32 = 2;
/// Numbers of streams that come and go.
const CHURN: std::ops::Range<u32> = 20..26;
const FPS: f64 = 10.0;
/// Memory may grow by this part between the second and the last quarter of the run, and by this much.
const GROWTH: (f64, f64) = (0.10, 8e6);
const SPARE_DESCRIPTORS: usize = 4;

fn main() -> Outcome<ExitCode> {
    let minutes: f64 = std::env::var("SOAK_MINUTES").unwrap_or_else(|_| "60".to_owned()).parse()?;
    media::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = tokio::task::LocalSet::new();
    let time = Duration::from_secs_f64(minutes * 60.0);
    let channels: u32 = std::env::var("SOAK_CHANNELS").unwrap_or_else(|_| "500".to_owned()).parse()?;
    let only = std::env::var("SOAK_ONLY").unwrap_or_default();
    let mut mistakes = Vec::new();
    let wanted = |part: &str| only.is_empty() || only == part;
    if wanted("push") {
        mistakes.extend(clients.block_on(&runtime, soak(time))?);
    }
    if wanted("capture") {
        mistakes.extend(clients.block_on(&runtime, soak_capture::soak(time, channels))?);
    }
    if wanted("air") {
        mistakes.extend(clients.block_on(&runtime, soak_air::soak(time))?);
    }
    mistakes.iter().for_each(|mistake| say(&format!("FAILED: {mistake}")));
    Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(line: &str) {
    eprintln!("soak: {line}");
}

/// Memory and descriptors at one moment.
struct Sample {
    memory: f64,
    descriptors: usize,
}

impl Sample {
    fn take(server: &Server) -> Outcome<Self> {
        Ok(Self { memory: server.process.memory()?.0 as f64, descriptors: server.process.descriptors()? })
    }
}

/// What went wrong.
async fn soak(time: Duration) -> Outcome<Vec<String>> {
    let server = Server::start(&[
        "logging.level=error",
        "server.rtmp_port=0",
        "streams.timeout_seconds=5",
        "cleanup.interval_seconds=1",
        "recording.max_file_minutes=1",
    ])
    .await?;
    let baseline = Sample::take(&server)?;
    let world = World::new(server.address, Instant::now() + time)?;
    let mut crowd = Crowd::default();
    world.populate(&mut crowd);
    let mut samples = Vec::new();
    while Instant::now() < world.end {
        sleep(Duration::from_secs(5)).await;
        crowd.check().await?;
        samples.push(Sample::take(&server)?);
        if let Some(sample) = samples.last().filter(|_| samples.len() % 12 == 0) {
            let (taken, memory) = (world.taken.get(), sample.memory / 1e6);
            say(&format!(
                "{} min: {taken} frames, {memory:.0} MB, {} descriptors",
                samples.len() / 12,
                sample.descriptors
            ));
        }
    }
    crowd.join().await?;
    // The streams end, and then the connections nobody uses.
    let mut after = Sample::take(&server)?;
    for _ in 0..30 {
        if after.descriptors <= baseline.descriptors + SPARE_DESCRIPTORS {
            break;
        }
        sleep(Duration::from_secs(1)).await;
        after = Sample::take(&server)?;
    }
    judge(server, &world, &baseline, &samples, &after).await
}

async fn judge(
    server: Server,
    world: &World,
    baseline: &Sample,
    samples: &[Sample],
    after: &Sample,
) -> Outcome<Vec<String>> {
    let mut mistakes = Vec::new();
    let mut must = |holds: bool, what: String| {
        say(&what);
        if !holds {
            mistakes.push(what);
        }
    };
    let quarter = |at: usize| {
        let part = &samples[samples.len() * at / 4..(samples.len() * (at + 1) / 4).max(1)];
        median(part.iter().map(|sample| sample.memory))
    };
    let (early, late) = (quarter(1), quarter(3));
    let most = early * (1.0 + GROWTH.0) + GROWTH.1;
    must(
        late <= most,
        format!("memory: {:.1} MB in the second quarter, {:.1} in the last", early / 1e6, late / 1e6),
    );
    let descriptors = (baseline.descriptors, after.descriptors);
    must(
        descriptors.1 <= descriptors.0 + SPARE_DESCRIPTORS,
        format!("descriptors: {} before, {} after", descriptors.0, descriptors.1),
    );
    let panics =
        server.metric("onair_task_panics_total").await? + server.metric("onair_handler_panics_total").await?;
    must(panics == 0.0, format!("panics: {panics}"));
    let lost = server.metric("onair_recording_frames_lost_total").await?;
    must(lost == 0.0, format!("frames the server says it lost: {lost}"));
    let fallbacks = server.metric("onair_recording_fallbacks_total").await?;
    say(&format!("times an encoder could not keep up: {fallbacks}"));
    let skipped = world.refused.get();
    must(skipped > 0, format!("wrong input refused: {skipped} times"));
    let folder = server.stop()?;
    let (mut kept, files) = (0, videos::below(&folder.path().join("recordings"))?);
    for file in &files {
        kept += videos::probe(file)?.0;
    }
    let taken = world.taken.get();
    must(kept == taken, format!("frames taken: {taken}, in {} files: {kept}", files.len()));
    let panicked = logs(&folder.path().join("logs"))?.matches("panicked").count();
    must(panicked == 0, format!("panics in the log: {panicked}"));
    Ok(mistakes)
}

fn logs(folder: &Path) -> Outcome<String> {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder)? {
        text += &std::fs::read_to_string(entry?.path())?;
    }
    Ok(text)
}

/// All that is done to the server.
#[derive(Clone)]
struct World {
    address: SocketAddr,
    end: Instant,
    pictures: Rc<Vec<Bytes>>,
    flapping: Rc<Vec<Bytes>>,
    room: Room,
    /// Frames the server has said it took, and requests it refused as it should.
    taken: Rc<Cell<u64>>,
    refused: Rc<Cell<u64>>,
}

impl World {
    fn new(address: SocketAddr, end: Instant) -> Outcome<Self> {
        let (large, small) = (pictures::drawn(640, 480, 80)?, pictures::drawn(320, 240, 80)?);
        let flapping =
            large.chunks(7).zip(small.chunks(7)).flat_map(|(large, small)| [large, small].concat());
        let (flapping, pictures) = (Rc::new(flapping.collect()), Rc::new(large.clone()));
        let (taken, refused) = Default::default();
        Ok(Self { address, end, pictures, flapping, room: Room::new(), taken, refused })
    }

    fn populate(&self, crowd: &mut Crowd) {
        for stream in 0..STEADY {
            let pictures = if stream + 1 == STEADY { &self.flapping } else { &self.pictures };
            crowd.add(self.clone().publish(stream, Rc::clone(pictures)));
            for viewer in 0..12 {
                crowd.add(self.clone().watch(stream, Duration::from_secs(1 + viewer * 3)));
            }
            crowd.add(self.clone().dawdle(stream, Some(Duration::from_millis(100))));
            crowd.add(self.clone().dawdle(stream, None));
        }
        for stream in 0..DELETED {
            crowd.add(self.clone().delete(stream, Duration::from_secs(7 + u64::from(stream))));
        }
        for stream in CHURN {
            crowd.add(self.clone().come_and_go(stream));
        }
        crowd.add(self.clone().misbehave());
    }

    fn over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Publishes to the end.
    async fn publish(self, stream: u32, pictures: Rc<Vec<Bytes>>) -> Outcome<()> {
        let pusher = Pusher::new(self.address, stream, &pictures, Kind::Form);
        let left = (self.end - Instant::now()).as_secs_f64() * FPS;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few million frames")]
        pusher.clone().run(FPS, Duration::from_millis(10) * stream, left as u64).await?;
        self.taken.set(self.taken.get() + pusher.taken());
        Ok(())
    }

    /// Publishes for three seconds, is silent until the stream has been removed, and begins again.
    async fn come_and_go(self, stream: u32) -> Outcome<()> {
        while !self.over() {
            let pusher = Pusher::new(self.address, stream, &self.pictures, Kind::Jpeg);
            pusher.clone().run(FPS, Duration::ZERO, 30).await?;
            self.taken.set(self.taken.get() + pusher.taken());
            sleep(Duration::from_secs(4 + u64::from(stream % 4))).await;
        }
        Ok(())
    }

    /// Watches for a while, leaves without a word, and comes again.
    async fn watch(self, stream: u32, stay: Duration) -> Outcome<()> {
        while !self.over() {
            let watcher = Watcher::new(self.address, stream, &self.room, false);
            // The stream may be deleted meanwhile, or not be there yet; but frames must come in order.
            match timeout(stay, watcher.run()).await {
                Ok(Err(e)) if e.to_string().contains("came after") => return Err(e),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
        Ok(())
    }

    /// Reads a little now and then, or never.
    async fn dawdle(self, stream: u32, every: Option<Duration>) -> Outcome<()> {
        while !self.over() {
            let Ok(mut socket) = ask(self.address, stream).await else { continue };
            let mut buffer = [0; 1000];
            for _ in 0..200 {
                sleep(every.unwrap_or(Duration::from_millis(200))).await;
                if self.over() || every.is_some() && !matches!(socket.read(&mut buffer).await, Ok(1..)) {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn delete(self, stream: u32, every: Duration) -> Outcome<()> {
        while !self.over() {
            sleep(every).await;
            let head = format!("DELETE /api/streams/{} HTTP/1.1\r\nHost: soak\r\n\r\n", name(stream));
            // 404 when it is deleted before its next frame.
            status(self.address, head.as_bytes()).await?;
        }
        Ok(())
    }

    /// Sends everything nobody should send; each must be refused, and only that.
    async fn misbehave(self) -> Outcome<()> {
        let jpeg = &self.pictures[0];
        let post = |kind: &str, body: &[u8]| {
            let head = format!(
                "POST /publish/bad HTTP/1.1\r\nHost: soak\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let requests = [
            post("image/jpeg", b"no picture"),
            post("image/jpeg", b""),
            post("image/jpeg", &jpeg[..jpeg.len() / 2]),
            post("text/plain", jpeg),
            post("multipart/form-data; boundary=x", jpeg),
            post("multipart/form-data", jpeg),
            b"POST /publish/a%20b HTTP/1.1\r\nHost: soak\r\nContent-Length: 0\r\n\r\n".to_vec(),
            b"GET /stream/nobody HTTP/1.1\r\nHost: soak\r\n\r\n".to_vec(),
            b"GET /../../etc/passwd HTTP/1.1\r\nHost: soak\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 not HTTP\r\n\r\n".to_vec(),
        ];
        while !self.over() {
            for request in &requests {
                let status = status(self.address, request).await?;
                if !(400..500).contains(&status) {
                    return Err(format!("a bad request was answered {status}").into());
                }
                self.refused.set(self.refused.get() + 1);
                // One who leaves in the middle.
                let mut socket = TcpStream::connect(self.address).await?;
                socket.write_all(&request[..request.len() / 2]).await?;
                drop(socket);
                sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }
}

/// The status of the answer to these bytes.
async fn status(address: SocketAddr, request: &[u8]) -> Outcome<u16> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(request).await?;
    let mut line = [0; 12];
    timeout(Duration::from_secs(20), socket.read_exact(&mut line))
        .await
        .map_err(|_| "no answer in 20 s")??;
    Ok(std::str::from_utf8(&line[9..])?.parse()?)
}
