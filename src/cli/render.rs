//! `onair render`: a scene file as a video, as pictures, or only for how long it takes.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use media::encode::steady::{Picture, Settings, Steady};
use media::fmp4::{Sample, Track, Writer};
use pixels::{I420, Matrix};

use super::{print, say};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::compose::offline::Show;

/// Render a scene file without a server: the same pixels as on air
///
/// The file is what GET /stream/scenes/ID gives: {"canvas", "layers", "animations"}. Assets are paths beside it.
///
///   onair render auction.json --duration 10 -o auction.mp4
///   onair render auction.json --from 2.5 -o auction.png
///   onair render auction.json --duration 10 --fps 60 -o null
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Render {
    /// The scene file
    scene: PathBuf,

    /// Seconds to render; one frame unless it is said
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,

    /// Program time to begin at, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    from: f64,

    /// Frames a second, in place of the scene's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=60))]
    fps: Option<u8>,

    /// Threads that compose; as many as there are cores unless it is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,

    /// What to write: NAME.mp4 (H.264), NAME.png (one frame), a folder for a PNG a frame, NAME.yuv (raw I420, BT.709), or
    /// null to measure only
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a number of seconds is wanted".to_owned())?;
    if (0.0..=86_400.0).contains(&number) {
        Ok(number)
    } else {
        Err("0 to 86400 seconds are allowed".to_owned())
    }
}

impl Render {
    pub(super) fn run(self) -> Result<ExitCode> {
        let threads = usize::from(self.threads.unwrap_or(0));
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("render-{n}"));
        let pool = pool.build().map_err(|e| Error::internal("can't start threads", e))?;
        pool.install(|| self.render())
    }

    fn render(&self) -> Result<ExitCode> {
        let mut show = Show::open(&self.scene, &draw::Fonts::with_system(), |canvas| {
            if let Some(fps) = self.fps {
                canvas.fps = f64::from(fps);
            }
        })?;
        let fps = show.canvas().fps;
        let count = self.duration.map_or(1, |duration| whole((duration * fps).round()).max(1));
        let mut output = Output::open(&self.output, &show, count)?;
        let bar = ProgressBar::new(count).with_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len} frames, {per_sec}, {eta} left")
                .expect("the template is well formed"),
        );
        let clock = Clock::real();
        let mut took = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let mut told = Vec::new();
        for n in 0..count {
            #[expect(clippy::cast_precision_loss, reason = "frames of a day")]
            let now = self.from * 1000.0 + n as f64 * 1000.0 / fps;
            let began = clock.now();
            let frame = show.frame(now);
            took.push(clock.now().since(began));
            for trouble in show.troubles() {
                if !told.contains(&trouble) {
                    bar.suspend(|| say(&format!("onair: {trouble}")));
                    told.push(trouble);
                }
            }
            output.write(n, &frame)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        output.finish()?;
        tell(&mut took, &show);
        Ok(if told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// How long frames took.
fn tell(took: &mut [Duration], show: &Show) {
    let total: Duration = took.iter().sum();
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    let figures = show.figures();
    print(&format!(
        "{} frames, composed in {:.3} s; a frame: median {:.3} ms, p95 {:.3}, p99 {:.3}, worst {:.3}; {} pictures drawn; {:.0} MB held",
        took.len(),
        total.as_secs_f64(),
        at(50),
        at(95),
        at(99),
        at(100),
        figures.drawn,
        megabytes(figures.memory),
    ));
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Where frames go.
enum Output {
    Nothing,
    One(PathBuf),
    Folder(PathBuf),
    Raw(BufWriter<File>),
    Film(Box<Film>),
}

struct Film {
    file: BufWriter<File>,
    path: PathBuf,
    encoder: Option<Steady>,
    writer: Option<Writer>,
    size: (u16, u16),
    fps: u32,
    frames: u64,
}

impl Output {
    fn open(path: &Path, show: &Show, count: u64) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending {
            _ if path == Path::new("null") => Ok(Self::Nothing),
            Some("mp4") => Ok(Self::Film(Box::new(Film::open(path, show)?))),
            Some("yuv") => Ok(Self::Raw(BufWriter::new(create(path)?))),
            Some("png") if count == 1 => Ok(Self::One(path.to_owned())),
            Some("png") => Err(Error::new(
                Kind::Invalid,
                "a PNG holds one frame: leave --duration out, or name a folder",
            )),
            None => {
                let failed = |e| Error::internal(format!("{} can't be made", path.display()), e);
                std::fs::create_dir_all(path).map_err(failed)?;
                Ok(Self::Folder(path.to_owned()))
            }
            Some(other) => Err(Error::new(
                Kind::Invalid,
                format!(
                    "files of the kind .{other} can't be written; .mp4, .png, .yuv, a folder and null can"
                ),
            )),
        }
    }

    fn write(&mut self, n: u64, frame: &I420) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::One(path) => png(path, frame),
            Self::Folder(folder) => png(&folder.join(format!("frame_{n:06}.png")), frame),
            Self::Raw(file) => {
                let mut rows = frame.y.rows().chain(frame.u.rows()).chain(frame.v.rows());
                rows.try_for_each(|row| file.write_all(row)).map_err(unwritten)
            }
            Self::Film(film) => film.write(n, frame),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Raw(mut file) => file.flush().map_err(unwritten),
            Self::Film(film) => film.finish(),
            Self::Nothing | Self::One(_) | Self::Folder(_) => Ok(()),
        }
    }
}

