//! The frame clock: composes the scene on air, frame after frame, and gives it to the hub as the stream `program`.
//!
//! Runs while live or while anybody watches, and costs nothing otherwise but a look at the scene: what changed in it is then
//! composed until all of it is drawn, so that a snapshot is never old. Times of frames are those of the clock's beats, however long one takes;
//! what comes too late is left out and counted. Never waits for the store, a disk or a stream.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use pixels::I420;
use pixels::jpeg;
use render::Engine;
use tokio::runtime::Handle;
use tracing::{error, info};

use super::assets::Assets;
use super::frames::Frames;
use super::keeper::Keeper;
use super::outside::Outside;
use super::report::{Figures, Trouble};
use super::show::{Count, Grid, State};
use super::stills::{self, Screen, Stills};
use super::studio::Studio;
use super::world::{self, Live};
use crate::base::clock::{Anchor, Clock, MediaTime};
use crate::base::config;
use crate::base::error::{Error, Result};
use crate::base::queue::{Bound, Counter, Full, Received, Receiver, Sender, bounded};
use crate::base::tasks::Tasks;
use crate::players::Players;
use crate::streams::{Picture, Registry, Stream};

/// What it is built from.
pub struct Parts {
    pub settings: config::Compositor,
    pub keeper: Keeper,
    pub assets: Assets,
    pub outside: Outside,
    pub registry: Registry,
    pub players: Players,
    /// Where frames go while the program is on air.
    pub frames: Frames,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// A frame for those who watch.
struct Fresh {
    picture: Arc<I420>,
    media_time: MediaTime,
}

/// Frames whose times are told.
const RECENT: usize = 600;
/// While nobody watches, the scene is looked at this often.
const IDLE: Duration = Duration::from_millis(50);
/// After a change nobody watches, frames are made for so long: files and streams that are shown anew take a moment to come.
const SETTLING: Duration = Duration::from_secs(1);
/// Without a change a frame is sent again this often, so that whoever watches knows that all is well.
const AGAIN: Duration = Duration::from_secs(1);
const STACK: usize = 8 << 20;

/// Starts the threads; what single frames are asked of.
///
/// # Errors
/// When a thread can't be started.
pub fn start(parts: Parts) -> Result<Stills> {
    let Parts { settings, keeper, assets, outside, registry, players, frames, clock, tasks } = parts;
    let period = Duration::from_secs(1) / settings.fps.max(1);
    let runtime = Handle::current();
    // The newest frame is what counts.
    let (fresh, inbox) =
        bounded(Bound { items: 1, weight: usize::MAX }, Full::DropOldest, Counter::default());
    let coder = registry.clone();
    let stop = tasks.stopping();
    tasks.thread("program-jpeg", STACK, move || encode(&inbox, &coder, || stop.is_cancelled()))?;
    let own = tasks.clone();
    let (fonts, screen) = (draw::Fonts::with_system(), Screen::default());
    let stills = stills::Parts {
        keeper: keeper.clone(),
        assets: assets.clone(),
        outside: outside.clone(),
        registry: registry.clone(),
        players: players.clone(),
        clock: clock.clone(),
        screen: screen.clone(),
        size: (settings.width, settings.height),
    };
    let stills = Stills::start(stills, fonts.clone(), &tasks)?;
    tasks.thread("frame-clock", STACK, move || {
        let live = Live::new(world::Parts {
            assets,
            outside,
            registry: registry.clone(),
            players,
            period,
            clock: clock.clone(),
            tasks: own.clone(),
            runtime,
        });
        let studio = match Studio::start(&fonts, &clock, &own) {
            Ok(studio) => studio,
            Err(e) => return error!(error = %e, "the program can't be composed"),
        };
        let beat = Beat {
            settings,
            keeper,
            registry,
            frames,
            clock,
            fresh,
            live,
            studio,
            screen,
            troubles: Vec::new(),
            failed: 0,
        };
        let pool = pool(&own);
        match pool {
            Ok(pool) => pool.install(|| beat.run(&own)),
            Err(e) => error!(error = %e, "the program can't be composed"),
        }
    })?;
    Ok(stills)
}

/// Threads that compose: this one, and one for each core more.
fn pool(tasks: &Tasks) -> Result<rayon::ThreadPool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let tasks = tasks.clone();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(cores).use_current_thread();
    let threads = threads.spawn_handler(move |thread| {
        let name = format!("render-{}", thread.index());
        tasks.thread(&name, STACK, move || thread.run()).map_err(std::io::Error::other)
    });
    threads.build().map_err(|e| Error::internal("can't start threads", e))
}

