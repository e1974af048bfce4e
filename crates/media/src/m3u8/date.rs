//! The dates of playlists (ISO 8601 as RFC 8216, 4.3.2.6, has it) in microseconds since 1970.

const DAY: i64 = 86_400;

/// Reads `2023-09-17T02:31:48.242Z`; also with `+02:00`, `+0200`, `+02` or no zone (UTC) at the end, and any number of decimals.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-').map(|part| digits(part, 2, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':').map(|part| digits(part, 2, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // A leap second counts as the one after it.
    let sane =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour <= 24 && minute < 60 && second <= 60;
    if !sane || date.split('-').next()?.len() != 4 {
        return None;
    }
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(seconds * 1_000_000 + decimals(fraction)?)
}

fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let right = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

/// The first six decimals, in millionths.
fn decimals(text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(
        text.bytes()
            .chain(std::iter::repeat(b'0'))
            .take(6)
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')),
    )
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = zone.strip_prefix('-').map_or((1, zone.strip_prefix('+')), |zone| (-1, Some(zone)));
    let (hours, minutes) = zone?.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2, 2)? };
    let hours = digits(hours, 2, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days from 1970 to a date of the Gregorian calendar. Years are counted from March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 306 is the day of March 1 to the next year's January 1; 719468 days lie between March 1 of year 0 and 1970.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_form_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-03-01T00:00:00Z", Some(951_868_800_000_000)),
            ("2000-02-29T23:59:59.999999Z", Some(951_868_799_999_999)),
            ("2023-09-17T02:31:48.242Z", Some(1_694_917_908_242_000)),
            ("2023-09-17T04:31:48.242+02:00", Some(1_694_917_908_242_000)),
            ("2023-09-17T04:31:48.242+0200", Some(1_694_917_908_242_000)),
            ("2023-09-17T04:31:48.242+02", Some(1_694_917_908_242_000)),
            ("2023-09-16T21:01:48.242-0530", Some(1_694_917_908_242_000)),
            ("2023-09-17t02:31:48,2420009z", Some(1_694_917_908_242_000)),
            ("2023-09-17 02:31:48.242", Some(1_694_917_908_242_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000_000)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000)),
            ("", None),
            ("2023-09-17", None),
            ("2023-13-17T02:31:48Z", None),
            ("23-09-17T02:31:48Z", None),
            ("2023-09-17T02:31Z", None),
            ("2023-09-17T02:31:48+2", None),
            ("2023-09-17T02:31:48+99:00", None),
            ("2023-09-17T02:31:48.1x2Z", None),
            ("99999999999-01-01T00:00:00Z", None),
            ("2023-09-17T02:31:48+é0", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }
}
