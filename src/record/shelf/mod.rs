//! The recordings folder: what lies in it, looked at and removed by checked names only.
//!
//! Called by the API (list, play, delete), `keeper` and `recover`. Blocking. Follows no symbolic link and touches nothing
//! that is not called as we call our files.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use super::name::{Ending, FileName};
use super::sidecar::{Sidecar, Why};
use super::status::Progress;
use crate::base::clock::MediaTime;
use crate::base::error::{Error, Kind, Result};
use crate::streams::StreamName;

/// One recording, as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub stream: StreamName,
    /// Name of the video file, without its folder.
    pub file: String,
    pub size_bytes: u64,
    /// Media time of the first frame, RFC 3339 UTC.
    pub start_time: Option<String>,
    /// `None` while it is being written.
    pub end_time: Option<String>,
    pub duration_seconds: Option<f64>,
    pub total_frames: Option<u64>,
    pub average_fps: Option<f64>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// What is in the file: `h264`, `mp4v` or `mjpeg`.
    pub codec: Option<String>,
    /// Frames of the stream that are in no file, since the file before this one.
    pub frames_not_recorded: u64,
    /// Finished after a crash.
    pub recovered: bool,
    /// It is being written.
    pub active: bool,
    /// Why it ended.
    pub reason: Option<Why>,
}

/// All recordings, newest first.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// Of all videos.
    pub total_bytes: u64,
    /// On the file system of the folder; `None` if it can't be told.
    pub free_bytes: Option<u64>,
}

/// A video of ours in the folder.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: FileName,
    pub(super) mp4: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl Found {
    pub(super) fn json(&self) -> PathBuf {
        self.mp4.with_file_name(self.name.json())
    }

    /// When it was last written, by its name or by the file system: whichever is later, so that neither a clock that was
    /// wrong while recording nor a copied folder makes a new recording look old.
    pub(super) fn last(&self) -> Timestamp {
        let modified = Timestamp::try_from(self.modified).unwrap_or(Timestamp::MIN);
        modified.max(self.name.start().0)
    }

    /// Removes the video, then its sidecar; bytes freed.
    pub(super) fn remove(&self) -> io::Result<u64> {
        let json = self.json();
        let sidecar = fs::metadata(&json).map_or(0, |meta| meta.len());
        gone(fs::remove_file(&self.mp4))?;
        gone(fs::remove_file(json))?;
        Ok(self.bytes + sidecar)
    }
}

/// What someone else has removed is gone too.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// What our folders hold.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) videos: Vec<Found>,
    /// Sidecars without a video, and halves of sidecars that a crash left.
    pub(super) orphans: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
}

pub(super) fn folder_of(root: &Path, stream: &StreamName) -> PathBuf {
    root.join(stream.as_str())
}

/// Everything of ours below `root`; nothing, if there is no such folder.
pub(super) fn look(root: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let folders = match fs::read_dir(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(contents),
        folders => folders?,
    };
    for folder in folders {
        let folder = folder?;
        let stream = folder.file_name().to_str().and_then(|name| StreamName::parse(name).ok());
        let Some(stream) = stream.filter(|_| folder.file_type().is_ok_and(|kind| kind.is_dir())) else {
            continue;
        };
        look_into(&folder.path(), &stream, &mut contents)?;
        contents.folders.push(folder.path());
    }
    Ok(contents)
}

/// What a client is told when the folder is there and can't be read. Whoever runs the server can mend it while it runs.
pub(in crate::record) fn unreadable(e: io::Error) -> Error {
    let mend = match e.kind() {
        io::ErrorKind::NotADirectory => {
            "it is not a folder; move what is there away, or set recording.folder"
        }
        io::ErrorKind::PermissionDenied => {
            "the server's user may not read it; change its rights, or set recording.folder"
        }
        _ => "look at its disk and the server's log, or set recording.folder",
    };
    Error::new(Kind::Unavailable, format!("the recordings folder can't be read: {mend}")).caused_by(e)
}

