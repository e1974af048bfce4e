//! The world as the frame loop sees it: files that are in memory, streams of the hub that are decoded, the clock.
//!
//! Nothing here waits: what is not at hand is fetched by others and is there some frames later.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pixels::compose::effects::Corners;
use pixels::compose::{self, Crop, Picture};
use pixels::jpeg::Decoder;
use pixels::{I420, Matrix, Range};
use render::{Feed, Source, Want, World, grade, key};
use scene::Effect;
use scene::content::Fit;
use scene::template::{Seen, Values};
use tokio::runtime::Handle;

use super::assets::Assets;
use crate::base::clock::{Clock, Monotonic};
use crate::base::tasks::Tasks;
use crate::streams::{Frame, Registry};

/// A feed that nobody asked for so long ends.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// Files that are missing are looked for again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Feeds that are decoded at once.
const MOST_FEEDS: usize = 64;

/// See the file's words.
pub(super) struct Live {
    registry: Registry,
    clock: Clock,
    tasks: Tasks,
    runtime: Handle,
    files: Arc<Files>,
    feeds: RefCell<BTreeMap<Choice, Arc<Shown>>>,
}

/// What is in memory of the files.
#[derive(Default)]
struct Files {
    loaded: ArcSwap<BTreeMap<String, render::Asset>>,
    asked: std::sync::Mutex<BTreeSet<String>>,
}

/// What a layer wants to see of a stream, as something that can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Choice {
    stream: String,
    /// Sides, crop and corner radius, to the bit; the fit; the effects as they are written.
    numbers: [u64; 7],
    fit: u8,
    effects: String,
}

/// What a feed shows.
struct Shown {
    newest: ArcSwap<(Option<Arc<Picture>>, u64, Monotonic)>,
    /// When it was asked for last, in ms.
    asked: AtomicU64,
}

impl Live {
    pub(super) fn new(
        assets: Assets,
        registry: Registry,
        clock: Clock,
        tasks: Tasks,
        runtime: Handle,
    ) -> Self {
        let files = Arc::<Files>::default();
        let wanted = Arc::clone(&files);
        let stop = tasks.stopping();
        let _inside = runtime.enter();
        tasks.supervise("assets on air", move || {
            let (stop, work) = (stop.clone(), load(Arc::clone(&wanted), assets.clone()));
            async move {
                tokio::select! {
                    () = work => {}
                    () = stop.cancelled() => {}
                }
            }
        });
        drop(_inside);
        Self { registry, clock, tasks, runtime, files, feeds: RefCell::default() }
    }

    /// Lets feeds go that no layer shows.
    pub(super) fn tidy(&self) {
        let now = self.now_ms();
        let left = u64::try_from(LEFT_ALONE.as_millis()).unwrap_or(u64::MAX);
        let stays = |shown: &Shown| now.saturating_sub(shown.asked.load(Ordering::Relaxed)) < left;
        self.feeds.borrow_mut().retain(|_, shown| stays(shown));
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().since_start().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&self, choice: Choice, want: &Want<'_>, name: &str) -> Option<Arc<Shown>> {
        const STACK: usize = 4 << 20;
        if self.feeds.borrow().len() >= MOST_FEEDS {
            return None;
        }
        let start = (None, 0, self.clock.now());
        let shown =
            Arc::new(Shown { newest: ArcSwap::from_pointee(start), asked: AtomicU64::new(self.now_ms()) });
        let feeder = Feeder {
            name: name.to_owned(),
            work: Work::of(want),
            shown: Arc::downgrade(&shown),
            registry: self.registry.clone(),
            clock: self.clock.clone(),
        };
        let (runtime, stop) = (self.runtime.clone(), self.tasks.stopping());
        let begun = self.tasks.thread("feed", STACK, move || {
            runtime.block_on(async {
                tokio::select! {
                    () = feeder.run() => {}
                    () = stop.cancelled() => {}
                }
            });
        });
        begun.ok()?;
        self.feeds.borrow_mut().insert(choice, Arc::clone(&shown));
        Some(shown)
    }
}

impl Values for Live {
    fn get(&self, _path: &[Box<str>]) -> Option<Seen<'_>> {
        None
    }
}

impl World for Live {
    fn wall(&self) -> i64 {
        self.clock.wall().0.as_millisecond()
    }

    fn asset(&self, src: &str) -> Option<render::Asset> {
        let known = self.files.loaded.load().get(src).cloned();
        if known.is_none()
            && let Ok(mut asked) = self.files.asked.try_lock()
            && !asked.contains(src)
        {
            asked.insert(src.to_owned());
        }
        known
    }

    fn feed(&self, want: &Want<'_>) -> Feed {
        let Source::Stream(name) = want.source else { return Feed::default() };
        let choice = Choice::of(name, want);
        let known = self.feeds.borrow().get(&choice).cloned();
        let Some(shown) = known.or_else(|| self.begin(choice, want, name)) else { return Feed::default() };
        shown.asked.store(self.now_ms(), Ordering::Relaxed);
        let newest = shown.newest.load();
        let age = self.clock.now().since(newest.2).as_secs_f64() * 1000.0;
        Feed { picture: newest.0.clone(), version: newest.1, age }
    }
}

