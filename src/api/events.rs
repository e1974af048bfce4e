//! Readings and events, their evidence, and what people say of them.

use axum::Json;
use axum::body::Body as ResponseBody;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::Problem;
use super::extract::{Body, Name, Params};
use super::view::find;
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Result};
use crate::events::{Event, Filter, Reading};
use crate::reading::Coded;
use crate::streams::StreamName;

/// The most that one answer has.
const MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadingParams {
    /// Only from this moment on (RFC 3339).
    since: Option<String>,
    /// At most this many (100).
    limit: Option<usize>,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// What was read of a stream, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadingList {
    count: usize,
    readings: Vec<Reading>,
}

/// What packs read of a stream
///
/// The last hundred readings are kept in memory.
#[utoipa::path(
    get, path = "/api/streams/{name}/readings", operation_id = "list_readings", tag = "events",
    params(("name" = String, Path, description = "stream name"), ReadingParams),
    responses(
        (status = 200, body = ReadingList), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn readings(
    State(api): State<Api>,
    Name(name): Name,
    Params(params): Params<ReadingParams>,
) -> Result<Json<ReadingList>> {
    find(&api, &name)?;
    let since = params.since.as_deref().map(|text| time("since", text)).transpose()?;
    let limit = limit(params.limit)?;
    let readings = api.events.readings(&name, since, limit);
    Ok(Json(ReadingList { count: readings.len(), readings }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    stream: Option<String>,
    /// Such as `goal`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only from this moment on (RFC 3339).
    since: Option<String>,
    /// Only before this moment.
    until: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// At most this many (100).
    limit: Option<usize>,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// Events, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventList {
    count: usize,
    events: Vec<Event>,
    /// The `cursor` of the next page; null when there is none.
    next: Option<String>,
}

/// Events
#[utoipa::path(
    get, path = "/api/events", operation_id = "list_events", tag = "events", params(EventParams),
    responses(
        (status = 200, body = EventList), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventList>> {
    let EventParams { stream, kind, since, until, cursor, limit: wanted, _token } = params;
    let filter = Filter {
        stream: stream.as_deref().map(StreamName::parse).transpose()?,
        kind,
        since: since.as_deref().map(|text| time("since", text)).transpose()?,
        until: until.as_deref().map(|text| time("until", text)).transpose()?,
        cursor,
        limit: limit(wanted)?,
    };
    let page = api.events.list(filter).await?;
    Ok(Json(EventList { count: page.events.len(), events: page.events, next: page.next }))
}

/// One event
#[utoipa::path(
    get, path = "/api/events/{id}", operation_id = "one_event", tag = "events",
    params(("id" = String, Path, description = "event")),
    responses(
        (status = 200, body = Event), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Event>> {
    Ok(Json(api.events.get(&id).await?))
}

/// The picture an event was seen on
#[utoipa::path(
    get, path = "/api/events/{id}/frame.jpg", operation_id = "event_frame", tag = "events",
    params(("id" = String, Path, description = "event")),
    responses(
        (status = 200, content_type = "image/jpeg"), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn frame(State(api): State<Api>, Path(id): Path<String>) -> Result<Response> {
    let jpeg = match api.events.evidence(&id).await? {
        Coded::Jpeg(jpeg) => jpeg,
        Coded::Keyframe(keyframe) => api.captures.jpeg(keyframe).await?,
    };
    Ok(picture(jpeg))
}

/// One of the boxes that an event's rule read
#[utoipa::path(
    get, path = "/api/events/{id}/crops/{crop}", operation_id = "event_crop", tag = "events",
    params(("id" = String, Path, description = "event"), ("crop" = String, Path, description = "region, and .jpg")),
    responses(
        (status = 200, content_type = "image/jpeg"), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn crop(
    State(api): State<Api>,
    Path((id, crop)): Path<(String, String)>,
) -> Result<Response> {
    let name = crop.strip_suffix(".jpg").ok_or_else(|| Error::not_found("crops are named REGION.jpg"))?;
    Ok(picture(api.events.crop(&id, name).await?))
}

/// A JPEG that never changes.
fn picture(jpeg: Bytes) -> Response {
    let mut response = ResponseBody::from(jpeg).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600, immutable"));
    response
}

/// Whether an event is one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    /// Null takes the verdict back.
    correct: Option<bool>,
}

/// Judge an event
///
/// The verdict is kept with the evidence: `onair pack check --stored` measures a pack by it.
#[utoipa::path(
    put, path = "/api/events/{id}/verdict", operation_id = "judge_event", tag = "events",
    params(("id" = String, Path, description = "event")), request_body = Verdict,
    responses(
        (status = 200, body = Event), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn judge(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(verdict): Body<Verdict>,
) -> Result<Json<Event>> {
    Ok(Json(api.events.judge(&id, verdict.correct).await?))
}

fn time(field: &str, text: &str) -> Result<MediaTime> {
    let wrong = || Error::invalid(field, "a time such as 2026-01-21T10:30:00Z");
    text.parse::<Timestamp>().map(MediaTime).map_err(|_| wrong())
}

fn limit(limit: Option<usize>) -> Result<usize> {
    match limit.unwrap_or(100) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Error::invalid("limit", format!("1 to {MOST}"))),
    }
}
