//! A stand-in for the API of X: takes posts, checks their signatures, counts what is left of the limit.
//!
//! Takes pictures too, as JPEGs in JSON. Called by tests. Answers as the real one does: 201 with the post, 401 for a signature that is wrong, old or used, 403 for
//! a text that was posted just before, 429 when the limit is spent, and whatever it is told to fail with.

mod signature;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Who may post.
#[derive(Clone, Debug)]
pub struct Keys {
    pub consumer: String,
    pub consumer_secret: String,
    pub token: String,
    pub token_secret: String,
}

/// The stand-in. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Twitter(Arc<Inner>);

struct Inner {
    keys: Keys,
    /// Seconds since 1970.
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    posts: Vec<String>,
    /// JPEGs that were uploaded; the first has the id 1.
    pictures: Vec<Vec<u8>>,
    /// The id of each post's picture.
    shown: Vec<Option<String>>,
    /// What uploads are answered with, if not properly.
    upload_failure: Option<u16>,
    requests: u64,
    nonces: Vec<String>,
    limit: u64,
    used: u64,
    reset: i64,
    /// Statuses that the next requests are answered with.
    failures: Vec<u16>,
}

/// Bytes of a post, and of a picture in base64.
const MOST: usize = 16 << 10;
const MOST_PICTURE: usize = 7 << 20;
/// Seconds that a request may be old.
const OLD: i64 = 300;

impl Twitter {
    /// Takes `limit` posts until the second `reset`, as `now` tells it.
    pub fn new(
        keys: Keys,
        (limit, reset): (u64, i64),
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let state = State { limit, reset, ..State::default() };
        Self(Arc::new(Inner { keys, now: Box::new(now), state: Mutex::new(state) }))
    }

    /// Texts that were taken, oldest first.
    pub fn posts(&self) -> Vec<String> {
        self.state().posts.clone()
    }

    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Answers the next requests with these statuses, in their order.
    pub fn fail(&self, statuses: &[u16]) {
        self.state().failures = statuses.iter().rev().copied().collect();
    }

    /// The picture that was shown with each post, oldest first.
    pub fn pictures(&self) -> Vec<Option<Vec<u8>>> {
        let state = self.state();
        let picture = |id: &String| {
            id.parse::<usize>().ok().and_then(|id| state.pictures.get(id.checked_sub(1)?).cloned())
        };
        state.shown.iter().map(|id| id.as_ref().and_then(picture)).collect()
    }

    /// Answers all uploads with this status from now on.
    pub fn fail_uploads(&self, status: u16) {
        self.state().upload_failure = Some(status);
    }

    /// Serves until dropped.
    pub async fn serve(self, listener: TcpListener) {
        let Ok(address) = listener.local_addr() else { return };
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let this = self.clone();
            connections.spawn(async move {
                let service = service_fn(|request| this.answer(request, format!("http://{address}")));
                // A peer that goes away is none of our business.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        base: String,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let most = if head.uri.path() == "/2/tweets" { MOST } else { MOST_PICTURE };
        let body = Limited::new(body, most).collect().await.map(http_body_util::Collected::to_bytes);
        let url = format!("{base}{}", head.uri.path());
        let found = match (&head.method, head.uri.path(), body) {
            (&Method::POST, "/2/tweets", Ok(body)) => self.post(&head.headers, &url, &body),
            (&Method::POST, "/2/media/upload", Ok(body)) => self.upload(&head.headers, &url, &body),
            (_, "/2/tweets" | "/2/media/upload", _) => (405, json!({ "title": "Method Not Allowed" })),
            _ => (404, json!({ "title": "Not Found" })),
        };
        Ok(self.reply(found))
    }

    fn post(&self, headers: &HeaderMap, url: &str, body: &[u8]) -> (u16, Value) {
        let now = (self.0.now)();
        let mut state = self.state();
        state.requests += 1;
        if let Some(status) = state.failures.pop() {
            return (status, json!({ "title": "told to fail" }));
        }
        if let Err(refused) = self.signed(&mut state, headers, url) {
            return refused;
        }
        if now >= state.reset {
            (state.used, state.reset) = (0, now + 900);
        }
        if state.used >= state.limit {
            return (429, json!({ "title": "Too Many Requests" }));
        }
        let post = serde_json::from_slice::<Value>(body).ok();
        let text = post.as_ref().and_then(|post| post["text"].as_str()).unwrap_or_default();
        if text.is_empty() || text.chars().count() > 280 {
            return (400, json!({ "title": "Invalid Request" }));
        }
        if state.posts.last().is_some_and(|last| last == text) {
            return (403, json!({ "title": "Forbidden", "detail": "duplicate content" }));
        }
        let media = post.as_ref().and_then(|post| post["media"]["media_ids"][0].as_str()).map(str::to_owned);
        let known = |id: &String| id.parse().is_ok_and(|id: usize| (1..=state.pictures.len()).contains(&id));
        if media.as_ref().is_some_and(|id| !known(id)) {
            return (400, json!({ "title": "Invalid Request", "detail": "no such media" }));
        }
        state.used += 1;
        state.posts.push(text.to_owned());
        state.shown.push(media);
        (201, json!({ "data": { "id": state.posts.len().to_string(), "text": text } }))
    }

    fn upload(&self, headers: &HeaderMap, url: &str, body: &[u8]) -> (u16, Value) {
        let mut state = self.state();
        if let Some(status) = state.upload_failure {
            return (status, json!({ "title": "told to fail" }));
        }
        if let Err(refused) = self.signed(&mut state, headers, url) {
            return refused;
        }
        let told = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let picture = told["media"].as_str().and_then(decoded);
        let Some(picture) = picture.filter(|picture| picture.starts_with(b"\xff\xd8")) else {
            return (400, json!({ "title": "Invalid Request", "detail": "no JPEG" }));
        };
        if told["media_category"] != "tweet_image" || told["media_type"] != "image/jpeg" {
            return (400, json!({ "title": "Invalid Request", "detail": "another kind" }));
        }
        state.pictures.push(picture);
        (200, json!({ "data": { "id": state.pictures.len().to_string() } }))
    }

    /// Whether a request is signed, just now and for the first time.
    fn signed(&self, state: &mut State, headers: &HeaderMap, url: &str) -> Result<(), (u16, Value)> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(signed) = signature::check(header, &self.0.keys, "POST", url) else {
            return Err((401, json!({ "title": "Unauthorized" })));
        };
        let used = state.nonces.contains(&signed.nonce);
        if used || ((self.0.now)() - signed.seconds).abs() > OLD {
            return Err((401, json!({ "title": "Unauthorized", "detail": "old, or used before" })));
        }
        state.nonces.push(signed.nonce);
        Ok(())
    }

    fn reply(&self, (status, body): (u16, Value)) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let state = self.state();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-rate-limit-limit", HeaderValue::from(state.limit));
        headers.insert("x-rate-limit-remaining", HeaderValue::from(state.limit.saturating_sub(state.used)));
        headers.insert("x-rate-limit-reset", HeaderValue::from(state.reset));
        response
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no code that can panic runs under this lock")
    }
}

/// What is written in base64 (RFC 4648, section 4).
fn decoded(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let digit =
                four.get(at).map_or(Some(0), |digit| DIGITS.iter().position(|known| known == digit))?;
            bits = bits << 6 | u32::try_from(digit).ok()?;
        }
        bytes.extend(bits.to_be_bytes()[1..four.len()].iter());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_and_anything_else_is_not() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")]
        {
            assert_eq!(decoded(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decoded("Zm9*"), None);
    }
}
