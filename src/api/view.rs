//! Live pictures out: MJPEG for any number of viewers, and the latest frame as one JPEG.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderValue, Version};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use pixels::jpeg::{Decoder, Encoder};
use pixels::{I420, Matrix, Range};
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::Problem;
use super::extract::{Name, Params};
use super::socket::Socket;
use super::{Api, frames};
use crate::base::error::{Error, Result};
use crate::streams::{BOUNDARY, DELIMITER, Feed, Frame, Stream, StreamName, Viewer};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ViewParams {
    /// At most this many frames a second (0.01 to 240).
    fps: Option<f64>,
    /// In place of the Authorization header, for `<img>`.
    #[serde(rename = "token")]
    _token: Option<String>,
    /// Ignored: lets a page ask anew.
    #[serde(rename = "t")]
    _t: Option<String>,
}

/// Watch a stream
///
/// MJPEG (`multipart/x-mixed-replace; boundary=frame`); each part has `Content-Type`, `Content-Length` and
/// `X-Timestamp` (media time), and `X-Source-Timestamp` if its publisher gave a time. A viewer that is too slow for all frames gets the latest.
#[utoipa::path(
    get, path = "/stream/{name}", tag = "view",
    params(("name" = String, Path, description = "stream name"), ViewParams),
    responses(
        (status = 200, description = "frames until the stream ends", content_type = "multipart/x-mixed-replace"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn watch(
    State(api): State<Api>,
    Name(name): Name,
    Params(params): Params<ViewParams>,
    version: Version,
    socket: Option<Extension<Socket>>,
) -> Result<Response> {
    if params.fps.is_some_and(|fps| !(0.01..=240.0).contains(&fps)) {
        return Err(Error::invalid("fps", "a number from 0.01 to 240"));
    }
    let stream = find(&api, &name)?;
    let viewer = stream.view(params.fps);
    if stream.feed == Feed::Pull {
        api.captures.watched(name.as_str());
    }
    // A fan writes chunks, which HTTP/1.0 does not know, and every frame, which a cap does not want.
    let body = match socket.filter(|_| version == Version::HTTP_11 && params.fps.is_none()) {
        Some(Extension(socket)) => api.fans.answer(viewer, socket),
        None => by_itself(viewer),
    };
    let content_type = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).expect("the boundary is a plain word"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    // nginx would otherwise hold frames back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The frames of one viewer who waits for each by itself.
fn by_itself(viewer: Viewer) -> Body {
    let first = stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from_static(DELIMITER)) });
    let parts = stream::unfold(viewer, |mut viewer| async {
        let frame = viewer.next().await?;
        Some((Ok(frame.part()), viewer))
    });
    Body::from_stream(first.chain(parts))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnapshotParams {
    /// Width in pixels (16 to 8192), height in proportion; the picture as it came if left out.
    width: Option<u32>,
    #[serde(rename = "token")]
    _token: Option<String>,
    #[serde(rename = "t")]
    _t: Option<String>,
}

/// The latest frame as a JPEG
#[utoipa::path(
    get, path = "/api/streams/{name}/snapshot.jpg", tag = "view",
    params(("name" = String, Path, description = "stream name"), SnapshotParams),
    responses(
        (status = 200, description = "with X-Timestamp (media time)", content_type = "image/jpeg"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn snapshot(
    State(api): State<Api>,
    Name(name): Name,
    Params(params): Params<SnapshotParams>,
) -> Result<Response> {
    if params.width.is_some_and(|width| !(16..=8192).contains(&width)) {
        return Err(Error::invalid("width", "a whole number from 16 to 8192"));
    }
    let stream = find(&api, &name)?;
    if stream.feed == Feed::Pull {
        let newest = api.captures.newest(name.as_str(), params.width).await?;
        let (kept, jpeg) = newest.ok_or_else(|| nothing_yet(&name))?;
        return Ok(frames::picture(&kept, jpeg, HeaderValue::from_static("no-store")));
    }
    if stream.feed == Feed::Program && stream.viewers() == 0 {
        wake(&stream).await;
    }
    let frame = stream.latest().ok_or_else(|| nothing_yet(&name))?;
    let (time, source_time) = (frame.media_time.to_string(), frame.source_time.map(|time| time.to_string()));
    let jpeg = match params.width {
        Some(width) if width != u32::from(frame.header.shown_size().0) => scaled(frame, width).await?,
        _ => frame.jpeg.clone(),
    };
    let mut response = Body::from(jpeg).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, time) in [("x-timestamp", Some(time)), ("x-source-timestamp", source_time)] {
        if let Some(time) = time {
            headers.insert(name, HeaderValue::try_from(time).expect("a time is plain ASCII"));
        }
    }
    Ok(response)
}

/// The program is composed while somebody looks: looks for as long as its layers' streams need to be decoded.
async fn wake(program: &Arc<Stream>) {
    const LOOK: Duration = Duration::from_millis(300);
    let mut viewer = program.view(None);
    let looked = tokio::time::timeout(LOOK, async { while viewer.next().await.is_some() {} });
    // That the time is over is how it usually ends; the other way, the stream has.
    let _ = looked.await;
}

/// Decoding and encoding take milliseconds: off the workers that serve sockets.
async fn scaled(frame: Arc<Frame>, width: u32) -> Result<Bytes> {
    const QUALITY: u8 = 85;
    let scale = move || -> std::result::Result<Bytes, pixels::jpeg::Error> {
        let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
        Decoder::new()?.decode(&frame.jpeg, &frame.header, &mut picture)?;
        let height = (u64::from(picture.height) * u64::from(width) / u64::from(picture.width)).clamp(1, 8192);
        let height = u32::try_from(height).expect("clamped");
        let small = pixels::scale::scale(&picture, width, height);
        Ok(Bytes::from(Encoder::new(QUALITY)?.encode(&small)?))
    };
    tokio::task::spawn_blocking(scale)
        .await
        .map_err(|e| Error::internal("the snapshot could not be made", e))?
        .map_err(|e| Error::invalid("frame", "the latest frame's JPEG data is damaged").caused_by(e))
}

pub(super) fn find(api: &Api, name: &StreamName) -> Result<Arc<Stream>> {
    api.registry.get(name.as_str()).ok_or_else(|| unknown(name))
}

fn nothing_yet(name: &StreamName) -> Error {
    Error::not_found(format!("stream '{name}' has no frame yet"))
}

pub(super) fn unknown(name: &StreamName) -> Error {
    Error::not_found(format!("there is no stream '{name}'"))
}
