//! What is composed has the colours that composing in RGB would give, wherever it stands, in however many bands, and
//! without a single allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pixels::compose::{
    Affine, Bitmap, Canvas, Colour, Crop, Feed, Mode, Picture, Rect,
    effects::{Corners, Key},
};
use pixels::{I420, Matrix, Plane, Range, convert};

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is made of unsafe functions")]
// SAFETY: everything is the system's allocator's doing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATED.with(Cell::get);
    work();
    ALLOCATED.with(Cell::get) - before
}

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;
const ALL: Rect = Rect { left: 0, top: 0, right: 96, bottom: 64 };

fn planes(canvas: &Canvas) -> I420 {
    let mut out = I420::new(canvas.width(), canvas.height(), Range::Limited, Matrix::Bt709);
    canvas.copy_to(Rect::at(0, 0, canvas.width(), canvas.height()), &mut out);
    out
}

/// The canvas as red, green and blue, by way of the conversion that JPEGs are made with.
fn rgb(canvas: &Canvas, x: u32, y: u32) -> [u8; 3] {
    let full = convert::to_full_bt601(&planes(canvas));
    let luma = f64::from(full.y.row(y)[x as usize]);
    let [cb, cr] = [&full.u, &full.v].map(|plane| f64::from(plane.row(y / 2)[x as usize / 2]) - 128.0);
    [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb]
        .map(|c| c.round().clamp(0.0, 255.0) as u8)
}

fn near(one: [u8; 3], other: [u8; 3], by: u8) -> bool {
    one.iter().zip(other).all(|(a, b)| a.abs_diff(b) <= by)
}

/// A bitmap with all kinds of pixels: soft, opaque, empty, in runs and alone.
fn mixed(width: u32, height: u32, seed: u32) -> Bitmap {
    let mut state = seed;
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, _] = state.to_be_bytes();
            let alpha = match (x / 35 + y / 5) % 3 {
                0 => 255,
                1 => 0,
                _ => a,
            };
            data.extend([b, c, (x * 3) as u8, alpha]);
        }
    }
    Bitmap::from_straight(width, height, data).unwrap()
}

fn worst(one: &I420, other: &I420) -> u8 {
    let pairs = one.planes().into_iter().zip(other.planes());
    pairs.flat_map(|(a, b)| a.data.iter().zip(&b.data).map(|(a, b)| a.abs_diff(*b))).max().unwrap()
}

#[test]
fn colours_on_the_canvas_are_those_that_were_drawn() {
    for colour in [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
        [0, 0, 0],
        [255, 255, 0],
        [0, 255, 255],
        [255, 0, 255],
        [128, 128, 128],
        [16, 32, 48],
        [200, 120, 40],
    ] {
        let [r, g, b] = colour;
        for (x, y) in [(0, 0), (3, 5), (4, 3), (7, 8)] {
            let picture = Picture::new(&Bitmap::filled(41, 33, [r, g, b, 255]));
            assert!(picture.is_opaque());
            let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
            canvas.bands()[0].over(&picture, x, y, 255, ALL);
            let shown = rgb(&canvas, 20, 20);
            assert!(near(shown, colour, 2), "{colour:?} at {x},{y} is {shown:?}");
            assert_eq!(rgb(&canvas, 90, 60), [0; 3]);
        }
        let mut canvas = Canvas::new(WIDTH, HEIGHT, 2);
        canvas.bands().iter_mut().for_each(|band| band.fill(ALL, Colour::of_rgba([r, g, b, 255])));
        assert!(near(rgb(&canvas, 95, 63), colour, 2));
        let mut clear = Canvas::clear(WIDTH, HEIGHT, 1);
        clear.bands()[0].fill(ALL, Colour::of_rgba([r, g, b, 255]));
        let [r, g, b, a] = clear.to_bitmap().pixel(9, 9);
        assert!(a == 255 && near([r, g, b], colour, 2), "{colour:?} back is {r} {g} {b} {a}");
    }
}

