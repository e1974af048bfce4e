//! The settings as the rest of the program reads them: one struct per section, no text left to parse.
//!
//! Made by [`Config::build`] from values the table has already checked; changes are made by resolving again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::kind::resolution;
use super::net::{Cidr, Port};
use super::values::Values;
use crate::base::error::{Error, Kind, Result};
use crate::base::secret::Secret;

/// Declares an enum whose variants are the words of the configuration.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn from_word(word: &str) -> Self {
                let found = Self::ALL.iter().find(|it| it.word() == word);
                *found.expect("the table accepts these words only")
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// How recordings are coded.
    Codec { H264 = "h264", Mp4v = "mp4v", Mjpeg = "mjpeg" }
}

words! {
    /// How much work x264 puts into a frame, from least to most.
    Preset {
        Ultrafast = "ultrafast", Superfast = "superfast", Veryfast = "veryfast", Faster = "faster", Fast = "fast",
        Medium = "medium", Slow = "slow", Slower = "slower", Veryslow = "veryslow",
    }
}

words! {
    /// The least serious line that is logged.
    Level { Fatal = "fatal", Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
}

words! {
    LogFormat { Text = "text", Json = "json" }
}

impl Level {
    /// `fatal` has no level of its own in `tracing`: it is `ERROR`.
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Fatal | Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub streams: Streams,
    pub recording: Recording,
    pub cleanup: Cleanup,
    pub server: Server,
    pub limits: Limits,
    pub logging: Logging,
    pub auth: Auth,
    pub capture: Capture,
    pub packs: Packs,
    pub compositor: Compositor,
    pub outputs: Outputs,
    pub egress: Egress,
    pub store: Store,
    pub bus: Bus,
    /// Where the state lives, apart from recordings and logs.
    pub data_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Streams {
    /// A push stream without frames for this long is ended.
    pub timeout: Duration,
    /// Push streams at the same time.
    pub max_concurrent: usize,
    pub max_buffer_frames: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    pub enabled: bool,
    pub codec: Codec,
    /// Only written into the recordings' JSON as `target_fps`.
    pub fps: u32,
    /// `None`: kept for ever.
    pub retention: Option<Duration>,
    /// The same in days, as the API shows it; 0 = for ever.
    pub retention_days: u32,
    pub folder: PathBuf,
    /// All recordings together.
    pub max_total_bytes: Option<u64>,
    /// To be left free on the file system of `folder`.
    pub min_free_bytes: u64,
    /// The recordings of one stream together.
    pub max_stream_bytes: Option<u64>,
    /// A file longer than this is closed and the next one begun.
    pub max_file: Duration,
    pub preset: Preset,
    /// x264's constant rate factor: 0 (lossless) to 51 (worst).
    pub quality: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cleanup {
    /// Between two looks for inactive streams.
    pub interval: Duration,
    /// Local time of the daily retention run.
    pub schedule_time: jiff::civil::Time,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    pub host: IpAddr,
    pub port: Port,
    pub api_port: Port,
    pub ws_port: Port,
    pub metrics_port: Port,
    pub health_port: Port,
    pub rtmp_port: Port,
    /// Raises the log level to debug, nothing else.
    pub debug: bool,
    pub cors_enabled: bool,
    /// Lower-case `scheme://host[:port]` without the scheme's own port, or `*`.
    pub cors_origins: Vec<String>,
    pub max_frame_bytes: usize,
    pub trusted_proxies: Vec<Cidr>,
}

impl Server {
    /// Each listener's port by the key it is set with.
    pub fn ports(&self) -> [(&'static str, Port); 6] {
        let [main, api, ws, metrics, health] = self.http_ports();
        [main, api, ws, metrics, health, ("server.rtmp_port", self.rtmp_port)]
    }

    /// Those that speak HTTP.
    pub fn http_ports(&self) -> [(&'static str, Port); 5] {
        [
            ("server.port", self.port),
            ("server.api_port", self.api_port),
            ("server.ws_port", self.ws_port),
            ("server.metrics_port", self.metrics_port),
            ("server.health_port", self.health_port),
        ]
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub connections_per_ip: usize,
    /// `None`: not limited.
    pub requests_per_second_per_ip: Option<u32>,
    pub websocket_message_bytes: usize,
    /// Pixels along the longer side of a picture.
    pub max_side: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Logging {
    pub level: Level,
    pub format: LogFormat,
    /// `None`: to the terminal only.
    pub file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// `None`: open to all.
    pub token: Option<Secret>,
    /// By stream name; `*` stands for every stream that isn't named.
    pub publish_keys: BTreeMap<String, Secret>,
}

impl Auth {
    /// Whether `offered` opens the stream `name` to a publisher.
    ///
    /// # Errors
    /// `Unauthorized` without the right key or token; `Forbidden` for a key that opens another stream.
    pub fn may_publish(&self, name: &str, offered: Option<&str>) -> Result<()> {
        let opens = |secret: &Secret| offered.is_some_and(|offered| secret.is(offered));
        // No name needs percent-encoding; encoded, one that has its own key would pass for one that has none.
        let others = self.publish_keys.get("*").filter(|_| !name.contains('%'));
        let key = self.publish_keys.get(name).or(others);
        let open = self.token.is_none() && self.publish_keys.is_empty();
        if open || self.token.as_ref().is_some_and(opens) || key.is_some_and(opens) {
            return Ok(());
        }
        if self.publish_keys.values().any(opens) {
            return Err(Error::new(Kind::Forbidden, "this key is for another stream (auth.publish_keys)"));
        }
        Err(Error::new(Kind::Unauthorized, "publishing needs a key: send Authorization: Bearer <key>"))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Between two pictures of a stream that has no interval of its own.
    pub interval: Duration,
    /// Captures under way at the same time.
    pub max_concurrent: usize,
    /// Such as `720p60`; checked, in lower case.
    pub quality: String,
    /// For one whole capture.
    pub timeout: Duration,
    /// Whether a picture that can't be decoded is no capture.
    pub decode: bool,
    pub max_streams: usize,
    /// Captured pictures on disk.
    pub max_frames_bytes: u64,
    pub streams_file: Option<PathBuf>,
    /// A Twitch login.
    pub channel: Option<String>,
    pub twitch: Twitch,
}

/// What Twitch changes from time to time.
#[derive(Clone, Debug, PartialEq)]
pub struct Twitch {
    /// The endpoint itself.
    pub gql_url: String,
    /// What paths are put behind, without a slash at its end.
    pub usher_url: String,
    pub client_id: String,
    pub token_hash: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Packs {
    /// `None`: in `data_dir`.
    pub folder: Option<PathBuf>,
    /// `auto`, `none` or a pack's id.
    pub default: String,
    /// Between two frames of a pushed stream that are read; `None`: never.
    pub push_interval: Option<Duration>,
    pub events_age: Duration,
    pub max_events: u64,
    /// Pictures events were seen on.
    pub max_evidence_bytes: u64,
}

/// What the program is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Compositor {
    /// px.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// `auto`, `cpu` or `gpu`. Everything is drawn on the CPU for now.
    pub renderer: String,
    /// `low`, `medium` or `high`. Makes no difference.
    pub quality: String,
    pub max_layers: usize,
    pub max_asset_bytes: usize,
    pub max_assets: usize,
    /// All assets together.
    pub max_assets_bytes: u64,
}

/// Where the program goes, and how it is coded.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// With its key.
    pub url: Option<Secret>,
    /// `h264`, `vp8` or `vp9`.
    pub video_codec: String,
    pub kbps: u32,
    /// One of x264's presets, `ultrafast` to `veryslow`.
    pub preset: String,
    /// `none`, `auto`, `nvenc`, `qsv` or `vaapi`.
    pub hwaccel: String,
    pub audio: bool,
    /// `aac` or `opus`.
    pub audio_codec: String,
    pub audio_kbps: u32,
    pub connect: Duration,
    pub stall: Duration,
    pub twitter: Twitter,
}

/// Who speaks on X; nobody unless all four secrets are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Twitter {
    pub api_url: String,
    pub api_key: Option<Secret>,
    pub api_secret: Option<Secret>,
    pub access_token: Option<Secret>,
    pub access_token_secret: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Egress {
    /// Whether addresses from outside may lead into private networks.
    pub allow_private: bool,
    /// Hosts in lower case, and ranges, that they may lead to anyway.
    pub allow: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// `None`: kept in `data_dir`.
    pub redis_url: Option<Secret>,
    pub redis_password: Option<Secret>,
}

/// How long messages between the parts are kept, and in how much room.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    pub readings_age: Duration,
    pub events_age: Duration,
    pub max_bytes: u64,
}

impl Config {
    pub(super) fn build(values: &Values) -> Self {
        Self {
            streams: Streams {
                timeout: values.seconds("streams.timeout_seconds"),
                max_concurrent: values.whole("streams.max_concurrent"),
                max_buffer_frames: values.whole("streams.max_buffer_frames"),
            },
            recording: Recording::build(values),
            cleanup: Cleanup {
                interval: values.seconds("cleanup.interval_seconds"),
                schedule_time: values.parsed("cleanup.schedule_time"),
            },
            server: Server {
                host: values.parsed("server.host"),
                port: values.port("server.port"),
                api_port: values.port("server.api_port"),
                ws_port: values.port("server.ws_port"),
                metrics_port: values.port("server.metrics_port"),
                health_port: values.port("server.health_port"),
                rtmp_port: values.port("server.rtmp_port"),
                debug: values.flag("server.debug"),
                cors_enabled: values.flag("server.cors_enabled"),
                cors_origins: values.list("server.cors_origins"),
                max_frame_bytes: values.megabytes("server.max_frame_size_mb"),
                trusted_proxies: values.list("server.trusted_proxies"),
            },
            limits: Limits {
                connections_per_ip: values.whole("limits.connections_per_ip"),
                requests_per_second_per_ip: Some(values.whole("limits.requests_per_second_per_ip"))
                    .filter(|&limit| limit > 0),
                websocket_message_bytes: values.megabytes("limits.websocket_message_mb"),
                max_side: values.whole("limits.max_side"),
            },
            logging: Logging {
                level: Level::from_word(values.text("logging.level")),
                format: LogFormat::from_word(values.text("logging.format")),
                file: values.some_text("logging.file").map(PathBuf::from),
            },
            auth: Auth {
                token: values.some_text("auth.token").map(Secret::new),
                publish_keys: values.secrets("auth.publish_keys"),
            },
            capture: Capture::build(values),
            packs: Packs {
                folder: values.some_text("packs.folder").map(PathBuf::from),
                default: values.text("packs.default").to_owned(),
                push_interval: values.some_seconds("packs.push_interval"),
                events_age: Duration::from_hours(24 * values.whole::<u64>("packs.events_days")),
                max_events: values.whole("packs.max_events"),
                max_evidence_bytes: values.some_gigabytes("packs.max_evidence_gb").expect("it is never null"),
            },
            compositor: Compositor::build(values),
            outputs: Outputs::build(values),
            egress: Egress {
                allow_private: values.flag("egress.allow_private"),
                allow: values.list("egress.allow"),
            },
            store: Store {
                redis_url: values.some_text("store.redis_url").map(Secret::new),
                redis_password: values.some_text("store.redis_password").map(Secret::new),
            },
            bus: Bus {
                readings_age: Duration::from_hours(values.whole("bus.readings_hours")),
                events_age: Duration::from_hours(24 * values.whole::<u64>("bus.events_days")),
                max_bytes: values.some_gigabytes("bus.max_gb").expect("it is never null"),
            },
            data_dir: values.parsed("data_dir"),
        }
    }
}

impl Compositor {
    fn build(values: &Values) -> Self {
        let (width, height) = resolution(values.text("compositor.resolution")).expect("checked by its kind");
        Self {
            width,
            height,
            fps: values.whole("compositor.fps"),
            renderer: values.text("compositor.renderer").to_owned(),
            quality: values.text("compositor.quality").to_owned(),
            max_layers: values.whole("compositor.max_layers"),
            max_asset_bytes: values.megabytes("compositor.max_asset_mb"),
            max_assets: values.whole("compositor.max_assets"),
            max_assets_bytes: values.some_gigabytes("compositor.max_assets_gb").expect("it is never null"),
        }
    }
}

impl Outputs {
    fn build(values: &Values) -> Self {
        Self {
            url: values.some_text("outputs.url").map(Secret::new),
            video_codec: values.text("outputs.video_codec").to_owned(),
            kbps: values.whole("outputs.bitrate"),
            preset: values.text("outputs.preset").to_owned(),
            hwaccel: values.text("outputs.hwaccel").to_owned(),
            audio: values.flag("outputs.audio"),
            audio_codec: values.text("outputs.audio_codec").to_owned(),
            audio_kbps: values.whole("outputs.audio_bitrate"),
            connect: values.seconds("outputs.connect_seconds"),
            stall: values.seconds("outputs.stall_seconds"),
            twitter: Twitter {
                api_url: values.text("outputs.twitter.api_url").to_owned(),
                api_key: values.some_text("outputs.twitter.api_key").map(Secret::new),
                api_secret: values.some_text("outputs.twitter.api_secret").map(Secret::new),
                access_token: values.some_text("outputs.twitter.access_token").map(Secret::new),
                access_token_secret: values.some_text("outputs.twitter.access_token_secret").map(Secret::new),
            },
        }
    }
}

impl Capture {
    fn build(values: &Values) -> Self {
        Self {
            interval: values.seconds("capture.interval"),
            max_concurrent: values.whole("capture.max_concurrent"),
            quality: values.text("capture.quality").to_owned(),
            timeout: values.seconds("capture.timeout"),
            decode: values.flag("capture.decode"),
            max_streams: values.whole("capture.max_streams"),
            max_frames_bytes: values.some_gigabytes("capture.max_frames_gb").expect("it is never null"),
            streams_file: values.some_text("capture.streams_file").map(PathBuf::from),
            channel: values.some_text("capture.channel").map(str::to_owned),
            twitch: Twitch {
                gql_url: values.text("capture.twitch.gql_url").to_owned(),
                usher_url: values.text("capture.twitch.usher_url").to_owned(),
                client_id: values.text("capture.twitch.client_id").to_owned(),
                token_hash: values.text("capture.twitch.token_hash").to_owned(),
            },
        }
    }
}

impl Recording {
    fn build(values: &Values) -> Self {
        let retention_days: u32 = values.whole("recording.retention_days");
        let days = |days: u32| Duration::from_hours(24 * u64::from(days));
        Self {
            enabled: values.flag("recording.enabled"),
            codec: Codec::from_word(values.text("recording.codec")),
            fps: values.whole("recording.fps"),
            retention: (retention_days > 0).then(|| days(retention_days)),
            retention_days,
            folder: values.parsed("recording.folder"),
            max_total_bytes: values.some_gigabytes("recording.max_total_gb"),
            min_free_bytes: values.some_gigabytes("recording.min_free_gb").unwrap_or(0),
            max_stream_bytes: values.some_gigabytes("recording.max_stream_gb"),
            max_file: Duration::from_mins(values.whole("recording.max_file_minutes")),
            preset: Preset::from_word(values.text("recording.preset")),
            quality: values.whole("recording.quality"),
        }
    }
}
