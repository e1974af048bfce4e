//! `onair doctor`: what this machine lacks, and how to install it.
//!
//! Looks and tells; changes nothing. Only what `onair serve` can't do without makes the exit code 1.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use media::encode::{Encoder, Settings, VideoCodec};
use rustix::fs::Access;
use rustix::process::Resource;

use super::serve;
use crate::base::config::{Codec, Config, Port, Recording, Resolved};
use crate::base::fs::free_bytes;

/// Files and sockets that fifty streams with their viewers need.
const OPEN_FILES: u64 = 4096;

const GIB: u64 = 1 << 30;

/// Look for what is missing on this machine, and say how to install it
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Configuration file [default: config.yaml if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Doctor {
    pub(super) fn run(self) -> ExitCode {
        match serve::resolve(self.config, Vec::new()) {
            Ok(resolved) => tell(&checks(&resolved.config)),
            Err(error) => {
                let mut all = vec![Check::missing("configuration", error.to_string(), "mend these lines")];
                all.extend(checks(&Resolved::default().config));
                tell(&all)
            }
        }
    }
}

fn tell(checks: &[Check]) -> ExitCode {
    let out = std::io::stdout();
    let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Nobody is there to be told that nobody listens.
    let _ = out.lock().write_all(table(checks, colours).as_bytes());
    let fit = checks.iter().all(|check| check.state != State::Missing);
    if fit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Something is less than it could be; `onair serve` runs.
    Warn,
    /// `onair serve` can't do its work without it.
    Missing,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    /// What to do about it; empty when there is nothing to do.
    advice: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: String::new() }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into(), advice: advice.into() }
    }

    fn missing(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Missing, found: found.into(), advice: advice.into() }
    }
}