#[test]
fn laying_codes_is_laying_colours() {
    let below = [[0, 0, 0], [255, 255, 255], [200, 30, 60], [10, 90, 220]];
    let above = [[255, 255, 255, 128], [255, 0, 0, 60], [0, 255, 255, 200], [0, 0, 0, 128], [90, 90, 90, 1]];
    for [r, g, b] in below {
        for colour in above {
            for opacity in [255, 204, 128, 3] {
                let base = Picture::new(&Bitmap::filled(WIDTH, HEIGHT, [r, g, b, 255]));
                let data = colour.repeat(40 * 40);
                let picture = Picture::new(&Bitmap::from_straight(40, 40, data).unwrap());
                let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
                canvas.bands()[0].over(&base, 0, 0, 255, ALL);
                canvas.bands()[0].over(&picture, 5, 7, opacity, ALL);
                let share = f64::from(colour[3]) / 255.0 * f64::from(opacity) / 255.0;
                let exact = |above: u8, below: u8| {
                    (f64::from(above) * share + f64::from(below) * (1.0 - share)).round() as u8
                };
                let want = [exact(colour[0], r), exact(colour[1], g), exact(colour[2], b)];
                let got = rgb(&canvas, 20, 20);
                assert!(
                    near(got, want, 3),
                    "{colour:?} at {opacity} over {:?}: {got:?}, not {want:?}",
                    [r, g, b]
                );
            }
        }
    }
}

/// The canvas with several pictures of every kind drawn within `clip`.
fn busy(canvas: &mut Canvas, clip: Rect) {
    let base = Picture::new(&mixed(WIDTH, HEIGHT, 1));
    let (one, other) =
        (Picture::new(&mixed(51, 37, 2)), Picture::new(&Bitmap::filled(17, 11, [90, 0, 60, 255])));
    let map = Affine::placed((50.0, 30.0), 33.0, (0.8, 1.3), (25.0, 18.0));
    for band in canvas.bands() {
        band.fill(clip, Colour::of_rgba([10, 60, 90, 255]));
        band.over(&base, 0, 0, 255, clip);
        for (x, y) in [(-5, -3), (20, 11), (71, 42), (-400, 9), (33, 2)] {
            band.over(&one, x, y, 200, clip);
            band.over(&other, x + 8, y + 1, 255, clip);
            band.over(&other, x + 9, y + 20, 77, clip);
        }
        band.over_affine(&one, &map, 220, clip);
        band.blend(&one, &Affine::moved(7.0, 5.5), 255, Mode::Multiply, clip);
    }
}

#[test]
fn bands_and_pieces_make_the_same_picture_as_the_whole() {
    let mut whole = Canvas::new(WIDTH, HEIGHT, 1);
    busy(&mut whole, ALL);
    for bands in [2, 3, 7, 999] {
        let mut canvas = Canvas::new(WIDTH, HEIGHT, bands);
        busy(&mut canvas, ALL);
        assert_eq!(worst(&planes(&canvas), &planes(&whole)), 0, "{bands} bands");
    }
    let mut pieces = whole.clone();
    for clip in
        [Rect::at(3, 5, 11, 9), Rect::at(-9, 30, 50, 99), Rect::at(60, 1, 1, 1), Rect::at(64, 0, 0, 50)]
    {
        busy(&mut pieces, clip);
        assert_eq!(worst(&planes(&pieces), &planes(&whole)), 0, "again within {clip:?}");
    }
}

#[test]
fn a_group_laid_as_one_is_what_its_parts_laid_alone_are() {
    let (one, other) = (Picture::new(&mixed(51, 37, 2)), Picture::new(&mixed(40, 20, 9)));
    let base = Picture::new(&mixed(WIDTH, HEIGHT, 1));
    let mut direct = Canvas::new(WIDTH, HEIGHT, 1);
    let mut group = Canvas::clear(60, 40, 2);
    for band in direct.bands() {
        band.over(&base, 0, 0, 255, ALL);
        band.over(&one, 10, 6, 255, ALL);
        band.over(&other, 13, 9, 128, ALL);
    }
    for band in group.bands() {
        band.over(&one, 0, 0, 255, ALL);
        band.over(&other, 3, 3, 128, ALL);
    }
    let mut picture = Picture::default();
    picture.group(&group);
    let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
    canvas.bands()[0].over(&base, 0, 0, 255, ALL);
    canvas.bands()[0].over(&picture, 10, 6, 255, ALL);
    assert!(worst(&planes(&canvas), &planes(&direct)) <= 2);
    // Half a chroma sample further there is nothing to compare with but itself, one further.
    picture.prepare(11, 7);
    canvas.bands()[0].over(&picture, 11, 7, 255, ALL);
}

