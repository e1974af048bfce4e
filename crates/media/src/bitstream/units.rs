//! Access units of an H.264 or HEVC byte stream (Annex B of both), as its bytes arrive.
//!
//! Called by [`crate::ts`]. Waits for the first picture that can be decoded alone, and calls it whole only once the next picture's
//! start was seen. Keeps that picture's bytes and the parameter sets before it; all else is let go as it comes.

use bytes::Bytes;
use memchr::memmem;

use super::{Size, h264, hevc};
use crate::keyframe::Codec;
use crate::segment::Error;

/// Bytes of parameter sets carried from pictures that were passed over.
const MAX_SETS: usize = 64 << 10;

/// The NAL units of a whole byte stream, without start codes and the zero bytes before them.
pub(crate) fn starts(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut found = memmem::find_iter(stream, &[0, 0, 1]).map(|at| at + 3).peekable();
    std::iter::from_fn(move || {
        let start = found.next()?;
        let end = found.peek().map_or(stream.len(), |next| next - 3);
        Some(without_zeros(&stream[start..end]))
    })
    .filter(|unit| !unit.is_empty())
}

/// The next start code's index, from `from` on.
fn start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 2;
    while let Some(found) = memchr::memchr(1, bytes.get(at..)?) {
        let one = at + found;
        if bytes[one - 2..one] == [0, 0] {
            return Some(one - 2);
        }
        at = one + 1;
    }
    None
}

fn without_zeros(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().rev().take_while(|&&byte| byte == 0).count();
    &unit[..unit.len() - zeros]
}

/// A whole keyframe of a byte stream.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) data: Bytes,
    pub(crate) size: Size,
    pub(crate) pts: u64,
}

/// A NAL unit whose start code was seen.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Index of the zero bytes of its start code.
    at: usize,
    judged: bool,
}

/// The picture whose slices are coming.
#[derive(Clone, Copy, Debug)]
struct Picture {
    key: bool,
    size: Option<Size>,
    frame_num: u32,
    /// Coded as fields: whether the first one is the bottom one.
    field: Option<bool>,
    both_fields: bool,
}

impl Picture {
    fn lacks_a_field(&self) -> bool {
        self.field.is_some() && !self.both_fields
    }
}

/// What a NAL unit means for the access unit before it.
enum Verdict {
    /// It belongs to the same one.
    Within,
    /// It starts the next one, or the second field: its slices will tell.
    Perhaps,
    /// It starts the next one.
    Next,
}

#[derive(Debug)]
pub(crate) struct Units {
    codec: Codec,
    max_bytes: usize,
    /// The access unit being read, from its start; only what is still to be scanned of one that is passed over.
    buffer: Vec<u8>,
    scanned: usize,
    open: Option<Open>,
    picture: Option<Picture>,
    /// Where the access unit ends unless a second field follows.
    boundary: Option<usize>,
    /// Indices at which PES packets start, and their PTS.
    marks: Vec<(usize, Option<u64>)>,
    pts: Option<u64>,
    last_pts: u64,
    avc: h264::Sets,
    hevc_size: Option<Size>,
    /// Parameter sets, with start codes: of this access unit, and of those before it.
    own_sets: Vec<u8>,
    old_sets: Vec<u8>,
    /// Which kinds `own_sets` and `old_sets` hold.
    own_kinds: Kinds,
    old_kinds: Kinds,
}

/// Bits: 1 VPS, 2 SPS, 4 PPS.
type Kinds = u8;

impl Units {
    pub(crate) fn new(codec: Codec, max_bytes: usize) -> Self {
        Self {
            codec,
            max_bytes,
            buffer: Vec::new(),
            scanned: 0,
            open: None,
            picture: None,
            boundary: None,
            marks: Vec::new(),
            pts: None,
            last_pts: 0,
            avc: h264::Sets::default(),
            hevc_size: None,
            own_sets: Vec::new(),
            old_sets: Vec::new(),
            own_kinds: 0,
            old_kinds: 0,
        }
    }

    /// A PES packet starts here.
    pub(crate) fn mark(&mut self, pts: Option<u64>) {
        self.marks.push((self.buffer.len(), pts));
    }

    /// Bytes are missing here. Whether a keyframe is lost with them.
    pub(crate) fn lost(&mut self) -> bool {
        let hurt = self.picture.is_some_and(|picture| picture.key);
        self.buffer.clear();
        self.marks.clear();
        self.own_sets.clear();
        (self.scanned, self.open, self.picture, self.boundary, self.own_kinds) = (0, None, None, None, 0);
        hurt
    }

