//! What a pull stream follows, read from what someone wrote. Pure.
//!
//! Called by whoever takes names and addresses in: the API, the streams file, the command line. Touches no network and no
//! disk; what an address leads to is found out at the first capture.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::base::error::{Error, Result};
use crate::egress::Trust;

/// Longest address taken.
const MAX_TEXT: usize = 4096;

/// What a pull stream follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A Twitch channel.
    Twitch(Login),
    /// `http` or `https`: a playlist, a video, or the page of a site; its content decides.
    Web(Url),
    /// `rtmp`, `rtmps`, `rtsp` or `srt`.
    Live(Url),
    /// From the operator only.
    File(PathBuf),
}

/// The name of a Twitch channel: 1 to 25 of `a-z 0-9 _`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Login(String);

impl Login {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` when `text` is no login; capital letters are made small.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (allowed && (1..=25).contains(&text.len())).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Target {
    /// Reads a login, an address, or — from the operator — a path.
    ///
    /// # Errors
    /// `Invalid` for `field`, saying what is allowed.
    pub fn parse(field: &str, text: &str, trust: Trust) -> Result<Self> {
        Self::read(text, trust).map_err(|why| Error::invalid(field, why))
    }

    fn read(text: &str, trust: Trust) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("must not be empty");
        }
        if text.len() > MAX_TEXT {
            return Err("must have at most 4096 characters");
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err("must not have control characters, nor blanks at its ends");
        }
        if let Some(login) = Login::parse(text) {
            return Ok(Self::Twitch(login));
        }
        if text.contains("://") {
            return Self::address(text, trust);
        }
        let lower = text.to_ascii_lowercase();
        if ["twitch.tv/", "www.twitch.tv/", "m.twitch.tv/"].iter().any(|site| lower.starts_with(site)) {
            return Self::address(&format!("https://{text}"), trust);
        }
        let path = text.contains(['/', '\\', '.']);
        match trust {
            Trust::Operator if path => Ok(Self::File(PathBuf::from(text))),
            Trust::Outside if path => {
                Err("must be a Twitch login or an address that begins with its scheme, such as https://")
            }
            _ => Err("must be a Twitch login: 1 to 25 of a-z, 0-9 and _"),
        }
    }

    fn address(text: &str, trust: Trust) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not an address")?;
        let credentials = !url.username().is_empty() || url.password().is_some();
        if credentials && trust == Trust::Outside {
            return Err("must not have a user name or password in it");
        }
        match url.scheme() {
            "http" | "https" => Self::web(url),
            "rtmp" | "rtmps" | "rtsp" | "srt" if url.host_str().is_none_or(str::is_empty) => {
                Err("names no host")
            }
            "srt" if trust == Trust::Outside && url.query_pairs().any(|(key, value)| waits(&key, &value)) => {
                Err("must call the other side (mode=caller)")
            }
            "rtmp" | "rtmps" | "rtsp" | "srt" => Ok(Self::Live(url)),
            "file" if trust == Trust::Operator => {
                url.to_file_path().map(Self::File).map_err(|()| "names no file of this machine")
            }
            "file" => Err("files can be followed from the configuration and the command line only"),
            _ => Err("must begin with http, https, rtmp, rtmps, rtsp or srt"),
        }
    }

    fn web(url: Url) -> Result<Self, &'static str> {
        let twitch = matches!(url.host_str(), Some("twitch.tv" | "www.twitch.tv" | "m.twitch.tv"));
        if !twitch {
            return Ok(Self::Web(url));
        }
        let path = url.path().trim_matches('/');
        // Pages of the site that have the form of a login.
        let page =
            matches!(path, "directory" | "videos" | "settings" | "downloads" | "jobs" | "p" | "search");
        let login = Login::parse(path).filter(|_| !page);
        login.map(Self::Twitch).ok_or("must name a channel: twitch.tv/<login>")
    }

    /// All of it, secrets included: to be kept, and read again by [`Target::parse`].
    pub fn to_text(&self) -> String {
        match self {
            Self::Twitch(login) => login.to_string(),
            Self::Web(url) | Self::Live(url) => url.to_string(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

fn waits(key: &str, value: &str) -> bool {
    key.eq_ignore_ascii_case("mode") && !value.eq_ignore_ascii_case("caller")
}

/// For people: credentials and queries, which carry keys, show as `***`; so does the last part of an RTMP path, which is
/// the stream's key at many services.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Web(url) | Self::Live(url)) = self else { return f.write_str(&self.to_text()) };
        write!(f, "{}://", url.scheme())?;
        if !url.username().is_empty() || url.password().is_some() {
            f.write_str("***@")?;
        }
        f.write_str(&url[url::Position::BeforeHost..url::Position::AfterPort])?;
        match url.path().rsplit_once('/') {
            Some((application, key)) if url.scheme().starts_with("rtmp") && !key.is_empty() => {
                write!(f, "{application}/***")?;
            }
            _ => f.write_str(url.path())?,
        }
        if url.query().is_some() { f.write_str("?***") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, trust: Trust) -> String {
        match Target::parse("url", text, trust) {
            Ok(Target::Twitch(login)) => format!("twitch {login}"),
            Ok(Target::Web(url)) => format!("web {url}"),
            Ok(Target::Live(url)) => format!("live {url}"),
            Ok(Target::File(path)) => format!("file {}", path.display()),
            Err(error) => format!("no: {}", error.fields()[0].message),
        }
    }

    #[test]
    fn logins_and_addresses_are_told_apart() {
        for (text, outside, operator) in [
            ("gorgc", "twitch gorgc", ""),
            ("Dendi_1", "twitch dendi_1", ""),
            ("https://www.twitch.tv/Gorgc", "twitch gorgc", ""),
            ("https://m.twitch.tv/gorgc/?x=1", "twitch gorgc", ""),
            ("twitch.tv/gorgc", "twitch gorgc", ""),
            ("https://h/live.m3u8?t=1", "web https://h/live.m3u8?t=1", ""),
            ("http://h:8080/v.mp4", "web http://h:8080/v.mp4", ""),
            ("rtmp://h/live/key", "live rtmp://h/live/key", ""),
            ("rtsp://h:554/1", "live rtsp://h:554/1", ""),
            ("srt://h:9000?streamid=a", "live srt://h:9000?streamid=a", ""),
            ("https://www.twitch.tv/videos/123", "no: must name a channel", ""),
            ("https://www.twitch.tv/directory", "no: must name a channel", ""),
            ("", "no: must not be empty", ""),
            (" gorgc", "no: must not have control", ""),
            ("gor\ngc", "no: must not have control", ""),
            ("grüezi", "no: must be a Twitch login", ""),
            ("a-b", "no: must be a Twitch login", ""),
            ("a_name_of_twenty_six_signs", "no: must be a Twitch login", ""),
            ("ftp://h/", "no: must begin with http", ""),
            ("javascript://x", "no: must begin with http", ""),
            ("http://", "no: is not an address", ""),
            ("rtmp:///live/key", "no: names no host", ""),
            ("srt://h:9000?mode=listener", "no: must call", "live srt://h:9000?mode=listener"),
            ("http://u:p@h/", "no: must not have a user", "web http://u:p@h/"),
            ("rtsp://u:p@h/1", "no: must not have a user", "live rtsp://u:p@h/1"),
            ("file:///etc/passwd", "no: files can", "file /etc/passwd"),
            ("/etc/passwd", "no: must be a Twitch login or an address", "file /etc/passwd"),
            ("video.mp4", "no: must be a Twitch login or an address", "file video.mp4"),
        ] {
            let operator = if operator.is_empty() { outside } else { operator };
            for (trust, expected) in [(Trust::Outside, outside), (Trust::Operator, operator)] {
                let got = read(text, trust);
                let matches =
                    if expected.starts_with("no: ") { got.starts_with(expected) } else { got == expected };
                assert!(matches, "{text:?} {trust:?}: {got}");
            }
        }
    }

    #[test]
    fn what_is_shown_has_no_secrets_and_what_is_kept_has_all() {
        for (text, shown) in [
            ("gorgc", "gorgc"),
            ("https://u:p@h:8443/a/b.m3u8?token=t#x", "https://***@h:8443/a/b.m3u8?***"),
            ("rtmp://h/live/key", "rtmp://h/live/***"),
            ("rtsp://h/camera/1", "rtsp://h/camera/1"),
        ] {
            let target = Target::parse("url", text, Trust::Operator).unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(Target::parse("url", &target.to_text(), Trust::Operator).unwrap(), target);
        }
    }
}
