//! What every other module stands on: errors, time, queues, supervised work, configuration.
//!
//! Called by everyone, calls nobody in this crate.

pub mod clock;
pub mod config;
pub mod error;
pub mod fs;
pub mod health;
pub mod histogram;
pub mod listen;
pub mod logging;
pub mod queue;
pub mod rate_log;
pub mod secret;
pub mod sqlite;
pub mod tasks;
