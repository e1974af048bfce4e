use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_millis(ms))
}

fn schedule(max_concurrent: usize) -> Schedule {
    Schedule::new(Settings { interval: 3 * SECOND, max_concurrent }, 7)
}

fn plan(priority: u8) -> Plan {
    Plan { priority, interval: None }
}

impl Schedule {
    fn begin(&mut self, now: Monotonic) -> Option<(Key, Duration)> {
        match self.next(now) {
            Next::Capture { key, due, late } => {
                assert_eq!(late, now.since(due));
                Some((key, late))
            }
            Next::At(time) => {
                assert!(time > now);
                None
            }
            Next::Full | Next::Idle => None,
        }
    }

    fn due(&self, key: Key) -> Monotonic {
        self.view(key).unwrap().due
    }
}

/// A machine that makes captures, each of them `takes` long, for `length`; what it did for each stream.
#[derive(Default)]
struct Done {
    captures: BTreeMap<Key, u64>,
    latest: Duration,
    most_in_flight: usize,
    /// The longest time a stream waited from one capture to the next.
    longest_gap: BTreeMap<Key, Duration>,
}

fn run(schedule: &mut Schedule, from: Monotonic, length: Duration, takes: Duration) -> Done {
    let (mut now, mut done) = (from, Done::default());
    let mut flying: BinaryHeap<Reverse<(Monotonic, Key)>> = BinaryHeap::new();
    let mut last = BTreeMap::new();
    while now < from + length {
        while let Some(Reverse((_, key))) = flying.peek().copied().filter(|Reverse((end, _))| *end <= now) {
            flying.pop();
            assert!(schedule.done(key, now, Outcome::Captured));
        }
        let wake = loop {
            match schedule.next(now) {
                Next::Capture { key, late, .. } => {
                    *done.captures.entry(key).or_default() += 1;
                    done.latest = done.latest.max(late);
                    let gap = now.since(last.insert(key, now).unwrap_or(from));
                    let longest = done.longest_gap.entry(key).or_default();
                    *longest = gap.max(*longest);
                    flying.push(Reverse((now + takes, key)));
                    done.most_in_flight = done.most_in_flight.max(flying.len());
                }
                Next::At(time) => break Some(time),
                Next::Full | Next::Idle => break None,
            }
        };
        let landed = flying.peek().map(|Reverse((end, _))| *end);
        now = landed.into_iter().chain(wake).min().expect("something always happens");
    }
    done
}

#[test]
fn each_stream_is_captured_once_an_interval_on_time_and_on_its_grid() {
    let mut schedule = schedule(10);
    let keys: Vec<_> = (0..500).map(|_| schedule.add(at(0), plan(5))).collect();
    let first: Vec<_> = keys.iter().map(|key| schedule.due(*key)).collect();
    let done = run(&mut schedule, at(0), 300 * SECOND, Duration::from_millis(20));
    for (key, first) in keys.iter().zip(first) {
        assert_eq!(done.captures[key], 100);
        let since = schedule.due(*key).since(first).as_nanos();
        assert_eq!(since % (3 * SECOND).as_nanos(), 0, "the deadline has left its grid");
    }
    assert!(done.latest < Duration::from_millis(20), "{:?}", done.latest);
    assert_eq!(schedule.load(at(300_000)).skipped_total, 0);
}

#[test]
fn a_late_capture_does_not_move_the_deadlines_after_it() {
    let mut schedule = schedule(1);
    let key = schedule.add(at(0), plan(5));
    let due = schedule.due(key);
    for round in 0..5 {
        let now = due + 3 * SECOND * round + Duration::from_millis(700);
        assert_eq!(schedule.begin(now), Some((key, Duration::from_millis(700))));
        schedule.done(key, now + SECOND, Outcome::Captured);
        assert_eq!(schedule.due(key), due + 3 * SECOND * (round + 1));
    }
}

#[test]
fn what_was_missed_is_counted_and_not_made_up_for() {
    // Of a stream with a deadline every 3 s: when the capture begins and ends after the first of them, how many it
    // skips, and when the next is due.
    for (begins, ends, skipped, next) in
        [(0, 1, 0, 3), (2, 2, 0, 3), (3, 3, 1, 6), (11, 11, 3, 12), (0, 4, 0, 3), (0, 9, 2, 9), (4, 10, 2, 9)]
    {
        let mut schedule = schedule(1);
        let key = schedule.add(at(0), plan(5));
        let due = schedule.due(key);
        assert_eq!(schedule.begin(due + begins * SECOND), Some((key, begins * SECOND)));
        assert!(schedule.done(key, due + ends * SECOND, Outcome::Captured));
        let view = schedule.view(key).unwrap();
        assert_eq!((view.skipped, view.due), (skipped, due + next * SECOND), "{begins} to {ends}");
        assert_eq!(schedule.load(due).skipped_total, skipped);
    }
}

