//! What outputs there are, and who of them runs: the handle of this part, and the task that looks after all.
//!
//! Changes are written to the store first. Ten times a second, and at every change, the task compares what should run with
//! what runs, and starts and ends threads; it never waits for one. Called by `api` and `app`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tracing::{error, info, warn};

use super::audio::{Audio, Levels, Source};
use super::definition::{Definition, Kind, Recipe};
use super::destination::{self, Shown, Status};
use super::hls::Hls;
use super::lane::{Lane, LaneView};
use super::listen::Readers;
use super::machine::State;
use super::meters::{Encoding, Meters};
use super::queue::{Bound, Queue};
use super::run::{Run, Slot};
use super::settings::Settings;
use super::slate::Slate;
use super::twitter::{Said, Twitter};
use super::{encode, sound};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind as Failed, Result};
use crate::base::tasks::Tasks;
use crate::compose::assets::Assets;
use crate::compose::{Frames, Keeper, State as ShowState};
use crate::egress::{self, Trust};
use crate::store::{Change, Collection, Store};

/// What it needs of the rest.
pub struct Parts {
    pub settings: Settings,
    pub store: Arc<dyn Store>,
    pub keeper: Keeper,
    pub assets: Assets,
    pub frames: Frames,
    pub client: egress::Client,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// What happens to outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An output is in another state.
    State { id: String, state: State, error: Option<String> },
}

/// An output, and how it does.
#[derive(Clone, Debug)]
pub struct View {
    pub definition: Arc<Definition>,
    pub shown: Shown,
    /// Packets and bytes that wait for it.
    pub queued: (usize, usize),
    /// What came of its announcements.
    pub said: Option<Said>,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Outputs(Arc<Shared>);

struct Shared {
    settings: Settings,
    store: Arc<dyn Store>,
    keeper: Keeper,
    assets: Assets,
    frames: Frames,
    client: egress::Client,
    clock: Clock,
    tasks: Tasks,
    runtime: Handle,
    slate: Arc<Slate>,
    slots: ArcSwap<Vec<Arc<Slot>>>,
    /// Deleted, and not ended yet.
    leaving: Mutex<Vec<Arc<Slot>>>,
    lanes: Arc<Mutex<Vec<Arc<Lane>>>>,
    audio: Arc<Audio>,
    readers: Readers,
    /// Whether sound is made.
    sounding: Arc<AtomicBool>,
    twitter: Twitter,
    /// Held while the list changes.
    changing: tokio::sync::Mutex<Loaded>,
    poke: Notify,
    events: broadcast::Sender<Event>,
    meters: Arc<Meters>,
    hls: Arc<Hls>,
    seed: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loaded {
    Not,
    Yes,
}

/// Outputs there may be.
const MOST: usize = 32;
/// Sources of sound there may be.
const MOST_SOURCES: usize = 16;
/// Encodes at the same time.
const MOST_LANES: usize = 3;
/// Of the output that the settings name.
const FIXED: &str = "stream";
const LOOK: Duration = Duration::from_millis(100);
/// At the end all is forced after this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// x264's own threads have stacks of their own.
const STACK: usize = 8 << 20;

impl Outputs {
    /// Reads what was kept, and begins.
    ///
    /// # Errors
    /// `Invalid` for an address in the settings that is none; `Internal` when what the store holds can't be read.
    pub async fn start(parts: Parts) -> Result<Self> {
        let Parts { settings, store, keeper, assets, frames, client, clock, tasks } = parts;
        let (events, _) = broadcast::channel(256);
        let twitter = Twitter::start(settings.twitter.clone(), client.clone(), clock.clone(), &tasks);
        let slate = Arc::new(Slate::new(settings.defaults.width, settings.defaults.height));
        let outputs = Self(Arc::new(Shared {
            settings,
            store,
            keeper,
            assets,
            frames,
            client,
            clock,
            tasks: tasks.clone(),
            runtime: Handle::current(),
            slate,
            slots: ArcSwap::default(),
            leaving: Mutex::default(),
            lanes: Arc::default(),
            audio: Arc::new(Audio::new()),
            readers: Readers::default(),
            sounding: Arc::default(),
            twitter,
            changing: tokio::sync::Mutex::new(Loaded::Not),
            poke: Notify::new(),
            events,
            meters: Arc::default(),
            hls: Arc::default(),
            seed: AtomicU64::new(0),
        }));
        outputs.0.add_fixed()?;
        match outputs.0.load().await {
            Err(e) if e.kind() != Failed::Unavailable => return Err(e),
            _ => {}
        }
        let shared = Arc::clone(&outputs.0);
        tasks.supervise("outputs", move || Arc::clone(&shared).look_after().boxed());
        Ok(outputs)
    }

