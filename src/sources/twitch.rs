//! Twitch: from a channel's login to its list of qualities, by the way its own player goes.
//!
//! Called by the puller. Owns the wire formats of the token and of the list's address, and knows when a token must be
//! renewed. What rotates (addresses, client id, the query's hash) is a setting. Tokens appear in no error and no log.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use media::m3u8::{self, Master, Playlist};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::failure::{Cause, Failure};
use super::pull::Shared;
use super::target::Login;
use crate::base::clock::Monotonic;
use crate::base::secret::Secret;
use crate::egress::{self, Request, Trust};

/// Bytes of a token's answer.
const MAX_TOKEN: u64 = 64 << 10;
/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(60);
/// It is used at least so long: a wrong clock on either side must not make every capture ask for one.
const LEAST: Duration = Duration::from_secs(120);
const MOST: Duration = Duration::from_secs(24 * 3600);
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// How it is said of a channel that may not broadcast any more.
const BANNED: [&str; 3] = ["banned", "suspended", "terms of service"];
const PLAYER: &str = "https://player.twitch.tv";

/// Where Twitch is and what it wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The endpoint that gives tokens.
    pub gql_url: Url,
    /// What the path of a channel's list is put after.
    pub usher_url: Url,
    pub client_id: String,
    /// SHA-256 of the query that asks for a token, as the server knows it.
    pub token_hash: String,
}

/// Leave to watch one channel.
#[derive(Clone, Debug)]
pub(super) struct Token {
    value: Secret,
    signature: Secret,
    /// When to ask for another.
    pub(super) renew_at: Monotonic,
}

/// Asks for a token for `login`.
pub(super) async fn token(shared: &Shared, login: &Login) -> Result<Token, Failure> {
    let slot = shared.token_slots.acquire().await.expect("it is never closed");
    let settings = shared.twitch.load();
    let headers = [("client-id", settings.client_id.as_str()), ("user-agent", AGENT)];
    let request =
        Request { headers: &headers, ..Request::new(&settings.gql_url, Trust::Operator, MAX_TOKEN) };
    let failed = |e: egress::Error| Failure::request(&e, "Twitch's token", Cause::Token);
    let body =
        shared.client.post_json(request, question(login, &settings.token_hash)).await.map_err(failed)?;
    let status = body.status;
    let bytes = body.whole().await.map_err(failed)?;
    drop(slot);
    let now = shared.clock.now();
    let unix = shared.clock.wall().0.as_second();
    let spread = Duration::from_millis(RandomState::new().hash_one(login) % 60_000);
    let (value, signature, lasts) = answer(status, &bytes, login, unix)?;
    let renew_at = now + lasts.saturating_sub(EARLY + spread).max(LEAST);
    Ok(Token { value: Secret::new(value), signature: Secret::new(signature), renew_at })
}

fn question(login: &Login, hash: &str) -> Bytes {
    let question = json!({
        "operationName": "PlaybackAccessToken",
        "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } },
        "variables": {
            "isLive": true,
            "login": login.as_str(),
            "isVod": false,
            "vodID": "",
            "playerType": "embed",
            "platform": "site",
        },
    });
    Bytes::from(question.to_string())
}

/// What the token's endpoint answers; every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    data: Option<Data>,
    errors: Vec<Complaint>,
    error: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "streamPlaybackAccessToken")]
    token: Option<Given>,
}

#[derive(Debug, Deserialize)]
struct Given {
    value: String,
    signature: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    message: String,
}

/// What a token says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    /// Seconds since 1970.
    expires: i64,
    authorization: Authorization,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Authorization {
    forbidden: bool,
    reason: String,
}

/// The token's two parts and how long it lasts from `unix` seconds on.
fn answer(
    status: u16,
    bytes: &[u8],
    login: &Login,
    unix: i64,
) -> Result<(String, String, Duration), Failure> {
    let answer: Answer = serde_json::from_slice(bytes).unwrap_or_default();
    let complaint = answer.errors.first().map(|complaint| complaint.message.clone());
    let complaint = complaint.or(answer.message).or(answer.error);
    if let Some(complaint) = &complaint {
        return Err(complained(complaint));
    }
    if !(200..300).contains(&status) {
        return Err(Failure::error(Cause::Token, format!("Twitch's token: the server answered {status}")));
    }
    let Some(data) = answer.data else {
        return Err(Failure::error(Cause::Token, "Twitch's token: the answer is not what was asked for"));
    };
    let Some(Given { value, signature }) = data.token else {
        return Err(Failure::offline(format!("{login} is offline, or there is no such channel")));
    };
    let claims: Claims = serde_json::from_str(&value).unwrap_or_default();
    if claims.authorization.forbidden {
        return Err(forbidden(&claims.authorization.reason, login));
    }
    let left = u64::try_from(claims.expires.saturating_sub(unix)).unwrap_or(0);
    Ok((value, signature, Duration::from_secs(left).min(MOST)))
}

