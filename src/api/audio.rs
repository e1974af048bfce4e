//! The mixer: which sounds there are in the program, how each is set, how loud it is.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::scene::Asked;
use super::wire::rounded;
use crate::base::error::Result;
use crate::outputs::{Levels, Source};

/// All sounds of the program.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AudioState {
    sources: Vec<AudioSource>,
    /// Null while nothing is encoded with sound.
    program: Option<ProgramLevel>,
}

/// A source of sound.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AudioSource {
    source: String,
    /// The id of an asset; null for a stream.
    src: Option<String>,
    /// A stream that is heard while a layer shows it in full; null for an asset.
    stream: Option<String>,
    #[serde(rename = "loop")]
    repeat: bool,
    /// 0 to 2.
    volume: f64,
    /// -1 (left) to 1 (right).
    pan: f64,
    mute: bool,
    /// How long a change takes.
    fade_ms: u32,
    duck: Option<AudioDuck>,
    /// Null while it is not mixed.
    level: Option<AudioLevel>,
    /// Why it is not heard.
    last_error: Option<String>,
}

/// Lowers a source while another is loud.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AudioDuck {
    by: String,
    amount_db: f64,
}

/// After its volume. -120 is silence.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AudioLevel {
    /// dBFS.
    peak_db: f64,
    /// LUFS over 400 ms.
    momentary_lufs: f64,
    /// Times there was nothing to play when something was wanted.
    underruns: u64,
}

/// Of what goes out. -120 is silence.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgramLevel {
    /// dBFS.
    peak_db: f64,
    /// LUFS over 400 ms.
    momentary_lufs: f64,
    /// LUFS over 3 s.
    short_term_lufs: f64,
    /// LUFS since it went on air.
    integrated_lufs: f64,
    /// dB that the limiter took away at most.
    limited_db: f64,
}

/// How a source is to sound. Fields that are left out stay.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `outputs::Source` reads")]
pub(super) struct NewAudio {
    /// The id of an asset; makes the source if there is none of that name.
    src: Option<String>,
    /// Instead of it, a stream: heard while a layer shows it in full.
    stream: Option<String>,
    #[schema(rename = "loop")]
    repeat: Option<bool>,
    /// 0 to 2.
    volume: Option<f64>,
    /// -1 to 1.
    pan: Option<f64>,
    mute: Option<bool>,
    /// Up to 60000.
    fade_ms: Option<u32>,
    /// `{"by": source, "amountDb": 0 to 60}`, or null.
    #[schema(value_type = Option<Object>)]
    duck: Option<Value>,
}

fn shape(api: &Api, name: &str, source: &Source, levels: &Levels) -> AudioSource {
    let number = |value: f32| rounded(f64::from(value));
    let level = levels.sources.get(name).map(|(level, counts)| AudioLevel {
        peak_db: number(level.peak_db),
        momentary_lufs: number(level.momentary),
        underruns: counts.underruns,
    });
    let settings = &source.settings;
    AudioSource {
        source: name.to_owned(),
        src: source.src().map(str::to_owned),
        stream: source.stream().map(str::to_owned),
        repeat: source.repeat,
        volume: number(settings.volume),
        pan: number(settings.pan),
        mute: settings.mute,
        fade_ms: settings.fade_ms,
        duck: settings
            .duck
            .as_ref()
            .map(|duck| AudioDuck { by: duck.by.clone(), amount_db: number(duck.amount_db) }),
        level,
        last_error: api.outputs.silenced().remove(name),
    }
}

fn state(api: &Api) -> AudioState {
    let levels = api.outputs.levels();
    let number = |value: f32| rounded(f64::from(value));
    let program = levels.program.map(|loudness| ProgramLevel {
        peak_db: number(loudness.peak_db),
        momentary_lufs: number(loudness.momentary),
        short_term_lufs: number(loudness.short_term),
        integrated_lufs: number(loudness.integrated),
        limited_db: number(loudness.limited_db),
    });
    let sources = api.outputs.sources();
    AudioState {
        sources: sources.iter().map(|(name, source)| shape(api, name, source, &levels)).collect(),
        program,
    }
}

/// What the meters show, for a WebSocket.
pub(super) fn levels(api: &Api) -> Value {
    json!(state(api))
}

/// The mixer
#[utoipa::path(
    get, path = "/stream/audio", operation_id = "audio", tag = "program",
    responses((status = 200, body = AudioState), (status = 401, body = Problem))
)]
pub(super) async fn show(State(api): State<Api>) -> Json<AudioState> {
    Json(state(&api))
}

/// Set a source of sound
///
/// A merge patch; changes are faded. A source that is not there is made of the asset in `src`, or of the stream in `stream`.
/// A stream that a layer shows in full is a source of its own name by itself.
#[utoipa::path(
    patch, path = "/stream/audio/{source}", operation_id = "set_audio", tag = "program",
    params(("source" = String, Path)), request_body = NewAudio,
    responses(
        (status = 200, body = AudioSource), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    Asked(patch, _): Asked,
) -> Result<Json<AudioSource>> {
    let source = api.outputs.set_source(&name, &patch).await?;
    Ok(Json(shape(&api, &name, &source, &api.outputs.levels())))
}

/// Done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AudioGone {
    #[schema(example = "success")]
    status: &'static str,
}

/// Take a source of sound away
#[utoipa::path(
    delete, path = "/stream/audio/{source}", operation_id = "delete_audio", tag = "program",
    params(("source" = String, Path)),
    responses(
        (status = 200, body = AudioGone), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn delete(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<AudioGone>> {
    api.outputs.remove_source(&name).await?;
    Ok(Json(AudioGone { status: "success" }))
}
