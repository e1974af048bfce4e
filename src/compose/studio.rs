//! Threads that draw what layers show, so that the frame clock need not wait for a large picture or a long text.
//!
//! Owned by the frame loop. What is drawn quickly is in the frame it was asked for; what takes longer comes when it is there.
//! A job that panics, or takes longer than its budget, costs its own layer its new picture and nobody else anything: the
//! thread is given up and another one takes its place.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use draw::{Fonts, Painter};
use render::{Job, Made, Ticket};

use crate::base::clock::{Clock, Monotonic};
use crate::base::error::Result;
use crate::base::queue::{Bound, Counter, Full, Received, Receiver, Sender, bounded};
use crate::base::tasks::Tasks;

/// How a job is done.
type Work = Arc<dyn Fn(&Job, &mut Painter) -> Made + Send + Sync>;

/// Draws on threads of its own.
pub(super) struct Studio {
    hall: Arc<Hall>,
    made: Receiver<Made>,
    /// Jobs that have not come back.
    pending: usize,
    /// Those of them that were handed in for this frame.
    fresh: Vec<Ticket>,
    given_up: u64,
    clock: Clock,
    tasks: Tasks,
}

/// Where jobs wait and are taken.
struct Hall {
    state: Mutex<State>,
    arrived: Condvar,
    done: Sender<Made>,
    work: Work,
    fonts: Fonts,
    clock: Clock,
    panics: Counter,
}

#[derive(Default)]
struct State {
    /// At most one a layer: a newer one takes the place of one that waits.
    waiting: VecDeque<Job>,
    running: Vec<Running>,
    /// Threads that are there, with those that were given up and have not ended yet.
    threads: usize,
    given_up: usize,
    numbered: u64,
}

struct Running {
    thread: u64,
    ticket: Ticket,
    since: Monotonic,
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Jobs in which drawing panicked.
    pub(super) panics: u64,
    /// Jobs that took longer than their budget.
    pub(super) given_up: u64,
}

impl Studio {
    /// Threads that draw.
    const THREADS: usize = 2;
    /// Threads that may be there together with those that were given up. With more nothing new is drawn until one ends.
    const MOST_THREADS: usize = 8;
    /// Jobs that wait. A layer has at most one, so this is never reached by a scene of usual size; the oldest go.
    const WAITING: usize = 4096;
    /// How long a frame waits for pictures that were asked for in it.
    const PATIENCE: Duration = Duration::from_millis(3);
    /// What drawing one layer may take.
    const BUDGET: Duration = Duration::from_secs(4);

    pub(super) fn start(fonts: &Fonts, clock: &Clock, tasks: &Tasks) -> Result<Self> {
        Self::with(Arc::new(render::work), fonts, clock, tasks)
    }

    fn with(work: Work, fonts: &Fonts, clock: &Clock, tasks: &Tasks) -> Result<Self> {
        let bound = Bound { items: 2 * Self::WAITING, weight: usize::MAX };
        let (done, made) = bounded(bound, Full::DropOldest, Counter::default());
        let hall = Arc::new(Hall {
            state: Mutex::default(),
            arrived: Condvar::new(),
            done,
            work,
            fonts: fonts.clone(),
            clock: clock.clone(),
            panics: Counter::default(),
        });
        let studio = Self {
            hall,
            made,
            pending: 0,
            fresh: Vec::new(),
            given_up: 0,
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        studio.man()?;
        Ok(studio)
    }

    /// Whether something is being drawn.
    pub(super) fn busy(&self) -> bool {
        self.pending > 0
    }

    pub(super) fn figures(&self) -> Figures {
        Figures { panics: self.hall.panics.get(), given_up: self.given_up }
    }

    /// Starts threads where some are missing.
    fn man(&self) -> Result<()> {
        const STACK: usize = 8 << 20;
        loop {
            let thread = {
                let mut state = self.hall.lock();
                if state.threads >= Self::THREADS || state.threads + state.given_up >= Self::MOST_THREADS {
                    return Ok(());
                }
                state.threads += 1;
                state.numbered += 1;
                state.numbered
            };
            let (hall, stop) = (Arc::clone(&self.hall), self.tasks.stopping());
            let work = move || hall.draw(thread, || stop.is_cancelled());
            if let Err(e) = self.tasks.thread("draw", STACK, work) {
                self.hall.lock().threads -= 1;
                return Err(e);
            }
        }
    }

    /// Gives up what has taken too long.
    fn give_up(&mut self, take: &mut dyn FnMut(Made)) {
        let now = self.clock.now();
        let mut late = None;
        {
            let mut state = self.hall.lock();
            let is_late = |running: &Running| now.since(running.since) > Self::BUDGET;
            if let Some(at) = state.running.iter().position(is_late) {
                late = Some(state.running.swap_remove(at).ticket);
                state.threads -= 1;
                state.given_up += 1;
            }
        }
        if let Some(ticket) = late {
            self.given_up += 1;
            self.pending = self.pending.saturating_sub(1);
            let seconds = Self::BUDGET.as_secs();
            let why = format!("drawing it takes longer than {seconds} s; it shows what it showed before");
            take(Made::failed(ticket, why));
        }
    }
}

impl render::Studio for Studio {
    fn submit(&mut self, job: Job) {
        let ticket = job.ticket();
        let mut state = self.hall.lock();
        if let Some(older) = state.waiting.iter_mut().find(|older| older.ticket().owner == ticket.owner) {
            *older = job;
        } else {
            if state.waiting.len() >= Self::WAITING {
                state.waiting.pop_front();
                self.pending -= 1;
            }
            state.waiting.push_back(job);
            self.pending += 1;
        }
        drop(state);
        self.fresh.push(ticket);
        self.hall.arrived.notify_one();
    }

