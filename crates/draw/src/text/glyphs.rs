//! Draws the glyphs of text that was laid out.
//!
//! Called with the desk's layout made and its canvas begun. Knows nothing of lines or boxes.

use parley::{GlyphRun, Layout, PositionedLayoutItem};
use scene::style::TextStyle;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, GlyphId, MetadataProvider as _, Tag};
use vello_cpu::kurbo::{Affine, Join, Rect, Stroke};
use vello_cpu::{Glyph, RenderContext, Resources};

use super::layout::Span;
use crate::canvas::Canvas;
use crate::painter::{Desk, Ink};

/// How much thicker letters are made that have no bold font, in parts of their size.
const BOLDER: f32 = 1.0 / 28.0;

/// Where ink may be, in px from the top left of the box `area` that the layout stands in.
///
/// Letters may stand over their lines (accents, slanted ones, scripts that hang): half their size is left for that, and less
/// where the font says how far its letters reach. Memory that is never drawn to costs as much as letters.
pub(crate) fn reach(layout: &Layout<Ink>, area: Rect, style: &TextStyle) -> Rect {
    let over = style.font_size * 0.5 + style.stroke_width / 2.0 + 1.0;
    let mut reach = area;
    for line in layout.lines() {
        let metrics = line.metrics();
        let (left, width) = (f64::from(metrics.offset), f64::from(metrics.advance));
        let top = f64::from(metrics.content_block_min_coord);
        let bottom = f64::from(metrics.content_block_max_coord);
        reach = reach.union(Rect::new(left.min(left + width), top, left.max(left + width), bottom));
    }
    let reach = reach.inflate(over, over);
    let mut told: Option<Rect> = None;
    for run in runs(layout) {
        let Some(outlines) = outlines(&run) else { return reach };
        for glyph in run.positioned_glyphs() {
            let Some(bounds) = outlines.bounds(GlyphId::new(glyph.id)) else { return reach };
            let (x, y) = (f64::from(glyph.x), f64::from(glyph.y));
            let (left, right) = (x + f64::from(bounds.x_min), x + f64::from(bounds.x_max));
            let (top, bottom) = (y - f64::from(bounds.y_max), y - f64::from(bounds.y_min));
            let ink = Rect::new(left, top, right, bottom);
            told = Some(told.map_or(ink, |told| told.union(ink)));
        }
    }
    let thicker = style.stroke_width / 2.0 + 2.0;
    told.map_or(reach, |told| told.inflate(thicker, thicker).intersect(reach))
}

/// What the run's font says of its letters' bounds; nothing when letters may be other than that, or finding out costs as much as
/// drawing them.
fn outlines<'a>(run: &'a GlyphRun<'a, Ink>) -> Option<GlyphMetrics<'a>> {
    let shaped = run.run();
    let synthesis = shaped.synthesis();
    let data = shaped.font();
    let font = FontRef::from_index(data.data.data(), data.index).ok()?;
    let other = [b"gvar", b"CFF ", b"CFF2", b"COLR", b"sbix", b"CBDT", b"SVG "];
    if other.iter().any(|tag| font.table_data(Tag::new(tag)).is_some())
        || synthesis.embolden()
        || synthesis.skew().is_some()
    {
        return None;
    }
    Some(font.glyph_metrics(Size::new(shaped.font_size()), LocationRef::default()))
}

/// Draws all glyphs: the strokes below, the letters on top. `area` is what a gradient spans.
pub(crate) fn draw(desk: &mut Desk, style: &TextStyle, spans: &[Span], area: Rect) {
    let Desk { canvas, layout, .. } = desk;
    if style.stroke_width > 0.0 && style.stroke_color.a > 0 {
        canvas.paint(style.stroke_color, None, area);
        for run in runs(layout) {
            outline(canvas, &run, style.stroke_width);
        }
    }
    for run in runs(layout) {
        let own = usize::from(run.style().brush).checked_sub(1).and_then(|index| spans.get(index));
        match own {
            Some(span) => canvas.paint(span.color, None, area),
            None => canvas.paint(style.color, style.gradient.as_ref(), area),
        }
        fill(canvas, &run);
    }
}

fn runs(layout: &Layout<Ink>) -> impl Iterator<Item = GlyphRun<'_, Ink>> {
    layout.lines().flat_map(|line| line.items()).filter_map(|item| match item {
        PositionedLayoutItem::GlyphRun(run) => Some(run),
        PositionedLayoutItem::InlineBox(_) => None,
    })
}

fn outline(canvas: &mut Canvas, run: &GlyphRun<'_, Ink>, width: f64) {
    let (context, resources) = canvas.parts();
    let bolder =
        if run.run().synthesis().embolden() { f64::from(run.run().font_size() * BOLDER) } else { 0.0 };
    context.set_stroke(Stroke::new(width + bolder).with_join(Join::Round));
    stroke_run(context, resources, run);
}

fn fill(canvas: &mut Canvas, run: &GlyphRun<'_, Ink>) {
    let (context, resources) = canvas.parts();
    let shaped = run.run();
    let mut glyphs = context
        .glyph_run(resources, shaped.font())
        .font_size(shaped.font_size())
        .hint(false)
        .normalized_coords(bytemuck::cast_slice(shaped.normalized_coords()));
    if let Some(slant) = slant(run) {
        glyphs = glyphs.glyph_transform(slant);
    }
    // A glyph that can't be drawn is left out; the others are drawn all the same.
    let _ = glyphs.fill_glyphs(placed(run));
    if shaped.synthesis().embolden() {
        context.set_stroke(Stroke::new(f64::from(shaped.font_size() * BOLDER)).with_join(Join::Round));
        stroke_run(context, resources, run);
    }
}

fn stroke_run(context: &mut RenderContext, resources: &mut Resources, run: &GlyphRun<'_, Ink>) {
    let shaped = run.run();
    let mut glyphs = context
        .glyph_run(resources, shaped.font())
        .font_size(shaped.font_size())
        .hint(false)
        .normalized_coords(bytemuck::cast_slice(shaped.normalized_coords()));
    if let Some(slant) = slant(run) {
        glyphs = glyphs.glyph_transform(slant);
    }
    let _ = glyphs.stroke_glyphs(placed(run));
}

/// What slants letters that have no slanted font.
fn slant(run: &GlyphRun<'_, Ink>) -> Option<Affine> {
    run.run().synthesis().skew().map(|degrees| Affine::skew(f64::from(-degrees).to_radians().tan(), 0.0))
}

fn placed<'a>(run: &'a GlyphRun<'a, Ink>) -> impl Iterator<Item = Glyph> + Clone + 'a {
    run.positioned_glyphs().map(|glyph| Glyph { id: glyph.id, x: glyph.x, y: glyph.y })
}
