//! Streams of the hub as layers show them: a thread a stream decodes each frame once, and cuts it for every way it is shown.
//!
//! A [`Cut`] is one way; layers that want the same share it. One whose layer wants something else is turned to that, and shows
//! what it showed until the new is there, so that an animated effect costs a picture and no thread. Asked by the frame clock only,
//! which neither waits nor allocates while nothing is new.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use render::{Feed, Want};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::cut::{Cutter, Sight, Work};
use crate::base::clock::{Clock, Monotonic};
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::streams::Registry;

/// What nobody asked for so long ends.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(5);
/// Streams that are decoded at once, and ways in which one of them is shown.
const MOST: usize = 64;
const TOO_MANY: &str = "too many streams are shown, or one in too many ways";
const DAMAGED: &str = "the newest frame of its stream can't be decoded";
const STACK: usize = 4 << 20;

pub(super) struct Feeds {
    parts: Parts,
    reels: RefCell<Vec<Reel>>,
}

/// What threads need.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) runtime: Handle,
    /// Frames that could not be decoded.
    pub(super) damaged: Counter,
    /// Numbers pictures, so that no two are of the same version.
    pub(super) versions: Arc<AtomicU64>,
}

/// One stream.
struct Reel {
    name: String,
    shared: Arc<Shared>,
}

struct Shared {
    cuts: ArcSwap<Vec<Arc<Cut>>>,
    /// A cut is wanted otherwise than it was.
    turned: Arc<Notify>,
    damaged: AtomicBool,
}

/// One way of showing a stream.
struct Cut {
    /// The layer that it follows.
    owner: u64,
    work: ArcSwap<Work>,
    newest: ArcSwap<Newest>,
    /// When it was asked for last, in ms.
    asked: AtomicU64,
}

#[derive(Clone)]
struct Newest {
    /// But for its age and what is wrong with it.
    feed: Feed,
    /// When its frame came.
    at: Monotonic,
    work: Option<Arc<Work>>,
}

impl Feeds {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, reels: RefCell::default() }
    }

    /// What is shown of a stream now.
    pub(super) fn show(&self, name: &str, want: &Want<'_>) -> Feed {
        let now = self.parts.clock.now();
        let refused = || Feed { trouble: Some(TOO_MANY), ..Feed::default() };
        let mut reels = self.reels.borrow_mut();
        let known = reels.iter().position(|reel| reel.name == name);
        let at = match known {
            Some(at) => at,
            None if reels.len() < MOST => match self.begin(name) {
                Some(reel) => {
                    reels.push(reel);
                    reels.len() - 1
                }
                None => return refused(),
            },
            None => return refused(),
        };
        reels[at].show(want, now).unwrap_or_else(refused)
    }

    /// Lets go what no layer shows.
    pub(super) fn tidy(&self) {
        let (now, left) = (ms(self.parts.clock.now()), ms(Monotonic::from_start(LEFT_ALONE)));
        self.reels.borrow_mut().retain(|reel| {
            let cuts = reel.shared.cuts.load();
            let stays = |cut: &&Arc<Cut>| now.saturating_sub(cut.asked.load(Ordering::Relaxed)) < left;
            let staying = cuts.iter().filter(stays).count();
            if staying > 0 && staying < cuts.len() {
                reel.shared.cuts.store(Arc::new(cuts.iter().filter(stays).cloned().collect()));
            }
            staying > 0
        });
    }

    /// Streams that are decoded, and bytes of their pictures.
    pub(super) fn figures(&self) -> (usize, usize) {
        let reels = self.reels.borrow();
        let of = |cut: &Arc<Cut>| {
            let newest = cut.newest.load();
            newest.feed.picture.as_ref().map_or(0, |picture| picture.memory())
        };
        let bytes = reels.iter().map(|reel| reel.shared.cuts.load().iter().map(of).sum::<usize>()).sum();
        (reels.len(), bytes)
    }

    fn begin(&self, name: &str) -> Option<Reel> {
        let turned = Arc::<Notify>::default();
        let shared = Arc::new(Shared {
            cuts: ArcSwap::default(),
            turned: Arc::clone(&turned),
            damaged: AtomicBool::new(false),
        });
        let work = Thread {
            name: name.to_owned(),
            shared: Arc::downgrade(&shared),
            turned,
            sight: Sight::default(),
            cutter: Cutter::default(),
            at: self.parts.clock.now(),
            parts: self.parts.clone(),
        };
        let (runtime, stop) = (self.parts.runtime.clone(), self.parts.tasks.stopping());
        let begun = self.parts.tasks.thread("feed", STACK, move || {
            runtime.block_on(async {
                tokio::select! {
                    () = work.run() => {}
                    () = stop.cancelled() => {}
                }
            });
        });
        begun.ok().map(|()| Reel { name: name.to_owned(), shared })
    }
}