impl Film {
    /// Thousandths of a bit for a pixel: 19 Mbit/s at 1080p60, which looks like the source to most eyes.
    const MILLIBITS: u64 = 150;
    const KEYFRAME_SECONDS: u32 = 2;
    /// Frames in one piece of the file.
    const FRAGMENT: usize = 60;

    fn open(path: &Path, show: &Show) -> Result<Self> {
        let (width, height) = show.size();
        let fps = u32::try_from(whole(show.canvas().fps.round())).unwrap_or(1);
        let bits = u64::from(width) * u64::from(height) * u64::from(fps) * Self::MILLIBITS / 1000;
        let encoder = Steady::new(&Settings {
            width,
            height,
            fps,
            kbps: u32::try_from(bits / 1000).unwrap_or(u32::MAX),
            preset: "veryfast",
            group: fps * Self::KEYFRAME_SECONDS,
            b_frames: 0,
            matrix: Matrix::Bt709,
        })
        .map_err(|e| Error::internal("the video can't be encoded", e))?;
        let side = |side: u32| u16::try_from(side).expect("a canvas is bounded");
        let size = (side(width), side(height));
        let file = BufWriter::new(create(path)?);
        let path = path.to_owned();
        Ok(Self { file, path, encoder: Some(encoder), writer: None, size, fps, frames: 0 })
    }

    fn pts(&self, n: u64) -> u64 {
        n * u64::from(media::time::TIMESCALE) / u64::from(self.fps)
    }

    fn write(&mut self, n: u64, frame: &I420) -> Result<()> {
        self.frames = n + 1;
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let pictures = encoder.encode(frame).map_err(uncoded)?;
        pictures.into_iter().try_for_each(|picture| self.push(&picture))
    }

    fn push(&mut self, picture: &Picture) -> Result<()> {
        if self.writer.is_none() {
            let codec =
                picture.codec().ok_or_else(|| Error::new(Kind::Internal, "the encoder gave no headers"))?;
            let (width, height) = self.size;
            let (full_range, matrix) = (false, Matrix::Bt709);
            let track = Track { codec, width, height, rotation: 0, full_range, matrix, created: 0 };
            let (writer, head) = Writer::new(&track);
            self.file.write_all(&head).map_err(unwritten)?;
            self.writer = Some(writer);
        }
        let pts = self.pts(picture.pts.unsigned_abs());
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let fragment = if writer.pending() >= Self::FRAGMENT { writer.flush(Some(pts)) } else { None };
        writer.push(Sample { pts, data: picture.sample(), keyframe: picture.keyframe });
        fragment.map_or(Ok(()), |bytes| self.file.write_all(&bytes).map_err(unwritten))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let rest = self.encoder.take().map_or(Ok(Vec::new()), Steady::finish).map_err(uncoded)?;
        rest.into_iter().try_for_each(|picture| self.push(&picture))?;
        let end = self.pts(self.frames);
        if let Some(writer) = self.writer.take() {
            let finish = writer.finish(end);
            self.file.write_all(&finish.tail).map_err(unwritten)?;
            for (offset, bytes) in finish.patches {
                self.file.seek(SeekFrom::Start(offset)).map_err(unwritten)?;
                self.file.write_all(&bytes).map_err(unwritten)?;
            }
        }
        self.file.flush().map_err(unwritten)?;
        say(&format!("{}", self.path.display()));
        Ok(())
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|e| Error::internal(format!("{} can't be written", path.display()), e))
}

fn uncoded(error: media::encode::Error) -> Error {
    Error::internal("the video can't be encoded", error)
}

fn unwritten(error: std::io::Error) -> Error {
    Error::internal("the output can't be written", error)
}

fn png(path: &Path, frame: &I420) -> Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(create(path)?), frame.width, frame.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    let failed = |e| Error::internal(format!("{} can't be written", path.display()), e);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels::convert::i420_to_rgb(frame)).map_err(failed)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a day, not negative")]
fn whole(n: f64) -> u64 {
    n.max(0.0) as u64
}
