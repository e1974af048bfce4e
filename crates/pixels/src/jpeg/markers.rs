//! Steps through a JPEG marker by marker, as libjpeg does, so that both see the same segments.
//!
//! Used by `inspect`, `tables` and `decode`. Never reads past the slice, never allocates; every step moves
//! forward, so a walk costs one pass over the bytes.

use memchr::memchr;

/// Marker codes (T.81 table B.1), without their leading FF.
pub(super) mod code {
    pub(crate) const TEM: u8 = 0x01;
    pub(crate) const SOF0: u8 = 0xc0;
    pub(crate) const SOF2: u8 = 0xc2;
    pub(crate) const SOF3: u8 = 0xc3;
    pub(crate) const DHT: u8 = 0xc4;
    pub(crate) const SOF5: u8 = 0xc5;
    pub(crate) const SOF7: u8 = 0xc7;
    pub(crate) const JPG: u8 = 0xc8;
    pub(crate) const SOF9: u8 = 0xc9;
    pub(crate) const SOF11: u8 = 0xcb;
    pub(crate) const DAC: u8 = 0xcc;
    pub(crate) const SOF13: u8 = 0xcd;
    pub(crate) const SOF15: u8 = 0xcf;
    pub(crate) const RST0: u8 = 0xd0;
    pub(crate) const RST7: u8 = 0xd7;
    pub(crate) const SOI: u8 = 0xd8;
    pub(crate) const EOI: u8 = 0xd9;
    pub(crate) const SOS: u8 = 0xda;
    pub(crate) const DQT: u8 = 0xdb;
    pub(crate) const DNL: u8 = 0xdc;
    pub(crate) const DRI: u8 = 0xdd;
    pub(crate) const DHP: u8 = 0xde;
    pub(crate) const EXP: u8 = 0xdf;
    pub(crate) const APP0: u8 = 0xe0;
    pub(crate) const APP1: u8 = 0xe1;
    pub(crate) const APP14: u8 = 0xee;
    pub(crate) const APP15: u8 = 0xef;
    pub(crate) const COM: u8 = 0xfe;
}

/// A marker and, when it has one, its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marker<'a> {
    pub(super) code: u8,
    /// Where its last FF stands.
    pub(super) at: usize,
    /// The segment without its two length bytes; empty for markers that stand alone.
    pub(super) payload: &'a [u8],
}

/// Why there is no next marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes ended first.
    End,
    /// A segment says it is shorter than its own length field.
    BadLength,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Markers<'a> {
    bytes: &'a [u8],
    /// Next byte to look at.
    at: usize,
}

impl<'a> Markers<'a> {
    /// Starts behind the start-of-image marker, which the caller has seen.
    pub(super) fn after_soi(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next marker with its segment. Fill bytes, and bytes between segments, are passed over as libjpeg
    /// does.
    pub(super) fn next(&mut self) -> Result<Marker<'a>, Stop> {
        let code = self.seek(|code| code != 0).ok_or(Stop::End)?;
        let at = self.at - 2;
        let mut payload: &[u8] = &[];
        if !stands_alone(code) {
            let &[high, low] = self.bytes.get(self.at..self.at + 2).ok_or(Stop::End)? else {
                return Err(Stop::End);
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length < 2 {
                return Err(Stop::BadLength);
            }
            payload = self.bytes.get(self.at + 2..self.at + length).ok_or(Stop::End)?;
            self.at += length;
        }
        Ok(Marker { code, at, payload })
    }

    /// Passes over entropy-coded data up to the marker that ends it; stuffed zeros and restart markers belong
    /// to it. The bytes passed over, or `None` when the data never end.
    pub(super) fn skip_entropy(&mut self) -> Option<usize> {
        let start = self.at;
        self.seek(|code| code != 0 && !(code::RST0..=code::RST7).contains(&code))?;
        self.at -= 2;
        Some(self.at - start)
    }

    /// Moves behind the next FF xx whose xx is not FF and is `wanted`.
    fn seek(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        loop {
            let found = self.at + memchr(0xff, self.bytes.get(self.at..)?)?;
            let code = *self.bytes.get(found + 1)?;
            if code == 0xff {
                self.at = found + 1;
                continue;
            }
            self.at = found + 2;
            if wanted(code) {
                return Some(code);
            }
        }
    }
}

fn stands_alone(code: u8) -> bool {
    matches!(code, code::TEM | code::RST0..=code::RST7 | code::SOI | code::EOI)
}
