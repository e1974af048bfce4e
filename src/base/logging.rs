//! The log: lines on the terminal, the same lines in a file that begins anew each day.
//!
//! Started once by the command line. Writing a line never waits for a terminal or a disk: two threads of the log write,
//! behind bounded queues that drop the newest line when they are full and count it. Secrets stay out because their type
//! shows `***`; nothing here looks for them.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::clock::Clock;
use super::config::{LogFormat, Logging};
use super::error::{Error, Kind, Result};

/// Lines that wait for a slow terminal or disk before the newest are dropped.
const QUEUE_LINES: usize = 8192;

/// Days a closed log file is kept.
const KEPT_DAYS: i64 = 7;

/// Our own crates; what others say below `info` is theirs to read.
const OURS: &[&str] = &["onair", "media", "pixels", "sim"];

/// Writes out what waits when dropped: keep it until the end of the program.
#[must_use]
#[derive(Debug)]
pub struct Guard {
    dropped: Vec<ErrorCounter>,
    _workers: Vec<WorkerGuard>,
}

impl Guard {
    /// Lines that found their queue full.
    pub fn dropped_lines(&self) -> usize {
        self.dropped.iter().map(ErrorCounter::dropped_lines).sum()
    }
}

/// Starts the log of this process; `debug` raises its level to debug.
///
/// A log file that can't be written is a warning on the terminal. A second start is an error.
pub fn start(config: &Logging, debug: bool) -> Result<Guard> {
    let level = config.level.filter().max(if debug { LevelFilter::DEBUG } else { LevelFilter::OFF });
    let (terminal, worker) = queue("log-terminal", io::stderr());
    let mut guard = Guard { dropped: vec![terminal.error_counter()], _workers: vec![worker] };
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let daily = config.file.as_deref().map(|path| (path, Daily::open(path, Clock::real())));
    let mut trouble = None;
    let file = match daily {
        None => None,
        Some((_, Ok(daily))) => {
            let (file, worker) = queue("log-file", daily);
            guard.dropped.push(file.error_counter());
            guard._workers.push(worker);
            Some(file)
        }
        Some((path, Err(error))) => {
            trouble = Some((path, error));
            None
        }
    };
    tracing_subscriber::registry()
        .with(filter(level))
        .with(layer(config.format, terminal, colours))
        .with(file.map(|file| layer(config.format, file, false)))
        .try_init()
        .map_err(|error| Error::new(Kind::Internal, format!("can't start the log: {error}")))?;
    if let Some((path, error)) = trouble {
        warn!(file = %path.display(), %error, "can't write the log file; logging to the terminal only");
    }
    Ok(guard)
}

fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(OURS.iter().map(|ours| (*ours, level)))
}

fn queue(thread: &str, writer: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE_LINES)
        .thread_name(thread)
        .finish(writer)
}

fn layer<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).with_timer(Stamp::default());
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    }
}

/// `2026-01-21T10:30:00.000Z`.
struct Stamp(Clock);

impl Default for Stamp {
    fn default() -> Self {
        Self(Clock::real())
    }
}

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", self.0.wall())
    }
}

/// A file that is set aside as `<name>.<date>` (UTC) when its day is over, and deleted [`KEPT_DAYS`] later.
///
/// The newest lines are always in the file without a date. Several processes may append to one file: whoever comes
/// first after midnight sets it aside.
#[derive(Debug)]
struct Daily {
    path: PathBuf,
    clock: Clock,
    today: Date,
    file: File,
}

impl Daily {
    fn open(path: &Path, clock: Clock) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let today = utc_date(clock.wall().0);
        let file = begin(path, today)?;
        Ok(Self { path: path.to_owned(), clock, today, file })
    }
}

