//! Shapes that go over the wire, apart from the types the program works with.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock::Wall;
use crate::capture::{self, View};
use crate::record;
use crate::streams;

/// A stream and its figures.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) source: Source,
    /// `pending`, `online`, `idle` (nothing pushed for five seconds), `offline`, `ad` or `error`.
    pub(super) state: String,
    /// 1 to 10, lower is more important; pushed streams are all alike.
    pub(super) priority: u8,
    pub(super) pack: Option<String>,
    /// RFC 3339 UTC.
    pub(super) created_at: String,
    pub(super) uptime_seconds: f64,
    /// RFC 3339 UTC.
    pub(super) last_frame_time: Option<String>,
    /// Time since the last frame.
    pub(super) inactive_seconds: f64,
    pub(super) total_frames: u64,
    pub(super) viewer_count: usize,
    /// Who has sent a frame within the last five seconds.
    pub(super) publishers: usize,
    /// Frames kept.
    pub(super) buffer_size: usize,
    pub(super) has_current_frame: bool,
    /// As shown, after EXIF rotation.
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    /// Frames a second over the last five seconds; of a pull stream, pictures a second by its interval.
    pub(super) fps: f64,
    /// When a picture was last asked for. RFC 3339 UTC, as all times.
    pub(super) last_capture: Option<String>,
    pub(super) next_capture: Option<String>,
    pub(super) captures: u64,
    pub(super) successful_captures: u64,
    /// Captures left out because there was no time for them.
    pub(super) skipped_captures: u64,
    pub(super) error_count: u64,
    pub(super) consecutive_errors: u64,
    /// Why the last capture brought no picture; null when it did.
    pub(super) last_error: Option<String>,
    pub(super) matches: u64,
    pub(super) recording: Recording,
    /// The last captured pictures; on the single-stream route only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frames: Option<Vec<String>>,
}

/// What feeds a stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// `push` or `pull`.
    #[schema(example = "push")]
    pub(super) kind: &'static str,
    /// Where it is fetched, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    /// Twitch channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    /// The best rendition that is taken, where it is not that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quality: Option<String>,
}

/// Whether and how a stream is being recorded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamRecording)]
pub(super) struct Recording {
    pub(super) enabled: bool,
    /// Name of the file being written.
    pub(super) file: Option<String>,
    /// `off`, `recording`, `fallback_mjpeg` (the encoder could not keep up) or `waiting` (no room, no rights).
    pub(super) state: String,
    /// Why it is not simply recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// All streams, or those asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamList {
    /// Streams in this answer.
    pub(super) count: usize,
    /// Streams that match.
    pub(super) total: usize,
    pub(super) streams: Vec<Stream>,
}

/// Something was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    #[schema(example = "success")]
    pub(super) status: &'static str,
    pub(super) message: String,
}

impl Done {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { status: "success", message: message.into() }
    }
}

impl Stream {
    pub(super) fn of(stream: &streams::Stream, recording: record::Status) -> Self {
        let stats = stream.stats();
        let last = stats.last.as_deref();
        let (width, height) =
            last.map(|frame| frame.header.shown_size()).map(|(w, h)| (u32::from(w), u32::from(h))).unzip();
        let kind = if stream.feed == streams::Feed::Program { "program" } else { "push" };
        Self {
            name: stream.name.to_string(),
            source: Source { kind, url: None, channel: None, quality: None },
            state: state(stats.state).to_owned(),
            priority: 5,
            pack: None,
            created_at: stream.created_at.to_string(),
            uptime_seconds: rounded(stats.uptime.as_secs_f64()),
            last_frame_time: last.map(|frame| frame.media_time.to_string()),
            inactive_seconds: rounded(stats.inactive.as_secs_f64()),
            total_frames: stats.total_frames,
            viewer_count: stats.viewers,
            publishers: stats.publishers,
            buffer_size: stats.buffered,
            has_current_frame: last.is_some(),
            width,
            height,
            fps: rounded(stats.fps),
            last_capture: None,
            next_capture: None,
            captures: 0,
            successful_captures: 0,
            skipped_captures: 0,
            error_count: 0,
            consecutive_errors: 0,
            last_error: None,
            matches: 0,
            recording: Recording::of(recording),
            frames: None,
        }
    }

    /// The same as a stream that we fetch, `now`.
    pub(super) fn pulled(self, view: &View, now: Wall) -> Self {
        let View { definition, figures, next_in, interval, skipped, newest, kept, inactive } = view;
        let live = figures.state == capture::State::Online && !interval.is_zero();
        let target = &definition.target;
        let (width, height) = figures.size.unzip();
        Self {
            source: Source {
                kind: "pull",
                url: definition.login().is_none().then(|| target.to_string()),
                channel: definition.login().map(str::to_owned),
                quality: definition.quality.as_ref().map(ToString::to_string),
            },
            state: figures.state.as_str().to_owned(),
            priority: definition.priority,
            pack: definition.pack.clone(),
            created_at: definition.created_at.to_string(),
            last_frame_time: newest.as_ref().map(|kept| kept.media_time.to_string()),
            inactive_seconds: rounded(inactive.as_secs_f64()),
            total_frames: figures.successful,
            buffer_size: *kept,
            has_current_frame: newest.is_some(),
            width,
            height,
            matches: figures.matches,
            fps: if live { rounded(interval.as_secs_f64().recip()) } else { 0.0 },
            last_capture: figures.last_capture.map(|time| time.to_string()),
            next_capture: next_in.map(|wait| Wall(now.0 + wait).to_string()),
            captures: figures.captures,
            successful_captures: figures.successful,
            skipped_captures: *skipped,
            error_count: figures.errors,
            consecutive_errors: figures.consecutive_errors,
            last_error: figures.last_error.clone(),
            ..self
        }
    }
}

impl Recording {
    pub(super) fn of(status: record::Status) -> Self {
        let state = status.state.as_str().to_owned();
        Self { enabled: status.enabled, file: status.file, state, reason: status.reason }
    }
}

pub(super) fn state(state: streams::State) -> &'static str {
    match state {
        streams::State::Pending => "pending",
        streams::State::Online => "online",
        streams::State::Idle => "idle",
    }
}

/// To milliseconds, so that the JSON stays readable.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
