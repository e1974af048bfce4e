//! The scene: layers, what they show, how they move. Pure.
//!
//! ```text
//! JSON ─► read (checked, every mistake by its field) ─► Layer, Animation, Scene
//! ```
//!
//! Called by the compositor, the API and `onair render`. Nothing here opens, waits, draws or asks a clock: program time
//! comes in as milliseconds, and the same time gives the same layers.

pub mod animation;
pub mod color;
pub mod content;
pub mod document;
pub mod effect;
pub mod frame;
pub mod id;
pub mod layer;
mod moment;
mod read;
mod stage;
pub mod store;
pub mod style;
pub mod template;
pub mod transition;

pub use animation::Animation;
pub use color::Color;
pub use content::Content;
pub use document::{Canvas, Scene, SceneFile, Transition};
pub use effect::Effect;
pub use frame::Frame;
pub use id::Id;
pub use layer::{BlendMode, Layer, LayerType, Mask, MaskMode, Point, Transform};
pub use read::Problem;
pub use store::{Change, Command, Refusal, State, Store};
