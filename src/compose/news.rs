//! The last changes of the scene, for those who watch it: each asks for what came after the revision it knows.
//!
//! Owns a ring with a bound and nothing of the watchers: one that reads too late is told so and takes the whole state.
//! Written by the keeper once a change is durable; read by `api`. Never waits for a reader.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use scene::Change;
use serde_json::Value;
use tokio::sync::watch;

/// Changes that became durable together, as one.
#[derive(Debug)]
pub struct Batch {
    /// The revision before it.
    pub from: u64,
    /// The one change that has the effect of them all.
    pub change: Change,
    text: OnceLock<Arc<str>>,
}

/// The ring does not reach back to that revision, or it is none of this scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed;

/// Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct News(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    batches: Mutex<VecDeque<Arc<Batch>>>,
    newest: watch::Sender<u64>,
    /// Rises when revisions of before mean nothing any more.
    epoch: AtomicU64,
}

impl Batch {
    /// The batch as the JSON object that watchers are sent: what it does not change is left out. Written once for all.
    pub fn text(&self) -> Arc<str> {
        Arc::clone(self.text.get_or_init(|| text_of(&self.change)))
    }
}

/// A change as watchers are sent it.
pub fn text_of(change: &Change) -> Arc<str> {
    let mut value = serde_json::to_value(change).expect("a change is plain data");
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
            _ => true,
        });
    }
    value.to_string().into()
}

impl News {
    /// Batches that are kept.
    const MOST: usize = 512;
    /// Layers, animations, scenes and messages in all of them together.
    const MOST_PARTS: usize = 20_000;

    pub fn new(revision: u64) -> Self {
        let (newest, _) = watch::channel(revision);
        Self(Arc::new(Ring { batches: Mutex::default(), newest, epoch: AtomicU64::new(0) }))
    }

    /// Tells when there is something new.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// Revisions can be compared while this stays the same; else the whole state is needed.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::SeqCst)
    }

    /// What came after `revision`, oldest first.
    ///
    /// # Errors
    /// [`Missed`]: the whole state is needed.
    pub fn since(&self, revision: u64) -> Result<Vec<Arc<Batch>>, Missed> {
        let batches = self.batches();
        let newest = *self.0.newest.borrow();
        if revision == newest {
            return Ok(Vec::new());
        }
        let first = batches.iter().position(|batch| batch.change.revision > revision).ok_or(Missed)?;
        let reaches = batches[first].from <= revision;
        if reaches { Ok(batches.iter().skip(first).cloned().collect()) } else { Err(Missed) }
    }

    /// Adds what has become durable together; `changes` follow each other.
    pub(super) fn add(&self, changes: &[Arc<Change>]) {
        let Some(newest) = changes.last() else { return };
        let revision = newest.revision;
        let mut from = changes[0].revision - 1;
        let mut batches = self.batches();
        for change in folded(changes.iter().map(|change| &**change)) {
            let next = change.revision;
            batches.push_back(Arc::new(Batch { from, change, text: OnceLock::new() }));
            from = next;
        }
        let mut parts: usize = batches.iter().map(|batch| parts(&batch.change)).sum();
        while batches.len() > Self::MOST || (parts > Self::MOST_PARTS && batches.len() > 1) {
            parts -= batches.pop_front().map_or(0, |batch| self::parts(&batch.change));
        }
        drop(batches);
        self.0.newest.send_replace(revision);
    }

    /// Adds what somebody else has made of the scene since `from`.
    pub(super) fn add_from(&self, from: u64, change: Change) {
        let revision = change.revision;
        let mut batches = self.batches();
        batches.push_back(Arc::new(Batch { from, change, text: OnceLock::new() }));
        if batches.len() > Self::MOST {
            batches.pop_front();
        }
        drop(batches);
        self.0.newest.send_replace(revision);
    }

    /// The scene is another one now: nobody's revision is good any more.
    pub(super) fn anew(&self, revision: u64) {
        self.batches().clear();
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
        self.0.newest.send_replace(revision);
    }

    fn batches(&self) -> MutexGuard<'_, VecDeque<Arc<Batch>>> {
        self.0.batches.lock().expect("no code that can panic runs under this lock")
    }
}

