//! A bus keeps what it was given, in its order, for each group at its own pace; what it drops it counts; an absence ends by
//! itself. Each test runs on every kind of bus there is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onair::base::clock::{Clock, MediaTime};
use onair::base::error::{Error, Kind};
use onair::base::tasks::Tasks;
use onair::bus::{
    self, Bus, Consumer, Group, Health, Kept, Message, Retention, Settings, Span, Start, Topic,
};
use tempfile::TempDir;

use crate::tools::sooner_or_later;

/// A bus that can be opened again and again.
enum Home {
    Sqlite(TempDir),
}

impl Home {
    fn each() -> [Self; 1] {
        [Self::Sqlite(tempfile::tempdir().unwrap())]
    }

    async fn open(&self) -> Opened {
        match self {
            Self::Sqlite(folder) => sqlite(folder.path()).await.unwrap(),
        }
    }
}

struct Opened {
    bus: Arc<dyn Bus>,
    tasks: Tasks,
    clock: Clock,
}

impl Opened {
    async fn close(self) {
        drop(self.bus);
        assert!(self.tasks.stop(Duration::from_secs(20)).await);
    }

    async fn consumer(&self, group: &str, start: Start) -> Consumer {
        Consumer::new(Arc::clone(&self.bus), group, Topic::Events, start).await.unwrap()
    }

    async fn all(&self, topic: Topic) -> Vec<Kept> {
        self.bus.read(topic, 0, 100_000, Duration::ZERO).await.unwrap()
    }
}

async fn opened(folder: &Path, clock: Clock, retention: fn(Topic) -> Retention) -> Result<Opened, Error> {
    let tasks = Tasks::default();
    let retention = Topic::ALL.map(|topic| (topic, retention(topic))).into();
    let bus = bus::open(&Settings { data_dir: folder.to_owned(), retention }, &tasks, &clock).await?;
    Ok(Opened { bus, tasks, clock })
}

async fn sqlite(folder: &Path) -> Result<Opened, Error> {
    opened(folder, Clock::real(), Topic::retention).await
}

fn at(second: i64) -> MediaTime {
    MediaTime(jiff::Timestamp::from_second(1_800_000_000 + second).unwrap())
}

fn message(topic: Topic, key: &str, number: usize) -> Message {
    let second = i64::try_from(number).unwrap();
    Message { topic, key: key.to_owned(), at: at(second), payload: format!("{{\"n\":{number}}}") }
}

fn events(numbers: std::ops::Range<usize>) -> Vec<Message> {
    numbers.map(|number| message(Topic::Events, &format!("stream{}", number % 3), number)).collect()
}

fn payloads(kept: &[Kept]) -> Vec<&str> {
    kept.iter().map(|kept| &*kept.payload).collect()
}

