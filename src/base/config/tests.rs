//! The configuration as a whole: files, environment and command line in, a configuration or messages out.

use std::time::Duration;

use serde_json::Map;

use super::*;
use crate::base::error::Field;

/// Inputs under construction; the file exists only while this lives.
struct Case {
    folder: tempfile::TempDir,
    inputs: Inputs,
    stored: Map<String, Value>,
}

impl Case {
    fn file(bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, bytes).unwrap();
        Self { folder, inputs: Inputs { file: Some(path), ..Inputs::default() }, stored: Map::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.inputs.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.inputs.overrides.push((key.to_owned(), value.to_owned()));
        self
    }

    fn stored(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.stored.insert(key.to_owned(), value.into());
        self
    }

    fn resolved(&self) -> Resolved {
        let resolved = resolve(&self.inputs).and_then(|resolved| resolved.restored(&self.stored));
        resolved.unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    fn mistakes(&self) -> String {
        self.without_folder(&resolve(&self.inputs).expect_err("must be refused"))
    }

    /// As it is printed, without the folder the test made up.
    fn without_folder(&self, message: &impl std::fmt::Display) -> String {
        message.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

const PORT: &str = "a port from 1 to 65535, 0 (off) or auto (any free one)";

#[test]
fn a_bad_value_is_one_line_that_says_where_what_and_what_instead() {
    let port = |line: u32, what: &str| format!("config.yaml:{line}: server.port is {what}, must be {PORT}");
    let cases: &[(&str, &str)] = &[
        (
            "streams:\n  timeout_seconds: soon\n",
            "config.yaml:2: streams.timeout_seconds is \"soon\", must be a number of seconds from 0.1 to 31536000",
        ),
        (
            "streams:\n\n  timeout_seconds:\n",
            "config.yaml:3: streams.timeout_seconds is empty, must be a number of seconds from 0.1 to 31536000",
        ),
        (
            "streams:\n  timeout_seconds: 0\n",
            "config.yaml:2: streams.timeout_seconds is 0, must be a number of seconds from 0.1 to 31536000",
        ),
        (
            "streams:\n  max_concurrent: 2.5\n",
            "config.yaml:2: streams.max_concurrent is 2.5, must be a whole number from 1 to 100000",
        ),
        (
            "streams:\n  max_concurrent: [5]\n",
            "config.yaml:2: streams.max_concurrent is [5], must be a whole number from 1 to 100000",
        ),
        (
            "streams:\n  max_concurrent: {a: 5}\n",
            "config.yaml:2: streams.max_concurrent is {\"a\":5}, must be a whole number from 1 to 100000",
        ),
        (
            "recording:\n  enabled: maybe\n",
            "config.yaml:2: recording.enabled is \"maybe\", must be true or false",
        ),
        (
            "recording:\n  codec: av1\n",
            "config.yaml:2: recording.codec is \"av1\", must be h264, mp4v or mjpeg",
        ),
        (
            "recording:\n  max_total_gb: -1\n",
            "config.yaml:2: recording.max_total_gb is -1, must be a number of GB from 0.001 to 1000000, or null",
        ),
        ("recording:\n  folder: ''\n", "config.yaml:2: recording.folder is \"\", must be a path"),
        (
            "cleanup:\n  schedule_time: 25:00\n",
            "config.yaml:2: cleanup.schedule_time is \"25:00\", must be a time of day as \"HH:MM\"",
        ),
        (
            "cleanup:\n  schedule_time: 3\n",
            "config.yaml:2: cleanup.schedule_time is 3, must be a time of day as \"HH:MM\"",
        ),
        (
            "server:\n  host: example.com\n",
            "config.yaml:2: server.host is \"example.com\", must be an IP address or localhost",
        ),
        ("server:\n  port: 65536\n", &port(2, "65536")),
        ("server:\n  port: -1\n", &port(2, "-1")),
        ("server:\n  port: .inf\n", &port(2, "\".inf\"")),
        ("server:\r\n  port: 80x\r\n", &port(2, "\"80x\"")),
        ("server:\n  port: \"80\"\n", &format!("{}, without quotes", port(2, "\"80\""))),
        (
            "server:\n  cors_origins: [https://a.example/]\n",
            "config.yaml:2: server.cors_origins is [\"https://a.example/\"], must be a list of origins such as https://example.com:8443, or *",
        ),
        (
            "server:\n  trusted_proxies: [10.0.0.0/40]\n",
            "config.yaml:2: server.trusted_proxies is [\"10.0.0.0/40\"], must be a list of IP addresses and ranges such as 10.0.0.0/8",
        ),
        (
            "logging:\n  level: loud\n",
            "config.yaml:2: logging.level is \"loud\", must be fatal, error, warn, info, debug or trace",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Case::file(text).mistakes(), *expected, "{text}");
    }
}

#[test]
fn what_is_no_setting_is_one_line_with_the_one_that_was_meant() {
    let cases: &[(&str, &str)] = &[
        (
            "streams:\n  timeout_second: 5\n",
            "config.yaml:2: streams.timeout_second is not a setting; did you mean timeout_seconds?",
        ),
        (
            "streams:\n  retention_days: 5\n",
            "config.yaml:2: streams.retention_days is not a setting; did you mean recording.retention_days?",
        ),
        ("streams:\n  colour: red\n", "config.yaml:2: streams.colour is not a setting"),
        ("steams:\n  timeout_seconds: 5\n", "config.yaml:1: steams is not a setting; did you mean streams?"),
        (
            "retention_days: 5\n",
            "config.yaml:1: retention_days is not a setting; did you mean recording.retention_days?",
        ),
        ("data-dir: x\n", "config.yaml:1: data-dir is not a setting; did you mean data_dir?"),
        ("server.port: 80\n", "config.yaml:1: server.port must be written as port in the section server"),
        (
            "streams:\n  - a\n",
            "config.yaml:1: streams is a list, must be a section with the keys timeout_seconds, max_concurrent, max_buffer_frames",
        ),
        (
            "auth: hunter2\n",
            "config.yaml:1: auth is a single value, must be a section with the keys token, publish_keys",
        ),
        ("- server\n", "config.yaml:1: the file is a list, must be sections such as streams and server"),
        ("hello\n", "config.yaml:1: the file is a single value, must be sections such as streams and server"),
    ];
    for (text, expected) in cases {
        assert_eq!(Case::file(text).mistakes(), *expected, "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_parsed_is_one_line_with_its_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"streams:\n  timeout_seconds: 5\nstreams: {}\n", "config.yaml:3: streams is there twice"),
        (
            b"streams:\n  timeout_seconds: 5\n  timeout_seconds: 6\n",
            "config.yaml:3: timeout_seconds is there twice",
        ),
        (b"streams:\n\ttimeout_seconds: 5\n", "config.yaml:2: indented by a tab, must be spaces"),
        (
            b"streams:\n  timeout_seconds: 5\n\tmax_concurrent: 5\n",
            "config.yaml:3: indented by a tab, must be spaces",
        ),
        (b"server: # \xe9\n  port: 1\n", "config.yaml:1: not UTF-8 text"),
        (b"server:\n  port: 1\n  host: \xff\xfe\n", "config.yaml:3: not UTF-8 text"),
        (b"server:\n  ~: 1\n", "config.yaml:2: a key is empty"),
        (b"server: {}\n---\nserver: {}\n", "config.yaml:3: a second document begins, must be one"),
        (b"server: [1, 2\nstreams:\n", "config.yaml:2: not valid YAML: illegal placement of ':' indicator"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Case::file(bytes).mistakes(), *expected, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(Case::file(vec![b'#'; (1 << 20) + 1]).mistakes(), "config.yaml: larger than 1 MB");
}

#[test]
fn a_named_file_must_exist_and_be_a_file() {
    let mut case = Case::file("");
    case.inputs.file = Some(case.folder.path().join("other.yaml"));
    assert_eq!(case.mistakes(), "other.yaml: there is no such file");
    std::fs::create_dir(case.folder.path().join("other.yaml")).unwrap();
    assert_eq!(case.mistakes(), "other.yaml: can't be read: Is a directory (os error 21)");
}

#[test]
fn an_absent_default_file_sets_nothing() {
    let contents = file::read(Path::new("no such folder/config.yaml"), false);
    assert!(contents.values.is_empty() && contents.mistakes.is_empty());
}

#[test]
fn mistakes_from_everywhere_are_told_at_once_also_in_values_that_lose() {
    let case = Case::file("server:\n  port: x\n  hots: y\n")
        .env("SERVER_PORT", "8o8o")
        .env("LOG_LEVEL", "loud")
        .set("server.port", "8080")
        .set("server.prot", "1")
        .set("colour", "red");
    let expected = [
        "config.yaml:3: server.hots is not a setting; did you mean host?".to_owned(),
        format!("config.yaml:2: server.port is \"x\", must be {PORT}"),
        format!("environment SERVER_PORT: server.port is \"8o8o\", must be {PORT}"),
        "environment LOG_LEVEL: logging.level is \"loud\", must be fatal, error, warn, info, debug or trace"
            .to_owned(),
        "command line: server.prot is not a setting; did you mean server.port?".to_owned(),
        "command line: colour is not a setting".to_owned(),
    ];
    assert_eq!(case.mistakes(), expected.join("\n"));
}

#[test]
fn the_command_line_beats_the_environment_beats_the_store_beats_the_file_beats_the_default() {
    let file = "streams:\n  # comment\n  timeout_seconds: 2\n";
    let key = "streams.timeout_seconds";
    let all =
        || Case::file(file).stored(key, 3).env("STREAM_TIMEOUT_SECONDS", "4").set(key, "5").set(key, "6");
    let cases = [
        (Case::file(""), 300, "default"),
        (Case::file(file), 2, "config.yaml:3"),
        (Case::file(file).stored(key, 3), 3, "stored by PUT /api/config"),
        (
            Case::file(file).stored(key, 3).env("STREAM_TIMEOUT_SECONDS", "4"),
            4,
            "environment STREAM_TIMEOUT_SECONDS",
        ),
        (Case::file(file).stored(key, 3).env("STREAM_TIMEOUT_SECONDS", "  "), 3, "stored by PUT /api/config"),
        (all(), 6, "command line"),
    ];
    for (case, seconds, origin) in cases {
        let resolved = case.resolved();
        assert_eq!(resolved.config.streams.timeout, Duration::from_secs(seconds), "{origin}");
        assert_eq!(case.without_folder(&resolved.origin(key)), origin);
    }
}

#[test]
fn every_setting_reaches_the_configuration() {
    let plain = Resolved::default();
    for setting in SETTINGS {
        let other = match setting.kind {
            Kind::Flag => json!(!setting.default().as_bool().unwrap()),
            Kind::Whole { .. } | Kind::Seconds { .. } | Kind::Size { .. } => json!(42),
            Kind::Word { words, .. } => json!(words.iter().find(|word| setting.default() != **word).unwrap()),
            Kind::Path => json!("elsewhere"),
            Kind::Address => json!("127.0.0.9"),
            Kind::Port => json!(8123),
            Kind::Time => json!("17:45"),
            Kind::Origins => json!(["https://a.example"]),
            Kind::Ranges => json!(["10.0.0.0/8"]),
            Kind::Hosts => json!(["10.0.0.0/8", "camera.example"]),
            Kind::Url => json!("https://elsewhere.example"),
            Kind::Token | Kind::Login => json!("elsewhere"),
            Kind::Quality => json!("480p30"),
            Kind::Resolution => json!("1280x720"),
            Kind::Bitrate { .. } => json!(200),
            Kind::Secret => json!("hunter2"),
            Kind::Secrets => json!({"camera1": "hunter2", "*": "hunter3"}),
        };
        let resolved = Case::file("").stored(setting.key, other).resolved();
        assert_ne!(resolved.config, plain.config, "{}", setting.key);
        let text = setting.default().as_str().map_or_else(|| setting.default().to_string(), str::to_owned);
        let kept = setting.check(&setting.default());
        assert_eq!(kept, Some(setting.default()), "the default of {} is allowed and as shown", setting.key);
        if !setting.default().is_array() && !setting.default().is_object() {
            assert_eq!(setting.check(&setting.read(&text)), kept, "{} from text", setting.key);
        }
    }
}

#[test]
fn keys_and_names_are_there_once_and_sections_together() {
    let mut seen = std::collections::BTreeSet::new();
    let names = SETTINGS.iter().flat_map(|s| s.env.iter().chain(std::iter::once(&s.key)).chain(&s.short));
    for name in names {
        assert!(seen.insert(*name), "{name} is there twice");
    }
    let mut sections: Vec<_> = SETTINGS.iter().filter_map(|s| Some(s.key.split_once('.')?.0)).collect();
    sections.dedup();
    let together = sections.len();
    sections.sort_unstable();
    sections.dedup();
    assert_eq!(sections.len(), together);
    for setting in SETTINGS {
        assert!(setting.doc.ends_with('.') && !setting.doc.contains('\n'), "{}", setting.key);
    }
}

#[test]
fn text_of_the_environment_is_read_by_kind() {
    for (name, text, key, value) in [
        ("SERVER_DEBUG", "TRUE", "server.debug", json!(true)),
        ("SERVER_DEBUG", " On ", "server.debug", json!(true)),
        ("SERVER_DEBUG", "1", "server.debug", json!(true)),
        ("SERVER_DEBUG", "no", "server.debug", json!(false)),
        ("SERVER_DEBUG", "0", "server.debug", json!(false)),
        ("LOG_LEVEL", "WARNING", "logging.level", json!("warn")),
        ("LOG_LEVEL", "Critical", "logging.level", json!("fatal")),
        ("PORT", "AUTO", "server.api_port", json!("auto")),
        ("PORT", "0", "server.api_port", json!(0)),
        ("STREAM_TIMEOUT_SECONDS", "0.5", "streams.timeout_seconds", json!(0.5)),
        ("STREAM_TIMEOUT_SECONDS", "600.0", "streams.timeout_seconds", json!(600)),
    ] {
        let settings = Case::file("").env(name, text).resolved().settings();
        assert_eq!(settings.iter().find(|view| view.key == key).unwrap().value, value, "{name}={text}");
    }
}

#[test]
fn lists_and_null_can_be_given_as_text() {
    let case = Case::file("")
        .set("server.cors_origins", "https://A.example:443, http://b.example:81,")
        .set("logging.file", "null")
        .set("auth.publish_keys", "camera1=one, *=two");
    let config = case.resolved().config;
    assert_eq!(config.server.cors_origins, ["https://a.example", "http://b.example:81"]);
    assert_eq!(config.logging.file, None);
    assert!(config.auth.publish_keys["camera1"].is("one") && config.auth.publish_keys["*"].is("two"));
    let one =
        Case::file("server:\n  cors_origins: '*'\n  trusted_proxies: 10.0.0.1\n").resolved().config.server;
    assert_eq!(one.cors_origins, ["*"]);
    assert!(one.trusted_proxies[0].contains("10.0.0.1".parse().unwrap()));
}

#[test]
fn units_become_bytes_and_durations() {
    let text = "recording:\n  max_total_gb: 1.5\n  min_free_gb: 0\n  retention_days: 0\n  max_file_minutes: 5\n\
                server:\n  max_frame_size_mb: 0.5\n  host: localhost\ncleanup:\n  schedule_time: 3:05\n";
    let config = Case::file(text).resolved().config;
    assert_eq!(config.recording.max_total_bytes, Some(3 << 29));
    assert_eq!(config.recording.min_free_bytes, 0);
    assert_eq!(config.recording.retention, None);
    assert_eq!(config.recording.max_file, Duration::from_secs(300));
    assert_eq!(config.server.max_frame_bytes, 512 * 1024);
    assert_eq!(config.server.host.to_string(), "127.0.0.1");
    assert_eq!(config.cleanup.schedule_time, jiff::civil::time(3, 5, 0, 0));
}

#[test]
fn the_seeds_own_file_is_accepted_with_a_note_for_what_has_no_effect() {
    let seed = "streams:\n  timeout_seconds: 300      # 5 minutes\n  max_concurrent: 50\n  max_buffer_frames: 30\n\n\
        recording:\n  enabled: true\n  codec: mp4v\n  fps: 25\n  retention_days: 7\n\n\
        cleanup:\n  interval_seconds: 60\n  schedule_time: \"03:00\"\n\n\
        server:\n  host: 0.0.0.0\n  port: 5000\n  debug: true\n  cors_enabled: true\n  max_frame_size_mb: 10\n\n\
        logging:\n  level: INFO\nhooks:\n  folder: x\n";
    let case = Case::file(seed);
    let resolved = case.resolved();
    assert_eq!(resolved.config.recording.codec, Codec::Mp4v);
    assert_eq!(
        case.without_folder(&resolved.notes.join("\n")),
        "config.yaml:25: hooks has no effect in this version\n\
         config.yaml:9: recording.fps is only written as target_fps: a recording has the frames that came, at the \
         times they came\n\
         config.yaml:19: server.debug only raises the log level to debug: errors are never shown to clients in more \
         detail"
    );
}

#[test]
fn production_logs_json_unless_told_otherwise() {
    let format = |case: Case| case.resolved().config.logging.format;
    assert_eq!(format(Case::file("").env("NODE_ENV", "production")), LogFormat::Json);
    assert_eq!(format(Case::file("").env("NODE_ENV", "development")), LogFormat::Text);
    assert_eq!(format(Case::file("logging: {format: text}").env("NODE_ENV", "production")), LogFormat::Text);
}

#[test]
fn two_listeners_on_one_port_are_one_line_with_both_names() {
    let twice = |first: &str, second: &str, port: &str| {
        format!("{first} and {second} are both {port}, each needs a port of its own")
    };
    let case = Case::file("server:\n  port: 4200\n");
    assert_eq!(
        case.mistakes(),
        format!("config.yaml:2: {}", twice("server.port", "server.api_port", "4200"))
    );
    let case = Case::file("server:\n  port: 4200\n").env("PORT", "4290");
    let expected = format!("environment PORT: {}", twice("server.api_port", "server.metrics_port", "4290"));
    assert_eq!(case.mistakes(), expected);
    Case::file("server: {port: auto, api_port: auto, ws_port: 0, metrics_port: 0}").resolved();
    let refused = Case::file("server:\n  port: x\n  api_port: 5000\n").mistakes();
    assert!(!refused.contains("both"), "the port that was meant isn't known: {refused}");
}

#[test]
fn secrets_are_in_no_message_and_no_view() {
    let files = [
        "auth:\n  token: hunter2 hunter2\n",
        "auth:\n  token: [hunter2]\n",
        "auth:\n  token: {hunter2: hunter2}\n",
        "auth:\n  tokn: hunter2\n",
        "auth:\n  token: \"hunter2\n",
        "auth:\n  token: hunter2: x\n",
        "auth:\n  token: *hunter2\n",
        "auth:\n\ttoken: hunter2\n",
        "auth:\n  - hunter2\n",
        "auth: hunter2\n",
        "auth:\n  publish_keys: {a: hunter2 }}\n",
        "auth:\n  publish_keys: {a/b: hunter2}\n",
        "auth:\n  publish_keys: [hunter2]\n",
        "auth:\n  publish_keys: {a: hunter2, a: hunter2}\n",
        "auth:\n  publish_keys: hunter2\n",
    ];
    for file in files {
        let mistakes = Case::file(file).mistakes();
        assert!(!mistakes.contains("hunter2"), "{file}: {mistakes}");
    }
    let token = Case::file("auth:\n  token: 0815\n").mistakes();
    let expected = "must be ASCII text without spaces, quoted if it looks like a number, or null";
    assert_eq!(token, format!("config.yaml:2: auth.token is ***, {expected}"));

    let resolved =
        Case::file("auth:\n  publish_keys: {a: hunter2}\n").env("ONAIR_AUTH_TOKEN", "hunter2").resolved();
    assert!(resolved.config.auth.token.as_ref().unwrap().is("hunter2"));
    let views = serde_json::to_string(&resolved.settings()).unwrap();
    assert!(views.contains(r#"{"a":"***"}"#) && views.contains(r#""value":"***""#), "{views}");
    assert!(!views.contains("hunter2") && !format!("{resolved:?}").contains("hunter2"));
}

#[test]
fn a_view_has_all_that_a_page_of_settings_needs() {
    let view = Case::file("").stored("recording.max_total_gb", 5).resolved().settings();
    let view = serde_json::to_value(view.iter().find(|view| view.key == "recording.max_total_gb").unwrap());
    assert_eq!(
        view.unwrap(),
        json!({
            "key": "recording.max_total_gb", "value": 5, "default": null, "origin": "stored by PUT /api/config",
            "live": true, "allowed": "a number of GB from 0.001 to 1000000, or null",
            "doc": "Most that all recordings together may take; the oldest are deleted first.",
        })
    );
}

#[test]
fn what_another_version_stored_is_a_note() {
    let resolved = Case::file("").stored("capture.depth", 3).stored("streams.max_concurrent", -1).resolved();
    assert_eq!(
        resolved.notes,
        [
            "stored by PUT /api/config: capture.depth is not a setting of this version",
            "stored by PUT /api/config: streams.max_concurrent has a value this version does not take",
        ]
    );
}

fn change(case: &Case, changes: Value) -> Result<Resolved, Vec<(String, String)>> {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    let pair = |field: Field| (field.field, field.message);
    validate_change(&case.resolved(), &changes).map_err(|fields| fields.into_iter().map(pair).collect())
}

#[test]
fn a_change_takes_dotted_nested_and_short_names_and_can_be_stored() {
    let case = Case::file("streams:\n  max_concurrent: 7\n").stored("recording.enabled", false);
    let changed = change(
        &case,
        json!({"streams.max_concurrent": 9, "recording": {"codec": "MJPEG", "max_total_gb": 2}, "timeout_seconds": 5}),
    )
    .unwrap();
    assert_eq!(changed.config.streams.max_concurrent, 9);
    assert_eq!(changed.config.streams.timeout, Duration::from_secs(5));
    assert_eq!(changed.config.recording.codec, Codec::Mjpeg);
    assert_eq!(
        Value::from(changed.stored()),
        json!({
            "recording.codec": "mjpeg", "recording.enabled": false, "recording.max_total_gb": 2,
            "streams.max_concurrent": 9, "streams.timeout_seconds": 5,
        })
    );
    let mut again = Case::file("");
    (again.inputs, again.stored) = (case.inputs.clone(), changed.stored());
    assert_eq!(again.resolved().config, changed.config);
}

#[test]
fn null_forgets_what_was_stored_where_it_is_no_value_of_its_own() {
    let case = Case::file("streams:\n  max_concurrent: 7\n")
        .stored("streams.max_concurrent", 9)
        .stored("recording.max_total_gb", 9);
    let changed = change(&case, json!({"max_streams": null, "recording.max_total_gb": null})).unwrap();
    assert_eq!(changed.config.streams.max_concurrent, 7);
    assert_eq!(changed.config.recording.max_total_bytes, None);
    assert_eq!(Value::from(changed.stored()), json!({"recording.max_total_gb": null}));
}

#[test]
fn a_change_is_all_or_nothing_with_a_reason_for_each_field() {
    let case = Case::file("").env("RECORDING_RETENTION_DAYS", "3");
    let wrong = change(
        &case,
        json!({
            "streams": {"timeout_seconds": "600", "timeout": 1},
            "timeout_seconds": 5,
            "retention_days": 5,
            "server": {"port": 80},
            "auth.token": "hunter2",
            "capture_interval": 0,
            "quality": "720",
            "colour": "red",
            "recording.max_stream_gb": 0,
            "streams.max_concurrent": 5,
        }),
    )
    .unwrap_err();
    let live = "can't be changed while the program runs";
    let expected = [
        ("auth.token", live),
        ("capture_interval", "must be a number of seconds from 0.1 to 86400"),
        ("colour", "is not a setting"),
        ("quality", "must be lines such as 720p or 720p60, best, source or worst"),
        ("recording.max_stream_gb", "must be a number of GB from 0.001 to 1000000, or null"),
        ("retention_days", "is set by the environment RECORDING_RETENTION_DAYS, which wins over a change"),
        ("server.port", live),
        ("streams.timeout", "is not a setting"),
        ("streams.timeout_seconds", "must be a number of seconds from 0.1 to 31536000, without quotes"),
        ("timeout_seconds", "is there twice"),
    ];
    assert_eq!(wrong, expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
}

#[test]
fn notes_are_said_once_however_often_settings_change() {
    let case = Case::file("recording:\n  fps: 25\nhooks: {}\n");
    let changed = change(&case, json!({"timeout_seconds": 5})).unwrap();
    assert_eq!(changed.notes.len(), 2, "{:?}", changed.notes);
}

#[test]
fn a_section_may_stand_inside_a_section() {
    let case = Case::file("capture:\n  twitch:\n    client_id: abc\n    gql_url: http://127.0.0.1:9/gql/\n");
    let twitch = case.resolved().config.capture.twitch;
    assert_eq!((twitch.client_id.as_str(), twitch.gql_url.as_str()), ("abc", "http://127.0.0.1:9/gql"));
    for (file, mistake) in [
        ("capture:\n  twitch:\n    client: x\n", "config.yaml:3: capture.twitch.client is not a setting"),
        (
            "capture:\n  twitch: 3\n",
            "config.yaml:2: capture.twitch is a single value, must be a section with the keys",
        ),
        (
            "capture:\n  twitch:\n    gql_url: ftp://x\n",
            "config.yaml:3: capture.twitch.gql_url is \"ftp://x\", must be",
        ),
        ("egress:\n  allow: [10.0.0.0/99]\n", "config.yaml:2: egress.allow is"),
        (
            "capture:\n  quality: audio_only\n",
            "config.yaml:2: capture.quality is \"audio_only\", must be lines",
        ),
    ] {
        let mistakes = Case::file(file).mistakes();
        assert!(mistakes.starts_with(mistake), "{mistakes}");
    }
}
