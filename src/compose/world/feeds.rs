//! Streams of the hub as layers show them: a thread a stream takes each picture once, and cuts it for every way it is shown.
//!
//! Pictures come as JPEGs of the hub, each shown as it comes; where a stream can be had in full, from its player, some time before
//! each is due. A [`Cut`] is one way of showing; layers that want the same share it. One whose layer wants something else is turned
//! to that, and shows what it showed until the new is there, so that an animated effect costs a picture and no thread. Asked by the
//! frame clock only, which neither waits nor allocates while nothing is new.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use media::tape::Decoded;
use render::{Feed, Want};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::beat::Beat;
use super::cut::{Cutter, Sight, Work};
use crate::base::clock::{Clock, Monotonic};
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::players::{Lease, Players, State, Timed};
use crate::streams::{Frame, Registry, Viewer};

/// What nobody asked for so long ends.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(5);
/// Streams that are decoded at once, and ways in which one of them is shown.
const MOST: usize = 64;
const TOO_MANY: &str = "too many streams are shown, or one in too many ways";
/// What may be wrong with one, by its number.
const TROUBLES: [Option<&str>; 3] = [
    None,
    Some("the newest frame of its stream can't be decoded"),
    Some("its stream can't be played just now; it is tried again"),
];
const STACK: usize = 4 << 20;

pub(super) struct Feeds {
    parts: Parts,
    reels: RefCell<Vec<Reel>>,
}

/// What threads need.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) registry: Registry,
    pub(super) players: Players,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) runtime: Handle,
    /// Between two frames of the program.
    pub(super) period: Duration,
    /// Frames that could not be decoded.
    pub(super) damaged: Counter,
    /// Numbers pictures, so that no two are of the same version.
    pub(super) versions: Arc<AtomicU64>,
}

/// One stream.
struct Reel {
    name: String,
    shared: Arc<Shared>,
    /// How its pictures stand to our beats.
    beat: Cell<Beat>,
}

struct Shared {
    cuts: ArcSwap<Vec<Arc<Cut>>>,
    /// A cut is wanted otherwise than it was.
    turned: Arc<Notify>,
    /// Of [`TROUBLES`].
    trouble: AtomicU8,
}

/// One way of showing a stream.
struct Cut {
    /// The layer that it follows.
    owner: u64,
    work: ArcSwap<Work>,
    /// What is shown now and next, in the order of time.
    ready: ArcSwap<Vec<Ready>>,
    /// When it was asked for last, in ms.
    asked: AtomicU64,
}

#[derive(Clone)]
struct Ready {
    /// But for its age and what is wrong with it.
    feed: Feed,
    /// When it is to be shown, or when its frame came.
    due: Monotonic,
    /// `None`: not what is wanted.
    work: Option<Arc<Work>>,
}

impl Feeds {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, reels: RefCell::default() }
    }

    /// What is shown of a stream in the frame of `beat`.
    pub(super) fn show(&self, name: &str, want: &Want<'_>, beat: Monotonic) -> Feed {
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
        reels[at].show(want, beat, self.parts.clock.now()).unwrap_or_else(refused)
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
        let of = |ready: &Ready| ready.feed.picture.as_ref().map_or(0, |picture| picture.memory());
        let all = |cut: &Arc<Cut>| cut.ready.load().iter().map(of).sum::<usize>();
        let bytes = reels.iter().map(|reel| reel.shared.cuts.load().iter().map(all).sum::<usize>()).sum();
        (reels.len(), bytes)
    }

    fn begin(&self, name: &str) -> Option<Reel> {
        let turned = Arc::<Notify>::default();
        let shared = Arc::new(Shared {
            cuts: ArcSwap::default(),
            turned: Arc::clone(&turned),
            trouble: AtomicU8::new(0),
        });
        let work = Thread {
            name: name.to_owned(),
            shared: Arc::downgrade(&shared),
            turned,
            lease: None,
            looked: None,
            sight: Sight::default(),
            cutter: Cutter::default(),
            held: VecDeque::new(),
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
        let beat = Cell::new(Beat::new(self.parts.period));
        begun.ok().map(|()| Reel { name: name.to_owned(), shared, beat })
    }
}

