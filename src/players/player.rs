//! One stream played: opened, read by a thread, decoded by this one; opened again when it ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use media::listen::{Block, RATE};
use media::tape::{Coded, Decoded, Opened, Screen, Tape};
use tokio::sync::Notify;
use tracing::{debug, info};

use super::reader::{self, Reader};
use super::timeline::Timeline;
use super::{Heard, Parts, Timed, Totals};
use crate::base::clock::Monotonic;
use crate::base::queue::{Counter, Full, Received, Receiver, bounded};
use crate::streams::{Flow, Pace, Stop, Supply};

/// One stream, while it is played.
pub struct Player {
    pub name: String,
    parts: Parts,
    totals: Totals,
    own: Totals,
    stop: Stop,
    /// Of the source that is open.
    open: Mutex<Option<Stop>>,
    stage: Mutex<Stage>,
    /// There is a picture, or another state.
    arrived: Notify,
    /// When its sound was asked for last, in ms; 0: never.
    listened: AtomicU64,
}

/// Locked for microseconds.
struct Stage {
    state: State,
    error: Option<String>,
    /// Those that nobody has taken yet.
    pictures: VecDeque<Timed>,
    newest: Option<Arc<Decoded>>,
    sound: VecDeque<Block>,
    /// Whether its source has sound.
    sounds: bool,
    timeline: Timeline,
    /// Why the reader has ended.
    failed: Option<String>,
}

/// What a player is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Playing,
    /// Its source is tried again.
    Lost,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Playing => "playing",
            Self::Lost => "lost",
        }
    }
}

/// A player at one moment.
#[derive(Clone, Debug)]
pub struct View {
    pub name: String,
    pub state: State,
    pub error: Option<String>,
    /// Whether it has sound.
    pub sound: bool,
    /// Pixels.
    pub size: Option<(u32, u32)>,
    pub decoded: u64,
    pub dropped: u64,
    pub late: u64,
    pub damaged: u64,
    pub reconnects: u64,
}

/// Before a source is opened again: first, and at most.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_AT_MOST: Duration = Duration::from_secs(10);
/// What was played for so long was well.
const WELL: Duration = Duration::from_secs(10);
/// A wait is broken off at least so often to see whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// Whether a stream still has the same source is looked at so often.
const SAME: Duration = Duration::from_secs(1);
/// Pictures that wait to be taken.
const PICTURES: usize = 12;
/// Sound that waits, in samples: what is read ahead, and what is kept at most.
const SOUND: usize = 2 * RATE as usize;
const MOST_SOUND: usize = 6 * RATE as usize;
/// Sound is too late for anybody so long after its time.
const OVER: Duration = Duration::from_millis(200);
/// Sound is decoded for so long after it was asked for.
const LISTENED: Duration = Duration::from_secs(1);
/// So many damaged in a row, and it is no video.
const HOPELESS: u32 = 300;
const STACK: usize = 2 << 20;
/// FFmpeg's demuxers, and the decoding of sound.
const READER_STACK: usize = 1 << 20;

impl Player {
    pub(super) fn start(name: &str, parts: Parts, totals: Totals) -> Option<Arc<Self>> {
        let stage = Stage {
            state: State::Connecting,
            error: None,
            pictures: VecDeque::new(),
            newest: None,
            sound: VecDeque::new(),
            sounds: false,
            timeline: Timeline::new(Pace::Held),
            failed: None,
        };
        let tasks = parts.tasks.clone();
        let player = Arc::new(Self {
            name: name.to_owned(),
            stop: Stop::within(&tasks.stopping()),
            open: Mutex::default(),
            parts,
            totals,
            own: Totals::default(),
            stage: Mutex::new(stage),
            arrived: Notify::new(),
            listened: AtomicU64::new(0),
        });
        let run = Arc::clone(&player);
        tasks.thread("play", STACK, move || run.run()).ok()?;
        Some(player)
    }

    /// The pictures that came since the last time, in order.
    pub fn take(&self) -> Vec<Timed> {
        self.stage().pictures.drain(..).collect()
    }

