//! The files of a pack in a folder of the disk.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use packs::files::{Files, stays_inside};

/// A pack's folder. Nothing outside of it is ever read, nor anything that is no plain file.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// The most bytes of one file.
    const MOST: u64 = 16 << 20;

    /// What changes when a file in it does: names, sizes and times of all files, two folders deep.
    pub fn stamp(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        fn look(folder: &Path, deep: u8, hasher: &mut DefaultHasher) {
            let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let Ok(found) = entry.metadata() else { continue };
                entry.file_name().hash(hasher);
                if found.is_dir() && deep > 0 {
                    look(&entry.path(), deep - 1, hasher);
                } else {
                    (found.len(), found.modified().ok()).hash(hasher);
                }
            }
        }
        let mut hasher = DefaultHasher::new();
        look(&self.0, 2, &mut hasher);
        hasher.finish()
    }
}

impl Files for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        if !stays_inside(name) {
            return Err("is not a name inside the pack's folder".to_owned());
        }
        let path = self.0.join(name);
        let found = std::fs::symlink_metadata(&path).map_err(|e| e.to_string())?;
        if !found.is_file() {
            return Err("is not a plain file".to_owned());
        }
        let file = std::fs::File::open(&path).map_err(|e| e.to_string())?;
        let mut bytes = Vec::new();
        let read = file.take(Self::MOST + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        if read as u64 > Self::MOST {
            return Err(format!("has more than {} MB", Self::MOST >> 20));
        }
        Ok(bytes)
    }

    fn list(&self, folder: &str) -> Vec<String> {
        if !stays_inside(folder) {
            return Vec::new();
        }
        let entries = std::fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten();
        let plain = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let mut names: Vec<String> = plain
            .filter_map(|entry| entry.file_name().into_string().ok())
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_inside_are_read() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        let root = place.path().join("pack");
        std::fs::create_dir_all(root.join("art")).unwrap();
        std::fs::write(root.join("pack.toml"), "x").unwrap();
        std::fs::write(root.join("art/b.png"), "b").unwrap();
        std::os::unix::fs::symlink(place.path().join("secret"), root.join("link")).unwrap();
        let folder = Folder(root.clone());
        assert_eq!(folder.read("pack.toml").unwrap(), b"x");
        assert_eq!(folder.list("art"), ["art/b.png"]);
        for name in ["../secret", "link", "art", "missing", "/etc/passwd"] {
            assert!(folder.read(name).is_err(), "{name}");
        }
        assert!(folder.list("..").is_empty() && folder.list("none").is_empty());

        let before = folder.stamp();
        assert_eq!(folder.stamp(), before);
        std::fs::write(root.join("art/c.png"), "c").unwrap();
        assert_ne!(folder.stamp(), before);
    }
}
