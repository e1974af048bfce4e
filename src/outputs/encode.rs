//! The thread that encodes the program's pictures: one a lane.
//!
//! Frame n of its clock is frame n of the output, whatever the compositor does meanwhile: a picture that does not come is
//! replaced by the last one, an encoder that fails by another. Never waits for a destination.

use std::sync::Arc;
use std::time::Duration;

use media::air::{Acceleration, Packet, Preset, VideoEncoder, VideoSettings};
use pixels::I420;
use tracing::{error, info, warn};

use super::governor::{Effort, Governor};
use super::lane::Lane;
use super::meters::Meters;
use super::pace::{Pace, Turn};
use super::slate::Slate;
use crate::base::clock::{Clock, Monotonic};
use crate::compose::Frames;

/// What the thread works with.
pub(super) struct Work {
    pub(super) lane: Arc<Lane>,
    pub(super) frames: Frames,
    /// Whether the scene has nothing to show.
    pub(super) is_empty: Box<dyn Fn() -> bool + Send>,
    pub(super) meters: Arc<Meters>,
    pub(super) clock: Clock,
    /// Shown when there is nothing else.
    pub(super) slate: Arc<Slate>,
    pub(super) fps: u32,
    pub(super) preset: Preset,
    pub(super) acceleration: Acceleration,
}

/// Seconds between keyframes.
pub(super) const KEYFRAME_EVERY_S: u32 = 2;
/// Keyframes that are asked for come at most so often.
const KEYFRAMES_APART: Duration = Duration::from_millis(500);
/// The first picture is waited for so long, then the slate begins.
const FIRST: Duration = Duration::from_millis(500);
/// A wait is broken off at least so often to see whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// Before an encoder that failed is opened again.
const AGAIN: Duration = Duration::from_millis(200);

impl Work {
    /// Encodes until the lane is over.
    pub(super) fn run(self) {
        let _over = Over(Arc::clone(&self.lane));
        // The clock begins with a frame, so that each is sent with the time it was made for, and the sound with it.
        let first = self.frames.after(self.frames.newest().number, FIRST);
        let now = self.clock.now();
        self.lane.begin(now, self.clock.wall());
        let mut run = Run {
            pace: Pace::new(now, self.fps),
            governor: Governor::new(self.preset, self.fps, now),
            encoder: None,
            retry: now,
            last_key: None,
            work: self,
        };
        run.encode_all(first.picture);
    }
}

