//! One file being written: frames in, fragments on the disk, and at the end a complete file beside a complete
//! sidecar.
//!
//! Owned by a recorder. A fragment holds half a second by the clock of the frames; what waits when no frame
//! comes is written by `flush_if_due`. A failed write leaves the file at its last whole fragment.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use media::fmp4::Writer;
use media::time;
use tracing::warn;

use super::coder::{self, Coder, Trouble};
use super::cut::Shape;
use super::disk::{Disk, Output};
use super::name::FileName;
use super::sidecar::{Sidecar, Why};
use super::status::{Progress, Recording, Totals};
use super::timeline::Timeline;
use super::{Codec, Settings, recover, shelf};
use crate::base::clock::Monotonic;
use crate::streams::Frame;

/// What a file is to be.
pub(super) struct Plan<'a> {
    pub(super) codec: Codec,
    pub(super) settings: &'a Settings,
    pub(super) disk: &'a Disk,
    pub(super) recording: &'a Recording,
}

pub(super) struct Film {
    name: FileName,
    mp4: PathBuf,
    disk: Disk,
    output: Output,
    writer: Writer,
    coder: Coder,
    codec: Codec,
    sidecar: Sidecar,
    timeline: Timeline,
    /// Arrival of the oldest frame that is not on the disk.
    pending_since: Option<Monotonic>,
    /// Frames on the disk, and when the last of them ends.
    frames: u64,
    end: u64,
    /// Frames that were to be written and could not.
    lost: u64,
    /// A write has failed: the writer knows more than is on the disk.
    torn: bool,
    counted: (u64, u64),
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) decoded: bool,
    /// A fragment was written.
    pub(super) flushed: bool,
}

/// When the last frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The next file's first frame arrived then.
    Before(Monotonic),
    /// Nothing follows.
    Last,
}

/// A file that is no longer written.
pub(super) struct Finished {
    pub(super) json: PathBuf,
    pub(super) sidecar: Sidecar,
    /// Frames it was given that are not in it.
    pub(super) lost: u64,
    /// It held no frame and was removed.
    pub(super) removed: bool,
    /// Why the file or its sidecar is not complete.
    pub(super) trouble: Option<io::Error>,
}

impl Film {
    /// Longest time a frame waits to be written.
    const FRAGMENT: Duration = Duration::from_millis(500);

