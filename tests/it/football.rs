//! Whole football matches, drawn, read by the pack that comes along, picture by picture: every goal once and none false, also when
//! some of what is read is wrong. And the same from end to end: fetched, read, told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onair::base::clock::Clock;
use onair::base::tasks::Tasks;
use packs::rules::{Event, State};
use packs::{Pack, Reading, Session, Tools, Value};
use pixels::jpeg::{self, Decoder, Encoder};
use pixels::{I420, Matrix, Range};
use reqwest::Method;
use serde_json::{Value as Json, json};
use sim::clip::Clip;
use sim::hud::{self, Drawing, Game, Stage};
use sim::ladder::{Rendition, Video};
use sim::world::{Settings, World, serve};

use crate::harness::{Server, Ws, answer, eventually};
use crate::tools::onair as command;

/// Halves of four and a half minutes, as the game has them.
const LENGTH: Duration = Duration::from_secs(600);
const STAGE: Stage = Stage { width: 854, height: 480, title: 0 };
const SEEDS: u64 = 20;
/// Of a thousand values that are read.
const CORRUPTED: u64 = 20;

fn pack() -> Arc<Pack> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/fifa20/pack.toml");
    let files = BTreeMap::from([("pack.toml".to_owned(), std::fs::read(path).unwrap())]);
    Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap_or_else(|problems| panic!("{problems:#?}")))
}

/// Numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

/// A match as it is read: a picture every few seconds, and what was read of it.
type Film = Vec<(Duration, Option<Reading>)>;

/// Draws, codes and reads a match from its first picture to its last.
fn watch(pack: &Arc<Pack>, seed: u64, every: Duration) -> Film {
    let mut drawing = Drawing::new(Game::Football, seed, LENGTH, STAGE);
    let (mut session, mut tools) = (Session::default(), Tools::default());
    let (mut drawn, mut picture) =
        (I420::new(2, 2, Range::Full, Matrix::Bt601), I420::new(2, 2, Range::Full, Matrix::Bt601));
    let mut encoder = Encoder::new(70).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut film = Film::new();
    // Where in the interval the first picture lies differs.
    let mut at = Duration::from_millis(seed * 311 % 3000);
    while at < LENGTH {
        drawing.draw(at, &mut drawn);
        let bytes = encoder.encode(&drawn).unwrap();
        let header = jpeg::inspect(&bytes, 8192).unwrap();
        decoder.decode(&bytes, &header, &mut picture).unwrap();
        let outcome = session.read(std::slice::from_ref(pack), &picture, &mut tools, &|| Duration::ZERO);
        film.push((at, outcome.reading));
        at += every;
    }
    // What comes after it shows nothing of it.
    for _ in 0..40 {
        film.push((at, None));
        at += every;
    }
    film
}

/// The same with other digits, nothing, or unsure in some values of each reading.
fn corrupted(film: &Film, dice: &mut Dice) -> Film {
    let spoil = |dice: &mut Dice, reading: &Reading| {
        let mut reading = reading.clone();
        for id in ["clock", "score.home", "score.away"] {
            if dice.below(1000) >= CORRUPTED {
                continue;
            }
            let Some(read) = reading.values.get_mut(id) else { continue };
            match dice.below(3) {
                0 => drop(reading.values.remove(id)),
                1 => read.confidence = 0.4,
                _ => {
                    read.value = match &read.value {
                        Value::Clock { .. } => {
                            let seconds = i64::try_from(dice.below(6000)).unwrap();
                            let shown = format!("{:02}:{:02}", seconds / 60, seconds % 60).into();
                            Value::Clock { seconds, shown }
                        }
                        _ => Value::Int(i64::try_from(dice.below(30)).unwrap()),
                    };
                }
            }
        }
        reading
    };
    film.iter().map(|(at, reading)| (*at, reading.as_ref().map(|reading| spoil(dice, reading)))).collect()
}

fn millis(at: Duration) -> i64 {
    i64::try_from(at.as_millis()).unwrap()
}

fn events(pack: &Pack, film: &Film) -> Vec<Event> {
    let mut state = State::default();
    let step = |(at, reading): &(Duration, Option<Reading>)| {
        pack.rules.step(&mut state, reading.clone().map(Arc::new).as_ref(), millis(*at))
    };
    film.iter().flat_map(step).collect()
}

/// Kind and side of what is told, in its order.
fn told(events: &[Event]) -> Vec<(String, String)> {
    let side = |event: &Event| event.data.get("side").and_then(|side| side.as_str()).unwrap_or("").to_owned();
    events.iter().map(|event| (event.kind.to_string(), side(event))).collect()
}

