//! Decides which stream is captured next.
//!
//! Owns deadlines, priorities, back-off and the number of captures in flight. Called by whoever makes the captures, which
//! asks [`Schedule::next`] until it gets no more, and asks again when the time it was told has come, when a capture is
//! [`Schedule::done`], and when anything was changed. Never waits, never does I/O, never asks the time: every method takes
//! `now`, so a day of scheduling is tested in a second.

mod grid;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::base::clock::Monotonic;

use grid::{Phase, Phases};

/// Names one stream in the schedule. Never given twice, so what is late for a removed stream can't meet its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two captures of a stream that has no interval of its own.
    pub interval: Duration,
    /// Captures in flight; at least one.
    pub max_concurrent: usize,
}

/// How a stream wants to be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// 1 to 10; 1 comes first. Anything else is taken as the nearest of them.
    pub priority: u8,
    /// `None`: that of the settings.
    pub interval: Option<Duration>,
}

/// What to do at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Capture this stream now; it is in flight until [`Schedule::done`].
    Capture { key: Key, due: Monotonic, late: Duration },
    /// Nothing is due before.
    At(Monotonic),
    /// As many are in flight as may be: ask again when one is done.
    Full,
    /// There is nothing to capture but what is in flight.
    Idle,
}

/// How a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Captured,
    /// There is nothing to capture, and that is no fault: asked again after [`Schedule::OFFLINE_POLL`].
    Offline,
    /// Nothing but advertising just now: asked again at the next deadline.
    Ad,
    /// Tried again after [`Schedule::BACK_OFF`].
    Failed,
}

/// One stream at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The next deadline; of a capture in flight, its own.
    pub due: Monotonic,
    pub in_flight: bool,
    /// One after the other, up to now.
    pub failures: u32,
    /// Deadlines that passed without a capture.
    pub skipped: u64,
    pub priority: u8,
    pub interval: Duration,
}

/// All streams at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub streams: usize,
    pub in_flight: usize,
    /// Due, and not yet in flight.
    pub waiting: usize,
    /// Since the start, of removed streams too.
    pub skipped_total: u64,
}

/// The state machine. All methods are O(log n), but for [`Self::apply`] and [`Self::load`].
#[derive(Debug)]
pub struct Schedule {
    settings: Settings,
    streams: HashMap<Key, Stream>,
    /// Those whose capture is in flight although they were removed.
    leaving: HashSet<Key>,
    /// When a stream becomes due, or, being due, gains a level. One entry at most for each stream.
    timers: BTreeSet<(Monotonic, Key)>,
    /// The due, by level and deadline.
    due: [BTreeSet<(Monotonic, Key)>; LEVELS],
    in_flight: usize,
    skipped_total: u64,
    /// Captures begun ahead of a less important stream that was due, since one of those was let pass.
    ahead: u32,
    keys: u64,
    phases: Phases,
    jitter: u64,
}

/// Level 0 is for streams somebody waits for, the others are the priorities.
const LEVELS: usize = 11;
const HURRIED: usize = 0;
/// The highest level that waiting earns.
const EARNED: usize = 2;

#[derive(Debug)]
struct Stream {
    priority: u8,
    own_interval: Option<Duration>,
    interval: Duration,
    phase: Phase,
    due: Monotonic,
    place: Place,
    /// Somebody waits for it.
    hurried: bool,
    /// Whether `due` is a deadline of its grid; not so after a failure, while offline or hurried.
    on_grid: bool,
    begun: Option<Monotonic>,
    failures: u32,
    skipped: u64,
}

/// Where a stream is kept.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In `timers` until its deadline.
    Early,
    /// In `due` at that level, and in `timers` if it gains a level then.
    Due {
        level: usize,
        gains: Option<Monotonic>,
    },
    InFlight,
}

impl Schedule {
    /// After the first, second… failure in a row; the last one for all that follow. Each ± a fifth.
    pub const BACK_OFF: [Duration; 5] = [
        Duration::from_secs(2),
        Duration::from_secs(4),
        Duration::from_secs(8),
        Duration::from_secs(16),
        Duration::from_secs(30),
    ];
    /// Until a stream that is offline is looked at again, ± a fifth; not sooner than its own interval.
    pub const OFFLINE_POLL: Duration = Duration::from_secs(30);
    /// Between the beginnings of two captures of one stream, however it is hurried: a crowd of viewers must not become
    /// a flood of requests.
    pub const HURRY_GAP: Duration = Duration::from_secs(1);
    /// Shorter intervals are taken as this.
    pub const SHORTEST: Duration = Duration::from_millis(100);
    /// Longer intervals are taken as this.
    pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
    /// Of so many captures that level 0 or 1 takes while others wait, one is theirs: enough that nobody starves, and
    /// priority 1 still gets 97 of 100 where it alone could use all the machine can do.
    const LET_PASS: u32 = 40;

