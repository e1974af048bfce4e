//! What captures came to, counted: for metrics and the status page.

use std::time::Duration;

use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::Counter;
use crate::sources::{Cause, FailureKind};

/// Why a capture gave no picture, or that it did: the label of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Captured,
    Offline,
    Ad,
    /// No keyframe newer than the one captured last.
    Unchanged,
    Failed(Cause),
}

impl Outcome {
    pub(super) fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Offline => Self::Offline,
            FailureKind::Ad => Self::Ad,
            FailureKind::Unchanged => Self::Unchanged,
            FailureKind::Error(cause) => Self::Failed(cause),
        }
    }
}

/// Counters of all captures.
#[derive(Debug)]
pub(super) struct Tally {
    captured: Counter,
    offline: Counter,
    ad: Counter,
    unchanged: Counter,
    failed: Vec<(Cause, Counter)>,
    /// From when a capture was due to when it began.
    pub(super) lateness: Histogram,
    /// From its beginning to the whole keyframe.
    pub(super) fetch: Histogram,
    /// Since the playlist last named a new segment, at each capture.
    pub(super) playlist_age: Histogram,
    pub(super) fetched_bytes: Counter,
    pub(super) keyframe_bytes: Counter,
}

/// The same at one moment.
#[derive(Debug)]
pub struct Totals {
    pub by_result: Vec<(&'static str, u64)>,
    pub captured: u64,
    pub failed: u64,
    pub all: u64,
    pub lateness: Snapshot,
    pub fetch: Snapshot,
    pub playlist_age: Snapshot,
    pub fetched_bytes: u64,
    pub keyframe_bytes: u64,
}

impl Tally {
    const LATENESS: &[f64] = &[0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0];
    const FETCH: &[f64] = &[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

    const PLAYLIST_AGE: &[f64] = &[0.1, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 30.0, 60.0];

    pub(super) fn new() -> Self {
        let counter = Counter::default;
        Self {
            captured: counter(),
            offline: counter(),
            ad: counter(),
            unchanged: counter(),
            failed: Cause::ALL.iter().map(|cause| (*cause, counter())).collect(),
            lateness: Histogram::new(Self::LATENESS),
            fetch: Histogram::new(Self::FETCH),
            playlist_age: Histogram::new(Self::PLAYLIST_AGE),
            fetched_bytes: counter(),
            keyframe_bytes: counter(),
        }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Captured => &self.captured,
            Outcome::Offline => &self.offline,
            Outcome::Ad => &self.ad,
            Outcome::Unchanged => &self.unchanged,
            Outcome::Failed(cause) => {
                let found = self.failed.iter().find(|(known, _)| *known == cause);
                &found.expect("every cause has a counter").1
            }
        };
        counter.add(1);
    }

    pub(super) fn began(&self, late: Duration) {
        self.lateness.add(late);
    }

    pub(super) fn read(&self) -> Totals {
        let plain = [
            ("captured", &self.captured),
            ("offline", &self.offline),
            ("ad", &self.ad),
            ("unchanged", &self.unchanged),
        ];
        let mut by_result: Vec<_> = plain.iter().map(|(result, counter)| (*result, counter.get())).collect();
        by_result.extend(self.failed.iter().map(|(cause, counter)| (cause.label(), counter.get())));
        Totals {
            captured: self.captured.get(),
            failed: self.failed.iter().map(|(_, counter)| counter.get()).sum(),
            all: by_result.iter().map(|(_, count)| count).sum(),
            by_result,
            lateness: self.lateness.read(),
            fetch: self.fetch.read(),
            playlist_age: self.playlist_age.read(),
            fetched_bytes: self.fetched_bytes.get(),
            keyframe_bytes: self.keyframe_bytes.get(),
        }
    }
}
