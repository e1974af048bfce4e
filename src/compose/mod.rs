//! The compositor at work: scenes with the files they show, from the store to frames.
//!
//! What a scene is, is in `crates/scene`; what its pixels are, in `crates/render`. Here is what connects them to files,
//! threads and clocks. Called by `cli` for scenes offline.

pub mod offline;
