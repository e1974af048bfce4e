//! The ways out that are not plain RTMP, each received by a program of others: SRT by FFmpeg, RTMPS by nginx behind TLS, WebM by
//! ffprobe.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::air::{SMALL, files, red};
use crate::air_nginx::Received;
use crate::harness::{Answer, Server, answer, eventually};
use crate::tools::{Program, Served, colour, lasting_port, sooner_or_later, tool};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srt_is_received_by_ffmpeg_whole_and_in_true_colours() {
    let folder = TempDir::new().unwrap();
    let (port, path) = (lasting_port(), folder.path().join("received.ts"));
    let mut listener = Command::new(tool("ffmpeg"));
    listener.args(["-nostdin", "-v", "error", "-y", "-i", &format!("srt://127.0.0.1:{port}?mode=listener")]);
    let listener =
        Program::start(listener.args(["-map", "0", "-c", "copy", "-copyts", "-f", "mpegts"]).arg(&path));
    let server = Server::start(&SMALL).await;
    server.ask(reqwest::Method::POST, "/stream/layers", &red()).await;
    let asked = json!({"id": "far", "url": format!("srt://127.0.0.1:{port}"), "key": "sesame"});
    assert_eq!(server.output(&asked).await["type"], "srt");
    server.control("start").await;
    server.until_state("far", "live").await;
    server.on_air_for(130.0).await;
    server.control("stop").await;
    server.until_state("far", "idle").await;
    // It ends by itself when we say that it is over.
    listener.success().await;
    let received = Received::of(&path).await;
    assert!(received.pictures.len() >= 100, "{}", received.pictures.len());
    received.is_whole(30.0, 60);
    assert_eq!(
        (&received.video["codec_name"], &received.audio["codec_name"]),
        (&json!("h264"), &json!("aac"))
    );
    let [r, g, b] = colour(&path).await;
    assert!(r > 240.0 && g < 15.0 && b < 15.0, "{r} {g} {b}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vp8_and_vp9_become_webm_files_with_opus_that_are_whole() {
    for codec in ["vp8", "vp9"] {
        let server = Server::start(&SMALL).await;
        server.ask(reqwest::Method::POST, "/stream/layers", &red()).await;
        let asked =
            json!({"id": "near", "type": "file", "name": "show", "videoCodec": codec, "audioCodec": "opus"});
        server.output(&asked).await;
        server.control("start").await;
        server.until_state("near", "live").await;
        server.on_air_for(100.0).await;
        server.control("stop").await;
        server.until_state("near", "idle").await;
        let kept = files(&server.folder().join("recordings"), "show");
        let [file] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(file.extension().unwrap(), "webm");
        let received = Received::of(file).await;
        assert!(received.pictures.len() >= 80, "{codec}: {}", received.pictures.len());
        received.is_whole(30.0, 60);
        let codecs = (&received.video["codec_name"], &received.audio["codec_name"]);
        assert_eq!(codecs, (&json!(codec), &json!("opus")));
        let gap = received.sounds.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
        assert!(gap < 0.03, "{codec}: {gap} s without sound");
        let [r, g, b] = colour(file).await;
        assert!(r > 240.0 && g < 15.0 && b < 15.0, "{codec}: {r} {g} {b}");
        server.stop().await;
    }
}

/// A certificate for `localhost`, made by nobody that anybody trusts.
async fn certificate(folder: &Path) {
    let mut openssl = Command::new(tool("openssl"));
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("certificate.pem"));
    Program::start(&mut openssl).success().await;
}

/// nginx that takes RTMP behind TLS and keeps it; the secure port.
async fn secure(folder: &Path) -> (Program, u16) {
    let (secure, plain) = (lasting_port(), lasting_port());
    let kept = folder.join("kept");
    std::fs::create_dir(&kept).unwrap();
    let configuration = format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\nload_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         stream {{ server {{ listen 127.0.0.1:{secure} ssl; ssl_certificate {folder}/certificate.pem; \
         ssl_certificate_key {folder}/key.pem; proxy_pass 127.0.0.1:{plain}; }} }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{plain}; chunk_size 4096; \
         application live {{ live on; record all; record_path {folder}/kept; record_unique on; }} }} }}\n",
        folder = folder.display(),
    );
    std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    let mut nginx = Program::start(&mut command);
    eventually("nginx listens", async || {
        assert!(nginx.ended().is_none(), "nginx ended: {}", nginx.said());
        tokio::net::TcpStream::connect(("127.0.0.1", secure)).await.is_ok()
    })
    .await;
    (nginx, secure)
}

pub(crate) async fn ask(served: &Served, path: &str, body: &Value) -> Answer {
    let answer = answer(served.client.post(served.url(path)).json(body)).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmps_reaches_a_server_whose_certificate_is_trusted_and_no_other() {
    let folder = TempDir::new().unwrap();
    certificate(folder.path()).await;
    let (_nginx, port) = secure(folder.path()).await;
    let settings: Vec<String> = SMALL.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let settings: Vec<&str> = settings.iter().flat_map(|set| ["--set", set]).collect();
    for trusted in [false, true] {
        let mut with = Command::new(tool("env"));
        if trusted {
            with.arg(format!("SSL_CERT_FILE={}", folder.path().join("certificate.pem").display()));
        }
        let served = Served::start(with, &settings).await;
        ask(&served, "/stream/layers", &red()).await;
        let output = json!({"id": "far", "url": format!("rtmps://localhost:{port}/live"), "key": "sesame"});
        ask(&served, "/stream/outputs", &output).await;
        ask(&served, "/stream/control", &json!({"action": "start"})).await;
        let shown = async || answer(served.client.get(served.url("/stream/outputs/far"))).await.json();
        let wanted = if trusted { "live" } else { "failed" };
        sooner_or_later(wanted, async || shown().await["state"] == wanted).await;
        if !trusted {
            let why = shown().await["lastError"].as_str().unwrap().to_owned();
            assert!(why.contains("no trusted connection") && !why.contains("sesame"), "{why}");
            assert!(std::fs::read_dir(folder.path().join("kept")).unwrap().next().is_none());
            continue;
        }
        let frames = async || {
            let text = answer(served.client.get(served.url("/metrics"))).await.text();
            let line = text.lines().find_map(|line| line.strip_prefix("onair_encoded_frames_total "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let begun = frames().await;
        sooner_or_later("frames are sent", async || frames().await > begun + 100.0).await;
        ask(&served, "/stream/control", &json!({"action": "stop"})).await;
        sooner_or_later("it is idle", async || shown().await["state"] == "idle").await;
        let kept = std::fs::read_dir(folder.path().join("kept")).unwrap().next().unwrap().unwrap().path();
        let received = Received::of(&kept).await;
        assert!(received.pictures.len() >= 80, "{}", received.pictures.len());
        received.is_whole(30.0, 60);
        let [r, g, b] = colour(&kept).await;
        assert!(r > 240.0 && g < 15.0 && b < 15.0, "{r} {g} {b}");
    }
}
