//! Files that layers show: sent once, found by their id, taken away when nothing shows them.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use media::multipart::{self, Parser, Part};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::Problem;
use super::extract::Params;
use super::wire::Done;
use crate::base::error::{Error, Kind, Result};
use crate::compose::assets::{self, Upload};

/// A piece of a file must come within this time.
const PIECE_TIME: Duration = Duration::from_secs(10);

/// A file that layers can show.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Asset {
    id: String,
    name: String,
    /// As its bytes say.
    #[schema(example = "image/png")]
    media_type: String,
    /// px, as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    size_bytes: u64,
    /// Of a font: its names for `fontFamily`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    families: Vec<String>,
    /// Layers that show it, on air and in scenes.
    used_by: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssetList {
    count: usize,
    /// Bytes of all together.
    size_bytes: u64,
    assets: Vec<Asset>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NewAsset {
    /// What layers call it; a new one is made if it is left out.
    id: Option<String>,
    /// For people; the name of the file if it is left out.
    name: Option<String>,
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// The form's fields: the file, and what the query can say as well.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document")]
pub(super) struct AssetForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    id: Option<String>,
    name: Option<String>,
}

fn shape(api: &Api, asset: &assets::Asset) -> Asset {
    Asset {
        id: asset.id.clone(),
        name: asset.name.clone(),
        media_type: asset.media_type.clone(),
        width: asset.width,
        height: asset.height,
        duration_ms: asset.duration_ms,
        size_bytes: asset.size_bytes,
        families: asset.families.clone(),
        used_by: users(api, asset),
    }
}

fn users(api: &Api, asset: &assets::Asset) -> Vec<String> {
    let scene = api.keeper.scene();
    let on_air = scene.layers().into_iter().map(|layer| &**layer);
    let mut users = assets::users(asset, on_air.chain(scene.scenes().flat_map(|scene| &scene.layers)));
    let sounds = api.outputs.sources();
    users.extend(
        sounds
            .into_iter()
            .filter(|(_, source)| source.src() == Some(asset.id.as_str()))
            .map(|(name, _)| name),
    );
    users
}

/// All files that layers can show
#[utoipa::path(
    get, path = "/api/assets", operation_id = "list_assets", tag = "program",
    responses((status = 200, body = AssetList), (status = 401, body = Problem))
)]
pub(super) async fn list(State(api): State<Api>) -> Json<AssetList> {
    let all = api.assets.all().await;
    let assets: Vec<Asset> = all.values().map(|asset| shape(&api, asset)).collect();
    let size_bytes = assets.iter().map(|asset| asset.size_bytes).sum();
    Json(AssetList { count: assets.len(), size_bytes, assets })
}

/// One file
#[utoipa::path(
    get, path = "/api/assets/{id}", operation_id = "one_asset", tag = "program",
    params(("id" = String, Path, description = "asset")),
    responses((status = 200, body = Asset), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Asset>> {
    let asset = api.assets.one(&id).await?;
    Ok(Json(shape(&api, &asset)))
}

/// Keep a file that layers can show
///
/// The body is the file itself, or a form with a field `file`. What it is follows from its bytes: images (PNG, APNG, JPEG,
/// GIF, WebP, SVG), fonts (TrueType, OpenType), videos (MP4, WebM, AVI), sounds (WAV, MP3, FLAC, Ogg).
#[utoipa::path(
    post, path = "/api/assets", operation_id = "add_asset", tag = "program", params(NewAsset),
    request_body(content((Vec<u8> = "application/octet-stream"), (inline(AssetForm) = "multipart/form-data"))),
    responses(
        (status = 201, body = Asset), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 408, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn add(
    State(api): State<Api>,
    Params(asked): Params<NewAsset>,
    request: Request,
) -> Result<(StatusCode, Json<Asset>)> {
    let most = api.config.compositor.max_asset_bytes;
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let form = content_type.filter(|text| text.to_ascii_lowercase().starts_with("multipart/form-data"));
    let upload = match form {
        Some(content_type) => {
            let boundary = multipart::boundary(&content_type).map_err(malformed)?;
            let body = whole(request, most.saturating_add(FORM)).await?;
            from_form(&boundary, &body, most, asked)?
        }
        None => {
            let bytes = whole(request, most).await?;
            Upload { id: asked.id, name: asked.name.unwrap_or_default(), bytes }
        }
    };
    let asset = api.assets.add(upload).await?;
    Ok((StatusCode::CREATED, Json(shape(&api, &asset))))
}

/// Delete a file
///
/// Refused while a layer shows it, on air or in a scene.
#[utoipa::path(
    delete, path = "/api/assets/{id}", operation_id = "delete_asset", tag = "program",
    params(("id" = String, Path, description = "asset")),
    responses(
        (status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Done>> {
    api.assets.remove(&id, |asset| users(&api, asset)).await?;
    Ok(Json(Done::new(format!("Asset '{id}' deleted"))))
}

/// What a form has beside its file.
const FORM: usize = 64 << 10;

fn from_form(boundary: &str, body: &Bytes, most: usize, asked: NewAsset) -> Result<Upload> {
    let mut parser = Parser::new(boundary, multipart::Limits::parts_up_to(most));
    parser.push(body.clone());
    let (mut file, mut id, mut name): (Option<Part>, _, _) = (None, asked.id, asked.name);
    while let Some(part) = parser.next().map_err(malformed)? {
        let text =
            || String::from_utf8(part.body.to_vec()).map_err(|_| Error::invalid("form", "must be text"));
        match part.name.as_deref() {
            Some("file") => file = Some(part),
            Some("id") => id = Some(text()?),
            Some("name") => name = Some(text()?),
            _ => {}
        }
    }
    if !parser.closed() {
        return Err(Error::new(Kind::Malformed, "the form ends before its closing boundary"));
    }
    let file = file.ok_or_else(|| Error::invalid("file", "the form has no field 'file'"))?;
    let name = name.or(file.file_name).unwrap_or_default();
    Ok(Upload { id, name, bytes: file.body })
}

fn malformed(error: multipart::Error) -> Error {
    let kind = match error {
        multipart::Error::PartTooLarge { .. } => Kind::TooLarge,
        _ => Kind::Malformed,
    };
    Error::new(kind, format!("the form can't be read: {error}"))
}

/// The whole body, of at most `most` bytes.
async fn whole(request: Request, most: usize) -> Result<Bytes> {
    let large = || {
        let detail =
            format!("the file has more than {most} bytes, which is the most (compositor.max_asset_mb)");
        Error::new(Kind::TooLarge, detail)
    };
    let announced = announced(request.headers());
    if announced.is_some_and(|length| length > most) {
        return Err(large());
    }
    let mut body = request.into_body();
    let mut whole = BytesMut::with_capacity(announced.unwrap_or_default().min(1 << 20));
    loop {
        let next = timeout(PIECE_TIME, body.frame()).await.map_err(|_| {
            Error::new(Kind::Timeout, format!("nothing of the file came for {} s", PIECE_TIME.as_secs()))
        })?;
        match next {
            None => return Ok(whole.freeze()),
            Some(Err(e)) => return Err(Error::new(Kind::Malformed, "the body broke off").caused_by(e)),
            Some(Ok(frame)) => {
                let Ok(piece) = frame.into_data() else { continue };
                if whole.len() + piece.len() > most {
                    return Err(large());
                }
                whole.extend_from_slice(&piece);
            }
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
