//! The qualities a channel is sent in.
//!
//! Called by whoever builds a world; the default is what Twitch offers for a good source. Pure.

/// One quality.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rendition {
    /// As it stands in addresses and groups: `chunked`, `720p60`.
    pub id: String,
    /// As people are shown it: `1080p60 (source)`.
    pub name: String,
    /// `None`: sound alone.
    pub video: Option<Video>,
    pub sound_kbps: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Video {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Frames a second: a divisor of 60.
    pub fps: u32,
    pub kbps: u32,
    pub b_frames: u32,
}

impl Rendition {
    #[must_use]
    pub fn new(id: &str, name: &str, video: Video) -> Self {
        let sound_kbps = if video.height > 160 { 128 } else { 64 };
        Self { id: id.to_owned(), name: name.to_owned(), video: Some(video), sound_kbps }
    }

    #[must_use]
    pub fn sound_only() -> Self {
        Self { id: "audio_only".into(), name: "Audio Only".into(), video: None, sound_kbps: 128 }
    }

    /// Whether this is what the broadcaster sent, rather than made from it.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.id == "chunked"
    }

    /// Bits a second as playlists say them: with the container's share.
    #[must_use]
    pub fn bandwidth(&self) -> u32 {
        let kbps = self.video.map_or(0, |video| video.kbps) + self.sound_kbps;
        kbps * 1060
    }

    /// The same at three quarters of the size: what a broadcaster's change of settings looks like.
    #[must_use]
    pub fn smaller(&self) -> Self {
        let mut smaller = self.clone();
        if let Some(video) = &mut smaller.video {
            let size = |pixels: u32| (pixels * 3 / 4).next_multiple_of(2);
            (video.width, video.height) = (size(video.width), size(video.height));
        }
        smaller
    }
}

/// Source, 1080p60, 720p60, 720p30, 480p, 360p, 160p and sound alone.
#[must_use]
pub fn twitch() -> Vec<Rendition> {
    let video = |width, height, fps, kbps, b_frames| Video { width, height, fps, kbps, b_frames };
    vec![
        Rendition::new("chunked", "1080p60 (source)", video(1920, 1080, 60, 6000, 2)),
        Rendition::new("1080p60", "1080p60", video(1920, 1080, 60, 5000, 0)),
        Rendition::new("720p60", "720p60", video(1280, 720, 60, 3400, 0)),
        Rendition::new("720p30", "720p", video(1280, 720, 30, 3000, 0)),
        Rendition::new("480p30", "480p", video(852, 480, 30, 1400, 0)),
        Rendition::new("360p30", "360p", video(640, 360, 30, 700, 0)),
        Rendition::new("160p30", "160p", video(284, 160, 30, 300, 0)),
        Rendition::sound_only(),
    ]
}

/// 160p and sound alone: little to encode.
#[must_use]
pub fn small() -> Vec<Rendition> {
    twitch()
        .into_iter()
        .filter(|rendition| matches!(rendition.id.as_str(), "160p30" | "audio_only"))
        .collect()
}
