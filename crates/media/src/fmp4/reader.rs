//! Finds out what of a recording is whole, and completes it.
//!
//! Called by recovery at start-up, on files of any content. Reads box headers, the `moov` and each `moof`,
//! never the samples. Every size is checked against the file before it is used; no box is followed into its
//! own kind; memory is one `moof` (at most [`MAX_HEADER_BOX`]) and the keyframe index.

use std::io::{Read, Seek, SeekFrom};

use super::boxes::{Durations, MEHD_SIZE};
use super::writer::KEYFRAME;
use super::{Entry, Error, Finish};
use crate::time::TIMESCALE;

/// Largest `moov` or `moof` read into memory, bytes: 300,000 samples in one fragment.
const MAX_HEADER_BOX: u64 = 4 << 20;

/// What [`scan`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Bytes up to the end of the last whole fragment: what to truncate the file to before appending a new
    /// tail.
    pub whole_len: u64,
    pub file_len: u64,
    /// In whole fragments.
    pub samples: u64,
    /// Ticks; 0 without samples.
    pub first_pts: u64,
    /// When the last sample ends, ticks; 0 without samples.
    pub end_pts: u64,
    pub keyframes: u64,
    /// Four-character code of the sample entry: `avc1` or `mp4v`.
    pub codec: [u8; 4],
    /// Pixels, before any rotation.
    pub width: u16,
    pub height: u16,
    /// The file was ended properly: its durations are patched and its `mfra` is whole.
    pub finished: bool,
    /// Start of the last sample: the next fragment starts later, though a guessed duration may reach past
    /// that.
    last_pts: u64,
    durations: Durations,
    entries: Vec<Entry>,
}

/// Walks a file of ours from its start. Leaves the read position anywhere.
///
/// A fragment counts only when its `moof` is consistent and its `mdat` is there to the last byte; the first
/// that isn't ends the walk. That the sample bytes themselves reached the disk is not checked.
///
/// # Errors
/// [`Error::NoMoov`] when the head is cut off, [`Error::Foreign`] when it isn't as [`super::Writer`] writes
/// it, [`Error::Io`].
pub fn scan<R: Read + Seek>(reader: &mut R) -> Result<Scan, Error> {
    let file_len = reader.seek(SeekFrom::End(0))?;
    let mut walk = Walk { reader, file_len };
    let (moov, after) = walk.moov()?;
    let mut scan = read_moov(&moov, after - moov.len() as u64)?;
    let patched = std::mem::replace(&mut scan.finished, false);
    (scan.whole_len, scan.file_len) = (after, file_len);
    while let Some(found) = walk.header(scan.whole_len)? {
        if found.kind == *b"mfra" {
            scan.finished = patched && found.end == file_len;
            break;
        }
        if found.kind != *b"moof" || found.len() > MAX_HEADER_BOX {
            break;
        }
        let moof = walk.content(&found)?;
        let Some(mdat) = walk.header(found.end)?.filter(|mdat| mdat.kind == *b"mdat") else { break };
        let offset = found.len() + (mdat.content - mdat.start);
        let Some(fragment) = read_moof(&moof, offset, mdat.end - mdat.content) else { break };
        if scan.samples > 0 && fragment.first_pts <= scan.last_pts {
            break;
        }
        scan.add(&fragment, found.start, mdat.end);
    }
    Ok(scan)
}

/// How to complete a file that [`scan`] calls unfinished: truncate it to `whole_len`, then do what the result
/// says.
#[must_use]
pub fn finish_recovered(scan: &Scan) -> Finish {
    scan.durations.finish(Vec::new(), &scan.entries, scan.end_pts)
}

impl Scan {
    fn add(&mut self, fragment: &Fragment, moof: u64, end: u64) {
        if self.samples == 0 {
            self.first_pts = fragment.first_pts;
        }
        self.samples += fragment.samples;
        self.keyframes += fragment.keyframes;
        (self.last_pts, self.end_pts) = (fragment.last_pts, fragment.end_pts);
        if let Some((pts, sample)) = fragment.keyframe {
            self.entries.push(Entry { pts, moof, sample });
        }
        self.whole_len = end;
    }
}

