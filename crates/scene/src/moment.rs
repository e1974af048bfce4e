//! Moments as RFC 3339 writes them. Pure arithmetic; nobody asks what time it is.

/// Ms since 1970 (UTC) of `2026-01-01T00:00:00Z`, with any offset and up to nine digits of a fraction.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
    };
    let sign = |at: usize, allowed: &[u8]| allowed.contains(bytes.get(at)?).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, allowed) in [(4, b"-".as_slice()), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")] {
        sign(at, allowed)?;
    }
    let fraction = match text.get(19..)?.strip_prefix('.') {
        None => "",
        Some(rest) => &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()],
    };
    let dotted = text[19..].starts_with('.');
    if (dotted && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let ms = fraction.bytes().chain(*b"000").take(3).fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    let zone = &text[19 + usize::from(dotted) + fraction.len()..];
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // A second may be the 60th: a leap second is taken for the one after it.
    if !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute;
    Some(((minutes - i64::from(offset_minutes(zone)?)) * 60 + second) * 1000 + ms)
}

/// `Z`, `UTC`, `+02:00`.
pub(crate) fn offset_minutes(text: &str) -> Option<i32> {
    if ["UTC", "Z", "z"].contains(&text) {
        return Some(0);
    }
    let bytes = text.as_bytes();
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *bytes else { return None };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    let (hours, minutes) = (two(h1, h2), two(m1, m2));
    let all = hours * 60 + minutes;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -all } else { all })
}

/// Days of the proleptic Gregorian calendar, by counting from a March so that February is last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500),
            ("2026-01-01T00:00:00Z", 1_767_225_600_000),
            ("2026-01-01T02:00:00+02:00", 1_767_225_600_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+2",
            "2026-01-01T00:00:00Zx",
            "२०२६-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
