//! Recordings from end to end: real streams, real files, a simulated clock; what was written is read back by
//! ffprobe.

mod harness;
mod playing;
mod recovery;
mod threads;
mod trouble;
