//! The keeper of the scene: one task through which every change of it goes.
//!
//! It does all commands that wait, shows the result at once to whoever draws, writes what changed to the store, and
//! answers when that is durable: however many wait are one commit. A store that is away stops nothing: answers say that
//! they are not stored yet, and all is written when it is back. Called by `api`; never draws, never waits for a watcher.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use scene::{Canvas, Change, Command, Id, Refusal};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::documents::{self, Dirty, Kept};
use super::lease::{Lease, Role};
use super::news::News;
use super::report::{Figures, Report, Trouble, Troubles};
use super::show::{Action, Grid, Show, State};
use crate::base::clock::Clock;
use crate::base::config;
use crate::base::error::{Error, Field, Kind, Result};
use crate::base::tasks::Tasks;
use crate::store::{Collection, Guard, Store};

/// What the keeper needs of the rest.
pub struct Parts {
    pub settings: config::Compositor,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// A command that was done.
#[derive(Clone, Debug)]
pub struct Done {
    pub change: Arc<Change>,
    /// Whether it is durable; if not, it will be once the store is back.
    pub stored: bool,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Keeper(Arc<Shared>);

struct Shared {
    asks: mpsc::Sender<Ask>,
    /// Bytes of all commands that wait.
    room: Arc<Semaphore>,
    scene: ArcSwap<scene::Store>,
    show: ArcSwap<Show>,
    /// Program time of the newest command, as the bits of a number that is not negative.
    reached: AtomicU64,
    report: Report,
    news: News,
    /// The scene as the store has it, or as it went on without it.
    durable: ArcSwap<scene::Store>,
    shows: broadcast::Sender<(Action, Show)>,
    clock: Clock,
    store: Arc<dyn Store>,
    settings: config::Compositor,
    lease: Lease,
    /// What the store was found to hold; commands wait for it.
    loaded: ArcSwap<Option<String>>,
    /// Of the guard, when it was loaded.
    version: AtomicU64,
}

enum Ask {
    Command { command: Command, answer: oneshot::Sender<Result<Done>>, _room: OwnedSemaphorePermit },
    Control { action: Action, answer: oneshot::Sender<Result<Show>> },
}

/// Answers that are given once what they say is durable.
enum Owed {
    Command(Arc<Change>, Command, oneshot::Sender<Result<Done>>),
    Control(Action, Show, oneshot::Sender<Result<Show>>),
    /// What time did.
    Time(Arc<Change>),
}

impl Keeper {
    /// Commands that wait.
    const WAITING: usize = 4096;
    /// Bytes of theirs.
    const WAITING_BYTES: usize = 64 << 20;

    /// Reads what was kept, and begins.
    ///
    /// A store that is away is no error: until it can be read every command is refused, for what it holds is not known.
    ///
    /// # Errors
    /// `Internal` when what it holds can't be read.
    pub async fn start(parts: Parts) -> Result<Self> {
        let Parts { settings, store, clock, tasks } = parts;
        let (asks, inbox) = mpsc::channel(Self::WAITING);
        let (shows, _) = broadcast::channel(64);
        let canvas = canvas(&settings);
        let keeper = Self(Arc::new(Shared {
            asks,
            room: Arc::new(Semaphore::new(Self::WAITING_BYTES)),
            scene: ArcSwap::from_pointee(scene::Store::new(canvas, settings.max_layers)),
            show: ArcSwap::from_pointee(Show::new(clock.now())),
            reached: AtomicU64::new(0),
            report: Report::default(),
            durable: ArcSwap::from_pointee(scene::Store::new(canvas, settings.max_layers)),
            news: News::new(0),
            shows,
            clock,
            store: Arc::clone(&store),
            settings,
            lease: Lease::new(store),
            loaded: ArcSwap::from_pointee(Some("it has not been read yet".to_owned())),
            version: AtomicU64::new(0),
        }));
        match keeper.0.load().await {
            Err(e) if e.kind() != Kind::Unavailable => return Err(e),
            _ => {}
        }
        keeper.0.lease.ask().await;
        tasks.spawn("lease", keeper.0.lease.clone().keep(tasks.stopping()));
        let (shared, inbox, stop) = (Arc::clone(&keeper.0), Arc::new(Mutex::new(inbox)), tasks.stopping());
        tasks.supervise("scene", move || {
            let (shared, inbox, stop) = (Arc::clone(&shared), Arc::clone(&inbox), stop.clone());
            async move { Desk::new(shared).run(&mut *inbox.lock().await, stop).await }.boxed()
        });
        Ok(keeper)
    }

