//! `onair pack fetch`: the pictures a pack knows but may not bring along.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use packs::readers::templates::Wanted;
use url::Url;

use super::{Place, chosen};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::cli::say;
use crate::egress::{Client, Request, Trust};

/// Get the pictures a pack knows but may not bring along (such as heroes' portraits)
///
/// They go into the packs' folder. What is there already, and right, is left alone.
#[derive(Args, Debug)]
pub(super) struct Fetch {
    id: String,
    /// Take them from this folder instead of the internet
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Get also those that are there
    #[arg(long)]
    force: bool,
}

/// What became of one picture.
enum Got {
    New,
    There,
    Failed(String),
}

impl Fetch {
    /// Asked for at the same time.
    const AT_ONCE: usize = 8;
    const MOST_BYTES: u64 = 8 << 20;

    pub(super) async fn run(self, place: &Place) -> Result<ExitCode> {
        let (config, library) = place.open()?;
        let packs = chosen(&library, &self.id)?;
        let pack = packs.first().ok_or_else(|| Error::not_found("there is no such pack"))?;
        if pack.fetches.is_empty() {
            say(&format!("{} needs no pictures from elsewhere", self.id));
            return Ok(ExitCode::SUCCESS);
        }
        let folder = library.folder(&self.id);
        let client = crate::app::outside(&config, &Clock::real());
        let (mut new, mut there, mut failed) = (0, 0, Vec::new());
        for wanted in pack.fetches.values() {
            let bar = bar(wanted.files.len());
            let jobs = wanted.files.iter().map(|(name, url)| {
                let (job, client, folder, bar) = (&self, &client, &folder, &bar);
                async move {
                    let got = job.one(client, folder, name, url, wanted).await;
                    bar.inc(1);
                    (name, got)
                }
            });
            let mut jobs = stream::iter(jobs).buffer_unordered(Self::AT_ONCE);
            while let Some((name, got)) = jobs.next().await {
                match got {
                    Got::New => new += 1,
                    Got::There => there += 1,
                    Got::Failed(why) => failed.push(format!("{name}: {why}")),
                }
            }
            bar.finish_and_clear();
        }
        failed.sort();
        for line in failed.iter().take(20) {
            say(line);
        }
        if failed.len() > 20 {
            say(&format!("… and {} more", failed.len() - 20));
        }
        say(&format!(
            "{}: {new} new, {there} there already, {} missing, in {}",
            self.id,
            failed.len(),
            folder.display()
        ));
        Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn one(&self, client: &Client, folder: &Path, name: &str, url: &str, wanted: &Wanted) -> Got {
        let path = folder.join(name);
        let right = |bytes: &[u8]| check(name, bytes, wanted);
        if !self.force && std::fs::read(&path).is_ok_and(|bytes| right(&bytes).is_ok()) {
            return Got::There;
        }
        let bytes = match &self.from {
            Some(from) => {
                let file = name.rsplit('/').next().unwrap_or(name);
                std::fs::read(from.join(file)).map_err(|e| e.to_string())
            }
            None => download(client, url).await.map_err(|e| e.to_string()),
        };
        let kept =
            bytes.and_then(|bytes| right(&bytes).map(|()| bytes)).and_then(|bytes| keep(&path, &bytes));
        kept.map_or_else(Got::Failed, |()| Got::New)
    }
}

async fn download(client: &Client, url: &str) -> Result<Vec<u8>> {
    let url = Url::parse(url).map_err(|e| Error::new(Kind::Invalid, format!("{url}: {e}")))?;
    let body = client.get(Request::new(&url, Trust::Outside, Fetch::MOST_BYTES)).await;
    let body =
        body.and_then(crate::egress::Body::ok).map_err(|e| Error::new(Kind::Unavailable, e.to_string()))?;
    let bytes = body.whole().await.map_err(|e| Error::new(Kind::Unavailable, e.to_string()))?;
    Ok(bytes.to_vec())
}

/// Whether it is the picture that is wanted.
fn check(name: &str, bytes: &[u8], wanted: &Wanted) -> Result<(), String> {
    packs::picture::from_png(bytes).map_err(|e| format!("is no PNG that can be read: {e}"))?;
    let file = name.rsplit('/').next().unwrap_or(name);
    let Some(sum) = wanted.checksums.get(name).or_else(|| wanted.checksums.get(file)) else { return Ok(()) };
    let found = ring::digest::digest(&ring::digest::SHA256, bytes);
    let found: String = found.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if found.eq_ignore_ascii_case(sum) {
        return Ok(());
    }
    Err(format!("has the checksum {found}, should have {sum}"))
}

/// Whole or not at all.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = path.parent().ok_or("has no folder")?;
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).map_err(|e| e.to_string())?;
    std::fs::rename(&part, path).map_err(|e| e.to_string())
}

fn bar(files: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}").expect("the template is well formed");
    ProgressBar::new(files as u64).with_style(style)
}
