//! The pictures of one stream that an event may yet turn out to have been seen on first.
//!
//! Called by the thread that steps the rules; they say which pictures these are. Bounded by number and bytes for each stream, and by
//! bytes for all of them: the oldest go first, and are counted.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use packs::Reading;

use crate::reading::{Coded, Crops, Record};

/// A picture that was looked at.
#[derive(Clone)]
pub(super) struct Picture {
    /// Media time in milliseconds since 1970.
    pub(super) at: i64,
    pub(super) coded: Coded,
    pub(super) crops: Crops,
    pub(super) reading: Option<Arc<Reading>>,
}

impl Picture {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            at: record.media_time.0.as_millisecond(),
            coded: record.coded.clone(),
            crops: record.crops.clone(),
            reading: record.reading.clone(),
        }
    }

    fn bytes(&self) -> usize {
        self.coded.bytes() + self.crops.bytes()
    }
}

/// Room for the pictures of all streams.
#[derive(Debug)]
pub(super) struct Room {
    left: usize,
    /// Pictures there was no room for.
    pub(super) dropped: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: Self::BYTES, dropped: 0 }
    }
}

impl Room {
    /// When 500 games begin to be followed all their pictures are pending: more would take most of the program's memory.
    const BYTES: usize = 64 << 20;

    /// Bytes that are taken.
    pub(super) const fn taken(&self) -> usize {
        Self::BYTES - self.left
    }
}

/// Pictures of one stream, the oldest first.
#[derive(Default)]
pub(super) struct Pictures {
    kept: VecDeque<Picture>,
    bytes: usize,
}

impl Pictures {
    /// Pictures of a stream: as many as rules look back.
    const MOST: usize = 32;
    /// Bytes of a stream's.
    const BYTES: usize = 8 << 20;

    /// Keeps `newest` if it is one of those that are `pending`, and lets go of those that are not.
    pub(super) fn keep(&mut self, newest: Picture, pending: &BTreeSet<i64>, room: &mut Room) {
        let bytes = &mut self.bytes;
        self.kept.retain(|picture| {
            let stays = pending.contains(&picture.at);
            if !stays {
                *bytes -= picture.bytes();
                room.left += picture.bytes();
            }
            stays
        });
        if !pending.contains(&newest.at) {
            return;
        }
        let size = newest.bytes();
        let fits = |these: &Self, room: &Room| {
            these.kept.len() < Self::MOST && these.bytes + size <= Self::BYTES && size <= room.left
        };
        while !fits(self, room) {
            room.dropped += 1;
            if !self.drop_oldest(room) {
                return;
            }
        }
        self.bytes += size;
        room.left -= size;
        self.kept.push_back(newest);
    }

    /// The picture of that moment, if it is kept.
    pub(super) fn at(&self, at: i64) -> Option<&Picture> {
        self.kept.iter().find(|picture| picture.at == at)
    }

    /// Gives its room back.
    pub(super) fn clear(&mut self, room: &mut Room) {
        while self.drop_oldest(room) {}
    }

    fn drop_oldest(&mut self, room: &mut Room) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.bytes -= oldest.bytes();
        room.left += oldest.bytes();
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn picture(at: i64, bytes: usize) -> Picture {
        Picture {
            at,
            coded: Coded::Jpeg(Bytes::from(vec![0; bytes])),
            crops: Crops::default(),
            reading: None,
        }
    }

    fn kept(pictures: &Pictures) -> Vec<i64> {
        pictures.kept.iter().map(|picture| picture.at).collect()
    }

    #[test]
    fn what_is_pending_is_kept_and_what_is_not_goes() {
        let (mut pictures, mut room) = (Pictures::default(), Room::default());
        for (at, pending, left) in [
            (1, vec![], vec![]),
            (2, vec![2], vec![2]),
            (3, vec![2, 3], vec![2, 3]),
            (4, vec![2], vec![2]),
            (5, vec![2, 5, 9], vec![2, 5]),
            (6, vec![5], vec![5]),
            (7, vec![], vec![]),
        ] {
            pictures.keep(picture(at, 1000), &pending.into_iter().collect(), &mut room);
            assert_eq!((kept(&pictures), room.taken()), (left.clone(), 1000 * left.len()), "{at}");
        }
        assert_eq!(room.dropped, 0);
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_and_are_counted() {
        let all: BTreeSet<i64> = (0..1000).collect();
        let mut room = Room::default();
        let mut many = Pictures::default();
        (0..40).for_each(|at| many.keep(picture(at, 10), &all, &mut room));
        assert_eq!((kept(&many), room.dropped), ((8..40).collect(), 8));
        let mut heavy = Pictures::default();
        (0..5).for_each(|at| heavy.keep(picture(at, 3 << 20), &all, &mut room));
        assert_eq!((kept(&heavy), room.dropped), (vec![3, 4], 11));
        // One that has no room at all leaves nothing behind.
        heavy.keep(picture(5, 9 << 20), &all, &mut room);
        assert_eq!((kept(&heavy), room.dropped, room.taken()), (vec![], 14, 320));
        // Of all streams together.
        let mut streams: Vec<Pictures> = (0..20).map(|_| Pictures::default()).collect();
        streams.iter_mut().for_each(|stream| stream.keep(picture(1, 8 << 20), &all, &mut room));
        assert!(room.taken() <= Room::BYTES && streams[0].at(1).is_some() && streams[19].at(1).is_none());
        streams.iter_mut().chain([&mut many]).for_each(|stream| stream.clear(&mut room));
        assert_eq!(room.taken(), 0);
    }
}
