//! Streams we fetch ourselves: add one or many, say how important they are.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::error::Problem;
use super::extract::{Body, Name};
use super::streams::shape;
use super::view::{find, unknown};
use super::wire::Stream;
use crate::base::error::{Error, Field, Kind, Result};
use crate::capture::{Put, Wish, login};
use crate::egress::Trust;
use crate::sources::{Login, Quality, Target};
use crate::streams::{Feed, StreamName};

/// A stream to follow: a Twitch channel by `username`, or any address by `url` with a `name`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStream {
    /// Twitch channel.
    #[schema(example = "gorgc")]
    username: Option<String>,
    /// Address of a playlist, a stream or a channel's page: http, https, rtmp, rtmps, rtsp or srt.
    url: Option<String>,
    /// What it is called here; the channel's name if left out.
    name: Option<String>,
    /// The pack that reads its pictures, or `auto`.
    pack: Option<String>,
    /// 1 to 10, lower is more important; 5 if left out.
    priority: Option<i64>,
    /// The best rendition to take, such as `480p`; that of the settings if left out.
    quality: Option<String>,
    /// Seconds between two pictures; that of the settings if left out.
    interval: Option<f64>,
}

impl NewStream {
    /// All that is wrong with it at once.
    fn wish(self) -> Result<Wish> {
        let mut wrong = Vec::new();
        let target = source(self.username.as_deref(), self.url.as_deref());
        let target = keep(&mut wrong, target);
        let login = target.as_ref().and_then(login);
        let name = match self.name.as_deref().or(login) {
            Some(name) => keep(&mut wrong, StreamName::parse(name)),
            None if target.is_none() => None,
            None => keep(&mut wrong, Err(Error::invalid("name", "an address needs a name"))),
        };
        let priority = keep(&mut wrong, self.priority.map(priority).transpose());
        let pack = keep(&mut wrong, self.pack.map(pack).transpose());
        let quality = keep(&mut wrong, self.quality.map(|text| quality(&text)).transpose());
        let interval = keep(&mut wrong, self.interval.map(interval).transpose());
        match (target, name, priority, pack, quality, interval) {
            (Some(target), Some(name), Some(priority), Some(pack), Some(quality), Some(interval))
                if wrong.is_empty() =>
            {
                let wish = Wish::new(name, target, Trust::Outside);
                Ok(Wish { priority, pack, quality, interval, ..wish })
            }
            _ => {
                let detail: Vec<_> = wrong.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
                Err(Error::invalid_fields(detail.join("; "), wrong))
            }
        }
    }
}

fn keep<T>(wrong: &mut Vec<Field>, value: Result<T>) -> Option<T> {
    value.map_err(|e| wrong.extend_from_slice(e.fields())).ok()
}

fn source(username: Option<&str>, url: Option<&str>) -> Result<Target> {
    match (username, url) {
        (Some(username), None) => channel(username),
        (None, Some(url)) => Target::parse("url", url, Trust::Outside),
        (None, None) => Err(Error::invalid("username", "a Twitch channel here, or an address as url")),
        (Some(_), Some(_)) => Err(Error::invalid("url", "either this or username, not both")),
    }
}

fn channel(username: &str) -> Result<Target> {
    let login = Login::parse(username)
        .ok_or_else(|| Error::invalid("username", "a Twitch channel: 1 to 25 letters, digits or '_'"));
    login.map(Target::Twitch)
}

fn priority(priority: i64) -> Result<u8> {
    let fits = u8::try_from(priority).ok().filter(|priority| (1..=10).contains(priority));
    fits.ok_or_else(|| Error::invalid("priority", "a whole number from 1 to 10, lower is more important"))
}

pub(super) fn pack(pack: String) -> Result<String> {
    let plain = pack.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if plain && (1..=64).contains(&pack.len()) {
        return Ok(pack);
    }
    Err(Error::invalid("pack", "auto or a pack's id: 1 to 64 lower-case letters, digits, '_' or '-'"))
}

fn quality(text: &str) -> Result<Quality> {
    text.parse().map_err(|_| Error::invalid("quality", "lines such as 720p or 720p60, best, source or worst"))
}

fn interval(seconds: f64) -> Result<Duration> {
    if (0.1..=86_400.0).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Error::invalid("interval", "seconds from 0.1 to 86400"))
}

