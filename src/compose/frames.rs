//! The newest frame of the program, as it was composed: for whoever encodes it.
//!
//! Filled by the frame clock while the program is on air, once each beat; taken by `outputs`. Nothing waits in it: a frame
//! that was not taken is replaced, and its number tells.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use pixels::I420;

/// Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Frames(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    newest: Mutex<Newest>,
    changed: Condvar,
}

/// A frame and how many there have been with it.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// From 1; 0 before the first.
    pub number: u64,
    pub picture: Option<Arc<I420>>,
}

impl Frames {
    /// Puts a frame in the place of the last one.
    pub fn give(&self, picture: &Arc<I420>) {
        let mut newest = self.lock();
        newest.number += 1;
        newest.picture = Some(Arc::clone(picture));
        drop(newest);
        self.0.changed.notify_all();
    }

    /// Lets the last frame go: nothing is on air.
    pub fn clear(&self) {
        self.lock().picture = None;
    }

    pub fn newest(&self) -> Newest {
        self.lock().clone()
    }

    /// The newest frame once there is one after `number`, waited for at most so long.
    pub fn after(&self, number: u64, patience: Duration) -> Newest {
        let waited =
            self.0.changed.wait_timeout_while(self.lock(), patience, |newest| newest.number <= number);
        waited.expect("no code that can panic runs under this lock").0.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.0.newest.lock().expect("no code that can panic runs under this lock")
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    #[test]
    fn the_newest_frame_replaces_those_before_it_and_its_number_tells() {
        let frames = Frames::default();
        assert_eq!(frames.newest().number, 0);
        let picture = Arc::new(I420::new(2, 2, Range::Limited, Matrix::Bt709));
        frames.give(&picture);
        frames.give(&picture);
        assert_eq!(frames.after(1, Duration::from_secs(9)).number, 2);
        assert_eq!(frames.after(2, Duration::ZERO).number, 2);
        frames.clear();
        assert!(frames.newest().picture.is_none());
    }
}
