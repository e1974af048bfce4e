//! Clients that run beside the measuring: ended with this value, their failures told.

use std::future::Future;

use tokio::task::{JoinHandle, spawn_local};

use super::Outcome;

#[derive(Default)]
pub(crate) struct Crowd(Vec<JoinHandle<Outcome<()>>>);

impl Crowd {
    pub(crate) fn add(&mut self, client: impl Future<Output = Outcome<()>> + 'static) {
        self.0.push(spawn_local(client));
    }

    /// # Errors
    /// When a client has failed since this was asked last.
    pub(crate) async fn check(&mut self) -> Outcome<()> {
        let (ended, running): (Vec<_>, Vec<_>) = self.0.drain(..).partition(JoinHandle::is_finished);
        self.0 = running;
        for client in ended {
            client.await??;
        }
        Ok(())
    }

    /// Waits for all to end by themselves.
    pub(crate) async fn join(mut self) -> Outcome<()> {
        for client in self.0.drain(..) {
            client.await??;
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
