//! The pages, embedded in the binary: they work without any other host.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;

/// Scripts and pictures from here only; the pages are shown in no other site's frame.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; frame-ancestors 'self'";

const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("../../web/index.html")),
    ("/assets/wall.js", "text/javascript; charset=utf-8", include_str!("../../web/wall.js")),
    ("/assets/style.css", "text/css; charset=utf-8", include_str!("../../web/style.css")),
    ("/assets/icon.svg", "image/svg+xml", include_str!("../../web/icon.svg")),
    ("/api/docs", "text/html; charset=utf-8", include_str!("../../web/docs.html")),
    ("/assets/docs.js", "text/javascript; charset=utf-8", include_str!("../../web/docs.js")),
];

pub(super) fn routes() -> Router<Api> {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        let answer = move || async move { file(content_type, text) };
        router.route(path, get(answer))
    })
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers =
        [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}

pub(super) fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
