//! Captured pictures, as JPEG.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Api;
use super::error::Problem;
use super::extract::File;
use crate::base::error::Result;
use crate::capture::Kept;

/// A captured picture
///
/// The last ten of each stream, up to an hour old; their names are in the stream's `frames`.
#[utoipa::path(
    get, path = "/api/frames/{stream}/{file}", tag = "view",
    params(
        ("stream" = String, Path, description = "stream name"),
        ("file" = String, Path, description = "as in the stream's `frames`"),
    ),
    responses(
        (status = 200, description = "with X-Timestamp (media time)", content_type = "image/jpeg"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn frame(State(api): State<Api>, File(stream, file): File) -> Result<Response> {
    let (kept, jpeg) = api.captures.frame(&stream, &file).await?;
    // A picture of one moment never changes.
    Ok(picture(&kept, jpeg, HeaderValue::from_static("private, max-age=3600, immutable")))
}

/// `jpeg` with the time it was seen.
pub(super) fn picture(kept: &Kept, jpeg: Bytes, cache: HeaderValue) -> Response {
    let mut response = Body::from(jpeg).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(CACHE_CONTROL, cache);
    let time = HeaderValue::try_from(kept.media_time.to_string()).expect("a time is plain ASCII");
    headers.insert("x-timestamp", time);
    response
}
