//! SVG: looked through for what is not allowed, then drawn at the size that is wanted.
//!
//! Called by `probe` and `decode`. Nothing is fetched and nothing is run: a file with scripts, links to the outside,
//! embedded pages or pictures is refused, and so is one that is nested or linked so deeply that drawing it would not
//! come to an end soon. Its text is set in the font that comes along.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use pixels::compose::Bitmap;
use resvg::tiny_skia::{PixmapMut, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Group, Node, Options, Tree, roxmltree};

use super::{Fit, Kind, Probe, Wanted};
use crate::seam::guarded;
use crate::{Error, fonts};

/// Longest an SVG may be, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// Most elements, before and after `use` has been followed.
const MAX_NODES: u32 = 50_000;
/// How deep elements may stand in each other.
const MAX_DEPTH: usize = 64;
/// How deep they may stand once every `use` stands for what it uses.
const MOST_USED: usize = 2 * MAX_DEPTH;
/// Most clips, masks, patterns and markers. Each may stand behind another.
const MAX_LINKS: usize = 200;
/// Most steps of filters.
const MAX_FILTERS: usize = 32;
/// Most that is filtered, in steps times pixels.
const MAX_FILTERED: u64 = 64 << 20;

/// Looks an SVG through.
pub(super) fn probe(bytes: &[u8]) -> Result<Probe, Error> {
    let tree = parse(bytes)?.0;
    let side = |length: f32| whole(f64::from(length).ceil());
    Probe::new(Kind::Svg, side(tree.size().width()), side(tree.size().height()))
}

/// Draws an SVG at its own size or in a box.
pub(super) fn draw(bytes: &[u8], found: &Probe, wanted: Wanted) -> Result<Bitmap, Error> {
    let (tree, filters) = parse(bytes)?;
    let (width, height, how) = wanted.unwrap_or((found.width, found.height, Fit::Fill));
    let (width, height) = (width.max(1), height.max(1));
    if filters as u64 * u64::from(width) * u64::from(height) > MAX_FILTERED {
        return Err(Error::forbidden(Kind::Svg, "has too many filters for its size"));
    }
    let mut out = Bitmap::new(width, height);
    let target =
        PixmapMut::from_bytes(out.data_mut(), width, height).expect("a bitmap has four bytes a pixel");
    draw_into(&tree, target, how);
    Ok(out)
}

#[expect(clippy::cast_precision_loss, reason = "sides are at most 8192")]
fn draw_into(tree: &Tree, mut target: PixmapMut<'_>, how: Fit) {
    let (width, height) = (target.width() as f32, target.height() as f32);
    let (across, down) = (width / tree.size().width(), height / tree.size().height());
    let (across, down) = match how {
        Fit::Contain => (across.min(down), across.min(down)),
        Fit::Cover => (across.max(down), across.max(down)),
        Fit::Fill => (across, down),
    };
    let left = (width - tree.size().width() * across) / 2.0;
    let top = (height - tree.size().height() * down) / 2.0;
    resvg::render(tree, Transform::from_row(across, 0.0, 0.0, down, left, top), &mut target);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn whole(length: f64) -> u32 {
    length.clamp(0.0, f64::from(u32::MAX)) as u32
}

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for file in fonts::default_files() {
        fonts.load_font_source(Source::Binary(file));
    }
    fonts.set_sans_serif_family(fonts::DEFAULT_FAMILY);
    fonts.set_serif_family(fonts::DEFAULT_FAMILY);
    fonts.set_monospace_family(fonts::DEFAULT_FAMILY);
    Arc::new(fonts)
});

/// The tree of an SVG, and how many steps of filters it has.
fn parse(bytes: &[u8]) -> Result<(Tree, usize), Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooManyBytes { what: "SVG", bytes: bytes.len(), most: MAX_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::damaged(Kind::Svg, "it is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let limits =
        roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: 4 * MAX_NODES, ..Default::default() };
    if text.contains("<!ENTITY") {
        return Err(Error::forbidden(Kind::Svg, "declares entities"));
    }
    shallow(text)?;
    let document = roxmltree::Document::parse_with_options(text, limits).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => too_many_elements(),
        roxmltree::Error::UnclosedRootNode | roxmltree::Error::UnexpectedEndOfStream => {
            Error::CutShort(Kind::Svg)
        }
        other => Error::damaged(Kind::Svg, other.to_string()),
    })?;
    let filters = look_through(&document)?;
    Uses::of(&document).weigh(document.root_element(), 0)?;
    let options = Options {
        font_family: fonts::DEFAULT_FAMILY.to_owned(),
        fontdb: Arc::clone(&FONTS),
        ..Options::default()
    };
    guarded("SVG", || {
        let tree = Tree::from_xmltree(&document, &options)
            .map_err(|error| Error::damaged(Kind::Svg, error.to_string()))?;
        if count(tree.root(), MAX_NODES) == 0 {
            return Err(too_many_elements());
        }
        Ok((tree, filters))
    })
}

fn too_deep() -> Error {
    Error::forbidden(Kind::Svg, format!("nests elements deeper than {MAX_DEPTH}"))
}

