use std::collections::BTreeMap;

use super::*;
use crate::base::config::{self, Inputs};
use crate::base::secret::Secret;

fn server(settings: &[(&str, &str)]) -> Server {
    let overrides = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let inputs = Inputs { overrides, ..Inputs::default() };
    config::resolve(&inputs).map_err(|mistakes| mistakes.to_string()).unwrap().config.server
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let builder = axum::http::Request::builder().method(method).uri(path);
    headers
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(*name, *value))
        .body(Body::empty())
        .unwrap()
}

#[test]
fn a_foreign_page_may_look_and_push_and_nothing_else() {
    let open = server(&[("server.cors_origins", "https://desk.example")]);
    let own = ("host", "cam.local:5000");
    for (method, path, origin, upgrade, allowed) in [
        ("GET", "/api/streams", "https://evil.example", false, true),
        ("DELETE", "/api/streams/a", "https://evil.example", false, false),
        ("DELETE", "/api/streams/a", "null", false, false),
        ("POST", "/api/cleanup", "https://evil.example", false, false),
        ("POST", "/publish/a", "https://evil.example", false, true),
        ("GET", "/publish/a/ws", "https://evil.example", true, true),
        ("GET", "/ws", "https://evil.example", true, false),
        ("GET", "/ws", "http://cam.local:5000", true, true),
        ("DELETE", "/api/streams/a", "http://cam.local:5000", false, true),
        ("DELETE", "/api/streams/a", "https://cam.local:5000", false, true),
        ("DELETE", "/api/streams/a", "http://cam.local:5001", false, false),
        ("DELETE", "/api/streams/a", "https://desk.example", false, true),
    ] {
        let mut headers = vec![own, ("origin", origin)];
        if upgrade {
            headers.push(("upgrade", "websocket"));
        }
        let request = request(method, path, &headers);
        let admitted = !changes_something(&request) || origin_may_change(request.headers(), path, &open);
        assert_eq!(admitted, allowed, "{method} {path} from {origin}");
    }
    let no_page = request("DELETE", "/api/streams/a", &[own]);
    assert!(origin_may_change(no_page.headers(), "/api/streams/a", &open));
}

#[test]
fn credentials_open_what_they_are_for() {
    let keys =
        BTreeMap::from([("cam".to_owned(), Secret::new("camkey")), ("*".to_owned(), Secret::new("anykey"))]);
    let both = Auth { token: Some(Secret::new("token")), publish_keys: keys.clone() };
    let only_keys = Auth { token: None, publish_keys: keys };
    let only_token = Auth { token: Some(Secret::new("token")), publish_keys: BTreeMap::new() };
    let open = Auth { token: None, publish_keys: BTreeMap::new() };
    for (auth, path, bearer, expected) in [
        (&open, "/api/streams", None, None),
        (&only_token, "/api/streams", None, Some(Kind::Unauthorized)),
        (&only_token, "/api/streams", Some("wrong"), Some(Kind::Unauthorized)),
        (&only_token, "/api/streams", Some("token"), None),
        (&only_token, "/api/streams?token=token", None, None),
        (&only_token, "/health", None, None),
        (&only_token, "/", None, None),
        (&only_token, "/publish/cam", None, Some(Kind::Unauthorized)),
        (&only_token, "/publish/cam", Some("token"), None),
        (&only_keys, "/api/streams", None, None),
        (&only_keys, "/publish/cam", Some("camkey"), None),
        (&only_keys, "/publish/cam?token=camkey", None, None),
        (&only_keys, "/publish/cam/ws", Some("camkey"), None),
        (&only_keys, "/publish/other", Some("anykey"), None),
        (&only_keys, "/publish/other", Some("camkey"), Some(Kind::Forbidden)),
        (&only_keys, "/publish/cam", Some("anykey"), Some(Kind::Forbidden)),
        (&only_keys, "/publish/cam", None, Some(Kind::Unauthorized)),
        (&both, "/publish/cam", Some("token"), None),
        (&both, "/api/streams", Some("camkey"), Some(Kind::Unauthorized)),
    ] {
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        let outcome = authorise(auth, &request("POST", path, &headers)).err().map(|e| e.kind());
        assert_eq!(outcome, expected, "{path} {bearer:?}");
    }
}

#[test]
fn only_trusted_proxies_say_whom_they_serve() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let server = server(&[("server.trusted_proxies", "10.0.0.0/8")]);
    for (peer, forwarded, client_is) in [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ] {
        let request = request("GET", "/", &[("x-forwarded-for", forwarded)]);
        assert_eq!(client(ip(peer), request.headers(), &server), ip(client_is), "{peer} {forwarded}");
    }
}

#[test]
fn a_request_id_is_taken_over_only_if_it_is_a_plain_word() {
    let id = |value: &str| request_id(request("GET", "/", &[("x-request-id", value)]).headers());
    assert_eq!(id("trace-1.2_b"), "trace-1.2_b");
    for odd in ["", "a b", "\"x\"", &"x".repeat(65)] {
        assert_ne!(id(odd), odd);
    }
}
