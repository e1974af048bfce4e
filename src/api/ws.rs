//! Events over a WebSocket: on `/ws`, and on any path of `server.ws_port`.
//!
//! A client that falls behind is sent everything anew, so that what it knows is never wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::Api;
use super::error::Problem;
use super::publish::oversize;
use super::streams::shape;
use super::wire::Stream;
use crate::base::error::{Error, Kind, Result};
use crate::events::Event;
use crate::streams::Change;

/// Between two `metricsUpdate`s, for those who subscribed to them.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// An idle connection is asked this often whether it still is one.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Every message to a client.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: Value,
    /// Counts the messages of this connection, from 1.
    seq: u64,
}

/// Every message from a client.
#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
    #[serde(rename = "ref")]
    reference: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    topics: BTreeSet<String>,
}

const TOPICS: [&str; 3] = ["streamEvent", "event", "metricsUpdate"];

/// Live events
///
/// Messages are `{"type","payload","seq"}`. First comes `hello` with all streams, then `streamEvent` for each that comes
/// (`sourceOnline`) or goes (`sourceOffline`), and `event` for each moment a pack finds. A client may send `subscribe`
/// (`{"topics":["streamEvent", "event", "metricsUpdate"]}`) and `ping`; a `ref` it sends comes back in the `ack`, `pong` or `error`.
#[utoipa::path(
    get, path = "/ws", tag = "events",
    responses(
        (status = 101, description = "switching to WebSocket"), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
    )
)]
pub(super) async fn events(
    State(api): State<Api>,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|e| Error::new(Kind::Malformed, e.body_text()))?;
    let most = api.config.limits.websocket_message_bytes;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    Ok(upgrade.on_upgrade(move |socket| async move {
        api.meters.websockets.inc();
        Client {
            api: &api,
            socket,
            seq: 0,
            topics: BTreeSet::from(["streamEvent", "event"].map(str::to_owned)),
        }
        .serve()
        .await;
        api.meters.websockets.dec();
    }))
}

struct Client<'a> {
    api: &'a Api,
    socket: WebSocket,
    seq: u64,
    topics: BTreeSet<String>,
}

/// The connection is over.
struct Gone;

impl Client<'_> {
    async fn serve(mut self) {
        let stopping = self.api.tasks.stopping();
        let stopped = tokio::select! {
            Gone = self.talk() => false,
            () = stopping.cancelled() => true,
        };
        if stopped {
            self.close(close_code::AWAY, "the server is shutting down".to_owned()).await;
        }
    }

    async fn close(&mut self, code: u16, reason: String) -> Gone {
        let close = CloseFrame { code, reason: reason.into() };
        // It may be gone already.
        let _ = self.socket.send(Message::Close(Some(close))).await;
        Gone
    }

    async fn talk(&mut self) -> Gone {
        let mut changes = self.api.registry.changes();
        let mut events = self.api.events.subscribe();
        let mut metrics = interval(METRICS_EVERY);
        metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = interval(PING_EVERY);
        ping.reset();
        if self.hello().await.is_err() {
            return Gone;
        }
        loop {
            let wants_metrics = self.topics.contains("metricsUpdate");
            let sent = tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) => self.change(&change).await,
                    Err(RecvError::Lagged(_)) => self.hello().await,
                    Err(RecvError::Closed) => return Gone,
                },
                event = events.recv() => match event {
                    Ok(event) => self.event(&event).await,
                    // They are in GET /api/events; the count says how many.
                    Err(RecvError::Lagged(missed)) => {
                        let message = format!("{missed} events were missed: ask GET /api/events");
                        self.send("error", json!({ "message": message, "code": "missed" })).await
                    }
                    Err(RecvError::Closed) => return Gone,
                },
                _ = metrics.tick(), if wants_metrics => self.metrics().await,
                _ = ping.tick() => self.socket.send(Message::Ping(Default::default())).await.map_err(|_| Gone),
                message = self.socket.recv() => match message {
                    None | Some(Ok(Message::Close(_))) => return Gone,
                    Some(Err(_)) => {
                        let most = self.api.config.limits.websocket_message_bytes;
                        return self.close(close_code::SIZE, oversize(most)).await;
                    }
                    Some(Ok(Message::Text(text))) => self.answer(text.as_str()).await,
                    Some(Ok(Message::Binary(_))) => self.refuse(None, "send JSON as text messages").await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                },
            };
            if let Err(gone) = sent {
                return gone;
            }
        }
    }

    /// Everything there is, so that the client needs nothing it may have missed.
    async fn hello(&mut self) -> Result<(), Gone> {
        let streams: Vec<Stream> = self.api.registry.all().iter().map(|s| shape(self.api, s)).collect();
        self.send("hello", json!({ "version": env!("CARGO_PKG_VERSION"), "streams": streams })).await
    }

    async fn change(&mut self, change: &Change) -> Result<(), Gone> {
        if !self.topics.contains("streamEvent") {
            return Ok(());
        }
        let payload = match change {
            Change::Online(name) => json!({ "event": "sourceOnline", "stream": name }),
            Change::Offline { name, reason } => {
                json!({ "event": "sourceOffline", "stream": name, "reason": reason })
            }
        };
        self.send("streamEvent", payload).await
    }

    async fn event(&mut self, event: &Event) -> Result<(), Gone> {
        if !self.topics.contains("event") {
            return Ok(());
        }
        self.send("event", json!(event)).await
    }

    async fn metrics(&mut self) -> Result<(), Gone> {
        let streams: serde_json::Map<String, Value> = self
            .api
            .registry
            .all()
            .iter()
            .map(|stream| {
                let stats = stream.stats();
                let figures =
                    json!({ "fps": stats.fps, "viewers": stats.viewers, "totalFrames": stats.total_frames });
                (stream.name.to_string(), figures)
            })
            .collect();
        self.send("metricsUpdate", json!({ "streams": streams })).await
    }

    async fn answer(&mut self, text: &str) -> Result<(), Gone> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return self.refuse(None, "a message is {\"type\":…,\"payload\":…}").await;
        };
        let reference = request.reference;
        match request.kind.as_str() {
            "ping" => self.send("pong", json!({ "ref": reference })).await,
            "subscribe" => match serde_json::from_value::<Subscription>(request.payload) {
                Ok(wanted) if wanted.topics.iter().all(|topic| TOPICS.contains(&topic.as_str())) => {
                    self.topics = wanted.topics;
                    self.send("ack", json!({ "ref": reference })).await
                }
                _ => self.refuse(reference, "topics is a list of: streamEvent, event, metricsUpdate").await,
            },
            other => self.refuse(reference, &format!("type '{other}' is not known: subscribe, ping")).await,
        }
    }

    async fn refuse(&mut self, reference: Option<Value>, message: &str) -> Result<(), Gone> {
        self.send("error", json!({ "message": message, "code": "invalid", "ref": reference })).await
    }

    async fn send(&mut self, kind: &str, payload: Value) -> Result<(), Gone> {
        self.seq += 1;
        let envelope = Envelope { kind, payload, seq: self.seq };
        let text = serde_json::to_string(&envelope).expect("JSON values are JSON");
        self.api.meters.websocket_messages.inc();
        self.socket.send(Message::Text(text.into())).await.map_err(|_| Gone)
    }
}
