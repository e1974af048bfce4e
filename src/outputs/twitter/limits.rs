//! What the API of X lets us do, as its answers say. Pure.

/// The window that the last answer told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// Seconds since 1970: when the window begins anew.
    pub reset: Option<i64>,
}

/// A refusal that does not say until when.
const UNSAID: i64 = 60;

impl Limits {
    /// As the headers of an answer say; what they leave out stays. `refused`: it was 429.
    pub(super) fn told<'a>(&mut self, header: impl Fn(&str) -> Option<&'a str>, refused: bool, now: i64) {
        let number = |name: &str| header(name).and_then(|text| text.parse::<u64>().ok());
        self.limit = number("x-rate-limit-limit").or(self.limit);
        self.remaining = number("x-rate-limit-remaining").or(self.remaining);
        let reset = number("x-rate-limit-reset").and_then(|reset| i64::try_from(reset).ok());
        self.reset = reset.or(self.reset);
        if refused {
            self.remaining = Some(0);
            if self.reset.is_none_or(|reset| reset <= now) {
                self.reset = Some(now + UNSAID);
            }
        }
    }

    /// Seconds until something may be asked.
    pub(super) fn wait(&self, now: i64) -> i64 {
        match (self.remaining, self.reset) {
            (Some(0), Some(reset)) => (reset - now).max(0),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_while_nothing_is_left_and_a_new_window_ends_that() {
        let mut limits = Limits::default();
        assert_eq!(limits.wait(1000), 0);
        for (headers, refused, now, wait) in [
            (
                [
                    ("x-rate-limit-limit", "50"),
                    ("x-rate-limit-remaining", "3"),
                    ("x-rate-limit-reset", "1900"),
                ],
                false,
                1000,
                0,
            ),
            (
                [
                    ("x-rate-limit-limit", "50"),
                    ("x-rate-limit-remaining", "0"),
                    ("x-rate-limit-reset", "1900"),
                ],
                false,
                1000,
                900,
            ),
            (
                [
                    ("x-rate-limit-limit", "50"),
                    ("x-rate-limit-remaining", "9"),
                    ("x-rate-limit-reset", "1900"),
                ],
                true,
                1800,
                100,
            ),
            ([("", ""), ("", ""), ("", "")], true, 2000, 60),
            (
                [("x-rate-limit-limit", "no"), ("x-rate-limit-remaining", "-1"), ("x-rate-limit-reset", "")],
                false,
                2060,
                0,
            ),
        ] {
            let header =
                |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            limits.told(header, refused, now);
            assert_eq!(limits.wait(now), wait, "{headers:?}");
        }
    }
}
