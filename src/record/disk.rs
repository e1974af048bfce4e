//! The one seam between recordings and the disk: create, append, patch, cut back, how much is free.
//!
//! Nothing here is synced: what has been written survives the death of the process in the kernel's page
//! cache, and a power cut loses the last seconds, which is what `recover` is for. Tests give the disk faults
//! of their own choosing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::base::fs;

/// Where recordings are written. Cheap to clone; clones share the faults a test has set.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<faults::Faults>,
}

/// A file being written, and how long it is.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    len: u64,
    #[cfg(test)]
    faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    /// Bytes free for us on the file system of the nearest existing folder of `path`.
    pub(super) fn free(&self, path: &Path) -> io::Result<u64> {
        #[cfg(test)]
        if let Some(free) = self.faults.free() {
            return Ok(free);
        }
        let existing =
            path.ancestors().find(|folder| folder.exists()).filter(|folder| *folder != Path::new(""));
        fs::free_bytes(existing.unwrap_or(Path::new(".")))
    }

    /// A new file at `path`, whose folder is made if need be; `AlreadyExists` if there is one.
    pub(super) fn create(&self, path: &Path) -> io::Result<Output> {
        #[cfg(test)]
        self.faults.creating()?;
        let open = || OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = open();
        // The folder is new, or retention removes it just now because it is empty.
        for _ in 0..3 {
            if !file.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                break;
            }
            DirBuilder::new().recursive(true).create(path.parent().unwrap_or(Path::new(".")))?;
            file = open();
        }
        let file = file?;
        Ok(self.output(file, 0))
    }

    /// An existing file, to be mended.
    pub(super) fn reopen(&self, path: &Path) -> io::Result<Output> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        Ok(self.output(file, len))
    }

    fn output(&self, file: File, len: u64) -> Output {
        Output {
            file,
            len,
            #[cfg(test)]
            faults: std::sync::Arc::clone(&self.faults),
        }
    }
}

impl Output {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Appends all of `bytes`, or leaves the file as long as it was: what could be written of them is cut off
    /// again.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.write_at(bytes, self.len) {
            Ok(()) => {
                self.len += bytes.len() as u64;
                Ok(())
            }
            Err(e) => {
                // If even this fails, `recover` cuts the file at the next start.
                let _ = self.file.set_len(self.len);
                Err(e)
            }
        }
    }

    /// Overwrites bytes written before.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    pub(super) fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len = len;
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        #[cfg(test)]
        if let Some(fits) = self.faults.writing(bytes.len()) {
            self.file.write_all_at(&bytes[..fits], at)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(bytes, at)
    }
}

/// What is wrong with the disk, in words for the one who must mend it.
pub(super) fn in_words(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "disk full",
        io::ErrorKind::QuotaExceeded => "disk quota exceeded",
        io::ErrorKind::PermissionDenied => "the recording folder is not writable: permission denied",
        io::ErrorKind::ReadOnlyFilesystem => "the recording folder is on a read-only file system",
        io::ErrorKind::NotADirectory => "the recording folder is not a folder",
        io::ErrorKind::FileTooLarge => "the file system takes no larger file",
        _ => "the disk reports an error",
    }
}

/// That there is too little room, in words; `wanted` is `recording.min_free_gb`. GB are of 1024³ bytes, as in
/// settings.
pub(super) fn full_in_words(free: u64, wanted: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit, or three")]
    let gigabytes = |bytes: u64, parts: f64| (bytes as f64 / f64::from(1 << 30) * parts).round() / parts;
    let full = format!("disk full: {} GB free", gigabytes(free, 10.0));
    if wanted == 0 { full } else { format!("{full}, recording.min_free_gb is {}", gigabytes(wanted, 1000.0)) }
}

#[cfg(test)]
pub(super) mod faults {
    //! A disk that is full, or will be, or refuses new files.

    use std::io;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    pub(crate) struct Faults(Mutex<State>);

    #[derive(Debug, Default)]
    struct State {
        free: Option<u64>,
        room: Option<usize>,
        create: Option<io::ErrorKind>,
        panic: bool,
    }

    impl Faults {
        /// What the disk says is free.
        pub(crate) fn set_free(&self, bytes: Option<u64>) {
            self.0.lock().unwrap().free = bytes;
        }

        /// What can still be appended before the disk is full.
        pub(crate) fn set_room(&self, bytes: Option<usize>) {
            self.0.lock().unwrap().room = bytes;
        }

        /// How creating a file fails.
        pub(crate) fn set_create(&self, error: Option<io::ErrorKind>) {
            self.0.lock().unwrap().create = error;
        }

        /// The next append panics, once.
        pub(crate) fn panic_once(&self) {
            self.0.lock().unwrap().panic = true;
        }

        pub(super) fn free(&self) -> Option<u64> {
            self.0.lock().unwrap().free
        }

        pub(super) fn creating(&self) -> io::Result<()> {
            self.0.lock().unwrap().create.map_or(Ok(()), |kind| Err(kind.into()))
        }

        /// `Some(bytes that fit)` when not all do.
        pub(super) fn writing(&self, len: usize) -> Option<usize> {
            let mut state = self.0.lock().unwrap();
            if std::mem::take(&mut state.panic) {
                drop(state);
                panic!("on purpose");
            }
            let room = state.room.as_mut()?;
            let fits = len.min(*room);
            *room -= fits;
            (fits < len).then_some(fits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let path = folder.path().join("new/folder/a.mp4");
        let mut output = disk.create(&path).unwrap();
        output.append(b"whole").unwrap();
        disk.faults.set_room(Some(3));
        assert_eq!(output.append(b"fragment").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        disk.faults.set_room(None);
        output.append(b"!").unwrap();
        output.patch(0, b"W").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"Whole!");
        assert_eq!(output.len(), 6);
        assert_eq!(disk.create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_full_disk_is_told_in_gigabytes() {
        let words = full_in_words(230_000_000, 1 << 30);
        assert_eq!(words, "disk full: 0.2 GB free, recording.min_free_gb is 1");
        assert_eq!(full_in_words(0, 0), "disk full: 0 GB free");
    }

    #[test]
    fn free_space_is_known_before_the_folder_exists() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Disk::default().free(&folder.path().join("not/yet")).unwrap() > 0);
        assert!(Disk::default().free(Path::new("not/yet")).unwrap() > 0);
    }
}
