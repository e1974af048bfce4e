//! The stand-in world as its clients see it: over HTTP, read back by FFmpeg's programs.

mod faults;
mod harness;
mod hud;
mod low_latency;
mod media;
mod sink;
mod twitch;
