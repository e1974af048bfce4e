//! Frames of a scene: what changed since the last one, and only that, laid over the canvas.
//!
//! ```text
//! scene::Frame ─► faces (what each layer shows, drawn once) ─► ops ─► plan (damage) ─► bands of the canvas
//! ```
//!
//! Called by the compositor's frame clock and by `onair render`, with the same pixels for both. Nothing here asks a clock,
//! opens a file or waits for a stream: time comes in, and the outside is what a [`World`] says it is. Drawing what layers
//! show is handed to a [`Studio`], on as many threads as its owner likes.

mod damage;
mod engine;
mod face;
mod op;
mod plan;
mod scope;
mod studio;
mod world;

pub use engine::{Engine, Figures, Trouble};
pub use face::effects::{Finished, grade, key, live};
pub use studio::{Inline, Job, Made, Studio, Ticket, work};
pub use world::{Asset, Feed, Size, Source, Want, World};
