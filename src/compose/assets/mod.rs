//! Files that layers show: images, fonts, videos, sounds. Each content is kept once, named by its hash.
//!
//! Owns the folder `assets` of the data directory and the documents that say what is in it. Called by `api`, and by
//! whoever draws to get at a file. A document is written after its file and goes before it, so that none lacks its file.

mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use scene::Id;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::base::config;
use crate::base::error::{Error, Kind, Result};
use crate::store::{Change, Collection, Store};

/// What is known of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub id: String,
    /// For people.
    pub name: String,
    /// As its bytes say: `image/png`, `font/ttf`.
    pub media_type: String,
    /// px, as shown.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub duration_ms: Option<u64>,
    pub size_bytes: u64,
    /// Of a font: what it is called in `fontFamily`.
    pub families: Vec<String>,
    /// SHA-256 in hex: the name of its file.
    hash: String,
}

/// What a client sends.
#[derive(Debug)]
pub struct Upload {
    /// A new one is made if there is none.
    pub id: Option<String>,
    pub name: String,
    pub bytes: Bytes,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Assets(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    settings: config::Compositor,
    store: Arc<dyn Store>,
    known: ArcSwap<BTreeMap<String, Asset>>,
    /// Held by whoever adds or removes, from the check to the store.
    changing: Mutex<()>,
}

impl Assets {
    const MAX_NAME: usize = 128;

