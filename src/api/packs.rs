//! Packs: which there are, what they read, a try on a picture.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::Problem;
use super::extract::{Body, Name, Params, whole};
use super::follow::pack as checked;
use super::streams::shape;
use super::view::find;
use super::wire::Stream;
use crate::base::error::{Error, Kind, Result};
use crate::reading::{Entry, Origin};
use crate::streams::Feed;

/// A pack, or the place where one should be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pack {
    #[schema(example = "fifa20")]
    id: String,
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    /// `built_in`, or `folder` for one of your own.
    origin: &'static str,
    screens: Vec<String>,
    /// The ids of what it reads; `*` stands for the numbers of a list.
    values: Vec<String>,
    /// Types of the events it can find.
    events: Vec<String>,
    /// What it can't do here, and how that is mended.
    notes: Vec<String>,
    /// What is wrong with its newest files; the version before goes on.
    problems: Vec<String>,
}

impl From<Entry> for Pack {
    fn from(entry: Entry) -> Self {
        let pack = entry.pack.as_deref();
        Self {
            id: entry.id.clone(),
            name: pack.map(|pack| pack.name.clone()),
            version: pack.map(|pack| pack.version.to_string()),
            description: pack.map(|pack| pack.description.clone()),
            origin: match entry.origin {
                Origin::BuiltIn => "built_in",
                Origin::Folder(_) => "folder",
            },
            screens: pack.iter().flat_map(|pack| &pack.screens).map(|screen| screen.id.to_string()).collect(),
            values: pack.iter().flat_map(|pack| pack.values()).collect(),
            events: pack.iter().flat_map(|pack| pack.rules.kinds()).map(|kind| kind.to_string()).collect(),
            notes: pack.iter().flat_map(|pack| pack.notes.clone()).collect(),
            problems: entry.problems.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PackList {
    count: usize,
    packs: Vec<Pack>,
}

/// All packs
#[utoipa::path(
    get, path = "/api/packs", operation_id = "list_packs", tag = "packs",
    responses((status = 200, body = PackList), (status = 401, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>) -> Json<PackList> {
    let packs: Vec<Pack> = api.reader.library().entries().into_iter().map(Pack::from).collect();
    Json(PackList { count: packs.len(), packs })
}

/// One pack
#[utoipa::path(
    get, path = "/api/packs/{id}", operation_id = "one_pack", tag = "packs",
    params(("id" = String, Path, description = "pack")),
    responses((status = 200, body = Pack), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Pack>> {
    Ok(Json(api.reader.library().entry(&id)?.into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadParams {
    /// 1: also the picture with its boxes and what was read, as a PNG in a `data:` address.
    annotated: Option<u8>,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// What a pack read from a picture that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Trial {
    /// Null when no gate accepts the picture, or too little can be read.
    pack: Option<String>,
    pack_version: Option<String>,
    screen: Option<String>,
    #[schema(value_type = Option<Object>)]
    values: Value,
    #[schema(value_type = Option<Object>)]
    confidence: Value,
    /// By region, and `gate`: milliseconds.
    #[schema(value_type = Object)]
    timing_ms: Value,
    /// `data:image/png;base64,…`
    #[serde(skip_serializing_if = "Option::is_none")]
    annotated: Option<String>,
}

/// Try a pack on a picture
///
/// The body is a JPEG or a PNG; `auto` as the id tries all packs. Nothing is kept of it.
#[utoipa::path(
    post, path = "/api/packs/{id}/read", operation_id = "try_pack", tag = "packs",
    params(("id" = String, Path, description = "pack, or auto"), ReadParams),
    request_body(content_type = "image/jpeg", content = String, description = "JPEG or PNG"),
    responses(
        (status = 200, body = Trial), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn read(
    State(api): State<Api>,
    Path(id): Path<String>,
    Params(params): Params<ReadParams>,
    request: Request,
) -> Result<Json<Trial>> {
    let kind =
        request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    if !matches!(kind.as_str(), "image/jpeg" | "image/png" | "application/octet-stream" | "") {
        return Err(Error::new(Kind::WrongType, "send a picture: image/jpeg or image/png"));
    }
    let packs = api.reader.library().choose(&id);
    if packs.is_empty() {
        let problems = api.reader.library().entry(&id)?.problems;
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        return Err(Error::invalid("id", format!("the pack can't be used: {}", problems.join("; "))));
    }
    let bytes = whole(request).await?;
    let (reader, annotate) = (api.reader.clone(), params.annotated.is_some_and(|wanted| wanted != 0));
    let most = api.config.limits.max_side;
    let tried = tokio::task::spawn_blocking(move || reader.try_on(&packs, &bytes, most, annotate));
    let (outcome, png) = tried.await.map_err(|e| Error::internal("the picture can't be read", e))??;
    let reading = outcome.reading.as_ref();
    Ok(Json(Trial {
        pack: reading.map(|reading| reading.pack.to_string()),
        pack_version: reading.map(|reading| reading.pack_version.to_string()),
        screen: reading.map(|reading| reading.screen.to_string()),
        values: reading.map_or(Value::Null, |reading| reading.values_json()),
        confidence: reading.map_or(Value::Null, |reading| reading.confidence_json()),
        timing_ms: packs::check::milliseconds(&outcome.times),
        annotated: png.map(|png| format!("data:image/png;base64,{}", base64(&png))),
    }))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Which pack reads a stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PackSwitch {
    /// `auto`, `none` or a pack's id.
    #[schema(example = "fifa20")]
    pack: String,
}

/// Choose a stream's pack
///
/// For a pushed stream it holds until the stream ends.
#[utoipa::path(
    put, path = "/api/streams/{name}/pack", operation_id = "set_pack", tag = "streams",
    params(("name" = String, Path, description = "stream name")), request_body = PackSwitch,
    responses(
        (status = 200, body = Stream), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn set_pack(
    State(api): State<Api>,
    Name(name): Name,
    Body(switch): Body<PackSwitch>,
) -> Result<Json<Stream>> {
    let pack = checked(switch.pack)?;
    let library = api.reader.library();
    let known =
        matches!(pack.as_str(), crate::reading::AUTO | crate::reading::NONE) || library.entry(&pack).is_ok();
    if !known {
        let ids: Vec<String> = library.entries().into_iter().map(|entry| entry.id).collect();
        return Err(Error::invalid("pack", format!("auto, none or one of: {}", ids.join(", "))));
    }
    let stream: Arc<_> = find(&api, &name)?;
    match stream.feed {
        Feed::Push | Feed::Program => api.watch.set_pack(&name, pack),
        // One that was deleted meanwhile is told by its shape.
        Feed::Pull => drop(api.captures.set_pack(&name, pack).await?),
    }
    Ok(Json(shape(&api, &stream)))
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_its_standard() {
        // RFC 4648, section 10.
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
