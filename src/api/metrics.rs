//! What Prometheus sees. Figures that live elsewhere are read when it asks, so that counting costs the frame path
//! nothing and a stream that is gone leaves no series behind. Labels are bounded: stream, route, result.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry as Metrics, Unit};

use crate::base::clock::{Clock, Monotonic};
use crate::base::histogram::Snapshot;
use crate::base::tasks::Tasks;
use crate::bus::{Bus, Group};
use crate::capture::Captures;
use crate::compose::Keeper;
use crate::events::Events;
use crate::outputs::{Outputs, State};
use crate::players::Players;
use crate::reading::Reader;
use crate::record::{Encode, Recorders};
use crate::sources::push::Push;
use crate::sources::rtmp::Rtmp;
use crate::store::{Health, Store};
use crate::streams::Registry;

/// The counters of the API and the way to all others.
pub(super) struct Meters {
    metrics: Metrics,
    responses: Family<Answer, Counter>,
    /// One of `responses`, kept at hand: looking it up takes a lock that all streams would share for each frame.
    published: Counter,
    /// Panics in handlers.
    pub(super) panics: Counter,
    pub(super) connections: Gauge,
    pub(super) refused_connections: Counter,
    pub(super) websockets: Gauge,
    pub(super) websocket_messages: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: &'static str,
    status: u16,
}

/// What is read when Prometheus asks.
pub(super) struct Sources {
    pub(super) registry: Registry,
    pub(super) recorders: Recorders,
    pub(super) captures: Captures,
    pub(super) reader: Reader,
    pub(super) events: Events,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) store: Arc<dyn Store>,
    pub(super) push: Push,
    pub(super) rtmp: Rtmp,
    pub(super) outputs: Outputs,
    pub(super) players: Players,
    pub(super) keeper: Keeper,
    pub(super) tasks: Tasks,
    pub(super) clock: Clock,
    pub(super) started: Monotonic,
}

impl Meters {
    pub(super) fn new(sources: Sources) -> Self {
        let mut metrics = Metrics::with_prefix("onair");
        let responses = Family::<Answer, Counter>::default();
        metrics.register("http_responses", "Requests answered", responses.clone());
        let published = responses.get_or_create_owned(&Answer { route: "publish", status: 200 });
        let panics = Counter::default();
        metrics.register("handler_panics", "Panics while answering a request", panics.clone());
        let connections = Gauge::default();
        metrics.register("connections", "Open connections", connections.clone());
        let refused_connections = Counter::<u64, AtomicU64>::default();
        metrics.register(
            "connections_refused",
            "Connections refused because their address has too many",
            refused_connections.clone(),
        );
        let websockets = Gauge::default();
        metrics.register("websocket_connections", "Open event WebSockets", websockets.clone());
        let websocket_messages = Counter::default();
        metrics.register("websocket_messages", "Event messages sent", websocket_messages.clone());
        metrics.register_collector(Box::new(sources));
        Self {
            metrics,
            responses,
            published,
            panics,
            connections,
            refused_connections,
            websockets,
            websocket_messages,
        }
    }

    pub(super) fn answered(&self, path: &str, status: StatusCode) {
        if status == StatusCode::OK && path.starts_with("/publish/") {
            self.published.inc();
            return;
        }
        let answer = Answer { route: route(path), status: status.as_u16() };
        self.responses.get_or_create(&answer).inc();
    }

    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.metrics)?;
        Ok(text)
    }
}

/// A path's first word: what strangers ask for must not become labels.
fn route(path: &str) -> &'static str {
    const ROUTES: [(&str, &str); 9] = [
        ("/publish/", "publish"),
        ("/stream/", "stream"),
        ("/api/streams", "streams"),
        ("/api/recordings", "recordings"),
        ("/api/", "api"),
        ("/health", "health"),
        ("/metrics", "metrics"),
        ("/ws", "ws"),
        ("/assets/", "page"),
    ];
    if path == "/" {
        return "page";
    }
    ROUTES.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or("other", |(_, route)| route)
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

type Label<'a> = [(&'static str, &'a str); 1];

