//! The pack as it is shipped, its pictures, and what it reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use packs::session::Outcome;
use packs::{Files, Pack, Session, Tools, Value};
use pixels::I420;

/// A folder's files.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Files for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(name)).map_err(|e| e.to_string())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join(folder)) else { return Vec::new() };
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut names: Vec<_> = entries.filter_map(name).map(|name| format!("{folder}/{name}")).collect();
        names.sort();
        names
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn shipped() -> Folder {
    Folder(root().join("packs/dota2"))
}

/// The pack with those portraits.
pub(crate) fn load(portraits: &dyn Files) -> Arc<Pack> {
    let pack = Pack::load(&shipped(), portraits);
    Arc::new(pack.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

/// A stream of pictures that is read.
pub(crate) struct Reader {
    packs: Vec<Arc<Pack>>,
    session: Session,
    tools: Tools,
}

impl Reader {
    pub(crate) fn new(pack: &Arc<Pack>) -> Self {
        Self { packs: vec![Arc::clone(pack)], session: Session::default(), tools: Tools::default() }
    }

    #[expect(clippy::disallowed_methods, reason = "how long a part took is printed, not tested")]
    pub(crate) fn read(&mut self, picture: &I420) -> Outcome {
        let began = Instant::now();
        self.session.read(&self.packs, picture, &mut self.tools, &|| began.elapsed())
    }
}

/// Tags of the ten slots and how sure they are; `None` where the pack says there is nothing.
pub(crate) fn heroes(outcome: &Outcome) -> [Option<(String, f32, f32)>; 10] {
    std::array::from_fn(|slot| {
        let read = outcome.reading.as_ref()?.values.get(format!("heroes.{slot}").as_str())?;
        match &read.value {
            Value::Item(item) => Some((item.tag.to_string(), item.score, read.confidence)),
            other => panic!("{other:?} is no hero"),
        }
    })
}

/// How long that part took.
pub(crate) fn took(outcome: &Outcome, part: &str) -> Option<Duration> {
    outcome.times.iter().find(|(id, _)| &**id == part).map(|(_, time)| *time)
}

/// The one in the middle and the longest; nothing where nothing had to be read.
pub(crate) fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    (at(times.len() / 2), at(times.len().saturating_sub(1)))
}
