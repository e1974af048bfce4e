//! The two things the binding does not offer.
#![expect(unsafe_code, reason = "fields and functions the binding leaves out")]

use ffmpeg_next::{Error, encoder, ffi, frame};

/// Gives `frame` a buffer of its own if another reference shares it.
pub(super) fn make_writable(frame: &mut frame::Video) -> Result<(), Error> {
    // SAFETY: the pointer is that of a live frame with buffers, held mutably for the call.
    let status = unsafe { ffi::av_frame_make_writable(frame.as_mut_ptr()) };
    if status < 0 { Err(Error::from(status)) } else { Ok(()) }
}

/// The headers of an open encoder; empty if it has none.
pub(super) fn extradata(encoder: &encoder::Video) -> &[u8] {
    // SAFETY: the context is open and outlives the borrow; FFmpeg sets pointer and size together when opening and leaves
    // them alone afterwards.
    unsafe {
        let context = encoder.as_ptr();
        let (data, size) = ((*context).extradata, (*context).extradata_size);
        match usize::try_from(size) {
            Ok(size) if size > 0 && !data.is_null() => std::slice::from_raw_parts(data, size),
            _ => &[],
        }
    }
}
