//! What the platforms take, as data, and the look at an output before it goes on air. Pure.
//!
//! A profile refuses what its platform would refuse, with a sentence for the field that is wrong, and adapts what was left
//! open. Sources: Twitch's broadcasting guidelines, X's Media Studio, YouTube's live encoder settings. Called by `definition`.

use media::air::{SoundCodec, VideoCodec};

use crate::base::error::Field;

/// Where an output goes, as far as limits matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Twitter,
    Twitch,
    Youtube,
    Custom,
}

/// What a platform takes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    video: &'static [VideoCodec],
    sound: &'static [SoundCodec],
    needs_sound: bool,
    fps: u32,
    /// Pixels of the longer and the shorter side.
    sides: (u32, u32),
    /// kbit/s, least and most.
    kbps: (u32, u32),
    sound_kbps: (u32, u32),
}

/// What an output would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub video: VideoCodec,
    pub sound: Option<SoundCodec>,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub kbps: u32,
    pub sound_kbps: u32,
}

/// kbit/s that any encoder is asked for.
pub const KBPS: (u32, u32) = (100, 50_000);
pub const SOUND_KBPS: (u32, u32) = (32, 320);

const H264: &[VideoCodec] = &[VideoCodec::H264];
const AAC: &[SoundCodec] = &[SoundCodec::Aac];

impl Profile {
    pub const ALL: [Self; 4] = [Self::Twitter, Self::Twitch, Self::Youtube, Self::Custom];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Twitter => "twitter",
            Self::Twitch => "twitch",
            Self::Youtube => "youtube",
            Self::Custom => "custom",
        }
    }

    /// The platform that serves at `host`.
    pub fn of_host(host: &str) -> Self {
        let below = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        if below("pscp.tv") {
            Self::Twitter
        } else if below("twitch.tv") || below("live-video.net") {
            Self::Twitch
        } else if below("youtube.com") {
            Self::Youtube
        } else {
            Self::Custom
        }
    }

    const fn limits(self) -> Limits {
        let platform = Limits {
            video: H264,
            sound: AAC,
            needs_sound: true,
            fps: 60,
            sides: (1920, 1080),
            kbps: KBPS,
            sound_kbps: SOUND_KBPS,
        };
        match self {
            Self::Twitter => Limits { kbps: (KBPS.0, 12_000), sound_kbps: (32, 128), ..platform },
            Self::Twitch => Limits { kbps: (KBPS.0, 6000), sound_kbps: (32, 320), ..platform },
            Self::Youtube => {
                Limits { kbps: (KBPS.0, 50_000), sides: (3840, 2160), sound_kbps: (32, 320), ..platform }
            }
            Self::Custom => Limits {
                video: &[VideoCodec::H264, VideoCodec::Vp8, VideoCodec::Vp9],
                sound: &[SoundCodec::Aac, SoundCodec::Opus],
                needs_sound: false,
                sides: (8192, 8192),
                ..platform
            },
        }
    }

    /// The plan as this platform takes it, and what was changed; `asked` says which numbers somebody chose, which are not
    /// changed but refused.
    ///
    /// # Errors
    /// By field, what the platform does not take.
    pub fn preflight(self, plan: Plan, asked: Asked) -> Result<(Plan, Vec<String>), Vec<Field>> {
        let (limits, name) = (self.limits(), self.word());
        let (mut plan, mut notes, mut wrong) = (plan, Vec::new(), Vec::new());
        let mut refuse =
            |field: &str, message: String| wrong.push(Field { field: field.to_owned(), message });
        if !limits.video.contains(&plan.video) {
            refuse("videoCodec", format!("{name} takes {} only", list(limits.video, video_word)));
        }
        match plan.sound {
            Some(codec) if !limits.sound.contains(&codec) => {
                refuse("audioCodec", format!("{name} takes {} only", list(limits.sound, sound_word)));
            }
            None if limits.needs_sound => {
                refuse("audioCodec", format!("{name} needs a sound track, which may be silent"));
            }
            _ => {}
        }
        let (longer, shorter) = (plan.width.max(plan.height), plan.width.min(plan.height));
        if longer > limits.sides.0 || shorter > limits.sides.1 {
            let (most, least) = limits.sides;
            let message = format!(
                "{name} takes {most}x{least} at most, and the program is {}x{} (compositor.resolution)",
                plan.width, plan.height
            );
            refuse("profile", message);
        }
        if plan.fps > limits.fps {
            refuse("profile", format!("{name} takes {} frames a second at most", limits.fps));
        }
        for (field, what, value, asked, (least, most)) in [
            ("bitrateKbps", "picture", &mut plan.kbps, asked.kbps, limits.kbps),
            ("audioBitrateKbps", "sound", &mut plan.sound_kbps, asked.sound_kbps, limits.sound_kbps),
        ] {
            let fits = (*value).clamp(least, most);
            if fits == *value {
                continue;
            }
            if asked {
                refuse(field, format!("must be from {least} to {most} for {name}"));
            } else {
                notes.push(format!("{name} takes {least} to {most} kbit/s of {what}: {fits} are sent"));
                *value = fits;
            }
        }
        if wrong.is_empty() { Ok((plan, notes)) } else { Err(wrong) }
    }
}