    /// Begins the file whose first frame will be `frame`.
    pub(super) fn begin(plan: &Plan<'_>, frame: &Frame) -> Result<Self, Trouble> {
        let Plan { codec, settings, disk, recording } = *plan;
        let coder = Coder::new(codec, coder::shape(codec, &frame.header), settings)?;
        let created = u64::try_from(frame.media_time.0.as_second()).unwrap_or(0);
        let (writer, head) = Writer::new(&coder.track(created));
        let (name, mp4, mut output) = create(plan, frame).map_err(Trouble::Disk)?;
        let Shape { width, height, .. } = coder.shape();
        let sidecar = Sidecar::begin(
            &recording.name,
            frame.media_time,
            codec,
            (width, height),
            settings.target_fps,
            &mp4,
        );
        let begun = output.append(&head).and_then(|()| sidecar.write(&mp4.with_file_name(name.json())));
        if let Err(e) = begun {
            remove(&mp4, &name);
            recording.view().file = None;
            return Err(Trouble::Disk(e));
        }
        Ok(Self {
            name,
            mp4,
            disk: disk.clone(),
            counted: (0, output.len()),
            output,
            writer,
            coder,
            codec,
            sidecar,
            timeline: Timeline::new(frame.at),
            pending_since: None,
            frames: 0,
            end: 0,
            lost: 0,
            torn: false,
        })
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    pub(super) fn shape(&self) -> Shape {
        self.coder.shape()
    }

    pub(super) fn path(&self) -> &Path {
        &self.mp4
    }

    pub(super) fn progress(&self) -> Progress {
        let duration = time::duration(self.end);
        Progress { name: self.name.clone(), codec: self.codec, frames: self.frames, duration }
    }

    /// Codes the frame; writes what was pending before it, if it has waited long enough.
    pub(super) fn take(&mut self, frame: &Frame) -> Result<Taken, Trouble> {
        let tick = self.timeline.next(frame.at);
        let due = self.pending_since.is_some_and(|since| frame.at.since(since) >= Self::FRAGMENT);
        if due {
            self.flush(Some(tick)).map_err(Trouble::Disk)?;
        }
        let decoded = self.coder.code(frame, tick, &mut self.writer)?;
        if decoded {
            self.timeline.push(tick);
            self.pending_since.get_or_insert(frame.at);
        }
        Ok(Taken { decoded, flushed: due })
    }

    /// How long until something must be written; `None` when nothing is pending.
    pub(super) fn due_in(&self, now: Monotonic) -> Option<Duration> {
        self.pending_since.map(|since| (since + Self::FRAGMENT).since(now))
    }

    /// Writes what is pending if it has waited long enough; whether it did.
    pub(super) fn flush_if_due(&mut self, now: Monotonic) -> io::Result<bool> {
        let due = self.due_in(now).is_some_and(|left| left.is_zero());
        if due {
            self.flush(None)?;
        }
        Ok(due)
    }

    fn flush(&mut self, next: Option<u64>) -> io::Result<()> {
        let frames = self.writer.pending() as u64;
        let Some(fragment) = self.writer.flush(next) else { return Ok(()) };
        self.pending_since = None;
        if let Err(e) = self.output.append(&fragment) {
            self.torn = true;
            self.lost += frames;
            return Err(e);
        }
        self.frames += frames;
        self.end = next.unwrap_or(self.timeline.end());
        Ok(())
    }

    /// Adds what was written since it last did.
    pub(super) fn count(&mut self, totals: &Totals) {
        let (frames, bytes) = std::mem::replace(&mut self.counted, (self.frames, self.output.len()));
        totals.frames.add(self.frames - frames);
        totals.bytes.add(self.output.len().saturating_sub(bytes));
    }

    /// Completes file and sidecar. A file that got no frame is removed.
    pub(super) fn finish(mut self, end: End, why: Why, lost_before: u64, totals: &Totals) -> Finished {
        self.count(totals);
        let Self { name, mp4, disk, mut output, writer, coder, mut sidecar, timeline, mut frames, .. } = self;
        let (mut end_tick, mut lost, before) = (self.end, self.lost, output.len());
        let mut trouble = None;
        let mut torn = self.torn;
        if !torn {
            let pending = writer.pending() as u64;
            let last = match end {
                End::Before(at) => timeline.next(at),
                End::Last => timeline.end(),
            };
            match complete(&mut output, writer, coder, last) {
                Ok(()) => (frames, end_tick) = (frames + pending, last),
                Err(e) => (torn, trouble, lost) = (true, Some(e), lost + pending),
            }
        }
        if torn {
            match recover::mend(&disk, &mp4) {
                Ok(scan) => (frames, end_tick) = (scan.samples, scan.end_pts),
                Err(e) => trouble = Some(io::Error::other(e)),
            }
        }
        totals.frames.add(frames.saturating_sub(self.frames));
        totals.bytes.add(output.len().saturating_sub(before));
        sidecar.finish(frames, time::duration(end_tick), why);
        sidecar.frames_not_recorded = lost_before + lost;
        let json = mp4.with_file_name(name.json());
        let removed = frames == 0;
        if removed {
            remove(&mp4, &name);
        } else if let Err(e) = sidecar.write(&json) {
            trouble = Some(e);
        }
        Finished { json, sidecar, lost, removed, trouble }
    }

    /// Leaves the file as it is on the disk, after a panic: completes it by what is there. Frames that are
    /// not in it.
    pub(super) fn abandon(self) -> u64 {
        let taken = self.timeline.frames();
        let json = self.mp4.with_file_name(self.name.json());
        drop(self.output);
        match recover::mend(&self.disk, &self.mp4) {
            Ok(scan) if scan.samples > 0 => {
                let sidecar = recover::completed(self.sidecar, &scan, Why::Failed);
                if let Err(e) = sidecar.write(&json) {
                    warn!(file = %json.display(), error = %e, "can't complete a sidecar");
                }
                taken.saturating_sub(scan.samples)
            }
            Ok(_) | Err(_) => {
                remove(&self.mp4, &self.name);
                taken
            }
        }
    }
}

/// Writes what is pending and makes the file complete; its last frame ends at `end`.
fn complete(output: &mut Output, mut writer: Writer, coder: Coder, end: u64) -> io::Result<()> {
    if let Err(e) = coder.finish(&mut writer) {
        warn!(error = ?e, "the encoder's last pictures are lost");
    }
    recover::complete(output, &writer.finish(end))
}

/// Creates the file under the first free name; says so before it exists, so that nothing takes it for an old
/// one.
fn create(plan: &Plan<'_>, frame: &Frame) -> io::Result<(FileName, PathBuf, Output)> {
    let folder = shelf::folder_of(&plan.settings.folder, &plan.recording.name);
    let mut next = Some(FileName::new(&plan.recording.name, frame.media_time));
    while let Some(name) = next {
        let mp4 = folder.join(name.mp4());
        let progress =
            Progress { name: name.clone(), codec: plan.codec, frames: 0, duration: Duration::ZERO };
        plan.recording.view().file = Some(progress);
        match plan.disk.create(&mp4) {
            Ok(output) => return Ok((name, mp4, output)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => next = name.next(),
            Err(e) => {
                plan.recording.view().file = None;
                return Err(e);
            }
        }
    }
    plan.recording.view().file = None;
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes a file that holds nothing. If that fails, `recover` does it at the next start.
fn remove(mp4: &Path, name: &FileName) {
    let _ = std::fs::remove_file(mp4);
    let _ = std::fs::remove_file(mp4.with_file_name(name.json()));
}
