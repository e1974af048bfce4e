//! The world as the frame loop sees it: files that are in memory, streams of the hub that are decoded, the clock.
//!
//! Nothing here waits: what is not at hand is fetched by others and is there some frames later.

mod beat;
mod cut;
mod feeds;
mod files;
mod videos;

use std::sync::Arc;
use std::time::Duration;

use render::{Feed, Source, Want, World};
use scene::template::{Seen, Values};
use tokio::runtime::Handle;

use super::assets::Assets;
use super::outside::{Outside, View};
use crate::base::clock::{Clock, Monotonic};
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::players::Players;
use crate::streams::Registry;

pub(super) use cut::{Cutter, Sight, Work};
use feeds::Feeds;
use files::Files;
use videos::Videos;

/// What it is built from.
pub(super) struct Parts {
    pub(super) assets: Assets,
    pub(super) outside: Outside,
    pub(super) registry: Registry,
    pub(super) players: Players,
    /// Between two frames of the program.
    pub(super) period: Duration,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) runtime: Handle,
}

/// See the file's words.
pub(super) struct Live {
    clock: Clock,
    files: Arc<Files>,
    feeds: Feeds,
    videos: Videos,
    damaged: Counter,
    outside: Outside,
    view: View,
    /// When the frame that is made is shown.
    due: Monotonic,
    /// Which files were there.
    loaded: usize,
}

/// Figures at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Streams that are decoded.
    pub(super) feeds: usize,
    /// Bytes of files and of streams' pictures.
    pub(super) memory: usize,
    /// Frames of streams that could not be decoded.
    pub(super) damaged: u64,
    /// Times a file that there should be could not be had.
    pub(super) unread: u64,
}

impl Live {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { assets, outside, registry, players, period, clock, tasks, runtime } = parts;
        let (files, shown) = (Arc::new(Files::new(clock.clone())), assets.clone());
        let wanted = Arc::clone(&files);
        let stop = tasks.stopping();
        let inside = runtime.enter();
        tasks.supervise("assets on air", move || {
            let (stop, files, assets) = (stop.clone(), Arc::clone(&wanted), assets.clone());
            async move {
                tokio::select! {
                    () = files.run(&assets) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
        drop(inside);
        let (damaged, versions) = (Counter::default(), Arc::default());
        let videos = Videos::new(videos::Parts {
            assets: shown,
            tasks: tasks.clone(),
            unread: files.unread.clone(),
            versions: Arc::clone(&versions),
        });
        let feeds = Feeds::new(feeds::Parts {
            registry,
            players,
            clock: clock.clone(),
            tasks,
            runtime,
            period,
            damaged: damaged.clone(),
            versions,
        });
        let (view, due) = (View::default(), clock.now());
        Self { clock, files, feeds, videos, damaged, outside, view, due, loaded: 0 }
    }

    /// Takes up what is known outside for the frame at `program` (ms) that is shown at `due`; whether any of it is new, or
    /// a file has come.
    pub(super) fn look(&mut self, program: f64, due: Monotonic) -> bool {
        let known = self.view.look(&self.outside, program, due.since_start().as_secs_f64() * 1000.0);
        self.files.renew(&mut self.loaded) || known
    }

    /// The next frame is the one that is shown at `due`.
    pub(super) fn begin(&mut self, due: Monotonic) {
        self.due = due;
    }

    /// Lets feeds go that no layer shows.
    pub(super) fn tidy(&self) {
        self.feeds.tidy();
        self.videos.tidy(self.clock.now());
    }

    pub(super) fn figures(&self) -> Figures {
        let (feeds, bytes) = self.feeds.figures();
        let (damaged, unread) = (self.damaged.get(), self.files.unread.get());
        Figures { feeds, memory: bytes + self.videos.memory() + self.files.bytes(), damaged, unread }
    }
}

impl Values for Live {
    fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
        self.view.get(path)
    }
}

impl World for Live {
    fn wall(&self) -> i64 {
        self.clock.wall().0.as_millisecond()
    }

    fn asset(&self, src: &str) -> Option<render::Asset> {
        self.files.get(src)
    }

    fn level(&self, source: &str) -> f64 {
        self.outside.level(source)
    }

    fn feed(&self, want: &Want<'_>) -> Feed {
        match want.source {
            Source::Stream(name) => self.feeds.show(name, want, self.due),
            Source::Video { src, looped, alpha, at } => {
                self.videos.show(videos::Ask { src, looped, alpha, at }, want, self.clock.now())
            }
        }
    }
}
