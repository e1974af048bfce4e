//! Reads the pictures of one stream: which pack, which screen, what it says.
//!
//! Remembers which pack and screen were there last (looked for first), where the HUD stood, and what each box showed: a box
//! whose samples did not change is not read again.

mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pixels::{I420, Quad};

use crate::geometry::Shift;
use crate::pack::{Accept, Pack, Region, Screen};
use crate::readers::{Line, Reader, Tools, motion, templates, text};
use crate::value::{Item, Read, Reading, Value};

use seen::Seen;

/// What is read less surely is read again, also where nothing changed.
const SURE: f32 = 0.85;

/// The memory of one stream. Cheap to make; belongs to that stream alone.
#[derive(Default)]
pub struct Session {
    /// The pack and screen that were there last.
    last: Option<(Arc<Pack>, usize)>,
    /// What the boxes of that screen showed.
    regions: Vec<Memory>,
    shift: Option<Shift>,
    /// Width and height of the last picture.
    size: (u32, u32),
}

#[derive(Default)]
struct Memory {
    seen: Seen,
    templates: templates::Memory,
    motion: Vec<motion::Memory>,
    text: Vec<text::Memory>,
    /// What was read when the box last changed.
    values: Vec<(Arc<str>, Read)>,
}

/// What came of one picture.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `None` when no gate accepted it, or what was read was not enough.
    pub reading: Option<Reading>,
    /// Where the boxes lay, for whoever draws them: id and box.
    pub boxes: Vec<(Arc<str>, Quad)>,
    /// How long the gates took and how long each region; unchanged ones are not in it.
    pub times: Vec<(Arc<str>, Duration)>,
    /// Regions that were not read again.
    pub unchanged: usize,
}

impl Session {
    /// The pack that accepted a picture last.
    #[must_use]
    pub fn pack(&self) -> Option<&Arc<Pack>> {
        self.last.as_ref().map(|(pack, _)| pack)
    }

    /// Reads `picture` with the first of `packs` whose gate accepts it; the one of the picture before is tried first.
    ///
    /// `clock` says how much time has passed since some fixed moment.
    pub fn read(
        &mut self,
        packs: &[Arc<Pack>],
        picture: &I420,
        tools: &mut Tools,
        clock: &dyn Fn() -> Duration,
    ) -> Outcome {
        let began = clock();
        if self.size != (picture.width, picture.height) {
            self.size = (picture.width, picture.height);
            self.regions.clear();
            self.shift = None;
        }
        let mut outcome = Outcome::default();
        let Some((pack, number, shift)) = self.find(packs, picture) else {
            outcome.times.push(("gate".into(), clock().saturating_sub(began)));
            return outcome;
        };
        outcome.times.push(("gate".into(), clock().saturating_sub(began)));
        let stays = |(last, screen): &(Arc<Pack>, usize)| Arc::ptr_eq(last, &pack) && *screen == number;
        if !self.last.as_ref().is_some_and(stays) || self.shift != Some(shift) {
            self.regions.clear();
        }
        self.last = Some((Arc::clone(&pack), number));
        self.shift = Some(shift);
        let screen = &pack.screens[number];
        self.regions.resize_with(screen.regions.len(), Memory::default);
        let mut values = BTreeMap::new();
        let readable = |region: &Region| picture.height >= region.min_lines;
        let regions = screen.regions.iter().zip(&mut self.regions).filter(|(region, _)| readable(region));
        for (region, memory) in regions {
            let began = clock();
            let place = |slot: &crate::pack::Slot| {
                let area = slot.spot.area(picture.width, picture.height);
                screen.layout.place(area, picture.width, picture.height, shift)
            };
            let quads: Vec<Quad> = region.slots.iter().map(place).collect();
            outcome.boxes.extend(quads.iter().map(|quad| (Arc::clone(&region.id), *quad)));
            // Motion is about what changed, so it looks each time.
            let always = matches!(region.reader, Reader::Motion(_));
            // Nor is a number that was read without being sure taken for the next reading: it would confirm itself.
            let sure = memory.values.iter().all(|(_, read)| read.confidence >= SURE || !counts(&read.value));
            if !always && memory.seen.unchanged(picture, &quads) && sure {
                outcome.unchanged += 1;
            } else {
                let unit = screen.layout.units(picture.width, picture.height);
                let unit = (unit.0 * shift.scale, unit.1 * shift.scale);
                memory.values = read(region, picture, &quads, unit, memory, tools);
                outcome.times.push((Arc::clone(&region.id), clock().saturating_sub(began)));
            }
            values.extend(memory.values.iter().cloned());
        }
        if accepted(&screen.accept, &values) {
            derive(&pack, &mut values);
            let (pack_version, screen) = (Arc::clone(&pack.version), Arc::clone(&screen.id));
            outcome.reading = Some(Reading { pack: Arc::clone(&pack.id), pack_version, screen, values });
        }
        outcome
    }

