//! The Dota 2 pack: on drawn screens, whose truth is known, and on real ones, where there are any.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which prints what it measured")]

mod drawn;
mod matches;
mod pack;
mod portraits;
mod real;
