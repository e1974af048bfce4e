//! Any bytes as a transport stream: pieces must not matter, and what is found keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/segment.rs"]
#[expect(dead_code, reason = "the other target's")]
mod check;

fuzz_target!(|input: &[u8]| check::segment(input));
