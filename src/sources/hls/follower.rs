//! Follows one media playlist: knows every segment from one reading to the next, and tells when something is wrong.
//!
//! Called by the HLS source with each playlist read. Pure: no fetch, no clock; every method takes the time.

use std::sync::Arc;
use std::time::Duration;

use media::m3u8;
use url::Url;

use super::parts;
use super::segments::{Map, Ring, SegmentInfo, SegmentKind, media_time, micros};
use crate::base::clock::{MediaTime, Monotonic, Wall};

/// A time that a playlist gives is written in milliseconds.
const GIVEN_ERROR: Duration = Duration::from_millis(1);
/// Counted on from a given time by durations that are rounded.
const COUNTED_ERROR: Duration = Duration::from_millis(50);
/// A given time further than this from the end of the segment before is a jump.
const JUMP: i64 = 100_000;
/// The least doubt about a suspect time.
const SUSPECT_ERROR: Duration = Duration::from_millis(500);
/// PTS and playlist may tell different times up to here; beyond, the PTS is wrong.
const DRIFT: i64 = 10_000_000;
/// Old answers taken from a server behind its fellows before they are an error.
const STALE_MOST: u32 = 2;
/// A playlist must move within this many target durations, and this.
const FROZEN_TARGETS: u32 = 3;
const FROZEN_AT_LEAST: Duration = Duration::from_secs(6);

/// What is wrong with a playlist that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the playlist lists no segments")]
    Empty,
    #[error("the playlist names addresses that are not fetched ({0})")]
    Scheme(String),
    #[error("the playlist has not moved for {} s", .0.as_secs())]
    Frozen(Duration),
    #[error("the playlist goes backwards: segment {newest} after {known}")]
    Backwards { newest: u64, known: u64 },
    #[error("the broadcast has ended")]
    Ended,
}

/// Follows one playlist.
#[derive(Debug, Default)]
pub(super) struct Follower {
    ring: Ring,
    /// The newest part with a keyframe, where parts are listed.
    part: Option<SegmentInfo>,
    /// Of the newest whole segment.
    newest: Option<u64>,
    moved: Monotonic,
    stale: Option<Stale>,
    ended: bool,
    /// Without given times: a PTS and the time it stands for.
    anchor: Option<(u64, i64)>,
    /// The last reading gave times.
    dated: bool,
    restarts: u32,
}

#[derive(Clone, Copy, Debug)]
struct Stale {
    times: u32,
    newest: u64,
}

impl Follower {
    pub(super) fn segments(&self) -> &Ring {
        &self.ring
    }

    /// The newest part that begins with a keyframe; it may belong to the last whole segment.
    pub(super) fn part(&self) -> Option<&SegmentInfo> {
        self.part.as_ref()
    }

    /// How often the server began its numbering anew.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// When the newest whole segment was first listed.
    pub(super) fn moved(&self) -> Monotonic {
        self.moved
    }

    pub(super) fn knows_nothing(&self) -> bool {
        self.newest.is_none()
    }

    /// Takes one reading of the playlist at `base`. After an error the segments known stay.
    pub(super) fn take(
        &mut self,
        media: &m3u8::Media,
        base: &Url,
        now: Monotonic,
        wall: Wall,
    ) -> Result<(), Trouble> {
        let Some(newest) = media.segments.last().map(|segment| segment.sequence) else {
            return Err(if media.ended { Trouble::Ended } else { Trouble::Empty });
        };
        if let Some(known) = self.newest {
            let restarted = self.ended && !media.ended;
            match newest.cmp(&known) {
                std::cmp::Ordering::Less if !restarted => {
                    self.behind(newest, known)?;
                    if self.stale.is_some() {
                        return Ok(());
                    }
                }
                std::cmp::Ordering::Equal if media.ended => return Err(Trouble::Ended),
                std::cmp::Ordering::Equal if !restarted => {
                    let still = now.since(self.moved);
                    let most = media.target_duration.saturating_mul(FROZEN_TARGETS).max(FROZEN_AT_LEAST);
                    self.stale = None;
                    self.hint(media, base);
                    return if still > most { Err(Trouble::Frozen(still)) } else { Ok(()) };
                }
                _ if restarted => self.restart(),
                _ => {}
            }
        }
        (self.stale, self.ended) = (None, media.ended);
        self.extend(media, base, wall)?;
        self.moved = now;
        self.hint(media, base);
        Ok(())
    }

