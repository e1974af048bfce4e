//! The files of `deploy/` do what they say, with the real nginx and systemd's own check.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Mjpeg, Server, answer, eventually, picture, within};
use crate::tools::{Program, lasting_port, python, repository, tool};

/// nginx with `deploy/nginx.conf` before a server.
struct Nginx {
    /// Ends with the test.
    _program: Program,
    folder: TempDir,
    plain: u16,
    secure: u16,
}

impl Nginx {
    async fn start(server: &Server) -> Self {
        let folder = TempDir::new().unwrap();
        certificate(folder.path()).await;
        let (plain, secure) = (lasting_port(), lasting_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let site = std::fs::read_to_string(repository().join("deploy/nginx.conf"))
            .unwrap()
            .replace("127.0.0.1:5000", &server.address().to_string())
            .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"))
            .replace("listen 443 ssl http2;", &format!("listen 127.0.0.1:{secure} ssl http2;"))
            .replace("/etc/onair/tls/fullchain.pem", &path("certificate.pem"))
            .replace("/etc/onair/tls/privkey.pem", &path("key.pem"))
            .replace("/var/log/nginx/onair.log", &path("access.log"));
        let ours = |line: &&str| !line.contains("listen [::]:");
        let site: Vec<&str> = site.lines().filter(ours).collect();
        std::fs::write(folder.path().join("site.conf"), site.join("\n")).unwrap();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let scratch: String = kinds
            .iter()
            .map(|kind| format!("{kind}_temp_path {};\n", path(&format!("{kind}.tmp"))))
            .collect();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\n{scratch}include {};\n}}\n",
            path("nginx.pid"),
            path("site.conf")
        );
        std::fs::write(folder.path().join("nginx.conf"), main).unwrap();
        // Debian keeps it where only root's path leads.
        let nginx =
            if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx".into() } else { tool("nginx") };
        let mut command = Command::new(nginx);
        command.arg("-p").arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf"));
        let mut program = Program::start(command.arg("-e").arg("stderr"));
        eventually("nginx listens", async || {
            assert!(program.ended().is_none(), "nginx ended: {}", program.said());
            tokio::net::TcpStream::connect(("127.0.0.1", secure)).await.is_ok()
        })
        .await;
        Self { _program: program, folder, plain, secure }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.secure)
    }

    /// One that trusts the certificate.
    fn client(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(self.folder.path().join("certificate.pem")).unwrap();
        let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        client.tls_certs_only([certificate]).build().unwrap()
    }
}

async fn certificate(folder: &Path) {
    let mut openssl = Command::new(tool("openssl"));
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("certificate.pem"));
    Program::start(&mut openssl).success().await;
}

#[tokio::test]
async fn nginx_passes_frames_pictures_and_sockets_on_without_delay() {
    let server = Server::start(&[("server.trusted_proxies", "127.0.0.1")]).await;
    let nginx = Nginx::start(&server).await;
    let client = nginx.client();
    let publish = async |number: u64| {
        let request = client.post(nginx.url("/publish/cam")).header("Content-Type", "image/jpeg");
        assert_eq!(answer(request.body(picture(number))).await.status, 200);
    };
    publish(0).await;
    let mut viewer = Mjpeg::open(&client, &nginx.url("/stream/cam")).await;
    // Each picture is seen before the next is sent: nothing waits in a buffer.
    for number in 1..10 {
        viewer.until(&picture(number - 1)).await;
        publish(number).await;
    }

    let frame = nginx.folder.path().join("frame.jpg");
    std::fs::write(&frame, picture(77)).unwrap();
    let mut socket = Command::new(python());
    socket.arg(repository().join("tests/it/samples/push_over_websocket.py"));
    socket.arg(format!("wss://localhost:{}/publish/cam/ws", nginx.secure)).arg(&frame);
    socket.arg(nginx.folder.path().join("certificate.pem"));
    Program::start(&mut socket).success().await;
    viewer.until(&picture(77)).await;

    let plain = format!("http://localhost:{}/stream/cam", nginx.plain);
    let moved = within(client.get(plain).send()).await.unwrap();
    assert_eq!(moved.status(), 308);
    drop(viewer);
    server.stop().await;
}

#[tokio::test]
async fn a_token_in_the_address_is_not_in_the_log_of_nginx() {
    let server = Server::start(&[("auth.token", "sesame-sesame")]).await;
    let nginx = Nginx::start(&server).await;
    let asked = answer(nginx.client().get(nginx.url("/api/streams?token=sesame-sesame"))).await;
    assert_eq!(asked.status, 200);
    let log = nginx.folder.path().join("access.log");
    eventually("the request is logged", async || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("/api/streams"))
    })
    .await;
    assert!(!std::fs::read_to_string(&log).unwrap().contains("sesame"));
    server.stop().await;
}

#[tokio::test]
async fn systemd_accepts_the_unit() {
    let folder = TempDir::new().unwrap();
    let unit = std::fs::read_to_string(repository().join("deploy/onair.service")).unwrap();
    let unit = unit.replace("/usr/local/bin/onair", env!("CARGO_BIN_EXE_onair"));
    let path = folder.path().join("onair.service");
    std::fs::write(&path, unit).unwrap();
    let mut verify = Command::new(tool("systemd-analyze"));
    let ended = Program::start(verify.arg("verify").arg(&path)).end().await;
    assert!(ended.status.success(), "{}", ended.err);
    assert!(!ended.err.contains("onair.service"), "{}", ended.err);
}