    /// The pack and the screen whose gate accepts the picture, and where the HUD is.
    fn find(&self, packs: &[Arc<Pack>], picture: &I420) -> Option<(Arc<Pack>, usize, Shift)> {
        if picture.width == 0 || picture.height == 0 {
            return None;
        }
        let fits = |screen: &Screen| {
            screen.aspects.is_none_or(|aspects| aspects.hold(picture.width, picture.height))
        };
        let looked = |pack: &Arc<Pack>, number: usize, last: Option<Shift>| {
            let screen = pack.screens.get(number).filter(|screen| fits(screen))?;
            let shift = screen.gate.find(picture, screen.layout, last)?;
            Some((Arc::clone(pack), number, shift))
        };
        let last = self.last.as_ref().filter(|(last, _)| packs.iter().any(|pack| Arc::ptr_eq(pack, last)));
        if let Some((pack, number)) = last
            && let Some(found) = looked(pack, *number, self.shift)
        {
            return Some(found);
        }
        let again = |pack: &Arc<Pack>, number: usize| {
            last.is_some_and(|(last, screen)| Arc::ptr_eq(last, pack) && *screen == number)
        };
        let all = packs.iter().flat_map(|pack| (0..pack.screens.len()).map(move |number| (pack, number)));
        all.filter(|(pack, number)| !again(pack, *number))
            .find_map(|(pack, number)| looked(pack, number, None))
    }
}

fn read(
    region: &Region,
    picture: &I420,
    quads: &[Quad],
    unit: (f32, f32),
    memory: &mut Memory,
    tools: &mut Tools,
) -> Vec<(Arc<str>, Read)> {
    // The id of one slot's value.
    let id = |slot: usize| match region.list {
        true => Arc::from(format!("{}.{slot}", region.id)),
        false => Arc::clone(&region.id),
    };
    let mut values = Vec::new();
    if let Reader::Templates(templates) = &region.reader {
        let found = templates.read(picture, quads, unit, &mut memory.templates);
        for (slot, found) in found.into_iter().enumerate() {
            let Some(templates::Match { item, confidence }) = found else { continue };
            let mut fields = item.fields.clone();
            fields.extend(region.slots[slot].fields.clone());
            let value = Value::Item(Arc::new(Item { fields, ..item }));
            values.push((id(slot), Read { value, confidence }));
        }
        return values;
    }
    for (slot, quad) in quads.iter().enumerate() {
        let mut shaped = |line: Option<Line>, shape: &crate::shape::Shape| {
            let Some(line) = line else { return };
            for (name, read) in shape.values(&line.text, line.confidence) {
                values.push((if region.list { id(slot) } else { name }, read));
            }
        };
        let (value, confidence) = match &region.reader {
            Reader::Templates(_) => continue,
            Reader::Text(text, shape) => {
                memory.text.resize_with(quads.len(), text::Memory::default);
                shaped(text.read(picture, quad, &mut memory.text[slot], &mut tools.text), shape);
                continue;
            }
            Reader::Digits(digits, shape) => {
                shaped(digits.read(picture, quad), shape);
                continue;
            }
            Reader::Color(color) => match color.read(picture, quad) {
                Some(line) => (Value::Text(line.text.into()), line.confidence),
                None => continue,
            },
            Reader::Bar(bar) => match bar.read(picture, quad) {
                Some((full, confidence)) => (Value::Real(f64::from(full)), confidence),
                None => continue,
            },
            Reader::Motion(motion) => {
                memory.motion.resize_with(quads.len(), motion::Memory::default);
                match motion.read(picture, quad, &mut memory.motion[slot]) {
                    Some(part) => (Value::Real(f64::from(part)), 1.0),
                    None => continue,
                }
            }
        };
        values.push((id(slot), Read { value, confidence }));
    }
    values
}

/// Whether rules count with it.
fn counts(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Clock { .. })
}

fn accepted(accept: &Accept, values: &BTreeMap<Arc<str>, Read>) -> bool {
    let has = |name: &String| values.contains_key(name.as_str());
    let items = |(list, least): (&String, &usize)| {
        let item = |id: &&Arc<str>| id.strip_prefix(list.as_str()).is_some_and(|rest| rest.starts_with('.'));
        values.keys().filter(item).count() >= *least
    };
    accept.all.iter().all(has)
        && (accept.any.is_empty() || accept.any.iter().any(has))
        && accept.items.iter().all(items)
}

fn derive(pack: &Pack, values: &mut BTreeMap<Arc<str>, Read>) {
    for (id, expr) in &pack.derived {
        if let Some(read) = expr.value(&|name| values.get(name)) {
            values.insert(Arc::clone(id), read);
        }
    }
}