impl Choice {
    fn of(name: &str, want: &Want<'_>) -> Self {
        let crop = want.crop;
        let side = |side: Option<f64>| side.unwrap_or(-1.0);
        let numbers = [
            side(want.size.0),
            side(want.size.1),
            crop.x,
            crop.y,
            crop.width,
            crop.height,
            want.corner_radius,
        ];
        Self {
            stream: name.to_owned(),
            numbers: numbers.map(f64::to_bits),
            fit: want.fit as u8,
            effects: if want.effects.is_empty() { String::new() } else { format!("{:?}", want.effects) },
        }
    }
}

/// Brings files that are asked for into memory.
async fn load(files: Arc<Files>, assets: Assets) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let asked: Vec<String> = match files.asked.lock() {
            Ok(asked) => asked.iter().cloned().collect(),
            Err(_) => return,
        };
        let mut missing = false;
        for id in asked {
            let Some((_, path)) = assets.file(&id) else {
                missing = true;
                continue;
            };
            let Ok(bytes) = tokio::fs::read(path).await else {
                missing = true;
                continue;
            };
            let mut loaded = (*files.loaded.load_full()).clone();
            let version = loaded.len() as u64 + 1;
            loaded.insert(id.clone(), render::Asset { bytes: bytes.into(), version });
            files.loaded.store(Arc::new(loaded));
            if let Ok(mut asked) = files.asked.lock() {
                asked.remove(&id);
            }
        }
        if missing {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What is done to each frame of a feed.
struct Work {
    size: render::Size,
    fit: Fit,
    crop: scene::content::Crop,
    corners: f64,
    effects: Vec<Effect>,
}

/// Decodes one stream for one way of showing it.
struct Feeder {
    name: String,
    work: Work,
    shown: std::sync::Weak<Shown>,
    registry: Registry,
    clock: Clock,
}

impl Feeder {
    async fn run(self) {
        let mut desk = Desk {
            decoder: None,
            picture: I420::new(0, 0, Range::Full, Matrix::Bt601),
            feed: compose::Feed::default(),
        };
        let mut version = 0;
        loop {
            let Some(stream) = self.registry.get(&self.name) else {
                tokio::time::sleep(Duration::from_millis(250)).await;
                if self.shown.strong_count() == 0 {
                    return;
                }
                continue;
            };
            let mut viewer = stream.view(None);
            loop {
                let next = tokio::time::timeout(Duration::from_secs(1), viewer.next()).await;
                let Some(shown) = self.shown.upgrade() else { return };
                match next {
                    Ok(Some(frame)) => {
                        if let Some(picture) = desk.make(&frame, &self.work) {
                            version += 1;
                            shown.newest.store(Arc::new((
                                Some(Arc::new(picture)),
                                version,
                                self.clock.now(),
                            )));
                        }
                    }
                    Ok(None) => break,
                    Err(_) => {}
                }
            }
        }
    }
}

/// What decoding needs again and again.
struct Desk {
    decoder: Option<Decoder>,
    picture: I420,
    feed: compose::Feed,
}

impl Desk {
    fn make(&mut self, frame: &Frame, work: &Work) -> Option<Picture> {
        if self.decoder.is_none() {
            self.decoder = Decoder::new().ok();
        }
        let decoder = self.decoder.as_mut()?;
        decoder.decode(&frame.jpeg, &frame.header, &mut self.picture).ok()?;
        let (wide, high) = (f64::from(self.picture.width), f64::from(self.picture.height));
        let crop = Crop {
            left: work.crop.x * wide,
            top: work.crop.y * high,
            width: work.crop.width * wide,
            height: work.crop.height * high,
        };
        let (width, height) = box_of(work.size, (crop.width, crop.height));
        let (crop, width, height) = match work.fit {
            Fit::Fill => (crop, width, height),
            Fit::Cover => (crop.covering(width, height), width, height),
            Fit::Contain => {
                let scale = (f64::from(width) / crop.width).min(f64::from(height) / crop.height);
                (crop, side(crop.width * scale), side(crop.height * scale))
            }
        };
        self.feed.take(&self.picture, None, crop, width, height);
        for effect in &work.effects {
            match effect {
                Effect::Color(shift) => self.feed.grade(&grade(shift)),
                Effect::ChromaKey(wanted) => self.feed.key(&key(wanted)),
                Effect::CornerRadius(corners) => self.feed.round(Corners(narrow(corners.radius))),
                // Not on live pictures yet.
                _ => {}
            }
        }
        if work.corners > 0.0 {
            self.feed.round(Corners(narrow(work.corners)));
        }
        let mut picture = Picture::default();
        self.feed.show(&mut picture);
        Some(picture)
    }
}

impl Work {
    fn of(want: &Want<'_>) -> Self {
        Self {
            size: want.size,
            fit: want.fit,
            crop: want.crop,
            corners: want.corner_radius,
            effects: want.effects.to_vec(),
        }
    }
}

fn box_of((width, height): render::Size, (wide, high): (f64, f64)) -> (u32, u32) {
    let (wide, high) = (wide.max(1.0), high.max(1.0));
    let (width, height) = match (width, height) {
        (None, None) => (wide, high),
        (Some(width), None) => (width, width * high / wide),
        (None, Some(height)) => (height * wide / high, height),
        (Some(width), Some(height)) => (width, height),
    };
    (side(width), side(height))
}

#[expect(clippy::cast_possible_truncation, reason = "the scene bounds its numbers far within")]
fn narrow(n: f64) -> f32 {
    n as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what pictures may be"
)]
fn side(length: f64) -> u32 {
    length.round().clamp(1.0, 8192.0) as u32
}
