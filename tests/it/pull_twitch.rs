//! Channels of the stand-in world followed by the puller alone: the right picture at the right time, each fault its state, and
//! everything well again when the fault is over.

use std::sync::Arc;
use std::time::Duration;

use onair::base::clock::Clock;
use onair::base::tasks::Tasks;
use onair::egress::{Client, Policy, Trust};
use onair::sources::{
    Captured, Cause, Failure, FailureKind, Puller, Quality, SegmentKind, Shared, Target, twitch,
};
use sim::fault::{Fault, Scope};
use sim::world::{Settings, World};
use tokio::net::TcpListener;

/// Real time that a capture may take; faults that stall get less.
const DEADLINE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const INTERVAL: Duration = Duration::from_secs(3);
const CHANNEL: &str = "sim_0001";

/// A world and pullers on one clock that tests move.
pub(crate) struct Outside {
    pub(crate) world: World,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: String,
}

impl Outside {
    pub(crate) async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Clock::simulated("2026-10-01T00:00:00Z".parse().unwrap());
        let hand = clock.clone();
        let since_1970 = move || hand.wall().0.duration_since(jiff::Timestamp::UNIX_EPOCH).unsigned_abs();
        let mut settings = Settings::new(Arc::new(since_1970), 2);
        settings.ladder = sim::ladder::small();
        settings.clips = sim::clip::Clip::drawn(1);
        change(&mut settings);
        let hash = settings.token_hash.clone();
        let world = World::new(settings).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
        tokio::spawn(sim::world::serve(listener, world.clone()));
        let twitch = twitch::Settings {
            gql_url: format!("{address}/gql").parse().unwrap(),
            usher_url: address.parse().unwrap(),
            client_id: "stand-in".to_owned(),
            token_hash: hash,
        };
        // Nothing is allowed to strangers: what the stand-in names is reached because the operator named the stand-in.
        let client = Client::new(Policy::default(), clock.clone());
        let shared = Arc::new(Shared::new(client, clock.clone(), Tasks::default(), twitch));
        Self { world, clock, shared, address }
    }

    pub(crate) fn puller(&self, target: &str) -> Puller {
        let target = Target::parse("username", target, Trust::Operator).unwrap();
        Puller::new(target, Trust::Operator, Arc::clone(&self.shared), Quality::default())
    }
}

pub(crate) fn number(captured: &Captured) -> u32 {
    let mut picture = pixels::I420::new(2, 2, pixels::Range::Limited, pixels::Matrix::Bt601);
    media::decode::decode(&captured.keyframe, &mut picture).unwrap();
    sim::picture::read_counter(&picture).expect("the stand-in's pictures carry their number")
}

#[tokio::test]
async fn a_channel_gives_its_newest_picture_and_when_that_was_seen() {
    let outside = Outside::new(|_| {}).await;
    let mut puller = outside.puller(CHANNEL);
    let mut last = None;
    for _ in 0..12 {
        let captured = puller.capture(DEADLINE).await.unwrap();
        let (newest, begins) = outside.world.newest(CHANNEL).unwrap();
        let segment = captured.segment.as_ref().unwrap();
        assert_eq!(segment.sequence, newest);
        assert_eq!(Some(number(&captured)), outside.world.number_at(CHANNEL, newest));
        let at = captured.media_time.0.as_millisecond();
        assert!(u64::try_from(at).unwrap().abs_diff(begins) <= 50, "{at} {begins}");
        assert!(captured.media_time_error <= Duration::from_millis(50));
        assert!(last.is_none_or(|last| last < captured.media_time));
        last = Some(captured.media_time);
        outside.clock.advance(INTERVAL);
    }
    let counts = outside.world.counters(Some(CHANNEL));
    assert_eq!((counts.tokens, counts.masters, counts.playlists), (1, 1, 12));
    assert!(counts.ranges == counts.segments && counts.segments <= 24, "{counts:?}");
    assert!(outside.world.counters(None).connections <= 2, "connections are kept");
    let sequences: Vec<_> = puller.segments().map(|segment| segment.sequence).collect();
    assert!(sequences.len() >= 15 && sequences.windows(2).all(|two| two[0] + 1 == two[1]), "{sequences:?}");
    let whole = puller.segments().filter(|segment| segment.kind == SegmentKind::Full).count();
    assert!(whole + 1 >= sequences.len(), "all but the one being made are whole");
    assert_eq!(puller.details().size, Some((284, 160)));
}

