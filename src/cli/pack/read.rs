//! `onair pack read`: what a pack reads of a picture, a video or whatever an address shows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use packs::{Session, Tools, rules, session};
use serde_json::json;

use super::source::{self, Shot};
use super::{Place, chosen, shown};
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::cli::{print, say};

/// Read a picture, a video or an address with a pack, and print what it says
///
/// A picture gives one JSON object; a video gives a line each, and a line for each event its rules find.
#[derive(Args, Debug)]
pub(super) struct Read {
    /// The pack, or `auto` for whichever accepts the picture
    id: String,
    /// PNG, JPEG, WebP or video file, or the address of a stream
    source: String,
    /// Write the picture with its boxes, and what was read, to this PNG (of a video: the last picture that was read)
    #[arg(long, value_name = "FILE")]
    annotate: Option<PathBuf>,
    /// Seconds between two pictures of a video that are read
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    every: f64,
    /// Stop after so many pictures
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "seconds from 0 to 86400".to_owned())
}

impl Read {
    pub(super) async fn run(self, place: &Place) -> Result<ExitCode> {
        let (config, library) = place.open()?;
        let packs = chosen(&library, &self.id)?;
        for note in packs.iter().flat_map(|pack| pack.notes.iter().map(move |note| (pack, note))) {
            say(&format!("{}: {}", note.0.id, note.1));
        }
        let mut reader = Reader::new(packs);
        if self.source.contains("://") {
            let picture = source::address(&config, &self.source).await?;
            reader.look(&Shot { at: Duration::ZERO, picture });
        } else {
            let every = Duration::from_secs_f64(self.every);
            source::file(Path::new(&self.source), every, |shot| {
                if reader.count == 1 {
                    reader.tell_as_line();
                }
                reader.look(&shot);
                if reader.count > 1 {
                    reader.tell_as_line();
                }
                reader.last = Some(shot);
                Ok(self.limit.is_none_or(|limit| reader.count < limit))
            })?;
        }
        reader.end(self.annotate.as_deref())
    }
}

/// What was read so far.
struct Reader {
    packs: Arc<[Arc<packs::Pack>]>,
    session: Session,
    tools: Tools,
    rules: rules::State,
    clock: Clock,
    count: usize,
    accepted: usize,
    outcome: session::Outcome,
    at: Duration,
    last: Option<Shot>,
}

impl Reader {
    fn new(packs: Arc<[Arc<packs::Pack>]>) -> Self {
        Self {
            packs,
            session: Session::default(),
            tools: Tools::default(),
            rules: rules::State::default(),
            clock: Clock::real(),
            count: 0,
            accepted: 0,
            outcome: session::Outcome::default(),
            at: Duration::ZERO,
            last: None,
        }
    }

    fn look(&mut self, shot: &Shot) {
        let began = self.clock.now();
        let clock = || self.clock.now().since(began);
        self.outcome = self.session.read(&self.packs, &shot.picture, &mut self.tools, &clock);
        self.at = shot.at;
        self.count += 1;
        self.accepted += usize::from(self.outcome.reading.is_some());
    }

    /// The last reading as a line, and the events that it makes.
    fn tell_as_line(&mut self) {
        let mut line = shown(&self.outcome);
        line["at"] = json!((self.at.as_secs_f64() * 1000.0).round() / 1000.0);
        print(&line.to_string());
        let reading = self.outcome.reading.clone().map(Arc::new);
        let at = i64::try_from(self.at.as_millis()).unwrap_or(i64::MAX);
        let Some(pack) = self.session.pack() else { return };
        for event in pack.rules.step(&mut self.rules, reading.as_ref(), at) {
            let event = json!({
                "event": &*event.kind,
                "at": seconds_of(event.at),
                "detected_at": seconds_of(event.confirmed),
                "data": event.data,
                "confidence": event.confidence,
                "rule_trace": event.trace,
            });
            print(&event.to_string());
        }
    }

    fn end(&mut self, annotate: Option<&Path>) -> Result<ExitCode> {
        if self.count == 1 {
            let text = serde_json::to_string_pretty(&shown(&self.outcome));
            print(&text.map_err(|e| Error::internal("the reading can't be shown", e))?);
        }
        if let (Some(path), Some(last)) = (annotate, &self.last) {
            let png = packs::annotate::png(&last.picture, &self.outcome);
            std::fs::write(path, png)
                .map_err(|e| Error::invalid("--annotate", format!("{}: {e}", path.display())))?;
        }
        // Like grep: 1 when there was nothing to be found.
        Ok(if self.accepted > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a video are far below 2^53")]
fn seconds_of(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
