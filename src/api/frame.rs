//! One frame of the program, as it is or as it would be at another time.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::error::Problem;
use super::extract::Params;
use crate::base::error::{Error, Result};
use crate::compose::Format;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FrameParams {
    /// Program time in ms, from 0 to a day from now; what is on air if left out.
    at: Option<f64>,
    /// `png` or `jpeg`.
    #[param(default = "png")]
    format: Option<String>,
    #[serde(rename = "token")]
    _token: Option<String>,
    #[serde(rename = "t")]
    _t: Option<String>,
}

/// One frame of the program
///
/// As it is on air, or as the scene as it is now would look at program time `at`: streams show their newest frame then. The
/// program itself goes on undisturbed. One frame is made after the other; when too many ask, some are refused.
#[utoipa::path(
    get, path = "/stream/frame", operation_id = "program_frame", tag = "program", params(FrameParams),
    responses(
        (
            status = 200, description = "with X-Program-Time (ms)",
            content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg")),
        ),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn frame(State(api): State<Api>, Params(params): Params<FrameParams>) -> Result<Response> {
    let (format, kind) = match params.format.as_deref() {
        None | Some("png") => (Format::Png, "image/png"),
        Some("jpeg" | "jpg") => (Format::Jpeg, "image/jpeg"),
        Some(_) => return Err(Error::invalid("format", "png or jpeg")),
    };
    let still = api.stills.take(params.at, format).await?;
    let mut response = Body::from(still.bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let time = HeaderValue::try_from(still.time.to_string()).expect("a number is plain ASCII");
    headers.insert("x-program-time", time);
    Ok(response)
}
