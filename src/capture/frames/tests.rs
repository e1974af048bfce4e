use bytes::Bytes;
use media::keyframe::Codec;

use super::*;

/// Frames in a folder of their own, and the thread that writes them.
struct Bench {
    folder: tempfile::TempDir,
    tasks: Tasks,
    frames: Frames,
    ring: Ring,
}

impl Bench {
    fn new(max_bytes: u64) -> Self {
        let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::default());
        let frames = Frames::start(folder.path().to_owned(), max_bytes, &tasks, Clock::real()).unwrap();
        Self { folder, tasks, frames, ring: Ring::default() }
    }

    /// A picture of that second, its bytes telling which.
    fn keep(&mut self, second: u8) -> Arc<Kept> {
        self.frames.keep(&name(), &mut self.ring, shot(second))
    }

    /// Ends the thread when it has done all it was given.
    async fn written(&self) {
        while self.frames.queue().0 > 0 {
            tokio::task::yield_now().await;
        }
        assert!(self.tasks.stop(Duration::from_secs(20)).await);
    }

    fn on_disk(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("cam")).map_or(0, Iterator::count)
    }
}

fn name() -> StreamName {
    StreamName::parse("cam").unwrap()
}

fn shot(second: u8) -> Shot {
    let media_time = format!("2026-01-01T00:00:{second:02}.250Z").parse().unwrap();
    let keyframe = Keyframe {
        codec: Codec::H264,
        data: Bytes::from(vec![second; 1000]),
        config: second.is_multiple_of(2).then(|| Bytes::from_static(b"avcC")),
        width: 640,
        height: 360,
        pts: u64::from(second) * 90_000,
    };
    Shot { keyframe, media_time: MediaTime(media_time), media_time_error: Duration::from_millis(20) }
}

#[tokio::test]
async fn the_last_ten_are_kept_the_newest_in_memory_and_the_others_on_disk() {
    let mut bench = Bench::new(u64::MAX);
    for second in 0..15 {
        bench.keep(second);
    }
    bench.written().await;
    let kept = bench.ring.all();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(bench.on_disk(), KEPT);
    assert_eq!(bench.frames.room().used(), 10_000);
    for (kept, second) in kept.iter().zip(5..) {
        assert_eq!(kept.file(), format!("20260101_0000{second:02}_250.jpg"));
        assert_eq!(kept.in_memory().is_some(), second == 14, "{second}");
        assert_eq!(kept.read().unwrap(), shot(second).keyframe, "{second}");
        assert!(Arc::ptr_eq(&bench.ring.get(&kept.file()).unwrap(), kept));
    }
    for none in ["20260101_000004_250.jpg", "../../etc/passwd", "20260101_000005_250.key", "", "é.jpg"] {
        assert!(bench.ring.get(none).is_none(), "{none}");
    }
}

#[tokio::test]
async fn what_was_on_disk_is_found_again_and_what_a_crash_cut_short_is_not_shown() {
    let mut before = Bench::new(u64::MAX);
    for second in 0..3 {
        before.keep(second);
    }
    before.written().await;
    let cut = before.ring.newest().unwrap().path.clone();
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();

    let tasks = Tasks::default();
    let frames = Frames::start(before.folder.path().to_owned(), u64::MAX, &tasks, Clock::real()).unwrap();
    let ring = frames.found(&[name()]).remove(0);
    let read: Vec<_> = ring.all().iter().map(|kept| kept.read().ok()).collect();
    assert_eq!(read, [Some(shot(0).keyframe), Some(shot(1).keyframe), None]);
    tasks.stop(Duration::from_secs(20)).await;
}

#[tokio::test]
async fn too_much_or_too_old_goes_and_a_cleared_stream_leaves_nothing() {
    let mut bench = Bench::new(3_500);
    for second in 0..6 {
        bench.keep(second);
    }
    let mut later = shot(9);
    later.media_time = MediaTime(later.media_time.0 + MAX_AGE);
    bench.frames.keep(&name(), &mut bench.ring, later);
    while bench.frames.queue().0 > 0 {
        tokio::task::yield_now().await;
    }
    bench.frames.clear(&mut bench.ring);
    bench.written().await;
    assert_eq!((bench.on_disk(), bench.frames.room().used()), (0, 0));
    assert!(bench.ring.newest().is_none());
}

