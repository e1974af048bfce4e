//! What is said on X when the program goes live and when it is over.
//!
//! The first post of a broadcast has a picture of the program with it, where that can be uploaded. One task posts what waits, one after the other, as the API's limits let it. Its failures are shown, and are all that comes
//! of them: no output waits for it. Called by `desk`.

mod limits;
mod oauth;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use pixels::{I420, jpeg};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{info, warn};
use url::Url;

use crate::base::clock::Clock;
use crate::base::tasks::Tasks;
use crate::egress::{Body, Client, Request, Trust, base64};

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
    posts: mpsc::Sender<Post>,
    said: Arc<Mutex<Said>>,
    able: bool,
}

/// What is to be said.
struct Post {
    text: String,
    /// Shown with it, if it can be.
    picture: Option<Arc<I420>>,
}

/// Posts that may wait.
const WAITING: usize = 8;
/// Bytes of an answer.
const MOST: u64 = 64 << 10;
/// Bytes of a picture that the API takes.
const MOST_PICTURE: usize = 5 << 20;
/// libjpeg's scale.
const QUALITY: u8 = 85;
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
        let (posts, mut inbox) = mpsc::channel::<Post>(WAITING);
        let said = Arc::<Mutex<Said>>::default();
        let able = settings.keys.is_some();
        let desk = Desk { settings, client, clock, said: Arc::clone(&said) };
        let stop = tasks.stopping();
        tasks.spawn("twitter", async move {
            let all = async {
                while let Some(post) = inbox.recv().await {
                    desk.say(post).await;
                }
            };
            tokio::select! {
                () = all => {}
                () = stop.cancelled() => {}
            }
        });
        Self { posts, said, able }
    }

    /// Posts `text` as soon as it may, with `picture` if there is one.
    pub(super) fn say(&self, text: &str, picture: Option<Arc<I420>>) {
        let failed = if !self.able {
            Some("there are no keys: set outputs.twitter.api_key and its three companions")
        } else if self.posts.try_send(Post { text: text.to_owned(), picture }).is_err() {
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
    async fn say(&self, Post { text, picture }: Post) {
        let begun = self.clock.now();
        let (mut media, mut without) = (None, None);
        if let Some(picture) = picture {
            match self.upload(picture).await {
                Ok(id) => media = Some(id),
                Err(why) => {
                    warn!("a post on X goes without its picture: {why}");
                    without = Some(format!("the picture was not taken: {why}"));
                }
            }
        }
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
            match self.once(&text, media.as_deref()).await {
                Tried::Posted => {
                    let mut said = lock(&self.said);
                    (said.posted, said.last_error) = (said.posted + 1, without);
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

    /// The id under which the API has the picture; tried once, for a post is not to be late for it.
    async fn upload(&self, picture: Arc<I420>) -> Result<String, String> {
        let coded = tokio::task::spawn_blocking(move || {
            let mut encoder = jpeg::Encoder::new(QUALITY).map_err(|e| e.to_string())?;
            encoder.encode(&picture).map_err(|e| e.to_string())
        });
        let jpeg = coded.await.map_err(|e| e.to_string())??;
        if jpeg.len() > MOST_PICTURE {
            return Err(format!("it has {} bytes, more than {MOST_PICTURE}", jpeg.len()));
        }
        let media =
            json!({ "media": base64(&jpeg), "media_category": "tweet_image", "media_type": "image/jpeg" });
        let answer = self.ask("/2/media/upload", &media).await?;
        let status = answer.status;
        if !(200..=299).contains(&status) {
            answer.settle().await;
            return Err(format!("the API answers {status}"));
        }
        let told = answer.whole().await.map_err(|e| e.to_string())?;
        let told: Value =
            serde_json::from_slice(&told).map_err(|_| "the API's answer is no JSON".to_owned())?;
        let id = told["data"]["id"].as_str().filter(|id| !id.is_empty() && id.len() <= 64);
        id.map(str::to_owned).ok_or_else(|| "the API gave it no id".to_owned())
    }

    /// A signed request.
    async fn ask(&self, path: &str, body: &Value) -> Result<Body, String> {
        let keys = self.settings.keys.as_ref().ok_or("there are no keys")?;
        let address = format!("{}{path}", self.settings.api.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|_| "the API's address is none")?;
        let nonce = uuid::Uuid::now_v7().simple().to_string();
        let header = oauth::authorization(keys, "POST", &address, &[], (&nonce, self.seconds()));
        let headers = [("authorization", header.as_str())];
        let request = Request { headers: &headers, ..Request::new(&url, Trust::Operator, MOST) };
        self.client.post_json(request, Bytes::from(body.to_string())).await.map_err(|e| e.to_string())
    }

    async fn once(&self, text: &str, media: Option<&str>) -> Tried {
        let mut post = json!({ "text": text });
        if let Some(media) = media {
            post["media"] = json!({ "media_ids": [media] });
        }
        let answer = match self.ask("/2/tweets", &post).await {
            Ok(answer) => answer,
            Err(why) => return Tried::Later(why),
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
