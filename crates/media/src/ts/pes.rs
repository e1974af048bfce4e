//! Headers of packetised elementary streams (ISO/IEC 13818-1, 2.4.3.6).

/// The PES packet being read.
#[derive(Debug, Default)]
pub(super) struct Pes {
    /// What of the header has come; empty once it is whole.
    header: Vec<u8>,
    state: State,
    /// Bytes of the packet by its header (`None`: until the next one), and bytes that came.
    length: Option<usize>,
    came: usize,
    stuffed: bool,
    /// Where the picture's bytes start in the payload last pushed.
    at: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first packet, or after a loss.
    #[default]
    Outside,
    Header,
    Inside,
}

/// A PES packet whose header is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) pts: Option<u64>,
}

/// Before the PTS: start code, stream, length, flags, length of the header's rest.
const FIXED: usize = 9;

impl Pes {
    pub(super) fn lost(&mut self) {
        self.state = State::Outside;
    }

    /// Takes the payload of the next transport packet; says when a packet's header became whole with it.
    pub(super) fn push(&mut self, start: bool, stuffed: bool, payload: &[u8]) -> Option<Start> {
        if start {
            self.header.clear();
            self.state = State::Header;
        }
        self.stuffed = stuffed;
        self.at = match self.state {
            State::Outside => payload.len(),
            State::Inside => 0,
            State::Header => {
                let before = self.header.len();
                self.header.extend_from_slice(payload);
                let whole =
                    FIXED + self.header.get(FIXED - 1).map_or(usize::MAX - FIXED, |rest| usize::from(*rest));
                let begun = self.header.get(..4).is_none_or(is_video);
                if !begun || self.header.len() < whole {
                    self.state = if begun { State::Header } else { State::Outside };
                    self.at = payload.len();
                    return None;
                }
                let length = usize::from(u16::from_be_bytes([self.header[4], self.header[5]]));
                self.length = (length > 0).then(|| length.saturating_sub(whole - 6));
                self.state = State::Inside;
                let pts = pts(&self.header[..whole]);
                // Its header may be longer than a transport packet.
                self.at = whole.saturating_sub(before);
                self.came = payload.len() - self.at;
                return Some(Start { pts });
            }
        };
        self.came += payload.len() - self.at;
        None
    }

    /// The picture's bytes in the payload last pushed.
    pub(super) fn take<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.at..).unwrap_or_default()
    }

    /// Whether all of it came: as many bytes as it has by its own word, or else up to a filled-up transport packet.
    ///
    /// Some muxers write a length that overflowed, so that more comes than it says; it is no evidence then.
    pub(super) fn ended_clean(&self) -> bool {
        self.state == State::Inside
            && match self.length {
                Some(length) if self.came <= length => self.came == length,
                _ => self.stuffed,
            }
    }
}

/// Whether a PES packet's start is that of a video stream.
fn is_video(start: &[u8]) -> bool {
    start[..3] == [0, 0, 1] && matches!(start[3], 0xe0..=0xef | 0xfd)
}

/// The PTS in the header at the start of `bytes`, ticks of 1/90000 s.
pub(super) fn pts(bytes: &[u8]) -> Option<u64> {
    if !bytes.starts_with(&[0, 0, 1]) || bytes.get(6)? >> 6 != 2 || bytes.get(7)? & 0x80 == 0 {
        return None;
    }
    let [a, b, c, d, e] = *bytes.get(9..14)? else { return None };
    let part = |byte: u8, mask: u8, up: u32| u64::from(byte & mask) << up;
    Some(part(a, 0x0e, 29) | part(b, 0xff, 22) | part(c, 0xfe, 14) | part(d, 0xff, 7) | part(e, 0xfe, 0) >> 1)
}
