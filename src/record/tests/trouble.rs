//! What goes wrong ends a file, never the recording; and every frame is in a file or counted.

use std::fs;
use std::io::ErrorKind;

use super::harness::{Bench, File, ms, picture};
use crate::record::sidecar::Why;
use crate::record::{Codec, State};

const CODECS: [Codec; 3] = [Codec::H264, Codec::Mp4v, Codec::Mjpeg];

/// Frames in files and frames counted as lost are those that were pushed.
fn check_sum(bench: &Bench, files: &[File]) {
    let recorded: u64 = files.iter().map(|file| file.packets.len() as u64).sum();
    let said: u64 = files.iter().map(|file| file.sidecar.total_frames).sum();
    let meters = bench.recorders.meters();
    assert_eq!((recorded, recorded + meters.lost), (said, bench.pushed), "{meters:?}");
    assert_eq!(meters.frames, recorded);
}

#[test]
fn a_full_disk_ends_the_file_at_a_whole_fragment_and_recording_resumes_by_itself() {
    for codec in CODECS {
        // From nothing at all to most of a file.
        for room in [0, 500, 1_500, 3_000, 6_000, 12_000] {
            let mut bench = Bench::new(codec);
            let faults = bench.recorders.0.disk.faults.clone();
            faults.set_room(Some(room));
            bench.push_many(60, (64, 48), ms(100));
            let status = bench.recording.status(true);
            if status.state == State::Waiting {
                assert!(status.reason.unwrap().starts_with("disk full: "), "{codec} {room}");
                assert!(bench.recorders.trouble().unwrap().starts_with("'cam': disk full"));
                assert!(status.frames_not_recorded > 0);
            }
            faults.set_room(None);
            bench.push_many(60, (64, 48), ms(100));
            assert_eq!(bench.recording.status(true).state, State::Recording, "{codec} {room}");
            assert_eq!(bench.recorders.trouble(), None);
            let files = bench.stop();
            check_sum(&bench, &files);
            assert!(files.iter().all(|file| file.packets.len() == file.decoded), "{codec} {room}");
            let lost: u64 = files.iter().map(|file| file.sidecar.frames_not_recorded).sum();
            assert_eq!(lost, bench.recorders.meters().lost, "{codec} {room}");
        }
    }
}

#[test]
fn too_little_free_space_stops_recording_before_the_disk_is_full() {
    let mut bench = Bench::starting(super::harness::START, Codec::Mjpeg, |settings| {
        settings.min_free_bytes = 1_000_000_000;
    });
    let faults = bench.recorders.0.disk.faults.clone();
    faults.set_free(Some(1_000_000_000));
    bench.push_many(20, (64, 48), ms(100));
    faults.set_free(Some(600_000_000));
    bench.push_many(20, (64, 48), ms(100));
    assert_eq!(
        bench.recording.status(true).state,
        State::Recording,
        "what is being written may use the other half"
    );
    faults.set_free(Some(400_000_000));
    bench.push_many(20, (64, 48), ms(100));
    let status = bench.recording.status(true);
    assert_eq!(status.state, State::Waiting);
    assert_eq!(status.reason.unwrap(), "disk full: 0.4 GB free, recording.min_free_gb is 0.931");
    faults.set_free(Some(900_000_000));
    bench.push_many(60, (64, 48), ms(100));
    assert_eq!(bench.recording.status(true).state, State::Waiting, "a new file wants all of it");
    faults.set_free(Some(1_100_000_000));
    bench.push_many(60, (64, 48), ms(100));
    let files = bench.stop();
    // To make room, the first file may be gone by now.
    assert_eq!(files.last().and_then(File::reason), Some(Why::Stopped));
    let meters = bench.recorders.meters();
    assert_eq!(meters.frames + meters.lost, bench.pushed);
    assert_eq!(meters.files, 2);
}

#[test]
fn a_folder_that_takes_no_file_is_a_state_with_a_reason_and_ends_by_itself() {
    let mut bench = Bench::new(Codec::H264);
    let faults = bench.recorders.0.disk.faults.clone();
    for (error, words) in [
        (ErrorKind::PermissionDenied, "the recording folder is not writable: permission denied"),
        (ErrorKind::ReadOnlyFilesystem, "the recording folder is on a read-only file system"),
    ] {
        faults.set_create(Some(error));
        bench.push_many(40, (64, 48), ms(100));
        let status = bench.recording.status(true);
        assert_eq!(
            (status.state, status.reason.as_deref(), status.file),
            (State::Waiting, Some(words), None)
        );
    }
    faults.set_create(None);
    bench.push_many(40, (64, 48), ms(100));
    let files = bench.stop();
    assert_eq!(files.len(), 1);
    check_sum(&bench, &files);
}

