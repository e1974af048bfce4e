//! Reads what a game's screen says: packs, their readers, and the rules that make events of readings.
//!
//! ```text
//! pack.toml ─► raw ─► Pack ─┐
//! picture ──────────────────┴─► Session: gate ─► readers ─► derived values ─► Reading ─► Rules ─► events
//! ```
//!
//! A [`Pack`] is a description of a screen; a [`Session`] reads the pictures of one stream with it and remembers what
//! need not be read again; [`rules`] turns readings into events. Called by the service and its command line. Pure: files
//! come in as bytes and time as numbers; nothing here opens, waits, logs or asks a clock.

pub mod annotate;
pub mod check;
pub mod expr;
pub mod files;
pub mod gate;
pub mod geometry;
pub mod pack;
pub mod picture;
pub mod problem;
pub mod raw;
pub mod readers;
pub mod rules;
pub mod session;
pub mod shape;
pub mod value;

pub use files::Files;
pub use pack::Pack;
pub use problem::Problem;
pub use readers::Tools;
pub use session::Session;
pub use value::{Read, Reading, Value};
