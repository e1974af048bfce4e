//! Layers on air: what there are, new ones, changes, one by one or many at once, and their animations.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use scene::Command;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::scene::{Animation, Asked, Control, Layer, Timeline, Visibility, answer, id, if_match, layer};
use crate::base::error::{Error, Result};

/// All layers on air.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LayerList {
    /// Of the scene: it rises with each change of anything.
    revision: u64,
    count: usize,
    /// Those below first.
    #[schema(value_type = Vec<Layer>)]
    layers: Value,
}

impl LayerList {
    pub(super) fn new(revision: u64, layers: &[&Arc<scene::Layer>]) -> Self {
        Self { revision, count: layers.len(), layers: json!(layers) }
    }
}

/// Something of the scene is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Gone {
    #[schema(example = "success")]
    status: &'static str,
    message: String,
    /// Of the scene, after it.
    revision: u64,
}

impl Gone {
    pub(super) fn new(message: String, revision: u64) -> Self {
        Self { status: "success", message, revision }
    }
}

/// Patches of layers that land in the same frame, or none of them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document: the scene reads it")]
pub(super) struct LayerUpdates {
    /// Each with the `id` of its layer and what is other there.
    #[schema(value_type = Vec<Object>, example = json!([{"id": "bid", "visible": true}]))]
    updates: Vec<Value>,
}

/// Layers as they are after a change of several.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Updated {
    revision: u64,
    #[schema(value_type = Vec<Layer>)]
    layers: Value,
}

/// An animation, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Played {
    /// `waiting`, `running`, `paused` or `over`.
    status: &'static str,
    /// Its own time: ms since it began, its delay included.
    time: f64,
    /// Of one time through, in ms.
    duration: f64,
    /// As it was asked for.
    #[schema(value_type = Animation)]
    animation: Value,
}

/// Animations of a layer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlayedList {
    /// Program time in ms.
    time: f64,
    animations: Vec<Played>,
}

