//! The task that looks after all outputs: ten times a second, and at every change, it compares what should run with what
//! runs, starts and ends threads, and tells of what is in another state. It never waits for a thread.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::definition::{Definition, Kind, Recipe};
use super::desk::Shared;
use super::handle::Event;
use super::lane::Lane;
use super::machine::State;
use super::queue::{Bound, Queue};
use super::run::{Run, Slot};
use super::{destination, encode, sound};
use crate::compose::State as ShowState;

const LOOK: Duration = Duration::from_millis(100);
/// At the end all is forced after this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// x264's own threads have stacks of their own.
const STACK: usize = 8 << 20;

impl Shared {
    /// Compares what should run with what runs, until the program ends and nothing does.
    pub(super) async fn look_after(self: Arc<Self>) {
        let stop = self.tasks.stopping();
        let mut told: Vec<(String, State)> = Vec::new();
        let mut ended = None;
        loop {
            let over = stop.is_cancelled();
            let now = self.clock.now();
            let late = over && now.since(*ended.get_or_insert(now)) >= PATIENCE;
            let live = !over && self.keeper.composes() && self.keeper.show().state != ShowState::Idle;
            let running = self.settle(live);
            self.tell(&mut told);
            if !over && self.keeper.composes() {
                self.announce();
            }
            self.audio.show(&self.heard());
            let file = |id: &str| self.assets.file(id).map(|(_, path)| path);
            self.readers.settle(&self.audio, file, &self.tasks);
            if over && (!running || late) {
                return;
            }
            tokio::select! {
                () = self.poke.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled(), if !over => {}
            }
        }
    }

    /// Whether anything still runs.
    fn settle(&self, live: bool) -> bool {
        let now = self.clock.now();
        let mut running = false;
        for slot in self.slots.load().iter() {
            let definition = slot.definition.load_full();
            let mut run = slot.run();
            run.take_if(|run| run.is_done());
            let wanted = live && definition.enabled;
            match &mut *run {
                Some(run) if !wanted || !run.is_of(&definition) => run.end(now),
                None if wanted => *run = self.begin(slot, &definition),
                _ => {}
            }
            running = running || run.is_some();
        }
        let mut leaving = self.leaving();
        leaving.retain(|slot| {
            let mut run = slot.run();
            run.take_if(|run| run.is_done());
            run.iter_mut().for_each(|run| run.end(now));
            run.is_some()
        });
        running = running || !leaving.is_empty();
        drop(leaving);
        self.lanes().retain(|lane| {
            let wanted = live && lane.is_wanted() && !lane.is_over();
            if !wanted {
                lane.end();
            }
            wanted
        });
        self.sound();
        running
    }

    /// Streams that layers show, and that have sound.
    fn heard(&self) -> Vec<String> {
        let players = self.players.all();
        players.iter().filter(|player| player.has_sound()).map(|player| player.name.clone()).collect()
    }

    /// Sound is made while a lane has it, also after the thread that made it has failed.
    fn sound(&self) {
        if !self.lanes().iter().any(|lane| lane.recipe.sound.is_some()) {
            return;
        }
        let work = sound::Work {
            audio: Arc::clone(&self.audio),
            outside: self.outside.clone(),
            players: self.players.clone(),
            lanes: Arc::clone(&self.lanes),
            running: Arc::clone(&self.sounding),
            meters: Arc::clone(&self.meters),
            clock: self.clock.clone(),
        };
        if let Err(e) = work.start(&self.tasks) {
            warn!(error = %e, "the program has no sound");
        }
    }

