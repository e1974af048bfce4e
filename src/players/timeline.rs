//! When a source's pictures and samples are due: its own clock against ours. Pure.
//!
//! The first picture is due a little after it came, the others by their distance from it. Sources that come in their own time are
//! brought nearer when all of theirs is early, and further off when some of it is late; what was held up is shown from where it
//! goes on. Called by players with each picture decoded.

use std::time::Duration;

use crate::base::clock::Monotonic;
use crate::streams::Pace;

/// Maps a source's time, in µs, to ours.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pace: Pace,
    /// A time of the source's, and when it is due, both in µs.
    anchor: Option<(i64, i64)>,
    /// The newest picture's time, and when it is due.
    last: Option<(i64, i64)>,
    /// Between two pictures, µs.
    step: i64,
    /// How early a picture is to be ready.
    delay: i64,
    window: Option<Window>,
}

/// How early pictures were lately, in µs.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: i64,
    worst: i64,
    best: i64,
}

const MS: i64 = 1000;
/// How early pictures are to be ready: against jitter, and against the time that decoding takes.
const LIVE_DELAY: i64 = 120 * MS;
const HELD_DELAY: i64 = 150 * MS;
/// A source whose jitter is more is shown with what jitter is left.
const MOST_DELAY: i64 = 600 * MS;
/// Earlier than this beyond the delay is brought nearer, at once and after a while.
const MUCH: i64 = 300 * MS;
const SOME: i64 = 80 * MS;
/// Later than this is held up, and not slow.
const HELD_UP: i64 = 500 * MS;
/// Times that go back by more, or ahead by more, begin anew.
const BACK: i64 = 500 * MS;
const AHEAD: i64 = 3000 * MS;
/// What is looked back on.
const SHORT: i64 = 1000 * MS;
const LONG: i64 = 5000 * MS;

impl Timeline {
    pub(super) fn new(pace: Pace) -> Self {
        let delay = if pace == Pace::Live { LIVE_DELAY } else { HELD_DELAY };
        Self { pace, anchor: None, last: None, step: 33 * MS, delay, window: None }
    }

    /// The same source, opened again.
    pub(super) fn reopened(&mut self, pace: Pace) {
        let delay = if pace == Pace::Live { LIVE_DELAY } else { HELD_DELAY };
        (self.pace, self.delay, self.anchor, self.window) = (pace, delay, None, None);
    }

    /// When a picture is due that was ready at `now`; `None` for its time: it follows the last one.
    pub(super) fn picture(&mut self, at: Option<i64>, now: Monotonic) -> Monotonic {
        let now = micros(now);
        let at = at.unwrap_or_else(|| self.last.map_or(0, |(last, _)| last.saturating_add(self.step)));
        let jumped = self.last.is_some_and(|(last, _)| at < last - BACK || at > last + AHEAD);
        let due = match self.due(at).filter(|_| !jumped) {
            None => self.begin(at, now, jumped),
            Some(due) if due < now - HELD_UP => self.begin(at, now, false),
            Some(due) if self.pace == Pace::Live && due > now + self.delay + MUCH => {
                self.begin(at, now, false)
            }
            Some(due) => due + self.adjust(due - now, now),
        };
        if let Some((last, _)) = self.last.filter(|_| !jumped) {
            let step = at - last;
            if (MS..200 * MS).contains(&step) {
                self.step = step;
            }
        }
        self.last = Some((at, due));
        time(due)
    }

    /// When sound of that time is due; `None` before the first picture.
    pub(super) fn sound(&self, at: i64) -> Option<Monotonic> {
        self.due(at).map(time)
    }

    /// How long until what is due at `at` should be decoded; zero if it comes in its own time.
    pub(super) fn wait(&self, at: i64, now: Monotonic) -> Duration {
        let jumped = self.last.is_some_and(|(last, _)| at < last - BACK || at > last + AHEAD);
        let due = self.due(at).filter(|_| self.pace != Pace::Live && !jumped);
        let early = due.map_or(0, |due| due - self.delay - micros(now));
        Duration::from_micros(u64::try_from(early).unwrap_or(0))
    }

    fn due(&self, at: i64) -> Option<i64> {
        self.anchor.map(|(from, due)| due.saturating_add(at.saturating_sub(from)))
    }

    /// Counts from here; where times have jumped, without a gap if there is none.
    fn begin(&mut self, at: i64, now: i64, jumped: bool) -> i64 {
        let follows = self.last.map(|(_, due)| due + self.step).filter(|due| *due >= now);
        let due = follows.filter(|_| jumped || self.anchor.is_none()).unwrap_or(now + self.delay);
        let due = due.min(now + self.delay + MUCH);
        (self.anchor, self.window) = (Some((at, due)), None);
        due
    }

