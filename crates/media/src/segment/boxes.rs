//! Boxes of MP4 (ISO/IEC 14496-12, 4.2) inside bytes that are there.

/// The boxes in `bytes`, one after the other, until one isn't whole.
pub(super) fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, header, size) = header(bytes)?;
        let size = match size {
            Some(size) => usize::try_from(size).ok()?,
            None => bytes.len(),
        };
        let (whole, after) = bytes.split_at_checked(size)?;
        bytes = after;
        Some((kind, &whole[header..]))
    })
}

/// Kind, bytes of the header and of the whole box (`None`: to the end of the file) of what starts with `bytes`.
///
/// `None` too if the size can't be: [`header_len`] tells whether more bytes would help.
pub(super) fn header(bytes: &[u8]) -> Option<([u8; 4], usize, Option<u64>)> {
    let (&[a, b, c, d, kind @ ..], rest) = bytes.split_first_chunk::<8>()?;
    match u32::from_be_bytes([a, b, c, d]) {
        0 => Some((kind, 8, None)),
        1 => {
            let size = u64::from_be_bytes(*rest.first_chunk()?);
            (size >= 16).then_some((kind, 16, Some(size)))
        }
        size => (size >= 8).then_some((kind, 8, Some(u64::from(size)))),
    }
}

/// Bytes a header needs, by its first four.
pub(super) fn header_len(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 }
}

/// The content of the first box of this kind.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|found| found.0 == *kind).map(|found| found.1)
}

pub(super) fn descend<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| child(bytes, kind))
}

/// Big-endian fields, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*value))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*value))
    }

    /// Version and flags of a FullBox.
    pub(super) fn full(&mut self) -> Option<(u8, u32)> {
        let [version, flags @ ..] = self.u32()?.to_be_bytes();
        Some((version, u32::from_be_bytes([0, flags[0], flags[1], flags[2]])))
    }

    /// 64 bits in version 1 boxes, else 32.
    pub(super) fn time(&mut self, version: u8) -> Option<u64> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }
}
