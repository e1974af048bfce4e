//! The HTTP client: one request, one answer, everything bounded.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT};
use hyper::{Method, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use super::basic;
use super::connect::{Connector, Door, Traffic};
use super::error::Error;
use super::names::{Names, System};
use super::policy::{Policy, Trust};
use crate::base::clock::Clock;

/// How long a server may take to begin its answer, and to go on with it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Idle connections are closed after this.
const IDLE: Duration = Duration::from_secs(20);
const IDLE_PER_HOST: usize = 128;
/// Bytes of an answer's head, and of what is read at once.
const MAX_BUFFER: usize = 128 << 10;
const MAX_URL: usize = 16 << 10;
const REDIRECTS: usize = 5;
/// Bytes read only to keep a connection: about what opening another would cost.
const WORTH_READING: u64 = 16 << 10;

/// Fetches and posts. Cheap to clone; clones share connections, policy and counters.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    door: Arc<Door>,
    pools: ArcSwap<Pools>,
}

type Pool = legacy::Client<Connector, Full<Bytes>>;

/// Connections of one trust are never used for the other.
struct Pools {
    operator: Pool,
    outside: Pool,
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub url: &'a Url,
    pub trust: Trust,
    /// Only these bytes. The server may answer with all, or with none.
    pub range: Option<Range<u64>>,
    pub headers: &'a [(&'static str, &'a str)],
    /// Bytes of the body that may be read.
    pub max_bytes: u64,
}

impl<'a> Request<'a> {
    /// All of `url`, without further headers.
    #[must_use]
    pub fn new(url: &'a Url, trust: Trust, max_bytes: u64) -> Self {
        Self { url, trust, range: None, headers: &[], max_bytes }
    }
}

impl Client {
    pub fn new(policy: Policy, clock: Clock) -> Self {
        Self::with_names(policy, Names::new(clock, System::Real))
    }

    pub(super) fn with_names(policy: Policy, names: Names) -> Self {
        let door = Arc::new(Door::new(names, policy));
        let pools = ArcSwap::from_pointee(Pools::new(&door));
        Self(Arc::new(Inner { door, pools }))
    }

    /// Follows a changed policy at once: connections that the old one allowed are not used again.
    pub fn apply(&self, policy: Policy) {
        if **self.0.door.policy.load() != policy {
            self.0.door.policy.store(Arc::new(policy));
            self.0.pools.store(Arc::new(Pools::new(&self.0.door)));
        }
    }

    /// Bytes on the wire since the start.
    pub fn traffic(&self) -> &Traffic {
        &self.0.door.traffic
    }

    /// The addresses that `host` stands for and that may be connected to; for sockets that others open.
    pub async fn resolve(&self, host: &str, trust: Trust) -> Result<Vec<IpAddr>, Error> {
        let timeout = |_| Err(Error::Timeout { host: host.to_owned() });
        tokio::time::timeout(PATIENCE, self.0.door.addresses(host, trust)).await.unwrap_or_else(timeout)
    }

    /// Shakes hands over TLS and says no more: tells what is wrong with a server that somebody else's TLS can't reach.
    pub async fn shake_hands(&self, url: &Url, trust: Trust) -> Result<(), Error> {
        let host = url.host_str().ok_or(Error::BadUrl("it names no host"))?;
        self.0.door.open(host, url.port().unwrap_or(443), true, trust).await.map(drop)
    }

    /// Fetches, following at most five redirects. Any status is an answer: see [`Body::ok`].
    pub async fn get(&self, request: Request<'_>) -> Result<Body, Error> {
        let mut body = self.once(&request, request.url, request.trust, None).await?;
        for _ in 0..REDIRECTS {
            let Some(next) = body.redirect()? else { return Ok(body) };
            let trust = body.trust.through(&body.url, &next);
            body.settle().await;
            body = self.once(&request, &next, trust, None).await?;
        }
        Err(Error::BadUrl("it is redirected too often"))
    }

    /// Posts JSON. Redirects are not followed.
    pub async fn post_json(&self, request: Request<'_>, json: Bytes) -> Result<Body, Error> {
        self.once(&request, request.url, request.trust, Some(json)).await
    }

    async fn once(
        &self,
        request: &Request<'_>,
        url: &Url,
        trust: Trust,
        json: Option<Bytes>,
    ) -> Result<Body, Error> {
        let host = url.host_str().unwrap_or_default();
        let message = message(request, url, trust, json)?;
        let pools = self.0.pools.load();
        let pool = if trust == Trust::Operator { &pools.operator } else { &pools.outside };
        let answer = pool.request(message);
        drop(pools);
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| Error::Timeout { host: host.to_owned() })?;
        let answer = answer.map_err(|e| plain(&e, host))?;
        Ok(Body::new(answer, url.clone(), trust, request.max_bytes))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.0.door.policy.load()).finish_non_exhaustive()
    }
}

