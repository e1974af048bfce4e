//! What every benchmark stands on: the real server as a process of its own, pictures to push, and cheap clients.
//!
//! Called by the programs of this folder. All clients of a run share one thread, so that they leave the machine to what is
//! measured. Nothing here knows the inside of the server: it is what `cargo bench` has just built, reached over sockets.

pub(crate) mod crowd;
pub(crate) mod pictures;
pub(crate) mod process;
pub(crate) mod push;
pub(crate) mod server;
pub(crate) mod videos;
pub(crate) mod watch;

/// What ends a run: the text says what to do.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The middle one; of an even number the higher of the two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
