//! The files of a pack, wherever they lie: a folder, the program itself, a test.

use std::collections::BTreeMap;

/// Files by name (`pack.toml`, `portraits/axe.png`; `/` between folders, never `..`).
pub trait Files {
    /// The whole file.
    ///
    /// # Errors
    /// Why it can't be had, in words that fit behind "`name`: ".
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;

    /// The names of the files in a folder, sorted; none when there is no such folder.
    fn list(&self, folder: &str) -> Vec<String>;
}

/// Files that are in memory already.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self.get(name).cloned().ok_or_else(|| "there is no such file".to_owned())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let within = |name: &&String| {
            name.strip_prefix(folder)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| !rest.contains('/'))
        };
        self.keys().filter(within).cloned().collect()
    }
}

/// Whether a name stays inside its folder on every system.
#[must_use]
pub fn stays_inside(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains(['\\', ':', '\0']) && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_known() {
        for name in ["a.png", "a/b.png"] {
            assert!(stays_inside(name), "{name}");
        }
        for name in ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "c:\\a", "a\\b"] {
            assert!(!stays_inside(name), "{name}");
        }
    }
}
