//! The films of a world: each made when first asked for, once, and then kept in memory.
//!
//! Called by the server's requests, which wait together for a film in the making. At most [`LANES`] are made
//! at a time.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::cache;
use crate::film::{Error, Film, Recipe};

const LANES: usize = 2;

type Outcome = Result<Arc<Film>, Arc<Error>>;

#[derive(Debug)]
pub(crate) struct Library {
    films: Mutex<HashMap<Recipe, watch::Receiver<Option<Outcome>>>>,
    lanes: Arc<[Mutex<()>; LANES]>,
    hasher: RandomState,
    cache: Option<PathBuf>,
}

impl Library {
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        Self { films: Mutex::default(), lanes: Arc::default(), hasher: RandomState::new(), cache }
    }

    /// The film of `recipe`, which may take seconds the first time. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the film can't be made; it is tried again at the next call.
    pub(crate) async fn film(&self, recipe: &Recipe) -> Outcome {
        let mut film = self.begin(recipe);
        let outcome = match film.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(Arc::new(Error::Lost))),
            Err(_) => Err(Arc::new(Error::Lost)),
        };
        if outcome.is_err() {
            self.films.lock().expect("nothing under this lock panics").remove(recipe);
        }
        outcome
    }

    /// The film, in the making if it wasn't there.
    fn begin(&self, recipe: &Recipe) -> watch::Receiver<Option<Outcome>> {
        let mut films = self.films.lock().expect("nothing under this lock panics");
        if let Some(film) = films.get(recipe) {
            return film.clone();
        }
        let (sender, receiver) = watch::channel(None);
        films.insert(recipe.clone(), receiver.clone());
        let lane = usize::try_from(self.hasher.hash_one(recipe) % LANES as u64).expect("small");
        let (lanes, recipe, folder) = (Arc::clone(&self.lanes), recipe.clone(), self.cache.clone());
        // Not the request's own: whoever asked first may leave, the others still wait.
        tokio::task::spawn_blocking(move || {
            // A film that failed by a panic leaves the lane as good as before.
            let _turn = lanes[lane].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let outcome = made(&recipe, folder.as_deref()).map(Arc::new).map_err(Arc::new);
            // Nobody may be waiting any more.
            sender.send_replace(Some(outcome));
        });
        receiver
    }
}

fn made(recipe: &Recipe, folder: Option<&Path>) -> Result<Film, Error> {
    if let Some(coded) = folder.and_then(|folder| cache::read(folder, recipe)) {
        return recipe.cut(&coded);
    }
    let coded = recipe.code()?;
    if let Some(folder) = folder {
        cache::write(folder, recipe, &coded).map_err(|e| Error::Cache(folder.display().to_string(), e))?;
    }
    recipe.cut(&coded)
}
