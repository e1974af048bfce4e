//! From what is written to what can be used, with every mistake found on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Accept, FORMAT, Pack, Region, Screen, Slot};
use crate::expr::Expr;
use crate::files::{Files, stays_inside};
use crate::gate::Gate;
use crate::geometry::{Area, Aspects, Layout, Spot};
use crate::problem::{Problem, Source};
use crate::raw;
use crate::readers::digits::{Digits, Font};
use crate::readers::templates::{Set, Templates};
use crate::readers::{Reader, bar, color, motion, text};
use crate::rules::Ruleset;
use crate::shape::Shape;

/// The file a pack is written in.
const FILE: &str = "pack.toml";
/// The most bytes of it.
const MOST: usize = 1 << 20;

/// Collects mistakes by their path.
struct Found<'a> {
    source: Source<'a>,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn wrong(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(self.source.problem(path, message));
    }

    /// What was right, or its mistake at `path`.
    fn take<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.wrong(path, message)).ok()
    }
}

pub(super) fn load(files: &dyn Files, data: &dyn Files) -> Result<Pack, Vec<Problem>> {
    let whole = |message: String| vec![Problem { file: FILE.to_owned(), line: 1, column: 1, message }];
    let bytes = files.read(FILE).map_err(|e| whole(format!("can't be read: {e}")))?;
    if bytes.len() > MOST {
        return Err(whole(format!("has {} bytes; {MOST} are the most", bytes.len())));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| whole(format!("is not UTF-8: {e}")))?;
    let source = Source { file: FILE, text };
    let raw: raw::Pack = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(e) => {
            let at = e.span().map_or(0, |span| span.start);
            return Err(vec![source.at(at, e.message())]);
        }
    };
    let mut found = Found { source, problems: Vec::new() };
    let pack = pack(&raw, files, data, &mut found);
    match pack {
        Some(pack) if found.problems.is_empty() => Ok(pack),
        _ => Err(found.problems),
    }
}

fn pack(raw: &raw::Pack, files: &dyn Files, data: &dyn Files, found: &mut Found<'_>) -> Option<Pack> {
    head(raw, found);
    let mut notes = Vec::new();
    let mut sets = BTreeMap::new();
    let mut fetches = BTreeMap::new();
    for (name, set) in &raw.sets {
        let path = format!("set.{name}");
        for (key, file) in [("items", &set.items), ("folder", &set.folder)] {
            if !stays_inside(file) {
                found.wrong(
                    &format!("{path}.{key}"),
                    format!("{file:?} must be a name inside the pack's folder"),
                );
            }
        }
        let Some(loaded) = found.take(&path, Set::load(set, files, data)) else { continue };
        if loaded.missing() > 0 {
            let (missing, all, id) = (loaded.missing(), loaded.items.len(), &raw.id);
            notes.push(format!(
                "{name}: no picture of {missing} of {all}; get them with: onair pack fetch {id}"
            ));
        }
        if let Some(fetch) = &set.fetch
            && let Some(wanted) = found.take(&format!("{path}.fetch"), loaded.wanted(set, fetch, files))
        {
            fetches.insert(name.clone(), wanted);
        }
        sets.insert(name.as_str(), Arc::new(loaded));
    }
    let fonts = fonts(raw, files, found);
    let reference = raw.reference.map_or((1.0, 1.0), |[width, height]| (width, height));
    let kit = Kit { reference, sets, fonts, files };
    let screens = screens(raw, &kit, found)?;
    let mut known = known(&screens);
    let derived = derived(&raw.values, &mut known, found);
    let ids: Vec<Arc<str>> = known.into_iter().collect();
    let rules = match Ruleset::new(&raw.rules, &raw.events, &ids) {
        Ok(rules) => Some(rules),
        Err(wrong) => {
            wrong.into_iter().for_each(|(path, message)| found.wrong(&path, message));
            None
        }
    };
    for (number, screen) in raw.rules.screens.iter().enumerate() {
        if !screens.iter().any(|known| *known.id == **screen) {
            found.wrong(&format!("rules.screens[{number}]"), format!("there is no screen {screen:?}"));
        }
    }
    Some(Pack {
        id: raw.id.as_str().into(),
        name: raw.name.clone(),
        version: raw.version.as_str().into(),
        description: raw.description.clone(),
        screens,
        derived: derived?,
        rules: rules?,
        notes,
        fetches,
    })
}

fn fonts<'a>(raw: &'a raw::Pack, files: &dyn Files, found: &mut Found<'_>) -> BTreeMap<&'a str, Arc<Font>> {
    let mut fonts = BTreeMap::new();
    for (name, font) in &raw.fonts {
        let path = format!("font.{name}");
        if !stays_inside(&font.folder) {
            found.wrong(
                &format!("{path}.folder"),
                format!("{:?} must be a name inside the pack's folder", font.folder),
            );
        } else if let Some(font) = found.take(&path, Font::load(font, files)) {
            fonts.insert(name.as_str(), Arc::new(font));
        }
    }
    fonts
}