/// A lane whose thread has ended, also by a panic, is over: another takes its place.
struct Over(Arc<Lane>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What changes from frame to frame.
struct Run {
    work: Work,
    pace: Pace,
    governor: Governor,
    encoder: Option<VideoEncoder>,
    /// When an encoder may be opened again.
    retry: Monotonic,
    last_key: Option<Monotonic>,
}

impl Run {
    fn encode_all(&mut self, first: Option<Arc<I420>>) {
        let (mut seen, mut picture) = (0, first);
        while !self.work.lane.is_over() {
            let newest = self.work.frames.newest();
            let fresh = newest.number != seen && newest.picture.is_some();
            match self.pace.turn(self.work.clock.now(), fresh) {
                // A picture that is there already can't wake us.
                Turn::Wait(wait) if fresh => std::thread::sleep(wait.min(LOOK)),
                Turn::Wait(wait) => drop(self.work.frames.after(newest.number.max(seen), wait.min(LOOK))),
                Turn::Encode { number, repeat, left_out } => {
                    self.work.meters.left_out.add(left_out);
                    if repeat {
                        self.work.meters.repeats.add(1);
                    } else {
                        seen = newest.number;
                        picture = newest.picture;
                    }
                    self.encode(number, picture.as_ref(), left_out);
                }
            }
        }
        if let Some(encoder) = self.encoder.take() {
            match encoder.finish() {
                Ok(packets) => self.work.lane.give(&packets, self.work.clock.now()),
                Err(e) => warn!(error = %e, "the encoder did not end well"),
            }
        }
    }

    /// One frame, by an encoder that is opened if there is none.
    fn encode(&mut self, number: u64, picture: Option<&Arc<I420>>, left_out: u64) {
        let effort = self.governor.effort();
        if effort.half && number % 2 == 1 {
            self.work.meters.halved.add(1);
            return;
        }
        let begun = self.work.clock.now();
        let empty = (self.work.is_empty)();
        let slate = Arc::clone(self.work.slate.picture());
        let picture = picture.filter(|_| !empty).unwrap_or(&slate);
        let apart = self.last_key.is_none_or(|last| begun.since(last) >= KEYFRAMES_APART);
        let key = self.work.lane.wants_keyframe() && apart;
        if key {
            self.work.lane.gave_keyframe();
        }
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        // An encoder that fails is replaced at once. A picture that the next one does not take either is not shown.
        for picture in [picture, picture, &slate] {
            if self.encoder.is_none() && begun >= self.retry {
                self.encoder = self.open(effort.preset, begun);
            }
            let Some(encoder) = &mut self.encoder else { break };
            match encoder.encode(picture, number, key) {
                Ok(packets) => return self.encoded(&packets, begun, left_out),
                Err(e) => {
                    error!(error = %e, frame = number, "encoding failed; another encoder goes on");
                    self.work.meters.failures.add(1);
                    self.encoder = None;
                }
            }
        }
        self.work.meters.left_out.add(1);
        self.retry = self.retry.max(begun + AGAIN);
    }

    fn encoded(&mut self, packets: &[Packet], begun: Monotonic, left_out: u64) {
        let now = self.work.clock.now();
        let took = now.since(begun);
        if packets.iter().any(|packet| packet.keyframe) {
            self.last_key = Some(now);
        }
        self.work.meters.encoded(packets, took);
        self.work.lane.give(packets, now);
        if let Some(effort) = self.governor.frame(took, left_out, now) {
            self.change(effort);
        }
    }

    fn change(&mut self, effort: Effort) {
        let Some(encoder) = &mut self.encoder else { return };
        self.work.meters.steps.add(1);
        info!(preset = %effort.preset, half = effort.half, "the encoder's effort changes");
        if let Err(e) = encoder.set_preset(effort.preset) {
            warn!(error = %e, "the encoder keeps its preset");
        }
        self.work.lane.works(effort);
    }

    fn open(&mut self, preset: Preset, now: Monotonic) -> Option<VideoEncoder> {
        let recipe = &self.work.lane.recipe;
        let (width, height) = self.work.slate.size();
        let settings = VideoSettings {
            codec: recipe.video,
            width,
            height,
            fps: self.work.fps,
            kbps: recipe.kbps,
            preset,
            keyframe_every_s: KEYFRAME_EVERY_S,
            acceleration: self.work.acceleration,
        };
        match VideoEncoder::open(&settings) {
            Ok(encoder) => {
                let warning = encoder.warning();
                if let Some(warning) = warning {
                    warn!("{warning}");
                }
                self.work.lane.warns(warning);
                self.work.lane.pictures_are(encoder.track());
                self.work.lane.works(self.governor.effort());
                Some(encoder)
            }
            Err(e) => {
                error!(error = %e, "no encoder can be opened");
                self.work.meters.failures.add(1);
                self.work.lane.warns(Some(&e.to_string()));
                self.retry = now + AGAIN * 5;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use media::air::{Track, VideoCodec};
    use pixels::{Matrix, Range};

    use super::super::definition::Recipe;
    use super::super::queue::{Bound, Queue, Taken};
    use super::*;

    #[test]
    fn an_encoder_that_fails_is_replaced_and_not_one_frame_is_missing() {
        let recipe = Recipe { video: VideoCodec::H264, kbps: 300, sound: None };
        let (lane, queue) = (Arc::new(Lane::new(recipe)), Arc::new(Queue::new(Bound::USUAL)));
        lane.attach(&queue);
        queue.open();
        let (frames, meters) = (Frames::default(), Arc::<Meters>::default());
        let picture = |width, height| Arc::new(I420::new(width, height, Range::Limited, Matrix::Bt709));
        frames.give(&picture(64, 64));
        let work = Work {
            lane: Arc::clone(&lane),
            frames: frames.clone(),
            is_empty: Box::new(|| false),
            meters: Arc::clone(&meters),
            clock: Clock::real(),
            slate: Arc::new(Slate::new(64, 64)),
            fps: 60,
            preset: Preset::Ultrafast,
            acceleration: Acceleration::None,
        };
        let mut pictures = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| work.run());
            while pictures.len() < 90 {
                match queue.take(LOOK) {
                    Taken::Packet(packet) if packet.track == Track::Picture => pictures.push(packet),
                    Taken::Packet(_) | Taken::Empty => {}
                    Taken::Renew | Taken::Ended => panic!("who receives it must not notice"),
                }
                // No encoder of this size takes such a picture: each that is given one fails.
                let odd = [20, 60].contains(&pictures.len());
                frames.give(&if odd { picture(32, 32) } else { picture(64, 64) });
            }
            lane.end();
        });
        assert!(meters.failures.get() >= 2, "{}", meters.failures.get());
        assert_eq!(meters.left_out.get(), 0);
        assert!(pictures.windows(2).all(|two| two[1].pts - two[0].pts == 1500), "each frame at its time");
        let anew = pictures.iter().skip(1).filter(|picture| picture.keyframe).count();
        assert!(anew >= 2, "a new encoder begins with a keyframe: {anew}");
    }
}
