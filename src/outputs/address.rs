//! Addresses of destinations: which are taken, how they are shown, where the key goes. Pure.
//!
//! What is shown has `***` in place of credentials, keys and queries. Called by `definition` and `destination`.

use url::Url;

use crate::egress::Trust;

/// Longest address and longest key taken.
const MOST: usize = 4096;

/// How something leaves the machine over a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Rtmp,
    Srt,
}

/// The address as it was given, checked.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str, trust: Trust) -> Result<(Url, Scheme), &'static str> {
    if text.len() > MOST {
        return Err("must have at most 4096 characters");
    }
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err("must not have blanks or control characters");
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    let scheme = match url.scheme() {
        "rtmp" | "rtmps" => Scheme::Rtmp,
        "srt" => Scheme::Srt,
        _ => return Err("must begin with rtmp://, rtmps:// or srt://"),
    };
    if url.host_str().is_none_or(str::is_empty) {
        return Err("names no host");
    }
    if scheme == Scheme::Srt && url.port().is_none() {
        return Err("must name a port");
    }
    let credentials = !url.username().is_empty() || url.password().is_some();
    if credentials && trust == Trust::Outside {
        return Err("must not have a user or password in it: give the key in `key`");
    }
    let listens = url.query_pairs().any(|(name, value)| name == "mode" && value != "caller");
    if scheme == Scheme::Srt && listens {
        return Err("must call, not listen (mode)");
    }
    Ok((url, scheme))
}

/// A key that can stand in an address.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MOST && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The address with its key in it, to be opened and never shown.
pub(super) fn with_key(url: &Url, scheme: Scheme, key: Option<&str>) -> String {
    let Some(key) = key else { return url.to_string() };
    match scheme {
        Scheme::Rtmp => format!("{}/{key}", url.as_str().trim_end_matches('/')),
        Scheme::Srt => {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("streamid", key);
            url.to_string()
        }
    }
}

/// The address with `***` for whatever may be secret. The last part of an RTMP path is its key, unless that is apart.
pub(super) fn shown(url: &Url, scheme: Scheme, key_apart: bool) -> String {
    let credentials = if url.username().is_empty() && url.password().is_none() { "" } else { "***@" };
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let path = url.path();
    let path = match (scheme, key_apart) {
        (Scheme::Rtmp, true) => format!("{}/***", path.trim_end_matches('/')),
        (Scheme::Rtmp, false) => match path.trim_end_matches('/').rsplit_once('/') {
            Some((app, key)) if !key.is_empty() => format!("{app}/***"),
            _ => path.to_owned(),
        },
        (Scheme::Srt, _) => path.to_owned(),
    };
    let query = if url.query().is_some() || (scheme == Scheme::Srt && key_apart) { "?***" } else { "" };
    format!("{}://{credentials}{host}{path}{query}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_secret_and_what_is_opened_has_the_key() {
        for (text, key, shows, opens) in [
            ("rtmp://h/live/sesame", None, "rtmp://h/live/***", "rtmp://h/live/sesame"),
            ("rtmp://h:1936/live", Some("sesame"), "rtmp://h:1936/live/***", "rtmp://h:1936/live/sesame"),
            ("rtmps://h/app/", Some("sesame?a=b"), "rtmps://h/app/***", "rtmps://h/app/sesame?a=b"),
            ("rtmp://h/a/b/sesame", None, "rtmp://h/a/b/***", "rtmp://h/a/b/sesame"),
            ("rtmp://u:sesame@h/live/sesame", None, "rtmp://***@h/live/***", "rtmp://u:sesame@h/live/sesame"),
            ("rtmp://h/live/x?token=sesame", None, "rtmp://h/live/***?***", "rtmp://h/live/x?token=sesame"),
            ("srt://h:9000?streamid=sesame", None, "srt://h:9000?***", "srt://h:9000?streamid=sesame"),
            ("srt://h:9000", Some("sesame"), "srt://h:9000?***", "srt://h:9000?streamid=sesame"),
            ("srt://[::1]:9000", None, "srt://[::1]:9000", "srt://[::1]:9000"),
        ] {
            let (url, scheme) = parse(text, Trust::Operator).unwrap();
            let show = shown(&url, scheme, key.is_some());
            assert_eq!(show, shows);
            assert!(!show.contains("sesame"));
            assert_eq!(with_key(&url, scheme, key), opens);
        }
    }

    #[test]
    fn what_is_no_destination_is_refused_with_a_reason() {
        for (text, why) in [
            ("http://h/x", "must begin with rtmp"),
            ("file:///etc/passwd", "must begin with rtmp"),
            ("live", "is not an address"),
            ("rtmp:///live/x", "names no host"),
            ("srt://h", "must name a port"),
            ("srt://h:1?mode=listener", "must call"),
            ("rtmp://h/li ve", "must not have blanks"),
            ("rtmp://h/li\nve", "must not have blanks"),
            ("rtmp://u:p@h/live/x", "must not have a user"),
        ] {
            let refused = parse(text, Trust::Outside).unwrap_err();
            assert!(refused.starts_with(why), "{text}: {refused}");
        }
        for (key, good) in
            [("abc-123_?x=1&y", true), ("", false), ("a b", false), ("ä", false), ("a\nb", false)]
        {
            assert_eq!(is_key(key), good, "{key:?}");
        }
    }
}
