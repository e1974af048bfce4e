//! Video files as layers show them: a thread a layer decodes what is shown next, so that the frame clock only has to choose.
//!
//! Asked by the frame clock, which neither waits nor allocates. A video is decoded only while its layer is shown.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use pixels::I420;
use render::{Feed, Want};

use super::super::film::{Film, Shot};
use super::cut::{Cutter, Work};
use super::feeds::LEFT_ALONE;
use crate::base::clock::Monotonic;
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::compose::assets::Assets;

/// Videos that are decoded at once.
const MOST: usize = 32;
/// Pictures that are ready before they are due.
const AHEAD: usize = 3;
const TOO_MANY: &str = "too many videos are shown";
/// What may be wrong with one, by its number.
const TROUBLES: [Option<&str>; 3] =
    [None, Some("there is no such video"), Some("the video can't be opened or decoded")];

pub(super) struct Videos {
    parts: Parts,
    rolls: RefCell<Vec<Roll>>,
}

#[derive(Clone)]
pub(super) struct Parts {
    pub(super) assets: Assets,
    pub(super) tasks: Tasks,
    /// Times one could not be opened.
    pub(super) unread: Counter,
    /// Numbers pictures, so that no two are of the same version.
    pub(super) versions: Arc<AtomicU64>,
}

/// A video of a layer.
struct Roll {
    src: String,
    owner: u64,
    looped: bool,
    asked: Cell<Monotonic>,
    shared: Arc<Shared>,
}

struct Shared {
    /// ms since its beginning, as bits.
    at: AtomicU64,
    work: ArcSwap<Work>,
    ready: ArcSwap<Vec<Ready>>,
    /// Of [`TROUBLES`].
    trouble: AtomicU8,
    wake: Condvar,
    asleep: Mutex<()>,
}

#[derive(Clone)]
struct Ready {
    shot: Arc<Shot>,
    work: Arc<Work>,
    feed: Feed,
}

/// What a layer asks for.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) src: &'a str,
    pub(super) looped: bool,
    pub(super) alpha: bool,
    /// ms since its beginning.
    pub(super) at: f64,
}

impl Videos {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, rolls: RefCell::default() }
    }

    /// What is shown of a video now.
    pub(super) fn show(&self, ask: Ask<'_>, want: &Want<'_>, now: Monotonic) -> Feed {
        let refused = || Feed { trouble: Some(TOO_MANY), ..Feed::default() };
        let mut rolls = self.rolls.borrow_mut();
        let is = |roll: &Roll| roll.owner == want.owner && roll.src == ask.src && roll.looped == ask.looped;
        let at = match rolls.iter().position(is) {
            Some(at) => at,
            None if rolls.len() < MOST => match self.begin(ask, want, now) {
                Some(roll) => {
                    rolls.push(roll);
                    rolls.len() - 1
                }
                None => return refused(),
            },
            None => return refused(),
        };
        rolls[at].show(ask.at, want, now)
    }

    pub(super) fn tidy(&self, now: Monotonic) {
        self.rolls.borrow_mut().retain(|roll| now.since(roll.asked.get()) < LEFT_ALONE);
    }

    /// Bytes of their pictures.
    pub(super) fn memory(&self) -> usize {
        let of = |ready: &Ready| {
            let I420 { width, height, .. } = ready.shot.picture;
            let source = width as usize * height as usize * 3 / 2;
            source + ready.feed.picture.as_ref().map_or(0, |picture| picture.memory())
        };
        let rolls = self.rolls.borrow();
        rolls.iter().map(|roll| roll.shared.ready.load().iter().map(of).sum::<usize>()).sum()
    }

    fn begin(&self, ask: Ask<'_>, want: &Want<'_>, now: Monotonic) -> Option<Roll> {
        const STACK: usize = 4 << 20;
        let shared = Arc::new(Shared {
            at: AtomicU64::new(ask.at.to_bits()),
            work: ArcSwap::from_pointee(Work::of(want)),
            ready: ArcSwap::default(),
            trouble: AtomicU8::new(0),
            wake: Condvar::new(),
            asleep: Mutex::default(),
        });
        let projector = Projector {
            src: ask.src.to_owned(),
            looped: ask.looped,
            alpha: ask.alpha,
            parts: self.parts.clone(),
            cutter: Cutter::default(),
            film: None,
        };
        let (weak, stop) = (Arc::downgrade(&shared), self.parts.tasks.stopping());
        let begun =
            self.parts.tasks.thread("video", STACK, move || projector.run(&weak, || stop.is_cancelled()));
        let roll = Roll {
            src: ask.src.to_owned(),
            owner: want.owner,
            looped: ask.looped,
            asked: Cell::new(now),
            shared,
        };
        begun.ok().map(|()| roll)
    }
}

