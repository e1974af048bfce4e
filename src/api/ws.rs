//! Events over a WebSocket, and the scene in both directions: on `/ws`, and on any path of `server.ws_port`.
//!
//! A client that falls behind is sent everything anew, so that what it knows is never wrong. What it sends is done in its
//! order and answered once durable, without waiting for the answer before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use scene::{Command, Id};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::Api;
use super::error::Problem;
use super::program;
use super::publish::oversize;
use super::streams::shape;
use super::wire::Stream;
use super::{audio, outputs};
use crate::base::error::{Error, Field, Kind, Result};
use crate::compose::{self, Action, Done, Show, Trouble, Troubles};
use crate::events::Event;
use crate::outputs::Event as OutputEvent;
use crate::streams::Change;

/// Between two `metricsUpdate`s, for those who subscribed to them.
const METRICS_EVERY: Duration = Duration::from_secs(1);
/// Between two `levels`, for those who subscribed to them.
const LEVELS_EVERY: Duration = Duration::from_millis(200);
/// An idle connection is asked this often whether it still is one.
const PING_EVERY: Duration = Duration::from_secs(30);

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
    topics: Option<BTreeSet<String>>,
    /// The revision of the scene that the client knows.
    since: Option<u64>,
}

const TOPICS: [&str; 5] = ["streamEvent", "event", "layerUpdate", "metricsUpdate", "levels"];
/// Commands of one client that wait for their answers; more are not read before.
const MOST_WAITING: usize = 256;
/// Batches of changes that are sent one by one; of more, one is made for this client.
const MOST_BATCHES: usize = 3;

/// An answer that is due: the client's `ref`, and what came of its command.
type Due = BoxFuture<'static, (Option<Value>, Result<Done>)>;

