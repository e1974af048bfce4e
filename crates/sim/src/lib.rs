//! The stand-in world: what the outside sends and takes, made here, so that tests and demonstrations need no
//! camera and no internet.
//!
//! Called by `onair demo`, `onair sim`, tests and benches. Nothing in the service's own path depends on it.
//! Pictures are pure functions of what is passed in; the time and all chance come from whoever builds the
//! [`world`].
//!
//! ```text
//! picture ─► clip ─► film (coded, cut, in memory) ─► library ─┐
//!                          fault, ladder ─► world (channels) ─┴─► server: /gql, usher, playlists, segments, /sim
//! ```

mod cache;
pub mod clip;
mod dice;
pub mod fault;
mod film;
pub mod hud;
pub mod ladder;
mod library;
pub mod picture;
mod playlist;
mod server;
pub mod sink;
pub mod twitter;
pub mod world;

pub use film::Error as FilmError;
