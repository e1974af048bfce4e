//! The programs that tests look through at what onair made and shows: ffprobe, FFmpeg, Python, VLC, curl.
//!
//! Each is what a user has, not ours. One that is missing fails the test that needs it, with what to do about it.

use std::ffi::OsStr;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pixels::{I420, Matrix, Range};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sim::picture::read_counter;
use tempfile::{NamedTempFile, TempDir};
use tokio::time::{Instant, sleep_until};

use crate::harness::{Server, client, picture};

/// What takes seconds, such as a browser's start, has failed after this long.
const FAILED: Duration = Duration::from_secs(120);

/// As [`crate::harness::eventually`], for what starts slowly.
pub(crate) async fn sooner_or_later(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let looking = async {
        while !look().await {
            again.tick().await;
        }
    };
    assert!(tokio::time::timeout(FAILED, looking).await.is_ok(), "it never happened: {what}");
}

/// A free port that stays free while nobody listens: none that the system gives to whoever connects or asks for any. Clients that
/// try such a port again and again could even connect to themselves.
pub(crate) fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 9000).unwrap();
    let mut ports =
        std::iter::repeat_with(|| 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Where the repository lies.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of that name.
pub(crate) fn tool(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run ./dev setup"))
}

/// The Python that has the packages of `./dev`.
pub(crate) fn python() -> PathBuf {
    let python = repository().join("target/venv/bin/python");
    assert!(python.is_file(), "{} is missing: run ./dev setup", python.display());
    python
}

/// The binary, with no setting from outside.
pub(crate) fn onair() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onair"));
    command.env_clear();
    command
}

/// A program that runs beside the test; killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    out: Kept,
    err: Kept,
}

type Kept = Arc<Mutex<Vec<u8>>>;

/// What a program came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let name = Path::new(command.get_program()).file_name().map(OsStr::to_string_lossy);
        let name = name.unwrap_or_default().into_owned();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("{name} can't be run ({e}): run ./dev setup"));
        let (out, err) = (keep(child.stdout.take()), keep(child.stderr.take()));
        Self { name, child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until its main port is open.
    pub(crate) async fn listens(&mut self) -> SocketAddr {
        let mut address = None;
        sooner_or_later("it listens", async || {
            assert!(self.ended().is_none(), "it ended: {}", self.said());
            address = listening(&self.said());
            address.is_some()
        })
        .await;
        address.expect("it was seen")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ended {
        let what = format!("{} ends", self.name);
        sooner_or_later(&what, async || self.ended().is_some()).await;
        let status = self.ended().unwrap();
        // The readers end when the pipes close; they hold the only other references.
        sooner_or_later("its output ends", async || {
            Arc::strong_count(&self.out) + Arc::strong_count(&self.err) == 2
        })
        .await;
        Ended { status, out: std::mem::take(&mut *self.out.lock().unwrap()), err: self.said() }
    }

    /// Waits for its end, which must be a success; what it wrote to stdout.
    pub(crate) async fn success(self) -> Vec<u8> {
        let name = self.name.clone();
        let ended = self.end().await;
        assert!(
            ended.status.success(),
            "{name}: {}\n{}{}",
            ended.status,
            ended.err,
            String::from_utf8_lossy(&ended.out)
        );
        ended.out
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end, however much comes.
fn keep(pipe: Option<impl Read + Send + 'static>) -> Kept {
    let kept = Kept::default();
    let (mut pipe, filled) = (pipe.expect("it is piped"), Arc::clone(&kept));
    tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 64 << 10];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            filled.lock().unwrap().extend(&buffer[..read]);
        }
    });
    kept
}

/// What ffprobe says of a video.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Seconds, of the file.
    pub(crate) duration: f64,
    /// Pictures that decode.
    pub(crate) frames: usize,
    /// When each is shown, in seconds.
    pub(crate) times: Vec<f64>,
}

/// Anything that ffprobe complains of fails the test.
pub(crate) async fn probe(file: &Path) -> Probe {
    const ENTRIES: &str = "stream=codec_name,width,height,nb_read_frames:format=duration:packet=pts_time";
    let mut command = Command::new(tool("ffprobe"));
    command.args([
        "-v",
        "warning",
        "-select_streams",
        "v",
        "-count_frames",
        "-of",
        "json",
        "-show_entries",
        ENTRIES,
    ]);
    let ended = Program::start(command.arg(file)).end().await;
    assert!(ended.status.success() && ended.err.is_empty(), "ffprobe {}: {}", file.display(), ended.err);
    let told: Value = serde_json::from_slice(&ended.out).unwrap();
    let number = |value: &Value| {
        value.as_str().unwrap_or_default().parse::<f64>().unwrap_or_else(|_| panic!("{told}"))
    };
    let stream = &told["streams"][0];
    let side = |name: &str| u32::try_from(stream[name].as_u64().unwrap()).unwrap();
    Probe {
        codec: stream["codec_name"].as_str().unwrap().to_owned(),
        width: side("width"),
        height: side("height"),
        duration: number(&told["format"]["duration"]),
        frames: stream["nb_read_frames"].as_str().unwrap().parse().unwrap(),
        times: told["packets"].as_array().unwrap().iter().map(|packet| number(&packet["pts_time"])).collect(),
    }
}

