//! A media playlist played in full: the bytes of its segments, one after the other.
//!
//! A task of its own for each reader; `flow` makes it. What is not yet taken is waited for, so that no more is fetched than is
//! shown; who falls too far behind a broadcast goes on near its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::segment;
use tokio::sync::mpsc;
use tracing::debug;

use super::segments::{Map, SegmentInfo, SegmentKind};
use super::{Hls, Missed, Stop};
use crate::base::clock::Monotonic;
use crate::egress::{self, Request};
use crate::sources::failure::{Cause, Failure};
use crate::sources::pull::Shared;
use crate::streams::Pace;

/// Bytes of one segment.
const MOST: u64 = 64 << 20;
/// Of a broadcast, playing begins so many whole segments before the end.
const BEHIND: u64 = 2;
/// Further behind than this it goes on near the end.
const TOO_FAR: u64 = 5;
/// Between two looks at the playlist.
const LOOK_AT_LEAST: Duration = Duration::from_millis(300);
const LOOK_AT_MOST: Duration = Duration::from_secs(3);
/// What can't be read for so long is over.
const PATIENCE: Duration = Duration::from_secs(6);
/// Segments in a row that can't be had.
const MISSES: u32 = 3;

/// Nobody takes more, or there is no more.
struct Over;

impl Hls {
    /// Reads the playlist; how what it lists comes.
    pub(in crate::sources) async fn begin(&mut self, shared: &Shared) -> Result<Pace, Stop> {
        self.read_playlist(shared, &mut 0).await?;
        if self.follower.segments().iter().any(|segment| segment.encrypted) {
            let why = segment::Error::Encrypted.to_string();
            return Err(Failure::error(Cause::Playlist, why).into());
        }
        Ok(if self.recorded.is_some() { Pace::Looped } else { Pace::Held })
    }

    /// Gives `out` the bytes of the segments until the broadcast or the film is over, or nobody takes them.
    pub(in crate::sources) async fn play(mut self, shared: Arc<Shared>, out: mpsc::Sender<Bytes>) {
        let mut given = Given { out, map: None, misses: 0 };
        if let Some(film) = self.recorded.take() {
            for segment in film.segments() {
                if self.give(&shared, segment, &mut given).await.is_err() {
                    return;
                }
            }
            return;
        }
        let (mut last, mut restarts) = (None, self.follower.restarts());
        let mut read = shared.clock.now();
        loop {
            while let Some(segment) = self.next_after(last) {
                last = Some(segment.sequence);
                if self.give(&shared, &segment, &mut given).await.is_err() {
                    return;
                }
            }
            if self.rest(&shared, &given, &mut read).await.is_err() {
                return;
            }
            if restarts != self.follower.restarts() {
                (last, restarts) = (None, self.follower.restarts());
            }
        }
    }

    /// The whole segment to play after number `last`.
    fn next_after(&self, last: Option<u64>) -> Option<SegmentInfo> {
        let whole = || self.follower.segments().iter().filter(|segment| segment.kind != SegmentKind::Partial);
        let newest = whole().next_back()?.sequence;
        let near_the_end = (newest + 1).saturating_sub(BEHIND);
        let from = match last {
            Some(last) if last.saturating_add(TOO_FAR) >= newest => last.saturating_add(1),
            _ => near_the_end,
        };
        whole().find(|segment| segment.sequence >= from && segment.has_picture()).cloned()
    }

    /// Waits a while and reads the playlist, which was read last at `read`.
    async fn rest(&mut self, shared: &Shared, given: &Given, read: &mut Monotonic) -> Result<(), Over> {
        let length = self.follower.segments().last().map_or(LOOK_AT_MOST, |segment| segment.duration);
        tokio::select! {
            () = tokio::time::sleep((length / 3).clamp(LOOK_AT_LEAST, LOOK_AT_MOST)) => {}
            () = given.out.closed() => return Err(Over),
        }
        match self.read_playlist(shared, &mut 0).await {
            Ok(()) => *read = shared.clock.now(),
            Err(Stop::Stale(_)) => return Err(Over),
            Err(Stop::Failure(failure)) => {
                debug!(reason = failure.reason, "a playlist that is played can't be read");
                if shared.clock.now().since(*read) > PATIENCE {
                    return Err(Over);
                }
            }
        }
        Ok(())
    }

    /// Gives all of one segment. One that can't be had is left out.
    async fn give(&mut self, shared: &Shared, segment: &SegmentInfo, given: &mut Given) -> Result<(), Over> {
        if segment.encrypted {
            return Err(Over);
        }
        match self.try_give(shared, segment, given).await {
            Ok(()) => {
                given.misses = 0;
                Ok(())
            }
            Err(Lost::Over) => Err(Over),
            Err(Lost::Missed(missed)) => {
                debug!(?missed, "a segment that is played can't be had");
                given.misses += 1;
                let refused = matches!(missed, Missed::Request(egress::Error::Status(401 | 403)));
                if refused || given.misses >= MISSES { Err(Over) } else { Ok(()) }
            }
        }
    }

    async fn try_give(
        &mut self,
        shared: &Shared,
        segment: &SegmentInfo,
        given: &mut Given,
    ) -> Result<(), Lost> {
        if segment.map != given.map {
            // What is told another head in the middle must begin anew.
            if given.map.is_some() {
                return Err(Lost::Over);
            }
            if let Some(map) = &segment.map {
                let head = self.init(shared, map, &mut 0).await?;
                given.send(head).await?;
            }
            given.map.clone_from(&segment.map);
        }
        let (url, trust) = self.named(&segment.url)?;
        let range = segment.byte_range.clone();
        let request = Request { range: range.clone(), ..Request::new(&url, trust, MOST) };
        let mut body = shared.client.get(request).await?.ok()?;
        let whole = range.filter(|_| body.status != 206);
        let mut skip = whole.as_ref().map_or(0, |range| range.start);
        let mut left = whole.map_or(u64::MAX, |range| range.end.saturating_sub(range.start));
        while let Some(bytes) = body.next().await? {
            let skipped = usize::try_from(skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            let kept = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len() - skipped));
            let kept = kept.min(bytes.len() - skipped);
            (skip, left) = (skip - skipped as u64, left - kept as u64);
            given.send(bytes.slice(skipped..skipped + kept)).await?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Where bytes go, and what was given.
struct Given {
    out: mpsc::Sender<Bytes>,
    map: Option<Arc<Map>>,
    misses: u32,
}

impl Given {
    async fn send(&self, bytes: Bytes) -> Result<(), Lost> {
        self.out.send(bytes).await.map_err(|_| Lost::Over)
    }
}

/// Why a segment was not given.
enum Lost {
    Over,
    Missed(Missed),
}

impl From<Missed> for Lost {
    fn from(missed: Missed) -> Self {
        Self::Missed(missed)
    }
}

impl From<egress::Error> for Lost {
    fn from(error: egress::Error) -> Self {
        Self::Missed(error.into())
    }
}
