use std::collections::BTreeMap;

use pixels::convert::yuv_of_rgb;
use pixels::{I420, Matrix, Range};

use super::*;
use crate::geometry::Pin;

const LAYOUT: Layout = Layout { reference: (320.0, 180.0), pin: Pin::Center };

fn gate(text: &str) -> Result<Gate, (String, String)> {
    let raw: raw::Gate = toml::from_str(text).unwrap();
    Gate::new(&raw, LAYOUT, &BTreeMap::new())
}

/// A picture with boxes of colours on grey.
fn picture(width: u32, height: u32, boxes: &[([u32; 4], [u8; 3])]) -> I420 {
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    picture.y.fill(90);
    for ([x, y, w, h], color) in boxes {
        let codes = yuv_of_rgb(*color);
        for row in *y..(y + h).min(height) {
            picture.y.row_mut(row)[*x as usize..(x + w).min(width) as usize].fill(codes[0]);
            let (from, to) = (*x as usize / 2, (x + w).min(width) as usize / 2);
            picture.u.row_mut(row / 2)[from..to].fill(codes[1]);
            picture.v.row_mut(row / 2)[from..to].fill(codes[2]);
        }
    }
    picture
}

#[test]
fn each_kind_of_sign_is_there_or_not() {
    let red = |color| picture(320, 180, &[([20, 10, 40, 20], color), ([200, 100, 20, 40], [0, 0, 0])]);
    let cases = [
        ("kind='color', box=[20,10,40,20], color='#ff0000'", true),
        ("kind='color', box=[20,10,80,20], color='#ff0000'", false),
        ("kind='color', box=[20,10,80,20], color='#ff0000', share=0.4", true),
        ("kind='color', box=[20,10,40,20], color='#00ff00'", false),
        ("kind='luma', box=[200,100,20,40], mean=[0,20]", true),
        ("kind='luma', box=[200,100,20,40], mean=[20,90]", false),
        ("kind='luma', box=[190,100,20,40], spread=[30,60]", true),
        ("kind='luma', box=[200,100,20,40], spread=[30,60]", false),
        ("kind='edge', box=[190,100,20,40], along='vertical', contrast=-60", true),
        ("kind='edge', box=[190,100,20,40], along='vertical', contrast=60", false),
        ("kind='edge', box=[200,130,20,20], along='horizontal', contrast=60", true),
        ("kind='edge', box=[200,105,20,20], along='horizontal', contrast=60", false),
        (
            "kind='hues', spots=[{box=[20,10,20,20], color='#c00000'}, {box=[40,10,20,20], color='#ff2000'}]",
            true,
        ),
        (
            "kind='hues', spots=[{box=[20,10,20,20], color='#c00000'}, {box=[40,10,20,20], color='#00ff20'}]",
            false,
        ),
        (
            "kind='hues', spots=[{box=[20,10,9,9], color='#c00000'}, {box=[99,99,9,9], color='#f00000', other=[40,10,9,9]}]",
            true,
        ),
    ];
    for (sign, there) in cases {
        let gate = gate(&format!("signs=[{{{sign}}}]")).unwrap();
        let found = gate.find(&red([255, 0, 0]), LAYOUT, None);
        assert_eq!(found, there.then_some(Shift::NONE), "{sign}");
    }
    let color = gate("signs=[{kind='color', box=[20,10,40,20], color='#c03010'}]").unwrap();
    assert!(color.find(&red([0xc0, 0x30, 0x10]), LAYOUT, None).is_some());
    assert!(color.find(&red([0x40, 0x30, 0x10]), LAYOUT, None).is_none());
}

#[test]
fn television_codes_are_the_same_colours() {
    let mut picture = picture(320, 180, &[([20, 10, 40, 20], [200, 40, 90])]);
    pixels::convert::to_limited(&mut picture);
    let gate = gate(
        "signs=[{kind='color', box=[20,10,40,20], color='#c8285a', tolerance=6}, \
        {kind='luma', box=[100,100,40,20], mean=[88,92]}]",
    );
    assert!(gate.unwrap().find(&picture, LAYOUT, None).is_some());
}

