//! What clients ask of the store, and how each becomes a change.

use std::sync::Arc;

use serde_json::{Value, json};

use super::draft::{Draft, Place};
use super::refusal::Refusal;
use super::wire::{Action, Activation, Control, Kept, Message, NewValues, Timeline, Visibility};
use super::wire::{MOST_SCENES, MOST_VALUES};
use crate::animation::Animation;
use crate::id::Id;
use crate::read::{At, Problem, Record, read_new};

/// One request. Bodies are JSON as clients send it; all of it is looked at before anything changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A new layer.
    Create(Value),
    /// A merge patch (RFC 7396). Another `kind` of content starts anew from that kind's defaults.
    Patch {
        layer: Id,
        patch: Value,
        if_match: Option<u64>,
    },
    /// Layers inside it stand alone afterwards, masks by it are gone, and its animations end.
    Delete {
        layer: Id,
        if_match: Option<u64>,
    },
    /// `{"visible": bool}`.
    Visibility {
        layer: Id,
        body: Value,
    },
    /// `{"updates": [{"id", …patch}]}`: all or none.
    Update(Value),
    /// An animation of a layer.
    Animate {
        layer: Id,
        animation: Value,
    },
    /// The layer's own values show again.
    Cancel {
        layer: Id,
        animation: Id,
    },
    /// `{"action": "play"|"pause"|"seek", "t"}`.
    Control {
        layer: Id,
        animation: Id,
        body: Value,
    },
    /// `{"at": null, "animations": […]}`: all or none.
    Timeline(Value),
    /// A new scene; without `layers` it takes those on air.
    CreateScene(Value),
    /// A merge patch of a scene; lists are replaced as a whole.
    PatchScene {
        scene: Id,
        patch: Value,
        if_match: Option<u64>,
    },
    DeleteScene {
        scene: Id,
        if_match: Option<u64>,
    },
    /// `{"transition": {…}}`: the layers on air are replaced by the scene's. Changing them later leaves the scene alone.
    Activate {
        scene: Id,
        body: Value,
    },
    /// `{"author"?, "text", "highlighted"?}`.
    Chat(Value),
    /// `{"values": {name: number, text, bool or null}}`.
    SetValues(Value),
}

