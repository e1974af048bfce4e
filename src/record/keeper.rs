//! Carries out retention: looks at the folder, asks `retention` what must go, deletes it and says so.
//!
//! Runs when the clean-up says so, and by itself as soon as a recorder finds little space: on a thread of its own, never
//! on a recording's.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::{info, warn};

use super::disk::Disk;
use super::name::FileName;
use super::retention::{self, FileInfo, Policy};
use super::shelf;
use super::status::Progress;
use crate::base::clock::{Monotonic, Wall};
use crate::base::error::Result;

/// Which rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Age, and all limits.
    All,
    /// Limits by size and free space only.
    Room,
}

/// What one run has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Recordings.
    pub deleted: usize,
    pub freed_bytes: u64,
    /// Recordings that should have gone and could not be deleted.
    pub failed: usize,
    pub folders_removed: usize,
}

/// One run over `root`.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn retain(
    root: &Path,
    policy: &Policy,
    now: Wall,
    disk: &Disk,
    writing: &[Progress],
) -> Result<Report> {
    let contents = shelf::look(root).map_err(shelf::unreadable)?;
    // Not knowing what is free must not look like "nothing is".
    let free = disk.free(root).unwrap_or(u64::MAX);
    let writing: HashSet<&FileName> = writing.iter().map(|progress| &progress.name).collect();
    let files: Vec<_> = contents
        .videos
        .iter()
        .map(|found| FileInfo {
            stream: found.name.stream().clone(),
            last: found.last(),
            bytes: found.bytes,
            active: writing.contains(&found.name),
        })
        .collect();

    let mut report = Report::default();
    for (index, rule) in retention::plan(&files, policy, now.0, free) {
        let found = &contents.videos[index];
        let (stream, file) = (found.name.stream().clone(), found.name.mp4());
        match found.remove() {
            Ok(bytes) => {
                info!(%stream, file, bytes, reason = rule.as_str(), "recording deleted");
                report.deleted += 1;
                report.freed_bytes += bytes;
            }
            Err(e) => {
                warn!(%stream, file, error = %e, "can't delete a recording");
                report.failed += 1;
            }
        }
    }
    report.folders_removed = contents.folders.iter().filter(|folder| shelf::remove_if_empty(folder)).count();
    Ok(report)
}

/// When a recorder that finds little space may start a run.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    running: AtomicBool,
    last: Mutex<Option<Monotonic>>,
}

impl Rounds {
    const EVERY: Duration = Duration::from_secs(5);

    /// Whether a run is due; if so, the caller starts it and calls [`Self::over`] after it.
    pub(super) fn due(&self, now: Monotonic) -> bool {
        let mut last = self.last.lock().expect("no code that can panic runs under this lock");
        let due =
            last.is_none_or(|last| now.since(last) >= Self::EVERY) && !self.running.load(Ordering::Acquire);
        if due {
            *last = Some(now);
            self.running.store(true, Ordering::Release);
        }
        due
    }

    pub(super) fn over(&self) {
        self.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::streams::StreamName;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A folder with one recording a day and stream, `(stream, day of January)`, 1000 bytes each, last written that day.
    fn folder(recordings: &[(&str, u32)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (stream, day) in recordings {
            let folder = root.path().join(stream);
            fs::create_dir_all(&folder).unwrap();
            let mp4 = folder.join(format!("{stream}_202601{day:02}_120000.mp4"));
            fs::write(&mp4, [0; 1000]).unwrap();
            fs::write(mp4.with_extension("json"), "{}").unwrap();
            let written: jiff::Timestamp = format!("2026-01-{day:02}T12:30:00Z").parse().unwrap();
            File::options().write(true).open(&mp4).unwrap().set_modified(written.into()).unwrap();
        }
        root
    }

    fn noon(day: &str) -> Wall {
        Wall(format!("2026-01-{day}T12:00:00Z").parse().unwrap())
    }

    fn progress(file: &str) -> Vec<Progress> {
        let stream = StreamName::parse(file.split('_').next().unwrap()).unwrap();
        let (name, _) = FileName::parse(&stream, file).unwrap();
        vec![Progress { name, codec: super::super::Codec::H264, frames: 0, duration: Duration::ZERO }]
    }

    fn left(root: &Path) -> Vec<String> {
        let list = shelf::list(root, &[]).unwrap();
        list.into_iter().map(|entry| entry.file).collect()
    }

    #[test]
    fn old_recordings_go_with_their_sidecars_and_empty_folders_but_not_the_one_being_written() {
        let root = folder(&[("a", 1), ("b", 1), ("b", 9), ("c", 1)]);
        fs::write(root.path().join("c/keep.txt"), "mine").unwrap();
        let policy = Policy { retention: Some(DAY * 7), ..Policy::default() };
        let writing = progress("b_20260101_120000.mp4");
        let report = retain(root.path(), &policy, noon("10"), &Disk::default(), &writing).unwrap();
        assert_eq!(report, Report { deleted: 2, freed_bytes: 2004, failed: 0, folders_removed: 1 });
        assert_eq!(left(root.path()), ["b_20260109_120000.mp4", "b_20260101_120000.mp4"]);
        assert!(!root.path().join("a").exists());
        assert!(root.path().join("c/keep.txt").exists());
    }

    #[test]
    fn too_little_free_space_takes_the_oldest_of_all() {
        let root = folder(&[("a", 3), ("b", 1), ("b", 2)]);
        let disk = Disk::default();
        disk.faults.set_free(Some(500));
        let policy = Policy { min_free_bytes: 2000, ..Policy::default() };
        assert_eq!(retain(root.path(), &policy, noon("10"), &disk, &[]).unwrap().deleted, 2);
        assert_eq!(left(root.path()), ["a_20260103_120000.mp4"]);
    }

    #[test]
    fn runs_are_five_seconds_apart_and_never_overlap() {
        let at = |s| Monotonic::from_start(Duration::from_secs(s));
        let rounds = Rounds::default();
        assert!(rounds.due(at(0)));
        assert!(!rounds.due(at(70)), "one is running");
        rounds.over();
        assert!(!rounds.due(at(4)));
        assert!(rounds.due(at(5)));
    }
}