#[test]
fn a_map_that_only_moves_is_a_move_and_quarter_turns_are_exact() {
    let bitmap = mixed(51, 37, 2);
    let picture = Picture::new(&bitmap);
    for (x, y) in [(0, 0), (5, 7), (-9, 30), (60, -4)] {
        let (mut moved, mut mapped) = (Canvas::new(WIDTH, HEIGHT, 1), Canvas::new(WIDTH, HEIGHT, 3));
        moved.bands()[0].over(&picture, x, y, 200, ALL);
        let map = Affine::moved(f64::from(x), f64::from(y));
        mapped.bands().iter_mut().for_each(|band| band.over_affine(&picture, &map, 200, ALL));
        assert_eq!(worst(&planes(&moved), &planes(&mapped)), 0, "{x},{y}");
    }
    let mut turned = Bitmap::new(37, 51);
    for y in 0..51 {
        for x in 0..37 {
            let at = x as usize * 4;
            turned.row_mut(y)[at..at + 4].copy_from_slice(&bitmap.pixel(y, 36 - x));
        }
    }
    let (mut one, mut other) = (Canvas::new(WIDTH, HEIGHT, 1), Canvas::new(WIDTH, HEIGHT, 1));
    one.bands()[0].over(&Picture::new(&turned), 20, 6, 255, ALL);
    let map = Affine::placed((57.0, 6.0), 90.0, (1.0, 1.0), (0.0, 0.0));
    other.bands()[0].over_affine(&picture, &map, 255, ALL);
    assert_eq!(worst(&planes(&one), &planes(&other)), 0);
}

#[test]
fn what_is_turned_and_scaled_covers_what_it_should_with_soft_edges() {
    let white = Picture::new(&Bitmap::filled(40, 24, [255; 4]));
    for (degrees, scale) in
        [(0.0, 1.0), (30.0, 1.0), (45.0, 0.5), (10.0, 2.0), (77.0, 0.21), (0.0, 0.13), (15.0, 0.02)]
    {
        for x in [40.0, 40.25, 40.5, 40.9] {
            let mut canvas = Canvas::new(128, 128, 1);
            let map = Affine::placed((x + 20.0, 64.3), degrees, (scale, scale), (20.0, 12.0));
            let all = Rect::at(0, 0, 128, 128);
            canvas.bands()[0].over_affine(&white, &map, 255, all);
            let made = planes(&canvas);
            let light: f64 = made.y.data.iter().map(|y| (f64::from(*y) - 16.0) / 219.0).sum();
            let area = 40.0 * 24.0 * scale * scale;
            assert!(
                (light - area).abs() <= area * 0.01 + 0.4,
                "{degrees}° × {scale} at {x}: {light} of {area}"
            );
            assert!(made.u.data.iter().chain(&made.v.data).all(|c| c.abs_diff(128) <= 1));
        }
    }
}

#[test]
fn shrinking_takes_the_mean_and_never_single_pixels() {
    let mut lines = Bitmap::new(256, 256);
    for y in 0..256 {
        for (x, pixel) in lines.row_mut(y).chunks_exact_mut(4).enumerate() {
            let grey = if (x + y as usize).is_multiple_of(2) { 255 } else { 0 };
            pixel.copy_from_slice(&[grey, grey, grey, 255]);
        }
    }
    let picture = Picture::new(&lines);
    for scale in [0.5, 0.4, 0.3, 0.25, 0.17] {
        let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
        let map = Affine::placed((0.3, 0.7), 20.0, (scale, scale), (128.0, 128.0));
        canvas.bands()[0].over_affine(&picture, &map, 255, ALL);
        let made = planes(&canvas);
        let inside = &made.y.row(4)[2..8];
        assert!(inside.iter().all(|y| y.abs_diff(126) <= 14), "{scale}: {inside:?}");
    }
}