#[tokio::test]
async fn captures_far_apart_miss_no_segment_when_the_playlist_is_followed_between_them() {
    let outside = Outside::new(|_| {}).await;
    let mut followed = outside.puller(CHANNEL);
    let mut neglected = outside.puller(CHANNEL);
    for _ in 0..3 {
        followed.capture(DEADLINE).await.unwrap();
        neglected.capture(DEADLINE).await.unwrap();
        assert!(!followed.is_overdue());
        for _ in 0..6 {
            outside.clock.advance(Duration::from_secs(10));
            assert!(followed.is_overdue());
            followed.follow(DEADLINE).await;
        }
    }
    let gaps = |puller: &Puller| puller.segments().filter(|segment| segment.kind == SegmentKind::Gap).count();
    assert_eq!(gaps(&followed), 0);
    assert!(gaps(&neglected) > 0, "or there was nothing to follow for");
    let counts = outside.world.counters(Some(CHANNEL));
    assert!(counts.segments <= 2 * 6, "nothing but playlists is fetched between captures: {counts:?}");
}

#[tokio::test]
async fn between_new_segments_there_is_nothing_new() {
    let outside = Outside::new(|_| {}).await;
    let mut puller = outside.puller(CHANNEL);
    puller.capture(DEADLINE).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..8 {
        outside.clock.advance(Duration::from_millis(500));
        kinds.push(match puller.capture(DEADLINE).await {
            Ok(_) => "new",
            Err(Failure { kind: FailureKind::Unchanged, .. }) => "unchanged",
            Err(other) => panic!("{other}"),
        });
    }
    assert!((2..=4).contains(&kinds.iter().filter(|kind| **kind == "new").count()), "{kinds:?}");
}

