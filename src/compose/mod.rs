//! The compositor at work: scenes with the files they show, from the store to frames.
//!
//! What a scene is, is in `crates/scene`; what its pixels are, in `crates/render`. Here is what connects them to files,
//! threads and clocks. [`Keeper`] has the scene on air: it takes every command, gives each change to those who watch, and
//! keeps it over restarts. Called by `api`, and by `cli` for scenes offline.

pub mod assets;
mod documents;
mod film;
mod frames;
mod keeper;
mod lease;
mod news;
pub mod offline;
mod outside;
pub mod program;
mod report;
mod show;
pub mod still;
mod stills;
mod studio;
mod world;

pub use frames::{Frames, Newest};
pub use keeper::{Done, Keeper, Parts};
pub use lease::Role;
pub use news::{Batch, Missed, News, merged, text_of};
pub use outside::{Known, Outside};
pub use report::{Figures, Trouble, Troubles};
pub use show::{Action, Show, State};
pub use stills::{Format, Still, Stills};
