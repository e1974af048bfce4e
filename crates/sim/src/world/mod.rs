//! The channels of the stand-in world: what each shows at what time, what is wrong with it, and what was
//! asked of it.
//!
//! Pure state behind short locks, with the time passed in by the clock the caller gave. Called by `server`
//! for every request and by tests directly. Never waits, never opens a socket.

mod channel;
mod counters;
mod tokens;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

pub(crate) use channel::{Channel, Look, Made, PART};
pub use counters::Counts;
pub(crate) use counters::{Counters, Kind};
pub(crate) use tokens::Refusal;

use crate::clip::Clip;
use crate::fault::Fault;
use crate::film::Recipe;
use crate::ladder::{self, Rendition};
use crate::library::Library;

/// Says the wall time, since 1970.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What a world is made of.
#[derive(Clone)]
pub struct Settings {
    pub clock: Clock,
    /// Logins: `[a-z0-9_]{1,25}`.
    pub channels: Vec<String>,
    /// Whether any other login is online too, up to [`World::MOST_CHANNELS`].
    pub any: bool,
    /// Shown by the channels in turn.
    pub clips: Vec<Clip>,
    /// Best first.
    pub ladder: Vec<Rendition>,
    pub seed: u64,
    /// Share of its time each channel misbehaves by chance, 0 to 1.
    pub fault_rate: f64,
    /// How long the channels have been live when the world begins; `None`: each its own time, up to a day.
    pub uptime: Option<Duration>,
    /// Loops last this many times 8 s.
    pub loop_steps: u32,
    pub token_life: Duration,
    /// The persisted query's hash.
    pub token_hash: String,
    /// Segments listed in a media playlist.
    pub listed: u32,
    /// Whether plain playlists are low-latency ones; each channel can be told otherwise.
    pub low_latency: bool,
    /// How long a segment can be fetched after its end.
    pub kept: Duration,
    /// A folder to keep films in.
    pub cache: Option<PathBuf>,
}

impl Settings {
    /// `count` channels called `sim_0001` and so on, all qualities, four drawn clips, no faults.
    #[must_use]
    pub fn new(clock: Clock, count: u32) -> Self {
        Self {
            clock,
            channels: (1..=count).map(|number| format!("sim_{number:04}")).collect(),
            any: false,
            clips: Clip::drawn(4),
            ladder: ladder::twitch(),
            seed: 1,
            fault_rate: 0.0,
            uptime: None,
            loop_steps: 1,
            token_life: Duration::from_secs(20 * 60),
            token_hash: "ed230aa1e33e07eebb8928504583da78a5173989fadfb1ac94be06a04f3cdbe9".to_owned(),
            listed: 15,
            low_latency: false,
            kept: Duration::from_secs(180),
            cache: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}

/// Cheap to clone; clones share their state.
#[derive(Clone, Debug)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    started: u64,
    channels: RwLock<BTreeMap<String, Arc<Channel>>>,
    counters: Counters,
    library: Library,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no login: one to 25 letters, digits and underscores, in lower case")]
    Login(String),
    #[error("there is no channel {0}")]
    Unknown(String),
    #[error("there are no clips to show")]
    NoClips,
    #[error("a rendition needs even sizes from 16 to 4096 and a rate that divides 60")]
    Rendition,
}

impl World {
    /// Channels that there can be.
    pub const MOST_CHANNELS: usize = 100_000;