impl Reel {
    /// `None` when it is shown in too many ways.
    fn show(&self, want: &Want<'_>, now: Monotonic) -> Option<Feed> {
        let cuts = self.shared.cuts.load();
        let same = cuts.iter().find(|cut| cut.work.load().is_of(want));
        let own = || cuts.iter().find(|cut| cut.owner == want.owner);
        let cut = match same.or_else(own) {
            Some(cut) => cut,
            None if cuts.len() < MOST => &self.cut(want, &cuts, now),
            None => return None,
        };
        if !cut.work.load().is_of(want) {
            cut.work.store(Arc::new(Work::of(want)));
            self.shared.turned.notify_one();
        }
        cut.asked.store(ms(now), Ordering::Relaxed);
        let newest = cut.newest.load();
        let age = now.since(newest.at).as_secs_f64() * 1000.0;
        let damaged = self.shared.damaged.load(Ordering::Relaxed);
        let trouble = damaged.then_some(DAMAGED);
        Some(Feed { trouble, age, ..newest.feed.clone() })
    }

    /// A new cut. Until its own is there it shows what another one shows that differs in effects only.
    fn cut(&self, want: &Want<'_>, cuts: &[Arc<Cut>], now: Monotonic) -> Arc<Cut> {
        let like = cuts.iter().find(|cut| cut.work.load().frames_as(want));
        let none = || Newest { feed: Feed::default(), at: now, work: None };
        let newest = like.map_or_else(none, |cut| Newest { work: None, ..(**cut.newest.load()).clone() });
        let cut = Arc::new(Cut {
            owner: want.owner,
            work: ArcSwap::from_pointee(Work::of(want)),
            newest: ArcSwap::from_pointee(newest),
            asked: AtomicU64::new(ms(now)),
        });
        let mut all = cuts.to_vec();
        all.push(Arc::clone(&cut));
        self.shared.cuts.store(Arc::new(all));
        self.shared.turned.notify_one();
        cut
    }
}

/// Decodes one stream, for as long as anybody wants it.
struct Thread {
    name: String,
    shared: Weak<Shared>,
    turned: Arc<Notify>,
    sight: Sight,
    cutter: Cutter,
    /// When the last frame came.
    at: Monotonic,
    parts: Parts,
}

impl Thread {
    async fn run(mut self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(250);
        while self.shared.strong_count() > 0 {
            match self.parts.registry.get(&self.name) {
                Some(stream) => self.follow(stream.view(None)).await,
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Until the stream ends, or nobody wants it.
    async fn follow(&mut self, mut viewer: crate::streams::Viewer) {
        const ASK_AGAIN: Duration = Duration::from_secs(1);
        loop {
            let next = tokio::select! {
                frame = viewer.next() => Some(frame),
                () = self.turned.notified() => None,
                () = tokio::time::sleep(ASK_AGAIN) => None,
            };
            let Some(shared) = self.shared.upgrade() else { return };
            match next {
                Some(None) => return,
                Some(Some(frame)) => {
                    let decoded = self.sight.look(&frame);
                    shared.damaged.store(!decoded, Ordering::Relaxed);
                    if decoded {
                        self.at = self.parts.clock.now();
                        shared.cuts.load().iter().for_each(|cut| self.make(cut));
                    } else {
                        self.parts.damaged.add(1);
                    }
                }
                None => {
                    for cut in shared.cuts.load().iter() {
                        let work = cut.work.load_full();
                        let made = cut.newest.load();
                        if !made.work.as_ref().is_some_and(|made| Arc::ptr_eq(made, &work)) {
                            self.make(cut);
                        }
                    }
                }
            }
        }
    }

    fn make(&mut self, cut: &Cut) {
        if self.sight.picture.width == 0 {
            return;
        }
        let work = cut.work.load_full();
        let piece = self.cutter.cut(&self.sight.picture, None, &work);
        let version = self.parts.versions.fetch_add(1, Ordering::Relaxed) + 1;
        cut.newest.store(Arc::new(Newest { feed: piece.into_feed(version), at: self.at, work: Some(work) }));
    }
}

fn ms(time: Monotonic) -> u64 {
    u64::try_from(time.since_start().as_millis()).unwrap_or(u64::MAX)
}
