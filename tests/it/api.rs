//! What the API says about streams, itself and its settings.

use std::collections::{BTreeMap, BTreeSet};

use onair::base::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Mjpeg, Server, Ws, answer, client, eventually, picture};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

const STREAM: &str = "name source state priority pack created_at uptime_seconds last_frame_time inactive_seconds \
    total_frames viewer_count publishers buffer_size has_current_frame width height fps last_capture next_capture \
    captures successful_captures skipped_captures error_count consecutive_errors last_error matches recording";

#[tokio::test]
async fn a_stream_shows_all_its_figures() {
    let clock = Clock::simulated("2026-01-21T10:30:00Z".parse().unwrap());
    let server = Server::start_with(clock.clone(), &[("streams.max_buffer_frames", "5")]).await;
    for number in 0..11 {
        server.publish("cam", picture(number)).await.json();
        clock.advance(std::time::Duration::from_millis(100));
    }
    let viewer = server.watch("cam").await;
    let expected = json!({
        "name": "cam", "source": { "kind": "push" }, "state": "online", "priority": 5, "pack": null,
        "created_at": "2026-01-21T10:30:00.000Z", "uptime_seconds": 1.1, "last_frame_time": "2026-01-21T10:30:01.000Z",
        "inactive_seconds": 0.1, "total_frames": 11, "viewer_count": 1, "publishers": 1, "buffer_size": 5,
        "has_current_frame": true, "width": 320, "height": 240, "fps": 10.0, "last_capture": null,
        "next_capture": null, "captures": 0, "successful_captures": 0, "skipped_captures": 0,
        "error_count": 0, "consecutive_errors": 0,
        "last_error": null, "matches": 0, "recording": { "enabled": false, "file": null, "state": "off" },
    });
    assert_eq!(keys(&expected), STREAM.split_whitespace().collect());
    assert_eq!(server.get("/api/streams/cam/stats").await.json(), expected);
    let mut with_frames = expected.clone();
    with_frames["frames"] = json!([]);
    assert_eq!(server.get("/api/streams/cam").await.json(), with_frames);
    assert_eq!(
        server.get("/api/streams").await.json(),
        json!({ "count": 1, "total": 1, "streams": [expected] })
    );
    drop(viewer);
    server.stop().await;
}