#[test]
fn hostile_places_and_maps_draw_nothing_and_harm_nothing() {
    let picture = Picture::new(&mixed(51, 37, 2));
    let mut canvas = Canvas::new(WIDTH, HEIGHT, 2);
    let before = planes(&canvas);
    let numbers = [f64::NAN, f64::INFINITY, 1e300, -1e300, 0.0];
    for band in canvas.bands() {
        for (x, y) in [(i32::MAX, 0), (i32::MIN, i32::MIN), (96, 0), (0, 64), (-51, 0), (-52, -38)] {
            band.over(&picture, x, y, 255, ALL);
        }
        for number in numbers {
            band.over_affine(&picture, &Affine::scaled(number, number), 255, ALL);
            band.over_affine(&picture, &Affine::moved(number + 1e10, 0.0), 255, ALL);
            band.blend(&picture, &Affine::scaled(1e-300, number), 255, Mode::Screen, ALL);
        }
        band.over(&Picture::default(), 0, 0, 255, ALL);
        band.over_affine(&Picture::new(&Bitmap::new(0, 9)), &Affine::IDENTITY, 255, ALL);
        band.over_affine(&picture, &Affine::scaled(1e300, 1e300), 255, ALL);
        band.fill(Rect { left: 5, top: 5, right: -5, bottom: 60 }, Colour::CLEAR);
    }
    assert!(planes(&canvas) == before, "something was drawn");
    // As large as anybody may ask for: one texel fills the canvas, and a canvas fits in one pixel.
    for scale in [1e9, 1e-9, -1e9] {
        let map = Affine::placed((40.0, 30.0), 12.0, (scale, scale), (10.3, 9.9));
        canvas
            .bands()
            .iter_mut()
            .for_each(|band| band.over_affine(&picture, &map, 255, Rect::at(-9, -9, 999, 999)));
    }
}

#[test]
fn blend_modes_are_those_of_the_recommendation() {
    let of = |mode: Mode, s: f64, d: f64| match mode {
        Mode::Normal => s,
        Mode::Multiply => s * d,
        Mode::Screen => s + d - s * d,
        Mode::Overlay if d <= 0.5 => 2.0 * s * d,
        Mode::Overlay => 1.0 - 2.0 * (1.0 - s) * (1.0 - d),
        Mode::Darken => s.min(d),
        Mode::Lighten => s.max(d),
        Mode::Add => (s + d).min(1.0),
    };
    let modes =
        [Mode::Normal, Mode::Multiply, Mode::Screen, Mode::Overlay, Mode::Darken, Mode::Lighten, Mode::Add];
    for mode in modes {
        for (below, above) in
            [([200, 30, 60], [90, 160, 220]), ([10, 220, 128], [250, 240, 5]), ([128; 3], [64; 3])]
        {
            for (alpha, opacity) in [(255, 255), (128, 255), (255, 100)] {
                let base = Picture::new(&Bitmap::filled(WIDTH, HEIGHT, [below[0], below[1], below[2], 255]));
                let data = [above[0], above[1], above[2], alpha].repeat(40 * 40);
                let picture = Picture::new(&Bitmap::from_straight(40, 40, data).unwrap());
                let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
                canvas.bands()[0].over(&base, 0, 0, 255, ALL);
                canvas.bands()[0].blend(&picture, &Affine::moved(4.0, 8.0), opacity, mode, ALL);
                let share = f64::from(alpha) / 255.0 * f64::from(opacity) / 255.0;
                let want: [u8; 3] = std::array::from_fn(|i| {
                    let (s, d) = (f64::from(above[i]) / 255.0, f64::from(below[i]) / 255.0);
                    let made = if mode == Mode::Add {
                        (s * share + d).min(1.0)
                    } else {
                        of(mode, s, d) * share + d * (1.0 - share)
                    };
                    (made * 255.0).round() as u8
                });
                let got = rgb(&canvas, 20, 20);
                assert!(
                    near(got, want, 5),
                    "{mode:?} {above:?} on {below:?} at {share:.2}: {got:?}, not {want:?}"
                );
                assert!(near(rgb(&canvas, 60, 60), below, 2), "{mode:?} beside the picture");
            }
        }
    }
}

/// A feed's picture of one colour, as a source of that matrix and range has it.
fn feed_of(colour: [u8; 3], width: u32, height: u32, range: Range, matrix: Matrix) -> I420 {
    let (kr, kb) = if matrix == Matrix::Bt601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
    let [r, g, b] = colour.map(|c| f64::from(c) / 255.0);
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (cb, cr) = ((b - y) / (2.0 - 2.0 * kb), (r - y) / (2.0 - 2.0 * kr));
    let codes = match range {
        Range::Full => [255.0 * y, 128.0 + 255.0 * cb, 128.0 + 255.0 * cr],
        Range::Limited => [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr],
    };
    let mut picture = I420::new(width, height, range, matrix);
    for (plane, code) in picture.planes_mut().into_iter().zip(codes) {
        plane.fill(code.round().clamp(0.0, 255.0) as u8);
    }
    picture
}