fn parts(change: &Change) -> usize {
    1 + change.layers.len()
        + change.animations.len()
        + change.scenes.iter().map(|scene| scene.layers.len() + scene.animations.len()).sum::<usize>()
        + change.chat.len()
        + change.values.len()
}

/// Several batches as few changes that have the same effect.
pub fn merged(batches: &[Arc<Batch>]) -> Vec<Change> {
    folded(batches.iter().map(|batch| &batch.change))
}

fn folded<'c>(changes: impl Iterator<Item = &'c Change>) -> Vec<Change> {
    let mut folded: Vec<Change> = Vec::new();
    for change in changes {
        match folded.last_mut() {
            // A layer that is made again stands above those it is level with; one change can't say that.
            Some(last) if !change.layers.iter().any(|layer| last.removed.contains(&layer.id)) => {
                merge(last, change)
            }
            _ => folded.push(change.clone()),
        }
    }
    folded
}

/// Makes `all` the one change that has the effect of itself and then `next`.
fn merge(all: &mut Change, next: &Change) {
    all.revision = next.revision;
    if let Some(entered) = &next.entered {
        all.entered = Some(entered.clone());
        all.left = next.left;
        all.layers.clear();
        all.removed.clear();
        all.animations.clear();
        all.ended.clear();
    }
    all.left |= next.left;
    all.background = next.background.or(all.background);
    for layer in &next.layers {
        put(&mut all.layers, layer, |a, b| a.id == b.id);
    }
    for id in &next.removed {
        all.layers.retain(|layer| layer.id != *id);
        put(&mut all.removed, id, |a, b| a == b);
    }
    for score in &next.animations {
        all.ended.retain(|id| *id != score.animation.id);
        put(&mut all.animations, score, |a, b| a.animation.id == b.animation.id);
    }
    for id in &next.ended {
        all.animations.retain(|score| score.animation.id != *id);
        put(&mut all.ended, id, |a, b| a == b);
    }
    for scene in &next.scenes {
        all.scenes_removed.retain(|id| *id != scene.id);
        put(&mut all.scenes, scene, |a, b| a.id == b.id);
    }
    for id in &next.scenes_removed {
        all.scenes.retain(|scene| scene.id != *id);
        put(&mut all.scenes_removed, id, |a, b| a == b);
    }
    /// Messages a scene keeps.
    const CHAT: usize = 200;
    all.chat.extend(next.chat.iter().cloned());
    all.chat.drain(..all.chat.len().saturating_sub(CHAT));
    for (name, kept) in &next.values {
        all.values_removed.retain(|other| other != name);
        all.values.insert(name.clone(), kept.clone());
    }
    for name in &next.values_removed {
        all.values.remove(name);
        put(&mut all.values_removed, name, |a, b| a == b);
    }
}

