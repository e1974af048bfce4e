//! Any bytes: chunking must not change what is read, and memory stays within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/multipart.rs"]
mod check;

fuzz_target!(|input: &[u8]| check::multipart(input));
