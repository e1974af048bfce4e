//! The state of one destination, and when it is tried again. Pure: time comes in, nothing is done.
//!
//! Called by `destination`, which does what it says, and by whoever shows it.

use std::time::Duration;

use media::air::OutletError;

use super::backoff::Backoff;
use crate::base::clock::{Monotonic, Wall};

/// What a destination is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Switched off, or the program is not on air.
    Idle,
    Connecting,
    /// It takes what is sent.
    Live,
    /// It was lost, and is tried again.
    Reconnecting,
    /// The connection is there, and takes nothing.
    Stalled,
    /// It refuses us, or can't take what we make. Tried again all the same, where that may help.
    Failed,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Stalled => "stalled",
            Self::Failed => "failed",
        }
    }
}

/// The state machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    state: State,
    since: Wall,
    /// When it began to be live.
    opened: Option<Monotonic>,
    /// The last time something was taken.
    taken: Monotonic,
    backoff: Backoff,
    reconnects: u64,
    last_error: Option<String>,
}

/// A connection that has held so long counts as one.
const HELD: Duration = Duration::from_secs(5);
/// Nothing taken for so long is a stall, shown as such; the connection is given up later.
const STALLED: Duration = Duration::from_secs(3);

/// What comes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again after so long.
    Again(Duration),
    /// Nothing will help but another definition.
    Never,
}

impl Machine {
    pub(super) const fn new(seed: u64, wall: Wall) -> Self {
        Self {
            state: State::Idle,
            since: wall,
            opened: None,
            taken: Monotonic::from_start(Duration::ZERO),
            backoff: Backoff::new(seed),
            reconnects: 0,
            last_error: None,
        }
    }

    /// It is to be on air.
    pub(super) fn start(&mut self, wall: Wall) {
        self.backoff.reset();
        self.last_error = None;
        self.enter(State::Connecting, wall);
    }

    pub(super) fn opened(&mut self, now: Monotonic, wall: Wall) {
        if self.state != State::Connecting {
            self.reconnects += 1;
        }
        (self.opened, self.taken) = (Some(now), now);
        self.enter(State::Live, wall);
    }

    /// It took something.
    pub(super) fn took(&mut self, now: Monotonic) {
        self.taken = now;
    }

    pub(super) fn failed(&mut self, error: &OutletError, now: Monotonic, wall: Wall) -> Next {
        if self.opened.take().is_some_and(|opened| now.since(opened) >= HELD) {
            self.backoff.reset();
        }
        self.last_error = Some(error.to_string());
        let state = match error {
            OutletError::Refused(_) | OutletError::Tls(_) | OutletError::Unsupported(_) => State::Failed,
            _ => State::Reconnecting,
        };
        self.enter(state, wall);
        match error {
            OutletError::Unsupported(_) => Next::Never,
            _ => Next::Again(self.backoff.next(now)),
        }
    }

    /// It is over, as it should be.
    pub(super) fn ended(&mut self, wall: Wall) {
        self.opened = None;
        self.enter(State::Idle, wall);
    }

    /// As it looks `now`.
    pub(super) fn state(&self, now: Monotonic) -> State {
        let stalled = self.state == State::Live && now.since(self.taken) >= STALLED;
        if stalled { State::Stalled } else { self.state }
    }

    pub(super) const fn since(&self) -> Wall {
        self.since
    }

    pub(super) const fn reconnects(&self) -> u64 {
        self.reconnects
    }

    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    fn enter(&mut self, state: State, wall: Wall) {
        if self.state != state {
            (self.state, self.since) = (state, wall);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall() -> Wall {
        Wall("2026-01-01T00:00:00Z".parse().unwrap())
    }

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(ms))
    }

    fn lost() -> OutletError {
        OutletError::Unreachable("nobody listens there".to_owned())
    }

    #[test]
    fn a_destination_comes_up_is_lost_comes_back_and_ends() {
        let mut machine = Machine::new(1, wall());
        assert_eq!(machine.state(at(0)), State::Idle);
        machine.start(wall());
        assert_eq!(machine.state(at(0)), State::Connecting);
        machine.opened(at(100), wall());
        assert_eq!((machine.state(at(100)), machine.reconnects()), (State::Live, 0));
        let next = machine.failed(&lost(), at(10_000), wall());
        assert!(matches!(next, Next::Again(pause) if pause < Duration::from_millis(300)), "{next:?}");
        assert_eq!(machine.state(at(10_000)), State::Reconnecting);
        assert!(machine.last_error().is_some_and(|error| error.contains("nobody listens")));
        machine.opened(at(10_300), wall());
        assert_eq!((machine.state(at(10_300)), machine.reconnects()), (State::Live, 1));
        machine.ended(wall());
        assert_eq!(machine.state(at(10_400)), State::Idle);
    }

    #[test]
    fn what_takes_nothing_is_stalled_until_it_takes_again() {
        let mut machine = Machine::new(1, wall());
        machine.start(wall());
        machine.opened(at(0), wall());
        for (took, now, state) in [
            (None, 2900, State::Live),
            (None, 3000, State::Stalled),
            (Some(9000), 9000, State::Live),
            (None, 12_000, State::Stalled),
        ] {
            if let Some(took) = took {
                machine.took(at(took));
            }
            assert_eq!(machine.state(at(now)), state, "at {now}");
        }
    }

    #[test]
    fn a_refusal_is_a_failure_that_is_tried_again_and_only_what_cannot_work_is_not() {
        for (error, state, again) in [
            (OutletError::Refused("wrong key".to_owned()), State::Failed, true),
            (OutletError::Tls("expired".to_owned()), State::Failed, true),
            (OutletError::Unsupported("vp9 in flv".to_owned()), State::Failed, false),
            (OutletError::Stalled, State::Reconnecting, true),
            (OutletError::Timeout, State::Reconnecting, true),
            (OutletError::Disk("full".to_owned()), State::Reconnecting, true),
            (lost(), State::Reconnecting, true),
        ] {
            let mut machine = Machine::new(1, wall());
            machine.start(wall());
            let next = machine.failed(&error, at(0), wall());
            assert_eq!((machine.state(at(0)), matches!(next, Next::Again(_))), (state, again), "{error:?}");
        }
    }

    #[test]
    fn one_that_is_lost_as_soon_as_it_is_there_is_not_hammered() {
        let mut machine = Machine::new(1, wall());
        machine.start(wall());
        let mut now = 0;
        let mut tries = 0;
        while now < 60_000 {
            machine.opened(at(now), wall());
            now += 50;
            let Next::Again(pause) = machine.failed(&lost(), at(now), wall()) else { panic!("it gave up") };
            now += u64::try_from(pause.as_millis()).unwrap();
            tries += 1;
        }
        assert!(tries < 45, "{tries} tries in a minute");
    }
}
