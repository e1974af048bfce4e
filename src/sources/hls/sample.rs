//! Fetches as much of one segment as its first keyframe needs, and no more.
//!
//! Called by the HLS source. Asks for ranges on a kept-alive connection; where the server ignores them it reads until the
//! keyframe is there and hangs up. What is whole is for `media::segment` to say.

use bytes::Bytes;
use media::keyframe::Keyframe;
use media::segment::{self, Finder, Limits};
use url::Url;

use super::estimate::Estimate;
use super::segments::{SegmentInfo, SegmentKind};
use crate::egress::{self, Body, Request, Trust};
use crate::sources::pull::Shared;

/// Bytes of one segment that are searched.
const MOST: u64 = 8 << 20;
/// The search is told of so many bytes at a time, so that it can say how many it needed.
const MOUTHFUL: usize = 2 << 10;

/// A keyframe and what it took.
pub(super) struct Sample {
    pub(super) keyframe: Keyframe,
    pub(super) first_pts: Option<u64>,
    /// Bytes of the segment up to where the keyframe was known to be whole.
    pub(super) needed: u64,
}

/// Why a segment gave none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    Media(segment::Error),
    Request(egress::Error),
}

impl From<egress::Error> for Missed {
    fn from(error: egress::Error) -> Self {
        Self::Request(error)
    }
}

impl From<segment::Error> for Missed {
    fn from(error: segment::Error) -> Self {
        Self::Media(error)
    }
}

/// One search of one segment.
pub(super) struct Search<'a> {
    shared: &'a Shared,
    url: Url,
    trust: Trust,
    segment: &'a SegmentInfo,
    finder: Finder,
    /// Bytes of the segment that the finder has.
    have: u64,
    /// Counts all bytes that came.
    fetched: &'a mut u64,
}

/// How one answer ended.
enum Read {
    Found(Keyframe),
    /// The segment has no more bytes.
    Ended,
    More,
}

impl<'a> Search<'a> {
    /// `trust` is that in the address of `segment`; `init` the content of its map.
    pub(super) fn new(
        shared: &'a Shared,
        segment: &'a SegmentInfo,
        (url, trust): (Url, Trust),
        init: Option<&Bytes>,
        fetched: &'a mut u64,
    ) -> Result<Self, Missed> {
        let limits = Limits::default();
        let finder = match init {
            Some(init) => Finder::with_init(init, limits)?,
            None => Finder::new(limits),
        };
        Ok(Self { shared, url, trust, segment, finder, have: 0, fetched })
    }

    pub(super) async fn run(mut self, estimate: &Estimate) -> Result<Sample, Missed> {
        let mut ranges = self.shared.ranges_work(&self.url);
        let mut size = estimate.first();
        loop {
            let asked = self.window(size);
            let range = (ranges || self.segment.byte_range.is_some()).then(|| asked.clone());
            let request = Request { range: range.clone(), ..Request::new(&self.url, self.trust, u64::MAX) };
            let mut body = self.shared.client.get(request).await?;
            let skip = match (body.status, body.content_range) {
                (206, Some(part)) if part.start == asked.start => 0,
                (206, _) | (416, _) if range.is_some() && self.have == 0 && ranges => {
                    ranges = false;
                    self.shared.note_no_ranges(&self.url);
                    continue;
                }
                (416, _) if self.have > 0 => return self.finish(),
                (200, _) => {
                    if range.is_some() {
                        ranges = false;
                        self.shared.note_no_ranges(&self.url);
                    }
                    asked.start
                }
                (206, _) => return Err(egress::Error::Status(206).into()),
                _ => {
                    body.ok()?;
                    return Err(segment::Error::Empty.into());
                }
            };
            match self.read(&mut body, skip).await? {
                Read::Found(keyframe) => {
                    body.settle().await;
                    let needed = self.finder.end_of_keyframe().unwrap_or(self.have);
                    let first_pts = self.finder.first_pts();
                    return Ok(Sample { keyframe, first_pts, needed });
                }
                Read::Ended => return self.finish(),
                Read::More if self.have >= MOST => return Err(segment::Error::TooLarge.into()),
                Read::More => {
                    let known = self.finder.end_of_keyframe().and_then(|end| end.checked_sub(self.have));
                    size =
                        known.filter(|&left| left > 0).unwrap_or_else(|| estimate.step(self.have)).min(MOST);
                }
            }
        }
    }

    /// The next `size` bytes of the segment, as bytes of its address.
    fn window(&self, size: u64) -> std::ops::Range<u64> {
        let all = self.segment.byte_range.clone().unwrap_or(0..u64::MAX);
        let start = all.start.saturating_add(self.have);
        start..start.saturating_add(size).min(all.end)
    }

    /// Gives the finder what `body` brings, but for the first `skip` bytes.
    async fn read(&mut self, body: &mut Body, mut skip: u64) -> Result<Read, Missed> {
        let most = self.segment.byte_range.as_ref().map_or(u64::MAX, |range| range.end - range.start);
        while let Some(bytes) = body.next().await? {
            *self.fetched += bytes.len() as u64;
            let skipped = usize::try_from(skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            skip -= skipped as u64;
            for mouthful in bytes[skipped..].chunks(MOUTHFUL) {
                let left = usize::try_from(most - self.have).unwrap_or(usize::MAX);
                let mouthful = &mouthful[..mouthful.len().min(left)];
                self.have += mouthful.len() as u64;
                if let Some(keyframe) = self.finder.push(mouthful)? {
                    return Ok(Read::Found(keyframe));
                }
            }
            if self.have >= most {
                return Ok(Read::Ended);
            }
            if self.have >= MOST {
                return Ok(Read::More);
            }
        }
        let ended = match body.content_range {
            Some(part) => part.total == Some(part.end) || body.read() == 0,
            None => true,
        };
        Ok(if ended { Read::Ended } else { Read::More })
    }

    fn finish(self) -> Result<Sample, Missed> {
        // Of a segment that is still being made, the end is not the end; a part is listed when it is whole.
        if self.segment.kind == SegmentKind::Partial && self.segment.part.is_none() {
            return Err(segment::Error::CutShort.into());
        }
        let (needed, first_pts) = (self.have, self.finder.first_pts());
        let keyframe = self.finder.finish()?;
        Ok(Sample { keyframe, first_pts, needed })
    }
}
