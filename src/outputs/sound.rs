//! The thread that makes the program's sound: one a lane with sound.
//!
//! Sample n of the output is heard n / 48000 s after the beginning of the lane's clock, like its pictures; where there is no
//! sound there is silence, never a gap. Never waits for a destination.

use std::sync::Arc;
use std::time::Duration;

use media::air::{RATE, SoundCodec, SoundEncoder};
use tracing::{error, warn};

use super::lane::Lane;
use super::meters::Meters;
use crate::base::clock::{Clock, Monotonic};

/// What the thread works with.
pub(super) struct Work {
    pub(super) lane: Arc<Lane>,
    pub(super) meters: Arc<Meters>,
    pub(super) clock: Clock,
    pub(super) codec: SoundCodec,
    pub(super) kbps: u32,
}

/// Samples made at once: 10 ms.
const BLOCK: usize = 480;
/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(10);
/// Before an encoder that failed is opened again.
const AGAIN: Duration = Duration::from_millis(500);
/// Further behind than this, the time in between is left out.
const BEHIND: i64 = 2 * RATE as i64;

impl Work {
    /// Makes sound until the lane is over.
    pub(super) fn run(self) {
        let begun = loop {
            match self.lane.begun() {
                Some((begun, _)) => break begun,
                None if self.lane.is_over() => return,
                None => std::thread::sleep(LOOK),
            }
        };
        while !self.lane.is_over() {
            if let Err(e) = self.once(begun) {
                error!(error = %e, "the sound can't be encoded; another encoder goes on");
                self.meters.failures.add(1);
                std::thread::sleep(AGAIN);
            }
        }
    }

    /// With one encoder, until the lane is over, time has jumped, or it fails.
    fn once(&self, begun: Monotonic) -> Result<(), media::air::Error> {
        let mut next = self.due(begun);
        let mut encoder = SoundEncoder::open(self.codec, self.kbps, next)?;
        self.lane.sound_is(encoder.track());
        let block = [[0.0_f32; 2]; BLOCK];
        while !self.lane.is_over() {
            let due = self.due(begun);
            if due - next > BEHIND {
                warn!(samples = due - next, "the sound was held up; it goes on from now");
                return Ok(());
            }
            while next + (BLOCK as i64) <= due {
                let packets = encoder.encode(&block)?;
                next += BLOCK as i64;
                self.lane.give(&packets, self.clock.now());
            }
            std::thread::sleep(LOOK);
        }
        self.lane.give(&encoder.finish()?, self.clock.now());
        Ok(())
    }

    /// The sample that is heard now.
    fn due(&self, begun: Monotonic) -> i64 {
        let nanos = self.clock.now().since(begun).as_nanos();
        i64::try_from(nanos * u128::from(RATE) / 1_000_000_000).unwrap_or(i64::MAX)
    }
}
