//! Events and readings as everybody is told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::pictures::Picture;
use crate::base::clock::MediaTime;
use crate::reading::Record;

/// What a pack read from one picture.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Reading {
    pub id: String,
    pub stream: String,
    #[schema(format = DateTime)]
    pub media_time: String,
    pub media_time_error_ms: u64,
    pub pack: String,
    pub pack_version: String,
    /// Which of the pack's screens.
    pub screen: String,
    /// Such as `{"score": {"home": 2, "away": 1}, "clock": "45:12"}`.
    #[schema(value_type = Object)]
    pub values: Value,
    /// By value, 0 to 1: `{"score.home": 0.98}`.
    #[schema(value_type = Object)]
    pub confidence: Value,
    /// Where the picture is, if it is kept.
    pub frame: Option<String>,
    #[serde(skip)]
    pub(super) at: Timestamp,
}

impl Reading {
    /// One that the bus has kept; `None` for what is none.
    pub(super) fn kept(payload: &str) -> Option<Self> {
        let reading: Self = serde_json::from_str(payload).ok()?;
        let at = reading.media_time.parse().ok()?;
        Some(Self { at, ..reading })
    }
}

impl Reading {
    /// `None` when nothing was read.
    pub(super) fn new(record: &Record) -> Option<Self> {
        let reading = record.reading.as_ref()?;
        let at = record.media_time.0;
        Some(Self {
            id: Uuid::now_v7().to_string(),
            stream: record.stream.to_string(),
            media_time: record.media_time.to_string(),
            media_time_error_ms: millis(record.media_time_error),
            pack: reading.pack.to_string(),
            pack_version: reading.pack_version.to_string(),
            screen: reading.screen.to_string(),
            values: reading.values_json(),
            confidence: reading.confidence_json(),
            frame: record.frame.as_ref().map(|file| format!("/api/frames/{}/{file}", record.stream)),
            at,
        })
    }
}

/// A moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Event {
    pub id: String,
    pub stream: String,
    /// `goal`, `hero_pick`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of the first picture that shows it.
    #[schema(format = DateTime)]
    pub media_time: String,
    /// Up to the picture before.
    pub media_time_error_ms: u64,
    /// Media time of the picture that confirmed it.
    #[schema(format = DateTime)]
    pub detected_at: String,
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// The values before; null when nothing had been read.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    #[schema(value_type = Object)]
    pub after: Value,
    /// 0 to 1.
    pub confidence: f64,
    pub pack: String,
    pub pack_version: String,
    /// Where its picture is.
    pub frame: Option<String>,
    /// Media time of that picture: the event's, or later when the first picture that shows it was not kept until it was confirmed.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub frame_time: Option<String>,
    /// Where the boxes of that picture are that the rule read, by region: `{"score": "/api/events/…/crops/score.jpg"}`.
    #[serde(default)]
    pub crops: BTreeMap<String, String>,
    /// What led to it, a line each.
    pub rule_trace: Vec<String>,
    /// Whether somebody said it is one, or is none.
    pub verdict: Option<bool>,
    /// Seconds of a clip around it.
    pub clip: Clip,
    /// The values by id, for whoever measures the pack.
    #[serde(skip)]
    pub(super) flat: BTreeMap<String, Value>,
    #[serde(skip)]
    pub(super) at_ms: i64,
}

/// What a clip of an event shows, in seconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Clip {
    pub before: f64,
    pub after: f64,
}

impl Event {
    /// What a rule found in the records of a stream, the last of which is `record`.
    pub(super) fn new(found: &packs::rules::Event, record: &Record) -> Self {
        let error = found.after.map_or_else(
            || millis(record.media_time_error),
            |after| u64::try_from(found.at.saturating_sub(after)).unwrap_or(0),
        );
        Self {
            id: Uuid::now_v7().to_string(),
            stream: record.stream.to_string(),
            kind: found.kind.to_string(),
            media_time: shown(found.at),
            media_time_error_ms: error,
            detected_at: shown(found.confirmed),
            data: found.data.clone(),
            before: found.before_reading.as_ref().map(|reading| reading.values_json()),
            after: found.after_reading.values_json(),
            confidence: (f64::from(found.confidence) * 1000.0).round() / 1000.0,
            pack: found.after_reading.pack.to_string(),
            pack_version: found.after_reading.pack_version.to_string(),
            frame: None,
            frame_time: None,
            crops: BTreeMap::new(),
            rule_trace: found.trace.clone(),
            verdict: None,
            clip: Clip { before: found.clip.0, after: found.clip.1 },
            flat: BTreeMap::new(),
            at_ms: found.at,
        }
    }

    /// `picture` is its evidence: for its frame, its crops, and what a check of the pack must read.
    pub(super) fn seen_on(&mut self, picture: &Picture, found: &packs::rules::Event, pack: &packs::Pack) {
        let plain = |read: &packs::Read| match &read.value {
            packs::Value::Item(item) => Value::from(&*item.tag),
            other => other.json(),
        };
        let values = picture.reading.iter().flat_map(|reading| &reading.values);
        self.flat = values.map(|(id, read)| (id.to_string(), plain(read))).collect();
        self.frame = Some(format!("/api/events/{}/frame.jpg", self.id));
        self.frame_time = Some(shown(picture.at));
        let looked_at = pack.made_of(&found.values);
        let path = |name: &str| format!("/api/events/{}/crops/{name}.jpg", self.id);
        self.crops =
            picture.crops.showing(&looked_at).map(|crop| (crop.name.to_string(), path(&crop.name))).collect();
    }

    /// Its picture could not be kept.
    pub(super) fn unseen(&mut self) {
        (self.frame, self.frame_time) = (None, None);
        self.crops.clear();
    }

    pub(super) fn crop_names(&self) -> String {
        let names: Vec<&str> = self.crops.keys().map(String::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// RFC 3339 with milliseconds.
fn shown(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |at| MediaTime(at).to_string())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