    /// # Errors
    /// `Internal` when there can be no such folder.
    pub async fn open(data_dir: &Path, settings: config::Compositor, store: Arc<dyn Store>) -> Result<Self> {
        let folder = data_dir.join("assets");
        let made = folder.clone();
        let prepared = blocking(move || {
            std::fs::create_dir_all(&made)?;
            // What a crash left half written.
            for entry in std::fs::read_dir(&made)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with('.') {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        });
        prepared
            .await?
            .map_err(|e: std::io::Error| Error::internal("the folder for assets can't be used", e))?;
        let assets = Self(Arc::new(Inner {
            folder,
            settings,
            store,
            known: ArcSwap::default(),
            changing: Mutex::default(),
        }));
        if let Err(e) = assets.refresh().await {
            warn!(error = %e, "assets are not known yet");
        }
        Ok(assets)
    }

    /// By id. What was known last, while the store is away.
    pub async fn all(&self) -> Arc<BTreeMap<String, Asset>> {
        // The store says in /health that it is away.
        let _ = self.refresh().await;
        self.0.known.load_full()
    }

    /// # Errors
    /// `NotFound` when there is none.
    pub async fn one(&self, id: &str) -> Result<Asset> {
        self.all().await.get(id).cloned().ok_or_else(|| unknown(id))
    }

    /// The file of an asset, for reading; `None` when there is none. Waits for nothing.
    pub fn file(&self, id: &str) -> Option<(Asset, PathBuf)> {
        let asset = self.0.known.load().get(id)?.clone();
        let path = self.0.folder.join(&asset.hash);
        Some((asset, path))
    }

    async fn refresh(&self) -> Result<()> {
        let mut known = BTreeMap::new();
        for (id, document) in self.0.store.read(Collection::Assets).await? {
            match serde_json::from_value::<Asset>(document) {
                Ok(asset) if asset.id == id && is_hash(&asset.hash) => drop(known.insert(id, asset)),
                _ => warn!(id, "what the store keeps of this asset can't be read; it is left out"),
            }
        }
        if **self.0.known.load() != known {
            self.0.known.store(Arc::new(known));
        }
        Ok(())
    }

    /// Keeps a file; durable when it returns.
    ///
    /// # Errors
    /// `WrongType` and `Invalid` for what can't be shown, with the reason; `Conflict` for an id that is taken, or more files
    /// than there may be; `Unavailable` when the store is away.
    pub async fn add(&self, upload: Upload) -> Result<Asset> {
        let Upload { id, name, bytes } = upload;
        let id = match id {
            None => uuid::Uuid::now_v7().to_string(),
            Some(id) if Id::parse(&id).is_some() => id,
            Some(_) => {
                let allowed = "must be 1 to 64 characters, each a letter A-Z or a-z, a digit, '_' or '-'";
                return Err(Error::invalid("id", allowed));
            }
        };
        let name = plain(&name);
        let _changing = self.0.changing.lock().await;
        self.refresh().await?;
        let known = self.0.known.load_full();
        if known.contains_key(&id) {
            return Err(Error::new(Kind::Conflict, format!("there is an asset '{id}' already")));
        }
        let hash = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
        self.check_room(&known, &hash, bytes.len())?;
        let (folder, kept) = (self.0.folder.clone(), hash.clone());
        let size_bytes = bytes.len() as u64;
        let found = blocking(move || keep(&folder, &kept, &bytes)).await??;
        let (width, height) = found.size.unzip();
        let asset = Asset {
            id: id.clone(),
            name: if name.is_empty() { id.clone() } else { name },
            media_type: found.media_type.to_owned(),
            width,
            height,
            duration_ms: found.duration_ms,
            size_bytes,
            families: found.families,
            hash,
        };
        let value = serde_json::to_value(&asset).expect("an asset is plain data");
        let written =
            self.0.store.write(vec![Change::Put { collection: Collection::Assets, id, value }]).await;
        if let Err(e) = written {
            self.forget_file(&known, &asset.hash).await;
            return Err(e);
        }
        let mut known = (*known).clone();
        known.insert(asset.id.clone(), asset.clone());
        self.0.known.store(Arc::new(known));
        info!(id = asset.id, media_type = asset.media_type, bytes = asset.size_bytes, "asset added");
        Ok(asset)
    }

    fn check_room(&self, known: &BTreeMap<String, Asset>, hash: &str, bytes: usize) -> Result<()> {
        let settings = &self.0.settings;
        if known.len() >= settings.max_assets {
            let most = settings.max_assets;
            let detail =
                format!("there are {most} assets already, and that is the most (compositor.max_assets)");
            return Err(Error::new(Kind::Conflict, detail));
        }
        let mut seen = BTreeSet::from([hash]);
        let others = known
            .values()
            .filter(|asset| seen.insert(&asset.hash))
            .map(|asset| asset.size_bytes)
            .sum::<u64>();
        if others.saturating_add(bytes as u64) > settings.max_assets_bytes {
            let detail = "there is no room for it beside the other assets (compositor.max_assets_gb)";
            return Err(Error::new(Kind::Conflict, detail));
        }
        Ok(())
    }

    /// Takes one away; `users` are the layers that show it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while a layer shows it; `Unavailable` when the store is away.
    pub async fn remove(&self, id: &str, users: impl FnOnce(&Asset) -> Vec<String>) -> Result<()> {
        let _changing = self.0.changing.lock().await;
        self.refresh().await?;
        let mut known = (*self.0.known.load_full()).clone();
        let asset = known.remove(id).ok_or_else(|| unknown(id))?;
        let users = users(&asset);
        if !users.is_empty() {
            let detail = format!("'{id}' is shown by {}: change or delete these first", users.join(", "));
            return Err(Error::new(Kind::Conflict, detail));
        }
        let gone = Change::Delete { collection: Collection::Assets, id: id.to_owned() };
        self.0.store.write(vec![gone]).await?;
        self.forget_file(&known, &asset.hash).await;
        self.0.known.store(Arc::new(known));
        info!(id, "asset deleted");
        Ok(())
    }

    /// Deletes a file that no asset needs any more.
    async fn forget_file(&self, known: &BTreeMap<String, Asset>, hash: &str) {
        if known.values().any(|asset| asset.hash == hash) {
            return;
        }
        let path = self.0.folder.join(hash);
        let gone = blocking(move || std::fs::remove_file(path)).await;
        if !matches!(gone, Ok(Ok(()))) {
            warn!(hash, "the file of an asset can't be deleted");
        }
    }
}

/// Writes the file under another name, looks at it there, and gives it its own when it is good.
fn keep(folder: &Path, hash: &str, bytes: &[u8]) -> Result<look::Found> {
    let (path, new) = (folder.join(hash), folder.join(format!(".{hash}")));
    let failed = |e| Error::internal("the file can't be kept", e);
    let written = || {
        use std::io::Write;
        let mut file = std::fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(failed)?;
    let found = look::look(bytes, &new);
    let placed = match &found {
        Ok(_) => std::fs::rename(&new, &path).and_then(|()| std::fs::File::open(folder)?.sync_all()),
        Err(_) => std::fs::remove_file(&new),
    };
    placed.map_err(failed)?;
    found
}

/// Which of `layers` show an asset: by its id, or by the families of a font.
pub fn users<'l>(asset: &Asset, layers: impl Iterator<Item = &'l scene::Layer>) -> Vec<String> {
    let shows = |layer: &&scene::Layer| {
        let json = serde_json::to_value(layer).expect("a layer is plain data");
        names(&json, "", asset)
    };
    let users: BTreeSet<String> = layers.filter(shows).map(|layer| layer.id.to_string()).collect();
    users.into_iter().collect()
}

/// Whether something in `value`, which stands below `key`, names the asset. Words for people name nothing.
fn names(value: &Value, key: &str, asset: &Asset) -> bool {
    const WORDS: [&str; 8] = ["id", "name", "type", "kind", "text", "lines", "parent", "layerId"];
    match value {
        _ if WORDS.contains(&key) => false,
        Value::String(text) if key == "fontFamily" => {
            asset.families.iter().any(|family| family.eq_ignore_ascii_case(text))
        }
        Value::String(text) => *text == asset.id,
        Value::Array(items) => items.iter().any(|item| names(item, key, asset)),
        Value::Object(fields) => fields.iter().any(|(key, value)| names(value, key, asset)),
        _ => false,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal("looking at the file failed", e))
}

fn unknown(id: &str) -> Error {
    let id: String = id.chars().filter(|c| !c.is_control()).take(Id::MAX_LEN).collect();
    Error::not_found(format!("there is no asset '{id}'"))
}

/// A name in one line, without the folders a browser may put before it.
fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(Assets::MAX_NAME).collect::<String>().trim().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asset(id: &str, families: &[&str]) -> Asset {
        let document = json!({
            "id": id, "name": id, "media_type": "image/png", "size_bytes": 1, "hash": "0",
            "families": families,
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn the_layers_that_show_an_asset_are_found_wherever_they_name_it() {
        let file = scene::SceneFile::read(&json!({"layers": [
            {"id": "still", "content": {"kind": "image", "src": "bg"}},
            {"id": "moves", "content": {"kind": "sprite", "state": "idle", "states": {"idle": "bg", "talks": "other"}}},
            {"id": "states", "content": {"kind": "sprite", "state": "idle", "states": {"idle": {"src": "bg"}}}},
            {"id": "masked", "mask": {"src": "bg"}, "content": {"kind": "text", "text": "x"}},
            {"id": "nft", "content": {"kind": "card", "image": "bg", "lines": ["x"]}},
            {"id": "bg", "name": "bg", "content": {"kind": "text", "text": "bg"}},
            {"id": "written", "content": {"kind": "text", "text": "x", "style": {"fontFamily": "Fira"}}},
        ]}));
        let file = file.unwrap_or_else(|problems| panic!("{problems:?}"));
        let shown = |asset: &Asset| users(asset, file.layers.iter()).join(" ");
        assert_eq!(shown(&asset("bg", &[])), "masked moves nft states still");
        assert_eq!(shown(&asset("font", &["fira"])), "written");
        assert_eq!(shown(&asset("x", &[])), "");
    }

    #[test]
    fn a_name_is_one_plain_line() {
        for (name, expected) in
            [("a.png", "a.png"), ("C:\\fakepath\\b c.png", "b c.png"), ("../../x\n\u{0}", "x"), ("", "")]
        {
            assert_eq!(plain(name), expected);
        }
        assert_eq!(plain(&"ä".repeat(500)).chars().count(), Assets::MAX_NAME);
    }
}
