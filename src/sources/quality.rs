//! Which of the qualities a channel offers is taken. Pure.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use media::m3u8::Variant;

/// The best picture wanted: written `720p`, `720p60`, `best`, `source` or `worst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// Whatever is best.
    #[default]
    Source,
    /// Not more lines than these, and of several the one with at most `fps` (30 when not said).
    Height {
        lines: u32,
        fps: Option<u32>,
    },
    Worst,
}

/// The text is no quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be lines such as 720p or 720p60, best, source or worst")]
pub struct NotAQuality;

impl FromStr for Quality {
    type Err = NotAQuality;

    fn from_str(text: &str) -> Result<Self, NotAQuality> {
        match text.to_ascii_lowercase().as_str() {
            "best" | "source" => Ok(Self::Source),
            "worst" => Ok(Self::Worst),
            lines => {
                let (lines, fps) = numbers(lines).ok_or(NotAQuality)?;
                Ok(Self::Height { lines, fps })
            }
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Worst => f.write_str("worst"),
            Self::Height { lines, fps: None } => write!(f, "{lines}p"),
            Self::Height { lines, fps: Some(fps) } => write!(f, "{lines}p{fps}"),
        }
    }
}

/// `720p60` → 720 and 60.
fn numbers(text: &str) -> Option<(u32, Option<u32>)> {
    let (lines, fps) = text.split_once('p')?;
    let number = |digits: &str, most: u32| -> Option<u32> {
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|number| plain && (1..=most).contains(number))
    };
    let fps = if fps.is_empty() { None } else { Some(number(fps, 240)?) };
    Some((number(lines, 8192)?, fps))
}

/// What is known of one variant, as far as it matters for choosing.
#[derive(Clone, Copy, Debug)]
struct Offer {
    /// The shorter side; `None` when neither size nor name tell.
    lines: Option<u32>,
    fps: u32,
    bandwidth: u64,
    /// How dear its codec is to decode.
    cost: u8,
}

impl Offer {
    /// Frame rates of what doesn't say.
    const USUAL_FPS: u32 = 30;

