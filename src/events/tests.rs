use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use packs::{Pack, Read, Reading, Value};
use pixels::{I420, Matrix, Quad, Range};

use super::{Events, Filter, Limits, Parts};
use crate::base::clock::{Clock, MediaTime};
use crate::base::error::Kind;
use crate::base::queue::{self, Bound, Counter, Full, Sender};
use crate::base::tasks::Tasks;
use crate::bus::{self, Bus, Topic};
use crate::reading::{Coded, Crops, Record};
use crate::streams::{Registry, Settings, StreamName};

const PACK: &str = r##"
format = 1
id = "p"
name = "P"
version = "1.0.0"
[[screen]]
id = "match"
gate.signs = [{ kind = "luma", box = [0.0, 0.0, 1.0, 1.0], mean = [0.0, 255.0] }]
[[screen.region]]
id = "score"
box = [0.1, 0.1, 0.1, 0.1]
reader = { kind = "text", charset = "0123456789", values = { score = "int" } }
[[event]]
type = "goal"
when = "score increases by 1"
"##;

/// A world of events in a folder, fed by hand.
struct World {
    events: Events,
    records: Sender<Record>,
    tasks: Tasks,
    pack: Arc<Pack>,
    registry: Registry,
    bus: Arc<dyn Bus>,
}

impl World {
    async fn new(folder: &std::path::Path, limits: Limits) -> Self {
        Self::with(folder, limits, PACK).await
    }

    async fn with(folder: &std::path::Path, limits: Limits, pack: &str) -> Self {
        let (tasks, clock) = (Tasks::default(), Clock::real());
        let bound = Bound { items: 1000, weight: 1 << 30 };
        let (records, inbox) = queue::bounded(bound, Full::DropOldest, Counter::default());
        let settings =
            Settings { timeout: Duration::from_secs(300), max_concurrent: 10, max_buffer_frames: 10 };
        let registry = Registry::new(settings, clock.clone());
        let settings = bus::Settings { data_dir: folder.to_owned(), retention: BTreeMap::new() };
        let bus = bus::open(&settings, &tasks, &clock).await.unwrap();
        let events = Events::start(Parts {
            data_dir: folder.to_owned(),
            limits,
            clock,
            tasks: tasks.clone(),
            registry: registry.clone(),
            records: inbox,
            bus: Arc::clone(&bus),
        });
        let files = BTreeMap::from([("pack.toml".to_owned(), pack.as_bytes().to_vec())]);
        let pack = Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap());
        Self { events: events.await.unwrap(), records, tasks, pack, registry, bus }
    }

    fn show(&self, stream: &StreamName, second: i64, score: i64) {
        let coded = Coded::Jpeg(Bytes::from(format!("picture {second}")));
        self.show_as(stream, second, Some(score), coded);
    }

    /// Without a score: a picture that the gate refused.
    fn show_as(&self, stream: &StreamName, second: i64, score: Option<i64>, coded: Coded) {
        let reading = |score| Reading {
            pack: "p".into(),
            pack_version: "1.0.0".into(),
            screen: "match".into(),
            values: BTreeMap::from([("score".into(), Read { value: Value::Int(score), confidence: 0.9 })]),
        };
        // As bright as the second, so that a crop says which picture it is of.
        let mut picture = I420::new(64, 48, Range::Full, Matrix::Bt601);
        picture.y.fill(u8::try_from(second).unwrap());
        let quad = |x| Quad { x, y: 8.0, width: 20.0, height: 10.0, slant: 0.0 };
        let crops = Crops::cut(&picture, &[("score".into(), quad(4.0)), ("other".into(), quad(30.0))]);
        let record = Record {
            stream: stream.clone(),
            media_time: at(second),
            media_time_error: Duration::from_millis(40),
            frame: None,
            coded,
            pack: Arc::clone(&self.pack),
            crops: if score.is_some() { crops } else { Crops::default() },
            reading: score.map(|score| Arc::new(reading(score))),
        };
        self.records.send(record, 1);
    }

    async fn stop(self) {
        drop(self.records);
        assert!(self.tasks.stop(Duration::from_secs(10)).await);
    }
}

fn at(second: i64) -> MediaTime {
    MediaTime(Timestamp::from_second(1_800_000_000 + second).unwrap())
}

fn all() -> Limits {
    Limits { max_age: Duration::from_hours(24 * 36_500), max_events: 1000, max_evidence_bytes: 1 << 30 }
}

fn most(limit: usize) -> Filter {
    Filter { limit, ..Filter::default() }
}

