//! A recorder driven frame by frame, without a thread, and the eyes that look at its files.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use pixels::{I420, Matrix, Range, jpeg};
use serde_json::Value;

use crate::base::clock::Clock;
use crate::base::queue::{Full, Received, Receiver};
use crate::base::tasks::Tasks;
use crate::record::recorder::Recorder;
use crate::record::sidecar::{Sidecar, Why};
use crate::record::status::Recording;
use crate::record::{Codec, Preset, Recorders, Settings, shelf};
use crate::streams::{self, Frame, Picture, Publisher, Registry, Stream, StreamName};

pub(super) const START: &str = "2026-01-21T10:30:00Z";

pub(super) fn settings(folder: &Path, codec: Codec) -> Settings {
    Settings {
        enabled: true,
        folder: folder.to_owned(),
        codec,
        preset: Preset::Ultrafast,
        quality: 23,
        target_fps: 30,
        max_file: Duration::from_secs(3600),
        max_total_bytes: None,
        min_free_bytes: 0,
        max_stream_bytes: None,
        retention: None,
    }
}

/// A picture with a bar that moves with `number`.
pub(super) fn picture(width: u32, height: u32, number: u32) -> Picture {
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    for y in 0..height {
        for (x, sample) in (0..).zip(picture.y.row_mut(y)) {
            let bar = (x + width - number % width) % width < width / 8;
            *sample = if bar { 220 } else { (x + y).to_le_bytes()[0] };
        }
    }
    whole(jpeg::Encoder::new(80).unwrap().encode(&picture).unwrap())
}

pub(super) fn whole(jpeg: Vec<u8>) -> Picture {
    let header = jpeg::inspect(&jpeg, 8192).unwrap();
    Picture { jpeg: Bytes::from(jpeg), header, source_time: None, media_time: None }
}

/// The same picture, said by EXIF to be turned.
pub(super) fn turned(picture: &Picture, orientation: u8) -> Picture {
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    exif.extend([0, orientation, 0, 0, 0, 0, 0, 0]);
    let mut jpeg = picture.jpeg[..2].to_vec();
    jpeg.extend(exif);
    jpeg.extend(&picture.jpeg[2..]);
    whole(jpeg)
}

