//! The fonts that text is drawn with: the one that comes along, those that were uploaded, those of the system.
//!
//! Made once by the compositor and shared by all its painters. A font is looked through and tried out before it is taken,
//! apart from those in use, so that a hostile one spoils nothing. Reads files only where the system keeps its fonts.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use flate2::read::GzDecoder;
use fontique::{
    Blob, Collection, CollectionOptions, FamilyId, FontInfo, GenericFamily, SourceCache, SourceCacheOptions,
};
use parley::FontContext;
use skrifa::raw::{FileRef, TableProvider};
use skrifa::{FontRef, MetadataProvider};

use crate::Error;
use crate::seam::guarded;

/// The family that comes along, and that stands in for any that is not there.
pub const DEFAULT_FAMILY: &str = "DejaVu Sans";
/// Longest a font file may be, in bytes: twice what the large fonts of Chinese take.
pub const MAX_BYTES: usize = 40 << 20;
/// Most families that may be uploaded.
pub const MAX_FAMILIES: usize = 200;
/// Glyphs of a new font that are tried out.
const TRIED: u32 = 64;

static REGULAR: LazyLock<Blob<u8>> = LazyLock::new(|| unpacked(include_bytes!("../fonts/DejaVuSans.ttf.gz")));
static BOLD: LazyLock<Blob<u8>> =
    LazyLock::new(|| unpacked(include_bytes!("../fonts/DejaVuSans-Bold.ttf.gz")));

fn unpacked(packed: &'static [u8]) -> Blob<u8> {
    let mut font = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut font).expect("it was packed by us");
    Blob::new(Arc::new(font))
}

/// The default fonts as files, for who reads fonts by other means.
pub(crate) fn default_files() -> [Arc<dyn AsRef<[u8]> + Send + Sync>; 2] {
    [REGULAR.clone(), BOLD.clone()].map(|font| Arc::new(font) as Arc<dyn AsRef<[u8]> + Send + Sync>)
}

/// Fonts by their families. Clones share what is uploaded.
#[derive(Clone)]
pub struct Fonts {
    collection: Collection,
    files: SourceCache,
    uploaded: Arc<Mutex<Vec<Uploaded>>>,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fonts").field("uploaded", &self.families()).finish_non_exhaustive()
    }
}

struct Uploaded {
    name: Arc<str>,
    family: FamilyId,
    fonts: Vec<FontInfo>,
}

impl Default for Fonts {
    fn default() -> Self {
        Self::new()
    }
}

impl Fonts {
    /// Only the font that comes along: text looks the same on every machine.
    #[must_use]
    pub fn new() -> Self {
        Self::made(false)
    }

    /// Also the fonts of the system, if it has fontconfig: for other scripts, and in colour for emoji.
    #[must_use]
    pub fn with_system() -> Self {
        Self::made(true)
    }

    fn made(system_fonts: bool) -> Self {
        let mut collection = Collection::new(CollectionOptions { shared: true, system_fonts });
        for font in [&REGULAR, &BOLD] {
            collection.register_fonts(Blob::clone(font), None);
        }
        let default = collection.family_id(DEFAULT_FAMILY);
        for generic in [GenericFamily::SansSerif, GenericFamily::SystemUi, GenericFamily::UiSansSerif] {
            collection.set_generic_families(generic, default.into_iter());
        }
        let files = SourceCache::new(SourceCacheOptions { shared: true });
        Self { collection, files, uploaded: Arc::default() }
    }

    /// Takes in a font file (TrueType, OpenType, or a collection of them); its families' names.
    ///
    /// # Errors
    /// [`Error::Font`] with what is wrong with it; [`Error::TooMany`] and [`Error::TooManyBytes`].
    pub fn add(&self, bytes: Vec<u8>) -> Result<Vec<Arc<str>>, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooManyBytes { what: "font", bytes: bytes.len(), most: MAX_BYTES });
        }
        let coloured = guarded("font", || try_out(&bytes))?;
        let blob = Blob::new(Arc::new(bytes));
        // A library that panics with the shared collection locked would take it from everybody.
        let seen = guarded("font", || {
            let mut alone = Collection::new(CollectionOptions { shared: false, system_fonts: false });
            Ok(alone.register_fonts(blob.clone(), None).len())
        })?;
        if seen == 0 {
            return Err(Error::Font("it names no family".to_owned()));
        }
        let mut uploaded = self.uploaded();
        if uploaded.len() + seen > MAX_FAMILIES {
            let count = uploaded.len() + seen;
            return Err(Error::TooMany { what: "font", count, of: "families", most: MAX_FAMILIES });
        }
        let mut collection = self.collection.clone();
        let mut names = Vec::new();
        for (family, fonts) in collection.register_fonts(blob, None) {
            let name: Arc<str> = collection.family_name(family).unwrap_or_default().into();
            if coloured {
                collection.append_generic_families(GenericFamily::Emoji, std::iter::once(family));
            }
            names.push(Arc::clone(&name));
            uploaded.push(Uploaded { name, family, fonts });
        }
        Ok(names)
    }

    /// Takes out what was uploaded of a family; whether there was something. Text drawn before stays as it is.
    pub fn remove(&self, family: &str) -> bool {
        let mut uploaded = self.uploaded();
        let mut collection = self.collection.clone();
        let before = uploaded.len();
        uploaded.retain(|known| {
            let goes = known.name.eq_ignore_ascii_case(family);
            for font in known.fonts.iter().filter(|_| goes) {
                collection.unregister_font(known.family, font.width(), font.style(), font.weight());
            }
            !goes
        });
        uploaded.len() < before
    }

    /// Names of the families that were uploaded, oldest first, each once.
    #[must_use]
    pub fn families(&self) -> Vec<Arc<str>> {
        let mut seen = HashSet::new();
        let names = self.uploaded().iter().map(|known| Arc::clone(&known.name)).collect::<Vec<_>>();
        names.into_iter().filter(|name| seen.insert(Arc::clone(name))).collect()
    }

    /// What a painter lays out text with; follows what is added and removed.
    pub(crate) fn context(&self) -> FontContext {
        FontContext { collection: self.collection.clone(), source_cache: self.files.clone() }
    }

    fn uploaded(&self) -> std::sync::MutexGuard<'_, Vec<Uploaded>> {
        self.uploaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file is a font, and one in colours: its tables are read and its first glyphs drawn.
