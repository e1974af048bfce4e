//! The programs people use already: what they send is taken, what they show is right.
//!
//! The samples of the first README lie in `samples/`, word for word; `run.py` lends them a camera.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::{Value, json};
use sim::picture::read_counter;
use tempfile::TempDir;

use crate::follow::Twitch;
use crate::harness::{Server, client, decoded, number, picture};
use crate::tools::{
    Program, numbers, numbers_in, pictures, pictures_of, probe, push_paced, python, recording, repository,
    sooner_or_later, tool, video, while_pushing,
};

async fn server() -> Server {
    Server::start(&[("recording.enabled", "true"), ("recording.codec", "mjpeg")]).await
}

fn sample(name: &str) -> PathBuf {
    repository().join("tests/it/samples").join(name)
}

/// Runs Python in `folder`, with `localhost:5000` leading to `server`.
fn run_python(server: &Server, folder: &Path) -> Command {
    let mut command = Command::new(python());
    command.current_dir(folder).env_clear().env("ONAIR_PORT", server.address().port().to_string());
    command
}

/// Fifteen frames a second as a camera would show them, losslessly enough for their numbers.
async fn filmed(count: u64) -> tempfile::NamedTempFile {
    video(&pictures_of(count), 15, &["-c:v", "copy"], ".avi").await
}

async fn ended(server: &Server, stream: &str) -> PathBuf {
    server.delete(&format!("/api/streams/{stream}")).await.json();
    recording(&server.folder().join("recordings"), stream)
}

fn rising(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// The code blocks of a page of ours, by their language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    let parts = text.split("```").skip(1).step_by(2);
    parts.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned)).collect()
}