struct Beat {
    settings: config::Compositor,
    keeper: Keeper,
    registry: Registry,
    frames: Frames,
    clock: Clock,
    fresh: Sender<Fresh>,
    live: Live,
    studio: Studio,
    screen: Screen,
    /// What was told of them last.
    troubles: Vec<Trouble>,
    /// Frames that could not be composed.
    failed: u64,
}

impl Beat {
    fn run(mut self, tasks: &Tasks) {
        let stop = tasks.stopping();
        let mut engine = Engine::new(self.settings.width, self.settings.height);
        let mut anchor = Anchor::new(self.clock.now(), self.clock.wall());
        let mut stream: Option<Arc<Stream>> = None;
        let mut told = Told::default();
        let (mut shown, mut sent): (Option<Arc<I420>>, _) = (None, self.clock.now());
        let (mut seen, mut beat, mut begun) = (0, 0_u64, self.clock.now());
        let mut settled = begun;
        let fps = self.settings.fps.max(1);
        let (grid, mut count) = (Grid::new(fps), Count::default());
        while !stop.is_cancelled() {
            let (scene, show) = (self.keeper.scene(), self.keeper.show());
            if !self.keeper.composes() {
                self.stand_by(&mut stream, &mut shown);
                told.rest();
                self.frames.clear();
                std::thread::sleep(IDLE);
                (beat, begun) = (0, self.clock.now());
                continue;
            }
            let empty = scene.revision() == 0 && show.state == State::Idle;
            if stream.is_none() && !empty {
                stream = self.appear(engine.size());
            }
            let watched = stream.as_ref().is_some_and(|stream| stream.is_taken());
            let wanted = !empty && (show.state != State::Idle || watched);
            let looked = self.clock.now();
            let news = self.live.look(show.time(looked), looked);
            if scene.revision() != seen || news {
                settled = looked + SETTLING;
            }
            let changed = (looked < settled || self.studio.busy()) && !empty;
            if !wanted && !changed {
                told.rest();
                self.frames.clear();
                std::thread::sleep(IDLE);
                (beat, begun) = (0, self.clock.now());
                continue;
            }
            let due = begun + beats(beat, fps);
            let now = self.clock.now();
            let early = due.since(now);
            if !early.is_zero() {
                std::thread::sleep(early);
            }
            // What came meanwhile is in this frame already.
            let (scene, show) = (self.keeper.scene(), self.keeper.show());
            seen = scene.revision();
            let frame = match &shown {
                Some(shown) if show.state == State::Paused => Arc::clone(shown),
                _ => {
                    // What was asked for after the frame was due has begun with the next one.
                    let time = count.time(grid, &show, begun, beat, due).max(self.keeper.reached());
                    self.live.begin(due.max(begun));
                    let frame = self.compose(&mut engine, &scene, time, shown.as_ref());
                    self.screen.show(&frame, time);
                    frame
                }
            };
            if show.state != State::Idle {
                self.frames.give(&frame);
            }
            self.tell(&engine);
            let after = self.clock.now();
            told.frame(after.since(due.max(now)));
            let same = shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &frame));
            if !same || after.since(sent) >= AGAIN {
                let media_time = anchor.media_time(after, self.clock.wall());
                self.fresh.send(Fresh { picture: Arc::clone(&frame), media_time }, 0);
                sent = after;
            }
            shown = Some(frame);
            // Beats that have passed meanwhile are left out; the clock goes on.
            let passed = after.since(begun).as_nanos() * u128::from(fps) / 1_000_000_000;
            let passed = u64::try_from(passed).unwrap_or(beat);
            let next = (beat + 1).max(passed);
            told.late(next - beat - 1);
            beat = next;
            if beat.is_multiple_of(u64::from(fps)) {
                self.live.tidy();
                self.keeper.report(self.figures(&engine, told.figures(after.since(begun), beat)));
            }
        }
    }
}

/// How long so many beats last: exactly, however many they are.
fn beats(count: u64, fps: u32) -> Duration {
    let (seconds, rest) = (count / u64::from(fps), count % u64::from(fps));
    Duration::from_secs(seconds) + Duration::from_secs(rest) / fps
}

impl Beat {
    fn appear(&self, (width, height): (u32, u32)) -> Option<Arc<Stream>> {
        info!(width, height, fps = self.settings.fps, "the program is there");
        self.registry.program().ok()
    }

    /// Another server composes: there is no program here any more.
    fn stand_by(&self, stream: &mut Option<Arc<Stream>>, shown: &mut Option<Arc<I420>>) {
        if stream.take().is_some() {
            self.registry.remove("program", "another server composes");
            self.screen.clear();
            *shown = None;
        }
    }