fn try_out(bytes: &[u8]) -> Result<bool, Error> {
    let no = |why: &str| Err(Error::Font(why.to_owned()));
    match bytes {
        [] => return Err(Error::Empty),
        [b'w', b'O', b'F', b'F' | b'2', ..] => {
            return no("it is packed for the web (WOFF); upload the TTF or OTF");
        }
        _ => {}
    }
    let file = FileRef::new(bytes);
    let fonts: Vec<FontRef<'_>> = match &file {
        Ok(file) => file.fonts().take(MAX_FAMILIES).filter_map(Result::ok).collect(),
        Err(_) => return no("it does not begin as a TrueType or OpenType file"),
    };
    if fonts.is_empty() {
        return no("its table of contents is damaged");
    }
    let mut coloured = false;
    for font in &fonts {
        if font.charmap().mappings().next().is_none() {
            return no("it has no characters");
        }
        let pictures = font.bitmap_strikes().iter().next().is_some();
        let layers = font.colr().is_ok();
        coloured |= pictures || layers;
        let outlines = font.outline_glyphs();
        if !pictures && outlines.format().is_none() {
            return no("it has no glyphs that can be drawn");
        }
        let count = u32::from(font.maxp().map_or(0, |table| table.num_glyphs()));
        if !pictures && count > 0 && !(0..count.min(TRIED)).any(|glyph| can_be_drawn(&outlines, glyph)) {
            return no("its glyphs are damaged");
        }
    }
    Ok(coloured)
}

fn can_be_drawn(outlines: &skrifa::outline::OutlineGlyphCollection<'_>, glyph: u32) -> bool {
    struct Nowhere;
    impl skrifa::outline::OutlinePen for Nowhere {
        fn move_to(&mut self, _: f32, _: f32) {}
        fn line_to(&mut self, _: f32, _: f32) {}
        fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {}
        fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {}
        fn close(&mut self) {}
    }
    let size = skrifa::instance::Size::new(32.0);
    let settings = skrifa::outline::DrawSettings::unhinted(size, skrifa::instance::LocationRef::default());
    outlines.get(skrifa::GlyphId::new(glyph)).is_some_and(|glyph| glyph.draw(settings, &mut Nowhere).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular() -> Vec<u8> {
        REGULAR.as_ref().to_vec()
    }

    #[test]
    fn what_is_no_font_is_refused_with_a_reason() {
        let cases: [(Vec<u8>, &str); 6] = [
            (Vec::new(), "there is no data"),
            (b"hello, this is not a font at all".to_vec(), "does not begin as"),
            (b"wOF2 and more".to_vec(), "packed for the web"),
            (regular()[..300].to_vec(), "no characters"),
            (regular()[..12].to_vec(), "no characters"),
            (vec![0; MAX_BYTES + 1], "at most"),
        ];
        let fonts = Fonts::new();
        for (bytes, why) in cases {
            let said = fonts.add(bytes).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
        assert!(fonts.families().is_empty());
    }

    #[test]
    fn an_uploaded_family_is_there_until_it_is_taken_out() {
        let fonts = Fonts::new();
        let names = fonts.add(regular()).unwrap();
        assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["DejaVu Sans"]);
        assert_eq!(fonts.clone().families(), names);
        assert!(fonts.remove("dejavu sans"));
        assert!(!fonts.remove("dejavu sans"));
        assert!(fonts.families().is_empty());
    }

    #[test]
    fn damaged_fonts_never_panic() {
        let good = regular();
        for step in 0..200_usize {
            let mut bad = good.clone();
            let at = (step * 7919) % 4000;
            bad[at] ^= 0xff;
            bad[(step * 104_729) % good.len()] ^= 0x55;
            drop(try_out(&bad));
        }
    }
}