impl Draft<'_> {
    pub(super) fn command(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Create(body) => {
                self.create(body)?;
                self.check_graph()
            }
            Command::Patch { layer, patch, if_match } => {
                self.expect_revision(layer, *if_match)?;
                self.patch(layer, patch, Place::Whole)?;
                self.check_graph()
            }
            Command::Delete { layer, if_match } => {
                self.expect_revision(layer, *if_match)?;
                self.delete(layer)
            }
            Command::Visibility { layer, body } => {
                let visible = read::<Visibility>(body)?.visible;
                self.patch(layer, &json!({ "visible": visible }), Place::Whole)
            }
            Command::Update(body) => self.update(body),
            Command::Animate { layer, animation } => {
                self.layer(layer).ok_or_else(|| missing("layer", layer))?;
                let mut animation = read_animation(animation, Some(layer))?;
                animation.layer_id = layer.clone();
                self.animate(animation, self.now, Place::Whole)
            }
            Command::Cancel { layer, animation } => {
                self.playing(layer, animation)?;
                self.change.ended.push(animation.clone());
                Ok(())
            }
            Command::Control { layer, animation, body } => self.control(layer, animation, body),
            Command::Timeline(body) => self.timeline(body),
            Command::CreateScene(body) => self.create_scene(body),
            Command::PatchScene { scene, patch, if_match } => self.patch_scene(scene, patch, *if_match),
            Command::DeleteScene { scene, if_match } => {
                self.expect_scene(scene, *if_match)?;
                self.change.scenes_removed.push(scene.clone());
                Ok(())
            }
            Command::Activate { scene, body } => {
                let transition = read::<Activation>(body)?.transition;
                self.activate(scene, transition)
            }
            Command::Chat(body) => {
                let mut message = read::<Message>(body)?;
                if message.id.is_empty() {
                    message.id = (self.ids)();
                }
                message.at = self.now;
                self.change.chat.push(Arc::new(message));
                Ok(())
            }
            Command::SetValues(body) => self.set_values(body),
        }
    }

    /// Patches of several layers, all or none.
    fn update(&mut self, body: &Value) -> Result<(), Refusal> {
        /// Layers that one request can change.
        const MOST: usize = 1000;
        let wrong = |message: String| invalid("updates", message);
        let list = body.as_object().filter(|body| body.keys().all(|key| key == "updates"));
        let list = list.and_then(|body| body.get("updates")?.as_array());
        let list = list.filter(|list| (1..=MOST).contains(&list.len()));
        let list =
            list.ok_or_else(|| wrong(format!("must be a list of 1 to {MOST} patches, and stand alone")))?;
        let mut problems = Vec::new();
        for (index, patch) in list.iter().enumerate() {
            let id = patch.get("id").and_then(Value::as_str).and_then(Id::parse);
            let known = id.filter(|id| self.layer(id).is_some());
            let done = match known {
                Some(id) => self.patch(&id, patch, Place::Entry("updates", index)),
                None => {
                    Err(invalid(format!("updates.{index}.id"), "must be the id of a layer that is there"))
                }
            };
            match done {
                Ok(()) => {}
                Err(Refusal::Invalid(more)) => problems.extend(more),
                Err(other) => return Err(other),
            }
        }
        problems.truncate(At::MOST);
        if problems.is_empty() { self.check_graph() } else { Err(Refusal::Invalid(problems)) }
    }

    fn timeline(&mut self, body: &Value) -> Result<(), Refusal> {
        let timeline = read_timeline(body)?;
        let origin = timeline.at.unwrap_or(self.now);
        for (index, animation) in timeline.animations.into_iter().enumerate() {
            self.animate(animation, origin, Place::Entry("animations", index))?;
        }
        Ok(())
    }

    fn control(&mut self, layer: &Id, id: &Id, body: &Value) -> Result<(), Refusal> {
        let Control { action, t } = read::<Control>(body)?;
        let playing = self.playing(layer, id)?;
        let mut score = playing.score.clone();
        let own_time = playing.own_time(self.now);
        match (action.unwrap_or_default(), t) {
            (Action::Seek, None) => {
                return Err(invalid("t", "is missing; it must be ms since the animation began"));
            }
            (Action::Seek, Some(t)) if score.paused.is_some() => score.paused = Some(t),
            (Action::Seek, Some(t)) => score.origin = self.now - t,
            (_, Some(_)) => return Err(invalid("t", "is for the action seek only")),
            // What has not begun yet is held at its beginning.
            (Action::Pause, None) => score.paused = Some(score.paused.unwrap_or(own_time).max(0.0)),
            (Action::Play, None) => {
                if let Some(paused) = score.paused.take() {
                    score.origin = self.now - paused;
                }
            }
        }
        self.change.animations.push(Arc::new(score));
        Ok(())
    }

    fn set_values(&mut self, body: &Value) -> Result<(), Refusal> {
        let object = body.get("values").and_then(Value::as_object);
        let removed =
            object.into_iter().flatten().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone());
        let new = read::<NewValues>(body)?;
        let more = new.values.keys().filter(|name| !self.store.values().contains_key(*name)).count();
        if self.store.values().len() + more > MOST_VALUES {
            return Err(Refusal::Full { what: "values", most: MOST_VALUES });
        }
        let at = self.now;
        self.change.values_removed = removed.filter(|name| self.store.values().contains_key(name)).collect();
        self.change.values = new.values.into_iter().map(|(name, value)| (name, Kept { value, at })).collect();
        Ok(())
    }

    pub(super) fn room_for_scene(&self) -> Result<(), Refusal> {
        let full = self.store.scenes().count() >= MOST_SCENES;
        if full { Err(Refusal::Full { what: "scenes", most: MOST_SCENES }) } else { Ok(()) }
    }
}

/// Reads an animation for a layer that may be known from elsewhere than the body.
fn read_animation(body: &Value, layer: Option<&Id>) -> Result<Animation, Refusal> {
    let animation = read::<Animation>(body)?;
    match layer {
        Some(layer) if !animation.layer_id.is_empty() && animation.layer_id != *layer => {
            Err(invalid("layerId", "must be the layer that is named in the address, or left out"))
        }
        _ => Ok(animation),
    }
}

fn read_timeline(body: &Value) -> Result<Timeline, Refusal> {
    read::<Timeline>(body)
}

pub(super) fn read<T: Record>(body: &Value) -> Result<T, Refusal> {
    read_new(body).map_err(Refusal::Invalid)
}

pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Refusal {
    Refusal::Invalid(vec![Problem { field: field.into(), message: message.into() }])
}

pub(super) fn missing(what: &'static str, id: &Id) -> Refusal {
    Refusal::Missing { what, id: id.clone() }
}
