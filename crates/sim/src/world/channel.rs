//! One channel: its clock, what is wrong with it now, and what was wrong when its segments were made.
//!
//! Called by the world and the server. The time is always passed in.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::counters::Counters;
use super::{Settings, millis};
use crate::dice::Dice;
use crate::fault::{Episode, Episodes, Fault};
use crate::film::{PARTS, SEGMENT_SECONDS};

/// Milliseconds of a segment.
const SEGMENT: u64 = SEGMENT_SECONDS as u64 * 1000;
/// And of a part of one.
pub(crate) const PART: u64 = SEGMENT / PARTS as u64;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) number: usize,
    /// As Twitch numbers channels.
    pub(crate) id: u64,
    /// When segment 0 began, in ms since 1970.
    pub(crate) origin: u64,
    pub(crate) counters: Counters,
    /// Whether its plain playlists list parts and are waited for.
    low_latency: AtomicBool,
    started: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In order of `from`; the last may go on. Bounded by [`MOST_SPELLS`].
    spells: VecDeque<Spell>,
    random: Episodes,
    /// The next random fault, not begun yet.
    coming: Option<Episode>,
    /// How often the channel's tokens were revoked; those of an earlier generation are worth nothing.
    generation: u64,
}

/// Spells remembered; older ones lie behind every segment that can still be fetched, unless someone sets
/// faults like mad.
const MOST_SPELLS: usize = 64;

/// A fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spell {
    pub(crate) fault: Fault,
    /// Milliseconds since 1970.
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

/// What a channel is like at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) now: u64,
    pub(crate) fault: Option<Spell>,
    pub(crate) low_latency: bool,
    /// Faults in the picture, with the first and last segment that they are in.
    made: Vec<(Fault, u64, u64)>,
}

/// How a segment was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Made<'a> {
    pub(crate) fault: &'a Fault,
    /// The first segment of the spell.
    pub(crate) first: u64,
}

impl Channel {
    pub(super) fn new(settings: &Settings, name: &str, number: usize, started: u64) -> Self {
        let mut dice = Dice::new(settings.seed, name, 0xc4);
        let uptime = settings.uptime.map_or_else(|| dice.within(600_000..86_400_000), millis);
        let phase = dice.within(0..SEGMENT);
        let mut random = Episodes::new(settings.seed, name, settings.fault_rate);
        let coming = random.next();
        Self {
            name: name.to_owned(),
            number,
            id: dice.within(10_000_000..900_000_000),
            origin: started.saturating_sub(uptime + phase),
            counters: Counters::default(),
            low_latency: AtomicBool::new(settings.low_latency),
            started,
            state: Mutex::new(State { spells: VecDeque::new(), random, coming, generation: 0 }),
        }
    }

    /// The newest segment that is whole.
    pub(crate) fn newest(&self, now: u64) -> u64 {
        (now.saturating_sub(self.origin) / SEGMENT).saturating_sub(1)
    }

    /// When a segment begins, in ms since 1970.
    pub(crate) fn begins(&self, sequence: u64) -> u64 {
        self.origin + sequence.saturating_mul(SEGMENT)
    }

    /// When part `part` of segment `sequence` is whole, in ms since 1970.
    pub(crate) fn part_ends(&self, sequence: u64, part: usize) -> u64 {
        self.begins(sequence).saturating_add(PART.saturating_mul(part as u64 + 1))
    }

    pub(super) fn set_low_latency(&self, on: bool) {
        self.low_latency.store(on, Ordering::Relaxed);
    }

    pub(super) fn strike(&self, now: u64, fault: Fault, lasting: Option<u64>) {
        let mut state = self.state(now);
        state.end(now);
        state.begin(fault, now, lasting.map(|lasting| now.saturating_add(lasting)));
    }

    pub(super) fn clear(&self, now: u64) {
        self.state(now).end(now);
    }

    pub(super) fn generation(&self, now: u64) -> u64 {
        self.state(now).generation
    }

    pub(crate) fn look(&self, now: u64) -> Look {
        let state = self.state(now);
        let made = state
            .spells
            .iter()
            .filter(|spell| spell.fault.is_in_picture())
            .map(|spell| {
                let last = spell.until.map_or(u64::MAX, |until| self.newest(until));
                (spell.fault.clone(), self.newest(spell.from), last)
            })
            .collect();
        let active = state.spells.back().filter(|spell| spell.until.is_none_or(|until| now < until));
        let low_latency = self.low_latency.load(Ordering::Relaxed);
        Look { now, fault: active.cloned(), low_latency, made }
    }

    /// The state, brought up to `now`: random faults that are due have begun.
    fn state(&self, now: u64) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("nothing under this lock panics");
        while let Some(episode) = state.coming.take_if(|next| self.started + next.from <= now) {
            let (from, until) = (self.started + episode.from, self.started + episode.until);
            // One set by hand goes on; it is not the dice's business.
            let by_hand =
                state.spells.back().is_some_and(|spell| spell.until.is_none_or(|until| from < until));
            if !by_hand {
                state.begin(episode.fault, from, Some(until));
            }
            state.coming = state.random.next();
        }
        state
    }
}

impl State {
    fn begin(&mut self, fault: Fault, now: u64, until: Option<u64>) {
        let until = match fault {
            Fault::Ads { seconds } => {
                let end = now + u64::from(seconds) * 1000;
                Some(until.map_or(end, |until| until.min(end)))
            }
            _ => until,
        };
        if fault == (Fault::TokenExpired {}) {
            self.generation += 1;
        }
        if self.spells.len() == MOST_SPELLS {
            self.spells.pop_front();
        }
        self.spells.push_back(Spell { fault, from: now, until });
    }

    fn end(&mut self, now: u64) {
        if let Some(last) = self.spells.back_mut().filter(|last| last.until.is_none_or(|until| now < until)) {
            last.until = Some(now);
        }
    }
}

impl Look {
    /// The fault that acts on requests now.
    pub(crate) fn acting(&self) -> Option<&Fault> {
        self.fault.as_ref().map(|spell| &spell.fault).filter(|fault| !fault.is_in_picture())
    }

    /// What was wrong when `sequence` was made; of several the latest.
    pub(crate) fn made(&self, sequence: u64) -> Option<Made<'_>> {
        let found = self.made.iter().rev().find(|(_, first, last)| (*first..=*last).contains(&sequence));
        found.map(|(fault, first, _)| Made { fault, first: *first })
    }

    /// Whether times start anew with `sequence`.
    pub(crate) fn breaks_before(&self, sequence: u64) -> bool {
        let timeline =
            |sequence| self.made(sequence).filter(|made| made.fault.breaks_time()).map(|made| made.first);
        sequence > 0 && timeline(sequence) != timeline(sequence - 1)
    }

    /// What is added to the times in segment `sequence`, in ticks.
    pub(crate) fn time_shift(&self, name: &str, sequence: u64) -> u64 {
        let some = |salt| Dice::new(salt, name, 0x75).within(0..1 << 33);
        match self.made(sequence) {
            Some(Made { fault: Fault::WrongPts {}, .. }) => some(sequence),
            Some(made) if made.fault.breaks_time() => some(made.first),
            _ => 0,
        }
    }
}
