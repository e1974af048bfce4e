//! Which picture of a set is in each slot.
//!
//! Called by the session. What is compared is brightness without its mean and contrast, so a grey or dimmed picture is
//! known like a bright one, and one with a covered corner like a whole one. All slots are looked at together: what is off is off in all of them alike, and a picture is
//! in two slots only if nothing else comes near. A slot may show nothing that is known; then it is left out.

mod assign;
mod cells;
mod field;
mod set;

use std::sync::Arc;

use pixels::correlate::{against, dot};
use pixels::{I420, Quad};

use crate::raw;
use crate::value::Item;

use cells::{Cells, alike};
use field::{Field, Place};
use set::{COARSE_LEN, FINE_LEN};

pub(crate) use set::luma;
pub use set::{Set, SetItem, Wanted};

/// How many pictures the coarse patch leaves for the fine one.
const SHORTLIST: usize = 12;
/// Standard deviation of brightness below which a slot shows nothing, and that below which noise is a part of what it shows:
/// such a slot must be as alike as that.
const CONTRAST: (f32, f32, f32) = (8.0, 12.0, 0.85);
/// What a slot must have above the limits so that others may trust the place where it was found.
const SURE: (f32, f32) = (0.1, 0.08);
/// The margin that is enough, in parts of what keeps the better one from being the same; the least and the most of it, in parts
/// of the least margin of the reader.
const CLEAR: (f32, f32, f32) = (0.4, 0.17, 2.0);

/// The reader.
#[derive(Debug)]
pub struct Templates {
    pub set: Arc<Set>,
    min_score: f32,
    min_margin: f32,
    /// Across and down, in units of the pack.
    search: [f32; 2],
    unique: bool,
}

/// What a stream's slots showed before: tried first. One for each region and stream.
#[derive(Debug, Default)]
pub struct Memory {
    slots: Vec<Option<Known>>,
}

/// What a slot showed, and where in its field.
#[derive(Clone, Copy, Debug)]
struct Known {
    item: usize,
    score: f32,
    place: Place,
}

/// What is in a slot.
#[derive(Clone, Debug)]
pub struct Match {
    pub item: Item,
    /// 0 to 1, calibrated: how often such a score and margin is right.
    pub confidence: f32,
}

/// A picture that a slot may show.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    picture: usize,
    item: usize,
    score: f32,
    place: Place,
}

/// Memory that is used again from slot to slot.
#[derive(Default)]
struct Scratch {
    patch: Vec<f32>,
    scores: Vec<f32>,
    /// The best coarse score of each picture, and where.
    best: Vec<(f32, Place)>,
    order: Vec<usize>,
    fine: Vec<Fine>,
}

/// A field's fine patch at a place.
struct Fine {
    place: Place,
    patch: Vec<f32>,
    cells: Cells,
    contrast: f32,
}

impl Fine {
    fn new(field: &Field, place: Place) -> Self {
        let mut patch = Vec::with_capacity(FINE_LEN);
        let contrast = field.fine(place, &mut patch);
        Self { place, cells: Cells::of(&patch), patch, contrast }
    }
}

impl Templates {
    #[must_use]
    pub fn new(raw: &raw::Templates, set: Arc<Set>) -> Self {
        let raw::Templates { min_score, min_margin, search, unique, .. } = *raw;
        Self { set, min_score, min_margin, search, unique }
    }

    /// One answer for each slot; `None` is nothing there, or nothing sure. `unit` are the pixels of one unit of the pack,
    /// across and down.
    pub fn read(
        &self,
        picture: &I420,
        slots: &[Quad],
        unit: (f32, f32),
        memory: &mut Memory,
    ) -> Vec<Option<Match>> {
        if self.set.pictures.is_empty() {
            return vec![None; slots.len()];
        }
        let search = (self.search[0] * unit.0, self.search[1] * unit.1);
        let fields: Vec<Option<Field>> =
            slots.iter().map(|quad| Field::take(&picture.y, quad, search)).collect();
        memory.slots.resize(slots.len(), None);
        let candidates = self.look(&fields, &memory.slots);
        let chosen = self.choose(&candidates);
        let mut matches = Vec::with_capacity(slots.len());
        for ((candidates, chosen), known) in candidates.iter().zip(chosen).zip(&mut memory.slots) {
            let found = chosen.map(|(number, margin)| (candidates[number], margin));
            if let Some((Candidate { item, score, place, .. }, margin)) = found
                && self.sure(score, margin)
            {
                *known = Some(Known { item, score, place });
            }
            matches.push(found.map(|(candidate, margin)| self.answer(&candidate, margin)));
        }
        matches
    }