#[tokio::test]
async fn streams_are_listed_by_name_and_can_be_narrowed_down() {
    let server = Server::start(&[]).await;
    assert_eq!(server.get("/api/streams").await.json(), json!({ "count": 0, "total": 0, "streams": [] }));
    for name in ["door", "Camera1", "camera2", "camera10"] {
        server.publish(name, picture(1)).await.json();
    }
    for (query, names, total) in [
        ("", vec!["Camera1", "camera10", "camera2", "door"], 4),
        ("?q=camera", vec!["Camera1", "camera10", "camera2"], 3),
        ("?q=CAMERA1", vec!["Camera1", "camera10"], 2),
        ("?limit=2", vec!["Camera1", "camera10"], 4),
        ("?limit=2&offset=1", vec!["camera10", "camera2"], 4),
        ("?offset=9", vec![], 4),
        ("?limit=0", vec![], 4),
        ("?kind=push&state=online", vec!["Camera1", "camera10", "camera2", "door"], 4),
        ("?kind=pull", vec![], 0),
        ("?state=idle", vec![], 0),
    ] {
        let list = server.get(&format!("/api/streams{query}")).await.json();
        let listed: Vec<_> =
            list["streams"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names, "{query}");
        assert_eq!(
            (list["count"].as_u64(), list["total"].as_u64()),
            (Some(names.len() as u64), Some(total)),
            "{query}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_recording_switch_disturbs_no_viewer_and_finishes_the_file() {
    let server = Server::start(&[("recording.codec", "mjpeg")]).await;
    server.publish("cam", picture(0)).await.json();
    let mut viewer = server.watch("cam").await;
    viewer.next().await.unwrap();
    let on = server.put("/api/streams/cam/recording", &json!({ "enabled": true })).await.json();
    assert_eq!(on["enabled"], true);
    let mut number = 0;
    eventually("a file is being written", async || {
        number += 1;
        server.publish("cam", picture(number)).await.json();
        assert_eq!(viewer.next().await.unwrap().jpeg, picture(number), "the viewer sees each frame");
        let recording = server.stream("cam").await["recording"].clone();
        recording["state"] == "recording" && recording["file"].is_string()
    })
    .await;
    let off = server.put("/api/streams/cam/recording", &json!({ "enabled": false })).await.json();
    assert_eq!((&off["enabled"], &off["state"], &off["file"]), (&json!(false), &json!("off"), &Value::Null));
    let list = server.get("/api/recordings?stream=cam").await.json();
    assert_eq!((&list["total"], &list["recordings"][0]["active"]), (&json!(1), &json!(false)), "{list}");
    let entry = &list["recordings"][0];
    let video = server.get(entry["url"].as_str().unwrap()).await;
    assert_eq!(video.header("content-type"), "video/mp4");
    assert_eq!(video.body.len() as u64, entry["size_bytes"].as_u64().unwrap());
    server.publish("cam", picture(99)).await.json();
    assert_eq!(viewer.next().await.unwrap().jpeg, picture(99));
    server.delete(entry["url"].as_str().unwrap()).await.json();
    assert_eq!(server.get("/api/recordings").await.json()["total"], 0);
    server.stop().await;
}

#[tokio::test]
async fn a_delete_answers_when_the_recording_is_whole() {
    let server = Server::start(&[("recording.enabled", "true"), ("recording.codec", "mjpeg")]).await;
    for number in 0..20 {
        server.publish("cam", picture(number)).await.json();
    }
    let said = server.delete("/api/streams/cam").await.json();
    assert_eq!(said, json!({ "status": "success", "message": "Stream 'cam' deleted" }));
    let list = server.get("/api/recordings").await.json();
    let entry = &list["recordings"][0];
    assert_eq!((&entry["active"], &entry["total_frames"]), (&json!(false), &json!(20)), "{list}");
    assert_eq!(list["total_bytes"], entry["size_bytes"]);
    server.delete("/api/streams/cam").await.problem(404);
    server.stop().await;
}

#[tokio::test]
async fn health_and_status_say_how_it_is() {
    let server = Server::start(&[("streams.timeout_seconds", "77"), ("recording.retention_days", "3")]).await;
    server.publish("cam", picture(1)).await.json();
    let mut health = server.get("/health").await.json();
    let components = health.as_object_mut().unwrap().remove("components").unwrap();
    let config = json!({ "timeout_seconds": 77, "max_buffer_frames": 30, "retention_days": 3 });
    assert_eq!(
        health,
        json!({
            "status": "healthy", "active_streams": 1, "max_streams": 50, "recording_enabled": false, "config": config,
        })
    );
    assert_eq!(
        keys(&components),
        BTreeSet::from(["bus", "capture", "outputs", "recordings", "store", "tasks"])
    );
    assert!(
        components.as_object().unwrap().values().all(|component| component["status"] == "ok"),
        "{components}"
    );
    let status = server.get("/api/status").await.json();
    assert_eq!(status["status"], "running");
    assert_eq!((&status["stats"]["streams"], &status["stats"]["active"]), (&json!(1), &json!(1)));
    let stats = "total_captures successful_captures failed_captures matches_found start_time uptime streams active success_rate viewers";
    assert_eq!(keys(&status["stats"]), stats.split(' ').collect());
    assert_eq!(
        status["config"],
        json!({ "capture_interval": 3.0, "max_concurrent": 100, "quality": "720p", "total_streams": 1 })
    );
    server.stop().await;
}

fn setting<'a>(settings: &'a Value, key: &str) -> &'a Value {
    let all = settings["settings"].as_array().unwrap();
    all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}"))
}