fn too_many_elements() -> Error {
    Error::forbidden(Kind::Svg, format!("has more than {MAX_NODES} elements"))
}

/// What is left of `most` once the nodes of a group are counted.
fn count(group: &Group, most: u32) -> u32 {
    group.children().iter().fold(most, |left, node| match node {
        Node::Group(inner) => count(inner, left.saturating_sub(1)),
        _ => left.saturating_sub(1),
    })
}

/// Refuses what is nested so deeply that a parser which calls itself would run out of stack. Counts tags, not knowing
/// XML: what looks like one in a comment counts too.
fn shallow(text: &str) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    for (at, _) in text.match_indices('<') {
        match bytes.get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) => {
                let end = text[at..].find('>').map_or(bytes.len(), |end| at + end);
                depth += usize::from(bytes.get(end.wrapping_sub(1)) != Some(&b'/'));
            }
        }
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// How many elements there are, and how deep they stand, once every `use` stands for what it uses.
struct Uses<'a> {
    named: HashMap<&'a str, roxmltree::Node<'a, 'a>>,
    /// What has been weighed; nothing for what is being weighed.
    weights: HashMap<roxmltree::NodeId, Option<Weight>>,
}

#[derive(Clone, Copy)]
struct Weight {
    elements: u32,
    depth: usize,
}

impl<'a> Uses<'a> {
    fn of(document: &'a roxmltree::Document<'a>) -> Self {
        let named = document.descendants().filter_map(|node| Some((node.attribute("id")?, node)));
        Self { named: named.collect(), weights: HashMap::new() }
    }

    /// What an element `depth` levels down weighs with all below it; an error if that is too much.
    fn weigh(&mut self, element: roxmltree::Node<'a, 'a>, depth: usize) -> Result<Weight, Error> {
        if let Some(weight) = self.weights.get(&element.id()) {
            return weight.ok_or_else(|| Error::forbidden(Kind::Svg, "has an element that uses itself"));
        }
        if depth > MOST_USED {
            return Err(too_deep());
        }
        self.weights.insert(element.id(), None);
        let mut weight = Weight { elements: 1, depth: 0 };
        for below in element.children().filter(roxmltree::Node::is_element).chain(self.used(element)) {
            let inner = self.weigh(below, depth + 1)?;
            weight.elements = weight.elements.saturating_add(inner.elements);
            weight.depth = weight.depth.max(inner.depth + 1);
        }
        if weight.elements > MAX_NODES {
            return Err(too_many_elements());
        }
        if weight.depth > MOST_USED {
            return Err(too_deep());
        }
        self.weights.insert(element.id(), Some(weight));
        Ok(weight)
    }

    /// What an element uses, if it is a `use`.
    fn used(&self, element: roxmltree::Node<'a, 'a>) -> Option<roxmltree::Node<'a, 'a>> {
        let link = element.attributes().find(|attribute| attribute.name() == "href")?;
        let name = link.value().trim().strip_prefix('#')?;
        (element.tag_name().name() == "use").then(|| self.named.get(name).copied())?
    }
}

/// Refuses what is not allowed; the number of steps of filters.
fn look_through(document: &roxmltree::Document<'_>) -> Result<usize, Error> {
    let no = |what: String| Err(Error::forbidden(Kind::Svg, what));
    let (mut links, mut filters) = (0, 0);
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        let name = element.tag_name().name();
        match name {
            "script" | "handler" => return no("has a script".to_owned()),
            "foreignObject" | "iframe" | "embed" | "object" => {
                return no(format!("has a foreign object ({name})"));
            }
            "image" | "feImage" => return no(format!("embeds a picture ({name})")),
            "clipPath" | "mask" | "pattern" | "marker" => links += 1,
            "style" if element.descendants().filter_map(|node| node.text()).any(reaches_out) => {
                return no("links to the outside (in its styles)".to_owned());
            }
            _ => filters += usize::from(name.starts_with("fe")),
        }
        for attribute in element.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            if key.len() > 2 && key.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on")) {
                return no(format!("has a script ({key})"));
            }
            let outside = match key {
                "href" => name != "a" && !value.trim_start().starts_with('#'),
                "src" => true,
                _ => reaches_out(value),
            };
            if outside {
                return no(format!("links to the outside ({key} of {name})"));
            }
        }
    }
    if links > MAX_LINKS {
        return no(format!("has more than {MAX_LINKS} clips, masks, patterns and markers"));
    }
    if filters > MAX_FILTERS {
        return no(format!("has more than {MAX_FILTERS} steps of filters"));
    }
    Ok(filters)
}