    /// The scene as it is now: for drawing and showing. Never changes once it is given out.
    pub fn scene(&self) -> Arc<scene::Store> {
        self.0.scene.load_full()
    }

    /// The scene as it was last written: what nobody can lose. [`Keeper::news`] goes on from there.
    pub fn durable(&self) -> Arc<scene::Store> {
        self.0.durable.load_full()
    }

    pub fn show(&self) -> Show {
        **self.0.show.load()
    }

    /// Program time in ms: never before what a command that was done has begun.
    pub fn time(&self) -> f64 {
        self.show().time(self.0.clock.now()).max(self.reached())
    }

    /// Program time of the newest command: that of the first frame that can show it.
    pub(super) fn reached(&self) -> f64 {
        f64::from_bits(self.0.reached.load(Ordering::Acquire))
    }

    /// What is durable of it, change by change.
    pub fn news(&self) -> &News {
        &self.0.news
    }

    /// Starts, stops, pauses of the broadcast.
    pub fn shows(&self) -> broadcast::Receiver<(Action, Show)> {
        self.0.shows.subscribe()
    }

    pub fn figures(&self) -> Figures {
        **self.0.report.figures.load()
    }

    /// For the frame loop.
    pub fn report(&self, figures: Figures) {
        self.0.report.figures.store(Arc::new(figures));
    }

    /// Layers that can't be shown as they should be, whenever there are others.
    pub fn troubles(&self) -> watch::Receiver<Troubles> {
        self.0.report.troubles.subscribe()
    }

    /// For the frame loop.
    pub(super) fn report_troubles(&self, troubles: Vec<Trouble>) {
        self.0.report.troubles.send_replace(Arc::new(troubles));
    }

    /// Whether this server composes, or which one does.
    pub fn role(&self) -> Role {
        self.0.lease.role()
    }

    /// Whether this server composes and sends.
    pub fn composes(&self) -> bool {
        self.0.lease.fence().is_some()
    }

    /// This run of this server, for the others that share its store.
    pub fn id(&self) -> &str {
        self.0.lease.id()
    }

    /// `host:port` at which the others find this server's `/health`.
    pub fn reachable_at(&self, address: String) {
        self.0.lease.reachable_at(address);
    }

    /// Does a command and waits until it is durable. `weight` is how many bytes the client sent for it.
    ///
    /// # Errors
    /// Why it was refused, by its field; `Unavailable` while what the store holds is not known.
    pub async fn run(&self, command: Command, weight: usize) -> Result<Done> {
        self.submit(command, weight).await?.await.map_err(|_| failed())?
    }

    /// Hands in a command; it is done after those that were handed in before.
    ///
    /// # Errors
    /// `Unavailable` when the program ends.
    pub async fn submit(&self, command: Command, weight: usize) -> Result<oneshot::Receiver<Result<Done>>> {
        let weight = u32::try_from(weight.clamp(1, Self::WAITING_BYTES)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room).acquire_many_owned(weight).await.map_err(|_| ended())?;
        let (answer, answered) = oneshot::channel();
        self.0.asks.send(Ask::Command { command, answer, _room: room }).await.map_err(|_| ended())?;
        Ok(answered)
    }