    fn of(variant: &Variant) -> Self {
        let name = variant.name.as_deref().unwrap_or_default().to_ascii_lowercase();
        let named = name.split([' ', '(']).find_map(numbers);
        let lines = variant.resolution.map(|(width, height)| width.min(height)).filter(|&lines| lines > 0);
        let fps = variant.fps.filter(|fps| fps.is_finite() && *fps >= 1.0 && *fps < 1000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to 1000")]
        let fps = fps.map(|fps| fps.round() as u32).or(named.and_then(|(_, fps)| fps));
        let codecs = variant.codecs.as_deref().unwrap_or_default();
        let cost = match () {
            () if codecs.contains("av01") => 2,
            () if codecs.contains("hvc1") || codecs.contains("hev1") => 1,
            () => 0,
        };
        Self {
            lines: lines.or(named.map(|(lines, _)| lines)),
            fps: fps.unwrap_or(Self::USUAL_FPS),
            bandwidth: variant.bandwidth,
            cost,
        }
    }

    /// Bits per second that a picture of so many lines has at most, as broadcasters set it.
    fn usual_bandwidth(lines: u32) -> u64 {
        u64::from(lines) * u64::from(lines) * 8
    }
}

/// The best of `variants` not above `quality`, never sound alone; when all are above, the least. `None` when there is no
/// video.
pub fn pick(variants: &[Variant], quality: Quality) -> Option<&Variant> {
    let offers: Vec<_> = variants
        .iter()
        .filter(|variant| variant.video)
        .map(|variant| (Offer::of(variant), variant))
        .collect();
    let sized = offers.iter().any(|(offer, _)| offer.lines.is_some());
    // Beside variants whose lines are known, one that doesn't tell is the source as it came.
    let lines = |offer: &Offer| offer.lines.unwrap_or(if sized { u32::MAX } else { 0 });
    let better = |offer: &Offer| (lines(offer), offer.fps, Reverse(offer.cost), offer.bandwidth);
    let least =
        || offers.iter().min_by_key(|(offer, _)| (lines(offer), offer.fps, offer.cost, offer.bandwidth));
    let chosen = match quality {
        Quality::Source => offers.iter().max_by_key(|(offer, _)| better(offer)),
        Quality::Worst => least(),
        Quality::Height { lines: most, .. } if !sized => {
            let fits = |offer: &Offer| offer.bandwidth <= Offer::usual_bandwidth(most);
            let best = offers.iter().filter(|(offer, _)| fits(offer));
            best.max_by_key(|(offer, _)| (Reverse(offer.cost), offer.bandwidth)).or_else(least)
        }
        Quality::Height { lines: most, fps } => {
            let asked = fps.unwrap_or(Offer::USUAL_FPS);
            // Rates above the asked one come after all below it, the lowest first.
            let rate = |offer: &Offer| {
                if offer.fps <= asked { (true, i64::from(offer.fps)) } else { (false, -i64::from(offer.fps)) }
            };
            let best = offers.iter().filter(|(offer, _)| lines(offer) <= most);
            best.max_by_key(|(offer, _)| (lines(offer), rate(offer), Reverse(offer.cost), offer.bandwidth))
                .or_else(least)
        }
    };
    chosen.map(|(_, variant)| *variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_are_read_and_written_alike() {
        for (text, quality) in [
            ("720p", Some("720p")),
            ("720P60", Some("720p60")),
            ("best", Some("source")),
            ("Source", Some("source")),
            ("worst", Some("worst")),
            ("audio_only", None),
            ("p", None),
            ("720", None),
            ("0p", None),
            ("+720p", None),
            ("720p+1", None),
            ("99999p", None),
            ("720p999", None),
            ("720i", None),
            ("", None),
        ] {
            let read = text.parse::<Quality>().ok();
            assert_eq!(read.map(|quality| quality.to_string()).as_deref(), quality, "{text}");
        }
    }

    /// `lines@fps:bandwidth`, or a name; `-` is sound alone.
    fn variants(text: &str) -> Vec<Variant> {
        let variant = |word: &str| {
            let mut variant = Variant { uri: word.to_owned(), video: word != "-", ..Variant::default() };
            let (size, bandwidth) = word.split_once(':').unwrap_or((word, "0"));
            variant.bandwidth = bandwidth.parse().unwrap();
            match size.split_once('@') {
                Some((lines, fps)) => {
                    let lines: u32 = lines.parse().unwrap();
                    variant.resolution = Some((lines * 16 / 9, lines));
                    variant.fps = fps.parse().ok();
                }
                None => variant.name = (!size.is_empty()).then(|| size.to_owned()),
            }
            variant
        };
        text.split_whitespace().map(variant).collect()
    }

    #[test]
    fn the_best_not_above_what_is_asked_is_taken() {
        const TWITCH: &str = "1080@60:6000 720@60:3400 720@30:2300 480@30:1400 360@30:700 160@30:230 -";
        for (offered, asked, taken) in [
            (TWITCH, "source", "1080@60:6000"),
            (TWITCH, "1080p60", "1080@60:6000"),
            (TWITCH, "1080p", "1080@60:6000"),
            (TWITCH, "720p", "720@30:2300"),
            (TWITCH, "720p30", "720@30:2300"),
            (TWITCH, "720p60", "720@60:3400"),
            (TWITCH, "700p", "480@30:1400"),
            (TWITCH, "100p", "160@30:230"),
            (TWITCH, "worst", "160@30:230"),
            ("720@60:3400 480@30:1400", "720p", "720@60:3400"),
            ("720@25:2000 720@50:3000 720@60:3500", "720p30", "720@25:2000"),
            ("720@50:3000 720@60:3500", "720p30", "720@50:3000"),
            ("720@30:2000 720@30:3000", "720p", "720@30:3000"),
            ("chunked 720p60 720p30 480p30 -", "source", "chunked"),
            ("chunked 720p60 720p30 480p30 -", "720p", "720p30"),
            ("chunked 480p30", "720p", "480p30"),
            ("chunked", "480p", "chunked"),
            ("- :500000 :2000000 :9000000", "720p", ":2000000"),
            (":5000000 :9000000", "360p", ":5000000"),
            ("-", "720p", "none"),
            ("", "720p", "none"),
        ] {
            let offered_list = variants(offered);
            let got = pick(&offered_list, asked.parse().unwrap());
            assert_eq!(got.map_or("none", |variant| &variant.uri), taken, "{asked} of {offered}");
        }
    }

    #[test]
    fn of_equals_the_codec_that_is_cheapest_to_decode_is_taken() {
        let with =
            |codecs: &str| Variant { codecs: Some(codecs.to_owned()), ..variants("1080@60:6000").remove(0) };
        let offered = [with("av01.0.09M.08"), with("hvc1.1.6.L93.B0"), with("avc1.64002A,mp4a.40.2")];
        assert_eq!(pick(&offered, Quality::Source), Some(&offered[2]));
    }
}
