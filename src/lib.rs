//! onair takes live video in from many places, watches it, keeps it, mixes it and sends it out.
//!
//! ```text
//! sources ──► streams (the hub) ──┬─► api: viewers, snapshots
//!   push                          └─► record ──► recordings
//! ```
//!
//! Data flows left to right and never back. `app` builds and connects the parts; `base` is what they all stand on.
//! `ARCHITECTURE.md` has the whole picture.

pub mod api;
pub mod app;
pub mod base;
pub mod bindings;
pub mod bus;
pub mod capture;
pub mod cleanup;
pub mod cli;
pub mod compose;
pub mod controls;
pub mod egress;
pub mod events;
pub mod outputs;
pub mod players;
pub mod reading;
pub mod record;
pub mod roster;
pub mod sources;
pub mod store;
pub mod streams;
