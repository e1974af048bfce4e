//! How the program is doing: for people, for health checks, for Prometheus.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::wire::rounded;
use crate::base::error::{Error, Result};
use crate::base::health;
use crate::{capture, streams};

/// `healthy` with all components `ok`; `degraded` when one works with loss; `stopping` while the program ends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(example = "healthy")]
    status: &'static str,
    active_streams: usize,
    max_streams: usize,
    recording_enabled: bool,
    config: HealthConfig,
    components: BTreeMap<&'static str, Component>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthConfig {
    timeout_seconds: u64,
    max_buffer_frames: usize,
    retention_days: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Component {
    /// `ok` or `degraded`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Component {
    fn of(trouble: Option<String>) -> Self {
        Self { status: if trouble.is_none() { "ok" } else { "degraded" }, detail: trouble }
    }
}

/// Why the store can't be used just now.
fn away(kind: &str, health: health::Health) -> Option<String> {
    match health {
        health::Health::Ok => None,
        health::Health::Away { since, reason } => Some(format!("{kind} away since {since}: {reason}")),
    }
}

/// Health
///
/// 200 while the program serves, 503 while it ends. Trouble that ends by itself (a full disk) is `degraded`, not a
/// reason to restart.
#[utoipa::path(
    get, path = "/health", tag = "operation",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn health(State(api): State<Api>) -> Response {
    let stopping = api.tasks.stopping().is_cancelled();
    let panics = api.tasks.panics() + api.meters.panics.get();
    let components = BTreeMap::from([
        ("capture", Component::of(api.captures.trouble())),
        ("recordings", Component::of(api.recorders.trouble())),
        ("outputs", Component::of(api.outputs.trouble())),
        ("bus", Component::of(away(api.bus.kind(), api.bus.health()))),
        ("store", Component::of(away(api.store.kind(), api.store.health()))),
        ("tasks", Component { status: "ok", detail: Some(format!("{panics} panics since the start")) }),
    ]);
    let degraded = components.values().any(|component| component.status != "ok");
    let settings = api.registry.settings();
    let recording = api.recorders.settings();
    let health = Health {
        status: if stopping {
            "stopping"
        } else if degraded {
            "degraded"
        } else {
            "healthy"
        },
        active_streams: api.registry.len(),
        max_streams: settings.max_concurrent,
        recording_enabled: recording.enabled,
        config: HealthConfig {
            timeout_seconds: settings.timeout.as_secs(),
            max_buffer_frames: settings.max_buffer_frames,
            retention_days: recording.retention.map_or(0, |kept| kept.as_secs() / 86_400),
        },
        components,
    };
    let status = if stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    // Servers that share a store tell each other apart by it.
    (status, [("x-instance", api.keeper.id().to_owned())], Json(health)).into_response()
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    #[schema(example = "running")]
    status: &'static str,
    version: &'static str,
    stats: Totals,
    config: StatusConfig,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Totals {
    total_captures: u64,
    successful_captures: u64,
    failed_captures: u64,
    matches_found: u64,
    /// RFC 3339 UTC.
    start_time: String,
    /// Seconds.
    uptime: f64,
    streams: usize,
    /// Streams that are online: pushed to within five seconds, or captured last time.
    active: usize,
    /// Successful of all captures, 0 to 1; null before the first.
    success_rate: Option<f64>,
    viewers: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusConfig {
    /// Seconds.
    capture_interval: f64,
    /// Captures at the same time.
    max_concurrent: usize,
    quality: String,
    total_streams: usize,
}

/// The program's figures
#[utoipa::path(
    get, path = "/api/status", tag = "operation",
    responses((status = 200, body = Status), (status = 401, body = Problem))
)]
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let all_streams = api.registry.all();
    let stats: Vec<_> = all_streams.iter().map(|stream| (stream.feed, stream.stats())).collect();
    let pushed = stats
        .iter()
        .filter(|(feed, stats)| *feed == streams::Feed::Push && stats.state == streams::State::Online);
    let (captures, settings) = (api.captures.meters(), api.captures.settings());
    let pulled =
        captures.by_state.iter().find(|(state, _)| *state == "online").map_or(0, |(_, count)| *count);
    let capture::Totals { all, captured, failed, .. } = captures.totals;
    Json(Status {
        status: "running",
        version: env!("CARGO_PKG_VERSION"),
        stats: Totals {
            total_captures: all,
            successful_captures: captured,
            failed_captures: failed,
            matches_found: api.reader.figures().accepted,
            start_time: api.started_at.to_string(),
            uptime: rounded(api.clock.now().since(api.started).as_secs_f64()),
            streams: stats.len(),
            active: pushed.count() + usize::try_from(pulled).unwrap_or(usize::MAX),
            success_rate: (all > 0).then(|| rounded(captured as f64 / all as f64)),
            viewers: stats.iter().map(|(_, stats)| stats.viewers).sum(),
        },
        config: StatusConfig {
            capture_interval: settings.interval.as_secs_f64(),
            max_concurrent: settings.max_concurrent,
            quality: settings.quality.to_string(),
            total_streams: stats.len(),
        },
    })
}

/// The same as `/metrics`
#[utoipa::path(
    get, path = "/api/metrics", tag = "operation",
    responses((status = 200, content_type = "application/openmetrics-text"), (status = 401, body = Problem))
)]
pub(super) async fn api_metrics(state: State<Api>) -> Result<Response> {
    metrics(state).await
}

/// Metrics in Prometheus' text format
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, content_type = "application/openmetrics-text"), (status = 401, body = Problem))
)]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response> {
    let text = api.meters.text().map_err(|e| Error::internal("the metrics can't be written", e))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
