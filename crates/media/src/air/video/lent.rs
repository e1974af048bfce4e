//! Pictures that are lent to an encoder instead of copied: it reads the planes where they lie.
//!
//! Called by [`super::Inner`]. The picture is held until FFmpeg has let go of the frame made of it, and is never written.
#![expect(unsafe_code, reason = "the binding has no frames made of memory that is not FFmpeg's")]

use std::ffi::c_void;
use std::sync::Arc;

use ffmpeg_next::{ffi, frame};
use pixels::I420;

/// Samples that encoders read at once, at most. They may read as many beyond a row's end where rows are not so long a multiple.
const VECTOR: u32 = 32;

/// Whether encoders read nothing but the samples of `picture`.
pub(super) fn is_lendable(picture: &I420) -> bool {
    picture.planes().iter().all(|plane| plane.width.is_multiple_of(VECTOR))
}

/// A frame that shows `picture`, to be read only. `None` without memory.
pub(super) fn lend(picture: &Arc<I420>) -> Option<frame::Video> {
    let planes = picture.planes();
    let strides: Vec<i32> =
        planes.iter().map(|plane| i32::try_from(plane.stride).ok()).collect::<Option<_>>()?;
    let mut lent = frame::Video::empty();
    let held = Arc::into_raw(Arc::clone(picture)).cast_mut().cast::<c_void>();
    // SAFETY: the frame is live and ours alone. Its planes are those of the picture, which its buffer holds until nobody refers to it
    // any more; flags say that nobody may write. When the buffer can't be made the picture is taken back.
    unsafe {
        let data = planes[0].data.as_ptr().cast_mut();
        let size = planes[0].data.len();
        let buffer = ffi::av_buffer_create(data, size, Some(give_back), held, ffi::AV_BUFFER_FLAG_READONLY);
        if buffer.is_null() {
            drop(Arc::from_raw(held.cast::<I420>().cast_const()));
            return None;
        }
        let raw = lent.as_mut_ptr();
        (*raw).buf[0] = buffer;
        for (at, (plane, stride)) in planes.iter().zip(strides).enumerate() {
            (*raw).data[at] = plane.data.as_ptr().cast_mut();
            (*raw).linesize[at] = stride;
        }
        (*raw).format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32;
        (*raw).width = picture.width.cast_signed();
        (*raw).height = picture.height.cast_signed();
    }
    Some(lent)
}

/// Called by FFmpeg, on any thread, when nobody refers to the frame any more.
unsafe extern "C" fn give_back(held: *mut c_void, _: *mut u8) {
    // SAFETY: it is what `lend` made of an `Arc`, given back once.
    drop(unsafe { Arc::from_raw(held.cast::<I420>().cast_const()) });
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    #[test]
    fn a_lent_picture_is_read_where_it_lies_and_held_until_the_last_reference_is_gone() {
        let picture = Arc::new(I420::new(64, 4, Range::Limited, Matrix::Bt709));
        assert!(is_lendable(&picture));
        assert!(!is_lendable(&I420::new(96, 4, Range::Limited, Matrix::Bt709)), "48 samples of chroma");
        let lent = lend(&picture).unwrap();
        assert_eq!(lent.data(0).as_ptr(), picture.y.data.as_ptr());
        assert_eq!((lent.width(), lent.height(), lent.stride(2)), (64, 4, 32));
        assert_eq!(Arc::strong_count(&picture), 2);
        let mut other = frame::Video::empty();
        // SAFETY: both are live frames; the second refers to the first one's buffer.
        assert!(unsafe { ffi::av_frame_ref(other.as_mut_ptr(), lent.as_ptr()) } >= 0);
        drop(lent);
        assert_eq!(Arc::strong_count(&picture), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&picture), 1);
    }
}
