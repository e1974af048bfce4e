//! `onair pack`: look at packs, try them on pictures, measure them, get what they may not bring along.

mod check;
mod drawn;
mod fetch;
mod read;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{print, serve};
use crate::base::config::Config;
use crate::base::error::{Error, Kind, Result};
use crate::reading::{Library, Settings};

/// See what packs there are, try them on pictures, measure them
#[derive(Args, Debug)]
pub(super) struct Pack {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

/// Where packs are.
#[derive(Args, Debug, Clone)]
struct Place {
    /// Configuration file [default: config.yaml if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder with packs of your own [default: that of the configuration]
    #[arg(long, value_name = "FOLDER", global = true)]
    packs: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the packs, and what is wrong with them
    List,
    Read(read::Read),
    Check(check::Check),
    Fetch(fetch::Fetch),
    /// Print the JSON Schema of pack.toml
    Schema,
}

impl Pack {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::List => list(&self.place),
            Command::Read(read) => read.run(&self.place).await,
            Command::Check(check) => check.run(&self.place),
            Command::Fetch(fetch) => fetch.run(&self.place).await,
            Command::Schema => {
                print(&packs::raw::schema());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Place {
    fn config(&self) -> Result<Config> {
        let resolved = serve::resolve(self.config.clone(), Vec::new());
        Ok(resolved.map_err(|e| Error::new(Kind::Malformed, e.to_string()))?.config)
    }

    fn open(&self) -> Result<(Config, Library)> {
        let config = self.config()?;
        let folder = self.packs.clone().unwrap_or_else(|| crate::app::packs_folder(&config));
        Ok((config, Library::open(Settings { folder })))
    }
}

/// The packs to read with: all for `auto`.
fn chosen(library: &Library, id: &str) -> Result<std::sync::Arc<[std::sync::Arc<packs::Pack>]>> {
    let packs = library.choose(id);
    if !packs.is_empty() {
        return Ok(packs);
    }
    let entry = library.entry(id)?;
    let problems: Vec<_> = entry.problems.iter().map(|problem| format!("  {problem}")).collect();
    Err(Error::new(Kind::Invalid, format!("the pack {id} can't be used:\n{}", problems.join("\n"))))
}

fn list(place: &Place) -> Result<ExitCode> {
    let (_, library) = place.open()?;
    let mut fit = true;
    for entry in library.entries() {
        let (version, name) =
            entry.pack.as_ref().map_or(("-", ""), |pack| (&*pack.version, pack.name.as_str()));
        print(&format!("{:<16} {version:<10} {name}", entry.id));
        let notes = entry.pack.iter().flat_map(|pack| &pack.notes).cloned();
        for line in notes.chain(entry.problems.iter().map(ToString::to_string)) {
            print(&format!("    {line}"));
        }
        fit &= entry.problems.is_empty();
    }
    Ok(if fit { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was read, as `POST /api/packs/{id}/read` answers it.
pub(super) fn shown(outcome: &packs::session::Outcome) -> serde_json::Value {
    let timing = packs::check::milliseconds(&outcome.times);
    match &outcome.reading {
        None => json!({"pack": null, "screen": null, "values": null, "timing_ms": timing}),
        Some(reading) => json!({
            "pack": &*reading.pack,
            "pack_version": &*reading.pack_version,
            "screen": &*reading.screen,
            "values": reading.values_json(),
            "confidence": reading.confidence_json(),
            "timing_ms": timing,
        }),
    }
}
