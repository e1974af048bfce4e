//! What recordings are to be like.

use std::path::PathBuf;
use std::time::Duration;

use super::keeper::Rules;
use super::retention::Policy;
use super::{Codec, Preset};
use crate::base::config;

/// May be changed while recordings run; they take it up with their next file.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether a stream is recorded when nothing else is said about it.
    pub enabled: bool,
    pub folder: PathBuf,
    pub codec: Codec,
    pub preset: Preset,
    /// x264's constant rate factor, 0–51.
    pub quality: u8,
    /// Only written into the sidecar.
    pub target_fps: u32,
    /// Longest time of one file.
    pub max_file: Duration,
    pub max_total_bytes: Option<u64>,
    /// No file is begun with less free than this, and none goes on with less than half of it.
    pub min_free_bytes: u64,
    pub max_stream_bytes: Option<u64>,
    /// How long a recording is kept.
    pub retention: Option<Duration>,
}

impl From<&config::Recording> for Settings {
    fn from(recording: &config::Recording) -> Self {
        Self {
            enabled: recording.enabled,
            folder: recording.folder.clone(),
            codec: recording.codec,
            preset: recording.preset,
            quality: recording.quality,
            target_fps: recording.fps,
            max_file: recording.max_file,
            max_total_bytes: recording.max_total_bytes,
            min_free_bytes: recording.min_free_bytes,
            max_stream_bytes: recording.max_stream_bytes,
            retention: recording.retention,
        }
    }
}

impl Settings {
    pub(super) fn policy(&self, rules: Rules) -> Policy {
        Policy {
            retention: self.retention.filter(|_| rules == Rules::All),
            max_stream_bytes: self.max_stream_bytes,
            max_total_bytes: self.max_total_bytes,
            min_free_bytes: self.min_free_bytes,
        }
    }
}
