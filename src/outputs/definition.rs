//! What somebody says an output is: read from JSON, checked, completed, shown without its secrets. Pure.
//!
//! Every mistake is told by its field. Called by `desk`, for what comes over the API, from the settings and from the store.

use media::air::{SoundCodec, VideoCodec};
use serde_json::{Map, Value, json};
use url::Url;

use super::address::{self, Scheme};
use super::profiles::{Asked, Plan, Profile, sound_word, video_word};
use crate::base::error::{Error, Field, Result};
use crate::base::secret::Secret;
use crate::egress::Trust;

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTMP or RTMPS.
    Rtmp,
    Srt,
    /// A playlist and segments that we serve.
    Hls,
    /// A file below the recordings.
    File,
    /// RTMP to X, with an announcement.
    Twitter,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Rtmp, Self::Srt, Self::Hls, Self::File, Self::Twitter];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Srt => "srt",
            Self::Hls => "hls",
            Self::File => "file",
            Self::Twitter => "twitter",
        }
    }
}

/// What is sent where nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub video: VideoCodec,
    /// `None`: without sound.
    pub sound: Option<SoundCodec>,
    pub kbps: u32,
    pub sound_kbps: u32,
}

/// What has to be encoded for an output. Outputs with the same recipe share one encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub video: VideoCodec,
    pub kbps: u32,
    pub sound: Option<(SoundCodec, u32)>,
}

/// An output as it was defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub id: String,
    pub kind: Kind,
    pub(super) place: Place,
    pub profile: Profile,
    pub enabled: bool,
    pub recipe: Recipe,
    /// What was adapted to the profile.
    pub notes: Vec<String>,
    /// Said when it goes live, and when it is over.
    pub announcement: Option<String>,
    pub closing: Option<String>,
    /// As it was said, completed by nothing.
    asked: Map<String, Value>,
    trust: Trust,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Net { url: Url, scheme: Scheme, key: Option<Secret> },
    File { name: String },
    Here,
}

const FIELDS: [&str; 13] = [
    "id",
    "type",
    "url",
    "key",
    "name",
    "profile",
    "videoCodec",
    "audioCodec",
    "bitrateKbps",
    "audioBitrateKbps",
    "enabled",
    "announcement",
    "closing",
];
/// Told by us; a client that sends back what it was given sends them too.
const TOLD: [&str; 11] = [
    "state",
    "sentKbps",
    "reconnects",
    "lastError",
    "since",
    "droppedFrames",
    "queuedBytes",
    "notes",
    "file",
    "announced",
    "twitter",
];
/// Characters of an announcement.
const MOST_TEXT: usize = 280;