/// All checks, in the order they are shown.
fn checks(config: &Config) -> Vec<Check> {
    let log_folder = config.logging.file.as_deref().map(|file| file.parent().unwrap_or(Path::new("")));
    let mut checks = vec![
        Check::ok("FFmpeg libraries", format!("libavcodec {}", media::version())),
        encoder("libx264", VideoCodec::H264, Codec::H264, &config.recording),
        encoder("MPEG-4 encoder", VideoCodec::Mpeg4, Codec::Mp4v, &config.recording),
        ocr(),
        folder("state folder", &config.data_dir, State::Missing),
        folder("recordings folder", &config.recording.folder, State::Missing),
    ];
    checks.extend(log_folder.map(|path| folder("log folder", path, State::Warn)));
    checks.push(disk(&config.recording.folder, config.recording.min_free_bytes));
    checks.extend(config.server.ports().into_iter().map(|(key, at)| port(key, config.server.host, at)));
    checks.push(open_files(rustix::process::getrlimit(Resource::Nofile).current));
    checks.push(cameras(Path::new("/dev")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    checks.push(tool("ffprobe", &["ffprobe"], &folders, "apt install ffmpeg"));
    checks.push(tool(
        "chromium",
        &["chromium", "chromium-browser", "google-chrome"],
        &folders,
        "apt install chromium",
    ));
    checks
}

/// Whether packs can read text.
fn ocr() -> Check {
    match packs::readers::text::Engine::default().ready() {
        Ok(()) => Check::ok("text on screens (OCR)", "works"),
        Err(why) => Check::warn("text on screens (OCR)", why.to_string(), "apt install tesseract-ocr-eng"),
    }
}

/// Whether FFmpeg can open this encoder; only the one that recordings use must be there.
fn encoder(name: &'static str, codec: VideoCodec, used_by: Codec, recording: &Recording) -> Check {
    let settings = Settings {
        codec,
        width: 64,
        height: 64,
        preset: recording.preset.word(),
        quality: recording.quality,
        keyframe_every: 90_000,
    };
    let problem = match Encoder::new(&settings) {
        Ok(_) => return Check::ok(name, "works"),
        Err(error) => error.to_string(),
    };
    let install = "apt install ffmpeg, which brings FFmpeg's libraries with all encoders";
    if recording.enabled && recording.codec == used_by {
        return Check::missing(name, problem, format!("{install}; or set recording.codec to mjpeg"));
    }
    Check::warn(name, problem, install)
}

/// Whether `path` can be written, or made where it isn't there yet.
fn folder(name: &'static str, path: &Path, otherwise: State) -> Check {
    let shown = if path.as_os_str().is_empty() { "." } else { &*path.to_string_lossy() };
    let existing = nearest(path);
    let problem = if !existing.is_dir() {
        format!("{} is not a folder", existing.display())
    } else if let Err(error) = rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        format!("{} can't be written: {}", existing.display(), std::io::Error::from(error))
    } else {
        let is_there = existing == path || shown == ".";
        return Check::ok(name, if is_there { shown.to_owned() } else { format!("{shown} (will be made)") });
    };
    let advice = format!("give this user the right to write {shown}, or set another folder");
    Check { name, state: otherwise, found: problem, advice }
}

/// `path` itself or the nearest folder above it that exists.
fn nearest(path: &Path) -> &Path {
    let existing = path.ancestors().find(|path| !path.as_os_str().is_empty() && path.exists());
    existing.unwrap_or(if path.is_absolute() { Path::new("/") } else { Path::new(".") })
}

/// Less than `kept_free` and the cleaner would delete recordings at once.
fn disk(path: &Path, kept_free: u64) -> Check {
    const NAME: &str = "free disk space";
    match free_bytes(nearest(path)) {
        Err(error) => Check::warn(NAME, format!("unknown: {error}"), ""),
        Ok(free) => {
            let found = format!("{}.{} GB for recordings", free / GIB, free % GIB * 10 / GIB);
            if free > kept_free.saturating_add(GIB) {
                return Check::ok(NAME, found);
            }
            Check::warn(
                NAME,
                found,
                "make room, or lower recording.min_free_gb: the oldest recordings are deleted",
            )
        }
    }
}

fn port(key: &'static str, host: IpAddr, port: Port) -> Check {
    let Port::Fixed(number) = port else {
        return Check::ok(key, if port == Port::Off { "off" } else { "any free one" });
    };
    match TcpListener::bind((host, number)) {
        Ok(_) => Check::ok(key, format!("{number} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let advice =
                format!("is onair running already? else: ss -ltnp 'sport = :{number}', or set {key}");
            Check::missing(key, format!("{number} is in use"), advice)
        }
        Err(error) => Check::missing(
            key,
            format!("{host}:{number} can't be bound: {error}"),
            format!("set server.host or {key}"),
        ),
    }
}

/// `None` is no limit.
fn open_files(limit: Option<u64>) -> Check {
    const NAME: &str = "open files";
    match limit {
        None => Check::ok(NAME, "no limit"),
        Some(limit) if limit >= OPEN_FILES => Check::ok(NAME, format!("up to {limit}")),
        Some(limit) => {
            let advice = format!("ulimit -n {OPEN_FILES}; for a service: LimitNOFILE={OPEN_FILES}");
            Check::warn(NAME, format!("only {limit}: many viewers will be refused"), advice)
        }
    }
}

fn cameras(devices: &Path) -> Check {
    const NAME: &str = "cameras";
    let entries = std::fs::read_dir(devices).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_camera = |name: &String| {
        name.strip_prefix("video").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut cameras: Vec<_> = names.filter(is_camera).collect();
    cameras.sort_by_key(|name| (name.len(), name.clone()));
    let Some(first) = cameras.first().map(|name| devices.join(name)) else {
        return Check::ok(NAME, "none here; onair publish --test and files work without");
    };
    if rustix::fs::access(&first, Access::READ_OK | Access::WRITE_OK).is_err() {
        let advice = "adduser $USER video, and log in again";
        return Check::warn(NAME, format!("{} may not be opened", first.display()), advice);
    }
    Check::ok(NAME, cameras.join(", "))
}

/// A program that only the project's own tests need.
fn tool(name: &'static str, programs: &[&str], folders: &[PathBuf], install: &str) -> Check {
    let mut candidates =
        folders.iter().flat_map(|folder| programs.iter().map(|program| folder.join(program)));
    match candidates.find(|path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()) {
        Some(path) => Check::ok(name, path.display().to_string()),
        None => Check::warn(name, "not found; only the tests need it", install),
    }
}

fn table(checks: &[Check], colours: bool) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let (word, colour) = match check.state {
            State::Ok => ("ok", "32"),
            State::Warn => ("warn", "33"),
            State::Missing => ("missing", "31"),
        };
        let word = format!("{word:7}");
        let word = if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word };
        let indent = format!("\n{:1$}", "", 7 + 2 + width + 2);
        let found = check.found.replace('\n', &indent);
        let advice =
            if check.advice.is_empty() { String::new() } else { format!("{indent}→ {}", check.advice) };
        let _ = writeln!(text, "{word}  {:width$}  {found}{advice}", check.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_says_what_to_do() {
        let checks = [
            Check::ok("state folder", "data"),
            Check::warn("ffprobe", "not found", "apt install ffmpeg"),
            Check::missing("configuration", "one\ntwo", "mend"),
        ];
        let expected = "\
ok       state folder   data
warn     ffprobe        not found
                        → apt install ffmpeg
missing  configuration  one
                        two
                        → mend
";
        assert_eq!(table(&checks, false), expected);
        assert!(table(&checks, true).starts_with("\x1b[32mok     \x1b[0m  state folder   data\n"));
    }

    #[test]
    fn a_folder_is_fit_if_it_or_what_is_above_it_can_be_written() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let check = |path: &Path| folder("state folder", path, State::Missing);
        assert_eq!(check(root.path()).found, root.path().display().to_string());
        assert!(check(&root.path().join("a/b")).found.ends_with("a/b (will be made)"));
        assert!(!root.path().join("a").exists(), "looking makes nothing");
        for path in [file.clone(), file.join("below")] {
            assert_eq!(check(&path).state, State::Missing, "{}", path.display());
            assert_eq!(check(&path).found, format!("{} is not a folder", file.display()));
        }
        assert_eq!(folder("log folder", &file, State::Warn).state, State::Warn);
        assert_eq!(folder("log folder", Path::new(""), State::Warn).found, ".");
    }

    #[test]
    fn a_port_is_free_or_in_use_or_not_wanted() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let (host, number) = (taken.local_addr().unwrap().ip(), taken.local_addr().unwrap().port());
        let check = port("server.port", host, Port::Fixed(number));
        assert_eq!((check.state, check.found), (State::Missing, format!("{number} is in use")));
        drop(taken);
        assert_eq!(port("server.port", host, Port::Fixed(number)).state, State::Ok);
        assert_eq!(port("server.port", host, Port::Off), Check::ok("server.port", "off"));
        let foreign = port("server.port", "192.0.2.1".parse().unwrap(), Port::Fixed(number));
        assert_eq!(foreign.state, State::Missing);
    }

    #[test]
    fn few_open_files_and_little_space_are_warned_of() {
        for (limit, state) in [(Some(1024), State::Warn), (Some(4096), State::Ok), (None, State::Ok)] {
            assert_eq!(open_files(limit).state, state, "{limit:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(disk(folder.path(), u64::MAX).state, State::Warn);
    }

    #[test]
    fn cameras_and_tools_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(cameras(folder.path()).state, State::Ok);
        let tools =
            |names: &[&str]| tool("chromium", names, &[folder.path().to_owned()], "apt install chromium");
        assert_eq!(tools(&["chromium"]).advice, "apt install chromium");
        for name in ["video10", "video2", "videos", "video", "chromium"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(cameras(folder.path()).found, "video2, video10");
        assert_eq!(tools(&["chromium"]).state, State::Warn, "it can't be run");
        let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path().join("chromium"), runs).unwrap();
        assert_eq!(tools(&["other", "chromium"]).state, State::Ok);
    }

    #[test]
    fn every_port_and_folder_of_the_configuration_is_looked_at() {
        let names: Vec<_> = checks(&Resolved::default().config).into_iter().map(|check| check.name).collect();
        for name in ["state folder", "recordings folder", "log folder", "server.port", "server.health_port"] {
            assert!(names.contains(&name), "{name}");
        }
    }
}