#[test]
fn streams_added_at_once_or_one_by_one_are_spread_over_the_interval() {
    for step in [0, 37] {
        let mut schedule = schedule(1);
        let keys: Vec<_> = (0..3_000).map(|n| schedule.add(at(n * step), plan(5))).collect();
        let mut in_each_tenth = [0; 30];
        for (key, n) in keys.iter().zip(0..) {
            let wait = schedule.due(*key).since(at(n * step));
            assert!(wait <= 3 * SECOND);
            let phase = schedule.due(*key).since_start().as_millis() % 3_000 / 100;
            in_each_tenth[usize::try_from(phase).unwrap()] += 1;
        }
        assert!(in_each_tenth.iter().all(|n| (95..=105).contains(n)), "{in_each_tenth:?}");
    }
}

#[test]
fn failures_back_off_and_a_success_forgets_them() {
    let mut schedule = schedule(1);
    let key = schedule.add(at(0), plan(5));
    let mut waits = HashSet::new();
    for (outcome, expected, failures) in [
        (Outcome::Failed, 2, 1),
        (Outcome::Failed, 4, 2),
        (Outcome::Failed, 8, 3),
        (Outcome::Failed, 16, 4),
        (Outcome::Failed, 30, 5),
        (Outcome::Failed, 30, 6),
        (Outcome::Offline, 30, 0),
        (Outcome::Failed, 2, 1),
    ] {
        let now = schedule.due(key);
        schedule.begin(now).unwrap();
        schedule.done(key, now, outcome);
        let wait = schedule.due(key).since(now);
        assert!(
            wait >= expected * SECOND * 4 / 5 && wait <= expected * SECOND * 6 / 5,
            "{outcome:?}: {wait:?}"
        );
        assert_eq!(schedule.view(key).unwrap().failures, failures);
        waits.insert(wait.as_micros() * 1_000 / u128::from(expected));
    }
    assert!(waits.len() > 6, "no chance in it: {waits:?}");
    for outcome in [Outcome::Captured, Outcome::Ad] {
        let now = schedule.due(key);
        schedule.begin(now).unwrap();
        schedule.done(key, now, outcome);
        assert!(schedule.due(key).since(now) <= 3 * SECOND);
        assert_eq!(schedule.view(key).unwrap().failures, 0);
    }
}

#[test]
fn an_offline_stream_with_a_long_interval_is_not_polled_more_often_than_that() {
    let mut schedule = schedule(1);
    let key = schedule.add(at(0), Plan { priority: 5, interval: Some(600 * SECOND) });
    let now = schedule.due(key);
    schedule.begin(now).unwrap();
    schedule.done(key, now, Outcome::Offline);
    assert!(schedule.due(key).since(now) >= 480 * SECOND);
}

#[test]
fn the_hurried_come_before_all_others_and_soon() {
    let mut schedule = schedule(1);
    for _ in 0..10 {
        schedule.add(at(0), plan(1));
    }
    let urgent = schedule.add(at(0), Plan { priority: 10, interval: Some(600 * SECOND) });
    assert!(schedule.due(urgent) > at(4_000));
    assert!(schedule.hurry(urgent, at(4_000)));
    assert_eq!(schedule.begin(at(4_000)), Some((urgent, Duration::ZERO)));
    // In flight it can't be hurried more.
    assert!(schedule.hurry(urgent, at(4_100)));
    assert_eq!(schedule.next(at(4_100)), Next::Full);
    schedule.done(urgent, at(4_200), Outcome::Captured);
    schedule.hurry(urgent, at(4_200));
    assert_eq!(schedule.due(urgent), at(4_000) + Schedule::HURRY_GAP);
    assert_ne!(schedule.begin(at(4_200)).unwrap().0, urgent);
}

#[test]
fn a_hurried_capture_stands_for_a_deadline_that_was_near() {
    for (before, next) in [(2_000, 3), (1_600, 3), (1_400, 6), (100, 6)] {
        let mut schedule = schedule(1);
        let key = schedule.add(at(0), plan(5));
        let due = schedule.due(key);
        schedule.begin(due).unwrap();
        schedule.done(key, due, Outcome::Captured);
        let now = due + Duration::from_millis(3_000 - before);
        schedule.hurry(key, now);
        assert_eq!(schedule.begin(now), Some((key, Duration::ZERO)));
        schedule.done(key, now, Outcome::Captured);
        assert_eq!(schedule.due(key), due + next * SECOND, "{before} ms before");
        assert_eq!(schedule.view(key).unwrap().skipped, 0);
    }
}

