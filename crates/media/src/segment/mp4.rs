//! Fragmented MP4 (CMAF) as far as the first keyframe of its video.
//!
//! Sans-IO, on bytes from strangers: holds one `moov` or `moof` of bounded size, or one sample; everything else is passed over as
//! it comes.

use bytes::Bytes;

use super::boxes::{header, header_len};
use super::moof::{self, Candidate};
use super::moov::{self, Movie};
use super::{Error, Limits};
use crate::keyframe::Keyframe;

/// Largest `moov` and `moof`, bytes: what 65,536 samples with every field need, and some.
const MAX_HEADER_BOX: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Mp4 {
    limits: Limits,
    /// Bytes of the segment before `held`.
    at: u64,
    /// The piece being collected.
    held: Vec<u8>,
    state: State,
    movie: Option<Movie>,
    /// Of the fragments whose samples are still to come, the next one last.
    candidates: Vec<Candidate>,
    first_pts: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At a box's header.
    Header,
    /// Collecting a box up to this offset.
    Collect { moov: bool, header: usize, end: u64 },
    /// In an `mdat`, or in a box of no interest, that ends there.
    Pass { mdat: bool, end: u64 },
}

impl Mp4 {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            at: 0,
            held: Vec::new(),
            state: State::Header,
            movie: None,
            candidates: Vec::new(),
            first_pts: None,
        }
    }

    pub(super) fn with_init(init: &[u8], limits: Limits) -> Result<Self, Error> {
        let mut read = Self::new(limits);
        read.push(init)?;
        match (read.movie, read.state) {
            (Some(movie), _) => Ok(Self { movie: Some(movie), ..Self::new(limits) }),
            (None, State::Header) if read.held.is_empty() => Err(Error::Malformed("no moov")),
            (None, _) => Err(Error::CutShort),
        }
    }

    pub(super) fn end_of_keyframe(&self) -> Option<u64> {
        self.candidates.last().map(|candidate| candidate.start.saturating_add(u64::from(candidate.size)))
    }

    pub(super) fn first_pts(&self) -> Option<u64> {
        self.first_pts
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Option<Keyframe>, Error> {
        loop {
            let before = (self.state, self.at, self.held.len(), bytes.len());
            match self.state {
                State::Header => self.header(&mut bytes)?,
                State::Collect { moov, header, end } => {
                    if self.collect(&mut bytes, end) {
                        let held = std::mem::take(&mut self.held);
                        self.read(moov, &held[header..])?;
                        self.at = end;
                        self.state = State::Header;
                    }
                }
                State::Pass { mdat, end } => {
                    let wanted = if mdat { self.candidates.last().copied() } else { None };
                    match wanted {
                        Some(candidate) if candidate.start < end => {
                            if let Some(found) = self.sample(&mut bytes, candidate, end)? {
                                return Ok(Some(found));
                            }
                        }
                        _ => {
                            self.pass(&mut bytes, end);
                            if self.at == end {
                                self.state = State::Header;
                            }
                        }
                    }
                }
            }
            if before == (self.state, self.at, self.held.len(), bytes.len()) {
                return Ok(None);
            }
        }
    }

    /// The segment ended here.
    pub(super) fn finish(self) -> Result<Keyframe, Error> {
        let open_end = State::Pass { mdat: true, end: u64::MAX };
        let whole = self.held.is_empty() && (self.state == State::Header || self.state == open_end);
        Err(match self.movie {
            _ if !whole || !self.candidates.is_empty() => Error::CutShort,
            None => Error::Malformed("no moov"),
            Some(_) => Error::NoKeyframe,
        })
    }

    fn header(&mut self, bytes: &mut &[u8]) -> Result<(), Error> {
        // Four bytes tell how long the header is.
        for _ in 0..2 {
            let missing = header_len(&self.held).saturating_sub(self.held.len());
            let (taken, rest) = bytes.split_at(bytes.len().min(missing));
            self.held.extend_from_slice(taken);
            *bytes = rest;
        }
        if self.held.len() < header_len(&self.held) {
            return Ok(());
        }
        let (kind, length, size) = header(&self.held).ok_or(Error::Malformed("a box of impossible size"))?;
        if !kind.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte == 0xa9) {
            return Err(Error::Malformed("a box without a name"));
        }
        let end = match size {
            Some(size) => self.at.checked_add(size),
            None if kind == *b"mdat" => Some(u64::MAX),
            None => None,
        };
        let end = end.ok_or(Error::Malformed("a box of impossible size"))?;
        self.state = match &kind {
            b"moov" | b"moof" => {
                if end - self.at > MAX_HEADER_BOX {
                    return Err(Error::Malformed("a moov or moof of more than 2 MiB"));
                }
                State::Collect { moov: kind == *b"moov", header: length, end }
            }
            _ => {
                self.at += length as u64;
                self.held.clear();
                State::Pass { mdat: kind == *b"mdat", end }
            }
        };
        Ok(())
    }

    /// Collects up to the offset `end`; whether all is there.
    fn collect(&mut self, bytes: &mut &[u8], end: u64) -> bool {
        let missing = usize::try_from(end - self.at).unwrap_or(usize::MAX).saturating_sub(self.held.len());
        let (taken, rest) = bytes.split_at(bytes.len().min(missing));
        self.held.extend_from_slice(taken);
        *bytes = rest;
        taken.len() == missing
    }

    /// Passes over bytes up to the offset `end`.
    fn pass(&mut self, bytes: &mut &[u8], end: u64) {
        let left = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        let count = bytes.len().min(left);
        *bytes = &bytes[count..];
        self.at += count as u64;
    }

    fn read(&mut self, moov: bool, content: &[u8]) -> Result<(), Error> {
        if moov {
            self.movie = Some(moov::read(content)?);
            return Ok(());
        }
        let movie = self.movie.as_ref().ok_or(Error::Malformed("no moov before the first fragment"))?;
        let fragment = moof::read(content, self.at, movie)
            .ok_or(Error::Malformed("a fragment that contradicts itself"))?;
        if let Some(pts) = fragment.first_pts {
            self.first_pts = Some(self.first_pts.map_or(pts, |first| first.min(pts)));
        }
        self.candidates = fragment.candidates;
        self.candidates.reverse();
        Ok(())
    }

    /// Collects the sample that comes next; it is the keyframe, or the next one is tried.
    fn sample(
        &mut self,
        bytes: &mut &[u8],
        candidate: Candidate,
        mdat_end: u64,
    ) -> Result<Option<Keyframe>, Error> {
        let end = candidate.start.checked_add(u64::from(candidate.size)).filter(|end| *end <= mdat_end);
        let end = end.filter(|_| candidate.start >= self.at && candidate.size > 0);
        let end = end.ok_or(Error::Malformed("a sample that is not where it should be"))?;
        let size = usize::try_from(candidate.size).unwrap_or(usize::MAX);
        if size > self.limits.max_bytes {
            return Err(Error::TooLarge);
        }
        self.pass(bytes, candidate.start);
        if self.at < candidate.start || !self.collect(bytes, end) {
            return Ok(None);
        }
        self.candidates.pop();
        self.at = end;
        let sample = std::mem::take(&mut self.held);
        let movie = self.movie.as_ref().ok_or(Error::Malformed("no moov before the first fragment"))?;
        let look =
            movie.video.parsed.look(&sample).ok_or(Error::Malformed("a sample whose units don't fill it"))?;
        let Some(size) = look.size.filter(|_| look.keyframe) else { return Ok(None) };
        if size.width.max(size.height) > self.limits.max_side {
            return Err(Error::TooLarge);
        }
        Ok(Some(Keyframe {
            codec: movie.video.codec,
            data: Bytes::from(sample),
            config: Some(movie.video.config.clone()),
            width: size.width,
            height: size.height,
            pts: candidate.pts,
        }))
    }
}
