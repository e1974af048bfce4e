//! MPEG transport streams (ISO/IEC 13818-1) as far as the first keyframe of their video.
//!
//! Called by [`crate::segment`]. Sans-IO, on bytes from strangers: holds a packet, a few tables of at most 1 KiB, and the access
//! unit being read. A packet that is missing inside a picture is an error, never a hole.

mod pes;
mod tables;
#[cfg(test)]
pub(crate) mod writer;

use crate::bitstream::{Found, Units};
use crate::keyframe::{Codec, Keyframe};
use crate::segment::{Error, Limits};

use pes::Pes;
use tables::{Kind, Tables};

pub(crate) const PACKET: usize = 188;
pub(crate) const SYNC: u8 = 0x47;

/// Bytes in which the map of programs must have come, and within which packets must line up again.
const MAX_LEAD: u64 = 1 << 20;
const MAX_JUNK: usize = 64 << 10;

/// PTS have 33 bits and start again from 0.
const WRAP: u64 = 1 << 33;

#[derive(Debug)]
pub(crate) struct Demux {
    limits: Limits,
    /// The start of a packet whose end has not come.
    carry: Vec<u8>,
    consumed: u64,
    /// The next byte is a packet's first.
    aligned: bool,
    junk: usize,
    tables: Tables,
    video: Option<Video>,
    first_pts: Option<u64>,
    /// Bytes were missing, so that the lack of a keyframe proves nothing.
    lost: bool,
}

#[derive(Debug)]
struct Video {
    pid: u16,
    codec: Codec,
    counter: Option<u8>,
    /// The last packet's payload, by which a repeated packet is known.
    last: Vec<u8>,
    pes: Pes,
    units: Units,
}

/// One packet taken apart (2.4.3.2).
struct Packet<'a> {
    pid: u16,
    start: bool,
    scrambled: bool,
    damaged: bool,
    counter: u8,
    /// The packet was filled up, as muxers do at the end of what they carry.
    stuffed: bool,
    payload: Option<&'a [u8]>,
}

impl Demux {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            carry: Vec::new(),
            consumed: 0,
            aligned: true,
            junk: 0,
            tables: Tables::default(),
            video: None,
            first_pts: None,
            lost: false,
        }
    }

    pub(crate) fn first_pts(&self) -> Option<u64> {
        self.first_pts
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Option<Keyframe>, Error> {
        while !self.carry.is_empty() && !bytes.is_empty() {
            let wanted = if self.aligned { PACKET } else { 2 * PACKET };
            let (taken, rest) =
                bytes.split_at(bytes.len().min(wanted.saturating_sub(self.carry.len()).max(1)));
            self.carry.extend_from_slice(taken);
            bytes = rest;
            let carry = std::mem::take(&mut self.carry);
            let (used, found) = self.packets(&carry)?;
            if found.is_some() {
                return Ok(found);
            }
            self.carry = carry;
            self.carry.drain(..used);
        }
        let (used, found) = self.packets(bytes)?;
        self.carry.extend_from_slice(&bytes[used..]);
        Ok(found)
    }

    /// The segment ended here.
    pub(crate) fn finish(self) -> Result<Keyframe, Error> {
        let cut = !self.carry.is_empty() || self.lost;
        let first = self.first_pts;
        let Some(video) = self.video else {
            return Err(if !self.carry.is_empty() {
                Error::CutShort
            } else {
                self.tables.lack(true).unwrap_or(Error::Malformed("no program map"))
            });
        };
        let clean = !cut && video.pes.ended_clean();
        let codec = video.codec;
        match video.units.finish(clean) {
            Ok(found) => keyframe(codec, found, first, self.limits),
            Err(Error::NoKeyframe) if cut => Err(Error::CutShort),
            Err(error) => Err(error),
        }
    }

    /// Reads whole packets; says how many bytes they were.
    fn packets(&mut self, bytes: &[u8]) -> Result<(usize, Option<Keyframe>), Error> {
        let mut at = 0;
        while let Some(packet) = bytes.get(at..at + PACKET) {
            if packet[0] != SYNC || !self.aligned {
                at += self.resync(&bytes[at..])?;
                if !self.aligned {
                    break;
                }
                continue;
            }
            at += PACKET;
            self.consumed += PACKET as u64;
            if let Some(keyframe) = self.packet(packet)? {
                return Ok((at, Some(keyframe)));
            }
            if self.video.is_none() && self.consumed > MAX_LEAD {
                return Err(Error::Malformed("no program map"));
            }
        }
        Ok((at, None))
    }

    /// Finds where packets start again, by the first bytes of two; says how many bytes are before that, as far as it is known.
    fn resync(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.lost |= self.consumed > 0;
        let grid = |at: &usize| bytes[*at] == SYNC && bytes[*at + PACKET] == SYNC;
        let last = bytes.len() - PACKET;
        let found = (0..last).find(grid);
        self.aligned = found.is_some();
        let junk = found.unwrap_or(last);
        self.junk += junk;
        if self.junk > MAX_JUNK {
            return Err(Error::Malformed("no grid of packets"));
        }
        Ok(junk)
    }

    fn packet(&mut self, bytes: &[u8]) -> Result<Option<Keyframe>, Error> {
        let packet = Packet::parse(bytes);
        if packet.damaged {
            // Its number is missed when the next one comes.
            return Ok(None);
        }
        let Some(payload) = packet.payload else { return Ok(None) };
        if self.video.as_ref().is_some_and(|video| video.pid == packet.pid) {
            return self.video_packet(&packet, payload);
        }
        if self.tables.is_table(packet.pid) {
            self.tables.push(packet.pid, packet.start, payload);
            if self.video.is_none() {
                self.choose()?;
            }
        } else if packet.start && !packet.scrambled && self.tables.kind(packet.pid) == Some(Kind::Sound) {
            self.note(pes::pts(payload));
        }
        Ok(None)
    }

    /// Takes the first video track that we know, once the tables tell.
    fn choose(&mut self) -> Result<(), Error> {
        if let Some((pid, codec)) = self.tables.video() {
            let units = Units::new(codec, self.limits.max_bytes);
            self.video = Some(Video {
                pid,
                codec,
                counter: None,
                last: Vec::with_capacity(PACKET),
                pes: Pes::default(),
                units,
            });
            return Ok(());
        }
        self.tables.lack(false).map_or(Ok(()), Err)
    }

    fn video_packet(&mut self, packet: &Packet<'_>, payload: &[u8]) -> Result<Option<Keyframe>, Error> {
        let Some(video) = &mut self.video else { return Ok(None) };
        if packet.scrambled {
            return Err(Error::Encrypted);
        }
        if let Some(last) = video.counter {
            if packet.counter == last && payload == video.last {
                // A packet may come twice (2.4.3.3).
                return Ok(None);
            }
            // Even where the packet says so itself: nothing proves the picture before it whole.
            if packet.counter != (last + 1) & 15 {
                self.lost = true;
                video.pes.lost();
                if video.units.lost() {
                    return Err(Error::CutShort);
                }
            }
        }
        video.counter = Some(packet.counter);
        video.last.clear();
        video.last.extend_from_slice(payload);
        if let Some(start) = video.pes.push(packet.start, packet.stuffed, payload) {
            video.units.mark(start.pts);
            let pts = start.pts;
            self.note(pts);
        }
        let Some(video) = &mut self.video else { return Ok(None) };
        let Some(found) = video.units.push(video.pes.take(payload))? else { return Ok(None) };
        keyframe(video.codec, found, self.first_pts, self.limits).map(Some)
    }

    fn note(&mut self, pts: Option<u64>) {
        let Some(pts) = pts else { return };
        let earlier = self.first_pts.is_none_or(|first| (first.wrapping_sub(pts) % WRAP) < WRAP / 2);
        if earlier {
            self.first_pts = Some(pts);
        }
    }
}

