//! What the binding does not offer.
#![expect(unsafe_code, reason = "fields the binding leaves out")]

use ffmpeg_next::{Error, codec, ffi, frame};

pub(crate) use super::Edges;

/// Gives a decoder that is not open yet the stream's headers, and a limit to the pictures it makes room for.
pub(crate) fn prepare(
    context: &mut codec::Context,
    config: &[u8],
    max_pixels: i64,
    edges: Edges,
) -> Result<(), Error> {
    let no_memory = Error::Other { errno: ffmpeg_next::util::error::ENOMEM };
    let padding = ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
    let size = i32::try_from(config.len()).map_err(|_| no_memory)?;
    // SAFETY: the context is live and held mutably, and not open yet, so that its fields may be set. The buffer has room for the
    // bytes copied and the padding FFmpeg demands, comes from FFmpeg's allocator, and is freed with the context.
    unsafe {
        let context = context.as_mut_ptr();
        (*context).max_pixels = max_pixels;
        if edges == Edges::AsCoded {
            (*context).skip_loop_filter = ffi::AVDiscard::AVDISCARD_ALL;
        }
        if size > 0 {
            let buffer = ffi::av_mallocz(config.len() + padding).cast::<u8>();
            if buffer.is_null() {
                return Err(no_memory);
            }
            std::ptr::copy_nonoverlapping(config.as_ptr(), buffer, config.len());
            (*context).extradata = buffer;
            (*context).extradata_size = size;
        }
    }
    Ok(())
}

/// Whether the decoder concealed errors or lacked something the picture refers to.
pub(crate) fn made_up(decoded: &frame::Video) -> bool {
    // SAFETY: the frame is live for the call.
    unsafe { (*decoded.as_ptr()).decode_error_flags != 0 }
}

/// Width and height of the pictures a decoder expects, as far as its headers said.
pub(crate) fn size(context: &codec::Context) -> (u32, u32) {
    // SAFETY: the context is live; the fields are plain numbers.
    let (width, height) = unsafe { ((*context.as_ptr()).width, (*context.as_ptr()).height) };
    (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0))
}
