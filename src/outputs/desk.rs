//! What outputs there are, kept over restarts. Changes are written to the store first.
//!
//! Called by `handle`, for the API, and by `rounds`, which lets them run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tracing::{error, info};

use super::audio::{Audio, Source};
use super::definition::{Definition, Kind, Recipe};
use super::destination::Status;
use super::handle::{Event, View};
use super::hls::Hls;
use super::lane::Lane;
use super::listen::Readers;
use super::meters::Meters;
use super::preview::Viewers;
use super::run::{Run, Slot};
use super::settings::Settings;
use super::slate::Slate;
use super::twitter::Twitter;
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind as Failed, Result};
use crate::base::tasks::Tasks;
use crate::compose::assets::Assets;
use crate::compose::{Frames, Keeper, Outside};
use crate::egress::{self, Trust};
use crate::players::Players;
use crate::store::{Change, Collection, Store};

/// What all of this part shares.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn Store>,
    pub(super) keeper: Keeper,
    pub(super) assets: Assets,
    pub(super) frames: Frames,
    pub(super) outside: Outside,
    pub(super) players: Players,
    pub(super) client: egress::Client,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) runtime: Handle,
    pub(super) slate: Arc<Slate>,
    pub(super) slots: ArcSwap<Vec<Arc<Slot>>>,
    /// Deleted, and not ended yet.
    pub(super) leaving: Mutex<Vec<Arc<Slot>>>,
    pub(super) lanes: Arc<Mutex<Vec<Arc<Lane>>>>,
    pub(super) audio: Arc<Audio>,
    pub(super) readers: Readers,
    /// Whether sound is made.
    pub(super) sounding: Arc<AtomicBool>,
    pub(super) twitter: Twitter,
    pub(super) viewers: Viewers,
    /// Held while the list changes.
    pub(super) changing: tokio::sync::Mutex<Loaded>,
    pub(super) poke: Notify,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) meters: Arc<Meters>,
    pub(super) hls: Arc<Hls>,
    pub(super) seed: AtomicU64,
}

/// Whether the store was read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loaded {
    Not,
    Yes,
}

/// Encodes at the same time.
const MOST_LANES: usize = 3;
/// Between two looks at what other servers have changed.
const KEPT_UP: Duration = Duration::from_secs(2);
/// Of the output that the settings name.
const FIXED: &str = "stream";

impl Shared {
    pub(super) fn add_fixed(&self) -> Result<()> {
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

    /// Takes over what the store has: at the start, and again where other servers write to it too.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) async fn load(&self) -> Result<()> {
        let mut loaded = self.changing.lock().await;
        let outputs = self.store.read(Collection::Outputs).await?;
        let sounds = self.store.read(Collection::Sounds).await?;
        let first = *loaded == Loaded::Not;
        for (id, document) in &outputs {
            match Definition::read(document, id, &self.settings.defaults, Trust::Outside) {
                Ok(definition) => self.known(definition, document),
                // Settings may have changed since it was defined.
                Err(e) if first => {
                    let why: Vec<_> = e.fields().iter().map(|field| field.message.as_str()).collect();
                    error!(output = id, "an output that was kept can't be used: {}", why.join("; "));
                }
                Err(_) => {}
            }
        }
        for slot in self.slots.load_full().iter() {
            let definition = slot.definition.load();
            if !definition.is_fixed() && !outputs.contains_key(&definition.id) {
                self.leave(slot);
            }
        }
        let before = self.audio.sources();
        for (name, document) in &sounds {
            match Source::patched(name, None, document) {
                Ok(source) if before.get(name) != Some(&source) => self.audio.set(name, source),
                Ok(_) => {}
                Err(e) if first => error!(source = name, error = %e, "a sound that was kept can't be used"),
                Err(_) => {}
            }
        }
        before.keys().filter(|name| !sounds.contains_key(*name)).for_each(|name| self.audio.remove(name));
        *loaded = Loaded::Yes;
        Ok(())
    }

    /// An output that the store has.
    fn known(&self, definition: Definition, document: &Value) {
        let announced = || document["announced"].as_str().map(str::to_owned);
        match self.slot(&definition.id) {
            Err(_) => *self.add(definition).announced() = announced(),
            Ok(slot) => {
                let before = slot.definition.load_full();
                if before.is_fixed() {
                    return;
                }
                if *before != definition {
                    slot.definition.store(Arc::new(definition));
                    self.poke.notify_one();
                }
                // Whoever composes knows it before the store does.
                if !self.keeper.composes() {
                    *slot.announced() = announced();
                }
            }
        }
    }

    /// An output that is no longer wanted.
    pub(super) fn leave(&self, slot: &Arc<Slot>) {
        let slots = self.slots.load().iter().filter(|other| !Arc::ptr_eq(other, slot)).cloned().collect();
        self.slots.store(Arc::new(slots));
        self.leaving().push(Arc::clone(slot));
        self.poke.notify_one();
    }

    /// Reads the store until it has been read; for ever, where other servers write to it too.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let stop = self.tasks.stopping();
        while self.store.kind() == "redis" || *self.changing.lock().await == Loaded::Not {
            tokio::select! {
                () = tokio::time::sleep(KEPT_UP) => {}
                () = stop.cancelled() => return,
            }
            // It says itself that it is away.
            let _ = self.load().await;
        }
    }

    pub(super) async fn changing(&self) -> Result<tokio::sync::MutexGuard<'_, Loaded>> {
        let loaded = self.changing.lock().await;
        if *loaded == Loaded::Not {
            let e = Error::new(Failed::Unavailable, "the outputs are not known yet: the store is away");
            return Err(e.retry_after(Duration::from_secs(2)));
        }
        Ok(loaded)
    }

    pub(super) async fn keep(&self, definition: &Definition, announced: Option<&str>) -> Result<()> {
        let mut value = definition.document();
        if let Some(since) = announced {
            value["announced"] = json!(since);
        }
        let put = Change::Put { collection: Collection::Outputs, id: definition.id.clone(), value };
        self.store.write(vec![put]).await
    }

    /// # Errors
    /// `Conflict` for a second one of what there can be one of, and for more encodes than there may be.
    pub(super) fn fits(&self, definition: &Definition) -> Result<()> {
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

    pub(super) fn add(&self, definition: Definition) -> Arc<Slot> {
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

    pub(super) fn slot(&self, id: &str) -> Result<Arc<Slot>> {
        let slots = self.slots.load();
        let found = slots.iter().find(|slot| slot.definition.load().id == id);
        found.cloned().ok_or_else(|| Error::not_found("there is no output of that name"))
    }

    pub(super) fn view(&self, slot: &Slot) -> View {
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

    pub(super) fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.lanes.lock().expect("no code that can panic runs under this lock")
    }

    pub(super) fn leaving(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.leaving.lock().expect("no code that can panic runs under this lock")
    }
}

impl Slot {
    pub(super) fn announced(&self) -> MutexGuard<'_, Option<String>> {
        self.announced.lock().expect("no code that can panic runs under this lock")
    }

    pub(super) fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().expect("no code that can panic runs under this lock")
    }
}