/// All layers on air
#[utoipa::path(
    get, path = "/stream/layers", operation_id = "list_layers", tag = "program",
    responses((status = 200, body = LayerList), (status = 401, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>) -> Json<LayerList> {
    let scene = api.keeper.scene();
    Json(LayerList::new(scene.revision(), &scene.layers()))
}

/// A new layer
///
/// What is not said has its default; it stands above all others unless `zIndex` says where. An answer with
/// `X-Stored: later` was done and is written down as soon as the store is back; that is so of every change of the scene.
#[utoipa::path(
    post, path = "/stream/layers", operation_id = "create_layer", tag = "program", request_body = Layer,
    responses(
        (status = 201, body = Layer), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn create(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    if body["id"] == "update" {
        return Err(Error::invalid("id", "must not be 'update', which is a route of its own"));
    }
    let done = api.keeper.run(Command::Create(body), bytes).await?;
    layer(&done, None, StatusCode::CREATED)
}

/// One layer
#[utoipa::path(
    get, path = "/stream/layers/{id}", operation_id = "one_layer", tag = "program",
    params(("id" = String, Path, description = "layer")),
    responses((status = 200, body = Layer), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn one(State(api): State<Api>, Path(name): Path<String>) -> Result<Response> {
    let scene = api.keeper.scene();
    let found = scene.layer(&id("layer", &name)?);
    let layer = found.ok_or_else(|| Error::not_found(format!("there is no layer '{name}'")))?;
    Ok(answer(StatusCode::OK, &**layer, layer.revision, true))
}

/// Change a layer
///
/// A merge patch (RFC 7396), as PATCH takes: what is said is changed, `null` brings back the default. `id` and `type`
/// can't change.
#[utoipa::path(
    put, path = "/stream/layers/{id}", operation_id = "put_layer", tag = "program", request_body = Object,
    params(
        ("id" = String, Path, description = "layer"),
        ("If-Match" = Option<String>, Header, description = "the layer's revision that the patch is for"),
    ),
    responses(
        (status = 200, body = Layer), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Asked(patch, bytes): Asked,
) -> Result<Response> {
    let id = id("layer", &name)?;
    let command = Command::Patch { layer: id.clone(), patch, if_match: if_match(&headers)? };
    layer(&api.keeper.run(command, bytes).await?, Some(&id), StatusCode::OK)
}

/// Change some of a layer
///
/// The same as PUT.
#[utoipa::path(
    patch, path = "/stream/layers/{id}", operation_id = "patch_layer", tag = "program", request_body = Object,
    params(
        ("id" = String, Path, description = "layer"),
        ("If-Match" = Option<String>, Header, description = "the layer's revision that the patch is for"),
    ),
    responses(
        (status = 200, body = Layer), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn patch(
    state: State<Api>,
    path: Path<String>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response> {
    put(state, path, headers, asked).await
}

/// Delete a layer
///
/// Layers in it stand alone then, masks by it are gone, its animations end.
#[utoipa::path(
    delete, path = "/stream/layers/{id}", operation_id = "delete_layer", tag = "program",
    params(
        ("id" = String, Path, description = "layer"),
        ("If-Match" = Option<String>, Header, description = "the layer's revision that is meant"),
    ),
    responses(
        (status = 200, body = Gone), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let command = Command::Delete { layer: id("layer", &name)?, if_match: if_match(&headers)? };
    let done = api.keeper.run(command, 0).await?;
    let revision = done.change.revision;
    let gone = Gone::new(format!("Layer '{name}' deleted"), revision);
    Ok(answer(StatusCode::OK, &gone, revision, done.stored))
}

/// Show or hide a layer
#[utoipa::path(
    post, path = "/stream/layers/{id}/visibility", operation_id = "show_layer", tag = "program",
    request_body = Visibility, params(("id" = String, Path, description = "layer")),
    responses(
        (status = 200, body = Layer), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    Asked(body, bytes): Asked,
) -> Result<Response> {
    let id = id("layer", &name)?;
    let done = api.keeper.run(Command::Visibility { layer: id.clone(), body }, bytes).await?;
    layer(&done, Some(&id), StatusCode::OK)
}

/// Change several layers in one frame
///
/// All land in the same frame, or none.
#[utoipa::path(
    post, path = "/stream/layers/update", operation_id = "update_layers", tag = "program",
    request_body = LayerUpdates,
    responses(
        (status = 200, body = Updated), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn update(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    let done = api.keeper.run(Command::Update(body), bytes).await?;
    let revision = done.change.revision;
    let updated = Updated { revision, layers: json!(done.change.layers) };
    Ok(answer(StatusCode::OK, &updated, revision, done.stored))
}

/// Animate a layer
#[utoipa::path(
    post, path = "/stream/layers/{id}/animations", operation_id = "animate_layer", tag = "program",
    request_body = Animation, params(("id" = String, Path, description = "layer")),
    responses(
        (status = 201, body = PlayedList), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn animate(
    State(api): State<Api>,
    Path(name): Path<String>,
    Asked(animation, bytes): Asked,
) -> Result<Response> {
    started(&api, Command::Animate { layer: id("layer", &name)?, animation }, bytes).await
}

/// Begin several animations on one frame
#[utoipa::path(
    post, path = "/stream/timeline", operation_id = "timeline", tag = "program", request_body = Timeline,
    responses(
        (status = 201, body = PlayedList), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn timeline(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    started(&api, Command::Timeline(body), bytes).await
}

/// Runs a command that changes animations, and answers with those.
async fn started(api: &Api, command: Command, bytes: usize) -> Result<Response> {
    let done = api.keeper.run(command, bytes).await?;
    let changed = &done.change.animations;
    let list = playing(api, |animation| changed.iter().any(|score| score.animation.id == animation.id));
    Ok(answer(StatusCode::CREATED, &list, done.change.revision, done.stored))
}

/// Animations on air that `wanted` says yes to, in the order in which they begin.
fn playing(api: &Api, wanted: impl Fn(&scene::Animation) -> bool) -> PlayedList {
    let (scene, time) = (api.keeper.scene(), api.keeper.time());
    let scores = scene.state().animations;
    let all = scene.animations().iter().zip(&scores).filter(|(_, score)| wanted(&score.animation));
    let played = all.map(|(playing, score)| Played {
        status: playing.status(time).word(),
        time: playing.own_time(time),
        duration: score.duration,
        animation: json!(score.animation),
    });
    PlayedList { time, animations: played.collect() }
}

/// A layer's animations
#[utoipa::path(
    get, path = "/stream/layers/{id}/animations", operation_id = "list_animations", tag = "program",
    params(("id" = String, Path, description = "layer")),
    responses((status = 200, body = PlayedList), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn animations(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<PlayedList>> {
    let id = id("layer", &name)?;
    if api.keeper.scene().layer(&id).is_none() {
        return Err(Error::not_found(format!("there is no layer '{name}'")));
    }
    Ok(Json(playing(&api, |animation| animation.layer_id == id)))
}

/// End an animation
///
/// The layer's own values show again.
#[utoipa::path(
    delete, path = "/stream/layers/{id}/animations/{animation}", operation_id = "end_animation", tag = "program",
    params(("id" = String, Path, description = "layer"), ("animation" = String, Path, description = "animation")),
    responses(
        (status = 200, body = Gone), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn end(
    State(api): State<Api>,
    Path((name, animation)): Path<(String, String)>,
) -> Result<Response> {
    let command = Command::Cancel { layer: id("layer", &name)?, animation: id("animation", &animation)? };
    let done = api.keeper.run(command, 0).await?;
    let revision = done.change.revision;
    let gone = Gone::new(format!("Animation '{animation}' ended"), revision);
    Ok(answer(StatusCode::OK, &gone, revision, done.stored))
}

/// Hold an animation, let it go on, or set its time
#[utoipa::path(
    post, path = "/stream/layers/{id}/animations/{animation}/control", operation_id = "control_animation",
    tag = "program", request_body = Control,
    params(("id" = String, Path, description = "layer"), ("animation" = String, Path, description = "animation")),
    responses(
        (status = 200, body = Played), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn control(
    State(api): State<Api>,
    Path((name, animation)): Path<(String, String)>,
    Asked(body, bytes): Asked,
) -> Result<Response> {
    let animation = id("animation", &animation)?;
    let command = Command::Control { layer: id("layer", &name)?, animation: animation.clone(), body };
    let done = api.keeper.run(command, bytes).await?;
    let played = playing(&api, |other| other.id == animation).animations.pop();
    let played = played.ok_or_else(|| Error::not_found(format!("animation '{animation}' is over")))?;
    Ok(answer(StatusCode::OK, &played, done.change.revision, done.stored))
}
