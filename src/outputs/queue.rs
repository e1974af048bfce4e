//! What waits for one destination: coded packets, bounded in bytes and in time.
//!
//! When it is full whole groups of pictures go, the oldest first, counted: what is left always begins with a keyframe, so
//! that nothing downstream sees a broken picture. While nobody is connected nothing waits. Filled by `encode` and `audio`,
//! emptied by `destination`; neither ever waits for the other.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use media::air::{Packet, Track};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) bytes: usize,
    /// 90 kHz, between the oldest picture and the newest.
    pub(super) ticks: i64,
}

impl Bound {
    /// Three groups of two seconds, at up to 20 Mbit/s.
    pub(super) const USUAL: Self = Self { bytes: 16 << 20, ticks: 6 * media::air::TICKS as i64 };
}

/// The queue of one destination.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// What the destination gets.
#[derive(Debug)]
pub(super) enum Taken {
    Packet(Packet),
    /// Nothing came in time.
    Empty,
    /// What comes is of another kind: a new connection must be told so.
    Renew,
    /// Nothing more will come.
    Ended,
}

#[derive(Debug)]
struct Waiting {
    bound: Bound,
    packets: VecDeque<Packet>,
    bytes: usize,
    flow: Flow,
    ended: bool,
    renew: bool,
    dropped: u64,
    dropped_groups: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Nobody is connected.
    Shut,
    /// The next keyframe begins.
    Awaiting,
    /// Sound from this moment on belongs to it.
    Open { from: i64 },
}

impl Waiting {
    /// Whether it was taken.
    fn push(&mut self, packet: Packet) -> bool {
        match self.flow {
            Flow::Shut => return false,
            Flow::Awaiting if packet.track == Track::Picture && packet.keyframe => {
                self.flow = Flow::Open { from: packet.dts };
            }
            Flow::Awaiting => return false,
            Flow::Open { from } if packet.track == Track::Sound && packet.pts < from => return false,
            Flow::Open { .. } => {}
        }
        self.bytes += packet.data.len();
        self.packets.push_back(packet);
        while self.is_full() {
            self.drop_group();
        }
        true
    }

    fn is_full(&self) -> bool {
        let mut pictures = self.packets.iter().filter(|packet| packet.track == Track::Picture);
        let oldest = pictures.next().map_or(0, |packet| packet.dts);
        let newest = pictures.next_back().map_or(oldest, |packet| packet.dts);
        self.bytes > self.bound.bytes || newest - oldest > self.bound.ticks
    }

    /// Drops up to the next keyframe; everything, when there is none.
    fn drop_group(&mut self) {
        let is_key = |packet: &Packet| packet.track == Track::Picture && packet.keyframe;
        let mut pictures = self.packets.iter().filter(|packet| packet.track == Track::Picture);
        pictures.next();
        let next = pictures.find(|packet| is_key(packet)).map(|packet| packet.dts);
        self.flow = next.map_or(Flow::Awaiting, |from| Flow::Open { from });
        let (mut bytes, mut dropped, mut reached) = (0, 0, false);
        self.packets.retain(|packet| {
            // The two tracks don't come in step: of the sound what belongs to later pictures stays.
            reached = reached || next.is_some_and(|from| is_key(packet) && packet.dts >= from);
            let keep = match packet.track {
                Track::Picture => reached,
                Track::Sound => next.is_some_and(|from| packet.pts >= from),
            };
            if keep {
                bytes += packet.data.len();
            } else if packet.track == Track::Picture {
                dropped += 1;
            }
            keep
        });
        self.bytes = bytes;
        self.dropped += dropped;
        self.dropped_groups += 1;
    }
}

impl Queue {
    pub(super) fn new(bound: Bound) -> Self {
        let waiting = Waiting {
            bound,
            packets: VecDeque::new(),
            bytes: 0,
            flow: Flow::Shut,
            ended: false,
            renew: false,
            dropped: 0,
            dropped_groups: 0,
        };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Never waits. A packet that nobody wants is let go.
    pub(super) fn push(&self, packet: &Packet) {
        let mut waiting = self.lock();
        if waiting.push(packet.clone()) {
            drop(waiting);
            self.changed.notify_all();
        }
    }

    /// A connection is there: from the next keyframe on packets are kept for it.
    pub(super) fn open(&self) {
        let mut waiting = self.lock();
        waiting.clear();
        waiting.renew = false;
        waiting.flow = Flow::Awaiting;
    }

    /// The connection is gone: nothing is kept.
    pub(super) fn shut(&self) {
        let mut waiting = self.lock();
        waiting.clear();
        waiting.flow = Flow::Shut;
    }

    /// Whether the next keyframe is waited for.
    #[cfg(test)]
    pub(super) fn wants_keyframe(&self) -> bool {
        self.lock().flow == Flow::Awaiting
    }

    /// What comes from now on is of another kind.
    pub(super) fn renew(&self) {
        let mut waiting = self.lock();
        waiting.clear();
        (waiting.renew, waiting.flow) = (true, Flow::Shut);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Nothing more will come; what waits can still be taken.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// The next packet, waited for at most so long.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let idle = |waiting: &mut Waiting| waiting.packets.is_empty() && !waiting.ended && !waiting.renew;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, idle);
        let (mut waiting, _) = waited.expect("no code that can panic runs under this lock");
        match waiting.packets.pop_front() {
            Some(packet) => {
                waiting.bytes -= packet.data.len();
                Taken::Packet(packet)
            }
            None if waiting.ended => Taken::Ended,
            None if waiting.renew => Taken::Renew,
            None => Taken::Empty,
        }
    }

    /// Waits so long, or until it has ended; whether it has.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |waiting| !waiting.ended);
        waited.expect("no code that can panic runs under this lock").0.ended
    }

