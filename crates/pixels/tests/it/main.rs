//! What `pixels` promises about JPEG, tested from outside, on files it makes itself and on hostile ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers of the test pictures are small")]
#![allow(clippy::print_stdout, reason = "what became of each collected file is worth reading")]

mod composing;
mod hostile;
mod inspecting;
mod making;
mod showing;
