//! Settings that change while the program runs: checked, stored, then applied, in that order.
//!
//! Called by `api`; knows the parts that have live settings through the one closure `app` gives it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::base::config::{self, Config, Resolved, SettingView};
use crate::base::error::{Error, Result};
use crate::store::{Change, Collection, Store};

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Controls(Arc<Inner>);

struct Inner {
    resolved: ArcSwap<Resolved>,
    store: Arc<dyn Store>,
    apply: Box<dyn Fn(&Config) + Send + Sync>,
    /// Held by whoever changes something, from the check to the store.
    changing: Mutex<()>,
}

impl Controls {
    pub fn new(
        resolved: Resolved,
        store: Arc<dyn Store>,
        apply: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            resolved: ArcSwap::from_pointee(resolved),
            store,
            apply: Box::new(apply),
            changing: Mutex::new(()),
        }))
    }

    pub fn settings(&self) -> Vec<SettingView> {
        self.0.resolved.load().settings()
    }

    /// All of `changes`, or none; durable when it returns.
    ///
    /// # Errors
    /// `Invalid` naming every value that is not allowed; `Unavailable` when the store is away.
    pub async fn change(&self, changes: &Map<String, Value>) -> Result<()> {
        let _changing = self.0.changing.lock().await;
        let before = self.0.resolved.load_full();
        let next = config::validate_change(&before, changes)
            .map_err(|fields| Error::invalid_fields("some settings can't be changed so", fields))?;
        self.0.store.write(difference(&before.stored(), &next.stored())).await?;
        (self.0.apply)(&next.config);
        info!(keys = ?changes.keys().collect::<Vec<_>>(), "settings changed");
        self.0.resolved.store(Arc::new(next));
        Ok(())
    }

    /// Takes over what was stored before this start.
    ///
    /// # Errors
    /// `Unavailable` when the store is away.
    pub async fn restore(&self) -> Result<()> {
        let _changing = self.0.changing.lock().await;
        let before = self.0.resolved.load_full();
        let next = restored(&before, &*self.0.store).await?;
        (self.0.apply)(&next.config);
        for note in next.notes.iter().filter(|note| !before.notes.contains(note)) {
            warn!("{note}");
        }
        self.0.resolved.store(Arc::new(next));
        Ok(())
    }
}

/// `resolved` with the changes that were stored.
async fn restored(resolved: &Resolved, store: &dyn Store) -> Result<Resolved> {
    let stored: Map<String, Value> = store.read(Collection::Settings).await?.into_iter().collect();
    let restored = resolved.restored(&stored);
    restored
        .map_err(|mistakes| Error::invalid("settings", format!("what is stored does not fit: {mistakes}")))
}

/// What the store must do so that it has `after` in place of `before`.
fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let collection = Collection::Settings;
    let put = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, value)| Change::Put { collection, id: key.clone(), value: value.clone() });
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    put.chain(gone.map(|key| Change::Delete { collection, id: key.clone() })).collect()
}