    /// A reading whose newest segment is older than one known: from a server behind its fellows, or from one that began
    /// anew, which shows by going on from there.
    fn behind(&mut self, newest: u64, known: u64) -> Result<(), Trouble> {
        let before = self.stale.unwrap_or(Stale { times: 0, newest });
        let times = before.times + 1;
        if times > STALE_MOST && newest > before.newest {
            self.restart();
            return Ok(());
        }
        self.stale = Some(Stale { times, newest });
        if times > STALE_MOST { Err(Trouble::Backwards { newest, known }) } else { Ok(()) }
    }

    fn restart(&mut self) {
        let restarts = self.restarts.saturating_add(1);
        *self = Self { restarts, ..Self::default() };
    }

    /// Every segment of a playlist that is complete; the ring has the last of them only.
    pub(super) fn all_of(
        &self,
        media: &m3u8::Media,
        base: &Url,
        wall: Wall,
    ) -> Result<Vec<SegmentInfo>, Trouble> {
        let mut resolver = Resolver { base, map: None };
        let now = wall.0.as_microsecond();
        let mut info = |segment| {
            let info = self.info(segment, media, now, &mut resolver)?;
            // Its times are not used, so there is nothing to suspect.
            let kind = if info.kind == SegmentKind::Suspect { SegmentKind::Full } else { info.kind };
            Ok(SegmentInfo { kind, ..info })
        };
        media.segments.iter().map(&mut info).collect()
    }

    /// Adds what is new in `media`.
    fn extend(&mut self, media: &m3u8::Media, base: &Url, wall: Wall) -> Result<(), Trouble> {
        self.ring.drop_partial();
        let known = self.newest;
        let new: Vec<_> = media
            .segments
            .iter()
            .filter(|segment| known.is_none_or(|known| segment.sequence > known))
            .collect();
        let first = new.first().map_or(0, |segment| segment.sequence);
        let undated = new.iter().any(|segment| segment.time.is_none());
        // Until something better is known, the newest segment has just ended.
        let mut next = match self.ring.last() {
            Some(last) => end(last),
            None => {
                let all: Duration = new.iter().map(|segment| segment.duration).sum();
                wall.0.as_microsecond().saturating_sub(micros(all))
            }
        };
        next = self.bridge(known.map_or(first, |known| known.saturating_add(1)), first, media, next);
        let mut resolver = Resolver { base, map: None };
        for segment in &new {
            if segment.discontinuity && segment.time.is_none() && known.is_some() {
                let left = new.iter().filter(|other| other.sequence >= segment.sequence);
                let left: Duration = left.map(|segment| segment.duration).sum();
                next = wall.0.as_microsecond().saturating_sub(micros(left));
            }
            if segment.discontinuity {
                self.anchor = None;
            }
            let info = self.info(segment, media, next, &mut resolver)?;
            next = end(&info);
            // At once: what stands before one that is refused must not come in again at the next reading.
            self.newest = Some(info.sequence);
            self.ring.push(info);
        }
        self.dated = !undated;
        Ok(())
    }

    /// Notes the segments from `missing` up to `first`, which were never listed, as gaps; of a long absence only the end.
    fn bridge(&mut self, missing: u64, first: u64, media: &m3u8::Media, mut next: i64) -> i64 {
        let noted = missing.max(first.saturating_sub(Ring::MOST as u64));
        let before = i64::try_from(noted - missing.min(noted)).unwrap_or(i64::MAX);
        next = next.saturating_add(micros(media.target_duration).saturating_mul(before));
        for sequence in noted..first {
            next = self.push_gap(sequence, media.target_duration, next);
        }
        next
    }

