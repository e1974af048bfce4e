//! The token endpoint and the master playlists behind it.
//!
//! Called by the server for `/gql` and `/api/…/channel/hls/…`.

use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HOST;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::fault::Fault;
use crate::playlist;
use crate::world::{Kind, Refusal, World};

/// Bytes of a question.
const MOST: usize = 64 * 1024;

pub(super) async fn gql(request: Request<Incoming>, world: &World) -> Reply {
    let has = |name: &str| request.headers().contains_key(name);
    if !has("client-id") {
        let error = json!({ "error": "Bad Request", "status": 400,
            "message": "The \"Client-ID\" header is missing from the request." });
        return Reply::json(400, &error);
    }
    let honest = has("client-integrity");
    let Ok(body) = Limited::new(request.into_body(), MOST).collect().await else {
        return Reply::text(413, "at most 64 KB");
    };
    let Ok(question) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        let error = json!({ "error": "Bad Request", "status": 400, "message": "The body is not JSON." });
        return Reply::json(400, &error);
    };
    match question {
        // Only the first is counted and struck: a fault of one channel would be that of the others.
        Value::Array(all) => {
            let answers: Vec<Value> = all.iter().take(35).map(|one| answered(one, world, honest)).collect();
            Reply::json(200, &answers)
        }
        one => {
            let reply = Reply::json(200, &answered(&one, world, honest));
            match one["variables"]["login"].as_str().and_then(|login| world.find(login)) {
                Some(channel) => {
                    let look = channel.look(world.now());
                    reply.about(world, &channel, Kind::Token, &look)
                }
                None => reply,
            }
        }
    }
}

/// The answer to one operation.
fn answered(question: &Value, world: &World, honest: bool) -> Value {
    let extensions = json!({ "durationMilliseconds": 1, "operationName": question["operationName"] });
    let failed = |message: &str| json!({ "errors": [{ "message": message }], "extensions": extensions });
    let hash = &question["extensions"]["persistedQuery"]["sha256Hash"];
    match (question["query"].as_str(), hash.as_str()) {
        (Some(query), _) if query.contains("streamPlaybackAccessToken") => {}
        (Some(_), _) => return failed("service error"),
        (None, Some(hash)) if hash == world.settings().token_hash => {}
        (None, Some(_)) => return failed("PersistedQueryNotFound"),
        (None, None) => return failed("no query"),
    }
    let none = json!({ "data": { "streamPlaybackAccessToken": null }, "extensions": extensions });
    let Some(login) = question["variables"]["login"].as_str() else {
        return failed("Variable \"login\" has invalid value null.");
    };
    let Some(channel) = world.answering(login) else { return none };
    match channel.look(world.now()).acting() {
        Some(Fault::Offline {}) => none,
        Some(Fault::ClientIntegrity {}) if !honest => json!({
            "errors": [{ "message": "failed integrity check", "path": ["streamPlaybackAccessToken"] }],
            "data": { "streamPlaybackAccessToken": null },
            "extensions": extensions,
        }),
        _ => {
            let token = world.token(&channel);
            json!({
                "data": { "streamPlaybackAccessToken": {
                    "value": token.value, "signature": token.signature, "__typename": "PlaybackAccessToken",
                } },
                "extensions": extensions,
            })
        }
    }
}

pub(super) fn master(request: &Request<Incoming>, file: &str, world: &World, second: bool) -> Reply {
    let Some(login) = file.strip_suffix(".m3u8") else { return Reply::text(404, "not a playlist") };
    let unknown = || refused(404, "transcode does not exist", "transcode_does_not_exist");
    let Some(channel) = world.answering(login) else { return unknown() };
    let look = channel.look(world.now());
    let query = request.uri().query().unwrap_or_default();
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(query.as_bytes());
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let reply = match look.acting() {
        Some(Fault::Offline {}) => unknown(),
        Some(Fault::Banned {}) => refused(403, "channel is banned", "content_geoblocked"),
        _ => match world.admit(&channel, &field("token"), &field("sig")) {
            Err(Refusal::Expired) => refused(403, "token expired", "nauth_token_expired"),
            Err(Refusal::Revoked) => refused(403, "token revoked", "nauth_token_revoked"),
            Err(Refusal::Forged) => refused(403, "token does not fit", "invalid_nauth_token"),
            Ok(word) => {
                let ladder = &world.settings().ladder;
                let now = world.now();
                Reply::playlist(playlist::twitch_master(ladder, &channel, &base(request), &word, now, second))
            }
        },
    };
    reply.about(world, &channel, Kind::Master, &look)
}

fn refused(status: u16, error: &str, code: &str) -> Reply {
    Reply::json(status, &json!([{ "error": error, "error_code": code, "type": "error" }]))
}

/// Where the peer reached us, for absolute addresses.
pub(super) fn base(request: &Request<Incoming>) -> String {
    let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).filter(plain);
    format!("http://{}", host.unwrap_or("127.0.0.1"))
}
