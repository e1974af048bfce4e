//! `onair pack check`: how well a pack reads pictures whose content is known, and whether it got worse.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use packs::check::{Expected, Report, Tally};
use packs::session::Outcome;
use packs::{Pack, Session, Tools};
use pixels::I420;
use serde::{Deserialize, Serialize};

use super::drawn::{self, Wanted};
use super::{Place, chosen, source};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::cli::{print, say};
use crate::reading::Library;

/// Measure a pack on pictures whose content is known
///
/// Prints, for each value, how much of what was read is right (precision), how much of what is there was read (recall), and
/// how long it took. Exits with 1 when a value is worse than at the last version that was checked on the same pictures.
#[derive(Args, Debug)]
pub(super) struct Check {
    id: String,
    /// Folder of pictures with labels.json: {"picture.png": {"screen": "match", "values": {"score.home": 2, "clock": null}}}
    #[arg(long, value_name = "FOLDER", conflicts_with = "stored")]
    frames: Option<PathBuf>,
    /// The evidence of events that people judged
    #[arg(long)]
    stored: bool,
    /// So many drawn pictures of each size, of screens that are known to the program (dota2, fifa20)
    #[arg(long, value_name = "N", conflicts_with_all = ["frames", "stored", "baseline"])]
    drawn: Option<u64>,
    /// So many drawn pictures of each size of anything but a known screen: none may be accepted; "auto" tries all packs
    #[arg(long, value_name = "N", conflicts_with_all = ["frames", "stored", "baseline", "drawn"])]
    others: Option<u64>,
    /// Which drawn pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lines of drawn pictures [default: 360,480,720,1080; with --others: 720]
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["frames", "stored"])]
    heights: Vec<u32>,
    /// Print the result of drawn pictures as a Markdown table
    #[arg(long, conflicts_with_all = ["frames", "stored"])]
    markdown: bool,
    /// What the last version did, and where this one's result goes [default: check.json beside the pictures]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Leave the last result as it is
    #[arg(long)]
    keep: bool,
    /// Say what is wrong with each picture
    #[arg(short, long)]
    verbose: bool,
}

/// A result that is kept.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    pack: String,
    version: String,
    report: Report,
}

impl Check {
    pub(super) fn run(self, place: &Place) -> Result<ExitCode> {
        let (config, library) = place.open()?;
        let packs = chosen(&library, &self.id)?;
        if let Some(count) = self.drawn {
            return self.drawn(&library, count);
        }
        if let Some(count) = self.others {
            return Ok(self.others(&packs, count));
        }
        let (folder, labels) = match (&self.frames, self.stored) {
            (Some(folder), _) => (folder.clone(), labels(folder)?),
            (None, true) => {
                let folder = config.data_dir.join("evidence");
                let judged = judged(&folder, &self.id)?;
                (folder, judged)
            }
            (None, false) => {
                return Err(Error::invalid(
                    "--frames",
                    "a folder of labelled pictures, or --stored for judged events",
                ));
            }
        };
        if labels.is_empty() {
            return Err(Error::not_found(format!(
                "{} has no labelled pictures of {}",
                folder.display(),
                self.id
            )));
        }
        let mut report = Report::default();
        for (name, expected) in &labels {
            let outcome = read(&packs, &picture(&folder.join(name))?);
            for line in report.add(expected, &outcome) {
                if self.verbose {
                    say(&format!("{name}: {line}"));
                }
            }
        }
        print(&table(&report));
        self.compare(&packs[0], report, &folder)
    }

