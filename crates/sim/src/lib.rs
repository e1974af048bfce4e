//! The stand-in world: what the outside sends and takes, made here, so that tests and demonstrations need no camera and no internet.
//!
//! Called by `onair demo`, `onair sim`, tests and benches. Nothing in the service's own path depends on it. Pictures are pure functions
//! of what is passed in: nothing here asks the time or rolls dice.

pub mod picture;