    fn collect(&mut self, take: &mut dyn FnMut(Made)) {
        if self.pending == 0 {
            return;
        }
        self.give_up(take);
        // A thread that can't be started now is started with a later frame.
        drop(self.man());
        let begun = self.clock.now();
        while self.pending > 0 {
            // Only what was asked for just now is waited for.
            let patience = if self.fresh.is_empty() {
                Duration::ZERO
            } else {
                Self::PATIENCE.saturating_sub(self.clock.now().since(begun))
            };
            let Received::Item(made) = self.made.receive(patience) else { break };
            self.pending = self.pending.saturating_sub(1);
            self.fresh.retain(|ticket| *ticket != made.ticket());
            take(made);
        }
        self.fresh.clear();
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code that can panic runs under this lock")
    }

    /// One thread's work, until the end of the program, or until it is given up.
    fn draw(&self, thread: u64, stopping: impl Fn() -> bool) {
        let mut painter = Painter::new(&self.fonts);
        while !stopping() {
            let Some(job) = self.next(thread) else { continue };
            let drawn = catch_unwind(AssertUnwindSafe(|| (self.work)(&job, &mut painter)));
            let mut state = self.lock();
            let Some(at) = state.running.iter().position(|running| running.thread == thread) else {
                state.given_up -= 1;
                return;
            };
            state.running.swap_remove(at);
            let failed = drawn.is_err();
            if failed {
                state.threads -= 1;
                self.panics.add(1);
            }
            let more = !state.waiting.is_empty();
            drop(state);
            if more {
                self.arrived.notify_one();
            }
            let why = "drawing it failed; it shows what it showed before";
            self.done.send(drawn.unwrap_or_else(|_| Made::failed(job.ticket(), why)), 0);
            if failed {
                // What it leaves behind may be broken: another thread takes its place.
                return;
            }
        }
    }

