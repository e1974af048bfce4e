//! JPEG frames in over HTTP: one a request, many in one long request, or one a WebSocket message.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use media::multipart::{self, Parser, Part};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::extract::{Client, Name};
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Kind, Result};
use crate::streams::{Publisher, StreamName};

/// Time for one whole frame to arrive, from its first byte.
const FRAME_TIME: Duration = Duration::from_secs(10);
/// The same inside a long request, where a part without a length ends only when the next begins.
const PART_TIME: Duration = Duration::from_secs(30);
/// Refused frames in a row after which a long publisher is sent away.
const MOST_REFUSED: u32 = 10;
/// A form has fields beside the frame and heads around them.
const FORM_EXTRA: usize = 64 << 10;

/// The answer to one frame.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    #[schema(example = "success")]
    pub(super) status: &'static str,
    pub(super) stream: String,
    /// Bytes of the (last) JPEG.
    pub(super) frame_size: usize,
    /// Frames taken; in the answer to a long request only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frames: Option<u64>,
    /// Frames refused; in the answer to a long request only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<u64>,
}

/// Publish a frame, or many
///
/// The body is `multipart/form-data` with a field `frame`, a bare `image/jpeg`, or `multipart/x-mixed-replace` that
/// stays open and sends one JPEG a part. The stream is made when its first frame comes. `X-Timestamp` (RFC 3339, of the
/// request or of a part) is kept as the frame's source time.
#[utoipa::path(
    post, path = "/publish/{name}", tag = "push",
    params(("name" = String, Path, description = "stream name")),
    request_body(content(
        (inline(FrameForm) = "multipart/form-data"),
        (Vec<u8> = "image/jpeg"),
        (Vec<u8> = "multipart/x-mixed-replace"),
    )),
    responses(
        (status = 200, body = Published),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 408, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn publish(
    State(api): State<Api>,
    Name(name): Name,
    Client(client): Client,
    request: Request,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let content_type = text(&parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let from = Publisher::Address(client);
    let max = api.push.limits().max_bytes;
    match essence.as_str() {
        "multipart/x-mixed-replace" => {
            let parser = parser(content_type, max)?;
            Ok(Json(many(&api, &name, parser, body).await?).into_response())
        }
        "multipart/form-data" => {
            let mut parser = parser(content_type, max)?;
            let bytes = whole(&api, &parts.headers, body, max + FORM_EXTRA).await?;
            parser.push(bytes);
            let part = frame_field(&api, &mut parser)?;
            let time = source_time(&parts.headers).or_else(|| part_time(&part));
            one(&api, &name, part.body, time, from)
        }
        "image/jpeg" | "image/jpg" | "application/octet-stream" => {
            let bytes = whole(&api, &parts.headers, body, max).await?;
            one(&api, &name, bytes, source_time(&parts.headers), from)
        }
        other => Err(Error::new(
            Kind::WrongType,
            format!(
                "Content-Type {other:?} is not taken; send multipart/form-data with a field 'frame', image/jpeg, or \
                 multipart/x-mixed-replace"
            ),
        )),
    }
}

/// The form a browser or `requests` sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form to the API document; the fields are read by name")]
struct FrameForm {
    /// The JPEG.
    #[schema(content_media_type = "image/jpeg")]
    frame: Vec<u8>,
}

fn one(
    api: &Api,
    name: &StreamName,
    jpeg: Bytes,
    time: Option<MediaTime>,
    from: Publisher,
) -> Result<Response> {
    let frame_size = jpeg.len();
    api.push.accept(name, jpeg, time, from)?;
    let stream = name.to_string();
    Ok(Json(Published { status: "success", stream, frame_size, frames: None, refused: None }).into_response())
}

fn parser(content_type: &str, max: usize) -> Result<Parser> {
    let boundary = multipart::boundary(content_type).map_err(malformed)?;
    Ok(Parser::new(&boundary, multipart::Limits::parts_up_to(max)))
}

fn malformed(error: multipart::Error) -> Error {
    Error::new(Kind::Malformed, error.to_string())
}

fn broken(api: &Api, error: multipart::Error) -> Error {
    if matches!(error, multipart::Error::PartTooLarge { .. }) {
        api.push.refused().too_large.add(1);
        return api.push.too_large();
    }
    malformed(error)
}

fn frame_field(api: &Api, parser: &mut Parser) -> Result<Part> {
    while let Some(part) = parser.next().map_err(|e| broken(api, e))? {
        if part.name.as_deref() == Some("frame") {
            return Ok(part);
        }
    }
    if !parser.closed() {
        return Err(Error::new(Kind::Malformed, "the form ends before its closing boundary"));
    }
    Err(Error::invalid("frame", "the form has no field 'frame' with a JPEG in it"))
}

/// The whole body, of at most `max` bytes, within [`FRAME_TIME`].
async fn whole(api: &Api, headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes> {
    let announced = text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        api.push.refused().too_large.add(1);
        return Err(api.push.too_large());
    }
    let mut collected = BytesMut::with_capacity(announced.unwrap_or(0));
    let mut body = body;
    let collect = async {
        while let Some(chunk) = next_chunk(&mut body).await? {
            if collected.len() + chunk.len() > max {
                return Ok(false);
            }
            collected.extend_from_slice(&chunk);
        }
        Ok(true)
    };
    match timeout(FRAME_TIME, collect).await {
        Ok(Ok(true)) => Ok(collected.freeze()),
        Ok(Ok(false)) => {
            api.push.refused().too_large.add(1);
            Err(api.push.too_large())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(too_slow(FRAME_TIME)),
    }
}

fn too_slow(most: Duration) -> Error {
    Error::new(Kind::Timeout, format!("the frame was not whole after {} s", most.as_secs()))
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
            Some(Err(e)) => return Err(Error::new(Kind::Malformed, "the body broke off").caused_by(e)),
        }
    }
}

/// A publisher that stays: counts its frames, forgives a few bad ones.
struct Long<'a> {
    api: &'a Api,
    name: &'a StreamName,
    from: Publisher,
    frames: u64,
    refused: u64,
    in_a_row: u32,
    last_size: usize,
}

