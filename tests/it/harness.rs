//! A server per test, and the clients that tests use: some behave, some don't.
//!
//! [`Server`] runs inside the test, with settings, folders and ports of its own; its clock may be simulated, and under
//! `#[tokio::test(start_paused = true)]` its time limits pass without waiting. [`Process`] runs the binary, for what only
//! a process can show. Waiting is [`eventually`] for a condition and [`within`] for an answer; both bound a failure only.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use media::multipart::{Limits, Parser};
use onair::app::App;
use onair::base::clock::Clock;
use onair::base::config::{self, Inputs, Resolved};
use onair::base::error::Error;
use pixels::jpeg::{Decoder, Encoder};
use pixels::{I420, Matrix, Range};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sim::picture::{Kind, TestPicture, read_counter};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;

/// What should take milliseconds has failed after this long.
const FAILED: Duration = Duration::from_secs(20);

/// Waits until `look` says yes.
pub(crate) async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let mut again = tokio::time::interval(Duration::from_millis(5));
    let looking = async {
        while !look().await {
            again.tick().await;
        }
    };
    assert!(tokio::time::timeout(FAILED, looking).await.is_ok(), "it never happened: {what}");
}

/// What `work` comes to, which should be soon.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(FAILED, work).await.expect("nothing came")
}

/// The program, inside this test.
pub(crate) struct Server {
    app: App,
    folder: Arc<TempDir>,
    client: Client,
}

impl Server {
    /// With `settings` as on the command line, on free ports of 127.0.0.1. Without recording: switch it on by
    /// `("recording.enabled", "true")`.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with(Clock::real(), settings).await
    }

    pub(crate) async fn start_with(clock: Clock, settings: &[(&str, &str)]) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), clock, settings).await
    }

    async fn start_in(folder: Arc<TempDir>, clock: Clock, settings: &[(&str, &str)]) -> Self {
        let app = App::start(resolve(folder.path(), settings), clock).await.expect("it starts");
        Self { app, folder, client: client() }
    }

    /// Why it doesn't start.
    pub(crate) async fn refused(settings: &[(&str, &str)]) -> Error {
        let folder = TempDir::new().unwrap();
        let started = App::start(resolve(folder.path(), settings), Clock::real()).await;
        started.err().expect("it must not start")
    }

    /// Stops, and starts again on the same folders.
    pub(crate) async fn restart(self, settings: &[(&str, &str)]) -> Self {
        let folder = Arc::clone(&self.folder);
        self.stop().await;
        Self::start_in(folder, Clock::real(), settings).await
    }

    pub(crate) async fn stop(self) {
        assert!(self.app.stop().await, "all work ends in time");
    }

    /// Holds `recordings`, `data` and `config.yaml`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address_of("server.port")
    }

    pub(crate) fn address_of(&self, setting: &str) -> SocketAddr {
        self.app.address(setting).unwrap_or_else(|| panic!("{setting} is off"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn ws_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        answer(self.request(Method::POST, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    /// Posts one JPEG as the whole body.
    pub(crate) async fn publish(&self, name: &str, jpeg: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, &format!("/publish/{name}"));
        answer(request.header("content-type", "image/jpeg").body(jpeg)).await
    }

    /// The stream as the API shows it; `null` when there is none.
    pub(crate) async fn stream(&self, name: &str) -> Value {
        let answer = self.get(&format!("/api/streams/{name}")).await;
        if answer.status == StatusCode::NOT_FOUND { Value::Null } else { answer.json() }
    }

    /// Watches `path`, which is below `/stream/`.
    pub(crate) async fn watch(&self, path: &str) -> Mjpeg {
        Mjpeg::open(&self.client, &self.url(&format!("/stream/{path}"))).await
    }

    /// One figure of `/metrics` by its whole name, labels included.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }
}

fn resolve(folder: &Path, settings: &[(&str, &str)]) -> Resolved {
    let file = folder.join("config.yaml");
    // In the file, not on the command line: there they would win over PUT /api/config. JSON is YAML.
    let base = json!({
        "server": {
            "host": "127.0.0.1", "port": "auto", "api_port": 0, "ws_port": 0, "metrics_port": 0, "health_port": 0,
            "rtmp_port": 0,
        },
        "recording": { "enabled": false, "folder": folder.join("recordings"), "min_free_gb": 0 },
        "logging": { "file": null },
        "data_dir": folder.join("data"),
    });
    std::fs::write(&file, base.to_string()).unwrap();
    let overrides = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let inputs = Inputs { file: Some(file), env: BTreeMap::new(), overrides };
    let resolved = config::resolve(&inputs);
    resolved.unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// An HTTP client without a proxy.
pub(crate) fn client() -> Client {
    client_from(IpAddr::from([127, 0, 0, 1]))
}

/// One that calls from another address of this machine, such as 127.0.0.2.
pub(crate) fn client_from(address: IpAddr) -> Client {
    // No kept connections: under paused time the server ends idle ones in the middle of a test.
    // Another test may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().pool_max_idle_per_host(0).local_address(address).build().unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = within(request.send()).await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: within(response.bytes()).await.expect("a whole answer") }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    /// The body of a success.
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The body of an error, checked for what every error must have.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], self.status.canonical_reason().unwrap());
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(!detail.is_empty() && !detail.contains("panick") && !detail.contains("</"), "{detail}");
        assert_eq!(problem["errors"].is_array(), status == 422, "{problem}");
        problem
    }
}

/// Reads `multipart/x-mixed-replace` as a browser does.
pub(crate) struct Mjpeg {
    response: reqwest::Response,
    parser: Parser,
}

/// One part of it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) jpeg: Bytes,
}

