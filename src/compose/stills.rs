//! Single frames of the program for those who ask: as it is, or as it would be at another time.
//!
//! Made on a thread of their own by an engine of their own, one after the other, so that the program goes on undisturbed.
//! Of those who ask some wait; more are refused. Called by `api`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use draw::{Fonts, Painter};
use pixels::{I420, jpeg};
use render::{Engine, Feed, Inline, Source, Want, World};
use scene::template::{Seen, Values};
use tokio::sync::oneshot;

use super::assets::Assets;
use super::film::Film;
use super::keeper::Keeper;
use super::outside::{Outside, View};
use super::show::State;
use super::world::{Cutter, Sight, Work};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{Bound, Counter, Full, Received, Receiver, Sender, Sent, bounded};
use crate::base::tasks::Tasks;
use crate::players::Players;
use crate::streams::Registry;

/// What it is built from.
pub(super) struct Parts {
    pub(super) keeper: Keeper,
    pub(super) assets: Assets,
    pub(super) outside: Outside,
    pub(super) registry: Registry,
    pub(super) players: Players,
    pub(super) clock: Clock,
    pub(super) screen: Screen,
    /// px.
    pub(super) size: (u32, u32),
}

/// The frame that is on air, for whoever looks.
#[derive(Clone, Default)]
pub(super) struct Screen(Arc<Shown>);

#[derive(Default)]
struct Shown {
    picture: ArcSwapOption<I420>,
    /// Program time in ms, as bits.
    time: AtomicU64,
}

impl Screen {
    /// For the frame clock: allocates nothing.
    pub(super) fn show(&self, picture: &Arc<I420>, time: f64) {
        self.0.time.store(time.to_bits(), Ordering::Relaxed);
        self.0.picture.store(Some(Arc::clone(picture)));
    }

    pub(super) fn clear(&self) {
        self.0.picture.store(None);
    }

    fn newest(&self) -> Option<(Arc<I420>, f64)> {
        let picture = self.0.picture.load_full()?;
        Some((picture, f64::from_bits(self.0.time.load(Ordering::Relaxed))))
    }
}

/// How a still is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
}

/// A frame of the program.
#[derive(Debug)]
pub struct Still {
    pub bytes: Vec<u8>,
    /// Program time in ms.
    pub time: f64,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Stills {
    asks: Arc<Sender<Ask>>,
    keeper: Keeper,
}

struct Ask {
    at: Option<f64>,
    format: Format,
    answer: oneshot::Sender<Result<Still>>,
}

impl Stills {
    /// How far ahead one can look.
    const FURTHEST: Duration = Duration::from_hours(24);
    /// Of those who ask, so many wait.
    const WAITING: usize = 4;

    pub(super) fn start(parts: Parts, fonts: Fonts, tasks: &Tasks) -> Result<Self> {
        const STACK: usize = 8 << 20;
        let bound = Bound { items: Self::WAITING, weight: usize::MAX };
        let (asks, inbox) = bounded(bound, Full::DropNewest, Counter::default());
        let (keeper, stop) = (parts.keeper.clone(), tasks.stopping());
        tasks.thread("stills", STACK, move || {
            // Composing on this thread alone leaves the others to the program.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
            let desk = Desk { parts, fonts, painter: None };
            match pool {
                Ok(pool) => pool.install(move || desk.run(&inbox, || stop.is_cancelled())),
                Err(e) => tracing::error!(error = %e, "single frames can't be made"),
            }
        })?;
        Ok(Self { asks: Arc::new(asks), keeper })
    }

    /// The program at program time `at` (ms) by the scene as it is now, or as it is on air.
    ///
    /// # Errors
    /// `Invalid` for a time beyond tomorrow; `Unavailable` when too many ask.
    pub async fn take(&self, at: Option<f64>, format: Format) -> Result<Still> {
        let latest = self.keeper.time() + Self::FURTHEST.as_secs_f64() * 1000.0;
        if at.is_some_and(|at| !(0.0..=latest).contains(&at)) {
            return Err(Error::invalid("at", "program time in ms, from 0 to a day from now"));
        }
        let (answer, answered) = oneshot::channel();
        if self.asks.send(Ask { at, format, answer }, 0) != Sent::Queued {
            let busy = "frames are being made for others; ask again";
            return Err(Error::new(Kind::Unavailable, busy).retry_after(Duration::from_secs(1)));
        }
        answered.await.map_err(|_| Error::new(Kind::Internal, "the frame could not be made"))?
    }
}

/// The thread's own.
struct Desk {
    parts: Parts,
    fonts: Fonts,
    /// Made when it is needed first, for it takes memory.
    painter: Option<Inline>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Ask>, stopping: impl Fn() -> bool) {
        while !stopping() {
            match inbox.receive(Duration::from_millis(200)) {
                Received::Item(Ask { at, format, answer }) => {
                    if !answer.is_closed() {
                        // Who asked may be gone meanwhile.
                        drop(answer.send(self.make(at, format)));
                    }
                }
                Received::Empty => {}
                Received::Closed => return,
            }
        }
    }

