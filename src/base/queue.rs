//! The bounded queue between tokio and the named threads.
//!
//! A queue states its bound (items and weight) and what happens when it is full; what it drops is counted in the
//! [`Counter`] it was given. Sending never blocks, so it may be called on the frame path. Nothing here allocates per
//! item once the ring has grown.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What a full queue does with one more item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The item at the head makes room: for the newest matters most.
    DropOldest,
    /// The item is refused: for what is queued matters most.
    DropNewest,
}

/// Items dropped, shared between the queue and whoever reports it.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub items: usize,
    /// Sum of the weights given to [`Sender::send`]; bytes, where it matters.
    pub weight: usize,
}

/// Weight that several queues may hold together. One item per queue passes even so, that none stands still for the others.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    pub const fn new(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0) }
    }

    /// Weight that waits in all its queues.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn has_room(&self, weight: usize) -> bool {
        self.used().saturating_add(weight) <= self.most
    }
}

pub fn bounded<T>(bound: Bound, full: Full, dropped: Counter) -> (Sender<T>, Receiver<T>) {
    bounded_within(bound, full, dropped, Arc::new(Budget::new(usize::MAX)))
}

/// A queue that shares `budget` with others.
pub fn bounded_within<T>(
    bound: Bound,
    full: Full,
    dropped: Counter,
    budget: Arc<Budget>,
) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State { items: VecDeque::new(), weight: 0, senders: 1, receiving: true }),
        arrived: Condvar::new(),
        bound,
        budget,
        full,
        dropped,
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    bound: Bound,
    budget: Arc<Budget>,
    full: Full,
    dropped: Counter,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    senders: usize,
    receiving: bool,
}

/// What became of a sent item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Queued,
    /// It is in the queue, and that many older ones no longer are.
    Displaced(u64),
    /// The queue was full and keeps what it has.
    Refused,
    /// Nobody receives any more.
    Closed,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("no code that can panic runs under this lock")
    }

    fn fits(&self, state: &State<T>, weight: usize) -> bool {
        state.items.is_empty()
            || (state.items.len() < self.bound.items
                && state.weight.saturating_add(weight) <= self.bound.weight
                && self.budget.has_room(weight))
    }

    fn take(&self, state: &mut State<T>) -> Option<T> {
        let (item, weight) = state.items.pop_front()?;
        state.weight -= weight;
        self.budget.used.fetch_sub(weight, Ordering::Relaxed);
        Some(item)
    }
}

impl<T> Sender<T> {
    /// Queues `item` of that `weight`, or applies the policy. A single item heavier than the bound is let through
    /// when the queue is empty, so that nothing waits for ever.
    pub fn send(&self, item: T, weight: usize) -> Sent {
        let mut state = self.0.lock();
        if !state.receiving {
            return Sent::Closed;
        }
        let mut displaced = 0;
        while !self.0.fits(&state, weight) {
            if self.0.full == Full::DropNewest {
                self.0.dropped.add(1);
                return Sent::Refused;
            }
            self.0.take(&mut state).expect("an empty queue fits anything");
            displaced += 1;
        }
        state.items.push_back((item, weight));
        state.weight += weight;
        self.0.budget.used.fetch_add(weight, Ordering::Relaxed);
        drop(state);
        self.0.arrived.notify_one();
        self.0.dropped.add(displaced);
        if displaced == 0 { Sent::Queued } else { Sent::Displaced(displaced) }
    }

    /// Whether nobody receives any more.
    pub fn is_closed(&self) -> bool {
        !self.0.lock().receiving
    }

    /// Items and weight that wait.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.items.len(), state.weight)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.arrived.notify_all();
    }
}

/// What a receiver got.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    Item(T),
    /// Nothing came in time.
    Empty,
    /// The queue is drained and no sender is left.
    Closed,
}

impl<T> Receiver<T> {
    /// Waits at most `timeout` for the next item.
    pub fn receive(&self, timeout: Duration) -> Received<T> {
        let state = self.0.lock();
        let (mut state, _) = self
            .0
            .arrived
            .wait_timeout_while(state, timeout, |state| state.items.is_empty() && state.senders > 0)
            .expect("no code that can panic runs under this lock");
        match self.0.take(&mut state) {
            Some(item) => Received::Item(item),
            None if state.senders == 0 => Received::Closed,
            None => Received::Empty,
        }
    }

    pub fn depth(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.items.len(), state.weight)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiving = false;
        let left = std::mem::take(&mut state.items);
        self.0.budget.used.fetch_sub(std::mem::take(&mut state.weight), Ordering::Relaxed);
        drop(state);
        self.0.dropped.add(left.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { items: 2, weight: 100 };

    fn drain(receiver: &Receiver<u32>) -> Vec<u32> {
        std::iter::from_fn(|| match receiver.receive(Duration::ZERO) {
            Received::Item(item) => Some(item),
            Received::Empty | Received::Closed => None,
        })
        .collect()
    }

    #[test]
    fn a_full_queue_follows_its_policy_and_counts_every_drop() {
        for (full, kept, last) in [
            (Full::DropOldest, vec![2, 3], Sent::Displaced(1)),
            (Full::DropNewest, vec![1, 2], Sent::Refused),
        ] {
            let dropped = Counter::default();
            let (sender, receiver) = bounded(BOUND, full, dropped.clone());
            assert_eq!(sender.send(1, 1), Sent::Queued);
            assert_eq!(sender.send(2, 1), Sent::Queued);
            assert_eq!(sender.send(3, 1), last);
            assert_eq!(drain(&receiver), kept);
            assert_eq!(dropped.get(), 1);
        }
    }

    #[test]
    fn weight_bounds_as_items_do_and_one_heavy_item_still_passes() {
        let (sender, receiver) = bounded(BOUND, Full::DropNewest, Counter::default());
        assert_eq!(sender.send(1, 500), Sent::Queued);
        assert_eq!(sender.send(2, 1), Sent::Refused);
        assert_eq!(drain(&receiver), [1]);
        assert_eq!(sender.send(3, 60), Sent::Queued);
        assert_eq!(sender.send(4, 60), Sent::Refused);
    }

    #[test]
    fn queues_that_share_a_budget_hold_no_more_together_and_none_stands_still() {
        let budget = Arc::new(Budget::new(100));
        let queue = || bounded_within(BOUND, Full::DropNewest, Counter::default(), Arc::clone(&budget));
        let ((one, from_one), (two, from_two)) = (queue(), queue());
        assert_eq!(one.send(1, 60), Sent::Queued);
        assert_eq!(two.send(2, 60), Sent::Queued, "the first of each passes");
        assert_eq!(two.send(3, 1), Sent::Refused);
        assert_eq!(drain(&from_one), [1]);
        assert_eq!(two.send(4, 40), Sent::Queued);
        assert_eq!(budget.used(), 100);
        drop(from_two);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_was_queued_before_the_last_sender_left_is_still_received() {
        let (sender, receiver) = bounded(BOUND, Full::DropNewest, Counter::default());
        sender.send(1, 1);
        drop(sender);
        assert_eq!(receiver.receive(Duration::ZERO), Received::Item(1));
        assert_eq!(receiver.receive(Duration::from_secs(60)), Received::Closed);
    }

    #[test]
    fn what_nobody_will_receive_counts_as_dropped() {
        let dropped = Counter::default();
        let (sender, receiver) = bounded(BOUND, Full::DropNewest, dropped.clone());
        sender.send(1, 1);
        drop(receiver);
        assert_eq!(sender.send(2, 1), Sent::Closed);
        assert_eq!(dropped.get(), 1);
    }
}
