//! `onair serve`, as users start it, with a folder of its own.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Outcome;
use super::process::{Process, free_address, listening};

pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Server {
    /// A server with these settings besides those every run has: one port on this machine, room for 100 streams.
    pub(crate) async fn start(settings: &[&str]) -> Outcome<Self> {
        let mut tries = 0;
        loop {
            // Another program may take the port before the server does.
            match Self::try_start(settings).await {
                Err(e) if tries == 3 => return Err(e),
                Err(_) => tries += 1,
                started => return started,
            }
        }
    }

    async fn try_start(settings: &[&str]) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("onair-bench-").tempdir()?;
        let address = free_address()?;
        // Another build may be named, to measure before and after.
        let binary =
            std::env::var_os("ONAIR_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_onair").into());
        let mut command = Command::new(binary);
        command.current_dir(folder.path()).args(["serve", "--host", "127.0.0.1", "--port"]);
        command.arg(address.port().to_string());
        for port in ["api_port", "ws_port", "metrics_port", "health_port", "rtmp_port"] {
            command.args(["--set", &format!("server.{port}=0")]);
        }
        for setting in ["streams.max_concurrent=100", "logging.level=warn"].iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let process = Process::start(&mut command)?;
        listening(address, &process).await?;
        Ok(Self { process, address, folder })
    }

    /// The body of the answer to one request; an error unless the status is one of success.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Outcome<String> {
        self.send(method, path, "").await
    }

    /// The same with JSON to send.
    pub(crate) async fn send(&self, method: &str, path: &str, json: &str) -> Outcome<String> {
        let mut socket = TcpStream::connect(self.address).await?;
        let length = json.len();
        let kind = if json.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{kind}");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{json}");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.starts_with("HTTP/1.1 2") {
            return Err(format!("{method} {path}: {}", head.lines().next().unwrap_or_default()).into());
        }
        Ok(body.to_owned())
    }

    /// Sends a file.
    pub(crate) async fn upload(&self, path: &str, kind: &str, bytes: &[u8]) -> Outcome<()> {
        let mut socket = TcpStream::connect(self.address).await?;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: {kind}\r\n");
        socket.write_all(format!("{head}Content-Length: {}\r\n\r\n", bytes.len()).as_bytes()).await?;
        socket.write_all(bytes).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        if answer.starts_with(b"HTTP/1.1 2") {
            return Ok(());
        }
        Err(format!("POST {path}: {}", String::from_utf8_lossy(&answer)).into())
    }

    /// The sum of a metric over its labels.
    pub(crate) async fn metric(&self, name: &str) -> Outcome<f64> {
        let text = self.ask("GET", "/metrics").await?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            (rest.starts_with(' ') || rest.starts_with('{')).then_some(())?;
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        });
        let values: Vec<f64> = values.collect();
        if values.is_empty() { Err(format!("no metric {name}").into()) } else { Ok(values.iter().sum()) }
    }

    /// Asks it to end, so that its recordings are complete, and gives the folder back.
    pub(crate) fn stop(self) -> Outcome<tempfile::TempDir> {
        self.process.stop(Duration::from_secs(30))?;
        Ok(self.folder)
    }
}