#[tokio::test]
async fn the_requests_sample_publishes() {
    let (server, film, folder) = (server().await, filmed(20).await, TempDir::new().unwrap());
    let ours = ["README.md", "client/README.md"].map(|page| {
        let mut blocks = blocks(page, "python");
        blocks.retain(|block| block.contains("def publish_frame"));
        assert_eq!(blocks.len(), 1, "{page}");
        let file = folder.path().join(page.replace('/', "-"));
        std::fs::write(&file, blocks.remove(0)).unwrap();
        file
    });
    let samples = [sample("custom_publisher.py")].into_iter().chain(ours);
    for (stream, sample) in ["first", "readme", "client"].into_iter().zip(samples) {
        let mut command = run_python(&server, folder.path());
        command.arg(self::sample("run.py")).arg("custom").arg(&sample).arg(film.path()).arg(stream);
        let out = Program::start(&mut command).success().await;
        let answers: Vec<bool> = serde_json::from_slice(&out).unwrap();
        assert_eq!(answers, [true; 20], "{stream}");
        assert_eq!(numbers(&ended(&server, stream).await).await, (0..20).collect::<Vec<_>>(), "{stream}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_stream_publisher_sample_publishes() {
    let (server, film, folder) = (server().await, filmed(30).await, TempDir::new().unwrap());
    let mut command = run_python(&server, folder.path());
    command.arg(sample("run.py")).arg("generic").arg(sample("generic_publisher.py")).arg(film.path());
    let stats: Value = serde_json::from_slice(&Program::start(&mut command).success().await).unwrap();
    let count = |name: &str| stats[name].as_u64().unwrap();
    assert_eq!(count("errors"), 0, "{stats}");
    assert_eq!(count("sent") + count("dropped") + count("skipped"), 30, "{stats}");
    let kept = numbers(&ended(&server, "my_stream").await).await;
    assert_eq!(kept.len() as u64, count("sent"), "{stats}");
    assert!(rising(&kept) && kept.len() >= 15, "{stats} {kept:?}");
    server.stop().await;
}

/// The webcam example, with the options of the first README.
fn webcam(server: &Server, folder: &Path, more: &[&str]) -> Program {
    let mut command = run_python(server, folder);
    command.arg(repository().join("client/examples/webcam_publisher.py"));
    command.args([
        "--server",
        &server.url(""),
        "--stream",
        "my_camera",
        "--camera",
        "0",
        "--quality",
        "85",
        "--fps",
        "30",
    ]);
    Program::start(command.args(more))
}

#[tokio::test]
async fn the_webcam_example_publishes_with_its_options_as_they_were() {
    let (server, film, folder) = (server().await, filmed(30).await, TempDir::new().unwrap());
    for mode in ["post", "stream"] {
        let file = film.path().to_str().unwrap();
        let ended = webcam(&server, folder.path(), &["--file", file, "--mode", mode]).end().await;
        assert!(ended.status.success(), "{}", ended.err);
        let last = ended.err.lines().last().unwrap();
        assert!(last.starts_with("sent ") && last.ends_with("errors 0"), "{last}");
        assert!(!ended.err.contains(['\r', '\x1b']), "no terminal, no terminal codes: {:?}", ended.err);
        let file = self::ended(&server, "my_camera").await;
        let kept = numbers(&file).await;
        let sent: usize = last["sent ".len()..].split(' ').next().unwrap().parse().unwrap();
        assert_eq!(kept.len(), sent, "{mode}: {last}");
        assert!(rising(&kept) && kept.len() >= 15, "{mode}: {kept:?}");
        std::fs::remove_dir_all(server.folder().join("recordings/my_camera")).unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn the_webcam_example_says_what_is_wrong() {
    let (server, folder) = (server().await, TempDir::new().unwrap());
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "no video").unwrap();
    for (more, said) in [
        (&["--camera", "73"][..], "camera 73 cannot be opened"),
        (&["--file", "not-there.mp4"], "not-there.mp4: no such file"),
        (&["--file", text.to_str().unwrap()], "not a video that OpenCV can read"),
        (&["--stream", "not a name"], "stream_name 'not a name'"),
    ] {
        let ended = webcam(&server, folder.path(), more).end().await;
        assert_eq!(ended.status.code(), Some(1), "{more:?}: {}", ended.err);
        assert!(ended.err.contains(said) && !ended.err.contains("Traceback"), "{more:?}: {}", ended.err);
    }
    server.stop().await;
}

#[tokio::test]
async fn opencv_watches_with_the_line_of_the_readme() {
    let (server, folder) = (server().await, TempDir::new().unwrap());
    let lines = blocks("README.md", "python");
    let line = lines.iter().find(|block| block.starts_with("cv2.VideoCapture(")).expect("the line");
    let mut command = run_python(&server, folder.path());
    command.arg(sample("run.py")).args(["capture", line.trim(), "25"]);
    let out =
        while_pushing(&server, "camera1", 25.0, async { Program::start(&mut command).success().await }).await;
    let seen = numbers_in(&out, 320, 240);
    assert!(seen.len() == 25 && rising(&seen), "{seen:?}");
    server.stop().await;
}

#[tokio::test]
async fn ffmpeg_watches_with_and_without_being_told_the_format() {
    let server = server().await;
    let url = server.url("/stream/cam");
    for input in [&["-f", "mpjpeg"][..], &[]] {
        let output = ["-frames:v", "20", "-pix_fmt", "gray"];
        let luma = while_pushing(&server, "cam", 25.0, pictures(input, &url, &output)).await;
        let seen = numbers_in(&luma, 320, 240);
        assert!(seen.len() == 20 && rising(&seen), "{input:?}: {seen:?}");
    }
    server.stop().await;
}

/// The number in a picture that VLC has shown; it adds rows at the bottom to make its memory even.
fn number_shown(path: &Path) -> u32 {
    let mut picture = decoded(&std::fs::read(path).unwrap());
    (picture.height, picture.y.height) = (240, 240);
    read_counter(&picture).unwrap_or_else(|| panic!("no number in {}", path.display()))
}

#[tokio::test]
async fn vlc_watches() {
    let (server, folder) = (server().await, TempDir::new().unwrap());
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new(tool("cvlc"));
    command.env("HOME", folder.path()).current_dir(folder.path());
    if rustix::process::geteuid().is_root() {
        // VLC won't run as root.
        command.uid(65_534).gid(65_534);
    }
    command.args(["--intf", "dummy", "--no-audio", "--no-dbus", "--vout", "dummy", "--play-and-exit"]);
    // Writes each picture it shows.
    command.args(["--video-filter", "scene", "--scene-format", "jpg", "--scene-ratio", "1", "--scene-path"]);
    let shown = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut shown: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|ending| ending == "jpg")).collect();
        shown.sort();
        shown
    };
    let watching = async {
        let vlc = Program::start(command.arg(folder.path()).arg(server.url("/stream/cam")));
        sooner_or_later("VLC shows thirty pictures", async || shown().len() >= 30).await;
        vlc.signal(Signal::TERM);
        vlc.end().await
    };
    let ended = while_pushing(&server, "cam", 25.0, watching).await;
    let mut seen: Vec<u32> = shown()[..30].iter().map(|path| number_shown(path)).collect();
    seen.dedup();
    assert!(rising(&seen) && seen.len() >= 10, "{seen:?} {}", ended.err);
    server.stop().await;
}

#[tokio::test]
async fn vlc_plays_a_recording() {
    let (server, folder) = (Server::start(&[("recording.enabled", "true")]).await, TempDir::new().unwrap());
    push_paced(&client(), &server.url("/publish/cam"), &pictures_of(50), 25.0).await;
    let file = ended(&server, "cam").await;
    assert_eq!(probe(&file).await.codec, "h264");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new(tool("cvlc"));
    command.env("HOME", folder.path()).current_dir(folder.path());
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command.args(["--intf", "dummy", "--no-audio", "--no-dbus", "--play-and-exit", "--sout-all"]);
    command.args(["--sout", "#standard{access=file,mux=ts,dst=out.ts}"]);
    let url = server.url(&format!("/api/recordings/cam/{}", file.file_name().unwrap().to_str().unwrap()));
    Program::start(command.args([&url, "vlc://quit"])).success().await;
    let seen = numbers(&folder.path().join("out.ts")).await;
    // At the end VLC throws away what its muxer holds, a fifth of a second.
    assert!(seen.len() >= 40 && seen == (0..50).take(seen.len()).collect::<Vec<_>>(), "{seen:?}");
    server.stop().await;
}

