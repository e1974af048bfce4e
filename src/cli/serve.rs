//! `onair serve`: the program itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args};
use tokio::signal::unix::{SignalKind, signal};

use super::asked_to_stop;
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::config::{self, Inputs, Resolved};
use crate::base::error::{Error, Kind, Result};
use crate::base::logging;

/// Start the server
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct Serve {
    /// Address to listen on [default: 0.0.0.0]
    #[arg(short = 'h', long)]
    host: Option<String>,
    /// Port of the API and the pages [default: 5000]
    #[arg(short, long)]
    port: Option<String>,
    /// Seconds between two pictures of a stream we fetch [default: 3]
    #[arg(short, long, value_name = "SECONDS")]
    interval: Option<String>,
    /// Pictures fetched at the same time, at most [default: 100]
    #[arg(short, long, value_name = "NUM")]
    max_concurrent: Option<String>,
    /// Best rendition to fetch, such as 480p [default: 720p]
    #[arg(short, long)]
    quality: Option<String>,
    /// File with a Twitch channel or an address a line, read again on SIGHUP
    #[arg(short = 'f', long, value_name = "FILE")]
    streams_file: Option<String>,
    /// Log more
    #[arg(short, long)]
    debug: bool,
    /// Configuration file [default: config.yaml if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where state is kept [default: data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Set any setting, e.g. --set recording.codec=mjpeg; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Serve {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let resolved = resolve(self.config.clone(), self.overrides()?)?;
        serve(resolved, |_| {}).await
    }

    /// The options under the names of their settings.
    fn overrides(self) -> Result<Vec<(String, String)>> {
        let named = [
            ("server.host", self.host),
            ("server.port", self.port),
            ("capture.interval", self.interval),
            ("capture.max_concurrent", self.max_concurrent),
            ("capture.quality", self.quality),
            ("capture.streams_file", self.streams_file),
            ("server.debug", self.debug.then(|| "true".to_owned())),
            ("data_dir", self.data_dir.map(|path| path.to_string_lossy().into_owned())),
        ];
        let mut overrides: Vec<_> =
            named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        overrides.extend(pairs(&self.set)?);
        Ok(overrides)
    }
}

/// Serves until asked to stop; `started` is told the running program.
pub(super) async fn serve(resolved: Resolved, started: impl FnOnce(&App)) -> Result<ExitCode> {
    let _logging = logging::start(&resolved.config.logging, resolved.config.server.debug)?;
    media::init();
    // Before anything starts: by itself a hangup ends a process, and one may come while the store is opened.
    let mut again =
        signal(SignalKind::hangup()).map_err(|e| Error::internal("can't listen for signals", e))?;
    let app = App::start(resolved, Clock::real()).await?;
    started(&app);
    let mut stop = std::pin::pin!(asked_to_stop());
    loop {
        tokio::select! {
            stopped = &mut stop => break stopped?,
            // A store that hangs must not keep the program from ending.
            _ = again.recv() => tokio::select! {
                stopped = &mut stop => break stopped?,
                () = app.reload() => {}
            },
        }
    }
    Ok(if app.stop().await { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `KEY=VALUE` each.
pub(super) fn pairs(set: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let pair = text.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
        pair.ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                format!("--set {text}: write it as --set KEY=VALUE, e.g. --set server.port=8080"),
            )
        })
    };
    set.iter().map(pair).collect()
}

/// The configuration, with what the API stored in the data directory.
pub(super) fn resolve(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Result<Resolved> {
    let wrong = |mistakes: config::Mistakes| Error::new(Kind::Invalid, mistakes.to_string());
    let inputs = Inputs::from_process(file, overrides).map_err(wrong)?;
    config::resolve(&inputs).map_err(wrong)
}
