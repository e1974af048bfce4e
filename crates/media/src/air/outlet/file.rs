//! A file of fragmented MP4.
//!
//! Called by [`super::Outlet`]. Writes a fragment twice a second, whole: a kill costs half a second, and nothing that was written
//! before. The end gives it its index and its durations.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::OutletError;
use crate::air::{Packet, TICKS, Track, Tracks, fmp4};
use crate::fmp4::Entry;
use crate::fmp4::boxes::write_mfra;

/// Ticks of a fragment.
const FRAGMENT: i64 = TICKS as i64 / 2;
/// Packets of sound that may wait for a picture: some four seconds.
const MOST_SOUND: usize = 200;

pub(super) struct File {
    file: std::fs::File,
    path: PathBuf,
    head: fmp4::Head,
    position: u64,
    sequence: u32,
    base: i64,
    pictures: Vec<Packet>,
    sounds: Vec<Packet>,
    entries: Vec<Entry>,
    /// Ticks.
    end: i64,
}

impl File {
    pub(super) fn create(path: &Path, tracks: &Tracks) -> Result<Self, OutletError> {
        let head = fmp4::head(tracks).map_err(|why| OutletError::Unsupported(why.to_owned()))?;
        let mut file = std::fs::File::create(path).map_err(|e| disk(&e))?;
        if let Err(e) = file.write_all(&head.bytes) {
            remove(&file, path);
            return Err(disk(&e));
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            position: head.bytes.len() as u64,
            head,
            sequence: 0,
            base: 0,
            pictures: Vec::new(),
            sounds: Vec::new(),
            entries: Vec::new(),
            end: 0,
        })
    }

    pub(super) fn write(&mut self, packet: &Packet, base: i64) -> Result<(), OutletError> {
        self.base = base;
        if packet.track == Track::Picture {
            let lasted = self.pictures.first().is_some_and(|first| packet.pts - first.pts >= FRAGMENT);
            if lasted || packet.keyframe {
                self.flush()?;
            }
            self.pictures.push(packet.clone());
        } else {
            if self.sounds.len() >= MOST_SOUND {
                self.flush()?;
            }
            self.sounds.push(packet.clone());
        }
        self.end = self.end.max(packet.pts - base + i64::from(packet.duration));
        Ok(())
    }

    pub(super) fn sent(&self) -> u64 {
        self.position
    }

    /// Writes what waits as one fragment.
    fn flush(&mut self) -> Result<(), OutletError> {
        if self.pictures.is_empty() && self.sounds.is_empty() {
            return Ok(());
        }
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(at) = self.pictures.iter().position(|picture| picture.keyframe) {
            let pts = u64::try_from(self.pictures[at].pts - self.base).unwrap_or(0);
            let sample = u32::try_from(at + 1).unwrap_or(u32::MAX);
            self.entries.push(Entry { pts, moof: self.position, sample });
        }
        let bytes = fmp4::fragment(self.sequence, self.base, &self.pictures, &self.sounds);
        self.pictures.clear();
        self.sounds.clear();
        if let Err(e) = self.file.write_all(&bytes) {
            self.cut();
            return Err(disk(&e));
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Takes back what was written of a fragment that did not fit; without any there is nothing to keep. What can't be taken back
    /// does no harm: players stop at it.
    fn cut(&self) {
        if self.position > self.head.bytes.len() as u64 {
            let _ = self.file.set_len(self.position);
        } else {
            remove(&self.file, &self.path);
        }
    }

    pub(super) fn finish(mut self) -> Result<(), OutletError> {
        self.flush()?;
        let mut tail = Vec::new();
        write_mfra(&mut tail, &self.entries);
        self.file.write_all(&tail).map_err(|e| disk(&e))?;
        for (at, bytes) in self.head.patches(u64::try_from(self.end).unwrap_or(0)) {
            self.file.seek(SeekFrom::Start(at)).map_err(|e| disk(&e))?;
            self.file.write_all(&bytes).map_err(|e| disk(&e))?;
        }
        self.file.sync_all().map_err(|e| disk(&e))
    }
}

/// Nobody needs a file that nothing fitted into. What is no file of ours, such as a device, stays.
fn remove(file: &std::fs::File, path: &Path) {
    if file.metadata().is_ok_and(|data| data.is_file()) {
        let _ = std::fs::remove_file(path);
    }
}

fn disk(error: &std::io::Error) -> OutletError {
    OutletError::Disk(error.to_string())
}
