//! MPEG transport stream (ISO/IEC 13818-1): coded units in, whole segments of 188-byte packets out.
//!
//! Called by the stand-in world, once a film; it then serves the same bytes again and again at other times.
//! So the writer notes where each time stands, and [`Segment::part`] gives any part of a segment with its
//! times moved. Pure: no clock, no I/O. One program, at most one H.264 track and one AAC track; nothing here
//! looks inside a coded unit.

use std::ops::Range;

/// Bytes of a packet.
pub const PACKET: usize = 188;

/// Identifiers of the packets: the tables' (0 is the standard's) and the tracks'.
pub const PMT_PID: u16 = 0x1000;
pub const VIDEO_PID: u16 = 0x100;
pub const AUDIO_PID: u16 = 0x101;

/// Times are counted modulo 2^33.
pub const WRAP: u64 = 1 << 33;

/// How long before its decoding time a picture's packets carry the clock (PCR): the buffering a player is
/// promised.
const CLOCK_LEAD: u64 = 9_000;

/// What a unit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

/// One access unit, or several frames of sound that start at `pts`.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    pub track: Track,
    /// Ticks of 1/90 000 s, modulo 2^33.
    pub pts: u64,
    pub dts: u64,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// H.264 with start codes (Annex B), AAC with ADTS headers.
    pub data: &'a [u8],
}

/// A time in a segment's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its first byte, from the segment's start.
    pub at: usize,
    kind: Kind,
    ticks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Five bytes; the first four bits say which time it is.
    Pes { prefix: u8 },
    /// Six bytes.
    Clock,
}

/// A stretch of packets that decodes without what came before.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub data: Vec<u8>,
    /// In order of `at`.
    pub stamps: Vec<Stamp>,
    /// Where the packets of each unit begin.
    pub units: Vec<usize>,
    /// Where the packets of the first unit of video end; 0 without one.
    pub first_picture_end: usize,
}

/// Continuity counters of the four kinds of packets, modulo 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    tables: u8,
    video: u8,
    audio: u8,
}

impl Counters {
    /// What `times` repeats of packets that count this far add.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        let low = u8::try_from(times & 15).expect("four bits");
        let scaled = |count: u8| count.wrapping_mul(low) & 15;
        Self { tables: scaled(self.tables), video: scaled(self.video), audio: scaled(self.audio) }
    }

    fn of(&mut self, pid: u16) -> Option<&mut u8> {
        match pid {
            0 | PMT_PID => Some(&mut self.tables),
            VIDEO_PID => Some(&mut self.video),
            AUDIO_PID => Some(&mut self.audio),
            _ => None,
        }
    }
}

/// Writes segments that follow each other.
#[derive(Debug, Default)]
pub struct Writer {
    counters: Counters,
}