/// curl as a reader of the README runs it, with `localhost:5000` leading to `server`.
async fn curl(server: &Server, folder: &Path, line: &str) -> Bytes {
    let address = server.address();
    std::fs::write(
        folder.join(".curlrc"),
        format!("silent\nshow-error\nconnect-to = localhost:5000:{address}\n"),
    )
    .unwrap();
    let curl = tool("curl");
    let mut command = Command::new("sh");
    command.current_dir(folder).env_clear().env("CURL_HOME", folder).env("PATH", curl.parent().unwrap());
    Program::start(command.args(["-c", line])).success().await.into()
}

#[tokio::test]
async fn the_curl_lines_of_the_readmes_work() {
    let (server, folder) = (server().await, TempDir::new().unwrap());
    std::fs::write(folder.path().join("picture.jpg"), picture(7)).unwrap();
    let lines = blocks("README.md", "sh").concat();
    let publishing = |line: &&str| line.starts_with("curl ") && line.contains("/publish/");
    let ours: Vec<&str> = lines.lines().filter(publishing).collect();
    assert!(!ours.is_empty());
    for line in ours {
        let told: Value = serde_json::from_slice(&curl(&server, folder.path(), line).await).unwrap();
        assert_eq!(told["status"], "success", "{line}: {told}");
        assert_eq!(told["frame_size"], picture(7).len(), "{line}: {told}");
    }
    // And those of the first README.
    let told = curl(&server, folder.path(), "curl http://localhost:5000/api/streams").await;
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["count"], &told["streams"][0]["name"]), (&1.into(), &"camera1".into()), "{told}");
    let line = "curl http://localhost:5000/api/streams/camera1/snapshot.jpg";
    assert_eq!(number(&curl(&server, folder.path(), line).await), Some(7));
    server.stop().await;
}

/// The commands of a text: each from the word curl to the end of its last line.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in text.lines() {
        let goes_on = commands.last().is_some_and(|command| command.ends_with('\\'));
        match commands.last_mut() {
            Some(command) if goes_on => *command += &format!("\n{line}"),
            _ if line.starts_with("curl ") => commands.push(line.to_owned()),
            _ => {}
        }
    }
    commands
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_curl_samples_that_follow_channels_work_as_they_were() {
    let twitch = Twitch::of(&["gorgc", "admiralbulldog", "dendi"]).await;
    let settings = twitch.settings(&[("capture.quality", "160p")]);
    let server = Server::start(&settings.iter().map(|(k, v)| (*k, v.as_str())).collect::<Vec<_>>()).await;
    let folder = TempDir::new().unwrap();
    let tell = async |line: &str| -> Value {
        let told = curl(&server, folder.path(), line).await;
        serde_json::from_slice(&told).unwrap_or_else(|_| panic!("{line}: {told:?}"))
    };
    let get = async |path: &str| tell(&format!("curl http://localhost:5000{path}")).await;
    let samples = commands(&std::fs::read_to_string(sample("follow_with_curl.sh")).unwrap());
    let [add, bulk, interval] = &samples[..] else { panic!("{samples:#?}") };
    // Those of our README ask the same of the server.
    let ours = commands(&blocks("README.md", "sh").concat());
    assert!(ours.iter().filter(|line| line.contains("gorgc")).count() == 2, "{ours:#?}");

    server.put("/api/config", &json!({"capture_interval": 0.2})).await.json();
    let added = tell(add).await;
    assert_eq!((&added["name"], &added["priority"]), (&"gorgc".into(), &3.into()), "{added}");
    let many = tell(bulk).await;
    assert_eq!(
        (&many["status"], &many["added"], &many["updated"]),
        (&"success".into(), &2.into(), &1.into())
    );
    assert_eq!(get("/api/streams/gorgc").await["priority"], 3, "added again it stays as it was");
    for name in ["gorgc", "admiralbulldog", "dendi"] {
        let path = format!("/api/streams/{name}");
        sooner_or_later("it is captured", async || get(&path).await["state"] == "online").await;
        let frame = get(&path).await["frames"][0].as_str().expect("a picture is kept").to_owned();
        let jpeg = curl(&server, folder.path(), &format!("curl http://localhost:5000{frame}")).await;
        assert!(number(&jpeg).is_some(), "{frame} is one of the stand-in's pictures");
    }
    tell(interval).await;
    let status = get("/api/status").await;
    assert_eq!((&status["status"], &status["config"]["capture_interval"]), (&"running".into(), &5.0.into()));
    assert_eq!((&status["stats"]["streams"], &status["stats"]["active"]), (&3.into(), &3.into()), "{status}");
    assert!(status["stats"]["successful_captures"].as_u64() >= Some(3));
    assert_eq!(get("/api/streams").await["total"], 3);
    let restarted = tell("curl -X POST http://localhost:5000/api/restart").await;
    assert_eq!(restarted["status"], "success");
    tell("curl -X DELETE http://localhost:5000/api/streams/dendi").await;
    assert_eq!(get("/api/status").await["config"]["total_streams"], 2);
    server.stop().await;
}
