//! Low-latency HLS of the stand-in, followed by the puller alone: parts are taken as soon as they have a keyframe, the next one
//! is waited for where that gains more than it takes, and a server that can't be waited for is followed like any other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onair::egress::{Policy, Trust};
use onair::sources::{Captured, Puller, SegmentKind};
use sim::fault::Fault;

use crate::harness::{answer, client, eventually};
use crate::pull_hls::{Files, clock, file, puller, serve, shared};
use crate::pull_twitch::{Outside, number};
use crate::tools::{Program, onair, sooner_or_later};

/// Real time that a capture may take; half of it may be spent waiting.
const DEADLINE: Duration = Duration::from_secs(20);
const CHANNEL: &str = "sim_0001";
/// Milliseconds of a segment, and of a part of one.
const SEGMENT: u64 = 2000;
const PART: u64 = 500;

struct LowLatency(Outside);

impl LowLatency {
    async fn new() -> Self {
        let outside = Outside::new(|settings| settings.low_latency = true).await;
        // No capture shall have to wait for that.
        outside.world.prepare(&["160p30"]).await.unwrap();
        Self(outside)
    }

    fn puller(&self, list: &str) -> Puller {
        self.0.puller(&format!("{}/hls/{CHANNEL}/{list}.m3u8", self.0.address))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.clock.wall().0.as_millisecond()).unwrap()
    }

    /// Goes on to `millis` after the next start of a segment; gives that segment's number.
    fn go_to(&self, millis: u64) -> u64 {
        let (newest, begins) = self.0.world.newest(CHANNEL).unwrap();
        // The one after the newest is being made.
        self.0.clock.advance(Duration::from_millis(begins + 2 * SEGMENT + millis - self.now()));
        newest + 2
    }

    fn waiting(&self) -> bool {
        self.0.world.counters(Some(CHANNEL)).waiting > 0
    }

    fn playlists(&self) -> u64 {
        self.0.world.counters(Some(CHANNEL)).playlists
    }

    /// One capture; when it waits, the clock goes on until the next segment's first part is there. Whether it waited.
    async fn capture(&self, puller: &mut Puller) -> (Captured, bool) {
        let mut waited = false;
        let capture = puller.capture(DEADLINE);
        let clock = async {
            eventually("it waits", async || self.waiting()).await;
            let (_, begins) = self.0.world.newest(CHANNEL).unwrap();
            let since = self.now() - begins - SEGMENT;
            let next = if since < PART { PART } else { SEGMENT + PART };
            self.0.clock.advance(Duration::from_millis(next - since));
            waited = true;
            // Until the capture is done.
            std::future::pending::<()>().await;
        };
        let captured = tokio::select! {
            captured = capture => captured.unwrap(),
            () = clock => unreachable!("it never ends"),
        };
        self.check(&captured);
        (captured, waited)
    }

    /// The right picture at the right time.
    fn check(&self, captured: &Captured) {
        let sequence = captured.segment.as_ref().unwrap().sequence;
        assert_eq!(Some(number(captured)), self.0.world.number_at(CHANNEL, sequence));
        let (newest, begins) = self.0.world.newest(CHANNEL).unwrap();
        let begins = begins + SEGMENT * sequence - SEGMENT * newest;
        let at = u64::try_from(captured.media_time.0.as_millisecond()).unwrap();
        assert!(at.abs_diff(begins) <= 50, "{at} {begins}");
        assert!(captured.media_time_error <= Duration::from_millis(50));
    }

    /// How old the picture is now, ms.
    fn age(&self, captured: &Captured) -> u64 {
        self.now() - u64::try_from(captured.media_time.0.as_millisecond()).unwrap()
    }
}

fn place(captured: &Captured) -> (u64, Option<u32>) {
    let segment = captured.segment.as_ref().unwrap();
    (segment.sequence, segment.part)
}

#[tokio::test]
async fn the_newest_keyframe_is_that_of_a_part_or_of_one_worth_waiting_for() {
    let world = LowLatency::new().await;
    for list in ["master", "cmaf"] {
        let mut puller = world.puller(list);
        for (millis, segments_on, waits) in [
            (600, 0, false),
            (1100, 0, false),
            (1600, 1, true),
            (50, 0, true),
            (501, 0, false),
            (1999, 1, true),
        ] {
            let making = world.go_to(millis);
            let (captured, waited) = world.capture(&mut puller).await;
            assert_eq!(place(&captured), (making + segments_on, Some(0)), "{list} {millis}");
            assert_eq!(waited, waits, "{list} {millis}");
        }
        // Nothing was missed, and what was a part is a segment by now.
        let kinds: Vec<_> = puller.segments().map(|segment| segment.kind).collect();
        let (last, before) = kinds.split_last().unwrap();
        assert_eq!(*last, SegmentKind::Partial);
        assert!(before.iter().all(|kind| *kind == SegmentKind::Full), "{kinds:?}");
    }
}

