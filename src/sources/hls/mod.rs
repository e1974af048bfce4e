//! A media playlist as a source of keyframes: reads it just in time, picks the newest segment, fetches its first keyframe.
//!
//! Called by the puller. Keeps what it knows between captures, so that a future that is dropped half-way loses nothing.
//! Never downloads more than a keyframe needs, and nothing of an advertisement.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::m3u8::{self, Playlist};
use media::segment;
use url::Url;

mod estimate;
mod follower;
mod parts;
mod play;
mod recorded;
mod sample;
mod segments;

#[cfg(test)]
mod tests;

pub use segments::{Map, SegmentInfo, SegmentKind};

use super::failure::{Cause, Failure, FailureKind};
use super::pull::{Captured, Shared};
use crate::base::clock::{MediaTime, Monotonic};
use crate::egress::{self, Request, Trust};
use estimate::Estimate;
use follower::{Follower, Trouble};
use parts::Upcoming;
use recorded::Recorded;
use sample::{Missed, Sample, Search};

/// Bytes of a segment's header.
const MAX_INIT: u64 = 1 << 20;
/// A segment that can't be used is replaced by the one before it, once.
const TRIES: usize = 2;

/// A server that was waited for in vain is read as others are for so long.
const WAIT_AGAIN: Duration = Duration::from_secs(60);

/// Follows one media playlist.
pub(super) struct Hls {
    url: Url,
    trust: Trust,
    /// A playlist that is complete at first sight is a broadcast that ended, not a film.
    live: bool,
    /// Where the playlist came from in the end, and trust in that.
    read_from: Option<(Url, Trust)>,
    read_at: Option<Monotonic>,
    /// How long what the playlist lists lasts.
    listed: Duration,
    follower: Follower,
    recorded: Option<Recorded>,
    estimate: Estimate,
    init: Option<(Arc<Map>, Bytes)>,
    /// The newest segment a keyframe was taken from, and which part of it.
    captured: Option<(u64, u32)>,
    restarts: u32,
    /// Where the next keyframe will be, as the last reading has it.
    upcoming: Option<Upcoming>,
    /// The server is not waited for before this: it was in vain.
    wait_again: Monotonic,
}