#[test]
fn a_path_that_is_no_folder_is_an_error_in_words() {
    let mut bench = Bench::new(Codec::Mjpeg);
    fs::write(bench.root.path().join("recordings"), "a file").unwrap();
    bench.push_many(2, (64, 48), ms(100));
    assert_eq!(bench.recording.status(true).state, State::Waiting);
    fs::remove_file(bench.root.path().join("recordings")).unwrap();
    bench.push_many(50, (64, 48), ms(100));
    let files = bench.stop();
    check_sum(&bench, &files);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_left_out_and_counted() {
    for codec in [Codec::H264, Codec::Mp4v] {
        let mut bench = Bench::new(codec);
        bench.push_many(5, (64, 48), ms(100));
        let mut broken = picture(64, 48, 5);
        broken.jpeg = picture(64, 64, 5).jpeg;
        bench.push(broken, ms(100));
        bench.push_many(5, (64, 48), ms(100));
        let files = bench.stop();
        assert_eq!(files.len(), 1, "{codec}");
        assert_eq!(bench.recorders.meters().undecodable, 1);
        assert_eq!(files[0].sidecar.frames_not_recorded, 1);
        check_sum(&bench, &files);
    }
}

#[test]
fn a_panic_ends_the_file_and_a_new_one_begins() {
    for codec in CODECS {
        let mut bench = Bench::new(codec);
        bench.push_many(20, (64, 48), ms(100));
        bench.recorders.0.disk.faults.panic_once();
        bench.push_many(60, (64, 48), ms(100));
        let files = bench.stop();
        assert_eq!(
            files.iter().map(File::reason).collect::<Vec<_>>(),
            [Some(Why::Failed), Some(Why::Stopped)]
        );
        assert_eq!(bench.recorders.meters().panics, 1);
        check_sum(&bench, &files);
    }
}

#[test]
fn an_encoder_that_cannot_keep_up_is_replaced_by_the_jpegs_for_a_minute() {
    let mut bench = Bench::new(Codec::H264);
    bench.push_many(10, (64, 48), ms(100));
    bench.queued = (100, 0);
    bench.push_many(10, (64, 48), ms(100));
    let status = bench.recording.status(true);
    assert_eq!((status.state, status.state.as_str()), (State::FallbackMjpeg, "fallback_mjpeg"));
    assert_eq!(status.reason.as_deref(), Some("the encoder can't keep up"));
    bench.queued = (0, 0);
    bench.push_many(600, (64, 48), ms(100));
    assert_eq!(bench.recording.status(true).state, State::Recording);
    let files = bench.stop();
    let short: Vec<_> =
        files.iter().map(|f| (f.codec.as_str(), f.sidecar.codec.word(), f.reason().unwrap())).collect();
    let expected =
        [("h264", "h264", Why::Overload), ("mjpeg", "mjpeg", Why::Retry), ("h264", "h264", Why::Stopped)];
    assert_eq!(short, expected);
    assert_eq!(bench.recorders.meters().fallbacks, 1);
    check_sum(&bench, &files);
    assert_eq!(bench.recorders.meters().lost, 0);
}

#[test]
fn what_keeps_jpegs_anyway_does_not_fall_back() {
    let mut bench = Bench::new(Codec::Mjpeg);
    bench.queued = (200, 0);
    bench.push_many(10, (64, 48), ms(100));
    assert_eq!(bench.recording.status(true).state, State::Recording);
    assert_eq!(bench.stop().len(), 1);
}

#[test]
fn frames_that_found_the_queue_full_are_counted_also_when_none_comes_after_them() {
    let mut bench = Bench::new(Codec::Mjpeg);
    for rounds in 1..=2 {
        for number in 0..300 {
            bench.publish(picture(64, 48, number), ms(1));
        }
        bench.take_all();
        assert_eq!(bench.recording.dropped.get(), rounds * 44);
    }
    let files = bench.stop();
    check_sum(&bench, &files);
    assert_eq!(files[0].sidecar.frames_not_recorded, 88);
}
