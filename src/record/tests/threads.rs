//! The whole of it: streams of a registry, a thread each, asked through [`Recorders`].

use std::time::Duration;

use super::harness::{File, START, cam, ms, picture, publisher, registry, settings};
use crate::base::clock::Clock;
use crate::base::error::Kind;
use crate::base::tasks::Tasks;
use crate::record::{Codec, Recorders, Settings, State};
use crate::streams::{Registry, StreamName};

struct Studio {
    clock: Clock,
    registry: Registry,
    recorders: Recorders,
    tasks: Tasks,
    root: tempfile::TempDir,
}

impl Studio {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let clock = Clock::simulated(START.parse().unwrap());
        let mut settings = settings(root.path(), Codec::Mjpeg);
        change(&mut settings);
        let tasks = Tasks::default();
        let recorders = Recorders::new(settings, clock.clone(), tasks.clone());
        let registry = registry(&clock);
        let attached = recorders.clone();
        registry.on_new_stream(move |stream| attached.attach(stream));
        Self { clock, registry, recorders, tasks, root }
    }

    /// Frames within one simulated second, so that no recorder is ever late.
    fn push(&self, name: &StreamName, frames: u32) {
        for number in 0..frames {
            self.clock.advance(ms(20));
            self.registry.publish(name, picture(64, 48, number), publisher()).unwrap();
        }
    }

    async fn remove(&self, name: &str) {
        self.registry.remove(name, "deleted").unwrap();
        self.recorders.finished(name).await;
    }

    fn frames(&self) -> Vec<u64> {
        let mut list = self.recorders.list().unwrap().entries;
        list.reverse();
        list.into_iter().map(|entry| entry.total_frames.unwrap()).collect()
    }
}

#[tokio::test]
async fn a_stream_that_ends_is_drained_and_its_file_closed_before_finished_answers() {
    let studio = Studio::new(|_| {});
    studio.push(&cam(), 40);
    let status = studio.recorders.status("cam");
    assert_eq!((status.enabled, status.state), (true, State::Recording));
    studio.remove("cam").await;
    let list = studio.recorders.list().unwrap();
    let [entry] = &list.entries[..] else { panic!("{list:?}") };
    assert_eq!((entry.total_frames, entry.active, entry.codec.as_deref()), (Some(40), false, Some("mjpeg")));
    assert_eq!(list.total_bytes, entry.size_bytes);
    assert!(list.free_bytes.unwrap() > 0);
    let path = studio.recorders.path(&cam(), &entry.file).unwrap();
    assert_eq!(File::read(&path).decoded, 40);
    assert_eq!(studio.recorders.meters().active, 0);
    assert!(studio.recorders.delete(&cam(), &entry.file).unwrap() > entry.size_bytes);
    assert_eq!(std::fs::read_dir(studio.root.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn recording_is_switched_off_and_on_without_touching_the_stream() {
    let studio = Studio::new(|_| {});
    studio.push(&cam(), 10);
    let stream = studio.registry.get("cam").unwrap();
    let mut viewer = stream.view(None);
    studio.recorders.set_enabled(&stream, false).unwrap();
    studio.recorders.finished("cam").await;
    assert_eq!(studio.recorders.status("cam").state, State::Off);
    assert!(!studio.recorders.status("cam").enabled);
    studio.push(&cam(), 5);
    studio.recorders.set_enabled(&stream, true).unwrap();
    studio.recorders.set_enabled(&stream, true).unwrap();
    studio.push(&cam(), 7);
    assert_eq!(viewer.next().await.unwrap().sequence, 22);
    studio.remove("cam").await;
    assert_eq!(studio.frames(), [10, 7]);
    assert_eq!(studio.recorders.meters().lost, 0, "what was pushed while it was off is not lost");
    assert_eq!(studio.recorders.set_enabled(&stream, true).unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn the_setting_holds_for_streams_that_were_not_switched_themselves() {
    let studio = Studio::new(|settings| settings.enabled = false);
    let (a, b) = (StreamName::parse("a").unwrap(), StreamName::parse("b").unwrap());
    studio.push(&a, 3);
    studio.push(&b, 3);
    assert_eq!(studio.recorders.status("a").state, State::Off);
    studio.recorders.set_enabled(&studio.registry.get("b").unwrap(), false).unwrap();
    studio.recorders.apply(Settings { enabled: true, ..(*studio.recorders.settings()).clone() });
    assert_eq!(studio.recorders.status("a").state, State::Recording);
    assert_eq!(studio.recorders.status("b").state, State::Off);
    studio.push(&a, 4);
    studio.push(&b, 4);
    studio.recorders.apply(Settings { enabled: false, ..(*studio.recorders.settings()).clone() });
    studio.recorders.finished("a").await;
    assert_eq!(studio.frames(), [4]);
    assert_eq!(studio.recorders.status("nobody"), crate::record::Status::default());
}

#[tokio::test]
async fn a_name_that_comes_back_at_once_gets_a_file_of_its_own() {
    let studio = Studio::new(|_| {});
    for _ in 0..3 {
        studio.registry.publish(&cam(), picture(64, 48, 0), publisher()).unwrap();
        studio.registry.remove("cam", "deleted").unwrap();
    }
    studio.registry.publish(&cam(), picture(64, 48, 0), publisher()).unwrap();
    studio.recorders.finished("cam").await;
    studio.remove("cam").await;
    let mut files: Vec<_> = studio.recorders.list().unwrap().entries.into_iter().map(|e| e.file).collect();
    files.sort();
    assert_eq!(files, ["", "_2", "_3", "_4"].map(|number| format!("cam_20260121_103000{number}.mp4")));
}

#[tokio::test]
async fn the_file_being_written_cannot_be_deleted_and_is_never_retained_away() {
    let studio = Studio::new(|settings| {
        settings.max_total_bytes = Some(1);
        settings.retention = Some(Duration::from_secs(1));
    });
    studio.push(&cam(), 30);
    while studio.recorders.status("cam").frames == 0 {
        studio.push(&cam(), 1);
        tokio::task::yield_now().await;
    }
    let file = studio.recorders.status("cam").file.unwrap();
    assert_eq!(studio.recorders.delete(&cam(), &file).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(studio.recorders.retain(crate::record::Rules::All).unwrap().deleted, 0);
    assert!(studio.recorders.list().unwrap().entries[0].active);
    studio.remove("cam").await;
    assert_eq!(studio.recorders.retain(crate::record::Rules::Room).unwrap().deleted, 1);
    assert!(studio.recorders.list().unwrap().entries.is_empty());
}

#[tokio::test]
async fn fifty_recordings_finish_when_the_program_ends() {
    let studio = Studio::new(|settings| settings.codec = Codec::H264);
    let names: Vec<_> = (0..50).map(|i| StreamName::parse(&format!("cam{i}")).unwrap()).collect();
    let picture = picture(64, 48, 0);
    for _ in 0..5 {
        for name in &names {
            studio.registry.publish(name, picture.clone(), publisher()).unwrap();
        }
        studio.clock.advance(ms(30));
    }
    assert_eq!(studio.recorders.meters().active, 50);
    studio.registry.close();
    assert!(studio.tasks.stop(Duration::from_secs(8)).await);
    let list = studio.recorders.list().unwrap();
    assert_eq!(list.entries.len(), 50);
    assert!(list.entries.iter().all(|entry| entry.total_frames == Some(5) && entry.end_time.is_some()));
    assert_eq!(studio.recorders.meters().lost, 0);
}
