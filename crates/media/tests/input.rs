//! Files that the ffmpeg command line made, read frame by frame: number, times, size and true colours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use media::input::{Error, Input, Picture, Source};
use pixels::{I420, Matrix, Range};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A file made by `ffmpeg` with these arguments.
fn make(folder: &Path, name: &str, arguments: &str) -> Outcome<PathBuf> {
    let file = folder.join(name);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(&file)
        .output()
        .map_err(|e| format!("ffmpeg can't be run: {e}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(file)
}

fn frames(input: &mut Input, most: usize) -> Outcome<Vec<(Picture, Duration)>> {
    let mut frames = Vec::new();
    while frames.len() < most
        && let Some(frame) = input.next()?
    {
        frames.push(frame);
    }
    Ok(frames)
}

fn planes(picture: Picture) -> I420 {
    match picture {
        Picture::I420(picture) => picture,
        Picture::Jpeg(_) => panic!("planes were expected"),
    }
}

#[test]
fn a_file_gives_every_frame_once_with_its_time_and_again_after_rewinding() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let file = make(
        folder.path(),
        "a.mp4",
        "-f lavfi -i testsrc2=s=322x180:r=25:d=2 -c:v libx264 -bf 2 -pix_fmt yuv420p",
    )?;
    let mut input = Input::open(Source::File(&file))?;
    let info = input.info();
    assert_eq!(
        (info.width, info.height, info.fps, info.duration),
        (322, 180, Some(25.0), Some(Duration::from_secs(2)))
    );
    for round in ["first", "again"] {
        let found = frames(&mut input, usize::MAX)?;
        assert_eq!(found.len(), 50, "{round}");
        for (number, (picture, time)) in (0..).zip(found) {
            assert_eq!(time, Duration::from_millis(number * 40), "{round}");
            let picture = planes(picture);
            assert_eq!((picture.width, picture.height), (322, 180), "{round}");
        }
        input.rewind()?;
    }
    Ok(())
}

#[test]
fn any_pixel_format_becomes_420_of_the_same_colour() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    // Pure red in each matrix and range (ITU-R BT.601-7 and BT.709-6, rounded).
    let (limited601, full601, limited709) = ([81, 90, 240], [76, 85, 255], [63, 102, 240]);
    let bt709 = "-vf scale=out_color_matrix=bt709:out_range=tv,format=";
    let coded = "-colorspace bt709 -color_range tv -c:v ffv1";
    for (name, arguments, range, matrix, expected) in [
        (
            "420.mkv",
            "-colorspace smpte170m -pix_fmt yuv420p -c:v ffv1".to_owned(),
            Range::Limited,
            Matrix::Bt601,
            limited601,
        ),
        (
            "422.mkv",
            "-colorspace smpte170m -pix_fmt yuv422p -c:v ffv1".to_owned(),
            Range::Limited,
            Matrix::Bt601,
            limited601,
        ),
        (
            "444.mkv",
            "-colorspace smpte170m -pix_fmt yuv444p -c:v ffv1".to_owned(),
            Range::Limited,
            Matrix::Bt601,
            limited601,
        ),
        (
            "10bit.mkv",
            "-colorspace smpte170m -pix_fmt yuv420p10le -c:v ffv1".to_owned(),
            Range::Limited,
            Matrix::Bt601,
            limited601,
        ),
        ("709.mkv", format!("{bt709}yuv420p {coded}"), Range::Limited, Matrix::Bt709, limited709),
        ("709_10bit.mkv", format!("{bt709}yuv422p10le {coded}"), Range::Limited, Matrix::Bt709, limited709),
        ("rgb.mkv", "-pix_fmt bgr0 -c:v ffv1".to_owned(), Range::Limited, Matrix::Bt601, limited601),
        ("rgb.avi", "-pix_fmt bgr24 -c:v rawvideo".to_owned(), Range::Limited, Matrix::Bt601, limited601),
        ("gbr.mp4", "-c:v libx264rgb -qp 0".to_owned(), Range::Limited, Matrix::Bt601, limited601),
        ("png.mov", "-pix_fmt rgb24 -c:v png".to_owned(), Range::Limited, Matrix::Bt601, limited601),
        (
            "full_420.mp4",
            "-colorspace smpte170m -pix_fmt yuvj420p -c:v libx264 -qp 0".to_owned(),
            Range::Full,
            Matrix::Bt601,
            full601,
        ),
        (
            "full_444.mp4",
            "-colorspace smpte170m -pix_fmt yuvj444p -c:v libx264 -qp 0".to_owned(),
            Range::Full,
            Matrix::Bt601,
            full601,
        ),
        (
            "full_422.mp4",
            "-colorspace smpte170m -pix_fmt yuvj422p -c:v libx264 -qp 0".to_owned(),
            Range::Full,
            Matrix::Bt601,
            full601,
        ),
    ] {
        // Large enough for an unmarked RGB picture to be mistaken for BT.709.
        let file = make(
            folder.path(),
            name,
            &format!("-f lavfi -i color=red:s=64x720:d=0.1,format=rgb24 {arguments}"),
        )?;
        let mut input = Input::open(Source::File(&file))?;
        let (picture, _) = input.next()?.ok_or("no frame")?;
        let picture = planes(picture);
        assert_eq!((picture.range, picture.matrix), (range, matrix), "{name}");
        let middle = [&picture.y, &picture.u, &picture.v].map(|plane| plane.row(plane.height / 2)[10]);
        let near =
            middle.iter().zip(expected).all(|(have, want): (&u8, i32)| (i32::from(*have) - want).abs() <= 2);
        assert!(near, "{name}: {middle:?} instead of {expected:?}");
    }
    Ok(())
}