impl Mjpeg {
    pub(crate) async fn open(client: &Client, url: &str) -> Self {
        let response = within(client.get(url).send()).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let content_type = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(content_type, "multipart/x-mixed-replace; boundary=frame");
        let boundary = media::multipart::boundary(content_type).unwrap();
        Self { response, parser: Parser::new(&boundary, Limits::parts_up_to(64 << 20)) }
    }

    /// The next picture; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Shown> {
        within(async {
            loop {
                if let Some(part) = self.parser.next().expect("a well-formed part") {
                    return Some(Shown { headers: part.headers.into_iter().collect(), jpeg: part.body });
                }
                self.parser.push(self.response.chunk().await.expect("a body that ends well")?);
            }
        })
        .await
    }

    /// Passes by pictures until this one comes.
    pub(crate) async fn until(&mut self, jpeg: &[u8]) {
        while self.next().await.expect("the stream goes on").jpeg != jpeg {}
    }
}

/// A client that writes what it likes.
pub(crate) struct Raw {
    socket: TcpStream,
    read: BytesMut,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap(), read: BytesMut::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.expect("the server still reads");
    }

    /// Sends until the server closes or everything is sent; whether everything was.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within(self.socket.write_all(bytes.as_ref())).await.is_ok()
    }

    /// No more will be sent.
    pub(crate) async fn finish(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// The next answer, which must have a Content-Length or no body.
    pub(crate) async fn answer(&mut self) -> Answer {
        within(self.read_answer()).await
    }

    /// The same, however long it takes.
    pub(crate) async fn read_answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert_ne!(
                self.socket.read_buf(&mut self.read).await.expect("an answer"),
                0,
                "closed without an answer"
            );
        };
        let head = self.read.split_to(end + 4);
        let head = std::str::from_utf8(&head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: reqwest::header::HeaderMap = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| {
                (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect();
        let length =
            headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        while self.read.len() < length {
            assert_ne!(
                self.socket.read_buf(&mut self.read).await.expect("a body"),
                0,
                "the answer broke off"
            );
        }
        Answer { status, headers, body: self.read.split_to(length).freeze() }
    }

    /// Waits until the server has closed, whatever it still sends.
    pub(crate) async fn closed(&mut self) {
        within(async { while matches!(self.socket.read_buf(&mut self.read).await, Ok(n) if n > 0) {} }).await;
    }
}

/// A WebSocket client.
pub(crate) struct Ws(tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>);

impl Ws {
    pub(crate) async fn open(url: &str) -> Self {
        let (socket, _) = within(tokio_tungstenite::connect_async(url)).await.expect("it upgrades");
        Self(socket)
    }

    /// The status of a refusal.
    pub(crate) async fn refused(url: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match within(tokio_tungstenite::connect_async(request)).await {
            Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    pub(crate) async fn send_json(&mut self, message: &Value) {
        self.send(message.to_string()).await;
    }

    /// The next text message.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match within(self.0.next()).await.expect("an open connection").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Why the server closes.
    pub(crate) async fn close_frame(&mut self) -> Option<CloseFrame> {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// The binary, serving; killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: Arc<TempDir>,
    log: Arc<Mutex<Vec<Value>>>,
    pub(crate) client: Client,
}

impl Process {
    /// `onair serve` with a folder of its own, on a free port; `args` come last and win. Recording is on.
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), args).await
    }

    /// The same on the folder of an earlier one.
    pub(crate) async fn start_in(folder: Arc<TempDir>, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onair"));
        command.env_clear().current_dir(folder.path()).arg("serve").args(["--host", "127.0.0.1"]);
        for set in [
            "server.port=auto",
            "server.api_port=0",
            "server.ws_port=0",
            "server.metrics_port=0",
            "server.health_port=0",
            "server.rtmp_port=0",
            "recording.min_free_gb=0",
            "logging.format=json",
            "logging.file=null",
        ] {
            command.args(["--set", set]);
        }
        let mut child =
            command.args(args).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
        let (lines, log) = (child.stderr.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&log);
        // Ends with the process: the pipe closes then.
        tokio::task::spawn_blocking(move || {
            for line in std::io::BufReader::new(lines).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                kept.lock().unwrap().push(line);
            }
        });
        let mut process = Self { child, folder, log, client: client() };
        eventually("it listens", async || {
            assert!(process.child.try_wait().unwrap().is_none(), "it ended: {:?}", process.log());
            process.try_address("server.port").is_some()
        })
        .await;
        process
    }

    /// Lines logged so far; what is not JSON is a string.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    fn try_address(&self, setting: &str) -> Option<SocketAddr> {
        let message = format!("listening ({setting})");
        let line = self.log().into_iter().find(|line| line["message"] == message)?;
        line["address"].as_str()?.parse().ok()
    }

    pub(crate) fn address(&self, setting: &str) -> SocketAddr {
        self.try_address(setting).unwrap_or_else(|| panic!("{setting} is off"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("server.port"))
    }

    pub(crate) async fn publish(&self, name: &str, jpeg: impl Into<reqwest::Body>) -> Answer {
        let request = self.client.post(self.url(&format!("/publish/{name}")));
        answer(request.header("content-type", "image/jpeg").body(jpeg)).await
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.folder)
    }

    /// Asks it to end, as a supervisor does.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let mut status = None;
        eventually("it ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A test picture as JPEG, with `number` in its pixels.
pub(crate) fn jpeg(width: u32, height: u32, number: u64) -> Bytes {
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    TestPicture::new(Kind::Bars, width, height, "test").draw(
        number,
        Duration::from_millis(number * 40),
        &mut picture,
    );
    Encoder::new(85).unwrap().encode(&picture).unwrap().into()
}

/// The usual one: small, and wide enough for its number.
pub(crate) fn picture(number: u64) -> Bytes {
    jpeg(320, 240, number)
}

/// The pixels as shown: upright.
pub(crate) fn decoded(jpeg: &[u8]) -> I420 {
    let header = pixels::jpeg::inspect(jpeg, 8192).expect("a whole JPEG");
    let mut out = I420::new(2, 2, Range::Full, Matrix::Bt601);
    Decoder::new().unwrap().decode(jpeg, &header, &mut out).expect("a JPEG that decodes");
    out
}

/// The number in a test picture's pixels.
pub(crate) fn number(jpeg: &[u8]) -> Option<u32> {
    read_counter(&decoded(jpeg))
}

/// A `multipart/form-data` body of these fields, in order.
pub(crate) fn form(fields: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.jpg\"\r\n\r\n")
                .bytes(),
        );
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--XyZ--\r\n");
    ("multipart/form-data; boundary=XyZ".to_owned(), body)
}

/// One part of a long request, with the delimiter before it.
pub(crate) fn part(jpeg: &[u8], with_length: bool) -> Vec<u8> {
    let length = if with_length { format!("Content-Length: {}\r\n", jpeg.len()) } else { String::new() };
    let head = format!("--cam\r\nContent-Type: image/jpeg\r\n{length}\r\n");
    [head.as_bytes(), jpeg, b"\r\n"].concat()
}

pub(crate) const LONG: &str = "multipart/x-mixed-replace; boundary=cam";

/// A body that is sent piece by piece, and the end to push pieces into; it ends when that is dropped.
pub(crate) fn long_body() -> (tokio::sync::mpsc::Sender<Vec<u8>>, reqwest::Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receiver))
    });
    (sender, reqwest::Body::wrap_stream(pieces))
}