    /// What each slot may show, the likeliest first.
    fn look(&self, fields: &[Option<Field>], known: &[Option<Known>]) -> Vec<Vec<Candidate>> {
        let mut scratch = Scratch::default();
        let mut candidates: Vec<Vec<Candidate>> = vec![Vec::new(); fields.len()];
        let mut anchors: Vec<Option<Place>> = vec![None; fields.len()];
        for (slot, (field, known)) in fields.iter().zip(known).enumerate() {
            if let (Some(field), Some(known)) = (field, known) {
                let found = self.candidates(field, std::iter::once(known.place), &mut scratch);
                let same = |first: &Candidate| first.item == known.item && first.score > known.score - 0.1;
                if self.sure_of(&found) && found.first().is_some_and(same) {
                    anchors[slot] = Some(known.place);
                    candidates[slot] = found;
                }
            }
        }
        let open = |anchors: &[Option<Place>]| -> Vec<usize> {
            (0..fields.len()).filter(|slot| anchors[*slot].is_none()).collect()
        };
        if anchors.iter().all(Option::is_none) {
            for slot in open(&anchors) {
                let Some(field) = &fields[slot] else { continue };
                candidates[slot] = self.candidates(field, field.places(), &mut scratch);
                anchors[slot] = candidates[slot]
                    .first()
                    .filter(|_| self.sure_of(&candidates[slot]))
                    .map(|first| first.place);
            }
        }
        // What is unclear by itself is looked for where its neighbours are; they tell nothing when they are unclear, too.
        let sure = anchors.clone();
        for slot in open(&anchors) {
            let Some(field) = &fields[slot] else { continue };
            let near = (0..fields.len())
                .filter(|other| sure[*other].is_some())
                .min_by_key(|other| slot.abs_diff(*other));
            if let Some(place) = near.and_then(|other| sure[other]) {
                candidates[slot] = self.candidates(field, std::iter::once(place), &mut scratch);
            }
        }
        candidates
    }

    /// The pictures most alike to what `field` shows at one of `places` or a sample off: the best of each item, the likeliest first.
    fn candidates(
        &self,
        field: &Field,
        places: impl Iterator<Item = Place>,
        scratch: &mut Scratch,
    ) -> Vec<Candidate> {
        let set = &*self.set;
        scratch.best.clear();
        scratch.best.resize(set.pictures.len(), (f32::MIN, field.middle()));
        for place in places {
            field.coarse(place, &mut scratch.patch);
            against(&scratch.patch, &set.coarse, &mut scratch.scores);
            for (best, score) in scratch.best.iter_mut().zip(&scratch.scores) {
                if *score > best.0 {
                    *best = (*score, place);
                }
            }
        }
        let Scratch { best, order, fine, .. } = scratch;
        order.clear();
        order.extend(0..best.len());
        let shortlist = SHORTLIST.min(order.len());
        if shortlist < order.len() {
            order.select_nth_unstable_by(shortlist, |one, other| best[*other].0.total_cmp(&best[*one].0));
        }
        fine.clear();
        let mut found: Vec<Candidate> = Vec::new();
        for &picture in &order[..shortlist] {
            let template = &set.fine[picture * FINE_LEN..][..FINE_LEN];
            let item = set.pictures[picture].item;
            let mut first = Candidate { picture, item, score: f32::MIN, place: best[picture].1 };
            let mut at_first = 0;
            for place in field.around(best[picture].1) {
                let at = fine.iter().position(|known| known.place == place).unwrap_or_else(|| {
                    fine.push(Fine::new(field, place));
                    fine.len() - 1
                });
                let score = dot(&fine[at].patch, template);
                if score > first.score {
                    (first.score, first.place, at_first) = (score, place, at);
                }
            }
            let Fine { patch, cells, contrast, .. } = &fine[at_first];
            let alike = || alike((patch, cells), (template, &set.cells[picture]));
            first.score = match *contrast {
                contrast if contrast < CONTRAST.0 => 0.0,
                contrast if contrast < CONTRAST.1 => {
                    Some(alike()).filter(|alike| *alike >= CONTRAST.2).unwrap_or(0.0)
                }
                _ => alike(),
            };
            match found.iter_mut().find(|other| other.item == first.item) {
                Some(other) if other.score >= first.score => {}
                Some(other) => *other = first,
                None => found.push(first),
            }
        }
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found
    }