#[tokio::test]
async fn little_more_is_fetched_than_the_pictures_need() {
    let outside = Outside::new(|_| {}).await;
    let mut puller = outside.puller(CHANNEL);
    let (mut fetched, mut needed) = (0, 0);
    for round in 0..40 {
        let captured = puller.capture(DEADLINE).await.unwrap();
        if round > 0 {
            fetched += captured.fetched_bytes;
            needed += captured.keyframe_bytes;
        }
        outside.clock.advance(INTERVAL);
    }
    // The smallest quality: packets' heads, tables and sound weigh more beside its little pictures than beside others'.
    assert!(fetched * 10 <= needed * 16, "{fetched} for {needed}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_nobody_notices() {
    let outside = Outside::new(|settings| settings.token_life = Duration::from_secs(300)).await;
    let mut puller = outside.puller(CHANNEL);
    for _ in 0..300 {
        puller.capture(DEADLINE).await.unwrap();
        outside.clock.advance(INTERVAL);
    }
    let counts = outside.world.counters(Some(CHANNEL));
    assert!((4..=8).contains(&counts.tokens), "{counts:?}");
    assert_eq!(counts.refused, 0);
}

/// What a fault ends in.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Works,
    Kind(FailureKind),
    /// One of these, by where it strikes.
    Either(&'static [FailureKind]),
    /// Harmless when it strikes after the keyframe, this when before.
    WorksOr(FailureKind),
}

fn error(cause: Cause) -> Ends {
    Ends::Kind(FailureKind::Error(cause))
}

fn ends(fault: &Fault) -> Ends {
    use FailureKind::{Ad, Error, Offline};
    match fault {
        Fault::Offline {} | Fault::Banned {} | Fault::Renamed { .. } => Ends::Kind(Offline),
        Fault::ClientIntegrity {} => error(Cause::Integrity),
        Fault::ServerErrors { on: Scope::Token, .. } => error(Cause::Token),
        Fault::ServerErrors { on: Scope::Segment, .. }
        | Fault::SegmentEmpty {}
        | Fault::SegmentHtml {}
        | Fault::SegmentMissing {} => error(Cause::Segment),
        Fault::Reset { on: Scope::Segment } => Ends::WorksOr(Error(Cause::Segment)),
        Fault::ServerErrors { .. }
        | Fault::PlaylistHtml {}
        | Fault::PlaylistHuge { .. }
        | Fault::PlaylistMany { .. }
        | Fault::PlaylistEmpty {}
        | Fault::Reset { .. } => error(Cause::Playlist),
        Fault::PlaylistFrozen {} => error(Cause::Frozen),
        Fault::PlaylistBackwards {} => error(Cause::Backwards),
        Fault::PlaylistFileUris {} => error(Cause::Refused),
        Fault::SegmentTruncated {} => Ends::Either(&[Error(Cause::Keyframe), Error(Cause::Segment)]),
        Fault::Encrypted { .. } => error(Cause::Encrypted),
        Fault::AudioOnly {} => error(Cause::NoVideo),
        Fault::Stall { .. } | Fault::Trickle { .. } => error(Cause::Timeout),
        Fault::Ads { .. } => Ends::Kind(Ad),
        Fault::Gap {} => Ends::Kind(FailureKind::Unchanged),
        // Nothing that a capture would suffer from.
        Fault::TokenExpired {}
        | Fault::WrongPts {}
        | Fault::ResolutionChange {}
        | Fault::NoRange {}
        | Fault::Slow { .. }
        | Fault::ClockSkew { .. }
        | Fault::Discontinuity {} => Ends::Works,
    }
}

/// Captures at a channel's pace until one ends as it should; the last end otherwise.
async fn until(
    outside: &Outside,
    puller: &mut Puller,
    ends: Ends,
    deadline: Duration,
) -> Result<(), Result<Captured, Failure>> {
    let mut last = None;
    for _ in 0..12 {
        outside.clock.advance(INTERVAL);
        let got = puller.capture(deadline).await;
        let as_it_should = match (&got, ends) {
            (Ok(_), Ends::Works) => true,
            (Err(failure), Ends::Kind(kind)) => failure.kind == kind,
            (Err(failure), Ends::Either(kinds)) => kinds.contains(&failure.kind),
            (Ok(_), Ends::WorksOr(_)) => true,
            (Err(failure), Ends::WorksOr(kind)) => failure.kind == kind,
            _ => false,
        };
        if as_it_should {
            return Ok(());
        }
        last = Some(got);
    }
    Err(last.expect("it was tried"))
}

#[tokio::test]
async fn each_fault_ends_in_its_state_and_is_over_when_it_is_over() {
    let outside = Outside::new(|_| {}).await;
    let mut faults = Fault::all();
    for on in [Scope::Token, Scope::Master, Scope::Playlist, Scope::Segment] {
        faults.push(Fault::Stall { on });
        faults.push(Fault::Reset { on });
        faults.push(Fault::ServerErrors { probability: 1.0, status: 503, on });
    }
    let mut neighbour = outside.puller("sim_0002");
    neighbour.capture(DEADLINE).await.unwrap();
    let mut wrong = Vec::new();
    for fault in faults {
        let mut puller = outside.puller(CHANNEL);
        puller.capture(DEADLINE).await.unwrap();
        outside.world.fault(CHANNEL, fault.clone(), None).unwrap();
        // Where a followed channel no longer asks, a channel that begins to be followed does.
        let begins = matches!(
            fault,
            Fault::ClientIntegrity {}
                | Fault::Stall { on: Scope::Token | Scope::Master }
                | Fault::Reset { on: Scope::Token | Scope::Master }
                | Fault::ServerErrors { on: Scope::Token | Scope::Master, .. }
                | Fault::Offline {}
                | Fault::Banned {}
                | Fault::Renamed { .. }
        );
        let mut other = outside.puller(CHANNEL);
        let struck = if begins { &mut other } else { &mut puller };
        let expected = match &fault {
            Fault::ServerErrors { on: Scope::Master, .. } | Fault::Reset { on: Scope::Master } => {
                error(Cause::Resolve)
            }
            Fault::Reset { on: Scope::Token } => error(Cause::Token),
            fault => ends(fault),
        };
        let short = matches!(fault, Fault::Stall { .. } | Fault::Trickle { .. });
        let deadline = if short { SHORT } else { DEADLINE };
        if let Err(got) = until(&outside, struck, expected, deadline).await {
            let got = got.map(|captured| captured.media_time);
            wrong.push(format!("{fault:?} should end as {expected:?}, and is {got:?}"));
        }
        neighbour.capture(DEADLINE).await.expect("the neighbour has no fault");
        outside.world.clear(CHANNEL).unwrap();
        for (puller, which) in [(puller, "followed"), (other, "new")] {
            let mut puller = puller;
            if let Err(got) = until(&outside, &mut puller, Ends::Works, DEADLINE).await {
                wrong.push(format!("{fault:?} is over for a {which} puller, and it is {:?}", got.err()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
