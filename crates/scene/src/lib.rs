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
pub use document::{Canvas, Line, Scene, SceneFile, Transition};
pub use effect::Effect;
pub use frame::Frame;
pub use id::Id;
pub use layer::{BlendMode, Layer, LayerType, Mask, MaskMode, Point, Transform};
pub use read::Problem;
pub use store::{Change, Command, Refusal, State, Store};

/// JSON Schemas of all that clients send and get, by the names of their types.
///
/// They refer to each other below `prefix`: `#/components/schemas/` in an OpenAPI document, `#/$defs/` in a schema.
#[must_use]
pub fn schemas(prefix: &'static str) -> std::collections::BTreeMap<&'static str, serde_json::Value> {
    let mut schemas = read::Schemas::new(prefix);
    let _ = (schemas.of::<SceneFile>(), schemas.of::<Scene>(), schemas.of::<Change>(), schemas.of::<State>());
    let _ =
        (schemas.of::<store::Visibility>(), schemas.of::<store::Timeline>(), schemas.of::<store::Control>());
    let _ = (schemas.of::<store::Activation>(), schemas.of::<store::NewValues>());
    schemas.finish()
}

/// The JSON Schema of a scene file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schemas = read::Schemas::new("#/$defs/");
    let mut schema = schemas.of::<SceneFile>();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A scene of onair".into();
    schema["$defs"] = schemas.finish().into_iter().collect();
    schema
}
