//! Lays text out: fonts, lines, cutting, alignment.
//!
//! Called before glyphs are drawn. Leaves its result in the desk's layout. Knows nothing of pixels.

use std::borrow::Cow;
use std::ops::Range;

use parley::style::{
    FontFamily, FontFamilyName, FontFeatures, FontStyle as Slant, FontWeight, GenericFamily, LineHeight,
    OverflowWrap, StyleProperty, TextWrapMode,
};
use parley::{Alignment, AlignmentOptions, Layout};
use scene::Color;
use scene::style::{Align, FontStyle, TextStyle};

use crate::painter::{Desk, Ink};
use crate::{Error, MAX_SIDE, fonts};

/// Most characters of one text.
pub(crate) const MAX_CHARACTERS: usize = 20_000;
/// What stands for text that was cut off.
const ELLIPSIS: &str = "…";

/// Text and how it is to be laid out.
pub(crate) struct Block<'a> {
    pub(crate) text: &'a str,
    pub(crate) style: &'a TextStyle,
    /// Parts in other colours; their ranges are of `text`, which must then have no control characters.
    pub(crate) spans: &'a [Span],
    /// Figures are all of one width, where the font has such.
    pub(crate) figures: bool,
    pub(crate) cut: Cut,
}

/// A part of a text in a colour of its own.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) color: Color,
    pub(crate) bold: bool,
}

/// What is done with text that is too long.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    /// px; lines are broken there, or cut.
    pub(crate) width: Option<f64>,
    pub(crate) lines: Option<usize>,
    pub(crate) wrap: bool,
    pub(crate) ellipsis: bool,
}

/// The box of text that was laid out, in px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Laid {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Lays `block` out into the desk's layout.
///
/// # Errors
/// [`Error::TooMany`] characters.
pub(crate) fn lay_out(desk: &mut Desk, block: &Block<'_>) -> Result<Laid, Error> {
    let count = block.text.chars().take(MAX_CHARACTERS + 1).count();
    if count > MAX_CHARACTERS {
        let count = block.text.chars().count();
        return Err(Error::TooMany { what: "text", count, of: "characters", most: MAX_CHARACTERS });
    }
    let text = clean(block.text);
    let spans = if text == block.text { block.spans } else { &[] };
    let text = if block.cut.wrap { text } else { Cow::Owned(cut_paragraphs(desk, block, &text)) };
    shape(desk, block, spans, &text);
    if let Some(most) = block.cut.lines
        && desk.layout.len() > most
    {
        let kept = cut_lines(desk, block, spans, &text, most.max(1));
        shape(desk, block, spans, &kept);
    }
    Ok(align(&mut desk.layout, block))
}

/// Text without what would only show as a box; a tab is four spaces.
fn clean(text: &str) -> Cow<'_, str> {
    let odd = |c: char| c.is_control() && c != '\n' || c == '\u{feff}';
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\r' => out.push('\n'),
            '\n' if before == '\r' => {}
            c if odd(c) => {}
            c => out.push(c),
        }
        before = c;
    }
    Cow::Owned(out)
}

/// The families of a style, then the one that comes along, then all that were uploaded.
fn families<'a>(style: &'a TextStyle) -> Vec<FontFamilyName<'a>> {
    /// More names than this are not looked for.
    const MOST: usize = 16;
    let names =
        style.font_family.split(',').take(MOST).map(|name| name.trim().trim_matches(['"', '\'']).trim());
    let named = names.filter(|name| !name.is_empty()).map(|name| match GenericFamily::parse(name) {
        Some(generic) => FontFamilyName::Generic(generic),
        None => FontFamilyName::Named(Cow::Borrowed(name)),
    });
    named.chain([FontFamilyName::named(fonts::DEFAULT_FAMILY)]).collect()
}

