//! Which route goes where, and the document that says so: one list makes both.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::{Content, OpenApi as OpenApiDocument, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::error::Problem;
use super::{
    Api, assets, asyncapi, audio, config, events, follow, frame, frames, guard, hls, layers, outputs, packs,
    page, program, publish, recordings, scenes, status, streams, view, ws,
};

/// Bytes of a list of streams to follow: ten thousand of them with all their fields.
const MOST_STREAMS: usize = 4 << 20;

/// Bytes of a picture that a pack is tried on.
const MOST_PICTURE: usize = 32 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "onair",
        description = "Live video in, watched, kept, mixed and sent out. Errors are RFC 9457 problems."
    ),
    tags(
        (name = "push", description = "Frames in"),
        (name = "view", description = "Pictures out"),
        (name = "streams", description = "What there is"),
        (name = "recordings", description = "What was kept"),
        (name = "events", description = "What happens, and what is read"),
        (name = "packs", description = "What screens are read with"),
        (name = "program", description = "What is on air: layers, animations, scenes"),
        (name = "operation", description = "How it is doing"),
    )
)]
struct Document;

/// The API as OpenAPI 3.1, made from the handlers.
pub fn document() -> Value {
    described(finished(routes().into_openapi()))
}

/// With the scene's types, which describe themselves.
fn described(document: OpenApiDocument) -> Value {
    let mut document = serde_json::to_value(document).expect("the document is plain data");
    for (name, schema) in scene::schemas("#/components/schemas/") {
        document["components"]["schemas"][name] = schema;
    }
    document
}

/// Says of every error that it is a problem, and of every route that it may answer one.
fn finished(mut document: OpenApiDocument) -> OpenApiDocument {
    const JSON: &str = "application/json";
    const PROBLEM: &str = "application/problem+json";
    let schema = Ref::from_schema_name("Problem");
    let any = ResponseBuilder::new()
        .description("Any other error")
        .content(PROBLEM, Content::new(Some(schema)))
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                if response.content.get(JSON).is_some_and(is_problem)
                    && let Some(content) = response.content.shift_remove(JSON)
                {
                    response.content.insert(PROBLEM.to_owned(), content);
                }
            }
            operation.responses.responses.insert("default".to_owned(), RefOr::T(any.clone()));
        }
    }
    document
}

fn is_problem(content: &RefOr<Content>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) = content else { return false };
    schema.ref_location.ends_with("/Problem")
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(publish::publish))
        .routes(routes!(publish::publish_ws))
        .routes(routes!(view::watch))
        .routes(routes!(view::snapshot))
        .routes(routes!(streams::list, follow::follow))
        .routes(routes!(follow::follow_many).layer(DefaultBodyLimit::max(MOST_STREAMS)))
        .routes(routes!(streams::one, streams::delete))
        .routes(routes!(streams::stats))
        .routes(routes!(follow::set_priority))
        .routes(routes!(frames::frame))
        .routes(routes!(packs::set_pack))
        .routes(routes!(events::readings))
        .routes(routes!(events::list))
        .routes(routes!(events::one))
        .routes(routes!(events::frame))
        .routes(routes!(events::crop))
        .routes(routes!(events::judge))
        .routes(routes!(packs::list))
        .routes(routes!(packs::one))
        .routes(routes!(packs::read).layer(DefaultBodyLimit::max(MOST_PICTURE)))
        .routes(routes!(follow::restart))
        .routes(routes!(streams::switch_recording))
        .routes(routes!(streams::cleanup))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::play, recordings::delete))
        .routes(routes!(program::control))
        .routes(routes!(program::status))
        .routes(routes!(outputs::list, outputs::create))
        .routes(routes!(outputs::one, outputs::put, outputs::delete))
        .routes(routes!(hls::file))
        .routes(routes!(audio::show))
        .routes(routes!(audio::set, audio::delete))
        .routes(routes!(frame::frame))
        .routes(routes!(layers::list, layers::create))
        .routes(routes!(layers::update))
        .routes(routes!(layers::one, layers::put, layers::patch, layers::delete))
        .routes(routes!(layers::show))
        .routes(routes!(layers::animations, layers::animate))
        .routes(routes!(layers::end))
        .routes(routes!(layers::control))
        .routes(routes!(layers::timeline))
        .routes(routes!(scenes::list, scenes::create))
        .routes(routes!(scenes::one, scenes::put, scenes::delete))
        .routes(routes!(scenes::activate))
        .routes(routes!(scenes::messages, scenes::say))
        .routes(routes!(scenes::values, scenes::set_values))
        .routes(routes!(asyncapi::show))
        .routes(routes!(assets::list, assets::add))
        .routes(routes!(assets::one, assets::delete))
        .routes(routes!(config::show, config::change))
        .routes(routes!(status::status))
        .routes(routes!(status::health))
        .routes(routes!(status::metrics))
        .routes(routes!(status::api_metrics))
        .routes(routes!(ws::events))
}

/// What the port of that setting serves.
pub(super) fn router(api: &Api, setting: &str) -> Router {
    let routes = match setting {
        "server.ws_port" => Router::new().fallback(any(ws::events)),
        "server.metrics_port" => Router::new().route("/metrics", get(status::metrics)).fallback(nothing_here),
        "server.health_port" => Router::new().route("/health", get(status::health)).fallback(nothing_here),
        _ => main(),
    };
    routes
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(from_fn_with_state(api.clone(), guard::guard))
        .with_state(api.clone())
}

fn main() -> Router<Api> {
    let (routes, document) = routes().split_for_parts();
    let document = described(finished(document)).to_string();
    routes
        .route("/api/openapi.json", get(move || async move { page::json(document) }))
        .merge(page::routes())
        .fallback(nothing_here)
}

async fn nothing_here(uri: Uri) -> Response {
    let detail = format!("there is nothing at {}; see /api/docs", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let detail = format!("{method} is not for {}; see /api/docs", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response()
}