#[test]
fn a_feed_keeps_its_colours_whatever_its_matrix_range_and_size() {
    let (mut feed, mut picture) = (Feed::default(), Picture::default());
    for (range, matrix) in [
        (Range::Full, Matrix::Bt601),
        (Range::Limited, Matrix::Bt601),
        (Range::Full, Matrix::Bt709),
        (Range::Limited, Matrix::Bt709),
    ] {
        for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [90, 160, 30]] {
            for (width, height) in [(40, 30), (80, 60), (37, 23), (20, 15), (53, 31)] {
                let source = feed_of(colour, 80, 60, range, matrix);
                feed.take(source.view(), None, Crop::whole(80, 60).covering(width, height), width, height);
                feed.show(&mut picture);
                assert_eq!((picture.width(), picture.height()), (width, height));
                for (x, y) in [(20, 10), (23, 13)] {
                    let mut canvas = Canvas::new(128, 80, 1);
                    canvas.bands()[0].over(&picture, x, y, 255, Rect::at(0, 0, 128, 80));
                    let got = rgb(&canvas, 30, 20);
                    assert!(
                        near(got, colour, 3),
                        "{colour:?} {range:?} {matrix:?} {width}×{height}: {got:?}"
                    );
                    // Edges too: the last column and row are the feed's, what is next to them is black.
                    let made = planes(&canvas);
                    let (right, bottom) = (x as u32 + width, y as u32 + height);
                    let luma = made.y.row(20)[30];
                    assert_eq!(made.y.row(bottom - 1)[right as usize - 1], luma);
                    assert_eq!((made.y.row(bottom - 1)[right as usize], made.y.row(bottom)[25]), (16, 16));
                }
            }
        }
    }
}

#[test]
fn a_feed_is_cut_keyed_and_rounded() {
    let mut source = feed_of([0, 255, 0], 64, 48, Range::Limited, Matrix::Bt709);
    let red = feed_of([255, 0, 0], 64, 48, Range::Limited, Matrix::Bt709);
    for (plane, red) in source.planes_mut().into_iter().zip(red.planes()) {
        for y in 0..plane.height {
            let half = plane.width as usize / 2;
            plane.row_mut(y)[half..].copy_from_slice(&red.row(y)[half..]);
        }
    }
    let (mut feed, mut picture) = (Feed::default(), Picture::default());
    let white = Picture::new(&Bitmap::filled(WIDTH, HEIGHT, [255; 4]));
    let mut shown = |feed: &mut Feed| {
        feed.show(&mut picture);
        let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
        canvas.bands()[0].over(&white, 0, 0, 255, ALL);
        canvas.bands()[0].over(&picture, 8, 8, 255, ALL);
        [(12, 30), (60, 30), (8, 8), (71, 55)].map(|(x, y)| rgb(&canvas, x, y))
    };
    let key = Key { color: [0, 255, 0], similarity: 0.2, smoothness: 0.1, spill: 0.1 };
    feed.take(source.view(), None, Crop::whole(64, 48), 64, 48);
    feed.key(&key);
    let [left, right, ..] = shown(&mut feed);
    assert!(near(left, [255; 3], 2) && near(right, [255, 0, 0], 3), "keyed: {left:?} {right:?}");
    feed.take(source.view(), None, Crop::whole(64, 48), 64, 48);
    feed.round(Corners(12.0));
    let [left, right, corner, other] = shown(&mut feed);
    assert!(near(left, [0, 255, 0], 3) && near(right, [255, 0, 0], 3), "rounded: {left:?} {right:?}");
    assert!(near(corner, [255; 3], 2) && near(other, [255; 3], 2), "corners: {corner:?} {other:?}");
    feed.take(source.view(), None, Crop { left: 34.0, top: 3.0, width: 30.0, height: 20.0 }, 64, 48);
    let [left, right, corner, _] = shown(&mut feed);
    assert!(
        [left, right, corner].iter().all(|c| near(*c, [255, 0, 0], 3)),
        "cut: {left:?} {right:?} {corner:?}"
    );
    let mut alpha = Plane::new(64, 48, 255);
    (0..48).for_each(|y| alpha.row_mut(y)[..32].fill(0));
    feed.take(source.view(), Some(&alpha), Crop::whole(64, 48), 64, 48);
    let [left, right, ..] = shown(&mut feed);
    assert!(near(left, [255; 3], 2) && near(right, [255, 0, 0], 3), "its own alpha: {left:?} {right:?}");
    let hostile = [f64::NAN, f64::INFINITY, -1e300, 0.0, 1e9];
    for number in hostile {
        for other in hostile {
            let crop = Crop { left: number, top: other, width: other, height: number };
            feed.take(source.view(), None, crop, 33, 17);
            feed.take(source.view(), None, crop.covering(5, 9), 33, 17);
        }
    }
    feed.take(I420::new(0, 0, Range::Full, Matrix::Bt601).view(), None, Crop::whole(0, 0), 9, 9);
    feed.show(&mut picture);
}