    /// For each slot which candidate it is and its margin over the others.
    fn choose(&self, candidates: &[Vec<Candidate>]) -> Vec<Option<(usize, f32)>> {
        let choices: Vec<Vec<(usize, f32)>> = candidates
            .iter()
            .map(|candidates| candidates.iter().map(|candidate| (candidate.item, candidate.score)).collect())
            .collect();
        let taken: Vec<Option<usize>> = if self.unique {
            assign::assign(&choices, self.min_score)
        } else {
            choices.iter().map(|choices| (!choices.is_empty()).then_some(0)).collect()
        };
        let item = |slot: usize| taken[slot].map(|number| candidates[slot][number].item);
        let elsewhere = |slot: usize, other: &Candidate| {
            self.unique
                && (0..taken.len()).any(|another| another != slot && item(another) == Some(other.item))
        };
        (0..candidates.len())
            .map(|slot| {
                let number = taken[slot]?;
                let (all, chosen) = (&candidates[slot], &candidates[slot][number]);
                let rival = all.iter().find(|other| other.item != chosen.item && !elsewhere(slot, other));
                // Less sure when the best is left to another slot.
                let margin =
                    chosen.score - rival.map_or(0.0, |rival| rival.score) - (all[0].score - chosen.score);
                let margin = self.weighed(chosen.score, margin);
                (chosen.score >= self.min_score && margin >= self.min_margin).then_some((number, margin))
            })
            .collect()
    }

    /// A margin as it would be of pictures that are less alike: what is nearly the same as one is not another that is a little
    /// less so.
    fn weighed(&self, score: f32, margin: f32) -> f32 {
        let (part, least, most) = CLEAR;
        let enough = (part * (1.0 - score)).clamp(least * self.min_margin, most * self.min_margin);
        if enough > 0.0 { margin * self.min_margin / enough } else { margin }
    }

    fn sure(&self, score: f32, margin: f32) -> bool {
        score >= self.min_score + SURE.0 && margin >= self.min_margin + SURE.1
    }

    fn sure_of(&self, candidates: &[Candidate]) -> bool {
        let score = |number: usize| candidates.get(number).map_or(0.0, |candidate| candidate.score);
        self.sure(score(0), self.weighed(score(0), score(0) - score(1)))
    }

    fn answer(&self, candidate: &Candidate, margin: f32) -> Match {
        let picture = &self.set.pictures[candidate.picture];
        let item = &self.set.items[picture.item];
        let (tag, variant, fields) =
            (Arc::clone(&item.tag), Arc::clone(&picture.variant), item.fields.clone());
        let item = Item { tag, variant, score: candidate.score.clamp(0.0, 1.0), fields };
        Match { item, confidence: confidence(candidate.score, margin) }
    }
}

/// How often a picture of that score and margin is the right one: a logistic curve through what drawn pictures gave.
fn confidence(score: f32, margin: f32) -> f32 {
    let sure = 6.0 * (score - 0.55) + 16.0 * (margin - 0.05) - 0.7;
    1.0 / (1.0 + (-sure).exp())
}

const _: () = assert!(COARSE_LEN.is_multiple_of(16) && FINE_LEN.is_multiple_of(16));
