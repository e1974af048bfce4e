//! What a setting may hold: how its text is read, which values it takes, and how that is said in words.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Number, Value, json};

use super::net::{Cidr, origin};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Flag,
    Whole {
        from: u32,
        to: u32,
    },
    Seconds {
        from: f64,
        to: f64,
    },
    /// `unit` is GB or MB, of 1024³ or 1024² bytes.
    Size {
        unit: &'static str,
        from: f64,
        to: f64,
    },
    /// One of `words`, or one of `also` that means one of them; in any case.
    Word {
        words: &'static [&'static str],
        also: &'static [(&'static str, &'static str)],
    },
    Path,
    /// An IP address, or `localhost`.
    Address,
    Port,
    /// A time of day, `HH:MM`.
    Time,
    Origins,
    Ranges,
    /// Addresses, ranges of them, and names of hosts.
    Hosts,
    /// `http://` or `https://`, without credentials.
    Url,
    /// Letters, digits and a few signs, as an identifier sent to a service has.
    Token,
    /// A channel's login.
    Login,
    /// The best rendition to take: `720p`, `720p60`, `best`, `source` or `worst`.
    Quality,
    /// Width and height of a picture: `1920x1080`.
    Resolution,
    /// kbit/s: `2000`, or `2000k`.
    Bitrate {
        from: u32,
        to: u32,
    },
    Secret,
    /// Secrets by stream name.
    Secrets,
}

impl Kind {
    pub(super) const fn words(words: &'static [&'static str]) -> Self {
        Self::Word { words, also: &[] }
    }

    /// Whether its values must never be shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets)
    }

    /// The value in the one form the program uses, or `None` when it isn't allowed.
    pub(super) fn check(self, value: &Value) -> Option<Value> {
        match self {
            Self::Flag => value.as_bool().map(Value::Bool),
            Self::Whole { from, to } => {
                whole(value).filter(|n| (u64::from(from)..=u64::from(to)).contains(n)).map(|n| json!(n))
            }
            Self::Seconds { from, to } | Self::Size { from, to, .. } => number(value, from, to),
            Self::Word { words, also } => word(value.as_str()?, words, also).map(|word| json!(word)),
            Self::Path => value.as_str().filter(|path| is_path(path)).map(|path| json!(path)),
            Self::Address => address(value.as_str()?).map(|ip| json!(ip.to_string())),
            Self::Port => port(value),
            Self::Time => time(value.as_str()?).map(|time| json!(time)),
            Self::Origins => items(value, origin),
            Self::Ranges => items(value, |text| text.parse().ok().map(|_: Cidr| text.to_owned())),
            Self::Hosts => items(value, host),
            Self::Url => {
                value.as_str().filter(|text| is_url(text)).map(|url| json!(url.trim_end_matches('/')))
            }
            Self::Token => value.as_str().filter(|text| is_token(text)).map(|text| json!(text)),
            Self::Login => login(value.as_str()?).map(|login| json!(login)),
            Self::Quality => quality(value.as_str()?).map(|quality| json!(quality)),
            Self::Resolution => {
                resolution(value.as_str()?).map(|(width, height)| json!(format!("{width}x{height}")))
            }
            Self::Bitrate { from, to } => {
                bitrate(value).filter(|n| (u64::from(from)..=u64::from(to)).contains(n)).map(|n| json!(n))
            }
            Self::Secret => value.as_str().filter(|text| is_secret(text)).map(|text| json!(text)),
            Self::Secrets => secrets(value),
        }
    }

    /// The value that `text` stands for; text that makes no sense stays text, for [`check`](Self::check) to refuse.
    pub(super) fn read(self, text: &str) -> Value {
        match self {
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => json!(true),
                "false" | "no" | "off" | "0" => json!(false),
                _ => json!(text),
            },
            Self::Whole { .. } | Self::Port => text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n)),
            Self::Seconds { .. } | Self::Size { .. } => {
                let number = text.parse().ok().and_then(Number::from_f64);
                number.map_or_else(|| json!(text), Value::Number)
            }
            Self::Origins | Self::Ranges | Self::Hosts => parts(text).map(Value::from).collect(),
            Self::Secrets => {
                let pairs: Option<Vec<_>> = parts(text).map(|part| part.split_once('=')).collect();
                pairs.map_or_else(|| json!(text), |pairs| pairs.into_iter().map(trimmed).collect())
            }
            Self::Word { .. }
            | Self::Path
            | Self::Address
            | Self::Time
            | Self::Url
            | Self::Token
            | Self::Login
            | Self::Quality
            | Self::Resolution
            | Self::Bitrate { .. }
            | Self::Secret => json!(text),
        }
    }
}

