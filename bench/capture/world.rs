//! `onair sim` as a process of its own, servers that follow its channels, and what they say of themselves.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::process::{Process, free_address, listening};
use crate::harness::server::Server;

/// The one quality there is.
pub(super) const RENDITION: &str = "720p30";

pub(super) struct World {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    names: PathBuf,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn start(channels: u32) -> Outcome<Self> {
        let clip = clip()?;
        Self::of(channels, RENDITION, &["--video".as_ref(), clip.as_os_str()]).await
    }

    /// Channels that show games with their HUDs; what packs know of them is in [`World::packs`].
    pub(super) async fn huds(channels: u32, rendition: &str) -> Outcome<Self> {
        // Short matches: events are not what is measured, and the films are made in a minute.
        let films = ["--films", "hud", "--match-seconds", "64"].map(OsStr::new);
        Self::of(channels, rendition, &films).await
    }

    async fn of(channels: u32, rendition: &str, films: &[&OsStr]) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("onair-bench-").tempdir()?;
        let names = folder.path().join("streams.txt");
        let address = free_address()?;
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/films");
        let mut command = Command::new(env!("CARGO_BIN_EXE_onair"));
        command.stderr(Stdio::null()).args(["sim", "--port", &address.port().to_string(), "--channels"]);
        command.args([&channels.to_string(), "--renditions", rendition, "--prepare"]).args(films);
        command.arg("--write-names").arg(&names).arg("--cache").arg(cache);
        command.arg("--write-portraits").arg(folder.path().join("packs/dota2/portraits"));
        let process = Process::start(&mut command)?;
        // The first time it makes the film.
        let mut tries = 0;
        while let Err(e) = listening(address, &process).await {
            tries += 1;
            if tries > 12 {
                return Err(e);
            }
        }
        Ok(Self { process, address, names, folder })
    }

    /// A packs' folder with the portraits of the drawn heroes.
    pub(super) fn packs(&self) -> String {
        format!("packs.folder={}", self.folder.path().join("packs").display())
    }

    /// A server that follows all channels and decodes what it captures.
    pub(super) async fn server(&self, interval: f64, more: &[&str]) -> Outcome<Server> {
        let list = format!("capture.streams_file={}", self.names.display());
        let mut settings = vec![list.as_str()];
        settings.extend_from_slice(more);
        self.start_server(interval, &settings).await
    }

    /// The same, following nothing yet.
    pub(super) async fn empty_server(&self, interval: f64) -> Outcome<Server> {
        self.start_server(interval, &[]).await
    }

    async fn start_server(&self, interval: f64, more: &[&str]) -> Outcome<Server> {
        let address = self.address;
        let own = [
            format!("capture.twitch.gql_url=http://{address}/gql"),
            format!("capture.twitch.usher_url=http://{address}"),
            format!("capture.interval={interval}"),
            "capture.quality=720p".to_owned(),
            "capture.decode=true".to_owned(),
            // What reading costs is measured apart.
            "packs.default=none".to_owned(),
            "egress.allow_private=true".to_owned(),
        ];
        let settings: Vec<&str> = own.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Server::start(&settings).await
    }

    /// Has `server` follow all channels, the priorities dealt out in turn.
    pub(super) async fn follow(&self, server: &Server, priorities: &[u8]) -> Outcome<()> {
        let names = std::fs::read_to_string(&self.names)?;
        let streams: Vec<_> = names
            .lines()
            .zip(priorities.iter().cycle())
            .map(|(name, priority)| serde_json::json!({"username": name, "priority": priority}))
            .collect();
        let wanted = streams.len();
        let body = serde_json::json!({ "streams": streams }).to_string();
        let answer = server.send("POST", "/api/streams/bulk", &body).await?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        if answer["added"].as_u64() == u64::try_from(wanted).ok() {
            Ok(())
        } else {
            Err(answer.to_string().into())
        }
    }

    /// Where a player finds the playlist of the first channel.
    pub(super) fn playlist(&self) -> String {
        format!("http://{}/hls/sim_0001/{RENDITION}.m3u8", self.address)
    }
}

