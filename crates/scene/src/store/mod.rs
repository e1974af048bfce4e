//! The store of the scene: a pure state machine from commands to changes.
//!
//! [`Store::apply`] turns a command into one [`Change`] with one new revision, or refuses it and changes nothing; all
//! that one command holds lands together. [`Store::advance`] does the same for what time does: animations that end,
//! transitions that are over. [`Store::replay`] does a change again elsewhere, and is how `apply` itself changes the
//! store: a copy that gets every change is equal. Called by whoever owns the state; never locks, waits, or asks a clock.

mod command;
mod draft;
mod graph;
mod refusal;
mod scenes;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

pub use command::Command;
pub use refusal::{Gap, Refusal};
pub use wire::{
    Action, Activation, Change, Control, Entered, Kept, Message, NewValues, State, Timeline, Visibility,
};

use crate::animation::Playing;
use crate::document::{Canvas, MOST_LAYERS, Scene, SceneFile};
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{Problem, read_new};
use crate::stage::Stage;
use draft::Draft;

/// Layers, animations, scenes, chat and values, and the revision they are at.
#[derive(Clone, Debug)]
pub struct Store {
    revision: u64,
    canvas: Canvas,
    most_layers: usize,
    scene: Option<Id>,
    pub(crate) stage: Stage,
    pub(crate) leaving: Option<Leaving>,
    scenes: BTreeMap<Id, Arc<Scene>>,
    chat: VecDeque<Arc<Message>>,
    pub(crate) values: BTreeMap<String, Kept>,
}

/// The scene that a transition takes away.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) stage: Stage,
    pub(crate) background: crate::Color,
    pub(crate) entered: Entered,
}

impl Store {
    /// An empty scene. `most_layers` is at most [`MOST_LAYERS`].
    #[must_use]
    pub fn new(canvas: Canvas, most_layers: usize) -> Self {
        Self {
            revision: 0,
            canvas,
            most_layers: most_layers.min(MOST_LAYERS),
            scene: None,
            stage: Stage::default(),
            leaving: None,
            scenes: BTreeMap::new(),
            chat: VecDeque::new(),
            values: BTreeMap::new(),
        }
    }

    /// A store that shows a scene file from program time 0. `ids` names what the file does not.
    ///
    /// # Errors
    /// Every mistake in the file by its field.
    pub fn open(file: &SceneFile, most_layers: usize, ids: &mut dyn FnMut() -> Id) -> Result<Self, Refusal> {
        let mut store = Self::new(file.canvas, most_layers);
        let mut draft = Draft::new(&store, 0.0, ids);
        draft.enter(&file.layers, &file.animations)?;
        let change = draft.finish();
        store.replay(&change).map_err(refused)?;
        Ok(store)
    }

    /// Does a command at program time `now` (ms). `ids` names what the client did not.
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub fn apply(
        &mut self,
        command: &Command,
        now: f64,
        ids: &mut dyn FnMut() -> Id,
    ) -> Result<Change, Refusal> {
        let mut draft = Draft::new(self, now, ids);
        draft.command(command)?;
        let change = draft.finish();
        self.replay(&change).map_err(refused)?;
        Ok(change)
    }

    /// What time has done by `now` (ms): one change, or none. To be called until there is none.
    pub fn advance(&mut self, now: f64) -> Option<Change> {
        if !self.is_due(now) {
            return None;
        }
        let mut no_ids = || Id::default();
        let mut draft = Draft::new(self, now, &mut no_ids);
        draft.pass_time();
        let change = draft.finish();
        let done = self.replay(&change);
        debug_assert!(done.is_ok(), "{done:?}");
        Some(change)
    }

    /// Program time in ms at which [`Store::advance`] has something to do next; infinite while nothing ends by itself.
    #[must_use]
    pub fn due(&self) -> f64 {
        let over = self.leaving.as_ref().map_or(f64::INFINITY, Leaving::ends);
        self.stage.next_event().min(over)
    }

    fn is_due(&self, now: f64) -> bool {
        self.due() <= now
    }

    /// Does a change of another store again.
    ///
    /// # Errors
    /// When changes before it are missing or it does not fit; then nothing has changed.
    pub fn replay(&mut self, change: &Change) -> Result<(), Gap> {
        if change.revision != self.revision + 1 {
            return Err(Gap::Missed { have: self.revision, got: change.revision });
        }
        let playing = self.prepared(change)?;
        self.revision = change.revision;
        self.turn(change);
        for layer in &change.layers {
            self.stage.put_layer(Arc::clone(layer));
        }
        for id in &change.removed {
            self.stage.remove_layer(id);
        }
        for id in &change.ended {
            self.stage.remove_animation(id);
        }
        let moved = change.entered.is_some() || !playing.is_empty() || !change.ended.is_empty();
        for playing in playing {
            self.stage.put_animation(playing);
        }
        if moved {
            self.stage.plan_events();
        }
        for scene in &change.scenes {
            self.scenes.insert(scene.id.clone(), Arc::clone(scene));
        }
        for id in &change.scenes_removed {
            self.scenes.remove(id);
        }
        for message in &change.chat {
            self.chat.push_back(Arc::clone(message));
            if self.chat.len() > wire::MOST_MESSAGES {
                self.chat.pop_front();
            }
        }
        for (name, kept) in &change.values {
            self.values.insert(name.clone(), kept.clone());
        }
        for name in &change.values_removed {
            self.values.remove(name);
        }
        Ok(())
    }