impl Roll {
    fn show(&self, at: f64, want: &Want<'_>, now: Monotonic) -> Feed {
        let shared = &self.shared;
        self.asked.set(now);
        let before = shared.at.swap(at.to_bits(), Ordering::Relaxed);
        let turned = !shared.work.load().is_of(want);
        if turned {
            shared.work.store(Arc::new(Work::of(want)));
        }
        if turned || before != at.to_bits() {
            shared.wake.notify_one();
        }
        let trouble = TROUBLES[usize::from(shared.trouble.load(Ordering::Relaxed)).min(TROUBLES.len() - 1)];
        let ready = shared.ready.load();
        let due = ready.iter().rev().find(|ready| ready.shot.from <= at);
        due.map_or_else(
            || Feed { trouble, ..Feed::default() },
            |ready| Feed { trouble, ..ready.feed.clone() },
        )
    }
}

/// Decodes one video.
struct Projector {
    src: String,
    looped: bool,
    alpha: bool,
    parts: Parts,
    cutter: Cutter,
    film: Option<Film>,
}

impl Projector {
    fn run(mut self, shared: &Weak<Shared>, stopping: impl Fn() -> bool) {
        const PATIENCE: Duration = Duration::from_millis(100);
        while !stopping()
            && let Some(shared) = shared.upgrade()
        {
            self.turn(&shared);
            let asleep = shared.asleep.lock().expect("no code that can panic runs under this lock");
            drop(shared.wake.wait_timeout(asleep, PATIENCE));
        }
    }

    /// Makes ready what is shown now and next.
    fn turn(&mut self, shared: &Shared) {
        let at = f64::from_bits(shared.at.load(Ordering::Relaxed));
        if at < -1000.0 {
            return;
        }
        if self.film.is_none() {
            let trouble = self.open();
            let before = shared.trouble.swap(trouble, Ordering::Relaxed);
            self.parts.unread.add(u64::from(trouble != 0 && trouble != before));
        }
        let Some(film) = &mut self.film else { return };
        let shots = film.at(at, AHEAD);
        let work = shared.work.load_full();
        let known = shared.ready.load();
        let is = |ready: &Ready, shot: &Arc<Shot>| {
            Arc::ptr_eq(&ready.shot, shot) && Arc::ptr_eq(&ready.work, &work)
        };
        if known.len() == shots.len() && known.iter().zip(shots).all(|(ready, shot)| is(ready, shot)) {
            return;
        }
        let (cutter, versions, alpha) = (&mut self.cutter, &self.parts.versions, self.alpha);
        let cut = |shot: &Arc<Shot>| {
            let made = known.iter().find(|ready| is(ready, shot)).cloned();
            made.unwrap_or_else(|| {
                let piece = cutter.cut(shot.picture.view(), shot.alpha.as_ref().filter(|_| alpha), &work);
                let version = versions.fetch_add(1, Ordering::Relaxed) + 1;
                let feed = piece.into_feed(version);
                Ready { shot: Arc::clone(shot), work: Arc::clone(&work), feed }
            })
        };
        shared.ready.store(Arc::new(shots.iter().map(cut).collect()));
    }

    /// Opens the file; the number of what is wrong.
    fn open(&mut self) -> u8 {
        let Some((_, path)) = self.parts.assets.file(&self.src) else { return 1 };
        match Film::open(&path, self.looped) {
            Ok(film) => {
                self.film = Some(film);
                0
            }
            Err(_) => 2,
        }
    }
}