/// FFmpeg's decoded pictures of `source` (a file or an address), one after the other; `input` and `output` are options.
pub(crate) async fn pictures(input: &[&str], source: impl AsRef<OsStr>, output: &[&str]) -> Vec<u8> {
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error"]).args(input).arg("-i").arg(source);
    command.args(["-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "-1"]).args(output);
    let ended = Program::start(command.args(["-f", "rawvideo", "-"])).end().await;
    assert!(ended.status.success() && ended.err.is_empty(), "ffmpeg: {} {}", ended.status, ended.err);
    ended.out
}

/// The numbers in the pixels of a video's pictures, in the order they are shown.
pub(crate) async fn numbers(file: &Path) -> Vec<u32> {
    let Probe { width, height, .. } = probe(file).await;
    numbers_in(&pictures(&[], file, &["-pix_fmt", "gray"]).await, width, height)
}

/// The numbers in pictures of luma alone.
pub(crate) fn numbers_in(luma: &[u8], width: u32, height: u32) -> Vec<u32> {
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    let frames = luma.chunks_exact(width as usize * height as usize);
    assert!(frames.remainder().is_empty(), "the last picture is not whole");
    let read = |(index, frame): (usize, &[u8])| {
        picture.y.data.copy_from_slice(frame);
        read_counter(&picture).unwrap_or_else(|| panic!("picture {index} has no number"))
    };
    frames.enumerate().map(read).collect()
}

/// The mean colour of the middle of a video's last picture.
pub(crate) async fn colour(file: &Path) -> [f64; 3] {
    let Probe { width, height, .. } = probe(file).await;
    let rgb = pictures(&[], file, &["-pix_fmt", "rgb24"]).await;
    let (width, height) = (width as usize, height as usize);
    let last = &rgb[rgb.len() - width * height * 3..];
    let rows = last.chunks_exact(width * 3).skip(height / 4).take(height / 2);
    let middle: Vec<&[u8]> =
        rows.flat_map(|row| row[width / 4 * 3..width * 3 / 4 * 3].chunks_exact(3)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a picture has few pixels")]
    let count = middle.len() as f64;
    [0, 1, 2].map(|channel| middle.iter().map(|pixel| f64::from(pixel[channel])).sum::<f64>() / count)
}

/// Test pictures with the numbers 0 to `count`, so that drawing them takes no time while they are pushed.
pub(crate) fn pictures_of(count: u64) -> Vec<Bytes> {
    (0..count).map(picture).collect()
}

/// What `work` comes to while numbered pictures are pushed at `fps`; the stream is there when it begins.
pub(crate) async fn while_pushing<T>(
    server: &Server,
    stream: &str,
    fps: f64,
    work: impl Future<Output = T>,
) -> T {
    let url = server.url(&format!("/publish/{stream}"));
    let client = client();
    push_paced(&client, &url, &[picture(0)], fps).await;
    let pushing = async {
        let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / fps));
        for number in 1.. {
            due.tick().await;
            push_paced(&client, &url, &[picture(number)], fps).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = pushing => unreachable!("numbers never end"),
    }
}

/// A video of these pictures at `fps`, made by FFmpeg with `codec` options; its name ends in `ending`.
pub(crate) async fn video(frames: &[Bytes], fps: u32, codec: &[&str], ending: &str) -> NamedTempFile {
    let pictures = NamedTempFile::new().unwrap();
    std::fs::write(pictures.path(), frames.concat()).unwrap();
    let video = NamedTempFile::with_suffix(ending).unwrap();
    let mut command = Command::new(tool("ffmpeg"));
    command.args(["-nostdin", "-v", "error", "-y", "-f", "mjpeg", "-framerate", &fps.to_string(), "-i"]);
    Program::start(command.arg(pictures.path()).args(codec).arg(video.path())).success().await;
    video
}

/// When a frame was sent, and when the server had said that it has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) taken: Instant,
}

/// Pushes each frame at its time.
pub(crate) async fn push_paced(client: &Client, url: &str, frames: &[Bytes], fps: f64) -> Vec<Sent> {
    let start = Instant::now();
    let mut sent = Vec::new();
    for (number, jpeg) in (0_u32..).zip(frames) {
        sleep_until(start + Duration::from_secs_f64(f64::from(number) / fps)).await;
        let at = Instant::now();
        let request = client.post(url).header("content-type", "image/jpeg").body(jpeg.clone());
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        sent.push(Sent { at, taken: Instant::now() });
    }
    sent
}

/// The recordings of a stream that lie in `folder`, oldest first.
pub(crate) fn recordings(folder: &Path, stream: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(stream)).into_iter().flatten();
    let videos =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension() == Some(OsStr::new("mp4")));
    let mut videos: Vec<PathBuf> = videos.collect();
    videos.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    videos.sort_by_key(|path| path.file_stem().unwrap().to_string_lossy()[stream.len()..][..16].to_owned());
    videos
}

/// The only recording of a stream.
pub(crate) fn recording(folder: &Path, stream: &str) -> PathBuf {
    let mut videos = recordings(folder, stream);
    assert_eq!(videos.len(), 1, "{videos:?}");
    videos.remove(0)
}

/// The JSON beside a recording.
pub(crate) fn sidecar(video: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(video.with_extension("json")).unwrap()).unwrap()
}

/// `onair serve` as an operator starts it, by way of another program if need be; killed when dropped.
pub(crate) struct Served {
    pub(crate) program: Program,
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Served {
    /// `command` is what stands before `onair serve`: nothing of the environment but the path goes in. Listens on a free
    /// port of 127.0.0.1 and records, unless `args` say otherwise.
    pub(crate) async fn start(mut command: Command, args: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder.path());
        command.args([env!("CARGO_BIN_EXE_onair"), "serve", "--host", "127.0.0.1", "--port", "auto"]);
        for off in ["api_port", "ws_port", "metrics_port", "health_port", "rtmp_port"] {
            command.args(["--set", &format!("server.{off}=0")]);
        }
        let mut program = Program::start(command.args(["--set", "recording.min_free_gb=0"]).args(args));
        let address = program.listens().await;
        Self { program, folder, address, client: client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The address of the main port, by the log.
pub(crate) fn listening(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening (server.port) address=")?;
    rest.split_once('\n')?.0.trim().parse().ok()
}
