//! Where the program goes: outputs made, changed, looked at and ended.
//!
//! Keys go in and never come out again; addresses are shown with `***` for whatever may be secret.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::scene::Asked;
use super::wire::rounded;
use crate::base::clock::Wall;
use crate::base::error::Result;
use crate::outputs::{Event, LaneView, State as OutputState, View};

/// An output, and how it does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    id: String,
    /// `rtmp`, `srt`, `hls`, `file` or `twitter`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Without its key and credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `twitter`, `twitch`, `youtube` or `custom`.
    profile: &'static str,
    /// `h264`, `vp8` or `vp9`.
    video_codec: &'static str,
    /// `aac`, `opus` or `none`.
    audio_codec: &'static str,
    /// kbit/s of the pictures.
    bitrate_kbps: u32,
    enabled: bool,
    /// `idle`, `connecting`, `live`, `reconnecting`, `stalled` or `failed`.
    state: &'static str,
    /// kbit/s that it took lately.
    sent_kbps: f64,
    /// Times it came back after it was lost.
    reconnects: u64,
    last_error: Option<String>,
    /// Since when it is in this state.
    #[schema(value_type = String)]
    since: Wall,
    /// Pictures that were dropped because it could not keep up.
    dropped_frames: u64,
    /// Bytes that wait for it.
    queued_bytes: usize,
    /// What was adapted to its profile.
    notes: Vec<String>,
    /// The recording it writes, or wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closing: Option<String>,
    /// What came of what was said on X.
    #[serde(skip_serializing_if = "Option::is_none")]
    twitter: Option<Announcements>,
}

/// What was said on X, by all outputs of type `twitter`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Announcements {
    /// Posts that were taken.
    posted: u64,
    last_error: Option<String>,
    /// Of the API's limit, as it said last.
    limit: Option<u64>,
    remaining: Option<u64>,
    /// Seconds since 1970: when the limit begins anew.
    reset: Option<i64>,
}

/// All outputs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OutputList {
    outputs: Vec<Output>,
}

/// What is asked of an output. A PUT names what is to change.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `outputs::Definition` reads")]
pub(super) struct NewOutput {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`; made by the server where there is none.
    id: Option<String>,
    /// `rtmp`, `srt`, `hls`, `file` or `twitter`; follows from the url where there is one.
    #[schema(rename = "type")]
    kind: Option<String>,
    /// `rtmp://`, `rtmps://` or `srt://`.
    #[schema(example = "rtmp://live.example.com/app")]
    url: Option<String>,
    /// Joined to the url; never shown again.
    key: Option<String>,
    /// Of a file, which becomes `recordings/program/<name>_<stamp>.mp4`.
    name: Option<String>,
    profile: Option<String>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    bitrate_kbps: Option<u32>,
    audio_bitrate_kbps: Option<u32>,
    enabled: Option<bool>,
    /// Posted when an output of type `twitter` goes live.
    announcement: Option<String>,
    /// Posted when it is over.
    closing: Option<String>,
}

/// An output in `/stream/status`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputStatus {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    state: &'static str,
    /// kbit/s that it took lately.
    bitrate_kbps: f64,
    reconnects: u64,
    last_error: Option<String>,
    dropped_frames: u64,
}

/// One encode, shared by the outputs that take the same.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encoder {
    /// kbit/s that are kept to.
    target_kbps: u32,
    /// kbit/s that came out lately.
    bitrate_kbps: f64,
    /// Frames a second that came out lately.
    fps: f64,
    /// The preset at work: lower than the setting when the machine can't keep up.
    preset: Option<&'static str>,
    /// Whether every second frame is left out for want of time.
    half_rate: bool,
    /// Such as hardware that is not there.
    warning: Option<String>,
    destinations: usize,
}

pub(super) fn encoder(lane: &LaneView) -> Encoder {
    Encoder {
        target_kbps: lane.recipe.kbps,
        bitrate_kbps: rounded(lane.kbps),
        fps: rounded(lane.fps),
        preset: lane.effort.map(|effort| effort.preset.name()),
        half_rate: lane.effort.is_some_and(|effort| effort.half),
        warning: lane.warning.clone(),
        destinations: lane.destinations,
    }
}