    /// Starts, stops, pauses or resumes the broadcast.
    ///
    /// # Errors
    /// `Conflict` when it is so already.
    pub async fn control(&self, action: Action) -> Result<Show> {
        let (answer, answered) = oneshot::channel();
        self.0.asks.send(Ask::Control { action, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| failed())?
    }
}

fn canvas(settings: &config::Compositor) -> Canvas {
    Canvas {
        width: settings.width.into(),
        height: settings.height.into(),
        fps: settings.fps.into(),
        ..Canvas::default()
    }
}

fn ended() -> Error {
    Error::new(Kind::Unavailable, "the server is shutting down")
}

fn failed() -> Error {
    Error::new(
        Kind::Internal,
        "the scene's keeper failed in the middle of it; whether it was done shows in the scene",
    )
}

/// A refusal as an error.
pub(super) fn refused(refusal: Refusal) -> Error {
    let kind = match &refusal {
        Refusal::Invalid(problems) => {
            let field = |problem: &scene::Problem| Field {
                field: if problem.field.is_empty() { "body".to_owned() } else { problem.field.clone() },
                message: problem.message.clone(),
            };
            return Error::invalid_fields(refusal.to_string(), problems.iter().map(field).collect());
        }
        Refusal::Missing { .. } => Kind::NotFound,
        Refusal::Taken { .. } | Refusal::Full { .. } => Kind::Conflict,
        Refusal::Stale { .. } => Kind::Stale,
    };
    Error::new(kind, refusal.to_string())
}

impl Shared {
    /// Takes over what the store holds.
    async fn load(&self) -> Result<()> {
        let kept = match self.read().await {
            Ok(kept) => kept,
            Err(e) => {
                self.loaded.store(Arc::new(Some(e.detail().to_owned())));
                return Err(e);
            }
        };
        let show = self.show_of(&kept)?;
        let (layers, revision) = (kept.scene.layers().len(), kept.scene.revision());
        if revision > 0 {
            info!(layers, revision, state = show.state.word(), "the scene is back");
        }
        let scene = Arc::new(kept.scene);
        self.durable.store(Arc::clone(&scene));
        self.scene.store(scene);
        self.news.anew(revision);
        self.show.store(Arc::new(show));
        self.reached.store(0, Ordering::Release);
        self.version.store(kept.version, Ordering::SeqCst);
        self.loaded.store(Arc::new(None));
        Ok(())
    }

    async fn read(&self) -> Result<Kept> {
        let documents = self.store.read(Collection::Scene).await?;
        documents::read(documents, canvas(&self.settings), self.settings.max_layers)
    }

    fn show_of(&self, kept: &Kept) -> Result<Show> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let Some(show) = &kept.show else { return Ok(Show::new(now)) };
        let unread = || Error::new(Kind::Internal, "the program's state that the store keeps can't be read");
        Show::restored(show, now, wall).ok_or_else(unread)
    }

    fn is_loaded(&self) -> bool {
        self.loaded.load().is_none()
    }
}

/// What the task works with. Made anew when it had to be started again: then all is written anew as well.
struct Desk {
    shared: Arc<Shared>,
    scene: scene::Store,
    dirty: Dirty,
    owed: Vec<Owed>,
    flight: Option<Flight>,
    /// Seconds until the times are written even if nothing moves.
    idle: u32,
    /// The store could not be written last time.
    away: bool,
    /// Of the guard: as the store has it, and as the write under way will leave it.
    version: u64,
    aimed: u64,
}

/// A write that is under way.
struct Flight {
    write: BoxFuture<'static, Result<Written>>,
    dirty: Dirty,
    owed: Vec<Owed>,
    /// What is written.
    scene: Arc<scene::Store>,
}

/// What came of a write.
enum Written {
    Done,
    /// Somebody else has written since; this is what the store holds.
    Overtaken(Box<Kept>),
}

impl Desk {
    /// Commands done between two looks at everything else.
    const AT_ONCE: usize = 1024;
    /// While nothing moves the pair of times is written this seldom.
    const IDLE_SECONDS: u32 = 30;
    /// Bytes of a named scene as a document.
    const MOST_OF_A_SCENE: usize = 4 << 20;

