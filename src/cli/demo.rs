//! `onair demo`: the server, and streams it makes itself, so that there is something to see.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use sim::picture::{Kind as Drawing, TestPicture};
use sim::world::{self, World};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::error;

use super::progress::Progress;
use super::publish::Timed;
use super::{http, say, sender, serve};
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::base::tasks::Tasks;
use crate::streams::StreamName;

/// Start the server, push two moving test pictures to it, and follow four channels of a stand-in Twitch
///
/// Needs no internet. Its state is kept in data/demo.
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
            for (name, drawing) in [("test-bars", Drawing::Bars), ("test-court", Drawing::Court)] {
                let token = token.as_ref().map(|token| token.reveal().to_owned());
                if let Err(e) = push(&pushers, &local, name, drawing, token) {
                    error!(error = %e, stream = name, "the test picture can't be pushed");
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

/// Pushes a test picture over HTTP, as any publisher would.
fn push(
    tasks: &Tasks,
    server: &str,
    name: &'static str,
    drawing: Drawing,
    token: Option<String>,
) -> Result<()> {
    const SIZE: (u32, u32) = (960, 540);
    const PERIOD: Duration = Duration::from_millis(40);
    let mut target =
        sender::Target::new(http::client()?, server, &StreamName::parse(name)?, token.as_deref())?;
    let mut encoder = Encoder::new(80).map_err(|e| Error::internal("can't encode JPEG", e))?;
    let (frames, mut inbox) = mpsc::channel(2);
    tasks.thread(name, 1 << 20, move || {
        let mut picture = TestPicture::new(drawing, SIZE.0, SIZE.1, name);
        let mut canvas = I420::new(SIZE.0, SIZE.1, Range::Full, Matrix::Bt601);
        for number in 0_u32.. {
            let due = PERIOD * number;
            picture.draw(u64::from(number), due, &mut canvas);
            let jpeg: Bytes = encoder.encode(&canvas).expect("a canvas we made can be encoded").into();
            if frames.blocking_send(Timed { jpeg, due }).is_err() {
                return;
            }
        }
    })?;
    tasks.spawn("test picture", async move {
        let mut progress = Progress::quiet(name);
        if let Err(e) = target.send_all(&mut inbox, false, &mut progress).await {
            error!(error = %e, stream = name, "the test picture is not pushed any more");
        }
    });
    Ok(())
}
