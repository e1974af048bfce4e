//! One that reads a topic for a group, from where the group left off.

use std::sync::Arc;
use std::time::Duration;

use super::{Bus, Kept, Topic};
use crate::base::error::Result;

/// Where a group begins that never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With all that is kept.
    Oldest,
    /// With what comes from now on.
    Newest,
}

/// Reads for a group. What was handed out and not committed is handed out again after a restart: each message at least
/// once. One consumer for a group and topic at a time.
pub struct Consumer {
    bus: Arc<dyn Bus>,
    group: String,
    topic: Topic,
    next: u64,
    missed: u64,
}

impl Consumer {
    /// # Errors
    /// `Unavailable` when the bus is away; `Invalid` for a group's name that is none.
    pub async fn new(bus: Arc<dyn Bus>, group: &str, topic: Topic, start: Start) -> Result<Self> {
        let next = match bus.committed(group, topic).await? {
            Some(next) => next,
            None => {
                let span = bus.span(topic).await?;
                let next = if start == Start::Oldest { span.first } else { span.next };
                // Written down, so that what comes while it is away is not left out.
                bus.commit(group, topic, next).await?;
                next
            }
        };
        Ok(Self { bus, group: group.to_owned(), topic, next, missed: 0 })
    }

    /// The next messages, at most `limit`; waits at most `wait` for the first.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away: nothing was taken, try again.
    pub async fn next(&mut self, limit: usize, wait: Duration) -> Result<Vec<Kept>> {
        let messages = self.bus.read(self.topic, self.next, limit, wait).await?;
        if let (Some(first), Some(last)) = (messages.first(), messages.last()) {
            // Of a topic that keeps the newest of each key, the older ones are not missed.
            if !self.topic.is_compacted() {
                self.missed += first.offset.saturating_sub(self.next);
            }
            self.next = last.offset + 1;
        }
        Ok(messages)
    }

    /// All that was handed out is done.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away: try again, or have it all once more.
    pub async fn commit(&self) -> Result<()> {
        self.bus.commit(&self.group, self.topic, self.next).await
    }

    /// The offset it goes on at.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Messages that were no longer kept when they would have been read.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