/// Where text has emoji that want to be in colour (UTS 51): pictures, and what asks for it by U+FE0F, with all that is joined
/// to them.
fn emoji(text: &str) -> Vec<Range<usize>> {
    const JOINER: char = '\u{200d}';
    const IN_COLOUR: char = '\u{fe0f}';
    let mut found: Vec<Range<usize>> = Vec::new();
    if !text.contains(|c| c == IN_COLOUR || ('\u{1f000}'..='\u{1faff}').contains(&c)) {
        return found;
    }
    let mut characters = text.char_indices().peekable();
    let mut joined = false;
    while let Some((at, c)) = characters.next() {
        let end = at + c.len_utf8();
        let picture = ('\u{1f000}'..='\u{1faff}').contains(&c);
        let asks = characters.peek().is_some_and(|(_, next)| *next == IN_COLOUR);
        let belongs = matches!(c, JOINER | IN_COLOUR | '\u{20e3}' | '\u{e0020}'..='\u{e007f}');
        match found.last_mut().filter(|last| last.end == at) {
            Some(last) if picture || asks || belongs || joined => last.end = end,
            _ if picture || asks => found.push(at..end),
            _ => {}
        }
        joined = c == JOINER;
    }
    found
}

#[expect(clippy::cast_possible_truncation, reason = "sizes are bounded by the scene")]
fn single(length: f64) -> f32 {
    length as f32
}

/// Shapes text and breaks it into lines, into the desk's layout.
fn shape(desk: &mut Desk, block: &Block<'_>, spans: &[Span], text: &str) {
    let style = block.style;
    let mut builder = desk.layouts.ranged_builder(&mut desk.fonts, text, 1.0, true);
    let weight = single(f64::from(i32::try_from(style.font_weight).unwrap_or(400)));
    let slant = match style.font_style {
        FontStyle::Normal => Slant::Normal,
        FontStyle::Italic => Slant::Italic,
        FontStyle::Oblique => Slant::Oblique(None),
    };
    let families = families(style);
    builder.push_default(StyleProperty::FontFamily(FontFamily::List(Cow::Borrowed(&families))));
    builder.push_default(StyleProperty::FontSize(single(style.font_size)));
    builder.push_default(StyleProperty::FontWeight(FontWeight::new(weight)));
    builder.push_default(StyleProperty::FontStyle(slant));
    builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(single(style.line_height))));
    builder.push_default(StyleProperty::LetterSpacing(single(style.letter_spacing)));
    builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::Anywhere));
    if !block.cut.wrap {
        builder.push_default(StyleProperty::TextWrapMode(TextWrapMode::NoWrap));
    }
    if block.figures {
        builder.push_default(StyleProperty::FontFeatures(FontFeatures::from("\"tnum\" 1")));
    }
    // The default font has outlines of many emoji; a font in colours goes first where it is meant.
    let coloured = emoji(text);
    if !coloured.is_empty() {
        let first = [FontFamilyName::Generic(GenericFamily::Emoji)];
        let families: Vec<_> = first.into_iter().chain(families.iter().cloned()).collect();
        for range in coloured {
            builder.push(StyleProperty::FontFamily(FontFamily::List(Cow::Borrowed(&families))), range);
        }
    }
    for (ink, span) in (1..Ink::MAX).zip(spans) {
        let range = span.range.start.min(text.len())..span.range.end.min(text.len());
        if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
            builder.push(StyleProperty::Brush(ink), range.clone());
            if span.bold {
                builder.push(StyleProperty::FontWeight(FontWeight::BOLD), range);
            }
        }
    }
    builder.build_into(&mut desk.layout, text);
    desk.layout.break_all_lines(block.cut.width.map(single));
}

/// Aligns the lines; the box they stand in.
fn align(layout: &mut Layout<Ink>, block: &Block<'_>) -> Laid {
    let alignment = match block.style.align {
        Align::Start => Alignment::Start,
        Align::Left => Alignment::Left,
        Align::Center => Alignment::Center,
        Align::Right => Alignment::Right,
        Align::End => Alignment::End,
        Align::Justify => Alignment::Justify,
    };
    let to_the_left = match block.style.align {
        Align::Left => true,
        Align::Start => !layout.is_rtl(),
        Align::End => layout.is_rtl(),
        _ => false,
    };
    let widest = f64::from(layout.width());
    let width = match block.cut.width {
        Some(most) if !to_the_left => most.max(widest),
        _ => {
            if !to_the_left {
                // Without a width of their own, lines are aligned within the widest.
                layout.break_all_lines(Some(layout.width().ceil() + 0.5));
            }
            widest
        }
    };
    layout.align(alignment, AlignmentOptions::default());
    Laid { width, height: f64::from(layout.height()) }
}