    /// All, in the order they were made.
    pub fn all(&self) -> Vec<View> {
        self.0.slots.load().iter().map(|slot| self.0.view(slot)).collect()
    }

    /// # Errors
    /// `NotFound`.
    pub fn one(&self, id: &str) -> Result<View> {
        self.0.slot(id).map(|slot| self.0.view(&slot))
    }

    /// Defines an output. It runs at once if the program is on air.
    ///
    /// # Errors
    /// `Invalid` by field; `Conflict` when there is one of that id, or too many; `Unavailable` while the store is away.
    pub async fn create(&self, asked: &Value) -> Result<View> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        let id = uuid::Uuid::now_v7().to_string();
        let definition = Definition::read(asked, &id, &shared.settings.defaults, Trust::Outside)?;
        if shared.slot(&definition.id).is_ok() {
            return Err(Error::new(
                Failed::Conflict,
                format!("there is an output '{}' already", definition.id),
            ));
        }
        if shared.slots.load().len() >= MOST {
            return Err(Error::new(Failed::Conflict, format!("there are {MOST} outputs, which is the most")));
        }
        shared.fits(&definition)?;
        shared.keep(&definition, None).await?;
        let slot = shared.add(definition);
        Ok(shared.view(&slot))
    }

    /// Changes an output by a merge patch. It is connected anew only if where it goes or what is sent changes.
    ///
    /// # Errors
    /// As [`Outputs::create`]; `Conflict` also for the one that the settings name.
    pub async fn change(&self, id: &str, patch: &Value) -> Result<View> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        let slot = shared.slot(id)?;
        let before = slot.definition.load_full();
        before.may_change()?;
        let definition = before.patched(patch, &shared.settings.defaults)?;
        shared.fits(&definition)?;
        let announced = slot.announced().clone();
        shared.keep(&definition, announced.as_deref()).await?;
        slot.definition.store(Arc::new(definition));
        shared.poke.notify_one();
        Ok(shared.view(&slot))
    }

    /// Ends an output and forgets it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the one that the settings name; `Unavailable` while the store is away.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        let slot = shared.slot(id)?;
        slot.definition.load().may_change()?;
        let gone = Change::Delete { collection: Collection::Outputs, id: id.to_owned() };
        shared.store.write(vec![gone]).await?;
        let slots = shared.slots.load().iter().filter(|other| !Arc::ptr_eq(other, &slot)).cloned().collect();
        shared.slots.store(Arc::new(slots));
        shared.leaving().push(slot);
        info!(output = id, "an output is deleted");
        shared.poke.notify_one();
        Ok(())
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// The program as HLS, while an output makes it.
    pub fn hls(&self) -> &Hls {
        &self.0.hls
    }

    pub fn encoding(&self) -> Encoding {
        self.0.meters.read()
    }

    pub fn lanes(&self) -> Vec<LaneView> {
        let now = self.0.clock.now();
        self.0.lanes().iter().map(|lane| lane.view(now)).collect()
    }

    /// What is heard in the program, by name.
    pub fn sources(&self) -> BTreeMap<String, Source> {
        self.0.audio.sources()
    }

    /// How loud it is.
    pub fn levels(&self) -> Arc<Levels> {
        self.0.audio.levels()
    }

    /// Why sources are not heard.
    pub fn silenced(&self) -> BTreeMap<String, String> {
        self.0.readers.failures()
    }

