//! How outputs are made, from the settings of the program.

use std::path::PathBuf;

use media::air::{Acceleration, Limits, Preset, SoundCodec, VideoCodec};

use super::definition::Defaults;
use super::twitter::{self, Keys};
use crate::base::config::{self, Config};
use crate::base::secret::Secret;

/// How outputs are made.
#[derive(Clone, Debug)]
pub struct Settings {
    pub defaults: Defaults,
    pub preset: Preset,
    pub acceleration: Acceleration,
    /// Files go into `program` below it.
    pub folder: PathBuf,
    /// An output of the operator's.
    pub url: Option<Secret>,
    pub limits: Limits,
    pub twitter: twitter::Settings,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let (program, outputs) = (&config.compositor, &config.outputs);
        let sound = if outputs.audio_codec == "opus" { SoundCodec::Opus } else { SoundCodec::Aac };
        Self {
            defaults: Defaults {
                width: program.width,
                height: program.height,
                fps: program.fps,
                video: video(outputs),
                sound: outputs.audio.then_some(sound),
                kbps: outputs.kbps,
                sound_kbps: outputs.audio_kbps,
            },
            preset: outputs.preset.parse().expect("the words of the setting are those of the presets"),
            acceleration: acceleration(outputs),
            folder: config.recording.folder.clone(),
            url: outputs.url.clone(),
            limits: Limits { connect: outputs.connect, stall: outputs.stall },
            twitter: twitter::Settings { api: outputs.twitter.api_url.clone(), keys: keys(&outputs.twitter) },
        }
    }
}

/// All four, or none.
fn keys(twitter: &config::Twitter) -> Option<Keys> {
    Some(Keys {
        consumer: twitter.api_key.clone()?,
        consumer_secret: twitter.api_secret.clone()?,
        token: twitter.access_token.clone()?,
        token_secret: twitter.access_token_secret.clone()?,
    })
}

fn video(outputs: &config::Outputs) -> VideoCodec {
    match outputs.video_codec.as_str() {
        "vp8" => VideoCodec::Vp8,
        "vp9" => VideoCodec::Vp9,
        _ => VideoCodec::H264,
    }
}

fn acceleration(outputs: &config::Outputs) -> Acceleration {
    match outputs.hwaccel.as_str() {
        "auto" => Acceleration::Auto,
        "nvenc" => Acceleration::Nvenc,
        "qsv" => Acceleration::Qsv,
        "vaapi" => Acceleration::Vaapi,
        _ => Acceleration::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::{Kind, find};

    #[test]
    fn every_word_of_the_settings_is_understood() {
        let words = |key: &str| match find(key).expect("it is a setting").kind {
            Kind::Word { words, .. } => words,
            other => panic!("{other:?}"),
        };
        for word in words("outputs.preset") {
            word.parse::<Preset>().unwrap();
        }
        assert_eq!(words("outputs.preset").len(), Preset::ALL.len());
    }
}
