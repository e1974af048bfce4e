//! Scoreboards: how many scores and clocks are read right, drawn ones and real ones.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixels of small pictures"
)]

mod draw;
mod drawn;
mod fifa20;
mod numerals;
mod real;
