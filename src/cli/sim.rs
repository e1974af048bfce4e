//! `onair sim`: the stand-in for Twitch, and what to set so that a server watches it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use sim::clip::Clip;
use sim::fault::Fault;
use sim::world::{self, Settings, World};
use tokio::net::TcpListener;

use super::{asked_to_stop, say};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};

/// Stand in for Twitch: hundreds of live channels from memory, with every fault on demand
///
/// Faults are set and cleared while it runs:
///
///   curl -X PUT -d '{"fault":"slow","for_seconds":30}' localhost:4300/sim/channels/sim_0001/fault
///   curl -X DELETE localhost:4300/sim/channels/sim_0001/fault
///   curl -X PUT localhost:4300/sim/channels/sim_0001/low_latency
///
/// GET /sim/faults lists the faults with their usual numbers (docs/sim.md says what each does),
/// GET /sim/channels and /sim/stats show what was asked. The same channels are plain HLS at
/// /hls/NAME/master.m3u8 (transport stream) and /hls/NAME/cmaf.m3u8 (fragmented MP4).
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Sim {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 4300)]
    port: u16,
    /// How many channels there are, called sim_0001 and so on
    #[arg(
        long,
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        conflicts_with = "names"
    )]
    channels: u32,
    /// File with the channels' names, one a line
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Let every other login be online too
    #[arg(long)]
    any: bool,
    /// Write the channels' names to this file, for onair serve -f
    #[arg(long, value_name = "FILE")]
    write_names: Option<PathBuf>,
    /// Video file the channels show (its first 8 s, again and again); may be repeated [default: drawn clips]
    #[arg(long, value_name = "FILE")]
    video: Vec<PathBuf>,
    /// What is drawn: test pictures, or games with their HUDs (football and Dota in turn)
    #[arg(long, value_enum, default_value_t = Films::Tests, conflicts_with = "video")]
    films: Films,
    /// How long a game's match lasts: in shorter ones its clock runs too fast for events to be found
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Films::MATCH,
        value_parser = clap::value_parser!(u32).range(32..=3600)
    )]
    match_seconds: u32,
    /// Write the drawn heroes' portraits into this folder, for onair pack fetch dota2 --from
    #[arg(long, value_name = "DIR")]
    write_portraits: Option<PathBuf>,
    /// Qualities to offer, e.g. 720p30,360p30 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    renditions: Vec<String>,
    /// Make the films of all qualities before the first request
    #[arg(long)]
    prepare: bool,
    /// Keep the films in this folder, so that the next start makes none
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Make plain HLS low-latency: parts of half a second, playlists that are waited for
    #[arg(long)]
    low_latency: bool,
    /// Share of its time each channel misbehaves by chance, 0 to 1
    #[arg(long = "fault", value_name = "RATE", default_value_t = 0.0, value_parser = parse_rate)]
    fault_rate: f64,
    /// What chance starts from: the same number, the same faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// YAML file with what to begin with: `faults: {sim_0001: {fault: offline}}`, `low_latency: [sim_0002]`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What channels show without `--video`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Films {
    Tests,
    Hud,
}

impl Films {
    /// Seconds; as [`sim::hud::Match::FOLLOWED`].
    const MATCH: u32 = 424;
    /// Films are multiples of it, in seconds.
    const STEP: u32 = 8;

    /// Different matches that there are: long ones are dear to make and to keep.
    const fn matches(seconds: u32) -> u32 {
        if seconds < Self::MATCH / 2 { 4 } else { 2 }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    faults: BTreeMap<String, Fault>,
    /// Channels whose plain HLS is low-latency.
    #[serde(default)]
    low_latency: Vec<String>,
}

impl Sim {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let invalid = |e: world::Error| Error::new(Kind::Invalid, e.to_string());
        let world = World::new(self.settings()?).map_err(invalid)?;
        let config = self.config.as_deref().map(config).transpose()?.unwrap_or_default();
        for (name, fault) in config.faults {
            world.fault(&name, fault, None).map_err(invalid)?;
        }
        for name in config.low_latency {
            world.set_low_latency(&name, true).map_err(invalid)?;
        }
        let names = world.names();
        if let Some(path) = &self.write_names {
            let text = names.join("\n") + "\n";
            std::fs::write(path, text)
                .map_err(|e| Error::internal(format!("can't write {}", path.display()), e))?;
        }
        if let Some(folder) = &self.write_portraits {
            sim::hud::portraits::write(folder)
                .map_err(|e| Error::internal(format!("can't write {}", folder.display()), e))?;
        }
        let address = SocketAddr::new(self.host, self.port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| Error::internal(format!("can't listen on {address} (--host, --port)"), e))?;
        let address = listener.local_addr().map_err(|e| Error::internal("can't tell the port", e))?;
        if self.prepare {
            say("onair sim: making the films");
            world.prepare(&[]).await.map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        }
        self.greet(address, names.len());
        tokio::select! {
            () = world::serve(listener, world) => {}
            stop = asked_to_stop() => stop?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn settings(&self) -> Result<Settings> {
        let clock = Clock::real();
        let now = move || {
            let since = clock.wall().0.as_millisecond();
            Duration::from_millis(u64::try_from(since).unwrap_or(0))
        };
        let mut settings = Settings::new(Arc::new(now), self.channels);
        if let Some(path) = &self.names {
            settings.channels = names(path)?;
        }
        if !self.video.is_empty() {
            settings.clips = self.video.iter().cloned().map(Clip::File).collect();
        }
        if self.films == Films::Hud {
            let seconds = self.match_seconds;
            settings.clips = Clip::huds(Films::matches(seconds));
            settings.loop_steps = seconds.div_ceil(Films::STEP);
        }
        if !self.renditions.is_empty() {
            let known: Vec<_> = settings.ladder.iter().map(|rendition| rendition.id.clone()).collect();
            if self.renditions.iter().any(|wanted| !known.contains(wanted)) {
                return Err(Error::invalid("--renditions", format!("some of {}", known.join(", "))));
            }
            settings.ladder.retain(|rendition| self.renditions.contains(&rendition.id));
        }
        settings.any = self.any;
        settings.low_latency = self.low_latency;
        settings.seed = self.seed;
        settings.fault_rate = self.fault_rate;
        settings.cache.clone_from(&self.cache);
        Ok(settings)
    }

    /// What to do next.
    fn greet(&self, address: SocketAddr, channels: usize) {
        let names = self.write_names.as_deref().unwrap_or(Path::new("streams.txt")).display();
        say(&format!(
            "\n  {channels} channels are live at http://{address}\n\n  Settings that lead there:\n\n    \
             capture.twitch.gql_url=http://{address}/gql\n    capture.twitch.usher_url=http://{address}\n    \
             egress.allow_private=true\n\n  \
             onair serve -f {names} --set capture.twitch.gql_url=http://{address}/gql \
             --set capture.twitch.usher_url=http://{address} --set egress.allow_private=true\n"
        ));
        if self.write_names.is_none() {
            say("  --write-names streams.txt writes the channels' names\n");
        }
    }
}

fn config(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::internal(format!("--config: can't read {}", path.display()), e))?;
    serde_saphyr::from_str(&text)
        .map_err(|e| Error::new(Kind::Invalid, format!("--config {}: {e}", path.display())))
}

/// One name a line; blank lines and what follows a `#` don't count.
fn names(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::internal(format!("--names: can't read {}", path.display()), e))?;
    let names = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_lowercase());
    Ok(names.filter(|name| !name.is_empty()).collect())
}

fn parse_rate(text: &str) -> std::result::Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "a number from 0 to 1".to_owned())
}
