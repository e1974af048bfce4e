//! Recordings: list, play, delete.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use tower_http::services::ServeFile;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::Problem;
use super::extract::{File, Params};
use super::wire::{Done, rounded};
use crate::base::error::{Error, Kind, Result};
use crate::record;
use crate::streams::StreamName;

/// One recorded file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recording {
    stream: String,
    file: String,
    size_bytes: u64,
    /// Media time of the first frame.
    start_time: Option<String>,
    end_time: Option<String>,
    duration_seconds: Option<f64>,
    total_frames: Option<u64>,
    width: Option<u32>,
    height: Option<u32>,
    codec: Option<String>,
    /// Finished after a crash, at the last whole fragment.
    recovered: bool,
    /// Still being written.
    active: bool,
    url: String,
}

/// Recordings, newest first, and what they take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingList {
    /// Recordings in this answer.
    count: usize,
    /// Recordings that match.
    total: usize,
    /// Bytes of those that match.
    total_bytes: u64,
    /// Bytes free where recordings are kept.
    free_bytes: Option<u64>,
    recordings: Vec<Recording>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Only recordings of this stream.
    stream: Option<String>,
    /// At most this many (1000).
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// All recordings
#[utoipa::path(
    get, path = "/api/recordings", operation_id = "list_recordings", tag = "recordings", params(ListParams),
    responses(
        (status = 200, body = RecordingList), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    Params(params): Params<ListParams>,
) -> Result<Json<RecordingList>> {
    let recorders = api.recorders.clone();
    let listing = blocking(move || recorders.list()).await?;
    let wanted = |r: &record::Entry| params.stream.as_deref().is_none_or(|name| r.stream.as_str() == name);
    let all: Vec<record::Entry> = listing.entries.into_iter().filter(wanted).collect();
    let (total, total_bytes) = (all.len(), all.iter().map(|entry| entry.size_bytes).sum());
    let page = all.into_iter().skip(params.offset).take(params.limit.unwrap_or(1000));
    let recordings: Vec<Recording> = page.map(Recording::from).collect();
    let free_bytes = listing.free_bytes;
    Ok(Json(RecordingList { count: recordings.len(), total, total_bytes, free_bytes, recordings }))
}

/// Play or download a recording
///
/// Byte ranges are honoured. The `.json` beside it is served too.
#[utoipa::path(
    get, path = "/api/recordings/{stream}/{file}", tag = "recordings",
    params(
        ("stream" = String, Path, description = "stream name"),
        ("file" = String, Path, description = "file name, as listed"),
        ("Range" = Option<String>, Header, description = "bytes=from-to"),
    ),
    responses(
        (status = 200, content_type = "video/mp4"), (status = 206, content_type = "video/mp4"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 416, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn play(
    State(api): State<Api>,
    File(stream, file): File,
    request: Request,
) -> Result<Response> {
    let path = api.recorders.path(&stream, &file)?;
    let json = file.ends_with(".json");
    let served = ServeFile::new(path).oneshot(request).await.expect("serving a file does not fail");
    match served.status() {
        StatusCode::NOT_FOUND => Err(unknown(&stream, &file)),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let range = served.headers().get(CONTENT_RANGE).cloned();
            let mut response =
                Error::new(Kind::RangeNotSatisfiable, "the range lies outside the file").into_response();
            if let Some(range) = range {
                response.headers_mut().insert(CONTENT_RANGE, range);
            }
            Ok(response)
        }
        _ => {
            let mut response = served.map(axum::body::Body::new);
            let content_type = if json { "application/json" } else { "video/mp4" };
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            Ok(response)
        }
    }
}

/// Delete a recording
#[utoipa::path(
    delete, path = "/api/recordings/{stream}/{file}", operation_id = "delete_recording", tag = "recordings",
    params(
        ("stream" = String, Path, description = "stream name"),
        ("file" = String, Path, description = "file name, as listed"),
    ),
    responses(
        (status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn delete(State(api): State<Api>, File(stream, file): File) -> Result<Json<Done>> {
    let (recorders, target) = (api.recorders.clone(), file.clone());
    let freed = blocking(move || recorders.delete(&stream, &target)).await?;
    Ok(Json(Done::new(format!("Recording '{file}' deleted, {freed} bytes freed"))))
}

fn unknown(stream: &StreamName, file: &str) -> Error {
    Error::not_found(format!("stream '{stream}' has no recording '{file}'"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal("the recordings can't be read", e))?
}

impl From<record::Entry> for Recording {
    fn from(entry: record::Entry) -> Self {
        let url = format!("/api/recordings/{}/{}", entry.stream, entry.file);
        Self {
            stream: entry.stream.to_string(),
            file: entry.file,
            size_bytes: entry.size_bytes,
            start_time: entry.start_time,
            end_time: entry.end_time,
            duration_seconds: entry.duration_seconds.map(rounded),
            total_frames: entry.total_frames,
            width: entry.width,
            height: entry.height,
            codec: entry.codec,
            recovered: entry.recovered,
            active: entry.active,
            url,
        }
    }
}
