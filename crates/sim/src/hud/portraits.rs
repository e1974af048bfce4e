//! Portraits of heroes, drawn by chance from their names: as unlike each other as a game's are, with the same traps.
//!
//! Called by the Dota screen and by whoever puts them into a folder for `onair pack fetch dota2 --from`. The tags are the
//! game's internal names; the pictures are ours and look like nobody.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use super::art;

/// Width and height of a portrait.
pub const SIZE: (u32, u32) = (256, 144);

/// One picture of a hero.
#[derive(Debug)]
pub struct Portrait {
    pub tag: &'static str,
    /// Which of a hero's pictures (`alt`, `persona1`); empty for the usual one.
    pub variant: &'static str,
    art: OnceLock<Vec<u8>>,
}

impl Portrait {
    /// Pixels of three bytes (R, G, B), 256 × 144. Drawn when first asked for: milliseconds.
    pub fn rgb(&self) -> &[u8] {
        self.art.get_or_init(|| art::draw(self.tag, self.variant))
    }

    /// `antimage.png`, `antimage@persona1.png`.
    #[must_use]
    pub fn file(&self) -> String {
        if self.variant.is_empty() {
            return format!("{}.png", self.tag);
        }
        format!("{}@{}.png", self.tag, self.variant)
    }
}

/// All portraits: the usual ones first, in the order of their tags, then the others.
#[must_use]
pub fn portraits() -> &'static [Portrait] {
    static ALL: OnceLock<Vec<Portrait>> = OnceLock::new();
    ALL.get_or_init(|| {
        let usual = TAGS.iter().map(|tag| (*tag, ""));
        let portrait = |(tag, variant)| Portrait { tag, variant, art: OnceLock::new() };
        usual.chain(VARIANTS).map(portrait).collect()
    })
}

/// How many heroes there are; their usual portraits are the first of [`portraits`].
pub(super) const HEROES: usize = TAGS.len();

/// The portraits of the hero of that number: the usual one first.
pub(super) fn of_hero(number: usize) -> impl Iterator<Item = usize> {
    let all = portraits();
    (0..all.len()).filter(move |at| all[*at].tag == all[number % HEROES].tag)
}

/// Whether [`write`] has been there: its last file is as it would be.
#[must_use]
pub fn are_in(folder: &Path) -> bool {
    let last = portraits().last().expect("there are some");
    let file = || Some((fs::read(folder.join(last.file())).ok()?, png(last).ok()?));
    file().is_some_and(|(there, wanted)| there == wanted)
}

/// Writes every portrait as a PNG file into `folder`, which is made; gives their number.
///
/// # Errors
/// When the disk fails.
pub fn write(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    for portrait in portraits() {
        fs::write(folder.join(portrait.file()), png(portrait)?)?;
    }
    Ok(portraits().len())
}

fn png(portrait: &Portrait) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // A demonstration waits for it.
    encoder.set_compression(png::Compression::Fastest);
    let written = encoder.write_header().and_then(|mut file| file.write_image_data(portrait.rgb()));
    written.map_err(io::Error::other)?;
    Ok(bytes)
}

#[rustfmt::skip]
const TAGS: [&str; 127] = [
    "abaddon", "abyssal_underlord", "alchemist", "ancient_apparition", "antimage", "arc_warden", "axe",
    "bane", "batrider", "beastmaster", "bloodseeker", "bounty_hunter", "brewmaster", "bristleback",
    "broodmother", "centaur", "chaos_knight", "chen", "clinkz", "crystal_maiden", "dark_seer",
    "dark_willow", "dawnbreaker", "dazzle", "death_prophet", "disruptor", "doom_bringer", "dragon_knight",
    "drow_ranger", "earth_spirit", "earthshaker", "elder_titan", "ember_spirit", "enchantress", "enigma",
    "faceless_void", "furion", "grimstroke", "gyrocopter", "hoodwink", "huskar", "invoker", "jakiro",
    "juggernaut", "keeper_of_the_light", "kez", "kunkka", "largo", "legion_commander", "leshrac", "lich",
    "life_stealer", "lina", "lion", "lone_druid", "luna", "lycan", "magnataur", "marci", "mars", "medusa",
    "meepo", "mirana", "monkey_king", "morphling", "muerta", "naga_siren", "necrolyte", "nevermore",
    "night_stalker", "nyx_assassin", "obsidian_destroyer", "ogre_magi", "omniknight", "oracle", "pangolier",
    "phantom_assassin", "phantom_lancer", "phoenix", "primal_beast", "puck", "pudge", "pugna",
    "queenofpain", "rattletrap", "razor", "riki", "ringmaster", "rubick", "sand_king", "shadow_demon",
    "shadow_shaman", "shredder", "silencer", "skeleton_king", "skywrath_mage", "slardar", "slark",
    "snapfire", "sniper", "spectre", "spirit_breaker", "storm_spirit", "sven", "techies",
    "templar_assassin", "terrorblade", "tidehunter", "tinker", "tiny", "treant", "troll_warlord", "tusk",
    "undying", "ursa", "vengefulspirit", "venomancer", "viper", "visage", "void_spirit", "warlock",
    "weaver", "windrunner", "winter_wyvern", "wisp", "witch_doctor", "zuus",
];

/// The same as in the pack's list: what it does not know can't be told.
#[rustfmt::skip]
const VARIANTS: [(&str, &str); 46] = [
    ("antimage", "persona1"), ("axe", "alt"), ("crystal_maiden", "alt1"), ("crystal_maiden", "persona1"),
    ("dragon_knight", "persona1"), ("drow_ranger", "alt1"), ("drow_ranger", "alt2"),
    ("earthshaker", "alt1"), ("earthshaker", "alt2"), ("faceless_void", "alt1"), ("faceless_void", "alt2"),
    ("invoker", "persona1"), ("juggernaut", "alt1"), ("juggernaut", "alt2"), ("legion_commander", "alt1"),
    ("lina", "alt1"), ("mirana", "persona1"), ("monkey_king", "alt1"), ("nevermore", "alt1"),
    ("ogre_magi", "alt1"), ("ogre_magi", "alt2"), ("phantom_assassin", "alt1"),
    ("phantom_assassin", "persona1"), ("pudge", "alt1"), ("pudge", "alt2"), ("pudge", "persona1"),
    ("queenofpain", "alt1"), ("queenofpain", "alt2"), ("razor", "alt1"), ("razor", "alt2"),
    ("rubick", "alt"), ("skeleton_king", "alt1"), ("skeleton_king", "alt2"), ("skywrath_mage", "alt1"),
    ("skywrath_mage", "alt2"), ("spectre", "alt1"), ("spectre", "alt2"), ("techies", "alt1"),
    ("terrorblade", "alt1"), ("vengefulspirit", "alt1"), ("vengefulspirit", "alt2"),
    ("vengefulspirit", "alt3"), ("windrunner", "alt1"), ("windrunner", "alt2"), ("wisp", "alt"),
    ("zuus", "alt1"),
];