pub(super) fn publisher() -> Publisher {
    Publisher::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

pub(super) fn registry(clock: &Clock) -> Registry {
    let settings =
        streams::Settings { timeout: Duration::from_secs(300), max_concurrent: 100, max_buffer_frames: 30 };
    Registry::new(settings, clock.clone())
}

/// One stream called `cam` and its recorder.
pub(super) struct Bench {
    pub(super) clock: Clock,
    pub(super) recorders: Recorders,
    pub(super) recording: Arc<Recording>,
    pub(super) root: tempfile::TempDir,
    registry: Registry,
    recorder: Option<Recorder>,
    frames: Receiver<Arc<Frame>>,
    pub(super) pushed: u64,
    /// What is said to wait behind every frame.
    pub(super) queued: (usize, usize),
    _stream: Arc<Stream>,
}

impl Bench {
    pub(super) fn new(codec: Codec) -> Self {
        Self::starting(START, codec, |_| {})
    }

    pub(super) fn starting(wall: &str, codec: Codec, change: impl FnOnce(&mut Settings)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::simulated(wall.parse().unwrap());
        let mut settings = settings(&root.path().join("recordings"), codec);
        change(&mut settings);
        let recorders = Recorders::new(settings, clock.clone(), Tasks::default());
        let registry = registry(&clock);
        let tapped: Arc<Mutex<Option<_>>> = Arc::default();
        let tap = Arc::clone(&tapped);
        registry.on_new_stream(move |stream| {
            let recording = Arc::new(Recording::new(stream));
            let frames = stream.tap(Recorders::TAP, Full::DropNewest, recording.dropped.clone()).unwrap();
            *tap.lock().unwrap() = Some((Arc::clone(stream), recording, frames));
        });
        // The stream begins with a frame; it is not the recorder's.
        registry.publish(&cam(), picture(16, 16, 0), publisher()).unwrap();
        let (stream, recording, frames) = tapped.lock().unwrap().take().unwrap();
        let _ = frames.receive(Duration::ZERO);
        recorders.0.known().running.push(Arc::clone(&recording));
        let recorder = Some(Recorder::new(Arc::clone(&recorders.0), Arc::clone(&recording)));
        Self {
            clock,
            recorders,
            recording,
            root,
            registry,
            recorder,
            frames,
            pushed: 0,
            queued: (0, 0),
            _stream: stream,
        }
    }

    /// A frame comes, `after` the last.
    pub(super) fn push(&mut self, picture: Picture, after: Duration) {
        self.publish(picture, after);
        self.take_all();
    }

    /// A frame comes while the recorder is busy.
    pub(super) fn publish(&mut self, picture: Picture, after: Duration) {
        self.clock.advance(after);
        self.registry.publish(&cam(), picture, publisher()).unwrap();
        self.pushed += 1;
    }

    /// The recorder takes what waits.
    pub(super) fn take_all(&mut self) {
        let queued = self.queued;
        while let Received::Item(frame) = self.frames.receive(Duration::ZERO) {
            self.recorder().guarded(1, |recorder| recorder.take(&frame, queued));
        }
    }

    /// `count` frames of that size, `gap` apart.
    pub(super) fn push_many(&mut self, count: u32, (width, height): (u32, u32), gap: Duration) {
        for number in 0..count {
            self.push(picture(width, height, number), gap);
        }
    }

    /// Nothing comes for `time`.
    pub(super) fn wait(&mut self, time: Duration) {
        self.clock.advance(time);
        self.recorder().guarded(0, Recorder::idle);
    }

    pub(super) fn recorder(&mut self) -> &mut Recorder {
        self.recorder.as_mut().unwrap()
    }

    /// The stream ends; the files there are then, oldest first.
    pub(super) fn stop(&mut self) -> Vec<File> {
        self.recorder.take().unwrap().close(Why::Stopped);
        self.recorders.0.known().running.clear();
        self.files()
    }

    /// The process is killed.
    pub(super) fn kill(&mut self) {
        self.recorder = None;
        self.recorders.0.known().running.clear();
    }

    pub(super) fn folder(&self) -> PathBuf {
        shelf::folder_of(&self.recorders.settings().folder, &cam())
    }

    pub(super) fn files(&self) -> Vec<File> {
        let mut list = self.recorders.list().unwrap().entries;
        list.reverse();
        list.into_iter().map(|entry| File::read(&self.folder().join(entry.file))).collect()
    }
}

pub(super) fn cam() -> StreamName {
    StreamName::parse("cam").unwrap()
}

/// What ffprobe and the sidecar say of one file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) codec: String,
    pub(super) size: (u64, u64),
    pub(super) rotation: i64,
    /// Seconds, of the whole file.
    pub(super) duration: f64,
    /// Seconds, and whether it is a keyframe.
    pub(super) packets: Vec<(f64, bool)>,
    /// Pictures that a decoder made of the packets, without a complaint.
    pub(super) decoded: usize,
    pub(super) sidecar: Sidecar,
}

impl File {
    pub(super) fn read(path: &Path) -> Self {
        let probed = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-of",
                "json",
                "-show_streams",
                "-show_format",
                "-show_packets",
                "-show_frames",
            ])
            .arg(path)
            .output()
            .expect("these tests need ffprobe: install ffmpeg");
        let complaints = String::from_utf8_lossy(&probed.stderr);
        assert!(probed.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
        let json: Value = serde_json::from_slice(&probed.stdout).unwrap();
        let stream = &json["streams"][0];
        let kind = |kind: &'static str| {
            let all = json["packets_and_frames"].as_array().unwrap();
            all.iter().filter(move |entry| entry["type"] == kind)
        };
        let packets = kind("packet").map(|packet| {
            let keyframe = packet["flags"].as_str().unwrap().starts_with('K');
            (number(&packet["pts_time"]), keyframe)
        });
        let side = stream["side_data_list"].as_array().and_then(|list| list[0]["rotation"].as_i64());
        Self {
            path: path.to_owned(),
            codec: stream["codec_name"].as_str().unwrap().to_owned(),
            size: (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap()),
            rotation: side.unwrap_or(0),
            duration: number(&json["format"]["duration"]),
            packets: packets.collect(),
            decoded: kind("frame").count(),
            sidecar: Sidecar::read(&path.with_extension("json")).unwrap(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    pub(super) fn reason(&self) -> Option<Why> {
        self.sidecar.reason
    }
}

fn number(text: &Value) -> f64 {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