/// Follow a stream
///
/// Again for a stream there is: what is given is changed, counters stay. A Twitch channel's name is the stream's unless
/// `name` is given. The answer comes when it is stored; the first picture comes later.
#[utoipa::path(
    post, path = "/api/streams", operation_id = "follow_stream", tag = "streams", request_body = NewStream,
    responses(
        (status = 200, body = Stream, description = "there already; changed"), (status = 201, body = Stream),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    )
)]
pub(super) async fn follow(State(api): State<Api>, Body(new): Body<NewStream>) -> Result<Response> {
    let wish = new.wish()?;
    let name = wish.name.clone();
    let put = api.captures.put(vec![wish]).await?.into_iter().next().expect("one wish, one answer")?;
    let status = match put {
        Put::Added => StatusCode::CREATED,
        Put::Updated => StatusCode::OK,
    };
    Ok((status, Json(shape(&api, &*find(&api, &name)?))).into_response())
}

/// Streams to follow, all at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Many {
    /// Each a Twitch channel's name, or what `POST /api/streams` takes.
    #[schema(value_type = Vec<Object>, example = json!(["gorgc", {"username": "dendi", "priority": 2}]))]
    streams: Vec<Value>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Followed {
    #[schema(example = "success")]
    status: &'static str,
    added: usize,
    updated: usize,
    rejected: Vec<Rejected>,
}

/// One that is not followed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rejected {
    /// As it was sent.
    entry: Value,
    reason: String,
}

/// Follow many streams
///
/// Each entry is judged by itself: what is wrong with one is told and touches no other. What is taken is stored in one
/// transaction.
#[utoipa::path(
    post, path = "/api/streams/bulk", operation_id = "follow_streams", tag = "streams", request_body = Many,
    responses(
        (status = 200, body = Followed),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn follow_many(State(api): State<Api>, Body(many): Body<Many>) -> Result<Json<Followed>> {
    let (mut wishes, mut entries, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for entry in many.streams {
        match wish_of(&entry) {
            Ok(wish) => {
                wishes.push(wish);
                entries.push(entry);
            }
            Err(e) => rejected.push(Rejected { entry, reason: e.detail().to_owned() }),
        }
    }
    let (mut added, mut updated) = (0, 0);
    for (entry, answer) in entries.into_iter().zip(api.captures.put(wishes).await?) {
        match answer {
            Ok(Put::Added) => added += 1,
            Ok(Put::Updated) => updated += 1,
            Err(e) => rejected.push(Rejected { entry, reason: e.detail().to_owned() }),
        }
    }
    Ok(Json(Followed { status: "success", added, updated, rejected }))
}

fn wish_of(entry: &Value) -> Result<Wish> {
    match entry {
        Value::String(username) => {
            let target = channel(username)?;
            let name = StreamName::parse(login(&target).expect("a channel has a login"))?;
            Ok(Wish::new(name, target, Trust::Outside))
        }
        Value::Object(_) => {
            let new = NewStream::deserialize(entry);
            new.map_err(|e| Error::new(Kind::Invalid, e.to_string())).and_then(NewStream::wish)
        }
        _ => Err(Error::new(Kind::Invalid, "a channel's name, or an object with username or url")),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Priority {
    /// 1 to 10, lower is more important.
    priority: i64,
}

/// Say how important a stream is
#[utoipa::path(
    put, path = "/api/streams/{name}/priority", tag = "streams", request_body = Priority,
    params(("name" = String, Path, description = "stream name")),
    responses(
        (status = 200, body = Stream), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn set_priority(
    State(api): State<Api>,
    Name(name): Name,
    Body(wanted): Body<Priority>,
) -> Result<Json<Stream>> {
    let priority = priority(wanted.priority)?;
    let stream = find(&api, &name)?;
    if stream.feed != Feed::Pull {
        return Err(Error::new(
            Kind::Conflict,
            "only a stream that is fetched has a priority: the frames of others come by themselves",
        ));
    }
    if !api.captures.set_priority(&name, priority).await? {
        return Err(unknown(&name));
    }
    Ok(Json(shape(&api, &stream)))
}

/// Begin capturing anew
///
/// Connections, tokens, playlists and back-offs are forgotten; streams, counters, pushes and viewers stay.
#[utoipa::path(
    post, path = "/api/restart", operation_id = "restart_capture", tag = "operation",
    responses(
        (status = 200, body = super::wire::Done), (status = 401, body = Problem), (status = 403, body = Problem),
    )
)]
pub(super) async fn restart(State(api): State<Api>) -> Json<super::wire::Done> {
    api.captures.restart();
    Json(super::wire::Done::new("capture starts anew"))
}
