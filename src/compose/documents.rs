//! The scene as documents of the store: one for each layer, animation, named scene and value, so that a change writes no
//! more than what it changed.
//!
//! Owns their names and shapes. Called by the keeper; never waits, never writes.

use std::collections::{BTreeMap, BTreeSet};

use scene::{Canvas, Change, Id};
use serde_json::{Map, Value, json};

use super::show::Show;
use crate::base::error::{Error, Kind, Result};
use crate::store::{self, Collection};

/// Revision, scene on air, background.
const HEAD: &str = "head";
/// Layers in the order in which they were made.
const ORDER: &str = "order";
const CHAT: &str = "chat";
/// State of the broadcast, and the pair of program time and wall clock.
const SHOW: &str = "show";
const LAYER: &str = "layer.";
const ANIMATION: &str = "animation.";
const SCENE: &str = "scene.";
const VALUE: &str = "value.";

/// What is other than the store has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    layers: BTreeSet<Id>,
    animations: BTreeSet<Id>,
    scenes: BTreeSet<Id>,
    values: BTreeSet<String>,
    /// Layers came or went.
    order: bool,
    chat: bool,
    head: bool,
    pub(super) show: bool,
}

impl Dirty {
    pub(super) fn is_clean(&self) -> bool {
        !(self.head || self.show)
    }

    /// Nothing is due but the pair of times.
    pub(super) fn only_times(&self) -> bool {
        !self.head
    }

    /// Notes what `change` changes. `made`: a layer of it is new. `before`: the scene that one leaves, if a scene enters.
    pub(super) fn note(&mut self, change: &Change, made: bool, before: Option<&scene::Store>) {
        self.head = true;
        if let Some(before) = before {
            self.everything_on(before);
        }
        self.order |= made || change.entered.is_some() || !change.removed.is_empty();
        self.layers.extend(change.layers.iter().map(|layer| layer.id.clone()));
        self.layers.extend(change.removed.iter().cloned());
        self.animations.extend(change.animations.iter().map(|score| score.animation.id.clone()));
        self.animations.extend(change.ended.iter().cloned());
        self.scenes.extend(change.scenes.iter().map(|scene| scene.id.clone()));
        self.scenes.extend(change.scenes_removed.iter().cloned());
        self.values.extend(change.values.keys().cloned());
        self.values.extend(change.values_removed.iter().cloned());
        self.chat |= !change.chat.is_empty();
    }

    /// All that `store` holds is to be written.
    pub(super) fn everything(&mut self, store: &scene::Store) {
        self.everything_on(store);
        self.scenes.extend(store.scenes().map(|scene| scene.id.clone()));
        self.values.extend(store.values().keys().cloned());
        (self.order, self.chat, self.head, self.show) = (true, true, true, true);
    }

    fn everything_on(&mut self, store: &scene::Store) {
        self.layers.extend(store.layers().into_iter().map(|layer| layer.id.clone()));
        let state = store.state();
        self.animations.extend(state.animations.iter().map(|score| score.animation.id.clone()));
    }

    /// Takes back what could not be written.
    pub(super) fn again(&mut self, other: Self) {
        let Self { layers, animations, scenes, values, order, chat, head, show } = other;
        self.layers.extend(layers);
        self.animations.extend(animations);
        self.scenes.extend(scenes);
        self.values.extend(values);
        self.order |= order;
        self.chat |= chat;
        self.head |= head;
        self.show |= show;
    }

    /// What the store has to do so that it has what is noted as it is in `scene` now; `show` goes with it.
    pub(super) fn changes(&self, scene: &scene::Store, show: Value) -> Vec<store::Change> {
        let mut out = Writes(Vec::new());
        if self.show {
            out.put(SHOW.to_owned(), show);
        }
        for id in &self.layers {
            out.set(format!("{LAYER}{id}"), scene.layer(id).map(|layer| json!(**layer)));
        }
        if !self.animations.is_empty() {
            let state = scene.state();
            for id in &self.animations {
                let score = state.animations.iter().find(|score| score.animation.id == *id);
                out.set(format!("{ANIMATION}{id}"), score.map(|score| json!(**score)));
            }
        }
        for id in &self.scenes {
            out.set(format!("{SCENE}{id}"), scene.scene(id).map(|scene| json!(**scene)));
        }
        for name in &self.values {
            out.set(format!("{VALUE}{name}"), scene.values().get(name).map(|kept| json!(kept)));
        }
        if self.order {
            let made: Vec<_> = scene.state().layers.iter().map(|layer| layer.id.clone()).collect();
            out.put(ORDER.to_owned(), json!(made));
        }
        if self.chat {
            let said: Vec<_> = scene.chat().map(|message| json!(**message)).collect();
            out.put(CHAT.to_owned(), json!(said));
        }
        if self.head {
            let background = scene.canvas().background;
            let head = json!({
                "revision": scene.revision(), "scene": scene.scene_on_air(), "background": background,
            });
            out.put(HEAD.to_owned(), head);
        }
        out.0
    }
}

