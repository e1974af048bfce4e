//! Everything that touches pixels at speed: planes, JPEG, colour and range conversion, scaling, composing.
//!
//! Called by the stream hub (wholeness of pushed frames), the recorder, the snapshot route and the stand-in
//! world. Pure: bytes and planes in, bytes and planes out. Nothing here does I/O, reads a clock, starts a
//! thread or knows tokio, and nothing here sizes an allocation from a stranger's header before
//! [`jpeg::inspect`] has passed that header.

pub mod plane;

pub mod jpeg;

pub mod convert;

pub mod scale;

pub mod warp;

pub mod correlate;

pub mod compose;

pub use plane::{I420, Lent, Matrix, Plane, Range, View};
pub use scale::scale;
pub use warp::{Quad, sample, warp};
