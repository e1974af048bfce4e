//! A change in the making: what a command has done so far, over a store that does not know of it yet.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Store;
use super::command::{invalid, missing};
use super::refusal::Refusal;
use super::wire::Change;
use crate::animation::playing::Phase;
use crate::animation::{Animation, Playing, property};
use crate::content::Content;
use crate::document::{MOST_ANIMATIONS, above};
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{At, Problem, Record};
use crate::stage::{Event, writes};

/// Animations of one layer.
const MOST_OF_A_LAYER: usize = 64;
/// Keyframes of all animations together.
const MOST_KEYFRAMES: usize = 100_000;

pub(super) struct Draft<'s> {
    pub(super) store: &'s Store,
    pub(super) now: f64,
    pub(super) ids: &'s mut dyn FnMut() -> Id,
    pub(super) change: Change,
    /// Where in `change.layers` each is.
    changed: HashMap<Id, usize>,
    /// Where the client wrote each of them.
    places: HashMap<Id, Place>,
    /// Whether parents, masks or groups are other than before.
    pub(super) rewired: bool,
    /// What came with the scene that enters, animations made ready.
    fresh: Vec<Arc<Playing>>,
}

/// Where in a request something stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Whole,
    Entry(&'static str, usize),
}

impl Place {
    pub(super) fn field(self, field: &str) -> String {
        match self {
            Self::Whole => field.to_owned(),
            Self::Entry(list, index) if field.is_empty() => format!("{list}.{index}"),
            Self::Entry(list, index) => format!("{list}.{index}.{field}"),
        }
    }

    pub(super) fn of(self, problems: Vec<Problem>) -> Refusal {
        let moved = |problem: Problem| Problem { field: self.field(&problem.field), ..problem };
        Refusal::Invalid(problems.into_iter().map(moved).collect())
    }
}

