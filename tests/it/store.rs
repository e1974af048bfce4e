//! Both stores behave alike; each absence is a state with a reason that ends by itself; nothing answered is ever lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onair::base::clock::Clock;
use onair::base::error::{Error, Kind};
use onair::base::secret::Secret;
use onair::base::tasks::Tasks;
use onair::store::{self, Change, Collection, Health, Settings, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::redis::Redis;
use crate::tools::sooner_or_later;

/// A store that can be opened again and again.
enum Home {
    Sqlite(TempDir),
    Redis(Redis),
}

impl Home {
    async fn both() -> [Self; 2] {
        [Self::Sqlite(tempfile::tempdir().unwrap()), Self::Redis(Redis::start(None).await)]
    }

    async fn open(&self) -> Opened {
        match self {
            Self::Sqlite(folder) => sqlite(folder.path()).await.unwrap(),
            Self::Redis(redis) => connect(&redis.url(), None).await,
        }
    }
}

pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    tasks: Tasks,
}

impl Opened {
    pub(crate) async fn close(self) {
        drop(self.store);
        assert!(self.tasks.stop(Duration::from_secs(20)).await);
    }

    async fn all(&self) -> [BTreeMap<String, Value>; 2] {
        let read = |collection| self.store.read(collection);
        [read(Collection::Streams).await.unwrap(), read(Collection::Settings).await.unwrap()]
    }

    async fn away(&self) -> String {
        sooner_or_later("the store is away", async || self.store.health() != Health::Ok).await;
        match self.store.health() {
            Health::Away { reason, .. } => reason,
            Health::Ok => panic!("it came back by itself"),
        }
    }

    async fn back(&self) {
        sooner_or_later("the store is back", async || self.store.health() == Health::Ok).await;
    }
}

async fn opened(settings: Settings) -> Result<Opened, Error> {
    let tasks = Tasks::default();
    let store = store::open(&settings, &tasks, &Clock::real()).await?;
    Ok(Opened { store, tasks })
}

async fn sqlite(folder: &Path) -> Result<Opened, Error> {
    opened(Settings { data_dir: folder.to_owned(), redis_url: None, redis_password: None }).await
}

pub(crate) async fn connect(url: &str, password: Option<&str>) -> Opened {
    let nowhere = "/nowhere".into();
    let (redis_url, redis_password) = (Some(Secret::new(url)), password.map(Secret::new));
    opened(Settings { data_dir: nowhere, redis_url, redis_password }).await.unwrap()
}

fn put(id: &str, value: Value) -> Change {
    Change::Put { collection: Collection::Streams, id: id.to_owned(), value }
}

fn delete(id: &str) -> Change {
    Change::Delete { collection: Collection::Streams, id: id.to_owned() }
}

fn documents(all: &[(&str, Value)]) -> BTreeMap<String, Value> {
    all.iter().map(|(id, value)| ((*id).to_owned(), value.clone())).collect()
}

