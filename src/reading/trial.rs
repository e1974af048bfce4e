//! Pictures that somebody sends to see what would be read of them.

use pixels::jpeg::{self, Decoder};
use pixels::{I420, Matrix, Range};

use crate::base::error::{Error, Kind, Result};

/// The planes of a JPEG or PNG.
///
/// # Errors
/// `WrongType` when it is neither; `Invalid` when it is damaged or a side is longer than `most_side`.
pub(super) fn picture(bytes: &[u8], most_side: u32) -> Result<I420> {
    let wrong = |why: String| Error::invalid("body", why);
    if bytes.starts_with(&[0x89, b'P', b'N', b'G']) {
        let picture = packs::picture::from_png(bytes).map_err(|e| wrong(format!("the PNG {e}")))?;
        if picture.width > most_side || picture.height > most_side {
            return Err(wrong(format!("a side has more than {most_side} pixels (limits.max_side)")));
        }
        return Ok(picture);
    }
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(Error::new(Kind::WrongType, "the body is no JPEG and no PNG"));
    }
    let most = u16::try_from(most_side).unwrap_or(u16::MAX);
    let header = jpeg::inspect(bytes, most).map_err(|e| wrong(e.to_string()))?;
    let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
    let mut decoder = Decoder::new().map_err(|e| Error::internal("a JPEG can't be decoded", e))?;
    decoder.decode(bytes, &header, &mut picture).map_err(|e| wrong(e.to_string()))?;
    Ok(picture)
}
