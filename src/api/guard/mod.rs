//! What every request passes: its id, the client's address, rate, origin, credentials; and what every answer gets.
//!
//! The default is open. `auth.token` closes everything but health and the page itself, `auth.publish_keys` closes
//! publishing. A web page from elsewhere may look and push, never change: else a page someone visits could stop the
//! show.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, AUTHORIZATION, HOST, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::{debug, error, info};

use super::error::Problem;
use super::extract::Client;
use super::{Api, unread};
use crate::base::config::{Auth, Server};
use crate::base::error::{Error, Kind, Result};

const REQUEST_ID: &str = "x-request-id";

/// Wraps every route of every listener.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mut request = unread::thrown_away(request, &api.tasks);
    let started = api.clock.now();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let client = client(peer, request.headers(), &api.config.server);
    request.extensions_mut().insert(Client(client));
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let cors = cors(&request, &api.config.server);

    let mut response = match admit(&api, &request, client) {
        Err(refusal) => refusal.into_response(),
        Ok(()) if method == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                api.meters.panics.inc();
                error!(%method, path, request_id = id, "a handler panicked");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong inside").into_response()
            }
        },
    };

    let status = response.status();
    let took_ms = api.clock.now().since(started).as_millis();
    if status.is_server_error() || (method != Method::GET && !path.starts_with("/publish/")) {
        info!(%method, path, status = status.as_u16(), took_ms, %client, request_id = id, "request");
    } else {
        debug!(%method, path, status = status.as_u16(), took_ms, %client, request_id = id, "request");
    }
    api.meters.answered(&path, status);
    let headers = response.headers_mut();
    headers.extend(cors);
    headers.insert(REQUEST_ID, HeaderValue::try_from(id).expect("an id is plain ASCII"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn admit(api: &Api, request: &Request<Body>, client: IpAddr) -> Result<()> {
    let server = &api.config.server;
    let path = request.uri().path();
    if !path.starts_with("/publish/") && !api.rate.admit(client, api.clock.now()) {
        let most = "too many requests from this address (limits.requests_per_second_per_ip)";
        return Err(Error::new(Kind::RateLimited, most).retry_after(std::time::Duration::from_secs(1)));
    }
    if request.method() == Method::OPTIONS {
        return Ok(());
    }
    if changes_something(request) && !origin_may_change(request.headers(), path, server) {
        return Err(Error::new(
            Kind::Forbidden,
            "this origin may not do that; list it in server.cors_origins if it is yours",
        ));
    }
    authorise(&api.config.auth, request)
}

fn changes_something(request: &Request<Body>) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        || request.headers().contains_key(UPGRADE)
}

/// Whether the page the request comes from is ours, listed, or only publishes. No page, no question.
fn origin_may_change(headers: &HeaderMap, path: &str, server: &Server) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    listed(origin, server) || own(origin, headers) || (server.cors_enabled && path.starts_with("/publish/"))
}

fn listed(origin: &str, server: &Server) -> bool {
    server.cors_origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
}

/// The origin's host and port are what the request was sent to. A proxy may speak TLS for us, so schemes may differ.
fn own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let sent_to = origin.split_once("://").map(|(_, host)| host);
    matches!((host, sent_to), (Some(host), Some(sent_to)) if host.eq_ignore_ascii_case(sent_to))
}

fn cors(request: &Request<Body>, server: &Server) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = request.headers().get(ORIGIN) else { return headers };
    if !server.cors_enabled {
        return headers;
    }
    let publish = request.uri().path().starts_with("/publish/");
    let trusted = origin.to_str().is_ok_and(|origin| listed(origin, server));
    let preflight = request.method() == Method::OPTIONS;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if trusted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    } else if publish || reads {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "X-Timestamp, X-Source-Timestamp, X-Request-Id, X-Stored, ETag, Content-Range, Retry-After",
        ),
    );
    if preflight {
        let methods = match (trusted, publish) {
            (true, _) => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            (false, true) => "GET, HEAD, POST, OPTIONS",
            (false, false) => "GET, HEAD, OPTIONS",
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "Authorization, Content-Type, Range, X-Timestamp, X-Request-Id, If-Match",
            ),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    headers
}

/// # Errors
/// `Unauthorized` without the right credentials; `Forbidden` for a key that opens another stream.
fn authorise(auth: &Auth, request: &Request<Body>) -> Result<()> {
    let path = request.uri().path();
    if matches!(path, "/" | "/health" | "/api/docs" | "/api/openapi.json") || path.starts_with("/assets/") {
        return Ok(());
    }
    let offered = credentials(request);
    let offered = offered.as_deref();
    if let Some(rest) = path.strip_prefix("/publish/").filter(|_| !auth.publish_keys.is_empty()) {
        return auth.may_publish(rest.split('/').next().unwrap_or_default(), offered);
    }
    let is_token = || auth.token.as_ref().is_some_and(|token| offered.is_some_and(|o| token.is(o)));
    if auth.token.is_none() || is_token() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Unauthorized,
        "send Authorization: Bearer <token>, or ?token=<token> where headers can't be set",
    ))
}

fn credentials(request: &Request<Body>) -> Option<String> {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    bearer.or_else(|| {
        #[derive(serde::Deserialize)]
        struct Token {
            token: Option<String>,
        }
        axum::extract::Query::<Token>::try_from_uri(request.uri()).ok()?.0.token
    })
}

/// Whom the nearest trusted proxy saw; the peer itself when it is not one.
fn client(peer: IpAddr, headers: &HeaderMap, server: &Server) -> IpAddr {
    let trusted = |ip: IpAddr| server.trusted_proxies.iter().any(|cidr| cidr.contains(ip));
    let mut client = peer;
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.iter().rev() {
        if !trusted(client) {
            break;
        }
        let Ok(ip) = hop.parse::<IpAddr>() else { break };
        client = ip.to_canonical();
    }
    client
}

/// The client's own id when it is a plain word, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        !id.is_empty()
            && id.len() <= 64
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain);
    given.map_or_else(new_id, str::to_owned)
}

/// An id for what has none.
pub(super) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests;