    fn begin(&self, slot: &Slot, definition: &Arc<Definition>) -> Option<Run> {
        let queue = Arc::new(Queue::new(Bound::USUAL));
        let lane = self.lane(definition.recipe, &queue)?;
        let work = destination::Work {
            definition: Arc::clone(definition),
            status: Arc::clone(&slot.status),
            queue,
            lane,
            hls: Arc::clone(&self.hls),
            meters: Arc::clone(&self.meters),
            client: self.client.clone(),
            runtime: self.runtime.clone(),
            clock: self.clock.clone(),
            abort: Arc::default(),
            folder: self.settings.folder.clone(),
            limits: self.settings.limits,
        };
        Run::start(&self.tasks, work).map_err(|e| error!(error = %e, "an output can't be started")).ok()
    }

    /// The encode of that recipe, begun if there is none, with `queue` attached to it.
    pub(super) fn lane(&self, recipe: Recipe, queue: &Arc<Queue>) -> Option<Arc<Lane>> {
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.iter().find(|lane| lane.recipe == recipe && !lane.is_over()) {
            // Under the lock: a lane without queues ends.
            lane.attach(queue);
            return Some(Arc::clone(lane));
        }
        let lane = Arc::new(Lane::new(recipe));
        lane.attach(queue);
        let keeper = self.keeper.clone();
        let work = encode::Work {
            lane: Arc::clone(&lane),
            frames: self.frames.clone(),
            is_empty: Box::new(move || !keeper.scene().layers().iter().any(|layer| layer.visible)),
            meters: Arc::clone(&self.meters),
            clock: self.clock.clone(),
            slate: Arc::clone(&self.slate),
            fps: self.settings.defaults.fps,
            preset: self.settings.preset,
            acceleration: self.settings.acceleration,
        };
        if let Err(e) = self.tasks.thread("air-video", STACK, move || work.run()) {
            warn!(error = %e, "the program can't be encoded");
            return None;
        }
        lanes.push(Arc::clone(&lane));
        Some(lane)
    }

    /// Tells of outputs that are in another state than before.
    fn tell(&self, told: &mut Vec<(String, State)>) {
        let slots = self.slots.load();
        told.retain(|(id, _)| slots.iter().any(|slot| slot.definition.load().id == *id));
        for slot in slots.iter() {
            let shown = slot.status.shown(self.clock.now());
            let id = slot.definition.load().id.clone();
            let known = told.iter_mut().find(|(known, _)| *known == id);
            let is_new = known.as_ref().is_none_or(|(_, state)| *state != shown.state);
            match known {
                Some((_, state)) => *state = shown.state,
                None => told.push((id.clone(), shown.state)),
            }
            if is_new {
                // Nobody may listen.
                drop(self.events.send(Event::State { id, state: shown.state, error: shown.last_error }));
            }
        }
    }

    /// Says once for each broadcast that it is live, and once that it is over, also after a restart in between.
    fn announce(self: &Arc<Self>) {
        let show = self.keeper.show();
        let since = show.since.map(|since| since.to_string()).filter(|_| show.state != ShowState::Idle);
        for slot in self.slots.load().iter() {
            let definition = slot.definition.load_full();
            if definition.kind != Kind::Twitter {
                continue;
            }
            let before = slot.announced().clone();
            let live = slot.status.shown(self.clock.now()).state == State::Live;
            let text = match (&before, &since) {
                (Some(before), since) if since.as_ref() != Some(before) => &definition.closing,
                (None, Some(_)) if live => &definition.announcement,
                _ => continue,
            };
            let now = if before.is_some() { None } else { since.clone() };
            slot.announced().clone_from(&now);
            if let Some(text) = text {
                // What is over has no picture any more.
                let picture = since.as_ref().and_then(|_| self.frames.newest().picture);
                self.twitter.say(text, picture.filter(|_| before.is_none()));
            }
            let this = Arc::clone(self);
            self.tasks.spawn("announced", async move {
                let _changing = this.changing.lock().await;
                if this.slot(&definition.id).is_ok()
                    && let Err(e) = this.keep(&definition, now.as_deref()).await
                {
                    warn!(error = %e, "it is not kept that this was announced");
                }
            });
        }
    }
}