    fn push_gap(&mut self, sequence: u64, duration: Duration, start: i64) -> i64 {
        self.ring.push(SegmentInfo {
            sequence,
            part: None,
            url: "".into(),
            byte_range: None,
            map: None,
            duration,
            media_time: media_time(start),
            media_time_error: duration,
            kind: SegmentKind::Gap,
            discontinuity: false,
            encrypted: false,
        });
        start.saturating_add(micros(duration))
    }

    /// One segment whose time, counted on from those before, is `expected`.
    fn info(
        &self,
        segment: &m3u8::Segment,
        media: &m3u8::Media,
        expected: i64,
        resolver: &mut Resolver<'_>,
    ) -> Result<SegmentInfo, Trouble> {
        let start = segment.time.unwrap_or(expected);
        let jump = if segment.time_given && self.ring.last().is_some() {
            start.saturating_sub(expected).saturating_abs()
        } else {
            0
        };
        let jumped = jump > JUMP;
        // The first segment known has nothing before it that it could break with.
        let broken = segment.discontinuity && self.ring.last().is_some();
        let kind = match () {
            () if segment.gap => SegmentKind::Gap,
            () if segment.ad || in_ad(media, segment.time) => SegmentKind::Ad,
            () if jumped || broken => SegmentKind::Suspect,
            () => SegmentKind::Full,
        };
        let error = match segment.time {
            Some(_) if segment.time_given => GIVEN_ERROR,
            Some(_) => COUNTED_ERROR,
            None => segment.duration.max(media.target_duration),
        };
        let doubt = Duration::from_micros(jump.unsigned_abs()).max(SUSPECT_ERROR);
        let error = if kind == SegmentKind::Suspect { error.max(doubt) } else { error };
        Ok(SegmentInfo {
            sequence: segment.sequence,
            part: None,
            url: resolver.url(&segment.uri)?,
            byte_range: segment.byte_range.clone(),
            map: resolver.map(segment.map.as_ref())?,
            duration: segment.duration,
            media_time: media_time(start),
            media_time_error: error,
            kind,
            discontinuity: segment.discontinuity,
            encrypted: segment.encrypted,
        })
    }

    /// Notes the segment that is being made, when the playlist says where, and the newest part.
    fn hint(&mut self, media: &m3u8::Media, base: &Url) {
        self.ring.drop_partial();
        self.part = None;
        let Some(last) = self.ring.last().filter(|last| last.has_picture()) else { return };
        // What it may not name is no error here: it is only a hint.
        let resolver = Resolver { base, map: None };
        if let Some(place) = parts::newest(media) {
            let Some(part) = part(media, place, last, resolver) else { return };
            if part.sequence > last.sequence {
                self.ring.push(part.clone());
            }
            self.part = Some(part);
            return;
        }
        let Some(Ok(url)) = media.prefetch.first().map(|uri| resolver.url(uri)) else { return };
        let info = SegmentInfo {
            sequence: last.sequence.saturating_add(1),
            part: None,
            url,
            byte_range: None,
            map: last.map.clone(),
            duration: last.duration,
            media_time: media_time(end(last)),
            media_time_error: last.media_time_error.max(COUNTED_ERROR),
            kind: SegmentKind::Partial,
            discontinuity: false,
            encrypted: last.encrypted,
        };
        self.ring.push(info);
    }

    /// When a keyframe of `segment` was seen, and how sure that is. `first_pts` is the segment's first, `pts` its own.
    ///
    /// Given times count from the segment's start. Without them the first picture taken sets a PTS against the time that
    /// was guessed for it, and later ones are told by their PTS until a discontinuity.
    pub(super) fn keyframe_time(
        &mut self,
        segment: &SegmentInfo,
        first_pts: Option<u64>,
        pts: u64,
    ) -> (MediaTime, Duration) {
        if segment.kind == SegmentKind::Partial && segment.discontinuity {
            self.anchor = None;
        }
        let first = first_pts.unwrap_or(pts);
        let listed = segment.media_time.0.as_microsecond();
        let within = ticks(first, pts).clamp(0, micros(segment.duration.saturating_mul(2)));
        if self.dated {
            return (media_time(listed.saturating_add(within)), segment.media_time_error);
        }
        let start = match self.anchor {
            Some((pts0, time0)) => {
                let told = time0.saturating_add(ticks(pts0, first));
                let drift = told.saturating_sub(listed);
                if drift.saturating_abs() <= DRIFT { told } else { listed }
            }
            None => listed,
        };
        self.anchor = Some((first, start));
        self.ring.shift_from(segment.sequence, start.saturating_sub(listed));
        (media_time(start.saturating_add(within)), segment.media_time_error)
    }
}

