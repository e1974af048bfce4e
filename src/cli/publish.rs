//! `onair publish`: a webcam, a video file or a test picture, sent to a server at the pace it was made.
//!
//! A file loses no frame: when the server is away it waits and goes on. A camera can't wait: what the server doesn't
//! take in time is dropped and counted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use media::input::{Input, Picture, Source};
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use sim::picture::{Kind as Drawing, TestPicture};
use tokio::sync::mpsc;

use super::progress::Progress;
use super::{asked_to_stop, http, sender};
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::streams::StreamName;

/// Send a webcam, a video file or a test picture to a server
#[derive(Args, Debug, Clone)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["file", "camera", "test"])))]
pub(super) struct Publish {
    /// Video file
    file: Option<PathBuf>,
    /// Webcam (Video4Linux device)
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "/dev/video0")]
    camera: Option<String>,
    /// Moving test picture
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "bars")]
    test: Option<TestKind>,
    /// Server
    #[arg(short, long, default_value = "http://localhost:5000")]
    server: String,
    /// Stream name [default: made from the source's name]
    #[arg(long)]
    stream: Option<String>,
    /// At most this many frames a second [default: as the source; test pictures 30]
    #[arg(long, value_parser = parse_fps)]
    fps: Option<f64>,
    /// JPEG quality
    #[arg(long, default_value_t = 85, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Picture size of a camera or test picture, e.g. 1280x720
    #[arg(long, value_parser = parse_size)]
    size: Option<(u32, u32)>,
    /// Start the file again at its end
    #[arg(long = "loop", requires = "file")]
    again: bool,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Key or token, if the server asks for one
    #[arg(long, env = "ONAIR_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TestKind {
    Bars,
    Court,
}

/// One JPEG and when to send it, from the start.
pub(super) struct Timed {
    pub(super) jpeg: Bytes,
    pub(super) due: Duration,
}

impl Publish {
    pub(super) async fn run(self) -> Result<ExitCode> {
        media::init();
        let name = StreamName::parse(&self.name())?;
        let client = http::client()?;
        let mut target = sender::Target::new(client, &self.server, &name, self.token.as_deref())?;
        let tasks = Tasks::default();
        let dropped = Counter::default();
        let (frames, mut inbox) = mpsc::channel(8);
        let (report, failed) = tokio::sync::oneshot::channel();
        let mut reader = Reader::open(&self)?;
        let (live, quality, lost) = (self.camera.is_some(), self.quality, dropped.clone());
        tasks.thread("frames", 2 << 20, move || {
            let outcome = reader.send_all(quality, &Outlet { frames, live, dropped: lost });
            // The sender may have gone first.
            let _ = report.send(outcome);
        })?;
        let mut progress = Progress::new(name.as_str(), dropped);
        let sent = tokio::select! {
            sent = target.send_all(&mut inbox, live, &mut progress) => sent,
            stop = asked_to_stop() => stop,
        };
        drop(inbox);
        progress.finish();
        sent?;
        failed.await.unwrap_or(Ok(()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// What was asked for, or a name that says what is sent.
    fn name(&self) -> String {
        let from_file = |path: &PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            stem.chars().take(StreamName::MAX_LEN).map(plain).collect()
        };
        let by_source = || match (&self.file, &self.camera) {
            (Some(path), _) => from_file(path),
            (None, Some(_)) => "webcam".to_owned(),
            (None, None) => "test".to_owned(),
        };
        self.stream.clone().unwrap_or_else(by_source)
    }
}

/// Where frames go: a channel that a file waits for and a camera doesn't.
struct Outlet {
    frames: mpsc::Sender<Timed>,
    live: bool,
    dropped: Counter,
}

/// Nobody sends any more.
struct Closed;

impl Outlet {
    fn send(&self, frame: Timed) -> std::result::Result<(), Closed> {
        if !self.live {
            return self.frames.blocking_send(frame).map_err(|_| Closed);
        }
        match self.frames.try_send(frame) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.dropped.add(1);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Closed),
        }
    }
}

/// Makes the frames, on a thread of its own.
struct Reader {
    from: From,
    min_gap: Duration,
    duration: Option<Duration>,
}

enum From {
    Media { input: Input, again: bool },
    Drawn { picture: Box<TestPicture>, size: (u32, u32), period: Duration },
}

