//! Messages and topics, with their bounds.

use std::time::Duration;

use super::Retention;
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Kind, Result};

/// What messages are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The newest message of each key is kept, the others go: what a stream is now.
    Streams,
    Segments,
    Readings,
    Events,
    ClipRequests,
    Clips,
}

impl Topic {
    pub const ALL: [Self; 6] =
        [Self::Streams, Self::Segments, Self::Readings, Self::Events, Self::ClipRequests, Self::Clips];

    /// What it is called wherever it is kept. Never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Streams => "onair.streams",
            Self::Segments => "onair.segments",
            Self::Readings => "onair.readings",
            Self::Events => "onair.events",
            Self::ClipRequests => "onair.clip-requests",
            Self::Clips => "onair.clips",
        }
    }

    /// Whether only the newest message of each key is kept; one without a payload takes the key away.
    #[must_use]
    pub const fn is_compacted(self) -> bool {
        matches!(self, Self::Streams)
    }

    /// How much is kept where nobody says otherwise.
    #[must_use]
    pub const fn retention(self) -> Retention {
        match self {
            Self::Streams => Retention { age: Duration::MAX, messages: 100_000, bytes: 64 << 20 },
            Self::Segments | Self::Readings => {
                Retention { age: Duration::from_hours(24), messages: 1_000_000, bytes: 512 << 20 }
            }
            Self::Events | Self::ClipRequests | Self::Clips => {
                Retention { age: Duration::from_hours(24 * 90), messages: 200_000, bytes: 256 << 20 }
            }
        }
    }
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: Topic,
    /// Messages of one key stay in their order (a stream's name).
    pub key: String,
    /// When it was so.
    pub at: MediaTime,
    /// JSON.
    pub payload: String,
}

impl Message {
    /// Bytes of a key.
    const KEY: usize = 256;
    /// Bytes of a payload.
    const PAYLOAD: usize = 1 << 20;

    pub(super) fn check(&self) -> Result<()> {
        if self.key.is_empty() || self.key.len() > Self::KEY {
            return Err(Error::invalid("key", format!("a message's key has 1 to {} bytes", Self::KEY)));
        }
        if self.payload.len() > Self::PAYLOAD {
            let text = format!("a message has {} bytes at most, not {}", Self::PAYLOAD, self.payload.len());
            return Err(Error::new(Kind::TooLarge, text));
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.key.len() + self.payload.len()
    }
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Rising within a topic, never used twice.
    pub offset: u64,
    pub key: String,
    pub at: MediaTime,
    pub payload: String,
}