fn look_into(folder: &Path, stream: &StreamName, contents: &mut Contents) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        // Removed since it was listed.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut videos = HashSet::new();
    let mut sidecars = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let Some(file) = file.to_str().filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) else {
            continue;
        };
        let half = file.strip_prefix('.').and_then(|file| file.strip_suffix(".new"));
        match FileName::parse(stream, half.unwrap_or(file)) {
            Some((_, Ending::Json)) if half.is_some() => contents.orphans.push(entry.path()),
            Some((name, Ending::Json)) => sidecars.push((name, entry.path())),
            Some((name, Ending::Mp4)) if half.is_none() => {
                videos.insert(name.clone());
                contents.videos.extend(found(name, &entry));
            }
            Some(_) | None => {}
        }
    }
    let orphans = sidecars.into_iter().filter(|(name, _)| !videos.contains(name));
    contents.orphans.extend(orphans.map(|(_, path)| path));
    Ok(())
}

/// `None` if it has gone since it was listed.
fn found(name: FileName, entry: &DirEntry) -> Option<Found> {
    let meta = entry.metadata().ok()?;
    let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some(Found { name, mp4: entry.path(), bytes: meta.len(), modified })
}

/// All recordings below `root`, newest first; `writing` are those being written.
pub(super) fn list(root: &Path, writing: &[Progress]) -> io::Result<Vec<Entry>> {
    let mut videos = look(root)?.videos;
    videos.sort_by(|a, b| b.name.start().cmp(&a.name.start()).then_with(|| b.name.cmp(&a.name)));
    Ok(videos.iter().map(|found| describe(found, writing)).collect())
}

fn describe(found: &Found, writing: &[Progress]) -> Entry {
    let now = writing.iter().find(|progress| progress.name == found.name);
    let known = Entry {
        stream: found.name.stream().clone(),
        file: found.name.mp4(),
        size_bytes: found.bytes,
        start_time: Some(found.name.start().to_string()),
        end_time: None,
        duration_seconds: now.map(|now| now.duration.as_secs_f64()),
        total_frames: now.map(|now| now.frames),
        average_fps: None,
        width: None,
        height: None,
        codec: now.map(|now| now.codec.to_string()),
        frames_not_recorded: 0,
        recovered: false,
        active: now.is_some(),
        reason: None,
    };
    let Ok(sidecar) = Sidecar::read(&found.json()) else { return known };
    Entry {
        start_time: Some(MediaTime(sidecar.start_time).to_string()),
        end_time: sidecar.end_time.map(|end| MediaTime(end).to_string()),
        duration_seconds: known.duration_seconds.or(sidecar.duration_seconds),
        total_frames: known.total_frames.or(sidecar.finished().then_some(sidecar.total_frames)),
        average_fps: sidecar.average_fps,
        width: Some(sidecar.width).filter(|width| *width > 0),
        height: Some(sidecar.height).filter(|height| *height > 0),
        codec: Some(sidecar.codec.to_string()),
        frames_not_recorded: sidecar.frames_not_recorded,
        recovered: sidecar.recovered,
        reason: sidecar.reason,
        ..known
    }
}

/// Where a video or sidecar of `stream` lies.
///
/// # Errors
/// `NotFound` for any name that isn't one of ours, or isn't there.
pub(super) fn path(root: &Path, stream: &StreamName, file: &str) -> Result<PathBuf> {
    let (name, ending) = FileName::asked(stream, file)?;
    let path = folder_of(root, stream).join(name.with(ending));
    let plain = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
    plain
        .then_some(path)
        .ok_or_else(|| Error::not_found(format!("stream '{stream}' has no recording of that name")))
}

/// Removes the recording that `file` (video or sidecar) belongs to, and its folder if that is empty then; bytes freed.
///
/// # Errors
/// `NotFound`; `Conflict` while it is being written.
pub(super) fn delete(root: &Path, stream: &StreamName, file: &str, writing: &[Progress]) -> Result<u64> {
    let (name, _) = FileName::asked(stream, file)?;
    let mp4 = path(root, stream, &name.mp4())?;
    if writing.iter().any(|progress| progress.name == name) {
        let busy = format!("'{}' is being written; switch the stream's recording off first", name.mp4());
        return Err(Error::new(Kind::Conflict, busy));
    }
    let failed = |e| Error::internal("can't delete the recording", e);
    let meta = fs::metadata(&mp4).map_err(failed)?;
    let found = Found { name, mp4, bytes: meta.len(), modified: SystemTime::UNIX_EPOCH };
    let freed = found.remove().map_err(failed)?;
    remove_if_empty(&folder_of(root, stream));
    Ok(freed)
}

/// Whether the folder was empty and is gone now.
pub(super) fn remove_if_empty(folder: &Path) -> bool {
    fs::remove_dir(folder).is_ok()
}

#[cfg(test)]
mod tests;
