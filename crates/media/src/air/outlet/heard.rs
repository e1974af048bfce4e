//! What FFmpeg says while an outlet works: the only place where a server's own words, or a certificate's fault, are told.
//!
//! Called by [`super::raw`] around each call, and by [`crate::init`] once. Lines are kept for the thread that listens, a few at
//! a time, and thrown away otherwise: nothing is ever printed.
#![expect(unsafe_code, reason = "FFmpeg formats its lines with C's variable arguments")]

use std::cell::RefCell;

/// Lines kept.
const MOST: usize = 8;

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Listens on this thread until it is ended.
pub(super) struct Heard(());

impl Heard {
    pub(super) fn start() -> Self {
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// What was said, in order; the first few lines.
    pub(super) fn end(self) -> Vec<String> {
        LINES.take().unwrap_or_default()
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

pub(super) fn is_of_tls(line: &str) -> bool {
    ["certificate", "TLS"].iter().any(|word| line.contains(word))
}

pub(super) fn is_of_names(line: &str) -> bool {
    line.contains("Failed to resolve hostname")
}

/// Has FFmpeg speak to us instead of to the terminal.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn listen() {
    use std::ffi::{CStr, c_char, c_int, c_void};

    use ffmpeg_next::ffi;

    const LINE: usize = 512;

    unsafe extern "C" fn line(
        source: *mut c_void,
        level: c_int,
        format: *const c_char,
        values: *mut ffi::__va_list_tag,
    ) {
        // Another thread's, or a thread that ends.
        if level > ffi::AV_LOG_ERROR || !LINES.try_with(|lines| lines.borrow().is_some()).unwrap_or(false) {
            return;
        }
        let mut text: [c_char; LINE] = [0; LINE];
        let mut prefix = 0;
        let size = c_int::try_from(LINE).unwrap_or(0);
        // SAFETY: what FFmpeg gave is passed on as it came; the text is written within its size and ends with a zero byte.
        let text = unsafe {
            ffi::av_log_format_line2(source, level, format, values, text.as_mut_ptr(), size, &raw mut prefix);
            CStr::from_ptr(text.as_ptr())
        };
        let text = text.to_string_lossy().trim().to_owned();
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines.as_mut().filter(|lines| lines.len() < MOST && !text.is_empty()) {
                lines.push(text);
            }
        });
    }

    // SAFETY: the function is there as long as the program and may be called from any thread.
    unsafe { ffi::av_log_set_callback(Some(line)) }
}

/// Elsewhere reasons are as good as FFmpeg's numbers.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn listen() {}