/// Why there is no keyframe now.
pub(super) enum Stop {
    /// The address no longer works (401, 403, 404, 410): what it was resolved from may know a better one.
    Stale(u16),
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What the playlist was like when last read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ages {
    pub(super) playlist: Option<Duration>,
    pub(super) segment: Option<Duration>,
}

impl Hls {
    pub(super) fn new(url: Url, trust: Trust, live: bool) -> Self {
        Self {
            url,
            trust,
            live,
            read_from: None,
            read_at: None,
            listed: Duration::ZERO,
            follower: Follower::default(),
            recorded: None,
            estimate: Estimate::default(),
            init: None,
            captured: None,
            restarts: 0,
            upcoming: None,
            wait_again: Monotonic::default(),
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Goes on at another address of the same broadcast: a renewed one, or one of another quality.
    pub(super) fn move_to(&mut self, url: Url, trust: Trust) {
        if self.url != url {
            (self.url, self.trust, self.read_from) = (url, trust, None);
            self.init = None;
        }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = &SegmentInfo> {
        self.follower.segments().iter()
    }

    pub(super) fn ages(&self, now: Monotonic) -> Ages {
        Ages {
            playlist: self.read_at.map(|at| now.since(at)),
            segment: (!self.follower.knows_nothing()).then(|| now.since(self.follower.moved())),
        }
    }

    /// The newest keyframe, if it is newer than the last; to be had before `until`.
    pub(super) async fn capture(
        &mut self,
        shared: &Shared,
        until: Monotonic,
        fetched: &mut u64,
        stage: &mut &'static str,
    ) -> Result<Captured, Stop> {
        if self.recorded.is_none() {
            *stage = "reading the playlist";
            self.read_playlist(shared, fetched).await?;
        }
        let mut candidates = self.candidates(shared);
        let now = shared.clock.now();
        let left = until.since(now);
        let ad = candidates.as_ref().is_err_and(|failure| failure.kind == FailureKind::Ad);
        if let Some(next) = self.worth_waiting(left, now).filter(|_| !ad) {
            *stage = "waiting for the next part";
            if self.wait(shared, next, left, fetched).await {
                candidates = self.candidates(shared);
            }
        }
        let candidates = candidates?;
        let before = *fetched;
        let mut first_miss = None;
        for segment in candidates {
            *stage = "fetching the segment";
            match self.try_segment(shared, &segment, fetched).await {
                Ok(sample) => return Ok(self.captured(segment, sample, *fetched - before)),
                Err(Missed::Request(egress::Error::Status(status @ (401 | 403)))) => {
                    return Err(Stop::Stale(status));
                }
                Err(missed) => {
                    // A hint that leads to nothing says no more than the playlist did.
                    let hint = segment.kind == SegmentKind::Partial;
                    let failure = if hint { unchanged() } else { failure(&missed) };
                    first_miss.get_or_insert(failure);
                    if !another_may_do(&missed) {
                        break;
                    }
                }
            }
        }
        Err(first_miss.unwrap_or_else(unchanged).into())
    }

    /// Whether the playlist must be read, or segments pass by unseen: a third of what it lists has gone by.
    pub(super) fn is_overdue(&self, now: Monotonic) -> bool {
        self.recorded.is_none() && self.read_at.is_some_and(|at| now.since(at) * 3 >= self.listed)
    }

    /// Reads the playlist and fetches nothing else.
    pub(super) async fn follow(&mut self, shared: &Shared, fetched: &mut u64) -> Result<(), Stop> {
        if self.recorded.is_some() { Ok(()) } else { self.read_playlist(shared, fetched).await }
    }

    fn captured(&mut self, segment: SegmentInfo, sample: Sample, fetched_bytes: u64) -> Captured {
        let Sample { keyframe, first_pts, needed } = sample;
        self.estimate.learn(needed);
        self.captured = Some(segment.place());
        let (media_time, media_time_error) = self.time_of(&segment, first_pts, keyframe.pts);
        let keyframe_bytes = keyframe.data.len() as u64;
        Captured {
            keyframe,
            media_time,
            media_time_error,
            fetched_bytes,
            keyframe_bytes,
            segment: Some(segment),
        }
    }

    fn time_of(&mut self, segment: &SegmentInfo, first: Option<u64>, pts: u64) -> (MediaTime, Duration) {
        if self.recorded.is_some() {
            return (segment.media_time, segment.media_time_error);
        }
        self.follower.keyframe_time(segment, first, pts)
    }

    /// Segments and parts to try, the newest first; at least one.
    fn candidates(&self, shared: &Shared) -> Result<Vec<SegmentInfo>, Failure> {
        let newer = |segment: &SegmentInfo| self.captured.is_none_or(|captured| segment.place() > captured);
        if let Some(film) = &self.recorded {
            let playing = film.at(shared.clock.now());
            return if newer(&playing) { Ok(vec![playing]) } else { Err(unchanged()) };
        }
        let ring = self.follower.segments();
        let whole = || ring.iter().rev().filter(|segment| segment.kind != SegmentKind::Partial);
        if whole().find(|segment| segment.kind != SegmentKind::Gap).is_some_and(is_ad) {
            let reason = "the channel shows advertisements".to_owned();
            return Err(Failure { kind: FailureKind::Ad, reason });
        }
        let part = self.follower.part().filter(|part| newer(part)).into_iter();
        let whole = whole().filter(|segment| segment.has_picture() && newer(segment));
        let mut found: Vec<_> = part.chain(whole).take(TRIES).cloned().collect();
        if found.is_empty() {
            found
                .extend(ring.last().filter(|last| last.kind == SegmentKind::Partial && newer(last)).cloned());
        }
        if found.is_empty() { Err(unchanged()) } else { Ok(found) }
    }

    /// The next keyframe, if it is worth waiting for with `left` until the capture must be done: it comes no later than the newest
    /// one is old. What is further off is left to a later capture, since one that waits keeps others from beginning.
    fn worth_waiting(&self, left: Duration, now: Monotonic) -> Option<Upcoming> {
        let worth = |next: &Upcoming| next.wait <= next.age && next.wait <= left / 2;
        self.upcoming.filter(|next| now >= self.wait_again && worth(next))
    }

    /// Has the playlist answered once `next` is in it; whether it was read. What goes wrong is no error: there is what was
    /// read before.
    async fn wait(&mut self, shared: &Shared, next: Upcoming, left: Duration, fetched: &mut u64) -> bool {
        let (mut url, trust) = self.read_from.clone().unwrap_or_else(|| (self.url.clone(), self.trust));
        let directives = [("_HLS_msn", next.sequence), ("_HLS_part", u64::from(next.number))];
        url.query_pairs_mut().extend_pairs(directives.map(|(name, number)| (name, number.to_string())));
        // Enough is left to fetch the picture.
        let most = next.wait.saturating_add(next.target.saturating_mul(2)).min(left * 3 / 4);
        let read = tokio::time::timeout(most, self.read(shared, &url, trust, fetched)).await;
        let waited = matches!(read, Ok(Ok(())));
        if !waited {
            self.wait_again = shared.clock.now() + WAIT_AGAIN;
        }
        waited
    }

    async fn read_playlist(&mut self, shared: &Shared, fetched: &mut u64) -> Result<(), Stop> {
        let (url, trust) = (self.url.clone(), self.trust);
        self.read(shared, &url, trust, fetched).await
    }

    /// Reads the playlist at `url`.
    async fn read(
        &mut self,
        shared: &Shared,
        url: &Url,
        trust: Trust,
        fetched: &mut u64,
    ) -> Result<(), Stop> {
        let request = Request::new(url, trust, m3u8::MAX_BYTES as u64);
        let failed = |e: &egress::Error| Failure::request(e, "the playlist", Cause::Playlist);
        let body = shared.client.get(request).await.map_err(|e| failed(&e))?;
        if matches!(body.status, 401 | 403 | 404 | 410) {
            return Err(Stop::Stale(body.status));
        }
        let body = body.ok().map_err(|e| failed(&e))?;
        let from = (body.url.clone(), body.trust);
        let bytes = body.whole().await.map_err(|e| failed(&e))?;
        *fetched += bytes.len() as u64;
        match m3u8::parse(&bytes) {
            Ok(Playlist::Media(media)) => self.take(shared, &media, from).map_err(Stop::Failure),
            Ok(Playlist::Master(_)) => {
                let what = "the playlist lists qualities where it should list segments";
                Err(Failure::error(Cause::Playlist, what).into())
            }
            Err(e) => Err(Failure::error(Cause::Playlist, format!("the playlist: {e}")).into()),
        }
    }

    /// Takes a playlist that came `from` there.
    pub(super) fn take(
        &mut self,
        shared: &Shared,
        media: &m3u8::Media,
        from: (Url, Trust),
    ) -> Result<(), Failure> {
        let (now, wall) = (shared.clock.now(), shared.clock.wall());
        let first = self.follower.knows_nothing();
        let taken = self.follower.take(media, &from.0, now, wall);
        (self.read_from, self.read_at) = (Some(from), Some(now));
        self.upcoming = parts::upcoming(media);
        self.listed = media.segments.iter().map(|segment| segment.duration).sum();
        if self.follower.restarts() != self.restarts {
            (self.restarts, self.captured) = (self.follower.restarts(), None);
        }
        taken.map_err(|trouble| trouble_as_failure(&trouble))?;
        if first && media.ended {
            if self.live {
                return Err(trouble_as_failure(&Trouble::Ended));
            }
            let all = self.follower.all_of(media, self.base(), wall);
            let all = all.map_err(|trouble| trouble_as_failure(&trouble))?;
            self.recorded = Recorded::new(all, now, wall);
        }
        Ok(())
    }

    fn base(&self) -> &Url {
        self.read_from.as_ref().map_or(&self.url, |(url, _)| url)
    }

    /// An address that the playlist named, and trust in it.
    fn named(&self, url: &str) -> Result<(Url, Trust), Missed> {
        let url = Url::parse(url).map_err(|_| egress::Error::BadUrl("it is none"))?;
        let trust = match &self.read_from {
            Some((from, trust)) => trust.through(from, &url),
            None => Trust::Outside,
        };
        Ok((url, trust))
    }

    async fn try_segment(
        &mut self,
        shared: &Shared,
        segment: &SegmentInfo,
        fetched: &mut u64,
    ) -> Result<Sample, Missed> {
        if segment.encrypted {
            return Err(segment::Error::Encrypted.into());
        }
        let init = match &segment.map {
            Some(map) => Some(self.init(shared, map, fetched).await?),
            None => None,
        };
        let named = self.named(&segment.url)?;
        let search = Search::new(shared, segment, named, init.as_ref(), fetched)?;
        search.run(&self.estimate).await
    }

    /// The content of `map`, fetched once.
    async fn init(&mut self, shared: &Shared, map: &Arc<Map>, fetched: &mut u64) -> Result<Bytes, Missed> {
        if let Some((_, bytes)) = self.init.as_ref().filter(|(known, _)| known == map) {
            return Ok(bytes.clone());
        }
        let (url, trust) = self.named(&map.url)?;
        let request = Request { range: map.byte_range.clone(), ..Request::new(&url, trust, MAX_INIT) };
        let body = shared.client.get(request).await?.ok()?;
        let partial = body.status == 206;
        let mut bytes = body.whole().await?;
        *fetched += bytes.len() as u64;
        if let Some(range) = map.byte_range.as_ref().filter(|_| !partial) {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            let (start, end) = (place(range.start), place(range.end));
            bytes = bytes.slice(start..end.max(start));
        }
        self.init = Some((Arc::clone(map), bytes.clone()));
        Ok(bytes)
    }
}

fn is_ad(segment: &SegmentInfo) -> bool {
    segment.kind == SegmentKind::Ad
}

fn unchanged() -> Failure {
    Failure { kind: FailureKind::Unchanged, reason: "there is no newer keyframe yet".to_owned() }
}

/// Whether the segment before may give what this one did not.
fn another_may_do(missed: &Missed) -> bool {
    match missed {
        Missed::Media(error) => {
            !matches!(error, segment::Error::Encrypted | segment::Error::NoVideo | segment::Error::Codec(_))
        }
        Missed::Request(error) => matches!(error, egress::Error::Status(_) | egress::Error::Closed { .. }),
    }
}

fn failure(missed: &Missed) -> Failure {
    match missed {
        Missed::Request(error) => Failure::request(error, "the segment", Cause::Segment),
        Missed::Media(error) => {
            let cause = match error {
                segment::Error::Empty | segment::Error::NotMedia(_) | segment::Error::Malformed(_) => {
                    Cause::Segment
                }
                segment::Error::NoVideo => Cause::NoVideo,
                segment::Error::Encrypted => Cause::Encrypted,
                segment::Error::Codec(_) => Cause::Codec,
                segment::Error::NoKeyframe | segment::Error::CutShort | segment::Error::TooLarge => {
                    Cause::Keyframe
                }
            };
            Failure::error(cause, error.to_string())
        }
    }
}

fn trouble_as_failure(trouble: &Trouble) -> Failure {
    let reason = trouble.to_string();
    match trouble {
        Trouble::Ended => Failure::offline(reason),
        Trouble::Empty => Failure::error(Cause::Playlist, reason),
        Trouble::Scheme(_) => Failure::error(Cause::Refused, reason),
        Trouble::Frozen(_) => Failure::error(Cause::Frozen, reason),
        Trouble::Backwards { .. } => Failure::error(Cause::Backwards, reason),
    }
}
