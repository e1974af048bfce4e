//! Contents and files that mean harm: refused with a reason, or drawn; never a panic, never more memory than is allowed.

use draw::{Error, Fonts, Painter};
use proptest::prelude::*;
use scene::content::TextContent;
use scene::style::TextStyle;

use crate::looks::{color, text};

#[test]
fn text_that_is_too_much_is_refused_with_numbers() {
    let mut painter = Painter::new(&Fonts::new());
    let huge = TextStyle { font_size: 1000.0, ..TextStyle::default() };
    let cases = [
        (text(&"x".repeat(1 << 20), TextStyle::default()), "1048576 characters; at most 20000"),
        (text("a line much too wide", huge.clone()), "at most 8192 a side"),
        (text(&"tall\n".repeat(50), huge), "at most 8192 a side"),
    ];
    for (content, why) in cases {
        let said = painter.text(&content).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    assert!(painter.text(&text("still here", TextStyle::default())).is_ok());
}

#[test]
fn control_characters_are_left_out() {
    let mut painter = Painter::new(&Fonts::new());
    let mut width = |said: &str| painter.text(&text(said, TextStyle::default())).unwrap().width;
    let plain = width("ab");
    for odd in ["a\u{7}b", "\u{0}ab", "a\u{1b}\u{9f}b", "\u{feff}ab"] {
        assert!((width(odd) - plain).abs() < 1e-6, "{odd:?}");
    }
    assert!((width("a\tb") - width("a    b")).abs() < 1e-6);
    assert!((width("a\r\nb") - width("a\nb")).abs() < 1e-6);
}

#[test]
fn text_of_nothing_is_nothing() {
    let mut painter = Painter::new(&Fonts::new());
    for nothing in ["", " ", "\n", "\u{200b}", "\u{202e}"] {
        let drawn = painter.text(&text(nothing, TextStyle::default())).unwrap();
        assert_eq!(drawn.bitmap.data().len(), 0, "{nothing:?}");
    }
}

#[test]
fn a_damaged_font_never_breaks_the_painter() {
    let packed: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf.gz");
    let mut good = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut good).unwrap();
    let content = text("Hamburg أهلا 123", TextStyle { color: color("#fff"), ..TextStyle::default() });
    for seed in 0..60_usize {
        let mut bad = good.clone();
        for hit in 0..40 {
            let at = (seed * 7_919 + hit * 104_729) % bad.len();
            bad[at] = bad[at].wrapping_add(0x5b);
        }
        let fonts = Fonts::new();
        if fonts.add(bad).is_ok() {
            let mut painter = Painter::new(&fonts);
            match painter.text(&content) {
                Ok(_) | Err(Error::Failed { .. } | Error::TooLarge { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_box_is_drawn_or_refused(
        said in "\\PC{0,120}",
        size in 1.0_f64..120.0,
        width in proptest::option::of(1.0_f64..900.0),
        lines in proptest::option::of(1_i64..4),
        wrap in any::<bool>(),
        ellipsis in any::<bool>(),
        spacing in -20.0_f64..40.0,
    ) {
        let style = TextStyle { font_size: size, letter_spacing: spacing, ..TextStyle::default() };
        let content = TextContent { text: said, max_width: width, max_lines: lines, wrap, ellipsis, style };
        let mut painter = Painter::new(&Fonts::new());
        match painter.text(&content) {
            Ok(drawn) => {
                prop_assert!(drawn.width.is_finite() && drawn.height.is_finite());
                if let (Some(lines), true) = (lines, size > 2.0) {
                    prop_assert!(drawn.height <= size * 1.2 * lines as f64 + lines as f64 + 1.0, "{}", drawn.height);
                }
            }
            Err(Error::TooLarge { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
