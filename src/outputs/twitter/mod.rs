//! What is said on X when the program goes live and when it is over.
//!
//! One task posts what waits, one after the other, as the API's limits let it. Its failures are shown, and are all that comes
//! of them: no output waits for it. Called by `desk`.

mod limits;
mod oauth;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tracing::{info, warn};
use url::Url;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::egress::{Client, Request, Trust};

pub use limits::Limits;
pub use oauth::Keys;

/// Who speaks, and to whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://api.twitter.com`
    pub api: String,
    /// `None`: nothing is ever said.
    pub keys: Option<Keys>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Posts that were taken.
    pub posted: u64,
    pub last_error: Option<String>,
    pub limits: Limits,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct Twitter {
    posts: mpsc::Sender<String>,
    said: Arc<Mutex<Said>>,
    able: bool,
}

/// Posts that may wait.
const WAITING: usize = 8;
/// Bytes of an answer.
const MOST: u64 = 64 << 10;
/// Times one post is tried.
const TRIES: u32 = 4;
/// A post that would come later than this is not sent.
const LATE: Duration = Duration::from_mins(20);

struct Desk {
    settings: Settings,
    client: Client,
    clock: Clock,
    said: Arc<Mutex<Said>>,
}

/// What came of one try.
enum Tried {
    Posted,
    /// It may work later.
    Later(String),
    Never(String),
}

impl Twitter {
    pub(super) fn start(settings: Settings, client: Client, clock: Clock, tasks: &Tasks) -> Self {
        let (posts, mut inbox) = mpsc::channel::<String>(WAITING);
        let said = Arc::<Mutex<Said>>::default();
        let able = settings.keys.is_some();
        let desk = Desk { settings, client, clock, said: Arc::clone(&said) };
        let stop = tasks.stopping();
        tasks.spawn("twitter", async move {
            let all = async {
                while let Some(text) = inbox.recv().await {
                    desk.say(&text).await;
                }
            };
            tokio::select! {
                () = all => {}
                () = stop.cancelled() => {}
            }
        });
        Self { posts, said, able }
    }

    /// Posts `text` as soon as it may.
    pub(super) fn say(&self, text: &str) {
        let failed = if !self.able {
            Some("there are no keys: set outputs.twitter.api_key and its three companions")
        } else if self.posts.try_send(text.to_owned()).is_err() {
            Some("too much waits to be posted already")
        } else {
            None
        };
        if let Some(why) = failed {
            warn!("nothing is said on X: {why}");
            lock(&self.said).last_error = Some(why.to_owned());
        }
    }

    pub(super) fn said(&self) -> Said {
        lock(&self.said).clone()
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().expect("no code that can panic runs under this lock")
}

impl Desk {
    /// One post, tried until it is taken, is refused, or is too late.
    async fn say(&self, text: &str) {
        let begun = self.clock.now();
        let mut pause = Duration::from_secs(1);
        for number in 1..=TRIES {
            let wait = lock(&self.said).limits.wait(self.seconds());
            let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
            if self.clock.now().since(begun) + wait > LATE {
                return self.failed(&format!("the limit is spent for another {} s", wait.as_secs()));
            }
            if !wait.is_zero() {
                lock(&self.said).last_error =
                    Some(format!("the limit is spent: waits for {} s", wait.as_secs()));
                tokio::time::sleep(wait).await;
            }
            match self.once(text).await {
                Tried::Posted => {
                    let mut said = lock(&self.said);
                    (said.posted, said.last_error) = (said.posted + 1, None);
                    info!("said on X that the program is on air, or over");
                    return;
                }
                Tried::Later(why) if number < TRIES => {
                    lock(&self.said).last_error = Some(why);
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Tried::Later(why) | Tried::Never(why) => return self.failed(&why),
            }
        }
    }

    fn failed(&self, why: &str) {
        warn!("a post on X was not taken: {why}");
        lock(&self.said).last_error = Some(why.to_owned());
    }

    async fn once(&self, text: &str) -> Tried {
        let Some(keys) = &self.settings.keys else { return Tried::Never("there are no keys".to_owned()) };
        let address = format!("{}/2/tweets", self.settings.api.trim_end_matches('/'));
        let Ok(url) = Url::parse(&address) else {
            return Tried::Never("the API's address is none".to_owned());
        };
        let nonce = uuid::Uuid::now_v7().simple().to_string();
        let header = oauth::authorization(keys, "POST", &address, &[], (&nonce, self.seconds()));
        let headers = [("authorization", header.as_str())];
        let request = Request { headers: &headers, ..Request::new(&url, Trust::Operator, MOST) };
        let body = Bytes::from(json!({ "text": text }).to_string());
        let answer = match self.client.post_json(request, body).await {
            Ok(answer) => answer,
            Err(e) => return Tried::Later(e.to_string()),
        };
        let status = answer.status;
        lock(&self.said).limits.told(|name| answer.header(name), status == 429, self.seconds());
        answer.settle().await;
        match status {
            200..=299 => Tried::Posted,
            429 => Tried::Later("the limit is spent".to_owned()),
            500..=599 => Tried::Later(format!("the API answers {status}")),
            401 | 403 => Tried::Never(format!("the API refuses our keys ({status})")),
            _ => Tried::Never(format!("the API refuses the post ({status})")),
        }
    }

    /// Since 1970.
    fn seconds(&self) -> i64 {
        self.clock.wall().0.as_second()
    }
}
