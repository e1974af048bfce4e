//! `onair demo`: the server, and streams it makes itself, so that there is something to see.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use reqwest::Method;
use serde_json::{Value, json};
use sim::hud::portraits;
use sim::hud::{Drawing, Game, Match, Stage};
use sim::picture::{Kind, TestPicture};
use sim::world::{self, World};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::progress::Progress;
use super::publish::Timed;
use super::{http, say, sender, serve};
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::base::tasks::Tasks;
use crate::streams::StreamName;

/// Start the server, push two moving test pictures and two games to it, follow four channels of a stand-in Twitch, and show a scene
/// of them as the stream "program"
///
/// The games, a football match and one like Dota, are drawn with their HUDs, so that packs have something to read. Needs no
/// internet. Its state is kept in data/demo.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Configuration file [default: config.yaml if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any setting, e.g. --set server.port=8080; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Demo {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let twitch = StandIn::start().await?;
        let mut settings = twitch.settings()?;
        settings.extend(serve::pairs(&self.set)?);
        let resolved = serve::resolve(self.config, settings)?;
        hand_portraits(&crate::app::packs_folder(&resolved.config))?;
        let token = resolved.config.auth.token.clone();
        let pushers = Tasks::default();
        pushers.spawn("stand-in Twitch", world::serve(twitch.listener, twitch.world));
        let started = |app: &App| {
            let Some(address) = app.address("server.port") else {
                say("server.port is 0: nothing to open, nothing pushed");
                return;
            };
            let local = format!("http://localhost:{}", address.port());
            say(&format!("\n  Open {local}\n"));
            let shows = [
                ("test-bars", Show::Test(Kind::Bars)),
                ("test-court", Show::Test(Kind::Court)),
                ("football", Show::Match(Game::Football)),
                ("dota", Show::Match(Game::Dota)),
            ];
            let own = token.as_ref().map(|token| token.reveal().to_owned());
            let server = local.clone();
            pushers.spawn("scene of the demo", async move {
                if let Err(e) = compose(&server, own.as_deref()).await {
                    warn!(error = %e, "the demo's scene is not on air");
                }
            });
            for (name, show) in shows {
                let token = token.as_ref().map(|token| token.reveal().to_owned());
                if let Err(e) = push(&pushers, &local, name, show, token) {
                    error!(error = %e, stream = name, "the drawn pictures can't be pushed");
                }
            }
        };
        serve::serve(resolved, started).await
    }
}

/// A Twitch of our own with a few channels.
struct StandIn {
    world: World,
    listener: TcpListener,
}

impl StandIn {
    const CHANNELS: u32 = 4;
    /// Apart from what the program keeps when it runs in earnest.
    const DATA: &str = "data/demo";

    async fn start() -> Result<Self> {
        let clock = Clock::real();
        let now = move || Duration::from_millis(u64::try_from(clock.wall().0.as_millisecond()).unwrap_or(0));
        let settings = world::Settings::new(Arc::new(now), Self::CHANNELS);
        let world = World::new(settings).map_err(|e| Error::internal("the stand-in can't be made", e))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|e| Error::internal("the stand-in can't listen", e))?;
        Ok(Self { world, listener })
    }

    /// Under which the server takes it for Twitch, and follows its channels.
    fn settings(&self) -> Result<Vec<(String, String)>> {
        let failed = |e: std::io::Error| Error::internal(format!("{} can't be written", Self::DATA), e);
        let address = self.listener.local_addr().map_err(failed)?;
        std::fs::create_dir_all(Self::DATA).map_err(failed)?;
        let list = format!("{}/streams.txt", Self::DATA);
        std::fs::write(&list, self.world.names().join("\n") + "\n").map_err(failed)?;
        let settings = [
            ("data_dir", Self::DATA.to_owned()),
            ("capture.streams_file", list),
            // Small pictures are quickly made.
            ("capture.quality", "360p".to_owned()),
            ("capture.twitch.gql_url", format!("http://{address}/gql")),
            ("capture.twitch.usher_url", format!("http://{address}")),
            ("egress.allow_private", "true".to_owned()),
        ];
        Ok(settings.map(|(key, value)| (key.to_owned(), value)).into())
    }
}

