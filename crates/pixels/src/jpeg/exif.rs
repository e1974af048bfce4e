//! The one thing we want from EXIF: which way up the picture is.
//!
//! Called by `inspect` with the payload of an APP1 segment. Offsets in it are a stranger's: every read is
//! checked, and whatever is wrong means "upright".

/// Tag 274, Orientation (TIFF 6.0, page 36).
const ORIENTATION: u16 = 0x0112;
/// Field type SHORT (TIFF 6.0, page 15).
const SHORT: u16 = 3;

/// Orientation 1–8 of an APP1 payload, `None` when it is no EXIF, has none or is broken.
pub(super) fn orientation(app1: &[u8]) -> Option<u8> {
    let tiff = Tiff::new(app1.strip_prefix(b"Exif\0\0")?)?;
    let directory = usize::try_from(tiff.u32(4)?).ok()?;
    let room = tiff.bytes.len().checked_sub(directory)? / 12;
    let entries = usize::from(tiff.u16(directory)?).min(room);
    (0..entries).map_while(|index| directory.checked_add(2 + 12 * index)).find_map(|entry| {
        if tiff.u16(entry)? != ORIENTATION {
            return None;
        }
        let (kind, count, value) = (tiff.u16(entry + 2)?, tiff.u32(entry + 4)?, tiff.u16(entry + 8)?);
        let value = u8::try_from(value).ok()?;
        (kind == SHORT && count == 1 && (1..=8).contains(&value)).then_some(value)
    })
}

struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..4)? {
            b"II\x2a\0" => true,
            b"MM\0\x2a" => false,
            _ => return None,
        };
        Some(Self { bytes, little })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }
}

/// An APP1 payload that says `orientation`, for tests.
#[cfg(test)]
pub(super) fn app1(orientation: u16, little: bool) -> Vec<u8> {
    let short = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
    let long = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
    let mut out = b"Exif\0\0".to_vec();
    out.extend_from_slice(if little { b"II" } else { b"MM" });
    out.extend(short(42));
    out.extend(long(8));
    out.extend(short(2));
    for (tag, value) in [(0x0100, 640), (ORIENTATION, orientation)] {
        out.extend(short(tag));
        out.extend(short(SHORT));
        out.extend(long(1));
        out.extend(short(value));
        out.extend(short(0));
    }
    out.extend(long(0));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_are_read() {
        for value in 1..=8 {
            for little in [true, false] {
                assert_eq!(orientation(&app1(value, little)), u8::try_from(value).ok());
            }
        }
    }

    #[test]
    fn impossible_orientations_and_hostile_offsets_mean_upright() {
        assert_eq!(orientation(&app1(0, true)), None);
        assert_eq!(orientation(&app1(9, false)), None);
        assert_eq!(orientation(&app1(256 + 6, true)), None);
        let good = app1(6, true);
        for len in 0..good.len() {
            orientation(&good[..len]);
        }
        for offset in [0_u32, 7, 37, 38, 0x7fff_ffff, 0xffff_fffc, u32::MAX] {
            let mut hostile = good.clone();
            hostile[10..14].copy_from_slice(&offset.to_le_bytes());
            assert_eq!(orientation(&hostile), None, "{offset:#x}");
        }
        let mut many = good.clone();
        many[14..16].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(orientation(&many), Some(6));
    }
}
