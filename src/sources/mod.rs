//! What feeds streams: pictures pushed to us, and keyframes pulled from channels, playlists, live inputs and files; in full, while
//! a layer shows them.
//!
//! Calls `streams` and `egress`; called by `api`, which owns the sockets, and by whoever captures. Knows nothing of routes,
//! status codes or schedules.

pub mod push;
pub mod rtmp;

mod failure;
mod flow;
mod hls;
mod live;
pub mod pull;
pub mod quality;
mod streamlink;
pub mod target;
pub mod twitch;
mod web;

pub use failure::{Cause, Failure, FailureKind};
pub use flow::Full;
pub use hls::{Map, SegmentInfo, SegmentKind};
pub use pull::{Captured, Details, Puller, Shared};
pub use quality::{NotAQuality, Quality};
pub use target::{Login, Target};
