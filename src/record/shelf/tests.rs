use std::time::Duration;

use super::*;
use crate::record::Codec;
use crate::record::disk::Disk;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, path: &str, bytes: usize) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![0; bytes]).unwrap();
    }

    /// A finished recording as the recorder leaves it.
    fn record(&self, stream: &str, stamp: &str, bytes: usize) {
        let stream = StreamName::parse(stream).unwrap();
        let file = format!("{stream}_{stamp}.mp4");
        self.put(&format!("{stream}/{file}"), bytes);
        let (name, _) = FileName::parse(&stream, &file).unwrap();
        let mp4 = folder_of(self.root(), &stream).join(&file);
        let mut sidecar = Sidecar::begin(&stream, name.start(), Codec::H264, (64, 48), 30, &mp4);
        sidecar.finish(30, Duration::from_secs(1), Why::Stopped);
        sidecar.write(&mp4.with_file_name(name.json())).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let list = list(self.root(), &[]).unwrap();
        list.into_iter().map(|entry| entry.file).collect()
    }
}

fn cam() -> StreamName {
    StreamName::parse("cam").unwrap()
}

fn writing(file: &str) -> Vec<Progress> {
    let (name, _) = FileName::parse(&cam(), file).unwrap();
    vec![Progress { name, codec: Codec::H264, frames: 7, duration: Duration::from_millis(250) }]
}

#[test]
fn the_list_is_newest_first_and_knows_what_the_sidecar_and_the_recorder_say() {
    let folder = Folder::new();
    folder.record("cam", "20260121_103000", 1000);
    folder.record("bob", "20260122_103000", 500);
    folder.put("cam/cam_20260120_000000.mp4", 10);
    let list = list(folder.root(), &writing("cam_20260120_000000.mp4")).unwrap();
    let short: Vec<_> = list
        .iter()
        .map(|e| (e.file.as_str(), e.size_bytes, e.total_frames, e.active, e.end_time.is_some()))
        .collect();
    assert_eq!(
        short,
        [
            ("bob_20260122_103000.mp4", 500, Some(30), false, true),
            ("cam_20260121_103000.mp4", 1000, Some(30), false, true),
            ("cam_20260120_000000.mp4", 10, Some(7), true, false),
        ]
    );
    assert_eq!(
        (list[0].codec.as_deref(), list[0].width, list[0].average_fps),
        (Some("h264"), Some(64), Some(30.0))
    );
    assert_eq!(list[2].duration_seconds, Some(0.25));
}

#[test]
fn no_folder_is_no_recordings() {
    let folder = Folder::new();
    assert!(list(&folder.root().join("none"), &[]).unwrap().is_empty());
}

#[test]
fn what_is_not_ours_is_neither_listed_nor_found() {
    let folder = Folder::new();
    folder.record("cam", "20260121_103000", 10);
    folder.put("cam/notes.txt", 1);
    folder.put("cam/bob_20260121_103000.mp4", 1);
    folder.put("status/status_20260121_103000.mp4", 1);
    folder.put("not a stream/x.mp4", 1);
    folder.put("secret_20260121_103000.mp4", 1);
    fs::create_dir_all(folder.root().join("cam/cam_20260121_110000.mp4")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.root().join("cam/cam_20260121_120000.mp4")).unwrap();
    std::os::unix::fs::symlink(folder.root().join("cam"), folder.root().join("alias")).unwrap();
    assert_eq!(folder.files(), ["cam_20260121_103000.mp4"]);
    for bad in [
        "cam_20260121_110000.mp4",
        "cam_20260121_120000.mp4",
        "notes.txt",
        "../secret_20260121_103000.mp4",
        "..",
        "",
        "/etc/passwd",
        "bob_20260121_103000.mp4",
        "cam_20260121_103000.mp4/../notes.txt",
    ] {
        assert_eq!(path(folder.root(), &cam(), bad).unwrap_err().kind(), Kind::NotFound, "{bad:?}");
        assert_eq!(delete(folder.root(), &cam(), bad, &[]).unwrap_err().kind(), Kind::NotFound, "{bad:?}");
    }
    assert!(path(folder.root(), &cam(), "cam_20260121_103000.json").is_ok());
}

#[test]
fn deleting_takes_video_sidecar_and_empty_folder_but_never_what_is_being_written() {
    let folder = Folder::new();
    folder.record("cam", "20260121_103000", 1000);
    folder.record("cam", "20260121_113000", 10);
    let file = "cam_20260121_103000.mp4";
    let busy = delete(folder.root(), &cam(), file, &writing(file)).unwrap_err();
    assert_eq!(busy.kind(), Kind::Conflict);
    assert!(delete(folder.root(), &cam(), file, &[]).unwrap() > 1000);
    assert_eq!(folder.files(), ["cam_20260121_113000.mp4"]);
    delete(folder.root(), &cam(), "cam_20260121_113000.json", &[]).unwrap();
    assert!(!folder_of(folder.root(), &cam()).exists());
}

#[test]
fn what_a_crash_left_of_sidecars_is_recognised() {
    let folder = Folder::new();
    folder.record("cam", "20260121_103000", 10);
    folder.put("cam/cam_20260121_110000.json", 10);
    folder.put("cam/.cam_20260121_103000.json.new", 10);
    folder.put("cam/.other.new", 10);
    let mut orphans = look(folder.root()).unwrap().orphans;
    orphans.sort();
    let names: Vec<_> = orphans.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, [".cam_20260121_103000.json.new", "cam_20260121_110000.json"]);
}

#[test]
fn a_folder_that_vanishes_under_the_recorder_is_made_again() {
    let folder = Folder::new();
    let disk = Disk::default();
    let root = folder_of(folder.root(), &cam());
    fs::create_dir(&root).unwrap();
    assert!(remove_if_empty(&root));
    disk.create(&root.join("cam_20260121_103000.mp4")).unwrap();
    assert!(!remove_if_empty(&root));
}

#[test]
fn a_folder_that_is_a_plain_file_is_told_with_what_to_do() {
    let folder = Folder::new();
    folder.put("recordings", 3);
    let error = list(&folder.root().join("recordings"), &[]).map_err(unreadable).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error.detail().contains("not a folder") && error.detail().contains("recording.folder"),
        "{error}"
    );
}
