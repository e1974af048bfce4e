//! Who is in which group and who masks whom: what is named is there, and nothing leads back to itself.

use std::collections::{HashMap, HashSet};

use super::draft::Draft;
use super::refusal::Refusal;
use crate::content::Content;
use crate::id::Id;
use crate::layer::Layer;
use crate::read::Problem;

/// Groups within groups.
const DEEPEST: usize = 16;

impl Draft<'_> {
    /// Looks at parents and masks, if any of them are other than before.
    pub(super) fn check_graph(&self) -> Result<(), Refusal> {
        if !self.rewired {
            return Ok(());
        }
        let graph = Graph::new(self.layers().map(|layer| &**layer));
        let mut problems = Vec::new();
        for layer in &self.change.layers {
            let mut wrong = |field: &str, message: String| {
                problems.push(Problem { field: self.place(&layer.id).field(field), message });
            };
            if let Some((field, message)) = graph.wrong(layer, &|id| self.layers_changed(id)) {
                wrong(field, message);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }
}

struct Graph<'l> {
    layers: HashMap<&'l Id, &'l Layer>,
    children: HashMap<&'l Id, Vec<&'l Id>>,
}

impl<'l> Graph<'l> {
    fn new(layers: impl Iterator<Item = &'l Layer>) -> Self {
        let layers: HashMap<_, _> = layers.map(|layer| (&layer.id, layer)).collect();
        let mut children: HashMap<&Id, Vec<&Id>> = HashMap::new();
        for layer in layers.values() {
            if let Some(parent) = &layer.parent {
                children.entry(parent).or_default().push(&layer.id);
            }
        }
        Self { layers, children }
    }

    /// What is wrong with a layer's place among the others. Of a wrong parent its children speak, if they are `changed`.
    fn wrong(&self, layer: &Layer, changed: &dyn Fn(&Id) -> bool) -> Option<(&'static str, String)> {
        let mut children = self.children.get(&layer.id).into_iter().flatten();
        if !matches!(layer.content, Content::Group(_))
            && let Some(child) = children.find(|child| !changed(child))
        {
            return Some(("content.kind", format!("must stay a group while '{child}' has it as its parent")));
        }
        if let Some(parent) = &layer.parent {
            match self.layers.get(parent) {
                Some(parent) if matches!(parent.content, Content::Group(_)) => {}
                Some(_) => return Some(("parent", format!("must be a group, which '{parent}' is not"))),
                None => return Some(("parent", "must be the id of a group that is there".to_owned())),
            }
        }
        let mask = layer.mask.as_ref().and_then(|mask| mask.layer_id.as_ref());
        if let Some(mask) = mask
            && !self.layers.contains_key(mask)
        {
            return Some(("mask.layerId", "must be the id of a layer that is there".to_owned()));
        }
        if self.needs_itself(&layer.id) {
            let field = if mask.is_some() && layer.parent.is_none() { "mask.layerId" } else { "parent" };
            return Some((field, "must not lead back to this layer, by groups and masks".to_owned()));
        }
        let depth = std::iter::successors(layer.parent.as_ref(), |id| self.layers.get(id)?.parent.as_ref())
            .take(DEEPEST + 1)
            .count();
        (depth + self.height(&layer.id, DEEPEST) > DEEPEST)
            .then(|| ("parent", format!("must not be more than {DEEPEST} groups deep")))
    }

    /// Whether drawing a layer needs that layer: a group needs what is in it, a masked layer its mask.
    fn needs_itself(&self, id: &Id) -> bool {
        let (mut open, mut seen) = (vec![id], HashSet::new());
        while let Some(at) = open.pop() {
            let mask = self.layers.get(at).and_then(|layer| layer.mask.as_ref()?.layer_id.as_ref());
            for next in mask.into_iter().chain(self.children.get(at).into_iter().flatten().copied()) {
                if next == id {
                    return true;
                }
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// Groups below a layer, counted no further than `most`. There are no circles: the caller has looked.
    fn height(&self, id: &Id, most: usize) -> usize {
        let children = self.children.get(id).into_iter().flatten();
        if most == 0 { 0 } else { children.map(|child| 1 + self.height(child, most - 1)).max().unwrap_or(0) }
    }
}
