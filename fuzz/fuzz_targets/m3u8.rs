//! Any bytes as a playlist: no panic, and never more than the text says.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/m3u8.rs"]
mod check;

fuzz_target!(|input: &[u8]| check::m3u8(input));
