//! The packs there are: those that come along, and those in the packs' folder. Loaded again when their files change.
//!
//! A pack whose new files are wrong stays as it was, and says why. Reads disks on the blocking pool only.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use packs::{Pack, Problem};
use tracing::{info, warn};

use super::built_in::{built_in, built_in_ids};
use super::folder::Folder;
use crate::base::error::{Error, Result};
use crate::base::tasks::Tasks;

/// Whichever pack's gate accepts the picture.
pub const AUTO: &str = "auto";
/// No pack: pictures are not read.
pub const NONE: &str = "none";

#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder a pack, by id: with a `pack.toml` it is a pack of its own (or instead of one that comes along), and pictures
    /// that were fetched for it lie there too.
    pub folder: PathBuf,
}

/// The packs. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    settings: Settings,
    shelf: ArcSwap<Shelf>,
}

#[derive(Default)]
struct Shelf {
    entries: BTreeMap<String, Entry>,
    /// All that can read, those that come along first.
    all: Arc<[Arc<Pack>]>,
    /// Each of them alone.
    alone: BTreeMap<String, Arc<[Arc<Pack>]>>,
}

/// One pack, or the place where one should be.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub origin: Origin,
    /// The newest version without mistakes.
    pub pack: Option<Arc<Pack>>,
    /// What is wrong with the newest version.
    pub problems: Vec<Problem>,
    stamp: u64,
}

/// Where a pack comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    Folder(PathBuf),
}

impl Library {
    /// How often the folder is looked at.
    const LOOK: Duration = Duration::from_secs(2);

    /// Loads what is there; what is wrong is said in the log and in [`Library::entries`].
    pub fn open(settings: Settings) -> Self {
        let library = Self(Arc::new(Inner { settings, shelf: ArcSwap::default() }));
        library.reload();
        library
    }

    /// Looks for changed files until the program ends.
    pub fn watch(&self, tasks: &Tasks) {
        let (library, stopping) = (self.clone(), tasks.stopping());
        tasks.supervise("packs", move || {
            let (library, stopping) = (library.clone(), stopping.clone());
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(Self::LOOK) => {}
                        () = stopping.cancelled() => return,
                    }
                    let library = library.clone();
                    let looked = tokio::task::spawn_blocking(move || library.reload()).await;
                    if let Err(e) = looked {
                        warn!(error = %e, "the packs' folder can't be looked at");
                    }
                }
            }
        });
    }

    /// Loads what changed since the last time. Blocks on the disk.
    pub fn reload(&self) {
        let before = self.0.shelf.load_full();
        let mut entries = BTreeMap::new();
        for id in self.ids() {
            let folder = Folder(self.0.settings.folder.join(&id));
            let stamp = folder.stamp();
            let known = before.entries.get(&id);
            let entry = match known.filter(|known| known.stamp == stamp) {
                Some(known) => known.clone(),
                None => load(&id, &folder, stamp, known),
            };
            entries.insert(id, entry);
        }
        let unchanged = entries.len() == before.entries.len()
            && entries
                .iter()
                .all(|(id, entry)| before.entries.get(id).is_some_and(|old| old.stamp == entry.stamp));
        if unchanged {
            return;
        }
        let order = built_in_ids().map(str::to_owned).chain(entries.keys().cloned());
        let mut all: Vec<Arc<Pack>> = Vec::new();
        for pack in order.filter_map(|id| entries.get(&id)?.pack.clone()) {
            if !all.iter().any(|known| Arc::ptr_eq(known, &pack)) {
                all.push(pack);
            }
        }
        let alone = all.iter().map(|pack| (pack.id.to_string(), Arc::from([Arc::clone(pack)]))).collect();
        self.0.shelf.store(Arc::new(Shelf { entries, all: all.into(), alone }));
    }

    /// All there could be: what comes along, and every folder.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = built_in_ids().map(str::to_owned).collect();
        let entries = std::fs::read_dir(&self.0.settings.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.path().join("pack.toml").is_file()) {
            ids.extend(entry.file_name().into_string().ok().filter(|id| !ids.contains(id)));
        }
        ids.sort();
        ids
    }

    /// The packs for a stream that wants `wish`: `auto`, `none` or an id. None for an id there is no pack of.
    pub fn choose(&self, wish: &str) -> Arc<[Arc<Pack>]> {
        let shelf = self.0.shelf.load();
        match wish {
            AUTO => Arc::clone(&shelf.all),
            NONE => Arc::from([]),
            id => shelf.alone.get(id).cloned().unwrap_or_else(|| Arc::from([])),
        }
    }

    /// Whether [`Library::choose`] gives any.
    pub fn any(&self, wish: &str) -> bool {
        let shelf = self.0.shelf.load();
        match wish {
            AUTO => !shelf.all.is_empty(),
            NONE => false,
            id => shelf.alone.contains_key(id),
        }
    }

    /// All packs by id, broken ones too.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.shelf.load().entries.values().cloned().collect()
    }

    /// # Errors
    /// `NotFound` when there is none of that id.
    pub fn entry(&self, id: &str) -> Result<Entry> {
        self.0
            .shelf
            .load()
            .entries
            .get(id)
            .cloned()
            .ok_or_else(|| Error::not_found(format!("there is no pack {id:?}")))
    }

    /// Where fetched pictures of a pack go.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.0.settings.folder.join(id)
    }
}

