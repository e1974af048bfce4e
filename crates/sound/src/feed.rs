//! One source's sound on its way to the mixer: a bounded buffer that knows which samples it has.
//!
//! Called by [`super::mixer`]. What is missing is silence, and its edges are faded; what comes too late or too early is counted.

use crate::hold::Hold;
use crate::sinc::{self, HALF, TAPS};
use crate::{RATE, Sample, samples};

/// How a source's time goes with ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// Its samples are numbered on the output's clock and are heard at their numbers: files and what is made here.
    Exact,
    /// It has a clock of its own and comes live: it is heard about `delay_ms` after it came (20 to 1000), and its speed is
    /// changed by a thousandth at most to keep that. Its numbers tell gaps only.
    Live { delay_ms: u32 },
}

/// Since the source was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Times the numbers went on later than they had ended, or somewhere else.
    pub gaps: u64,
    /// Times it had nothing when something was wanted.
    pub underruns: u64,
    /// Samples that came when their time was over, or that came twice.
    pub late: u64,
    /// Samples that had no room.
    pub early: u64,
}

/// Seconds that fit.
const SECONDS: usize = 3;
const CAPACITY: usize = SECONDS * RATE as usize;
/// Samples the numbers may be off without meaning it: times in milliseconds are rounded.
const JITTER: i64 = 48;
/// A longer gap is a new beginning.
const LONGEST_GAP: i64 = RATE as i64 / 2;
/// Samples that may wait beyond the delay.
const LONGEST_WAIT: usize = RATE as usize;
/// Samples over which edges are faded.
const EDGE: u32 = RATE / 200;
/// There is no sample here.
const NONE: Sample = [f32::NAN; 2];

pub(crate) struct Feed {
    timing: Timing,
    buffer: Vec<Sample>,
    /// Of the first sample in the buffer, by the source's count.
    first: i64,
    /// Whether anything came yet that `first` counts from.
    anchored: bool,
    /// Where in the buffer is read: a whole number for exact sources.
    at: f64,
    hold: Hold,
    playing: bool,
    edges: Edges,
    pub(crate) counts: Counts,
}

impl Feed {
    pub(crate) fn new(timing: Timing) -> Self {
        sinc::prepare();
        let delay = match timing {
            Timing::Exact => 0,
            Timing::Live { delay_ms } => samples_of(delay_ms),
        };
        Self {
            timing,
            buffer: Vec::with_capacity(2 * CAPACITY),
            first: 0,
            anchored: false,
            at: 0.0,
            hold: Hold::new(delay),
            playing: false,
            edges: Edges::default(),
            counts: Counts::default(),
        }
    }