fn forbidden(reason: &str, login: &Login) -> Failure {
    let lower = reason.to_ascii_lowercase();
    if BANNED.iter().any(|word| lower.contains(word)) {
        return Failure::offline(format!("{login} is banned or suspended"));
    }
    Failure::error(Cause::Token, format!("Twitch forbids watching {login}: {}", plain(reason)))
}

fn complained(complaint: &str) -> Failure {
    let lower = complaint.to_ascii_lowercase();
    if lower.contains("integrity") {
        let what =
            "Twitch demands a proof that only a browser can give (Client-Integrity); trying again may work";
        return Failure::error(Cause::Integrity, what);
    }
    let hint = match () {
        () if lower.contains("persistedquerynotfound") => " (set capture.twitch.token_hash to today's)",
        () if lower.contains("client") => " (set capture.twitch.client_id to today's)",
        () => "",
    };
    Failure::error(Cause::Token, format!("Twitch's token: {}{hint}", plain(complaint)))
}

/// A stranger's words, fit for a line of a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Asks for the qualities of `login`'s broadcast. The address and trust are those the list came from.
///
/// `Err(None)`: the token is not taken (any more).
pub(super) async fn qualities(
    shared: &Shared,
    login: &Login,
    token: &Token,
) -> Result<(Master, Url, Trust), Option<Failure>> {
    let settings = shared.twitch.load();
    let url = list_url(&settings.usher_url, login, token);
    let headers = [("user-agent", AGENT), ("referer", PLAYER), ("origin", PLAYER)];
    let request =
        Request { headers: &headers, ..Request::new(&url, Trust::Operator, m3u8::MAX_BYTES as u64) };
    let failed = |e: egress::Error| Some(Failure::request(&e, "Twitch's list of qualities", Cause::Resolve));
    let body = shared.client.get(request).await.map_err(failed)?;
    let (status, from, trust) = (body.status, body.url.clone(), body.trust);
    if !(200..300).contains(&status) {
        let words = body.whole().await.unwrap_or_default();
        return Err(denied(status, &words, login));
    }
    let bytes = body.whole().await.map_err(failed)?;
    match m3u8::parse(&bytes) {
        Ok(Playlist::Master(master)) => Ok((master, from, trust)),
        Ok(Playlist::Media(_)) => {
            Err(Some(Failure::error(Cause::Resolve, "Twitch's list of qualities lists segments")))
        }
        Err(e) => Err(Some(Failure::error(Cause::Resolve, format!("Twitch's list of qualities: {e}")))),
    }
}

fn list_url(usher: &Url, login: &Login, token: &Token) -> Url {
    let mut url = usher.clone();
    let base = usher.path().trim_end_matches('/');
    url.set_path(&format!("{base}/api/v2/channel/hls/{login}.m3u8"));
    let random = RandomState::new().build_hasher().finish() % 10_000_000;
    url.query_pairs_mut()
        .append_pair("platform", "web")
        .append_pair("p", &random.to_string())
        .append_pair("allow_source", "true")
        .append_pair("allow_audio_only", "true")
        .append_pair("playlist_include_framerate", "true")
        .append_pair("supported_codecs", "h264")
        .append_pair("fast_bread", "true")
        .append_pair("sig", token.signature.reveal())
        .append_pair("token", token.value.reveal());
    url
}

