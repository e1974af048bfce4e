//! What somebody published: enough to say whether anything is missing.
//!
//! Made by [`super::connection`], read by tests.

use bytes::Bytes;
use media::rtmp;

/// One coded picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Milliseconds, modulo 2³², when it is to be decoded.
    pub timestamp: u32,
    pub keyframe: bool,
    /// Milliseconds from decoding to showing.
    pub composition: i32,
    /// Bytes.
    pub size: usize,
}

/// One frame of coded sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sound {
    /// Milliseconds, modulo 2³².
    pub timestamp: u32,
    /// Bytes.
    pub size: usize,
}

/// From `publish` to the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    pub app: String,
    pub key: String,
    /// The AVCDecoderConfigurationRecord, the newest.
    pub picture_config: Option<Bytes>,
    /// The AudioSpecificConfig, the newest.
    pub sound_config: Option<Bytes>,
    pub pictures: Vec<Picture>,
    pub sounds: Vec<Sound>,
    /// Bytes of its connection, with all that is around the media.
    pub bytes: u64,
    /// Whether the publisher said that it ends.
    pub finished: bool,
    /// Whether its connection is gone.
    pub over: bool,
    flv: Vec<u8>,
    keep: usize,
}

/// Pictures and frames of sound kept: days of them.
const MOST: usize = 10_000_000;

const SOUND: u8 = 8;
const PICTURE: u8 = 9;

impl Publication {
    pub(super) fn new(app: String, key: String, keep: usize) -> Self {
        Self {
            app,
            key,
            picture_config: None,
            sound_config: None,
            pictures: Vec::new(),
            sounds: Vec::new(),
            bytes: 0,
            finished: false,
            over: false,
            flv: Vec::new(),
            keep,
        }
    }

    /// All its media as an FLV file, as far as it was kept.
    #[must_use]
    pub fn flv(&self) -> Vec<u8> {
        let both = u8::from(self.picture_config.is_some()) | u8::from(self.sound_config.is_some()) << 2;
        [&b"FLV\x01"[..], &[both, 0, 0, 0, 9, 0, 0, 0, 0], &self.flv].concat()
    }

    /// From where to where the pictures' times go on by more than `most` milliseconds, or go back.
    #[must_use]
    pub fn gaps(&self, most: u32) -> Vec<[u32; 2]> {
        let times = self.pictures.windows(2).map(|pair| [pair[0].timestamp, pair[1].timestamp]);
        times.filter(|[from, to]| to.wrapping_sub(*from) > most).collect()
    }

    /// Pictures from each keyframe to the next; the last group may go on.
    #[must_use]
    pub fn groups(&self) -> Vec<usize> {
        let mut groups = Vec::new();
        for picture in &self.pictures {
            match groups.last_mut() {
                Some(group) if !picture.keyframe => *group += 1,
                _ => groups.push(1),
            }
        }
        groups
    }

    pub(super) fn picture(&mut self, timestamp: u32, video: rtmp::Video) {
        match video {
            rtmp::Video::Config(config) => {
                self.tag(PICTURE, timestamp, &[0x17, 0, 0, 0, 0], &config);
                self.picture_config = Some(config);
            }
            rtmp::Video::Unit { keyframe, composition, data } => {
                let [_, a, b, c] = composition.to_be_bytes();
                let kind = if keyframe { 0x17 } else { 0x27 };
                self.tag(PICTURE, timestamp, &[kind, 1, a, b, c], &data);
                if self.pictures.len() < MOST {
                    self.pictures.push(Picture { timestamp, keyframe, composition, size: data.len() });
                }
            }
        }
    }

    pub(super) fn sound(&mut self, timestamp: u32, sound: rtmp::Sound) {
        match sound {
            rtmp::Sound::AacConfig(config) => {
                self.tag(SOUND, timestamp, &[0xaf, 0], &config);
                self.sound_config = Some(config);
            }
            rtmp::Sound::Aac(data) => {
                self.tag(SOUND, timestamp, &[0xaf, 1], &data);
                if self.sounds.len() < MOST {
                    self.sounds.push(Sound { timestamp, size: data.len() });
                }
            }
        }
    }

    /// One tag of FLV (FLV 10.1, annex E.4.1), if there is room for it.
    fn tag(&mut self, kind: u8, timestamp: u32, head: &[u8], data: &[u8]) {
        let size = head.len() + data.len();
        let Ok(length) = u32::try_from(size) else { return };
        if self.flv.len() + size + 15 > self.keep {
            return;
        }
        let [_, a, b, c] = length.to_be_bytes();
        let [high, x, y, z] = timestamp.to_be_bytes();
        self.flv.extend([kind, a, b, c, x, y, z, high, 0, 0, 0]);
        self.flv.extend(head);
        self.flv.extend(data);
        self.flv.extend((length + 11).to_be_bytes());
    }
}