impl Definition {
    /// Reads what a client or the store says; `id` is taken where it gives none.
    ///
    /// # Errors
    /// `Invalid`, by field.
    pub fn read(asked: &Value, id: &str, defaults: &Defaults, trust: Trust) -> Result<Self> {
        let Some(asked) = asked.as_object() else {
            return Err(Error::invalid("body", "must be an object"));
        };
        let mut reader = Reader { asked, wrong: Vec::new() };
        reader.refuse_unknown();
        let id = reader.text("id").unwrap_or_else(|| id.to_owned());
        if !is_name(&id) {
            reader.refuse("id", "must be 1 to 64 of A-Z, a-z, 0-9, _ and -");
        }
        let address = reader.text("url").map(|text| address::parse(&text, trust));
        let kind = reader.kind(address.as_ref());
        let key = reader.text("key");
        if key.as_deref().is_some_and(|key| !address::is_key(key)) {
            reader.refuse("key", "must be 1 to 4096 printable characters without blanks");
        }
        let place = reader.place(kind, address, key);
        let host = match &place {
            Some(Place::Net { url, .. }) => url.host_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let usual = if kind == Some(Kind::Twitter) { Profile::Twitter } else { Profile::of_host(&host) };
        let profile = reader.word("profile", &Profile::ALL, Profile::word).unwrap_or(usual);
        let enabled = reader.flag("enabled").unwrap_or(true);
        let plan = reader.plan(kind, profile, defaults);
        let (announcement, closing) = (reader.said("announcement"), reader.said("closing"));
        let wrong = reader.wrong;
        let (Some(kind), Some(place), Some((plan, notes)), true) = (kind, place, plan, wrong.is_empty())
        else {
            return Err(Error::invalid_fields("this output can't be", wrong));
        };
        let recipe = Recipe {
            video: plan.video,
            kbps: plan.kbps,
            sound: plan.sound.map(|codec| (codec, plan.sound_kbps)),
        };
        let mut asked = asked.clone();
        asked.retain(|field, _| !TOLD.contains(&field.as_str()));
        asked.insert("id".to_owned(), json!(id));
        asked.insert("type".to_owned(), json!(kind.word()));
        Ok(Self { id, kind, place, profile, enabled, recipe, notes, announcement, closing, asked, trust })
    }

    /// The same with a merge patch (RFC 7396) applied.
    ///
    /// # Errors
    /// As [`Definition::read`], and for another id or type.
    pub fn patched(&self, patch: &Value, defaults: &Defaults) -> Result<Self> {
        let Some(patch) = patch.as_object() else { return Err(Error::invalid("body", "must be an object")) };
        let mut asked = self.asked.clone();
        for (field, value) in patch {
            let unchanged = field == "url" && value.as_str() == self.shown_url().as_deref();
            if field == "id" && *value != json!(self.id)
                || field == "type" && *value != json!(self.kind.word())
            {
                return Err(Error::invalid(field.as_str(), "can't be changed"));
            }
            match value {
                _ if unchanged => {}
                Value::Null => drop(asked.remove(field)),
                _ => drop(asked.insert(field.clone(), value.clone())),
            }
        }
        Self::read(&Value::Object(asked), &self.id, defaults, self.trust)
    }

    /// All that is needed to read it again, secrets included: for the store only.
    pub(super) fn document(&self) -> Value {
        Value::Object(self.asked.clone())
    }

    /// The address without its secrets.
    pub fn shown_url(&self) -> Option<String> {
        match &self.place {
            Place::Net { url, scheme, key } => Some(address::shown(url, *scheme, key.is_some())),
            Place::File { .. } | Place::Here => None,
        }
    }

    /// The name of a file.
    pub fn name(&self) -> Option<&str> {
        match &self.place {
            Place::File { name } => Some(name),
            Place::Net { .. } | Place::Here => None,
        }
    }

    pub const fn video_word(&self) -> &'static str {
        video_word(self.recipe.video)
    }

    pub const fn sound_word(&self) -> &'static str {
        match self.recipe.sound {
            Some((codec, _)) => sound_word(codec),
            None => "none",
        }
    }

    /// Whether it came from the settings, and stays as they say.
    pub fn is_fixed(&self) -> bool {
        self.trust == Trust::Operator
    }

    pub(super) const fn trust(&self) -> Trust {
        self.trust
    }
}

struct Reader<'a> {
    asked: &'a Map<String, Value>,
    wrong: Vec<Field>,
}

