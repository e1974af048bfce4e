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
pub const LATER_SECTIONS: &[&str] = &["clips", "hooks"];

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
    setting(
        "server.rtmp_port",
        Kind::Port,
        Whole(1935),
        "Port that takes RTMP: publish to rtmp://<host>/live with the stream's name as the key.",
    )
    .env(&["RTMP_PORT"]),
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
    setting(
        "capture.interval",
        Kind::Seconds { from: 0.1, to: DAY },
        Whole(3),
        "Time between two pictures taken from a pull stream that has no interval of its own.",
    )
    .live()
    .short("capture_interval"),
    setting(
        "capture.max_concurrent",
        Kind::Whole { from: 1, to: 10_000 },
        Whole(100),
        "Captures under way at the same time, at most.",
    )
    .live()
    .short("max_concurrent"),
    setting(
        "capture.quality",
        Kind::Quality,
        Text("720p"),
        "The best rendition to take of a stream that has no quality of its own; a lower one costs less.",
    )
    .live()
    .short("quality"),
    setting(
        "capture.timeout",
        Kind::Seconds { from: 0.1, to: 600.0 },
        Whole(5),
        "Time for one whole capture, from the playlist to the picture.",
    )
    .live(),
    setting(
        "capture.decode",
        Kind::Flag,
        Flag(false),
        "Decodes every captured picture, also when nobody looks at it: a damaged one is then no capture.",
    )
    .live(),
    setting(
        "capture.max_streams",
        Kind::Whole { from: 1, to: 1_000_000 },
        Whole(10_000),
        "Pull streams, at most; one more is answered with 503.",
    )
    .live(),
    setting(
        "capture.max_frames_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Whole(4),
        "Room for captured pictures in the data directory: the oldest go first.",
    ),
    setting(
        "capture.streams_file",
        Kind::Path,
        Null,
        "File with one Twitch channel or address a line, followed from the start; read again on SIGHUP.",
    )
    .or_null(),
    setting(
        "capture.channel",
        Kind::Login,
        Null,
        "One Twitch channel to follow.",
    )
    .env(&["CHANNEL_NAME"])
    .or_null(),
    setting(
        "capture.twitch.gql_url",
        Kind::Url,
        Text("https://gql.twitch.tv/gql"),
        "Where access tokens of Twitch channels are asked for.",
    ),
    setting(
        "capture.twitch.usher_url",
        Kind::Url,
        Text("https://usher.ttvnw.net"),
        "Where the playlists of Twitch channels begin.",
    ),
    setting(
        "capture.twitch.client_id",
        Kind::Token,
        Text("kimne78kx3ncx6brgo4mv6wki5h1ko"),
        "The client that access tokens are asked for as: the one of Twitch's own web player.",
    ),
    setting(
        "capture.twitch.token_hash",
        Kind::Token,
        Text("ed230aa1e33e07eebb8928504583da78a5173989fadfb1ac94be06a04f3cdbe9"),
        "The stored query that access tokens are asked for by.",
    ),
    setting(
        "packs.folder",
        Kind::Path,
        Null,
        "Folder with packs of your own, and pictures fetched for those that come along; null is packs in the data directory.",
    )
    .or_null(),
    setting(
        "packs.default",
        Kind::Token,
        Text("auto"),
        "The pack that reads a stream which has none of its own: auto is whichever knows the picture, none reads nothing.",
    )
    .live(),
    setting(
        "packs.push_interval",
        Kind::Seconds { from: 0.02, to: DAY },
        Whole(3),
        "Time between two frames of a pushed stream that packs read; null: pushed streams are not read.",
    )
    .or_null()
    .live(),
    setting(
        "packs.events_days",
        Kind::Whole { from: 1, to: 36_500 },
        Whole(30),
        "Days an event is kept, with the picture it was seen on.",
    ),
    setting(
        "packs.max_events",
        Kind::Whole { from: 1, to: 100_000_000 },
        Whole(100_000),
        "Events kept, at most: the oldest go first.",
    ),
    setting(
        "packs.max_evidence_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Whole(2),
        "Room for the pictures events were seen on.",
    ),
    setting(
        "compositor.resolution",
        Kind::Resolution,
        Text("1920x1080"),
        "Size of the program's picture: width and height in pixels, both even.",
    )
    .env(&["STREAM_RESOLUTION"]),
    setting("compositor.fps", Kind::Whole { from: 1, to: 60 }, Whole(30), "Frames a second of the program.")
        .env(&["TARGET_FPS"]),
    setting(
        "compositor.renderer",
        Kind::words(&["auto", "cpu", "gpu"]),
        Text("auto"),
        "What draws the program: auto and gpu use a graphics card where one can be used.",
    )
    .accepted("has no effect in this version: everything is drawn on the CPU"),
    setting(
        "compositor.quality",
        Kind::words(&["low", "medium", "high"]),
        Text("high"),
        "How much work goes into a frame.",
    )
    .env(&["RENDER_QUALITY"])
    .accepted("has no effect: every frame is drawn as well as it can be"),
    setting(
        "compositor.max_layers",
        Kind::Whole { from: 1, to: 1000 },
        Whole(50),
        "Layers on air; one more is answered with 409.",
    )
    .env(&["MAX_LAYERS"]),
    setting(
        "compositor.max_asset_mb",
        Kind::Size { unit: "MB", from: 0.001, to: 4096.0 },
        Whole(64),
        "Largest file that layers can show: a picture, a font, a video, a sound.",
    ),
    setting(
        "compositor.max_assets",
        Kind::Whole { from: 1, to: 100_000 },
        Whole(1000),
        "Such files that are kept.",
    ),
    setting(
        "compositor.max_assets_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Whole(10),
        "Room for all of them together.",
    ),
    setting(
        "outputs.url",
        Kind::Secret,
        Null,
        "Where the program goes when it is on air, with the key in it: rtmp://, rtmps:// or srt://. More outputs are made through the API.",
    )
    .env(&["STREAM_URL"])
    .or_null(),
    setting(
        "outputs.video_codec",
        Kind::words(&["h264", "vp8", "vp9"]),
        Text("h264"),
        "How pictures are coded where an output says nothing; RTMP, SRT and HLS always take h264.",
    )
    .env(&["STREAM_CODEC"]),
    setting(
        "outputs.bitrate",
        Kind::Bitrate { from: 100, to: 50_000 },
        Whole(4000),
        "Bits a second of the pictures where an output says nothing.",
    )
    .env(&["STREAM_BITRATE"]),
    setting(
        "outputs.preset",
        Kind::words(&[
            "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
        ]),
        Text("veryfast"),
        "How much work goes into a coded picture; less by itself when the machine can't keep up.",
    )
    .env(&["FFMPEG_PRESET", "STREAM_PRESET"]),
    setting(
        "outputs.hwaccel",
        Kind::Word { words: &["none", "auto", "nvenc", "qsv", "vaapi"], also: &[("cuda", "nvenc")] },
        Text("none"),
        "Hardware that encodes H.264; where it is not there, the processor does.",
    )
    .env(&["FFMPEG_HWACCEL"]),
    setting("outputs.audio", Kind::Flag, Flag(true), "Whether outputs have sound, which is silent when there is none.")
        .env(&["AUDIO_ENABLED"]),
    setting(
        "outputs.audio_codec",
        Kind::words(&["aac", "opus"]),
        Text("aac"),
        "How sound is coded where an output says nothing; RTMP, SRT, HLS and MP4 always take aac.",
    )
    .env(&["AUDIO_CODEC", "STREAM_AUDIO_CODEC"]),
    setting(
        "outputs.audio_bitrate",
        Kind::Bitrate { from: 32, to: 320 },
        Whole(128),
        "Bits a second of the sound where an output says nothing.",
    )
    .env(&["AUDIO_BITRATE", "STREAM_AUDIO_BITRATE"]),
    setting(
        "outputs.connect_seconds",
        Kind::Seconds { from: 0.5, to: 60.0 },
        Whole(10),
        "How long a destination may take to accept the program before it is tried again.",
    ),
    setting(
        "outputs.stall_seconds",
        Kind::Seconds { from: 1.0, to: 120.0 },
        Whole(10),
        "A destination that takes nothing for so long is connected anew.",
    ),
    setting(
        "outputs.twitter.api_url",
        Kind::Url,
        Text("https://api.twitter.com"),
        "The API of X, where outputs of type twitter say that they are live and when they are over.",
    ),
    setting("outputs.twitter.api_key", Kind::Secret, Null, "The key of an app of X; with the three below.")
        .env(&["TWITTER_API_KEY"])
        .or_null(),
    setting("outputs.twitter.api_secret", Kind::Secret, Null, "The secret of that key.")
        .env(&["TWITTER_API_SECRET"])
        .or_null(),
    setting("outputs.twitter.access_token", Kind::Secret, Null, "Of the account that speaks.")
        .env(&["TWITTER_ACCESS_TOKEN"])
        .or_null(),
    setting("outputs.twitter.access_token_secret", Kind::Secret, Null, "The secret of that token.")
        .env(&["TWITTER_ACCESS_TOKEN_SECRET"])
        .or_null(),
    setting(
        "egress.allow_private",
        Kind::Flag,
        Flag(false),
        "Whether addresses that come over the API or inside playlists may lead into private networks and to this machine.",
    )
    .live(),
    setting(
        "egress.allow",
        Kind::Hosts,
        NoItems,
        "Hosts and ranges in private networks that such addresses may lead to.",
    )
    .live(),
    setting(
        "store.redis_url",
        Kind::Secret,
        Null,
        "Redis server that keeps the state, such as redis://host:6379/0; null keeps it in the data directory.",
    )
    .env(&["REDIS_URL"])
    .or_null(),
    setting("store.redis_password", Kind::Secret, Null, "Password of the Redis server.")
        .env(&["REDIS_PASSWORD"])
        .or_null(),
    setting(
        "bus.readings_hours",
        Kind::Whole { from: 1, to: 24 * 365 },
        Whole(24),
        "Hours that readings stay on the bus, for whoever reads them from there.",
    ),
    setting(
        "bus.events_days",
        Kind::Whole { from: 1, to: 36_500 },
        Whole(90),
        "Days that events and clips stay on the bus, for groups that were away.",
    ),
    setting(
        "bus.max_gb",
        Kind::Size { unit: "GB", from: 0.001, to: 1e6 },
        Whole(2),
        "Room for all messages on the bus: the oldest go first, and are counted for each group that had not read them.",
    ),
    setting("data_dir", Kind::Path, Text("data"), "Where everything is kept that isn't a recording or a log."),
];
