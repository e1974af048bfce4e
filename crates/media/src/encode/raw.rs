//! What the binding does not offer.
#![expect(unsafe_code, reason = "fields and functions the binding leaves out")]

use ffmpeg_next::{Error, encoder, ffi, frame};

/// Whether nobody else refers to the buffer of `frame`.
pub(crate) fn is_writable(frame: &mut frame::Video) -> bool {
    // SAFETY: the pointer is that of a live frame, held mutably for the call.
    unsafe { ffi::av_frame_is_writable(frame.as_mut_ptr()) > 0 }
}

/// Sets the quality, as FFmpeg measures it, that an encoder with a fixed quantiser codes `frame` with.
pub(crate) fn set_quality(frame: &mut frame::Video, lambda: i32) {
    // SAFETY: the pointer is that of a live frame, held mutably for the call; the field is a plain number.
    unsafe { (*frame.as_mut_ptr()).quality = lambda };
}

/// Gives `frame` a buffer of its own, with a copy of what is in it, if another reference shares it.
pub(crate) fn make_writable(frame: &mut frame::Video) -> Result<(), Error> {
    // SAFETY: the pointer is that of a live frame with buffers, held mutably for the call.
    let status = unsafe { ffi::av_frame_make_writable(frame.as_mut_ptr()) };
    if status < 0 { Err(Error::from(status)) } else { Ok(()) }
}

/// The headers of an open encoder; empty if it has none.
pub(crate) fn extradata(encoder: &encoder::Video) -> &[u8] {
    // SAFETY: the context is open and outlives the borrow; FFmpeg sets pointer and size together when opening
    // and leaves them alone afterwards.
    unsafe {
        let context = encoder.as_ptr();
        let (data, size) = ((*context).extradata, (*context).extradata_size);
        match usize::try_from(size) {
            Ok(size) if size > 0 && !data.is_null() => std::slice::from_raw_parts(data, size),
            _ => &[],
        }
    }
}

/// The same of an encoder of sound.
pub(crate) fn sound_extradata(encoder: &encoder::Audio) -> &[u8] {
    // SAFETY: as above.
    unsafe {
        let context = encoder.as_ptr();
        let (data, size) = ((*context).extradata, (*context).extradata_size);
        match usize::try_from(size) {
            Ok(size) if size > 0 && !data.is_null() => std::slice::from_raw_parts(data, size),
            _ => &[],
        }
    }
}
