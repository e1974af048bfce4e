//! Takes a picture from each pull stream every few seconds, and keeps the last ones.

pub mod schedule;
