use std::time::Duration;

use bytes::Bytes;
use pixels::jpeg;
use proptest::prelude::*;

use super::*;
use crate::base::queue::{Bound, Counter, Full, Received};
use crate::streams::{State, Viewer};

const SETTINGS: Settings =
    Settings { timeout: Duration::from_secs(300), max_concurrent: 3, max_buffer_frames: 4 };
const FROM: Publisher = Publisher::Connection(0);

fn clock() -> Clock {
    Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap())
}

fn picture() -> Picture {
    let planes = pixels::I420::new(16, 16, pixels::Range::Full, pixels::Matrix::Bt601);
    let jpeg = Bytes::from(jpeg::Encoder::new(50).unwrap().encode(&planes).unwrap());
    let header = jpeg::inspect(&jpeg, 100).unwrap();
    Picture { jpeg, header, source_time: None, media_time: None }
}

fn name(text: &str) -> StreamName {
    StreamName::parse(text).unwrap()
}

#[test]
fn a_push_makes_the_stream_and_one_too_many_is_refused_until_another_goes() {
    let registry = Registry::new(SETTINGS, clock());
    for n in ["a", "b", "c"] {
        registry.publish(&name(n), picture(), FROM).unwrap();
    }
    let refused = registry.publish(&name("d"), picture(), FROM).unwrap_err();
    assert_eq!((refused.kind(), refused.wait().is_some()), (Kind::Unavailable, true));
    registry.publish(&name("a"), picture(), FROM).unwrap();
    registry.remove("b", "deleted").unwrap();
    registry.publish(&name("d"), picture(), FROM).unwrap();
}

