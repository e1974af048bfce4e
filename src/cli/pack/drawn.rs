//! Pictures that are drawn, with what is truly on them: how well a pack reads, without a picture from outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packs::check::{Expected, Report};
use packs::{Files, Pack, Session, Tools};
use pixels::I420;
use sim::hud::{Kind, Samples, Truth, portraits};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind as ErrorKind, Result};
use crate::reading::{Folder, Library, built_in};

/// What is to be drawn.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) count: u64,
    pub(super) seed: u64,
    /// Lines of the pictures; as many of each.
    pub(super) heights: Vec<u32>,
    pub(super) verbose: bool,
}

/// How well `id` reads drawn pictures, by their lines. `tell` hears what is wrong with each.
pub(super) fn measure(
    library: &Library,
    id: &str,
    wanted: &Wanted,
    mut tell: impl FnMut(String),
) -> Result<BTreeMap<u32, Report>> {
    let pack = with_drawn_pictures(library, id)?;
    let kinds: &[Kind] = match id {
        "dota2" => &[Kind::Bar, Kind::Pick, Kind::Other],
        "fifa20" => &[Kind::Football, Kind::Other],
        _ => return Err(Error::invalid("--drawn", "only the screens of dota2 and fifa20 can be drawn")),
    };
    let packs = [Arc::new(pack)];
    let (clock, mut tools) = (Clock::real(), Tools::default());
    let mut reports = BTreeMap::new();
    for height in &wanted.heights {
        let mut samples = Samples::new(wanted.seed).kinds(kinds).heights(&[*height]);
        let report: &mut Report = reports.entry(*height).or_default();
        for number in 0..wanted.count {
            let sample = samples.sample(number);
            let began = clock.now();
            let since = || clock.now().since(began);
            let outcome = Session::default().read(&packs, &sample.picture, &mut tools, &since);
            for line in report.add(&expected(&packs[0], &sample.truth), &outcome) {
                if wanted.verbose {
                    tell(format!(
                        "{height} lines, {number} ({:?}, {:?}, {}): {line}",
                        sample.kind, sample.coding, sample.over
                    ));
                }
            }
        }
    }
    Ok(reports)
}

/// How many pictures of something else are accepted by any of `packs`, by their lines. One in [`WAYS`] is drawn and coded, and then
/// shown in all ways.
pub(super) fn others(
    packs: &[Arc<Pack>],
    wanted: &Wanted,
    mut tell: impl FnMut(String),
) -> BTreeMap<u32, u64> {
    let mut tools = Tools::default();
    let mut all = BTreeMap::new();
    for height in &wanted.heights {
        let mut samples = Samples::new(wanted.seed).kinds(&[Kind::Other]).heights(&[*height]);
        let accepted = all.entry(*height).or_default();
        for number in 0..wanted.count.div_ceil(WAYS) {
            let sample = samples.sample(number);
            for way in 0..WAYS.min(wanted.count - number * WAYS) {
                let picture = shown(&sample.picture, way);
                let by = packs.iter().filter(|pack| {
                    let one = std::slice::from_ref(*pack);
                    Session::default().read(one, &picture, &mut tools, &|| Duration::ZERO).reading.is_some()
                });
                let by: Vec<&str> = by.map(|pack| &*pack.id).collect();
                *accepted += u64::from(!by.is_empty());
                if wanted.verbose && !by.is_empty() {
                    tell(format!("{height} lines, {number}, way {way}: accepted by {}", by.join(", ")));
                }
            }
        }
    }
    all
}

/// As drawn, mirrored, faint, moved to the side, in other colours. Not upside down: what is torn off a HUD would be at the top again.
const WAYS: u64 = 5;

fn shown(picture: &I420, way: u64) -> I420 {
    let mut out = picture.clone();
    for plane in out.planes_mut() {
        let (stride, width) = (plane.stride, plane.width as usize);
        for row in plane.data.chunks_exact_mut(stride) {
            match way {
                1 => row[..width].reverse(),
                2 => row[..width].iter_mut().for_each(|sample| *sample = *sample / 2 + 40),
                3 => row[..width].rotate_left(width / 7),
                4 => row[..width].iter_mut().for_each(|sample| *sample = 255 - *sample),
                _ => {}
            }
        }
    }
    out
}

