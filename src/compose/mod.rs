//! The compositor at work: scenes with the files they show, from the store to frames.
//!
//! What a scene is, is in `crates/scene`; what its pixels are, in `crates/render`. Here is what connects them to files,
//! threads and clocks. [`Keeper`] has the scene on air: it takes every command, gives each change to those who watch, and
//! keeps it over restarts. Called by `api`, and by `cli` for scenes offline.

pub mod assets;
mod documents;
mod frames;
mod keeper;
mod news;
pub mod offline;
pub mod program;
mod show;
pub mod still;
mod studio;
mod world;

pub use frames::{Frames, Newest};
pub use keeper::{Done, Figures, Keeper, Parts};
pub use news::{Batch, Missed, News, merged, text_of};
pub use show::{Action, Show, State};