    /// # Errors
    /// When a login is none, there are no clips, or a rendition can't be made.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        if settings.clips.is_empty() {
            return Err(Error::NoClips);
        }
        let sound = |rendition: &Rendition| {
            rendition.video.is_none_or(|video| {
                let size = |pixels: u32| (16..=4096).contains(&pixels) && pixels.is_multiple_of(2);
                size(video.width)
                    && size(video.height)
                    && video.fps > 0
                    && 60 % video.fps == 0
                    && video.kbps > 0
            })
        };
        if settings.ladder.is_empty() || !settings.ladder.iter().all(sound) {
            return Err(Error::Rendition);
        }
        let started = millis((settings.clock)());
        let mut channels = BTreeMap::new();
        for (number, name) in settings.channels.iter().enumerate() {
            let name = login(name)?;
            let channel = Channel::new(&settings, &name, number, started);
            channels.insert(name, Arc::new(channel));
        }
        let library = Library::new(settings.cache.clone());
        let channels = RwLock::new(channels);
        Ok(Self(Arc::new(Inner { settings, started, channels, counters: Counters::default(), library })))
    }

    /// Every channel's name, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.channels().keys().cloned().collect()
    }

    /// Lets a channel misbehave from now on, for `lasting` or until it is cleared. What was wrong before
    /// ends.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn fault(&self, channel: &str, fault: Fault, lasting: Option<Duration>) -> Result<(), Error> {
        let found = self.find(channel).ok_or_else(|| Error::Unknown(channel.to_owned()))?;
        found.strike(self.now(), fault, lasting.map(millis));
        Ok(())
    }

    /// Ends what is wrong with a channel now.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn clear(&self, channel: &str) -> Result<(), Error> {
        let found = self.find(channel).ok_or_else(|| Error::Unknown(channel.to_owned()))?;
        found.clear(self.now());
        Ok(())
    }

    /// What is wrong with a channel now.
    #[must_use]
    pub fn faulty(&self, channel: &str) -> Option<Fault> {
        self.find(channel)?.look(self.now()).fault.map(|spell| spell.fault)
    }

    /// Makes the plain playlists of a channel low-latency ones, or no longer.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn set_low_latency(&self, channel: &str, on: bool) -> Result<(), Error> {
        let found = self.find(channel).ok_or_else(|| Error::Unknown(channel.to_owned()))?;
        found.set_low_latency(on);
        Ok(())
    }

    /// Whether the plain playlists of a channel are low-latency ones.
    #[must_use]
    pub fn low_latency(&self, channel: &str) -> bool {
        self.find(channel).is_some_and(|channel| channel.look(self.now()).low_latency)
    }

    /// What was asked of a channel so far, or of all.
    #[must_use]
    pub fn counters(&self, channel: Option<&str>) -> Counts {
        match channel {
            None => self.0.counters.counts(),
            Some(name) => self.find(name).map(|channel| channel.counters.counts()).unwrap_or_default(),
        }
    }

    /// Where a channel is now: the newest whole segment's number, and when it began (ms since 1970).
    #[must_use]
    pub fn newest(&self, channel: &str) -> Option<(u64, u64)> {
        let channel = self.find(channel)?;
        let newest = channel.newest(self.now());
        Some((newest, channel.begins(newest)))
    }

    /// The counter in the first picture of segment `sequence` of a channel that shows a drawn clip without
    /// faults.
    ///
    /// Later pictures count up in sixtieths of a second of media time, whatever the rendition's rate.
    #[must_use]
    pub fn number_at(&self, channel: &str, sequence: u64) -> Option<u32> {
        let channel = self.find(channel)?;
        let (Clip::Drawn { number, .. } | Clip::Hud { number, .. }) = self.clip(&channel) else {
            return None;
        };
        let segments = u64::from(self.0.settings.loop_steps.max(1)) * 4;
        let within = u32::try_from(sequence % segments * 120).ok()?;
        Some(number * Clip::NUMBERS + within)
    }

    pub(crate) fn now(&self) -> u64 {
        millis((self.0.settings.clock)())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn library(&self) -> &Library {
        &self.0.library
    }

    pub(crate) fn all_counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn clip(&self, channel: &Channel) -> &Clip {
        let clips = &self.0.settings.clips;
        &clips[channel.number % clips.len()]
    }

    pub(crate) fn rendition(&self, id: &str) -> Option<&Rendition> {
        self.0.settings.ladder.iter().find(|rendition| rendition.id == id)
    }

    /// The channel of that login, whatever is wrong with it.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Channel>> {
        if let Some(channel) = self.channels().get(name) {
            return Some(Arc::clone(channel));
        }
        if !self.0.settings.any {
            return None;
        }
        let name = login(name).ok()?;
        let mut channels = self.0.channels.write().expect("nothing under this lock panics");
        if channels.len() >= Self::MOST_CHANNELS {
            return None;
        }
        let number = channels.len();
        let new = || Arc::new(Channel::new(&self.0.settings, &name, number, self.0.started));
        Some(Arc::clone(channels.entry(name.clone()).or_insert_with(new)))
    }

    /// The channel that answers to a login now: not one that goes by another name, but one that took this.
    pub(crate) fn answering(&self, name: &str) -> Option<Arc<Channel>> {
        let now = self.now();
        let renamed = |channel: &Channel| match channel.look(now).fault.map(|spell| spell.fault) {
            Some(Fault::Renamed { to }) => Some(to.unwrap_or_else(|| format!("{}_new", channel.name))),
            _ => None,
        };
        if let Some(channel) = self.channels().get(name) {
            return renamed(channel).is_none().then(|| Arc::clone(channel));
        }
        let taken =
            self.channels().values().find(|channel| renamed(channel).as_deref() == Some(name)).cloned();
        taken.or_else(|| self.find(name))
    }

    pub(crate) fn channels(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Channel>>> {
        self.0.channels.read().expect("nothing under this lock panics")
    }

    /// Makes the films of these renditions (all without names) ahead of the first request.
    ///
    /// # Errors
    /// When a film can't be made.
    pub async fn prepare(&self, renditions: &[&str]) -> Result<(), Arc<crate::film::Error>> {
        let wanted =
            |rendition: &&Rendition| renditions.is_empty() || renditions.contains(&rendition.id.as_str());
        for rendition in self.0.settings.ladder.iter().filter(wanted) {
            for clip in &self.0.settings.clips {
                let container = crate::film::Container::Ts;
                let (clip, rendition) = (clip.clone(), rendition.clone());
                let steps = self.0.settings.loop_steps;
                self.0.library.film(&Recipe { clip, rendition, container, steps }).await?;
            }
        }
        Ok(())
    }
}

fn login(name: &str) -> Result<String, Error> {
    let fits = (1..=25).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits { Ok(name.to_owned()) } else { Err(Error::Login(name.to_owned())) }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Serves `world` on `listener` until dropped: Twitch's token endpoint (`/gql`) and playlists, plain HLS
/// (`/hls/{login}/master.m3u8` and `cmaf.m3u8`), and the controls (`/sim/…`). Needs a tokio runtime with
/// timers and I/O.
pub async fn serve(listener: tokio::net::TcpListener, world: World) {
    crate::server::serve(listener, world).await;
}