impl Write for Daily {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let today = utc_date(self.clock.wall().0);
        if today != self.today {
            self.today = today;
            // On failure yesterday's file goes on: better than no log.
            if let Ok(file) = begin(&self.path, today) {
                self.file = file;
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn utc_date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// Opens today's file, after setting aside one that was last written on an earlier day and deleting the old ones.
fn begin(path: &Path, today: Date) -> io::Result<File> {
    if let Ok(modified) = std::fs::metadata(path).and_then(|metadata| metadata.modified())
        && let Some(day) = Timestamp::try_from(modified).ok().map(utc_date)
        && day < today
    {
        std::fs::rename(path, unused(path, day))?;
    }
    delete_old(path, today);
    File::options().create(true).append(true).open(path)
}

/// `<path>.<day>`, or with `.2`, `.3`… behind it if that is taken.
fn unused(path: &Path, day: Date) -> PathBuf {
    let plain = PathBuf::from(format!("{}.{day}", path.display()));
    let numbered = (2..).map(|n| PathBuf::from(format!("{}.{n}", plain.display())));
    let mut candidates = std::iter::once(plain.clone()).chain(numbered);
    candidates.find(|candidate| !candidate.exists()).unwrap_or(plain)
}

/// A file that can't be deleted is tried again tomorrow.
fn delete_old(path: &Path, today: Date) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(name), Ok(entries)) =
        (path.file_name().and_then(|name| name.to_str()), std::fs::read_dir(folder))
    else {
        return;
    };
    for entry in entries.flatten() {
        let is_old = entry.file_name().to_str().and_then(|entry| set_aside_on(name, entry));
        if is_old.is_some_and(|day| day.saturating_add(KEPT_DAYS.days()) < today) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The day of a file that [`unused`] has named; any other file is none of ours.
fn set_aside_on(name: &str, entry: &str) -> Option<Date> {
    let suffix = entry.strip_prefix(name)?.strip_prefix('.')?;
    let (day, number) = suffix.split_once('.').unwrap_or((suffix, "2"));
    let ours = day.len() == "2026-01-21".len() && number.parse::<u32>().is_ok();
    day.parse().ok().filter(|_| ours)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tracing::{debug, info};

    use super::*;
    use crate::base::secret::Secret;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LevelFilter, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(filter(level)).with(layer(
            format,
            move || writer.clone(),
            false,
        ));
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_secret_never_shows_in_a_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, LevelFilter::TRACE, || {
                let secret = Secret::new("hunter2");
                info!(%secret, again = ?secret, wrapped = ?Some(&secret), "key {secret} {secret:?}");
            });
            assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_line_is_stamped_in_utc_with_milliseconds() {
        let text = logged(LogFormat::Text, LevelFilter::INFO, || info!(stream = "a", "began"));
        let (stamp, rest) = text.split_once(' ').unwrap();
        assert_eq!(stamp.len(), "2026-01-21T10:30:00.000Z".len(), "{text}");
        assert!(stamp.ends_with('Z') && stamp.parse::<Timestamp>().is_ok(), "{text}");
        assert_eq!(rest, " INFO onair::base::logging::tests: began stream=\"a\"\n");
    }

    #[test]
    fn json_lines_are_flat_objects() {
        let text = logged(LogFormat::Json, LevelFilter::INFO, || info!(stream = "a", "began"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["stream"]),
            (&"INFO".into(), &"began".into(), &"a".into())
        );
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }

    #[test]
    fn debugging_shows_our_lines_and_not_those_of_libraries() {
        let text = logged(LogFormat::Text, LevelFilter::DEBUG, || {
            debug!("ours");
            debug!(target: "hyper::proto", "theirs");
            info!(target: "hyper::proto", "serious");
        });
        assert!(text.contains("ours") && !text.contains("theirs") && text.contains("serious"), "{text}");
    }

    fn names(folder: &Path) -> Vec<String> {
        let names =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn each_day_begins_a_file_and_seven_old_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/server.log");
        let clock = Clock::simulated("2026-01-21T23:59:00Z".parse().unwrap());
        let mut log = Daily::open(&path, clock.clone()).unwrap();
        for other in ["server.log.bak", "server.log.2020-01-01.gz", "other.log.2020-01-01"] {
            std::fs::write(path.with_file_name(other), "not ours").unwrap();
        }
        for day in 0..10 {
            writeln!(log, "day {day}").unwrap();
            log.file.set_modified(clock.wall().0.into()).unwrap();
            clock.advance(Duration::from_hours(24));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "day 9\n");
        assert_eq!(std::fs::read_to_string(path.with_file_name("server.log.2026-01-29")).unwrap(), "day 8\n");
        let expected = ["other.log.2020-01-01", "server.log"].map(String::from).into_iter();
        let kept = (23..=29).map(|day| format!("server.log.2026-01-{day}"));
        let mut expected: Vec<_> = expected
            .chain(kept)
            .chain(["server.log.2020-01-01.gz", "server.log.bak"].map(String::from))
            .collect();
        expected.sort();
        assert_eq!(names(path.parent().unwrap()), expected);
    }

    #[test]
    fn a_restart_on_the_same_day_appends_and_on_a_later_day_sets_aside_without_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let day = |text: &str| Clock::simulated(text.parse().unwrap());
        for (time, line) in
            [("2026-01-21T08:00:00Z", "a"), ("2026-01-21T09:00:00Z", "b"), ("2026-01-22T09:00:00Z", "c")]
        {
            let clock = day(time);
            let mut log = Daily::open(&path, clock.clone()).unwrap();
            writeln!(log, "{line}").unwrap();
            log.file.set_modified(clock.wall().0.into()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("server.log.2026-01-21")).unwrap(), "a\nb\n");
        std::fs::write(folder.path().join("server.log.2026-01-22"), "taken").unwrap();
        drop(Daily::open(&path, day("2026-01-23T00:00:00Z")).unwrap());
        assert_eq!(std::fs::read_to_string(folder.path().join("server.log.2026-01-22.2")).unwrap(), "c\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("server.log.2026-01-22")).unwrap(), "taken");
    }

    #[test]
    fn a_folder_that_is_a_file_is_trouble_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("logs"), "").unwrap();
        assert!(Daily::open(&folder.path().join("logs/server.log"), Clock::real()).is_err());
    }
}