    fn new(shared: Arc<Shared>) -> Self {
        let scene = (*shared.scene.load_full()).clone();
        let mut dirty = Dirty::default();
        if shared.is_loaded() {
            let known = *shared.news.watch().borrow();
            if known == scene.revision() {
                dirty.show = true;
            } else {
                dirty.everything(&scene);
                shared.news.anew(scene.revision());
            }
        }
        let version = shared.version.load(Ordering::SeqCst);
        let (owed, flight) = (Vec::new(), None);
        Self { shared, scene, dirty, owed, flight, idle: 0, away: false, version, aimed: version }
    }

    async fn run(mut self, inbox: &mut mpsc::Receiver<Ask>, stop: CancellationToken) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        second.reset();
        let mut asks = Vec::new();
        let mut told = self.shared.store.told();
        self.lift_off();
        loop {
            let due = self.until_due();
            tokio::select! {
                biased;
                landed = land(&mut self.flight) => self.landed(landed),
                _ = inbox.recv_many(&mut asks, Self::AT_ONCE) => self.take(&mut asks),
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {}
                () = heard(&mut told) => self.heard().await,
                _ = second.tick() => self.tick().await,
                () = stop.cancelled() => break,
            }
            self.pass_time();
            self.lift_off();
        }
        // What was handed in is done, and all is written once more.
        inbox.close();
        while inbox.recv_many(&mut asks, Self::AT_ONCE).await > 0 {
            self.take(&mut asks);
        }
        // But for the pair of times alone nobody has to wait.
        self.flight.take_if(|flight| flight.owed.is_empty() && flight.dirty.only_times());
        if self.flight.is_some() {
            let landed = land(&mut self.flight).await;
            self.landed(landed);
        }
        let state = self.shared.show.load().state;
        if !self.dirty.only_times() || !self.owed.is_empty() || state == State::Live {
            self.lift_off();
        }
        if self.flight.is_some() {
            let landed = land(&mut self.flight).await;
            self.landed(landed);
        }
    }

    fn take(&mut self, asks: &mut Vec<Ask>) {
        for ask in asks.drain(..) {
            match ask {
                Ask::Command { command, answer, _room } => match self.command(&command) {
                    Ok(change) => self.owed.push(Owed::Command(change, command, answer)),
                    // Who asked may be gone.
                    Err(e) => drop(answer.send(Err(e))),
                },
                Ask::Control { action, answer } => match self.control(action) {
                    Ok(show) => self.owed.push(Owed::Control(action, show, answer)),
                    Err(e) => drop(answer.send(Err(e))),
                },
            }
        }
        self.publish();
    }

    fn command(&mut self, command: &Command) -> Result<Arc<Change>> {
        self.known()?;
        let now = self.shared.show.load().time(self.shared.clock.now());
        self.catch_up(now);
        // What it begins, begins with a frame.
        let now = Grid::new(self.shared.settings.fps).at_or_after(now);
        let scenes = matches!(
            command,
            Command::CreateScene(_) | Command::PatchScene { .. } | Command::Activate { .. }
        );
        let before = scenes.then(|| self.scene.clone());
        let mut new_id = || {
            Id::parse(&uuid::Uuid::now_v7().to_string()).expect("a UUID has 36 letters, digits and dashes")
        };
        let change = self.scene.apply(command, now, &mut new_id).map_err(refused)?;
        for scene in &change.scenes {
            let bytes = serde_json::to_vec(&**scene).map_or(0, |text| text.len());
            if bytes > Self::MOST_OF_A_SCENE {
                self.scene = before.expect("only these commands change scenes");
                let most = Self::MOST_OF_A_SCENE;
                return Err(Error::new(
                    Kind::TooLarge,
                    format!("a scene has {most} bytes at most, not {bytes}"),
                ));
            }
        }
        let made = matches!(command, Command::Create(_));
        // Of numbers that are not negative the bits are in the same order.
        self.shared.reached.fetch_max(now.to_bits(), Ordering::AcqRel);
        self.dirty.note(&change, made, before.as_ref().filter(|_| change.entered.is_some()));
        Ok(Arc::new(change))
    }