impl Reader<'_> {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.wrong.push(Field { field: field.to_owned(), message: message.into() });
    }

    fn refuse_unknown(&mut self) {
        for field in self.asked.keys().map(String::as_str) {
            if !FIELDS.contains(&field) && !TOLD.contains(&field) {
                self.refuse(field, "is not known");
            }
        }
    }

    fn given(&self, field: &str) -> Option<&Value> {
        self.asked.get(field).filter(|value| !value.is_null())
    }

    fn text(&mut self, field: &str) -> Option<String> {
        let value = self.given(field)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.refuse(field, "must be a text");
        }
        text
    }

    fn flag(&mut self, field: &str) -> Option<bool> {
        let value = self.given(field)?.as_bool();
        if value.is_none() {
            self.refuse(field, "must be true or false");
        }
        value
    }

    fn number(&mut self, field: &str) -> Option<u32> {
        let value = self.given(field)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.refuse(field, "must be a whole number of kbit/s");
        }
        number
    }

    fn word<T: Copy>(&mut self, field: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Option<T> {
        let text = self.text(field)?;
        let known = all.iter().copied().find(|one| word(*one) == text);
        if known.is_none() {
            let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
            self.refuse(field, format!("must be one of {}", words.join(", ")));
        }
        known
    }

    fn said(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        if text.is_empty() || text.chars().count() > MOST_TEXT {
            self.refuse(field, format!("must have 1 to {MOST_TEXT} characters"));
        }
        Some(text)
    }

    fn kind(&mut self, address: Option<&std::result::Result<(Url, Scheme), &'static str>>) -> Option<Kind> {
        if self.given("type").is_some() {
            return self.word("type", &Kind::ALL, Kind::word);
        }
        match address {
            Some(Ok((_, Scheme::Rtmp))) => Some(Kind::Rtmp),
            Some(Ok((_, Scheme::Srt))) => Some(Kind::Srt),
            Some(Err(why)) => {
                self.refuse("url", *why);
                None
            }
            None => {
                self.refuse("type", "must be given where there is no url: hls or file");
                None
            }
        }
    }

    fn place(
        &mut self,
        kind: Option<Kind>,
        address: Option<std::result::Result<(Url, Scheme), &'static str>>,
        key: Option<String>,
    ) -> Option<Place> {
        let kind = kind?;
        let name = self.text("name");
        match kind {
            Kind::Rtmp | Kind::Srt | Kind::Twitter => {
                let scheme = if kind == Kind::Srt { Scheme::Srt } else { Scheme::Rtmp };
                match address {
                    Some(Ok((url, found))) if found == scheme => {
                        return Some(Place::Net { url, scheme, key: key.map(Secret::new) });
                    }
                    Some(Ok(_)) => self.refuse("url", format!("is not of type {}", kind.word())),
                    Some(Err(why)) => self.refuse("url", why),
                    None => self.refuse("url", "must be given"),
                }
            }
            Kind::File => match name {
                _ if address.is_some() => self.refuse("url", "a file has a name, not an address"),
                Some(name) if is_name(&name) => return Some(Place::File { name }),
                Some(_) => {
                    let message = "must be 1 to 64 of A-Z, a-z, 0-9, _ and -: a name, not a path";
                    self.refuse("name", message);
                }
                None => self.refuse("name", "must be given"),
            },
            Kind::Hls if address.is_some() => self.refuse("url", "we serve it: it has no address"),
            Kind::Hls => return Some(Place::Here),
        }
        None
    }

    /// What is sent: as asked, as its container can have it, as the profile takes it.
    fn plan(
        &mut self,
        kind: Option<Kind>,
        profile: Profile,
        defaults: &Defaults,
    ) -> Option<(Plan, Vec<String>)> {
        let codecs = [VideoCodec::H264, VideoCodec::Vp8, VideoCodec::Vp9];
        let video = self.word("videoCodec", &codecs, video_word);
        let (kbps, sound_kbps) = (self.number("bitrateKbps"), self.number("audioBitrateKbps"));
        let sounds = [Some(SoundCodec::Aac), Some(SoundCodec::Opus), None];
        let sound = self.word("audioCodec", &sounds, |codec| codec.map_or("none", sound_word));
        let mut notes = Vec::new();
        let web = kind == Some(Kind::File) && video.unwrap_or(defaults.video) != VideoCodec::H264;
        let mut plan = Plan {
            video: video.unwrap_or(defaults.video),
            sound: sound.unwrap_or(defaults.sound),
            width: defaults.width,
            height: defaults.height,
            fps: defaults.fps,
            kbps: kbps.unwrap_or(defaults.kbps),
            sound_kbps: sound_kbps.unwrap_or(defaults.sound_kbps),
        };
        let container = match kind? {
            Kind::Rtmp | Kind::Twitter => "RTMP",
            Kind::Srt => "SRT",
            Kind::Hls => "HLS",
            Kind::File => "MP4",
        };
        let wanted = if web { SoundCodec::Opus } else { SoundCodec::Aac };
        if !web && plan.video != VideoCodec::H264 {
            if video.is_some() {
                let message = format!("{container} takes h264 only, not {}", video_word(plan.video));
                self.refuse("videoCodec", message);
            } else {
                notes.push(format!("{container} takes h264 only, which is sent"));
                plan.video = VideoCodec::H264;
            }
        }
        if plan.sound.is_some_and(|codec| codec != wanted) {
            let (container, word) = (if web { "WebM" } else { container }, sound_word(wanted));
            if sound.is_some() {
                self.refuse("audioCodec", format!("{container} takes {word} only"));
            } else {
                notes.push(format!("{container} takes {word} only, which is sent"));
                plan.sound = Some(wanted);
            }
        }
        let asked = Asked { kbps: kbps.is_some(), sound_kbps: sound_kbps.is_some() };
        match profile.preflight(plan, asked) {
            Ok((plan, more)) => {
                notes.extend(more);
                Some((plan, notes))
            }
            Err(wrong) => {
                let new =
                    wrong.into_iter().filter(|field| !self.wrong.iter().any(|old| old.field == field.field));
                let new: Vec<_> = new.collect();
                self.wrong.extend(new);
                None
            }
        }
    }
}

