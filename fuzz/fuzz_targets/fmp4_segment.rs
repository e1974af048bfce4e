//! Any bytes as fragmented MP4, with its header apart and with all in one.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/segment.rs"]
mod check;

fuzz_target!(|input: &[u8]| {
    check::segment(input);
    check::with_init(input);
});
