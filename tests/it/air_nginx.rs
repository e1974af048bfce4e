//! nginx with its RTMP module, as the platforms run such servers, and a look at what it received.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::eventually;
use crate::tools::{Program, lasting_port, tool};

/// A server that keeps what is published to it; `live` takes everything, `closed` nothing.
pub(crate) struct Nginx {
    program: Option<Program>,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    pub(crate) async fn start() -> Self {
        let mut nginx = Self { program: None, folder: TempDir::new().unwrap(), port: lasting_port() };
        std::fs::create_dir(nginx.folder.path().join("kept")).unwrap();
        nginx.begin().await;
        nginx
    }

    /// On the same port as before.
    pub(crate) async fn begin(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off;\nmaster_process off;\npid {};\n\
             error_log stderr;\nevents {{}}\nrtmp {{ server {{ listen 127.0.0.1:{}; chunk_size 4096;\n\
             application live {{ live on; record all; record_path {}; record_unique on; }}\n\
             application closed {{ live on; deny publish all; }} }} }}\n",
            path("nginx.pid"),
            self.port,
            path("kept"),
        );
        std::fs::write(self.folder.path().join("nginx.conf"), configuration).unwrap();
        let nginx =
            if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx".into() } else { tool("nginx") };
        let mut command = Command::new(nginx);
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(self.folder.path().join("nginx.conf"));
        let mut program = Program::start(command.args(["-e", "stderr"]));
        eventually("nginx listens", async || {
            assert!(program.ended().is_none(), "nginx with its RTMP module ended: {}", program.said());
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
        self.program = Some(program);
    }

    /// As if its machine lost power.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }

    /// What was published, oldest first.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("kept")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|path| std::fs::metadata(path).unwrap().created().unwrap());
        files
    }
}

/// What ffprobe reads in a file.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) video: Value,
    pub(crate) audio: Value,
    /// When each picture is decoded and shown, in seconds, and whether it is a keyframe.
    pub(crate) pictures: Vec<(f64, f64, bool)>,
    /// When each bit of sound is heard.
    pub(crate) sounds: Vec<f64>,
}

impl Received {
    pub(crate) async fn of(file: &Path) -> Self {
        let mut command = Command::new(tool("ffprobe"));
        command.args(["-v", "error", "-of", "json", "-show_streams", "-show_entries"]);
        command.arg("packet=codec_type,pts_time,dts_time,flags").arg(file);
        let ended = Program::start(&mut command).end().await;
        assert!(ended.status.success() && ended.err.is_empty(), "ffprobe {}: {}", file.display(), ended.err);
        let told: Value = serde_json::from_slice(&ended.out).unwrap();
        let stream = |kind: &str| {
            let mut streams = told["streams"].as_array().unwrap().iter();
            streams.find(|stream| stream["codec_type"] == kind).cloned().unwrap_or_default()
        };
        let of = |kind: &'static str| {
            let packets = told["packets"].as_array().unwrap().iter();
            packets.filter(move |packet| packet["codec_type"] == kind)
        };
        let time = |packet: &Value, name: &str| packet[name].as_str().unwrap().parse::<f64>().unwrap();
        Self {
            video: stream("video"),
            audio: stream("audio"),
            pictures: of("video")
                .map(|packet| {
                    let key = packet["flags"].as_str().unwrap().starts_with('K');
                    (time(packet, "dts_time"), time(packet, "pts_time"), key)
                })
                .collect(),
            sounds: of("audio").map(|packet| time(packet, "pts_time")).collect(),
        }
    }

    /// Every picture is there, `fps` a second, in order, the first a keyframe and none further apart than `group`.
    pub(crate) fn is_whole(&self, fps: f64, group: usize) {
        assert!(self.pictures.first().is_some_and(|first| first.2), "it begins with a keyframe");
        for two in self.pictures.windows(2) {
            let step = two[1].0 - two[0].0;
            // FLV has milliseconds only.
            assert!((step - 1.0 / fps).abs() < 0.0015, "{step} s from {} to the next", two[0].0);
            assert!((two[0].1 - two[0].0).abs() < 0.002, "nothing is reordered");
        }
        let keys: Vec<usize> = (0..self.pictures.len()).filter(|&at| self.pictures[at].2).collect();
        assert!(keys.windows(2).all(|two| two[1] - two[0] <= group), "keyframes at {keys:?}");
        assert!(self.pictures.len() - keys.last().unwrap() <= group, "keyframes at {keys:?}");
    }
}
