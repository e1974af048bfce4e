//! The example scenes, rendered and compared with the pictures of `docs/gallery.md`, which somebody has looked at.
//!
//! `UPDATE_EXAMPLES=1 cargo test --test it gallery` makes the pictures and the page anew; look at them before they are committed.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use onair::compose::offline::Show;
use pixels::convert::i420_to_rgb;
use pixels::{I420, scale};

/// What each scene shows, and when it is looked at, in seconds of program time.
const SCENES: [(&str, f64, &str); 11] = [
    (
        "auction",
        3.0,
        "An auction: host, assistant, the piece on sale with its bid, chat, a ticker; the hall's camera is lost, so its slate is shown",
    ),
    ("animations", 0.3, "Presets on their way in and out, a path, a spring, keyframes in several easings"),
    ("blend", 0.0, "The blend modes"),
    ("countdown", 2.0, "A countdown with a dot that runs round a ring"),
    (
        "demo",
        2.0,
        "What `./dev run` shows: two games, a camera, the score that a pack has read, a ticker; here without a server",
    ),
    ("effects", 0.5, "The effects"),
    (
        "feeds",
        4.0,
        "Four feeds with a clock; without a server there are none, and each shows what its layer says of that",
    ),
    ("groups", 0.7, "Groups, masks by alpha and by luma, groups in groups"),
    ("scoreboard", 1.0, "A score board bound to what a pack reads, here without a match"),
    ("shapes", 0.0, "Shapes: fills, strokes, gradients"),
    ("text", 1.5, "Text: strokes, shadows, wrapping, ellipses, scripts from both sides"),
];
const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Most that a colour may differ by: the instructions of one processor round otherwise than those of another.
const TOLERANCE: u8 = 6;
/// Thousandths of the pixels that may differ by more: edges that fall on the other side of a sample.
const STRAY: usize = 1;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The scene at that time, after every frame before it, with no font but the one that comes along.
fn rendered(name: &str, at: f64) -> Vec<u8> {
    let file = root().join(format!("examples/scenes/{name}.json"));
    let mut show = Show::open(&file, &draw::Fonts::new(), |_| {}).unwrap();
    let fps = show.canvas().fps;
    let times = || {
        (0..u32::MAX).map(|number| f64::from(number) * 1000.0 / fps).take_while(|time| *time <= at * 1000.0)
    };
    let frame = times().map(|time| show.frame(time)).last().unwrap();
    assert_eq!(show.troubles(), Vec::<String>::new(), "{name}");
    // A frame is a function of its time: getting there at once gives the same.
    let mut at_once = Show::open(&file, &draw::Fonts::new(), |_| {}).unwrap();
    at_once.frame(0.0);
    let jumped = at_once.frame(times().last().unwrap());
    assert!(jumped == frame, "{name}: {:?} differ", differing(&jumped, &frame));
    i420_to_rgb(&scale(&frame, WIDTH, HEIGHT))
}

/// The rows and columns of luma that are not the same.
fn differing(one: &I420, other: &I420) -> Option<[usize; 4]> {
    let rows = one.y.rows().zip(other.y.rows()).enumerate();
    let places = rows.flat_map(|(y, (one, other))| {
        let columns = one.iter().zip(other).enumerate();
        columns.filter(|(_, (one, other))| one != other).map(move |(x, _)| (y, x)).collect::<Vec<_>>()
    });
    places.fold(None, |found, (y, x)| match found {
        None => Some([y, y, x, x]),
        Some([top, _, left, right]) => Some([top, y, left.min(x), right.max(x)]),
    })
}

fn picture(name: &str) -> PathBuf {
    root().join(format!("docs/gallery/{name}.png"))
}

fn write(path: &Path, rgb: &[u8]) {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path).unwrap()), WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
}

fn read(path: &Path) -> Vec<u8> {
    let file =
        File::open(path).unwrap_or_else(|e| panic!("{}: {e}; UPDATE_EXAMPLES=1 makes it", path.display()));
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!((info.width, info.height), (WIDTH, HEIGHT));
    rgb
}

fn page() -> String {
    let mut page = "# Gallery\n\nThe scenes of [examples/scenes](../examples/scenes), as `onair render` draws them. `cargo test --test it \
                    gallery` compares each with\nits picture here.\n"
        .to_owned();
    for (name, at, what) in SCENES {
        page.push_str(&format!(
            "\n## {name}\n\n{what}.\n\n![{name}](gallery/{name}.png)\n\n`onair render examples/scenes/{name}.json --from {at} -o \
             {name}.png`\n"
        ));
    }
    page
}

#[test]
fn every_example_scene_looks_like_its_picture() {
    let update = std::env::var_os("UPDATE_EXAMPLES").is_some();
    for (name, at, _) in SCENES {
        let rgb = rendered(name, at);
        if update {
            std::fs::create_dir_all(root().join("docs/gallery")).unwrap();
            write(&picture(name), &rgb);
            continue;
        }
        let wanted = read(&picture(name));
        let pixels = rgb.as_chunks::<3>().0.iter().zip(wanted.as_chunks::<3>().0);
        let off = pixels.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > TOLERANCE)).count();
        let most = (WIDTH * HEIGHT) as usize * STRAY / 1000;
        if off > most {
            let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-actual.png"));
            write(&actual, &rgb);
            panic!("{name}: {off} pixels are not as in docs/gallery, see {}", actual.display());
        }
    }
}

#[test]
fn the_gallery_shows_every_example_scene() {
    let page_file = root().join("docs/gallery.md");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&page_file, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&page_file).unwrap(), page(), "UPDATE_EXAMPLES=1 makes it anew");
    for file in std::fs::read_dir(root().join("examples/scenes")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(SCENES.iter().any(|(known, ..)| *known == name), "{name} is not in the gallery");
        }
    }
}
