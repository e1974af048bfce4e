//! The only file that knows every part: builds them, connects them, ends them in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::api::{self, Api, Open};
use crate::base::clock::Clock;
use crate::base::config::{self, Config, Resolved};
use crate::base::error::{Error, Result};
use crate::base::listen;
use crate::base::tasks::Tasks;
use crate::bus::Bus;
use crate::capture::{self, Captures};
use crate::cleanup::{self, Cleanup};
use crate::compose::assets::Assets;
use crate::compose::{self, Frames, Keeper};
use crate::controls::Controls;
use crate::events::{self, Events};
use crate::outputs::{self, Outputs};
use crate::players::{self, Players};
use crate::reading::{self, Library, Reader, Watch};
use crate::record::{self, Recorders};
use crate::roster::Roster;
use crate::sources::push::{self, Push};
use crate::sources::rtmp::{self, Rtmp};
use crate::store::Store;
use crate::streams::{self, Registry};
use crate::{bindings, bus, egress, sources, store};

/// The running program.
pub struct App {
    tasks: Tasks,
    registry: Registry,
    roster: Roster,
    /// The ports that are open.
    pub open: Vec<Open>,
}

impl App {
    /// All that ends must have ended by then; a supervisor kills after ten seconds.
    const PATIENCE: Duration = Duration::from_secs(8);