#[test]
fn jpegs_pass_through_as_they_were_coded() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let file =
        make(folder.path(), "a.avi", "-f lavfi -i testsrc2=s=160x120:r=10:d=1 -pix_fmt yuvj420p -c:v mjpeg")?;
    let found = frames(&mut Input::open(Source::File(&file))?, usize::MAX)?;
    assert_eq!(found.len(), 10);
    for (number, (picture, time)) in (0..).zip(found) {
        let Picture::Jpeg(jpeg) = picture else { panic!("a JPEG was expected") };
        assert!(jpeg.starts_with(&[0xFF, 0xD8]), "frame {number}");
        assert_eq!(time, Duration::from_millis(number * 100));
    }
    Ok(())
}

#[test]
fn a_turned_video_comes_out_upright() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let source =
        "-f lavfi -i color=white:s=64x32:d=0.2,drawbox=x=0:y=0:w=32:h=32:c=black:t=fill -c:v mpeg4 -q:v 2";
    let flat = make(folder.path(), "flat.mp4", source)?;
    // FFmpeg 5.1 takes this setting for an anticlockwise turn.
    for (rotate, size, black) in
        [("90", (32, 64), (16, 56)), ("180", (64, 32), (56, 16)), ("270", (32, 64), (16, 8))]
    {
        let arguments = format!("-i {} -c copy -metadata:s:v rotate={rotate}", flat.display());
        let file = make(folder.path(), &format!("{rotate}.mp4"), &arguments)?;
        let (picture, _) = Input::open(Source::File(&file))?.next()?.ok_or("no frame")?;
        let picture = planes(picture);
        assert_eq!((picture.width, picture.height), size, "{rotate}");
        let sample = |(x, y): (u32, u32)| picture.y.row(y)[x as usize];
        let opposite = (size.0 - 1 - black.0, size.1 - 1 - black.1);
        assert!(sample(black) < 60, "{rotate}: black is at {black:?}");
        assert!(sample(opposite) > 180, "{rotate}: white is at {opposite:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_opened_is_explained() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "not a video")?;
    let sound = make(folder.path(), "sound.wav", "-f lavfi -i sine=d=0.1")?;
    let missing = folder.path().join("missing.mp4");
    for (path, says) in [(&missing, "No such file"), (&text, "can't be opened"), (&sound, "no video")] {
        let error = Input::open(Source::File(path)).err().ok_or("it opened")?;
        let message = error.to_string();
        assert!(message.contains(says) && message.contains(&path.display().to_string()), "{message}");
    }
    let camera =
        Source::Camera { device: "/dev/video-none", width: Some(640), height: Some(480), fps: Some(30) };
    let error = Input::open(camera).err().ok_or("it opened")?;
    assert!(matches!(error, Error::Camera(..)), "{error}");
    assert!(error.to_string().contains("/dev/video-none"), "{error}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_text_is_an_error_and_not_a_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/\xFF.mp4"));
    assert!(Input::open(Source::File(path)).is_err());
    assert!(Input::open(Source::File(Path::new("a\0b"))).is_err());
    let camera = Source::Camera { device: "/dev/video\0", width: None, height: None, fps: None };
    assert!(Input::open(camera).is_err());
}

/// Footage kept next to the repository is read too; a made file stands in for it elsewhere.
#[test]
fn real_footage_is_read_without_a_gap() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let shared = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/media/video/bbb_trailer_720p24_mp3_55s.mp4");
    let file = if shared.exists() {
        shared
    } else {
        make(
            folder.path(),
            "a.mp4",
            "-f lavfi -i testsrc2=s=1280x720:r=24:d=5 -pix_fmt yuv420p -c:v libx264",
        )?
    };
    let mut input = Input::open(Source::File(&file))?;
    let found = frames(&mut input, 100)?;
    assert_eq!(found.len(), 100);
    for (number, (picture, time)) in (0..).zip(found) {
        let picture = planes(picture);
        assert_eq!((picture.width, picture.height, picture.range), (1280, 720, Range::Limited));
        let expected = Duration::from_secs_f64(f64::from(number) / 24.0);
        assert!(time.abs_diff(expected) < Duration::from_millis(1), "frame {number} at {time:?}");
    }
    Ok(())
}