    fn control(&mut self, action: Action) -> Result<Show> {
        self.known()?;
        let show = **self.shared.show.load();
        let (now, wall) = (self.shared.clock.now(), self.shared.clock.wall());
        let Some(next) = show.after(action, now, wall) else {
            let detail = format!("the program is {}: it can't {} now", show.state.word(), action.word());
            return Err(Error::new(Kind::Conflict, detail));
        };
        let next = next.not_before(f64::from_bits(self.shared.reached.load(Ordering::Acquire)));
        info!(state = next.state.word(), "the program was asked to {}", action.word());
        self.shared.show.store(Arc::new(next));
        self.dirty.show = true;
        Ok(next)
    }

    /// # Errors
    /// `Unavailable` while what the store holds has not been read.
    fn known(&self) -> Result<()> {
        match &**self.shared.loaded.load() {
            None => Ok(()),
            Some(reason) => {
                let detail = format!("the scene is not known yet: {reason}");
                Err(Error::new(Kind::Unavailable, detail).retry_after(Duration::from_secs(2)))
            }
        }
    }

    /// What time has done since, so that animations that are over are in their layers.
    fn pass_time(&mut self) {
        let now = self.shared.show.load().time(self.shared.clock.now());
        if self.catch_up(now) {
            self.publish();
        }
    }

    fn catch_up(&mut self, now: f64) -> bool {
        let mut passed = false;
        while self.scene.due() <= now {
            let Some(change) = self.scene.advance(now) else { break };
            self.dirty.note(&change, false, None);
            self.owed.push(Owed::Time(Arc::new(change)));
            passed = true;
        }
        passed
    }

    /// How long until time does something; `None` if it never does.
    fn until_due(&self) -> Option<Duration> {
        let show = **self.shared.show.load();
        let due = self.scene.due();
        if !due.is_finite() || show.state == State::Paused {
            return None;
        }
        let wait = (due - show.time(self.shared.clock.now())).clamp(1.0, 3_600_000.0);
        Some(Duration::from_secs_f64(wait / 1000.0))
    }

    /// Shows the scene as it is now to whoever draws it.
    fn publish(&self) {
        if self.shared.scene.load().revision() != self.scene.revision() {
            self.shared.scene.store(Arc::new(self.scene.clone()));
        }
    }

    async fn tick(&mut self) {
        if !self.shared.is_loaded() {
            if self.shared.load().await.is_ok() {
                *self = Self::new(Arc::clone(&self.shared));
            }
            return;
        }
        let state = self.shared.show.load().state;
        let moves = state == State::Live || !self.scene.animations().is_empty();
        self.idle = self.idle.saturating_sub(1);
        // The pair of times is the composer's to write.
        let composes = self.shared.lease.fence().is_some();
        if composes && ((moves && state != State::Paused) || self.idle == 0) {
            self.dirty.show = true;
        }
        self.away = false;
    }

    /// Begins to write what is due, unless a write is under way.
    fn lift_off(&mut self) {
        let waits = !self.owed.is_empty();
        if self.flight.is_some() || self.dirty.is_clean() || (self.away && !waits) {
            return;
        }
        self.idle = Self::IDLE_SECONDS;
        self.dirty.show = true;
        let show = documents::show_of(&self.shared.show.load(), &self.shared.clock);
        let changes = self.dirty.changes(&self.scene, show);
        let next = self.version + u64::from(!self.dirty.only_times() || waits);
        let times = self.dirty.only_times() && !waits;
        let fence = self.shared.lease.fence().filter(|_| times);
        let guard = Guard { collection: Collection::Scene, expected: self.version, next, fence };
        let shared = Arc::clone(&self.shared);
        let write = async move {
            if shared.store.write_guarded(guard, changes).await? {
                return Ok(Written::Done);
            }
            shared.read().await.map(|kept| Written::Overtaken(Box::new(kept)))
        }
        .boxed();
        self.aimed = next;
        let (dirty, owed) = (std::mem::take(&mut self.dirty), std::mem::take(&mut self.owed));
        self.flight = Some(Flight { write, dirty, owed, scene: self.shared.scene.load_full() });
    }

