//! What encoding comes to, counted over all lanes since the start. Read when somebody asks.

use std::time::Duration;

use media::air::{Packet, Track};

use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::Counter;

/// Counters of encoding.
pub(super) struct Meters {
    pub(super) frames: Counter,
    /// Frames that were the last one again.
    pub(super) repeats: Counter,
    /// Frames there was no time for.
    pub(super) left_out: Counter,
    /// Frames left out by the governor.
    pub(super) halved: Counter,
    /// Encoders that failed or could not be opened.
    pub(super) failures: Counter,
    /// Changes of the effort.
    pub(super) steps: Counter,
    pub(super) bytes: Counter,
    times: Histogram,
    latency: Histogram,
}

/// Since the start.
#[derive(Clone, Debug)]
pub struct Encoding {
    pub frames: u64,
    pub repeats: u64,
    pub left_out: u64,
    pub halved: u64,
    pub failures: u64,
    pub steps: u64,
    pub bytes: u64,
    pub times: Snapshot,
    /// From when a frame was due to when a destination had taken it.
    pub latency: Snapshot,
}

/// Seconds.
const BOUNDS: [f64; 11] = [0.001, 0.002, 0.004, 0.006, 0.01, 0.0167, 0.025, 0.0333, 0.05, 0.1, 0.25];

/// Seconds.
const LATENCIES: [f64; 11] = [0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1.0, 5.0];

impl Default for Meters {
    fn default() -> Self {
        Self {
            frames: Counter::default(),
            repeats: Counter::default(),
            left_out: Counter::default(),
            halved: Counter::default(),
            failures: Counter::default(),
            steps: Counter::default(),
            bytes: Counter::default(),
            times: Histogram::new(&BOUNDS),
            latency: Histogram::new(&LATENCIES),
        }
    }
}

impl Meters {
    /// A frame took `took` and came to `packets`.
    pub(super) fn encoded(&self, packets: &[Packet], took: Duration) {
        let pictures = packets.iter().filter(|packet| packet.track == Track::Picture);
        let bytes: usize = pictures.map(|packet| packet.data.len()).sum();
        self.frames.add(1);
        self.bytes.add(bytes as u64);
        self.times.add(took);
    }

    /// A destination has taken a frame, so long after it was due.
    pub(super) fn taken(&self, late: Duration) {
        self.latency.add(late);
    }

    pub(super) fn read(&self) -> Encoding {
        Encoding {
            frames: self.frames.get(),
            repeats: self.repeats.get(),
            left_out: self.left_out.get(),
            halved: self.halved.get(),
            failures: self.failures.get(),
            steps: self.steps.get(),
            bytes: self.bytes.get(),
            times: self.times.read(),
            latency: self.latency.read(),
        }
    }
}