    /// Samples that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len().saturating_sub(self.place())
    }

    /// Takes samples, the first of which is number `number` by the source's count; `now` is the sample mixed next.
    pub(crate) fn push(&mut self, number: i64, samples: &[Sample], now: i64) {
        let Some(samples) = self.join(number, samples, now) else { return };
        let room = CAPACITY.saturating_sub(self.waiting());
        let (kept, over) = samples.split_at(samples.len().min(room));
        self.counts.early += over.len() as u64;
        self.compact();
        self.buffer.extend_from_slice(kept);
        if let Timing::Live { delay_ms } = self.timing {
            let over = self.waiting().saturating_sub(samples_of(delay_ms) + LONGEST_WAIT);
            if over > 0 {
                // Far behind: it would take an hour to catch up.
                let over = over + LONGEST_WAIT;
                self.at += f64::from(u32::try_from(over).unwrap_or(0));
                self.counts.early += over as u64;
                let place = self.place();
                self.buffer[place] = NONE;
                self.hold.jumped();
            }
        }
    }

    /// The part of `samples` that goes on where the buffer ends, once the buffer ends there.
    fn join<'a>(&mut self, number: i64, samples: &'a [Sample], now: i64) -> Option<&'a [Sample]> {
        if !self.anchored {
            self.anchored = true;
            self.begin(number, now);
        }
        let mut gap = number.saturating_sub(self.end());
        let live = self.timing != Timing::Exact;
        if live && gap.abs() <= JITTER {
            gap = 0;
        }
        if live && gap.abs() > LONGEST_GAP {
            self.counts.gaps += 1;
            // The next sample is that number, and nothing lies between but an edge.
            self.compact();
            self.buffer.push(NONE);
            self.first = self.first.saturating_add(gap).saturating_sub(1);
            gap = 0;
        }
        if gap > 0 {
            let room = CAPACITY.saturating_sub(self.waiting());
            let Some(gap) = usize::try_from(gap).ok().filter(|gap| *gap < room) else {
                self.counts.early += samples.len() as u64;
                return None;
            };
            self.counts.gaps += 1;
            self.compact();
            self.buffer.resize(self.buffer.len() + gap, NONE);
        }
        let known = usize::try_from(gap.min(0).unsigned_abs()).unwrap_or(usize::MAX).min(samples.len());
        self.counts.late += known as u64;
        Some(&samples[known..])
    }

    /// Counts from `number` on. An exact source's buffer begins with what is mixed next.
    fn begin(&mut self, number: i64, now: i64) {
        self.buffer.clear();
        self.at = 0.0;
        self.first = if self.timing == Timing::Exact { now } else { number };
    }

    /// The number after the last sample.
    fn end(&self) -> i64 {
        self.first.saturating_add(i64::try_from(self.buffer.len()).unwrap_or(i64::MAX))
    }

    /// The whole part of where is read.
    fn place(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the buffer")]
        let place = self.at as usize;
        place
    }

    /// Forgets what was read, but for what values between samples are made of.
    fn compact(&mut self) {
        let over = self.place().saturating_sub(TAPS);
        if over >= CAPACITY / 2 || self.buffer.len() + CAPACITY > self.buffer.capacity() {
            self.buffer.drain(..over);
            self.at -= f64::from(u32::try_from(over).unwrap_or(0));
            self.first = self.first.saturating_add(i64::try_from(over).unwrap_or(0));
        }
    }

    /// The samples from number `now` of our clock on.
    pub(crate) fn read(&mut self, now: i64, out: &mut [Sample]) {
        match self.timing {
            Timing::Exact => self.read_exact(now, out),
            Timing::Live { delay_ms } => self.read_live(samples_of(delay_ms), out),
        }
    }

    fn read_exact(&mut self, now: i64, out: &mut [Sample]) {
        let mut place = usize::try_from(now.saturating_sub(self.first)).unwrap_or(0);
        if self.anchored && place >= self.buffer.len() {
            self.counts.underruns += u64::from(self.playing);
            self.playing = false;
        }
        for out in out.iter_mut() {
            let sample = if self.anchored { self.buffer.get(place).copied() } else { None };
            self.playing |= sample.is_some();
            *out = self.edges.next(sample.filter(|sample| is_sound(*sample)));
            place += 1;
        }
        if self.anchored {
            if place > self.buffer.len() {
                // The buffer ends with what was mixed last, so that what comes now is late if it is from before.
                self.first = now.saturating_add(i64::try_from(out.len()).unwrap_or(0));
                self.buffer.clear();
                place = 0;
            }
            self.at = f64::from(u32::try_from(place).unwrap_or(0));
        }
    }

    fn read_live(&mut self, delay: usize, out: &mut [Sample]) {
        if !self.playing && self.waiting() >= delay {
            self.playing = true;
            self.hold.jumped();
        }
        if !self.playing {
            out.iter_mut().for_each(|out| *out = self.edges.next(None));
            return;
        }
        let fill = f64::from(u32::try_from(self.buffer.len()).unwrap_or(0)) - self.at;
        let speed = self.hold.speed(fill, out.len());
        for out in out.iter_mut() {
            let place = self.place();
            let sample = if place + HALF < self.buffer.len() { Some(self.value(place)) } else { None };
            if sample.is_none() && self.playing {
                self.playing = false;
                self.counts.underruns += 1;
            }
            if self.playing {
                self.at += speed;
            }
            let sound = sample.filter(|_| self.playing && is_sound(self.buffer[place]));
            *out = self.edges.next(sound);
        }
    }

    /// The value a little after the sample at `place`, which is one and has eight after it. What lies beyond an edge has no part
    /// in it.
    fn value(&self, place: usize) -> Sample {
        let offset = self.at - self.at.floor();
        let begin = place.wrapping_add(1).wrapping_sub(HALF);
        if let Some(around) =
            self.buffer.get(begin..begin.wrapping_add(TAPS)).and_then(|around| around.as_array())
        {
            // An edge among them would show in the sum.
            let value = sinc::between(around, offset);
            if is_sound(value) {
                return value;
            }
        }
        let own = self.buffer[place];
        let mut around = [own; TAPS];
        for tap in HALF..TAPS {
            let next = self.buffer[place + tap + 1 - HALF];
            if !is_sound(next) {
                let last = around[tap - 1];
                around[tap..].fill(last);
                break;
            }
            around[tap] = next;
        }
        for tap in (0..HALF - 1).rev() {
            let before = (place + tap).checked_sub(HALF - 1).map(|at| self.buffer[at]);
            around[tap] = before.filter(|before| is_sound(*before)).unwrap_or(around[tap + 1]);
        }
        sinc::between(&around, offset)
    }
}

fn samples_of(delay_ms: u32) -> usize {
    samples(delay_ms.clamp(20, 1000))
}

fn is_sound(sample: Sample) -> bool {
    sample.iter().all(|value| value.is_finite())
}

/// Makes silence begin and end softly: what was heard last fades out, what comes fades in, both at once if need be.
#[derive(Debug, Default)]
struct Edges {
    last: Sample,
    sounding: bool,
    /// What fades out, and for how many samples yet.
    rest: Sample,
    rest_left: u32,
    /// Samples since the silence.
    since: u32,
}

impl Edges {
    fn next(&mut self, sample: Option<Sample>) -> Sample {
        if let Some(sample) = sample.filter(|_| self.since == EDGE && self.rest_left == 0) {
            self.last = sample;
            return sample;
        }
        let part = |n: u32| crate::ramp::narrow(f64::from(n) / f64::from(EDGE));
        if sample.is_none() && self.sounding {
            (self.rest, self.rest_left) = (self.last, EDGE);
        }
        self.sounding = sample.is_some();
        self.rest_left = self.rest_left.saturating_sub(1);
        let fading = self.rest.map(|value| value * part(self.rest_left));
        self.since = if sample.is_some() { (self.since + 1).min(EDGE) } else { 0 };
        let coming = sample.unwrap_or([0.0; 2]).map(|value| value * part(self.since));
        self.last = [coming[0] + fading[0], coming[1] + fading[1]];
        self.last
    }
}