    /// The scene at `time`; what was shown last when it can't be composed.
    fn compose(
        &mut self,
        engine: &mut Engine,
        scene: &scene::Store,
        time: f64,
        last: Option<&Arc<I420>>,
    ) -> Arc<I420> {
        let step = AssertUnwindSafe(|| engine.step(scene, &self.live, &mut self.studio, time));
        if let Ok(frame) = catch_unwind(step) {
            return frame;
        }
        self.failed += 1;
        error!("a frame can't be composed; the last one stays");
        // What is left of the engine may be broken.
        *engine = Engine::new(self.settings.width, self.settings.height);
        std::thread::sleep(AGAIN);
        let black = || {
            let (width, height) = engine.size();
            let mut black = I420::new(width, height, pixels::Range::Limited, pixels::Matrix::Bt709);
            black.blacken();
            Arc::new(black)
        };
        last.map_or_else(black, Arc::clone)
    }

    /// Tells of the layers that can't be shown, when they are others than before.
    fn tell(&mut self, engine: &Engine) {
        let told = self.troubles.iter().map(|trouble| (&*trouble.layer, &*trouble.message));
        if engine.troubles().map(|trouble| (trouble.layer.as_str(), trouble.why)).eq(told) {
            return;
        }
        let owned = |trouble: render::Trouble<'_>| Trouble {
            layer: trouble.layer.as_str().to_owned(),
            message: trouble.why.to_owned(),
        };
        self.troubles = engine.troubles().map(owned).collect();
        self.keeper.report_troubles(self.troubles.clone());
    }

    fn figures(&self, engine: &Engine, figures: Figures) -> Figures {
        let (world, studio) = (self.live.figures(), self.studio.figures());
        Figures {
            memory: world.memory + engine.figures().memory,
            feeds: world.feeds,
            damaged: world.damaged,
            unread: world.unread,
            panics: studio.panics,
            given_up: studio.given_up,
            failed: self.failed,
            ..figures
        }
    }
}

/// What frames took lately.
#[derive(Default)]
struct Told {
    /// ms, the newest last.
    times: std::collections::VecDeque<f64>,
    late: u64,
    made: u64,
}

impl Told {
    fn frame(&mut self, took: Duration) {
        self.made += 1;
        self.times.push_back(took.as_secs_f64() * 1000.0);
        if self.times.len() > RECENT {
            self.times.pop_front();
        }
    }

    fn late(&mut self, beats: u64) {
        self.late += beats;
    }

    fn rest(&mut self) {
        self.times.clear();
        self.made = 0;
    }

    #[expect(clippy::cast_precision_loss, reason = "frames of a show")]
    fn figures(&self, since: Duration, beats: u64) -> Figures {
        let mut times: Vec<f64> = self.times.iter().copied().collect();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().unwrap_or(0.0);
        let seconds = since.as_secs_f64();
        Figures {
            fps: if seconds > 0.0 {
                (beats.min(self.made) as f64 / seconds * 10.0).round() / 10.0
            } else {
                0.0
            },
            render_p50: at(50),
            render_p95: at(95),
            render_p99: at(99),
            dropped: self.late,
            duplicated: self.late,
            ..Figures::default()
        }
    }
}

/// Makes JPEGs of what is composed, for the hub.
fn encode(inbox: &Receiver<Fresh>, registry: &Registry, stopping: impl Fn() -> bool) {
    /// libjpeg's scale.
    const QUALITY: u8 = 85;
    const MOST: u16 = 8192;
    /// Not quite as long as it takes until a frame that does not change is sent again.
    const SELDOM: Duration = Duration::from_millis(500);
    let Ok(mut encoder) = jpeg::Encoder::new(QUALITY) else {
        return error!("the program can't be shown: no JPEG encoder");
    };
    let mut last = None;
    while !stopping() {
        let fresh = match inbox.receive(Duration::from_millis(200)) {
            Received::Item(fresh) => fresh,
            Received::Empty => continue,
            Received::Closed => return,
        };
        let Some(stream) = registry.get("program") else { continue };
        // On air without anybody who looks, a picture now and then is enough: for snapshots, for packs.
        let at = fresh.media_time.0;
        let soon = last.is_some_and(|last: Timestamp| at.duration_since(last).unsigned_abs() < SELDOM);
        if soon && !stream.is_taken() {
            continue;
        }
        last = Some(at);
        let made = encoder.encode(&fresh.picture).map_err(|e| e.to_string());
        let looked = made.and_then(|bytes| {
            let header = jpeg::inspect(&bytes, MOST).map_err(|e| e.to_string())?;
            Ok((Bytes::from(bytes), header))
        });
        match looked {
            Ok((jpeg, header)) => {
                let media_time = Some(fresh.media_time);
                // A stream that has ended takes nothing: the program is ending.
                drop(stream.publish(Picture { jpeg, header, source_time: None, media_time }, None));
            }
            Err(e) => error!(error = e, "a frame of the program can't be shown"),
        }
    }
}
