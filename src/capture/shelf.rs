//! JPEGs made of kept pictures, for those who ask again. Bounded in bytes; the one made longest ago goes first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use crate::base::clock::MediaTime;
use crate::streams::StreamName;

#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    jpegs: VecDeque<(Label, Bytes)>,
    bytes: usize,
}

/// What a JPEG was made of, and how wide it was asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) stream: StreamName,
    pub(super) media_time: MediaTime,
    pub(super) width: Option<u32>,
}

impl Shelf {
    const MOST_BYTES: usize = 32 << 20;
    /// Looking through them must stay cheap.
    const MOST: usize = 512;

    pub(super) fn get(&self, label: &Label) -> Option<Bytes> {
        let inner = self.lock();
        // What was made last is asked for most.
        inner.jpegs.iter().rev().find(|(known, _)| known == label).map(|(_, jpeg)| jpeg.clone())
    }

    /// Unless what it was made of is `gone` meanwhile: nobody can ask for it again.
    pub(super) fn put(&self, label: Label, jpeg: Bytes, gone: impl FnOnce() -> bool) {
        // Whoever lets a stream go says so before [`Self::forget`].
        let mut inner = self.lock();
        if gone() || inner.jpegs.iter().any(|(known, _)| *known == label) {
            return;
        }
        inner.bytes += jpeg.len();
        inner.jpegs.push_back((label, jpeg));
        while inner.jpegs.len() > Self::MOST || inner.bytes > Self::MOST_BYTES {
            let (_, old) = inner.jpegs.pop_front().expect("bytes come from entries");
            inner.bytes -= old.len();
        }
    }

    pub(super) fn forget(&self, stream: &StreamName) {
        let mut inner = self.lock();
        inner.jpegs.retain(|(label, _)| label.stream != *stream);
        inner.bytes = inner.jpegs.iter().map(|(_, jpeg)| jpeg.len()).sum();
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no code that can panic runs under this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(stream: &str, width: u32) -> Label {
        let media_time = MediaTime("2026-01-01T00:00:00Z".parse().unwrap());
        Label { stream: StreamName::parse(stream).unwrap(), media_time, width: Some(width) }
    }

    #[test]
    fn the_oldest_go_when_there_is_too_much_and_a_streams_own_when_it_does_and_never_come_back() {
        let shelf = Shelf::default();
        let big = Bytes::from(vec![0; Shelf::MOST_BYTES / 2]);
        for width in 1..=3 {
            shelf.put(label("a", width), big.clone(), || false);
        }
        assert_eq!(shelf.get(&label("a", 1)), None);
        assert!(shelf.get(&label("a", 2)).is_some() && shelf.get(&label("a", 3)).is_some());
        shelf.forget(&StreamName::parse("a").unwrap());
        shelf.put(label("b", 1), big.clone(), || false);
        shelf.put(label("b", 1), big.clone(), || false);
        shelf.put(label("a", 4), big, || true);
        assert_eq!(shelf.bytes(), Shelf::MOST_BYTES / 2);
        assert_eq!(shelf.get(&label("a", 3)), None);
    }
}