fn keyframe(codec: Codec, found: Found, first: Option<u64>, limits: Limits) -> Result<Keyframe, Error> {
    let (width, height) = (found.size.width, found.size.height);
    if width.max(height) > limits.max_side {
        return Err(Error::TooLarge);
    }
    // Counted on past the wrap, so that times within a segment can be subtracted.
    let wrapped = first.is_some_and(|first| first > found.pts && first - found.pts > WRAP / 2);
    let pts = found.pts + if wrapped { WRAP } else { 0 };
    Ok(Keyframe { codec, data: found.data, config: None, width, height, pts })
}

impl<'a> Packet<'a> {
    /// `bytes` has [`PACKET`] bytes.
    fn parse(bytes: &'a [u8]) -> Self {
        let has_payload = bytes[3] & 0x10 != 0;
        let mut at = 4;
        let (mut stuffed, mut damaged) = (false, bytes[1] & 0x80 != 0);
        if bytes[3] & 0x20 != 0 {
            let length = usize::from(bytes[4]);
            at += 1 + length;
            damaged |= at > PACKET || has_payload && at == PACKET;
            let field = bytes.get(5..at).unwrap_or_default();
            stuffed = adaptation_used(field).is_none_or(|used| used < length);
        }
        let payload = if has_payload { bytes.get(at..) } else { None };
        Self {
            pid: u16::from_be_bytes([bytes[1] & 0x1f, bytes[2]]),
            start: bytes[1] & 0x40 != 0,
            scrambled: bytes[3] & 0xc0 != 0,
            damaged,
            counter: bytes[3] & 15,
            stuffed,
            payload,
        }
    }
}

/// Bytes of an adaptation field that say something (2.4.3.4); `None` when none do.
fn adaptation_used(field: &[u8]) -> Option<usize> {
    let flags = *field.first()? & 0x1f;
    if flags == 0 {
        return None;
    }
    let mut used = 1;
    for (flag, size) in [(0x10, 6), (0x08, 6), (0x04, 1)] {
        used += if flags & flag != 0 { size } else { 0 };
    }
    for flag in [0x02, 0x01] {
        if flags & flag != 0 {
            used += 1 + field.get(used).copied().map_or(0, usize::from);
        }
    }
    Some(used)
}