    /// Starts everything `resolved` asks for.
    ///
    /// # Errors
    /// When a port can't be had or the recordings can't be looked through; nothing runs then.
    pub async fn start(resolved: Resolved, clock: Clock) -> Result<Self> {
        let config = resolved.config.clone();
        resolved.notes.iter().for_each(|note| warn!("{note}"));
        let tasks = Tasks::default();
        let registry = Registry::new(stream_settings(&config), clock.clone());
        let store = store::open(&store_settings(&config), &tasks, &clock).await?;
        let recorders = Recorders::new(record_settings(&config), clock.clone(), tasks.clone());
        recover(recorders.clone()).await?;
        let attached = recorders.clone();
        registry.on_new_stream(move |stream| attached.attach(stream));

        let push = Push::new(registry.clone(), push_limits(&config));
        let outside = outside(&config, &clock);
        let Packs { reader, watch, events, bus } = packs(&config, &registry, &clock, &tasks).await?;
        let kit = (&clock, &tasks);
        let captures = captures(&config, &registry, &outside, &store, &reader, kit)?;
        let players = players(&registry, kit);
        let hub = (&registry, &players);
        let (keeper, assets, stills, outputs) = program(&config, &store, &events, hub, &outside, kit).await?;
        let cleanup = Cleanup::new(registry.clone(), recorders.clone());
        let controls = {
            let live = (registry.clone(), recorders.clone(), captures.clone(), outside, watch.clone());
            Controls::new(resolved, Arc::clone(&store), move |config| apply(config, &live))
        };
        let roster = Roster::new(&config.capture, captures.clone(), controls.clone())?;
        let rtmp = Rtmp::new(rtmp::Parts {
            push: push.clone(),
            supplies: registry.supplies().clone(),
            auth: config.auth.clone(),
            connections_per_ip: config.limits.connections_per_ip,
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let setting = "server.rtmp_port";
        let rtmp_port = listen::bind(setting, config.server.host, config.server.rtmp_port).await?;
        let api = Api::new(api::Parts {
            rtmp: rtmp.clone(),
            controls,
            clock,
            tasks: tasks.clone(),
            registry: registry.clone(),
            push,
            recorders,
            captures,
            reader,
            watch,
            events,
            players,
            bus,
            store,
            cleanup: cleanup.clone(),
            keeper: keeper.clone(),
            assets,
            outputs,
            stills,
            config: config.clone(),
        });
        let mut open = api.start().await?;
        advertise(&keeper, &config, &open);
        if let Some((listener, address)) = rtmp_port {
            open.push(Open { setting, address });
            tasks.spawn("rtmp listener", rtmp::serve(listener, rtmp, tasks.stopping()));
        }
        let (settings, stopping) = (cleanup_settings(&config), tasks.stopping());
        tasks.supervise("cleanup", move || cleanup.clone().run(settings, local_now, stopping.clone()));
        tell(&config, &open);
        roster.begin(&tasks).await;
        Ok(Self { tasks, registry, roster, open })
    }

    /// Reads the streams file again: follows what is new in it, and no longer what is not.
    pub async fn reload(&self) {
        self.roster.reload().await;
    }

    /// The address of the port that setting chose.
    pub fn address(&self, setting: &str) -> Option<std::net::SocketAddr> {
        self.open.iter().find(|open| open.setting == setting).map(|open| open.address)
    }

    /// Takes nothing more in, finishes recordings, ends connections; whether all had ended in time.
    pub async fn stop(self) -> bool {
        info!("stopping");
        // First, so that a recorder whose stream ends now can tell why.
        self.tasks.stopping().cancel();
        self.registry.close();
        let ended = self.tasks.stop(Self::PATIENCE).await;
        if ended {
            info!("stopped");
        } else {
            warn!("some work did not end in time");
        }
        ended
    }
}

/// What takes pictures of the streams that we fetch.
fn captures(
    config: &Config,
    registry: &Registry,
    outside: &egress::Client,
    store: &Arc<dyn Store>,
    reader: &Reader,
    (clock, tasks): (&Clock, &Tasks),
) -> Result<Captures> {
    let twitch = twitch_settings(config)?;
    let shared = sources::Shared::new(outside.clone(), clock.clone(), tasks.clone(), twitch);
    Captures::start(capture::Parts {
        settings: capture::Settings::from(config),
        folder: config.data_dir.join("frames"),
        max_frames_bytes: config.capture.max_frames_bytes,
        clock: clock.clone(),
        tasks: tasks.clone(),
        registry: registry.clone(),
        sources: Arc::new(shared),
        store: Arc::clone(store),
        reader: reader.clone(),
    })
}

/// What plays streams that layers show.
fn players(registry: &Registry, (clock, tasks): (&Clock, &Tasks)) -> Players {
    Players::new(players::Parts {
        registry: registry.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
        runtime: tokio::runtime::Handle::current(),
    })
}

/// Recordings a crash left unfinished are finished before anything new is written beside them.
async fn recover(recorders: Recorders) -> Result<()> {
    tokio::task::spawn_blocking(move || recorders.recover())
        .await
        .map_err(|e| Error::internal("recordings can't be recovered", e))?;
    Ok(())
}

/// Tells servers on the same store where to find this one. One that listens on all addresses is known by its machine's name.
fn advertise(keeper: &Keeper, config: &Config, open: &[Open]) {
    let Some(port) = open.iter().find(|open| open.setting == "server.port").map(|open| open.address.port())
    else {
        return;
    };
    let host = config.server.host;
    let name = rustix::system::uname();
    let host = match name.nodename().to_str() {
        Ok(name) if host.is_unspecified() && !name.is_empty() => name.to_owned(),
        _ if host.is_ipv6() => format!("[{host}]"),
        _ => host.to_string(),
    };
    keeper.reachable_at(format!("{host}:{port}"));
}

/// What a changed setting changes.
fn apply(config: &Config, live: &(Registry, Recorders, Captures, egress::Client, Watch)) {
    let (registry, recorders, captures, outside, watch) = live;
    registry.apply(stream_settings(config));
    recorders.apply(record_settings(config));
    captures.apply(capture::Settings::from(config));
    outside.apply(egress_policy(config));
    watch.apply(watch_settings(config));
}

/// What is open, and to whom.
fn tell(config: &Config, open: &[Open]) {
    if !config.server.host.is_loopback() && config.auth.token.is_none() {
        warn!(
            host = %config.server.host,
            "anyone who can reach this address can push, watch and delete; set auth.token, or server.host: 127.0.0.1"
        );
    }
    for Open { setting, address } in open {
        info!(%address, "listening ({setting})");
    }
}

#[expect(clippy::disallowed_methods, reason = "the daily clean-up is at a local time, read once a minute")]
fn local_now() -> jiff::civil::DateTime {
    jiff::Zoned::now().datetime()
}

fn stream_settings(config: &Config) -> streams::Settings {
    let streams = &config.streams;
    streams::Settings {
        timeout: streams.timeout,
        max_concurrent: streams.max_concurrent,
        max_buffer_frames: streams.max_buffer_frames,
    }
}

/// The door to the outside.
pub(crate) fn outside(config: &Config, clock: &Clock) -> egress::Client {
    egress::Client::new(egress_policy(config), clock.clone())
}

fn egress_policy(config: &Config) -> egress::Policy {
    let allow = config.egress.allow.iter().map(|text| {
        let Ok(allowed) = text.parse();
        allowed
    });
    egress::Policy { allow_private: config.egress.allow_private, allow: allow.collect() }
}

/// The scene on air, the files that it shows, and where it goes.
async fn program(
    config: &Config,
    store: &Arc<dyn Store>,
    events: &Events,
    (registry, players): (&Registry, &Players),
    client: &egress::Client,
    (clock, tasks): (&Clock, &Tasks),
) -> Result<(Keeper, Assets, compose::Stills, Outputs)> {
    let settings = config.compositor.clone();
    let assets = Assets::open(&config.data_dir, settings.clone(), Arc::clone(store)).await?;
    let parts =
        compose::Parts { settings, store: Arc::clone(store), clock: clock.clone(), tasks: tasks.clone() };
    let keeper = Keeper::start(parts).await?;
    let (frames, outside) = (Frames::default(), compose::Outside::default());
    bindings::start(events.clone(), outside.clone(), registry.clone(), clock.clone(), tasks);
    let stills = compose::program::start(compose::program::Parts {
        settings: config.compositor.clone(),
        keeper: keeper.clone(),
        assets: assets.clone(),
        outside: outside.clone(),
        registry: registry.clone(),
        players: players.clone(),
        frames: frames.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
    })?;
    let outputs = Outputs::start(outputs::Parts {
        settings: outputs::Settings::from(config),
        store: Arc::clone(store),
        keeper: keeper.clone(),
        assets: assets.clone(),
        frames,
        outside,
        players: players.clone(),
        client: client.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
    });
    Ok((keeper, assets, stills, outputs.await?))
}

/// All that reads screens.
struct Packs {
    reader: Reader,
    watch: Watch,
    events: Events,
    bus: Arc<dyn Bus>,
}

async fn packs(config: &Config, registry: &Registry, clock: &Clock, tasks: &Tasks) -> Result<Packs> {
    let library = Library::open(reading::Settings { folder: packs_folder(config) });
    library.watch(tasks);
    let (reader, records) = Reader::new(library, clock.clone());
    let watch = Watch::start(registry.clone(), reader.clone(), watch_settings(config), clock.clone(), tasks)?;
    let config::Bus { readings_age, events_age, max_bytes } = config.bus;
    let retention = bus::Retention::of(readings_age, events_age, max_bytes);
    let settings = bus::Settings { data_dir: config.data_dir.clone(), retention };
    let bus = bus::open(&settings, tasks, clock).await?;
    let parts = events::Parts {
        data_dir: config.data_dir.clone(),
        limits: events_limits(config),
        clock: clock.clone(),
        tasks: tasks.clone(),
        registry: registry.clone(),
        records,
        bus: Arc::clone(&bus),
    };
    Ok(Packs { reader, watch, events: Events::start(parts).await?, bus })
}

/// Where packs of the user's own are, and what was fetched.
pub(crate) fn packs_folder(config: &Config) -> PathBuf {
    config.packs.folder.clone().unwrap_or_else(|| config.data_dir.join("packs"))
}

fn events_limits(config: &Config) -> events::Limits {
    let packs = &config.packs;
    events::Limits {
        max_age: packs.events_age,
        max_events: packs.max_events,
        max_evidence_bytes: packs.max_evidence_bytes,
    }
}

fn watch_settings(config: &Config) -> reading::WatchSettings {
    reading::WatchSettings { interval: config.packs.push_interval, pack: config.packs.default.clone() }
}

fn store_settings(config: &Config) -> store::Settings {
    store::Settings {
        data_dir: config.data_dir.clone(),
        redis_url: config.store.redis_url.clone(),
        redis_password: config.store.redis_password.clone(),
    }
}

fn push_limits(config: &Config) -> push::Limits {
    let max_side = u16::try_from(config.limits.max_side).unwrap_or(u16::MAX);
    push::Limits { max_bytes: config.server.max_frame_bytes, max_side }
}

fn cleanup_settings(config: &Config) -> cleanup::Settings {
    cleanup::Settings { interval: config.cleanup.interval, daily_at: config.cleanup.schedule_time }
}

fn record_settings(config: &Config) -> record::Settings {
    record::Settings::from(&config.recording)
}

pub(crate) fn twitch_settings(config: &Config) -> Result<sources::twitch::Settings> {
    let twitch = &config.capture.twitch;
    let url = |key: &str, text: &str| {
        url::Url::parse(text).map_err(|e| Error::invalid(key, "not an address").caused_by(e))
    };
    Ok(sources::twitch::Settings {
        gql_url: url("capture.twitch.gql_url", &twitch.gql_url)?,
        usher_url: url("capture.twitch.usher_url", &twitch.usher_url)?,
        client_id: twitch.client_id.clone(),
        token_hash: twitch.token_hash.clone(),
    })
}