/// `None` when one is broken: what it would have given is not known, so whatever names it would look wrong, too.
fn screens(raw: &raw::Pack, kit: &Kit<'_>, found: &mut Found<'_>) -> Option<Vec<Screen>> {
    if raw.screens.is_empty() {
        found.wrong("screen", "a pack has at least one [[screen]]");
    }
    let mut screens = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, screen) in raw.screens.iter().enumerate() {
        let path = format!("screen[{number}]");
        if !seen.insert(&screen.id) {
            found.wrong(&format!("{path}.id"), format!("there are two screens {:?}", screen.id));
        }
        screens.extend(kit.screen(screen, &path, found));
    }
    (screens.len() == raw.screens.len()).then_some(screens)
}

fn head(raw: &raw::Pack, found: &mut Found<'_>) {
    if raw.format != FORMAT {
        found.wrong("format", format!("is {}; this program reads format {FORMAT}", raw.format));
    }
    if !name(&raw.id, 64, true) {
        found.wrong("id", format!("{:?} is not 1 to 64 of a-z, 0-9, - and _", raw.id));
    }
    let numbers: Vec<_> = raw.version.split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u32>().is_err()) {
        found.wrong("version", format!("{:?} is not three numbers like 1.0.0", raw.version));
    }
    if let Some([width, height]) = raw.reference
        && !(width >= 16.0 && height >= 16.0 && width <= 16384.0 && height <= 16384.0)
    {
        found.wrong("reference", format!("{width} × {height} is no picture's size; 16 to 16384 each"));
    }
}

fn name(name: &str, most: usize, dash: bool) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || (dash && b == b'-');
    (1..=most).contains(&name.len()) && name.bytes().all(letter)
}

/// The ids of all values of the screens, `*` standing for the numbers of lists.
pub(super) fn known(screens: &[Screen]) -> BTreeSet<Arc<str>> {
    let mut known = BTreeSet::new();
    for region in screens.iter().flat_map(|screen| &screen.regions) {
        match (&region.reader, region.list) {
            (_, true) => drop(known.insert(format!("{}.*", region.id).into())),
            (Reader::Text(_, shape) | Reader::Digits(_, shape), false) => known.extend(shape.ids().cloned()),
            (_, false) => drop(known.insert(Arc::clone(&region.id))),
        }
    }
    known
}

/// The derived values in the order they are to be worked out; adds their ids to `known`.
fn derived(
    raw: &[raw::Derived],
    known: &mut BTreeSet<Arc<str>>,
    found: &mut Found<'_>,
) -> Option<Vec<(Arc<str>, Expr)>> {
    let mut waiting = Vec::new();
    for (number, value) in raw.iter().enumerate() {
        let path = format!("value[{number}]");
        if known.contains(value.id.as_str())
            || waiting.iter().any(|(_, id, _): &(_, Arc<str>, _)| **id == *value.id)
        {
            found.wrong(&format!("{path}.id"), format!("there are two values {:?}", value.id));
        }
        match Expr::parse(&value.is) {
            Ok(expr) => waiting.push((path, value.id.as_str().into(), expr)),
            Err((at, message)) => {
                found.wrong(&format!("{path}.is"), format!("at letter {}: {message}", at + 1))
            }
        }
    }
    let all: BTreeSet<Arc<str>> =
        known.iter().cloned().chain(waiting.iter().map(|(_, id, _)| Arc::clone(id))).collect();
    for (path, _, expr) in &waiting {
        for name in expr.names().filter(|name| !knows(&all, name)) {
            found.wrong(&format!("{path}.is"), format!("there is no value {name:?}; {}", listed(&all)));
        }
    }
    if !found.problems.is_empty() {
        return None;
    }
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|(_, _, expr)| expr.names().all(|name| knows(known, name)));
        let Some(ready) = ready else {
            for (path, id, _) in &waiting {
                found.wrong(&format!("{path}.is"), format!("{id} is made of itself, by way of others"));
            }
            return None;
        };
        let (_, id, expr) = waiting.remove(ready);
        known.insert(Arc::clone(&id));
        ordered.push((id, expr));
    }
    Some(ordered)
}

/// Whether there is such a value; an item of a list by its number, too.
fn knows(known: &BTreeSet<Arc<str>>, name: &str) -> bool {
    let item = |(list, number): (&str, &str)| {
        number.parse::<usize>().is_ok() && known.contains(format!("{list}.*").as_str())
    };
    known.contains(name) || name.rsplit_once('.').is_some_and(item)
}