impl Pools {
    fn new(door: &Arc<Door>) -> Self {
        let pool = |trust| {
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .http1_max_buf_size(MAX_BUFFER)
                .build(Connector { door: Arc::clone(door), trust })
        };
        Self { operator: pool(Trust::Operator), outside: pool(Trust::Outside) }
    }
}

fn message(
    request: &Request<'_>,
    url: &Url,
    trust: Trust,
    json: Option<Bytes>,
) -> Result<hyper::Request<Full<Bytes>>, Error> {
    let uri = uri(url)?;
    let mut message = hyper::Request::new(Full::new(json.clone().unwrap_or_default()));
    *message.uri_mut() = uri;
    let headers = message.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("onair/", env!("CARGO_PKG_VERSION"))));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for &(name, value) in request.headers {
        let value = HeaderValue::from_str(value).map_err(|_| Error::BadUrl("a header has control signs"))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Some(range) = request.range.as_ref().filter(|range| range.start < range.end) {
        let value = format!("bytes={}-{}", range.start, range.end - 1);
        headers.insert(RANGE, HeaderValue::try_from(value).expect("digits are allowed"));
    }
    if let Some(credentials) = basic::authorization(url) {
        if trust != Trust::Operator {
            return Err(Error::BadUrl("only the operator may write credentials in it"));
        }
        let mut value = HeaderValue::try_from(credentials).expect("base 64 is allowed");
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if json.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *message.method_mut() = Method::POST;
    }
    Ok(message)
}

/// `url` as a request has it: without credentials and fragment.
fn uri(url: &Url) -> Result<Uri, Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::BadUrl("only http and https are fetched"));
    }
    if url.as_str().len() > MAX_URL {
        return Err(Error::BadUrl("it is too long"));
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let uri = if plain {
        url.as_str().parse()
    } else {
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        format!("{}://{host}{path}", url.scheme()).parse()
    };
    uri.map_err(|_| Error::BadUrl("it has signs that a request can't carry"))
}

/// What went wrong below, without addresses.
fn plain(error: &legacy::Error, host: &str) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return ours.clone();
        }
        last = error.to_string();
        cause = error.source();
    }
    Error::Closed { host: host.to_owned(), what: last }
}

/// Which bytes an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Of the whole thing, when said.
    pub total: Option<u64>,
}

/// An answer whose body is still to be read. Dropping it early closes the connection; [`Body::settle`] keeps it when that
/// is cheap.
#[derive(Debug)]
pub struct Body {
    pub status: u16,
    /// Where it came from in the end.
    pub url: Url,
    /// Trust in that.
    pub trust: Trust,
    pub content_range: Option<ContentRange>,
    /// Bytes announced.
    pub length: Option<u64>,
    headers: HeaderMap,
    incoming: Incoming,
    read: u64,
    most: u64,
}

impl Body {
    fn new(answer: Response<Incoming>, url: Url, trust: Trust, most: u64) -> Self {
        let (head, incoming) = answer.into_parts();
        let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            status: head.status.as_u16(),
            url,
            trust,
            content_range: text(CONTENT_RANGE).and_then(content_range),
            length: text(CONTENT_LENGTH).and_then(|digits| digits.parse().ok()),
            headers: head.headers,
            incoming,
            read: 0,
            most,
        }
    }

    /// Refuses every answer but a success.
    pub fn ok(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(Error::Status(self.status)) }
    }

    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Bytes read so far.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The next bytes as they arrive; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.incoming.frame()).await;
            let frame = frame.map_err(|_| Error::Timeout { host: self.host() })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|e| Error::Closed { host: self.host(), what: broken(&e) })?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.read += bytes.len() as u64;
            if self.read > self.most {
                return Err(Error::TooLarge { most: self.most });
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body, within the request's bound.
    pub async fn whole(mut self) -> Result<Bytes, Error> {
        if self.length.is_some_and(|length| length > self.most) {
            return Err(Error::TooLarge { most: self.most });
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(more) = self.next().await? {
            all.extend_from_slice(&more);
        }
        Ok(all.freeze())
    }

    /// Reads what is left if it is little, so that the connection can be used again.
    pub async fn settle(mut self) {
        let left = self.length.map(|length| length.saturating_sub(self.read));
        if left.is_some_and(|left| left <= WORTH_READING) {
            while let Ok(Some(_)) = self.next().await {}
        }
    }

    /// Where the answer sends us.
    fn redirect(&self) -> Result<Option<Url>, Error> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let to = self.header(LOCATION.as_str()).ok_or(Error::Status(self.status))?;
        let to = self.url.join(to).map_err(|_| Error::BadUrl("it is redirected to no address"))?;
        Ok(Some(to))
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

fn broken(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// `bytes 0-99/1234`, `bytes 0-99/*`.
fn content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last): (u64, u64) = (start.parse().ok()?, last.parse().ok()?);
    let total = total.parse().ok();
    (start <= last).then_some(ContentRange { start, end: last.checked_add(1)?, total })
}
