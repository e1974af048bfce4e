//! The stand-in world as its clients see it: over HTTP, read back by FFmpeg's programs.

mod faults;
mod harness;
mod media;
mod twitch;