    /// The change's animations, ready for the layers as they will be.
    fn prepared(&self, change: &Change) -> Result<Vec<Arc<Playing>>, Gap> {
        let layer_of = |id: &Id| {
            let changed = change.layers.iter().rev().find(|layer| layer.id == *id);
            changed.or_else(|| if change.entered.is_none() { self.stage.layer(id) } else { None })
        };
        let ready = |score: &Arc<crate::animation::playing::Score>| {
            let Some(layer) = layer_of(&score.animation.layer_id) else {
                let field = format!("animations.{}", score.animation.id);
                return Err(Gap::Unfit(vec![Problem { field, message: "has no layer".to_owned() }]));
            };
            Playing::resume((**score).clone(), layer).map(Arc::new).map_err(Gap::Unfit)
        };
        change.animations.iter().map(ready).collect()
    }

    /// Lets a scene leave and another enter.
    fn turn(&mut self, change: &Change) {
        if change.left {
            self.leaving = None;
        }
        if let Some(entered) = &change.entered {
            let stage = std::mem::take(&mut self.stage);
            let background = self.canvas.background;
            let leaving = Leaving { stage, background, entered: entered.clone() };
            self.leaving = (!leaving.is_over(entered.at)).then_some(leaving);
            self.scene = (!entered.scene.is_empty()).then(|| entered.scene.clone());
        }
        if let Some(background) = change.background {
            self.canvas.background = background;
        }
    }

    /// All there is, to be kept. Cheap: layers and scenes are shared, not copied.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            revision: self.revision,
            canvas: self.canvas,
            scene: self.scene.clone(),
            layers: self.stage.as_made(),
            animations: self
                .stage
                .animations()
                .iter()
                .map(|playing| Arc::new(playing.score.clone()))
                .collect(),
            scenes: self.scenes.values().cloned().collect(),
            chat: self.chat.iter().cloned().collect(),
            values: self.values.clone(),
        }
    }

    /// A store as it was kept. The canvas has the size and pace that are set now.
    ///
    /// # Errors
    /// What does not fit together.
    pub fn restore(state: &State, canvas: Canvas, most_layers: usize) -> Result<Self, Gap> {
        let mut store = Self::new(Canvas { background: state.canvas.background, ..canvas }, most_layers);
        let change = Change {
            revision: 1,
            layers: state.layers.clone(),
            animations: state.animations.clone(),
            scenes: state.scenes.clone(),
            chat: state.chat.clone(),
            values: state.values.clone(),
            ..Change::default()
        };
        store.replay(&change)?;
        store.revision = state.revision;
        store.scene.clone_from(&state.scene);
        Ok(store)
    }

    /// Rises by one with each change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    #[must_use]
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// In z order, those below first.
    #[must_use]
    pub fn layers(&self) -> Vec<&Arc<Layer>> {
        self.stage.in_order()
    }

    #[must_use]
    pub fn layer(&self, id: &Id) -> Option<&Arc<Layer>> {
        self.stage.layer(id)
    }

    /// A layer as it looks at a program time, its animations applied.
    #[must_use]
    pub fn layer_at(&self, id: &Id, now: f64) -> Option<Layer> {
        self.stage.seen(id, now)
    }

    /// Animations that wait, run or are held.
    #[must_use]
    pub fn animations(&self) -> &[Arc<Playing>] {
        self.stage.animations()
    }

    /// By id.
    pub fn scenes(&self) -> impl Iterator<Item = &Arc<Scene>> {
        self.scenes.values()
    }

    #[must_use]
    pub fn scene(&self, id: &Id) -> Option<&Arc<Scene>> {
        self.scenes.get(id)
    }

    /// The scene that was put on air last, if it came from one.
    #[must_use]
    pub fn scene_on_air(&self) -> Option<&Id> {
        self.scene.as_ref()
    }

    /// Oldest first.
    pub fn chat(&self) -> impl ExactSizeIterator<Item = &Arc<Message>> {
        self.chat.iter()
    }

    /// What was set over the API.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, Kept> {
        &self.values
    }
}

impl Leaving {
    pub(crate) fn is_over(&self, now: f64) -> bool {
        self.ends() <= now
    }

    fn ends(&self) -> f64 {
        let Entered { transition, at, .. } = &self.entered;
        if transition.is_cut() { f64::NEG_INFINITY } else { at + transition.duration }
    }
}

impl State {
    /// # Errors
    /// Every mistake by its field.
    pub fn read(json: &Value) -> Result<Self, Vec<Problem>> {
        read_new(json)
    }
}

impl Change {
    /// # Errors
    /// Every mistake by its field.
    pub fn read(json: &Value) -> Result<Self, Vec<Problem>> {
        read_new(json)
    }
}

fn refused(gap: Gap) -> Refusal {
    match gap {
        Gap::Unfit(problems) => Refusal::Invalid(problems),
        Gap::Missed { .. } => {
            Refusal::Invalid(vec![Problem { field: String::new(), message: gap.to_string() }])
        }
    }
}