#[tokio::test]
async fn a_setting_changed_at_run_time_is_applied_and_outlives_a_restart() {
    let server = Server::start(&[]).await;
    let before = server.get("/api/config").await.json();
    let timeout = setting(&before, "streams.timeout_seconds");
    assert_eq!(keys(timeout), "key value default origin live doc allowed".split(' ').collect());
    assert_eq!((&timeout["value"], &timeout["origin"]), (&json!(300), &json!("default")));
    for change in [
        json!({ "streams.timeout_seconds": 60, "recording": { "retention_days": 2 } }),
        json!({ "max_streams": 9 }),
    ] {
        server.put("/api/config", &change).await.json();
    }
    let seen = async |server: &Server| {
        let health = server.get("/health").await.json();
        [&health["config"]["timeout_seconds"], &health["config"]["retention_days"], &health["max_streams"]]
            .map(|v| v.as_u64().unwrap())
    };
    assert_eq!(seen(&server).await, [60, 2, 9]);
    let server = server.restart(&[]).await;
    assert_eq!(seen(&server).await, [60, 2, 9]);
    let settings = server.get("/api/config").await.json();
    assert_eq!(setting(&settings, "streams.timeout_seconds")["origin"], "stored by PUT /api/config");
    server.put("/api/config", &json!({ "streams.timeout_seconds": null })).await.json();
    assert_eq!(seen(&server).await, [300, 2, 9], "null forgets");
    let server = server.restart(&[("streams.timeout_seconds", "5")]).await;
    assert_eq!(seen(&server).await, [5, 2, 9]);
    let refused = server.put("/api/config", &json!({ "streams.timeout_seconds": 60 })).await.problem(422);
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("command line"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn of_changes_with_a_mistake_none_is_made() {
    let server = Server::start(&[("auth.publish_keys", "cam=very-secret")]).await;
    for (change, field) in [
        (json!({ "streams.max_concurrent": 3, "streams.timeout_seconds": 0 }), "streams.timeout_seconds"),
        (json!({ "streams.max_concurrent": 3, "server.port": 80 }), "server.port"),
        (json!({ "streams": { "max_concurrent": 3, "colour": 1 } }), "streams.colour"),
        (json!({ "streams.max_concurrent": "3" }), "streams.max_concurrent"),
        (json!({ "streams.max_concurrent": 3, "max_streams": 4 }), "streams.max_concurrent"),
        (json!({ "auth.token": "mine" }), "auth.token"),
        (json!({ "capture_interval": 0 }), "capture_interval"),
    ] {
        let problem = server.put("/api/config", &change).await.problem(422);
        let fields: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert!(fields.contains(&field), "{problem}");
        let settings = server.get("/api/config").await;
        assert_eq!(setting(&settings.json(), "streams.max_concurrent")["value"], 50, "{change}");
        assert!(!settings.text().contains("very-secret"));
    }
    let server = server.restart(&[]).await;
    let settings = server.get("/api/config").await.json();
    assert_eq!(setting(&settings, "streams.max_concurrent")["value"], 50, "nothing was stored");
    server.stop().await;
}

/// Series by name and labels, of text that keeps every rule of OpenMetrics we rely on.
fn parse_metrics(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let name = |s: &str| {
        s.starts_with("onair_")
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let body = text.strip_suffix("# EOF\n").ok_or("no EOF at the end")?;
    let (mut family, mut kind, mut seen, mut series) = ("", "", BTreeSet::new(), BTreeMap::new());
    let (mut bucket, mut counts) = (0.0, Vec::new());
    for line in body.lines() {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (Some(what), Some(of), Some(rest)) = (words.next(), words.next(), words.next()) else {
                return wrong("half a description");
            };
            match what {
                "HELP" if !name(of) || !seen.insert(of) => return wrong("a bad name, or twice described"),
                "HELP" => (family, kind) = (of, ""),
                "TYPE" if of == family && matches!(rest, "counter" | "gauge" | "histogram") => kind = rest,
                "UNIT" if of == family && of.ends_with(rest) => {}
                _ => return wrong("out of place"),
            }
            continue;
        }
        let Some((id, value)) = line.rsplit_once(' ') else { return wrong("no value") };
        let (metric, labels) = id.split_once('{').unwrap_or((id, "}"));
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_sum", "_count", "_bucket"],
            _ => &[],
        };
        if !metric.strip_prefix(family).is_some_and(|ending| endings.contains(&ending)) {
            return wrong("not of the family above it");
        }
        let Some(labels) = labels.strip_suffix('}') else { return wrong("labels without end") };
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let quoted =
                label.split_once("=\"").and_then(|(key, value)| Some((key, value.strip_suffix('"')?)));
            if !quoted.is_some_and(|(key, value)| !key.is_empty() && !value.contains(['"', '\\', '\n'])) {
                return wrong("a bad label");
            }
        }
        let Ok(value) = value.parse::<f64>() else { return wrong("not a number") };
        if !value.is_finite() || (kind == "counter" && value < 0.0) {
            return wrong("an impossible value");
        }
        if metric.ends_with("_bucket") && kind == "histogram" {
            let (_, le) = id.split_once("le=\"").ok_or_else(|| format!("a bucket without bound: {line}"))?;
            if value < bucket {
                return wrong("buckets that fall");
            }
            bucket = if le.starts_with("+Inf") { 0.0 } else { value };
        }
        if metric.ends_with("_count") && kind == "histogram" {
            counts.push((metric.replace("_count", "_bucket{le=\"+Inf\"}"), value));
        }
        if series.insert(id.to_owned(), value).is_some() {
            return wrong("twice the same series");
        }
    }
    match counts.into_iter().find(|(all, count)| series.get(all) != Some(count)) {
        Some((all, count)) => Err(format!("{all} is not {count}")),
        None => Ok(series),
    }
}

