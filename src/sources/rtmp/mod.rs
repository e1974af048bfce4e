//! RTMP in: OBS, FFmpeg and encoders publish H.264 to `rtmp://host/live/<name>`, and it is a push stream like any other.
//!
//! Owns the connections and, for each publisher, a thread that makes JPEGs of its pictures; they pass the same door as pushed
//! ones. Called by `app`, which owns the port. One publisher never waits for another, and none is waited for. Its pictures as they
//! were coded, and its sound, are for whoever shows it in full (`mirror`). When its stream is deleted a publisher is not sent away: its next picture makes a new one, as
//! with any other push.

mod coder;
mod connection;
mod mirror;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::push::Push;
use crate::base::clock::Clock;
use crate::base::config::Auth;
use crate::base::queue::Counter;
use crate::base::rate_log::RateLog;
use crate::base::tasks::Tasks;
use crate::streams::Supplies;

/// What it is built from.
#[derive(Clone)]
pub struct Parts {
    pub push: Push,
    /// Where publishers are offered in full.
    pub supplies: Supplies,
    pub auth: Auth,
    /// Connections of one address.
    pub connections_per_ip: usize,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// Takes RTMP. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Rtmp(Arc<Inner>);

struct Inner {
    parts: Parts,
    figures: Figures,
    /// By address, and all that publish.
    connections: Mutex<HashMap<IpAddr, usize>>,
    publishers: Mutex<usize>,
}

/// Since the start.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub connections: Counter,
    /// Connections ended because of what they sent or wanted.
    pub refused: Counter,
    /// Pictures made.
    pub pictures: Counter,
    /// Coded pictures left out because decoding could not keep up: whole groups, up to the next keyframe.
    pub dropped: Counter,
    /// Coded pictures that were damaged, or became a JPEG that is not taken.
    pub damaged: Counter,
    pub received_bytes: Counter,
}

impl Rtmp {
    /// Each has a thread that decodes.
    const MAX_PUBLISHERS: usize = 64;

    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            figures: Figures::default(),
            connections: Mutex::default(),
            publishers: Mutex::default(),
        }))
    }

    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// Those that are open.
    pub fn connections(&self) -> usize {
        self.0.connections().values().sum()
    }

    /// Those that publish at this moment.
    pub fn publishers(&self) -> usize {
        *self.0.publishing()
    }
}

/// Takes connections until `stop`; they end by themselves then.
pub async fn serve(listener: TcpListener, rtmp: Rtmp, stop: CancellationToken) {
    let too_many = RateLog::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                warn!(error = %e, "can't accept an RTMP connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let ip = peer.ip().to_canonical();
        let Some(admitted) = rtmp.admit(ip) else {
            rtmp.figures().refused.add(1);
            if let Some(more) = too_many.may_log(rtmp.0.parts.clock.now()) {
                warn!(%ip, more, "too many RTMP connections from one address (limits.connections_per_ip)");
            }
            continue;
        };
        rtmp.figures().connections.add(1);
        let (served, stop) = (rtmp.clone(), stop.clone());
        rtmp.0.parts.tasks.spawn("rtmp", async move {
            if let Err(why) = connection::run(socket, &served, stop).await {
                served.figures().refused.add(1);
                info!(%ip, %why, "an RTMP connection was ended");
            }
            drop(admitted);
        });
    }
}

/// Counts as one connection of its address until dropped.
struct Admitted(Rtmp, IpAddr);

/// Counts as one that publishes until dropped.
struct Publishing(Rtmp);

impl Rtmp {
    fn admit(&self, ip: IpAddr) -> Option<Admitted> {
        let mut connections = self.0.connections();
        let count = connections.entry(ip).or_default();
        if *count >= self.0.parts.connections_per_ip {
            return None;
        }
        *count += 1;
        drop(connections);
        Some(Admitted(self.clone(), ip))
    }

    fn publish(&self) -> Option<Publishing> {
        let mut publishers = self.0.publishing();
        if *publishers >= Self::MAX_PUBLISHERS {
            return None;
        }
        *publishers += 1;
        drop(publishers);
        Some(Publishing(self.clone()))
    }
}

impl Inner {
    fn connections(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connections.lock().expect("no code that can panic runs under this lock")
    }

    fn publishing(&self) -> MutexGuard<'_, usize> {
        self.publishers.lock().expect("no code that can panic runs under this lock")
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut connections = self.0.0.connections();
        if let Some(count) = connections.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.1);
            }
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        *self.0.0.publishing() -= 1;
    }
}
