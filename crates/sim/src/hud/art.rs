//! A head on shoulders, from dice: what stands where a hero's portrait would.
//!
//! Called by the portraits, once each. The same name gives the same picture on every machine.

use super::paint::{side, signed};
use super::portraits::SIZE;
use crate::dice::Dice;
use crate::picture::canvas::{byte, position};

type Rgb = [f32; 3];

/// Heroes with hardly any structure, as a game has some.
const FLAT: [&str; 6] = ["wisp", "ogre_magi", "enigma", "spectre", "morphling", "arc_warden"];

/// Heroes in the colours and before the ground of another: told apart by their figures only.
const ALIKE: [(&str, &str); 6] = [
    ("lion", "lina"),
    ("skywrath_mage", "silencer"),
    ("phantom_lancer", "chaos_knight"),
    ("tidehunter", "slardar"),
    ("windrunner", "enchantress"),
    ("sven", "omniknight"),
];

/// Width and height as numbers.
const ACROSS: f32 = 256.0;
const DOWN: f32 = 144.0;

/// Draws one portrait: 256 × 144 pixels, R, G, B.
pub(super) fn draw(tag: &str, variant: &str) -> Vec<u8> {
    let base = ALIKE.iter().find(|(alike, _)| *alike == tag).map_or(tag, |(_, base)| base);
    let mut easel = Easel { pixels: vec![[0.0; 3]; (SIZE.0 * SIZE.1) as usize] };
    let flat = FLAT.contains(&tag);
    // Another picture of the same hero keeps the colours and what is behind, not the pose.
    let mut ground = Dice::new(11, base, 1);
    let look = Look::of(&mut ground, flat);
    easel.ground(&mut ground, &look, flat);
    let pose = format!("{tag} {variant}");
    let mut dice = Dice::new(11, &pose, 2);
    if flat {
        easel.glow(&mut dice, &look);
    } else {
        easel.figure(&mut dice, &look);
    }
    easel.finish(&mut Dice::new(11, &pose, 4), if flat { 4.0 } else { 9.0 })
}

/// The colours of one hero.
struct Look {
    back: Rgb,
    far: Rgb,
    skin: Rgb,
    cloth: Rgb,
    metal: Rgb,
    eyes: Rgb,
}

impl Look {
    fn of(dice: &mut Dice, flat: bool) -> Self {
        let bright = dice.part() < 0.5;
        let ground = if bright { (0.5, 0.85) } else { (0.08, 0.35) };
        let skin = if bright { (0.15, 0.55) } else { (0.45, 0.95) };
        let mut colour = |(from, to): (f32, f32), strong: f32| {
            let light = dice.between(from, to);
            tone(dice.part(), strong, light)
        };
        let back = colour(ground, if flat { 0.5 } else { 0.7 });
        let far = if flat { mix(back, [0.4; 3], 0.25) } else { colour((0.05, 0.9), 0.7) };
        let (skin, cloth) = (colour(skin, 0.55), colour((0.1, 0.8), 0.8));
        Self { back, far, skin, cloth, metal: colour((0.4, 1.0), 0.35), eyes: colour((0.75, 1.0), 1.0) }
    }
}

/// A colour by hue (in turns), strength and lightness.
fn tone(hue: f32, strong: f32, light: f32) -> Rgb {
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| {
        let wave = ((hue - shift) * std::f32::consts::TAU).cos();
        (light * (1.0 + strong * wave)).clamp(0.0, 1.2)
    })
}

fn mix(one: Rgb, other: Rgb, part: f32) -> Rgb {
    [0, 1, 2].map(|c| one[c] + (other[c] - one[c]) * part)
}

struct Easel {
    pixels: Vec<Rgb>,
}

impl Easel {
    /// Blends `colour` by `cover` (0 to 1 at the pixel's middle).
    fn blend(&mut self, bounds: [f32; 4], colour: impl Fn(f32, f32) -> Rgb, cover: impl Fn(f32, f32) -> f32) {
        let limit = |at: f32, most: u32| u32::from(byte(at.clamp(0.0, side(most.min(255))))).min(most);
        let (left, right) = (limit(bounds[0] - 1.0, SIZE.0), limit(bounds[2] + 2.0, SIZE.0) + 1);
        let (top, bottom) = (limit(bounds[1] - 1.0, SIZE.1), limit(bounds[3] + 2.0, SIZE.1) + 1);
        for row in top..bottom.min(SIZE.1) {
            for column in left..right.min(SIZE.0) {
                let (x, y) = (side(column) + 0.5, side(row) + 0.5);
                let part = cover(x, y).clamp(0.0, 1.0);
                if part > 0.0 {
                    let pixel = &mut self.pixels[(row * SIZE.0 + column) as usize];
                    *pixel = mix(*pixel, colour(x, y), part);
                }
            }
        }
    }