/// Writes one family: a line for each label's value.
struct Writer<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Writer<'_, '_> {
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl Iterator<Item = (Label<'l>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (label, value) in values {
            let metric = family.encode_family(&label)?;
            prometheus_client::encoding::EncodeMetric::encode(&ConstCounter::new(value), metric)?;
        }
        Ok(())
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl Iterator<Item = (Label<'l>, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (label, value) in values {
            let metric = family.encode_family(&label)?;
            prometheus_client::encoding::EncodeMetric::encode(&ConstGauge::new(value), metric)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        prometheus_client::encoding::EncodeMetric::encode(&ConstGauge::new(value), family)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        prometheus_client::encoding::EncodeMetric::encode(&ConstCounter::new(value), family)
    }
}

impl Writer<'_, '_> {
    /// Of durations.
    fn histogram(&mut self, name: &str, help: &str, times: &Snapshot) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let bounds = times.bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(times.buckets.iter().copied()).collect();
        let count = times.buckets.iter().sum();
        family.encode_histogram::<Label<'_>>(times.sum_seconds, count, &buckets, None)
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Writer(&mut encoder);
        self.process(&mut to)?;
        self.streams(&mut to)?;
        self.recordings(&mut to)?;
        self.captures(&mut to)?;
        self.readings(&mut to)?;
        self.rtmp(&mut to)?;
        self.outputs(&mut to)?;
        self.program(&mut to)?;
        self.store(&mut to)
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
impl Sources {
    fn process(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let uptime = self.clock.now().since(self.started).as_secs_f64();
        to.gauge("uptime", "Time since the start", Some(&Unit::Seconds), uptime)?;
        if let Some(bytes) = resident_bytes() {
            to.gauge("memory_resident", "Memory in use", Some(&Unit::Bytes), bytes as f64)?;
        }
        let frames = self.registry.buffered_bytes() as f64;
        to.gauge("memory_frames", "Memory held by kept frames", Some(&Unit::Bytes), frames)?;
        let waiting = self.registry.waiting_bytes() as f64;
        to.gauge(
            "memory_taps",
            "Memory held by frames that wait to be recorded",
            Some(&Unit::Bytes),
            waiting,
        )?;
        to.counter("task_panics", "Panics of background work", None, self.tasks.panics())?;
        let refused = self.push.refused();
        let reasons = [
            ("not_jpeg", &refused.not_jpeg),
            ("cut_short", &refused.cut_short),
            ("too_large", &refused.too_large),
            ("unsupported", &refused.unsupported),
            ("full", &refused.full),
        ];
        let refused = reasons.into_iter().map(|(reason, counter)| ([("reason", reason)], counter.get()));
        to.counters("frames_refused", "Pushed frames not taken", None, refused)
    }

    fn streams(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let streams = self.registry.all();
        let all: Vec<_> = streams.iter().map(|stream| (stream, stream.stats())).collect();
        let label = |stream: &'_ std::sync::Arc<crate::streams::Stream>| stream.name.clone();
        let names: Vec<_> = streams.iter().map(label).collect();
        let labels = || names.iter().map(|name| [("stream", name.as_str())]);
        to.gauge("streams", "Streams there are", None, all.len() as f64)?;
        to.counters(
            "stream_frames",
            "Frames taken in",
            None,
            labels().zip(all.iter().map(|(_, stats)| stats.total_frames)),
        )?;
        to.counters(
            "stream_received",
            "JPEG bytes taken in",
            Some(&Unit::Bytes),
            labels().zip(all.iter().map(|(stream, _)| stream.received_bytes.get())),
        )?;
        to.gauges(
            "stream_fps",
            "Frames a second",
            None,
            labels().zip(all.iter().map(|(_, stats)| stats.fps)),
        )?;
        to.gauges(
            "stream_inactive",
            "Time since the last frame",
            Some(&Unit::Seconds),
            labels().zip(all.iter().map(|(_, stats)| stats.inactive.as_secs_f64())),
        )?;
        to.gauges(
            "viewers",
            "Viewers",
            None,
            labels().zip(all.iter().map(|(_, stats)| stats.viewers as f64)),
        )?;
        to.counters(
            "viewer_frames",
            "Frames handed to viewers",
            None,
            labels().zip(all.iter().map(|(stream, _)| stream.delivered.get())),
        )?;
        to.counters(
            "viewer_frames_skipped",
            "Frames slow viewers never saw",
            None,
            labels().zip(all.iter().map(|(stream, _)| stream.skipped.get())),
        )
    }