    fn make(&mut self, at: Option<f64>, format: Format) -> Result<Still> {
        let on_air = self.parts.keeper.show().state != State::Idle;
        let shown = self.parts.screen.newest().filter(|_| at.is_none() && on_air);
        let (picture, time) = match shown {
            Some(shown) => shown,
            None => {
                let at = at.unwrap_or_else(|| self.parts.keeper.time());
                (self.compose(at), at)
            }
        };
        Ok(Still { bytes: code(&picture, format)?, time })
    }

    fn compose(&mut self, at: f64) -> Arc<I420> {
        /// What time does to a scene, one after the other.
        const MOST: usize = 100_000;
        let Parts { keeper, outside, clock, size, .. } = &self.parts;
        let mut scene = (*keeper.scene()).clone();
        for _ in 0..MOST {
            if scene.advance(at).is_none() {
                break;
            }
        }
        let (now, program) = (clock.now(), keeper.time());
        let mut view = View::default();
        view.look(outside, program, now.since_start().as_secs_f64() * 1000.0);
        let world = Moment {
            parts: &self.parts,
            view,
            wall: clock.wall().0.as_millisecond() + whole(at - program),
            files: RefCell::default(),
            desk: RefCell::default(),
        };
        let painter = self.painter.get_or_insert_with(|| Inline::new(Painter::new(&self.fonts)));
        Engine::new(size.0, size.1).step(&scene, &world, painter, at)
    }
}

/// The world at one moment: files are read and streams decoded when they are asked for.
struct Moment<'a> {
    parts: &'a Parts,
    view: View,
    wall: i64,
    files: RefCell<BTreeMap<String, Option<render::Asset>>>,
    desk: RefCell<(Sight, Cutter)>,
}

impl Values for Moment<'_> {
    fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
        self.view.get(path)
    }
}

impl Moment<'_> {
    fn video(&self, src: &str, looped: bool, alpha: bool, at: f64, want: &Want<'_>) -> Feed {
        let Some((_, path)) = self.parts.assets.file(src) else { return Feed::default() };
        let Ok(mut film) = Film::open(&path, looped) else { return Feed::default() };
        let Some(shot) = film.at(at, 0).front().filter(|shot| shot.from <= at) else {
            return Feed::default();
        };
        let (_, cutter) = &mut *self.desk.borrow_mut();
        cutter.cut(shot.picture.view(), shot.alpha.as_ref().filter(|_| alpha), &Work::of(want)).into_feed(1)
    }
}

impl World for Moment<'_> {
    fn wall(&self) -> i64 {
        self.wall
    }

    fn asset(&self, src: &str) -> Option<render::Asset> {
        let mut files = self.files.borrow_mut();
        let read = || {
            let (_, path) = self.parts.assets.file(src)?;
            Some(render::Asset { bytes: std::fs::read(path).ok()?.into(), version: 0 })
        };
        files.entry(src.to_owned()).or_insert_with(read).clone()
    }

    fn level(&self, source: &str) -> f64 {
        self.parts.outside.level(source)
    }

    fn feed(&self, want: &Want<'_>) -> Feed {
        let name = match want.source {
            Source::Stream(name) => name,
            Source::Video { src, looped, alpha, at } => return self.video(src, looped, alpha, at, want),
        };
        if let Some(picture) = self.parts.players.newest(name) {
            let (_, cutter) = &mut *self.desk.borrow_mut();
            return cutter.cut(picture.view(), None, &Work::of(want)).into_feed(1);
        }
        let Some(frame) = self.parts.registry.get(name).and_then(|stream| stream.latest()) else {
            return Feed::default();
        };
        let (sight, cutter) = &mut *self.desk.borrow_mut();
        if !sight.look(&frame) {
            return Feed::default();
        }
        let age = self.parts.clock.now().since(frame.at).as_secs_f64() * 1000.0;
        Feed { age, ..cutter.cut(sight.picture.view(), None, &Work::of(want)).into_feed(1) }
    }
}

fn code(picture: &I420, format: Format) -> Result<Vec<u8>> {
    /// libjpeg's scale.
    const QUALITY: u8 = 90;
    match format {
        Format::Jpeg => {
            let failed = |e| Error::internal("the frame can't be coded", e);
            jpeg::Encoder::new(QUALITY).and_then(|mut encoder| encoder.encode(picture)).map_err(failed)
        }
        Format::Png => {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::Fast);
            encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
            let failed = |e| Error::internal("the frame can't be coded", e);
            let mut writer = encoder.write_header().map_err(failed)?;
            writer.write_image_data(&pixels::convert::i420_to_rgb(picture)).map_err(failed)?;
            drop(writer);
            Ok(bytes)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a day in ms")]
fn whole(ms: f64) -> i64 {
    ms as i64
}
