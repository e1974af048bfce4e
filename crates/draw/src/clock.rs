//! What clocks and countdowns say.
//!
//! Called by the compositor with the time it is; the text is drawn by [`crate::Painter::figures`] when it differs from the last.

use std::fmt::Write;

use scene::content::{Clock, Countdown};

const SECOND: i64 = 1000;
const DAY: i64 = 86_400;

/// What a clock shows at `now`, in ms since 1970 (UTC).
#[must_use]
pub fn time_of_day(clock: &Clock, now: i64) -> String {
    let local = now.div_euclid(SECOND) + i64::from(clock.offset_minutes()) * 60;
    let (days, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    written(&clock.format, |out, sign| match sign {
        "yyyy" => write!(out, "{year:04}"),
        "MM" => write!(out, "{month:02}"),
        "dd" => write!(out, "{day:02}"),
        "HH" => write!(out, "{hour:02}"),
        "hh" => write!(out, "{twelve:02}"),
        "mm" => write!(out, "{minute:02}"),
        "ss" => write!(out, "{:02}", second % 60),
        "a" => out.write_str(if hour < 12 { "AM" } else { "PM" }),
        other => out.write_str(other),
    })
}

/// What a countdown shows at `now`, in ms since 1970 (UTC). A second that has begun counts as whole.
#[must_use]
pub fn time_left(countdown: &Countdown, now: i64) -> String {
    let left = countdown.to_ms().saturating_sub(now);
    if left <= 0
        && let Some(over) = &countdown.when_over
    {
        return over.clone();
    }
    let mut left = left.max(0).saturating_add(SECOND - 1) / SECOND;
    // The largest unit that is written takes all that is above it.
    let units = [("dd", DAY), ("hh", 3600), ("mm", 60), ("ss", 1)];
    let signs: Vec<&str> = Signs(&countdown.format).collect();
    let counts = units.map(|(sign, length)| {
        let count = if signs.contains(&sign) { left / length } else { 0 };
        left -= count * length;
        (sign, count)
    });
    written(&countdown.format, |out, sign| match counts.iter().find(|(of, _)| *of == sign) {
        Some((_, count)) => write!(out, "{count:02}"),
        None => out.write_str(sign),
    })
}

/// Writes each sign of a format; what is in '…' stands for itself.
fn written(format: &str, mut sign: impl FnMut(&mut String, &str) -> std::fmt::Result) -> String {
    let mut out = String::new();
    for part in Signs(format) {
        let quoted = part.strip_prefix('\'').map(|text| text.strip_suffix('\'').unwrap_or(text));
        match quoted {
            Some("") => out.push('\''),
            Some(text) => out.push_str(text),
            None => sign(&mut out, part).expect("a string takes all that is written"),
        }
    }
    out
}

/// Cuts a format into quoted parts, runs of one letter, and single other characters.
struct Signs<'a>(&'a str);

impl<'a> Iterator for Signs<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let length = if first == '\'' {
            self.0[1..].find('\'').map_or(self.0.len(), |end| end + 2)
        } else if first.is_ascii_alphabetic() {
            self.0.find(|c| c != first).unwrap_or(self.0.len())
        } else {
            first.len_utf8()
        };
        let (sign, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(sign)
    }
}

/// Year, month and day of a count of days since 1970 in the Gregorian calendar.
///
/// Eras of 400 years (146097 days) that begin in March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_says_the_time_in_its_zone_and_format() {
        let cases = [
            ("HH:mm:ss", "UTC", 0, "00:00:00"),
            ("HH:mm:ss", "+02:00", 0, "02:00:00"),
            ("yyyy-MM-dd HH:mm", "-05:30", 1_709_166_600_999, "2024-02-28 19:00"),
            ("dd.MM.yyyy", "UTC", 1_709_164_800_000, "29.02.2024"),
            ("hh:mm a", "UTC", 13 * 3_600_000, "01:00 PM"),
            ("hh:mm a", "UTC", 0, "12:00 AM"),
            ("HH 'Uhr' mm''", "UTC", 61_000, "00 Uhr 01'"),
            ("yyyy-MM-dd", "UTC", -1, "1969-12-31"),
            ("yyyy-MM-dd", "UTC", 951_782_400_000, "2000-02-29"),
            ("h — é 'open", "UTC", 0, "h — é open"),
        ];
        for (format, timezone, now, want) in cases {
            let clock =
                Clock { format: format.to_owned(), timezone: timezone.to_owned(), ..Clock::default() };
            assert_eq!(time_of_day(&clock, now), want, "{format}");
        }
    }

    #[test]
    fn the_largest_unit_of_a_countdown_takes_what_is_over() {
        let to = 1_767_225_600_000; // 2026-01-01T00:00:00Z
        let cases = [
            ("mm:ss", 10_000, "00:10"),
            ("mm:ss", 9001, "00:10"),
            ("mm:ss", 9000, "00:09"),
            ("mm:ss", 2 * 3_600_000 + 5000, "120:05"),
            ("hh:mm:ss", 26 * 3_600_000, "26:00:00"),
            ("dd'd' hh'h'", 26 * 3_600_000, "01d 02h"),
            ("ss", 100_000, "100"),
            ("mm:ss", 0, "00:00"),
            ("mm:ss", -5000, "00:00"),
        ];
        for (format, left, want) in cases {
            let mut countdown = Countdown {
                to: "2026-01-01T00:00:00Z".to_owned(),
                format: format.to_owned(),
                ..Countdown::default()
            };
            assert_eq!(time_left(&countdown, to - left), want, "{format} {left}");
            countdown.when_over = Some("Now!".to_owned());
            assert_eq!(time_left(&countdown, to - left) == "Now!", left <= 0, "{left}");
        }
    }
}