struct Writes(Vec<store::Change>);

impl Writes {
    fn put(&mut self, id: String, value: Value) {
        self.0.push(store::Change::Put { collection: Collection::Scene, id, value });
    }

    fn set(&mut self, id: String, value: Option<Value>) {
        match value {
            Some(value) => self.put(id, value),
            None => self.0.push(store::Change::Delete { collection: Collection::Scene, id }),
        }
    }
}

/// What was kept.
pub(super) struct Kept {
    pub(super) scene: scene::Store,
    /// `None`: nothing was kept yet.
    pub(super) show: Option<Value>,
    /// Of the guard.
    pub(super) version: u64,
}

/// The scene as `documents` have it.
///
/// # Errors
/// `Internal` naming what can't be read: nothing is taken for an empty scene that is not one.
pub(super) fn read(mut documents: BTreeMap<String, Value>, canvas: Canvas, most: usize) -> Result<Kept> {
    let show = documents.remove(SHOW);
    let version = documents.remove(store::Guard::DOCUMENT).and_then(|version| version.as_u64()).unwrap_or(0);
    let Some(head) = documents.remove(HEAD) else {
        return Ok(Kept { scene: scene::Store::new(canvas, most), show, version });
    };
    let order = documents.remove(ORDER).unwrap_or_default();
    let mut state = Map::new();
    state.insert("revision".to_owned(), head["revision"].clone());
    state.insert("scene".to_owned(), head["scene"].clone());
    let mut kept_canvas = json!(canvas);
    kept_canvas["background"] = head["background"].clone();
    state.insert("canvas".to_owned(), kept_canvas);
    state.insert("chat".to_owned(), documents.remove(CHAT).unwrap_or_else(|| json!([])));
    let made = order.as_array().into_iter().flatten().filter_map(Value::as_str);
    let layers: Vec<Value> = made.filter_map(|id| documents.remove(&format!("{LAYER}{id}"))).collect();
    state.insert("layers".to_owned(), layers.into());
    let (mut animations, mut scenes, mut values) = (Vec::new(), Vec::new(), Map::new());
    for (id, document) in documents {
        if id.starts_with(ANIMATION) {
            animations.push(document);
        } else if id.starts_with(SCENE) {
            scenes.push(document);
        } else if let Some(name) = id.strip_prefix(VALUE) {
            values.insert(name.to_owned(), document);
        }
    }
    state.insert("animations".to_owned(), animations.into());
    state.insert("scenes".to_owned(), scenes.into());
    state.insert("values".to_owned(), values.into());
    let wrong = |what: String| {
        Error::new(Kind::Internal, format!("the scene that the store keeps can't be read: {what}"))
    };
    let state = scene::State::read(&Value::Object(state))
        .map_err(|problems| wrong(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let scene = scene::Store::restore(&state, canvas, most).map_err(|gap| wrong(gap.to_string()))?;
    Ok(Kept { scene, show, version })
}

/// What a watcher of `old` has to be told so that it knows `new`, which somebody else has made of it.
pub(super) fn difference(old: &scene::Store, new: &scene::Store) -> Change {
    let (before, after) = (old.state(), new.state());
    let gone = |now: &BTreeSet<&Id>, then: Vec<&Id>| {
        then.into_iter().filter(|id| !now.contains(id)).cloned().collect::<Vec<_>>()
    };
    let layers: BTreeSet<_> = after.layers.iter().map(|layer| &layer.id).collect();
    let animations: BTreeSet<_> = after.animations.iter().map(|score| &score.animation.id).collect();
    let scenes: BTreeSet<_> = after.scenes.iter().map(|scene| &scene.id).collect();
    let said: BTreeSet<_> = before.chat.iter().map(|message| &message.id).collect();
    let values = after.values.iter().filter(|(name, kept)| before.values.get(*name) != Some(kept));
    Change {
        revision: after.revision,
        background: (after.canvas.background != before.canvas.background).then_some(after.canvas.background),
        layers: after.layers.iter().filter(|layer| !before.layers.contains(layer)).cloned().collect(),
        removed: gone(&layers, before.layers.iter().map(|layer| &layer.id).collect()),
        animations: after
            .animations
            .iter()
            .filter(|score| !before.animations.contains(score))
            .cloned()
            .collect(),
        ended: gone(&animations, before.animations.iter().map(|score| &score.animation.id).collect()),
        scenes: after.scenes.iter().filter(|scene| !before.scenes.contains(scene)).cloned().collect(),
        scenes_removed: gone(&scenes, before.scenes.iter().map(|scene| &scene.id).collect()),
        chat: after.chat.iter().filter(|message| !said.contains(&message.id)).cloned().collect(),
        values: values.map(|(name, kept)| (name.clone(), kept.clone())).collect(),
        values_removed: before
            .values
            .keys()
            .filter(|name| !after.values.contains_key(*name))
            .cloned()
            .collect(),
        ..Change::default()
    }
}

/// The pair of times and the state of the broadcast.
pub(super) fn show_of(show: &Show, clock: &crate::base::clock::Clock) -> Value {
    show.document(clock.now(), clock.wall())
}

#[cfg(test)]
mod tests {
    use scene::Command;

    use super::*;

    /// The documents as a store would have them.
    #[derive(Default)]
    struct Shelf(BTreeMap<String, Value>);

    impl Shelf {
        fn write(&mut self, changes: Vec<store::Change>) {
            for change in changes {
                match change {
                    store::Change::Put { id, value, .. } => drop(self.0.insert(id, value)),
                    store::Change::Delete { id, .. } => drop(self.0.remove(&id)),
                }
            }
        }
    }

    #[test]
    fn a_scene_comes_back_from_what_each_change_wrote() {
        let mut shelf = Shelf::default();
        let mut store = scene::Store::new(Canvas::default(), 50);
        let mut count = 0;
        let id = |text: &str| Id::parse(text).unwrap();
        let text = |id: &str| json!({"id": id, "content": {"kind": "text", "text": id}});
        for command in [
            Command::Create(text("z")),
            Command::Create(text("a")),
            Command::Create(text("m")),
            Command::Patch { layer: id("m"), patch: json!({"opacity": 0.5}), if_match: None },
            Command::Animate {
                layer: id("m"),
                animation: json!({"id": "f", "preset": "fade", "duration": 9000}),
            },
            Command::Delete { layer: id("a"), if_match: None },
            Command::Chat(json!({"text": "hello"})),
            Command::SetValues(json!({"values": {"bid": 3, "gone": 1}})),
            Command::SetValues(json!({"values": {"gone": null}})),
            Command::CreateScene(json!({"id": "s"})),
            Command::CreateScene(
                json!({"id": "t", "layers": [text("only")], "canvas": {"background": "#f00"}}),
            ),
            Command::DeleteScene { scene: id("s"), if_match: None },
            Command::Activate { scene: id("t"), body: json!({}) },
            Command::Create(text("above")),
        ] {
            let before = store.clone();
            let change = store
                .apply(&command, 10.0, &mut || {
                    count += 1;
                    Id::parse(&format!("id-{count}")).unwrap()
                })
                .unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
            let mut dirty = Dirty::default();
            let made = matches!(command, Command::Create(_));
            dirty.note(&change, made, change.entered.is_some().then_some(&before));
            shelf.write(dirty.changes(&store, json!(null)));
            let back = read(shelf.0.clone(), Canvas::default(), 50).unwrap().scene;
            assert_eq!(back.state(), store.state(), "{command:?}");
        }
        let mut all = Dirty::default();
        all.everything(&store);
        let mut anew = Shelf::default();
        anew.write(all.changes(&store, json!({})));
        anew.0.remove(SHOW);
        assert_eq!(anew.0, shelf.0);
        shelf.0.get_mut(HEAD).unwrap()["revision"] = json!("many");
        let refused = read(shelf.0, Canvas::default(), 50).err().expect("it can't be read");
        assert!(refused.detail().contains("revision"), "{refused}");
    }

    #[test]
    fn nothing_kept_is_an_empty_scene() {
        let kept = read(BTreeMap::new(), Canvas::default(), 50).unwrap();
        assert!(kept.show.is_none() && kept.scene.layers().is_empty() && kept.scene.revision() == 0);
    }
}
