//! What an `http(s)` address leads to: a list of qualities, a playlist, a video, or the page of a site that streamlink knows.
//! The content decides.

use media::m3u8::{self, Master, Playlist};
use url::Url;

use super::failure::{Cause, Failure};
use super::pull::Shared;
use super::quality::Quality;
use super::streamlink;
use crate::egress::{self, Body, Request, Trust};

/// Bytes looked at to tell what it is.
const ENOUGH: usize = 512;

/// What was found, where it is in the end, and trust in that.
#[derive(Debug)]
pub(super) enum Found {
    List { master: Master, url: Url, trust: Trust },
    Playlist { url: Url, trust: Trust },
    Video { url: Url, trust: Trust },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Playlist,
    Page,
    Video,
}

/// Looks at `url`, and asks streamlink about pages.
pub(super) async fn look(
    shared: &Shared,
    url: &Url,
    trust: Trust,
    quality: Quality,
    stage: &mut &'static str,
) -> Result<Found, Failure> {
    *stage = "looking at the address";
    if let Some(found) = look_once(shared, url, trust).await? {
        return Ok(found);
    }
    if [".m3u8", ".m3u", ".mpd"].iter().any(|ending| url.path().to_ascii_lowercase().ends_with(ending)) {
        let what = "the address leads to a web page where a playlist should be";
        return Err(Failure::error(Cause::Resolve, what));
    }
    *stage = "asking streamlink";
    let url = streamlink::ask(shared, url, quality).await?;
    *stage = "looking at the address that streamlink gave";
    let found = look_once(shared, &url, Trust::Outside).await?;
    found.ok_or_else(|| Failure::error(Cause::Streamlink, "streamlink found a web page, not a video"))
}

/// `None` for a page.
async fn look_once(shared: &Shared, url: &Url, trust: Trust) -> Result<Option<Found>, Failure> {
    let failed = |e: &egress::Error| Failure::request(e, "the address", Cause::Resolve);
    let request = Request::new(url, trust, m3u8::MAX_BYTES as u64);
    let mut body = shared.client.get(request).await.map_err(|e| failed(&e))?;
    if matches!(body.status, 404 | 410) {
        return Err(Failure::offline(format!("there is nothing at the address ({})", body.status)));
    }
    body = body.ok().map_err(|e| failed(&e))?;
    let (url, trust) = (body.url.clone(), body.trust);
    let start = start(&mut body).await.map_err(|e| failed(&e))?;
    match content(body.header("content-type").unwrap_or_default(), &start) {
        Content::Page => Ok(None),
        Content::Video => Ok(Some(Found::Video { url, trust })),
        Content::Playlist => {
            let mut bytes = start;
            while let Some(more) = body.next().await.map_err(|e| failed(&e))? {
                bytes.extend_from_slice(&more);
            }
            match m3u8::parse(&bytes) {
                Ok(Playlist::Master(master)) => Ok(Some(Found::List { master, url, trust })),
                Ok(Playlist::Media(_)) => Ok(Some(Found::Playlist { url, trust })),
                Err(e) => Err(Failure::error(Cause::Playlist, format!("the playlist: {e}"))),
            }
        }
    }
}

async fn start(body: &mut Body) -> Result<Vec<u8>, egress::Error> {
    let mut start = Vec::new();
    while start.len() < ENOUGH {
        match body.next().await? {
            Some(bytes) => start.extend_from_slice(&bytes),
            None => break,
        }
    }
    Ok(start)
}

fn content(announced: &str, start: &[u8]) -> Content {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let announced = announced.to_ascii_lowercase();
    match () {
        () if text.starts_with(b"#EXTM3U") => Content::Playlist,
        () if announced.starts_with("text/html") || text.starts_with(b"<") => Content::Page,
        // Called a playlist and not beginning like one: let the parser say what is wrong.
        () if announced.contains("mpegurl") => Content::Playlist,
        () => Content::Video,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_and_its_name_only_where_it_says_nothing() {
        for (announced, start, expected) in [
            ("", "#EXTM3U\n", Content::Playlist),
            ("text/html", "\u{feff} #EXTM3U\n", Content::Playlist),
            ("application/vnd.apple.mpegurl", "<!doctype html>", Content::Page),
            ("application/vnd.apple.mpegurl", "nonsense", Content::Playlist),
            ("text/html; charset=utf-8", "hello", Content::Page),
            ("", "  <html>", Content::Page),
            ("video/mp4", "\0\0\0\u{18}ftypmp42", Content::Video),
            ("", "G@\0\u{10}", Content::Video),
            ("", "", Content::Video),
        ] {
            assert_eq!(content(announced, start.as_bytes()), expected, "{announced} {start:?}");
        }
    }
}
