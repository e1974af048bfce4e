//! What the C library does with the memory that decoders give back: some is kept at hand, the rest is returned to the kernel.
//!
//! Called by whoever decodes many pictures. A decoder that is made anew for each picture takes a few MB and gives them back;
//! pages that come from the kernel each time are cleared each time, which costs a third of what decoding does. But what lives
//! longer lies between what decoders take, so that freed memory would stay with us for good unless it is returned now and then.
#![expect(unsafe_code, reason = "functions of the C library")]

/// Keeps up to 8 MB for each thread that decodes; for the whole process, any number of times, before the first picture.
/// Nothing where the C library is not glibc.
pub fn keep_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(library::keep);
}

/// Returns what the whole process has freed to the kernel, but for what [`keep_memory`] keeps.
///
/// Takes milliseconds, and whoever allocates meanwhile may wait for it: for a thread nobody waits for, a few times a minute
/// at most. Nothing where the C library is not glibc.
pub fn release_memory() {
    library::release();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod library {
    use std::ffi::c_int;

    // malloc.h
    const TRIM_THRESHOLD: c_int = -1;
    const MMAP_THRESHOLD: c_int = -3;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
        fn malloc_trim(pad: usize) -> c_int;
    }

    pub(super) fn keep() {
        // SAFETY: it takes two numbers, and locks what it changes. What it refuses stays as it was.
        unsafe {
            // A plane of 4K fits, so that it comes from the heap.
            mallopt(MMAP_THRESHOLD, 9 << 20);
            // More than a picture of 1080 lines takes.
            mallopt(TRIM_THRESHOLD, 8 << 20);
        }
    }

    pub(super) fn release() {
        // SAFETY: it takes a number, locks each heap while it works on it, and touches only what is free.
        unsafe {
            malloc_trim(0);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod library {
    pub(super) fn keep() {}

    pub(super) fn release() {}
}
