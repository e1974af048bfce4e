//! The thread of one destination: connects, sends what waits, connects again.
//!
//! Blocks as long as it likes, within the limits of its outlet: only its own queue fills up meanwhile. Ends when its queue
//! does, properly, or at once when it is told to. Started and ended by `desk`.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use media::air::{Limits, Outlet, OutletError, Packet, Peer, Track, VideoCodec, Way};
use tokio::runtime::Handle;
use tracing::{info, warn};
use url::Url;

use super::address::{self, Scheme};
use super::definition::{Definition, Place};
use super::hls::{self, Hls};
use super::lane::Lane;
use super::machine::{Machine, Next, State};
use super::meters::Meters;
use super::queue::{Queue, Taken};
use super::stamp;
use crate::base::clock::{Clock, Monotonic, Wall};
use crate::egress::{self, Trust};

/// What is known of a destination, whatever is being done about it.
pub(super) struct Status(Mutex<Inner>);

struct Inner {
    machine: Machine,
    /// Of connections that have ended.
    sent_before: u64,
    /// When, and bytes sent by then.
    sent: VecDeque<(Monotonic, u64)>,
    /// Of queues that have ended.
    dropped_before: u64,
    file: Option<String>,
}

/// What a destination looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub state: State,
    pub since: Wall,
    /// kbit/s that it took lately.
    pub sent_kbps: f64,
    /// Bytes, since it was made.
    pub sent: u64,
    pub reconnects: u64,
    /// Pictures that were dropped for it, since it was made.
    pub dropped: u64,
    pub last_error: Option<String>,
    /// The file that is written, or was last.
    pub file: Option<String>,
}

const LATELY: Duration = Duration::from_secs(5);

impl Status {
    pub(super) fn new(seed: u64, wall: Wall) -> Self {
        Self(Mutex::new(Inner {
            machine: Machine::new(seed, wall),
            sent_before: 0,
            sent: VecDeque::new(),
            dropped_before: 0,
            file: None,
        }))
    }