impl Reel {
    /// `None` when it is shown in too many ways.
    fn show(&self, want: &Want<'_>, beat: Monotonic, now: Monotonic) -> Option<Feed> {
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
        let trouble = usize::from(self.shared.trouble.load(Ordering::Relaxed)).min(TROUBLES.len() - 1);
        let trouble = TROUBLES[trouble];
        let ready = cut.ready.load();
        let mut lean = self.beat.get();
        let due = lean.choose(ready.iter().map(|ready| ready.due), beat);
        self.beat.set(lean);
        let Some(ready) = due.and_then(|at| ready.get(at)) else {
            return Some(Feed { trouble, ..Feed::default() });
        };
        let age = beat.max(now).since(ready.due).as_secs_f64() * 1000.0;
        Some(Feed { trouble, age, ..ready.feed.clone() })
    }

    /// A new cut. Until its own is there it shows what another one shows that differs in effects only.
    fn cut(&self, want: &Want<'_>, cuts: &[Arc<Cut>], now: Monotonic) -> Arc<Cut> {
        let like = cuts.iter().find(|cut| cut.work.load().frames_as(want));
        let ready = like.map_or_else(Vec::new, |cut| {
            cut.ready.load().iter().map(|ready| Ready { work: None, ..ready.clone() }).collect()
        });
        let cut = Arc::new(Cut {
            owner: want.owner,
            work: ArcSwap::from_pointee(Work::of(want)),
            ready: ArcSwap::from_pointee(ready),
            asked: AtomicU64::new(ms(now)),
        });
        let mut all = cuts.to_vec();
        all.push(Arc::clone(&cut));
        self.shared.cuts.store(Arc::new(all));
        self.shared.turned.notify_one();
        cut
    }
}

/// Takes the pictures of one stream, for as long as anybody wants it.
struct Thread {
    name: String,
    shared: Weak<Shared>,
    turned: Arc<Notify>,
    /// While the stream can be had in full.
    lease: Option<Lease>,
    /// When it was looked last whether it can.
    looked: Option<Monotonic>,
    sight: Sight,
    cutter: Cutter,
    /// What is shown now and next, in the order of time.
    held: VecDeque<Held>,
    parts: Parts,
}

struct Held {
    picture: Source,
    due: Monotonic,
}

enum Source {
    /// The thread's own.
    Jpeg,
    Full(Arc<Decoded>),
}

/// What a thread has waited for.
enum Step {
    Frame(Option<Arc<Frame>>),
    Arrived,
    Turned,
    Nothing,
}

impl Thread {
    /// Between two looks at whether the stream is there, and in full.
    const LOOK_AGAIN: Duration = Duration::from_millis(250);
    /// What was due so long ago is not asked for again, if there is something newer.
    const PAST: Duration = Duration::from_millis(100);

    async fn run(mut self) {
        let mut viewer: Option<Viewer> = None;
        while self.shared.strong_count() > 0 {
            self.look();
            if self.is_full() {
                viewer = None;
            } else if viewer.is_none() {
                viewer = self.parts.registry.get(&self.name).map(|stream| stream.view(None));
            }
            let lease = self.lease.as_ref();
            let step = tokio::select! {
                () = async { if let Some(lease) = lease { lease.player.arrived().await } }, if lease.is_some() => Step::Arrived,
                frame = async { match &mut viewer { Some(viewer) => viewer.next().await, None => None } },
                    if viewer.is_some() => Step::Frame(frame),
                () = self.turned.notified() => Step::Turned,
                () = tokio::time::sleep(Self::LOOK_AGAIN) => Step::Nothing,
            };
            let Some(shared) = self.shared.upgrade() else { return };
            match step {
                Step::Frame(Some(frame)) => self.show_frame(&shared, &frame),
                Step::Frame(None) => {
                    viewer = None;
                    tokio::time::sleep(Self::LOOK_AGAIN).await;
                }
                Step::Arrived => self.show_full(&shared),
                Step::Turned | Step::Nothing => self.make(&shared),
            }
        }
    }