    fn landed(&mut self, (Flight { dirty, owed, scene, .. }, result): (Flight, Result<Written>)) {
        let result = match result {
            Ok(Written::Overtaken(kept)) => return self.overtaken(*kept, owed),
            Ok(Written::Done) => {
                self.version = self.aimed;
                self.shared.version.store(self.version, Ordering::SeqCst);
                Ok(())
            }
            Err(e) => Err(e),
        };
        let stored = result.is_ok();
        if let Err(e) = result {
            if e.kind() != Kind::Unavailable {
                error!(error = %e, "the scene can't be stored");
            } else if !self.away && !dirty.only_times() {
                warn!(error = %e, "the scene goes on, and is stored later");
            }
            self.dirty.again(dirty);
        }
        self.away = !stored;
        let mut changes = Vec::new();
        for owed in owed {
            // Who asked may be gone.
            match owed {
                Owed::Command(change, _, answer) => {
                    changes.push(Arc::clone(&change));
                    drop(answer.send(Ok(Done { change, stored })));
                }
                Owed::Time(change) => changes.push(change),
                Owed::Control(action, show, answer) => {
                    drop(self.shared.shows.send((action, show)));
                    drop(answer.send(Ok(show)));
                }
            }
        }
        self.shared.durable.store(scene);
        self.shared.news.add(&changes);
    }

    /// Takes over what somebody else has written, and does on it what was not written yet.
    fn overtaken(&mut self, kept: Kept, owed: Vec<Owed>) {
        let Ok(show) = self.shared.show_of(&kept) else {
            error!("the program's state that the store keeps can't be read");
            return;
        };
        let known = self.shared.durable.load_full();
        self.version = kept.version;
        self.shared.version.store(self.version, Ordering::SeqCst);
        self.dirty = Dirty::default();
        // Its time may be another.
        self.shared.reached.store(0, Ordering::Release);
        self.shared.show.store(Arc::new(show));
        self.scene = kept.scene;
        let scene = Arc::new(self.scene.clone());
        self.shared.scene.store(Arc::clone(&scene));
        self.shared.durable.store(Arc::clone(&scene));
        if scene.revision() > known.revision() {
            self.shared.news.add_from(known.revision(), documents::difference(&known, &scene));
        } else if scene.state() != known.state() {
            warn!("what was changed while the store was away is lost: another server has written since");
            self.shared.news.anew(scene.revision());
        }
        let mut later = std::mem::take(&mut self.owed);
        let mut again = owed;
        again.append(&mut later);
        for owed in again {
            match owed {
                Owed::Command(_, command, answer) => match self.command(&command) {
                    Ok(change) => self.owed.push(Owed::Command(change, command, answer)),
                    Err(e) => drop(answer.send(Err(e))),
                },
                Owed::Control(action, _, answer) => match self.control(action) {
                    Ok(show) => self.owed.push(Owed::Control(action, show, answer)),
                    Err(e) => drop(answer.send(Err(e))),
                },
                // Time does it again.
                Owed::Time(_) => {}
            }
        }
        self.publish();
    }

    /// Somebody may have written: looks, unless a write of our own will find out.
    async fn heard(&mut self) {
        if self.flight.is_some() || !self.shared.is_loaded() {
            return;
        }
        match self.shared.read().await {
            Ok(kept) if kept.version != self.version => self.overtaken(kept, Vec::new()),
            // The store says by itself that it is away.
            _ => {}
        }
    }
}

async fn heard(told: &mut Option<watch::Receiver<u64>>) {
    let gone = match told {
        Some(told) => told.changed().await.is_err(),
        None => true,
    };
    if gone {
        std::future::pending().await
    }
}

/// The flight that is under way, and how it ended; never, if there is none.
async fn land(flight: &mut Option<Flight>) -> (Flight, Result<Written>) {
    let result = match flight {
        Some(flight) => (&mut flight.write).await,
        None => std::future::pending().await,
    };
    (flight.take().expect("it was there before it landed"), result)
}
