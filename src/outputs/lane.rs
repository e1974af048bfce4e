//! One encode of the program, shared by all destinations that take the same.
//!
//! Owns the list of queues that its packets go to, what the tracks are, and how the encoding goes. Filled by the threads of
//! `encode` and `sound`; `desk` makes it, gives it queues and ends it. Nothing in here waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use media::air::{Packet, PictureTrack, SoundTrack, Track, Tracks};

use super::definition::Recipe;
use super::governor::Effort;
use super::queue::Queue;
use crate::base::clock::{Monotonic, Wall};

/// One encode.
pub(super) struct Lane {
    pub(super) recipe: Recipe,
    queues: ArcSwap<Vec<Arc<Queue>>>,
    tracks: Mutex<Pair>,
    begun: OnceLock<(Monotonic, Wall)>,
    /// Somebody waits for a keyframe.
    wanted: AtomicBool,
    over: AtomicBool,
    flow: Mutex<Flow>,
}

#[derive(Default)]
struct Pair {
    picture: Option<PictureTrack>,
    sound: Option<SoundTrack>,
}

/// What came out lately.
#[derive(Default)]
struct Flow {
    /// When, and how many bytes.
    pictures: VecDeque<(Monotonic, usize)>,
    effort: Option<Effort>,
    warning: Option<String>,
}

/// How an encode goes.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    pub recipe: Recipe,
    /// Frames a second that came out lately.
    pub fps: f64,
    /// Of the picture, lately.
    pub kbps: f64,
    pub effort: Option<Effort>,
    pub warning: Option<String>,
    pub destinations: usize,
}

/// What is counted as lately.
const LATELY: Duration = Duration::from_secs(4);

impl Lane {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            queues: ArcSwap::default(),
            tracks: Mutex::default(),
            begun: OnceLock::new(),
            wanted: AtomicBool::new(false),
            over: AtomicBool::new(false),
            flow: Mutex::default(),
        }
    }

    pub(super) fn attach(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.load_full().as_ref().clone();
        queues.push(Arc::clone(queue));
        self.queues.store(Arc::new(queues));
    }

    pub(super) fn detach(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.load_full().as_ref().clone();
        queues.retain(|other| !Arc::ptr_eq(other, queue));
        self.queues.store(Arc::new(queues));
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.queues.load().is_empty()
    }

    /// Gives packets to all that take them.
    pub(super) fn give(&self, packets: &[Packet], now: Monotonic) {
        let queues = self.queues.load();
        for packet in packets {
            queues.iter().for_each(|queue| queue.push(packet));
        }
        let mut flow = self.flow();
        for packet in packets.iter().filter(|packet| packet.track == Track::Picture) {
            flow.pictures.push_back((now, packet.data.len()));
        }
        flow.forget(now);
    }

    /// The encoder as it was opened; connections that were told otherwise begin anew.
    pub(super) fn pictures_are(&self, track: PictureTrack) {
        let before = self.pair().picture.replace(track.clone());
        if before.is_some_and(|before| before != track) {
            self.queues.load().iter().for_each(|queue| queue.renew());
        }
    }

    pub(super) fn sound_is(&self, track: SoundTrack) {
        self.pair().sound = Some(track);
    }

    /// What is sent, once that is known.
    pub(super) fn tracks(&self) -> Option<Tracks> {
        let pair = self.pair();
        let picture = pair.picture.clone()?;
        if self.recipe.sound.is_some() && pair.sound.is_none() {
            return None;
        }
        Some(Tracks { picture, sound: pair.sound.clone() })
    }

    /// The output's clock begins.
    pub(super) fn begin(&self, now: Monotonic, wall: Wall) {
        // Once only: a second encoder goes on with the first one's clock.
        let _ = self.begun.set((now, wall));
    }

    /// When its clock began.
    pub(super) fn begun(&self) -> Option<(Monotonic, Wall)> {
        self.begun.get().copied()
    }

    pub(super) fn want_keyframe(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    pub(super) fn wants_keyframe(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn gave_keyframe(&self) {
        self.wanted.store(false, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn works(&self, effort: Effort) {
        self.flow().effort = Some(effort);
    }

    pub(super) fn warns(&self, warning: Option<&str>) {
        self.flow().warning = warning.map(str::to_owned);
    }

    #[expect(clippy::cast_precision_loss, reason = "figures of a few seconds")]
    pub(super) fn view(&self, now: Monotonic) -> LaneView {
        let mut flow = self.flow();
        flow.forget(now);
        let begun = self.begun().map_or(now, |(begun, _)| begun);
        let seconds = now.since(begun).min(LATELY).as_secs_f64().max(0.001);
        let bytes: usize = flow.pictures.iter().map(|(_, bytes)| bytes).sum();
        LaneView {
            recipe: self.recipe,
            fps: flow.pictures.len() as f64 / seconds,
            kbps: bytes as f64 * 8.0 / 1000.0 / seconds,
            effort: flow.effort,
            warning: flow.warning.clone(),
            destinations: self.queues.load().len(),
        }
    }

    fn pair(&self) -> MutexGuard<'_, Pair> {
        self.tracks.lock().expect("no code that can panic runs under this lock")
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().expect("no code that can panic runs under this lock")
    }
}

impl Flow {
    fn forget(&mut self, now: Monotonic) {
        while self.pictures.front().is_some_and(|(at, _)| now.since(*at) > LATELY) {
            self.pictures.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use media::air::{SoundCodec, VideoCodec};

    use super::super::queue::{Bound, Taken};
    use super::*;

    fn picture(config: &'static [u8]) -> PictureTrack {
        let (width, height, fps, kbps) = (64, 64, 30, 100);
        PictureTrack { codec: VideoCodec::H264, width, height, fps, kbps, config: config.into() }
    }

    #[test]
    fn what_is_sent_is_known_once_both_tracks_are_and_connections_begin_anew_when_it_changes() {
        let recipe = Recipe { video: VideoCodec::H264, kbps: 100, sound: Some((SoundCodec::Aac, 128)) };
        let (lane, queue) = (Lane::new(recipe), Arc::new(Queue::new(Bound::USUAL)));
        lane.attach(&queue);
        queue.open();
        lane.pictures_are(picture(b"one"));
        assert_eq!(lane.tracks(), None, "the sound is not known yet");
        lane.sound_is(SoundTrack { codec: SoundCodec::Aac, kbps: 128, config: b"asc".as_slice().into() });
        assert!(lane.tracks().is_some_and(|tracks| tracks.picture.config == b"one".as_slice()));
        // Another encoder that is the same to who receives it disturbs nobody.
        lane.pictures_are(picture(b"one"));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Empty));
        lane.pictures_are(picture(b"two"));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Renew));
        lane.detach(&queue);
        assert!(!lane.is_wanted());
    }
}