/// Live events
///
/// Messages are `{"type","payload","seq"}`; `/api/asyncapi.json` describes them all. First comes `hello` with all streams
/// and the whole scene, then `streamEvent` for each stream that comes (`sourceOnline`) or goes (`sourceOffline`) and for the
/// program's start and end, `event` for each moment a pack finds, `layerUpdate` for what changes in the scene. A client may
/// send `subscribe` (`{"topics":[…],"since":revision}`), `layerUpdate` (`{id,…patch}` or `{"updates":[…]}`), `control`, `chat`,
/// `values` and `ping`; a `ref` it sends comes back in the `ack`, `pong` or `error`.
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
            topics: BTreeSet::from(["streamEvent", "event", "layerUpdate"].map(str::to_owned)),
            seen: 0,
            epoch: 0,
            due: FuturesOrdered::new(),
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
    /// The revision of the scene that the client knows.
    seen: u64,
    epoch: u64,
    due: FuturesOrdered<Due>,
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
        let mut shows = self.api.keeper.shows();
        let mut outputs = self.api.outputs.events();
        let mut news = self.api.keeper.news().watch();
        let mut troubles = self.api.keeper.troubles();
        troubles.mark_changed();
        let mut told = Troubles::default();
        let mut metrics = interval(METRICS_EVERY);
        metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut levels = interval(LEVELS_EVERY);
        levels.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = interval(PING_EVERY);
        ping.reset();
        if self.hello().await.is_err() {
            return Gone;
        }
        loop {
            let wants_metrics = self.topics.contains("metricsUpdate");
            let wants_levels = self.topics.contains("levels");
            let wants_layers = self.topics.contains("layerUpdate");
            let sent = tokio::select! {
                Some((reference, done)) = self.due.next(), if !self.due.is_empty() => self.done(reference, done).await,
                changed = news.changed(), if wants_layers => match changed {
                    Ok(()) => self.scene().await,
                    Err(_) => return Gone,
                },
                changed = troubles.changed(), if wants_layers => match changed {
                    Ok(()) => {
                        let newest = troubles.borrow_and_update().clone();
                        let told = std::mem::replace(&mut told, Arc::clone(&newest));
                        self.troubles(&told, &newest).await
                    }
                    Err(_) => return Gone,
                },
                show = shows.recv() => match show {
                    Ok((action, show)) => self.show(action, show).await,
                    Err(RecvError::Lagged(_)) => self.hello().await,
                    Err(RecvError::Closed) => return Gone,
                },
                event = outputs.recv() => match event {
                    Ok(event) => self.output(&event).await,
                    Err(RecvError::Lagged(_)) => self.hello().await,
                    Err(RecvError::Closed) => return Gone,
                },
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
                _ = levels.tick(), if wants_levels => self.send("levels", audio::levels(self.api)).await,
                _ = ping.tick() => self.socket.send(Message::Ping(Default::default())).await.map_err(|_| Gone),
                message = self.socket.recv(), if self.due.len() < MOST_WAITING => match message {
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
        self.epoch = self.api.keeper.news().epoch();
        let scene = self.api.keeper.durable();
        self.seen = scene.revision();
        let hello = json!({
            "version": env!("CARGO_PKG_VERSION"), "streams": streams, "program": program::shape(self.api),
            "revision": self.seen, "scene": scene.state(),
        });
        self.send("hello", hello).await
    }

    /// What the scene has that the client does not know yet.
    async fn scene(&mut self) -> Result<(), Gone> {
        let news = self.api.keeper.news();
        if news.epoch() != self.epoch {
            return self.hello().await;
        }
        if *news.watch().borrow() <= self.seen {
            return Ok(());
        }
        let Ok(batches) = news.since(self.seen) else { return self.hello().await };
        let Some(newest) = batches.last() else { return Ok(()) };
        self.seen = newest.change.revision;
        if batches.len() <= MOST_BATCHES {
            for batch in batches {
                self.send_text("layerUpdate", &batch.text()).await?;
            }
            return Ok(());
        }
        for change in compose::merged(&batches) {
            self.send_text("layerUpdate", &compose::text_of(&change)).await?;
        }
        Ok(())
    }

    async fn output(&mut self, event: &OutputEvent) -> Result<(), Gone> {
        for payload in outputs::events(event) {
            self.stream_event(payload).await?;
        }
        Ok(())
    }

    async fn stream_event(&mut self, payload: Value) -> Result<(), Gone> {
        if !self.topics.contains("streamEvent") {
            return Ok(());
        }
        self.send("streamEvent", payload).await
    }

    async fn show(&mut self, action: Action, show: Show) -> Result<(), Gone> {
        let event = match action {
            Action::Start => "streamStart",
            Action::Stop => "streamStop",
            Action::Pause => "streamPause",
            Action::Resume => "streamResume",
        };
        let payload = json!({ "event": event, "stream": "program", "state": show.state.word() });
        self.stream_event(payload).await
    }

    async fn change(&mut self, change: &Change) -> Result<(), Gone> {
        let payload = match change {
            Change::Online(name) => json!({ "event": "sourceOnline", "stream": name }),
            Change::Offline { name, reason } => {
                json!({ "event": "sourceOffline", "stream": name, "reason": reason })
            }
        };
        self.stream_event(payload).await
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
        self.send("metricsUpdate", json!({ "streams": streams, "program": program::shape(self.api) })).await
    }

    async fn answer(&mut self, text: &str) -> Result<(), Gone> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return self.refuse(None, "a message is {\"type\":…,\"payload\":…}").await;
        };
        let reference = request.reference;
        match request.kind.as_str() {
            "ping" => self.send("pong", json!({ "ref": reference })).await,
            "subscribe" => self.subscribe(reference, request.payload).await,
            "layerUpdate" => {
                let payload = request.payload;
                let command = match payload["id"].as_str().and_then(Id::parse) {
                    _ if payload.get("updates").is_some() => Command::Update(payload),
                    Some(layer) => Command::Patch { layer, patch: payload, if_match: None },
                    None => {
                        return self
                            .refuse(reference, "name the layer by its id, or send a list of updates")
                            .await;
                    }
                };
                self.submit(reference, command, text.len()).await
            }
            "chat" => self.submit(reference, Command::Chat(request.payload), text.len()).await,
            "values" => self.submit(reference, Command::SetValues(request.payload), text.len()).await,
            "control" => self.control(reference, &request.payload).await,
            other => {
                let known = "subscribe, layerUpdate, chat, values, control, ping";
                self.refuse(reference, &format!("type '{other}' is not known: {known}")).await
            }
        }
    }

    async fn subscribe(&mut self, reference: Option<Value>, payload: Value) -> Result<(), Gone> {
        let wanted = serde_json::from_value::<Subscription>(payload).ok();
        let known = |topics: &BTreeSet<String>| topics.iter().all(|topic| TOPICS.contains(&topic.as_str()));
        let Some(wanted) = wanted.filter(|wanted| wanted.topics.as_ref().is_none_or(known)) else {
            let topics = TOPICS.join(", ");
            return self
                .refuse(reference, &format!("topics is a list of: {topics}; since is a revision"))
                .await;
        };
        self.topics = wanted.topics.unwrap_or_else(|| std::mem::take(&mut self.topics));
        let newest = *self.api.keeper.news().watch().borrow();
        self.send("ack", json!({ "ref": reference, "revision": newest })).await?;
        let Some(since) = wanted.since else { return Ok(()) };
        if since > newest {
            // Of another time, or of another server.
            return self.hello().await;
        }
        self.seen = since;
        self.scene().await
    }

    /// Hands in a command; its answer follows when it is durable.
    async fn submit(&mut self, reference: Option<Value>, command: Command, bytes: usize) -> Result<(), Gone> {
        match self.api.keeper.submit(command, bytes).await {
            Err(e) => self.failed(reference, &e).await,
            Ok(answered) => {
                let failed = |_| Error::new(Kind::Internal, "the scene's keeper failed in the middle of it");
                let due = async move { (reference, answered.await.map_err(failed).and_then(|done| done)) };
                self.due.push_back(due.boxed());
                Ok(())
            }
        }
    }

    async fn done(&mut self, reference: Option<Value>, done: Result<Done>) -> Result<(), Gone> {
        match done {
            Ok(Done { change, stored: true }) => {
                self.send("ack", json!({ "ref": reference, "revision": change.revision })).await
            }
            Ok(Done { change, stored: false }) => {
                let ack = json!({ "ref": reference, "revision": change.revision, "stored": "later" });
                self.send("ack", ack).await
            }
            Err(e) => self.failed(reference, &e).await,
        }
    }

    async fn control(&mut self, reference: Option<Value>, payload: &Value) -> Result<(), Gone> {
        let action = program::action(payload["action"].as_str().unwrap_or_default());
        let done = match action {
            Ok(action) => self.api.keeper.control(action).await,
            Err(e) => Err(e),
        };
        match done {
            Ok(show) => {
                let revision = self.api.keeper.scene().revision();
                let ack = json!({ "ref": reference, "revision": revision, "state": show.state.word() });
                self.send("ack", ack).await
            }
            Err(e) => self.failed(reference, &e).await,
        }
    }

    /// Says which layers can't be shown as they should be and were not told of before.
    async fn troubles(&mut self, told: &[Trouble], newest: &[Trouble]) -> Result<(), Gone> {
        for trouble in newest.iter().filter(|trouble| !told.contains(trouble)) {
            let Trouble { layer, message } = trouble;
            self.send("error", json!({ "message": message, "code": "layer", "layer": layer })).await?;
        }
        Ok(())
    }

    /// Says why a command was not done.
    async fn failed(&mut self, reference: Option<Value>, error: &Error) -> Result<(), Gone> {
        let code = match error.kind() {
            Kind::Invalid => "invalid",
            Kind::NotFound => "notFound",
            Kind::Conflict => "conflict",
            Kind::TooLarge => "tooLarge",
            Kind::Unavailable => "unavailable",
            _ => "internal",
        };
        let field = |f: &Field| json!({ "field": f.field, "message": f.message });
        let fields: Vec<Value> = error.fields().iter().map(field).collect();
        let mut payload = json!({ "message": error.detail(), "code": code, "ref": reference });
        if !fields.is_empty() {
            payload["errors"] = fields.into();
        }
        self.send("error", payload).await
    }

    async fn refuse(&mut self, reference: Option<Value>, message: &str) -> Result<(), Gone> {
        self.send("error", json!({ "message": message, "code": "invalid", "ref": reference })).await
    }

    async fn send(&mut self, kind: &str, payload: Value) -> Result<(), Gone> {
        self.send_text(kind, &payload.to_string()).await
    }

    /// `{"type", "payload", "seq"}`; `seq` counts the messages of this connection, from 1.
    async fn send_text(&mut self, kind: &str, payload: &str) -> Result<(), Gone> {
        self.seq += 1;
        let text = format!("{{\"type\":\"{kind}\",\"payload\":{payload},\"seq\":{}}}", self.seq);
        self.api.meters.websocket_messages.inc();
        self.socket.send(Message::Text(text.into())).await.map_err(|_| Gone)
    }
}
