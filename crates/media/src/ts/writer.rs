//! A small writer of transport streams, so that tests can lay out packets as they please.

use super::tables::crc;

#[derive(Clone, Copy)]
pub(crate) enum Stream {
    H264,
    Aac,
}

pub(crate) struct TsWriter {
    pub(crate) bytes: Vec<u8>,
    counters: Vec<u8>,
}

const FIRST_PID: u16 = 0x100;
const MAP_PID: u16 = 0x1000;

impl TsWriter {
    /// Starts with the tables of one program.
    pub(crate) fn new(streams: &[Stream]) -> Self {
        let mut writer = Self { bytes: Vec::new(), counters: vec![0; streams.len()] };
        let [high, low] = (MAP_PID | 0xe000).to_be_bytes();
        writer.section(0, 0, &[0, 1, high, low]);
        let mut map = vec![0xe1, 0, 0xf0, 0];
        for (pid, stream) in (FIRST_PID..).zip(streams) {
            let kind = match stream {
                Stream::H264 => 0x1b,
                Stream::Aac => 0x0f,
            };
            let [high, low] = (pid | 0xe000).to_be_bytes();
            map.extend([kind, high, low, 0xf0, 0]);
        }
        writer.section(MAP_PID, 2, &map);
        writer
    }

    fn section(&mut self, pid: u16, table: u8, body: &[u8]) {
        let [high, low] = u16::try_from(body.len() + 9).unwrap().to_be_bytes();
        let mut section = vec![table, 0xb0 | high, low, 0, 1, 0xc1, 0, 0];
        section.extend(body);
        section.extend(crc(&section).to_be_bytes());
        let mut packet = self.head(pid, true, 0x10).to_vec();
        packet.push(0);
        packet.extend(section);
        packet.resize(188, 0xff);
        self.bytes.extend(packet);
    }

    fn head(&self, pid: u16, start: bool, flags: u8) -> [u8; 4] {
        let [high, low] = pid.to_be_bytes();
        [0x47, high | u8::from(start) << 6, low, flags]
    }

    /// A PES packet of the stream of this index, its last transport packet filled up; with its length if it is `bounded`.
    pub(crate) fn pes(&mut self, stream: usize, pts: Option<u64>, data: &[u8], bounded: bool) {
        let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0];
        if let Some(pts) = pts {
            let part = |up: u32, mask: u64| u8::try_from(pts >> up & mask).unwrap() << 1 | 1;
            let byte = |up: u32| u8::try_from(pts >> up & 0xff).unwrap();
            (pes[7], pes[8]) = (0x80, 5);
            pes.extend([0x20 | part(30, 7), byte(22), part(15, 0x7f), byte(7), part(0, 0x7f)]);
        }
        if bounded {
            let length = u16::try_from(pes.len() - 6 + data.len()).unwrap().to_be_bytes();
            pes[4..6].copy_from_slice(&length);
        }
        pes.extend(data);
        for (index, piece) in pes.chunks(184).enumerate() {
            let counter = self.counters[stream];
            self.counters[stream] = (counter + 1) & 15;
            let pid = FIRST_PID + u16::try_from(stream).unwrap();
            let missing = 184 - piece.len();
            let field = if missing > 0 { 0x20 } else { 0 };
            let head = self.head(pid, index == 0, 0x10 | field | counter);
            self.bytes.extend(head);
            if missing > 0 {
                self.bytes.push(u8::try_from(missing - 1).unwrap());
                self.bytes.extend([0].iter().chain([0xff; 184].iter()).take(missing - 1));
            }
            self.bytes.extend(piece);
        }
    }
}
