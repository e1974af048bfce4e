//! The program as a whole: on air or not, and how it is doing.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::extract::Body;
use super::outputs::{self, Encoder, OutputStatus};
use crate::base::error::{Error, Result};
use crate::compose::{Action, Role, State as ShowState, Trouble};
use crate::players::View;

/// What is asked of the broadcast.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewState {
    /// `start`, `stop`, `pause` or `resume`.
    #[schema(example = "start")]
    action: String,
}

/// How the program is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgramStatus {
    /// `idle`, `live` or `paused`.
    state: &'static str,
    is_live: bool,
    is_paused: bool,
    /// Frames a second that are made.
    fps: f64,
    #[serde(rename = "targetFPS")]
    target_fps: u32,
    layer_count: usize,
    /// Of the scene.
    revision: u64,
    /// Program time in ms.
    time: f64,
    render_time_ms: RenderTime,
    /// Frames that could not be made in time.
    dropped_frames: u64,
    /// Frames sent again in their place.
    duplicated_frames: u64,
    /// Frames that could not be composed at all; the last one was shown on.
    failed_frames: u64,
    /// Bytes of pictures, canvases and files that are kept for composing.
    memory_bytes: usize,
    /// Streams that are decoded for layers.
    feeds: usize,
    /// Those of them that are played in full.
    played: Vec<PlayedStream>,
    /// Frames of streams and files that layers show that could not be read or decoded.
    damaged: u64,
    /// Times drawing a layer failed or took too long.
    failed_draws: u64,
    /// `composing`, `standby` while another server on the same store composes, or `waiting` for the store to say.
    role: &'static str,
    /// Layers that can't be shown as they should be.
    layer_errors: Vec<LayerError>,
    /// Time on air.
    uptime_seconds: f64,
    /// Frames that were sent again because there was no new one.
    repeated_frames: u64,
    /// Frames that there was no time to encode.
    skipped_frames: u64,
    encoders: Vec<Encoder>,
    outputs: Vec<OutputStatus>,
}

/// A stream of which every picture is shown, and how that goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlayedStream {
    stream: String,
    /// `connecting`, `playing`, or `lost` while its source is tried again.
    state: &'static str,
    last_error: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// Whether it has sound.
    sound: bool,
    /// Pictures.
    decoded: u64,
    /// Pictures left out because decoding could not keep up.
    dropped: u64,
    /// Pictures that were ready after their time.
    late: u64,
    /// What could not be decoded.
    damaged: u64,
    /// Times its source was opened again.
    reconnects: u64,
}

/// Why a layer is not shown as it should be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LayerError {
    layer: String,
    message: String,
}

/// What a frame takes, in ms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RenderTime {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// How the program is doing
#[utoipa::path(
    get, path = "/stream/status", operation_id = "program_status", tag = "program",
    responses((status = 200, body = ProgramStatus), (status = 401, body = Problem))
)]
pub(super) async fn status(State(api): State<Api>) -> Json<ProgramStatus> {
    Json(shape(&api))
}

impl PlayedStream {
    fn of(view: View) -> Self {
        let (width, height) = view.size.unzip();
        Self {
            stream: view.name,
            state: view.state.word(),
            last_error: view.error,
            width,
            height,
            sound: view.sound,
            decoded: view.decoded,
            dropped: view.dropped,
            late: view.late,
            damaged: view.damaged,
            reconnects: view.reconnects,
        }
    }
}

impl LayerError {
    fn of(trouble: &Trouble) -> Self {
        Self { layer: trouble.layer.clone(), message: trouble.message.clone() }
    }
}

pub(super) fn shape(api: &Api) -> ProgramStatus {
    let (scene, show, figures) = (api.keeper.scene(), api.keeper.show(), api.keeper.figures());
    let encoding = api.outputs.encoding();
    let on_air = show.since.map_or(0.0, |since| api.clock.wall().0.duration_since(since.0).as_secs_f64());
    ProgramStatus {
        state: show.state.word(),
        is_live: show.state != ShowState::Idle,
        is_paused: show.state == ShowState::Paused,
        fps: figures.fps,
        target_fps: api.config.compositor.fps,
        layer_count: scene.layers().len(),
        revision: scene.revision(),
        time: api.keeper.time(),
        render_time_ms: RenderTime {
            p50: figures.render_p50,
            p95: figures.render_p95,
            p99: figures.render_p99,
        },
        dropped_frames: figures.dropped,
        duplicated_frames: figures.duplicated,
        failed_frames: figures.failed,
        memory_bytes: figures.memory,
        feeds: figures.feeds,
        played: api.players.all().iter().map(|player| PlayedStream::of(player.view())).collect(),
        damaged: figures.damaged + figures.unread,
        failed_draws: figures.panics + figures.given_up,
        role: match api.keeper.role() {
            Role::Waiting => "waiting",
            Role::Composing { .. } => "composing",
            Role::StandingBy { .. } => "standby",
        },
        layer_errors: api.keeper.troubles().borrow().iter().map(LayerError::of).collect(),
        uptime_seconds: on_air.max(0.0),
        repeated_frames: encoding.repeats,
        skipped_frames: encoding.left_out,
        encoders: api.outputs.lanes().iter().map(outputs::encoder).collect(),
        outputs: api.outputs.all().iter().map(outputs::status).collect(),
    }
}

pub(super) fn action(word: &str) -> Result<Action> {
    let known = Action::ALL.into_iter().find(|action| action.word() == word);
    known.ok_or_else(|| Error::invalid("action", "must be start, stop, pause or resume"))
}

/// Start, stop, pause or resume the broadcast
///
/// `start` and `stop` begin and end it; `pause` freezes its picture, and program time stands still meanwhile. What is so
/// already is refused.
#[utoipa::path(
    post, path = "/stream/control", operation_id = "control_program", tag = "program", request_body = NewState,
    responses(
        (status = 200, body = ProgramStatus), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn control(
    State(api): State<Api>,
    Body(NewState { action: word }): Body<NewState>,
) -> Result<Json<ProgramStatus>> {
    api.keeper.control(action(&word)?).await?;
    Ok(Json(shape(&api)))
}