impl Reader {
    fn open(publish: &Publish) -> Result<Self> {
        const DEFAULT_FPS: f64 = 30.0;
        let from = if let Some(kind) = publish.test {
            let size = publish.size.unwrap_or((1280, 720));
            let drawing = match kind {
                TestKind::Bars => Drawing::Bars,
                TestKind::Court => Drawing::Court,
            };
            let picture = Box::new(TestPicture::new(drawing, size.0, size.1, &publish.name()));
            let period = Duration::from_secs_f64(1.0 / publish.fps.unwrap_or(DEFAULT_FPS));
            From::Drawn { picture, size, period }
        } else {
            From::Media { input: open_media(publish)?, again: publish.again }
        };
        // A little less than the period, so that a source of just that rate keeps all its frames.
        let min_gap = publish.fps.map_or(Duration::ZERO, |fps| Duration::from_secs_f64(0.9 / fps));
        let duration = publish.duration.map(Duration::try_from_secs_f64).transpose();
        let duration =
            duration.map_err(|_| Error::invalid("--duration", "a number of seconds, 0 or more"))?;
        Ok(Self { from, min_gap, duration })
    }

    fn send_all(&mut self, quality: u8, outlet: &Outlet) -> Result<()> {
        let mut encoder = Encoder::new(quality).map_err(|e| Error::internal("can't encode JPEG", e))?;
        let over = |due: Duration| self.duration.is_some_and(|duration| due >= duration);
        match &mut self.from {
            From::Drawn { picture, size, period } => {
                let mut canvas = I420::new(size.0, size.1, Range::Full, Matrix::Bt601);
                for number in 0_u32.. {
                    let due = *period * number;
                    if over(due) {
                        return Ok(());
                    }
                    picture.draw(u64::from(number), due, &mut canvas);
                    let jpeg =
                        encoder.encode(&canvas).map_err(|e| Error::internal("can't encode JPEG", e))?;
                    if outlet.send(Timed { jpeg: jpeg.into(), due }).is_err() {
                        return Ok(());
                    }
                }
                Ok(())
            }
            From::Media { input, again } => {
                let unreadable = |e: media::input::Error| Error::internal("the source can't be read", e);
                let (mut base, mut last) = (Duration::ZERO, None::<Duration>);
                loop {
                    let Some((picture, pts)) = input.next().map_err(unreadable)? else {
                        if !*again {
                            return Ok(());
                        }
                        input.rewind().map_err(unreadable)?;
                        let frame =
                            input.info().fps.map_or(Duration::ZERO, |fps| Duration::from_secs_f64(1.0 / fps));
                        base = last.unwrap_or_default() + frame;
                        continue;
                    };
                    let due = base + pts;
                    if over(due) {
                        return Ok(());
                    }
                    if last.is_some_and(|last| due.saturating_sub(last) < self.min_gap) {
                        continue;
                    }
                    last = Some(due);
                    let jpeg = match picture {
                        Picture::Jpeg(bytes) => bytes,
                        Picture::I420(planes) => {
                            let jpeg = encoder.encode(&planes);
                            jpeg.map_err(|e| Error::internal("can't encode JPEG", e))?.into()
                        }
                    };
                    if outlet.send(Timed { jpeg, due }).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

fn open_media(publish: &Publish) -> Result<Input> {
    let (width, height) = publish.size.unzip();
    let source = match (&publish.file, &publish.camera) {
        (Some(path), _) => Source::File(Path::new(path)),
        (None, camera) => Source::Camera {
            device: camera.as_deref().unwrap_or("/dev/video0"),
            width,
            height,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 240")]
            fps: publish.fps.map(|fps| fps.ceil() as u32),
        },
    };
    Input::open(source).map_err(|e| Error::new(Kind::Invalid, e.to_string()))
}

fn parse_fps(text: &str) -> std::result::Result<f64, String> {
    let fps = text.parse::<f64>().ok().filter(|fps| (0.01..=240.0).contains(fps));
    fps.ok_or_else(|| "a number from 0.01 to 240".to_owned())
}

fn parse_size(text: &str) -> std::result::Result<(u32, u32), String> {
    let parsed =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let allowed =
        |&(width, height): &(u32, u32)| (16..=8192).contains(&width) && (16..=8192).contains(&height);
    parsed.filter(allowed).ok_or_else(|| "WIDTHxHEIGHT, each from 16 to 8192, e.g. 1280x720".to_owned())
}
