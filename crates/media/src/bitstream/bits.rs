//! Reads bits, most significant first, with the Exp-Golomb codes of ITU-T H.264, 9.1, and the `leb128` of AV1, 4.10.5.

/// A cursor over bits; every read is `None` past the end.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// The next `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// `ue(v)`, of at most 32 bits.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// `se(v)`.
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        let value = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
        i32::try_from(value).ok()
    }
}

/// The first `most` bytes of a NAL unit without the bytes that prevent false start codes (ITU-T H.264, 7.4.1).
pub(super) fn unescaped(unit: &[u8], most: usize) -> Vec<u8> {
    let unit = &unit[..unit.len().min(most)];
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golomb_codes_read_as_the_standard_tables_them() {
        // 1, 010, 011, 00100, 00101, 00110 are 0 to 5; as signed 0, 1, -1, 2, -2, 3.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1001_1000];
        let mut bits = Bits::new(&bytes);
        assert_eq!([(); 6].map(|()| bits.ue()), [0, 1, 2, 3, 4, 5].map(Some));
        let mut bits = Bits::new(&bytes);
        assert_eq!([(); 6].map(|()| bits.se()), [0, 1, -1, 2, -2, 3].map(Some));
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        assert_eq!(Bits::new(&[]).bit(), None);
        assert_eq!(Bits::new(&[0; 8]).ue(), None, "a code of more than 32 bits");
        assert_eq!(Bits::new(&[1]).ue(), None, "a code cut off");
        assert_eq!(Bits::new(&[0, 0, 0, 1, 255, 255, 255, 254]).ue(), Some(u32::MAX - 1));
        assert_eq!(Bits::new(&[0xff]).bits(9), None);
        assert_eq!(Bits::new(&[0xff]).skip(9), None);
        assert_eq!(Bits::new(&[0xff]).skip(usize::MAX), None);
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3], 100), [1, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(unescaped(&[0, 0, 3, 5], 3), [0, 0]);
    }
}
