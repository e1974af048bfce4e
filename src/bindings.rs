//! What packs read and what their rules find, given to the scene's templates.
//!
//! One task hears of both and publishes what is known after each, at most a hundred times a second; what it misses under a
//! flood it takes from what is kept. Started by `app`. Never asks the scene which of it is shown.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::compose::{Known, Outside};
use crate::events::Events;
use crate::streams::Registry;

/// Time between two that are published.
const PAUSE: Duration = Duration::from_millis(10);
/// Streams that are gone are looked for this often.
const TIDY: Duration = Duration::from_secs(30);

pub fn start(events: Events, outside: Outside, registry: Registry, clock: Clock, tasks: &Tasks) {
    let stop = tasks.stopping();
    tasks.supervise("values on air", move || {
        let desk = Desk {
            events: events.clone(),
            outside: outside.clone(),
            registry: registry.clone(),
            clock: clock.clone(),
            known: Known::default(),
        };
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = desk.run() => {}
                () = stop.cancelled() => {}
            }
        }
    });
}

struct Desk {
    events: Events,
    outside: Outside,
    registry: Registry,
    clock: Clock,
    known: Known,
}

impl Desk {
    async fn run(mut self) {
        let (mut readings, mut found) = (self.events.subscribe_readings(), self.events.subscribe());
        self.readings_anew();
        self.counts_anew().await;
        let mut tidy = tokio::time::interval(TIDY);
        loop {
            self.outside.publish(&self.known);
            tokio::time::sleep(PAUSE).await;
            let now = self.now();
            tokio::select! {
                reading = readings.recv() => match reading {
                    Ok(reading) => {
                        self.known.read(&reading.stream, reading.values.clone(), now);
                        while let Ok(reading) = readings.try_recv() {
                            self.known.read(&reading.stream, reading.values.clone(), now);
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.readings_anew(),
                    Err(RecvError::Closed) => return,
                },
                event = found.recv() => match event {
                    Ok(event) => self.known.count(&event.stream, &event.kind, 1, now),
                    Err(RecvError::Lagged(_)) => {
                        found = self.events.subscribe();
                        self.counts_anew().await;
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = tidy.tick() => {
                    let registry = &self.registry;
                    self.known.retain(|stream| registry.get(stream).is_some());
                }
            }
        }
    }

    fn readings_anew(&mut self) {
        for reading in self.events.latest_readings() {
            let at = reading.media_time.parse().map_or_else(|_| self.now(), |time| self.moment(time));
            self.known.read(&reading.stream, reading.values, at);
        }
    }

    /// Counts the events that are kept.
    async fn counts_anew(&mut self) {
        match self.events.counts().await {
            Ok(counts) => {
                self.known.uncount();
                for count in counts {
                    let at = Timestamp::from_millisecond(count.newest);
                    let at = at.map_or_else(|_| self.now(), |time| self.moment(time));
                    self.known.count(&count.stream, &count.kind, count.events, at);
                }
            }
            Err(e) => warn!(error = %e, "events can't be counted for the scene: it counts from now on"),
        }
    }

    /// ms since the start.
    fn now(&self) -> f64 {
        self.clock.now().since_start().as_secs_f64() * 1000.0
    }

    /// A time as ms since the start, as far as the wall clock tells.
    fn moment(&self, time: Timestamp) -> f64 {
        let ago = self.clock.wall().0.duration_since(time);
        self.now() - (ago.as_secs_f64() * 1000.0).max(0.0)
    }
}
