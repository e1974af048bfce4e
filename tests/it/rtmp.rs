//! What FFmpeg publishes by RTMP is a stream like any other; what else connects there ends by name and disturbs nobody.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use onair::base::clock::Clock;
use onair::base::config::{self, Config, Inputs};
use onair::base::queue::{Bound, Counter, Full, Received};
use onair::base::tasks::Tasks;
use onair::record::{self, Recorders};
use onair::sources::push::{Limits, Push};
use onair::sources::rtmp::{self, Parts, Rtmp};
use onair::streams::{Frame, Registry, Settings, Stream, StreamName};
use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{eventually, number, within};
use crate::tools::{Program, numbers, pictures_of, probe, recording, sooner_or_later, tool, video};

/// RTMP with the hub and the recorders behind it.
struct Studio {
    address: SocketAddr,
    registry: Registry,
    rtmp: Rtmp,
    tasks: Tasks,
    seen: Seen,
    folder: TempDir,
}

/// Frames by stream.
type Seen = Arc<Mutex<BTreeMap<String, Vec<Arc<Frame>>>>>;

/// Keeps every frame of the stream.
fn watch(stream: &Stream, seen: &Seen, tasks: &Tasks) {
    let bound = Bound { items: 10_000, weight: usize::MAX };
    let tap = stream.tap(bound, Full::DropNewest, Counter::default()).unwrap();
    let (name, seen) = (stream.name.to_string(), Arc::clone(seen));
    let keep = move || {
        loop {
            match tap.receive(Duration::from_secs(1)) {
                Received::Item(frame) => seen.lock().unwrap().entry(name.clone()).or_default().push(frame),
                Received::Empty => {}
                Received::Closed => return,
            }
        }
    };
    tasks.thread("watches", 1 << 20, keep).unwrap();
}

impl Studio {
    async fn open(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recordings = folder.path().join("recordings").display().to_string();
        let base = [("recording.folder", recordings.as_str()), ("recording.min_free_gb", "0")];
        let all = base.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let inputs = Inputs { overrides: all.collect(), ..Inputs::default() };
        let config = config::resolve(&inputs).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
        Self::with(&config, folder).await
    }

