//! A served world with a clock that tests move, and a client of a few lines.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use sim::clip::Clip;
use sim::ladder;
use sim::world::{Settings, World, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// 1 October 2026, 00:00 UTC.
pub(crate) const START: u64 = 1_790_812_800_000;

/// Films of this run, so that each is made once and not once a test.
static FILMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("films");
    // Those of the last run may have been made by other code.
    let _ = std::fs::remove_dir_all(&folder);
    folder
});

pub(crate) struct Served {
    pub(crate) world: World,
    pub(crate) address: SocketAddr,
    now: Arc<AtomicU64>,
    _runtime: Runtime,
}

/// One answer, its body as far as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its head said.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Served {
    /// Two channels, 160p and sound alone, one drawn clip.
    pub(crate) fn small() -> Outcome<Self> {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Outcome<Self> {
        let now = Arc::new(AtomicU64::new(START));
        let hand = Arc::clone(&now);
        let clock = Arc::new(move || Duration::from_millis(hand.load(Ordering::Relaxed)));
        let mut settings = Settings::new(clock, 2);
        settings.ladder = ladder::small();
        settings.clips = Clip::drawn(1);
        settings.cache = Some(FILMS.clone());
        change(&mut settings);
        let world = World::new(settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(serve(listener, world.clone()));
        Ok(Self { world, address, now, _runtime: runtime })
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.now.fetch_add(u64::try_from(by.as_millis()).expect("tests last no age"), Ordering::Relaxed);
    }

    /// Sets the clock, in ms since 1970.
    pub(crate) fn set(&self, to: u64) {
        self.now.store(to, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, path: &str) -> Outcome<Answer> {
        self.ask("GET", path, &[], b"")
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Outcome<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        self.ask_on(&mut stream, method, path, headers, body)
    }

    /// On a connection of the caller's; it is free for another request when the answer is whole.
    pub(crate) fn ask_on(
        &self,
        stream: &mut TcpStream,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Outcome<Answer> {
        let path = path.strip_prefix(&format!("http://{}", self.address)).unwrap_or(path);
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let host = self.address;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{more}\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        if method == "HEAD" {
            let (status, headers) = self::head(stream)?;
            return Ok(Answer { status, headers, body: Vec::new(), whole: true });
        }
        read(stream)
    }

    /// The answer's head alone.
    pub(crate) fn headers_of(&self, path: &str) -> Outcome<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        let path = path.strip_prefix(&format!("http://{}", self.address)).unwrap_or(path);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes())?;
        let (status, headers) = head(&mut stream)?;
        Ok(Answer { status, headers, body: Vec::new(), whole: false })
    }

    /// A token and the master playlist behind it.
    pub(crate) fn master(&self, login: &str) -> Outcome<(Value, Answer)> {
        let token = self.token(login)?.json()["data"]["streamPlaybackAccessToken"].clone();
        let field = |name: &str| {
            let value = token[name].as_str().unwrap_or_default();
            value.bytes().map(|b| format!("%{b:02x}")).collect::<String>()
        };
        let path = format!(
            "/api/v2/channel/hls/{login}.m3u8?sig={}&token={}&allow_source=true",
            field("signature"),
            field("value")
        );
        let master = self.get(&path)?;
        Ok((token, master))
    }

    pub(crate) fn token(&self, login: &str) -> Outcome<Answer> {
        let question = question(login);
        self.ask("POST", "/gql", &[("Client-ID", "x")], question.to_string().as_bytes())
    }

    /// The media playlist of the first rendition.
    pub(crate) fn playlist(&self, login: &str) -> Outcome<Answer> {
        let (_, master) = self.master(login)?;
        let address = addresses(&master.text()).into_iter().next().ok_or("no rendition")?;
        self.get(&address)
    }
}

pub(crate) fn question(login: &str) -> Value {
    json!({
        "operationName": "PlaybackAccessToken",
        "extensions": { "persistedQuery": { "version": 1,
            "sha256Hash": "ed230aa1e33e07eebb8928504583da78a5173989fadfb1ac94be06a04f3cdbe9" } },
        "variables": { "isLive": true, "login": login, "isVod": false, "vodID": "", "playerType": "embed",
            "platform": "site" },
    })
}

/// Lines that are no tags.
pub(crate) fn addresses(playlist: &str) -> Vec<String> {
    playlist.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

fn head(stream: &mut TcpStream) -> Outcome<(u16, BTreeMap<String, String>)> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?.parse()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    Ok((status, headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect()))
}

fn read(stream: &mut TcpStream) -> Outcome<Answer> {
    let (status, headers) = self::head(stream)?;
    let mut body = Vec::new();
    let whole = match headers.get("content-length") {
        Some(length) => {
            let length: u64 = length.parse()?;
            // A reset is told by what is missing.
            let _ = stream.take(length).read_to_end(&mut body);
            body.len() as u64 == length
        }
        None => chunks(stream, &mut body).is_ok(),
    };
    Ok(Answer { status, headers, body, whole })
}

fn chunks(stream: &mut TcpStream, body: &mut Vec<u8>) -> Outcome {
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&line)?.trim(), 16)?;
        let start = body.len();
        body.resize(start + size + 2, 0);
        stream.read_exact(&mut body[start..])?;
        body.truncate(start + size);
        if size == 0 {
            return Ok(());
        }
    }
}

/// What `ffprobe` says, as JSON.
pub(crate) fn ffprobe(arguments: &[&str], file: &Path) -> Outcome<Value> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(arguments)
        .arg(file)
        .output()
        .map_err(|e| format!("ffprobe can't be run: {e}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "ffprobe: {errors}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Frames of a file's video as `ffmpeg` decodes them, luma with the given size, in order.
pub(crate) fn luma(file: &Path, width: usize, height: usize) -> Outcome<Vec<Vec<u8>>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("ffmpeg can't be run: {e}"))?;
    assert!(output.status.success());
    Ok(output.stdout.chunks(width * height).map(<[u8]>::to_vec).collect())
}
