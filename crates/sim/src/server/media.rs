//! Media playlists and segments.
//!
//! Called by the server for `/v1/…` (behind Twitch's addresses) and `/hls/…` (plain).

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::RANGE;

use super::body::Content;
use super::hold::{hinted, waited};
use super::reply::Reply;
use super::token;
use crate::clip::Clip;
use crate::dice::Dice;
use crate::fault::Fault;
use crate::film::{Container, Film, PARTS, Recipe, SEGMENT_SECONDS};
use crate::ladder::Rendition;
use crate::playlist::{self, Style};
use crate::world::{Channel, Kind, Look, Made, World};

pub(super) fn twitch_playlist(request: &Request<Incoming>, login: &str, file: &str, world: &World) -> Reply {
    let Some((channel, rendition)) = named(world, login, file.strip_suffix(".m3u8")) else {
        return nothing();
    };
    let look = channel.look(world.now());
    let word = word(request);
    if let Some(refusal) = closed(world, &channel, &look, Some(&word)) {
        return refusal.about(world, &channel, Kind::Playlist, &look);
    }
    let style = Style::Twitch { base: token::base(request), word };
    media_playlist(world, &channel, &rendition, &look, style)
}

/// What stands behind `/hls/{login}/`.
pub(super) async fn plain(request: &Request<Incoming>, login: &str, rest: &[&str], world: &World) -> Reply {
    let Some(channel) = world.answering(login) else { return nothing() };
    let look = channel.look(world.now());
    let (cmaf, rest) = match rest {
        ["cmaf", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let ladder = &world.settings().ladder;
    match rest {
        ["master.m3u8"] | ["cmaf.m3u8"] => {
            let refusal = closed(world, &channel, &look, None);
            let text = playlist::plain_master(ladder, rest == ["cmaf.m3u8"]);
            refusal.unwrap_or_else(|| Reply::playlist(text)).about(world, &channel, Kind::Master, &look)
        }
        [rendition, "init.mp4"] if cmaf => match world.rendition(rendition) {
            Some(rendition) => {
                let recipe = recipe(world, world.clip(&channel).clone(), rendition.clone(), Container::Mp4);
                match world.library().film(&recipe).await {
                    Ok(film) => Reply::new(200, "video/mp4", film.head.clone()),
                    Err(e) => Reply::text(500, &e.to_string()),
                }
            }
            None => nothing(),
        },
        [rendition, file] => segment(request, login, rendition, file, false, world).await,
        [file] => {
            let Some((channel, rendition)) = named(world, login, file.strip_suffix(".m3u8")) else {
                return nothing();
            };
            let look = match waited(request, world, &channel).await {
                Ok(look) => look,
                Err(refusal) => return refusal.about(world, &channel, Kind::Playlist, &look),
            };
            if let Some(refusal) = closed(world, &channel, &look, None) {
                return refusal.about(world, &channel, Kind::Playlist, &look);
            }
            let style = if cmaf { Style::Cmaf } else { Style::Plain };
            media_playlist(world, &channel, &rendition, &look, style)
        }
        _ => nothing(),
    }
}

fn nothing() -> Reply {
    Reply::text(404, "there is no such channel or rendition")
}

fn named(world: &World, login: &str, rendition: Option<&str>) -> Option<(Arc<Channel>, Rendition)> {
    Some((world.answering(login)?, world.rendition(rendition?)?.clone()))
}

fn word(request: &Request<Incoming>) -> String {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').find_map(|field| field.strip_prefix("s=")).unwrap_or_default().to_owned()
}

/// Why the channel gives nothing at all.
fn closed(world: &World, channel: &Channel, look: &Look, word: Option<&str>) -> Option<Reply> {
    match look.acting() {
        Some(Fault::Offline {}) => return Some(Reply::text(404, "the channel is offline")),
        Some(Fault::Banned {}) => return Some(Reply::text(403, "the channel is banned")),
        _ => {}
    }
    let refused = word.is_some_and(|word| world.admit_word(channel, word).is_err());
    refused.then(|| Reply::text(403, "the token is not good any more"))
}

fn media_playlist(
    world: &World,
    channel: &Arc<Channel>,
    rendition: &Rendition,
    look: &Look,
    style: Style,
) -> Reply {
    let settings = world.settings();
    let whole = |style: &Style| playlist::media(settings, channel, &rendition.id, look, style);
    let reply = match look.acting() {
        Some(Fault::PlaylistHtml {}) => Reply::html(),
        Some(Fault::PlaylistEmpty {}) => {
            let first = channel.newest(look.now);
            Reply::playlist(playlist::head(channel, &rendition.id, look, &style, first))
        }
        Some(Fault::PlaylistHuge { megabytes }) => {
            let text = whole(&style);
            let mut left = u64::from(*megabytes) * 16;
            let filler = Bytes::from(format!("#{}\n", "x".repeat((1 << 16) - 2)));
            let mut start = Some(Bytes::from(text));
            Reply::playlist(String::new()).with(Content::Made(Box::new(move || {
                start.take().or_else(|| {
                    left = left.checked_sub(1)?;
                    Some(filler.clone())
                })
            })))
        }
        Some(Fault::PlaylistMany { entries }) => many(channel, rendition, look, style, *entries),
        _ => Reply::playlist(whole(&style)),
    };
    reply.about(world, channel, Kind::Playlist, look)
}

/// A playlist that goes back a long way, made while it is sent.
fn many(channel: &Arc<Channel>, rendition: &Rendition, look: &Look, style: Style, entries: u32) -> Reply {
    const AT_ONCE: u64 = 500;
    let end = channel.newest(look.now) + 1;
    // A young channel's history is made up: its numbers go on after now instead.
    let mut at = end.saturating_sub(u64::from(entries));
    let last = at + u64::from(entries);
    let mut head = Some(Bytes::from(playlist::head(channel, &rendition.id, look, &style, at)));
    let (channel, id, look) = (Arc::clone(channel), rendition.id.clone(), look.clone());
    Reply::playlist(String::new()).with(Content::Made(Box::new(move || {
        head.take().or_else(|| {
            let to = (at + AT_ONCE).min(last);
            let mut text = String::new();
            playlist::entries(
                &mut text,
                &channel,
                &id,
                &look,
                &style,
                at..=to.checked_sub(1).filter(|to| *to >= at)?,
            );
            at = to;
            Some(text.into())
        })
    })))
}

/// One segment of a channel, or a part of it.
pub(super) async fn segment(
    request: &Request<Incoming>,
    login: &str,
    rendition: &str,
    file: &str,
    twitch: bool,
    world: &World,
) -> Reply {
    let (container, number) = match file.rsplit_once('.') {
        Some((number, "ts")) => (Container::Ts, number),
        Some((number, "m4s")) if !twitch => (Container::Mp4, number),
        _ => return nothing(),
    };
    let (number, part) = match number.split_once('.').map(|(number, part)| (number, part.parse())) {
        None => (number, None),
        Some((number, Ok(part))) if !twitch => (number, Some(part)),
        Some(_) => return nothing(),
    };
    let Ok(sequence) = number.parse::<u64>() else { return nothing() };
    let Some((channel, rendition)) = named(world, login, Some(rendition)) else { return nothing() };
    let mut look = channel.look(world.now());
    if let Some(part) = part {
        look = hinted(world, &channel, sequence, part).await;
    }
    let word = twitch.then(|| word(request));
    let there = match part {
        Some(part) => look.low_latency && part < PARTS && channel.part_ends(sequence, part) <= look.now,
        None => true,
    };
    let reply = match closed(world, &channel, &look, word.as_deref()) {
        Some(refusal) => refusal,
        None if !there || !is_there(world, &channel, &look, sequence) => {
            Reply::text(404, "the segment is not there")
        }
        None => {
            let wanted = Wanted { sequence, part, rendition, container };
            made(request, world, &channel, &look, wanted).await
        }
    };
    reply.about(world, &channel, Kind::Segment, &look)
}

/// Listed, just gone from the list, or one of the two to come.
fn is_there(world: &World, channel: &Channel, look: &Look, sequence: u64) -> bool {
    let newest = channel.newest(look.now);
    let kept =
        world.settings().kept.as_secs() / u64::from(SEGMENT_SECONDS) + u64::from(world.settings().listed);
    (newest.saturating_sub(kept)..=newest + 2).contains(&sequence)
}

struct Wanted {
    sequence: u64,
    /// Of the segment; all of it when `None`.
    part: Option<usize>,
    rendition: Rendition,
    container: Container,
}

fn recipe(world: &World, clip: Clip, rendition: Rendition, container: Container) -> Recipe {
    Recipe { clip, rendition, container, steps: world.settings().loop_steps }
}

async fn made(
    request: &Request<Incoming>,
    world: &World,
    channel: &Arc<Channel>,
    look: &Look,
    wanted: Wanted,
) -> Reply {
    let content_type = if wanted.container == Container::Ts { "video/mp2t" } else { "video/mp4" };
    match look.acting() {
        Some(Fault::SegmentEmpty {}) => return Reply::new(200, content_type, Bytes::new()),
        Some(Fault::SegmentHtml {}) => return Reply::html(),
        Some(Fault::SegmentMissing {}) => return Reply::text(404, "the segment is not there"),
        _ => {}
    }
    let inside = look.made(wanted.sequence).map(|Made { fault, .. }| fault);
    if inside == Some(&Fault::Gap {}) {
        return Reply::text(404, "the segment is not there");
    }
    let ad = matches!(inside, Some(Fault::Ads { .. }));
    let clip = if ad { Clip::ad() } else { world.clip(channel).clone() };
    let rendition = match inside {
        Some(Fault::AudioOnly {}) if wanted.container == Container::Ts => {
            Rendition { video: None, ..wanted.rendition }
        }
        Some(Fault::ResolutionChange {}) => wanted.rendition.smaller(),
        _ => wanted.rendition,
    };
    let film = match world.library().film(&recipe(world, clip, rendition, wanted.container)).await {
        Ok(film) => film,
        Err(e) => return Reply::text(500, &e.to_string()),
    };
    let shift = look.time_shift(&channel.name, wanted.sequence);
    let scrambled = matches!(inside, Some(Fault::Encrypted { .. }));
    let copy = Copy { film, sequence: wanted.sequence, shift, scrambled };
    if wanted.part.is_none() && wanted.sequence > channel.newest(look.now) {
        return growing(world, channel, &copy, content_type);
    }
    let segment = copy.film.segment(copy.sequence);
    let place = match wanted.part {
        None => 0..segment.len(),
        Some(part) => segment.part(part).unwrap_or_default(),
    };
    let whole = match look.acting() {
        Some(Fault::SegmentTruncated {}) => place.len().min(segment.first_picture_end() / 2),
        _ => place.len(),
    };
    let bytes = |range: Range<usize>| copy.bytes(place.start + range.start..place.start + range.end);
    if look.acting() == Some(&Fault::NoRange {}) {
        return Reply::new(200, content_type, bytes(0..whole));
    }
    let header = request.headers().get(RANGE).map(|value| value.to_str().unwrap_or_default());
    match header.map_or(Asked::All, |text| asked(text, whole)) {
        Asked::All => Reply::new(200, content_type, bytes(0..whole)).ranged(None),
        Asked::Part(range) => {
            Reply::new(200, content_type, bytes(range.clone())).ranged(Some((range, whole)))
        }
        Asked::Nothing => Reply::unsatisfiable(whole),
    }
}

/// A segment as one channel has it.
struct Copy {
    film: Arc<Film>,
    sequence: u64,
    shift: u64,
    scrambled: bool,
}

impl Copy {
    fn bytes(&self, range: Range<usize>) -> Bytes {
        let bytes = self.film.bytes(self.sequence, self.shift, range.clone());
        if self.scrambled { scrambled(bytes, range.start, self.sequence) } else { bytes }
    }
}

/// A segment in the making: its bytes come as they would from an encoder, with the clock.
fn growing(world: &World, channel: &Arc<Channel>, copy: &Copy, content_type: &'static str) -> Reply {
    let whole = copy.bytes(0..usize::MAX);
    let (begins, length) = (channel.begins(copy.sequence), u128::from(SEGMENT_SECONDS) * 1000);
    let (world, len) = (world.clone(), whole.len());
    let ready = move || {
        let passed = u128::from(world.now().saturating_sub(begins));
        let there = len as u128 * passed.min(length) / length;
        usize::try_from(there).unwrap_or(len)
    };
    let content = Content::Growing { whole, sent: 0, ready: Box::new(ready) };
    Reply::new(200, content_type, Bytes::new()).with(content)
}

enum Asked {
    All,
    Part(Range<usize>),
    Nothing,
}

/// One range of bytes; what isn't understood is ignored, as the standard asks (RFC 9110, 14.2).
fn asked(text: &str, whole: usize) -> Asked {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::All;
    };
    let range = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(whole),
        (Ok(from), Err(_)) if to.is_empty() => from..whole,
        (Err(_), Ok(last)) if from.is_empty() => whole.saturating_sub(last)..whole,
        _ => return Asked::All,
    };
    if range.start < range.end { Asked::Part(range) } else { Asked::Nothing }
}

/// Bytes nobody has the key of: packets keep their heads and say that they are scrambled.
fn scrambled(bytes: Bytes, start: usize, sequence: u64) -> Bytes {
    const PACKET: usize = ::media::mux::ts::PACKET;
    /// Tables stay clear.
    const CLEAR: usize = 2 * PACKET;
    let mut dice = Dice::new(sequence, "key", 0);
    let key: [u8; PACKET] = std::array::from_fn(|_| dice.roll().to_le_bytes()[0]);
    let mut out = BytesMut::from(bytes);
    for (at, byte) in (start..).zip(out.iter_mut()).filter(|(at, _)| *at >= CLEAR) {
        match at % PACKET {
            0..3 => {}
            3 => *byte |= 0x80,
            place => *byte ^= key[place],
        }
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=5-", Some(5..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=90-1000", Some(90..100)),
        ] {
            let Asked::Part(range) = asked(text, 100) else { panic!("{text}") };
            assert_eq!(Some(range), expected, "{text}");
        }
        for text in ["", "bytes", "bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=x-y"]
        {
            assert!(matches!(asked(text, 100), Asked::All), "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert!(matches!(asked(text, 100), Asked::Nothing), "{text}");
        }
    }
}