/// `late`: by how much an event may be dated after it happened, in milliseconds.
fn check(pack: &Pack, seed: u64, film: &Film, late: i64, what: &str) {
    let truth = hud::events(Game::Football, seed, LENGTH, Duration::ZERO, LENGTH);
    let expected: Vec<(String, String)> = truth
        .iter()
        .map(|event| {
            let side = event.data.get("side").and_then(|side| side.as_str()).unwrap_or("");
            (event.kind.to_owned(), side.to_owned())
        })
        .collect();
    let found = events(pack, film);
    assert_eq!(told(&found), expected, "seed {seed}, {what}");
    for (found, truth) in found.iter().zip(&truth) {
        let (at, from) = (found.at, millis(truth.at));
        // The clock passes 45:00 before the whistle, by the time that is added.
        let (early, late) = if truth.kind == "half_time" { (30_000, late) } else { (0, late) };
        assert!(
            at >= from - early && at <= from + late,
            "seed {seed}, {what}: {} at {at}, is {from}",
            truth.kind
        );
        if truth.kind == "goal" {
            assert!(!found.data.contains_key("uncertain") && found.data["team"] == truth.data["team"]);
            assert!(found.values.iter().any(|id| id.starts_with("score.")));
        }
    }
}

#[test]
fn of_whole_drawn_matches_every_goal_is_told_once_and_none_is_false() {
    let pack = pack();
    let matches = |seeds: std::ops::Range<u64>| {
        for seed in seeds {
            let film = watch(&pack, seed, Duration::from_secs(3));
            // Shown for a moment, hidden by a replay for 8 s, read up to 6 s later.
            check(&pack, seed, &film, 18_000, "as it was read");
            for spoiled in 0..20 {
                let mut dice = Dice(1000 * seed + spoiled);
                let film = corrupted(&film, &mut dice);
                check(&pack, seed, &film, 24_000, &format!("corrupted, {spoiled}"));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| matches(0..SEEDS / 2));
        matches(SEEDS / 2..SEEDS);
    });
}

/// A channel that shows one match, from just before a goal on; its time goes on when the test says so.
struct Live {
    world: World,
    url: String,
    ahead: Arc<AtomicU64>,
}

impl Live {
    const CHANNEL: &str = "sim_0001";
    /// Of a segment, which is as often as a plain playlist has a new keyframe.
    const SEGMENT: u64 = 2000;
    /// Times 8 s: in a shorter match the clock runs faster than any game's, and packs take what it shows for another time's.
    const STEPS: u32 = 53;

    /// A seed, and a goal of it before which the board stood there for long enough.
    fn goal() -> (u64, Duration) {
        let length = Duration::from_secs(8 * u64::from(Self::STEPS));
        let board =
            |seed, at| hud::truth(Game::Football, seed, length, at, STAGE).values.contains_key("clock");
        let goals = (0..).flat_map(|seed| {
            let events = hud::events(Game::Football, seed, length, Duration::ZERO, length);
            let goals = events.into_iter().filter(|event| event.kind == "goal");
            goals.map(move |goal| (seed, goal.at))
        });
        let mut fit = goals.filter(|(seed, goal)| {
            (1..26).all(|second| board(*seed, goal.saturating_sub(Duration::from_secs(second))))
        });
        fit.next().expect("some goal is like that")
    }

