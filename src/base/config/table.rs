//! The one list of settings. Parsing, environment names, checks, the API and the tests of the example files all read
//! it: a setting that isn't here doesn't exist, and one that is here works everywhere.

use super::kind::Kind;
use super::setting::Literal::{Flag, NoEntries, NoItems, Null, Text, Whole};
use super::setting::{Setting, setting};
use super::typed::{Codec, Level, LogFormat, Preset};

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Sections of parts that aren't built yet: taken without a look inside, with a note.
pub const LATER_SECTIONS: &[&str] =
    &["capture", "packs", "clips", "hooks", "compositor", "outputs", "store", "bus", "egress"];

/// `production` makes JSON the default format of the log.
pub(super) const NODE_ENV: &str = "NODE_ENV";

const DAY: f64 = 86_400.0;
const LEVEL: Kind = Kind::Word { words: Level::WORDS, also: &[("warning", "warn"), ("critical", "fatal")] };

pub static SETTINGS: &[Setting] = &[
    setting(
        "streams.timeout_seconds",
        Kind::Seconds { from: 0.1, to: 365.0 * DAY },
        Whole(300),
        "A push stream without frames for this long is ended: its recording is finished, its viewers are let go.",
    )
    .env(&["STREAM_TIMEOUT_SECONDS"])
    .live()
    .short("timeout_seconds"),
    setting(
        "streams.max_concurrent",
        Kind::Whole { from: 1, to: 100_000 },
        Whole(50),
        "Push streams at the same time; one more is answered with 503.",
    )
    .env(&["MAX_CONCURRENT_STREAMS"])
    .live()
    .short("max_streams"),
    setting(
        "streams.max_buffer_frames",
        Kind::Whole { from: 1, to: 10_000 },
        Whole(30),
        "Latest frames kept in memory for each stream, within 8 MB a stream and 256 MB in all.",
    )
    .live()
    .short("max_buffer_frames"),
    setting(
        "recording.enabled",
        Kind::Flag,
        Flag(true),
        "Whether push streams are recorded when nothing else is said about them.",
    )
    .live()
    .short("recording_enabled"),
    setting(
        "recording.codec",
        Kind::words(Codec::WORDS),
        Text("h264"),
        "How recordings are coded; mjpeg keeps the JPEGs as they came, without work for the processor.",
    )
    .live(),
    setting(
        "recording.fps",
        Kind::Whole { from: 1, to: 1000 },
        Whole(30),
        "Written into each recording's JSON as target_fps.",
    )
    .accepted("is only written as target_fps: a recording has the frames that came, at the times they came"),
    setting(
        "recording.retention_days",
        Kind::Whole { from: 0, to: 36_500 },
        Whole(7),
        "Days a recording is kept; 0 keeps it for ever.",
    )
    .env(&["RECORDING_RETENTION_DAYS"])
    .live()
    .short("retention_days"),
    setting("recording.folder", Kind::Path, Text("recordings"), "Where recordings are written."),
    setting(
        "recording.max_total_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Null,
        "Most that all recordings together may take; the oldest are deleted first.",
    )
    .or_null()
    .live(),
    setting(
        "recording.min_free_gb",
        Kind::Size { unit: "GB", from: 0.0, to: 1e6 },
        Whole(1),
        "Room left free on the disk; the oldest recordings are deleted first.",
    )
    .live(),
    setting(
        "recording.max_stream_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Null,
        "Most that the recordings of one stream may take; its own oldest are deleted first.",
    )
    .or_null()
    .live(),
    setting(
        "recording.max_file_minutes",
        Kind::Whole { from: 1, to: 1440 },
        Whole(60),
        "A recording goes on in a new file after this long, and at midnight UTC.",
    )
    .live(),
    setting(
        "recording.preset",
        Kind::words(Preset::WORDS),
        Text("ultrafast"),
        "How much work x264 puts into a frame: slower presets make smaller files.",
    ),
    setting(
        "recording.quality",
        Kind::Whole { from: 0, to: 51 },
        Whole(23),
        "Constant rate factor of x264: lower is better and bigger.",
    ),
    setting(
        "cleanup.interval_seconds",
        Kind::Seconds { from: 0.1, to: DAY },
        Whole(60),
        "Time between two looks for inactive streams.",
    ),
    setting(
        "cleanup.schedule_time",
        Kind::Time,
        Text("03:00"),
        "Local time of the daily run that deletes old recordings.",
    ),
    setting("server.host", Kind::Address, Text("0.0.0.0"), "Address the listeners bind to; 0.0.0.0 is every one."),
    setting("server.port", Kind::Port, Whole(5000), "Main port: API, console, push and view.").env(&["SERVER_PORT"]),
    setting("server.api_port", Kind::Port, Whole(4200), "Second port with the same API.").env(&["PORT"]),
    setting("server.ws_port", Kind::Port, Whole(4201), "Port that answers a WebSocket on any path.")
        .env(&["WS_PORT"]),
    setting("server.metrics_port", Kind::Port, Whole(4290), "Port that serves /metrics only.")
        .env(&["METRICS_PORT"]),
    setting("server.health_port", Kind::Port, Whole(4291), "Port that serves /health only.").env(&["HEALTH_PORT"]),
    setting("server.debug", Kind::Flag, Flag(false), "Raises the log level to debug.")
        .env(&["SERVER_DEBUG"])
        .accepted("only raises the log level to debug: errors are never shown to clients in more detail"),
    setting(
        "server.cors_enabled",
        Kind::Flag,
        Flag(true),
        "Whether any web page may read the API and publish; changing anything else needs server.cors_origins.",
    ),
    setting(
        "server.cors_origins",
        Kind::Origins,
        NoItems,
        "Web pages on other hosts that may change things, such as https://example.com:8443; * is every page.",
    ),
    setting(
        "server.max_frame_size_mb",
        Kind::Size { unit: "MB", from: 0.001, to: 1024.0 },
        Whole(10),
        "A larger frame is refused with 413.",
    ),
    setting(
        "server.trusted_proxies",
        Kind::Ranges,
        NoItems,
        "Addresses and ranges of proxies whose X-Forwarded-For is believed.",
    ),
    setting(
        "limits.connections_per_ip",
        Kind::Whole { from: 1, to: 1_000_000 },
        Whole(2000),
        "Connections one address may hold open.",
    ),
    setting(
        "limits.requests_per_second_per_ip",
        Kind::Whole { from: 0, to: 1_000_000 },
        Whole(0),
        "API requests one address may send in a second; 0 sets no limit, and frames never count.",
    ),
    setting(
        "limits.websocket_message_mb",
        Kind::Size { unit: "MB", from: 0.001, to: 1024.0 },
        Whole(10),
        "A larger WebSocket message closes the connection.",
    ),
    setting(
        "limits.max_side",
        Kind::Whole { from: 16, to: 65_535 },
        Whole(8192),
        "Most pixels along one side of a picture that is taken.",
    ),
    setting("logging.level", LEVEL, Text("info"), "The least serious line that is logged.").env(&["LOG_LEVEL"]),
    setting(
        "logging.format",
        Kind::words(LogFormat::WORDS),
        Text("text"),
        "Form of a line; json is the default when NODE_ENV is production.",
    ),
    setting(
        "logging.file",
        Kind::Path,
        Text("logs/server.log"),
        "File the log goes to besides the terminal: a new one each day (UTC), kept for 7 days; null writes none.",
    )
    .or_null(),
    setting(
        "auth.token",
        Kind::Secret,
        Null,
        "Token that every request must bear; null leaves the server open to all who reach it.",
    )
    .env(&["ONAIR_AUTH_TOKEN"])
    .or_null(),
    setting(
        "auth.publish_keys",
        Kind::Secrets,
        NoEntries,
        "Keys to publish with, by stream, such as {camera1: \"a long key\"}; \"*\" stands for all others.",
    ),
    setting("data_dir", Kind::Path, Text("data"), "Where everything is kept that isn't a recording or a log."),
];