pub(super) fn status(view: &View) -> OutputStatus {
    let (definition, shown) = (&view.definition, &view.shown);
    OutputStatus {
        id: definition.id.clone(),
        url: definition.shown_url(),
        state: shown.state.word(),
        bitrate_kbps: rounded(shown.sent_kbps),
        reconnects: shown.reconnects,
        last_error: shown.last_error.clone(),
        dropped_frames: shown.dropped,
    }
}

fn shape(view: &View) -> Output {
    let (definition, shown) = (&view.definition, &view.shown);
    Output {
        id: definition.id.clone(),
        kind: definition.kind.word(),
        url: definition.shown_url(),
        name: definition.name().map(str::to_owned),
        profile: definition.profile.word(),
        video_codec: definition.video_word(),
        audio_codec: definition.sound_word(),
        bitrate_kbps: definition.recipe.kbps,
        enabled: definition.enabled,
        state: shown.state.word(),
        sent_kbps: rounded(shown.sent_kbps),
        reconnects: shown.reconnects,
        last_error: shown.last_error.clone(),
        since: shown.since,
        dropped_frames: shown.dropped,
        queued_bytes: view.queued.1,
        notes: definition.notes.clone(),
        file: shown.file.clone(),
        announcement: definition.announcement.clone(),
        closing: definition.closing.clone(),
        twitter: view.said.as_ref().map(|said| Announcements {
            posted: said.posted,
            last_error: said.last_error.clone(),
            limit: said.limits.limit,
            remaining: said.limits.remaining,
            reset: said.limits.reset,
        }),
    }
}

/// Where the program goes
#[utoipa::path(
    get, path = "/stream/outputs", operation_id = "list_outputs", tag = "program",
    responses((status = 200, body = OutputList), (status = 401, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>) -> Json<OutputList> {
    Json(OutputList { outputs: api.outputs.all().iter().map(shape).collect() })
}

/// Send the program somewhere
///
/// At once if the program is on air, and whenever it is. Disturbs no other output. What the platform would refuse is refused
/// here, by field.
#[utoipa::path(
    post, path = "/stream/outputs", operation_id = "create_output", tag = "program", request_body = NewOutput,
    responses(
        (status = 201, body = Output), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Asked(asked, _): Asked,
) -> Result<(StatusCode, Json<Output>)> {
    let view = api.outputs.create(&asked).await?;
    Ok((StatusCode::CREATED, Json(shape(&view))))
}

/// One output
#[utoipa::path(
    get, path = "/stream/outputs/{id}", operation_id = "output", tag = "program", params(("id" = String, Path)),
    responses((status = 200, body = Output), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Output>> {
    api.outputs.one(&id).map(|view| Json(shape(&view)))
}

/// Change an output
///
/// A merge patch: `{"enabled": false}` ends it for now. Its id and type can't change. It is connected anew only if where it
/// goes or what is sent changes.
#[utoipa::path(
    put, path = "/stream/outputs/{id}", operation_id = "change_output", tag = "program", params(("id" = String, Path)),
    request_body = NewOutput,
    responses(
        (status = 200, body = Output), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    Path(id): Path<String>,
    Asked(patch, _): Asked,
) -> Result<Json<Output>> {
    api.outputs.change(&id, &patch).await.map(|view| Json(shape(&view)))
}

/// Done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OutputGone {
    #[schema(example = "success")]
    status: &'static str,
}

/// End an output and forget it
#[utoipa::path(
    delete, path = "/stream/outputs/{id}", operation_id = "delete_output", tag = "program",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = OutputGone), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<OutputGone>> {
    api.outputs.delete(&id).await?;
    Ok(Json(OutputGone { status: "success" }))
}

/// What a `streamEvent` says of an output: its state, and the trouble it is in.
pub(super) fn events(event: &Event) -> Vec<Value> {
    let Event::State { id, state, error } = event;
    let mut events = vec![json!({
        "event": "outputState", "stream": "program", "output": id, "state": state.word(), "reason": error,
    })];
    if matches!(state, OutputState::Reconnecting | OutputState::Stalled | OutputState::Failed) {
        let reason = error.as_deref().unwrap_or("it takes nothing");
        events.push(json!({ "event": "streamError", "stream": "program", "output": id, "reason": reason }));
    }
    events
}
