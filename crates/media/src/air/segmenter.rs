//! Packets into segments of fragmented MP4, for HLS and for players in a browser.
//!
//! Called by the outputs. Sans-IO: no clock, no file, no socket.

use bytes::Bytes;

use super::{Packet, TICKS, Track, Tracks, fmp4};

/// Packets that may wait for a segment's end: a minute and more of 60 fps and of sound.
const MOST: usize = 8192;

/// One segment: plays after [`Segmenter::init`] without those before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Of its first picture, in ticks of the output's clock.
    pub start_pts: i64,
    /// Ticks to the next segment's first picture.
    pub duration: u64,
    /// Whether it begins with a keyframe: all do, but for parts of a segment.
    pub keyframe: bool,
    pub data: Bytes,
}

/// Cuts at keyframes. Times in the segments count from the first keyframe; sound from before it is left out.
pub struct Segmenter {
    init: Bytes,
    /// Ticks a segment lasts at least.
    at_least: i64,
    /// Whether a segment may end before any picture.
    anywhere: bool,
    base: Option<i64>,
    sequence: u64,
    /// Of the last packet of each track.
    last: [Option<i64>; 2],
    pictures: Vec<Packet>,
    sounds: Vec<Packet>,
}

impl Segmenter {
    /// Segments that last at least `at_least_ms`, and to the keyframe after that.
    ///
    /// # Errors
    /// When MP4 is not written with these tracks.
    pub fn new(tracks: &Tracks, at_least_ms: u32) -> Result<Self, &'static str> {
        let head = fmp4::head(tracks)?;
        Ok(Self {
            init: head.bytes.into(),
            at_least: i64::from(at_least_ms) * i64::from(TICKS) / 1000,
            anywhere: false,
            base: None,
            sequence: 0,
            last: [None; 2],
            pictures: Vec::new(),
            sounds: Vec::new(),
        })
    }

    /// Parts of segments, that end before any picture, and before each keyframe: for who wants to see at once. A part without a
    /// keyframe plays after those before it only.
    ///
    /// # Errors
    /// When MP4 is not written with these tracks.
    pub fn parts(tracks: &Tracks, at_least_ms: u32) -> Result<Self, &'static str> {
        Ok(Self { anywhere: true, ..Self::new(tracks, at_least_ms)? })
    }

    /// What a player must have before any segment.
    #[must_use]
    pub fn init(&self) -> Bytes {
        self.init.clone()
    }

    /// Takes the next packet; gives the segment that it ends. What is not later than the last packet of its track is left out.
    pub fn push(&mut self, packet: &Packet) -> Option<Segment> {
        let last = &mut self.last[usize::from(packet.track == Track::Sound)];
        if last.is_some_and(|last| packet.pts <= last) {
            return None;
        }
        *last = Some(packet.pts);
        match packet.track {
            Track::Sound => {
                let after = self.base.is_some_and(|base| packet.pts >= base);
                if after && self.sounds.len() < MOST {
                    self.sounds.push(packet.clone());
                }
                None
            }
            Track::Picture => {
                if self.base.is_none() {
                    if !packet.keyframe {
                        return None;
                    }
                    self.base = Some(packet.pts);
                }
                let lasted =
                    self.pictures.first().is_some_and(|first| packet.pts - first.pts >= self.at_least);
                let ends = if self.anywhere { lasted || packet.keyframe } else { lasted && packet.keyframe };
                let ends = ends || self.pictures.len() >= MOST;
                let segment = if ends { self.cut(packet.pts) } else { None };
                self.pictures.push(packet.clone());
                segment
            }
        }
    }

    /// The last segment.
    #[must_use]
    pub fn finish(mut self) -> Option<Segment> {
        let last = self.pictures.last()?;
        self.cut(last.pts + i64::from(last.duration))
    }

    /// A segment of what is there before `end`.
    fn cut(&mut self, end: i64) -> Option<Segment> {
        let first = self.pictures.first()?;
        let (start_pts, keyframe, base) = (first.pts, first.keyframe, self.base?);
        // Sound goes with the pictures it is heard with; what came late goes with those it came with.
        let heard = self.sounds.partition_point(|sound| sound.pts < end);
        let later = self.sounds.split_off(heard);
        let sounds = std::mem::replace(&mut self.sounds, later);
        let pictures = std::mem::take(&mut self.pictures);
        self.sequence += 1;
        let number = u32::try_from(self.sequence & u64::from(u32::MAX)).unwrap_or(0);
        let data = fmp4::fragment(number, base, &pictures, &sounds).into();
        let duration = u64::try_from(end - start_pts).unwrap_or(0);
        Some(Segment { sequence: self.sequence, start_pts, duration, keyframe, data })
    }
}
