//! A film: one clip in one rendition, coded and cut into segments that can be served for ever.
//!
//! Made once, on a blocking thread (seconds of work), by the library. A film is a loop: what follows its last
//! segment is its first, and serving it moves the times in the bytes so that they go on. Keyframes stand at
//! every segment's start and nowhere else, and no picture refers across it.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use media::encode::steady::{self, Picture, Steady};
use media::fmp4;
use media::mux::ts::{self, Track, Unit};
use media::sound::{self, Aac};
use pixels::Matrix;

use crate::clip::{Clip, Pictures};
use crate::ladder::{Rendition, Video};

/// Length of a segment.
pub(crate) const SEGMENT_SECONDS: u32 = 2;

/// Ticks of 1/90 000 s in a segment.
pub(crate) const SEGMENT_TICKS: u64 = 90_000 * SEGMENT_SECONDS as u64;

/// Loops are multiples of this: only after 8 s do frames of AAC (1024 samples at 48 kHz) end where a segment
/// does.
pub(crate) const LOOP_STEP: u32 = 8;

const SEGMENTS_OF_STEP: u32 = LOOP_STEP / SEGMENT_SECONDS;

/// Pieces of a segment that low-latency playlists list while it is being made.
pub(crate) const PARTS: usize = 4;

/// Goes up whenever the same recipe would give other bytes.
const VERSION: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the video can't be read: {0}")]
    Input(#[from] media::input::Error),
    #[error("the picture can't be decoded: {0}")]
    Picture(String),
    #[error("there are no pictures in {0}")]
    NoPictures(String),
    #[error("the pictures can't be encoded: {0}")]
    Encode(#[from] media::encode::Error),
    #[error("the sound can't be encoded: {0}")]
    Sound(#[from] sound::Error),
    #[error("the encoder did not do as it was told: {0}")]
    Shape(&'static str),
    #[error("films can't be kept in {0}: {1}")]
    Cache(String, std::io::Error),
    #[error("the work was given up")]
    Lost,
}

/// Everything a film depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recipe {
    pub(crate) clip: Clip,
    pub(crate) rendition: Rendition,
    pub(crate) container: Container,
    /// Times [`LOOP_STEP`].
    pub(crate) steps: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Container {
    /// Transport stream, video and sound.
    Ts,
    /// Fragmented MP4, video only, no reordered pictures.
    Mp4,
}

/// What encoders made of a recipe, in the order of decoding.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Coded {
    pub(crate) pictures: Vec<Picture>,
    pub(crate) sound: Vec<sound::Frame>,
}

/// A loop of segments in memory.
#[derive(Debug)]
pub(crate) struct Film {
    pub(crate) segments: Vec<Segment>,
    /// What one turn of the loop adds to the continuity counters.
    turn: ts::Counters,
    /// `ftyp moov` of an MP4 film.
    pub(crate) head: Bytes,
}

#[derive(Debug)]
pub(crate) struct Segment {
    content: Content,
    /// Where each part begins; a keyframe stands in the first.
    parts: [usize; PARTS],
}

#[derive(Debug)]
enum Content {
    Ts(ts::Segment),
    Mp4 { data: Bytes, fragments: Vec<Fragment>, first_picture_end: usize },
}

/// Where the number and the time of a fragment stand.
#[derive(Debug)]
struct Fragment {
    sequence_at: usize,
    time_at: usize,
}

impl Recipe {
    /// A text that is the same for the same bytes.
    pub(crate) fn fingerprint(&self) -> String {
        let file = match &self.clip {
            Clip::File(path) => std::fs::metadata(path).map(|file| (file.len(), file.modified().ok())).ok(),
            Clip::Drawn { .. } | Clip::Hud { .. } => None,
        };
        format!("{VERSION} {} {file:?} {self:?}", media::version())
    }

    /// Draws or reads the pictures and encodes everything: seconds of work.
    pub(crate) fn code(&self) -> Result<Coded, Error> {
        let pictures = match (self.container, self.rendition.video) {
            (Container::Mp4, Some(video)) => self.pictures(Video { b_frames: 0, ..video })?,
            (Container::Mp4, None) => return Err(Error::Shape("sound alone is not made as MP4")),
            (Container::Ts, Some(video)) => self.pictures(video)?,
            (Container::Ts, None) => Vec::new(),
        };
        let sound = if self.container == Container::Ts { self.sound()? } else { Vec::new() };
        Ok(Coded { pictures, sound })
    }

    /// Puts what was coded into segments.
    pub(crate) fn cut(&self, coded: &Coded) -> Result<Film, Error> {
        let segments = (self.steps.max(1) * SEGMENTS_OF_STEP) as usize;
        match (self.container, self.rendition.video) {
            (Container::Mp4, Some(video)) => mp4(&coded.pictures, video),
            (Container::Mp4, None) => Err(Error::Shape("sound alone is not made as MP4")),
            (Container::Ts, video) => Ok(ts(coded, video.map_or(1, |video| video.fps), segments)),
        }
    }

    fn seconds(&self) -> u32 {
        self.steps.max(1) * LOOP_STEP
    }

    fn pictures(&self, video: Video) -> Result<Vec<Picture>, Error> {
        let length = Duration::from_secs(u64::from(self.seconds()));
        let mut pictures = Pictures::open(&self.clip, (video.width, video.height), video.fps, length)?;
        let group = video.fps * SEGMENT_SECONDS;
        let mut encoder = Steady::new(&steady::Settings {
            width: video.width,
            height: video.height,
            fps: video.fps,
            kbps: video.kbps,
            preset: if video.height > 480 { "superfast" } else { "veryfast" },
            group,
            b_frames: video.b_frames,
            matrix: pictures.matrix()?,
        })?;
        let mut coded = Vec::new();
        for frame in 0..self.seconds() * video.fps {
            coded.extend(encoder.encode(pictures.draw(frame)?)?);
        }
        coded.extend(encoder.finish()?);
        let keyframes_lead = coded
            .chunks(group as usize)
            .all(|group| group[0].keyframe && group[1..].iter().all(|p| !p.keyframe));
        if coded.len() != (self.seconds() * video.fps) as usize || !keyframes_lead {
            return Err(Error::Shape("keyframes are not where segments start"));
        }
        Ok(coded)
    }

    /// A tone, louder for the first tenth of each second, so that sound and picture can be held against each
    /// other.
    fn sound(&self) -> Result<Vec<sound::Frame>, Error> {
        const LEAD: i64 = 2 * sound::FRAME as i64;
        let length = i64::from(self.seconds()) * i64::from(sound::RATE);
        let mut encoder = Aac::new(self.rendition.sound_kbps, -LEAD)?;
        let pitch = self.clip.pitch();
        let mut frames = Vec::new();
        let mut start = -LEAD;
        // The encoder's first frames carry its own start; they lie before the loop's.
        while start < length + LEAD {
            let samples = std::array::from_fn(|at| tone(pitch, start + i64::try_from(at).unwrap_or(0)));
            frames.extend(encoder.encode(&samples)?);
            start += sound::FRAME as i64;
        }
        frames.extend(encoder.finish()?);
        frames.retain(|frame| (0..length).contains(&frame.start));
        if frames.len() as i64 * sound::FRAME as i64 != length {
            return Err(Error::Shape("frames of sound are missing"));
        }
        Ok(frames)
    }
}

fn tone(pitch: f32, sample: i64) -> f32 {
    // Eight seconds are a whole number of periods.
    let within = u32::try_from(sample.rem_euclid(i64::from(sound::RATE * LOOP_STEP))).expect("below 2^32");
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    let turns = (f64::from(within) * f64::from(pitch) / f64::from(sound::RATE)).fract() as f32;
    let loud = within % sound::RATE < sound::RATE / 10;
    (turns * std::f32::consts::TAU).sin() * if loud { 0.5 } else { 0.05 }
}

fn ts(coded: &Coded, fps: u32, segments: usize) -> Film {
    /// Frames of sound that travel together.
    const TOGETHER: usize = 6;
    let mut writer = ts::Writer::default();
    let mut cut = Vec::with_capacity(segments);
    let group = (fps * SEGMENT_SECONDS) as usize;
    let ticks = |frames: i64| frames * i64::from(90_000 / fps);
    for number in 0..segments {
        let (from, to) = (number as i64 * SEGMENT_TICKS as i64, (number as i64 + 1) * SEGMENT_TICKS as i64);
        let heard = |frame: &sound::Frame| (from..to).contains(&(frame.start * 15 / 8));
        let packs: Vec<_> = coded
            .sound
            .iter()
            .filter(|frame| heard(frame))
            .collect::<Vec<_>>()
            .chunks(TOGETHER)
            .map(|frames| {
                (frames[0].start * 15 / 8, frames.iter().flat_map(|f| f.data.to_vec()).collect::<Vec<_>>())
            })
            .collect();
        let seen = coded.pictures.chunks(group.max(1)).nth(number).unwrap_or_default();
        let video = seen.iter().map(|picture| {
            let (pts, dts) = (ticks(picture.pts), ticks(picture.dts));
            (
                dts,
                Unit {
                    track: Track::Video,
                    pts: wrapped(pts),
                    dts: wrapped(dts),
                    keyframe: picture.keyframe,
                    data: &picture.data,
                },
            )
        });
        let audio = packs.iter().map(|(pts, data)| {
            (*pts, Unit { track: Track::Audio, pts: wrapped(*pts), dts: wrapped(*pts), keyframe: true, data })
        });
        let mut units: Vec<_> = video.chain(audio).collect();
        units.sort_by_key(|(dts, _)| *dts);
        let part = |part: usize| {
            let begins = from + part as i64 * SEGMENT_TICKS as i64 / PARTS as i64;
            units.partition_point(|(dts, _)| part > 0 && *dts < begins)
        };
        let parts: [usize; PARTS] = std::array::from_fn(part);
        let units: Vec<_> = units.into_iter().map(|(_, unit)| unit).collect();
        let segment = writer.segment(&units);
        // The tables belong to the first.
        let begins = |unit: usize| segment.units.get(unit).map_or(segment.data.len(), |at| *at);
        let parts = parts.map(|unit| if unit == 0 { 0 } else { begins(unit) });
        cut.push(Segment { content: Content::Ts(segment), parts });
    }
    Film { segments: cut, turn: writer.counters(), head: Bytes::new() }
}

fn wrapped(ticks: i64) -> u64 {
    ticks.rem_euclid(ts::WRAP as i64).unsigned_abs()
}

fn mp4(pictures: &[Picture], video: Video) -> Result<Film, Error> {
    let short = |pixels: u32| u16::try_from(pixels).map_err(|_| Error::Shape("too large"));
    let codec = pictures.first().and_then(Picture::codec).ok_or(Error::Shape("no parameter sets"))?;
    let (width, height) = (short(video.width)?, short(video.height)?);
    let matrix = Matrix::Bt709;
    let track = fmp4::Track { codec, width, height, rotation: 0, full_range: false, matrix, created: 0 };
    let (mut writer, head) = fmp4::Writer::new(&track);
    let mut segments = Vec::new();
    for group in pictures.chunks((video.fps * SEGMENT_SECONDS) as usize) {
        let start = SEGMENT_TICKS * segments.len() as u64;
        let (mut data, mut fragments, mut parts) = (Vec::new(), Vec::new(), [0; PARTS]);
        let mut first_picture_end = 0;
        for (part, begins) in parts.iter_mut().enumerate() {
            *begins = data.len();
            let (from, to) = (group.len() * part / PARTS, group.len() * (part + 1) / PARTS);
            for picture in &group[from..to] {
                let pts = picture.pts.unsigned_abs() * u64::from(90_000 / video.fps);
                writer.push(fmp4::Sample { data: picture.sample(), pts, keyframe: picture.keyframe });
            }
            let end = start + SEGMENT_TICKS * to as u64 / group.len() as u64;
            // At rates of a picture or two a second some parts have none.
            let Some(bytes) = writer.flush(Some(end)) else { continue };
            let after = |name: &[u8]| {
                let found = memchr::memmem::find(&bytes, name).ok_or(Error::Shape("boxes"))?;
                Ok::<_, Error>(data.len() + found + 8)
            };
            // After the name come version and flags, then the number.
            fragments.push(Fragment { sequence_at: after(b"mfhd")?, time_at: after(b"tfdt")? });
            if part == 0 {
                first_picture_end = after(b"mdat")? - 4 + group[0].sample().len();
            }
            data.extend(bytes);
        }
        let content = Content::Mp4 { data: data.into(), fragments, first_picture_end };
        segments.push(Segment { content, parts });
    }
    Ok(Film { segments, turn: ts::Counters::default(), head: head.into() })
}

impl Segment {
    pub(crate) fn len(&self) -> usize {
        match &self.content {
            Content::Ts(segment) => segment.data.len(),
            Content::Mp4 { data, .. } => data.len(),
        }
    }

    /// The bytes of one part; `None` when there are not so many.
    pub(crate) fn part(&self, number: usize) -> Option<Range<usize>> {
        let end = self.parts.get(number + 1).copied().unwrap_or(self.len());
        self.parts.get(number).map(|start| *start..end)
    }

    /// Where the first access unit of video is whole; 0 without one.
    pub(crate) fn first_picture_end(&self) -> usize {
        match &self.content {
            Content::Ts(segment) => segment.first_picture_end,
            Content::Mp4 { first_picture_end, .. } => *first_picture_end,
        }
    }
}

impl Film {
    /// The segment that stands at `sequence` of an endless stream.
    pub(crate) fn segment(&self, sequence: u64) -> &Segment {
        let at = sequence % self.segments.len() as u64;
        &self.segments[usize::try_from(at).expect("an index")]
    }

    /// Bytes of segment `sequence`, its times `origin` ticks after what they are when segment 0 starts at 0.
    pub(crate) fn bytes(&self, sequence: u64, origin: u64, range: Range<usize>) -> Bytes {
        let turns = sequence / self.segments.len() as u64;
        let delta = (turns * self.segments.len() as u64).wrapping_mul(SEGMENT_TICKS);
        match &self.segment(sequence).content {
            Content::Ts(segment) => {
                let delta = (delta % ts::WRAP + origin % ts::WRAP) % ts::WRAP;
                segment.part(range, delta, self.turn.times(turns)).into()
            }
            Content::Mp4 { data, fragments, .. } => {
                let mut whole = data.to_vec();
                let first = sequence.wrapping_mul(fragments.len() as u64);
                for (number, Fragment { sequence_at, time_at }) in (first..).zip(fragments) {
                    let number = u32::try_from(number & 0xffff_ffff).expect("32 bits");
                    whole[*sequence_at..sequence_at + 4].copy_from_slice(&number.to_be_bytes());
                    let place = *time_at..time_at + 8;
                    let time = u64::from_be_bytes(whole[place.clone()].try_into().expect("eight bytes"));
                    let moved = time.wrapping_add(delta).wrapping_add(origin);
                    whole[place].copy_from_slice(&moved.to_be_bytes());
                }
                let end = range.end.min(whole.len());
                Bytes::from(whole).slice(range.start.min(end)..end)
            }
        }
    }
}