#[tokio::test]
async fn an_event_is_written_down_with_its_first_picture_told_of_and_judged() {
    let place = tempfile::tempdir().unwrap();
    let world = World::new(place.path(), all()).await;
    let stream = StreamName::parse("cup").unwrap();
    let mut news = world.events.subscribe();
    for (second, score) in [(0, 0), (3, 0), (6, 0), (9, 1), (12, 1)] {
        world.show(&stream, second, score);
    }
    let told = news.recv().await.unwrap();
    assert_eq!((&*told.kind, &*told.stream, &*told.pack_version), ("goal", "cup", "1.0.0"));
    assert_eq!((&*told.media_time, told.media_time_error_ms), (&*at(9).to_string(), 3000));
    assert_eq!(told.detected_at, at(12).to_string());
    assert_eq!(
        (told.before.as_ref().unwrap()["score"].as_i64(), told.after["score"].as_i64()),
        (Some(0), Some(1))
    );
    let Coded::Jpeg(picture) = world.events.evidence(&told.id).await.unwrap() else {
        panic!("it was a JPEG")
    };
    assert_eq!(picture, "picture 9");

    let judged = world.events.judge(&told.id, Some(true)).await.unwrap();
    assert_eq!(judged.verdict, Some(true));
    let kept = place.path().join("evidence").join(&told.id).join("event.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!((kept["verdict"].as_bool(), kept["after"]["score"].as_i64()), (Some(true), Some(1)));

    let readings = world.events.readings(&stream, Some(at(6)), 2);
    let times: Vec<_> = readings.iter().map(|reading| reading.media_time.clone()).collect();
    assert_eq!(times, [at(12).to_string(), at(9).to_string()]);
    for id in ["", "nothing", "../events.db"] {
        assert_eq!(world.events.get(id).await.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(world.events.judge(id, None).await.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(world.events.evidence(id).await.unwrap_err().kind(), Kind::NotFound);
    }
    world.stop().await;
}

/// The luma in the middle of a JPEG.
fn brightness(jpeg: &[u8]) -> i32 {
    let header = pixels::jpeg::inspect(jpeg, 100).unwrap();
    let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
    pixels::jpeg::Decoder::new().unwrap().decode(jpeg, &header, &mut picture).unwrap();
    i32::from(picture.y.row(picture.height / 2)[picture.width as usize / 2])
}

#[tokio::test]
async fn the_evidence_is_the_first_picture_however_many_readings_must_confirm_it() {
    let stream = StreamName::parse("cup").unwrap();
    // Scores every three seconds after five of 0, and which of them is the goal; -1 is a picture that the gate refused.
    for (confirm, scores, first) in [
        (1, &[1][..], 0),
        (2, &[1, 1], 0),
        (3, &[1, 1, 1], 0),
        (5, &[1, 1, 1, 1, 1], 0),
        (3, &[1, 8, 1, -1, 1, 1], 0),
        (3, &[1, 0, 0, 1, 1, 1], 3),
    ] {
        let scores = [&[0; 5][..], scores].concat();
        let first = 3 * (5 + first);
        let place = tempfile::tempdir().unwrap();
        let pack = format!("{PACK}confirm = {confirm}\n");
        let world = World::with(place.path(), all(), &pack).await;
        let mut news = world.events.subscribe();
        for (second, score) in (0..).step_by(3).zip(&scores) {
            let coded = Coded::Jpeg(Bytes::from(format!("picture {second}")));
            world.show_as(&stream, second, Some(*score).filter(|score| *score >= 0), coded);
        }
        let told = news.recv().await.unwrap();
        let last = 3 * (i64::try_from(scores.len()).unwrap() - 1);
        let shown = |second| at(second).to_string();
        assert_eq!((&told.media_time, &told.detected_at), (&shown(first), &shown(last)), "{scores:?}");
        assert_eq!(told.frame_time, Some(shown(first)));
        let Coded::Jpeg(picture) = world.events.evidence(&told.id).await.unwrap() else { panic!("a JPEG") };
        assert_eq!(picture, format!("picture {first}"));
        // The box that the rule read, of that picture; not the one it did not.
        assert_eq!(told.crops.keys().collect::<Vec<_>>(), ["score"]);
        assert_eq!(told.crops["score"], format!("/api/events/{}/crops/score.jpg", told.id));
        let crop = world.events.crop(&told.id, "score").await.unwrap();
        assert!((brightness(&crop) - i32::try_from(first).unwrap()).abs() <= 2, "{scores:?}");
        for wrong in ["other", "", "../frame", "score.jpg"] {
            assert_eq!(world.events.crop(&told.id, wrong).await.unwrap_err().kind(), Kind::NotFound);
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn a_first_picture_too_large_to_be_kept_is_counted_and_the_evidence_says_of_when_it_is() {
    let place = tempfile::tempdir().unwrap();
    let world = World::new(place.path(), all()).await;
    let stream = StreamName::parse("cup").unwrap();
    let mut news = world.events.subscribe();
    for (second, score) in [(0, 0), (3, 0), (6, 1), (9, 1)] {
        let bytes = if second == 6 { 9 << 20 } else { 1000 };
        world.show_as(&stream, second, Some(score), Coded::Jpeg(Bytes::from(vec![7; bytes])));
    }
    let told = news.recv().await.unwrap();
    assert_eq!(
        (told.media_time.clone(), told.frame_time.clone()),
        (at(6).to_string(), Some(at(9).to_string()))
    );
    let Coded::Jpeg(picture) = world.events.evidence(&told.id).await.unwrap() else { panic!("a JPEG") };
    assert_eq!(picture.len(), 1000);
    world.events.judge(&told.id, Some(true)).await.unwrap();
    let kept = place.path().join("evidence").join(&told.id).join("event.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept["after"]["score"], 1, "what a check must read of that picture");
    let figures = world.events.figures();
    assert_eq!((figures.pictures_dropped, figures.pictures_bytes), (1, 0));
    world.stop().await;
}

#[tokio::test]
async fn crops_go_with_their_event() {
    let place = tempfile::tempdir().unwrap();
    let stream = StreamName::parse("cup").unwrap();
    let world = World::new(place.path(), all()).await;
    let mut news = world.events.subscribe();
    for (second, score) in [(0, 0), (3, 0), (6, 1), (9, 1)] {
        world.show(&stream, second, score);
    }
    let told = news.recv().await.unwrap();
    let kept = place.path().join("evidence").join(&told.id);
    assert!(kept.join("crops/score.jpg").is_file());
    world.stop().await;
    // The event is gone, as after a crash between the two: so is what was kept of it.
    let file = rusqlite::Connection::open(place.path().join("events.db")).unwrap();
    file.execute("DELETE FROM events", []).unwrap();
    drop(file);
    let world = World::new(place.path(), all()).await;
    world.stop().await;
    assert!(!kept.exists());
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_choose() {
    let place = tempfile::tempdir().unwrap();
    let world = World::new(place.path(), all()).await;
    let names = ["one", "two"].map(|name| StreamName::parse(name).unwrap());
    let mut news = world.events.subscribe();
    for second in 0..40 {
        for (name, every) in names.iter().zip([4, 8]) {
            world.show(name, 3 * second, second / every);
        }
    }
    for _ in 0..13 {
        news.recv().await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.events.list(Filter { cursor, ..most(5) }).await.unwrap();
        seen.extend(page.events.iter().map(|event| (event.media_time.clone(), event.id.clone())));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 13);
    assert!(seen.is_sorted_by(|a, b| a > b), "the newest first, each once");
    let count = async |filter| world.events.list(filter).await.unwrap().events.len();
    assert_eq!(count(Filter { stream: Some(names[1].clone()), ..most(100) }).await, 4);
    assert_eq!(count(Filter { kind: Some("kill".to_owned()), ..most(100) }).await, 0);
    let (since, until) = (Some(at(12)), Some(at(24)));
    assert_eq!(count(Filter { since, until, stream: Some(names[0].clone()), ..most(100) }).await, 1);
    let wrong = world.events.list(Filter { cursor: Some("x".to_owned()), ..most(5) }).await.unwrap_err();
    assert_eq!(wrong.kind(), Kind::Invalid);
    world.stop().await;
}

#[tokio::test]
async fn what_was_half_seen_before_a_restart_is_an_event_after_it() {
    let place = tempfile::tempdir().unwrap();
    let stream = StreamName::parse("cup").unwrap();
    let world = World::new(place.path(), all()).await;
    for (second, score) in [(0, 0), (3, 0), (6, 1)] {
        world.show(&stream, second, score);
    }
    world.stop().await;

    let world = World::new(place.path(), all()).await;
    let mut news = world.events.subscribe();
    let before = world.events.readings(&stream, None, 10);
    assert_eq!(before.len(), 3, "the readings of before are there again");
    world.show(&stream, 9, 1);
    let told = news.recv().await.unwrap();
    assert_eq!((told.media_time.clone(), told.media_time_error_ms), (at(6).to_string(), 3000));
    assert!(world.registry.is_empty());
    let kept = world.bus.read(Topic::Events, 0, 10, Duration::from_secs(10)).await.unwrap();
    let on_bus: Vec<serde_json::Value> =
        kept.iter().map(|message| serde_json::from_str(&message.payload).unwrap()).collect();
    assert_eq!((on_bus.len(), on_bus[0]["id"].as_str()), (1, Some(&*told.id)));
    world.stop().await;

    let world = World::new(place.path(), all()).await;
    assert_eq!(world.events.list(most(10)).await.unwrap().events, [(*told).clone()]);
    world.stop().await;
}

#[tokio::test]
async fn events_that_the_file_does_not_take_wait_and_none_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let world = World::new(place.path(), all()).await;
    let stream = StreamName::parse("cup").unwrap();
    let mut news = world.events.subscribe();
    // Somebody else holds the file.
    let other = rusqlite::Connection::open(place.path().join("events.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for (second, score) in [(0, 0), (3, 0), (6, 1), (9, 1)] {
        world.show(&stream, second, score);
    }
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let refused = async {
        while world.events.figures().delayed == 0 {
            again.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("it is refused");
    assert!(news.is_empty(), "nothing is told before it is written down");
    other.execute_batch("ROLLBACK").unwrap();
    for (second, score) in [(12, 1), (15, 2), (18, 2)] {
        world.show(&stream, second, score);
    }
    let (first, second) = (news.recv().await.unwrap(), news.recv().await.unwrap());
    assert_eq!(
        (first.media_time.clone(), second.media_time.clone()),
        (at(6).to_string(), at(15).to_string())
    );
    let figures = world.events.figures();
    assert_eq!((figures.events, figures.failed), (2, 0));
    assert_eq!(world.events.list(most(10)).await.unwrap().events.len(), 2);
    world.stop().await;
}