impl<'s> Draft<'s> {
    pub(super) fn new(store: &'s Store, now: f64, ids: &'s mut dyn FnMut() -> Id) -> Self {
        let change = Change { revision: store.revision + 1, ..Change::default() };
        Self {
            store,
            now,
            ids,
            change,
            changed: HashMap::new(),
            places: HashMap::new(),
            rewired: false,
            fresh: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Change {
        self.change
    }

    /// A layer as this change leaves it.
    pub(super) fn layer(&self, id: &Id) -> Option<&Arc<Layer>> {
        if let Some(index) = self.changed.get(id) {
            return self.change.layers.get(*index);
        }
        let gone = self.change.entered.is_some() || self.change.removed.contains(id);
        if gone { None } else { self.store.stage.layer(id) }
    }

    /// All layers as this change leaves them.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Arc<Layer>> {
        let kept = self.store.stage.entries().map(|entry| &entry.layer).filter(|layer| {
            self.change.entered.is_none()
                && !self.changed.contains_key(&layer.id)
                && !self.change.removed.contains(&layer.id)
        });
        kept.chain(&self.change.layers)
    }

    pub(super) fn layers_changed(&self, id: &Id) -> bool {
        self.changed.contains_key(id)
    }

    pub(super) fn place(&self, id: &Id) -> Place {
        self.places.get(id).copied().unwrap_or(Place::Whole)
    }

    pub(super) fn put(&mut self, mut layer: Layer, place: Place) {
        layer.revision = self.change.revision;
        if let Content::Video(video) = &mut layer.content {
            video.start_at.get_or_insert(self.now);
        }
        let id = layer.id.clone();
        self.places.insert(id.clone(), place);
        match self.changed.get(&id) {
            Some(index) => self.change.layers[*index] = Arc::new(layer),
            None => {
                self.changed.insert(id, self.change.layers.len());
                self.change.layers.push(Arc::new(layer));
            }
        }
    }

    pub(super) fn create(&mut self, body: &Value) -> Result<(), Refusal> {
        let full = Refusal::Full { what: "layers", most: self.store.most_layers };
        if self.store.stage.len() >= self.store.most_layers {
            return Err(full);
        }
        let mut layer: Layer = super::command::read(body)?;
        if body["zIndex"].is_null() {
            layer.z_index = above(self.store.stage.top());
        }
        self.add(layer, Place::Whole)
    }

    /// A layer that has been read, with an id if it has none.
    pub(super) fn add(&mut self, mut layer: Layer, place: Place) -> Result<(), Refusal> {
        if layer.id.is_empty() {
            layer.id = (self.ids)();
        }
        if self.layer(&layer.id).is_some() {
            return Err(Refusal::Taken { what: "layer", id: layer.id });
        }
        self.rewired |= layer.parent.is_some() || layer.mask.is_some();
        self.put(layer, place);
        Ok(())
    }

    pub(super) fn expect_revision(&self, id: &Id, if_match: Option<u64>) -> Result<(), Refusal> {
        let layer = self.layer(id).ok_or_else(|| missing("layer", id))?;
        match if_match {
            Some(expected) if expected != layer.revision => {
                Err(Refusal::Stale { id: id.clone(), revision: layer.revision })
            }
            _ => Ok(()),
        }
    }

    /// Lays a merge patch over a layer; what it touches is no longer animated.
    pub(super) fn patch(&mut self, id: &Id, patch: &Value, place: Place) -> Result<(), Refusal> {
        let old = Arc::clone(self.layer(id).ok_or_else(|| missing("layer", id))?);
        let mut layer = (*old).clone();
        let mut at = At::patch();
        if let Some(object) = at.object(patch) {
            layer.read_fields(object, &[], &mut at);
            if at.is_clean() {
                layer.check_fields(&mut at);
            }
            if layer.id != old.id {
                at.wrong_in("id", "can't change");
            }
            if layer.kind != old.kind {
                at.wrong_in("type", "can't change");
            }
            if patch.get("zIndex").is_some_and(Value::is_null) {
                layer.z_index =
                    above(self.layers().filter(|other| other.id != *id).map(|other| other.z_index).max());
            }
        }
        let mut layer = at.finish(layer).map_err(|problems| place.of(problems))?;
        let other_content = kind_of(&layer.content) != kind_of(&old.content);
        let was_group = matches!(old.content, Content::Group(_)) && other_content;
        self.rewired |= layer.parent != old.parent || layer.mask != old.mask || was_group;
        self.end_touched(&mut layer, patch, other_content);
        self.put(layer, place);
        Ok(())
    }

    /// Ends the channels of animations that write what a patch writes, or what is no longer there.
    fn end_touched(&mut self, layer: &mut Layer, patch: &Value, other_content: bool) {
        let id = layer.id.clone();
        for playing in self.store.stage.animations_of(&id) {
            let ended = |name: &str| self.change.ended.iter().any(|id| id.as_str() == name);
            if ended(playing.score.animation.id.as_str()) {
                continue;
            }
            let current =
                self.change.animations.iter().find(|score| score.animation.id == playing.score.animation.id);
            let already = current.map(|score| score.ended.clone()).unwrap_or_default();
            let hit: Vec<_> = playing
                .channels
                .iter()
                .filter(|channel| {
                    already.iter().any(|name| **name == *channel.name)
                        || touches(patch, &channel.path)
                        || (other_content && *channel.path[0] == *"content")
                        || property::get(layer, &channel.path).is_none()
                })
                .map(|channel| channel.name.clone())
                .collect();
            if !hit.is_empty() {
                let left = playing.without(|channel| hit.contains(&channel.name));
                self.replace(playing, left);
            }
        }
    }

    /// An animation goes on with what is left of it, or ends.
    fn replace(&mut self, playing: &Playing, left: Option<Playing>) {
        let id = &playing.score.animation.id;
        self.change.animations.retain(|score| score.animation.id != *id);
        match left {
            Some(left) => self.change.animations.push(Arc::new(left.score)),
            None => self.change.ended.push(id.clone()),
        }
    }

    pub(super) fn delete(&mut self, id: &Id) -> Result<(), Refusal> {
        let bereft: Vec<_> = self
            .layers()
            .filter(|layer| layer.id != *id && (layer.parent.as_ref() == Some(id) || masked_by(layer, id)))
            .cloned()
            .collect();
        for layer in bereft {
            let mut layer = (*layer).clone();
            if layer.parent.as_ref() == Some(id) {
                layer.parent = None;
            }
            if masked_by(&layer, id) {
                layer.mask = None;
            }
            self.put(layer, Place::Whole);
        }
        let ended = self.store.stage.animations_of(id).map(|playing| playing.score.animation.id.clone());
        self.change.ended.extend(ended);
        self.change.removed.push(id.clone());
        Ok(())
    }

    /// An animation of a layer, by both their ids.
    pub(super) fn playing(&self, layer: &Id, id: &Id) -> Result<&'s Arc<Playing>, Refusal> {
        self.layer(layer).ok_or_else(|| missing("layer", layer))?;
        let playing =
            self.store.stage.animation(id).filter(|playing| playing.score.animation.layer_id == *layer);
        playing.ok_or_else(|| missing("animation", id))
    }