#[test]
fn a_new_stream_never_waits_for_one_that_is_due_later() {
    let mut schedule = schedule(5);
    let long = schedule.add(at(0), Plan { priority: 1, interval: Some(3_600 * SECOND) });
    let Next::At(first) = schedule.next(at(0)) else { panic!("nothing is due yet") };
    assert_eq!(first, schedule.due(long));
    let new = schedule.add(at(0), plan(10));
    assert_eq!(schedule.next(at(0)), Next::At(schedule.due(new)));
    assert_eq!(schedule.begin(schedule.due(new)).map(|(key, _)| key), Some(new));
}

#[test]
fn a_removed_stream_is_gone_and_what_was_in_flight_ends_in_nothing() {
    let mut schedule = schedule(1);
    let old = schedule.add(at(0), plan(5));
    let now = schedule.due(old);
    schedule.begin(now).unwrap();
    assert!(schedule.remove(old));
    assert!(!schedule.remove(old));
    assert_eq!(schedule.view(old), None);
    let new = schedule.add(now, plan(5));
    assert_ne!(old, new);
    assert_eq!(schedule.next(now + 3 * SECOND), Next::Full, "it still holds its slot");
    assert!(!schedule.done(old, now + 3 * SECOND, Outcome::Failed));
    assert!(!schedule.done(old, now + 3 * SECOND, Outcome::Failed), "once only");
    assert_eq!(schedule.view(new).unwrap().failures, 0);
    assert_eq!(schedule.begin(now + 3 * SECOND).map(|(key, _)| key), Some(new));
    schedule.done(new, now + 3 * SECOND, Outcome::Captured);
    schedule.remove(new);
    assert_eq!(schedule.next(now + 600 * SECOND), Next::Idle);
    for gone in [old, new] {
        assert!(!schedule.hurry(gone, now) && !schedule.set_priority(gone, 1, now));
        assert!(!schedule.set_interval(gone, None, now));
    }
}

#[test]
fn a_new_interval_keeps_counters_and_spread_and_comes_at_once() {
    let mut schedule = schedule(100);
    let keys: Vec<_> = (0..100).map(|_| schedule.add(at(0), plan(5))).collect();
    let own = schedule.add(at(0), Plan { priority: 5, interval: Some(7 * SECOND) });
    let now = at(10_000);
    while let Some((key, _)) = schedule.begin(now) {
        schedule.done(key, now, Outcome::Captured);
    }
    let skipped = schedule.load(now).skipped_total;
    assert!(skipped > 0);
    for seconds in [60, 1, 30] {
        schedule.apply(Settings { interval: seconds * SECOND, max_concurrent: 100 }, now);
        let mut waits: Vec<_> = keys.iter().map(|key| schedule.due(*key).since(now)).collect();
        waits.sort_unstable();
        for (wait, n) in waits.iter().zip(0..) {
            let even = seconds * SECOND * n / 100;
            assert!(*wait <= even + seconds * SECOND / 20 && *wait + seconds * SECOND / 20 >= even);
        }
        assert_eq!(schedule.load(now).skipped_total, skipped);
    }
    assert_eq!(schedule.view(own).unwrap().interval, 7 * SECOND);
    assert!(schedule.set_interval(own, None, now));
    assert_eq!(schedule.view(own).unwrap().interval, 30 * SECOND);
}

#[test]
fn fewer_slots_let_those_in_flight_end_first() {
    let mut schedule = schedule(3);
    let keys: Vec<_> = (0..5).map(|_| schedule.add(at(0), plan(5))).collect();
    let begun: Vec<_> = std::iter::from_fn(|| schedule.begin(at(3_000))).map(|(key, _)| key).collect();
    assert_eq!((begun.len(), schedule.load(at(3_000)).waiting), (3, keys.len() - 3));
    schedule.apply(Settings { interval: 3 * SECOND, max_concurrent: 2 }, at(3_000));
    schedule.done(begun[0], at(3_000), Outcome::Captured);
    assert_eq!(schedule.next(at(3_000)), Next::Full);
    schedule.done(begun[1], at(3_000), Outcome::Captured);
    assert!(schedule.begin(at(3_000)).is_some());
}

