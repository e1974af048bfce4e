//! The last readings of each stream, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use super::shape::Reading;
use crate::base::clock::MediaTime;
use crate::streams::StreamName;

#[derive(Default)]
pub(super) struct Readings(Mutex<BTreeMap<StreamName, VecDeque<Arc<Reading>>>>);

impl Readings {
    /// Readings kept of each stream: five minutes of one every three seconds.
    pub(super) const KEPT: usize = 100;

    pub(super) fn keep(&self, stream: &StreamName, reading: Arc<Reading>) {
        let mut all = self.lock();
        let ring = all.entry(stream.clone()).or_default();
        if ring.len() == Self::KEPT {
            ring.pop_front();
        }
        ring.push_back(reading);
    }

    /// The newest first.
    pub(super) fn list(
        &self,
        stream: &StreamName,
        since: Option<MediaTime>,
        limit: usize,
    ) -> Vec<Arc<Reading>> {
        let all = self.lock();
        let Some(ring) = all.get(stream) else { return Vec::new() };
        let wanted = |reading: &&Arc<Reading>| since.is_none_or(|since| reading.at >= since.0);
        ring.iter().rev().filter(wanted).take(limit).cloned().collect()
    }

    /// The newest of each stream.
    pub(super) fn latest(&self) -> Vec<Arc<Reading>> {
        self.lock().values().filter_map(|ring| ring.back().cloned()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().values().map(VecDeque::len).sum()
    }

    /// Forgets the streams that are gone.
    pub(super) fn retain(&self, still: impl Fn(&StreamName) -> bool) {
        self.lock().retain(|stream, _| still(stream));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamName, VecDeque<Arc<Reading>>>> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}
