//! Which streams a transport stream has: its program association and program map (ISO/IEC 13818-1, 2.4.4).

use crate::keyframe::Codec;
use crate::segment::Error;

/// Most programs and streams remembered.
const MAX_PROGRAMS: usize = 16;
const MAX_STREAMS: usize = 64;
/// Bytes of the longest section, with its header.
const MAX_SECTION: usize = 1024;

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video(Codec),
    /// Video we have no decoder for.
    Other(&'static str),
    Encrypted,
    Sound,
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    association: Section,
    programs: Vec<Program>,
    streams: Vec<(u16, Kind)>,
}

#[derive(Debug)]
struct Program {
    pid: u16,
    section: Section,
    read: bool,
}

/// A table's section as its packets come.
#[derive(Debug, Default)]
struct Section {
    bytes: Vec<u8>,
    begun: bool,
}

impl Tables {
    pub(super) fn is_table(&self, pid: u16) -> bool {
        pid == 0 || self.programs.iter().any(|program| program.pid == pid)
    }

    pub(super) fn kind(&self, pid: u16) -> Option<Kind> {
        self.streams.iter().find(|stream| stream.0 == pid).map(|stream| stream.1.clone())
    }

    pub(super) fn video(&self) -> Option<(u16, Codec)> {
        self.streams.iter().find_map(|(pid, kind)| match kind {
            Kind::Video(codec) => Some((*pid, *codec)),
            _ => None,
        })
    }

    /// Why there is no video for us. `None` while a map may still bring some, unless the stream has `ended`.
    pub(super) fn lack(&self, ended: bool) -> Option<Error> {
        let read = self.programs.iter().filter(|program| program.read).count();
        if read == 0 || read < self.programs.len() && !ended {
            return None;
        }
        let other = self.streams.iter().find_map(|(_, kind)| match kind {
            Kind::Other(name) => Some(Error::Codec((*name).to_owned())),
            Kind::Encrypted => Some(Error::Encrypted),
            _ => None,
        });
        Some(other.unwrap_or(Error::NoVideo))
    }

    pub(super) fn push(&mut self, pid: u16, start: bool, payload: &[u8]) {
        if pid == 0 {
            let Some(table) = self.association.push(start, payload) else { return };
            if table[0] == 0 {
                self.read_association(&table);
            }
            return;
        }
        let Some(program) = self.programs.iter_mut().find(|program| program.pid == pid) else { return };
        let Some(table) = program.section.push(start, payload) else { return };
        if table[0] == 2 && !program.read {
            program.read = true;
            self.read_map(&table);
        }
    }

    fn read_association(&mut self, table: &[u8]) {
        let entries = table.get(8..table.len() - 4).unwrap_or_default();
        for entry in entries.chunks_exact(4) {
            let (number, pid) = (u16::from_be_bytes([entry[0], entry[1]]), pid(entry[2], entry[3]));
            let known = self.programs.iter().any(|program| program.pid == pid);
            if number != 0 && pid != 0 && !known && self.programs.len() < MAX_PROGRAMS {
                self.programs.push(Program { pid, section: Section::default(), read: false });
            }
        }
    }

    fn read_map(&mut self, table: &[u8]) {
        let Some(body) = table.get(10..table.len() - 4) else { return };
        let Some((length, rest)) = body.split_first_chunk() else { return };
        let mut rest = rest.get(length12(*length)..).unwrap_or_default();
        while let Some((head, after)) = rest.split_first_chunk::<5>() {
            let length = length12([head[3], head[4]]);
            let Some((info, after)) = after.split_at_checked(length) else { return };
            if let Some(kind) = kind(head[0], info)
                && self.streams.len() < MAX_STREAMS
            {
                self.streams.push((pid(head[1], head[2]), kind));
            }
            rest = after;
        }
    }
}

impl Section {
    /// Takes a packet's payload; a whole section whose checksum is right comes out.
    fn push(&mut self, start: bool, payload: &[u8]) -> Option<Vec<u8>> {
        let mut payload = payload;
        if start {
            let (&pointer, rest) = payload.split_first()?;
            payload = rest.get(usize::from(pointer)..)?;
            self.bytes.clear();
            self.begun = true;
        }
        if !self.begun {
            return None;
        }
        self.bytes.extend_from_slice(&payload[..payload.len().min(MAX_SECTION - self.bytes.len())]);
        let &[_, high, low, ..] = &self.bytes[..] else { return None };
        let length = 3 + length12([high, low]);
        if length > MAX_SECTION {
            self.begun = false;
            return None;
        }
        let section = self.bytes.get(..length)?.to_vec();
        self.begun = false;
        // Header and checksum: 12 bytes at least.
        (length >= 12 && crc(&section) == 0).then_some(section)
    }
}

fn pid(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high & 0x1f, low])
}

fn length12([high, low]: [u8; 2]) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0f, low]))
}

/// What a stream type and the stream's descriptors mean (table 2-34; ATSC A/53; HLS "sample encryption").
fn kind(stream_type: u8, info: &[u8]) -> Option<Kind> {
    Some(match stream_type {
        0x1b => Kind::Video(Codec::H264),
        0x24 => Kind::Video(Codec::Hevc),
        0x01 | 0x02 => Kind::Other("MPEG-2 video"),
        0x10 => Kind::Other("MPEG-4 part 2"),
        0x21 => Kind::Other("JPEG 2000"),
        0x33 => Kind::Other("VVC"),
        0x42 | 0xd2 => Kind::Other("AVS"),
        0xd1 => Kind::Other("Dirac"),
        0xea => Kind::Other("VC-1"),
        0xdb => Kind::Encrypted,
        0x03 | 0x04 | 0x0f | 0x11 | 0x81 | 0x87 | 0xc1 | 0xc2 | 0xcf => Kind::Sound,
        // Private data says by a registration descriptor what it is.
        0x06 => match registration(info)? {
            b"HEVC" => Kind::Video(Codec::Hevc),
            // RFC 8216 has AV1 in fragmented MP4 only, and no muxer at hand writes it here.
            b"AV01" => Kind::Other("AV1 in a transport stream"),
            b"AC-3" | b"EAC3" | b"Opus" => Kind::Sound,
            _ => return None,
        },
        _ => return None,
    })
}

fn registration(mut info: &[u8]) -> Option<&[u8; 4]> {
    while let Some((&[tag, length], rest)) = info.split_first_chunk::<2>() {
        let (body, after) = rest.split_at_checked(usize::from(length))?;
        if tag == 5 {
            return body.first_chunk();
        }
        info = after;
    }
    None
}

/// The checksum of a section (annex A), 0 when the section with its own checksum is right.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}
