//! Colours: sRGB with straight alpha, read as CSS writes them.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::read::{Slot, Spoken};

/// sRGB, 8 bits each, alpha not multiplied in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Color {
    pub r: u8,
    pub g: u8,
    pub b: u8,
    /// 255 hides what is below.
    pub a: u8,
}

impl Color {
    pub const BLACK: Self = Self { r: 0, g: 0, b: 0, a: 255 };
    pub const WHITE: Self = Self { r: 255, g: 255, b: 255, a: 255 };
    pub const CLEAR: Self = Self { r: 0, g: 0, b: 0, a: 0 };

    /// `#rgb #rgba #rrggbb #rrggbbaa`, `rgb()`, `rgba()`, `hsl()` and what else CSS Color 4 knows, and its names.
    ///
    /// Outside sRGB it is clipped. `None` for anything else, `currentcolor` and `none` too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        /// Longer than any colour that a person writes.
        const MOST: usize = 100;
        if text.len() > MOST {
            return None;
        }
        let color = color::parse_color(text).ok()?.to_alpha_color::<color::Srgb>();
        if color.components.iter().any(|part| !part.is_finite()) {
            return None;
        }
        let color::Rgba8 { r, g, b, a } = color.to_rgba8();
        Some(Self { r, g, b, a })
    }

    /// The colour `part` (0 to 1) of the way to `other`, as CSS mixes legacy colours: premultiplied, in sRGB.
    #[must_use]
    pub fn mix(self, other: Self, part: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * part.clamp(0.0, 1.0);
        let (a0, a1) = (f64::from(self.a), f64::from(other.a));
        let a = between(a0, a1);
        let channel = |from: u8, to: u8| {
            let premultiplied = between(f64::from(from) * a0, f64::from(to) * a1);
            byte(if a > 0.0 { premultiplied / a } else { 0.0 })
        };
        Self {
            r: channel(self.r, other.r),
            g: channel(self.g, other.g),
            b: channel(self.b, other.b),
            a: byte(a),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and clamped to a byte")]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// `#rrggbb`, or `#rrggbbaa` where something shows through.
impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { r, g, b, a } = self;
        match a {
            255 => serializer.collect_str(&format_args!("#{r:02x}{g:02x}{b:02x}")),
            _ => serializer.collect_str(&format_args!("#{r:02x}{g:02x}{b:02x}{a:02x}")),
        }
    }
}

impl Spoken for Color {
    fn schema() -> Value {
        json!({"type": "string", "maxLength": 100, "examples": ["#fff", "#10203080", "rgba(0, 0, 0, 0.5)", "gold"]})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        value.as_str().and_then(Self::parse).ok_or_else(|| {
            "must be a colour: #rgb, #rgba, #rrggbb, #rrggbbaa, rgba() or a CSS name".to_owned()
        })
    }

    fn slot(&mut self) -> Option<Slot<'_>> {
        Some(Slot::Color(self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn colours_are_read_as_css_writes_them() {
        for (text, expected) in [
            ("#fff", "#ffffff"),
            ("#0f08", "#00ff0088"),
            ("#102030", "#102030"),
            ("#10203080", "#10203080"),
            ("#ABCDEF", "#abcdef"),
            ("rgb(255, 0, 0)", "#ff0000"),
            ("rgba(255, 0, 0, 0.5)", "#ff000080"),
            ("rgb(0 128 255 / 50%)", "#0080ff80"),
            ("hsl(120, 100%, 50%)", "#00ff00"),
            ("rebeccapurple", "#663399"),
            ("Gold", "#ffd700"),
            ("transparent", "#00000000"),
        ] {
            let color = Color::parse(text).unwrap_or_else(|| panic!("{text}"));
            let written = serde_json::to_value(color).unwrap();
            assert_eq!(written, json!(expected), "{text}");
            assert_eq!(Color::parse(expected), Some(color));
        }
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        let long = format!("#{}", "f".repeat(1 << 20));
        for bad in [
            "",
            "#",
            "#12",
            "#12345",
            "#ggg",
            "reddish",
            "currentcolor",
            "rgb(",
            "rgb(nan, 0, 0",
            "red blue",
            &long,
        ] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_clear_lends_no_colour_to_a_mixture() {
        let red = Color { r: 255, g: 0, b: 0, a: 255 };
        let clear_green = Color { r: 0, g: 255, b: 0, a: 0 };
        assert_eq!(red.mix(clear_green, 0.5), Color { a: 128, ..red });
        assert_eq!(Color::BLACK.mix(Color::WHITE, 0.5), Color { r: 128, g: 128, b: 128, a: 255 });
        for (part, expected) in [(0.0, red), (1.0, Color::WHITE), (-3.0, red), (7.0, Color::WHITE)] {
            assert_eq!(red.mix(Color::WHITE, part), expected, "{part}");
        }
        assert_eq!(clear_green.mix(clear_green, 0.3).a, 0);
    }
}