#[tokio::test]
async fn pictures_are_younger_by_parts_and_younger_still_by_waiting() {
    let world = LowLatency::new().await;
    let mut rows = Vec::new();
    for low_latency in [false, true] {
        world.0.world.set_low_latency(CHANNEL, low_latency).unwrap();
        let (mut ages, mut waits) = (Vec::new(), Vec::new());
        for millis in (0..SEGMENT).step_by(100) {
            world.go_to(millis);
            let asked = world.now();
            let (captured, _) = world.capture(&mut world.puller("master")).await;
            ages.push(world.age(&captured));
            waits.push(world.now() - asked);
        }
        let mean = |of: &[u64]| of.iter().sum::<u64>() / of.len() as u64;
        let most = |of: &[u64]| of.iter().copied().max().unwrap();
        println!(
            "low latency {low_latency}: {} ms old in the mean, {} at the most; waited {} ms in the mean, {} at the most",
            mean(&ages),
            most(&ages),
            mean(&waits),
            most(&waits)
        );
        rows.push((mean(&ages), most(&ages), mean(&waits)));
    }
    let [plain, low] = rows[..] else { unreachable!("there are two") };
    assert!(plain.0 >= 2 * SEGMENT * 7 / 10 && plain.2 == 0, "{rows:?}");
    assert!(low.0 <= SEGMENT / 2 && low.1 < SEGMENT && low.2 <= PART, "{rows:?}");
}

#[tokio::test]
async fn waiting_ends_in_time_and_what_was_in_vain_is_not_tried_again_at_once() {
    let world = LowLatency::new().await;
    let mut puller = world.puller("master");
    // Too little time to wait in: what there is is taken.
    let making = world.go_to(1600);
    let before = world.playlists();
    let captured = puller.capture(Duration::from_secs(1)).await.unwrap();
    assert_eq!(place(&captured), (making, Some(0)));
    // To find out what the address leads to, and to follow it.
    assert_eq!(world.playlists() - before, 1);

    // It promises what it doesn't keep: the playlist stands still.
    let making = world.go_to(1600);
    world.0.world.fault(CHANNEL, Fault::PlaylistFrozen {}, None).unwrap();
    let (captured, waited) = world.capture(&mut puller).await;
    assert_eq!((place(&captured), waited), ((making, Some(0)), true));
    world.0.world.clear(CHANNEL).unwrap();
    for (seconds, waits) in [(2, false), (2, false), (60, true)] {
        world.0.clock.advance(Duration::from_secs(seconds));
        let making = world.go_to(1600);
        let (captured, waited) = world.capture(&mut puller).await;
        assert_eq!(waited, waits, "after {seconds} s");
        assert_eq!(place(&captured), (making + u64::from(waited), Some(0)));
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_be_waited_for_is_followed_as_any_other() {
    let world = LowLatency::new().await;
    world.go_to(1600);
    let (newest, _) = world.0.world.newest(CHANNEL).unwrap();
    let fetch = async |path: &str| {
        let answer = client().get(format!("{}/hls/{CHANNEL}/{path}", world.0.address)).send();
        answer.await.unwrap().bytes().await.unwrap().to_vec()
    };
    // The same list for ever, and nothing where it is asked for what is to come.
    let list = String::from_utf8(fetch("160p30.m3u8").await).unwrap();
    assert!(list.contains("CAN-BLOCK-RELOAD=YES"), "{list}");
    let mut files: Files = BTreeMap::from([("/160p30.m3u8".to_owned(), file("", list))]);
    for name in [format!("160p30/{}.0.ts", newest + 1), format!("160p30/{newest}.ts")] {
        files.insert(format!("/{name}"), file("video/mp2t", fetch(&name).await));
    }
    let address = serve(files.clone()).await;
    let clock = clock();
    let shared = Arc::new(shared(&clock, Policy::default()));
    let target = format!("{address}/160p30.m3u8");
    let captured = puller(&shared, &target, Trust::Operator).capture(DEADLINE).await.unwrap();
    assert_eq!(place(&captured), (newest + 1, Some(0)));

    // Nor is a part that is listed and not there anything but a reason to take the segment before.
    files.remove(&format!("/160p30/{}.0.ts", newest + 1));
    let address = serve(files).await;
    let target = format!("{address}/160p30.m3u8");
    let captured = puller(&shared, &target, Trust::Operator).capture(DEADLINE).await.unwrap();
    assert_eq!(place(&captured), (newest, None));
}

#[tokio::test]
async fn the_stand_in_s_file_and_option_say_whose_playlists_are_low_latency() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.yaml");
    let sim = |args: &[&str]| {
        let mut command = onair();
        command.args(["sim", "--port", "0", "--channels", "2", "--config"]).arg(&file).args(args);
        Program::start(&mut command)
    };
    std::fs::write(&file, "low_latency: [sim_0002]\n").unwrap();
    for (args, expected) in [(&[][..], [false, true]), (&["--low-latency"], [true, true])] {
        let program = sim(args);
        let mut address = None;
        sooner_or_later("it is live", async || {
            let said = program.said();
            address =
                said.split_once("live at ").and_then(|(_, rest)| Some(rest.split_once('\n')?.0.to_owned()));
            address.is_some()
        })
        .await;
        let told = answer(client().get(format!("{}/sim/channels", address.unwrap()))).await.json();
        let low = [0, 1].map(|channel| told["channels"][channel]["low_latency"].as_bool().unwrap());
        assert_eq!(low, expected, "{args:?}");
    }
    std::fs::write(&file, "low_latency: [nobody]\n").unwrap();
    let ended = sim(&[]).end().await;
    assert!(!ended.status.success() && ended.err.contains("no channel nobody"), "{}", ended.err);
}
