//! Between premultiplied sRGB and premultiplied codes of BT.709 in limited range.
//!
//! A code is premultiplied with its offset: luma `a·(16 + 219·Y)`, chroma `a·(128 + 224·C)`. So alpha scales all that a
//! sample is, `over` is `source + target·(1 − a)` for luma, chroma and alpha alike, and no plane needs to know an offset.
//! The step from premultiplied RGB is linear, so that blending codes is blending colours.

/// Red, green, blue weights of BT.709 (ITU-R BT.709-6, item 3.2).
const WEIGHTS: [f64; 3] = [0.2126, 0.7152, 0.0722];

/// Y, Cb, Cr and alpha of one pixel, premultiplied.
pub(crate) type Texel = [u8; 4];

/// From red, green, blue, alpha (0–255, premultiplied) to a code, in 32768ths.
pub(super) const LUMA: [i16; 4] = {
    let span = 32768.0 * 219.0 / 255.0;
    [
        fixed(WEIGHTS[0] * span),
        fixed(WEIGHTS[1] * span),
        fixed(WEIGHTS[2] * span),
        fixed(32768.0 * 16.0 / 255.0),
    ]
};
pub(super) const BLUE: [i16; 4] = {
    let span = 32768.0 * 224.0 / 255.0 / (2.0 - 2.0 * WEIGHTS[2]);
    let (red, blue) = (fixed(-WEIGHTS[0] * span), fixed((1.0 - WEIGHTS[2]) * span));
    // Green takes what the others leave, so that grey has no colour at all.
    [red, -red - blue, blue, fixed(32768.0 * 128.0 / 255.0)]
};
pub(super) const RED: [i16; 4] = {
    let span = 32768.0 * 224.0 / 255.0 / (2.0 - 2.0 * WEIGHTS[0]);
    let (red, blue) = (fixed((1.0 - WEIGHTS[0]) * span), fixed(-WEIGHTS[2] * span));
    [red, -red - blue, blue, fixed(32768.0 * 128.0 / 255.0)]
};

/// The nearest whole number.
#[expect(clippy::cast_possible_truncation, reason = "the factors are below 1")]
const fn fixed(n: f64) -> i16 {
    if n < 0.0 { (n - 0.5) as i16 } else { (n + 0.5) as i16 }
}

/// The codes of a premultiplied RGBA pixel, rounded to nearest, none above alpha.
#[inline(always)]
pub(crate) fn texel([r, g, b, a]: [u8; 4]) -> Texel {
    let pixel = [r, g, b, a].map(i32::from);
    let code = |factors: [i16; 4]| {
        let sum: i32 = (0..4).map(|i| i32::from(factors[i]) * pixel[i]).sum();
        ((sum + (1 << 14)) >> 15).clamp(0, pixel[3]).to_le_bytes()[0]
    };
    [code(LUMA), code(BLUE), code(RED), a]
}

/// From premultiplied codes less their offsets to red, green, blue (0–255): what luma, Cb and Cr add.
pub(crate) struct Back {
    pub(crate) luma: f32,
    pub(crate) red: f32,
    pub(crate) green: [f32; 2],
    pub(crate) blue: f32,
}

/// The way back from codes to colours.
#[expect(clippy::cast_possible_truncation, reason = "factors of a few digits")]
pub(crate) const BACK: Back = {
    let chroma = 255.0 / 224.0;
    let (blue, red) = (chroma * (2.0 - 2.0 * WEIGHTS[2]), chroma * (2.0 - 2.0 * WEIGHTS[0]));
    Back {
        luma: (255.0 / 219.0) as f32,
        red: red as f32,
        green: [(-blue * WEIGHTS[2] / WEIGHTS[1]) as f32, (-red * WEIGHTS[0] / WEIGHTS[1]) as f32],
        blue: blue as f32,
    }
};

/// Premultiplied red, green, blue (0–255, not clamped) of premultiplied codes.
#[inline(always)]
pub(crate) fn rgb([y, u, v, a]: [f32; 4]) -> [f32; 3] {
    let luma = (y - a * (16.0 / 255.0)) * BACK.luma;
    let (cb, cr) = (u - a * (128.0 / 255.0), v - a * (128.0 / 255.0));
    [luma + BACK.red * cr, luma + BACK.green[0] * cb + BACK.green[1] * cr, luma + BACK.blue * cb]
}

/// Premultiplied codes (not rounded) of premultiplied red, green, blue and alpha (0–255).
#[expect(clippy::cast_possible_truncation, reason = "factors of a few digits")]
#[inline(always)]
pub(crate) fn codes([r, g, b]: [f32; 3], a: f32) -> [f32; 3] {
    const SPAN: f32 = (219.0 / 255.0) as f32;
    const CB: f32 = (224.0 / 255.0 / (2.0 - 2.0 * WEIGHTS[2])) as f32;
    const CR: f32 = (224.0 / 255.0 / (2.0 - 2.0 * WEIGHTS[0])) as f32;
    let y = WEIGHTS[0] as f32 * r + WEIGHTS[1] as f32 * g + WEIGHTS[2] as f32 * b;
    [a * (16.0 / 255.0) + SPAN * y, a * (128.0 / 255.0) + CB * (b - y), a * (128.0 / 255.0) + CR * (r - y)]
}

/// A float of 0 to 255 as the nearest byte; what is not a number is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as is wanted"
)]
#[inline(always)]
pub(crate) fn byte(n: f32) -> u8 {
    (n + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_the_codes_of_the_recommendation() {
        for (pixel, codes) in [
            ([0, 0, 0, 255], [16, 128, 128, 255]),
            ([255, 255, 255, 255], [235, 128, 128, 255]),
            ([255, 0, 0, 255], [63, 102, 240, 255]),
            ([0, 255, 0, 255], [173, 42, 26, 255]),
            ([0, 0, 255, 255], [32, 240, 118, 255]),
            ([128, 128, 128, 128], [118, 64, 64, 128]),
            ([0, 0, 0, 0], [0, 0, 0, 0]),
            ([255, 255, 255, 3], [3, 2, 2, 3]),
        ] {
            assert_eq!(texel(pixel), codes, "{pixel:?}");
        }
    }

    #[test]
    fn grey_has_no_colour_at_any_alpha() {
        for alpha in 0..=255_u8 {
            for grey in 0..=alpha {
                let [_, u, v, _] = texel([grey, grey, grey, alpha]);
                assert_eq!((u, v), (byte(f32::from(alpha) * 128.0 / 255.0), u));
            }
        }
    }

    #[test]
    fn the_way_there_and_back_is_the_same_colour() {
        for pixel in [[255, 0, 0, 255], [0, 9, 200, 255], [30, 60, 90, 120], [1, 0, 0, 1], [90, 0, 90, 90]] {
            let there = codes([pixel[0], pixel[1], pixel[2]].map(f32::from), f32::from(pixel[3]));
            let back = rgb([there[0], there[1], there[2], f32::from(pixel[3])]);
            for (back, was) in back.into_iter().zip(pixel) {
                assert!((back - f32::from(was)).abs() < 0.01, "{pixel:?}: {back}");
            }
            for (exact, code) in there.into_iter().zip(texel(pixel)) {
                assert!((exact - f32::from(code)).abs() < 0.51, "{pixel:?}: {exact} {code}");
            }
        }
    }
}