    #[expect(clippy::cast_precision_loss, reason = "figures of a few seconds")]
    pub(super) fn shown(&self, now: Monotonic) -> Shown {
        let mut inner = self.lock();
        inner.forget(now);
        let state = inner.machine.state(now);
        let rate = match (inner.sent.front(), inner.sent.back()) {
            (Some((begun, first)), Some((_, last))) if state == State::Live => {
                (last - first) as f64 * 8.0 / 1000.0 / now.since(*begun).as_secs_f64().max(0.5)
            }
            _ => 0.0,
        };
        Shown {
            state,
            since: inner.machine.since(),
            sent_kbps: rate,
            sent: inner.sent.back().map_or(inner.sent_before, |(_, sent)| *sent),
            reconnects: inner.machine.reconnects(),
            dropped: inner.dropped_before,
            last_error: inner.machine.last_error().map(str::to_owned),
            file: inner.file.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}

impl Inner {
    fn forget(&mut self, now: Monotonic) {
        while self.sent.len() > 1 && self.sent.front().is_some_and(|(at, _)| now.since(*at) > LATELY) {
            self.sent.pop_front();
        }
    }

    fn sent(&mut self, now: Monotonic, bytes: u64) {
        let total = self.sent_before + bytes;
        // A look at the figures every tenth of a second is enough.
        let recent = |(at, _): &(Monotonic, u64)| now.since(*at) < Duration::from_millis(100);
        if self.sent.len() > 1 && self.sent.iter().nth_back(1).is_some_and(recent) {
            self.sent.pop_back();
        }
        self.sent.push_back((now, total));
        self.forget(now);
    }
}

/// What the thread works with.
pub(super) struct Work {
    pub(super) definition: Arc<Definition>,
    pub(super) status: Arc<Status>,
    pub(super) queue: Arc<Queue>,
    pub(super) lane: Arc<Lane>,
    pub(super) hls: Arc<Hls>,
    pub(super) meters: Arc<Meters>,
    pub(super) client: egress::Client,
    pub(super) runtime: Handle,
    pub(super) clock: Clock,
    /// Ends whatever blocks.
    pub(super) abort: Arc<AtomicBool>,
    /// Where files go.
    pub(super) folder: PathBuf,
    pub(super) limits: Limits,
}

/// How long a packet is waited for before the world is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;

/// Where packets go.
enum Sink {
    Outlet(Outlet),
    Hls(hls::Writer),
}

impl Work {
    /// Sends until the queue ends, or this is told to stop.
    pub(super) fn run(self) {
        self.status.lock().machine.start(self.clock.wall());
        while !self.queue.has_ended() && !self.stopped() {
            let result = self.once();
            self.queue.shut();
            let (now, wall) = (self.clock.now(), self.clock.wall());
            let next = match result {
                Ok(()) => continue,
                Err(OutletError::Stopped) => break,
                Err(e) => {
                    let known = self.status.shown(now).last_error;
                    let next = self.status.lock().machine.failed(&e, now, wall);
                    // The same again and again would say no more.
                    if known != Some(e.to_string()) {
                        warn!(output = self.definition.id, error = %e, "a destination is lost");
                    }
                    next
                }
            };
            let pause = match next {
                Next::Again(pause) => pause,
                Next::Never => Duration::MAX,
            };
            self.rest(pause);
        }
        let mut inner = self.status.lock();
        inner.machine.ended(self.clock.wall());
        inner.dropped_before += self.queue.dropped().0;
    }

    fn rest(&self, pause: Duration) {
        let until = self.clock.now() + pause.min(Duration::from_hours(24 * 365));
        while !self.stopped() {
            let left = until.since(self.clock.now());
            if left.is_zero() || self.queue.rest(left.min(LOOK)) {
                return;
            }
        }
    }

    fn stopped(&self) -> bool {
        self.abort.load(Ordering::Acquire)
    }

    /// One connection.
    fn once(&self) -> Result<(), OutletError> {
        let tracks = loop {
            match self.lane.tracks() {
                Some(tracks) => break tracks,
                None if self.queue.rest(Duration::from_millis(20)) || self.stopped() => return Ok(()),
                None => {}
            }
        };
        let mut sink = match &self.definition.place {
            Place::Net { url, scheme, key } => {
                let key = key.as_ref().map(|key| key.reveal());
                Sink::Outlet(self.connect(url, *scheme, key, &tracks)?)
            }
            Place::File { name } => Sink::Outlet(self.create(name, &tracks)?),
            Place::Here => {
                let begun = self.lane.begun().map_or_else(|| self.clock.wall(), |(_, wall)| wall);
                let writer =
                    self.hls.begin(&tracks, begun).map_err(|e| OutletError::Unsupported(e.into()))?;
                Sink::Hls(writer)
            }
        };
        self.queue.open();
        self.lane.want_keyframe();
        self.status.lock().machine.opened(self.clock.now(), self.clock.wall());
        info!(output = self.definition.id, "a destination is live");
        let ended = self.send(&mut sink);
        let mut inner = self.status.lock();
        inner.sent_before = inner.sent.back().map_or(inner.sent_before, |(_, sent)| *sent);
        inner.sent.clear();
        drop(inner);
        match (ended, sink) {
            (Ok(()), Sink::Outlet(outlet)) => outlet.finish(),
            (Ok(()), Sink::Hls(writer)) => {
                writer.finish();
                Ok(())
            }
            (Err(e), _) => Err(e),
        }
    }

    /// Until the queue ends or what is sent changes.
    fn send(&self, sink: &mut Sink) -> Result<(), OutletError> {
        loop {
            if self.stopped() {
                return Err(OutletError::Stopped);
            }
            match self.queue.take(LOOK) {
                Taken::Packet(packet) => {
                    let sent = sink.write(&packet)?;
                    let now = self.clock.now();
                    if packet.track == Track::Picture
                        && let Some((begun, _)) = self.lane.begun()
                    {
                        self.meters.taken(now.since(begun + seen_after(packet.pts)));
                    }
                    let mut inner = self.status.lock();
                    inner.machine.took(now);
                    inner.sent(now, sent);
                }
                // Nothing to take is no stall.
                Taken::Empty => self.status.lock().machine.took(self.clock.now()),
                Taken::Renew | Taken::Ended => return Ok(()),
            }
        }
    }

    /// Connects to one of the addresses that its name stands for and that may be reached.
    fn connect(
        &self,
        url: &Url,
        scheme: Scheme,
        key: Option<&str>,
        tracks: &media::air::Tracks,
    ) -> Result<Outlet, OutletError> {
        let addresses = self.resolve(url)?;
        let text = address::with_key(url, scheme, key);
        let way = match scheme {
            Scheme::Rtmp => Way::Flv(text),
            Scheme::Srt => Way::MpegTs(text),
        };
        let mut failed = OutletError::Unreachable("its name has no address".to_owned());
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let peer = Peer { address: Some(address), authorities: egress::authorities() };
            match Outlet::open_to(&way, &peer, tracks, self.limits, Arc::clone(&self.abort)) {
                Ok(outlet) => return Ok(outlet),
                Err(e @ (OutletError::Unreachable(_) | OutletError::Timeout)) => failed = e,
                Err(e) => return Err(e),
            }
        }
        Err(failed)
    }

    fn resolve(&self, url: &Url) -> Result<Vec<IpAddr>, OutletError> {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let trust: Trust = self.definition.trust();
        let told = async {
            while !self.stopped() {
                tokio::time::sleep(LOOK).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                found = self.client.resolve(host, trust) => {
                    found.map_err(|e| OutletError::Unreachable(e.to_string()))
                }
                () = told => Err(OutletError::Stopped),
            }
        })
    }

    fn create(&self, name: &str, tracks: &media::air::Tracks) -> Result<Outlet, OutletError> {
        let disk = |e: std::io::Error| OutletError::Disk(e.to_string());
        let folder = self.folder.join("program");
        std::fs::create_dir_all(&folder).map_err(disk)?;
        let web = tracks.picture.codec != VideoCodec::H264;
        let ending = if web { "webm" } else { "mp4" };
        let file = stamp::free_name(&folder, name, self.clock.wall(), ending);
        let path = folder.join(&file);
        let way = if web { Way::WebM(path) } else { Way::Mp4(path) };
        let outlet = Outlet::open(&way, tracks, self.limits, Arc::clone(&self.abort))?;
        self.status.lock().file = Some(format!("program/{file}"));
        Ok(outlet)
    }
}

/// How long after the beginning of its clock a frame is due.
fn seen_after(pts: i64) -> Duration {
    Duration::from_micros(u64::try_from(pts).unwrap_or(0).saturating_mul(100) / 9)
}

impl Sink {
    /// Bytes of this connection so far.
    fn write(&mut self, packet: &Packet) -> Result<u64, OutletError> {
        match self {
            Self::Outlet(outlet) => {
                outlet.write(packet)?;
                Ok(outlet.sent())
            }
            Self::Hls(writer) => Ok(writer.write(packet)),
        }
    }
}
