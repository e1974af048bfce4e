//! Any JSON as a scene, a layer, a patch, an animation: refused whole, or done and drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/scene.rs"]
mod check;

fuzz_target!(|input: &[u8]| check::scene(input));
