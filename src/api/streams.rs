//! Streams: list, look, record or not, delete, clean up.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::Problem;
use super::extract::{Body, Name, Params};
use super::view::{find, unknown};
use super::wire::{Done, Recording, Stream, StreamList};
use crate::base::error::{Error, Kind, Result};
use crate::capture;
use crate::streams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Only streams of this source: `push` or `pull`.
    kind: Option<String>,
    /// Only streams in this state.
    state: Option<String>,
    /// Only streams with this in their name.
    q: Option<String>,
    /// At most this many (1000).
    limit: Option<usize>,
    /// Leave out this many first.
    #[serde(default)]
    offset: usize,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// All streams, by name
#[utoipa::path(
    get, path = "/api/streams", operation_id = "list_streams", tag = "streams", params(ListParams),
    responses((status = 200, body = StreamList), (status = 401, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>, Params(params): Params<ListParams>) -> Json<StreamList> {
    let q = params.q.as_deref().map(str::to_lowercase);
    let wanted = |stream: &std::sync::Arc<streams::Stream>| {
        q.as_deref().is_none_or(|q| stream.name.as_str().to_lowercase().contains(q))
            && params.kind.as_deref().is_none_or(|kind| kind_of(stream) == kind)
            && params.state.as_deref().is_none_or(|state| state_of(&api, stream) == state)
    };
    let all: Vec<_> = api.registry.all().into_iter().filter(wanted).collect();
    // Only what is shown is looked at closely: there may be ten thousand.
    let shown = all.iter().skip(params.offset).take(params.limit.unwrap_or(1000));
    let streams: Vec<Stream> = shown.map(|stream| shape(&api, stream)).collect();
    let total = all.len();
    Json(StreamList { count: streams.len(), total, streams })
}

/// One stream
#[utoipa::path(
    get, path = "/api/streams/{name}", tag = "streams",
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 200, body = Stream), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn one(State(api): State<Api>, Name(name): Name) -> Result<Json<Stream>> {
    let stream = shape(&api, &*find(&api, &name)?);
    let files = api.captures.files(name.as_str());
    let frames = files.iter().map(|file| format!("/api/frames/{name}/{file}")).collect();
    Ok(Json(Stream { frames: Some(frames), ..stream }))
}

/// One stream's figures
#[utoipa::path(
    get, path = "/api/streams/{name}/stats", tag = "streams",
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 200, body = Stream), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn stats(State(api): State<Api>, Name(name): Name) -> Result<Json<Stream>> {
    Ok(Json(shape(&api, &*find(&api, &name)?)))
}

/// Delete a stream
///
/// Closes its viewers and its recording, and answers when the recording is whole. A push to the name starts a new
/// stream. A stream that we fetch is followed no longer, and its captured pictures are deleted.
#[utoipa::path(
    delete, path = "/api/streams/{name}", operation_id = "delete_stream", tag = "streams",
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 200, body = Done),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn delete(State(api): State<Api>, Name(name): Name) -> Result<Json<Done>> {
    if api.captures.remove(&name).await? {
        return Ok(Json(Done::new(format!("Stream '{name}' deleted"))));
    }
    if api.registry.get(name.as_str()).is_some_and(|stream| stream.feed == streams::Feed::Program) {
        return Err(Error::new(
            Kind::Conflict,
            "the program can't be deleted: stop it, or delete its layers",
        ));
    }
    let stream = api.registry.remove(name.as_str(), "deleted").ok_or_else(|| unknown(&name))?;
    api.recorders.finished(stream.name.as_str()).await;
    Ok(Json(Done::new(format!("Stream '{name}' deleted"))))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordingSwitch {
    enabled: bool,
}

/// Switch a stream's recording on or off
///
/// Viewers notice nothing. Off answers when the file is whole.
#[utoipa::path(
    put, path = "/api/streams/{name}/recording", tag = "recordings", request_body = RecordingSwitch,
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 200, body = Recording), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    )
)]
pub(super) async fn switch_recording(
    State(api): State<Api>,
    Name(name): Name,
    Body(switch): Body<RecordingSwitch>,
) -> Result<Json<Recording>> {
    let stream = find(&api, &name)?;
    if stream.feed != streams::Feed::Push {
        return Err(Error::new(Kind::Conflict, "only streams that are pushed to us are recorded"));
    }
    api.recorders.set_enabled(&stream, switch.enabled)?;
    if !switch.enabled {
        api.recorders.finished(name.as_str()).await;
    }
    Ok(Json(Recording::of(api.recorders.status(name.as_str()))))
}

/// What a clean-up did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cleaned {
    #[schema(example = "success")]
    status: &'static str,
    /// Streams removed because nothing came for `streams.timeout_seconds`.
    removed_streams: Vec<String>,
    deleted_recordings: usize,
    freed_bytes: u64,
}

/// Remove inactive streams and old recordings now
#[utoipa::path(
    post, path = "/api/cleanup", tag = "streams",
    responses((status = 200, body = Cleaned), (status = 401, body = Problem), (status = 403, body = Problem))
)]
pub(super) async fn cleanup(State(api): State<Api>) -> Result<Json<Cleaned>> {
    let done = api.cleanup.now().await?;
    Ok(Json(Cleaned {
        status: "success",
        removed_streams: done.removed.iter().map(ToString::to_string).collect(),
        deleted_recordings: done.deleted_recordings,
        freed_bytes: done.freed_bytes,
    }))
}

fn kind_of(stream: &streams::Stream) -> &'static str {
    match stream.feed {
        streams::Feed::Push => "push",
        streams::Feed::Pull => "pull",
        streams::Feed::Program => "program",
    }
}

fn state_of(api: &Api, stream: &streams::Stream) -> &'static str {
    let pulled = api.captures.state(stream.name.as_str()).map(capture::State::as_str);
    pulled.unwrap_or_else(|| super::wire::state(stream.stats().state))
}

/// A stream as clients see it.
pub(super) fn shape(api: &Api, stream: &streams::Stream) -> Stream {
    let name = stream.name.as_str();
    let pushed = Stream::of(stream, api.recorders.status(name));
    match api.captures.get(name) {
        Some(view) => pushed.pulled(&view, api.clock.wall()),
        None => {
            Stream { pack: api.watch.pack(&stream.name), matches: api.watch.matches(&stream.name), ..pushed }
        }
    }
}