    /// Begins an animation, at `origin` unless it says when.
    pub(super) fn animate(
        &mut self,
        mut animation: Animation,
        origin: f64,
        place: Place,
    ) -> Result<(), Refusal> {
        if animation.layer_id.is_empty() || self.layer(&animation.layer_id).is_none() {
            return Err(invalid(place.field("layerId"), "must be the id of a layer that is there"));
        }
        if animation.id.is_empty() {
            animation.id = (self.ids)();
        }
        let stage = &self.store.stage;
        let entering = self.change.entered.is_some();
        let before = || stage.animations().iter().filter(|_| !entering).map(|playing| &playing.score);
        let taken = before().chain(self.change.animations.iter().map(|score| &**score));
        let (mut of_layer, mut all, mut keyframes) = (0, 0, count(&animation));
        for score in taken {
            if score.animation.id == animation.id {
                return Err(Refusal::Taken { what: "animation", id: animation.id });
            }
            all += 1;
            of_layer += usize::from(score.animation.layer_id == animation.layer_id);
            keyframes += count(&score.animation);
        }
        for (what, number, most) in [
            ("animations of this layer", of_layer + 1, MOST_OF_A_LAYER),
            ("animations", all + 1, MOST_ANIMATIONS),
            ("keyframes", keyframes, MOST_KEYFRAMES),
        ] {
            if number > most {
                return Err(Refusal::Full { what, most });
            }
        }
        let origin = animation.start_at.unwrap_or(origin);
        animation.start_at = Some(origin);
        let seen = self.seen(&animation.layer_id, origin + animation.delay);
        let canvas = self.store.canvas();
        let playing =
            Playing::new(animation, &seen, canvas, origin).map_err(|problems| place.of(problems))?;
        self.change.animations.push(Arc::new(playing.score.clone()));
        self.fresh.push(Arc::new(playing));
        Ok(())
    }

    /// A layer as it will look at a time, with what this change brings.
    fn seen(&self, id: &Id, at: f64) -> Layer {
        let mut stage = crate::stage::Stage::default();
        stage.put_layer(Arc::clone(self.layer(id).expect("the caller has looked")));
        if self.change.entered.is_none() {
            for playing in self.store.stage.animations_of(id) {
                stage.put_animation(Arc::clone(playing));
            }
        }
        for playing in self.fresh.iter().filter(|playing| playing.score.animation.layer_id == *id) {
            stage.put_animation(Arc::clone(playing));
        }
        stage.seen(id, at).expect("it was put there")
    }

    /// What has happened by itself, the first of it.
    pub(super) fn pass_time(&mut self) {
        if self.store.leaving.as_ref().is_some_and(|leaving| leaving.is_over(self.now)) {
            self.change.left = true;
        }
        let stage = &self.store.stage;
        match stage.event(self.now) {
            None => {}
            Some(Event::Begun(playing)) => {
                for other in stage.loses_to(stage.index_of(playing)) {
                    self.replace(other, other.without(|channel| writes(playing, channel)));
                }
            }
            Some(Event::Over(first)) => {
                // All that end at the same time are one revision.
                let at = first.ends();
                for playing in stage.animations().iter().filter(|playing| playing.ends() == at) {
                    self.settle(playing, at);
                }
            }
        }
    }

    /// Writes what an animation leaves behind into its layer.
    fn settle(&mut self, playing: &Arc<Playing>, at: f64) {
        let id = &playing.score.animation.layer_id;
        let Some(own) = self.store.stage.layer(id) else { return };
        let (mut probe, mut layer) = ((**own).clone(), (**self.layer(id).unwrap_or(own)).clone());
        if let Phase::At(time) | Phase::Over(time) = playing.phase(at) {
            for channel in playing.channels.iter() {
                if let Some(base) = property::get(&mut probe, &channel.path) {
                    property::set(&mut layer, &channel.path, channel.value(time, base));
                }
            }
        }
        self.put(layer, Place::Whole);
        self.replace(playing, None);
    }
}

fn masked_by(layer: &Layer, id: &Id) -> bool {
    layer.mask.as_ref().is_some_and(|mask| mask.layer_id.as_ref() == Some(id))
}

fn count(animation: &Animation) -> usize {
    animation.tracks.iter().map(|track| track.keyframes.len()).sum()
}

fn kind_of(content: &Content) -> (&'static str, &'static str) {
    match content {
        Content::Shape(shape) => (content.word(), shape.word()),
        _ => (content.word(), ""),
    }
}

/// Whether a merge patch writes what stands at a path, above it or below it.
fn touches(patch: &Value, path: &[Box<str>]) -> bool {
    match (path.split_first(), patch) {
        (Some((key, rest)), Value::Object(object)) => {
            object.get(&**key).is_some_and(|inside| touches(inside, rest))
        }
        _ => true,
    }
}
