//! Keeps OCR on the thread that asked for it. Called by the text reader, before each reading.
//!
//! Tesseract hands parts of one line to four threads of OpenMP, which wait for each other by spinning. A line of a scoreboard
//! is far too little for that: it cost four times the time of one thread, and starved whoever else wanted a core. The number
//! is asked for in Tesseract's code, so only OpenMP itself can refuse. Does nothing where Tesseract was built without OpenMP.

use std::sync::OnceLock;

/// `void omp_set_max_active_levels(int)` (OpenMP 5.0, 3.2.15).
type SetLevels = unsafe extern "C" fn(libc::c_int);

/// From now on this thread forks no others for parallel parts.
pub(super) fn keep() {
    static SET: OnceLock<Option<SetLevels>> = OnceLock::new();
    if let Some(set) = SET.get_or_init(find) {
        // SAFETY: the function takes a number by value, and changes nothing but the calling thread's own setting.
        #[expect(unsafe_code, reason = "OpenMP has no other door")]
        unsafe {
            set(0);
        }
    }
}

fn find() -> Option<SetLevels> {
    // SAFETY: the name ends in 0, and the default handle needs no opening.
    #[expect(unsafe_code, reason = "the library is there only if Tesseract brought it")]
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"omp_set_max_active_levels".as_ptr()) };
    // SAFETY: what is called so has this type in every version of OpenMP since 3.0; null is `None`.
    #[expect(unsafe_code, reason = "a symbol has no type")]
    unsafe {
        std::mem::transmute::<*mut libc::c_void, Option<SetLevels>>(found)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn openmp_is_there_and_refuses_to_fork() {
        assert!(super::find().is_some(), "Debian's Tesseract is built with OpenMP");
        super::keep();
        // SAFETY: no argument; reads the calling thread's own setting.
        #[expect(unsafe_code, reason = "OpenMP has no other door")]
        let levels = unsafe {
            let get = libc::dlsym(libc::RTLD_DEFAULT, c"omp_get_max_active_levels".as_ptr());
            std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> libc::c_int>(get)()
        };
        assert_eq!(levels, 0);
    }
}
