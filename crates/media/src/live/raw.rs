//! What the binding does not offer: opening with a forced format and a watch over redirects, and what to read of which stream.
#![expect(unsafe_code, reason = "functions and fields the binding leaves out")]

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ffmpeg_next::util::error::{EINVAL, ENOMEM};
use ffmpeg_next::util::interrupt;
use ffmpeg_next::{Dictionary, Error, ffi, format};

/// The context that an interrupt callback looks at.
struct Watched(*mut ffi::AVFormatContext);

// SAFETY: the callback runs only inside FFmpeg's calls on this very context, on whichever thread makes them.
unsafe impl Send for Watched {}

impl Watched {
    /// Whether the server led the context to another address than `url`. RTSP follows redirects by itself, past every check; it
    /// changes the URL first and asks the callback before a byte is sent there.
    fn redirected(&self, url: &CStr) -> bool {
        // SAFETY: the context lives as long as the callback is called; its URL is null or ends with a zero byte.
        unsafe {
            let now = (*self.0).url;
            !now.is_null() && CStr::from_ptr(now) != url
        }
    }
}

/// Opens a URL as `format` (by its content where `None`) and reads what its streams are.
pub(crate) fn open(
    url: &str,
    format: Option<&str>,
    options: Dictionary<'_>,
    stop: Arc<AtomicBool>,
) -> Result<format::context::Input, Error> {
    let bad = |_| Error::Other { errno: EINVAL };
    let url = CString::new(url).map_err(bad)?;
    let format = format.map(CString::new).transpose().map_err(bad)?;
    // SAFETY: the strings live until after the calls. The context is FFmpeg's own and is freed by `avformat_open_input` when that
    // fails, by `avformat_close_input` or by the wrapper. The callback's box is held by `guard`, which the wrapper takes over, or
    // which is dropped after the context is gone.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(Error::Other { errno: ENOMEM });
        }
        let format = match &format {
            Some(name) => ffi::av_find_input_format(name.as_ptr()),
            None => ptr::null(),
        };
        let watched = Watched(context);
        let given = url.clone();
        let interrupt = interrupt::new(Box::new(move || {
            // The whole of it, and not its pointer alone, moves in here.
            let watched = &watched;
            stop.load(Ordering::Relaxed) || watched.redirected(&given)
        }));
        (*context).interrupt_callback = interrupt.interrupt;
        let mut options = options.disown();
        let opened =
            ffi::avformat_open_input(&raw mut context, url.as_ptr(), format.cast_mut(), &raw mut options);
        drop(Dictionary::own(options));
        if opened < 0 {
            return Err(Error::from(opened));
        }
        let found = ffi::avformat_find_stream_info(context, ptr::null_mut());
        if found < 0 {
            ffi::avformat_close_input(&raw mut context);
            return Err(Error::from(found));
        }
        Ok(format::context::Input::wrap_with_interrupt(context, interrupt.guard))
    }
}

/// Reads nothing of any stream but `kept`.
///
/// Of those it reads all: told to leave out what is no keyframe, FFmpeg's MP4 demuxer gives the keyframes wrong times.
pub(crate) fn only(input: &mut format::context::Input, kept: &[usize]) {
    for index in (0..input.streams().len()).filter(|index| !kept.contains(index)) {
        let Some(mut stream) = input.stream_mut(index) else { continue };
        // SAFETY: the stream is live and held mutably.
        unsafe { (*stream.as_mut_ptr()).discard = ffi::AVDiscard::AVDISCARD_ALL };
    }
}

/// When the container begins, in units of FFmpeg's own (`AV_TIME_BASE` a second).
pub(crate) fn start_time(input: &format::context::Input) -> i64 {
    // SAFETY: the context is live; the field is a plain number.
    unsafe { (*input.as_ptr()).start_time }
}

/// The headers of a stream; empty if it has none.
pub(super) fn extradata(input: &format::context::Input, stream: usize) -> Vec<u8> {
    let Some(stream) = input.stream(stream) else { return Vec::new() };
    // SAFETY: the stream is live for the call; FFmpeg keeps pointer and size of its headers in step.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let (data, size) = ((*parameters).extradata, (*parameters).extradata_size);
        match usize::try_from(size) {
            Ok(size) if size > 0 && !data.is_null() => std::slice::from_raw_parts(data, size).to_vec(),
            _ => Vec::new(),
        }
    }
}
