//! The pictures events were seen on: a folder each, `evidence/<id>`, with the picture as it was coded, the boxes of it that the
//! rule read (`crops/<region>.jpg`), and the event in JSON.
//!
//! Called by the thread that finds events, and by who asks for what is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use pixels::jpeg::Encoder;
use serde_json::json;
use tracing::warn;

use super::pictures::Picture;
use super::shape::Event;
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Result};
use crate::capture::{self, Shot};
use crate::reading::Coded;

#[derive(Clone)]
pub(super) struct Evidence {
    root: PathBuf,
}

impl Evidence {
    const JPEG: &str = "frame.jpg";
    const KEYFRAME: &str = "frame.key";
    const CROPS: &str = "crops";
    /// Of crops: letters a few pixels high are to be read.
    const QUALITY: u8 = 92;
    const EVENT: &str = "event.json";

    pub(super) fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("evidence") }
    }

    /// Keeps the picture of an event and the crops it names, which those that can't be coded no longer are; how many bytes they take.
    pub(super) fn keep(&self, event: &mut Event, picture: &Picture) -> std::io::Result<u64> {
        let folder = self.root.join(&event.id);
        std::fs::create_dir_all(&folder)?;
        let media_time = Timestamp::from_millisecond(picture.at).map_err(std::io::Error::other)?;
        match &picture.coded {
            Coded::Jpeg(jpeg) => std::fs::write(folder.join(Self::JPEG), jpeg)?,
            Coded::Keyframe(keyframe) => {
                let media_time_error = Duration::from_millis(event.media_time_error_ms);
                let shot =
                    Shot { keyframe: keyframe.clone(), media_time: MediaTime(media_time), media_time_error };
                capture::write_shot(&folder.join(Self::KEYFRAME), &shot)?;
            }
        }
        let crops = self.keep_crops(event, picture)?;
        self.describe(event)?;
        Ok((picture.coded.bytes() + crops) as u64)
    }

    fn keep_crops(&self, event: &mut Event, picture: &Picture) -> std::io::Result<usize> {
        let names: Vec<String> = event.crops.keys().cloned().collect();
        if names.is_empty() {
            return Ok(0);
        }
        std::fs::create_dir_all(self.root.join(&event.id).join(Self::CROPS))?;
        let mut bytes = 0;
        for crop in picture.crops.showing(&names) {
            let coded = Encoder::new(Self::QUALITY)
                .and_then(|mut encoder| encoder.encode(&crop.picture))
                .map_err(std::io::Error::other);
            match coded {
                Ok(jpeg) => {
                    std::fs::write(self.crop_path(&event.id, &crop.name), &jpeg)?;
                    bytes += jpeg.len();
                }
                // The picture itself shows it, too.
                Err(e) => {
                    warn!(event = event.id, crop = &*crop.name, error = %e, "a crop of an event can't be coded");
                    event.crops.remove(&*crop.name);
                }
            }
        }
        Ok(bytes)
    }

    /// `name` is one that the event has: letters of a region's id and numbers of slots.
    fn crop_path(&self, id: &str, name: &str) -> PathBuf {
        self.root.join(id).join(Self::CROPS).join(format!("{name}.jpg"))
    }

    pub(super) fn crop(&self, id: &str, name: &str) -> Result<Bytes> {
        match std::fs::read(self.crop_path(id, name)) {
            Ok(jpeg) => Ok(Bytes::from(jpeg)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::not_found("the crop is not kept any more"))
            }
            Err(e) => Err(Error::internal("the crop can't be read", e)),
        }
    }

    /// Writes down what the picture is evidence of.
    pub(super) fn describe(&self, event: &Event) -> std::io::Result<()> {
        let folder = self.root.join(&event.id);
        if !folder.is_dir() {
            return Ok(());
        }
        let frame = if folder.join(Self::JPEG).exists() { Self::JPEG } else { Self::KEYFRAME };
        let text = json!({
            "id": event.id, "stream": event.stream, "type": event.kind, "pack": event.pack,
            "pack_version": event.pack_version, "verdict": event.verdict, "after": event.flat, "frame": frame,
        });
        let part = folder.join("event.part");
        std::fs::write(&part, serde_json::to_vec_pretty(&text)?)?;
        std::fs::rename(part, folder.join(Self::EVENT))
    }

    pub(super) fn read(&self, id: &str) -> Result<Coded> {
        let folder = self.root.join(id);
        match std::fs::read(folder.join(Self::JPEG)) {
            Ok(jpeg) => Ok(Coded::Jpeg(Bytes::from(jpeg))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                capture::read_shot(&folder.join(Self::KEYFRAME)).map(|shot| Coded::Keyframe(shot.keyframe))
            }
            Err(e) => Err(Error::internal("the evidence can't be read", e)),
        }
    }

    /// Takes away the pictures of events that are none: a crash came between the two.
    pub(super) fn sweep(&self, known: impl Fn(&str) -> bool) {
        for entry in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let Ok(id) = entry.file_name().into_string() else { continue };
            // Only what we have made: a folder named by an event's id.
            if uuid::Uuid::try_parse(&id).is_ok()
                && !known(&id)
                && let Err(e) = self.remove(&id)
            {
                warn!(event = id, error = %e, "the evidence of an event that is none can't be deleted");
            }
        }
    }

    pub(super) fn remove(&self, id: &str) -> std::io::Result<()> {
        match std::fs::remove_dir_all(self.root.join(id)) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