    fn all(&mut self, colour: impl Fn(f32, f32) -> Rgb, cover: impl Fn(f32, f32) -> f32) {
        self.blend([0.0, 0.0, ACROSS, DOWN], colour, cover);
    }

    /// An ellipse, lit from `light` (−1 left to 1 right).
    fn ball(&mut self, (x, y): (f32, f32), (rx, ry): (f32, f32), colour: Rgb, light: f32) {
        let cover = |px: f32, py: f32| (1.0 - ((px - x) / rx).hypot((py - y) / ry)) * rx.min(ry) + 0.5;
        let shade = |px: f32, py: f32| {
            let lit = ((px - x) / rx * light - (py - y) / ry * 0.6) * 0.5;
            mix(colour, if lit > 0.0 { [1.1; 3] } else { [0.0; 3] }, lit.abs().min(0.6))
        };
        self.blend([x - rx, y - ry, x + rx, y + ry], shade, cover);
    }

    fn stroke(&mut self, from: (f32, f32), to: (f32, f32), (thick, thin): (f32, f32), colour: Rgb) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).max(1.0);
        let reach = thick.max(thin);
        let bounds = [
            from.0.min(to.0) - reach,
            from.1.min(to.1) - reach,
            from.0.max(to.0) + reach,
            from.1.max(to.1) + reach,
        ];
        self.blend(
            bounds,
            |_, _| colour,
            |x, y| {
                let part = (((x - from.0) * dx + (y - from.1) * dy) / length).clamp(0.0, 1.0);
                let off = (x - from.0 - dx * part).hypot(y - from.1 - dy * part);
                (thick + (thin - thick) * part) / 2.0 - off + 0.5
            },
        );
    }

    fn ground(&mut self, dice: &mut Dice, look: &Look, flat: bool) {
        let turn = dice.part() * std::f32::consts::TAU;
        let (sin, cos) = turn.sin_cos();
        let along =
            |x: f32, y: f32| ((x / ACROSS - 0.5) * cos + (y / DOWN - 0.5) * sin + 0.5).clamp(0.0, 1.0);
        self.all(|x, y| mix(look.back, look.far, along(x, y)), |_, _| 1.0);
        for _ in 0..6 {
            let (x, y) = (dice.between(0.0, ACROSS), dice.between(0.0, DOWN));
            let reach = dice.between(25.0, 80.0);
            let colour = tone(dice.part(), 0.6, dice.between(0.0, 1.0));
            let strength = if flat { 0.5 } else { 0.75 };
            self.all(|_, _| colour, |px, py| strength * (1.0 - (px - x).hypot(py - y) / reach));
        }
    }

    /// A shapeless light.
    fn glow(&mut self, dice: &mut Dice, look: &Look) {
        let (x, y) = (dice.between(90.0, 170.0), dice.between(50.0, 95.0));
        let reach = dice.between(60.0, 110.0);
        let colour = mix(look.skin, look.back, 0.35);
        self.all(|_, _| colour, |px, py| 0.8 * (1.0 - (px - x).hypot((py - y) * 1.3) / reach));
        let core = dice.between(12.0, 22.0);
        self.ball((x, y), (core, core * 0.9), look.eyes, 0.0);
    }

    fn figure(&mut self, dice: &mut Dice, look: &Look) {
        let light = if dice.part() < 0.5 { -1.0 } else { 1.0 };
        let (x, y) = (dice.between(60.0, 196.0), dice.between(44.0, 92.0));
        let (rx, ry) = (dice.between(26.0, 68.0), dice.between(34.0, 74.0));
        if dice.part() < 0.45 {
            let (from, to) = (dice.between(0.0, ACROSS), dice.between(0.0, ACROSS));
            let width = dice.between(6.0, 16.0);
            self.stroke((from, -5.0), (to, DOWN + 5.0), (width, width * 0.5), look.metal);
        }
        let shoulders = dice.between(60.0, 125.0);
        self.ball(
            (x + dice.between(-20.0, 20.0), DOWN + 18.0),
            (shoulders, dice.between(48.0, 80.0)),
            look.cloth,
            light,
        );
        self.headgear(dice, look, (x, y), (rx, ry), light);
        self.ball((x, y), (rx, ry), look.skin, light);
        self.face(dice, look, (x, y), (rx, ry), light);
        // A strong side of light over all.
        let edge = dice.between(0.2, 0.8) * ACROSS;
        let depth = dice.between(0.1, 0.45);
        self.all(|_, _| [0.0; 3], |px, _| depth * ((edge - px) * light / 90.0).clamp(0.0, 1.0));
    }

    fn headgear(
        &mut self,
        dice: &mut Dice,
        look: &Look,
        (x, y): (f32, f32),
        (rx, ry): (f32, f32),
        light: f32,
    ) {
        match dice.within(0..5) {
            0 => {
                let (grown, tall) = (dice.between(1.25, 1.7), dice.between(1.15, 1.5));
                self.ball((x, y - 4.0), (rx * grown, ry * tall), look.cloth, light);
            }
            1 | 2 => {
                let (spread, rise) = (dice.between(0.8, 2.2), dice.between(0.9, 1.9));
                let thick = dice.between(10.0, 22.0);
                for wing in [-1.0, 1.0] {
                    let root = (x + wing * rx * 0.7, y - ry * 0.5);
                    self.stroke(root, (x + wing * rx * spread, y - ry * rise), (thick, 2.0), look.metal);
                }
            }
            3 => {
                for _ in 0..dice.within(5..11) {
                    let root = (x + dice.between(-rx, rx), y - ry * dice.between(0.3, 0.9));
                    let tip = (root.0 + dice.between(-70.0, 70.0), root.1 + dice.between(-50.0, 75.0));
                    let colour = mix(look.cloth, look.metal, dice.part());
                    self.stroke(root, tip, (dice.between(8.0, 18.0), 2.0), colour);
                }
            }
            _ => self.ball((x, y - ry * 0.45), (rx * 1.25, ry * 0.8), look.metal, light),
        }
    }

    fn face(&mut self, dice: &mut Dice, look: &Look, (x, y): (f32, f32), (rx, ry): (f32, f32), light: f32) {
        let (apart, level) = (rx * dice.between(0.3, 0.5), y - ry * dice.between(0.0, 0.25));
        let size = dice.between(3.5, 8.0);
        let dark = mix(look.skin, [0.0; 3], 0.8);
        let eyes = if dice.part() < 0.15 { vec![0.0] } else { vec![-apart, apart] };
        for dx in eyes {
            self.ball((x + dx, level), (size * 1.5, size * 1.2), dark, 0.0);
            self.ball((x + dx, level), (size * 0.7, size * 0.6), look.eyes, 0.0);
        }
        let (mouth, wide) = (y + ry * dice.between(0.35, 0.55), rx * dice.between(0.2, 0.6));
        self.stroke(
            (x - wide, mouth),
            (x + wide, mouth + dice.between(-6.0, 6.0)),
            (dice.between(3.0, 12.0), 3.0),
            dark,
        );
        match dice.within(0..4) {
            0 => self.ball((x, y + ry * 0.95), (rx * 0.75, ry * dice.between(0.4, 0.8)), look.metal, light),
            1 => {
                let brow = level - size * 2.2;
                self.stroke((x - rx * 0.8, brow), (x + rx * 0.8, brow), (7.0, 7.0), look.cloth);
            }
            2 => {
                for tusk in [-1.0, 1.0] {
                    let root = (x + tusk * wide * 0.8, mouth);
                    self.stroke(root, (root.0 + tusk * 6.0, mouth - 24.0), (8.0, 1.0), look.eyes);
                }
            }
            _ => {
                let band = dice.between(-0.5, 0.6) * ry;
                self.stroke(
                    (x - rx, y + band),
                    (x + rx, y + band),
                    (dice.between(5.0, 14.0), 4.0),
                    look.metal,
                );
            }
        }
    }

    /// Brush strokes all over, and the bytes.
    fn finish(self, dice: &mut Dice, rough: f32) -> Vec<u8> {
        let coarse: Vec<f32> = (0..33 * 19).map(|_| dice.between(-1.0, 1.0)).collect();
        let mut out = Vec::with_capacity(self.pixels.len() * 3);
        for (number, pixel) in self.pixels.iter().enumerate() {
            let (x, y) = (number % 256, number / 256);
            let at = |dx: usize, dy: usize| coarse[(y / 8 + dy) * 33 + x / 8 + dx];
            let (fx, fy) = (position(x % 8) / 8.0, position(y % 8) / 8.0);
            let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * fx;
            let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * fx;
            let grain = signed(i32::try_from(dice.within(0..9)).unwrap_or(0)) - 4.0;
            let noise = (upper + (lower - upper) * fy) * rough + grain * rough / 9.0;
            out.extend(pixel.map(|c| byte(c * 255.0 + noise)));
        }
        out
    }
}
