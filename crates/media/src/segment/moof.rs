//! The `moof` of fragmented MP4: where its video samples are, and which of them decoding may start with.

use super::boxes::{Fields, boxes, child};
use super::moov::{Movie, Track};
use crate::time::TIMESCALE;

/// Samples of all tracks in one fragment: minutes of video.
const MAX_SAMPLES: u32 = 65_536;
/// Samples marked as keyframes that are remembered.
const MAX_CANDIDATES: usize = 1024;

/// `sample_is_non_sync_sample` (8.8.3.1).
const NOT_SYNC: u32 = 0x0001_0000;

/// A sample that may be a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Bytes from the segment's start.
    pub(super) start: u64,
    pub(super) size: u32,
    /// Ticks of 1/90000 s.
    pub(super) pts: u64,
}

/// What a fragment says.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    /// By their place.
    pub(super) candidates: Vec<Candidate>,
    /// Earliest PTS of any track, ticks of 1/90000 s.
    pub(super) first_pts: Option<u64>,
}

/// Reads the content of a `moof` that starts `at` bytes into the segment; `None` if it contradicts itself.
pub(super) fn read(moof: &[u8], at: u64, movie: &Movie) -> Option<Fragment> {
    let mut fragment = Fragment::default();
    let mut left = MAX_SAMPLES;
    let mut next_base = at;
    let mut first_video = None;
    // Offsets may count from the start of a file that this segment was cut out of. They then begin with the moof's own.
    let near = at..=at + moof.len() as u64 + 24;
    let mut bases = None;
    for (_, traf) in boxes(moof).filter(|found| found.0 == *b"traf") {
        let header = Header::read(child(traf, b"tfhd")?)?;
        let track = movie.tracks.iter().find(|track| track.id == header.track);
        let base = match header.base {
            Some(given) => {
                let (first, moved) = *bases.get_or_insert((given, !near.contains(&given)));
                if moved { at.checked_add(given.checked_sub(first)?)? } else { given }
            }
            None if header.base_is_moof => at,
            None => next_base,
        };
        let run = Run {
            flags: header.flags.or(track.map(|track| track.defaults.flags)).unwrap_or(0),
            size: header.size.or(track.map(|track| track.defaults.size)).unwrap_or(0),
            duration: header.duration.or(track.map(|track| track.defaults.duration)).unwrap_or(0),
        };
        let mut time = match child(traf, b"tfdt") {
            Some(tfdt) => {
                let mut fields = Fields(tfdt);
                let (version, _) = fields.full()?;
                Some(fields.time(version)?)
            }
            None => None,
        };
        let mut position = base;
        for (_, trun) in boxes(traf).filter(|found| found.0 == *b"trun") {
            run.samples(trun, base, &mut position, &mut time, &mut left, |sample| {
                let pts = track.zip(sample.time).map(|(track, time)| ticks(track, time, sample.offset));
                if let Some(pts) = pts {
                    fragment.first_pts = Some(fragment.first_pts.map_or(pts, |first| first.min(pts)));
                }
                if header.track != movie.video_id {
                    return;
                }
                let candidate = Candidate { start: sample.start, size: sample.size, pts: pts.unwrap_or(0) };
                first_video.get_or_insert(candidate);
                if sample.flags & NOT_SYNC == 0 && fragment.candidates.len() < MAX_CANDIDATES {
                    fragment.candidates.push(candidate);
                }
            })?;
        }
        next_base = position;
    }
    // Some muxers mark nothing; players start with the first sample all the same.
    if fragment.candidates.is_empty() {
        fragment.candidates.extend(first_video);
    }
    fragment.candidates.sort_by_key(|candidate| candidate.start);
    Some(fragment)
}

/// When a sample is shown, ticks of 1/90000 s.
fn ticks(track: &Track, time: u64, offset: i32) -> u64 {
    let shown = i128::from(time) + i128::from(offset) + i128::from(track.shift);
    let scaled = shown.max(0) * i128::from(TIMESCALE) / i128::from(track.timescale);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// `tfhd` (8.8.7).
struct Header {
    track: u32,
    base: Option<u64>,
    base_is_moof: bool,
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
}

impl Header {
    fn read(tfhd: &[u8]) -> Option<Self> {
        let mut fields = Fields(tfhd);
        let (_, has) = fields.full()?;
        let track = fields.u32()?;
        let base = if has & 1 != 0 { Some(fields.u64()?) } else { None };
        if has & 2 != 0 {
            fields.u32()?;
        }
        let mut optional = |flag: u32| if has & flag != 0 { fields.u32().map(Some) } else { Some(None) };
        let (duration, size, flags) = (optional(8)?, optional(0x10)?, optional(0x20)?);
        Some(Self { track, base, base_is_moof: has & 0x02_0000 != 0, duration, size, flags })
    }
}

/// A fragment's defaults.
struct Run {
    flags: u32,
    size: u32,
    duration: u32,
}

struct Sample {
    start: u64,
    size: u32,
    flags: u32,
    /// Decoding time and what is added to it for showing, in the track's ticks.
    time: Option<u64>,
    offset: i32,
}

impl Run {
    /// Walks a `trun` (8.8.8). `position` is where its samples start unless it says so itself, and where they end.
    fn samples(
        &self,
        trun: &[u8],
        base: u64,
        position: &mut u64,
        time: &mut Option<u64>,
        left: &mut u32,
        mut each: impl FnMut(Sample),
    ) -> Option<()> {
        let mut fields = Fields(trun);
        let (_, has) = fields.full()?;
        let count = fields.u32()?;
        *left = left.checked_sub(count)?;
        if has & 1 != 0 {
            *position = base.checked_add_signed(i64::from(fields.u32()?.cast_signed()))?;
        }
        let first_flags = if has & 4 != 0 { Some(fields.u32()?) } else { None };
        for number in 0..count {
            let mut optional =
                |flag: u32, default: u32| if has & flag != 0 { fields.u32() } else { Some(default) };
            let duration = optional(0x100, self.duration)?;
            let size = optional(0x200, self.size)?;
            let flags = optional(0x400, self.flags)?;
            let offset = optional(0x800, 0)?.cast_signed();
            let flags = first_flags.filter(|_| number == 0).unwrap_or(flags);
            each(Sample { start: *position, size, flags, time: *time, offset });
            *position = position.checked_add(u64::from(size))?;
            *time = match *time {
                Some(time) => Some(time.checked_add(u64::from(duration))?),
                None => None,
            };
        }
        Some(())
    }
}
