//! Settings that change while the program runs: checked, stored, then applied, in that order.
//!
//! Called by `api`; knows the parts that have live settings through the one closure `app` gives it.

use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::{Map, Value};
use tracing::info;

use crate::base::config::{self, Config, Resolved, SettingView};
use crate::base::error::{Error, Result};
use crate::base::fs;

pub struct Controls {
    resolved: Mutex<Resolved>,
    stored: PathBuf,
    apply: Box<dyn Fn(&Config) + Send + Sync>,
}

impl Controls {
    /// `stored`: the file that keeps changes over a restart.
    pub fn new(resolved: Resolved, stored: PathBuf, apply: impl Fn(&Config) + Send + Sync + 'static) -> Self {
        Self { resolved: Mutex::new(resolved), stored, apply: Box::new(apply) }
    }

    pub fn settings(&self) -> Vec<SettingView> {
        self.resolved.lock().expect("applying does not panic").settings()
    }

    /// All of `changes`, or none.
    ///
    /// # Errors
    /// `Invalid` naming every value that is not allowed; `Internal` when they can't be stored.
    pub fn change(&self, changes: &Map<String, Value>) -> Result<()> {
        let mut resolved = self.resolved.lock().expect("applying does not panic");
        let next = config::validate_change(&resolved, changes)
            .map_err(|fields| Error::invalid_fields("some settings can't be changed so", fields))?;
        let json = serde_json::to_vec_pretty(&next.stored()).expect("JSON values are JSON");
        if let Some(folder) = self.stored.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::internal("the settings can't be stored", e))?;
        }
        fs::replace(&self.stored, &json).map_err(|e| Error::internal("the settings can't be stored", e))?;
        (self.apply)(&next.config);
        info!(keys = ?changes.keys().collect::<Vec<_>>(), "settings changed");
        *resolved = next;
        Ok(())
    }
}

/// What [`Controls::change`] stored earlier; nothing if it never did.
///
/// # Errors
/// When the file is there and can't be read as what we wrote.
pub fn stored(path: &std::path::Path) -> Result<Map<String, Value>> {
    let name = path.display();
    match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(e) => Err(Error::internal(format!("{name} can't be read"), e)),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Error::internal(format!("{name} is not what PUT /api/config stored; mend or remove it"), e)
        }),
    }
}