/// Which numbers of a plan somebody chose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub kbps: bool,
    pub sound_kbps: bool,
}

pub(super) const fn video_word(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "h264",
        VideoCodec::Vp8 => "vp8",
        VideoCodec::Vp9 => "vp9",
    }
}

pub(super) const fn sound_word(codec: SoundCodec) -> &'static str {
    match codec {
        SoundCodec::Aac => "aac",
        SoundCodec::Opus => "opus",
    }
}

fn list<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> String {
    all.iter().map(|one| word(*one)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Plan = Plan {
        video: VideoCodec::H264,
        sound: Some(SoundCodec::Aac),
        width: 1920,
        height: 1080,
        fps: 30,
        kbps: 4000,
        sound_kbps: 128,
    };

    #[test]
    fn what_a_platform_does_not_take_is_refused_by_its_field() {
        use Profile::{Custom, Twitch, Twitter, Youtube};
        let vp9 = Plan { video: VideoCodec::Vp9, ..USUAL };
        let opus = Plan { sound: Some(SoundCodec::Opus), ..USUAL };
        let silent = Plan { sound: None, ..USUAL };
        let large = Plan { width: 3840, height: 2160, ..USUAL };
        let upright = Plan { width: 1080, height: 1920, ..USUAL };
        let rich = Plan { kbps: 9000, ..USUAL };
        let none = Plan { kbps: 0, ..USUAL };
        for (profile, plan, refused) in [
            (Twitter, USUAL, ""),
            (Twitch, USUAL, ""),
            (Youtube, USUAL, ""),
            (Custom, USUAL, ""),
            (Twitch, vp9, "videoCodec"),
            (Custom, vp9, ""),
            (Twitter, opus, "audioCodec"),
            (Custom, opus, ""),
            (Youtube, silent, "audioCodec"),
            (Custom, silent, ""),
            (Twitch, large, "profile"),
            (Youtube, large, ""),
            (Twitter, upright, ""),
            (Twitch, rich, "bitrateKbps"),
            (Twitter, rich, ""),
            (Custom, none, "bitrateKbps"),
        ] {
            let asked = Asked { kbps: true, sound_kbps: true };
            let wrong = profile.preflight(plan, asked).err().unwrap_or_default();
            let fields: Vec<_> = wrong.iter().map(|field| field.field.as_str()).collect();
            assert_eq!(fields.join(" "), refused, "{profile:?} {plan:?}");
        }
    }

    #[test]
    fn numbers_nobody_chose_are_adapted_and_it_says_so() {
        let rich = Plan { kbps: 9000, sound_kbps: 400, ..USUAL };
        let (plan, notes) = Profile::Twitch.preflight(rich, Asked::default()).unwrap();
        assert_eq!((plan.kbps, plan.sound_kbps, notes.len()), (6000, 320, 2));
        assert!(notes[0].contains("6000"), "{notes:?}");
    }

    #[test]
    fn a_platform_is_known_by_its_host() {
        for (host, profile) in [
            ("live.twitch.tv", Profile::Twitch),
            ("fra05.contribute.live-video.net", Profile::Twitch),
            ("a.rtmp.youtube.com", Profile::Youtube),
            ("ie.pscp.tv", Profile::Twitter),
            ("nottwitch.tv", Profile::Custom),
            ("example.com", Profile::Custom),
        ] {
            assert_eq!(Profile::of_host(host), profile, "{host}");
        }
    }
}