#[test]
fn a_moved_hud_is_found_where_it_is_and_kept() {
    let colors = [[30, 60, 240], [90, 250, 180], [190, 0, 190], [240, 240, 10], [250, 100, 0]];
    let spots: Vec<String> = (0..5)
        .map(|i| {
            let [r, g, b] = colors[i];
            format!("{{box=[{},2,18,4], color='#{r:02x}{g:02x}{b:02x}'}}", 100 + 20 * i)
        })
        .collect();
    let gate =
        gate(&format!("search=[8,8,0,20]\nsigns=[{{kind='hues', spots=[{}]}}]", spots.join(","))).unwrap();
    let shown = |width: u32, scale: u32, dx: u32, dy: u32| {
        let left = width / 2 - 160 * scale;
        let boxes: Vec<_> = (0..5)
            .map(|i| {
                (
                    [left + (100 + 20 * i + dx) * scale, (2 + dy) * scale, 18 * scale, 4 * scale],
                    colors[i as usize],
                )
            })
            .collect();
        picture(width, 180 * scale, &boxes)
    };
    for (width, scale, dx, dy) in [(320, 1, 0, 0), (320, 1, 4, 12), (640, 2, 0, 7), (860, 2, 6, 18)] {
        let picture = shown(width, scale, dx, dy);
        let found = gate.find(&picture, LAYOUT, None).expect("it is there");
        let off = |is: f32, should: u32| (is - f32::from(u8::try_from(should).unwrap())).abs();
        assert!(off(found.x, dx) <= 2.0 && off(found.y, dy) <= 1.5, "{found:?} for {dx} {dy}");
        assert_eq!(gate.find(&picture, LAYOUT, Some(found)), Some(found));
        // It went back, as a window does that fills the screen again.
        let back = gate.find(&shown(width, scale, 0, 0), LAYOUT, Some(found)).expect("it is there");
        assert!(off(back.y, 0) <= 1.5, "{back:?}");
    }
    assert_eq!(gate.find(&picture(640, 360, &[]), LAYOUT, None), None);
    assert_eq!(gate.find(&picture(640, 360, &[([0, 0, 640, 360], [250, 100, 0])]), LAYOUT, None), None);
}

#[test]
fn some_signs_may_be_hidden_when_fewer_are_needed() {
    let picture = picture(320, 180, &[([20, 10, 40, 20], [255, 0, 0])]);
    let signs = "signs=[{kind='color', box=[20,10,40,20], color='#ff0000'}, {kind='luma', box=[200,100,20,40], mean=[0,20]}]";
    assert!(gate(signs).unwrap().find(&picture, LAYOUT, None).is_none());
    assert!(gate(&format!("need=1\n{signs}")).unwrap().find(&picture, LAYOUT, None).is_some());
}

#[test]
fn mistakes_are_said_with_their_place() {
    for (text, path) in [
        ("signs=[]", "signs"),
        ("need=2\nsigns=[{kind='luma', box=[0,0,9,9], mean=[0,20]}]", "need"),
        ("search=[0,0,0,900]\nsigns=[{kind='luma', box=[0,0,9,9], mean=[0,20]}]", "search"),
        ("scales=[0]\nsigns=[{kind='luma', box=[0,0,9,9], mean=[0,20]}]", "scales"),
        ("signs=[{kind='luma', box=[0,0,9,9]}]", "signs[0].mean"),
        ("signs=[{kind='color', box=[0,0,9,9], color='red'}]", "signs[0].color"),
        ("signs=[{kind='color', box=[0,0,9,9], color='#ff00zz'}]", "signs[0].color"),
        ("signs=[{kind='color', box=[0,0,9,9], color='#ff0000', share=3}]", "signs[0].share"),
        ("signs=[{kind='edge', box=[0,0,9,9], along='vertical', contrast=0}]", "signs[0].contrast"),
        ("signs=[{kind='image', box=[0,0,9,9], image='a.png'}]", "signs[0].image"),
        ("signs=[{kind='image', box=[0,0,9,9], image='../a.png'}]", "signs[0].image"),
        ("signs=[{kind='hues', spots=[{box=[0,0,9,9], color='#ff0000'}]}]", "signs[0].spots"),
        (
            "signs=[{kind='hues', spots=[{box=[0,0,9,9], color='#ff0000'}, {box=[0,0,9,9], color=''}]}]",
            "signs[0].spots[1].color",
        ),
    ] {
        assert_eq!(gate(text).unwrap_err().0, path, "{text}");
    }
}

#[test]
fn pictures_of_any_size_are_refused_without_a_panic() {
    let signs = "search=[320,320,180,180]\nscales=[0.5,1,2]\nsigns=[{kind='color', box=[20,10,40,20], color='#ff0000'}, \
        {kind='luma', box=[200,100,20,40], mean=[200,255]}, {kind='edge', box=[0,0,9,9], along='vertical', contrast=90}]";
    let gate = gate(signs).unwrap();
    for (width, height) in [(1, 1), (1, 900), (900, 1), (33, 77), (640, 360)] {
        assert_eq!(gate.find(&picture(width, height, &[]), LAYOUT, None), None, "{width}x{height}");
    }
}
