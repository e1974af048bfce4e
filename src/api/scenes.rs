//! Named scenes: sets of layers with their animations, kept and put on air; chat and values, which layers show.

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
use super::layers::{Gone, LayerList};
use super::scene::{Activation, Asked, Kept, MayAsk, Message, NewValues, Scene, answer, id, if_match};
use crate::base::error::{Error, Kind, Result};
use crate::compose::Done;

/// All named scenes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SceneList {
    count: usize,
    /// The one that was put on air last.
    on_air: Option<String>,
    #[schema(value_type = Vec<Scene>)]
    scenes: Value,
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatList {
    count: usize,
    /// The last 200, oldest first.
    #[schema(value_type = Vec<Message>)]
    messages: Value,
}

/// What was set over the API.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValueList {
    /// Each with the program time (ms) at which it was set.
    #[schema(value_type = BTreeMap<String, Kept>)]
    values: Value,
}

/// All named scenes
#[utoipa::path(
    get, path = "/stream/scenes", operation_id = "list_scenes", tag = "program",
    responses((status = 200, body = SceneList), (status = 401, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>) -> Json<SceneList> {
    let scene = api.keeper.scene();
    let scenes: Vec<_> = scene.scenes().collect();
    let on_air = scene.scene_on_air().map(ToString::to_string);
    Json(SceneList { count: scenes.len(), on_air, scenes: json!(scenes) })
}

/// A new scene
///
/// Without `layers` it takes those on air, with their animations.
#[utoipa::path(
    post, path = "/stream/scenes", operation_id = "create_scene", tag = "program", request_body = Scene,
    responses(
        (status = 201, body = Scene), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn create(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    changed(&api.keeper.run(Command::CreateScene(body), bytes).await?, StatusCode::CREATED)
}

fn changed(done: &Done, status: StatusCode) -> Result<Response> {
    let scene = done.change.scenes.first();
    let scene = scene.ok_or_else(|| Error::new(Kind::Internal, "the change lacks its scene"))?;
    Ok(answer(status, &**scene, scene.revision, done.stored))
}

/// One scene
#[utoipa::path(
    get, path = "/stream/scenes/{id}", operation_id = "one_scene", tag = "program",
    params(("id" = String, Path, description = "scene")),
    responses((status = 200, body = Scene), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn one(State(api): State<Api>, Path(name): Path<String>) -> Result<Response> {
    let all = api.keeper.scene();
    let found = all.scene(&id("scene", &name)?);
    let scene = found.ok_or_else(|| Error::not_found(format!("there is no scene '{name}'")))?;
    Ok(answer(StatusCode::OK, &**scene, scene.revision, true))
}

/// Change a scene
///
/// A merge patch; lists are replaced as a whole. What is on air stays as it is.
#[utoipa::path(
    put, path = "/stream/scenes/{id}", operation_id = "change_scene", tag = "program", request_body = Object,
    params(
        ("id" = String, Path, description = "scene"),
        ("If-Match" = Option<String>, Header, description = "the scene's revision that the patch is for"),
    ),
    responses(
        (status = 200, body = Scene), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Asked(patch, bytes): Asked,
) -> Result<Response> {
    let command = Command::PatchScene { scene: id("scene", &name)?, patch, if_match: if_match(&headers)? };
    changed(&api.keeper.run(command, bytes).await?, StatusCode::OK)
}

/// Delete a scene
///
/// What is on air stays.
#[utoipa::path(
    delete, path = "/stream/scenes/{id}", operation_id = "delete_scene", tag = "program",
    params(
        ("id" = String, Path, description = "scene"),
        ("If-Match" = Option<String>, Header, description = "the scene's revision that is meant"),
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
    let command = Command::DeleteScene { scene: id("scene", &name)?, if_match: if_match(&headers)? };
    let done = api.keeper.run(command, 0).await?;
    let revision = done.change.revision;
    Ok(answer(StatusCode::OK, &Gone::new(format!("Scene '{name}' deleted"), revision), revision, done.stored))
}

/// Put a scene on air
///
/// The layers on air are replaced by copies of the scene's, by a transition if one is said.
#[utoipa::path(
    post, path = "/stream/scenes/{id}/activate", operation_id = "activate_scene", tag = "program",
    request_body = Option<Activation>, params(("id" = String, Path, description = "scene")),
    responses(
        (status = 200, body = LayerList), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn activate(
    State(api): State<Api>,
    Path(name): Path<String>,
    MayAsk(body, bytes): MayAsk,
) -> Result<Response> {
    let done = api.keeper.run(Command::Activate { scene: id("scene", &name)?, body }, bytes).await?;
    let revision = done.change.revision;
    let list = LayerList::new(revision, &done.change.layers.iter().collect::<Vec<_>>());
    Ok(answer(StatusCode::OK, &list, revision, done.stored))
}

/// What was said
#[utoipa::path(
    get, path = "/stream/chat", operation_id = "list_chat", tag = "program",
    responses((status = 200, body = ChatList), (status = 401, body = Problem))
)]
pub(super) async fn messages(State(api): State<Api>) -> Json<ChatList> {
    let scene = api.keeper.scene();
    let messages: Vec<_> = scene.chat().collect();
    Json(ChatList { count: messages.len(), messages: json!(messages) })
}

/// Say something in every chat layer
#[utoipa::path(
    post, path = "/stream/chat", operation_id = "say", tag = "program", request_body = Message,
    responses(
        (status = 201, body = Message), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn say(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    let done = api.keeper.run(Command::Chat(body), bytes).await?;
    let message = done.change.chat.first();
    let message = message.ok_or_else(|| Error::new(Kind::Internal, "the change lacks its message"))?;
    Ok(answer(StatusCode::CREATED, &**message, done.change.revision, done.stored))
}

/// Values that layers show
#[utoipa::path(
    get, path = "/stream/values", operation_id = "list_values", tag = "program",
    responses((status = 200, body = ValueList), (status = 401, body = Problem))
)]
pub(super) async fn values(State(api): State<Api>) -> Json<ValueList> {
    Json(ValueList { values: json!(api.keeper.scene().values()) })
}

/// Set values that layers show
///
/// As `{{ values.<name> }}` in a text, or bound to a property. Those that are not named stay; `null` takes one away.
#[utoipa::path(
    put, path = "/stream/values", operation_id = "set_values", tag = "program", request_body = NewValues,
    responses(
        (status = 200, body = ValueList), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn set_values(State(api): State<Api>, Asked(body, bytes): Asked) -> Result<Response> {
    let done = api.keeper.run(Command::SetValues(body), bytes).await?;
    let list = ValueList { values: json!(api.keeper.scene().values()) };
    Ok(answer(StatusCode::OK, &list, done.change.revision, done.stored))
}