    async fn with(config: &Config, folder: TempDir) -> Self {
        let (clock, tasks) = (Clock::real(), Tasks::default());
        let streams = &config.streams;
        let settings = Settings {
            timeout: streams.timeout,
            max_concurrent: streams.max_concurrent,
            max_buffer_frames: streams.max_buffer_frames,
        };
        let registry = Registry::new(settings, clock.clone());
        let recorders =
            Recorders::new(record::Settings::from(&config.recording), clock.clone(), tasks.clone());
        let seen = Seen::default();
        let (watched, watching) = (Arc::clone(&seen), tasks.clone());
        registry.on_new_stream(move |stream| {
            recorders.attach(stream);
            watch(stream, &watched, &watching);
        });
        let limits = Limits { max_bytes: config.server.max_frame_bytes, max_side: 8192 };
        let rtmp = Rtmp::new(Parts {
            push: Push::new(registry.clone(), limits),
            supplies: registry.supplies().clone(),
            auth: config.auth.clone(),
            connections_per_ip: config.limits.connections_per_ip,
            clock,
            tasks: tasks.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn("rtmp listener", rtmp::serve(listener, rtmp.clone(), tasks.stopping()));
        Self { address, registry, rtmp, tasks, seen, folder }
    }

    fn url(&self, key: &str) -> String {
        format!("rtmp://{}/live/{key}", self.address)
    }

    /// FFmpeg sends `file` at its pace, or as fast as it can, as it is.
    fn publish(&self, file: &NamedTempFile, pace: &[&str], key: &str) -> Program {
        let mut command = Command::new(tool("ffmpeg"));
        command.args(["-nostdin", "-v", "error"]).args(pace).arg("-i").arg(file.path());
        Program::start(command.args(["-c", "copy", "-f", "flv"]).arg(self.url(key)))
    }

    /// Every frame of a stream.
    fn seen(&self, name: &str) -> Vec<Arc<Frame>> {
        self.seen.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    fn recordings(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    async fn nobody_publishes(&self) {
        sooner_or_later("nobody publishes", async || self.rtmp.publishers() == 0).await;
    }

    async fn close(&self) {
        self.registry.close();
        assert!(self.tasks.stop(Duration::from_secs(20)).await, "something goes on");
    }
}

/// Numbered pictures as H.264, with a tone.
async fn film(count: u64, fps: u32, options: &[&str]) -> NamedTempFile {
    let codec =
        ["-f", "lavfi", "-i", "sine", "-shortest", "-c:a", "aac", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
    video(&pictures_of(count), fps, &[&codec, options].concat(), ".mp4").await
}

const LIVE: [&str; 6] = ["-preset", "ultrafast", "-tune", "zerolatency", "-g", "15"];
/// With pictures that refer to later ones.
const FILM: [&str; 6] = ["-preset", "veryfast", "-bf", "3", "-g", "30"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ffmpeg_publishes_is_seen_and_recorded_picture_by_picture_at_its_time() {
    let studio = Studio::open(&[("recording.enabled", "true"), ("recording.codec", "mjpeg")]).await;
    let (live, film) = tokio::join!(film(90, 30, &LIVE), film(60, 20, &FILM));
    let both = [studio.publish(&live, &["-re"], "live"), studio.publish(&film, &["-re"], "film")];
    for program in both {
        program.success().await;
    }
    studio.nobody_publishes().await;
    for (name, count, fps) in [("live", 90_u32, 30), ("film", 60, 20)] {
        eventually("every picture has come", async || studio.seen(name).len() == count as usize).await;
        let seen = studio.seen(name);
        let read: Vec<u32> = seen.iter().map(|frame| number(&frame.jpeg).unwrap()).collect();
        assert_eq!(read, (0..count).collect::<Vec<_>>(), "{name}");
        // FLV counts milliseconds: each time is its own, rounded.
        let first = seen[0].source_time.unwrap().0;
        for (frame, n) in seen.iter().zip(0_i64..) {
            let shown = frame.source_time.unwrap().0.duration_since(first);
            let off = shown - SignedDuration::from_millis(n * 1000 / fps);
            assert!(off.abs() <= SignedDuration::from_millis(2), "{name}: picture {n} is {off} off");
        }
    }
    studio.close().await;
    for (name, count, fps) in [("live", 90_u32, 30.0), ("film", 60, 20.0)] {
        let file = recording(&studio.recordings(), name);
        assert_eq!(numbers(&file).await, (0..count).collect::<Vec<_>>(), "{name}");
        let told = probe(&file).await;
        let wall = f64::from(count) / fps;
        assert!((told.duration - wall).abs() < 0.5, "{name}: {} s of {wall}", told.duration);
    }
    assert_eq!(studio.rtmp.figures().pictures.get(), 150);
    assert_eq!((studio.rtmp.figures().dropped.get(), studio.rtmp.figures().damaged.get()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_faster_than_it_can_be_decoded_is_left_out_in_whole_groups() {
    let studio = Studio::open(&[]).await;
    let film = film(600, 30, &["-preset", "ultrafast", "-bf", "0", "-g", "10"]).await;
    studio.publish(&film, &[], "fast").success().await;
    studio.nobody_publishes().await;
    let figures = studio.rtmp.figures();
    eventually("each is seen or counted", async || figures.pictures.get() + figures.dropped.get() == 600)
        .await;
    eventually("what is made is seen", async || studio.seen("fast").len() as u64 == figures.pictures.get())
        .await;
    let read: Vec<u32> = studio.seen("fast").iter().map(|frame| number(&frame.jpeg).unwrap()).collect();
    for pair in read.windows(2) {
        assert!(pair[1] == pair[0] + 1 || pair[1] % 10 == 0, "after {} comes {}", pair[0], pair[1]);
        assert!(pair[1] > pair[0]);
    }
    assert_eq!(figures.damaged.get(), 0);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_open_the_streams_they_are_for_and_others_are_told() {
    let keys = [("auth.publish_keys", "cam=camkey,*=anykey")];
    let studio = Studio::open(&keys).await;
    let film = film(15, 15, &LIVE).await;
    for (key, admitted) in [
        ("cam", false),
        ("cam?key=wrong", false),
        ("cam?key=anykey", false),
        ("other?key=camkey", false),
        ("cam?key=camkey", true),
        ("other?a=b&key=anykey", true),
        ("no%2Fname?key=anykey", false),
        ("status?key=anykey", false),
    ] {
        let ended = studio.publish(&film, &[], key).end().await;
        assert_eq!(ended.status.success(), admitted, "{key}: {}", ended.err);
        let name = key.split('?').next().unwrap();
        if admitted {
            sooner_or_later("it is there", async || studio.registry.get(name).is_some()).await;
        }
    }
    let mut names: Vec<_> = studio.registry.all().iter().map(|stream| stream.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["cam", "other"]);
    assert_eq!(studio.rtmp.figures().refused.get(), 6);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_come_vanish_and_share_a_name_without_disturbing_each_other() {
    let studio = Studio::open(&[]).await;
    let film = film(30, 15, &LIVE).await;
    let endless = ["-re", "-stream_loop", "-1"];
    let steady = studio.publish(&film, &endless, "steady");
    let doomed = studio.publish(&film, &endless, "shared");
    let second = studio.publish(&film, &endless, "shared");
    sooner_or_later("all three publish", async || studio.rtmp.publishers() == 3).await;
    let shared = async || studio.registry.get("shared").map_or(0, |stream| stream.stats().publishers);
    sooner_or_later("two are counted", async || shared().await == 2).await;
    doomed.signal(Signal::KILL);
    sooner_or_later("one is gone", async || studio.rtmp.publishers() == 2).await;
    for name in ["steady", "shared"] {
        // Who publishes has a stream with its first picture.
        sooner_or_later("it is shown", async || studio.registry.get(name).is_some()).await;
        let stream = studio.registry.get(name).unwrap();
        let before = stream.stats().total_frames;
        sooner_or_later("it goes on", async || stream.stats().total_frames > before + 10).await;
    }
    // A name that belongs to a stream we pull.
    let name = StreamName::parse("pulled").unwrap();
    studio.registry.host(std::slice::from_ref(&name)).remove(0).unwrap();
    let refused = studio.publish(&film, &endless, "pulled").end().await;
    assert!(!refused.status.success());
    drop((steady, second));
    studio.nobody_publishes().await;
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_let_go_and_an_address_has_so_many_connections() {
    let studio = Studio::open(&[("limits.connections_per_ip", "3")]).await;
    let open = async || TcpStream::connect(studio.address).await.unwrap();
    // What is left to read when the server has closed.
    let closed = async |mut socket: TcpStream| {
        let mut rest = Vec::new();
        // A connection that is reset is closed too.
        let _ = within(socket.read_to_end(&mut rest)).await;
    };
    let mut noise = open().await;
    noise.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    closed(noise).await;
    let mut huge = open().await;
    huge.write_all(&[vec![3], vec![0; 3072], vec![6, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0]].concat())
        .await
        .unwrap();
    closed(huge).await;
    eventually("both are counted", async || studio.rtmp.figures().refused.get() == 2).await;
    let held = [open().await, open().await, open().await];
    eventually("they are taken", async || studio.rtmp.figures().connections.get() == 5).await;
    closed(open().await).await;
    assert_eq!(studio.rtmp.figures().refused.get(), 3);
    drop(held);
    eventually("they are gone", async || studio.rtmp.connections() == 0).await;
    let film = film(15, 15, &LIVE).await;
    studio.publish(&film, &[], "cam").success().await;
    eventually("it is there", async || studio.registry.get("cam").is_some()).await;
    studio.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_who_connects_and_says_nothing_is_let_go() {
    let studio = Studio::open(&[]).await;
    for said in [vec![], vec![3_u8; 100], [vec![3], vec![0; 3072]].concat()] {
        let mut socket = TcpStream::connect(studio.address).await.unwrap();
        socket.write_all(&said).await.unwrap();
        let mut rest = Vec::new();
        // Time is paused: it goes on when all wait.
        let _ = socket.read_to_end(&mut rest).await;
    }
    eventually("they are counted", async || studio.rtmp.figures().refused.get() == 3).await;
}
