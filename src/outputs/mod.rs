//! What leaves the machine: the program, encoded once and sent to any number of destinations.
//!
//! ```text
//! compose::Frames ─► encode ─┐            ┌─► queue ─► destination a (RTMP)      one thread each
//!                            ├─► lane ────┼─► queue ─► destination b (file)
//!            silence ─► sound┘            └─► queue ─► destination c (HLS) ─► api
//! ```
//!
//! [`Outputs`] keeps what outputs there are, over restarts, and lets them run while the program is on air. Each destination
//! has a thread, a queue and a state of its own, so that none disturbs another; a lane is one encode, shared by all that
//! take the same. Called by `api` and `app`. Nothing in here decides whether the program is on air.

mod address;
mod audio;
mod backoff;
mod definition;
mod desk;
mod destination;
mod encode;
mod governor;
mod handle;
mod hls;
mod lane;
mod listen;
mod machine;
mod meters;
mod pace;
mod preview;
mod profiles;
mod queue;
mod rounds;
mod run;
mod settings;
mod slate;
mod sound;
mod stamp;
mod twitter;

pub use audio::{Levels, Origin, Source};
pub use definition::{Defaults, Definition, Kind, Recipe};
pub use destination::Shown;
pub use governor::Effort;
pub use handle::{Event, Outputs, Parts, View};
pub use hls::Hls;
pub use lane::LaneView;
pub use machine::State;
pub use meters::Encoding;
pub use profiles::{Asked, KBPS, Plan, Profile, SOUND_KBPS};
pub use settings::Settings;
pub use twitter::{Keys, Limits as RateLimits, Said, Settings as TwitterSettings};
