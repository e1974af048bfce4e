//! What may be changed while captures run.

use std::time::Duration;

use super::schedule;
use crate::base::config;
use crate::sources::Quality;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Between two pictures of a stream that has no interval of its own.
    pub interval: Duration,
    /// Captures under way at the same time.
    pub max_concurrent: usize,
    /// Of a stream that has none of its own.
    pub quality: Quality,
    /// For one whole capture.
    pub timeout: Duration,
    /// Whether a picture that can't be decoded is no capture.
    pub decode: bool,
    pub max_streams: usize,
    /// Of a stream that has none of its own.
    pub pack: String,
}

impl Settings {
    pub(super) fn schedule(&self) -> schedule::Settings {
        schedule::Settings { interval: self.interval, max_concurrent: self.max_concurrent }
    }
}

impl From<&config::Config> for Settings {
    fn from(config: &config::Config) -> Self {
        let capture = &config.capture;
        Self {
            interval: capture.interval,
            max_concurrent: capture.max_concurrent,
            quality: capture.quality.parse().expect("checked by its kind"),
            timeout: capture.timeout,
            decode: capture.decode,
            max_streams: capture.max_streams,
            pack: config.packs.default.clone(),
        }
    }
}
