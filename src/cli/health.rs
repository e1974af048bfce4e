//! `onair health`: whether a server is well, for container health checks; needs no other tool in the image.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::say;
use crate::base::error::{Error, Result};

/// Ask a server how it is; exit code 0 if it serves, 1 if not
#[derive(Args, Debug)]
pub(super) struct Health {
    /// Its health address
    #[arg(default_value = "http://127.0.0.1:4291/health")]
    url: String,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Health {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let client = super::http::client()?;
        let unreachable = |e: reqwest::Error| Error::internal("the server does not answer", e.without_url());
        let answer = client
            .get(&self.url)
            .timeout(Duration::from_secs(self.timeout))
            .send()
            .await
            .map_err(unreachable)?;
        let well = answer.status().is_success();
        say(answer.text().await.map_err(unreachable)?.trim());
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