/// Whether a style refers to anything but what is in the file.
fn reaches_out(style: &str) -> bool {
    let style = style.to_ascii_lowercase();
    let inside = |rest: &str| rest.trim_start_matches([' ', '\t', '\n', '\r', '"', '\'']).starts_with('#');
    style.contains("@import") || style.split("url(").skip(1).any(|rest| !inside(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(inner: &str) -> Vec<u8> {
        let spaces = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'";
        format!("<svg {spaces} width='40' height='20'>{inner}</svg>").into_bytes()
    }

    fn drawn(bytes: &[u8], wanted: Wanted) -> Result<Bitmap, Error> {
        super::super::decode(bytes, wanted)
    }

    #[test]
    fn it_is_drawn_at_the_size_that_is_wanted() {
        let red = svg("<rect width='40' height='20' fill='red'/>");
        let probe = super::super::probe(&red).unwrap();
        assert_eq!((probe.kind, probe.width, probe.height, probe.duration()), (Kind::Svg, 40, 20, 0));
        let own = drawn(&red, None).unwrap();
        assert_eq!((own.width(), own.height(), own.pixel(39, 19)), (40, 20, [255, 0, 0, 255]));
        let large = drawn(&red, Some((400, 400, Fit::Contain))).unwrap();
        assert_eq!((large.pixel(200, 50), large.pixel(200, 150)), ([0; 4], [255, 0, 0, 255]));
        let filled = drawn(&red, Some((400, 400, Fit::Fill))).unwrap();
        assert_eq!(filled.pixel(3, 3), [255, 0, 0, 255]);
    }

    #[test]
    fn what_is_not_allowed_is_refused_by_name() {
        let nested = "<g>".repeat(100) + &"</g>".repeat(100);
        let many = "<rect width='1' height='1'/>".repeat(60_000);
        let masks = "<mask/>".repeat(500);
        let cases = [
            ("<script>alert(1)</script>", "script"),
            ("<rect width='1' height='1' onclick='x()'/>", "script (onclick)"),
            ("<foreignObject/>", "foreign object"),
            ("<image href='http://a.example/x.png'/>", "embeds a picture"),
            ("<image href='data:image/png;base64,AAAA'/>", "embeds a picture"),
            ("<use href='http://a.example/x.svg#a'/>", "links to the outside"),
            ("<use xlink:href='file:///etc/passwd#a'/>", "links to the outside"),
            ("<rect width='1' height='1' fill='url(http://a.example/x#g)'/>", "links to the outside"),
            ("<rect width='1' height='1' style='fill: URL( \"x.svg#g\")'/>", "links to the outside"),
            ("<style>@import 'http://a.example/x.css';</style>", "links to the outside"),
            (&nested, "deeper"),
            (&many, "elements"),
            (&masks, "more than 200 clips"),
            ("<rect", "damaged"),
        ];
        for (inner, why) in cases {
            let said = drawn(&svg(inner), None).unwrap_err().to_string();
            assert!(said.contains(why), "{}: {said}", &inner[..inner.len().min(60)]);
        }
        let entities = b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'/>";
        assert!(drawn(entities, None).unwrap_err().to_string().contains("entities"));
        let cut = &svg("<rect width='9' height='9'/>")[..130];
        assert_eq!(drawn(cut, None), Err(Error::CutShort(Kind::Svg)));
    }

    #[test]
    fn uses_that_multiply_are_stopped() {
        let mut inner = "<g id='a0'><rect width='1' height='1'/></g>".to_owned();
        for level in 1..20 {
            let below = format!("<use href='#a{}'/>", level - 1).repeat(10);
            inner += &format!("<g id='a{level}'>{below}</g>");
        }
        assert!(drawn(&svg(&inner), None).unwrap_err().to_string().contains("elements"));
    }

    #[test]
    fn chains_of_uses_and_masks_end() {
        let chain = |links: usize| {
            let mut chain = "<defs><g id='a0'><rect width='40' height='20' fill='blue'/></g>".to_owned();
            for level in 1..links {
                chain += &format!("<g id='a{level}'><use href='#a{}'/></g>", level - 1);
            }
            svg(&format!("{chain}</defs><use href='#a{}'/>", links - 1))
        };
        assert_eq!(drawn(&chain(50), None).unwrap().pixel(20, 10), [0, 0, 255, 255]);
        assert!(drawn(&chain(5000), None).unwrap_err().to_string().contains("deeper"));
        let mut masks = "<mask id='m0'><rect width='40' height='20' fill='white'/></mask>".to_owned();
        for level in 1..MAX_LINKS {
            masks += &format!(
                "<mask id='m{level}' mask='url(#m{})'><rect width='9' height='9'/></mask>",
                level - 1
            );
        }
        masks += &format!("<rect width='40' height='20' mask='url(#m{})'/>", MAX_LINKS - 1);
        assert!(drawn(&svg(&masks), None).is_ok());
        let loops = "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>";
        assert!(drawn(&svg(loops), None).unwrap_err().to_string().contains("uses itself"));
    }

    #[test]
    fn inner_links_styles_and_text_are_drawn() {
        let inner = "<defs><linearGradient id='g'><stop stop-color='red'/></linearGradient></defs>\
            <style>.a{fill:url(#g)}</style><rect class='a' width='20' height='20'/>\
            <text x='22' y='18' font-size='20' fill='white'>I</text>";
        let out = drawn(&svg(inner), None).unwrap();
        assert_eq!(out.pixel(5, 5), [255, 0, 0, 255]);
        assert!(out.data().chunks_exact(4).any(|pixel| pixel[1] > 200), "the letter is missing");
    }
}