/// Loads one pack; a broken one keeps what `known` had.
fn load(id: &str, folder: &Folder, stamp: u64, known: Option<&Entry>) -> Entry {
    let own = folder.0.join("pack.toml").is_file();
    let (origin, loaded) = match built_in(id).filter(|_| !own) {
        Some(files) => (Origin::BuiltIn, Pack::load(&files, folder)),
        None => (Origin::Folder(folder.0.clone()), Pack::load(folder, folder)),
    };
    let named = |pack: &Pack| {
        let message =
            format!("id: the pack calls itself {:?}, its folder {id:?}; they must be the same", pack.id);
        vec![Problem { file: "pack.toml".to_owned(), line: 1, column: 1, message }]
    };
    match loaded.and_then(|pack| if *pack.id == *id { Ok(pack) } else { Err(named(&pack)) }) {
        Ok(pack) => {
            info!(pack = id, version = &*pack.version, "pack loaded");
            for note in &pack.notes {
                info!(pack = id, "{note}");
            }
            Entry { id: id.to_owned(), origin, pack: Some(Arc::new(pack)), problems: Vec::new(), stamp }
        }
        Err(problems) => {
            for problem in &problems {
                warn!(pack = id, "{problem}");
            }
            let pack = known.and_then(|known| known.pack.clone());
            if pack.is_some() {
                warn!(pack = id, "the version before goes on");
            }
            Entry { id: id.to_owned(), origin, pack, problems, stamp }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &str = "format = 1\nid = 'own'\nname = 'Own'\nversion = '1.0.0'\n[[screen]]\nid = 'game'\n\
        gate.signs = [{ kind = 'luma', box = [0.0, 0.0, 1.0, 1.0], mean = [0.0, 255.0] }]\n";

    #[test]
    fn a_changed_pack_is_loaded_and_a_broken_one_leaves_the_last() {
        let place = tempfile::tempdir().unwrap();
        let library = Library::open(Settings { folder: place.path().to_owned() });
        let built_in = built_in_ids().count();
        assert_eq!(library.choose(AUTO).len(), built_in);
        assert!(library.choose(NONE).is_empty() && library.choose("own").is_empty() && !library.any("own"));

        let file = place.path().join("own/pack.toml");
        std::fs::create_dir(place.path().join("own")).unwrap();
        std::fs::write(&file, PACK).unwrap();
        library.reload();
        let first = library.choose("own");
        assert_eq!((&*first[0].version, library.choose(AUTO).len()), ("1.0.0", built_in + 1));

        std::fs::write(&file, PACK.replace("1.0.0'", "2.0'")).unwrap();
        library.reload();
        let entry = library.entry("own").unwrap();
        assert_eq!(entry.problems[0].line, 4, "{:?}", entry.problems);
        assert!(Arc::ptr_eq(&library.choose("own")[0], &first[0]));

        std::fs::write(&file, PACK.replace("1.0.0", "1.0.10")).unwrap();
        library.reload();
        assert_eq!(&*library.choose("own")[0].version, "1.0.10");
        assert!(library.entry("own").unwrap().problems.is_empty());

        std::fs::remove_dir_all(place.path().join("own")).unwrap();
        library.reload();
        assert!(library.entry("own").is_err() && library.choose("own").is_empty());
    }

    #[test]
    fn a_folder_with_another_packs_name_is_refused() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("other")).unwrap();
        std::fs::write(place.path().join("other/pack.toml"), PACK).unwrap();
        let library = Library::open(Settings { folder: place.path().to_owned() });
        let entry = library.entry("other").unwrap();
        assert!(entry.pack.is_none() && entry.problems[0].message.contains("must be the same"));
    }
}
