//! What feeds streams. So far: pictures pushed to us.
//!
//! Calls `streams`; called by `api`, which owns the sockets. Knows nothing of routes or status codes.

pub mod push;
