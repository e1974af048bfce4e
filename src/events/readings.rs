//! The last readings of each stream, in memory, as they are written on the bus: a fifth of what they take when they can be looked
//! into.
//!
//! Called by the thread that takes records and by whoever is asked for readings. Bounded by number for each stream and by bytes
//! for all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use super::shape::Reading;
use crate::base::clock::MediaTime;
use crate::streams::StreamName;

#[derive(Default)]
pub(super) struct Readings(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    rings: BTreeMap<StreamName, VecDeque<Kept>>,
    bytes: usize,
}

/// A reading as JSON.
struct Kept {
    at: Timestamp,
    payload: Box<str>,
}

impl Readings {
    /// Readings kept of each stream: five minutes of one every three seconds.
    pub(super) const KEPT: usize = 100;
    /// Bytes of all. When there are more, who has a new one loses its oldest.
    const BYTES: usize = 64 << 20;

    /// `payload` is what [`Reading::kept`] makes a reading of.
    pub(super) fn keep(&self, stream: &StreamName, at: Timestamp, payload: &str) {
        let mut inner = self.lock();
        let Inner { rings, bytes } = &mut *inner;
        let ring = rings.entry(stream.clone()).or_default();
        *bytes += payload.len();
        ring.push_back(Kept { at, payload: payload.into() });
        while ring.len() > Self::KEPT || (*bytes > Self::BYTES && ring.len() > 1) {
            let Some(oldest) = ring.pop_front() else { break };
            *bytes -= oldest.payload.len();
        }
    }

    /// The newest first.
    pub(super) fn list(&self, stream: &StreamName, since: Option<MediaTime>, limit: usize) -> Vec<Reading> {
        let payloads: Vec<Box<str>> = {
            let inner = self.lock();
            let Some(ring) = inner.rings.get(stream) else { return Vec::new() };
            let wanted = |kept: &&Kept| since.is_none_or(|since| kept.at >= since.0);
            ring.iter().rev().filter(wanted).take(limit).map(|kept| kept.payload.clone()).collect()
        };
        payloads.iter().filter_map(|payload| Reading::kept(payload)).collect()
    }

    /// The newest of each stream.
    pub(super) fn latest(&self) -> Vec<Reading> {
        let newest: Vec<Box<str>> = {
            let inner = self.lock();
            inner.rings.values().filter_map(|ring| Some(ring.back()?.payload.clone())).collect()
        };
        newest.iter().filter_map(|payload| Reading::kept(payload)).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().rings.values().map(VecDeque::len).sum()
    }

    /// Forgets the streams that are gone.
    pub(super) fn retain(&self, still: impl Fn(&StreamName) -> bool) {
        let mut inner = self.lock();
        inner.rings.retain(|name, _| still(name));
        inner.bytes = inner.rings.values().flatten().map(|kept| kept.payload.len()).sum();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_bounded_by_number_and_by_the_bytes_of_all() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (readings, name) = (Readings::default(), |name: &str| StreamName::parse(name).unwrap());
        for _ in 0..150 {
            readings.keep(&name("few"), at, "{}");
        }
        assert_eq!(readings.count(), Readings::KEPT);
        let large = " ".repeat(Readings::BYTES / 8);
        for _ in 0..20 {
            readings.keep(&name("large"), at, &large);
        }
        // Its own are too much, so the others' stay.
        assert_eq!(readings.lock().rings[&name("large")].len(), 7);
        assert_eq!(readings.lock().rings[&name("few")].len(), Readings::KEPT);
        assert!(readings.lock().bytes <= Readings::BYTES);
        readings.keep(&name("new"), at, &large);
        assert_eq!(readings.lock().rings[&name("new")].len(), 1, "whoever has one keeps it");
        readings.retain(|kept| *kept == name("few"));
        assert_eq!(readings.lock().bytes, 2 * Readings::KEPT);
        assert_eq!(readings.count(), Readings::KEPT);
    }
}