    /// What is added to the anchor because of how early pictures were lately.
    fn adjust(&mut self, margin: i64, now: i64) -> i64 {
        let window = self.window.get_or_insert(Window { began: now, worst: margin, best: margin });
        (window.worst, window.best) = (window.worst.min(margin), window.best.max(margin));
        let Window { began, worst, best } = *window;
        let moved = if best < 0 && now - began >= SHORT {
            // Nothing was ready in time for a while.
            self.delay / 2 - best
        } else if now - began < LONG {
            return 0;
        } else if self.pace == Pace::Live && worst < 0 && self.delay < MOST_DELAY {
            let more = (20 * MS - worst).min(100 * MS).min(MOST_DELAY - self.delay);
            self.delay += more;
            more
        } else if self.pace == Pace::Live && worst > self.delay + SOME {
            self.delay - worst
        } else {
            0
        };
        self.window = None;
        if let Some((_, due)) = &mut self.anchor {
            *due += moved;
        }
        moved
    }
}

fn micros(time: Monotonic) -> i64 {
    i64::try_from(time.since_start().as_micros()).unwrap_or(i64::MAX / 4)
}

fn time(micros: i64) -> Monotonic {
    Monotonic::from_start(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Monotonic {
        time(ms * MS)
    }

    fn ms(due: Monotonic) -> i64 {
        micros(due) / MS
    }

    #[test]
    fn pictures_are_due_by_their_distance_from_the_first_whatever_their_jitter() {
        let mut line = Timeline::new(Pace::Live);
        assert_eq!(line.sound(7), None);
        for (n, jitter) in (0..300).zip([0, 30, 5, 80, 0].into_iter().cycle()) {
            let due = line.picture(Some(900_000 + n * 40 * MS), at(1000 + n * 40 + jitter));
            assert_eq!(ms(due), 1120 + n * 40, "picture {n}");
        }
        assert_eq!(line.sound(900_000 + 12_000 * MS).map(ms), Some(13_120));
    }

    #[test]
    fn a_burst_and_a_clock_that_runs_slow_leave_it_near() {
        let mut line = Timeline::new(Pace::Live);
        // Two seconds at once, then as they are made.
        for n in 0..50 {
            line.picture(Some(n * 40 * MS), at(1000));
        }
        let due = line.picture(Some(50 * 40 * MS), at(1040));
        assert!(ms(due) - 1040 <= 440, "{}", ms(due));
        // It comes 100 µs earlier each time.
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for n in 0..10_000 {
            let now = time(1_080_000 + n * 39_900);
            let due = micros(line.picture(Some((51 + n) * 40 * MS), now)) - micros(now);
            (least, most) = (least.min(due), most.max(due));
        }
        assert!(least > 0 && most < 450 * MS, "{least} to {most}");
    }

    #[test]
    fn what_comes_late_now_and_then_is_shown_later_and_what_is_held_up_goes_on() {
        let mut line = Timeline::new(Pace::Live);
        let mut late = 0;
        for n in 0..2000 {
            let jitter = if n % 20 == 10 { 200 } else { 0 };
            let now = at(1000 + n * 40 + jitter);
            if line.picture(Some(n * 40 * MS), now) < now {
                late += 1;
                assert!(n < 300, "picture {n} is late");
            }
        }
        assert!(late > 0);
        let due = line.picture(Some(2000 * 40 * MS), at(90_000));
        assert!((90_000..90_500).contains(&ms(due)));
    }

    #[test]
    fn what_is_held_is_waited_for_and_goes_on_where_its_times_jump() {
        let mut line = Timeline::new(Pace::Looped);
        assert_eq!(line.wait(5, at(1000)), Duration::ZERO);
        assert_eq!(ms(line.picture(Some(0), at(1000))), 1150);
        assert_eq!(line.wait(500 * MS, at(1000)), Duration::from_millis(500));
        assert_eq!(ms(line.picture(Some(40 * MS), at(1040))), 1190);
        // Again from its beginning.
        assert_eq!(line.wait(0, at(1050)).as_millis(), 0);
        line.picture(Some(1000 * MS), at(2000));
        assert_eq!(ms(line.picture(Some(0), at(2040))), 2190);
        line.reopened(Pace::Looped);
        assert_eq!(ms(line.picture(Some(0), at(2090))), 2230);
        // Slow throughout: shown later, and not all of it late.
        let late =
            (1..200).filter(|n| line.picture(Some(n * 40 * MS), at(2390 + n * 40)) < at(2390 + n * 40));
        assert!(late.count() < 40);
    }
}
