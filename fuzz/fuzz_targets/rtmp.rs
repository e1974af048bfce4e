//! Any bytes from a publisher: the pieces must not change what is understood.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/rtmp.rs"]
mod check;

fuzz_target!(|input: &[u8]| check::rtmp(input));
