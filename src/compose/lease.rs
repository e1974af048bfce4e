//! Which of the servers that share one store composes: one at a time, by a lease that is renewed each second.
//!
//! Whoever does not have it serves the API and stands by. It is taken over when its holder has been silent for long and does
//! not answer its `/health` either, so that a holder who only lost the store stays on air. Each taking has a higher number
//! (the fence); the store refuses what the composer writes under a lower one. Called by the keeper.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::{Claim, Holding, Store};

/// Whether this server composes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not known yet: the store has not answered.
    Waiting,
    Composing {
        fence: u64,
    },
    /// Another one does.
    StandingBy {
        holder: String,
        fence: u64,
    },
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct Lease(Arc<Inner>);

struct Inner {
    /// This run of this server.
    id: String,
    /// `host:port` at which the others find its `/health`.
    address: ArcSwapOption<String>,
    store: Arc<dyn Store>,
    role: watch::Sender<Role>,
}

impl Lease {
    const RENEWED: Duration = Duration::from_secs(1);
    /// A holder that has been silent for longer may be taken over from.
    const SILENT: Duration = Duration::from_secs(5);
    /// What a holder's `/health` may take.
    const PATIENCE: Duration = Duration::from_secs(2);

    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let id = uuid::Uuid::now_v7().to_string();
        Self(Arc::new(Inner {
            id,
            address: ArcSwapOption::empty(),
            store,
            role: watch::Sender::new(Role::Waiting),
        }))
    }

    pub(super) fn id(&self) -> &str {
        &self.0.id
    }

    pub(super) fn reachable_at(&self, address: String) {
        self.0.address.store(Some(Arc::new(address)));
    }

    pub(super) fn role(&self) -> Role {
        self.0.role.borrow().clone()
    }

    /// Under which the composer may write; `None` if this server is not it.
    pub(super) fn fence(&self) -> Option<u64> {
        match *self.0.role.borrow() {
            Role::Composing { fence } => Some(fence),
            Role::Waiting | Role::StandingBy { .. } => None,
        }
    }

    /// Renews it, or asks for it, until the program ends; then gives it back.
    pub(super) async fn keep(self, stop: CancellationToken) {
        loop {
            let again = async {
                self.ask().await;
                tokio::time::sleep(Self::RENEWED).await;
            };
            tokio::select! {
                () = again => {}
                () = stop.cancelled() => break,
            }
        }
        if self.fence().is_some() {
            // If it can't be given back now it is taken over later.
            drop(self.0.store.release(&self.0.id).await);
        }
    }

    /// Asks once. A store that is away changes nothing.
    pub(super) async fn ask(&self) {
        let Ok(holding) = self.claim(None).await else { return };
        let Some(holder) = self.note(holding) else { return };
        if holder.silent > Self::SILENT && !self.answers(&holder.address, &holder.id).await {
            warn!(holder = holder.id, "the server that composed is silent and can't be reached");
            if let Ok(holding) = self.claim(Some(holder.fence)).await {
                self.note(holding);
            }
        }
    }

    async fn claim(&self, over: Option<u64>) -> crate::base::error::Result<Holding> {
        let address = self.0.address.load();
        let address = address.as_ref().map(|address| address.as_str()).unwrap_or_default().to_owned();
        let silent = Self::SILENT;
        self.0.store.claim(Claim { id: self.0.id.clone(), address, over, silent }).await
    }

    /// Takes over what was found; the holder, if it is another one.
    fn note(&self, holding: Holding) -> Option<crate::store::Holder> {
        let (role, holder) = match holding {
            Holding::Own { fence } => (Role::Composing { fence }, None),
            Holding::Other(holder) => {
                (Role::StandingBy { holder: holder.id.clone(), fence: holder.fence }, Some(holder))
            }
        };
        let change = |known: &mut Role| {
            let other = *known != role;
            if other {
                match &role {
                    Role::Composing { fence } => info!(fence, "this server composes"),
                    Role::StandingBy { holder, .. } => {
                        info!(holder, "another server composes; this one stands by")
                    }
                    Role::Waiting => {}
                }
                known.clone_from(&role);
            }
            other
        };
        self.0.role.send_if_modified(change);
        holder
    }

    /// Whether `id` answers at `address`. An answer of somebody else is none: addresses are used again.
    async fn answers(&self, address: &str, id: &str) -> bool {
        const MOST: u64 = 64 << 10;
        let ask = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(format!("GET /health HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(MOST).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(has(&answer, id.as_bytes()))
        };
        !address.is_empty() && matches!(tokio::time::timeout(Self::PATIENCE, ask).await, Ok(Ok(true)))
    }
}

fn has(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|window| window == word)
}