    /// Packets and bytes that wait.
    pub(super) fn depth(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.packets.len(), waiting.bytes)
    }

    /// Pictures and groups that were dropped.
    pub(super) fn dropped(&self) -> (u64, u64) {
        let waiting = self.lock();
        (waiting.dropped, waiting.dropped_groups)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no code that can panic runs under this lock")
    }
}

impl Waiting {
    fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 3000;

    fn picture(number: i64, group: i64) -> Packet {
        Packet {
            track: Track::Picture,
            pts: number * FRAME,
            dts: number * FRAME,
            duration: 3000,
            keyframe: number % group == 0,
            data: vec![0; 1000].into(),
        }
    }

    fn sound(pts: i64) -> Packet {
        Packet {
            track: Track::Sound,
            pts,
            dts: pts,
            duration: 1920,
            keyframe: true,
            data: vec![0; 10].into(),
        }
    }

    fn taken(queue: &Queue) -> Vec<Packet> {
        let mut all = Vec::new();
        while let Taken::Packet(packet) = queue.take(Duration::ZERO) {
            all.push(packet);
        }
        all
    }

    fn numbers(packets: &[Packet]) -> Vec<i64> {
        let pictures = packets.iter().filter(|packet| packet.track == Track::Picture);
        pictures.map(|packet| packet.dts / FRAME).collect()
    }

    #[test]
    fn a_connection_begins_with_a_keyframe_and_with_the_sound_of_that_moment() {
        let queue = Queue::new(Bound::USUAL);
        queue.push(&picture(0, 10));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Empty), "nobody is connected");
        queue.open();
        assert!(queue.wants_keyframe());
        for packet in [picture(5, 10), sound(5 * FRAME), picture(10, 10), sound(9 * FRAME), sound(10 * FRAME)]
        {
            queue.push(&packet);
        }
        let packets = taken(&queue);
        assert_eq!(numbers(&packets), [10]);
        assert_eq!(packets.iter().filter(|packet| packet.track == Track::Sound).count(), 1);
        queue.shut();
        queue.push(&picture(20, 10));
        assert_eq!(queue.depth(), (0, 0));
    }

    #[test]
    fn what_does_not_fit_goes_by_whole_groups_and_is_counted() {
        for (name, bound) in [
            ("bytes", Bound { bytes: 25_500, ticks: i64::MAX }),
            ("time", Bound { bytes: usize::MAX, ticks: 24 * FRAME }),
        ] {
            let queue = Queue::new(bound);
            queue.open();
            for number in 0..95 {
                queue.push(&picture(number, 10));
                queue.push(&sound(number * FRAME));
                let (_, bytes) = queue.depth();
                assert!(bytes <= 26_000, "{name}: {bytes}");
            }
            let packets = taken(&queue);
            let left = numbers(&packets);
            assert_eq!(left.first().unwrap() % 10, 0, "{name}: it begins with a keyframe");
            assert!(left.windows(2).all(|two| two[1] == two[0] + 1), "{name}: {left:?}");
            assert_eq!(queue.dropped().0 + left.len() as u64, 95, "{name}");
            let first = packets.iter().find(|packet| packet.track == Track::Sound).unwrap();
            assert_eq!(first.pts, left[0] * FRAME, "{name}: the sound goes with its pictures");
        }
    }

    #[test]
    fn one_group_that_is_too_large_goes_and_the_next_keyframe_is_waited_for() {
        let queue = Queue::new(Bound { bytes: 5500, ticks: i64::MAX });
        queue.open();
        for number in 0..8 {
            queue.push(&picture(number, 100));
        }
        assert!(queue.wants_keyframe());
        assert_eq!((numbers(&taken(&queue)), queue.dropped()), (vec![], (6, 1)));
        queue.push(&picture(100, 100));
        assert_eq!(numbers(&taken(&queue)), [100]);
    }

    #[test]
    fn what_waits_when_it_ends_can_still_be_taken() {
        let queue = Queue::new(Bound::USUAL);
        queue.open();
        queue.push(&picture(0, 10));
        queue.end();
        assert!(matches!(queue.take(Duration::from_secs(9)), Taken::Packet(_)));
        assert!(matches!(queue.take(Duration::from_secs(9)), Taken::Ended));
        assert!(queue.rest(Duration::from_secs(9)));
    }
}