#[tokio::test]
async fn messages_keep_their_order_and_offsets_and_are_there_again_when_opened() {
    for home in Home::each() {
        let open = home.open().await;
        open.bus.append(events(0..3)).await.unwrap();
        open.bus.append(vec![]).await.unwrap();
        open.bus
            .append(vec![message(Topic::Clips, "ü 'x'; --", 7), message(Topic::Events, "stream0", 3)])
            .await
            .unwrap();
        let before = (open.all(Topic::Events).await, open.all(Topic::Clips).await);
        let shown: Vec<_> = before.0.iter().map(|kept| (kept.offset, &*kept.key, kept.at)).collect();
        assert_eq!(
            shown,
            [(0, "stream0", at(0)), (1, "stream1", at(1)), (2, "stream2", at(2)), (3, "stream0", at(3))]
        );
        assert_eq!((before.1.len(), &*before.1[0].key, before.1[0].offset), (1, "ü 'x'; --", 0));
        assert_eq!(open.bus.span(Topic::Events).await.unwrap(), Span { first: 0, next: 4 });
        assert_eq!(open.bus.span(Topic::Readings).await.unwrap(), Span::default());
        let some = open.bus.read(Topic::Events, 1, 2, Duration::ZERO).await.unwrap();
        assert_eq!(some.iter().map(|kept| kept.offset).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(open.bus.health(), Health::Ok);
        let figures = open.bus.figures();
        assert_eq!((figures.appended, figures.dropped, figures.failures, figures.waiting), (5, 0, 0, (0, 0)));
        open.close().await;

        let again = home.open().await;
        assert_eq!((again.all(Topic::Events).await, again.all(Topic::Clips).await), before);
        again.bus.append(events(4..5)).await.unwrap();
        assert_eq!(again.all(Topic::Events).await[4].offset, 4);
        again.close().await;
    }
}

#[tokio::test]
async fn each_group_reads_all_of_it_from_where_it_left_off() {
    for home in Home::each() {
        let open = home.open().await;
        open.bus.append(events(0..10)).await.unwrap();
        let mut old = open.consumer("old", Start::Oldest).await;
        let mut new = open.consumer("new", Start::Newest).await;
        assert_eq!(payloads(&old.next(4, Duration::ZERO).await.unwrap())[3], "{\"n\":3}");
        old.commit().await.unwrap();
        // Handed out and not committed: handed out again.
        assert_eq!(old.next(4, Duration::ZERO).await.unwrap().len(), 4);
        assert!(new.next(100, Duration::ZERO).await.unwrap().is_empty());
        drop((old, new));
        open.bus.append(events(10..12)).await.unwrap();
        open.close().await;

        let again = home.open().await;
        let mut old = again.consumer("old", Start::Newest).await;
        let rest = old.next(100, Duration::ZERO).await.unwrap();
        assert_eq!((rest.len(), rest[0].offset, old.position(), old.missed()), (8, 4, 12, 0));
        // A group that never read begins where it first asked, also when it was away meanwhile.
        let mut new = again.consumer("new", Start::Newest).await;
        assert_eq!(payloads(&new.next(100, Duration::ZERO).await.unwrap()), ["{\"n\":10}", "{\"n\":11}"]);
        assert_eq!(again.bus.committed("nobody", Topic::Events).await.unwrap(), None);
        assert_eq!(again.bus.committed("old", Topic::Clips).await.unwrap(), None);
        again.close().await;
    }
}

#[tokio::test]
async fn one_who_waits_is_woken_by_what_comes_and_by_nothing_else() {
    for home in Home::each() {
        let open = home.open().await;
        let mut consumer = open.consumer("waits", Start::Oldest).await;
        assert!(consumer.next(10, Duration::from_millis(20)).await.unwrap().is_empty());
        let bus = Arc::clone(&open.bus);
        let (woken, appended) = tokio::join!(consumer.next(10, Duration::from_secs(60)), async move {
            bus.append(vec![message(Topic::Clips, "other", 0)]).await?;
            bus.append(events(0..1)).await
        });
        appended.unwrap();
        assert_eq!(woken.unwrap().len(), 1);
        // What is offered comes soon, too.
        open.bus.offer(message(Topic::Events, "offered", 1)).unwrap();
        let offered = consumer.next(10, Duration::from_secs(60)).await.unwrap();
        assert_eq!(&*offered[0].key, "offered");
        open.close().await;
    }
}

#[tokio::test]
async fn messages_of_many_at_once_are_each_whole_and_none_is_lost() {
    for home in Home::each() {
        let open = home.open().await;
        let mut writes = tokio::task::JoinSet::new();
        for n in 0..200 {
            let bus = Arc::clone(&open.bus);
            let batch = (0..3).map(|part| message(Topic::Events, &format!("k{n}"), part)).collect();
            writes.spawn(async move { bus.append(batch).await });
        }
        while let Some(written) = writes.join_next().await {
            written.unwrap().unwrap();
        }
        let all = open.all(Topic::Events).await;
        assert_eq!(all.len(), 600);
        assert!(all.iter().enumerate().all(|(n, kept)| kept.offset == n as u64));
        assert!(all.chunks(3).all(|batch| batch.iter().all(|kept| kept.key == batch[0].key)));
        assert_eq!(open.bus.figures().append_latency.buckets.iter().sum::<u64>(), 200);
        open.close().await;
    }
}

#[tokio::test]
async fn of_a_stream_the_newest_message_is_kept_only() {
    for home in Home::each() {
        let open = home.open().await;
        for n in 0..5 {
            open.bus
                .append(vec![message(Topic::Streams, "a", n), message(Topic::Streams, "b", n)])
                .await
                .unwrap();
        }
        let all = open.all(Topic::Streams).await;
        assert_eq!(payloads(&all), ["{\"n\":4}", "{\"n\":4}"]);
        assert_eq!(open.bus.span(Topic::Streams).await.unwrap(), Span { first: 8, next: 10 });
        let consumer = Consumer::new(Arc::clone(&open.bus), "g", Topic::Streams, Start::Oldest).await;
        let mut consumer = consumer.unwrap();
        assert_eq!((consumer.next(10, Duration::ZERO).await.unwrap().len(), consumer.missed()), (2, 0));
        open.close().await;
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_and_nothing_of_it_kept() {
    for home in Home::each() {
        let open = home.open().await;
        let long = Message { payload: "x".repeat((1 << 20) + 1), ..message(Topic::Events, "a", 0) };
        let nameless = message(Topic::Events, "", 0);
        for (bad, kind) in [(long, Kind::TooLarge), (nameless, Kind::Invalid)] {
            assert_eq!(open.bus.offer(bad.clone()).unwrap_err().kind(), kind);
            let batch = vec![message(Topic::Events, "a", 0), bad];
            assert_eq!(open.bus.append(batch).await.unwrap_err().kind(), kind);
        }
        let heavy = Message { payload: "x".repeat(1 << 20), ..message(Topic::Events, "a", 0) };
        assert_eq!(open.bus.append(vec![heavy; 17]).await.unwrap_err().kind(), Kind::TooLarge);
        for group in ["", "a b", &"x".repeat(65), "../x"] {
            assert_eq!(open.bus.commit(group, Topic::Events, 0).await.unwrap_err().kind(), Kind::Invalid);
        }
        assert_eq!(open.bus.span(Topic::Events).await.unwrap(), Span::default());
        open.close().await;
    }
}

fn small(topic: Topic) -> Retention {
    match topic {
        Topic::Events => Retention { age: Duration::MAX, messages: 10, bytes: u64::MAX },
        Topic::Clips => Retention { age: Duration::MAX, messages: u64::MAX, bytes: 100 },
        _ => Retention { age: Duration::from_secs(60), messages: u64::MAX, bytes: u64::MAX },
    }
}

#[tokio::test]
async fn what_is_too_much_or_too_old_goes_and_who_had_not_read_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = opened(folder.path(), Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap()), small)
        .await
        .unwrap();
    let mut consumer = open.consumer("slow", Start::Oldest).await;
    open.bus.append(events(0..2500)).await.unwrap();
    open.bus.commit("quick", Topic::Events, 2400).await.unwrap();
    open.bus.append((0..100).map(|n| message(Topic::Clips, "clip", n)).collect()).await.unwrap();
    open.bus.append(vec![message(Topic::Readings, "a", 0)]).await.unwrap();
    let kept = async |topic| {
        open.clock.advance(Duration::from_secs(1));
        open.all(topic).await.len()
    };
    sooner_or_later("only ten events are left", async || kept(Topic::Events).await == 10).await;
    sooner_or_later("only a hundred bytes are left", async || kept(Topic::Clips).await == 8).await;
    sooner_or_later("nothing is older than a minute", async || kept(Topic::Readings).await == 0).await;
    let left = consumer.next(100, Duration::ZERO).await.unwrap();
    assert_eq!((left.len(), left[0].offset, consumer.missed()), (10, 2490, 2490));
    assert_eq!(open.bus.figures().expired, 2490 + 92 + 1);
    // Who lags is told, and so is whoever looks after it.
    let group =
        |name: &str, behind, missed| Group { name: name.to_owned(), topic: Topic::Events, behind, missed };
    sooner_or_later("groups are counted", async || {
        open.clock.advance(Duration::from_secs(1));
        open.bus.figures().groups == [group("quick", 100, 90), group("slow", 2500, 2490)]
    })
    .await;
    consumer.commit().await.unwrap();
    sooner_or_later("it has caught up", async || {
        open.clock.advance(Duration::from_secs(1));
        open.bus.figures().groups[1] == group("slow", 0, 2490)
    })
    .await;
    // An offset that is gone is never used again.
    open.bus.append(vec![message(Topic::Readings, "a", 1)]).await.unwrap();
    assert_eq!(open.all(Topic::Readings).await[0].offset, 1);
    open.close().await;
}

#[test]
fn the_room_is_shared_among_topics_and_never_more_than_it_is() {
    let (readings, events) = (Duration::from_hours(5), Duration::from_hours(100));
    for bytes in [1_000_000, 2_000_000_000] {
        let shared = Retention::of(readings, events, bytes);
        assert_eq!(shared.len(), Topic::ALL.len());
        let sum: u64 = shared.values().map(|keep| keep.bytes).sum();
        assert!(sum <= bytes && sum * 10 > bytes * 9, "{sum} of {bytes}");
        let ages = [Topic::Readings, Topic::Clips].map(|topic| shared[&topic].age);
        assert_eq!((ages, shared[&Topic::Streams].age), ([readings, events], Duration::MAX));
    }
}

#[tokio::test]
async fn what_was_answered_is_in_the_files_a_crash_leaves() {
    let (folder, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = sqlite(folder.path()).await.unwrap();
    for n in 0..50 {
        open.bus.append(events(n..n + 1)).await.unwrap();
    }
    open.bus.commit("group", Topic::Events, 20).await.unwrap();
    // What is on the disk at this moment; of what comes after it, a power cut may leave anything.
    for name in ["bus.db", "bus.db-wal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let log = crashed.path().join("bus.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend([0x5a; 5_000]);
    std::fs::write(&log, bytes).unwrap();
    let recovered = sqlite(crashed.path()).await.unwrap();
    assert_eq!(recovered.all(Topic::Events).await.len(), 50);
    assert_eq!(recovered.bus.committed("group", Topic::Events).await.unwrap(), Some(20));
    recovered.close().await;
    open.close().await;
}

#[tokio::test]
async fn a_disk_that_hangs_drops_the_oldest_offers_and_counts_them_while_appends_wait() {
    let folder = tempfile::tempdir().unwrap();
    let open = sqlite(folder.path()).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("bus.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (appended, ()) = tokio::join!(open.bus.append(events(0..1)), async {
        // More than may wait; offering never blocks.
        for n in 0..50_000 {
            open.bus.offer(message(Topic::Readings, "a", n)).unwrap();
        }
        assert!(open.bus.figures().dropped > 20_000, "{:?}", open.bus.figures());
        other.execute_batch("COMMIT").unwrap();
    });
    appended.unwrap();
    sooner_or_later("the newest reading is kept", async || {
        open.all(Topic::Readings).await.last().is_some_and(|kept| kept.payload == "{\"n\":49999}")
    })
    .await;
    let (kept, figures) = (open.all(Topic::Readings).await.len() as u64, open.bus.figures());
    assert_eq!(kept + figures.dropped, 50_000);
    assert_eq!(open.all(Topic::Events).await.len(), 1);
    open.close().await;
}

#[tokio::test]
async fn a_file_that_another_program_keeps_locked_is_an_absence_that_ends_with_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let open = sqlite(folder.path()).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("bus.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = open.bus.append(events(0..1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.detail(), "the bus can't be written: another program has locked it");
    let Health::Away { reason, .. } = open.bus.health() else { panic!("it is away") };
    assert_eq!(reason, "another program has locked it");
    other.execute_batch("COMMIT").unwrap();
    sooner_or_later("the bus is back", async || open.bus.health() == Health::Ok).await;
    assert!(open.all(Topic::Events).await.is_empty() && open.bus.figures().failures == 1);
    open.bus.append(events(0..1)).await.unwrap();
    assert_eq!(open.all(Topic::Events).await[0].offset, 0);
    open.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_bus_of_ours_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes (cake TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = sqlite(folder.path()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Internal);
    let text = error.to_string();
    assert!(text.contains("the bus") && text.contains("it is the database of another program"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
