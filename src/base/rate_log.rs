//! A flood of one message becomes one line a second, with the number that were left out.

use std::sync::Mutex;
use std::time::Duration;

use super::clock::Monotonic;

/// One per kind of message and thing it is about.
#[derive(Debug, Default)]
pub struct RateLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Monotonic>,
    left_out: u64,
}

impl RateLog {
    pub const EVERY: Duration = Duration::from_secs(1);

    /// `Some(number left out since the last line)` when a line may be written now.
    pub fn may_log(&self, now: Monotonic) -> Option<u64> {
        let mut state = self.0.lock().expect("no code that can panic runs under this lock");
        if state.last.is_some_and(|last| now.since(last) < Self::EVERY) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_says_how_many_it_stands_for() {
        let log = RateLog::default();
        let at = |ms| Monotonic::from_start(Duration::from_millis(ms));
        let lines: Vec<_> = (0..25).filter_map(|i| log.may_log(at(i * 100))).collect();
        assert_eq!(lines, [0, 9, 9]);
    }
}
