//! Removes what is no longer needed: streams nothing comes for, recordings beyond what may be kept.
//!
//! Knows `streams` and `record`, decides nothing itself: each of them knows its own rules. Runs every
//! `cleanup.interval_seconds`, the age of recordings once a day at `cleanup.schedule_time`, and all of it on request.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::base::error::{Error, Result};
use crate::record::{self, Recorders};
use crate::streams::{Registry, StreamName};

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub interval: Duration,
    /// Local time of the daily look at recordings' age.
    pub daily_at: Time,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Cleanup {
    registry: Registry,
    recorders: Recorders,
}

/// What a clean-up did.
#[derive(Debug)]
pub struct Done {
    pub removed: Vec<StreamName>,
    pub deleted_recordings: usize,
    pub freed_bytes: u64,
}

impl Cleanup {
    pub fn new(registry: Registry, recorders: Recorders) -> Self {
        Self { registry, recorders }
    }

    /// All rules, now.
    pub async fn now(&self) -> Result<Done> {
        self.clean(record::Rules::All).await
    }

    async fn clean(&self, rules: record::Rules) -> Result<Done> {
        let removed = self.registry.remove_inactive();
        let recorders = self.recorders.clone();
        let report = tokio::task::spawn_blocking(move || recorders.retain(rules))
            .await
            .map_err(|e| Error::internal("the clean-up of recordings failed", e))??;
        Ok(Done { removed, deleted_recordings: report.deleted, freed_bytes: report.freed_bytes })
    }

    /// Cleans up until `stopping`.
    pub async fn run(
        self,
        settings: Settings,
        local_now: impl Fn() -> DateTime,
        stopping: CancellationToken,
    ) {
        let mut last = local_now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(settings.interval) => {}
                () = stopping.cancelled() => return,
            }
            let now = local_now();
            let rules =
                if passed(last, now, settings.daily_at) { record::Rules::All } else { record::Rules::Room };
            last = now;
            match self.clean(rules).await {
                Ok(done) if !done.removed.is_empty() => {
                    warn!(streams = ?done.removed, "inactive streams removed")
                }
                Ok(_) => {}
                Err(e) => error!(error = %e, "clean-up failed; trying again later"),
            }
        }
    }
}

/// Whether `daily_at` lies after `last` and not after `now`.
fn passed(last: DateTime, now: DateTime, daily_at: Time) -> bool {
    let today = now.date().to_datetime(daily_at);
    let due = if today <= now { Some(today) } else { today.checked_sub(jiff::Span::new().days(1)).ok() };
    due.is_some_and(|due| last < due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daily_time_is_met_once_a_day_however_long_the_interval() {
        let at = |text: &str| text.parse::<DateTime>().unwrap();
        let daily: Time = "03:00".parse().unwrap();
        for (last, now, met) in [
            ("2026-01-01T02:59", "2026-01-01T03:00", true),
            ("2026-01-01T03:00", "2026-01-01T03:01", false),
            ("2026-01-01T03:01", "2026-01-02T02:59", false),
            ("2026-01-01T02:00", "2026-01-01T09:00", true),
            ("2026-01-01T23:00", "2026-01-02T01:00", false),
            ("2026-01-01T00:00", "2026-01-05T01:00", true),
        ] {
            assert_eq!(passed(at(last), at(now), daily), met, "{last} {now}");
        }
    }
}
