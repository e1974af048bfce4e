//! A scene file rendered without a server: the same engine, and time that goes as fast as frames are made.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pixels::I420;
use render::{Asset, Engine, Feed, Figures, Inline, Source, Want, World};
use scene::template::{Seen, Values};
use scene::{Canvas, Command, Id, SceneFile, Store};
use serde_json::json;

use super::film::{Film, Shot};
use super::world::{Cutter, Work};
use crate::base::error::{Error, Field, Kind, Result};

/// Bytes that a file beside a scene may have.
const MOST_BYTES: u64 = 256 << 20;

/// A scene file, ready to be rendered.
pub struct Show {
    store: Store,
    engine: Engine,
    studio: Inline,
    folder: Folder,
    /// What is said, the next first: program time in ms, and the command.
    chat: VecDeque<(f64, Command)>,
    said: u64,
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
            chat: lines(file.chat),
            said: 0,
            folder: Folder { folder, read: RefCell::default(), films: RefCell::default(), now: 0.0 },
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
        while let Some((at, line)) = self.chat.pop_front_if(|(at, _)| *at <= now) {
            self.say(&line, at);
        }
        while self.store.advance(now).is_some() {}
        self.folder.now = now;
        self.engine.step(&self.store, &self.folder, &mut self.studio, now)
    }

    fn say(&mut self, line: &Command, at: f64) {
        while self.store.advance(at).is_some() {}
        self.said += 1;
        let said = self.said;
        let mut ids = || Id::parse(&format!("said-{said}")).expect("letters, a dash and digits");
        let done = self.store.apply(line, at, &mut ids);
        debug_assert!(done.is_ok(), "it was read before: {done:?}");
    }

    /// What can't be shown as the scene says, a line each.
    pub fn troubles(&self) -> Vec<String> {
        self.engine.troubles().map(|trouble| format!("layer {}: {}", trouble.layer, trouble.why)).collect()
    }

    pub fn figures(&self) -> Figures {
        self.engine.figures()
    }
}

/// In the order in which they come.
fn lines(mut lines: Vec<scene::Line>) -> VecDeque<(f64, Command)> {
    lines.sort_by(|a, b| a.at.total_cmp(&b.at));
    let command = |line: scene::Line| {
        let scene::Line { at, author, text, highlighted } = line;
        (at, Command::Chat(json!({ "author": author, "text": text, "highlighted": highlighted })))
    };
    lines.into_iter().map(command).collect()
}

fn invalid(path: &Path, problems: Vec<scene::Problem>) -> Error {
    let fields = problems.into_iter().map(|problem| Field { field: problem.field, message: problem.message });
    Error::invalid_fields(format!("{} is not a scene", path.display()), fields.collect())
}

/// The files beside a scene.
struct Folder {
    folder: PathBuf,
    read: RefCell<BTreeMap<String, Option<Asset>>>,
    films: RefCell<Films>,
    now: f64,
}

/// Videos that are open.
#[derive(Default)]
struct Films {
    /// By file, layer, and whether it is looped; `None` for one that can't be opened.
    open: BTreeMap<(String, u64, bool), Option<Film>>,
    cutter: Cutter,
    /// What was made of a shot last, by layer.
    made: BTreeMap<u64, (Arc<Shot>, Work, Feed)>,
    versions: u64,
}

impl Films {
    fn show(
        &mut self,
        path: Option<PathBuf>,
        (src, looped, alpha, at): (&str, bool, bool, f64),
        want: &Want<'_>,
    ) -> Feed {
        let key = (src.to_owned(), want.owner, looped);
        let film = self.open.entry(key).or_insert_with(|| Film::open(&path?, looped).ok());
        let Some(film) = film else {
            return Feed {
                trouble: Some("there is no such video, or it can't be decoded"),
                ..Feed::default()
            };
        };
        let Some(shot) = film.at(at, 0).front().filter(|shot| shot.from <= at) else {
            return Feed::default();
        };
        if let Some((known, work, feed)) = self.made.get(&want.owner)
            && Arc::ptr_eq(known, shot)
            && work.is_of(want)
        {
            return feed.clone();
        }
        self.versions += 1;
        let work = Work::of(want);
        let piece = self.cutter.cut(shot.picture.view(), shot.alpha.as_ref().filter(|_| alpha), &work);
        let feed = piece.into_feed(self.versions);
        self.made.insert(want.owner, (Arc::clone(shot), work, feed.clone()));
        feed
    }
}

impl Folder {
    /// Only what lies in the scene's folder: a scene may come from anywhere.
    fn inside(&self, src: &str) -> Option<PathBuf> {
        let path = Path::new(src);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path = inside.then(|| self.folder.join(path))?.canonicalize().ok()?;
        path.starts_with(self.folder.canonicalize().ok()?).then_some(path)
    }

    fn load(&self, src: &str) -> Option<Asset> {
        let path = self.inside(src)?;
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

    /// Nothing is heard without a server.
    fn level(&self, _source: &str) -> f64 {
        0.0
    }

    /// There are no streams without a server, but there are videos.
    fn feed(&self, want: &Want<'_>) -> Feed {
        let Source::Video { src, looped, alpha, at } = want.source else { return Feed::default() };
        self.films.borrow_mut().show(self.inside(src), (src, looped, alpha, at), want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_a_scene_file_is_shown_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.json");
        let line = |at: u32, text: &str| json!({"at": at, "author": "ada", "text": text});
        let file = json!({
            "canvas": {"width": 320, "height": 180, "fps": 10},
            "layers": [{"id": "chat", "content": {"kind": "chat", "width": 320, "height": 180}}],
            "chat": [line(500, "second"), line(100, "first")],
        });
        std::fs::write(&path, file.to_string()).unwrap();
        let mut show = Show::open(&path, &draw::Fonts::with_system(), |_| {}).unwrap();
        let lit = |frame: &I420| frame.y.rows().flatten().filter(|luma| **luma > 100).count();
        let shown = [0.0, 200.0, 400.0, 600.0].map(|now| lit(&show.frame(now)));
        assert_eq!(shown[0], 0, "nobody has said anything");
        assert!(shown[1] > 0 && shown[2] == shown[1] && shown[3] > shown[2], "{shown:?}");
        let said: Vec<_> = show.store.chat().map(|message| (message.at, message.text.clone())).collect();
        assert_eq!(said, [(100.0, "first".to_owned()), (500.0, "second".to_owned())]);
        assert!(show.troubles().is_empty());
    }
}
