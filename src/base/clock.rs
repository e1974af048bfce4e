//! Time, in three types that can't be mixed up: [`Monotonic`] for durations, [`Wall`] for stamps, [`MediaTime`] for
//! when a picture was seen. The rules are in `docs/time.md`.
//!
//! The only place of the service that asks the machine for the time. A simulated clock stands still until told.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Time since an arbitrary start, never going back: for durations, deadlines, inactivity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(Duration);

/// The wall clock (UTC), which may jump: for stamps people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub Timestamp);

/// When the picture was seen (UTC), whoever processed it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(pub Timestamp);

impl Monotonic {
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

macro_rules! rfc3339_ms {
    ($($type:ty),+) => {$(
        /// RFC 3339 UTC with milliseconds: `2026-01-21T10:30:00.000Z`.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:.3}", self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
rfc3339_ms!(Wall, MediaTime);

/// Where the time comes from. Cheap to clone; clones of a simulated clock share its hands.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Real { start: Instant },
    Simulated(Mutex<Hands>),
}

#[derive(Debug, Clone, Copy)]
struct Hands {
    monotonic: Monotonic,
    wall: Timestamp,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn real() -> Self {
        Self(Arc::new(Source::Real { start: Instant::now() }))
    }

    /// A clock that shows `wall` until it is advanced.
    pub fn simulated(wall: Timestamp) -> Self {
        Self(Arc::new(Source::Simulated(Mutex::new(Hands { monotonic: Monotonic::default(), wall }))))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Monotonic {
        match &*self.0 {
            Source::Real { start } => Monotonic(Instant::now().duration_since(*start)),
            Source::Simulated(hands) => hands.lock().expect("no one panics while holding it").monotonic,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn wall(&self) -> Wall {
        match &*self.0 {
            Source::Real { .. } => Wall(Timestamp::now()),
            Source::Simulated(hands) => Wall(hands.lock().expect("no one panics while holding it").wall),
        }
    }

    /// Moves both hands of a simulated clock.
    ///
    /// # Panics
    /// On a real clock.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands();
        hands.monotonic = hands.monotonic + by;
        hands.wall += by;
    }

    /// Sets the wall hand of a simulated clock, as an administrator or NTP would.
    ///
    /// # Panics
    /// On a real clock.
    pub fn set_wall(&self, wall: Timestamp) {
        self.hands().wall = wall;
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        match &*self.0 {
            Source::Real { .. } => panic!("a real clock can't be moved"),
            Source::Simulated(hands) => hands.lock().expect("no one panics while holding it"),
        }
    }
}

/// Maps the monotonic clock to media time: the wall clock is read once, and again only when the two have come apart by
/// more than a second, so that a slewed or stepped wall clock never bends the distance between frames.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    monotonic: Monotonic,
    wall: Timestamp,
}

impl Anchor {
    pub const TOLERANCE: Duration = Duration::from_secs(1);

    pub fn new(now: Monotonic, wall: Wall) -> Self {
        Self { monotonic: now, wall: wall.0 }
    }

    /// The media time of `now`; re-anchors first if `wall` is more than [`Self::TOLERANCE`] away from it.
    pub fn media_time(&mut self, now: Monotonic, wall: Wall) -> MediaTime {
        let expected = self.wall + now.since(self.monotonic);
        if expected.duration_since(wall.0).unsigned_abs() > Self::TOLERANCE {
            *self = Self::new(now, wall);
            return MediaTime(wall.0);
        }
        MediaTime(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(Wall(at("2026-01-21T10:30:00Z")).to_string(), "2026-01-21T10:30:00.000Z");
        assert_eq!(MediaTime(at("2026-01-21T11:30:00.1239+01:00")).to_string(), "2026-01-21T10:30:00.123Z");
    }

    #[test]
    fn media_time_follows_the_monotonic_clock_until_the_wall_clock_is_a_second_away() {
        let clock = Clock::simulated(at("2026-01-01T00:00:00Z"));
        let mut anchor = Anchor::new(clock.now(), clock.wall());
        clock.advance(Duration::from_secs(10));
        clock.set_wall(at("2026-01-01T00:00:10.9Z"));
        assert_eq!(anchor.media_time(clock.now(), clock.wall()), MediaTime(at("2026-01-01T00:00:10Z")));
        clock.set_wall(at("2026-01-01T00:00:08.5Z"));
        assert_eq!(anchor.media_time(clock.now(), clock.wall()), MediaTime(at("2026-01-01T00:00:08.5Z")));
        clock.advance(Duration::from_secs(1));
        assert_eq!(anchor.media_time(clock.now(), clock.wall()), MediaTime(at("2026-01-01T00:00:09.5Z")));
    }
}
