//! Takes a picture from each pull stream every few seconds, and keeps the last ones.
//!
//! Owns the pull streams: what is wanted of them, how they are doing, what is kept. `schedule` decides who is next,
//! `sources` fetches, `pool` decodes, `frames` keeps. Called by `app` and `api`. Nothing is decoded unless somebody looks
//! or the settings say so.

mod definition;
mod engine;
mod follow;
mod frames;
mod list;
mod pool;
mod pull;
pub mod schedule;
mod settings;
mod shelf;
mod tally;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use bytes::Bytes;
use media::keyframe::Keyframe;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::tasks::Tasks;
use crate::reading::Reader;
use crate::sources;
use crate::store::{Change, Collection, Store};
use crate::streams::{Registry, StreamName, Supply};

pub use definition::{Definition, Wish, login};
pub use frames::{KEPT, Kept, MAX_AGE, Shot, read_shot, write_shot};
pub use list::{Line, read_list};
pub use pool::Figures as Decoding;
pub use pull::{Figures, State};
pub use settings::Settings;
pub use tally::{Outcome, Totals};
pub use view::{Meters, View};

use frames::Frames;
use pool::Pool;
use pull::Pull;
use schedule::{Key, Plan, Schedule};
use shelf::Shelf;
use tally::Tally;

/// The pull streams. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Captures(Arc<Inner>);

/// What it is built from.
pub struct Parts {
    pub settings: Settings,
    /// Where captured pictures are kept.
    pub folder: PathBuf,
    pub max_frames_bytes: u64,
    pub clock: Clock,
    pub tasks: Tasks,
    pub registry: Registry,
    pub sources: Arc<sources::Shared>,
    pub store: Arc<dyn Store>,
    pub reader: Reader,
}

struct Inner {
    settings: ArcSwap<Settings>,
    clock: Clock,
    tasks: Tasks,
    registry: Registry,
    sources: Arc<sources::Shared>,
    store: Arc<dyn Store>,
    reader: Reader,
    state: Mutex<Pulls>,
    /// Something changed that the loop may be waiting for.
    wake: Notify,
    /// Held by whoever changes which streams there are, from the store to the schedule.
    changing: tokio::sync::Mutex<()>,
    frames: Frames,
    shelf: Shelf,
    pool: Pool,
    tally: Tally,
}

/// Locked for microseconds.
struct Pulls {
    schedule: Schedule,
    by_name: BTreeMap<StreamName, Arc<Pull>>,
    by_key: HashMap<Key, Arc<Pull>>,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Added,
    Updated,
}

