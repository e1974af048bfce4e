//! Has the C library keep the memory that decoders give back, instead of returning it to the kernel at once.
//!
//! Called by whoever decodes many pictures, before the first. A decoder that is made anew for each picture takes a few MB and
//! gives them back; pages that come from the kernel each time are cleared each time, which costs a third of what decoding does.
#![expect(unsafe_code, reason = "a function of the C library")]

/// Keeps up to 16 MB for each thread that decodes; for the whole process, any number of times. Nothing where the C library is
/// not glibc.
pub fn keep_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(keep);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep() {
    use std::ffi::c_int;

    // malloc.h
    const TRIM_THRESHOLD: c_int = -1;
    const MMAP_THRESHOLD: c_int = -3;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: it takes two numbers, and locks what it changes. What it refuses stays as it was.
    unsafe {
        // A plane of 4K fits, so that it comes from the heap.
        mallopt(MMAP_THRESHOLD, 9 << 20);
        mallopt(TRIM_THRESHOLD, 16 << 20);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep() {}
