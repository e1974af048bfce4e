//! The handle of this part: what the API and the program ask of outputs and of sound.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use media::air::{SoundCodec, VideoCodec};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast, mpsc};
use tracing::info;

use super::audio::{Audio, Levels, Source};
use super::definition::{Definition, Recipe};
use super::desk::{Loaded, Shared};
use super::destination::Shown;
use super::hls::Hls;
use super::lane::LaneView;
use super::listen::Readers;
use super::machine::State;
use super::meters::Encoding;
use super::preview::{Viewers, is_playable};
use super::queue::{Bound, Queue};
use super::settings::Settings;
use super::slate::Slate;
use super::twitter::{Said, Twitter};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind as Failed, Result};
use crate::base::tasks::Tasks;
use crate::compose::assets::Assets;
use crate::compose::{Frames, Keeper, Outside, State as ShowState};
use crate::egress::{self, Trust};
use crate::players::Players;
use crate::store::{Change, Collection, Store};

/// What it needs of the rest.
pub struct Parts {
    pub settings: Settings,
    pub store: Arc<dyn Store>,
    pub keeper: Keeper,
    pub assets: Assets,
    pub frames: Frames,
    /// Where it is told how loud sources of sound are.
    pub outside: Outside,
    pub players: Players,
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

/// Outputs there may be.
const MOST: usize = 32;
/// Sources of sound there may be.
const MOST_SOURCES: usize = 16;

impl Outputs {
    /// Reads what was kept, and begins.
    ///
    /// # Errors
    /// `Invalid` for an address in the settings that is none; `Internal` when what the store holds can't be read.
    pub async fn start(parts: Parts) -> Result<Self> {
        let Parts { settings, store, keeper, assets, frames, outside, players, client, clock, tasks } = parts;
        let (events, _) = broadcast::channel(256);
        let twitter = Twitter::start(settings.twitter.clone(), client.clone(), clock.clone(), &tasks);
        let slate = Arc::new(Slate::new(settings.defaults.width, settings.defaults.height));
        let outputs = Self(Arc::new(Shared {
            settings,
            store,
            keeper,
            assets,
            frames,
            outside,
            players,
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
            viewers: Viewers::default(),
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
        let shared = Arc::clone(&outputs.0);
        tasks.supervise("outputs kept", move || Arc::clone(&shared).keep_up().boxed());
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
        shared.leave(&slot);
        info!(output = id, "an output is deleted");
        Ok(())
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// The program as HLS, while an output makes it.
    pub fn hls(&self) -> &Hls {
        &self.0.hls
    }

    /// The program with its sound as fragmented MP4, from the next keyframe on, for as long as it is taken.
    ///
    /// # Errors
    /// `NotFound` while the program is not on air; `Unavailable` when too many watch.
    pub fn watch(&self) -> Result<mpsc::Receiver<Bytes>> {
        let shared = &self.0;
        if shared.keeper.show().state == ShowState::Idle {
            return Err(Error::not_found("the program is not on air"));
        }
        if !shared.keeper.composes() {
            return Err(Error::new(Failed::Unavailable, "another server composes"));
        }
        let usual = Recipe {
            video: VideoCodec::H264,
            kbps: shared.settings.defaults.kbps,
            sound: Some((SoundCodec::Aac, shared.settings.defaults.sound_kbps)),
        };
        let made =
            shared.lanes().iter().find(|lane| is_playable(lane) && !lane.is_over()).map(|lane| lane.recipe);
        let queue = Arc::new(Queue::new(Bound::USUAL));
        let lane = shared.lane(made.unwrap_or(usual), &queue);
        let lane = lane.ok_or_else(|| Error::new(Failed::Unavailable, "the program can't be encoded"))?;
        shared.viewers.watch(lane, queue, &shared.tasks)
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
        self.0.audio.all()
    }

    /// How loud it is.
    pub fn levels(&self) -> Arc<Levels> {
        self.0.audio.levels()
    }

    /// Why sources are not heard.
    pub fn silenced(&self) -> BTreeMap<String, String> {
        self.0.readers.failures()
    }

    /// Changes a source of sound by a merge patch; one with a `src` or a `stream` is made if there is none of that name.
    ///
    /// # Errors
    /// `Invalid` by field; `NotFound`; `Conflict` when there are too many; `Unavailable` while the store is away.
    pub async fn set_source(&self, name: &str, patch: &Value) -> Result<Source> {
        let shared = &self.0;
        let _changing = shared.changing().await?;
        let (sources, all) = (shared.audio.sources(), shared.audio.all());
        let source = Source::patched(name, all.get(name), patch)?;
        let twice = |(other, set): (&String, &Source)| other != name && set.of == source.of;
        if source.stream().is_some() && sources.iter().any(twice) {
            let detail = "another source plays that stream already";
            return Err(Error::new(Failed::Conflict, detail));
        }
        if !sources.contains_key(name) && sources.len() >= MOST_SOURCES {
            let detail = format!("there are {MOST_SOURCES} sources of sound, which is the most");
            return Err(Error::new(Failed::Conflict, detail));
        }
        if let Some(src) = source.src().filter(|_| patch.get("src").is_some())
            && shared.assets.one(src).await.is_err()
        {
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
