//! The API's document says the truth: every route it names answers as it says, and no route answers that it doesn't
//! name.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Server, answer, form, picture};

/// Routes that are pages and files rather than API.
const UNDOCUMENTED: [&str; 3] = ["/", "/api/docs", "/api/openapi.json"];

fn document() -> Value {
    serde_json::to_value(onair::api::document()).unwrap()
}

/// What `value` has that `schema` does not allow. As much of JSON Schema as the document uses.
pub(crate) fn mismatch(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.strip_prefix('#')?);
        return found
            .map_or(Some(format!("{reference} leads nowhere")), |s| mismatch(document, s, value, at));
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(options) = schema[any].as_array() {
            let fits = options.iter().any(|option| mismatch(document, option, value, at).is_none());
            return (!fits).then(|| format!("{at}: {value} is none of {any}"));
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !(types.contains(&is) || is == "integer" && types.contains(&"number")) {
        return Some(format!("{at}: {value} is no {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        return Some(format!("{at}: {value} is none of {words:?}"));
    }
    if let Some(items) = value.as_array() {
        let mut items = items.iter().enumerate();
        return items.find_map(|(i, item)| mismatch(document, &schema["items"], item, &format!("{at}[{i}]")));
    }
    let object = value.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|key| !object.contains_key(*key)) {
        return Some(format!("{at}: {missing} is missing"));
    }
    let properties = schema["properties"].as_object();
    let rest = &schema["additionalProperties"];
    object.iter().find_map(|(key, value)| {
        let at = format!("{at}.{key}");
        match properties.and_then(|properties| properties.get(key)) {
            Some(schema) => mismatch(document, schema, value, &at),
            None if rest.is_object() => mismatch(document, rest, value, &at),
            None if properties.is_some() && rest != &json!(true) => Some(format!("{at} is not documented")),
            None => None,
        }
    })
}

#[test]
fn the_reader_of_schemas_sees_what_does_not_fit() {
    let document = json!({ "defs": { "Name": { "type": "string", "enum": ["a", "b"] } } });
    let schema = json!({
        "type": "object", "required": ["name", "size"],
        "properties": {
            "name": { "$ref": "#/defs/Name" },
            "size": { "type": ["number", "null"] },
            "tags": { "type": "array", "items": { "type": "integer" } },
            "either": { "oneOf": [{ "type": "null" }, { "$ref": "#/defs/Name" }] },
            "more": { "type": "object", "additionalProperties": { "type": "boolean" } },
        },
    });
    for good in [
        json!({ "name": "a", "size": 1 }),
        json!({ "name": "b", "size": null, "tags": [1, 2], "either": null, "more": { "x": true } }),
        json!({ "name": "b", "size": 1.5, "either": "a" }),
    ] {
        assert_eq!(mismatch(&document, &schema, &good, "it"), None);
    }
    for bad in [
        json!([]),
        json!({ "name": "a" }),
        json!({ "name": "c", "size": 1 }),
        json!({ "name": "a", "size": "1" }),
        json!({ "name": "a", "size": 1, "tags": [1.5] }),
        json!({ "name": "a", "size": 1, "either": 5 }),
        json!({ "name": "a", "size": 1, "more": { "x": 1 } }),
        json!({ "name": "a", "size": 1, "secret": 1 }),
    ] {
        assert!(mismatch(&document, &schema, &bad, "it").is_some(), "{bad}");
    }
}

/// One operation, and calls that should bring out each of its answers that a call can.
struct Calls {
    method: Method,
    path: &'static str,
    calls: Vec<Call>,
}

struct Call {
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
}

fn operation(method: Method, path: &'static str, calls: Vec<Call>) -> Calls {
    Calls { method, path, calls }
}

fn call(path: &'static str, status: u16) -> Call {
    Call { path, headers: &[], body: Vec::new(), status }
}

impl Call {
    fn with(mut self, headers: &'static [(&'static str, &'static str)], body: impl Into<Vec<u8>>) -> Self {
        (self.headers, self.body) = (headers, body.into());
        self
    }
}

const JPEG: &[(&str, &str)] = &[("content-type", "image/jpeg")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const FORM: &[(&str, &str)] = &[("content-type", "multipart/form-data; boundary=XyZ")];
const FOREIGN: &[(&str, &str)] = &[("origin", "https://evil.example"), ("content-type", "application/json")];
const UPGRADE: &[(&str, &str)] = &[
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];
const STALE: &[(&str, &str)] = &[("if-match", "\"1000000\""), ("content-type", "application/json")];
const RANGE: &[(&str, &str)] = &[("range", "bytes=0-9")];
const BAD_RANGE: &[(&str, &str)] = &[("range", "bytes=99999999-")];

/// In the order they are called: what is deleted is deleted last.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn samples() -> Vec<Calls> {
    let jpeg = picture(1).to_vec();
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        operation(
            post.clone(),
            "/publish/{name}",
            vec![
                call("/publish/new", 200).with(JPEG, jpeg.clone()),
                call("/publish/new", 200).with(FORM, form(&[("frame", &jpeg)]).1),
                call("/publish/new", 400).with(FORM, "no form"),
                call("/publish/new", 415).with(JPEG, "no JPEG"),
                call("/publish/new", 422).with(JPEG, &jpeg[..900]),
                call("/publish/a.b", 422).with(JPEG, jpeg.clone()),
                call("/publish/new", 413).with(JPEG, vec![0; 300_000]),
                call("/publish/third", 503).with(JPEG, jpeg.clone()),
            ],
        ),
        operation(
            get.clone(),
            "/publish/{name}/ws",
            vec![
                call("/publish/new/ws", 101).with(UPGRADE, ""),
                call("/publish/new/ws", 400),
                call("/publish/a.b/ws", 422).with(UPGRADE, ""),
            ],
        ),
        operation(
            get.clone(),
            "/stream/{name}",
            vec![call("/stream/cam", 200), call("/stream/nobody", 404), call("/stream/cam?fps=0", 422)],
        ),
        operation(
            get.clone(),
            "/api/streams/{name}/snapshot.jpg",
            vec![
                call("/api/streams/cam/snapshot.jpg", 200),
                call("/api/streams/cam/snapshot.jpg?width=32", 200),
                call("/api/streams/nobody/snapshot.jpg", 404),
                call("/api/streams/cam/snapshot.jpg?width=1", 422),
            ],
        ),
        operation(
            get.clone(),
            "/api/streams",
            vec![
                call("/api/streams", 200),
                call("/api/streams?q=c&limit=1", 200),
                call("/api/streams?colour=1", 422),
            ],
        ),
        operation(
            get.clone(),
            "/api/streams/{name}",
            vec![
                call("/api/streams/cam", 200),
                call("/api/streams/nobody", 404),
                call("/api/streams/a.b", 422),
            ],
        ),
        operation(
            get.clone(),
            "/api/streams/{name}/stats",
            vec![
                call("/api/streams/cam/stats", 200),
                call("/api/streams/nobody/stats", 404),
                call("/api/streams/a.b/stats", 422),
            ],
        ),
        operation(
            put.clone(),
            "/api/streams/{name}/recording",
            vec![
                call("/api/streams/cam/recording", 200).with(JSON, r#"{"enabled":false}"#),
                call("/api/streams/cam/recording", 422).with(JSON, "{}"),
                call("/api/streams/cam/recording", 400).with(JSON, "{"),
                call("/api/streams/cam/recording", 415).with(JPEG, "{}"),
                call("/api/streams/cam/recording", 403).with(FOREIGN, "{}"),
                call("/api/streams/nobody/recording", 404).with(JSON, r#"{"enabled":false}"#),
            ],
        ),
        operation(
            post.clone(),
            "/api/streams",
            vec![
                call("/api/streams", 201).with(JSON, r#"{"username":"gorgc","priority":3}"#),
                call("/api/streams", 200).with(JSON, r#"{"username":"gorgc"}"#),
                call("/api/streams", 422).with(JSON, r#"{"username":"a b"}"#),
                call("/api/streams", 409).with(JSON, r#"{"username":"cam"}"#),
                call("/api/streams", 400).with(JSON, "{"),
                call("/api/streams", 415),
                call("/api/streams", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(
            post.clone(),
            "/api/streams/bulk",
            vec![
                call("/api/streams/bulk", 200)
                    .with(JSON, r#"{"streams":["gorgc","a b",{"username":"dendi"}]}"#),
                call("/api/streams/bulk", 422).with(JSON, r#"{"streams":7}"#),
                call("/api/streams/bulk", 400).with(JSON, "{"),
            ],
        ),
        operation(
            put.clone(),
            "/api/streams/{name}/priority",
            vec![
                call("/api/streams/gorgc/priority", 200).with(JSON, r#"{"priority":1}"#),
                call("/api/streams/gorgc/priority", 422).with(JSON, r#"{"priority":0}"#),
                call("/api/streams/cam/priority", 409).with(JSON, r#"{"priority":1}"#),
                call("/api/streams/nobody/priority", 404).with(JSON, r#"{"priority":1}"#),
            ],
        ),
        operation(
            put.clone(),
            "/api/streams/{name}/pack",
            vec![
                call("/api/streams/gorgc/pack", 200).with(JSON, r#"{"pack":"none"}"#),
                call("/api/streams/cam/pack", 200).with(JSON, r#"{"pack":"auto"}"#),
                call("/api/streams/cam/pack", 422).with(JSON, r#"{"pack":"nothing-like-it"}"#),
                call("/api/streams/cam/pack", 400).with(JSON, "{"),
                call("/api/streams/nobody/pack", 404).with(JSON, r#"{"pack":"auto"}"#),
            ],
        ),
        operation(
            get.clone(),
            "/api/streams/{name}/readings",
            vec![
                call("/api/streams/cam/readings", 200),
                call("/api/streams/cam/readings?since=2026-01-01T00:00:00Z&limit=5", 200),
                call("/api/streams/cam/readings?since=yesterday", 422),
                call("/api/streams/nobody/readings", 404),
            ],
        ),
        operation(
            get.clone(),
            "/api/events",
            vec![
                call("/api/events", 200),
                call("/api/events?stream=cam&type=goal&limit=1", 200),
                call("/api/events?limit=0", 422),
                call("/api/events?cursor=x", 422),
            ],
        ),
        operation(get.clone(), "/api/events/{id}", vec![call("/api/events/nothing", 404)]),
        operation(
            get.clone(),
            "/api/events/{id}/frame.jpg",
            vec![call("/api/events/nothing/frame.jpg", 404)],
        ),
        operation(
            get.clone(),
            "/api/events/{id}/crops/{crop}",
            vec![
                call("/api/events/nothing/crops/score.jpg", 404),
                call("/api/events/nothing/crops/score", 404),
            ],
        ),
        operation(
            put.clone(),
            "/api/events/{id}/verdict",
            vec![
                call("/api/events/nothing/verdict", 404).with(JSON, r#"{"correct":true}"#),
                call("/api/events/nothing/verdict", 422).with(JSON, r#"{"correct":7}"#),
                call("/api/events/nothing/verdict", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(get.clone(), "/api/packs", vec![call("/api/packs", 200)]),
        operation(
            get.clone(),
            "/api/packs/{id}",
            vec![call("/api/packs/fifa20", 200), call("/api/packs/nothing", 404)],
        ),
        operation(
            post.clone(),
            "/api/packs/{id}/read",
            vec![
                call("/api/packs/auto/read?annotated=1", 200).with(JPEG, picture(1)),
                call("/api/packs/fifa20/read", 415).with(JPEG, "no picture"),
                call("/api/packs/fifa20/read", 422).with(JPEG, &b"\xff\xd8\xff\xe0 cut short"[..]),
                call("/api/packs/nothing/read", 404).with(JPEG, picture(1)),
            ],
        ),
        operation(
            get.clone(),
            "/api/frames/{stream}/{file}",
            vec![call("/api/frames/gorgc/20260101_000000_000.jpg", 404), call("/api/frames/a.b/x.jpg", 422)],
        ),
        operation(
            post.clone(),
            "/api/restart",
            vec![call("/api/restart", 200), call("/api/restart", 403).with(FOREIGN, "")],
        ),
        operation(
            get.clone(),
            "/api/recordings",
            vec![
                call("/api/recordings", 200),
                call("/api/recordings?stream=cam", 200),
                call("/api/recordings?colour=1", 422),
            ],
        ),
        operation(
            get.clone(),
            "/api/recordings/{stream}/{file}",
            vec![
                call("/api/recordings/cam/cam_20260101_000000.mp4", 200),
                call("/api/recordings/cam/cam_20260101_000000.mp4", 206).with(RANGE, ""),
                call("/api/recordings/cam/cam_20260101_000000.mp4", 416).with(BAD_RANGE, ""),
                call("/api/recordings/cam/nothing.mp4", 404),
                call("/api/recordings/a.b/nothing.mp4", 422),
            ],
        ),
        operation(
            delete.clone(),
            "/api/recordings/{stream}/{file}",
            vec![
                call("/api/recordings/cam/nothing.mp4", 404),
                call("/api/recordings/cam/cam_20260101_000000.mp4", 403).with(FOREIGN, ""),
                call("/api/recordings/cam/cam_20260101_000000.mp4", 200),
                call("/api/recordings/a.b/nothing.mp4", 422),
            ],
        ),
        operation(get.clone(), "/api/asyncapi.json", vec![call("/api/asyncapi.json", 200)]),
        operation(get.clone(), "/stream/status", vec![call("/stream/status", 200)]),
        operation(
            get.clone(),
            "/stream/frame",
            vec![
                call("/stream/frame", 200),
                call("/stream/frame?at=1500.5&format=jpeg", 200),
                call("/stream/frame?at=-1", 422),
                call("/stream/frame?at=NaN", 422),
                call("/stream/frame?format=bmp", 422),
            ],
        ),
        operation(
            post.clone(),
            "/stream/outputs",
            vec![
                call("/stream/outputs", 201)
                    .with(JSON, r#"{"id":"far","url":"rtmp://127.0.0.1:9/live","key":"k","enabled":false}"#),
                call("/stream/outputs", 201).with(JSON, r#"{"id":"near","type":"file","name":"show"}"#),
                call("/stream/outputs", 409).with(JSON, r#"{"id":"near","type":"hls"}"#),
                call("/stream/outputs", 422)
                    .with(JSON, r#"{"url":"rtmp://127.0.0.1:9/live/k","videoCodec":"vp9"}"#),
                call("/stream/outputs", 400).with(JSON, "{"),
                call("/stream/outputs", 415),
                call("/stream/outputs", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(get.clone(), "/stream/outputs", vec![call("/stream/outputs", 200)]),
        operation(
            get.clone(),
            "/stream/outputs/{id}",
            vec![call("/stream/outputs/far", 200), call("/stream/outputs/nothing", 404)],
        ),
        operation(
            put.clone(),
            "/stream/outputs/{id}",
            vec![
                call("/stream/outputs/far", 200).with(JSON, r#"{"bitrateKbps":2000}"#),
                call("/stream/outputs/far", 422).with(JSON, r#"{"bitrateKbps":0}"#),
                call("/stream/outputs/far", 400).with(JSON, "{"),
                call("/stream/outputs/far", 415),
                call("/stream/outputs/far", 403).with(FOREIGN, "{}"),
                call("/stream/outputs/nothing", 404).with(JSON, "{}"),
            ],
        ),
        operation(
            delete.clone(),
            "/stream/outputs/{id}",
            vec![
                call("/stream/outputs/near", 200),
                call("/stream/outputs/near", 404),
                call("/stream/outputs/far", 403).with(FOREIGN, ""),
            ],
        ),
        operation(get.clone(), "/stream/audio", vec![call("/stream/audio", 200)]),
        operation(
            Method::PATCH,
            "/stream/audio/{source}",
            vec![
                call("/stream/audio/music", 404).with(JSON, r#"{"volume":1}"#),
                call("/stream/audio/music", 422).with(JSON, r#"{"src":"nothing-like-it"}"#),
                call("/stream/audio/music", 400).with(JSON, "{"),
                call("/stream/audio/music", 415),
                call("/stream/audio/music", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(delete.clone(), "/stream/audio/{source}", vec![call("/stream/audio/music", 404)]),
        operation(get.clone(), "/hls/program/{file}", vec![call("/hls/program/index.m3u8", 404)]),
        operation(
            post.clone(),
            "/stream/control",
            vec![
                call("/stream/control", 200).with(JSON, r#"{"action":"start"}"#),
                call("/stream/control", 409).with(JSON, r#"{"action":"start"}"#),
                call("/stream/control", 200).with(JSON, r#"{"action":"pause"}"#),
                call("/stream/control", 422).with(JSON, r#"{"action":"dance"}"#),
                call("/stream/control", 400).with(JSON, "{"),
                call("/stream/control", 415),
                call("/stream/control", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(
            post.clone(),
            "/stream/layers",
            vec![
                call("/stream/layers", 201)
                    .with(JSON, r#"{"id":"one","content":{"kind":"text","text":"{{ values.bid }}"}}"#),
                call("/stream/layers", 201).with(JSON, r#"{"content":{"kind":"group"},"opacity":0.5}"#),
                call("/stream/layers", 201).with(JSON, r#"{"id":"gone","content":{"kind":"group"}}"#),
                call("/stream/layers", 409).with(JSON, r#"{"id":"one","content":{"kind":"group"}}"#),
                call("/stream/layers", 422).with(JSON, r#"{"content":{"kind":"hologram"}}"#),
                call("/stream/layers", 400).with(JSON, "{"),
                call("/stream/layers", 413).with(JSON, vec![b' '; 2 << 20]),
                call("/stream/layers", 415).with(JPEG, "{}"),
                call("/stream/layers", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(get.clone(), "/stream/layers", vec![call("/stream/layers", 200)]),
        operation(
            get.clone(),
            "/stream/layers/{id}",
            vec![call("/stream/layers/one", 200), call("/stream/layers/nothing", 404)],
        ),
        operation(
            put.clone(),
            "/stream/layers/{id}",
            vec![
                call("/stream/layers/one", 200).with(JSON, r#"{"opacity":0.5}"#),
                call("/stream/layers/one", 412).with(STALE, r#"{"opacity":0.5}"#),
                call("/stream/layers/one", 422).with(JSON, r#"{"opacity":7}"#),
                call("/stream/layers/one", 400).with(JSON, "{"),
                call("/stream/layers/one", 415).with(JPEG, "{}"),
                call("/stream/layers/nothing", 404).with(JSON, "{}"),
                call("/stream/layers/one", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(
            Method::PATCH,
            "/stream/layers/{id}",
            vec![
                call("/stream/layers/one", 200).with(JSON, r#"{"transform":{"position":{"x":5}}}"#),
                call("/stream/layers/one", 412).with(STALE, "{}"),
                call("/stream/layers/one", 422).with(JSON, r#"{"type":"chat"}"#),
            ],
        ),
        operation(
            post.clone(),
            "/stream/layers/{id}/visibility",
            vec![
                call("/stream/layers/one/visibility", 200).with(JSON, r#"{"visible":false}"#),
                call("/stream/layers/one/visibility", 422).with(JSON, r#"{"visible":1}"#),
                call("/stream/layers/nothing/visibility", 404).with(JSON, r#"{"visible":true}"#),
            ],
        ),
        operation(
            post.clone(),
            "/stream/layers/update",
            vec![
                call("/stream/layers/update", 200).with(JSON, r#"{"updates":[{"id":"one","opacity":1}]}"#),
                call("/stream/layers/update", 422).with(JSON, r#"{"updates":[{"id":"nothing"}]}"#),
                call("/stream/layers/update", 400).with(JSON, "["),
            ],
        ),
        operation(
            post.clone(),
            "/stream/layers/{id}/animations",
            vec![
                call("/stream/layers/one/animations", 201)
                    .with(JSON, r#"{"id":"fade","preset":"fade","duration":900000}"#),
                call("/stream/layers/one/animations", 409)
                    .with(JSON, r#"{"id":"fade","preset":"fade","duration":900000}"#),
                call("/stream/layers/one/animations", 422).with(JSON, r#"{"preset":"explode"}"#),
                call("/stream/layers/nothing/animations", 404).with(JSON, r#"{"preset":"fade"}"#),
            ],
        ),
        operation(
            get.clone(),
            "/stream/layers/{id}/animations",
            vec![call("/stream/layers/one/animations", 200), call("/stream/layers/nothing/animations", 404)],
        ),
        operation(
            post.clone(),
            "/stream/layers/{id}/animations/{animation}/control",
            vec![
                call("/stream/layers/one/animations/fade/control", 200).with(JSON, r#"{"action":"pause"}"#),
                call("/stream/layers/one/animations/fade/control", 422).with(JSON, r#"{"action":"seek"}"#),
                call("/stream/layers/one/animations/nothing/control", 404).with(JSON, r#"{"action":"play"}"#),
            ],
        ),
        operation(
            post.clone(),
            "/stream/timeline",
            vec![
                call("/stream/timeline", 201)
                    .with(JSON, r#"{"animations":[{"layerId":"one","preset":"slide","duration":900000}]}"#),
                call("/stream/timeline", 422).with(JSON, r#"{"animations":[]}"#),
                call("/stream/timeline", 400).with(JSON, "{"),
            ],
        ),
        operation(
            delete.clone(),
            "/stream/layers/{id}/animations/{animation}",
            vec![
                call("/stream/layers/one/animations/fade", 200),
                call("/stream/layers/one/animations/fade", 404),
            ],
        ),
        operation(
            delete.clone(),
            "/stream/layers/{id}",
            vec![
                call("/stream/layers/gone", 412).with(STALE, ""),
                call("/stream/layers/gone", 200),
                call("/stream/layers/gone", 404),
                call("/stream/layers/one", 400).with(&[("if-match", "yesterday")], ""),
            ],
        ),
        operation(
            post.clone(),
            "/stream/scenes",
            vec![
                call("/stream/scenes", 201).with(JSON, r#"{"id":"break","name":"Back soon"}"#),
                call("/stream/scenes", 409).with(JSON, r#"{"id":"break"}"#),
                call("/stream/scenes", 422)
                    .with(JSON, r#"{"layers":[{"content":{"kind":"text"},"opacity":7}]}"#),
                call("/stream/scenes", 400).with(JSON, "{"),
            ],
        ),
        operation(get.clone(), "/stream/scenes", vec![call("/stream/scenes", 200)]),
        operation(
            get.clone(),
            "/stream/scenes/{id}",
            vec![call("/stream/scenes/break", 200), call("/stream/scenes/nothing", 404)],
        ),
        operation(
            put.clone(),
            "/stream/scenes/{id}",
            vec![
                call("/stream/scenes/break", 200).with(JSON, r#"{"name":"Soon"}"#),
                call("/stream/scenes/break", 412).with(STALE, "{}"),
                call("/stream/scenes/break", 422).with(JSON, r#"{"colour":1}"#),
                call("/stream/scenes/nothing", 404).with(JSON, "{}"),
            ],
        ),
        operation(
            post.clone(),
            "/stream/scenes/{id}/activate",
            vec![
                call("/stream/scenes/break/activate", 200),
                call("/stream/scenes/break/activate", 200)
                    .with(JSON, r#"{"transition":{"type":"fade","duration":200}}"#),
                call("/stream/scenes/break/activate", 422).with(JSON, r#"{"transition":{"type":"explode"}}"#),
                call("/stream/scenes/break/activate", 415).with(JPEG, "{}"),
                call("/stream/scenes/nothing/activate", 404),
            ],
        ),
        operation(
            delete.clone(),
            "/stream/scenes/{id}",
            vec![
                call("/stream/scenes/break", 412).with(STALE, ""),
                call("/stream/scenes/break", 200),
                call("/stream/scenes/break", 404),
            ],
        ),
        operation(
            post.clone(),
            "/stream/chat",
            vec![
                call("/stream/chat", 201).with(JSON, r#"{"author":"ada","text":"hello"}"#),
                call("/stream/chat", 422).with(JSON, r#"{"author":"ada"}"#),
                call("/stream/chat", 400).with(JSON, "{"),
            ],
        ),
        operation(get.clone(), "/stream/chat", vec![call("/stream/chat", 200)]),
        operation(
            put.clone(),
            "/stream/values",
            vec![
                call("/stream/values", 200).with(JSON, r#"{"values":{"bid":3,"who":"ada","open":true}}"#),
                call("/stream/values", 422).with(JSON, r#"{"values":{"bid":[1]}}"#),
                call("/stream/values", 400).with(JSON, "{"),
            ],
        ),
        operation(get.clone(), "/stream/values", vec![call("/stream/values", 200)]),
        operation(
            post.clone(),
            "/api/assets",
            vec![
                call("/api/assets?id=cam&name=Cam", 201).with(JPEG, jpeg.clone()),
                call("/api/assets", 201).with(FORM, form(&[("file", &jpeg)]).1),
                call("/api/assets?id=cam", 409).with(JPEG, jpeg.clone()),
                call("/api/assets?id=a.b", 422).with(JPEG, jpeg.clone()),
                call("/api/assets", 422).with(JPEG, &jpeg[..900]),
                call("/api/assets", 415).with(JPEG, "nothing that is shown"),
                call("/api/assets", 413).with(JPEG, vec![0; 3 << 20]),
                call("/api/assets", 400).with(FORM, "no form"),
                call("/api/assets", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(get.clone(), "/api/assets", vec![call("/api/assets", 200)]),
        operation(
            get.clone(),
            "/api/assets/{id}",
            vec![call("/api/assets/cam", 200), call("/api/assets/nothing", 404)],
        ),
        operation(
            delete.clone(),
            "/api/assets/{id}",
            vec![call("/api/assets/cam", 200), call("/api/assets/cam", 404)],
        ),
        operation(get.clone(), "/api/config", vec![call("/api/config", 200)]),
        operation(
            put,
            "/api/config",
            vec![
                call("/api/config", 200).with(JSON, r#"{"max_buffer_frames":9}"#),
                call("/api/config", 422).with(JSON, r#"{"colour":9}"#),
                call("/api/config", 400).with(JSON, "{"),
                call("/api/config", 415),
                call("/api/config", 403).with(FOREIGN, "{}"),
            ],
        ),
        operation(get.clone(), "/api/status", vec![call("/api/status", 200)]),
        operation(get.clone(), "/health", vec![call("/health", 200)]),
        operation(get.clone(), "/metrics", vec![call("/metrics", 200)]),
        operation(get.clone(), "/api/metrics", vec![call("/api/metrics", 200)]),
        operation(get, "/ws", vec![call("/ws", 101).with(UPGRADE, ""), call("/ws", 400)]),
        operation(
            post,
            "/api/cleanup",
            vec![call("/api/cleanup", 200), call("/api/cleanup", 403).with(FOREIGN, "")],
        ),
        operation(
            delete,
            "/api/streams/{name}",
            vec![
                call("/api/streams/nobody", 404),
                call("/api/streams/cam", 403).with(FOREIGN, ""),
                call("/api/streams/a.b", 422),
                call("/api/streams/cam", 200),
            ],
        ),
    ]
}

/// The answer, without the body where it has no end.
async fn ask(server: &Server, method: &Method, call: &Call, endless: bool) -> Answer {
    let mut request = server.request(method.clone(), call.path);
    for (name, value) in call.headers {
        request = request.header(*name, *value);
    }
    if !call.body.is_empty() {
        request = request.body(call.body.clone());
    }
    if !endless {
        return answer(request).await;
    }
    let response = crate::harness::within(request.send()).await.unwrap();
    Answer { status: response.status(), headers: response.headers().clone(), body: bytes::Bytes::new() }
}

/// What the document says of this answer and is not so.
fn untrue(document: &Value, operation: &Value, answer: &Answer) -> Option<String> {
    let status = answer.status.as_u16();
    let said = &operation["responses"][status.to_string()];
    if !said.is_object() {
        return Some(format!("{status} is not documented"));
    }
    let content = said["content"].as_object()?;
    let content_type = answer.header("content-type").split(';').next().unwrap();
    let Some(said) = content.get(content_type) else {
        return Some(format!("{status} is documented as {:?}, not as {content_type}", content.keys()));
    };
    if !content_type.ends_with("json") || answer.body.is_empty() {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    mismatch(document, &said["schema"], &body, &status.to_string())
}

#[tokio::test]
async fn every_documented_route_answers_as_documented() {
    let document = document();
    let settings = [
        ("streams.max_concurrent", "2"),
        ("server.max_frame_size_mb", "0.1"),
        ("compositor.max_asset_mb", "1"),
    ];
    let server = Server::start(&settings).await;
    server.publish("cam", picture(1)).await.json();
    let folder = server.folder().join("recordings/cam");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cam_20260101_000000.mp4"), [7; 1000]).unwrap();
    let (mut documented, mut lies) = (BTreeSet::new(), Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    for Calls { method, path, calls } in samples() {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        assert!(documented.remove(&format!("{method} {path}")), "{method} {path} is not documented");
        for call in calls {
            let called = format!("{method} {}", call.path);
            let endless = call.status == 101 || (path == "/stream/{name}" && call.status == 200);
            let answer = ask(&server, &method, &call, endless).await;
            assert_eq!(answer.status, call.status, "{called}: {answer:?}");
            lies.extend(untrue(&document, operation, &answer).map(|lie| format!("{called}: {lie}")));
        }
    }
    assert!(lies.is_empty(), "{}", lies.join("\n"));
    assert!(documented.is_empty(), "never called: {documented:?}");
    server.stop().await;
}

#[tokio::test]
async fn every_route_that_can_be_closed_documents_its_refusal() {
    let document = document();
    let server = Server::start(&[("auth.token", "open-sesame")]).await;
    for Calls { method, path, calls } in samples() {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let refused = ask(&server, &method, &calls[0], false).await;
        assert_eq!(untrue(&document, operation, &refused), None, "{method} {path}");
        assert_eq!(refused.status.as_u16() == 401, path != "/health", "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_documented_methods_and_paths_answer() {
    let document = document();
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    let mut methods: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        methods.insert(
            path,
            operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect(),
        );
    }
    for path in UNDOCUMENTED {
        methods.insert(path, BTreeSet::from(["GET".to_owned()]));
    }
    for (path, known) in methods {
        let sample =
            path.replace("{name}", "nobody").replace("{stream}", "nobody").replace("{file}", "x.mp4");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let method: Method = method.parse().unwrap();
            let answered = answer(server.request(method.clone(), &sample)).await;
            let exists = answered.status != 405;
            assert_eq!(exists, known.contains(method.as_str()), "{method} {path}: {answered:?}");
            if !exists {
                let allowed: BTreeSet<_> =
                    answered.header("allow").split(',').filter(|m| *m != "HEAD").collect();
                assert_eq!(allowed, known.iter().map(String::as_str).collect(), "{path}");
            }
        }
    }
    server.stop().await;
}

/// Each route the sources register outside of the document's own list.
#[test]
fn the_sources_register_no_route_the_document_does_not_know() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut found = BTreeSet::new();
    for file in ["router.rs", "page.rs"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let literals = text.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        found.extend(literals);
    }
    let document = document();
    for path in found {
        let known = document["paths"].get(&path).is_some() || UNDOCUMENTED.contains(&path.as_str());
        assert!(known, "{path} is served and not documented");
    }
}

#[test]
fn the_document_is_openapi_3_1_and_complete_in_itself() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "twice: {}",
                operation["operationId"]
            );
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{method} {path} says nothing"
            );
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named = |name: &str| parameters.iter().any(|p| p["name"] == name && p["in"] == "path");
            let in_path = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
            in_path.for_each(|name| assert!(named(name), "{method} {path}: {name} is not described"));
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) && path != "/health" {
                    let content =
                        response["content"].as_object().unwrap_or_else(|| panic!("{method} {path} {status}"));
                    assert!(content.contains_key("application/problem+json"), "{method} {path} {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let server = Server::start(&[]).await;
    let served = server.get("/api/openapi.json").await.json();
    assert_eq!(served["paths"], document()["paths"]);
    server.stop().await;
}