#[tokio::test]
async fn both_stores_keep_the_same_and_still_have_it_when_opened_again() {
    let setting = Change::Put { collection: Collection::Settings, id: "a".to_owned(), value: json!(7) };
    let deep =
        json!({"url": "http://user:x@host/ü?a=\"b\"\r\n", "list": [1.5, null, true, {"x": []}], "empty": ""});
    // Batches, one after the other; and the streams that are there then.
    let steps = [
        (vec![], vec![]),
        (vec![put("a", json!({"n": 1}))], vec![("a", json!({"n": 1}))]),
        (vec![setting], vec![("a", json!({"n": 1}))]),
        (vec![put("a", json!(2)), put("b", json!(3))], vec![("a", json!(2)), ("b", json!(3))]),
        (vec![delete("nobody"), delete("a")], vec![("b", json!(3))]),
        (
            vec![put("c", json!(1)), put("c", json!(2)), delete("b"), put("b", json!(4))],
            vec![("b", json!(4)), ("c", json!(2))],
        ),
        (vec![put("b", json!(5)), delete("b"), delete("c")], vec![]),
        (vec![put("ünïcode id'; --", deep.clone())], vec![("ünïcode id'; --", deep.clone())]),
    ];
    for home in Home::both().await {
        let open = home.open().await;
        for (batch, expected) in &steps {
            open.store.write(batch.clone()).await.unwrap();
            let [streams, _] = open.all().await;
            assert_eq!(streams, documents(expected), "{}: {batch:?}", open.store.kind());
        }
        let before = open.all().await;
        assert_eq!(before[1], documents(&[("a", json!(7))]));
        assert_eq!(open.store.health(), Health::Ok);
        let figures = open.store.figures();
        assert!(figures.writes >= 7 && figures.reads >= 8 && figures.failures == 0, "{figures:?}");
        assert_eq!(figures.write_latency.buckets.iter().sum::<u64>(), figures.writes);
        open.close().await;
        let again = home.open().await;
        assert_eq!(again.all().await, before);
        again.close().await;
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_changes_nothing() {
    let too_long = "x".repeat(4 << 20);
    for home in Home::both().await {
        let open = home.open().await;
        open.store.write(vec![put("a", json!(1))]).await.unwrap();
        for (last, kind) in [(put("", json!(1)), Kind::Invalid), (put("c", json!(too_long)), Kind::TooLarge)]
        {
            let batch = vec![put("a", json!(2)), put("b", json!(2)), last];
            assert_eq!(open.store.write(batch).await.unwrap_err().kind(), kind);
            assert_eq!(open.all().await[0], documents(&[("a", json!(1))]));
        }
        open.close().await;
    }
}

#[tokio::test]
async fn five_thousand_documents_fit_into_one_batch() {
    for home in Home::both().await {
        let open = home.open().await;
        let id = |n: usize| format!("stream_{n}");
        let batch = (0..5_000).map(|n| put(&id(n), json!({"name": id(n), "priority": n % 10, "url": null})));
        open.store.write(batch.collect()).await.unwrap();
        let [streams, _] = open.all().await;
        assert_eq!(streams.len(), 5_000);
        assert_eq!(streams["stream_4999"], json!({"name": "stream_4999", "priority": 9, "url": null}));
        open.store.write((0..4_999).map(|n| delete(&id(n))).collect()).await.unwrap();
        assert_eq!(open.all().await[0].len(), 1);
        open.close().await;
    }
}

#[tokio::test]
async fn writes_at_the_same_time_are_each_whole_and_none_is_lost() {
    for home in Home::both().await {
        // Two that do not know of each other, as two servers with one store.
        let stores = [home.open().await, home.open().await];
        let mut writes = tokio::task::JoinSet::new();
        for n in 0..200 {
            let store = Arc::clone(&stores[n % 2].store);
            let batch = vec![put("left", json!(n)), put(&format!("n{n}"), json!(n)), put("right", json!(n))];
            writes.spawn(async move { store.write(batch).await });
        }
        while let Some(written) = writes.join_next().await {
            written.unwrap().unwrap();
            let [streams, _] = stores[0].all().await;
            assert_eq!(streams["left"], streams["right"], "half a batch");
        }
        for open in stores {
            assert_eq!(open.all().await[0].len(), 202);
            open.close().await;
        }
    }
}

#[tokio::test]
async fn what_sqlite_answered_is_in_the_files_a_crash_leaves() {
    let (folder, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = sqlite(folder.path()).await.unwrap();
    for n in 0..50 {
        open.store.write(vec![put(&format!("n{n}"), json!(n))]).await.unwrap();
    }
    // What is on the disk at this moment, without the end that SQLite makes when it is closed. Of what comes after it,
    // a power cut may leave anything.
    for name in ["onair.db", "onair.db-wal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let log = crashed.path().join("onair.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend([0x5a; 5_000]);
    std::fs::write(&log, bytes).unwrap();
    let recovered = sqlite(crashed.path()).await.unwrap();
    assert_eq!(recovered.all().await[0].len(), 50);
    recovered.close().await;
    open.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_store_of_ours_is_named_and_left_as_it_is() {
    let newer = |path: &Path| {
        let other = rusqlite::Connection::open(path).unwrap();
        other.execute_batch("CREATE TABLE x (y); PRAGMA user_version = 99").unwrap();
    };
    let foreign = |path: &Path| {
        rusqlite::Connection::open(path).unwrap().execute_batch("CREATE TABLE recipes (cake TEXT)").unwrap();
    };
    let damaged = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE x (y); INSERT INTO x VALUES (zeroblob(50000))").unwrap();
        drop(connection);
        let mut bytes = std::fs::read(path).unwrap();
        bytes[100..6_000].fill(0xff);
        std::fs::write(path, bytes).unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>); 5] = [
        ("it is damaged; put a copy in its place", &|path| {
            std::fs::write(path, "no database".repeat(500)).unwrap()
        }),
        ("it is damaged", &damaged),
        ("a newer onair made it (version 99; this one knows 1)", &newer),
        ("it is the database of another program", &foreign),
        ("can't be opened", &|path| std::fs::create_dir(path).unwrap()),
    ];
    for (expected, make) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onair.db");
        make(&path);
        let before = std::fs::read(&path).ok();
        let error = sqlite(folder.path()).await.err().unwrap_or_else(|| panic!("it opens: {expected}"));
        assert_eq!(error.kind(), Kind::Internal);
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(path.to_str().unwrap()), "{text}");
        assert!(before == std::fs::read(&path).ok(), "it was changed: {expected}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = sqlite(&file.path().join("below")).await.err().unwrap().to_string();
    assert!(error.contains("below can't be made"), "{error}");
}

#[tokio::test]
async fn a_file_that_another_program_keeps_locked_is_an_absence_that_ends_with_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let open = sqlite(folder.path()).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("onair.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = open.store.write(vec![put("a", json!(1))]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.detail(), "the store can't be written: another program has locked it");
    assert_eq!(open.away().await, "another program has locked it");
    other.execute_batch("COMMIT").unwrap();
    open.back().await;
    assert_eq!(open.all().await[0], BTreeMap::new());
    assert_eq!(open.store.figures().failures, 1);
    open.store.write(vec![put("a", json!(1))]).await.unwrap();
    open.close().await;
}

#[tokio::test]
async fn redis_killed_and_started_again_is_away_and_back_and_has_lost_nothing() {
    let mut redis = Redis::start(None).await;
    let open = connect(&redis.url(), None).await;
    for n in 0..20 {
        open.store.write(vec![put(&format!("n{n}"), json!(n))]).await.unwrap();
    }
    let before = open.all().await;
    for _ in 0..2 {
        redis.kill().await;
        open.away().await;
        let error = open.store.write(vec![put("x", json!(1))]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.detail().starts_with("the store (Redis) can't be written: "), "{}", error.detail());
        let error = open.store.read(Collection::Streams).await.unwrap_err();
        assert!(error.detail().starts_with("the store (Redis) can't be read: "), "{}", error.detail());
        redis.up().await;
        open.back().await;
        assert_eq!(open.all().await, before);
    }
    assert!(open.store.figures().failures >= 4);
    open.close().await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_at_the_start_is_waited_for() {
    let mut redis = Redis::down(None);
    let open = connect(&redis.url(), None).await;
    assert_eq!(open.away().await, "nothing listens at its address");
    assert_eq!(open.store.read(Collection::Streams).await.unwrap_err().kind(), Kind::Unavailable);
    redis.up().await;
    open.back().await;
    open.store.write(vec![put("a", json!(1))]).await.unwrap();
    open.close().await;
}

#[tokio::test]
async fn a_redis_that_hangs_costs_a_call_its_deadline_and_no_more() {
    let redis = Redis::start(None).await;
    let open = connect(&redis.url(), None).await;
    redis.freeze();
    let error = open.store.write(vec![put("a", json!(1))]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    open.away().await;
    redis.thaw();
    open.back().await;
    open.store.write(vec![put("a", json!(2))]).await.unwrap();
    open.close().await;
}

#[tokio::test]
async fn what_redis_refuses_is_said_and_ends_when_it_no_longer_does() {
    let redis = Redis::start(None).await;
    let open = connect(&redis.url(), None).await;
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let error = open.store.write(vec![put("a", json!(1)), put("b", json!(1))]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(!error.detail().contains("not known"), "{}", error.detail());
    assert_ne!(open.away().await, "");
    assert_eq!(open.all().await[0], BTreeMap::new());
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    open.back().await;
    open.store.write(vec![put("a", json!(1))]).await.unwrap();
    open.close().await;
}

#[tokio::test]
async fn a_key_of_another_program_is_not_touched() {
    let redis = Redis::start(None).await;
    redis.ask(&["SET", "onair:settings", "theirs"]).await;
    let open = connect(&redis.url(), None).await;
    assert_eq!(open.away().await, "its key onair:settings holds a string of another program");
    assert!(open.store.write(vec![put("a", json!(1))]).await.is_err());
    redis.ask(&["DEL", "onair:settings"]).await;
    open.back().await;
    open.close().await;
}

#[tokio::test]
async fn redis_is_used_with_its_password_only_and_nobody_sees_it() {
    let redis = Redis::start(Some("hunter2")).await;
    for (url, password, reason) in [
        (redis.url(), None, Some("it wants a password (REDIS_PASSWORD)")),
        (redis.url(), Some("hunter3"), Some("it refuses the password (REDIS_PASSWORD)")),
        (redis.url(), Some("hunter2"), None),
        (redis.url().replace("//", "//:hunter2@"), None, None),
        (redis.url().replace("//", "//:hunter3@"), Some("hunter2"), None),
    ] {
        let open = connect(&url, password).await;
        match reason {
            Some(reason) => assert_eq!(open.away().await, reason),
            None => open.store.write(vec![put("a", json!(1))]).await.unwrap(),
        }
        let shown = format!("{:?}", open.store.health());
        assert!(!shown.contains("hunter"), "{shown}");
        open.close().await;
    }
}
