//! A kept picture as a file: a line of JSON that says what it is, then its bytes.
//!
//! Named by stream and media time. A file that a crash cut short is told by its length and never shown.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use media::keyframe::{Codec, Keyframe};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Shot;
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Result};
use crate::streams::StreamName;

const STAMP: &str = "%Y%m%d_%H%M%S_%3f";
const ENDING: &str = ".key";
/// No header is longer.
const MAX_HEAD: usize = 1024;
/// No keyframe is larger.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    codec: String,
    width: u32,
    height: u32,
    pts: u64,
    /// RFC 3339, to the nanosecond.
    media_time: Timestamp,
    media_time_error_us: u64,
    config: Option<usize>,
    data: usize,
}

fn stamp(time: MediaTime) -> String {
    time.0.to_zoned(TimeZone::UTC).strftime(STAMP).to_string()
}

/// `20260121_103000_250.jpg`
pub(super) fn shown_name(time: MediaTime) -> String {
    format!("{}.jpg", stamp(time))
}

/// The time in a name that [`shown_name`] made.
pub(super) fn time_of(name: &str) -> Option<MediaTime> {
    parse(name.strip_suffix(".jpg")?)
}

pub(super) fn path(root: &Path, stream: &StreamName, time: MediaTime) -> PathBuf {
    root.join(stream.as_str()).join(format!("{}{ENDING}", stamp(time)))
}

fn parse(stamp: &str) -> Option<MediaTime> {
    let plain = stamp.len() == 19 && stamp.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let (seconds, millis) = stamp.rsplit_once('_').filter(|_| plain)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d_%H%M%S", seconds).ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(MediaTime(time + Duration::from_millis(millis.parse().ok()?)))
}

/// What there is of a stream: path, time and size, oldest first. A folder that can't be read holds nothing we know of.
pub(super) fn list(root: &Path, stream: &StreamName) -> Vec<(PathBuf, MediaTime, usize)> {
    let Ok(entries) = std::fs::read_dir(root.join(stream.as_str())) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let time = parse(entry.file_name().to_str()?.strip_suffix(ENDING)?)?;
            let bytes = usize::try_from(entry.metadata().ok()?.len()).ok()?;
            Some((entry.path(), time, bytes))
        })
        .collect();
    found.sort_by_key(|(_, time, _)| *time);
    found
}

/// Deletes the pictures of streams that are none of `streams`. What else lies there is not ours and stays.
pub(super) fn remove_others(root: &Path, streams: &[StreamName]) {
    let known: HashSet<&str> = streams.iter().map(StreamName::as_str).collect();
    for folder in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = folder.file_name().into_string().ok().and_then(|name| StreamName::parse(&name).ok());
        let Some(name) = name.filter(|name| !known.contains(name.as_str())) else { continue };
        for (path, ..) in list(root, &name) {
            if let Err(e) = std::fs::remove_file(&path) {
                warn!(stream = %name, error = %e, "a picture of a stream that is gone can't be deleted");
            }
        }
        // It may hold something else.
        let _ = std::fs::remove_dir(folder.path());
    }
}

/// Writes a coded picture into a file of its own; the folder is made if it is missing.
///
/// # Errors
/// When the disk fails.
pub fn write(path: &Path, shot: &Shot) -> std::io::Result<()> {
    let Keyframe { codec, data, config, width, height, pts } = &shot.keyframe;
    let head = Head {
        codec: word(*codec).to_owned(),
        width: *width,
        height: *height,
        pts: *pts,
        media_time: shot.media_time.0,
        media_time_error_us: u64::try_from(shot.media_time_error.as_micros()).unwrap_or(u64::MAX),
        config: config.as_ref().map(Bytes::len),
        data: data.len(),
    };
    let mut head = serde_json::to_vec(&head).expect("plain data is JSON");
    head.push(b'\n');
    let mut file = match std::fs::File::create(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path.parent().expect("it is in a stream's folder"))?;
            std::fs::File::create(path)?
        }
        other => other?,
    };
    file.write_all(&head)?;
    file.write_all(config.as_deref().unwrap_or_default())?;
    file.write_all(data)
}

/// The picture of a file that [`write`] made.
///
/// # Errors
/// `NotFound` when there is none or it is not whole; `Internal` when the disk fails.
pub fn read(path: &Path) -> Result<Shot> {
    let gone = || Error::not_found("the picture is no longer kept");
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => gone(),
        _ => Error::internal("a kept picture can't be read", e),
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    decode(Bytes::from(bytes)).ok_or_else(gone)
}

fn decode(mut bytes: Bytes) -> Option<Shot> {
    let end = bytes.iter().take(MAX_HEAD).position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes.split_to(end + 1)).ok()?;
    let config = head.config.unwrap_or(0);
    if bytes.len() != config.checked_add(head.data)? {
        return None;
    }
    let record = bytes.split_to(config);
    let keyframe = Keyframe {
        codec: [Codec::H264, Codec::Hevc, Codec::Av1].into_iter().find(|codec| word(*codec) == head.codec)?,
        data: bytes,
        config: head.config.map(|_| record),
        width: head.width,
        height: head.height,
        pts: head.pts,
    };
    Some(Shot {
        keyframe,
        media_time: MediaTime(head.media_time),
        media_time_error: Duration::from_micros(head.media_time_error_us),
    })
}

fn word(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264",
        Codec::Hevc => "hevc",
        Codec::Av1 => "av1",
    }
}
