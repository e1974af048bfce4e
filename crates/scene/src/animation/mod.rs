//! Animations: what changes with program time.
//!
//! [`Animation`] is what clients write, [`Playing`] what the store keeps of it once it plays. Called by the store and by the
//! evaluation of a frame. Nothing is stepped: where an animation is follows from the program time alone.

mod easing;
mod motion;
pub(crate) mod playing;
mod preset;
pub(crate) mod property;
mod spring;
#[cfg(test)]
mod tests;
mod wire;

pub use easing::{Easing, Jump};
pub use playing::{Playing, Score, Status};
pub use wire::{Animation, Direction, KeyValue, Keyframe, Preset, Repeat, Side, Track};

pub(crate) use motion::check as check_path;
