//! Sends timed JPEGs to a server: one POST each over a kept connection, again after trouble that may end.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::progress::Progress;
use super::publish::Timed;
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::secret::Secret;
use crate::streams::StreamName;

/// Where frames are sent.
pub(super) struct Target {
    client: Client,
    url: Url,
    token: Option<Secret>,
    clock: Clock,
    pause: Duration,
}

/// What one attempt came to.
enum Outcome {
    Taken {
        bytes: usize,
    },
    /// This frame won't do; the next may.
    Refused(String),
    /// Try again in a while.
    Away {
        why: String,
        wait: Option<Duration>,
    },
    /// No use trying again.
    Final(Error),
}

impl Target {
    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    const LONGEST_PAUSE: Duration = Duration::from_secs(8);
    /// For one frame, connecting included.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(super) fn new(client: Client, server: &str, name: &StreamName, token: Option<&str>) -> Result<Self> {
        let base = server.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/publish/{name}")).ok().filter(|url| url.has_host());
        let url = url.ok_or_else(|| Error::invalid("--server", "an address like http://localhost:5000"))?;
        let token = token.map(Secret::new);
        Ok(Self { client, url, token, clock: Clock::real(), pause: Self::FIRST_PAUSE })
    }

    /// Sends all frames at their time. `live`: what is late because the server was away is skipped.
    pub(super) async fn send_all(
        &mut self,
        inbox: &mut mpsc::Receiver<Timed>,
        live: bool,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut start: Option<Instant> = None;
        while let Some(frame) = inbox.recv().await {
            let begun = *start.get_or_insert_with(|| Instant::now() - frame.due);
            if !live {
                sleep_until(begun + frame.due).await;
            }
            loop {
                let attempt = Instant::now();
                match self.send(&frame).await {
                    Outcome::Taken { bytes } => {
                        self.pause = Self::FIRST_PAUSE;
                        progress.taken(bytes, attempt.elapsed());
                        break;
                    }
                    Outcome::Refused(why) => {
                        progress.refused(&why);
                        break;
                    }
                    Outcome::Final(error) => return Err(error),
                    Outcome::Away { why, wait } => {
                        progress.away(&why);
                        sleep(wait.unwrap_or(self.pause)).await;
                        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
                        // The frame goes out late; those after it keep their distance to it.
                        start = Some(Instant::now() - frame.due);
                        if live {
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&self, frame: &Timed) -> Outcome {
        let request = self
            .client
            .post(self.url.clone())
            .timeout(Self::PATIENCE)
            .header(CONTENT_TYPE, "image/jpeg")
            .header("X-Timestamp", self.clock.wall().to_string())
            .body(frame.jpeg.clone());
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(e) => return Outcome::Away { why: plain(&e), wait: None },
        };
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = match answer.text().await {
            Ok(text) => text,
            Err(e) => return Outcome::Away { why: plain(&e), wait: None },
        };
        if status.is_success() {
            return Outcome::Taken { bytes: frame.jpeg.len() };
        }
        let detail = serde_json::from_str::<serde_json::Value>(&text).ok();
        let detail =
            detail.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or("no reason given");
        let why = format!("{status}: {detail}");
        match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT => {
                Outcome::Final(Error::new(Kind::Forbidden, format!("the server says {why}")))
            }
            StatusCode::TOO_MANY_REQUESTS => Outcome::Away { why, wait: wait.map(Duration::from_secs) },
            _ if status.is_server_error() => Outcome::Away { why, wait: wait.map(Duration::from_secs) },
            _ => Outcome::Refused(why),
        }
    }
}

/// What went wrong, without the address (it may hold credentials).
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "the server takes too long".to_owned()
    } else if error.is_connect() {
        "the server can't be reached".to_owned()
    } else {
        "the connection broke off".to_owned()
    }
}
