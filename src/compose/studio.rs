//! Threads that draw what layers show, so that the frame clock need not wait for a large picture or a long text.
//!
//! Owned by the frame loop. What is drawn quickly is in the frame it was asked for; what takes longer comes when it is there.

use std::time::Duration;

use draw::{Fonts, Painter};
use render::{Job, Made, work};

use crate::base::error::Result;
use crate::base::queue::{Bound, Counter, Full, Received, Receiver, Sender, bounded};
use crate::base::tasks::Tasks;

/// Draws on a thread of its own.
pub(super) struct Studio {
    jobs: Sender<Job>,
    made: Receiver<Made>,
    /// Jobs that have not come back.
    waiting: u64,
}

impl Studio {
    /// Jobs that wait. A layer has at most one that matters, so this is never reached by a scene of usual size.
    const WAITING: usize = 4096;
    /// How long a frame waits for pictures that were asked for in it.
    const PATIENCE: Duration = Duration::from_millis(3);

    pub(super) fn start(fonts: &Fonts, tasks: &Tasks) -> Result<Self> {
        const STACK: usize = 8 << 20;
        let bound = Bound { items: Self::WAITING, weight: usize::MAX };
        let (jobs, inbox) = bounded::<Job>(bound, Full::DropOldest, Counter::default());
        let (done, made) = bounded(bound, Full::DropOldest, Counter::default());
        let (fonts, stop) = (fonts.clone(), tasks.stopping());
        tasks.thread("draw", STACK, move || {
            let mut painter = Painter::new(&fonts);
            while !stop.is_cancelled() {
                match inbox.receive(Duration::from_millis(200)) {
                    Received::Item(job) => {
                        done.send(work(&job, &mut painter), 0);
                    }
                    Received::Empty => {}
                    Received::Closed => return,
                }
            }
        })?;
        Ok(Self { jobs, made, waiting: 0 })
    }
}

impl Studio {
    /// Whether something is still being drawn.
    pub(super) fn busy(&self) -> bool {
        self.waiting > 0
    }
}

impl render::Studio for Studio {
    fn submit(&mut self, job: Job) {
        self.waiting += 1;
        self.jobs.send(job, 0);
    }

    fn collect(&mut self, take: &mut dyn FnMut(Made)) {
        let mut patience = Self::PATIENCE;
        while self.waiting > 0 {
            match self.made.receive(patience) {
                Received::Item(made) => {
                    self.waiting -= 1;
                    take(made);
                }
                Received::Empty | Received::Closed => return,
            }
            // What is there is taken; only the first is waited for that long.
            patience = Duration::from_millis(1);
        }
    }
}
