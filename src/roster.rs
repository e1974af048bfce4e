//! Who is followed from the start: what the store remembers, what the streams file lists, the channel of the settings.
//!
//! Reads the file, at the start and when told to. While the store can't be read it is asked again and again; what only
//! the store knows is followed as soon as it answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::base::config;
use crate::base::error::{Error, Result};
use crate::base::tasks::Tasks;
use crate::capture::{self, Captures, Wish};
use crate::controls::Controls;
use crate::egress::Trust;
use crate::sources::Target;
use crate::streams::StreamName;

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Roster(Arc<Inner>);

struct Inner {
    file: Option<PathBuf>,
    channel: Option<Wish>,
    captures: Captures,
    controls: Controls,
    /// Held by whoever reads the file and follows what is in it.
    reading: tokio::sync::Mutex<()>,
}

impl Roster {
    /// A larger file lists no streams.
    const LARGEST: u64 = 16 << 20;

    /// # Errors
    /// When the streams file can't be read, or the channel is none.
    pub fn new(settings: &config::Capture, captures: Captures, controls: Controls) -> Result<Self> {
        let channel = settings.channel.as_deref().map(channel).transpose()?;
        let file = settings.streams_file.clone();
        if let Some(file) = &file {
            read(file)?;
        }
        let reading = tokio::sync::Mutex::new(());
        Ok(Self(Arc::new(Inner { file, channel, captures, controls, reading })))
    }

    /// Follows them; if the store is away, as soon as it is back.
    pub async fn begin(&self, tasks: &Tasks) {
        let Err(away) = self.follow().await else { return };
        warn!(error = %away, "nothing is followed until the store answers");
        let (roster, stopping) = (self.clone(), tasks.stopping());
        tasks.supervise("roster", move || {
            let (roster, stopping) = (roster.clone(), stopping.clone());
            async move {
                let mut wait = Duration::from_millis(500);
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stopping.cancelled() => return,
                    }
                    if roster.follow().await.is_ok() {
                        return;
                    }
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
            }
        });
    }

    /// Reads the streams file again. What is wrong is logged, and then everything stays as it was.
    pub async fn reload(&self) {
        let Some(file) = &self.0.file else {
            info!("there is no streams file to read again (capture.streams_file)");
            return;
        };
        if let Err(e) = self.follow_file(file).await {
            error!(error = %e, "the streams file is not followed anew");
        }
    }

    async fn follow(&self) -> Result<()> {
        self.0.controls.restore().await?;
        self.0.captures.restore().await?;
        if let Some(file) = &self.0.file {
            self.follow_file(file).await?;
        }
        if let Some(wish) = &self.0.channel {
            for refused in self.0.captures.put(vec![wish.clone()]).await?.into_iter().filter_map(Result::err)
            {
                warn!(stream = %wish.name, error = %refused, "the channel of the settings is not followed");
            }
        }
        Ok(())
    }

    async fn follow_file(&self, file: &Path) -> Result<()> {
        let _reading = self.0.reading.lock().await;
        let path = file.to_owned();
        let text = tokio::task::spawn_blocking(move || read(&path))
            .await
            .map_err(|e| Error::internal("the streams file can't be read", e))??;
        let (wishes, bad) = capture::read_list(&text);
        for capture::Line { number, why } in bad {
            warn!("{}:{number}: {why}", file.display());
        }
        let names: Vec<_> = wishes.iter().map(|wish| wish.name.clone()).collect();
        let answers = self.0.captures.follow_list(wishes).await?;
        for (name, refused) in
            names.iter().zip(&answers).filter_map(|(name, a)| Some((name, a.as_ref().err()?)))
        {
            warn!(stream = %name, error = %refused, "a stream of the streams file is not followed");
        }
        info!(streams = answers.iter().filter(|a| a.is_ok()).count(), "following the streams file");
        Ok(())
    }
}

/// The game that the channel of the settings has always been watched for.
const CHANNEL_PACK: &str = "fifa20";

fn channel(login: &str) -> Result<Wish> {
    let target = Target::parse("capture.channel", login, Trust::Operator)?;
    let name = capture::login(&target).unwrap_or(login);
    let mut wish = Wish::new(StreamName::parse(name)?, target.clone(), Trust::Operator);
    wish.pack = Some(CHANNEL_PACK.to_owned());
    Ok(wish)
}

fn read(file: &Path) -> Result<String> {
    let name = file.display();
    let failed = |e: std::io::Error| Error::internal(format!("the streams file {name} can't be read"), e);
    let about = std::fs::metadata(file).map_err(failed)?;
    if !about.is_file() {
        // A pipe can be read once only: the second time it would list nobody.
        let detail = format!("the streams file {name} is not a file that can be read again");
        return Err(Error::invalid("capture.streams_file", detail));
    }
    let length = about.len();
    if length > Roster::LARGEST {
        return Err(Error::invalid("capture.streams_file", format!("{name} is larger than 16 MB")));
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    String::from_utf8(bytes).map_err(|e| Error::internal(format!("the streams file {name} is not text"), e))
}