/// The part at `place`, of `last` or of what comes after it; `None` for an advertisement and for what may not be named.
fn part(
    media: &m3u8::Media,
    place: parts::Place<'_>,
    last: &SegmentInfo,
    mut resolver: Resolver<'_>,
) -> Option<SegmentInfo> {
    let coming = &media.coming;
    let offset = micros(place.offset);
    let own = SegmentInfo {
        part: Some(place.number),
        url: resolver.url(&place.part.uri).ok()?,
        byte_range: place.part.byte_range.clone(),
        duration: place.part.duration,
        media_time: media_time(last.media_time.0.as_microsecond().saturating_add(offset)),
        media_time_error: last.media_time_error.max(COUNTED_ERROR),
        kind: SegmentKind::Partial,
        ..last.clone()
    };
    if place.sequence == last.sequence {
        return Some(own);
    }
    let given = coming.time.filter(|_| coming.time_given);
    let start = given.unwrap_or(end(last)).saturating_add(offset);
    let error = if given.is_some() { COUNTED_ERROR } else { own.media_time_error };
    (!in_ad(media, Some(start))).then_some(())?;
    Some(SegmentInfo {
        sequence: place.sequence,
        map: resolver.map(coming.map.as_ref()).ok()?,
        media_time: media_time(start),
        media_time_error: if coming.discontinuity { error.max(SUSPECT_ERROR) } else { error },
        discontinuity: coming.discontinuity && place.number == 0,
        encrypted: coming.encrypted,
        ..own
    })
}

/// When what follows `segment` begins, µs since 1970.
fn end(segment: &SegmentInfo) -> i64 {
    segment.media_time.0.as_microsecond().saturating_add(micros(segment.duration))
}

/// From one PTS to another in µs, the shorter way around its 33 bits.
fn ticks(from: u64, to: u64) -> i64 {
    const AROUND: u64 = 1 << 33;
    let ahead = to.wrapping_sub(from) % AROUND;
    let ahead = i64::try_from(ahead).expect("it has 33 bits");
    let ticks = if ahead >= 1 << 32 { ahead - (1 << 33) } else { ahead };
    ticks * 100 / 9
}

fn in_ad(media: &m3u8::Media, time: Option<i64>) -> bool {
    let within = |range: &m3u8::AdRange, time: i64| {
        let (Some(start), Some(duration)) = (range.start, range.duration) else { return false };
        (start..start.saturating_add(micros(duration))).contains(&time)
    };
    time.is_some_and(|time| media.ad_ranges.iter().any(|range| within(range, time)))
}

/// Makes addresses of what a playlist names; segments share their map.
struct Resolver<'a> {
    base: &'a Url,
    map: Option<(m3u8::Map, Arc<Map>)>,
}

impl Resolver<'_> {
    fn url(&self, uri: &str) -> Result<Arc<str>, Trouble> {
        let url = self.base.join(uri).map_err(|_| Trouble::Scheme("not an address".to_owned()))?;
        match url.scheme() {
            "http" | "https" => Ok(url.as_str().into()),
            other => Err(Trouble::Scheme(other.chars().take(20).collect())),
        }
    }

    fn map(&mut self, map: Option<&m3u8::Map>) -> Result<Option<Arc<Map>>, Trouble> {
        let Some(map) = map else { return Ok(None) };
        if let Some((_, shared)) = self.map.as_ref().filter(|(last, _)| last == map) {
            return Ok(Some(Arc::clone(shared)));
        }
        let url = self.url(&map.uri)?.to_string();
        let shared = Arc::new(Map { url, byte_range: map.byte_range.clone() });
        self.map = Some((map.clone(), Arc::clone(&shared)));
        Ok(Some(shared))
    }
}