/// The video all channels show, made once.
fn clip() -> Outcome<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let clip = folder.join("mandelbrot.mp4");
    if clip.exists() {
        return Ok(clip);
    }
    std::fs::create_dir_all(&folder)?;
    let unfinished = folder.join("mandelbrot.part.mp4");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-f", "lavfi", "-i", "mandelbrot=size=1280x720:rate=30", "-t", "8"]);
    ffmpeg
        .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "8", "-pix_fmt", "yuv420p"])
        .arg(&unfinished);
    let status = ffmpeg.status().map_err(|e| format!("ffmpeg: {e}; ./dev setup installs it"))?;
    if !status.success() {
        return Err(format!("ffmpeg ended with {status}").into());
    }
    std::fs::rename(unfinished, &clip)?;
    Ok(clip)
}

/// The counters of captures, since the start or over a stretch of time.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) captured: f64,
    pub(super) fetched: f64,
    pub(super) keyframes: f64,
    /// Pictures that a pack accepted, and those that none did.
    pub(super) accepted: f64,
    pub(super) refused: f64,
    by_result: Vec<(String, f64)>,
    /// Upper ends in seconds, and how many captures were no later.
    lateness: Vec<(f64, f64)>,
}

impl Figures {
    pub(super) async fn read(server: &Server) -> Outcome<Self> {
        let text = server.ask("GET", "/metrics").await?;
        let mut figures = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value: f64 = value.parse()?;
            let label =
                |label: &str| Some(name.split_once(&format!("{label}=\""))?.1.split_once('"')?.0.to_owned());
            match name.split('{').next().unwrap_or_default() {
                "onair_captures_total" => {
                    figures.by_result.extend(label("result").map(|result| (result, value)))
                }
                "onair_readings_total" if name.contains("accepted") => figures.accepted = value,
                "onair_readings_total" => figures.refused = value,
                "onair_capture_fetched_bytes_total" => figures.fetched = value,
                "onair_capture_keyframes_bytes_total" => figures.keyframes = value,
                "onair_capture_lateness_seconds_bucket" => {
                    let end = label("le").and_then(|end| end.parse().ok()).unwrap_or(f64::INFINITY);
                    figures.lateness.push((end, value));
                }
                _ => {}
            }
        }
        let captured = figures.by_result.iter().find(|(result, _)| result == "captured");
        figures.captured = captured.ok_or("no metric onair_captures_total")?.1;
        Ok(figures)
    }

    pub(super) fn since(mut self, before: &Self) -> Self {
        self.captured -= before.captured;
        self.fetched -= before.fetched;
        self.keyframes -= before.keyframes;
        self.accepted -= before.accepted;
        self.refused -= before.refused;
        self.by_result.iter_mut().zip(&before.by_result).for_each(|(now, before)| now.1 -= before.1);
        self.lateness.iter_mut().zip(&before.lateness).for_each(|(now, before)| now.1 -= before.1);
        self
    }

    /// What so large a part of all captures was no later than, seconds: the upper end of a bucket.
    pub(super) fn late(&self, part: f64) -> f64 {
        let all = self.lateness.last().map_or(0.0, |last| last.1);
        let reached = self.lateness.iter().find(|(_, count)| *count >= all * part);
        reached.map_or(f64::INFINITY, |(end, _)| *end)
    }

    /// Those results that there were.
    pub(super) fn by_result(&self) -> String {
        let some = self.by_result.iter().filter(|(_, count)| *count > 0.0);
        some.map(|(result, count)| format!("{result} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// For each priority: how many streams have it, and how many captures they had since the start.
pub(super) async fn by_priority(server: &Server) -> Outcome<Vec<(u64, f64, f64)>> {
    let answer = server.ask("GET", "/api/streams?limit=100000").await?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let mut found: Vec<(u64, f64, f64)> = Vec::new();
    for stream in answer["streams"].as_array().ok_or("no streams")? {
        let priority = stream["priority"].as_u64().ok_or("no priority")?;
        let made = stream["successful_captures"].as_f64().ok_or("no successful_captures")?;
        match found.iter_mut().find(|(of, ..)| *of == priority) {
            Some(entry) => (entry.1, entry.2) = (entry.1 + 1.0, entry.2 + made),
            None => found.push((priority, 1.0, made)),
        }
    }
    Ok(found)
}

/// How long one request to the stand-in may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