#[test]
fn a_crossfade_goes_from_one_to_the_other() {
    let (mut one, mut other) = (Canvas::new(WIDTH, HEIGHT, 2), Canvas::new(WIDTH, HEIGHT, 2));
    busy(&mut one, ALL);
    other.bands().iter_mut().for_each(|band| band.fill(ALL, Colour::of_rgba([250, 250, 250, 255])));
    for (share, want) in [(0, Some(&one)), (255, Some(&other)), (128, None)] {
        let mut canvas = Canvas::new(WIDTH, HEIGHT, 2);
        for ((band, one), other) in canvas.bands().iter_mut().zip(one.as_bands()).zip(other.as_bands()) {
            band.crossfade(one, other, share, ALL);
        }
        match want {
            Some(want) => assert_eq!(planes(&canvas), planes(want), "{share}"),
            None => {
                let (made, one, other) = (planes(&canvas), planes(&one), planes(&other));
                for ((made, one), other) in made.y.data.iter().zip(&one.y.data).zip(&other.y.data) {
                    assert!(made.abs_diff(one.midpoint(*other)) <= 1);
                }
            }
        }
    }
}

#[test]
fn drawing_allocates_nothing() {
    let (picture, mut shown) = (Picture::new(&mixed(51, 37, 2)), Picture::default());
    let mut group = Picture::default();
    let key = Key { color: [0, 255, 0], similarity: 0.2, smoothness: 0.1, spill: 0.1 };
    picture.prepare_affine();
    [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().for_each(|(x, y)| picture.prepare(x, y));
    let source = feed_of([90, 30, 200], 80, 60, Range::Full, Matrix::Bt601);
    let mut feed = Feed::default();
    let mut canvas = Canvas::new(WIDTH, HEIGHT, 2);
    let other = canvas.clone();
    let mut clear = Canvas::clear(WIDTH, HEIGHT, 1);
    let mut out = planes(&canvas);
    let map = Affine::placed((50.0, 30.0), 33.0, (0.4, 1.3), (25.0, 18.0));
    let mut frame = |step: i32| {
        feed.take(source.view(), None, Crop::whole(80, 60), 40, 30);
        feed.key(&key);
        feed.round(Corners(4.0));
        feed.show(&mut shown);
        group.group(&clear);
        for band in canvas.bands().iter_mut().chain(clear.bands()) {
            band.fill(ALL, Colour::BLACK);
            band.over(&shown, 10 + step % 2, 13, 255, ALL);
            band.over_affine(&shown, &map, 255, ALL);
            band.over(&picture, step, step / 2, 200, ALL);
            band.over_affine(&picture, &map, 200, ALL);
            band.blend(&picture, &map, 255, Mode::Overlay, ALL);
        }
        canvas.bands()[0].over(&group, 3, 3, 255, ALL);
        for (band, other) in canvas.bands().iter_mut().zip(other.as_bands()) {
            band.crossfade(other, other, 99, Rect::at(0, 0, 9, 9));
            band.copy(other, Rect::at(30, 30, 9, 9));
        }
        canvas.copy_to(ALL, &mut out);
    };
    (0..3).for_each(&mut frame);
    assert_eq!(allocations(|| (3..9).for_each(&mut frame)), 0);
    assert!(allocations(|| drop(mixed(9, 9, 9))) > 0, "the counter counts");
}