#[test]
fn a_name_is_pushed_or_pulled_and_a_pulled_stream_is_no_push_stream() {
    let clock = clock();
    let registry = Registry::new(SETTINGS, clock.clone());
    registry.publish(&name("pushed"), picture(), FROM).unwrap();
    let hosted = registry.host(&[name("a"), name("pushed"), name("b"), name("a")]);
    let kinds: Vec<_> = hosted.iter().map(|stream| stream.as_ref().map_err(Error::kind).err()).collect();
    assert_eq!(kinds, [None, Some(Kind::Conflict), None, None]);
    assert!(Arc::ptr_eq(hosted[0].as_ref().unwrap(), hosted[3].as_ref().unwrap()));
    assert_eq!(registry.publish(&name("a"), picture(), FROM).unwrap_err().kind(), Kind::Conflict);
    assert_eq!((registry.len(), registry.pushed()), (3, 1));
    registry.publish(&name("c"), picture(), FROM).unwrap();
    registry.publish(&name("d"), picture(), FROM).unwrap();
    clock.advance(SETTINGS.timeout);
    assert_eq!(registry.remove_inactive(), [name("c"), name("d"), name("pushed")]);
    assert!(registry.get("a").is_some(), "a pull stream waits for its source");
    registry.close();
    assert_eq!(registry.host(&[name("e")])[0].as_ref().unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn the_ring_keeps_the_newest_and_gives_its_bytes_back_at_the_end() {
    let registry = Registry::new(SETTINGS, clock());
    for _ in 0..10 {
        registry.publish(&name("a"), picture(), FROM).unwrap();
    }
    let stats = registry.get("a").unwrap().stats();
    assert_eq!((stats.buffered, stats.total_frames), (4, 10));
    assert_eq!(registry.buffered_bytes(), 4 * picture().jpeg.len());
    registry.remove("a", "deleted");
    assert_eq!(registry.buffered_bytes(), 0);
}

#[test]
fn a_silent_stream_is_removed_and_a_busy_one_is_not() {
    let clock = clock();
    let registry = Registry::new(SETTINGS, clock.clone());
    registry.publish(&name("silent"), picture(), FROM).unwrap();
    clock.advance(Duration::from_secs(299));
    assert!(registry.remove_inactive().is_empty());
    registry.publish(&name("busy"), picture(), FROM).unwrap();
    assert_eq!(registry.get("silent").unwrap().stats().state, State::Idle);
    clock.advance(Duration::from_secs(1));
    assert_eq!(registry.remove_inactive(), [name("silent")]);
    assert_eq!(registry.len(), 1);
}

#[test]
fn what_is_attached_gets_the_first_frame_and_hears_of_the_end() {
    let registry = Registry::new(SETTINGS, clock());
    let (sender, taps) = std::sync::mpsc::sync_channel(1);
    registry.on_new_stream(move |stream| {
        let bound = Bound { items: 8, weight: 1 << 20 };
        sender.send(stream.tap(bound, Full::DropNewest, Counter::default()).unwrap()).unwrap();
    });
    registry.publish(&name("a"), picture(), FROM).unwrap();
    registry.publish(&name("a"), picture(), FROM).unwrap();
    registry.remove("a", "deleted");
    let tap = taps.recv().unwrap();
    let sequences: Vec<u64> = std::iter::from_fn(|| match tap.receive(Duration::ZERO) {
        Received::Item(frame) => Some(frame.sequence),
        Received::Empty | Received::Closed => None,
    })
    .collect();
    assert_eq!(sequences, [1, 2]);
    assert!(matches!(tap.receive(Duration::ZERO), Received::Closed));
}

#[test]
fn two_publishers_feed_one_stream_and_are_both_counted() {
    let registry = Registry::new(SETTINGS, clock());
    registry.publish(&name("a"), picture(), Publisher::Connection(1)).unwrap();
    let last = registry.publish(&name("a"), picture(), Publisher::Connection(2)).unwrap();
    let stream = registry.get("a").unwrap();
    assert_eq!(stream.stats().publishers, 2);
    assert_eq!(stream.latest().unwrap().sequence, last.sequence);
}

#[test]
fn frames_a_second_are_those_of_the_last_five_seconds() {
    let clock = clock();
    let settings = Settings { max_buffer_frames: 100, ..SETTINGS };
    let registry = Registry::new(settings, clock.clone());
    for _ in 0..100 {
        registry.publish(&name("a"), picture(), FROM).unwrap();
        clock.advance(Duration::from_millis(100));
    }
    assert!((registry.get("a").unwrap().stats().fps - 10.0).abs() < 0.01);
    clock.advance(Duration::from_secs(6));
    assert_eq!(registry.get("a").unwrap().stats().fps.to_bits(), 0.0_f64.to_bits());
}

#[test]
fn after_close_nothing_is_taken_in() {
    let registry = Registry::new(SETTINGS, clock());
    registry.publish(&name("a"), picture(), FROM).unwrap();
    registry.close();
    assert!(registry.is_empty());
    assert_eq!(registry.publish(&name("a"), picture(), FROM).unwrap_err().kind(), Kind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_gets_the_latest_frame_then_each_new_one_then_the_end() {
    let registry = Registry::new(SETTINGS, clock());
    for _ in 0..3 {
        registry.publish(&name("a"), picture(), FROM).unwrap();
    }
    let mut viewer = registry.get("a").unwrap().view(None);
    assert_eq!(viewer.next().await.unwrap().sequence, 3);
    registry.publish(&name("a"), picture(), FROM).unwrap();
    registry.publish(&name("a"), picture(), FROM).unwrap();
    assert_eq!(viewer.next().await.unwrap().sequence, 5);
    assert_eq!(viewer.stream().skipped.get(), 1);
    registry.remove("a", "deleted");
    assert!(viewer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_capped_viewer_gets_its_rate_and_no_more() {
    let registry = Registry::new(SETTINGS, clock());
    registry.publish(&name("a"), picture(), FROM).unwrap();
    let mut viewer = registry.get("a").unwrap().view(Some(10.0));
    let publisher = async {
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            registry.publish(&name("a"), picture(), FROM).unwrap();
        }
        registry.remove("a", "deleted");
    };
    let watching = async {
        let mut seen = 0;
        while viewer.next().await.is_some() {
            seen += 1;
        }
        seen
    };
    let ((), seen) = tokio::join!(publisher, watching);
    assert!((29..=31).contains(&seen), "{seen} frames in three seconds at 10 fps");
}

/// What may happen to a stream while others watch it.
#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    View(usize),
    Leave(usize),
    Delete(usize),
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Publish),
        4 => (0..3_usize).prop_map(Step::View),
        3 => (0..8_usize).prop_map(Step::Leave),
        1 => (0..3_usize).prop_map(Step::Delete),
        1 => Just(Step::TimePasses),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_interleaving_of_publish_view_delete_and_timeout_loses_count_of_viewers(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let clock = clock();
        let registry = Registry::new(SETTINGS, clock.clone());
        let mut watching: Vec<Viewer> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(i) => { registry.publish(&name(NAMES[i]), picture(), FROM).unwrap(); }
                Step::View(i) => watching.extend(registry.get(NAMES[i]).map(|stream| stream.view(None))),
                Step::Leave(i) if i < watching.len() => drop(watching.swap_remove(i)),
                Step::Leave(_) => {}
                Step::Delete(i) => { registry.remove(NAMES[i], "deleted"); }
                Step::TimePasses => {
                    clock.advance(SETTINGS.timeout);
                    registry.remove_inactive();
                }
            }
            for stream in registry.all() {
                let mine = watching.iter().filter(|viewer| Arc::ptr_eq(viewer.stream(), &stream)).count();
                prop_assert_eq!(stream.viewers(), mine);
            }
            let kept: usize = registry.all().iter().map(|stream| stream.stats().buffered_bytes).sum();
            prop_assert_eq!(registry.buffered_bytes(), kept);
        }
        let streams: Vec<_> = watching.iter().map(|viewer| Arc::clone(viewer.stream())).collect();
        drop(watching);
        prop_assert!(streams.iter().all(|stream| stream.viewers() == 0));
    }

    #[test]
    fn publishing_from_many_threads_counts_every_frame(threads in 2..5_u64) {
        let registry = Registry::new(SETTINGS, clock());
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let registry = registry.clone();
                scope.spawn(move || {
                    for _ in 0..20 {
                        registry.publish(&name("a"), picture(), Publisher::Connection(thread)).unwrap();
                    }
                });
            }
        });
        prop_assert_eq!(registry.get("a").unwrap().stats().total_frames, threads * 20);
    }
}
