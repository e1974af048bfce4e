//! How a store is doing: whether it is away, how often it failed, how long it took.

use super::Health;
use crate::base::clock::{Clock, Monotonic};
use crate::base::health::Presence;
use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::Counter;

/// Since the start.
#[derive(Clone, Debug)]
pub struct Figures {
    pub reads: u64,
    pub writes: u64,
    /// Reads and writes that were not done.
    pub failures: u64,
    /// How long writes took that were done.
    pub write_latency: Snapshot,
}

#[derive(Debug)]
pub(super) struct Meter {
    clock: Clock,
    presence: Presence,
    reads: Counter,
    writes: Counter,
    failures: Counter,
    latency: Histogram,
}

impl Meter {
    const SECONDS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5];

    pub(super) fn new(clock: Clock, kind: &'static str) -> Self {
        Self {
            presence: Presence::new(clock.clone(), "store", kind),
            clock,
            reads: Counter::default(),
            writes: Counter::default(),
            failures: Counter::default(),
            latency: Histogram::new(&Self::SECONDS),
        }
    }

    pub(super) fn now(&self) -> Monotonic {
        self.clock.now()
    }

    pub(super) fn health(&self) -> Health {
        self.presence.health()
    }

    /// The store answers.
    pub(super) fn here(&self) {
        self.presence.here();
    }

    /// The store does not answer; an absence that lasts keeps its beginning.
    pub(super) fn away(&self, reason: String) {
        self.presence.away(reason);
    }

    pub(super) fn read(&self) {
        self.reads.add(1);
    }

    pub(super) fn wrote(&self, begun: Monotonic) {
        self.writes.add(1);
        self.latency.add(self.clock.now().since(begun));
    }

    pub(super) fn failed(&self) {
        self.failures.add(1);
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            reads: self.reads.get(),
            writes: self.writes.get(),
            failures: self.failures.get(),
            write_latency: self.latency.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_absence_keeps_its_beginning_and_shows_its_newest_reason() {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let meter = Meter::new(clock.clone(), "test");
        let since = clock.wall();
        meter.away("refused".to_owned());
        clock.advance(Duration::from_secs(5));
        meter.away("silent".to_owned());
        assert_eq!(meter.health(), Health::Away { since, reason: "silent".to_owned() });
        meter.here();
        assert_eq!(meter.health(), Health::Ok);
        meter.away("refused".to_owned());
        assert_eq!(meter.health(), Health::Away { since: clock.wall(), reason: "refused".to_owned() });
    }
}
