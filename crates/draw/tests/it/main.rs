//! What `draw` promises, tested from outside: pictures compared with golden ones, hostile input, image files made here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "the numbers of the test pictures are small")]
#![allow(clippy::cast_sign_loss, reason = "the numbers of the test pictures are small")]
#![allow(clippy::too_many_lines, reason = "a table of cases")]

mod golden;
mod hostile;
mod images;
mod looks;