/// Without wrapping: each paragraph that is too long, cut.
fn cut_paragraphs(desk: &mut Desk, block: &Block<'_>, text: &str) -> String {
    // What is far beyond any picture is cut for sure, and need not be shaped to know.
    let width = block.cut.width.unwrap_or(f64::from(MAX_SIDE) * 64.0);
    let mut out = String::with_capacity(text.len());
    for (index, paragraph) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        shape(desk, block, &[], paragraph);
        if f64::from(desk.layout.width()) <= width || paragraph.is_empty() {
            out.push_str(paragraph);
            continue;
        }
        let fits = |desk: &mut Desk, text: &str| {
            shape(desk, block, &[], text);
            f64::from(desk.layout.width()) <= width
        };
        let ends = ends(&desk.layout, 0..paragraph.len());
        out.push_str(&longest(desk, paragraph, &ends, block.cut.ellipsis, fits));
    }
    out
}

/// As much of `text` as fits into `most` lines.
fn cut_lines(desk: &mut Desk, block: &Block<'_>, spans: &[Span], text: &str, most: usize) -> String {
    let last = desk.layout.get(most - 1).map_or(0..0, |line| line.text_range());
    let ends = ends(&desk.layout, last.clone());
    let whole = last.end.min(text.len());
    if !block.cut.ellipsis {
        return text[..whole].trim_end().to_owned();
    }
    let width = block.cut.width.unwrap_or(f64::INFINITY);
    longest(desk, text, &ends, true, |desk, text| {
        shape(desk, block, spans, text);
        desk.layout.len() <= most && f64::from(desk.layout.width()) <= width.max(1.0)
    })
}

/// Where clusters end within `range` of the text that was laid out: where text may be cut. Begins with the start.
fn ends(layout: &Layout<Ink>, range: Range<usize>) -> Vec<usize> {
    let mut ends = vec![range.start];
    for line in layout.lines().filter(|line| line.text_range().start < range.end) {
        for cluster in line.runs().flat_map(|run| run.clusters().collect::<Vec<_>>()) {
            let end = cluster.text_range().end;
            if end > range.start && end <= range.end {
                ends.push(end);
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// The longest beginning of `text` up to one of `ends` that fits, with an ellipsis if one is wanted.
fn longest(
    desk: &mut Desk,
    text: &str,
    ends: &[usize],
    ellipsis: bool,
    mut fits: impl FnMut(&mut Desk, &str) -> bool,
) -> String {
    let made = |end: usize| {
        let kept = text.get(..end).unwrap_or("");
        if ellipsis { format!("{}{ELLIPSIS}", kept.trim_end()) } else { kept.to_owned() }
    };
    let found = ends.partition_point(|end| fits(desk, &made(*end)));
    made(ends[found.saturating_sub(1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_found_with_what_is_joined_to_them() {
        for (text, want) in [
            ("score 3 – 2 ★ ❤ ©", vec![]),
            ("a😀b", vec!["😀"]),
            ("❤\u{fe0f} 1\u{fe0f}\u{20e3} 1", vec!["❤\u{fe0f}", "1\u{fe0f}\u{20e3}"]),
            ("x👩\u{200d}❤\u{fe0f}\u{200d}👩y", vec!["👩\u{200d}❤\u{fe0f}\u{200d}👩"]),
            ("👍🏽🇩🇪", vec!["👍🏽🇩🇪"]),
            ("\u{fe0f}\u{200d}", vec![]),
        ] {
            let found: Vec<&str> = emoji(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, want, "{text}");
        }
    }
}