    async fn start() -> Self {
        let (seed, goal) = Self::goal();
        // Stands still until the test moves it: however slow the machine is, nothing is passed by.
        let began = u64::try_from(Clock::real().wall().0.as_millisecond()).unwrap();
        let ahead = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&ahead);
        let now = move || Duration::from_millis(began + hand.load(Ordering::Relaxed));
        let mut settings = Settings::new(Arc::new(now), 1);
        let video = Video { width: 854, height: 480, fps: 2, kbps: 1200, b_frames: 0 };
        settings.ladder = vec![Rendition::new("480p2", "480p", video)];
        settings.clips = vec![Clip::Hud { game: Game::Football, seed, number: 1 }];
        settings.loop_steps = Self::STEPS;
        settings.uptime = Some(goal.saturating_sub(Duration::from_secs(16)));
        let world = World::new(settings).unwrap();
        world.prepare(&[]).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hls/{}/master.m3u8", listener.local_addr().unwrap(), Self::CHANNEL);
        Tasks::default().spawn("stand-in", serve(listener, world.clone()));
        Self { world, url, ahead }
    }

    fn next_segment(&self) {
        self.ahead.fetch_add(Self::SEGMENT, Ordering::Relaxed);
    }

    /// What is truly there at a media time.
    fn truth(&self, media_time: &str) -> hud::Truth {
        let at: jiff::Timestamp = media_time.parse().unwrap();
        self.world.truth(Self::CHANNEL, u64::try_from(at.as_millisecond()).unwrap()).unwrap()
    }
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All that was read is what is truly there.
fn is_true(reading: &Json, truth: &hud::Truth) {
    for (id, value) in &truth.values {
        if let Some(read) = reading["values"].pointer(&format!("/{}", id.replace('.', "/"))) {
            assert_eq!(shown(read), shown(value), "{id} of {reading}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_on_a_fetched_channel_is_told_with_the_picture_and_the_boxes_it_was_first_seen_in() {
    let live = Live::start().await;
    // The same address, by hand.
    let (folder, url) = (tempfile::tempdir().unwrap(), live.url.clone());
    let read = tokio::task::spawn_blocking(move || {
        command().current_dir(folder.path()).args(["pack", "read", "fifa20", &url]).output().unwrap()
    });
    let read = read.await.unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: Json = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!((&read["pack"], &read["screen"]), (&json!("fifa20"), &json!("board")));

    let server = Server::start(&[("capture.interval", "0.2"), ("egress.allow_private", "true")]).await;
    let mut ws = Ws::open(&server.ws_url("/ws")).await;
    ws.next().await;
    ws.send_json(&json!({ "type": "subscribe", "payload": { "topics": ["event"] }, "ref": 1 })).await;
    assert_eq!(ws.next().await["type"], "ack");
    let stream = json!({ "name": "cup", "url": live.url, "pack": "fifa20" });
    let added = answer(server.request(Method::POST, "/api/streams").json(&stream)).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let told = async {
        loop {
            let told = ws.next().await;
            if told["payload"]["type"] == "goal" {
                return told["payload"].clone();
            }
        }
    };
    let captures = async || server.stream("cup").await["successful_captures"].as_u64().unwrap_or(0);
    let film = async {
        for _ in 0..40 {
            let before = captures().await;
            live.next_segment();
            eventually("the next segment is captured", async || captures().await > before).await;
        }
    };
    let event = tokio::select! { event = told => event, () = film => panic!("no goal was told") };
    goal_is_true(&server, &live, &event).await;
    server.stop().await;
}

async fn goal_is_true(server: &Server, live: &Live, event: &Json) {
    let at: jiff::Timestamp = event["media_time"].as_str().unwrap().parse().unwrap();
    let at = u64::try_from(at.as_millisecond()).unwrap();
    let truth = live.world.events(Live::CHANNEL, at - 20_000, at + 1);
    let (fell, goal) = truth.iter().rev().find(|(_, event)| event.kind == "goal").expect("it is a goal");
    // A replay may hide the board at once; after it there is the next keyframe.
    assert!(at - fell <= 14_000, "it fell at {fell}, told at {at}");
    assert_eq!((&event["data"]["side"], &event["data"]["team"]), (&goal.data["side"], &goal.data["team"]));
    assert_eq!(event["frame_time"], event["media_time"]);
    assert!(event["media_time"].as_str() < event["detected_at"].as_str());
    let frame = server.get(event["frame"].as_str().unwrap()).await;
    assert_eq!(jpeg::inspect(&frame.body, 8192).unwrap().shown_size(), (854, 480));
    let crops = event["crops"].as_object().unwrap();
    let team = format!("team.{}", goal.data["side"].as_str().unwrap());
    assert_eq!(crops.keys().collect::<Vec<_>>(), ["clock", "score", &team]);
    for (name, path) in crops {
        let crop = server.get(path.as_str().unwrap()).await;
        let (width, height) = jpeg::inspect(&crop.body, 8192).unwrap().shown_size();
        assert!(
            crop.status == 200 && (30..80).contains(&width) && (14..32).contains(&height),
            "{name}: {width}"
        );
    }
    server.get(&format!("{}x", crops["score"].as_str().unwrap())).await.problem(404);
    // The picture that is kept shows the new score.
    let pack = "/api/packs/fifa20/read";
    let again = server.request(Method::POST, pack).header("content-type", "image/jpeg").body(frame.body);
    assert_eq!(answer(again).await.json()["values"]["score"], event["after"]["score"]);
    let readings = server.get("/api/streams/cup/readings?limit=100").await.json();
    assert!(readings["count"].as_u64().unwrap() >= 5);
    for reading in readings["readings"].as_array().unwrap() {
        is_true(reading, &live.truth(reading["media_time"].as_str().unwrap()));
    }
    let score = &event["after"]["score"];
    let mut shows_it = readings["readings"].as_array().unwrap().iter().rev();
    let first = shows_it.find(|reading| reading["values"]["score"] == *score).unwrap();
    assert_eq!(first["media_time"], event["media_time"], "of the first picture that shows it");
    assert!(server.metric("onair_events_total").await >= Some(1.0));
    assert_eq!(server.metric("onair_events_without_evidence_total").await, Some(0.0));
    let all = server.get("/api/events?stream=cup&type=goal").await.json();
    assert_eq!((all["count"].as_u64(), &all["events"][0]["id"]), (Some(1), &event["id"]));
}
