//! The WebSocket's messages as AsyncAPI 3, beside the OpenAPI document and with its schemas.

use axum::Json;
use serde_json::{Map, Value, json};

use super::error::Problem;
use super::router;

/// The WebSocket's messages
///
/// As AsyncAPI 3.
#[utoipa::path(
    get, path = "/api/asyncapi.json", operation_id = "asyncapi", tag = "events",
    responses(
        (status = 200, content_type = "application/json", body = Object), (status = 401, body = Problem),
    )
)]
pub(super) async fn show() -> Json<Value> {
    Json(document())
}

/// Messages by their `type`: what they are, and their payload.
fn from_server() -> Vec<(&'static str, &'static str, Value)> {
    let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let nullable_text = json!({"type": ["string", "null"]});
    let revision = json!({"type": "integer", "description": "Of the scene."});
    vec![
        (
            "hello",
            "Everything there is: first of all, and again whenever something was missed.",
            object(
                &[
                    ("version", json!({"type": "string"})),
                    ("streams", json!({"type": "array", "items": to("Stream")})),
                    ("program", to("ProgramStatus")),
                    ("revision", revision.clone()),
                    ("scene", to("State")),
                ],
                &[],
            ),
        ),
        (
            "layerUpdate",
            "What is other in the scene, durable: apply `entered`, then `layers`, `removed`, `ended`, `animations` and the \
             rest; `revision` is the scene's afterwards.",
            to("Change"),
        ),
        (
            "streamEvent",
            "A stream came or went (`sourceOnline`, `sourceOffline`), the program was started, stopped, paused or resumed, or an \
             output is in another state.",
            object(
                &[
                    (
                        "event",
                        json!({"type": "string", "enum": [
                            "sourceOnline", "sourceOffline", "streamStart", "streamStop", "streamPause", "streamResume",
                            "outputState", "streamError",
                        ]}),
                    ),
                    ("stream", json!({"type": "string"})),
                ],
                &[
                    ("reason", nullable_text.clone()),
                    ("state", json!({"type": "string"})),
                    ("output", json!({"type": "string"})),
                ],
            ),
        ),
        ("event", "A moment that a pack has found.", json!({"type": "object"})),
        (
            "levels",
            "How loud the program is, five times a second, for those who subscribed to it.",
            to("AudioState"),
        ),
        (
            "metricsUpdate",
            "Figures, every second, for those who subscribed to them.",
            object(
                &[
                    ("streams", json!({"type": "object", "additionalProperties": {"type": "object"}})),
                    ("program", to("ProgramStatus")),
                ],
                &[],
            ),
        ),
    ]
}

/// What is sent because it was asked for.
fn answers() -> Vec<(&'static str, &'static str, Value)> {
    let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let revision = json!({"type": "integer", "description": "Of the scene."});
    // Whatever the client sent as `ref`.
    let reference = json!({});
    vec![
        (
            "ack",
            "What was asked with that `ref` is done and durable; with `stored: later` it is done, and written down when the \
             store is back.",
            object(
                &[("ref", reference.clone()), ("revision", revision)],
                &[
                    ("stored", json!({"type": "string", "enum": ["later"]})),
                    ("state", json!({"type": "string"})),
                ],
            ),
        ),
        ("pong", "The answer to `ping`.", object(&[("ref", reference.clone())], &[])),
        (
            "error",
            "What was asked with that `ref` was not done and has changed nothing; with `layer`, that one can't be shown as it \
             should be.",
            object(
                &[
                    ("message", json!({"type": "string"})),
                    (
                        "code",
                        json!({"type": "string", "enum": [
                            "invalid", "notFound", "conflict", "tooLarge", "unavailable", "internal", "missed", "layer",
                        ]}),
                    ),
                ],
                &[
                    ("ref", reference),
                    ("layer", json!({"type": "string"})),
                    ("errors", json!({"type": "array", "items": to("FieldProblem")})),
                ],
            ),
        ),
    ]
}

fn from_client() -> Vec<(&'static str, &'static str, Value)> {
    let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let topics = json!({"type": "array", "items": {
        "type": "string", "enum": ["streamEvent", "event", "layerUpdate", "metricsUpdate", "levels"],
    }});
    vec![
        (
            "subscribe",
            "Which messages are wanted, and the revision of the scene that is known: what came since is sent.",
            object(&[], &[("topics", topics), ("since", json!({"type": "integer"}))]),
        ),
        (
            "layerUpdate",
            "A merge patch of one layer, or of several that land in one frame.",
            json!({"oneOf": [
                {"type": "object", "required": ["id"]},
                {"type": "object", "required": ["updates"]},
            ]}),
        ),
        ("control", "Starts, stops, pauses or resumes the broadcast.", to("NewState")),
        ("chat", "A line of chat.", to("Message")),
        ("values", "Values that layers show.", to("NewValues")),
        ("ping", "Is answered by `pong`.", json!({})),
    ]
}

fn object(required: &[(&str, Value)], more: &[(&str, Value)]) -> Value {
    let fields = required.iter().chain(more).map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let names: Vec<_> = required.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = fields.collect();
    json!({"type": "object", "required": names, "properties": properties})
}

fn document() -> Value {
    let server = from_server().into_iter().chain(answers()).map(|(kind, about, payload)| {
        let whole = object(
            &[
                ("type", json!({"type": "string", "enum": [kind]})),
                ("payload", payload),
                (
                    "seq",
                    json!({
                        "type": "integer", "description": "Counts the messages of this connection, from 1.",
                    }),
                ),
            ],
            &[],
        );
        (format!("server.{kind}"), message(kind, about, whole))
    });
    let client = from_client().into_iter().map(|(kind, about, payload)| {
        let whole = object(
            &[("type", json!({"type": "string", "enum": [kind]}))],
            &[("payload", payload), ("ref", json!({"description": "Comes back in the answer."}))],
        );
        (format!("client.{kind}"), message(kind, about, whole))
    });
    let messages: Map<String, Value> = server.chain(client).collect();
    let below = |prefix: &str, path: &str| -> Vec<Value> {
        let names = messages.keys().filter(|name| name.starts_with(prefix));
        names.map(|name| json!({ "$ref": format!("{path}{name}") })).collect()
    };
    let in_channel: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect();
    let channel = json!({ "$ref": "#/channels/events" });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "onair", "version": env!("CARGO_PKG_VERSION"),
            "description": "What is said over the WebSocket: on /ws, and on any path of server.ws_port.",
        },
        "defaultContentType": "application/json",
        "channels": {"events": {"address": "/ws", "messages": in_channel}},
        "operations": {
            "tell": {
                "action": "send", "channel": channel,
                "summary": "What the server sends.", "messages": below("server.", "#/channels/events/messages/"),
            },
            "ask": {
                "action": "receive", "channel": channel,
                "summary": "What clients send.", "messages": below("client.", "#/channels/events/messages/"),
            },
        },
        "components": {"messages": messages, "schemas": router::document()["components"]["schemas"]},
    })
}

fn message(kind: &str, about: &str, payload: Value) -> Value {
    json!({ "name": kind, "summary": about, "payload": payload })
}