    /// `seed` chooses where the streams' deadlines lie, and the jitter.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            streams: HashMap::new(),
            leaving: HashSet::new(),
            timers: BTreeSet::new(),
            due: Default::default(),
            in_flight: 0,
            skipped_total: 0,
            ahead: 0,
            keys: 0,
            phases: Phases::new(seed),
            jitter: seed,
        }
    }

    /// Takes a stream in; its first deadline is within one interval, away from those of the others.
    pub fn add(&mut self, now: Monotonic, plan: Plan) -> Key {
        self.keys += 1;
        let key = Key(self.keys);
        let (interval, phase) = (self.length(plan.interval), self.phases.take());
        let due = grid::after(now, interval, phase);
        self.streams.insert(
            key,
            Stream {
                priority: plan.priority.clamp(1, 10),
                own_interval: plan.interval,
                interval,
                phase,
                due,
                place: Place::Early,
                hurried: false,
                on_grid: true,
                begun: None,
                failures: 0,
                skipped: 0,
            },
        );
        self.timers.insert((due, key));
        key
    }

    /// Forgets a stream at once; whether it was there. A capture in flight holds its slot until it is done.
    pub fn remove(&mut self, key: Key) -> bool {
        self.take_out(key);
        let Some(stream) = self.streams.remove(&key) else { return false };
        if matches!(stream.place, Place::InFlight) {
            self.leaving.insert(key);
        }
        true
    }

    /// Whether the stream is there.
    pub fn set_priority(&mut self, key: Key, priority: u8, now: Monotonic) -> bool {
        self.change(key, now, |stream| stream.priority = priority.clamp(1, 10))
    }

    /// `None`: that of the settings. Whether the stream is there.
    pub fn set_interval(&mut self, key: Key, interval: Option<Duration>, now: Monotonic) -> bool {
        let length = self.length(interval);
        let Some(stream) = self.streams.get_mut(&key) else { return false };
        stream.own_interval = interval;
        self.change_interval(key, length, now);
        true
    }

    /// Counters, phases and what is in flight stay. When more is in flight than may be, nothing begins until less is.
    pub fn apply(&mut self, settings: Settings, now: Monotonic) {
        self.settings = settings;
        let keys: Vec<_> = self.streams.keys().copied().collect();
        for key in keys {
            let length = self.length(self.streams[&key].own_interval);
            self.change_interval(key, length, now);
        }
    }

    /// Captures the stream as soon as a slot is free, before all others; whether it is there.
    ///
    /// Not sooner than [`Self::HURRY_GAP`] after its last capture began; a capture in flight is as good.
    pub fn hurry(&mut self, key: Key, now: Monotonic) -> bool {
        self.change(key, now, |stream| {
            if !matches!(stream.place, Place::InFlight) {
                let soonest = stream.begun.map_or(now, |begun| now.max(begun + Self::HURRY_GAP));
                stream.due = stream.due.min(soonest);
                (stream.hurried, stream.on_grid) = (true, false);
            }
        })
    }

    /// What to do now: earliest deadline first within priority. A stream passed over gains one level of priority for each
    /// interval it has waited, so none starves.
    ///
    /// However long it waited it gets one capture; the deadlines that passed meanwhile are counted as skipped.
    pub fn next(&mut self, now: Monotonic) -> Next {
        self.let_time_pass(now);
        if self.in_flight >= self.settings.max_concurrent.max(1) {
            return Next::Full;
        }
        let Some((due, key)) = self.choose() else {
            return self.timers.first().map_or(Next::Idle, |(at, _)| Next::At(*at));
        };
        self.take_out(key);
        let stream = self.streams.get_mut(&key).expect("what is due is there");
        let skipped = grid::intervals(due, now, stream.interval);
        stream.skipped += skipped;
        stream.place = Place::InFlight;
        stream.begun = Some(now);
        self.skipped_total += skipped;
        self.in_flight += 1;
        Next::Capture { key, due, late: now.since(due) }
    }

    /// A capture ended, its slot is free; whether the stream is still there, so that somebody wants the result.
    pub fn done(&mut self, key: Key, now: Monotonic, outcome: Outcome) -> bool {
        if self.leaving.remove(&key) {
            self.in_flight -= 1;
            return false;
        }
        let Some(stream) = self.streams.get(&key).filter(|stream| matches!(stream.place, Place::InFlight))
        else {
            return false;
        };
        let (begun, poll) = (stream.begun.unwrap_or(now), Self::OFFLINE_POLL.max(stream.interval));
        let step = usize::try_from(stream.failures).unwrap_or(usize::MAX).min(Self::BACK_OFF.len() - 1);
        let failures = stream.failures.saturating_add(1);
        let (due, skipped, failures, on_grid) = match outcome {
            Outcome::Captured | Outcome::Ad => {
                let (due, skipped) = Self::next_deadline(stream, begun, now);
                (due, skipped, 0, true)
            }
            Outcome::Offline => (now + self.about(poll), 0, 0, false),
            Outcome::Failed => (now + self.about(Self::BACK_OFF[step]), 0, failures, false),
        };
        self.in_flight -= 1;
        self.skipped_total += skipped;
        self.change(key, now, |stream| {
            stream.skipped += skipped;
            (stream.due, stream.failures, stream.on_grid) = (due, failures, on_grid);
            (stream.hurried, stream.place) = (false, Place::Early);
        })
    }

    pub fn view(&self, key: Key) -> Option<View> {
        self.streams.get(&key).map(|stream| View {
            due: stream.due,
            in_flight: matches!(stream.place, Place::InFlight),
            failures: stream.failures,
            skipped: stream.skipped,
            priority: stream.priority,
            interval: stream.interval,
        })
    }

    /// O(number of the due).
    pub fn load(&self, now: Monotonic) -> Load {
        let early = |key: &Key| matches!(self.streams[key].place, Place::Early);
        let became_due = self.timers.iter().take_while(|(at, _)| *at <= now).filter(|(_, key)| early(key));
        Load {
            streams: self.streams.len(),
            in_flight: self.in_flight,
            waiting: self.due.iter().map(BTreeSet::len).sum::<usize>() + became_due.count(),
            skipped_total: self.skipped_total,
        }
    }

    fn length(&self, own: Option<Duration>) -> Duration {
        own.unwrap_or(self.settings.interval).clamp(Self::SHORTEST, Self::LONGEST)
    }

    /// The deadline after a capture that was in flight from `begun` to `now`: of those that passed meanwhile the last,
    /// and how many came before that one.
    fn next_deadline(stream: &Stream, begun: Monotonic, now: Monotonic) -> (Monotonic, u64) {
        let mut next = grid::after(begun, stream.interval, stream.phase);
        // A hurried capture stands for the deadline it came shortly before.
        if stream.hurried && next.since(begun) < stream.interval / 2 {
            next = grid::after(next, stream.interval, stream.phase);
        }
        let passed = grid::intervals(next, now, stream.interval);
        (grid::later(next, stream.interval, passed), passed)
    }

    fn change_interval(&mut self, key: Key, length: Duration, now: Monotonic) {
        self.change(key, now, |stream| {
            if stream.interval == length {
                return;
            }
            stream.interval = length;
            // What is due already stays due.
            if stream.on_grid && matches!(stream.place, Place::Early) && stream.due > now {
                stream.due = grid::after(now, length, stream.phase);
            }
        });
    }

    /// Takes the stream out of its place, lets `edit` change it, and puts it where it then belongs; whether it is there.
    fn change(&mut self, key: Key, now: Monotonic, edit: impl FnOnce(&mut Stream)) -> bool {
        self.take_out(key);
        let Some(stream) = self.streams.get_mut(&key) else { return false };
        edit(stream);
        if matches!(stream.place, Place::InFlight) {
            return true;
        }
        if stream.due > now {
            stream.place = Place::Early;
            self.timers.insert((stream.due, key));
            return true;
        }
        let (level, gains) = stream.level(now);
        stream.place = Place::Due { level, gains };
        self.due[level].insert((stream.due, key));
        self.timers.extend(gains.map(|at| (at, key)));
        true
    }

    /// Moves every stream whose time has come to where it belongs at `now`.
    fn let_time_pass(&mut self, now: Monotonic) {
        while let Some((_, key)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.change(key, now, |_| {});
        }
    }

    /// The next of the due, if any.
    fn choose(&mut self) -> Option<(Monotonic, Key)> {
        let (first, others) = self.due.split_at(EARNED);
        let first = first.iter().find_map(BTreeSet::first);
        let others = others.iter().find_map(BTreeSet::first);
        let (Some(first), Some(other)) = (first, others) else { return first.or(others).copied() };
        self.ahead = (self.ahead + 1) % Self::LET_PASS;
        Some(if self.ahead == 0 { *other } else { *first })
    }

    /// Takes a stream out of all sets but the streams.
    fn take_out(&mut self, key: Key) {
        let Some(stream) = self.streams.get(&key) else { return };
        let due = stream.due;
        match stream.place {
            Place::InFlight => {}
            Place::Early => {
                self.timers.remove(&(due, key));
            }
            Place::Due { level, gains } => {
                self.due[level].remove(&(due, key));
                gains.map(|at| self.timers.remove(&(at, key)));
            }
        }
    }

    /// `duration` ± a fifth, by chance (SplitMix64), so that what failed together is not tried together.
    fn about(&mut self, duration: Duration) -> Duration {
        self.jitter = self.jitter.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.jitter;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let chance = u32::try_from((bits ^ (bits >> 31)) >> 32).expect("32 bits are left");
        duration.mul_f64(0.8 + 0.4 * f64::from(chance) / f64::from(u32::MAX))
    }
}

impl Stream {
    /// The level of a stream that is due, and when it gains the next one.
    fn level(&self, now: Monotonic) -> (usize, Option<Monotonic>) {
        let own = usize::from(self.priority);
        if self.hurried {
            return (HURRIED, None);
        }
        if own <= EARNED {
            return (own, None);
        }
        let waited = grid::intervals(self.due, now, self.interval);
        let level = own.saturating_sub(usize::try_from(waited).unwrap_or(usize::MAX)).max(EARNED);
        (level, (level > EARNED).then(|| grid::later(self.due, self.interval, waited + 1)))
    }
}
