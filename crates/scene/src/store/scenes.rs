//! Named scenes: kept, changed, put on air.

use std::sync::Arc;

use serde_json::Value;

use super::Store;
use super::command::{missing, read};
use super::draft::{Draft, Place};
use super::refusal::Refusal;
use super::wire::Entered;
use crate::animation::Animation;
use crate::content::Content;
use crate::document::{Scene, Transition, stack};
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{At, Record};

impl Draft<'_> {
    pub(super) fn create_scene(&mut self, body: &Value) -> Result<(), Refusal> {
        self.room_for_scene()?;
        let mut scene: Scene = read(body)?;
        if scene.id.is_empty() {
            scene.id = (self.ids)();
        }
        if self.store.scene(&scene.id).is_some() {
            return Err(Refusal::Taken { what: "scene", id: scene.id });
        }
        if body["layers"].is_null() {
            scene.layers = self.store.stage.as_made().iter().map(|layer| from_the_start(layer)).collect();
            let running = self.store.stage.animations().iter();
            let anew = |animation: &Animation| Animation { start_at: None, ..animation.clone() };
            scene.animations = running.map(|playing| anew(&playing.score.animation)).collect();
            scene.canvas = scene.canvas.or(Some(*self.store.canvas()));
        } else {
            stack(&mut scene.layers, body);
        }
        self.keep_scene(scene)
    }

    pub(super) fn patch_scene(
        &mut self,
        id: &Id,
        patch: &Value,
        if_match: Option<u64>,
    ) -> Result<(), Refusal> {
        let mut scene = (**self.expect_scene(id, if_match)?).clone();
        let mut at = At::patch();
        if let Some(object) = at.object(patch) {
            scene.read_fields(object, &[], &mut at);
            scene.check_fields(&mut at);
            if scene.id != *id {
                at.wrong_in("id", "can't change");
            }
        }
        let mut scene = at.finish(scene).map_err(Refusal::Invalid)?;
        if patch.get("layers").is_some() {
            stack(&mut scene.layers, patch);
        }
        self.keep_scene(scene)
    }

    /// Keeps a scene that could be put on air as it is.
    fn keep_scene(&mut self, mut scene: Scene) -> Result<(), Refusal> {
        for layer in &mut scene.layers {
            if layer.id.is_empty() {
                layer.id = (self.ids)();
            }
        }
        for animation in &mut scene.animations {
            if animation.id.is_empty() {
                animation.id = (self.ids)();
            }
        }
        let empty = Store::new(scene.canvas.unwrap_or(*self.store.canvas()), self.store.most_layers);
        Draft::new(&empty, 0.0, &mut *self.ids).enter(&scene.layers, &scene.animations)?;
        scene.revision = self.change.revision;
        for layer in &mut scene.layers {
            layer.revision = self.change.revision;
        }
        self.change.scenes.push(Arc::new(scene));
        Ok(())
    }

    pub(super) fn expect_scene(&self, id: &Id, if_match: Option<u64>) -> Result<&Arc<Scene>, Refusal> {
        let scene = self.store.scene(id).ok_or_else(|| missing("scene", id))?;
        match if_match {
            Some(expected) if expected != scene.revision => {
                Err(Refusal::Stale { id: id.clone(), revision: scene.revision })
            }
            _ => Ok(scene),
        }
    }

    pub(super) fn activate(&mut self, id: &Id, transition: Transition) -> Result<(), Refusal> {
        let scene = Arc::clone(self.expect_scene(id, None)?);
        self.change.entered = Some(Entered { scene: id.clone(), transition, at: self.now });
        self.change.background = scene.canvas.map(|canvas| canvas.background);
        self.enter(&scene.layers, &scene.animations)
    }

    /// Puts layers and animations on an empty stage; the animations' `startAt` counts from now.
    pub(super) fn enter(&mut self, layers: &[Layer], animations: &[Animation]) -> Result<(), Refusal> {
        if layers.len() > self.store.most_layers {
            return Err(Refusal::Full { what: "layers", most: self.store.most_layers });
        }
        for (index, layer) in layers.iter().enumerate() {
            self.add(layer.clone(), Place::Entry("layers", index))?;
        }
        self.check_graph()?;
        for (index, animation) in animations.iter().enumerate() {
            let mut animation = animation.clone();
            animation.start_at = Some(self.now + animation.start_at.unwrap_or(0.0));
            self.animate(animation, self.now, Place::Entry("animations", index))?;
        }
        Ok(())
    }
}

/// A layer whose video begins when it is put on air.
fn from_the_start(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    if let Content::Video(video) = &mut layer.content {
        video.start_at = None;
    }
    layer
}
