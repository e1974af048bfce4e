//! Finishes recordings that nobody finished: cuts a file back to its last whole fragment, makes it complete,
//! completes its sidecar.
//!
//! [`all`] runs at start, before anything is recorded, on every recording whose sidecar has no end or is
//! missing. [`mend`] is also how a file ends that the disk refused to take more of. Blocking. Never touches a
//! finished recording.

use std::path::Path;
use std::time::{Duration, SystemTime};

use media::fmp4::{self, Scan};
use media::time;
use tracing::{info, warn};

use super::disk::{Disk, Output};
use super::shelf::{self, Found};
use super::sidecar::{Sidecar, Why};
use super::status::Progress;
use super::{Codec, Settings};
use crate::base::clock::Clock;

/// What a start has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Finished now.
    pub finished: usize,
    /// Deleted, because nothing in them was whole.
    pub deleted: usize,
    /// Left as they are, because they can't be read or written, or aren't ours; each is in the log.
    pub kept: usize,
    /// Left for the next start, because this one took too long.
    pub postponed: usize,
}

/// Longest time a start may spend on this.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file without a whole head is deleted up to this size: our head has less than two kilobytes.
const HEADLESS: u64 = 64 << 10;

pub(super) fn all(settings: &Settings, disk: &Disk, clock: &Clock, writing: &[Progress]) -> Recovered {
    let mut recovered = Recovered::default();
    let contents = match shelf::look(&settings.folder) {
        Ok(contents) => contents,
        Err(e) => {
            warn!(error = %e, "the recordings folder can't be read");
            return recovered;
        }
    };
    for orphan in &contents.orphans {
        if std::fs::remove_file(orphan).is_ok() {
            info!(file = %orphan.display(), "sidecar without a video deleted");
        }
    }
    let started = clock.now();
    for found in &contents.videos {
        let sidecar = Sidecar::read(&found.json()).ok();
        let finished = sidecar.as_ref().is_some_and(Sidecar::finished);
        if finished || writing.iter().any(|progress| progress.name == found.name) {
            continue;
        }
        if clock.now().since(started) > PATIENCE {
            recovered.postponed += 1;
            continue;
        }
        match one(found, sidecar, settings, disk) {
            Outcome::Finished => recovered.finished += 1,
            Outcome::Deleted => recovered.deleted += 1,
            Outcome::Kept => recovered.kept += 1,
        }
    }
    contents.folders.iter().for_each(|folder| _ = shelf::remove_if_empty(folder));
    if recovered != Recovered::default() {
        let Recovered { finished, deleted, kept, postponed } = recovered;
        info!(finished, deleted, kept, postponed, "recordings recovered");
    }
    recovered
}

enum Outcome {
    Finished,
    Deleted,
    Kept,
}

fn one(found: &Found, sidecar: Option<Sidecar>, settings: &Settings, disk: &Disk) -> Outcome {
    let (stream, file) = (found.name.stream(), found.name.mp4());
    match mend(disk, &found.mp4) {
        Ok(scan) if scan.samples == 0 => delete(found),
        Ok(scan) => {
            let begun = sidecar.unwrap_or_else(|| begin(found, &scan, settings));
            let sidecar = completed(begun, &scan, Why::Crashed);
            // By its age, not by when it was mended, retention judges it.
            let _ = set_modified(&found.mp4, found.modified);
            if let Err(e) = sidecar.write(&found.json()) {
                warn!(%stream, file, error = %e, "can't complete its sidecar");
                return Outcome::Kept;
            }
            let (frames, seconds) = (sidecar.total_frames, sidecar.duration_seconds);
            info!(%stream, file, frames, seconds, cut_off = scan.file_len - scan.whole_len, "recording recovered");
            Outcome::Finished
        }
        Err(fmp4::Error::NoMoov) if found.bytes <= HEADLESS => delete(found),
        Err(e) => {
            warn!(%stream, file, error = %e, "can't recover it; left as it is");
            Outcome::Kept
        }
    }
}

fn delete(found: &Found) -> Outcome {
    let (stream, file) = (found.name.stream(), found.name.mp4());
    match found.remove() {
        Ok(bytes) => {
            info!(%stream, file, bytes, "recording without a whole fragment deleted");
            Outcome::Deleted
        }
        Err(e) => {
            warn!(%stream, file, error = %e, "can't delete a recording without a whole fragment");
            Outcome::Kept
        }
    }
}

/// Cuts the file back to its last whole fragment and completes it, unless it is complete.
///
/// When completing fails (the disk is full) the file is as playable as before.
pub(super) fn mend(disk: &Disk, mp4: &Path) -> Result<Scan, fmp4::Error> {
    let mut output = disk.reopen(mp4)?;
    let scan = fmp4::scan(&mut output.file())?;
    if !scan.finished && scan.samples > 0 {
        output.truncate(scan.whole_len)?;
        complete(&mut output, &fmp4::finish_recovered(&scan))?;
    }
    Ok(scan)
}

/// Appends the tail, then patches.
pub(super) fn complete(output: &mut Output, finish: &fmp4::Finish) -> std::io::Result<()> {
    output.append(&finish.tail)?;
    finish.patches.iter().try_for_each(|(at, bytes)| output.patch(*at, bytes))
}

/// A sidecar completed by what was found in the file.
pub(super) fn completed(mut sidecar: Sidecar, scan: &Scan, why: Why) -> Sidecar {
    sidecar.finish(scan.samples, time::duration(scan.end_pts), why);
    sidecar.recovered = true;
    sidecar
}

/// The sidecar that is missing, from the file and its name.
fn begin(found: &Found, scan: &Scan, settings: &Settings) -> Sidecar {
    // Every JPEG is a keyframe; the encoder's are two seconds apart.
    let codec = match &scan.codec {
        b"avc1" => Codec::H264,
        _ if scan.keyframes == scan.samples => Codec::Mjpeg,
        _ => Codec::Mp4v,
    };
    let size = (scan.width.into(), scan.height.into());
    Sidecar::begin(found.name.stream(), found.name.start(), codec, size, settings.target_fps, &found.mp4)
}

fn set_modified(path: &Path, time: SystemTime) -> std::io::Result<()> {
    std::fs::File::options().write(true).open(path)?.set_modified(time)
}
