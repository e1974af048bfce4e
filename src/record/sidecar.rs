//! The JSON beside each recording: seed fields first, then ours.
//!
//! Written when the file begins (`end_time` null) and again when it is finished; never in between, so a
//! sidecar without an end means "being written", or after a crash "to be recovered".

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::Codec;
use crate::base::clock::MediaTime;
use crate::base::fs;
use crate::streams::StreamName;

/// Why a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The stream ended.
    Stopped,
    /// Recording was switched off.
    Disabled,
    /// The program was ending.
    Shutdown,
    SizeChange,
    /// Midnight UTC, or the longest time of one file.
    Rotated,
    /// The encoder was too slow.
    Overload,
    /// The encoder is tried again after an overload.
    Retry,
    DiskFull,
    DiskError,
    /// The encoder failed, or the recorder did.
    Failed,
    /// The program was killed.
    Crashed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sidecar {
    pub(super) stream_name: String,
    /// Media time of the first frame.
    #[serde(serialize_with = "milliseconds")]
    pub(super) start_time: Timestamp,
    #[serde(serialize_with = "milliseconds_or_null")]
    pub(super) end_time: Option<Timestamp>,
    pub(super) duration_seconds: Option<f64>,
    pub(super) total_frames: u64,
    pub(super) average_fps: Option<f64>,
    pub(super) target_fps: u32,
    #[serde(with = "word")]
    pub(super) codec: Codec,
    pub(super) recording_path: String,
    #[serde(default)]
    pub(super) width: u32,
    #[serde(default)]
    pub(super) height: u32,
    #[serde(default)]
    pub(super) recovered: bool,
    /// Frames of the stream that are in no file: those lost since the file before this one, and during this
    /// one.
    #[serde(default)]
    pub(super) frames_not_recorded: u64,
    #[serde(default)]
    pub(super) reason: Option<Why>,
}

impl Sidecar {
    /// Of a recording that begins now.
    pub(super) fn begin(
        stream: &StreamName,
        start: MediaTime,
        codec: Codec,
        (width, height): (u32, u32),
        target_fps: u32,
        recording: &Path,
    ) -> Self {
        Self {
            stream_name: stream.to_string(),
            start_time: start.0,
            end_time: None,
            duration_seconds: None,
            total_frames: 0,
            average_fps: None,
            target_fps,
            codec,
            recording_path: recording.to_string_lossy().into_owned(),
            width,
            height,
            recovered: false,
            frames_not_recorded: 0,
            reason: None,
        }
    }

    /// Completes it: `frames` frames that play for `duration`.
    pub(super) fn finish(&mut self, frames: u64, duration: Duration, why: Why) {
        let seconds = duration.as_secs_f64();
        self.end_time = self.start_time.checked_add(duration).ok();
        self.duration_seconds = Some(round(seconds, 1000.0));
        self.total_frames = frames;
        #[expect(clippy::cast_precision_loss, reason = "frames of one file are far from 2^52")]
        let fps = if seconds > 0.0 { frames as f64 / seconds } else { 0.0 };
        self.average_fps = Some(round(fps, 100.0));
        self.reason = Some(why);
    }

    pub(super) fn finished(&self) -> bool {
        self.end_time.is_some()
    }

    pub(super) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        fs::replace(path, &text)
    }
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    MediaTime(*time).serialize(serializer)
}

fn milliseconds_or_null<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(MediaTime).serialize(serializer)
}

/// The codec as the configuration calls it.
mod word {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Codec;

    pub(super) fn serialize<S: Serializer>(codec: &Codec, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(codec.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Codec, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = [Codec::H264, Codec::Mp4v, Codec::Mjpeg].into_iter().find(|codec| codec.word() == word);
        known.ok_or_else(|| D::Error::unknown_variant(&word, Codec::WORDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_sidecar_has_the_promised_fields_and_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cam_20260121_103000.json");
        let stream = StreamName::parse("cam").unwrap();
        let start = MediaTime("2026-01-21T10:30:00.25Z".parse().unwrap());
        let mp4 = Path::new("recordings/cam/cam_20260121_103000.mp4");
        let mut sidecar = Sidecar::begin(&stream, start, Codec::Mp4v, (640, 480), 30, mp4);
        sidecar.write(&path).unwrap();
        assert!(!Sidecar::read(&path).unwrap().finished());
        sidecar.finish(90, Duration::from_millis(3003), Why::Stopped);
        sidecar.write(&path).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "stream_name": "cam", "start_time": "2026-01-21T10:30:00.250Z", "end_time": "2026-01-21T10:30:03.253Z",
                "duration_seconds": 3.003, "total_frames": 90, "average_fps": 29.97, "target_fps": 30, "codec": "mp4v",
                "recording_path": "recordings/cam/cam_20260121_103000.mp4", "width": 640, "height": 480,
                "recovered": false, "frames_not_recorded": 0, "reason": "stopped",
            })
        );
        assert_eq!(Sidecar::read(&path).unwrap(), sidecar);
    }

    #[test]
    fn a_sidecar_with_only_the_seed_fields_is_understood() {
        let text = r#"{"stream_name":"camera1","start_time":"2026-01-21T10:30:00Z","end_time":"2026-01-21T10:45:23Z",
            "duration_seconds":923,"total_frames":27690,"average_fps":30.0,"target_fps":30,"codec":"mp4v",
            "recording_path":"recordings/camera1/camera1_20260121_103000.mp4"}"#;
        let sidecar: Sidecar = serde_json::from_str(text).unwrap();
        assert!(sidecar.finished());
        assert_eq!(sidecar.total_frames, 27_690);
    }
}
