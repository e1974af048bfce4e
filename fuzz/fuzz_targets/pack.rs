//! Any bytes as a pack: no panic, every mistake with its place, and what is taken can read.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/pack.rs"]
mod check;

fuzz_target!(|input: &[u8]| check::pack(input));