#[tokio::test]
async fn a_disk_that_fails_is_said_and_the_newest_is_still_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a file, no folder");
    std::fs::write(&root, "").unwrap();
    let tasks = Tasks::default();
    let frames = Frames::start(root, u64::MAX, &tasks, Clock::real()).unwrap();
    let mut ring = Ring::default();
    let first = frames.keep(&name(), &mut ring, shot(0));
    while frames.room().trouble().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.read().unwrap(), shot(0).keyframe);
    frames.keep(&name(), &mut ring, shot(1));
    tasks.stop(Duration::from_secs(20)).await;
    assert_eq!(ring.all().len(), 1, "the older one is lost, and not shown");
    assert!(frames.room().skipped.get() >= 1);
}

#[tokio::test]
async fn the_same_moment_again_replaces_its_picture_and_is_counted_once() {
    let mut bench = Bench::new(u64::MAX);
    for second in [1, 2, 2, 3, 2] {
        // Whether or not it is on disk already.
        bench.keep(second);
        while second == 2 && bench.frames.room().written.get() < 2 {
            tokio::task::yield_now().await;
        }
    }
    bench.written().await;
    let kept = bench.ring.all();
    let files: Vec<_> = kept.iter().map(|kept| kept.file()[13..15].to_owned()).collect();
    assert_eq!(files, ["01", "03", "02"]);
    assert!(kept.iter().all(|kept| kept.read().is_ok()), "no file was deleted under another's name");
    assert_eq!((bench.on_disk(), bench.frames.room().used()), (3, 3000));
}

#[tokio::test]
async fn more_is_found_than_any_queue_holds_and_all_of_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..600).map(|n| StreamName::parse(&format!("cam{n}")).unwrap()).collect();
    for name in &names {
        for second in 0..12 {
            let shot = shot(second);
            file::write(&file::path(folder.path(), name, shot.media_time), &shot).unwrap();
        }
    }
    let tasks = Tasks::default();
    let frames = Frames::start(folder.path().to_owned(), u64::MAX, &tasks, Clock::real()).unwrap();
    let mut rings = frames.found(&names);
    assert!(rings.iter().all(|ring| ring.all().len() == KEPT));
    for ring in rings.iter_mut().take(300) {
        frames.clear(ring);
        // So that none of these is refused.
        while frames.queue().0 > 1000 {
            tokio::task::yield_now().await;
        }
    }
    while frames.queue().0 > 0 {
        tokio::task::yield_now().await;
    }
    assert!(tasks.stop(Duration::from_secs(20)).await);
    let left = |name: &StreamName| file::list(folder.path(), name);
    assert!(names[..300].iter().all(|name| left(name).is_empty()));
    let bytes: usize = names.iter().flat_map(left).map(|(_, _, bytes)| bytes).sum();
    assert_eq!(frames.room().used(), bytes as u64);
}

#[tokio::test]
async fn of_streams_that_are_gone_nothing_stays_and_what_is_not_ours_does() {
    let folder = tempfile::tempdir().unwrap();
    let lay = |stream: &str| {
        let path = file::path(folder.path(), &StreamName::parse(stream).unwrap(), shot(1).media_time);
        file::write(&path, &shot(1)).unwrap();
        path
    };
    let [followed, gone, mixed] = ["cam", "gone", "mixed"].map(lay);
    let others = ["mixed/notes.txt", "not a stream/20260101_000001_250.key", "20260101_000001_250.key"];
    std::fs::create_dir(folder.path().join("not a stream")).unwrap();
    for other in others {
        std::fs::write(folder.path().join(other), "").unwrap();
    }
    let tasks = Tasks::default();
    let frames = Frames::start(folder.path().to_owned(), u64::MAX, &tasks, Clock::real()).unwrap();
    frames.remove_others(&[name()]);
    assert_eq!(frames.found(&[name()])[0].all().len(), 1);
    assert!(followed.exists() && !gone.exists() && !mixed.exists());
    assert!(!folder.path().join("gone").exists());
    assert!(others.iter().all(|other| folder.path().join(other).exists()));
    assert_eq!(frames.room().used(), std::fs::metadata(&followed).unwrap().len());
    tasks.stop(Duration::from_secs(20)).await;
}
