//! The layers of one stage at one moment, in drawing order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::animation::Playing;
use crate::animation::playing::Phase;
use crate::animation::property::{self, Path, SlotValue};
use crate::color::Color;
use crate::content::TextAt;
use crate::id::Id;
use crate::layer::Layer;
use crate::stage::{Entry, Stage};
use crate::template::{Bound, Datum, Known, Template, bound, write_datum};

/// Layers as they look at one moment.
#[derive(Clone, Debug, Default)]
pub struct List {
    items: Vec<Item>,
    index: BTreeMap<Id, usize>,
    /// Items by parent, zIndex and age.
    sorted: Vec<Key>,
    order: Vec<Place>,
    /// What the list was made of.
    animations: Vec<Arc<Playing>>,
    scratch: String,
}

/// When, as a count of evaluations, something about a layer last became other than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// What it shows: it must be rasterised again.
    pub content: u64,
    /// Its effects or its mask.
    pub effects: u64,
    /// Everything else: where it stands, how it is blended, whether it is visible.
    pub placement: u64,
}

/// One layer in drawing order.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'f> {
    pub layer: &'f Layer,
    pub versions: Versions,
    /// Groups it is in.
    pub depth: usize,
    /// How many of the layers that follow are inside it.
    pub inside: usize,
}

#[derive(Clone, Debug)]
struct Item {
    made: u64,
    base: Arc<Layer>,
    /// Its own copy, where anything is written into it.
    own: Option<Box<Layer>>,
    touched: Vec<Touched>,
    texts: Vec<TextSlot>,
    /// Its bindings of numbers and of visibility.
    bindings: Vec<(Target, Template, Option<f64>, Option<crate::template::Scalar>)>,
    versions: Versions,
    parent: Option<usize>,
    /// Not looked at since it was made.
    is_new: bool,
}

/// A number or colour that something writes.
#[derive(Clone, Debug)]
struct Touched {
    path: Path,
    base: SlotValue,
    next: SlotValue,
    shown: SlotValue,
}

#[derive(Clone, Debug)]
enum Target {
    Visible,
    Slot(usize),
}

/// A text with values in it.
#[derive(Clone, Debug)]
struct TextSlot {
    at: TextAt,
    template: Template,
    max_age: Option<f64>,
    otherwise: Option<String>,
    /// Shown when a binding's value is too old and nothing is said for that.
    base: String,
    is_binding: bool,
}

/// What the drawing order follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    parent: Option<usize>,
    z_index: i64,
    made: u64,
    item: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    item: usize,
    depth: usize,
    inside: usize,
}

impl List {
    /// In drawing order: those below first, each group right before what is in it. Invisible ones too, for they may be masks.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Drawn<'_>> {
        self.order.iter().map(|place| self.drawn(*place))
    }

    /// The `at`th in drawing order.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Drawn<'_>> {
        self.order.get(at).map(|place| self.drawn(*place))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Where a layer is in drawing order.
    #[must_use]
    pub fn position(&self, id: &Id) -> Option<usize> {
        let item = *self.index.get(id)?;
        self.order.iter().position(|place| place.item == item)
    }

    fn drawn(&self, place: Place) -> Drawn<'_> {
        let item = &self.items[place.item];
        Drawn { layer: item.layer(), versions: item.versions, depth: place.depth, inside: place.inside }
    }

    pub(super) fn evaluate(&mut self, stage: &Stage, known: &Known<'_>, number: u64) {
        self.follow(stage, number);
        for item in &mut self.items {
            for touched in &mut item.touched {
                touched.next = touched.base;
            }
            item.bind(known, number, &mut self.scratch);
        }
        for playing in &self.animations {
            let (Phase::At(time) | Phase::Over(time)) = playing.phase(known.now) else { continue };
            let Some(item) = self.index.get(&playing.score.animation.layer_id) else { continue };
            let item = &mut self.items[*item];
            for channel in playing.channels.iter() {
                if let Some(touched) = item.touched.iter_mut().find(|touched| touched.path == channel.path) {
                    touched.next = channel.value(time, touched.base);
                }
            }
        }
        for item in &mut self.items {
            item.write(number);
        }
        self.sort();
    }

    /// Takes over what the stage has become.
    fn follow(&mut self, stage: &Stage, number: u64) {
        let same_layers = self.items.len() == stage.len()
            && stage.entries().zip(&self.items).all(|(entry, item)| Arc::ptr_eq(&entry.layer, &item.base));
        let same_animations = self.animations.len() == stage.animations().len()
            && stage.animations().iter().zip(&self.animations).all(|(a, b)| Arc::ptr_eq(a, b));
        if same_layers && same_animations {
            return;
        }
        let same_set = self.items.len() == stage.len()
            && stage.entries().zip(&self.items).all(|(entry, item)| item.is_of(entry));
        if !same_set {
            let mut before: BTreeMap<Id, Item> =
                self.items.drain(..).map(|item| (item.base.id.clone(), item)).collect();
            self.index.clear();
            for entry in stage.entries() {
                let id = &entry.layer.id;
                self.index.insert(id.clone(), self.items.len());
                let known = before.remove(id).filter(|item| item.is_of(entry));
                self.items.push(known.unwrap_or_else(|| Item::new(entry, number)));
            }
        }
        if !same_animations {
            self.animations.clear();
            self.animations.extend(stage.animations().iter().cloned());
        }
        for (item, entry) in self.items.iter_mut().zip(stage.entries()) {
            if !same_animations || item.is_new || !Arc::ptr_eq(&item.base, &entry.layer) {
                let moves = self.animations.iter();
                let moves = moves.filter(|playing| playing.score.animation.layer_id == entry.layer.id);
                item.follow(entry, moves, number);
            }
            item.parent = entry.layer.parent.as_ref().and_then(|parent| self.index.get(parent).copied());
        }
    }

    /// Finds the drawing order.
    fn sort(&mut self) {
        self.sorted.clear();
        self.sorted.extend(self.items.iter().enumerate().map(|(index, item)| Key {
            parent: item.parent,
            z_index: item.layer().z_index,
            made: item.made,
            item: index,
        }));
        self.sorted.sort_unstable();
        self.order.clear();
        lay_out(&self.sorted, None, 0, &mut self.order);
    }
}