    /// # Errors
    /// [`Error::TooLarge`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<Found>, Error> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let mut next = start_code(&self.buffer, self.scanned);
            let before = self.buffer.len();
            if let Some(found) = self.judge(next)? {
                return Ok(Some(found));
            }
            // Judging may have let go of bytes before it.
            next = next.map(|next| next - (before - self.buffer.len()));
            let Some(mut next) = next else { break };
            self.close(next)?;
            if self.open.is_none() && self.picture.is_none() {
                self.begin(next);
                next = 0;
            }
            self.open = Some(Open { at: next, judged: false });
            self.scanned = next + 3;
        }
        self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
        if self.picture.is_some_and(|picture| !picture.key) {
            self.let_go();
        } else if self.buffer.len() > self.max_bytes {
            return Err(Error::TooLarge);
        }
        Ok(None)
    }

    /// The stream ended. `clean` says there is evidence that it ended with an access unit's last byte.
    ///
    /// # Errors
    /// When there was no keyframe, or it may not be whole.
    pub(crate) fn finish(mut self, clean: bool) -> Result<Found, Error> {
        let end = self.buffer.len();
        if let Some(found) = self.judge(Some(end))? {
            return Ok(found);
        }
        let end = self.buffer.len();
        self.close(end)?;
        match self.picture {
            Some(picture) if picture.key && clean && !picture.lacks_a_field() => {
                self.complete(end)?.ok_or(Error::NoKeyframe)
            }
            Some(picture) if picture.key => Err(Error::CutShort),
            None if !clean => Err(Error::CutShort),
            _ => Err(Error::NoKeyframe),
        }
    }

    /// Decides what the open unit is, once enough of it is there; `end` is where it ends, if that is known.
    fn judge(&mut self, end: Option<usize>) -> Result<Option<Found>, Error> {
        let Some(open) = self.open.filter(|open| !open.judged) else { return Ok(None) };
        let content = &self.buffer[open.at + 3..end.unwrap_or(self.buffer.len())];
        if end.is_none() && content.len() < h264::SLICE_HEAD {
            return Ok(None);
        }
        self.open = Some(Open { judged: true, ..open });
        let (verdict, picture) = match self.codec {
            Codec::Hevc => self.judge_hevc(content),
            _ => self.judge_avc(content),
        };
        let mut found = None;
        match verdict {
            Verdict::Within => self.boundary = None,
            Verdict::Perhaps => {
                self.boundary.get_or_insert(open.at);
            }
            Verdict::Next => {
                let boundary = self.boundary.take().unwrap_or(open.at);
                found = self.complete(boundary)?;
            }
        }
        self.picture = picture.or(self.picture);
        Ok(found)
    }

    /// The verdict on an H.264 NAL unit, and the current picture if it changes it (7.4.1.2.3 and 7.4.1.2.4).
    fn judge_avc(&self, unit: &[u8]) -> (Verdict, Option<Picture>) {
        let Some(&header) = unit.first() else { return (Verdict::Within, None) };
        let kind = h264::kind(header);
        match (kind, self.picture) {
            (1 | 2 | h264::IDR, current) => {
                let slice = self.avc.slice(unit);
                // Without its parameter sets a slice can't be decoded; whether it is a picture's first stands in its first bit.
                let first = slice
                    .map_or_else(|| unit.get(1).is_some_and(|byte| byte & 0x80 != 0), |slice| slice.first);
                let picture = Picture {
                    key: kind == h264::IDR && first && slice.is_some(),
                    size: slice.map(|slice| slice.size),
                    frame_num: slice.map_or(0, |slice| slice.frame_num),
                    field: slice.and_then(|slice| slice.field),
                    both_fields: false,
                };
                match current {
                    None => (Verdict::Within, Some(picture)),
                    Some(_) if !first => (Verdict::Within, None),
                    Some(current) if current.lacks_a_field() && slice.is_none() => (Verdict::Within, None),
                    Some(current)
                        if current.lacks_a_field()
                            && picture.field == current.field.map(|bottom| !bottom)
                            && picture.frame_num == current.frame_num =>
                    {
                        (Verdict::Within, Some(Picture { both_fields: true, ..current }))
                    }
                    Some(_) => (Verdict::Next, Some(picture)),
                }
            }
            (6..=h264::AUD | 14..=18, Some(current)) if current.lacks_a_field() => (Verdict::Perhaps, None),
            (6..=h264::AUD | 14..=18, Some(_)) => (Verdict::Next, None),
            _ if self.boundary.is_some() => (Verdict::Perhaps, None),
            _ => (Verdict::Within, None),
        }
    }

    /// The same for HEVC (7.4.2.4.4).
    fn judge_hevc(&self, unit: &[u8]) -> (Verdict, Option<Picture>) {
        let [header, layer, rest @ ..] = unit else { return (Verdict::Within, None) };
        if header & 1 != 0 || layer >> 3 != 0 {
            return (Verdict::Within, None);
        }
        let kind = hevc::kind(*header);
        let first = rest.first().is_some_and(|byte| byte & 0x80 != 0);
        match (kind, self.picture) {
            (0..=31, Some(_)) if !first => (Verdict::Within, None),
            (0..=31, current) => {
                let picture = Picture {
                    key: hevc::random_access(kind) && first,
                    size: self.hevc_size,
                    frame_num: 0,
                    field: None,
                    both_fields: false,
                };
                let verdict = if current.is_some() { Verdict::Next } else { Verdict::Within };
                (verdict, Some(picture))
            }
            (32..=35 | 39 | 41..=44 | 48..=55, Some(_)) => (Verdict::Next, None),
            _ => (Verdict::Within, None),
        }
    }

    /// The open unit ends at `end`: parameter sets are read and kept.
    fn close(&mut self, end: usize) -> Result<(), Error> {
        let Some(open) = self.open else { return Ok(()) };
        let unit = without_zeros(&self.buffer[open.at + 3..end]);
        let Some(&header) = unit.first() else { return Ok(()) };
        let kind = match (self.codec, h264::kind(header), hevc::kind(header)) {
            (Codec::H264, h264::SPS, _) | (Codec::Hevc, _, hevc::SPS) => 2,
            (Codec::H264, h264::PPS, _) | (Codec::Hevc, _, hevc::PPS) => 4,
            (Codec::Hevc, _, hevc::VPS) => 1,
            _ => return Ok(()),
        };
        if self.codec == Codec::Hevc {
            self.hevc_size = if kind == 2 { hevc::sps(unit).or(self.hevc_size) } else { self.hevc_size };
        } else {
            self.avc.take(unit);
        }
        if self.own_sets.len() + unit.len() > MAX_SETS {
            return Err(Error::TooLarge);
        }
        self.own_sets.extend_from_slice(&[0, 0, 0, 1]);
        self.own_sets.extend_from_slice(unit);
        self.own_kinds |= kind;
        Ok(())
    }

    /// The access unit ends at `end`: it is the keyframe we look for, or is let go.
    fn complete(&mut self, end: usize) -> Result<Option<Found>, Error> {
        let needed = if self.codec == Codec::Hevc { 7 } else { 6 };
        let (own, all) = (self.own_kinds & needed, (self.own_kinds | self.old_kinds) & needed);
        if let Some(Picture { key: true, size: Some(size), .. }) = self.picture
            && all == needed
        {
            let unit = without_zeros(&self.buffer[..end]).len();
            if unit > self.max_bytes {
                return Err(Error::TooLarge);
            }
            let data = if own == needed {
                let mut data = std::mem::take(&mut self.buffer);
                data.truncate(unit);
                data
            } else {
                [&self.old_sets, &self.buffer[..unit]].concat()
            };
            return Ok(Some(Found { data: data.into(), size, pts: self.pts.unwrap_or(self.last_pts) }));
        }
        if memmem::find(&self.old_sets, &self.own_sets).is_none() {
            if self.old_sets.len() + self.own_sets.len() > MAX_SETS {
                return Err(Error::TooLarge);
            }
            self.old_sets.extend_from_slice(&self.own_sets);
        }
        self.own_sets.clear();
        self.old_kinds |= std::mem::take(&mut self.own_kinds);
        self.picture = None;
        self.begin(end);
        Ok(None)
    }

    /// An access unit starts at `at`: what is before it goes.
    fn begin(&mut self, at: usize) {
        let reached = self.marks.iter().take_while(|(mark, _)| *mark <= at).count();
        self.pts = self.marks[..reached].last().and_then(|mark| mark.1);
        self.last_pts = self.pts.unwrap_or(self.last_pts);
        self.marks.drain(..reached);
        self.drop_before(at);
    }

    /// Lets go of an access unit that is passed over, but for what is still to be scanned.
    fn let_go(&mut self) {
        let keep = match self.open {
            // Parameter sets are read when they end; all else has been judged.
            Some(open) if !open.judged || self.is_set(open) => open.at,
            _ => self.scanned,
        };
        self.drop_before(keep.min(self.boundary.unwrap_or(keep)));
    }

    fn is_set(&self, open: Open) -> bool {
        let header = self.buffer.get(open.at + 3).copied().unwrap_or_default();
        match self.codec {
            Codec::Hevc => (hevc::VPS..=hevc::PPS).contains(&hevc::kind(header)),
            _ => matches!(h264::kind(header), h264::SPS | h264::PPS),
        }
    }

    fn drop_before(&mut self, at: usize) {
        self.buffer.drain(..at);
        self.scanned = self.scanned.saturating_sub(at);
        if let Some(open) = &mut self.open {
            // A judged slice may have lost its start: nobody looks at it again.
            match open.at.checked_sub(at) {
                Some(left) => open.at = left,
                None => self.open = None,
            }
        }
        self.boundary = self.boundary.map(|boundary| boundary.saturating_sub(at));
        for mark in &mut self.marks {
            mark.0 = mark.0.saturating_sub(at);
        }
    }
}