impl Captures {
    /// Starts the threads and the loop; follows nothing yet.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(parts: Parts) -> Result<Self> {
        let Parts { settings, folder, max_frames_bytes, clock, tasks, registry, sources, store, reader } =
            parts;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let schedule = Schedule::new(settings.schedule(), seed(&clock));
        let state = Pulls { schedule, by_name: BTreeMap::new(), by_key: HashMap::new() };
        let captures = Self(Arc::new(Inner {
            settings: ArcSwap::from_pointee(settings),
            frames: Frames::start(folder, max_frames_bytes, &tasks, clock.clone())?,
            shelf: Shelf::default(),
            pool: Pool::start(&tasks, clock.clone(), threads)?,
            tally: Tally::new(),
            clock,
            registry,
            sources,
            store,
            reader,
            state: Mutex::new(state),
            wake: Notify::new(),
            changing: tokio::sync::Mutex::new(()),
            tasks: tasks.clone(),
        }));
        let all = Arc::downgrade(&captures.0);
        captures.0.registry.supplies().found_by(move |name| all.upgrade()?.supply(name));
        let (running, stopping) = (captures.clone(), tasks.stopping());
        tasks.supervise("captures", move || running.clone().run(stopping.clone()));
        let (following, stopping) = (captures.clone(), tasks.stopping());
        tasks.supervise("playlists", move || following.clone().follow(stopping.clone()));
        Ok(captures)
    }

    /// Follows what the store remembers, beside what is followed already.
    ///
    /// # Errors
    /// `Unavailable` when the store can't be read.
    pub async fn restore(&self) -> Result<()> {
        let _changing = self.0.changing.lock().await;
        let mut definitions = Vec::new();
        for (name, value) in self.0.store.read(Collection::Streams).await? {
            match Definition::restored(&name, value) {
                Ok(definition) => definitions.push(definition),
                Err(why) => warn!(stream = name, why, "a stream in the store can't be read"),
            }
        }
        let all: Vec<_> = definitions.iter().map(|definition| definition.name.clone()).collect();
        {
            // Asked again after the store was away: what is followed has its pictures.
            let state = self.0.lock();
            definitions.retain(|definition| !state.by_name.contains_key(&definition.name));
        }
        let (count, names) =
            (definitions.len(), definitions.iter().map(|d| d.name.clone()).collect::<Vec<_>>());
        let inner = Arc::clone(&self.0);
        let rings = tokio::task::spawn_blocking(move || {
            inner.frames.remove_others(&all);
            inner.frames.found(&names)
        });
        let rings = rings.await.map_err(|e| Error::internal("kept pictures can't be looked through", e))?;
        for (definition, ring) in definitions.into_iter().zip(rings) {
            let name = definition.name.clone();
            match self.0.registry.host(std::slice::from_ref(&name)).remove(0) {
                Ok(stream) => self.0.insert(stream, definition, ring),
                Err(e) => warn!(stream = %name, error = %e, "a stream in the store can't be followed"),
            }
        }
        self.0.wake.notify_one();
        if count > 0 {
            info!(streams = count, "following what the store remembers");
        }
        Ok(())
    }

    /// Follows, or changes, all of `wishes`, each judged by itself; what is taken is durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` when the store is away: then nothing is changed. Within, for each: `Conflict` when the name is that
    /// of a push stream, `Unavailable` when there are too many streams.
    pub async fn put(&self, wishes: Vec<Wish>) -> Result<Vec<Result<Put>>> {
        let _changing = self.0.changing.lock().await;
        let now = self.0.clock.wall();
        let names: Vec<_> = wishes.iter().map(|wish| wish.name.clone()).collect();
        let known = self.known(&names);
        let most = self.0.settings().max_streams;
        let mut room = most.saturating_sub(self.0.lock().by_name.len());
        // Of one name twice the last counts, but both are answered.
        let mut wanted: BTreeMap<StreamName, Definition> = BTreeMap::new();
        let mut answers = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let name = wish.name.clone();
            let before = wanted.get(&name).or(known.get(&name).map(|definition| &**definition));
            let (definition, put) = match before {
                Some(before) => (before.updated(wish), Put::Updated),
                None if room == 0 => {
                    let full = format!("there are {most} pull streams already (capture.max_streams)");
                    answers.push(Err(Error::new(Kind::Unavailable, full)));
                    continue;
                }
                None => {
                    room -= 1;
                    (Definition::new(wish, now), Put::Added)
                }
            };
            wanted.insert(name, definition);
            answers.push(Ok(put));
        }
        let hosted: BTreeMap<StreamName, _> = {
            let names: Vec<_> = wanted.keys().cloned().collect();
            let streams = self.0.registry.host(&names);
            names.into_iter().zip(streams).collect()
        };
        let mut streams = BTreeMap::new();
        for (name, stream) in hosted {
            match stream {
                Ok(stream) => drop(streams.insert(name, stream)),
                Err(refused) => {
                    wanted.remove(&name);
                    for at in (0..names.len()).filter(|at| names[*at] == name) {
                        answers[at] = Err(Error::new(refused.kind(), refused.detail()));
                    }
                }
            }
        }
        let changes = wanted.values().map(|definition| Change::Put {
            collection: Collection::Streams,
            id: definition.name.to_string(),
            value: definition.saved(),
        });
        if let Err(away) = self.0.store.write(changes.collect()).await {
            for name in streams.keys().filter(|name| !known.contains_key(*name)) {
                self.0.registry.remove(name.as_str(), "the store is away");
            }
            return Err(away);
        }
        for (name, definition) in wanted {
            match streams.remove(&name) {
                Some(stream) if !known.contains_key(&name) => {
                    self.0.insert(stream, definition, frames::Ring::default());
                }
                _ => self.0.update(definition),
            }
        }
        self.0.wake.notify_one();
        Ok(answers)
    }

    /// Stops following a stream: its viewers are let go, its pictures deleted. Whether there was one.
    ///
    /// # Errors
    /// `Unavailable` when the store is away: then it goes on.
    pub async fn remove(&self, name: &StreamName) -> Result<bool> {
        let _changing = self.0.changing.lock().await;
        if !self.0.lock().by_name.contains_key(name) {
            return Ok(false);
        }
        self.drop_all(std::slice::from_ref(name)).await?;
        Ok(true)
    }

    /// Makes the streams of the list those of `wishes`: what was listed and is no more is removed.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn follow_list(&self, wishes: Vec<Wish>) -> Result<Vec<Result<Put>>> {
        let listed: Vec<StreamName> = {
            let state = self.0.lock();
            let listed = state.by_name.values().filter(|pull| pull.lock().definition.listed);
            listed.map(|pull| pull.stream.name.clone()).collect()
        };
        let kept: std::collections::HashSet<_> = wishes.iter().map(|wish| wish.name.clone()).collect();
        let gone: Vec<_> = listed.into_iter().filter(|name| !kept.contains(name)).collect();
        {
            let _changing = self.0.changing.lock().await;
            self.drop_all(&gone).await?;
        }
        self.put(wishes).await
    }

    /// Changes one stream's priority; whether there is such a stream.
    ///
    /// # Errors
    /// `Unavailable` when the store is away: then nothing is changed.
    pub async fn set_priority(&self, name: &StreamName, priority: u8) -> Result<bool> {
        let Some(definition) = self.known(std::slice::from_ref(name)).remove(name) else { return Ok(false) };
        let mut wish = Wish::new(name.clone(), definition.target.clone(), definition.trust);
        wish.priority = Some(priority);
        let answers = self.put(vec![wish]).await?;
        answers.into_iter().next().expect("one wish, one answer")?;
        Ok(true)
    }

    /// Which pack reads it from the next picture on; whether there is such a stream.
    ///
    /// # Errors
    /// `Unavailable` when the store is away: then nothing is changed.
    pub async fn set_pack(&self, name: &StreamName, pack: String) -> Result<bool> {
        let Some(definition) = self.known(std::slice::from_ref(name)).remove(name) else { return Ok(false) };
        let mut wish = Wish::new(name.clone(), definition.target.clone(), definition.trust);
        wish.pack = Some(pack);
        let answers = self.put(vec![wish]).await?;
        answers.into_iter().next().expect("one wish, one answer")?;
        Ok(true)
    }

    /// A JPEG of a coded picture, whosever it is.
    ///
    /// # Errors
    /// `Unavailable` when too many wait; `Invalid` when it can't be decoded.
    pub async fn jpeg(&self, keyframe: Keyframe) -> Result<Bytes> {
        // Somebody waits for it.
        let seen = self.0.pool.look(keyframe, pool::Want::Jpeg { width: None }, 0).await?;
        Ok(seen.jpeg.expect("it was asked for"))
    }

    /// Applied at once; counters and streams stay.
    pub fn apply(&self, settings: Settings) {
        let now = self.0.clock.now();
        self.0.lock().schedule.apply(settings.schedule(), now);
        self.0.settings.store(Arc::new(settings));
        self.0.wake.notify_one();
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings()
    }

    /// Forgets every connection, token, playlist and back-off, and begins anew with the same streams and counters.
    pub fn restart(&self) {
        let now = self.0.clock.now();
        let mut state = self.0.lock();
        let Pulls { schedule, by_name, by_key } = &mut *state;
        by_key.clear();
        for pull in by_name.values() {
            let mut this = pull.lock();
            schedule.remove(this.key);
            this.key = schedule.add(now, plan(&this.definition));
            this.generation += 1;
            by_key.insert(this.key, Arc::clone(pull));
        }
        drop(state);
        self.0.wake.notify_one();
        info!("capture starts anew");
    }

    async fn drop_all(&self, names: &[StreamName]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let delete =
            |name: &StreamName| Change::Delete { collection: Collection::Streams, id: name.to_string() };
        self.0.store.write(names.iter().map(delete).collect()).await?;
        for name in names {
            self.0.take_out(name);
        }
        Ok(())
    }

    fn known(&self, names: &[StreamName]) -> BTreeMap<StreamName, Arc<Definition>> {
        let state = self.0.lock();
        let known = names.iter().filter_map(|name| state.by_name.get(name));
        known.map(|pull| (pull.stream.name.clone(), Arc::clone(&pull.lock().definition))).collect()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Pulls> {
        self.state.lock().expect("no code that can panic runs under this lock")
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// A stream of ours in full.
    fn supply(&self, name: &str) -> Option<Arc<dyn Supply>> {
        let name = StreamName::parse(name).ok()?;
        let pull = self.lock().by_name.get(&name).cloned()?;
        let definition = Arc::clone(&pull.lock().definition);
        let quality = definition.quality.unwrap_or(self.settings().quality);
        let Definition { target, trust, .. } = &*definition;
        let shared = Arc::clone(&self.sources);
        Some(Arc::new(sources::Full { target: target.clone(), trust: *trust, quality, shared }))
    }

    fn insert(&self, stream: Arc<crate::streams::Stream>, definition: Definition, ring: frames::Ring) {
        let mut state = self.lock();
        let key = state.schedule.add(self.clock.now(), plan(&definition));
        let name = definition.name.clone();
        let pull = Pull::new(stream, key, definition, ring);
        state.by_key.insert(key, Arc::clone(&pull));
        state.by_name.insert(name, pull);
    }

    fn update(&self, definition: Definition) {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(pull) = state.by_name.get(&definition.name).cloned() else { return };
        let mut this = pull.lock();
        let same = this.definition.target == definition.target && this.definition.trust == definition.trust;
        state.schedule.set_priority(this.key, definition.priority, now);
        state.schedule.set_interval(this.key, definition.interval, now);
        if !same {
            this.generation += 1;
            state.schedule.hurry(this.key, now);
        }
        this.definition = Arc::new(definition);
    }

    fn take_out(&self, name: &StreamName) {
        // Whoever holds both locks has taken this one first.
        let mut state = self.lock();
        let Some(pull) = state.by_name.remove(name) else { return };
        let mut this = pull.lock();
        state.schedule.remove(this.key);
        state.by_key.remove(&this.key);
        drop(state);
        this.gone = true;
        self.frames.clear(&mut this.ring);
        drop(this);
        self.shelf.forget(name);
        self.registry.remove(name.as_str(), "deleted");
        self.wake.notify_one();
    }
}

fn plan(definition: &Definition) -> Plan {
    Plan { priority: definition.priority, interval: definition.interval }
}

/// Jitter needs no secret, only that two machines differ.
fn seed(clock: &Clock) -> u64 {
    let nanos = clock.wall().0.as_nanosecond().unsigned_abs();
    u64::try_from(nanos & u128::from(u64::MAX)).unwrap_or(1)
}
