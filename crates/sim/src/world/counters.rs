//! What was asked and answered, counted.
//!
//! Called by the server; read by the control API and by tests.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    Master,
    Playlist,
    Segment,
}

/// Sums since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub tokens: u64,
    pub masters: u64,
    pub playlists: u64,
    pub segments: u64,
    /// Segments of which a part was asked for (206).
    pub ranges: u64,
    /// Answers with a status of 400 or more.
    pub refused: u64,
    /// Bytes of bodies handed to sockets.
    pub bytes: u64,
    /// Of them, bytes of segments.
    pub segment_bytes: u64,
    /// Requests held back now until there is what they ask for.
    pub waiting: u64,
    /// Open now and since the start; known for the whole world only.
    pub open_connections: u64,
    pub connections: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    kinds: [AtomicU64; 4],
    pub(crate) ranges: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) segment_bytes: AtomicU64,
    pub(crate) waiting: AtomicI64,
    pub(crate) open: AtomicI64,
    pub(crate) connections: AtomicU64,
}

impl Counters {
    /// Counts a request; gives how many of its kind came before.
    pub(crate) fn asked(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize].fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn sent(&self, kind: Option<Kind>, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if kind == Some(Kind::Segment) {
            self.segment_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [tokens, masters, playlists, segments] = [0, 1, 2, 3].map(|kind| get(&self.kinds[kind]));
        Counts {
            tokens,
            masters,
            playlists,
            segments,
            ranges: get(&self.ranges),
            refused: get(&self.refused),
            bytes: get(&self.bytes),
            segment_bytes: get(&self.segment_bytes),
            waiting: u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(0),
            open_connections: u64::try_from(self.open.load(Ordering::Relaxed)).unwrap_or(0),
            connections: get(&self.connections),
        }
    }
}