    /// Changes a source of sound by a merge patch; one with a `src` is made if there is none of that name.
    ///
    /// # Errors
    /// `Invalid` by field; `NotFound`; `Conflict` when there are too many; `Unavailable` while the store is away.
    pub async fn set_source(&self, name: &str, patch: &Value) -> Result<Source> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        let sources = shared.audio.sources();
        let source = Source::patched(name, sources.get(name), patch)?;
        if !sources.contains_key(name) && sources.len() >= MOST_SOURCES {
            let detail = format!("there are {MOST_SOURCES} sources of sound, which is the most");
            return Err(Error::new(Failed::Conflict, detail));
        }
        if patch.get("src").is_some() && shared.assets.one(&source.src).await.is_err() {
            return Err(Error::invalid("src", "must be the id of an asset"));
        }
        let (id, value) = (name.to_owned(), source.document());
        shared.store.write(vec![Change::Put { collection: Collection::Sounds, id, value }]).await?;
        shared.audio.set(name, source.clone());
        shared.poke.notify_one();
        Ok(source)
    }

    /// Takes a source of sound away.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` while the store is away.
    pub async fn remove_source(&self, name: &str) -> Result<()> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        if !shared.audio.sources().contains_key(name) {
            return Err(Error::not_found(format!("there is no source '{name}'")));
        }
        let gone = Change::Delete { collection: Collection::Sounds, id: name.to_owned() };
        shared.store.write(vec![gone]).await?;
        shared.audio.remove(name);
        shared.poke.notify_one();
        Ok(())
    }

    /// What is wrong, if anything is: for `/health`.
    pub fn trouble(&self) -> Option<String> {
        let views = self.all();
        let lost = views
            .iter()
            .filter(|view| matches!(view.shown.state, State::Reconnecting | State::Stalled | State::Failed));
        let said: Vec<_> = lost
            .map(|view| {
                let why = view.shown.last_error.as_deref().unwrap_or("no reason is known");
                format!("{} is {}: {why}", view.definition.id, view.shown.state.word())
            })
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

impl Definition {
    fn may_change(&self) -> Result<()> {
        if self.is_fixed() {
            let detail =
                format!("the output '{}' comes from the setting outputs.url: change it there", self.id);
            return Err(Error::new(Failed::Conflict, detail));
        }
        Ok(())
    }
}

impl Shared {
    fn add_fixed(&self) -> Result<()> {
        let Some(url) = &self.settings.url else { return Ok(()) };
        let asked = json!({ "url": url.reveal() });
        let definition = Definition::read(&asked, FIXED, &self.settings.defaults, Trust::Operator);
        let definition = definition.map_err(|e| {
            let why = e.fields().first().map_or_else(String::new, |field| field.message.clone());
            Error::invalid("outputs.url", why)
        })?;
        self.add(definition);
        Ok(())
    }

    async fn load(&self) -> Result<()> {
        let mut loaded = self.changing.lock().await;
        if *loaded == Loaded::Yes {
            return Ok(());
        }
        let documents = self.store.read(Collection::Outputs).await?;
        for (id, document) in documents {
            match Definition::read(&document, &id, &self.settings.defaults, Trust::Outside) {
                Ok(definition) if self.slot(&definition.id).is_err() => {
                    let slot = self.add(definition);
                    *slot.announced() = document["announced"].as_str().map(str::to_owned);
                }
                Ok(_) => {}
                // Settings may have changed since it was defined.
                Err(e) => {
                    let why: Vec<_> = e.fields().iter().map(|field| field.message.as_str()).collect();
                    error!(output = id, "an output that was kept can't be used: {}", why.join("; "));
                }
            }
        }
        for (name, document) in self.store.read(Collection::Sounds).await? {
            match Source::patched(&name, None, &document) {
                Ok(source) => self.audio.set(&name, source),
                Err(e) => error!(source = name, error = %e, "a source of sound that was kept can't be used"),
            }
        }
        *loaded = Loaded::Yes;
        Ok(())
    }

    async fn changing(&self) -> Result<tokio::sync::MutexGuard<'_, Loaded>> {
        let loaded = self.changing.lock().await;
        if *loaded == Loaded::Not {
            let e = Error::new(Failed::Unavailable, "the outputs are not known yet: the store is away");
            return Err(e.retry_after(Duration::from_secs(2)));
        }
        Ok(loaded)
    }

    async fn keep(&self, definition: &Definition, announced: Option<&str>) -> Result<()> {
        let mut value = definition.document();
        if let Some(since) = announced {
            value["announced"] = json!(since);
        }
        let put = Change::Put { collection: Collection::Outputs, id: definition.id.clone(), value };
        self.store.write(vec![put]).await
    }

    /// # Errors
    /// `Conflict` for a second one of what there can be one of, and for more encodes than there may be.
    fn fits(&self, definition: &Definition) -> Result<()> {
        let slots = self.slots.load();
        let others =
            || slots.iter().map(|slot| slot.definition.load_full()).filter(|other| other.id != definition.id);
        if definition.kind == Kind::Hls && others().any(|other| other.kind == Kind::Hls) {
            return Err(Error::new(Failed::Conflict, "there is an output of type hls already"));
        }
        let mut recipes: Vec<Recipe> = vec![definition.recipe];
        for other in others().filter(|other| other.enabled && definition.enabled) {
            if !recipes.contains(&other.recipe) {
                recipes.push(other.recipe);
            }
        }
        if recipes.len() > MOST_LANES {
            let detail =
                format!("outputs may take {MOST_LANES} different encodes at most: codecs and bitrates");
            return Err(Error::new(Failed::Conflict, detail));
        }
        Ok(())
    }

    fn add(&self, definition: Definition) -> Arc<Slot> {
        let seed = self.seed.fetch_add(0x9e37, Ordering::Relaxed);
        info!(output = definition.id, kind = definition.kind.word(), "an output is there");
        let slot = Arc::new(Slot {
            definition: ArcSwap::from_pointee(definition),
            status: Arc::new(Status::new(seed, self.clock.wall())),
            run: Mutex::default(),
            announced: Mutex::default(),
        });
        let mut slots = self.slots.load_full().as_ref().clone();
        slots.push(Arc::clone(&slot));
        self.slots.store(Arc::new(slots));
        self.poke.notify_one();
        slot
    }

    fn slot(&self, id: &str) -> Result<Arc<Slot>> {
        let slots = self.slots.load();
        let found = slots.iter().find(|slot| slot.definition.load().id == id);
        found.cloned().ok_or_else(|| Error::not_found("there is no output of that name"))
    }

    fn view(&self, slot: &Slot) -> View {
        let mut shown = slot.status.shown(self.clock.now());
        let mut queued = (0, 0);
        if let Some(run) = slot.run().as_ref().filter(|run| !run.is_done()) {
            queued = run.queue.depth();
            shown.dropped += run.queue.dropped().0;
        }
        let definition = slot.definition.load_full();
        let said = (definition.kind == Kind::Twitter).then(|| self.twitter.said());
        View { definition, shown, queued, said }
    }

    /// Compares what should run with what runs, until the program ends and nothing does.
    async fn look_after(self: Arc<Self>) {
        let stop = self.tasks.stopping();
        let mut told: Vec<(String, State)> = Vec::new();
        let (mut next_load, mut ended) = (self.clock.now(), None);
        loop {
            let over = stop.is_cancelled();
            let now = self.clock.now();
            let late = over && now.since(*ended.get_or_insert(now)) >= PATIENCE;
            if !over && now >= next_load {
                next_load = now + Duration::from_secs(1);
                // It says itself that it is away.
                let _ = self.load().await;
            }
            let live = !over && self.keeper.show().state != ShowState::Idle;
            let running = self.settle(live);
            self.tell(&mut told);
            if !over {
                self.announce();
            }
            let file = |id: &str| self.assets.file(id).map(|(_, path)| path);
            self.readers.settle(&self.audio, file, &self.tasks);
            if over && (!running || late) {
                return;
            }
            tokio::select! {
                () = self.poke.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled(), if !over => {}
            }
        }
    }

    /// Whether anything still runs.
    fn settle(&self, live: bool) -> bool {
        let now = self.clock.now();
        let mut running = false;
        for slot in self.slots.load().iter() {
            let definition = slot.definition.load_full();
            let mut run = slot.run();
            run.take_if(|run| run.is_done());
            let wanted = live && definition.enabled;
            match &mut *run {
                Some(run) if !wanted || !run.is_of(&definition) => run.end(now),
                None if wanted => *run = self.begin(slot, &definition),
                _ => {}
            }
            running = running || run.is_some();
        }
        let mut leaving = self.leaving();
        leaving.retain(|slot| {
            let mut run = slot.run();
            run.take_if(|run| run.is_done());
            run.iter_mut().for_each(|run| run.end(now));
            run.is_some()
        });
        running = running || !leaving.is_empty();
        drop(leaving);
        self.lanes().retain(|lane| {
            let wanted = lane.is_wanted();
            if !wanted {
                lane.end();
            }
            wanted
        });
        running
    }

    fn begin(&self, slot: &Slot, definition: &Arc<Definition>) -> Option<Run> {
        let lane = self.lane(definition.recipe)?;
        let work = destination::Work {
            definition: Arc::clone(definition),
            status: Arc::clone(&slot.status),
            queue: Arc::new(Queue::new(Bound::USUAL)),
            lane,
            hls: Arc::clone(&self.hls),
            client: self.client.clone(),
            runtime: self.runtime.clone(),
            clock: self.clock.clone(),
            abort: Arc::default(),
            folder: self.settings.folder.clone(),
            limits: self.settings.limits,
        };
        Run::start(&self.tasks, work).map_err(|e| error!(error = %e, "an output can't be started")).ok()
    }

    /// The encode of that recipe, begun if there is none.
    fn lane(&self, recipe: Recipe) -> Option<Arc<Lane>> {
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.iter().find(|lane| lane.recipe == recipe && !lane.is_over()) {
            return Some(Arc::clone(lane));
        }
        let lane = Arc::new(Lane::new(recipe));
        let work = encode::Work {
            lane: Arc::clone(&lane),
            frames: self.frames.clone(),
            keeper: self.keeper.clone(),
            meters: Arc::clone(&self.meters),
            clock: self.clock.clone(),
            slate: Arc::clone(&self.slate),
            fps: self.settings.defaults.fps,
            preset: self.settings.preset,
            acceleration: self.settings.acceleration,
        };
        if let Err(e) = self.tasks.thread("air-video", STACK, move || work.run()) {
            warn!(error = %e, "the program can't be encoded");
            return None;
        }
        lanes.push(Arc::clone(&lane));
        // Ends under the same lock when no lane has sound.
        let sound = sound::Work {
            audio: Arc::clone(&self.audio),
            lanes: Arc::clone(&self.lanes),
            running: Arc::clone(&self.sounding),
            meters: Arc::clone(&self.meters),
            clock: self.clock.clone(),
        };
        if recipe.sound.is_some()
            && let Err(e) = sound.start(&self.tasks)
        {
            warn!(error = %e, "the program has no sound");
        }
        Some(lane)
    }

    /// Tells of outputs that are in another state than before.
    fn tell(&self, told: &mut Vec<(String, State)>) {
        let slots = self.slots.load();
        told.retain(|(id, _)| slots.iter().any(|slot| slot.definition.load().id == *id));
        for slot in slots.iter() {
            let shown = slot.status.shown(self.clock.now());
            let id = slot.definition.load().id.clone();
            let known = told.iter_mut().find(|(known, _)| *known == id);
            let is_new = known.as_ref().is_none_or(|(_, state)| *state != shown.state);
            match known {
                Some((_, state)) => *state = shown.state,
                None => told.push((id.clone(), shown.state)),
            }
            if is_new {
                // Nobody may listen.
                drop(self.events.send(Event::State { id, state: shown.state, error: shown.last_error }));
            }
        }
    }

    /// Says once for each broadcast that it is live, and once that it is over, also after a restart in between.
    fn announce(self: &Arc<Self>) {
        let show = self.keeper.show();
        let since = show.since.map(|since| since.to_string()).filter(|_| show.state != ShowState::Idle);
        for slot in self.slots.load().iter() {
            let definition = slot.definition.load_full();
            if definition.kind != Kind::Twitter {
                continue;
            }
            let before = slot.announced().clone();
            let live = slot.status.shown(self.clock.now()).state == State::Live;
            let text = match (&before, &since) {
                (Some(before), since) if since.as_ref() != Some(before) => &definition.closing,
                (None, Some(_)) if live => &definition.announcement,
                _ => continue,
            };
            let now = if before.is_some() { None } else { since.clone() };
            slot.announced().clone_from(&now);
            if let Some(text) = text {
                self.twitter.say(text);
            }
            let this = Arc::clone(self);
            self.tasks.spawn("announced", async move {
                let _changing = this.changing.lock().await;
                if this.slot(&definition.id).is_ok()
                    && let Err(e) = this.keep(&definition, now.as_deref()).await
                {
                    warn!(error = %e, "it is not kept that this was announced");
                }
            });
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().expect("no code that can panic runs under this lock")
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.leaving.lock().expect("no code that can panic runs under this lock")
    }
}

impl Slot {
    fn announced(&self) -> MutexGuard<'_, Option<String>> {
        self.announced.lock().expect("no code that can panic runs under this lock")
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().expect("no code that can panic runs under this lock")
    }
}