/// What `pack` should read where `truth` stands.
fn expected(pack: &Pack, truth: &Truth) -> Expected {
    let huds = ["game", "pick", "board"];
    if !huds.contains(&truth.screen) {
        return Expected { screen: Some(None), ..Expected::default() };
    }
    // Of a HUD that is more than half covered nobody could say which it is.
    if truth.unsure.len() * 2 > truth.values.len() {
        return Expected::default();
    }
    let named = pack.screens.iter().find(|screen| *screen.id == *truth.screen);
    let screen = named.or(pack.screens.first()).map(|screen| screen.id.to_string());
    let mut values: BTreeMap<String, Option<serde_json::Value>> = BTreeMap::new();
    let regions = named.or(pack.screens.first()).into_iter().flat_map(|screen| &screen.regions);
    for region in regions {
        let ids: Vec<String> = if region.list {
            (0..region.slots.len()).map(|slot| format!("{}.{slot}", region.id)).collect()
        } else {
            let id = region.id.to_string();
            let inside = |known: &&String| {
                **known == id || known.strip_prefix(&id).is_some_and(|rest| rest.starts_with('.'))
            };
            pack.values().iter().filter(inside).cloned().collect()
        };
        for id in ids.into_iter().filter(|id| !truth.unsure.contains(id)) {
            let value = truth.values.get(&id).cloned();
            values.insert(id, value);
        }
    }
    Expected { screen: Some(screen), values, not: BTreeMap::new() }
}

/// The pack with our own pictures instead of those that must be fetched.
fn with_drawn_pictures(library: &Library, id: &str) -> Result<Pack> {
    let entry = library.entry(id)?;
    let known = entry.pack.ok_or_else(|| Error::not_found(format!("the pack {id} can't be used")))?;
    let place = Place::new()?;
    for wanted in known.fetches.values() {
        let folder =
            wanted.files.first().and_then(|(name, _)| name.rsplit_once('/')).map_or("", |(folder, _)| folder);
        let folder = place.0.join(folder);
        let made = std::fs::create_dir_all(&folder).and_then(|()| portraits::write(&folder));
        made.map_err(|e| Error::new(ErrorKind::Internal, format!("{}: {e}", folder.display())))?;
    }
    let own = Folder(library.folder(id));
    let files: Box<dyn Files> = match built_in(id) {
        Some(files) if own.read("pack.toml").is_err() => Box::new(files),
        _ => Box::new(own),
    };
    Pack::load(&*files, &Folder(place.0.clone())).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Error::new(ErrorKind::Invalid, lines.join("\n"))
    })
}

/// A folder that goes when it is no longer needed.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self> {
        let place = std::env::temp_dir().join(format!("onair-drawn-{}", std::process::id()));
        std::fs::create_dir_all(&place)
            .map_err(|e| Error::internal("no folder for drawn pictures can be made", e))?;
        Ok(Self(place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        // It is the system's folder for what may go any time.
        let _ = std::fs::remove_dir_all(path);
    }
}

/// A table for `docs/accuracy.md`.
pub(super) fn markdown(id: &str, wanted: &Wanted, reports: &BTreeMap<u32, Report>) -> String {
    let mut lines = vec![
        format!("### {id}, {} drawn pictures a size, seed {}\n", wanted.count, wanted.seed),
        "| lines | value | judged | right | wrong | missed | precision | recall | median ms | worst ms |"
            .to_owned(),
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    for (height, report) in reports {
        let screen = ("screen", &report.screen, report.time("gate"));
        let values = report.values.iter().map(|(name, tally)| (name.as_str(), tally, report.time(name)));
        for (name, tally, time) in std::iter::once(screen).chain(values) {
            let all = tally.right + tally.wrong + tally.missed + tally.empty;
            let (right, precision, recall) =
                (tally.right + tally.empty, 100.0 * tally.precision(), 100.0 * tally.recall());
            let time =
                time.map_or_else(|| " | ".to_owned(), |(middle, most)| format!("{middle:.2} | {most:.2}"));
            lines.push(format!(
                "| {height} | `{name}` | {all} | {right} | {} | {} | {precision:.2} % | {recall:.2} % | {time} |",
                tally.wrong, tally.missed
            ));
        }
    }
    lines.join("\n")
}
