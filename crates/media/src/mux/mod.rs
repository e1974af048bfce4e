//! Containers we write for others to read, but for MP4 (see `fmp4`).
//!
//! Called by the stand-in world, which cuts its films into segments. Pure: coded pictures and sound in, bytes
//! out.

pub mod ts;