    fn drawn(&self, library: &Library, count: u64) -> Result<ExitCode> {
        let wanted = self.wanted(count, &[360, 480, 720, 1080]);
        let reports = drawn::measure(library, &self.id, &wanted, |line| say(&line))?;
        if self.markdown {
            print(&drawn::markdown(&self.id, &wanted, &reports));
            return Ok(ExitCode::SUCCESS);
        }
        for (height, report) in &reports {
            print(&format!("{height} lines\n{}\n", table(report)));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn others(&self, packs: &[Arc<Pack>], count: u64) -> ExitCode {
        let wanted = self.wanted(count, &[720]);
        let mut all = 0;
        for (height, accepted) in drawn::others(packs, &wanted, |line| say(&line)) {
            let ids: Vec<&str> = packs.iter().map(|pack| &*pack.id).collect();
            print(&format!(
                "{accepted} of {count} drawn pictures of something else, {height} lines, seed {}, accepted by {}.",
                self.seed,
                ids.join(" or ")
            ));
            all += accepted;
        }
        if all == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn wanted(&self, count: u64, usual: &[u32]) -> Wanted {
        let heights = if self.heights.is_empty() { usual.to_vec() } else { self.heights.clone() };
        Wanted { count, seed: self.seed, heights, verbose: self.verbose }
    }

    /// Holds the result against the last version's, and keeps it unless it is worse.
    fn compare(&self, pack: &Pack, report: Report, folder: &Path) -> Result<ExitCode> {
        let path = self.baseline.clone().unwrap_or_else(|| folder.join("check.json"));
        let wrong = |e: String| Error::new(Kind::Malformed, format!("{}: {e}", path.display()));
        let mut all: BTreeMap<String, Kept> = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(wrong(e.to_string())),
        };
        let worse =
            all.get(&self.id).map(|before| (before.version.clone(), report.worse_than(&before.report)));
        if let Some((version, worse)) = worse.filter(|(_, worse)| !worse.is_empty()) {
            say(&format!("{} {} does worse than {version}:", self.id, pack.version));
            worse.iter().for_each(|line| say(&format!("  {line}")));
            return Ok(ExitCode::FAILURE);
        }
        if !self.keep {
            let kept = Kept { pack: self.id.clone(), version: pack.version.to_string(), report };
            all.insert(self.id.clone(), kept);
            let text = serde_json::to_vec_pretty(&all).map_err(|e| wrong(e.to_string()))?;
            std::fs::write(&path, text).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One picture by itself: nothing is remembered of another.
fn read(packs: &[Arc<Pack>], picture: &I420) -> Outcome {
    let clock = Clock::real();
    let began = clock.now();
    let mut tools = Tools::default();
    Session::default().read(packs, picture, &mut tools, &|| clock.now().since(began))
}

fn picture(path: &Path) -> Result<I420> {
    let mut first = None;
    source::file(path, Duration::ZERO, |shot| {
        first = Some(shot.picture);
        Ok(false)
    })?;
    first.ok_or_else(|| Error::new(Kind::Malformed, format!("{} has no picture in it", path.display())))
}

fn labels(folder: &Path) -> Result<BTreeMap<String, Expected>> {
    let path = folder.join("labels.json");
    let wrong = |e: String| Error::new(Kind::Malformed, format!("{}: {e}", path.display()));
    let bytes = std::fs::read(&path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))
}

/// The evidence that people judged: what was called right must be read again, what was called wrong must not.
fn judged(folder: &Path, pack: &str) -> Result<BTreeMap<String, Expected>> {
    #[derive(Deserialize)]
    struct Judged {
        pack: String,
        verdict: Option<bool>,
        after: BTreeMap<String, serde_json::Value>,
        frame: String,
    }
    let mut judged = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("event.json")) else { continue };
        let event: Judged = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(Kind::Malformed, format!("{}: {e}", entry.path().join("event.json").display()))
        })?;
        let Some(verdict) = event.verdict.filter(|_| event.pack == pack) else { continue };
        let name = format!("{}/{}", entry.file_name().to_string_lossy(), event.frame);
        let expected = if verdict {
            let values = event.after.into_iter().map(|(id, value)| (id, Some(value))).collect();
            Expected { values, ..Expected::default() }
        } else {
            Expected { not: event.after, ..Expected::default() }
        };
        judged.insert(name, expected);
    }
    Ok(judged)
}

fn table(report: &Report) -> String {
    let row = |name: &str, tally: &Tally| {
        let time =
            report.time(name).map_or_else(String::new, |(middle, most)| format!("{middle:>8.2} {most:>8.2}"));
        let all = tally.right + tally.wrong + tally.missed + tally.empty;
        let (precision, recall) = (100.0 * tally.precision(), 100.0 * tally.recall());
        format!(
            "{name:<20} {all:>7} {precision:>9.2}% {recall:>9.2}% {:>7} {:>7} {time}",
            tally.wrong, tally.missed
        )
    };
    let mut lines = vec![format!(
        "{:<20} {:>7} {:>10} {:>10} {:>7} {:>7} {:>8} {:>8}",
        "value", "judged", "precision", "recall", "wrong", "missed", "ms", "worst ms"
    )];
    lines.push(row("screen", &report.screen));
    lines.extend(report.values.iter().map(|(name, tally)| row(name, tally)));
    let only_times = report.times.keys().filter(|what| !report.values.contains_key(*what));
    for what in only_times {
        if let Some((middle, most)) = report.time(what) {
            lines.push(format!("{what:<74}{middle:>8.2} {most:>8.2}"));
        }
    }
    lines.push(format!("{} pictures", report.pictures));
    lines.join("\n")
}
