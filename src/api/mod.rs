//! The edge: HTTP routes, WebSockets, the first page, metrics.
//!
//! Calls handles of every other part; nobody calls it but `app`. Wire types live here and are made from domain types;
//! an error becomes a status in `error` and nowhere else. Nothing here decides what a stream or a recording does.

mod assets;
mod asyncapi;
mod audio;
mod config;
mod error;
mod events;
mod extract;
mod fan;
mod follow;
mod frame;
mod frames;
mod guard;
mod hls;
mod layers;
mod listener;
mod metrics;
mod outputs;
mod packs;
mod page;
mod program;
mod publish;
mod rate;
mod recordings;
mod router;
mod scene;
mod scenes;
mod socket;
mod status;
mod streams;
mod unread;
mod view;
mod wire;
mod ws;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::base::clock::{Clock, Monotonic, Wall};
use crate::base::config::Config;
use crate::base::error::Result;
use crate::base::listen;
use crate::base::tasks::Tasks;
use crate::bus::Bus;
use crate::capture::Captures;
use crate::cleanup::Cleanup;
use crate::compose::assets::Assets;
use crate::compose::{Keeper, Stills};
use crate::controls::Controls;
use crate::events::Events;
use crate::outputs::Outputs;
use crate::players::Players;
use crate::reading::{Reader, Watch};
use crate::record::Recorders;
use crate::sources::push::Push;
use crate::sources::rtmp::Rtmp;
use crate::store::Store;
use crate::streams::Registry;

pub use router::document;

/// What the API needs of the rest.
pub struct Parts {
    pub config: Config,
    pub controls: Controls,
    pub clock: Clock,
    pub tasks: Tasks,
    pub registry: Registry,
    pub push: Push,
    pub rtmp: Rtmp,
    pub recorders: Recorders,
    pub captures: Captures,
    pub reader: Reader,
    pub watch: Watch,
    pub events: Events,
    pub players: Players,
    pub bus: Arc<dyn Bus>,
    pub store: Arc<dyn Store>,
    pub cleanup: Cleanup,
    pub keeper: Keeper,
    pub assets: Assets,
    pub outputs: Outputs,
    pub stills: Stills,
}

/// What handlers see. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

pub struct Inner {
    config: Config,
    controls: Controls,
    clock: Clock,
    tasks: Tasks,
    registry: Registry,
    push: Push,
    recorders: Recorders,
    captures: Captures,
    reader: Reader,
    watch: Watch,
    events: Events,
    players: Players,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    cleanup: Cleanup,
    keeper: Keeper,
    assets: Assets,
    outputs: Outputs,
    stills: Stills,
    fans: fan::Fans,
    meters: Arc<metrics::Meters>,
    rate: rate::Rate,
    started: Monotonic,
    started_at: Wall,
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A port that is open, by the setting that chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub setting: &'static str,
    pub address: SocketAddr,
}

/// What Prometheus sees.
fn sources(parts: &Parts, started: Monotonic) -> metrics::Sources {
    metrics::Sources {
        registry: parts.registry.clone(),
        recorders: parts.recorders.clone(),
        captures: parts.captures.clone(),
        reader: parts.reader.clone(),
        events: parts.events.clone(),
        bus: Arc::clone(&parts.bus),
        store: Arc::clone(&parts.store),
        push: parts.push.clone(),
        rtmp: parts.rtmp.clone(),
        outputs: parts.outputs.clone(),
        players: parts.players.clone(),
        keeper: parts.keeper.clone(),
        tasks: parts.tasks.clone(),
        clock: parts.clock.clone(),
        started,
    }
}

impl Api {
    pub fn new(parts: Parts) -> Self {
        let (started, started_at) = (parts.clock.now(), parts.clock.wall());
        let meters = metrics::Meters::new(sources(&parts, started));
        let Parts {
            config,
            controls,
            clock,
            tasks,
            registry,
            push,
            rtmp: _,
            recorders,
            captures,
            reader,
            watch,
            events,
            players,
            bus,
            store,
            cleanup,
            keeper,
            assets,
            outputs,
            stills,
        } = parts;
        let fans = fan::Fans::new(tasks.clone());
        let rate = rate::Rate::new(config.limits.requests_per_second_per_ip);
        let meters = Arc::new(meters);
        Self(Arc::new(Inner {
            config,
            controls,
            clock,
            tasks,
            registry,
            push,
            recorders,
            captures,
            reader,
            watch,
            events,
            players,
            bus,
            store,
            cleanup,
            keeper,
            assets,
            outputs,
            stills,
            fans,
            meters,
            rate,
            started,
            started_at,
        }))
    }

    /// Binds every port and serves them until the program stops.
    ///
    /// # Errors
    /// When a port can't be had; then none is served.
    pub async fn start(&self) -> Result<Vec<Open>> {
        let server = &self.config.server;
        let (mut open, mut listeners) = (Vec::new(), Vec::new());
        for (setting, port) in server.http_ports() {
            let Some((socket, address)) = listen::bind(setting, server.host, port).await? else { continue };
            open.push(Open { setting, address });
            listeners.push(listener::Listener { socket, router: router::router(self, setting) });
        }
        let connections = listener::Connections::new();
        for listener in listeners {
            self.tasks.spawn("listener", listener::serve(self.clone(), listener, connections.clone()));
        }
        Ok(open)
    }
}