/// What ids and the names of files are made of.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    allowed && (1..=64).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn defaults() -> Defaults {
        Defaults {
            width: 1280,
            height: 720,
            fps: 30,
            video: VideoCodec::H264,
            sound: Some(SoundCodec::Aac),
            kbps: 4000,
            sound_kbps: 128,
        }
    }

    fn read(asked: &Value) -> Result<Definition> {
        Definition::read(asked, "one", &defaults(), Trust::Outside)
    }

    #[test]
    fn a_type_follows_from_the_address_and_a_profile_from_the_host() {
        for (asked, kind, profile) in [
            (json!({"url": "rtmp://h/live/k"}), Kind::Rtmp, Profile::Custom),
            (json!({"url": "rtmps://live.twitch.tv/app", "key": "k"}), Kind::Rtmp, Profile::Twitch),
            (json!({"url": "srt://h:9000"}), Kind::Srt, Profile::Custom),
            (json!({"type": "hls"}), Kind::Hls, Profile::Custom),
            (json!({"type": "file", "name": "show"}), Kind::File, Profile::Custom),
            (json!({"type": "twitter", "url": "rtmp://h/x", "key": "k"}), Kind::Twitter, Profile::Twitter),
        ] {
            let definition = read(&asked).unwrap_or_else(|e| panic!("{asked}: {e} {:?}", e.fields()));
            assert_eq!((definition.kind, definition.profile), (kind, profile), "{asked}");
            assert!(definition.enabled);
            let again =
                Definition::read(&definition.document(), "other", &defaults(), Trust::Outside).unwrap();
            assert_eq!(again, definition, "what the store has is what was defined");
        }
    }

    #[test]
    fn every_mistake_is_told_by_its_field() {
        for (asked, fields) in [
            (json!([]), "body"),
            (json!({}), "type"),
            (json!({"url": "rtmp://h/live/k", "colour": 1}), "colour"),
            (json!({"url": "http://h/live"}), "url"),
            (json!({"url": 7}), "url type"),
            (json!({"type": "rtmp"}), "url"),
            (json!({"type": "rtmp", "url": "srt://h:1"}), "url"),
            (json!({"type": "dvd"}), "type"),
            (json!({"type": "file"}), "name"),
            (json!({"type": "file", "name": "../x"}), "name"),
            (json!({"type": "file", "name": "/etc/passwd"}), "name"),
            (json!({"type": "file", "name": "a", "url": "rtmp://h/l/k"}), "url"),
            (json!({"url": "rtmp://h/l/k", "id": "a b"}), "id"),
            (json!({"url": "rtmp://h/l", "key": "a b"}), "key"),
            (json!({"url": "rtmp://h/l/k", "bitrateKbps": 0}), "bitrateKbps"),
            (json!({"url": "rtmp://h/l/k", "bitrateKbps": -1}), "bitrateKbps"),
            (json!({"url": "rtmp://h/l/k", "bitrateKbps": 1_000_000}), "bitrateKbps"),
            (json!({"url": "rtmp://h/l/k", "videoCodec": "vp9"}), "videoCodec"),
            (json!({"url": "rtmp://h/l/k", "audioCodec": "opus"}), "audioCodec"),
            (json!({"url": "rtmp://h/l/k", "enabled": "yes"}), "enabled"),
            (json!({"url": "rtmp://h/l/k", "profile": "twitch", "bitrateKbps": 9000}), "bitrateKbps"),
            (json!({"url": "rtmp://h/l/k", "profile": "vimeo"}), "profile"),
            (json!({"type": "twitter", "url": "rtmp://h/l/k", "announcement": ""}), "announcement"),
        ] {
            let error = read(&asked).expect_err(&asked.to_string());
            let found: Vec<_> = error.fields().iter().map(|field| field.field.as_str()).collect();
            assert_eq!(found.join(" "), fields, "{asked}");
        }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_keeps_the_key() {
        let one = read(&json!({"url": "rtmp://h/live", "key": "sesame", "bitrateKbps": 2000})).unwrap();
        assert_eq!(one.shown_url().as_deref(), Some("rtmp://h/live/***"));
        let shown =
            json!({"url": "rtmp://h/live/***", "enabled": false, "bitrateKbps": null, "state": "live"});
        let two = one.patched(&shown, &defaults()).unwrap();
        assert_eq!((two.enabled, two.recipe.kbps, &two.place), (false, 4000, &one.place));
        for patch in [json!({"id": "two"}), json!({"type": "srt"}), json!(7)] {
            assert!(one.patched(&patch, &defaults()).is_err(), "{patch}");
        }
        assert!(!format!("{:?}", one.place).contains("sesame"));
    }

    #[test]
    fn vp9_goes_into_a_file_with_opus_and_nowhere_else() {
        let file = read(&json!({"type": "file", "name": "show", "videoCodec": "vp9"})).unwrap();
        assert_eq!(file.recipe.sound, Some((SoundCodec::Opus, 128)));
        assert_eq!(file.notes.len(), 1);
    }
}
