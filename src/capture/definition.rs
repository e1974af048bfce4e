//! What is wanted of a pull stream, and how that is written into the store.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::clock::Wall;
use crate::egress::Trust;
use crate::sources::{Quality, Target};
use crate::streams::StreamName;

/// A pull stream as it is wanted.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: StreamName,
    pub target: Target,
    pub trust: Trust,
    /// 1 to 10, lower is more important.
    pub priority: u8,
    /// `None`: the one of the settings.
    pub pack: Option<String>,
    /// `None`: the settings'.
    pub quality: Option<Quality>,
    /// `None`: the settings'.
    pub interval: Option<Duration>,
    pub created_at: Wall,
    /// Whether it stands in the streams file.
    pub listed: bool,
}

/// What somebody asks for: what is `None` stays as it was, or is the default.
#[derive(Clone, Debug)]
pub struct Wish {
    pub name: StreamName,
    pub target: Target,
    pub trust: Trust,
    pub priority: Option<u8>,
    pub pack: Option<String>,
    pub quality: Option<Quality>,
    pub interval: Option<Duration>,
    pub listed: bool,
}

impl Wish {
    pub fn new(name: StreamName, target: Target, trust: Trust) -> Self {
        Self { name, target, trust, priority: None, pack: None, quality: None, interval: None, listed: false }
    }
}

impl Definition {
    pub const PRIORITY: u8 = 5;

    /// `wish` for the first time.
    pub(super) fn new(wish: Wish, now: Wall) -> Self {
        let Wish { name, target, trust, priority, pack, quality, interval, listed } = wish;
        let priority = priority.unwrap_or(Self::PRIORITY);
        Self { name, target, trust, priority, pack, quality, interval, created_at: now, listed }
    }

    /// `wish` for a stream there is.
    pub(super) fn updated(&self, wish: Wish) -> Self {
        let Wish { name, target, trust, priority, pack, quality, interval, listed: _ } = wish;
        Self {
            name,
            // An address the operator has written stays trusted when the same comes over the API.
            trust: if target == self.target && self.trust == Trust::Operator { self.trust } else { trust },
            target,
            priority: priority.unwrap_or(self.priority),
            pack: pack.or_else(|| self.pack.clone()),
            quality: quality.or(self.quality),
            interval: interval.or(self.interval),
            created_at: self.created_at,
            // What somebody else has added does not end with the file.
            listed: self.listed,
        }
    }

    /// The Twitch channel it is, if it is one.
    pub fn login(&self) -> Option<&str> {
        login(&self.target)
    }

    pub(super) fn saved(&self) -> Value {
        let saved = Saved {
            source: self.target.to_text(),
            trusted: self.trust == Trust::Operator,
            priority: self.priority,
            pack: self.pack.clone(),
            quality: self.quality.as_ref().map(ToString::to_string),
            interval_seconds: self.interval.map(|interval| interval.as_secs_f64()),
            created_at: self.created_at.0,
            listed: self.listed,
        };
        serde_json::to_value(saved).expect("plain data is JSON")
    }

    /// # Errors
    /// A sentence about what can't be read of it.
    pub(super) fn restored(name: &str, value: Value) -> Result<Self, String> {
        let saved: Saved = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let trust = if saved.trusted { Trust::Operator } else { Trust::Outside };
        let text = |e: crate::base::error::Error| e.detail().to_owned();
        Ok(Self {
            name: StreamName::parse(name).map_err(text)?,
            target: Target::parse("source", &saved.source, trust).map_err(text)?,
            trust,
            priority: saved.priority.clamp(1, 10),
            pack: saved.pack,
            quality: saved.quality.and_then(|quality| quality.parse().ok()),
            interval: saved.interval_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            created_at: Wall(saved.created_at),
            listed: saved.listed,
        })
    }
}

/// The Twitch channel that `target` is, if it is one.
pub fn login(target: &Target) -> Option<&str> {
    match target {
        Target::Twitch(login) => Some(login.as_str()),
        Target::Web(_) | Target::Live(_) | Target::File(_) => None,
    }
}

/// The document in the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    /// A Twitch login or an address, as [`Target::to_text`] writes it.
    source: String,
    trusted: bool,
    priority: u8,
    pack: Option<String>,
    quality: Option<String>,
    interval_seconds: Option<f64>,
    created_at: jiff::Timestamp,
    listed: bool,
}