    /// Has the stream played while it can be had in full.
    fn look(&mut self) {
        let now = self.parts.clock.now();
        if self.looked.is_some_and(|looked| now.since(looked) < Self::LOOK_AGAIN) {
            return;
        }
        self.looked = Some(now);
        match &self.lease {
            Some(_) if self.parts.registry.supplies().get(&self.name).is_none() => self.lease = None,
            Some(_) => {}
            None => self.lease = self.parts.players.play(&self.name),
        }
    }

    /// Whether pictures come from the player; frames are shown until the first.
    fn is_full(&self) -> bool {
        self.lease.is_some() && self.held.back().is_some_and(|held| matches!(held.picture, Source::Full(_)))
    }

    fn show_frame(&mut self, shared: &Shared, frame: &Frame) {
        let decoded = self.sight.look(frame);
        self.held.retain(|held| !matches!(held.picture, Source::Jpeg));
        if decoded {
            let lost = self.lease.as_ref().is_some_and(|lease| lease.player.state() == State::Lost);
            shared.trouble.store(if lost { 2 } else { 0 }, Ordering::Relaxed);
            self.hold(Source::Jpeg, frame.at);
            self.make(shared);
        } else {
            shared.trouble.store(1, Ordering::Relaxed);
            self.parts.damaged.add(1);
        }
    }

    fn show_full(&mut self, shared: &Shared) {
        let Some(lease) = &self.lease else { return };
        let (pictures, lost) = (lease.player.take(), lease.player.state() == State::Lost);
        shared.trouble.store(if lost { 2 } else { 0 }, Ordering::Relaxed);
        for Timed { picture, due } in pictures {
            self.hold(Source::Full(picture), due);
        }
        self.make(shared);
    }

    fn hold(&mut self, picture: Source, due: Monotonic) {
        // A source that was brought nearer: what was to be shown later has been overtaken.
        while self.held.back().is_some_and(|held| held.due >= due) {
            self.held.pop_back();
        }
        let full = |held: &Held| matches!(held.picture, Source::Full(_));
        if let (Source::Full(_), Some(last)) = (&picture, self.held.back().filter(|held| full(held)))
            && due.since(last.due) < self.parts.period * 11 / 20
        {
            // It would be shown in the same frame as the last one.
            return;
        }
        self.held.push_back(Held { picture, due });
    }

    /// Makes ready what is not yet, for all who want it.
    fn make(&mut self, shared: &Shared) {
        let past = self.parts.clock.now();
        while self.held.get(1).is_some_and(|next| next.due + Self::PAST < past) {
            self.held.pop_front();
        }
        for cut in shared.cuts.load().iter() {
            let work = cut.work.load_full();
            let known = cut.ready.load();
            let is = |ready: &Ready, due: Monotonic| {
                ready.due == due && ready.work.as_ref().is_some_and(|made| Arc::ptr_eq(made, &work))
            };
            if known.len() == self.held.len()
                && known.iter().zip(&self.held).all(|(ready, held)| is(ready, held.due))
            {
                continue;
            }
            let mut ready = Vec::with_capacity(self.held.len());
            for held in &self.held {
                if let Some(made) = known.iter().find(|ready| is(ready, held.due)) {
                    ready.push(made.clone());
                    continue;
                }
                let source = match &held.picture {
                    Source::Full(picture) => picture.view(),
                    Source::Jpeg => self.sight.picture.view(),
                };
                if source.width == 0 {
                    continue;
                }
                let piece = self.cutter.cut(source, None, &work);
                let version = self.parts.versions.fetch_add(1, Ordering::Relaxed) + 1;
                let feed = piece.into_feed(version);
                ready.push(Ready { feed, due: held.due, work: Some(Arc::clone(&work)) });
            }
            cut.ready.store(Arc::new(ready));
        }
    }
}

fn ms(time: Monotonic) -> u64 {
    u64::try_from(time.since_start().as_millis()).unwrap_or(u64::MAX)
}
