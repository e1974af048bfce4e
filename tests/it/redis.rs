//! A real Redis for tests: a process of its own on a free port of this machine.

use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::tools::{Program, lasting_port, sooner_or_later, tool};

/// Ended when dropped. Each write it answered is on its disk.
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    password: Option<&'static str>,
    program: Option<Program>,
}

impl Redis {
    /// One that runs.
    pub(crate) async fn start(password: Option<&'static str>) -> Self {
        let mut redis = Self::down(password);
        redis.up().await;
        redis
    }

    /// One that does not run yet, and where it will.
    pub(crate) fn down(password: Option<&'static str>) -> Self {
        let port = lasting_port();
        Self { folder: tempfile::tempdir().unwrap(), port, password, program: None }
    }

    /// Without the password.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn up(&mut self) {
        let mut command = Command::new(tool("redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"]);
        command.arg("--dir").arg(self.folder.path());
        command.args(self.password.into_iter().flat_map(|password| ["--requirepass", password]));
        let program = self.program.insert(Program::start(&mut command));
        let listens = async || {
            assert!(program.ended().is_none(), "redis-server has ended: {}", program.said());
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        };
        sooner_or_later("redis-server listens", listens).await;
    }

    /// As a machine that fails does.
    pub(crate) async fn kill(&mut self) {
        let program = self.program.take().expect("it runs");
        program.signal(Signal::KILL);
        program.end().await;
    }

    /// It is there and does nothing.
    pub(crate) fn freeze(&self) {
        self.program.as_ref().expect("it runs").signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.program.as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// Asks it directly.
    pub(crate) async fn ask(&self, words: &[&str]) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(words[0]).arg(&words[1..]).exec_async(&mut connection).await.unwrap();
    }
}