/// Why there is no list, from the status and the words that came with it.
fn denied(status: u16, words: &[u8], login: &Login) -> Option<Failure> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Words {
        error: String,
        error_code: String,
    }
    let words: Vec<Words> = serde_json::from_slice(words).unwrap_or_default();
    let words = words.into_iter().next().unwrap_or_default();
    let code = words.error_code.to_ascii_lowercase();
    let said = format!("{code} {}", words.error.to_ascii_lowercase());
    match status {
        _ if BANNED.iter().any(|word| said.contains(word)) => {
            Some(Failure::offline(format!("{login} is banned or suspended")))
        }
        _ if said.contains("renamed") => Some(Failure::offline(format!("{login} has another name now"))),
        _ if ["geo", "region", "country"].iter().any(|word| said.contains(word)) => {
            let what = format!("Twitch does not show {login} in this region");
            Some(Failure::error(Cause::Token, what))
        }
        _ if said.contains("entitle") || said.contains("restricted") => {
            Some(Failure::error(Cause::Token, format!("{login} is for subscribers only")))
        }
        401 | 403 => None,
        404 => Some(Failure::offline(format!("{login} is offline"))),
        _ => {
            let what = format!("Twitch's list of qualities: the server answered {status}");
            Some(Failure::error(Cause::Resolve, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::FailureKind;
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn login() -> Login {
        Login::parse("gorgc").unwrap()
    }

    fn token_answer(value: &str) -> String {
        json!({"data": {"streamPlaybackAccessToken": {"value": value, "signature": "s"}}}).to_string()
    }

    #[test]
    fn each_answer_to_a_question_for_a_token_is_a_state() {
        use FailureKind::{Error, Offline};
        let integrity = r#"{"errors":[{"message":"failed integrity check"}]}"#;
        let unknown_query = r#"{"errors":[{"message":"PersistedQueryNotFound"}]}"#;
        let forbidden = token_answer(r#"{"authorization":{"forbidden":true,"reason":"GEO"},"expires":9}"#);
        for (status, body, kind, words) in [
            (200, r#"{"data":{"streamPlaybackAccessToken":null}}"#, Offline, "gorgc is offline"),
            (200, integrity, Error(Cause::Integrity), "Client-Integrity"),
            (200, unknown_query, Error(Cause::Token), "token_hash"),
            (
                400,
                r#"{"error":"Bad Request","message":"The \"Client-ID\" header is invalid."}"#,
                Error(Cause::Token),
                "client_id",
            ),
            (200, &forbidden, Error(Cause::Token), "forbids watching gorgc: GEO"),
            (503, "", Error(Cause::Token), "503"),
            (200, "<html>", Error(Cause::Token), "not what was asked for"),
            (200, "[]", Error(Cause::Token), "not what was asked for"),
            (200, r#"{"data":null}"#, Error(Cause::Token), "not what was asked for"),
        ] {
            let failure = answer(status, body.as_bytes(), &login(), NOW).unwrap_err();
            assert_eq!(failure.kind, kind, "{body}");
            assert!(failure.reason.contains(words), "{body}: {}", failure.reason);
        }
    }

    #[test]
    fn a_token_lasts_as_long_as_it_says_within_a_day() {
        for (value, lasts) in [
            (format!(r#"{{"expires":{}}}"#, NOW + 1200), 1200),
            (format!(r#"{{"expires":{}}}"#, NOW - 5), 0),
            (format!(r#"{{"expires":{}}}"#, i64::MAX), 86_400),
            ("no JSON".to_owned(), 0),
        ] {
            let (got, signature, duration) =
                answer(200, token_answer(&value).as_bytes(), &login(), NOW).unwrap();
            assert_eq!((got, signature.as_str(), duration.as_secs()), (value, "s", lasts));
        }
    }

    #[test]
    fn a_list_that_is_denied_is_a_state() {
        for (status, words, expected) in [
            (
                404,
                r#"[{"error":"twirp error not_found: transcode does not exist","error_code":"transcode_does_not_exist"}]"#,
                Some("offline"),
            ),
            (404, "", Some("offline")),
            (403, r#"[{"error_code":"content_geoblocked"}]"#, Some("region")),
            (403, r#"[{"error_code":"unauthorized_entitlements"}]"#, Some("subscribers")),
            (403, r#"[{"error":"channel is banned"}]"#, Some("banned")),
            (403, r#"[{"error_code":"nauth_token_expired"}]"#, None),
            (403, "", None),
            (500, "", Some("500")),
        ] {
            let failure = denied(status, words.as_bytes(), &login());
            match (&failure, expected) {
                (Some(failure), Some(word)) => assert!(failure.reason.contains(word), "{failure}"),
                (None, None) => {}
                _ => panic!("{status} {words}: {failure:?}"),
            }
        }
    }

    #[test]
    fn the_list_is_asked_for_as_the_player_asks() {
        let token = Token {
            value: Secret::new(r#"{"a":"b&c"}"#),
            signature: Secret::new("s"),
            renew_at: Monotonic::default(),
        };
        for (usher, start) in [
            (
                "https://usher.ttvnw.net",
                "https://usher.ttvnw.net/api/v2/channel/hls/gorgc.m3u8?platform=web&p=",
            ),
            ("http://h:1/x/", "http://h:1/x/api/v2/channel/hls/gorgc.m3u8?platform=web&p="),
        ] {
            let url = list_url(&usher.parse().unwrap(), &login(), &token);
            assert!(url.as_str().starts_with(start), "{url}");
            assert!(url.as_str().ends_with("&sig=s&token=%7B%22a%22%3A%22b%26c%22%7D"), "{url}");
        }
        assert!(!format!("{token:?}").contains("b&c"));
    }
}