    fn recordings(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let meters = self.recorders.meters();
        to.gauge("recordings_active", "Recordings that run", None, meters.active as f64)?;
        to.gauge("recordings_waiting", "Recordings that can't write just now", None, meters.waiting as f64)?;
        to.counter("recording_files", "Files begun", None, meters.files)?;
        to.counter("recorded_frames", "Frames written to recordings", None, meters.frames)?;
        to.counter("recorded", "Bytes written to recordings", Some(&Unit::Bytes), meters.bytes)?;
        to.counter("recording_frames_lost", "Frames that were not recorded", None, meters.lost)?;
        to.counter("recording_frames_dropped", "Of the lost: their queue was full", None, meters.dropped)?;
        to.counter("recording_frames_undecodable", "Of the lost: damaged", None, meters.undecodable)?;
        to.counter("recording_fallbacks", "Times an encoder could not keep up", None, meters.fallbacks)?;
        to.counter("recording_panics", "Panics while recording", None, meters.panics)?;
        let times = Snapshot {
            bounds: &Encode::BOUNDS,
            buckets: meters.encode.buckets.to_vec(),
            sum_seconds: meters.encode.sum_seconds,
        };
        to.histogram("recording_frame", "Time to code one frame", &times)?;
        let depths = meters.queues.iter().map(|(name, depth)| ([("stream", name.as_str())], *depth as f64));
        to.gauges("recording_queue", "Frames waiting to be recorded", None, depths)
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floating point")]
impl Sources {
    fn readings(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let reading = self.reader.figures();
        let results = [("accepted", reading.accepted), ("refused", reading.refused)];
        let results = results.into_iter().map(|(result, count)| ([("result", result)], count));
        to.counters("readings", "Pictures that packs looked at, by whether one accepted it", None, results)?;
        to.histogram("read", "Time to read one picture, gates included", &reading.times)?;
        let unchanged = reading.unchanged;
        to.counter(
            "read_unchanged",
            "Regions not read again, for nothing had changed in them",
            None,
            unchanged,
        )?;
        to.gauge("readings_queue", "Readings that wait for the rules", None, reading.queued as f64)?;
        to.counter("readings_dropped", "Readings there was no room for", None, reading.dropped)?;
        to.counter("read_panics", "Panics while reading", None, reading.panics)?;
        let events = self.events.figures();
        to.counter("events", "Events found", None, events.events)?;
        to.counter("events_lost", "Events lost because too many waited for the disk", None, events.failed)?;
        to.counter("events_delayed", "Times the disk did not take events yet", None, events.delayed)?;
        let bare = events.without_evidence;
        to.counter("events_without_evidence", "Events whose picture could not be kept", None, bare)?;
        let dropped = events.pictures_dropped;
        let help = "Pictures of what no rule had confirmed yet that there was no room for";
        to.counter("events_pictures_dropped", help, None, dropped)?;
        let bytes = events.pictures_bytes as f64;
        to.gauge("events_pictures_bytes", "Bytes of pictures of what is not confirmed yet", None, bytes)?;
        to.counter("events_removed", "Events that were too old or too many", None, events.removed)?;
        to.counter("events_not_told", "Times the bus did not take an event yet", None, events.untold)?;
        to.gauge("readings_kept", "Readings in memory", None, events.readings as f64)?;
        let bus = self.bus.figures();
        to.counter("bus_appended", "Messages put on the bus", None, bus.appended)?;
        to.counter("bus_dropped", "Messages the bus had no room for", None, bus.dropped)?;
        to.counter("bus_expired", "Messages on the bus that were too old or too many", None, bus.expired)?;
        to.counter("bus_failures", "Calls to the bus that were not done", None, bus.failures)?;
        to.gauge("bus_queue", "Messages that wait for the bus", None, bus.waiting.0 as f64)?;
        let of = |what: fn(&Group) -> u64| {
            let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
            bus.groups.iter().for_each(|group| *groups.entry(&*group.name).or_default() += what(group));
            groups
        };
        let behind = of(|group| group.behind);
        let behind = behind.iter().map(|(group, messages)| ([("group", *group)], *messages as f64));
        to.gauges("bus_behind", "Messages that a group has not read yet", None, behind)?;
        let missed = of(|group| group.missed);
        let missed = missed.iter().map(|(group, messages)| ([("group", *group)], *messages));
        to.counters("bus_missed", "Messages that went before a group had read them", None, missed)?;
        to.histogram("bus_append", "Time until an appended message is durable", &bus.append_latency)
    }

    fn captures(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let meters = self.captures.meters();
        let totals = &meters.totals;
        let results = totals.by_result.iter().map(|(result, count)| ([("result", *result)], *count));
        to.counters("captures", "Captures by what came of them", None, results)?;
        let states = meters.by_state.iter().map(|(state, count)| ([("state", *state)], *count as f64));
        to.gauges("pull_streams", "Streams we fetch, by state", None, states)?;
        to.histogram("capture_lateness", "From when a capture was due to when it began", &totals.lateness)?;
        let age = &totals.playlist_age;
        to.histogram("playlist_age", "Since a playlist last named a new segment, at each capture", age)?;
        to.histogram("capture_fetch", "From a capture's beginning to its whole keyframe", &totals.fetch)?;
        to.counter("capture_fetched", "Bytes of segments fetched", Some(&Unit::Bytes), totals.fetched_bytes)?;
        to.counter(
            "capture_keyframes",
            "Bytes of the keyframes in them",
            Some(&Unit::Bytes),
            totals.keyframe_bytes,
        )?;
        to.counter("captures_skipped", "Captures left out because there was no time", None, meters.skipped)?;
        to.gauge("captures_in_flight", "Captures under way", None, meters.in_flight as f64)?;
        to.gauge("captures_waiting", "Captures that are due and wait", None, meters.waiting as f64)?;
        let decoding = &meters.decoding;
        to.histogram("decode", "Time to decode one picture, with its JPEG if one is made", &decoding.times)?;
        to.gauge("decode_queue", "Pictures that wait to be decoded", None, decoding.queued as f64)?;
        to.counter("decode_dropped", "Pictures there was no room to decode", None, decoding.dropped)?;
        to.counter("decode_panics", "Panics while decoding", None, decoding.panics)?;
        let (memory, disk) = (meters.memory_bytes as f64, meters.disk_bytes as f64);
        to.gauge("memory_captures", "Memory held by captured pictures", Some(&Unit::Bytes), memory)?;
        to.gauge("captures_disk", "Disk held by captured pictures", Some(&Unit::Bytes), disk)?;
        to.counter("captures_written", "Captured pictures written to disk", None, meters.written)?;
        to.counter(
            "captures_not_written",
            "Captured pictures the disk did not take",
            None,
            meters.not_written,
        )?;
        to.gauge(
            "captures_disk_queue",
            "Captured pictures that wait for the disk",
            None,
            meters.disk_queue as f64,
        )
    }

    fn rtmp(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let figures = self.rtmp.figures();
        to.gauge("rtmp_connections", "Open RTMP connections", None, self.rtmp.connections() as f64)?;
        to.gauge("rtmp_publishers", "Streams published by RTMP", None, self.rtmp.publishers() as f64)?;
        to.counter("rtmp_connections_taken", "RTMP connections taken", None, figures.connections.get())?;
        to.counter("rtmp_refused", "RTMP connections ended for what they sent", None, figures.refused.get())?;
        to.counter(
            "rtmp_received",
            "Bytes received by RTMP",
            Some(&Unit::Bytes),
            figures.received_bytes.get(),
        )?;
        to.counter("rtmp_pictures", "Pictures decoded from RTMP", None, figures.pictures.get())?;
        to.counter(
            "rtmp_pictures_dropped",
            "Coded pictures left out to keep up",
            None,
            figures.dropped.get(),
        )?;
        to.counter("rtmp_pictures_damaged", "Coded pictures that were damaged", None, figures.damaged.get())
    }

    fn outputs(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let encoding = self.outputs.encoding();
        to.histogram("encode", "Time to code one frame of the program", &encoding.times)?;
        let help = "From when a frame was due to when a destination had taken it";
        to.histogram("output_latency", help, &encoding.latency)?;
        to.counter("encoded_frames", "Frames of the program that were coded", None, encoding.frames)?;
        to.counter("encoded", "Bytes of coded pictures", Some(&Unit::Bytes), encoding.bytes)?;
        to.counter("encoder_repeats", "Frames that were the last one again", None, encoding.repeats)?;
        to.counter("encoder_left_out", "Frames there was no time to code", None, encoding.left_out)?;
        let halved = encoding.halved;
        to.counter("encoder_halved", "Frames left out on purpose, every second one", None, halved)?;
        to.counter("encoder_failures", "Encoders that failed", None, encoding.failures)?;
        to.counter("encoder_steps", "Changes of the encoder's effort", None, encoding.steps)?;
        let lanes = self.outputs.lanes();
        to.gauge("encoders", "Encodes that run", None, lanes.len() as f64)?;
        let fps = lanes.iter().map(|lane| lane.fps).fold(0.0, f64::max);
        to.gauge("encoder_fps", "Frames a second that come out", None, fps)?;
        let kbps: f64 = lanes.iter().map(|lane| lane.kbps).sum();
        to.gauge("encoder_bits_per_second", "Of all encodes, pictures only", None, kbps * 1000.0)?;
        let views = self.outputs.all();
        let of = || views.iter().map(|view| [("output", view.definition.id.as_str())]);
        let live = views.iter().map(|view| f64::from(u8::from(view.shown.state == State::Live)));
        to.gauges("output_live", "Whether it takes the program", None, of().zip(live))?;
        let sent = views.iter().map(|view| view.shown.sent);
        to.counters("output_sent", "Bytes sent", Some(&Unit::Bytes), of().zip(sent))?;
        let reconnects = views.iter().map(|view| view.shown.reconnects);
        to.counters("output_reconnects", "Times it came back", None, of().zip(reconnects))?;
        let dropped = views.iter().map(|view| view.shown.dropped);
        to.counters("output_dropped_frames", "Pictures dropped for it", None, of().zip(dropped))?;
        let queued = views.iter().map(|view| view.queued.1 as f64);
        to.gauges("output_queue", "Bytes that wait for it", Some(&Unit::Bytes), of().zip(queued))
    }

    fn program(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let figures = self.keeper.figures();
        let memory = figures.memory as f64;
        to.gauge("program_memory", "Memory held for the program's pictures", Some(&Unit::Bytes), memory)?;
        to.gauge("program_feeds", "Streams that are decoded for layers", None, figures.feeds as f64)?;
        let played = self.players.totals();
        to.gauge("played_streams", "Streams that are played in full", None, self.players.all().len() as f64)?;
        to.counter("played_pictures", "Pictures of them that were decoded", None, played.decoded.get())?;
        to.counter("played_dropped", "Pictures of them left out to keep up", None, played.dropped.get())?;
        to.counter("played_late", "Pictures of them that were ready late", None, played.late.get())?;
        to.counter("played_damage", "What of them could not be decoded", None, played.damaged.get())?;
        to.counter("played_reconnects", "Times one was opened again", None, played.reconnects.get())?;
        let troubles = self.keeper.troubles().borrow().len() as f64;
        to.gauge("program_layer_errors", "Layers that can't be shown as they should be", None, troubles)?;
        to.counter("program_frames_late", "Frames that could not be made in time", None, figures.dropped)?;
        to.counter("program_frames_failed", "Frames that could not be composed", None, figures.failed)?;
        to.counter(
            "program_feed_damage",
            "Frames of streams that could not be decoded",
            None,
            figures.damaged,
        )?;
        to.counter("program_files_unread", "Times a layer's file could not be read", None, figures.unread)?;
        to.counter("program_draw_panics", "Panics while a layer was drawn", None, figures.panics)?;
        let late = figures.given_up;
        to.counter("program_draws_given_up", "Times drawing a layer took too long", None, late)
    }

    fn store(&self, to: &mut Writer<'_, '_>) -> fmt::Result {
        let figures = self.store.figures();
        let away = if self.store.health() == Health::Ok { 0.0 } else { 1.0 };
        to.gauge("store_away", "Whether the store can't be reached", None, away)?;
        to.counter("store_failures", "Calls of the store that failed", None, figures.failures)?;
        to.histogram("store_write", "Time until a change is durable", &figures.write_latency)
    }
}

/// Memory the kernel says we hold.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