impl Writer {
    /// How far the continuity counters have come.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// One segment of `units`, which come in the order they are to be sent.
    ///
    /// The tables name the tracks that have units. The clock rides on the video, on the sound where there is
    /// none.
    pub fn segment(&mut self, units: &[Unit<'_>]) -> Segment {
        let has = |track| units.iter().any(|unit| unit.track == track);
        let (video, audio) = (has(Track::Video), has(Track::Audio));
        let mut out = Segment::default();
        self.tables(&mut out.data, video, audio);
        for unit in units {
            let clock = unit.track == Track::Video || !video;
            out.units.push(out.data.len());
            self.unit(&mut out, unit, clock);
            if unit.track == Track::Video && out.first_picture_end == 0 {
                out.first_picture_end = out.data.len();
            }
        }
        out
    }

    fn tables(&mut self, out: &mut Vec<u8>, video: bool, audio: bool) {
        let counter = next(&mut self.counters.tables);
        // Stream 1, version 0, current, the only section; program 1 is described in packets of PMT_PID.
        let [high, low] = PMT_PID.to_be_bytes();
        table(out, 0, counter, &[0, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | high, low]);
        let clock = if video { VIDEO_PID } else { AUDIO_PID }.to_be_bytes();
        let mut program = vec![2, 0, 1, 0xc1, 0, 0, 0xe0 | clock[0], clock[1], 0xf0, 0];
        for (there, kind, pid) in [(video, 0x1b, VIDEO_PID), (audio, 0x0f, AUDIO_PID)] {
            if there {
                let [high, low] = pid.to_be_bytes();
                program.extend([kind, 0xe0 | high, low, 0xf0, 0]);
            }
        }
        table(out, PMT_PID, counter, &program);
    }

    fn unit(&mut self, out: &mut Segment, unit: &Unit<'_>, clock: bool) {
        let (pid, counter) = match unit.track {
            Track::Video => (VIDEO_PID, &mut self.counters.video),
            Track::Audio => (AUDIO_PID, &mut self.counters.audio),
        };
        let (header, times) = pes_header(unit);
        let mut rest = header.len() + unit.data.len();
        let mut payload = header.iter().chain(unit.data);
        let mut first = true;
        while rest > 0 {
            let start = out.data.len();
            let [high, low] = pid.to_be_bytes();
            let with_clock = first && clock;
            // The adaptation field: its length byte and what follows it. It also fills up the unit's last
            // packet.
            let wanted = if with_clock { 8 } else { usize::from(first && unit.keyframe) * 2 };
            let room = PACKET - 4;
            let field = if rest + wanted < room { room - rest } else { wanted };
            out.data.extend([0x47, u8::from(first) << 6 | high, low]);
            out.data.push(if field > 0 { 0x30 } else { 0x10 } | next(counter));
            if field > 0 {
                out.data.push(u8::try_from(field - 1).expect("less than a packet"));
            }
            if field > 1 {
                let random_access = first && unit.keyframe;
                out.data.push(u8::from(random_access) << 6 | u8::from(with_clock) << 4);
            }
            if with_clock {
                let ticks = (unit.dts + WRAP - CLOCK_LEAD) % WRAP;
                let stamp = Stamp { at: out.data.len(), kind: Kind::Clock, ticks };
                out.stamps.push(stamp);
                out.data.extend(&stamp.bytes(0)[..stamp.len()]);
            }
            out.data.resize(start + 4 + field, 0xff);
            if first {
                let body = out.data.len();
                out.stamps.extend(times.iter().map(|stamp| Stamp { at: body + stamp.at, ..*stamp }));
            }
            let taken = rest.min(room - field);
            out.data.extend(payload.by_ref().take(taken));
            rest -= taken;
            first = false;
        }
    }
}

/// The header of a unit's PES packet, and where its times stand in it.
fn pes_header(unit: &Unit<'_>) -> (Vec<u8>, Vec<Stamp>) {
    let two = unit.dts != unit.pts;
    let fields: u8 = if two { 10 } else { 5 };
    let (id, length) = match unit.track {
        // Unbounded: only video may say so.
        Track::Video => (0xe0, 0),
        Track::Audio => (0xc0, u16::try_from(3 + usize::from(fields) + unit.data.len()).unwrap_or(0)),
    };
    let [high, low] = length.to_be_bytes();
    let mut header = vec![0, 0, 1, id, high, low, 0x84, if two { 0xc0 } else { 0x80 }, fields];
    let mut stamps = Vec::with_capacity(2);
    let times = [(if two { 3 } else { 2 }, unit.pts), (1, unit.dts)];
    for (prefix, ticks) in times.into_iter().take(1 + usize::from(two)) {
        let stamp = Stamp { at: header.len(), kind: Kind::Pes { prefix }, ticks: ticks % WRAP };
        header.extend(&stamp.bytes(0)[..stamp.len()]);
        stamps.push(stamp);
    }
    (header, stamps)
}

impl Stamp {
    fn len(&self) -> usize {
        match self.kind {
            Kind::Pes { .. } => 5,
            Kind::Clock => 6,
        }
    }

