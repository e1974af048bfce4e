//! The pictures events were seen on: a folder each, `evidence/<id>`, with the picture as it was coded and the event in JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tracing::warn;

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
    const EVENT: &str = "event.json";

    pub(super) fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("evidence") }
    }

    /// Keeps the picture of an event; how many bytes it takes.
    pub(super) fn keep(&self, event: &Event, coded: &Coded, at: MediaTime) -> std::io::Result<u64> {
        let folder = self.root.join(&event.id);
        std::fs::create_dir_all(&folder)?;
        let bytes = match coded {
            Coded::Jpeg(jpeg) => {
                std::fs::write(folder.join(Self::JPEG), jpeg)?;
                jpeg.len()
            }
            Coded::Keyframe(keyframe) => {
                let media_time_error = Duration::from_millis(event.media_time_error_ms);
                let shot = Shot { keyframe: keyframe.clone(), media_time: at, media_time_error };
                capture::write_shot(&folder.join(Self::KEYFRAME), &shot)?;
                keyframe.data.len()
            }
        };
        self.describe(event)?;
        Ok(bytes as u64)
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
