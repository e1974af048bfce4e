//! The program as HLS, from memory, while an output of type `hls` makes it.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::Problem;
use crate::base::error::{Error, Result};

/// The program as HLS
///
/// `index.m3u8` is the playlist of an output of type `hls`; the other files are those that it names. `live.mp4` never ends: it is
/// the program with its sound, less than a second behind, without any output.
#[utoipa::path(
    get, path = "/hls/program/{file}", operation_id = "hls", tag = "view", params(("file" = String, Path)),
    responses(
        (status = 200, description = "a playlist or a segment", content(
            (String = "application/vnd.apple.mpegurl"), (Vec<u8> = "video/mp4"))),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn file(State(api): State<Api>, Path(file): Path<String>) -> Result<Response> {
    let hls = api.outputs.hls();
    if file == "index.m3u8" {
        let Some(playlist) = hls.playlist() else {
            return Err(Error::not_found("no output of type hls is live"));
        };
        let headers = [(CONTENT_TYPE, "application/vnd.apple.mpegurl"), (CACHE_CONTROL, "no-cache")];
        return Ok((headers, playlist).into_response());
    }
    if file == "live.mp4" {
        let parts = futures_util::stream::unfold(api.outputs.watch()?, |mut parts| async {
            let part = parts.recv().await?;
            Some((Ok::<_, Infallible>(part), parts))
        });
        let headers = [(CONTENT_TYPE, "video/mp4"), (CACHE_CONTROL, "no-store")];
        return Ok((headers, Body::from_stream(parts)).into_response());
    }
    let found = hls.file(&file).ok_or_else(|| Error::not_found("no such file, or no longer"))?;
    let headers = [(CONTENT_TYPE, "video/mp4"), (CACHE_CONTROL, "max-age=60")];
    Ok((headers, found).into_response())
}