#[test]
fn within_a_priority_the_earliest_deadline_is_first() {
    let mut schedule = schedule(100);
    for n in 0..60 {
        schedule.add(at(0), plan(n % 3 + 4));
    }
    // Nobody has waited an interval yet.
    let now = at(2_999);
    let begun: Vec<_> = std::iter::from_fn(|| schedule.begin(now)).collect();
    let order: Vec<_> =
        begun.iter().map(|(key, late)| (schedule.view(*key).unwrap().priority, Reverse(*late))).collect();
    assert!(order.len() > 50 && order.is_sorted(), "{order:?}");
}

/// The share of its captures that each priority gets, in per cent, and the longest anyone waited.
fn shares(counts: &[(u8, u32)], slots: usize, takes: Duration) -> (BTreeMap<u8, u64>, Duration) {
    let mut schedule = schedule(slots);
    let mut keys = Vec::new();
    for (priority, count) in counts {
        keys.extend((0..*count).map(|_| (*priority, schedule.add(at(0), plan(*priority)))));
    }
    let (hour, settled) = (3_600 * SECOND, 60 * SECOND);
    run(&mut schedule, at(0), settled, takes);
    // The first run leaves captures in flight, which nobody will end.
    let flying: Vec<_> = keys.iter().filter(|(_, key)| schedule.view(*key).unwrap().in_flight).collect();
    for (_, key) in flying {
        schedule.done(*key, at(60_000), Outcome::Captured);
    }
    let done = run(&mut schedule, at(60_000), hour, takes);
    assert_eq!(done.most_in_flight, slots);
    let mut made: BTreeMap<u8, u64> = BTreeMap::new();
    for (priority, key) in &keys {
        *made.entry(*priority).or_default() += done.captures.get(key).copied().unwrap_or(0);
    }
    let wanted = |priority: u8| {
        counts.iter().filter(|(p, _)| *p == priority).map(|(_, n)| u64::from(*n)).sum::<u64>() * 1_200
    };
    let longest =
        keys.iter().map(|(_, key)| done.longest_gap.get(key).copied().unwrap_or(hour)).max().unwrap();
    (made.iter().map(|(priority, made)| (*priority, made * 100 / wanted(*priority))).collect(), longest)
}

#[test]
fn at_twice_the_load_the_important_lose_nothing_and_nobody_starves() {
    // Five slots of 300 ms make 16.7 captures a second; 100 streams want 33.3.
    let takes = Duration::from_millis(300);
    for (name, counts) in [
        ("all alike", (1..=10).map(|priority| (priority, 10)).collect::<Vec<_>>()),
        ("few important", vec![(1, 5), (10, 95)]),
        ("the important alone fill the machine", vec![(1, 50), (10, 50)]),
        ("hardly any difference", vec![(1, 45), (2, 55)]),
        ("a few unimportant", vec![(1, 10), (5, 85), (10, 5)]),
    ] {
        let (shares, longest) = shares(&counts, 5, takes);
        assert!(shares[&1] >= 95, "{name}: {shares:?}");
        assert!(shares.values().all(|share| *share >= 2), "{name}: {shares:?}");
        assert!(shares.values().is_sorted_by(|a, b| **a + 2 >= **b), "{name}: {shares:?}");
        assert!(longest < 420 * SECOND, "{name}: {longest:?}");
    }
}

#[test]
fn when_even_the_important_are_too_many_all_get_the_same_and_none_starves() {
    let (shares, longest) = shares(&[(1, 100), (10, 3)], 5, Duration::from_millis(300));
    assert!((47..=50).contains(&shares[&1]), "{shares:?}");
    assert!(shares[&10] > 2 && longest < 120 * SECOND, "{shares:?} {longest:?}");
}