    /// The coded time, `delta` later; as many bytes as [`Stamp::len`] says.
    fn bytes(&self, delta: u64) -> [u8; 6] {
        let ticks = (self.ticks + delta % WRAP) % WRAP;
        match self.kind {
            Kind::Pes { prefix } => {
                // Three, fifteen and fifteen bits, each group followed by a one.
                let coded = u64::from(prefix) << 36
                    | (ticks >> 30 & 0x7) << 33
                    | 1 << 32
                    | (ticks >> 15 & 0x7fff) << 17
                    | 1 << 16
                    | (ticks & 0x7fff) << 1
                    | 1;
                let [.., a, b, c, d, e] = coded.to_be_bytes();
                [a, b, c, d, e, 0]
            }
            Kind::Clock => {
                let [.., a, b, c, d, e, f] = (ticks << 15 | 0x7e00).to_be_bytes();
                [a, b, c, d, e, f]
            }
        }
    }
}

impl Segment {
    /// A copy of the bytes of `range` with their times moved by `delta` ticks and their continuity counters
    /// by `counters`.
    ///
    /// The range is cut to the segment and may begin and end in the middle of a packet or a time. Costs a
    /// copy and a look at each packet's head.
    #[must_use]
    pub fn part(&self, range: Range<usize>, delta: u64, mut counters: Counters) -> Vec<u8> {
        let end = range.end.min(self.data.len());
        let start = range.start.min(end);
        let mut part = self.data[start..end].to_vec();
        let first = self.stamps.partition_point(|stamp| stamp.at + stamp.len() <= start);
        for stamp in self.stamps[first..].iter().take_while(|stamp| stamp.at < end) {
            let bytes = stamp.bytes(delta);
            for (at, byte) in (stamp.at..).zip(&bytes[..stamp.len()]) {
                if (start..end).contains(&at) {
                    part[at - start] = *byte;
                }
            }
        }
        let mut packet = start / PACKET * PACKET;
        while packet + 3 < end {
            // The counter is in the fourth byte, the identifier in the two bytes before it.
            if packet + 3 >= start {
                let head = &self.data[packet..packet + 4];
                if let Some(count) = counters.of(u16::from_be_bytes([head[1] & 0x1f, head[2]])) {
                    part[packet + 3 - start] = head[3] & 0xf0 | (head[3] + *count) & 0x0f;
                }
            }
            packet += PACKET;
        }
        part
    }
}

fn next(counter: &mut u8) -> u8 {
    let now = *counter;
    *counter = (now + 1) & 15;
    now
}

/// One packet with one table: its first byte is the table's kind, the length after it and the check at its
/// end are made here.
fn table(out: &mut Vec<u8>, pid: u16, counter: u8, content: &[u8]) {
    let start = out.len();
    let [high, low] = pid.to_be_bytes();
    out.extend([0x47, 0x40 | high, low, 0x10 | counter, 0]);
    let section = out.len();
    let length = u8::try_from(content.len() - 1 + 4).expect("tables of two tracks are short");
    out.extend([content[0], 0xb0, length]);
    out.extend(&content[1..]);
    let check = crc(&out[section..]);
    out.extend(check.to_be_bytes());
    out.resize(start + PACKET, 0xff);
}

/// CRC-32 of the tables (ISO/IEC 13818-1, annex A): polynomial 04C11DB7, start FFFFFFFF, not reflected.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Segment, Counters) {
        let (picture, sound) = ([7_u8; 1000], [9_u8; 300]);
        let units: Vec<_> = (0..12_u64)
            .flat_map(|n| {
                let pts = WRAP - 20_000 + n * 3_000;
                let video = Unit {
                    track: Track::Video,
                    pts: (pts + 6_000) % WRAP,
                    dts: pts % WRAP,
                    keyframe: n == 0,
                    data: &picture[..usize::try_from(n * 83).unwrap() + 1],
                };
                let audio = Unit {
                    track: Track::Audio,
                    pts: pts % WRAP,
                    dts: pts % WRAP,
                    keyframe: true,
                    data: &sound,
                };
                [video, audio]
            })
            .collect();
        let mut writer = Writer::default();
        (writer.segment(&units), writer.counters())
    }

    #[test]
    fn the_check_is_the_published_crc() {
        assert_eq!(crc(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn a_segment_is_whole_packets_that_count_on() {
        let (segment, _) = sample();
        assert_eq!(segment.data.len() % PACKET, 0);
        let mut last = std::collections::BTreeMap::new();
        for packet in segment.data.chunks(PACKET) {
            assert_eq!(packet[0], 0x47);
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            if let Some(before) = last.insert(pid, packet[3] & 15) {
                assert_eq!(packet[3] & 15, (before + 1) & 15, "{pid:x}");
            }
        }
        assert_eq!(last.len(), 4);
        assert_eq!((segment.units.len(), segment.units[0]), (24, 2 * PACKET));
        assert_eq!(segment.units[1], segment.first_picture_end);
        assert!(segment.first_picture_end > 2 * PACKET && segment.first_picture_end < segment.data.len());
    }

    #[test]
    fn any_part_of_a_segment_is_moved_as_the_whole_is() {
        let (segment, counters) = sample();
        let all = 0..segment.data.len();
        assert_eq!(segment.part(all.clone(), 0, counters.times(0)), segment.data);
        for delta in [0, 1, 180_000, WRAP - 1] {
            let whole = segment.part(all.clone(), delta, counters.times(3));
            assert_ne!(whole, segment.data);
            let lengths = [0, 1, 2, 3, 4, 5, 100, 188, 1000, 1 << 20];
            for (start, len) in all.clone().step_by(7).zip(lengths.iter().cycle()) {
                let end = (start + len).min(whole.len());
                let part = segment.part(start..start + len, delta, counters.times(3));
                assert_eq!(part, whole[start..end], "{start}..{end} by {delta}");
            }
        }
    }
}
