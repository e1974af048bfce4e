//! Program time, and whether the program is on air: idle, live or paused.
//!
//! Pure: times come in. Program time is the milliseconds since the scene's store was made; it goes on while nothing
//! runs, and stands still while the program is paused. Kept as the pair of it and the wall clock, which are read together.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::clock::{Monotonic, Wall};

/// Whether the program is on air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not on air.
    Idle,
    Live,
    /// On air with a picture that stands still.
    Paused,
}

/// What a client asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Pause,
    Resume,
}

/// The times at which frames of the program stand: n / fps, in ms to the microsecond, as all of program time.
///
/// What begins at one of them moves as whole as it was meant: a picture that goes 7 px a frame stands on whole pixels in each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    fps: u32,
}

/// Which frame each beat of the clock is: counted, so that they are as far apart as the grid's lines, whatever the clock's phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// A show, its clock's beginning, and frame 0 of that beginning.
    from: Option<(Show, Monotonic, u64, u64)>,
}

/// The state, and how program time follows from the clock. Changed as a whole, never in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Show {
    pub state: State,
    /// Since when it is on air.
    pub since: Option<Wall>,
    /// Program time in ms at `read`.
    program: f64,
    read: Monotonic,
}

impl State {
    const ALL: [Self; 3] = [Self::Idle, Self::Live, Self::Paused];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Live => "live",
            Self::Paused => "paused",
        }
    }
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::Pause, Self::Resume];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

impl Grid {
    /// Of 1 to 60 frames a second.
    pub(super) const fn new(fps: u32) -> Self {
        Self { fps: if fps == 0 { 1 } else { fps } }
    }

    /// Program time of frame `number`, in ms.
    #[expect(clippy::cast_precision_loss, reason = "frames of a century are less than 2⁵³")]
    pub(super) fn time(self, number: u64) -> f64 {
        (number as f64 * 1e6 / f64::from(self.fps)).round() / 1000.0
    }

    /// The first frame that is not before `time`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    pub(super) fn number(self, time: f64) -> u64 {
        let before = (time * f64::from(self.fps) / 1000.0).floor() as u64;
        // Rounding may have put a frame's time on either side.
        (before.saturating_sub(1)..).find(|number| self.time(*number) >= time).unwrap_or(before)
    }

    /// The time of the first frame that is not before `time`.
    pub(super) fn at_or_after(self, time: f64) -> f64 {
        self.time(self.number(time))
    }
}

impl Count {
    /// Program time of the beat `beat`, due at `due`, of a clock that began at `begun`.
    pub(super) fn time(
        &mut self,
        grid: Grid,
        show: &Show,
        begun: Monotonic,
        beat: u64,
        due: Monotonic,
    ) -> f64 {
        let known = self.from.filter(|(of, since, ..)| (of, *since) == (show, begun));
        let (.., first_beat, first_frame) =
            *self.from.insert(known.unwrap_or_else(|| (*show, begun, beat, grid.number(show.time(due)))));
        grid.time(first_frame + beat.saturating_sub(first_beat))
    }
}

impl Show {
    /// Of a scene that is made now.
    pub fn new(read: Monotonic) -> Self {
        Self { state: State::Idle, since: None, program: 0.0, read }
    }

    /// Program time in ms, to the microsecond: numbers as short as that come back from JSON as they were.
    pub fn time(&self, now: Monotonic) -> f64 {
        let passed = if self.state == State::Paused { 0.0 } else { milliseconds(now.since(self.read)) };
        ((self.program + passed) * 1000.0).round() / 1000.0
    }

    /// The show after `action`; `None` when it makes no sense in this state.
    pub fn after(&self, action: Action, now: Monotonic, wall: Wall) -> Option<Self> {
        let (state, since) = match (action, self.state) {
            (Action::Start, State::Idle) => (State::Live, Some(wall)),
            (Action::Stop, State::Live | State::Paused) => (State::Idle, None),
            (Action::Pause, State::Live) => (State::Paused, self.since),
            (Action::Resume, State::Paused) => (State::Live, self.since),
            _ => return None,
        };
        Some(Self { state, since, program: self.time(now), read: now })
    }

    /// The same, its time now not before `time`: what has begun stays begun, also over a pause and a restart.
    pub(super) fn not_before(self, time: f64) -> Self {
        Self { program: self.program.max(time), ..self }
    }

    /// To be kept.
    pub(super) fn document(&self, now: Monotonic, wall: Wall) -> Value {
        json!({ "state": self.state.word(), "since": self.since, "program": self.time(now), "wall": wall.0 })
    }