#[test]
fn ten_thousand_streams_for_a_day_cost_a_moment() {
    let mut schedule = Schedule::new(Settings { interval: 3_600 * SECOND, max_concurrent: 100 }, 3);
    for n in 0..10_000_u32 {
        schedule.add(at(0), plan(u8::try_from(n % 10).unwrap() + 1));
    }
    let done = run(&mut schedule, at(0), 24 * 3_600 * SECOND, SECOND);
    assert!(done.captures.len() == 10_000 && done.captures.values().all(|captures| *captures == 24));
    assert!(done.latest <= SECOND, "{:?}", done.latest);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(u8, u64),
    Remove(usize),
    Priority(usize, u8),
    Interval(usize, u64),
    Apply(u64, usize),
    Hurry(usize),
    Ask,
    Done(usize, Outcome),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Captured),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Offline),
        1 => Just(Outcome::Ad)
    ];
    prop_oneof![
        2 => (0_u8..12, 0_u64..20_000).prop_map(|(priority, ms)| Step::Add(priority, ms)),
        1 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0_u8..12).prop_map(|(n, priority)| Step::Priority(n, priority)),
        1 => (any::<usize>(), 0_u64..20_000).prop_map(|(n, ms)| Step::Interval(n, ms)),
        1 => (0_u64..10_000, 0_usize..6).prop_map(|(ms, slots)| Step::Apply(ms, slots)),
        1 => any::<usize>().prop_map(Step::Hurry),
        6 => Just(Step::Ask),
        4 => (any::<usize>(), outcome).prop_map(|(n, outcome)| Step::Done(n, outcome)),
        6 => (0_u64..5_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_slots_are_exact_and_no_stream_is_lost_doubled_or_a_ghost(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let mut schedule = schedule(2);
        let (mut now, mut slots) = (at(0), 2);
        // Those there are, those in flight, and those removed.
        let (mut here, mut flying, mut gone) = (Vec::new(), Vec::<Key>::new(), HashSet::new());
        for step in steps {
            match step {
                Step::Add(priority, ms) => {
                    let interval = (ms > 0).then(|| Duration::from_millis(ms));
                    let key = schedule.add(now, Plan { priority, interval });
                    prop_assert!(!here.contains(&key) && !gone.contains(&key), "a key came back");
                    here.push(key);
                }
                Step::Remove(n) if !here.is_empty() => {
                    let key = here.swap_remove(n % here.len());
                    prop_assert!(schedule.remove(key));
                    gone.insert(key);
                }
                Step::Priority(n, priority) if !here.is_empty() => {
                    prop_assert!(schedule.set_priority(here[n % here.len()], priority, now));
                }
                Step::Interval(n, ms) if !here.is_empty() => {
                    let interval = (ms > 0).then(|| Duration::from_millis(ms));
                    prop_assert!(schedule.set_interval(here[n % here.len()], interval, now));
                }
                Step::Apply(ms, max_concurrent) => {
                    slots = max_concurrent.max(1);
                    schedule.apply(Settings { interval: Duration::from_millis(ms), max_concurrent }, now);
                }
                Step::Hurry(n) if !here.is_empty() => {
                    prop_assert!(schedule.hurry(here[n % here.len()], now));
                }
                Step::Ask => match schedule.next(now) {
                    Next::Capture { key, due, late } => {
                        prop_assert!(here.contains(&key), "a ghost");
                        prop_assert!(!flying.contains(&key), "twice at once");
                        prop_assert!(due <= now && late == now.since(due) && flying.len() < slots);
                        flying.push(key);
                    }
                    Next::Full => prop_assert!(flying.len() >= slots),
                    Next::At(time) => {
                        let first = here.iter().filter(|key| !flying.contains(key)).map(|key| schedule.due(*key));
                        prop_assert!(time > now && Some(time) == first.min());
                    }
                    Next::Idle => prop_assert!(here.iter().all(|key| flying.contains(key))),
                },
                Step::Done(n, outcome) if !flying.is_empty() => {
                    let key = flying.swap_remove(n % flying.len());
                    prop_assert_eq!(schedule.done(key, now, outcome), !gone.contains(&key));
                    prop_assert!(!schedule.done(key, now, outcome));
                }
                Step::Pass(ms) => now = now + Duration::from_millis(ms),
                _ => {}
            }
            let load = schedule.load(now);
            let waiting = here.iter().filter(|key| !flying.contains(key) && schedule.due(**key) <= now).count();
            prop_assert_eq!(
                (load.streams, load.in_flight, load.waiting),
                (here.len(), flying.len(), waiting)
            );
        }
        // Whatever was asked before, everyone left gets a capture in the end.
        for key in std::mem::take(&mut flying) {
            schedule.done(key, now, Outcome::Captured);
        }
        let mut left: HashSet<_> = here.into_iter().collect();
        for _ in 0..10_000 {
            if left.is_empty() {
                break;
            }
            match schedule.next(now) {
                Next::Capture { key, .. } => {
                    left.remove(&key);
                    schedule.done(key, now, Outcome::Captured);
                }
                Next::At(time) => now = time,
                Next::Full | Next::Idle => break,
            }
        }
        prop_assert!(left.is_empty(), "never captured: {left:?}");
    }
}
