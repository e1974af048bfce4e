//! The configuration as a whole: files in, configuration or messages out.

use super::*;

fn tmp(text: &[u8]) -> (tempfile::TempDir, Inputs) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    (folder, Inputs { file: Some(path), ..Inputs::default() })
}

#[test]
fn probe() {
    for text in [
        "streams:\n  timeout_seconds: 5\nstreams:\n  timeout_seconds: 6\n",
        "streams:\n  timeout_seconds: 5\n  timeout_seconds: 6\n",
        "streams:\n\ttimeout_seconds: 5\n",
        "streams:\n  timeout_seconds: 5\n\tmax_concurrent: 5\n",
        "streams:\n  - a\n",
        "- a\n",
        "hello",
        "",
        "# nothing\n",
        "streams: [1, 2\nserver:\n",
        "streams: {a: 1\nserver: 2\n",
        "auth:\n  token: \"hunter2\nserver: 1\n",
        "auth:\n  token: *hunter2\n",
        "auth: hunter2\n",
        "auth:\n  token: hunter2: x\n",
        "auth:\n   token: hunter2\n  publish_keys: {}\n",
        "a: 1\n---\nb: 2\n",
        "server:\n  port: 5000.0\n  api_port: .inf\n",
        "server:\n  port: .nan\n",
        "server:\n  port: 99999999999999999999999999\n",
        "server:\n  port: -1\n",
        "server:\n  5: x\n  ~: y\n  [a]: 3\n",
        "cleanup:\n  schedule_time: 3:30\n",
        "cleanup:\n  schedule_time: 03:30\n",
        "auth:\n  token: 0012\n",
        "auth:\n  token: 12\n",
        "%YAML 1.2\n---\nserver:\n  port: 1\n",
        "x: &a {b: 1}\nserver:\n  <<: *a\n",
        "server:\n  port: !foo 12\n",
        "\u{feff}server:\n  port: 12\n",
        "server:\r\n  port: 12x\r\n",
        "server: null\nstreams:\nrecording: ~\n",
        "recording:\n  max_total_gb: null\n  enabled: yes\n",
        "server: @foo\n",
        "server:\n  host: 'a\n",
        "key without colon\nserver: 1",
        "server:\n  cors_origins: https://a.example\n",
    ] {
        let (_folder, inputs) = tmp(text.as_bytes());
        let dir = inputs.file.as_ref().unwrap().parent().unwrap().display().to_string() + "/";
        match resolve(&inputs) {
            Ok(r) => println!("OK  {text:?}\n       {:?}", r.layers),
            Err(m) => println!("BAD {text:?}\n       {}", m.to_string().replace(&dir, "")),
        }
    }
}
