//! The stand-in's own routes: what there is, what is wrong with it, what was asked.
//!
//! Called by the server for `/sim/…`. Open to whoever reaches the port: the stand-in listens on this machine
//! by default.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::reply::Reply;
use crate::fault::Fault;
use crate::world::World;

/// Bytes of a fault.
const MOST: usize = 16 * 1024;

pub(super) async fn answer(request: Request<Incoming>, rest: &[&str], world: &World) -> Reply {
    let method = request.method().clone();
    match (rest, &method) {
        (["stats"], &Method::GET) => Reply::json(200, &world.counters(None)),
        (["faults"], &Method::GET) => Reply::json(200, &Fault::all()),
        (["channels"], &Method::GET) => {
            let all: Vec<Value> = world.names().iter().map(|name| channel(world, name)).collect();
            Reply::json(200, &json!({ "count": all.len(), "channels": all }))
        }
        (["channels", name], &Method::GET) if world.find(name).is_some() => {
            Reply::json(200, &channel(world, name))
        }
        (["channels", name, "fault"], _) if world.find(name).is_some() => match method {
            Method::GET => Reply::json(200, &channel(world, name)["fault"]),
            Method::PUT => strike(request, name, world).await,
            Method::DELETE => match world.clear(name) {
                Ok(()) => Reply::json(200, &channel(world, name)),
                Err(e) => Reply::text(404, &e.to_string()),
            },
            _ => Reply::text(405, "GET, PUT and DELETE are allowed"),
        },
        (["channels", name, what @ ("truth" | "events")], &Method::GET) if world.find(name).is_some() => {
            game(&request, name, what, world)
        }
        (["channels", name, "low_latency"], _) if world.find(name).is_some() => {
            let set = match method {
                Method::GET => Ok(()),
                Method::PUT => world.set_low_latency(name, true),
                Method::DELETE => world.set_low_latency(name, false),
                _ => return Reply::text(405, "GET, PUT and DELETE are allowed"),
            };
            match set {
                Ok(()) => Reply::json(200, &channel(world, name)),
                Err(e) => Reply::text(404, &e.to_string()),
            }
        }
        _ => Reply::text(
            404,
            "there are /sim/channels, /sim/channels/{name}, /sim/channels/{name}/fault, \
             /sim/channels/{name}/low_latency, /sim/channels/{name}/truth?at=MS, \
             /sim/channels/{name}/events?since=MS&until=MS, /sim/faults and /sim/stats",
        ),
    }
}

/// What a channel with a game's HUD truly shows at a moment, or what happened on it in a stretch of time.
fn game(request: &Request<Incoming>, name: &str, what: &str, world: &World) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    let field = |wanted: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == wanted).map(|(_, value)| value.parse::<u64>())
    };
    let (now, bad) = (world.now(), || Reply::text(422, "times are milliseconds since 1970"));
    if what == "truth" {
        let Ok(at) = field("at").unwrap_or(Ok(now)) else { return bad() };
        return match world.truth(name, at) {
            Some(truth) => Reply::json(200, &json!({ "at_ms": at, "truth": truth })),
            None => {
                Reply::text(404, "the channel shows no game; onair sim --films hud makes channels that do")
            }
        };
    }
    let (since, until) = (field("since").unwrap_or(Ok(now.saturating_sub(600_000))), field("until"));
    let (Ok(since), Ok(until)) = (since, until.unwrap_or(Ok(now))) else { return bad() };
    let events = world.events(name, since, until);
    let events: Vec<_> = events
        .into_iter()
        .map(|(at, event)| json!({ "at_ms": at, "kind": event.kind, "data": event.data }))
        .collect();
    Reply::json(200, &json!({ "events": events }))
}

fn channel(world: &World, name: &str) -> Value {
    let (newest, begins) = world.newest(name).unwrap_or_default();
    json!({
        "name": name,
        "fault": world.faulty(name),
        "low_latency": world.low_latency(name),
        "newest_segment": newest,
        "newest_segment_begins_ms": begins,
        "counters": world.counters(Some(name)),
    })
}

/// `{"fault": "slow", "bytes_per_second": 2000, "for_seconds": 20}`; without `for_seconds` it lasts until it
/// is taken away.
async fn strike(request: Request<Incoming>, name: &str, world: &World) -> Reply {
    let Ok(body) = Limited::new(request.into_body(), MOST).collect().await else {
        return Reply::text(413, "at most 16 KB");
    };
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body.to_bytes()) else {
        return Reply::text(400, "a JSON object like {\"fault\": \"offline\"} is wanted");
    };
    let lasting =
        match fields.remove("for_seconds").map(|value| value.as_f64().map(Duration::try_from_secs_f64)) {
            None => None,
            Some(Some(Ok(lasting))) => Some(lasting),
            Some(_) => return Reply::text(422, "for_seconds: a number of seconds, 0 or more"),
        };
    let fault = match serde_json::from_value::<Fault>(Value::Object(fields)) {
        Ok(fault) => fault,
        Err(e) => return Reply::text(422, &format!("{e}; GET /sim/faults lists the faults")),
    };
    match world.fault(name, fault, lasting) {
        Ok(()) => Reply::json(200, &channel(world, name)),
        Err(e) => Reply::text(404, &e.to_string()),
    }
}