    /// As it was kept, with the time that has passed since. A wall clock that was set back stands still.
    pub(super) fn restored(document: &Value, now: Monotonic, wall: Wall) -> Option<Self> {
        let word = document["state"].as_str()?;
        let state = State::ALL.into_iter().find(|state| state.word() == word)?;
        let kept = Wall(document["wall"].as_str()?.parse().ok()?);
        let since = document["since"].as_str().and_then(|text| text.parse().ok()).map(Wall);
        let away = Duration::try_from(wall.0.duration_since(kept.0)).unwrap_or_default();
        let away = if state == State::Paused { 0.0 } else { milliseconds(away) };
        let program = document["program"].as_f64().filter(|program| program.is_finite())?.max(0.0) + away;
        Some(Self { state, since, program, read: now })
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> (Monotonic, Wall) {
        let wall: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let ms = Duration::from_millis(ms);
        (Monotonic::from_start(ms), Wall(wall + ms))
    }

    #[test]
    fn what_makes_no_sense_now_is_refused_and_time_stands_still_in_a_pause_only() {
        let mut show = Show::new(at(0).0);
        for (ms, action, state, time) in [
            (10, Action::Stop, None, 10.0),
            (10, Action::Pause, None, 10.0),
            (10, Action::Resume, None, 10.0),
            (20, Action::Start, Some(State::Live), 20.0),
            (30, Action::Start, None, 30.0),
            (40, Action::Resume, None, 40.0),
            (50, Action::Pause, Some(State::Paused), 50.0),
            (90, Action::Pause, None, 50.0),
            (100, Action::Resume, Some(State::Live), 50.0),
            (110, Action::Pause, Some(State::Paused), 60.0),
            (200, Action::Stop, Some(State::Idle), 60.0),
            (300, Action::Stop, None, 160.0),
        ] {
            let (now, wall) = at(ms);
            let next = show.after(action, now, wall);
            assert_eq!(next.map(|show| show.state), state, "{action:?} at {ms}");
            show = next.unwrap_or(show);
            assert!((show.time(now) - time).abs() < 1e-9, "{action:?} at {ms}: {}", show.time(now));
            assert_eq!(show.since.is_some(), show.state != State::Idle);
        }
    }

    #[test]
    fn program_time_goes_on_while_nothing_runs_but_not_in_a_pause() {
        let (begin, wall) = at(0);
        let live = Show::new(begin).after(Action::Start, begin, wall).unwrap();
        let kept = live.document(at(1500).0, at(1500).1);
        // Another process, whose monotonic clock begins anew.
        let back = Show::restored(&kept, Monotonic::default(), at(61_500).1).unwrap();
        assert_eq!((back.state, back.since), (State::Live, Some(wall)));
        assert!((back.time(at(500).0) - 62_000.0).abs() < 1.0);
        let paused = live.after(Action::Pause, at(1000).0, at(1000).1).unwrap();
        let kept = paused.document(at(1500).0, at(1500).1);
        let back = Show::restored(&kept, Monotonic::default(), at(61_500).1).unwrap();
        assert!((back.time(at(9_000).0) - 1000.0).abs() < 1e-9);
        let back = Show::restored(&live.document(at(5000).0, at(5000).1), Monotonic::default(), at(1000).1);
        assert!((back.unwrap().time(Monotonic::default()) - 5000.0).abs() < 1e-9, "the clock was set back");
    }

    #[test]
    fn frames_stand_on_lines_of_the_grid_a_frame_apart_whatever_the_clocks_phase_also_after_a_pause() {
        for fps in [1, 24, 25, 30, 50, 60] {
            let grid = Grid::new(fps);
            assert_eq!(grid.number(0.0), 0);
            for number in [1, 2, 29, 30, 61, 100_003, 60 * 86_400 * 365] {
                let time = grid.time(number);
                assert_eq!(grid.number(time), number, "{fps} fps");
                assert_eq!(grid.number(time - 0.001), number, "{fps} fps");
                assert_eq!(grid.number(time + 0.001), number + 1, "{fps} fps");
                assert!((grid.at_or_after(time - 0.5) - time).abs() < 1e-9);
            }
            let micros = |us: u64| Monotonic::from_start(Duration::from_micros(us));
            for phase in [0, 1, 333, 16_666, 20_001] {
                let (begun, mut count) = (micros(phase), Count::default());
                let due = |beat: u64| begun + Duration::from_nanos(beat * 1_000_000_000 / u64::from(fps));
                let mut show = Show::new(micros(0));
                let first = grid.number(show.time(due(0)));
                for beat in 0..100 {
                    let time = count.time(grid, &show, begun, beat, due(beat));
                    assert!((time - grid.time(first + beat)).abs() < 1e-9, "{fps} fps, {phase} us, {beat}");
                    // What is asked for before the frame is due begins with it, or before.
                    assert!(grid.at_or_after(show.time(due(beat))) <= time);
                }
                show = show.after(Action::Start, due(100), at(0).1).unwrap();
                show = show.after(Action::Pause, due(100) + Duration::from_micros(7), at(0).1).unwrap();
                show = show.after(Action::Resume, due(200) + Duration::from_micros(77), at(0).1).unwrap();
                let after = grid.number(show.time(due(201)));
                for beat in 201..300 {
                    let time = count.time(grid, &show, begun, beat, due(beat));
                    assert!((time - grid.time(after + beat - 201)).abs() < 1e-9, "{fps} fps, {phase} us");
                }
            }
        }
    }

    #[test]
    fn what_was_not_written_by_us_is_no_show() {
        let good = Show::new(at(0).0).document(at(0).0, at(0).1);
        assert!(Show::restored(&good, at(0).0, at(0).1).is_some());
        for (field, value) in [
            ("state", json!("asleep")),
            ("wall", json!("noon")),
            ("program", json!("1")),
            ("state", json!(null)),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(Show::restored(&bad, at(0).0, at(0).1).is_none(), "{bad}");
        }
    }
}