/// Lays out what is in a group, and what is in that. As deep as groups are, which the store bounds.
fn lay_out(sorted: &[Key], parent: Option<usize>, depth: usize, order: &mut Vec<Place>) {
    let first = sorted.partition_point(|key| key.parent < parent);
    for key in sorted[first..].iter().take_while(|key| key.parent == parent) {
        let at = order.len();
        order.push(Place { item: key.item, depth, inside: 0 });
        lay_out(sorted, Some(key.item), depth + 1, order);
        order[at].inside = order.len() - at - 1;
    }
}

impl Item {
    fn new(entry: &Entry, number: u64) -> Self {
        Self {
            made: entry.made,
            base: Arc::clone(&entry.layer),
            own: None,
            touched: Vec::new(),
            texts: Vec::new(),
            bindings: Vec::new(),
            versions: Versions { content: number, effects: number, placement: number },
            parent: None,
            is_new: true,
        }
    }

    /// Whether it stands for this layer, and not for another one of the same name.
    fn is_of(&self, entry: &Entry) -> bool {
        self.made == entry.made && self.base.id == entry.layer.id
    }

    fn layer(&self) -> &Layer {
        self.own.as_deref().unwrap_or(&self.base)
    }

    /// Takes over a layer and its animations as they now are.
    fn follow<'p>(&mut self, entry: &Entry, moves: impl Iterator<Item = &'p Arc<Playing>>, number: u64) {
        let own_before = self.own.take();
        let base_before = std::mem::replace(&mut self.base, Arc::clone(&entry.layer));
        let shown = own_before.as_deref().unwrap_or(&base_before);
        self.is_new = false;
        self.touched.clear();
        self.texts.clear();
        self.bindings.clear();
        let mut moves = moves.peekable();
        let has_templates = self.base.content.texts().any(|(_, text)| Template::is_one(text));
        if moves.peek().is_some() || has_templates || !self.base.bind.is_empty() {
            let mut own = Box::new((*self.base).clone());
            for channel in moves.flat_map(|playing| playing.channels.iter()) {
                self.touch(&channel.path, &mut own);
            }
            self.find_bindings(&mut own);
            self.go_on(&mut own, shown);
            self.own = Some(own);
        }
        self.compare(shown, number);
    }

    /// Lets what is written show what it showed until it is written anew, so that only what differs counts as changed.
    fn go_on(&mut self, own: &mut Layer, shown: &Layer) {
        let mut before = shown.clone();
        for touched in &mut self.touched {
            if let Some(value) = property::get(&mut before, &touched.path)
                && std::mem::discriminant(&value) == std::mem::discriminant(&touched.base)
            {
                property::set(own, &touched.path, value);
                touched.shown = value;
            }
        }
        for text in &self.texts {
            if let (Some(before), Some(own)) =
                (before.content.text_mut(text.at), own.content.text_mut(text.at))
            {
                std::mem::swap(before, own);
            }
        }
        if self.bindings.iter().any(|(target, ..)| matches!(target, Target::Visible)) {
            own.visible = shown.visible;
        }
    }

    /// Counts what is other than it was shown.
    fn compare(&mut self, shown: &Layer, number: u64) {
        let layer = self.own.as_deref().unwrap_or(&self.base);
        let mut versions = self.versions;
        if layer.content != shown.content {
            versions.content = number;
        }
        if layer.effects != shown.effects || layer.mask != shown.mask {
            versions.effects = number;
        }
        let placed = |layer: &Layer| {
            (
                layer.z_index,
                layer.visible,
                layer.opacity,
                layer.blend_mode,
                layer.transform,
                layer.parent.clone(),
            )
        };
        if placed(layer) != placed(shown) {
            versions.placement = number;
        }
        self.versions = versions;
    }

    /// The place of a path among those that are written.
    fn touch(&mut self, path: &Path, probe: &mut Layer) -> Option<usize> {
        if let Some(known) = self.touched.iter().position(|touched| touched.path == *path) {
            return Some(known);
        }
        let base = property::get(probe, path)?;
        self.touched.push(Touched { path: path.clone(), base, next: base, shown: base });
        Some(self.touched.len() - 1)
    }

    fn find_bindings(&mut self, probe: &mut Layer) {
        let layer = Arc::clone(&self.base);
        for (at, text) in layer.content.texts() {
            if let Some(template) = Template::is_one(text).then(|| Template::parse(text)).flatten() {
                let base = text.clone();
                let slot = TextSlot { at, template, max_age: None, otherwise: None, base, is_binding: false };
                self.texts.push(slot);
            }
        }
        for (name, binding) in &layer.bind {
            let (Some(bound), Some(template)) = (bound(name, probe), Template::parse(&binding.value)) else {
                continue;
            };
            let max_age = binding.max_age.map(|seconds| seconds * 1000.0);
            let target = match bound {
                Bound::Visible => Target::Visible,
                Bound::Slot(path) => match self.touch(&path, probe) {
                    Some(slot) => Target::Slot(slot),
                    None => continue,
                },
                Bound::Text(at) => {
                    let mut otherwise = String::new();
                    if let Some(scalar) = &binding.otherwise {
                        write_datum(scalar.as_datum(), &mut otherwise);
                    }
                    let otherwise = binding.otherwise.as_ref().map(|_| otherwise);
                    let base = probe.content.text_mut(at).cloned().unwrap_or_default();
                    self.texts.retain(|text| text.at != at);
                    self.texts.push(TextSlot { at, template, max_age, otherwise, base, is_binding: true });
                    continue;
                }
            };
            self.bindings.push((target, template, max_age, binding.otherwise.clone()));
        }
    }

    /// Looks up what is bound.
    fn bind(&mut self, known: &Known<'_>, number: u64, scratch: &mut String) {
        let Some(own) = self.own.as_deref_mut() else { return };
        for text in &self.texts {
            if !text.is_binding || text.template.is_fresh(known, text.max_age) {
                text.template.write(known, scratch);
            } else {
                text.otherwise.as_ref().unwrap_or(&text.base).clone_into(scratch);
            }
            if !own.content.takes(text.at, scratch) {
                text.base.clone_into(scratch);
            }
            if let Some(shown) = own.content.text_mut(text.at)
                && shown != scratch
            {
                scratch.clone_into(shown);
                self.versions.content = number;
            }
        }
        for (target, template, max_age, otherwise) in &self.bindings {
            let fresh = template.is_fresh(known, *max_age).then(|| template.only(known)).flatten();
            let datum = fresh.or_else(|| otherwise.as_ref().map(|scalar| scalar.as_datum()));
            match target {
                Target::Visible => {
                    let visible = datum.and_then(as_flag).unwrap_or(self.base.visible);
                    if own.visible != visible {
                        own.visible = visible;
                        self.versions.placement = number;
                    }
                }
                Target::Slot(slot) => {
                    let touched = &mut self.touched[*slot];
                    touched.next =
                        datum.and_then(|datum| as_slot(datum, touched.base)).unwrap_or(touched.base);
                }
            }
        }
    }

    /// Writes what is other than it was.
    fn write(&mut self, number: u64) {
        let Some(own) = self.own.as_deref_mut() else { return };
        for touched in &mut self.touched {
            if touched.next == touched.shown {
                continue;
            }
            touched.shown = touched.next;
            property::set(own, &touched.path, touched.next);
            match &*touched.path[0] {
                "content" => self.versions.content = number,
                "effects" => self.versions.effects = number,
                _ => self.versions.placement = number,
            }
        }
    }
}

fn as_flag(datum: Datum<'_>) -> Option<bool> {
    match datum {
        Datum::Flag(flag) => Some(flag),
        Datum::Number(number) => Some(number != 0.0),
        Datum::Text("true") => Some(true),
        Datum::Text("false" | "") => Some(false),
        Datum::Text(_) => None,
    }
}

/// A value as what its slot takes; `None` if it is of another kind.
fn as_slot(datum: Datum<'_>, like: SlotValue) -> Option<SlotValue> {
    match (datum, like) {
        (Datum::Number(number), SlotValue::Number(_)) => Some(SlotValue::Number(number)),
        (Datum::Flag(flag), SlotValue::Number(_)) => Some(SlotValue::Number(f64::from(u8::from(flag)))),
        (Datum::Text(text), SlotValue::Number(_)) => {
            text.trim().parse().ok().filter(|number: &f64| number.is_finite()).map(SlotValue::Number)
        }
        (Datum::Text(text), SlotValue::Color(_)) => Color::parse(text).map(SlotValue::Color),
        _ => None,
    }
}
