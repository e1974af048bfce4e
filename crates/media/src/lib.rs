//! Coded media: the bits of containers and codecs.
//!
//! Called by the publish routes, the recorder, the pull sources and `onair publish`. The parsers and writers are sans-IO: bytes
//! in, bytes out, no clock, no socket, no thread.

pub mod multipart;
pub mod time;