    /// The job that has waited longest, of a layer that nobody draws just now: what is drawn later is shown last.
    fn next(&self, thread: u64) -> Option<Job> {
        const LOOK_UP: Duration = Duration::from_millis(200);
        let mut state = self.lock();
        let free = |state: &State| {
            let drawn = |owner| state.running.iter().any(|running| running.ticket.owner == owner);
            state.waiting.iter().position(|job| !drawn(job.ticket().owner))
        };
        if free(&state).is_none() {
            let waited = self.arrived.wait_timeout(state, LOOK_UP);
            state = waited.expect("no code that can panic runs under this lock").0;
        }
        let at = free(&state)?;
        let job = state.waiting.remove(at)?;
        state.running.push(Running { thread, ticket: job.ticket(), since: self.clock.now() });
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use pixels::I420;
    use render::Engine;
    use scene::{Canvas, Command, Content, Id, Store};
    use serde_json::json;

    use super::*;
    use crate::compose::still::Nothing;

    /// A scene of two layers, `odd` and `fine`, each drawn by its own content.
    struct Show {
        store: Store,
        engine: Engine,
        studio: Studio,
        clock: Clock,
    }

    impl Show {
        fn new(work: Work, tasks: &Tasks) -> Self {
            let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
            let canvas = Canvas { width: 64, height: 32, fps: 60.0, ..Canvas::default() };
            let studio = Studio::with(work, &Fonts::new(), &clock, tasks).unwrap();
            let mut show = Self { store: Store::new(canvas, 10), engine: Engine::new(64, 32), studio, clock };
            for (id, x) in [("odd", 0), ("fine", 32)] {
                show.run(Command::Create(json!({"id": id, "transform": {"position": {"x": x}}, "content": {
                    "kind": "shape", "shape": "rectangle", "width": 32, "height": 32, "style": {"fillColor": "#00ff00"}}})));
            }
            show
        }

        fn run(&mut self, command: Command) {
            let mut ids = || Id::parse("unnamed").unwrap();
            self.store.apply(&command, 0.0, &mut ids).unwrap();
        }

        fn paint(&mut self, id: &str, color: &str) {
            let patch = json!({"content": {"style": {"fillColor": color}}});
            self.run(Command::Patch { layer: Id::parse(id).unwrap(), patch, if_match: None });
        }

        /// Luma in the middle of `odd` and of `fine`.
        fn frame(&mut self) -> (u8, u8) {
            let frame: Arc<I420> = self.engine.step(&self.store, &Nothing, &mut self.studio, 0.0);
            (frame.y.row(16)[16], frame.y.row(16)[48])
        }

        fn until(&mut self, wanted: impl Fn(&mut Self, (u8, u8)) -> bool) {
            let real = Clock::real();
            loop {
                let frame = self.frame();
                if wanted(self, frame) {
                    return;
                }
                let troubles = self.troubles();
                assert!(
                    real.now().since_start() < Duration::from_secs(30),
                    "it never happened: {troubles:?}"
                );
                std::thread::yield_now();
            }
        }

        fn troubles(&self) -> Vec<String> {
            self.engine.troubles().map(|trouble| format!("{}: {}", trouble.layer, trouble.why)).collect()
        }
    }

    const GREEN: u8 = 173;
    const WHITE: u8 = 235;

    /// Draws as usual, but what is red: that is `odd`'s trouble.
    fn odd(trouble: impl Fn() + Send + Sync + 'static) -> Work {
        Arc::new(move |job, painter| {
            if matches!(job.content(), Content::Shape(shape) if shape.style().fill_color.g == 0) {
                trouble();
            }
            render::work(job, painter)
        })
    }

    #[test]
    fn a_layer_whose_drawing_panics_keeps_its_picture_and_is_drawn_again_when_it_changes() {
        let tasks = Tasks::default();
        let mut show = Show::new(odd(|| panic!("on purpose")), &tasks);
        show.until(|_, frame| frame == (GREEN, GREEN));
        for round in 1..=10 {
            show.paint("odd", "#ff0000");
            show.paint("fine", "#ffffff");
            show.until(|show, frame| frame == (GREEN, WHITE) && show.troubles().len() == 1);
            assert_eq!(show.troubles(), ["odd: drawing it failed; it shows what it showed before"]);
            assert_eq!(show.studio.figures().panics, round);
            show.paint("odd", "#00ff00");
            show.paint("fine", "#00ff00");
            show.until(|show, frame| frame == (GREEN, GREEN) && show.troubles().is_empty());
        }
        tasks.stopping().cancel();
    }

    #[test]
    fn a_layer_that_takes_for_ever_is_given_up_and_the_others_are_drawn() {
        let tasks = Tasks::default();
        let held = Arc::new(AtomicBool::new(true));
        let hold = Arc::clone(&held);
        let wait = move || {
            while hold.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        let mut show = Show::new(odd(wait), &tasks);
        show.until(|_, frame| frame == (GREEN, GREEN));
        // More often than there are threads: as many as may be there hang, and one that draws is there still.
        for round in 1..Studio::MOST_THREADS - Studio::THREADS {
            show.paint("odd", if round % 2 == 0 { "#ff0000" } else { "#ff00ff" });
            show.frame();
            show.until(|show, _| !show.studio.hall.lock().running.is_empty());
            show.clock.advance(Studio::BUDGET + Duration::from_secs(1));
            show.until(|show, frame| frame.0 == GREEN && show.troubles().len() == 1);
            assert_eq!(show.studio.figures().given_up, round as u64);
            let color = if round % 2 == 0 { ("#00ff00", GREEN) } else { ("#ffffff", WHITE) };
            show.paint("fine", color.0);
            show.until(|_, frame| frame == (GREEN, color.1));
        }
        held.store(false, Ordering::Relaxed);
        show.until(|show, _| show.studio.hall.lock().given_up == 0);
        show.paint("odd", "#ffffff");
        show.until(|show, frame| frame.0 == WHITE && show.troubles().is_empty());
        tasks.stopping().cancel();
    }

    #[test]
    fn a_newer_job_takes_the_place_of_one_that_waits_and_frames_wait_for_neither() {
        let tasks = Tasks::default();
        let held = Arc::new(AtomicBool::new(true));
        let hold = Arc::clone(&held);
        let wait: Work = Arc::new(move |job, painter| {
            while hold.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            render::work(job, painter)
        });
        let mut show = Show::new(wait, &tasks);
        for color in ["#ff0000", "#0000ff", "#ffffff"] {
            show.paint("odd", color);
            show.paint("fine", color);
            show.frame();
        }
        // Two are drawn, and no more than two wait.
        assert!(show.studio.pending <= 4, "{}", show.studio.pending);
        held.store(false, Ordering::Relaxed);
        show.until(|show, frame| frame == (WHITE, WHITE) && !show.studio.busy());
        tasks.stopping().cancel();
    }
}