fn listed(known: &BTreeSet<Arc<str>>) -> String {
    format!("there are {}", known.iter().map(|id| &**id).collect::<Vec<_>>().join(", "))
}

/// What screens are made with.
struct Kit<'a> {
    reference: (f32, f32),
    sets: BTreeMap<&'a str, Arc<Set>>,
    fonts: BTreeMap<&'a str, Arc<Font>>,
    files: &'a dyn Files,
}

impl Kit<'_> {
    fn screen(&self, raw: &raw::Screen, path: &str, found: &mut Found<'_>) -> Option<Screen> {
        if !name(&raw.id, 32, false) {
            found.wrong(&format!("{path}.id"), format!("{:?} is not 1 to 32 of a-z, 0-9 and _", raw.id));
        }
        if self.reference == (1.0, 1.0) && raw.pin != raw::Pin::Stretch {
            found.wrong(
                &format!("{path}.pin"),
                "needs the pack's reference: fractions of the frame stretch with it",
            );
        }
        let layout = Layout { reference: self.reference, pin: raw.pin };
        let aspects = raw.aspect.and_then(|aspect| aspects(aspect, &format!("{path}.aspect"), found));
        for (number, sign) in raw.gate.signs.iter().enumerate() {
            let path = format!("{path}.gate.signs[{number}]");
            match sign {
                raw::Sign::Color { area, slant, .. }
                | raw::Sign::Luma { area, slant, .. }
                | raw::Sign::Edge { area, slant, .. }
                | raw::Sign::Image { area, slant, .. } => {
                    self.area(*area, *slant, &format!("{path}.box"), found);
                }
                raw::Sign::Hues { spots, rather_than, .. } => {
                    let all = [("spots", spots), ("rather_than", rather_than)];
                    let all = all
                        .iter()
                        .flat_map(|(key, spots)| spots.iter().enumerate().map(move |spot| (key, spot)));
                    for (key, (number, spot)) in all {
                        let path = format!("{path}.{key}[{number}]");
                        self.area(spot.area, spot.slant, &format!("{path}.box"), found);
                        if let Some(other) = spot.other {
                            self.area(other, spot.slant, &format!("{path}.other"), found);
                        }
                    }
                }
            }
        }
        let gate = match Gate::new(&raw.gate, layout, self.files) {
            Ok(gate) => Some(gate),
            Err((inside, message)) => {
                found.wrong(&format!("{path}.gate.{inside}"), message);
                None
            }
        };
        let mut regions: Vec<Region> = Vec::new();
        for (number, region) in raw.regions.iter().enumerate() {
            let path = format!("{path}.region[{number}]");
            let clash = |one: &str, other: &str| {
                one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if regions.iter().any(|known| clash(&known.id, &region.id) || clash(&region.id, &known.id)) {
                found.wrong(
                    &format!("{path}.id"),
                    format!("{:?} is taken, or stands before another's dot", region.id),
                );
            }
            regions.extend(self.region(region, &path, found));
        }
        self.accept(&raw.accept, &regions, path, found);
        let raw::Accept { all, any, items } = raw.accept.clone();
        let accept = Accept { all, any, items };
        Some(Screen { id: raw.id.as_str().into(), layout, aspects, gate: gate?, accept, regions })
    }

    fn accept(&self, raw: &raw::Accept, regions: &[Region], path: &str, found: &mut Found<'_>) {
        let ids: BTreeSet<Arc<str>> = regions
            .iter()
            .flat_map(|region| match &region.reader {
                _ if region.list => vec![format!("{}.*", region.id).into()],
                Reader::Text(_, shape) | Reader::Digits(_, shape) => shape.ids().cloned().collect(),
                _ => vec![Arc::clone(&region.id)],
            })
            .collect();
        for (key, names) in [("all", &raw.all), ("any", &raw.any)] {
            for (number, name) in names.iter().enumerate().filter(|(_, name)| !knows(&ids, name)) {
                let path = format!("{path}.accept.{key}[{number}]");
                found.wrong(&path, format!("no region of this screen gives {name:?}; {}", listed(&ids)));
            }
        }
        for (name, least) in &raw.items {
            let path = format!("{path}.accept.items.{name}");
            match regions.iter().find(|region| region.list && *region.id == **name) {
                None => found.wrong(&path, format!("there is no list {name:?} on this screen")),
                Some(region) if region.slots.len() < *least => {
                    found.wrong(&path, format!("{name} has {} slots", region.slots.len()));
                }
                Some(_) => {}
            }
        }
    }

    fn region(&self, raw: &raw::Region, path: &str, found: &mut Found<'_>) -> Option<Region> {
        if raw.id.split('.').any(|part| !name(part, 32, false) || part.parse::<usize>().is_ok()) {
            let message = format!(
                "{:?} is not names of a-z, 0-9 and _ with dots between, nor may one be a number",
                raw.id
            );
            found.wrong(&format!("{path}.id"), message);
        }
        let slots = match (&raw.area, raw.slots.is_empty()) {
            (Some(area), true) => {
                let spot = self.spot(*area, raw.slant, &raw.at, path, found);
                vec![Slot { spot, fields: serde_json::Map::new() }]
            }
            (None, false) => {
                let slot = |(number, slot): (usize, &raw::Slot)| {
                    let path = format!("{path}.slots[{number}]");
                    let spot = self.spot(slot.area, slot.slant, &slot.at, &path, found);
                    Slot { spot, fields: slot.fields.clone() }
                };
                raw.slots.iter().enumerate().map(slot).collect()
            }
            _ => {
                found.wrong(path, "has either a box or slots");
                return None;
            }
        };
        let list = !raw.slots.is_empty();
        let reader = self.reader(raw, &format!("{path}.reader"), found)?;
        Some(Region { id: raw.id.as_str().into(), slots, list, min_lines: raw.min_lines, reader })
    }

    fn reader(&self, region: &raw::Region, path: &str, found: &mut Found<'_>) -> Option<Reader> {
        let id = region.id.as_str();
        let lookup = |kind: &str, name: &str, known: Vec<&&str>| {
            format!("there is no {kind} {name:?} in this pack; there is {known:?}")
        };
        let pattern = format!("{path}.pattern");
        Some(match &region.reader {
            raw::Reader::Templates(raw) => {
                let Some(set) = self.sets.get(raw.set.as_str()) else {
                    found.wrong(&format!("{path}.set"), lookup("set", &raw.set, self.sets.keys().collect()));
                    return None;
                };
                Reader::Templates(Templates::new(raw, Arc::clone(set)))
            }
            raw::Reader::Text(raw) => {
                let shape = found.take(&pattern, Shape::new(id, raw.pattern.as_deref(), &raw.values));
                Reader::Text(found.take(path, text::Text::new(raw))?, shape?)
            }
            raw::Reader::Digits(raw) => {
                let Some(font) = self.fonts.get(raw.font.as_str()) else {
                    found.wrong(
                        &format!("{path}.font"),
                        lookup("font", &raw.font, self.fonts.keys().collect()),
                    );
                    return None;
                };
                let shape = found.take(&pattern, Shape::new(id, raw.pattern.as_deref(), &raw.values));
                Reader::Digits(found.take(path, Digits::new(raw, Arc::clone(font)))?, shape?)
            }
            raw::Reader::Color(raw) => Reader::Color(found.take(path, color::Color::new(raw))?),
            raw::Reader::Bar(raw) => Reader::Bar(found.take(path, bar::Bar::new(raw))?),
            raw::Reader::Motion(raw) => Reader::Motion(motion::Motion::new(raw)),
        })
    }

    fn spot(
        &self,
        area: raw::Area,
        slant: f32,
        others: &[raw::Alternative],
        path: &str,
        found: &mut Found<'_>,
    ) -> Spot {
        self.area(area, slant, &format!("{path}.box"), found);
        let mut kept = Vec::new();
        for (number, other) in others.iter().enumerate() {
            let path = format!("{path}.at[{number}]");
            self.area(other.area, other.slant, &format!("{path}.box"), found);
            let aspects = aspects(other.aspect, &format!("{path}.aspect"), found);
            kept.extend(aspects.map(|aspects| (aspects, Area::new(other.area, other.slant))));
        }
        Spot { area: Area::new(area, slant), others: kept }
    }

    /// Whether a box lies inside the reference.
    fn area(&self, [x, y, width, height]: raw::Area, slant: f32, path: &str, found: &mut Found<'_>) {
        let (across, down) = self.reference;
        let numbers = [x, y, width, height, slant].iter().all(|number| number.is_finite());
        // Fractions like 0.7 + 0.3 are a little more than 1.
        let slack = across * 1e-4;
        let (left, right) = (x.min(x + slant), (x + width).max(x + width + slant));
        if !numbers || width <= 0.0 || height <= 0.0 {
            found.wrong(path, "is x, y, width and height, the last two above 0");
        } else if left < -slack || y < -slack || right > across + slack || y + height > down + slack {
            let unit = if self.reference == (1.0, 1.0) { "fractions of the frame" } else { "the reference" };
            found.wrong(path, format!("reaches out of the frame ({unit}: {across} × {down})"));
        }
    }
}

fn aspects([least, most]: [f32; 2], path: &str, found: &mut Found<'_>) -> Option<Aspects> {
    if least > 0.0 && least <= most && most <= 100.0 {
        return Some(Aspects { least, most });
    }
    found.wrong(
        path,
        format!("[{least}, {most}] is not the least and the most of width divided by height (16:9 is 1.78)"),
    );
    None
}
