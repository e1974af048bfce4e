//! Makes connections: the name is looked up, every address checked, and one of those very addresses connected to.
//!
//! Called by the HTTP client for each new connection, so that a redirect or a name that changes its address can't reach
//! what the policy forbids.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Error;
use super::names::Names;
use super::policy::{Policy, Trust};
use crate::base::queue::Counter;

/// For connecting to all addresses of a name, and again for TLS.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one address, while there are others.
const PATIENCE_EACH: Duration = Duration::from_millis(1500);

/// What all connections share.
pub(super) struct Door {
    pub(super) names: Names,
    pub(super) policy: ArcSwap<Policy>,
    pub(super) traffic: Traffic,
    tls: OnceLock<Result<TlsConnector, String>>,
}

/// Bytes on the wire, TLS and headers included.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub received: Counter,
    pub sent: Counter,
}

impl Door {
    pub(super) fn new(names: Names, policy: Policy) -> Self {
        Self {
            names,
            policy: ArcSwap::from_pointee(policy),
            traffic: Traffic::default(),
            tls: OnceLock::new(),
        }
    }

    /// The addresses of `host` that may be connected to, best first; at least one.
    pub(super) async fn addresses(&self, host: &str, trust: Trust) -> Result<Vec<IpAddr>, Error> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let found = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) => self.names.look_up(host).await,
        };
        if found.is_empty() {
            return Err(Error::Dns { host: host.to_owned() });
        }
        let policy = self.policy.load();
        let mut why = None;
        let mut allowed = found;
        allowed.retain(|&address| {
            let objection = policy.objection(bare, address, trust);
            why = why.or(objection);
            objection.is_none()
        });
        match why {
            Some(why) if allowed.is_empty() => Err(Error::Refused { host: host.to_owned(), why }),
            _ => Ok(allowed),
        }
    }

    async fn tcp(&self, host: &str, port: u16, trust: Trust) -> Result<TcpStream, Error> {
        let addresses = self.addresses(host, trust).await?;
        let each = if addresses.len() > 1 { PATIENCE_EACH } else { PATIENCE };
        let mut failure = Error::Timeout { host: host.to_owned() };
        for address in addresses {
            match tokio::time::timeout(each, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    // Requests are one small packet each; one that waits for company waits for nothing.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(e)) => {
                    failure = Error::Connect { host: host.to_owned(), what: e.kind().to_string() };
                }
                Err(_) => {}
            }
        }
        Err(failure)
    }

    async fn connect(&self, uri: &Uri, trust: Trust) -> Result<Wire, Error> {
        let host = uri.host().ok_or(Error::BadUrl("it names no host"))?;
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        self.open(host, port, secure, trust).await
    }

    pub(super) async fn open(
        &self,
        host: &str,
        port: u16,
        secure: bool,
        trust: Trust,
    ) -> Result<Wire, Error> {
        let tcp = self.tcp(host, port, trust);
        let tcp = tokio::time::timeout(PATIENCE, tcp).await.unwrap_or_else(|_| Err(timeout(host)))?;
        let counted = Counted { tcp, traffic: self.traffic.clone() };
        if !secure {
            return Ok(Wire::Plain(counted));
        }
        let failed = |what: String| Error::Tls { host: host.to_owned(), what };
        let tls = self.tls.get_or_init(tls).as_ref().map_err(|what| failed(what.clone()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = bare.try_into().map_err(|_| Error::BadUrl("its host can't have a certificate"))?;
        let handshake = tokio::time::timeout(PATIENCE, tls.connect(name, counted));
        let stream = handshake.await.map_err(|_| timeout(host))?.map_err(|e| failed(e.to_string()))?;
        Ok(Wire::Tls(Box::new(stream)))
    }
}

fn timeout(host: &str) -> Error {
    Error::Timeout { host: host.to_owned() }
}

/// Trusts the certificates this machine trusts, or those of [`authorities`] instead.
fn tls() -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|e| e.to_string())?;
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

/// The file of certificates that is trusted instead of this machine's own: `SSL_CERT_FILE`, as for other programs. HTTPS
/// finds it by itself; this is for whoever else speaks TLS.
pub fn authorities() -> Option<PathBuf> {
    std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What the HTTP client asks for connections.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) door: Arc<Door>,
    pub(super) trust: Trust,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<TokioIo<Wire>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { door, trust } = self.clone();
        Box::pin(async move { door.connect(&uri, trust).await.map(TokioIo::new) })
    }
}

/// One connection.
pub(super) enum Wire {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

/// A TCP connection whose bytes are counted.
pub(super) struct Counted {
    tcp: TcpStream,
    traffic: Traffic,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.tcp).poll_read(cx, buf);
        self.traffic.received.add((buf.filled().len() - before) as u64);
        done
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let done = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(sent)) = done {
            self.traffic.sent.add(sent as u64);
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