    /// Until there may be something new.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub fn state(&self) -> State {
        self.stage().state
    }

    /// The sound that is due until `until`. Asking is what keeps it being decoded.
    pub fn listen(&self, until: Monotonic) -> Vec<Heard> {
        let now = self.parts.clock.now();
        self.listened.store(ms(now).max(1), Ordering::Relaxed);
        let mut stage = self.stage();
        let mut heard = Vec::new();
        while let Some(block) = stage.sound.front() {
            let Some(due) = stage.timeline.sound(time_of(block)) else { break };
            if due > until {
                break;
            }
            let samples = stage.sound.pop_front().map(|block| block.samples).unwrap_or_default();
            // What is over was read before anybody listened.
            if due + OVER >= now {
                heard.push(Heard { due, samples });
            }
        }
        heard
    }

    pub fn has_sound(&self) -> bool {
        self.stage().sounds
    }

    pub fn view(&self) -> View {
        let stage = self.stage();
        let size = stage.newest.as_ref().map(|picture| {
            let view = picture.view();
            (view.width, view.height)
        });
        View {
            name: self.name.clone(),
            state: stage.state,
            error: stage.error.clone(),
            sound: stage.sounds,
            size,
            decoded: self.own.decoded.get(),
            dropped: self.own.dropped.get(),
            late: self.own.late.get(),
            damaged: self.own.damaged.get(),
            reconnects: self.own.reconnects.get(),
        }
    }

    pub(super) fn newest(&self) -> Option<Arc<Decoded>> {
        self.stage().newest.clone()
    }

    pub(super) fn stop(&self) {
        self.stop.stop();
        if let Some(open) = &*self.open() {
            open.stop();
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Stop>> {
        self.open.lock().expect("no code that can panic runs under this lock")
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("no code that can panic runs under this lock")
    }

    fn count(&self, of: impl Fn(&Totals) -> &Counter) {
        of(&self.own).add(1);
        of(&self.totals).add(1);
    }
}

/// For the reader's thread.
impl Player {
    pub(super) fn is_listened_to(&self) -> bool {
        let listened = self.listened.load(Ordering::Relaxed);
        let ago = ms(self.parts.clock.now()).saturating_sub(listened);
        let wanted = listened > 0 && u128::from(ago) < LISTENED.as_millis();
        if !wanted {
            self.stage().sound.clear();
        }
        wanted
    }

    pub(super) fn hear(&self, blocks: Vec<Block>) {
        let mut stage = self.stage();
        stage.sound.extend(blocks);
        while samples(&stage.sound) > MOST_SOUND {
            stage.sound.pop_front();
        }
    }

    pub(super) fn has_sound_enough(&self) -> bool {
        samples(&self.stage().sound) > SOUND
    }

    pub(super) fn left_out(&self) {
        self.count(|totals| &totals.dropped);
    }

    pub(super) fn failed(&self, why: String) {
        self.stage().failed = Some(why);
    }
}

/// For the thread that decodes.
impl Player {
    fn run(self: Arc<Self>) {
        let (mut again, mut first) = (AGAIN, true);
        while !self.stop.is_stopped() {
            if !std::mem::take(&mut first) {
                self.count(|totals| &totals.reconnects);
            }
            let begun = self.parts.clock.now();
            let supply = self.parts.registry.supplies().get(&self.name);
            let played = match supply {
                Some(supply) => self.once(&*supply),
                None => Err("there is no source any more".to_owned()),
            };
            if self.stop.is_stopped() {
                return;
            }
            let well = self.parts.clock.now().since(begun) >= WELL;
            match played {
                // A film begins again at once, unless there is nothing in it.
                Ok((Pace::Looped, pictures)) if pictures > 0 => {
                    self.rest(AGAIN / 5);
                    continue;
                }
                Ok(_) => self.lost("its source has ended".to_owned()),
                Err(why) => self.lost(why),
            }
            again = if well { AGAIN } else { (again * 2).min(AGAIN_AT_MOST) };
            self.rest(again);
        }
    }

    fn rest(&self, rest: Duration) {
        let until = self.parts.clock.now() + rest;
        while !self.stop.is_stopped() && self.parts.clock.now() < until {
            std::thread::sleep(LOOK);
        }
    }

    fn lost(&self, why: String) {
        let mut stage = self.stage();
        if stage.state != State::Lost {
            info!(stream = self.name, why, "a stream that is shown can't be played; it is tried again");
        }
        (stage.state, stage.error) = (State::Lost, Some(why));
        drop(stage);
        self.arrived.notify_one();
    }

    /// From opening to the end; how it came, and how many pictures.
    fn once(self: &Arc<Self>, supply: &dyn Supply) -> Result<(Pace, u64), String> {
        // What is opened is closed before it is opened again, also where it only waits.
        let stop = Stop::within(&self.stop.cancel);
        *self.open() = Some(stop.clone());
        let ends = Ends { player: self, stop: &stop };
        if self.stop.is_stopped() {
            return Err("told to stop".to_owned());
        }
        let Flow { sources, options, pace } = self.parts.runtime.block_on(supply.open(stop.clone()))?;
        let mut opened = Err("there is no address".to_owned());
        for source in sources {
            opened = Tape::open(source, &options, Arc::clone(&stop.interrupt)).map_err(|e| e.to_string());
            if opened.is_ok() || self.stop.is_stopped() {
                break;
            }
        }
        let Opened { tape, mut screen, voice } = opened?;
        {
            let mut stage = self.stage();
            stage.sounds = voice.is_some();
            stage.failed = None;
            stage.sound.clear();
            stage.timeline.reopened(pace);
        }
        let (coded, queue) = bounded(reader::WAITING, Full::DropNewest, self.own.dropped.clone());
        let (unheard, player, stop) = (VecDeque::new(), Arc::clone(self), stop.clone());
        let reader = Reader { tape, voice, unheard, pace, coded, player, stop };
        let started = self.parts.tasks.thread("play-read", READER_STACK, move || reader.run());
        started.map_err(|e| e.detail().to_owned())?;
        let pictures = self.decode(&queue, &mut screen, supply.mark());
        drop(ends);
        let failed = self.stage().failed.take();
        debug!(stream = self.name, ?pictures, ?failed, "a stream was played to its end");
        match failed {
            Some(why) => Err(why),
            None => Ok((pace, pictures?)),
        }
    }

    /// Until there is nothing more, or the stream has another source than `mark`'s; how many pictures there were.
    fn decode(&self, queue: &Receiver<Coded>, screen: &mut Screen, mark: u64) -> Result<u64, String> {
        let (mut pictures, mut damaged, mut given) = (0, 0, None);
        let mut looked = self.parts.clock.now();
        loop {
            let now = self.parts.clock.now();
            if now.since(looked) >= SAME {
                looked = now;
                let supply = self.parts.registry.supplies().get(&self.name);
                if supply.is_none_or(|supply| supply.mark() != mark) {
                    return Err("it has another source, or none".to_owned());
                }
            }
            if self.stop.is_stopped() {
                return Ok(pictures);
            }
            let coded = match queue.receive(LOOK) {
                Received::Item(coded) => coded,
                Received::Empty => continue,
                Received::Closed => {
                    // What it holds back is given, what it has against the end is not of interest.
                    let _ = screen.finish();
                    let _ = self.pictures(screen, &mut given, 0);
                    return Ok(pictures);
                }
            };
            if let Some(at) = coded.decode_at {
                self.wait(at);
            }
            let decoded = screen.send(&coded).map_err(|e| e.to_string());
            match decoded.and_then(|()| self.pictures(screen, &mut given, queue.depth().0)) {
                Ok(more) => {
                    pictures += more;
                    damaged = 0;
                }
                Err(why) => {
                    self.count(|totals| &totals.damaged);
                    damaged += 1;
                    if damaged >= HOPELESS {
                        return Err(why);
                    }
                }
            }
        }
    }

    /// Until what is due at `at` should be decoded.
    fn wait(&self, at: i64) {
        while !self.stop.is_stopped() {
            let wait = self.stage().timeline.wait(at, self.parts.clock.now());
            if wait.is_zero() {
                return;
            }
            std::thread::sleep(wait.min(LOOK));
        }
    }

    /// Gives every picture the decoder has; how many. So many parts wait to be decoded.
    fn pictures(
        &self,
        screen: &mut Screen,
        given: &mut Option<Monotonic>,
        waiting: usize,
    ) -> Result<u64, String> {
        /// A picture that is late is left out if there is another, but not for longer than this.
        const SEEN: Duration = Duration::from_millis(100);
        let mut pictures = 0;
        while let Some((at, decoded)) = screen.receive().map_err(|e| e.to_string())? {
            pictures += 1;
            self.count(|totals| &totals.decoded);
            let now = self.parts.clock.now();
            let mut stage = self.stage();
            let due = stage.timeline.picture(at, now);
            if stage.state != State::Playing {
                info!(stream = self.name, "a stream is played in full");
                (stage.state, stage.error) = (State::Playing, None);
            }
            if due < now {
                self.count(|totals| &totals.late);
                let seen = given.is_some_and(|given| now.since(given) < SEEN);
                if waiting > 0 && seen {
                    self.count(|totals| &totals.dropped);
                    continue;
                }
            }
            *given = Some(now);
            let picture = Arc::new(decoded);
            stage.newest = Some(Arc::clone(&picture));
            stage.pictures.push_back(Timed { picture, due });
            if stage.pictures.len() > PICTURES {
                stage.pictures.pop_front();
                self.count(|totals| &totals.dropped);
            }
            drop(stage);
            self.arrived.notify_one();
        }
        Ok(pictures)
    }
}

/// Ends what was opened when it is dropped.
struct Ends<'a> {
    player: &'a Player,
    stop: &'a Stop,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.stop.stop();
        self.player.stage().sound.clear();
    }
}

/// In µs by its container's clock.
fn time_of(block: &Block) -> i64 {
    let micros = i128::from(block.number) * 1_000_000 / i128::from(RATE);
    i64::try_from(micros).unwrap_or(i64::MAX)
}

fn samples(sound: &VecDeque<Block>) -> usize {
    sound.iter().map(|block| block.samples.len()).sum()
}

fn ms(time: Monotonic) -> u64 {
    u64::try_from(time.since_start().as_millis()).unwrap_or(u64::MAX)
}
