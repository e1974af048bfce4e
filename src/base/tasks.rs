//! Named, supervised, joined: the only place that starts a task or a thread.
//!
//! A task that panics is counted and logged, and — started by [`Tasks::supervise`] — begun again. [`Tasks::stop`]
//! tells all to end and waits for them, so that nothing outlives the program's decision to end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::error::{Error, Result};
use super::queue::Counter;

/// Cheap to clone; clones share their tasks.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    panics: Counter,
    threads: Arc<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    running: Mutex<usize>,
    ended: Condvar,
}

impl Tasks {
    /// Ends when the program is to end.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Panics since the start, of tasks and threads.
    pub fn panics(&self) -> u64 {
        self.panics.get()
    }

    /// Runs `work` once; a panic ends it, counted and logged under `name`.
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let panics = self.panics.clone();
        let job = self.tracker.spawn(work);
        self.tracker.spawn(async move {
            if job.await.is_err_and(|e| e.is_panic()) {
                panics.add(1);
                error!(task = name, "panicked");
            }
        });
    }

    /// Runs what `start` makes until it ends by itself; after a panic, again a second later.
    pub fn supervise<F, S>(&self, name: &'static str, start: S)
    where
        S: Fn() -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (tracker, panics, stop) = (self.tracker.clone(), self.panics.clone(), self.stop.clone());
        self.tracker.spawn(async move {
            loop {
                match tracker.spawn(start()).await {
                    Err(e) if e.is_panic() => {
                        panics.add(1);
                        error!(task = name, "panicked; starting it again");
                    }
                    Ok(()) | Err(_) => return,
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Runs `work` on a thread of its own, called `name` (the kernel shows 15 bytes of it).
    pub fn thread(&self, name: &str, stack_bytes: usize, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let running = Running::one_more(Arc::clone(&self.threads));
        let (panics, name) = (self.panics.clone(), name.to_owned());
        let thread = std::thread::Builder::new().name(name.clone()).stack_size(stack_bytes);
        thread
            .spawn(move || {
                let _running = running;
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    panics.add(1);
                    error!(thread = name, "panicked");
                }
            })
            .map(drop)
            .map_err(|e| Error::internal("can't start a thread", e))
    }

    /// Tells all to end and waits at most `patience`; whether all had ended by then.
    pub async fn stop(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        let tasks = tokio::time::timeout(patience, self.tracker.wait()).await.is_ok();
        let threads = Arc::clone(&self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.wait(patience)).await;
        tasks && joined.unwrap_or(false)
    }
}

impl Threads {
    fn wait(&self, patience: Duration) -> bool {
        let running = self.running.lock().expect("no code that can panic runs under this lock");
        let (running, _) = self
            .ended
            .wait_timeout_while(running, patience, |running| *running > 0)
            .expect("no code that can panic runs under this lock");
        *running == 0
    }
}

/// Counts one thread as running until dropped.
struct Running(Arc<Threads>);

impl Running {
    fn one_more(threads: Arc<Threads>) -> Self {
        *threads.running.lock().expect("no code that can panic runs under this lock") += 1;
        Self(threads)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.running.lock().expect("no code that can panic runs under this lock") -= 1;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_supervised_task_that_panics_begins_again_and_is_counted() {
        let tasks = Tasks::default();
        let (report, mut starts) = tokio::sync::mpsc::channel(4);
        tasks.supervise("shaky", move || {
            let report = report.clone();
            async move {
                report.send(()).await.expect("the test listens");
                assert!(report.capacity() < 3, "the first start fails");
            }
        });
        starts.recv().await.unwrap();
        while tasks.panics() == 0 {
            tokio::task::yield_now().await;
        }
        starts.recv().await.unwrap();
        assert!(tasks.panics() >= 1);
        tasks.stop(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn stop_waits_for_threads_and_survives_their_panics() {
        let tasks = Tasks::default();
        let stop = tasks.stopping();
        tasks
            .thread("waits", 256 * 1024, move || {
                while !stop.is_cancelled() {
                    std::thread::yield_now();
                }
            })
            .unwrap();
        tasks.thread("panics", 256 * 1024, || panic!("on purpose")).unwrap();
        assert!(tasks.stop(Duration::from_secs(10)).await);
        assert_eq!(tasks.panics(), 1);
    }
}
