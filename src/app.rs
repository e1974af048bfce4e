//! The only file that knows every part: builds them, connects them, ends them in order.

use std::time::Duration;

use tracing::{info, warn};

use crate::api::{self, Api, Open};
use crate::base::clock::Clock;
use crate::base::config::{Config, Resolved};
use crate::base::error::{Error, Result};
use crate::base::tasks::Tasks;
use crate::cleanup::{self, Cleanup};
use crate::controls::Controls;
use crate::record::{self, Recorders};
use crate::sources::push::{self, Push};
use crate::streams::{self, Registry};

/// The running program.
pub struct App {
    tasks: Tasks,
    registry: Registry,
    /// The ports that are open.
    pub open: Vec<Open>,
}

impl App {
    /// All that ends must have ended by then; a supervisor kills after ten seconds.
    const PATIENCE: Duration = Duration::from_secs(8);
    /// Where `PUT /api/config` keeps its changes, inside `data_dir`.
    pub const STORED_SETTINGS: &str = "settings.json";

    /// Starts everything `resolved` asks for.
    ///
    /// # Errors
    /// When a port can't be had or the recordings can't be looked through; nothing runs then.
    pub async fn start(resolved: Resolved, clock: Clock) -> Result<Self> {
        let config = resolved.config.clone();
        for note in &resolved.notes {
            warn!("{note}");
        }
        let tasks = Tasks::default();
        let registry = Registry::new(stream_settings(&config), clock.clone());
        let recorders = Recorders::new(record_settings(&config), clock.clone(), tasks.clone());
        recover(recorders.clone()).await?;
        let attached = recorders.clone();
        registry.on_new_stream(move |stream| attached.attach(stream));

        let push = Push::new(registry.clone(), push_limits(&config));
        let cleanup = Cleanup::new(registry.clone(), recorders.clone());
        let api = Api::new(api::Parts {
            controls: controls(resolved, &registry, &recorders),
            clock,
            tasks: tasks.clone(),
            registry: registry.clone(),
            push,
            recorders,
            cleanup: cleanup.clone(),
            config: config.clone(),
        });
        let open = api.start().await?;
        let (settings, stopping) = (cleanup_settings(&config), tasks.stopping());
        tasks.supervise("cleanup", move || cleanup.clone().run(settings, local_now, stopping.clone()));
        warn_if_open(&config);
        for Open { setting, address } in &open {
            info!(%address, "listening ({setting})");
        }
        Ok(Self { tasks, registry, open })
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

/// Recordings a crash left unfinished are finished before anything new is written beside them.
async fn recover(recorders: Recorders) -> Result<()> {
    tokio::task::spawn_blocking(move || recorders.recover())
        .await
        .map_err(|e| Error::internal("recordings can't be recovered", e))?;
    Ok(())
}

fn controls(resolved: Resolved, registry: &Registry, recorders: &Recorders) -> Controls {
    let stored = resolved.config.data_dir.join(App::STORED_SETTINGS);
    let (registry, recorders) = (registry.clone(), recorders.clone());
    Controls::new(resolved, stored, move |config| {
        registry.apply(stream_settings(config));
        recorders.apply(record_settings(config));
    })
}

fn warn_if_open(config: &Config) {
    if !config.server.host.is_loopback() && config.auth.token.is_none() {
        warn!(
            host = %config.server.host,
            "anyone who can reach this address can push, watch and delete; set auth.token, or server.host: 127.0.0.1"
        );
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
