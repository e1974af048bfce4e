//! A stage: one set of layers and what moves them, in the order in which they were made.
//!
//! Owned by the store, which changes it by whole [`crate::Change`]s. Knows which animation has the say over a number at
//! a time: the one that began last.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::animation::Playing;
use crate::animation::playing::{Channel, Phase};
use crate::animation::property;
use crate::id::Id;
use crate::layer::Layer;

/// Layers and animations that are shown together.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    layers: BTreeMap<Id, Entry>,
    made: u64,
    /// By when they begin; those that begin together by when they were made.
    animations: Vec<Arc<Playing>>,
    next_event: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Rises with each layer that is made.
    pub(crate) made: u64,
    pub(crate) layer: Arc<Layer>,
}

/// What happens to animations by themselves.
pub(crate) enum Event<'s> {
    /// It is over, and its last values belong to the layer.
    Over(&'s Arc<Playing>),
    /// It has begun, and earlier ones lose what it writes.
    Begun(&'s Arc<Playing>),
}

impl Default for Stage {
    fn default() -> Self {
        Self { layers: BTreeMap::new(), made: 0, animations: Vec::new(), next_event: f64::INFINITY }
    }
}

impl Stage {
    pub(crate) fn layer(&self, id: &Id) -> Option<&Arc<Layer>> {
        self.layers.get(id).map(|entry| &entry.layer)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.layers.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// Those below first; those that are level in the order in which they were made.
    pub(crate) fn in_order(&self) -> Vec<&Arc<Layer>> {
        let mut entries: Vec<_> = self.layers.values().collect();
        entries.sort_by_key(|entry| (entry.layer.z_index, entry.made));
        entries.into_iter().map(|entry| &entry.layer).collect()
    }

    /// In the order in which they were made.
    pub(crate) fn as_made(&self) -> Vec<Arc<Layer>> {
        let mut entries: Vec<_> = self.layers.values().collect();
        entries.sort_by_key(|entry| entry.made);
        entries.into_iter().map(|entry| Arc::clone(&entry.layer)).collect()
    }

    pub(crate) fn top(&self) -> Option<i64> {
        self.layers.values().map(|entry| entry.layer.z_index).max()
    }

    pub(crate) fn animations(&self) -> &[Arc<Playing>] {
        &self.animations
    }

    pub(crate) fn animation(&self, id: &Id) -> Option<&Arc<Playing>> {
        self.animations.iter().find(|playing| playing.score.animation.id == *id)
    }

    pub(crate) fn animations_of<'s>(&'s self, layer: &'s Id) -> impl Iterator<Item = &'s Arc<Playing>> {
        self.animations.iter().filter(move |playing| playing.score.animation.layer_id == *layer)
    }

    pub(crate) fn put_layer(&mut self, layer: Arc<Layer>) {
        let made = self.layers.get(&layer.id).map_or(self.made, |entry| entry.made);
        self.made += u64::from(made == self.made);
        self.layers.insert(layer.id.clone(), Entry { made, layer });
    }

    pub(crate) fn remove_layer(&mut self, id: &Id) {
        self.layers.remove(id);
    }

    pub(crate) fn put_animation(&mut self, playing: Arc<Playing>) {
        self.animations.retain(|other| other.score.animation.id != playing.score.animation.id);
        let at = self.animations.partition_point(|other| other.begins() <= playing.begins());
        self.animations.insert(at, playing);
    }

    pub(crate) fn remove_animation(&mut self, id: &Id) {
        self.animations.retain(|playing| playing.score.animation.id != *id);
    }

    /// A layer as its animations show it at a time.
    pub(crate) fn seen(&self, id: &Id, now: f64) -> Option<Layer> {
        let own = self.layer(id)?;
        let mut seen = (**own).clone();
        let mut probe = (**own).clone();
        for playing in self.animations_of(id) {
            if let Phase::At(time) | Phase::Over(time) = playing.phase(now) {
                for channel in playing.channels.iter() {
                    if let Some(base) = property::get(&mut probe, &channel.path) {
                        property::set(&mut seen, &channel.path, channel.value(time, base));
                    }
                }
            }
        }
        Some(seen)
    }

    /// Looks again when something happens next; due after animations have changed.
    pub(crate) fn plan_events(&mut self) {
        let mut next = f64::INFINITY;
        for (index, playing) in self.animations.iter().enumerate() {
            next = next.min(playing.ends());
            if self.loses_to(index).next().is_some() {
                next = next.min(playing.begins());
            }
        }
        self.next_event = next;
    }

    /// When an animation is over or takes something from another, in ms of program time.
    pub(crate) fn next_event(&self) -> f64 {
        self.next_event
    }

    /// What happens first, if it has happened by `now`.
    pub(crate) fn event(&self, now: f64) -> Option<Event<'_>> {
        let mut first: Option<(f64, Event<'_>)> = None;
        let mut offer = |at: f64, event| {
            if at <= now && first.as_ref().is_none_or(|(known, _)| at < *known) {
                first = Some((at, event));
            }
        };
        for (index, playing) in self.animations.iter().enumerate() {
            if self.loses_to(index).next().is_some() {
                offer(playing.begins(), Event::Begun(playing));
            }
            offer(playing.ends(), Event::Over(playing));
        }
        first.map(|(_, event)| event)
    }

    /// The animations that began before the one at `index` and write something that it writes too.
    pub(crate) fn loses_to(&self, index: usize) -> impl Iterator<Item = &Arc<Playing>> {
        let playing = &self.animations[index];
        self.animations[..index].iter().filter(move |other| {
            other.score.animation.layer_id == playing.score.animation.layer_id
                && other.channels.iter().any(|channel| writes(playing, channel))
        })
    }

    pub(crate) fn index_of(&self, playing: &Arc<Playing>) -> usize {
        self.animations.iter().position(|other| Arc::ptr_eq(other, playing)).unwrap_or_default()
    }
}

/// Whether an animation writes what this channel of another writes.
pub(crate) fn writes(playing: &Playing, channel: &Channel) -> bool {
    playing.channels.iter().any(|own| own.path == channel.path)
}