#[test]
fn the_reader_of_metrics_sees_what_is_wrong() {
    let good = "# HELP onair_x Things.\n# TYPE onair_x counter\nonair_x_total{a=\"b\"} 1\n# EOF\n";
    assert_eq!(parse_metrics(good).unwrap()["onair_x_total{a=\"b\"}"], 1.0);
    let histogram = "# HELP onair_h Times.\n# TYPE onair_h histogram\nonair_h_sum 3.0\nonair_h_count 4\n\
        onair_h_bucket{le=\"0.1\"} 1\nonair_h_bucket{le=\"1.0\"} 3\nonair_h_bucket{le=\"+Inf\"} 4\n# EOF\n";
    assert_eq!(parse_metrics(histogram).unwrap().len(), 5);
    for (from, to) in
        [("} 3", "} 0"), ("count 4", "count 5"), ("{le=\"1.0\"}", ""), ("_sum", "_total"), ("+Inf", "2.0")]
    {
        assert!(parse_metrics(&histogram.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
    }
    for (from, to) in [
        ("# EOF\n", ""),
        ("_total{", "{"),
        ("} 1", "} one"),
        ("} 1", "} -1"),
        ("=\"b\"", "=b"),
        ("# TYPE onair_x counter\n", ""),
        ("# TYPE onair_x counter", "# TYPE onair_y counter"),
        ("onair_x_total{a=\"b\"} 1\n", "onair_x_total 1\nonair_x_total 1\n"),
        ("onair_x_total", "onair_y_total"),
    ] {
        assert!(parse_metrics(&good.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
    }
}

#[tokio::test]
async fn metrics_hold_the_series_of_each_stream_as_long_as_it_is_there() {
    let server = Server::start(&[]).await;
    server.publish("cam", picture(1)).await.json();
    server.publish("cam", picture(2)).await.json();
    let mut viewer = server.watch("cam").await;
    viewer.next().await.unwrap();
    let answered = server.get("/metrics").await;
    assert_eq!(answered.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let series = parse_metrics(&answered.text()).unwrap();
    let bytes = (picture(1).len() + picture(2).len()) as f64;
    for (name, value) in [
        ("onair_streams", 1.0),
        ("onair_stream_frames_total{stream=\"cam\"}", 2.0),
        ("onair_stream_received_bytes_total{stream=\"cam\"}", bytes),
        ("onair_memory_frames_bytes", bytes),
        ("onair_viewers{stream=\"cam\"}", 1.0),
        ("onair_viewer_frames_total{stream=\"cam\"}", 1.0),
        ("onair_viewer_frames_skipped_total{stream=\"cam\"}", 0.0),
        ("onair_task_panics_total", 0.0),
        ("onair_handler_panics_total", 0.0),
        ("onair_http_responses_total{route=\"publish\",status=\"200\"}", 2.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
    for name in [
        "onair_stream_fps{stream=\"cam\"}",
        "onair_stream_inactive_seconds{stream=\"cam\"}",
        "onair_uptime_seconds",
        "onair_memory_resident_bytes",
    ] {
        assert!(series.contains_key(name), "{name} in {series:?}");
    }
    assert_eq!(
        parse_metrics(&server.get("/api/metrics").await.text()).unwrap().len(),
        series.len() + 1,
        "the same, and this very request"
    );
    server.delete("/api/streams/cam").await.json();
    let left = parse_metrics(&server.get("/metrics").await.text()).unwrap();
    assert!(!left.keys().any(|series| series.contains("\"cam\"")), "{left:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_strangers_ask_for_makes_no_series() {
    let server = Server::start(&[]).await;
    for i in 0..30 {
        server.get(&format!("/stranger/{i}")).await.problem(404);
        server.get(&format!("/stream/stranger{i}")).await.problem(404);
    }
    let series = parse_metrics(&server.get("/metrics").await.text()).unwrap();
    assert!(!series.keys().any(|series| series.contains("stranger")));
    assert_eq!(series["onair_http_responses_total{route=\"other\",status=\"404\"}"], 30.0);
    server.stop().await;
}

#[tokio::test]
async fn each_port_serves_what_it_is_for() {
    let settings =
        ["api_port", "ws_port", "metrics_port", "health_port"].map(|port| (format!("server.{port}"), "auto"));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let server = Server::start(&settings).await;
    server.publish("cam", picture(1)).await.json();
    let http = client();
    let at = |setting: &str, path: &str| format!("http://{}{path}", server.address_of(setting));
    for (setting, path, status) in [
        ("server.api_port", "/api/streams", 200),
        ("server.api_port", "/", 200),
        ("server.api_port", "/health", 200),
        ("server.metrics_port", "/metrics", 200),
        ("server.metrics_port", "/health", 404),
        ("server.metrics_port", "/api/streams", 404),
        ("server.health_port", "/health", 200),
        ("server.health_port", "/metrics", 404),
        ("server.ws_port", "/", 400),
        ("server.ws_port", "/health", 400),
    ] {
        let said = answer(http.get(at(setting, path))).await;
        assert_eq!(said.status, status, "{setting} {path}");
        if status != 200 {
            said.problem(status);
        }
    }
    assert_eq!(
        answer(http.get(at("server.api_port", "/api/streams"))).await.json()["total"],
        1,
        "the same streams"
    );
    let mut viewer = Mjpeg::open(&http, &at("server.api_port", "/stream/cam")).await;
    assert_eq!(viewer.next().await.unwrap().jpeg, picture(1));
    let posted = http.post(at("server.health_port", "/health"));
    answer(posted).await.problem(405);
    for path in ["/", "/ws", "/any/thing?at=all"] {
        let url = at("server.ws_port", path).replace("http://", "ws://");
        assert_eq!(Ws::open(&url).await.next().await["type"], "hello", "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for setting in
        ["server.port", "server.api_port", "server.ws_port", "server.metrics_port", "server.health_port"]
    {
        let error = Server::refused(&[(setting, &port)]).await.to_string();
        assert!(
            error.starts_with(&format!("{setting}: ")) && error.contains("in use") && error.contains(&port),
            "{error}"
        );
    }
    let error = Server::refused(&[("server.host", "192.0.2.1")]).await.to_string();
    assert!(error.contains("server.host"), "{error}");
}

#[tokio::test]
async fn pages_come_from_this_server_alone() {
    let server = Server::start(&[]).await;
    for path in ["/", "/api/docs"] {
        let page = server.get(path).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'self'"),
            "{policy}"
        );
        let text = page.text();
        for elsewhere in ["src=\"http", "src=\"//", "href=\"http", "@import"] {
            assert!(!text.contains(elsewhere), "{path} asks another host: {elsewhere}");
        }
        for asset in text.split('"').filter(|word| word.starts_with("/assets/")) {
            let found = server.get(asset).await;
            assert_eq!(found.status, 200, "{asset} of {path}");
            assert_eq!(found.header("x-content-type-options"), "nosniff");
        }
    }
    assert_eq!(answer(server.request(Method::HEAD, "/")).await.status, 200);
    server.stop().await;
}