/// A box whose header and whole extent lie inside the file.
struct Found {
    kind: [u8; 4],
    start: u64,
    content: u64,
    end: u64,
}

impl Found {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}

struct Walk<'a, R> {
    reader: &'a mut R,
    file_len: u64,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The box at `start`, or `None` when none is whole there.
    fn header(&mut self, start: u64) -> Result<Option<Found>, Error> {
        let left = self.file_len.saturating_sub(start);
        if left < 8 {
            return Ok(None);
        }
        self.reader.seek(SeekFrom::Start(start))?;
        let mut head = [0; 8];
        self.reader.read_exact(&mut head)?;
        let [a, b, c, d, kind @ ..] = head;
        let (size, header) = match u32::from_be_bytes([a, b, c, d]) {
            1 if left >= 16 => {
                let mut large = [0; 8];
                self.reader.read_exact(&mut large)?;
                (u64::from_be_bytes(large), 16)
            }
            size => (u64::from(size), 8),
        };
        if size < header || size > left {
            return Ok(None);
        }
        Ok(Some(Found { kind, start, content: start + header, end: start + size }))
    }

    /// What is in a box no larger than [`MAX_HEADER_BOX`].
    fn content(&mut self, found: &Found) -> Result<Vec<u8>, Error> {
        let length = found.end - found.content;
        self.reader.seek(SeekFrom::Start(found.content))?;
        let mut content = Vec::new();
        self.reader.by_ref().take(length).read_to_end(&mut content)?;
        if content.len() as u64 != length {
            return Err(Error::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(content)
    }

    /// The content of `moov`, which follows `ftyp`, and the offset of its end.
    fn moov(&mut self) -> Result<(Vec<u8>, u64), Error> {
        let ftyp = self.header(0)?.ok_or(Error::NoMoov)?;
        if ftyp.kind != *b"ftyp" {
            return Err(Error::Foreign("it doesn't start with ftyp"));
        }
        let moov = self.header(ftyp.end)?.ok_or(Error::NoMoov)?;
        if moov.kind != *b"moov" || moov.len() > MAX_HEADER_BOX {
            return Err(Error::Foreign("no moov of sane size after ftyp"));
        }
        Ok((self.content(&moov)?, moov.end))
    }
}

/// The first box `kind` in `bytes`: the range of its content.
fn child(bytes: &[u8], within: std::ops::Range<usize>, kind: &[u8; 4]) -> Option<std::ops::Range<usize>> {
    let mut at = within.start;
    while within.end - at >= 8 {
        let size = usize::try_from(be32(bytes, at)?).ok()?;
        if size < 8 || size > within.end - at {
            return None;
        }
        if bytes[at + 4..at + 8] == *kind {
            return Some(at + 8..at + size);
        }
        at += size;
    }
    None
}

fn descend(bytes: &[u8], path: &[&[u8; 4]]) -> Option<std::ops::Range<usize>> {
    path.iter().try_fold(0..bytes.len(), |within, kind| child(bytes, within, kind))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// An empty scan from the content of `moov` that stands at `base` in the file. `finished` says whether `mehd`
/// is there.
fn read_moov(moov: &[u8], base: u64) -> Result<Scan, Error> {
    let find = |path: &[&[u8; 4]]| descend(moov, path);
    // Version 1 of each has its duration at the same place: after version, two 64-bit times, and 4 or 8 bytes
    // more.
    let field = |path: &[&[u8; 4]], skip: usize| {
        let content = find(path)?;
        let at = content.start + 4 + 16 + skip;
        (moov.get(content.start) == Some(&1) && at + 8 <= content.end).then_some(at)
    };
    let mvhd = field(&[b"mvhd"], 4).ok_or(Error::Foreign("mvhd"))?;
    let tkhd = field(&[b"trak", b"tkhd"], 8).ok_or(Error::Foreign("tkhd"))?;
    let mdhd = field(&[b"trak", b"mdia", b"mdhd"], 4).ok_or(Error::Foreign("mdhd"))?;
    for before in [mvhd, mdhd] {
        if be32(moov, before - 4) != Some(TIMESCALE) {
            return Err(Error::Foreign("another time scale"));
        }
    }
    let mvex = find(&[b"mvex"]).ok_or(Error::Foreign("not fragmented"))?;
    let size = u32::try_from(MEHD_SIZE).ok();
    let patched = moov.get(mvex.start + 4..mvex.start + 8).unwrap_or_default();
    if be32(moov, mvex.start) != size || mvex.len() < MEHD_SIZE || !matches!(patched, b"mehd" | b"free") {
        return Err(Error::Foreign("no place for mehd"));
    }
    let stsd = find(&[b"trak", b"mdia", b"minf", b"stbl", b"stsd"]).ok_or(Error::Foreign("stsd"))?;
    // Version, count, then the entry: size, kind, 24 bytes, width, height.
    let entry = moov[stsd].get(8..8 + 36).ok_or(Error::Foreign("no sample entry"))?;
    let short = |at: usize| u16::from_be_bytes([entry[at], entry[at + 1]]);
    let offset = |at: usize| base + at as u64;
    Ok(Scan {
        whole_len: 0,
        file_len: 0,
        samples: 0,
        first_pts: 0,
        end_pts: 0,
        keyframes: 0,
        codec: [entry[4], entry[5], entry[6], entry[7]],
        width: short(32),
        height: short(34),
        finished: patched == b"mehd",
        last_pts: 0,
        durations: Durations { fields: [offset(mvhd), offset(tkhd), offset(mdhd)], mehd: offset(mvex.start) },
        entries: Vec::new(),
    })
}

/// What a consistent `moof` says.
struct Fragment {
    samples: u64,
    keyframes: u64,
    first_pts: u64,
    last_pts: u64,
    end_pts: u64,
    /// Time and 1-based number of the first keyframe.
    keyframe: Option<(u64, u32)>,
}

/// Reads a `moof` whose samples must start `offset` bytes after its own start and fill `payload` bytes
/// exactly.
fn read_moof(moof: &[u8], offset: u64, payload: u64) -> Option<Fragment> {
    let tfdt = descend(moof, &[b"traf", b"tfdt"])?;
    let trun = descend(moof, &[b"traf", b"trun"])?;
    if moof.get(tfdt.start) != Some(&1) || be32(moof, trun.start)? != 0x701 {
        return None;
    }
    let first_pts = be64(moof, tfdt.start + 4)?;
    let count = usize::try_from(be32(moof, trun.start + 4)?).ok()?;
    let table = moof.get(trun.start + 12..trun.end)?;
    if count == 0 || table.len() != count.checked_mul(12)? || u64::from(be32(moof, trun.start + 8)?) != offset
    {
        return None;
    }
    let mut fragment = Fragment {
        samples: 0,
        keyframes: 0,
        first_pts,
        last_pts: first_pts,
        end_pts: first_pts,
        keyframe: None,
    };
    let mut bytes = 0u64;
    for (number, sample) in (1..).zip(table.chunks_exact(12)) {
        fragment.last_pts = fragment.end_pts;
        fragment.end_pts = fragment.end_pts.checked_add(u64::from(be32(sample, 0)?))?;
        bytes += u64::from(be32(sample, 4)?);
        fragment.samples += 1;
        if be32(sample, 8)? == KEYFRAME {
            fragment.keyframes += 1;
            fragment.keyframe.get_or_insert((fragment.last_pts, number));
        }
    }
    (bytes == payload).then_some(fragment)
}
