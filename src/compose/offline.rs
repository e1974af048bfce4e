//! A scene file rendered without a server: the same engine, and time that goes as fast as frames are made.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pixels::I420;
use render::{Asset, Engine, Feed, Figures, Inline, Want, World};
use scene::template::{Seen, Values};
use scene::{Canvas, Id, SceneFile, Store};

use crate::base::error::{Error, Field, Kind, Result};

/// Bytes that a file beside a scene may have.
const MOST_BYTES: u64 = 256 << 20;

/// A scene file, ready to be rendered.
pub struct Show {
    store: Store,
    engine: Engine,
    studio: Inline,
    folder: Folder,
}

impl Show {
    /// Reads a scene file, whose text is drawn with `fonts`. `canvas` may change what the file says of its size and pace.
    ///
    /// # Errors
    /// When the file can't be read, and every mistake in it by its field.
    pub fn open(path: &Path, fonts: &draw::Fonts, canvas: impl FnOnce(&mut Canvas)) -> Result<Self> {
        let unread = |e| Error::new(Kind::Invalid, format!("{} can't be read", path.display())).caused_by(e);
        let text = std::fs::read(path).map_err(unread)?;
        let json = serde_json::from_slice(&text)
            .map_err(|e| Error::new(Kind::Invalid, format!("{} is not JSON: {e}", path.display())))?;
        let mut file = SceneFile::read(&json).map_err(|problems| invalid(path, problems))?;
        canvas(&mut file.canvas);
        let mut named = 0_u32;
        let mut ids = || {
            named += 1;
            Id::parse(&format!("unnamed-{named}")).expect("letters, a dash and digits")
        };
        let store =
            Store::open(&file, scene::document::MOST_LAYERS, &mut ids).map_err(|refusal| match refusal {
                scene::Refusal::Invalid(problems) => invalid(path, problems),
                other => Error::new(Kind::Invalid, format!("{}: {other}", path.display())),
            })?;
        let side = |side: i64| u32::try_from(side).expect("a scene's canvas is bounded");
        let engine = Engine::new(side(store.canvas().width), side(store.canvas().height));
        // A bare name has an empty parent, which is no folder.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new(".")).to_owned();
        Ok(Self {
            store,
            engine,
            studio: Inline::new(draw::Painter::new(fonts)),
            folder: Folder { folder, read: RefCell::default(), now: 0.0 },
        })
    }

    pub fn canvas(&self) -> &Canvas {
        self.store.canvas()
    }

    /// Pixels of a frame: the canvas's, made even.
    pub fn size(&self) -> (u32, u32) {
        self.engine.size()
    }

    /// The frame at program time `now`, in ms. Times must not go back.
    pub fn frame(&mut self, now: f64) -> Arc<I420> {
        while self.store.advance(now).is_some() {}
        self.folder.now = now;
        self.engine.step(&self.store, &self.folder, &mut self.studio, now)
    }

    /// What can't be shown as the scene says, a line each.
    pub fn troubles(&self) -> Vec<String> {
        self.engine.troubles().map(|trouble| format!("layer {}: {}", trouble.layer, trouble.why)).collect()
    }

    pub fn figures(&self) -> Figures {
        self.engine.figures()
    }
}

fn invalid(path: &Path, problems: Vec<scene::Problem>) -> Error {
    let fields = problems.into_iter().map(|problem| Field { field: problem.field, message: problem.message });
    Error::invalid_fields(format!("{} is not a scene", path.display()), fields.collect())
}

/// The files beside a scene.
struct Folder {
    folder: PathBuf,
    read: RefCell<BTreeMap<String, Option<Asset>>>,
    now: f64,
}

impl Folder {
    /// Only what lies in the scene's folder: a scene may come from anywhere.
    fn load(&self, src: &str) -> Option<Asset> {
        let path = Path::new(src);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path = inside.then(|| self.folder.join(path))?.canonicalize().ok()?;
        if !path.starts_with(self.folder.canonicalize().ok()?) {
            return None;
        }
        let small = path.metadata().ok().is_some_and(|file| file.is_file() && file.len() <= MOST_BYTES);
        let bytes = small.then(|| std::fs::read(path).ok())??;
        Some(Asset { bytes: bytes.into(), version: 0 })
    }
}

impl Values for Folder {
    fn get(&self, _path: &[Box<str>]) -> Option<Seen<'_>> {
        None
    }
}

impl World for Folder {
    /// A clock that starts with the scene, so that the same scene always gives the same frames.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a show")]
    fn wall(&self) -> i64 {
        self.now as i64
    }

    fn asset(&self, src: &str) -> Option<Asset> {
        if let Some(known) = self.read.borrow().get(src) {
            return known.clone();
        }
        let asset = self.load(src);
        self.read.borrow_mut().insert(src.to_owned(), asset.clone());
        asset
    }

    /// There are no streams without a server.
    fn feed(&self, _want: &Want<'_>) -> Feed {
        Feed::default()
    }
}