/// In the place of the one it is the same as, or at the end.
fn put<T: Clone>(list: &mut Vec<T>, item: &T, same: impl Fn(&T, &T) -> bool) {
    match list.iter_mut().find(|other| same(other, item)) {
        Some(other) => *other = item.clone(),
        None => list.push(item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use scene::{Canvas, Command, Id, Store};
    use serde_json::json;

    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    /// Changes of many sorts, one after the other.
    fn history(store: &mut Store) -> Vec<Arc<Change>> {
        let text = |id: &str| json!({"id": id, "content": {"kind": "text", "text": id}});
        let mut count = 0;
        [
            Command::Create(text("a")),
            Command::Create(text("b")),
            Command::Patch { layer: id("a"), patch: json!({"opacity": 0.5}), if_match: None },
            Command::Animate {
                layer: id("a"),
                animation: json!({"id": "f", "preset": "fade", "duration": 9e6}),
            },
            Command::Delete { layer: id("b"), if_match: None },
            Command::Create(text("b")),
            Command::Cancel { layer: id("a"), animation: id("f") },
            Command::SetValues(json!({"values": {"x": 1, "y": 2}})),
            Command::SetValues(json!({"values": {"x": null, "y": 3}})),
            Command::Chat(json!({"text": "hi"})),
            Command::CreateScene(json!({"id": "s"})),
            Command::CreateScene(json!({"id": "t"})),
            Command::DeleteScene { scene: id("t"), if_match: None },
            Command::Activate { scene: id("s"), body: json!({}) },
            Command::Patch { layer: id("b"), patch: json!({"visible": false}), if_match: None },
            Command::Chat(json!({"text": "ho"})),
        ]
        .iter()
        .map(|command| {
            let mut ids = || {
                count += 1;
                id(&format!("id-{count}"))
            };
            Arc::new(
                store
                    .apply(command, 5.0, &mut ids)
                    .unwrap_or_else(|refusal| panic!("{command:?}: {refusal}")),
            )
        })
        .collect()
    }

    /// What a client knows that was sent this.
    fn replayed(store: &Store, changes: &[Change]) -> Value {
        let mut copy = store.clone();
        for change in changes {
            let text = text_of(&Change { revision: copy.revision() + 1, ..change.clone() });
            copy.replay(&Change::read(&serde_json::from_str(&text).unwrap()).unwrap()).unwrap();
        }
        let mut state = serde_json::to_value(copy.state()).unwrap();
        state["revision"] = json!(0);
        state
    }

    #[test]
    fn any_stretch_of_changes_as_one_has_the_effect_of_them_all() {
        let mut stores = vec![Store::new(Canvas::default(), 50)];
        let mut last = stores[0].clone();
        let changes = history(&mut last);
        for change in &changes {
            let mut next = stores.last().unwrap().clone();
            next.replay(change).unwrap();
            stores.push(next);
        }
        for from in 0..changes.len() {
            for to in from + 1..=changes.len() {
                let news = News::new(from as u64);
                news.add(&changes[from..to]);
                let batches = news.since(from as u64).unwrap();
                let all = merged(&batches);
                assert_eq!(all.last().unwrap().revision, to as u64);
                let mut expected = serde_json::to_value(stores[to].state()).unwrap();
                expected["revision"] = json!(0);
                assert_eq!(replayed(&stores[from], &all), expected, "{from} to {to}");
            }
        }
    }

    #[test]
    fn who_knows_a_revision_gets_the_rest_and_who_knows_another_is_told() {
        let changes = history(&mut Store::new(Canvas::default(), 50));
        let news = News::new(0);
        news.add(&changes[..3]);
        news.add(&changes[3..4]);
        // A layer that goes and is made again is two.
        news.add(&changes[4..9]);
        for (since, expected) in [
            (0, Ok(vec![3, 4, 5, 9])),
            (1, Ok(vec![3, 4, 5, 9])),
            (3, Ok(vec![4, 5, 9])),
            (9, Ok(vec![])),
            (10, Err(Missed)),
        ] {
            let found = news.since(since);
            let revisions = found.map(|found| found.iter().map(|batch| batch.change.revision).collect());
            assert_eq!(revisions, expected, "{since}");
        }
        news.anew(40);
        assert_eq!(news.since(9).unwrap_err(), Missed);
        assert!(news.since(40).unwrap().is_empty());
    }

    #[test]
    fn the_ring_has_a_bound() {
        let mut store = Store::new(Canvas::default(), 50);
        let news = News::new(0);
        let body = json!({"id": "a", "content": {"kind": "text", "text": "a"}});
        let mut no_ids = || id("unused");
        news.add(&[Arc::new(store.apply(&Command::Create(body), 0.0, &mut no_ids).unwrap())]);
        for _ in 0..News::MOST {
            let patch = Command::Patch { layer: id("a"), patch: json!({"opacity": 0.5}), if_match: None };
            news.add(&[Arc::new(store.apply(&patch, 0.0, &mut no_ids).unwrap())]);
        }
        assert_eq!(news.since(0).unwrap_err(), Missed);
        assert_eq!(news.since(1).unwrap().len(), News::MOST);
    }
}
