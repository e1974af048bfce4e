//! The packs that come with the program, embedded in it.

use std::collections::BTreeMap;

/// Each pack's files by name.
type Embedded = &'static [(&'static str, &'static [u8])];

/// The files of one pack, named as in its folder.
macro_rules! pack {
    ($id:literal: $($file:literal),+ $(,)?) => {
        ($id, &[$(($file, include_bytes!(concat!("../../packs/", $id, "/", $file)).as_slice())),+])
    };
}

/// In the order they are tried.
static PACKS: &[(&str, Embedded)] =
    &[pack!("dota2": "heroes.toml", "pack.toml"), pack!("fifa20": "pack.toml")];

/// The ids of the packs that come along.
pub fn built_in_ids() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(id, _)| *id)
}

/// The files of a pack that comes along.
pub fn built_in(id: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let (_, files) = PACKS.iter().find(|(name, _)| *name == id)?;
    Some(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use packs::Pack;

    use super::*;

    #[test]
    fn every_file_of_every_pack_comes_along_and_every_pack_is_right() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
        let folders = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            let mut names: Vec<String> =
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let mut ids: Vec<_> = built_in_ids().collect();
        ids.sort_unstable();
        assert_eq!(folders(&root), ids);
        for id in ids {
            let files = built_in(id).unwrap();
            let mut there = Vec::new();
            for name in folders(&root.join(id)) {
                if root.join(id).join(&name).is_dir() {
                    there.extend(
                        folders(&root.join(id).join(&name)).iter().map(|file| format!("{name}/{file}")),
                    );
                } else {
                    there.push(name);
                }
            }
            there.sort();
            assert_eq!(there, files.keys().cloned().collect::<Vec<_>>(), "{id}");
            let pack = Pack::load(&files, &BTreeMap::new())
                .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
            assert_eq!(&*pack.unwrap().id, id);
        }
    }
}