/// Puts the drawn heroes' portraits where the Dota pack looks for those that are fetched: the demo's bar shows them.
fn hand_portraits(packs: &Path) -> Result<()> {
    let folder = packs.join("dota2/portraits");
    if !portraits::are_in(&folder) {
        portraits::write(&folder)
            .map_err(|e| Error::internal(format!("can't write {}", folder.display()), e))?;
    }
    Ok(())
}

/// Draws the picture of that number, taken at that time.
type Drawer = Box<dyn FnMut(u32, Duration, &mut I420)>;

/// What a pushed stream shows.
#[derive(Clone, Copy)]
enum Show {
    Test(Kind),
    /// Matches one after the other.
    Match(Game),
}

impl Show {
    /// As short as one can be of which packs tell all that happens.
    const MATCH: Duration = Match::FOLLOWED;

    const fn size(self) -> (u32, u32) {
        match self {
            Self::Test(_) => (960, 540),
            Self::Match(_) => (1280, 720),
        }
    }

    const fn period(self) -> Duration {
        Duration::from_millis(match self {
            Self::Test(_) => 40,
            Self::Match(_) => 66,
        })
    }

    /// What draws its pictures, one after the other.
    fn drawer(self, name: &str) -> Drawer {
        let (width, height) = self.size();
        match self {
            Self::Test(kind) => {
                let mut picture = TestPicture::new(kind, width, height, name);
                Box::new(move |number, due, canvas| picture.draw(u64::from(number), due, canvas))
            }
            Self::Match(game) => {
                let mut drawing = Drawing::new(game, 1, Self::MATCH, Stage::new(width, height));
                Box::new(move |_, due, canvas| {
                    // What is true of it is the packs' to find out.
                    let _ = drawing.draw(due, canvas);
                })
            }
        }
    }
}

/// Puts a scene of the demo's streams on air, unless there are layers already: an earlier run's, or what somebody has made of them.
async fn compose(server: &str, token: Option<&str>) -> Result<()> {
    const SCENE: &str = include_str!("../../examples/scenes/demo.json");
    let client = http::client()?;
    let failed = |e: reqwest::Error| Error::internal("the server can't be asked", e);
    let ask = async |method: Method, path: &str, body: Option<Value>| -> Result<reqwest::Response> {
        let mut request = client.request(method, format!("{server}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.map_err(failed)?.error_for_status().map_err(failed)
    };
    let layers: Value = ask(Method::GET, "/stream/layers", None).await?.json().await.map_err(failed)?;
    if layers["layers"].as_array().is_some_and(|layers| !layers.is_empty()) {
        return Ok(());
    }
    let mut scene: Value =
        serde_json::from_str(SCENE).map_err(|e| Error::internal("the demo's scene is not JSON", e))?;
    (scene["id"], scene["name"]) = (json!("demo"), json!("Demo"));
    if ask(Method::GET, "/stream/scenes/demo", None).await.is_err() {
        ask(Method::POST, "/stream/scenes", Some(scene)).await?;
    }
    ask(Method::POST, "/stream/scenes/demo/activate", Some(json!({}))).await?;
    Ok(())
}

/// Pushes drawn pictures over HTTP, as any publisher would.
fn push(tasks: &Tasks, server: &str, name: &'static str, show: Show, token: Option<String>) -> Result<()> {
    let mut target =
        sender::Target::new(http::client()?, server, &StreamName::parse(name)?, token.as_deref())?;
    let mut encoder = Encoder::new(80).map_err(|e| Error::internal("can't encode JPEG", e))?;
    let (frames, mut inbox) = mpsc::channel(2);
    tasks.thread(name, 1 << 20, move || {
        let mut draw = show.drawer(name);
        let mut canvas = I420::new(2, 2, Range::Full, Matrix::Bt601);
        for number in 0_u32.. {
            let due = show.period() * number;
            draw(number, due, &mut canvas);
            let jpeg: Bytes = encoder.encode(&canvas).expect("a canvas we made can be encoded").into();
            if frames.blocking_send(Timed { jpeg, due }).is_err() {
                return;
            }
        }
    })?;
    tasks.spawn("drawn pictures", async move {
        let mut progress = Progress::quiet(name);
        if let Err(e) = target.send_all(&mut inbox, false, &mut progress).await {
            error!(error = %e, stream = name, "the drawn pictures are not pushed any more");
        }
    });
    Ok(())
}
