//! Portraits drawn by numbers: every one another, some flat, some alike.

use std::collections::BTreeMap;

use packs::Files;

use crate::pack::shipped;

pub(crate) const SIZE: (usize, usize) = (256, 144);

/// Numbers that look like chance and are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to below 1.
    pub(crate) fn part(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(self.0 >> 48).unwrap()) / 65_536.0
    }

    pub(crate) fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.part()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small"
    )]
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.part() * count as f32) as usize
    }
}

/// Brightness and two colour differences of each pixel.
pub(crate) type Pixels = Vec<[f32; 3]>;

/// The pictures of a pack's data folder, and their pixels by file.
pub(crate) struct Portraits {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Tag, variant and pixels.
    pub(crate) all: Vec<(String, String, Pixels)>,
}

/// A portrait of every hero and a second one of some: 170.
pub(crate) fn draw() -> Portraits {
    let list = shipped().read("heroes.toml").unwrap();
    let list: toml::Table = toml::from_str(std::str::from_utf8(&list).unwrap()).unwrap();
    let tags: Vec<String> = list["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["tag"].as_str().unwrap().to_owned())
        .collect();
    let mut portraits = Portraits { files: BTreeMap::new(), all: Vec::new() };
    for number in 0..170 {
        let tag = tags[number % tags.len()].clone();
        let variant = if number < tags.len() { "" } else { "alt1" };
        let pixels = match number % 10 {
            // A glow and little else, as of a spirit.
            3 => face(number as u64, 24.0, 2),
            // Another's face with other features.
            7 => {
                let mut like = face(number as u64 - 2, 45.0, 24);
                let other = face(number as u64, 45.0, 24);
                for (at, pixel) in like.iter_mut().enumerate() {
                    if (at % SIZE.0) > SIZE.0 * 55 / 100 {
                        *pixel = other[at];
                    }
                }
                like
            }
            // Another in other colours is only for a variant of the same.
            _ => face(number as u64, 45.0, 24),
        };
        let name = if variant.is_empty() { tag.clone() } else { format!("{tag}@{variant}") };
        portraits.files.insert(format!("portraits/{name}.png"), png(&pixels));
        portraits.all.push((tag, variant.to_owned(), pixels));
    }
    portraits
}

/// A head and things around it before a sloping background.
#[expect(clippy::cast_precision_loss, reason = "small")]
fn face(seed: u64, contrast: f32, things: usize) -> Pixels {
    let mut dice = Dice::new(seed + 1);
    let (low, high, turn) = (dice.between(20.0, 90.0), dice.between(60.0, 150.0), dice.between(0.0, 6.3));
    let tint = [dice.between(-40.0, 40.0), dice.between(-40.0, 40.0)];
    let (wide, tall) = (SIZE.0 as f32, SIZE.1 as f32);
    let mut pixels: Pixels = (0..SIZE.0 * SIZE.1)
        .map(|at| {
            let (x, y) = ((at % SIZE.0) as f32 / wide - 0.5, (at / SIZE.0) as f32 / tall - 0.5);
            let along = 0.5 + x * turn.cos() * 0.7 + y * turn.sin() * 0.7;
            [low + (high - low) * along, tint[0], tint[1]]
        })
        .collect();
    let head = (dice.between(0.25, 0.75) * wide, dice.between(0.3, 0.7) * tall);
    for thing in 0..things {
        let far = if thing == 0 { 0.0 } else { 1.0 };
        let (x, y) = (head.0 + far * dice.between(-90.0, 90.0), head.1 + far * dice.between(-50.0, 50.0));
        let big = if thing == 0 { 1.0 } else { dice.between(0.2, 0.9) };
        let (across, down) = (big * dice.between(30.0, 60.0), big * dice.between(30.0, 55.0));
        let (sine, cosine) = dice.between(0.0, 3.1).sin_cos();
        let (bright, soft) = (dice.between(5.0, 250.0), dice.between(0.1, 0.5));
        let color = [dice.between(-60.0, 60.0), dice.between(-60.0, 60.0)];
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (dx, dy) = ((at % SIZE.0) as f32 - x, (at / SIZE.0) as f32 - y);
            let (u, v) = ((dx * cosine + dy * sine) / across, (dy * cosine - dx * sine) / down);
            let cover = ((1.0 - u.hypot(v)) / soft).clamp(0.0, 1.0);
            // Shaded from one side, as by a light.
            let lit = bright * (1.0 - 0.35 * u);
            for (is, to) in pixel.iter_mut().zip([lit, color[0], color[1]]) {
                *is += (to - *is) * cover;
            }
        }
    }
    // The contrast of the part that shows: the flattest of the game's own have a deviation of 26, most 35 to 70.
    let seen = |at: usize| (31..225).contains(&(at % SIZE.0)) && (12..104).contains(&(at / SIZE.0));
    let part: Vec<f32> =
        pixels.iter().enumerate().filter(|(at, _)| seen(*at)).map(|(_, pixel)| pixel[0]).collect();
    let mean = part.iter().sum::<f32>() / part.len() as f32;
    let deviation = (part.iter().map(|y| (y - mean).powi(2)).sum::<f32>() / part.len() as f32).sqrt();
    for pixel in &mut pixels {
        pixel[0] = (mean.clamp(70.0, 150.0) + (pixel[0] - mean) * contrast / deviation).clamp(0.0, 255.0);
    }
    pixels
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn png(pixels: &Pixels) -> Vec<u8> {
    let byte = |value: f32| value.clamp(0.0, 255.0) as u8;
    let rgb: Vec<u8> = pixels
        .iter()
        .flat_map(|[y, cb, cr]| [y + 1.402 * cr, y - 0.344 * cb - 0.714 * cr, y + 1.772 * cb].map(byte))
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIZE.0 as u32, SIZE.1 as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
    bytes
}