impl<'a> Long<'a> {
    fn new(api: &'a Api, name: &'a StreamName) -> Self {
        Self { api, name, from: api.push.connection(), frames: 0, refused: 0, in_a_row: 0, last_size: 0 }
    }

    /// Takes one frame. `Ok(Some)` is a refusal the publisher survives.
    fn take(&mut self, jpeg: Bytes, time: Option<MediaTime>) -> Result<Option<Error>> {
        let size = jpeg.len();
        match self.api.push.accept(self.name, jpeg, time, self.from) {
            Ok(_) => {
                (self.frames, self.in_a_row, self.last_size) = (self.frames + 1, 0, size);
                Ok(None)
            }
            Err(error) => {
                (self.refused, self.in_a_row) = (self.refused + 1, self.in_a_row + 1);
                let lasting = error.kind() == Kind::Unavailable || self.in_a_row >= MOST_REFUSED;
                if lasting { Err(error) } else { Ok(Some(error)) }
            }
        }
    }
}

async fn many(api: &Api, name: &StreamName, mut parser: Parser, mut body: Body) -> Result<Published> {
    let mut long = Long::new(api, name);
    let mut begun: Option<Instant> = None;
    loop {
        let patience = match begun {
            Some(begun) => PART_TIME.saturating_sub(begun.elapsed()),
            None => api.registry.settings().timeout,
        };
        let chunk = match timeout(patience, next_chunk(&mut body)).await {
            Ok(chunk) => chunk?,
            Err(_) => return Err(too_slow(patience.max(PART_TIME))),
        };
        let Some(chunk) = chunk else { break };
        parser.push(chunk);
        while let Some(part) = parser.next().map_err(|e| broken(api, e))? {
            begun = None;
            let time = part_time(&part);
            long.take(part.body, time)?;
        }
        if parser.closed() {
            break;
        }
        if parser.midway() {
            begun.get_or_insert_with(Instant::now);
        }
    }
    if let Some(part) = parser.finish().map_err(|e| broken(api, e))? {
        let time = part_time(&part);
        long.take(part.body, time)?;
    }
    let (frames, refused) = (Some(long.frames), Some(long.refused));
    Ok(Published { status: "success", stream: name.to_string(), frame_size: long.last_size, frames, refused })
}

/// Publish over a WebSocket
///
/// Each binary message is one JPEG. A refused frame is answered by a text message (a problem, as JSON) and the
/// connection goes on; after ten in a row, or when there is no room for the stream, it is closed.
#[utoipa::path(
    get, path = "/publish/{name}/ws", tag = "push",
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 101, description = "switching to WebSocket"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn publish_ws(
    State(api): State<Api>,
    Name(name): Name,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|e| Error::new(Kind::Malformed, e.body_text()))?;
    let most = api.push.limits().max_bytes;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    Ok(upgrade.on_upgrade(move |socket| async move { serve_ws(&api, &name, socket).await }))
}

async fn serve_ws(api: &Api, name: &StreamName, mut socket: WebSocket) {
    let mut long = Long::new(api, name);
    let stopping = api.tasks.stopping();
    let farewell = loop {
        let message = tokio::select! {
            () = stopping.cancelled() => break Some((close_code::AWAY, "the server is shutting down".to_owned())),
            message = timeout(api.registry.settings().timeout, socket.recv()) => message,
        };
        let jpeg = match message {
            Err(_) => break Some((close_code::POLICY, "no frame came for too long".to_owned())),
            Ok(None | Some(Ok(Message::Close(_)))) => break None,
            Ok(Some(Err(_))) => break Some((close_code::SIZE, oversize(api.push.limits().max_bytes))),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Text(_)))) => {
                break Some((close_code::UNSUPPORTED, "send each JPEG as one binary message".to_owned()));
            }
            Ok(Some(Ok(Message::Binary(jpeg)))) => jpeg,
        };
        match long.take(jpeg, None) {
            Ok(None) => {}
            Ok(Some(refusal)) => {
                let problem = serde_json::to_string(&Problem::from(&refusal)).expect("strings and numbers");
                if socket.send(Message::Text(problem.into())).await.is_err() {
                    break None;
                }
            }
            Err(error) => {
                let code =
                    if error.kind() == Kind::Unavailable { close_code::AGAIN } else { close_code::POLICY };
                break Some((code, error.detail().to_owned()));
            }
        }
    };
    if let Some((code, reason)) = farewell {
        // The publisher may be gone already.
        let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    }
}

/// What is said when reading fails and the peer may still be there.
pub(super) fn oversize(most: usize) -> String {
    format!("a message has more than {most} bytes, or is not one of the WebSocket protocol")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

/// A source time that can't be read is no reason to refuse a picture.
fn source_time(headers: &HeaderMap) -> Option<MediaTime> {
    text(headers, "x-timestamp")?.parse().ok().map(MediaTime)
}

fn part_time(part: &Part) -> Option<MediaTime> {
    let (_, time) = part.headers.iter().find(|(name, _)| name == "x-timestamp")?;
    time.parse().ok().map(MediaTime)
}
