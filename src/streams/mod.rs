//! The hub: every live picture by name, one place where producers and consumers meet.
//!
//! Fed by `sources`, read by `record` and `api`. Knows neither of them: a consumer asks for a [`Viewer`] (latest frame
//! wins) or a tap (every frame, bounded). Frames are coded bytes shared by reference; nothing here decodes, does I/O
//! or holds a lock that two streams share while a frame passes.

mod frame;
mod name;
mod publishers;
mod rate;
mod registry;
mod stream;
mod supply;
mod viewer;

pub use frame::{BOUNDARY, DELIMITER, Frame};
pub use name::StreamName;
pub use publishers::Publisher;
pub use registry::{Change, Registry, Settings};
pub use stream::{Ended, Feed, Picture, State, Stats, Stream};
pub use supply::{Flow, Pace, Stop, Supplied, Supplies, Supply};
pub use viewer::{Lookout, Viewer};