/// What may be written, in words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("true or false"),
            Self::Whole { from, to } => write!(f, "a whole number from {from} to {to}"),
            Self::Seconds { from, to } => write!(f, "a number of seconds from {from} to {to}"),
            Self::Size { unit, from, to } => write!(f, "a number of {unit} from {from} to {to}"),
            Self::Word { words, .. } => match words {
                [first @ .., last] => write!(f, "{} or {last}", first.join(", ")),
                [] => Ok(()),
            },
            Self::Path => f.write_str("a path"),
            Self::Address => f.write_str("an IP address or localhost"),
            Self::Port => f.write_str("a port from 1 to 65535, 0 (off) or auto (any free one)"),
            Self::Time => f.write_str("a time of day as \"HH:MM\""),
            Self::Origins => f.write_str("a list of origins such as https://example.com:8443, or *"),
            Self::Ranges => f.write_str("a list of IP addresses and ranges such as 10.0.0.0/8"),
            Self::Hosts => f.write_str("a list of host names, IP addresses and ranges such as 10.0.0.0/8"),
            Self::Url => f.write_str("an address that begins with http:// or https://, without a user name"),
            Self::Token => f.write_str("1 to 200 letters, digits, '-', '_' or '.'"),
            Self::Resolution => f.write_str("width x height in pixels, each even and from 16 to 8192, such as 1920x1080"),
            Self::Bitrate { from, to } => write!(f, "kbit/s from {from} to {to}, such as 2000 or 2000k"),
            Self::Login => f.write_str("a channel's login: 1 to 25 letters, digits or '_'"),
            Self::Quality => f.write_str("lines such as 720p or 720p60, best, source or worst"),
            Self::Secret => f.write_str("ASCII text without spaces, quoted if it looks like a number"),
            Self::Secrets => {
                f.write_str("stream names or \"*\", each with ASCII text without spaces, quoted if it looks like a number")
            }
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let number = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2³²")]
    Some(number as u64)
}

/// Whole numbers lose their `.0`, so that they are shown as they are written.
fn number(value: &Value, from: f64, to: f64) -> Option<Value> {
    let number = value.as_f64().filter(|number| (from..=to).contains(number))?;
    Some(whole(value).map_or_else(|| json!(number), |whole| json!(whole)))
}

fn word(text: &str, words: &[&'static str], also: &[(&str, &'static str)]) -> Option<&'static str> {
    let exact = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
    exact.or_else(|| also.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, word)| *word))
}

fn is_path(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

fn address(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") { Some(Ipv4Addr::LOCALHOST.into()) } else { text.parse().ok() }
}

fn port(value: &Value) -> Option<Value> {
    if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("auto")) {
        return Some(json!("auto"));
    }
    whole(value).and_then(|number| u16::try_from(number).ok()).map(|port| json!(port))
}

fn time(text: &str) -> Option<String> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    let time = jiff::civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    Some(format!("{:02}:{:02}", time.hour(), time.minute()))
}

/// A list of texts; one text alone is a list of one.
fn items(value: &Value, item: impl Fn(&str) -> Option<String>) -> Option<Value> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let items: Option<Vec<_>> = items.iter().map(|value| item(value.as_str()?)).collect();
    items.map(|items| json!(items))
}

/// A range in its own form, a name in lower case.
fn host(text: &str) -> Option<String> {
    if let Ok(range) = text.parse::<Cidr>() {
        return Some(range.to_string());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let named = (1..=253).contains(&text.len()) && text.split('.').all(label);
    // What looks like an address and is none must not pass as a name.
    let lettered = text.bytes().any(|b| b.is_ascii_alphabetic());
    (named && lettered).then(|| text.to_ascii_lowercase())
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty()
            && !host.contains('@')
            && text.len() <= 2048
            && text.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn is_token(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn login(text: &str) -> Option<String> {
    let allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (allowed && (1..=25).contains(&text.len())).then(|| text.to_ascii_lowercase())
}

/// Both sides even: a picture of half-size colour planes has whole ones.
pub(super) fn resolution(text: &str) -> Option<(u32, u32)> {
    let side = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let side: u32 = digits.parse().ok().filter(|_| plain)?;
        ((16..=8192).contains(&side) && side.is_multiple_of(2)).then_some(side)
    };
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((side(width)?, side(height)?))
}

fn bitrate(value: &Value) -> Option<u64> {
    let Some(text) = value.as_str() else { return whole(value) };
    let digits = text.strip_suffix(['k', 'K']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

fn quality(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    if matches!(text.as_str(), "best" | "source" | "worst") {
        return Some(text);
    }
    let (lines, fps) = text.split_once('p')?;
    let number = |digits: &str, most: u32| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain && digits.parse().is_ok_and(|number: u32| (1..=most).contains(&number))
    };
    (number(lines, 8192) && (fps.is_empty() || number(fps, 240))).then_some(text)
}

fn is_secret(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn secrets(value: &Value) -> Option<Value> {
    let entries = value.as_object()?;
    let name_ok = |name: &str| {
        let characters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        name == "*" || (characters && (1..=64).contains(&name.len()))
    };
    let fine = entries.iter().all(|(name, key)| name_ok(name) && key.as_str().is_some_and(is_secret));
    fine.then(|| value.clone())
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn trimmed((name, value): (&str, &str)) -> (String, Value) {
    (name.trim().to_owned(), json!(value.trim()))
}
