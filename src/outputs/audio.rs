//! The program's sound: which sources there are, how each sounds, how loud it is.
//!
//! Owns the mixer and what is set on it. The thread of `sound` mixes, once for all encodes; `listen` reads files into it. The
//! mixer is locked for the time of ten milliseconds' sound at most. Called by `desk` and, through it, by `api`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use serde_json::{Map, Value, json};
use sound::{Counts, Duck, Level, Loudness, Mixer, Sample, Settings, Timing};

use super::definition::is_name;
use crate::base::error::{Error, Field, Kind, Result};

/// A source as it is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub of: Origin,
    /// Whether a file begins again at its end.
    pub repeat: bool,
    pub settings: Settings,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The id of an asset.
    File(String),
    /// A stream, while a layer shows it in full.
    Stream(String),
}

/// How long before it is due the sound of a stream is given to the mixer, which holds what waits at that.
const LEAD_MS: u32 = 100;
/// Streams that are heard without being set.
const MOST_SHOWN: usize = 16;

/// How loud everything is, as it was a moment ago.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// By source.
    pub sources: BTreeMap<String, (Level, Counts)>,
    /// `None` while nothing is mixed.
    pub program: Option<Loudness>,
}

/// The sources and the mixer.
pub(super) struct Audio {
    desk: Mutex<Desk>,
    levels: ArcSwap<Levels>,
}

struct Desk {
    sources: BTreeMap<String, Source>,
    /// Streams that layers show, have sound, and are no source by anybody's word.
    shown: BTreeSet<String>,
    /// Only while something is mixed.
    mixer: Option<Mixer>,
    /// Counts changes of what is read.
    changes: u64,
}

impl Audio {
    pub(super) fn new() -> Self {
        let desk = Desk { sources: BTreeMap::new(), shown: BTreeSet::new(), mixer: None, changes: 0 };
        Self { desk: Mutex::new(desk), levels: ArcSwap::default() }
    }

    /// Those that were set.
    pub(super) fn sources(&self) -> BTreeMap<String, Source> {
        self.desk().sources.clone()
    }

    /// All that are heard: those that were set, and the streams that layers show.
    pub(super) fn all(&self) -> BTreeMap<String, Source> {
        let desk = self.desk();
        let shown = desk.shown.iter().map(|name| (name.clone(), Source::of_stream(name)));
        desk.sources.clone().into_iter().chain(shown).collect()
    }

    /// These streams are shown and have sound: each is heard, as the source of its name, unless one was set.
    pub(super) fn show(&self, streams: &[String]) {
        let mut desk = self.desk();
        let set = |name: &String| {
            let is = |source: &Source| source.of == Origin::Stream(name.clone());
            desk.sources.contains_key(name) || desk.sources.values().any(is)
        };
        let shown: BTreeSet<String> =
            streams.iter().filter(|name| !set(name)).take(MOST_SHOWN).cloned().collect();
        if shown == desk.shown {
            return;
        }
        let desk = &mut *desk;
        let before = std::mem::replace(&mut desk.shown, shown.clone());
        let Some(mixer) = &mut desk.mixer else { return };
        for gone in before.difference(&shown).filter(|name| !desk.sources.contains_key(*name)) {
            // It may have gone already.
            let _ = mixer.remove(gone);
        }
        for new in shown.difference(&before) {
            // With too many sources it is not heard.
            let _ = mixer.add(new, Source::LIVE, Settings::default());
        }
    }

    /// The sources that play that stream.
    pub(super) fn of_stream(&self, stream: &str) -> Vec<String> {
        let desk = self.desk();
        let is = |source: &Source| matches!(&source.of, Origin::Stream(name) if name == stream);
        let set = desk.sources.iter().filter(|(_, source)| is(source)).map(|(name, _)| name.clone());
        set.chain(desk.shown.get(stream).cloned()).collect()
    }

    pub(super) fn is_mixing(&self) -> bool {
        self.desk().mixer.is_some()
    }

    /// Counts changes of what files are read.
    pub(super) fn changes(&self) -> u64 {
        self.desk().changes
    }

    /// Sets a source; one that is new is added.
    pub(super) fn set(&self, name: &str, source: Source) {
        let mut desk = self.desk();
        let before = desk.sources.insert(name.to_owned(), source.clone());
        let was_shown = desk.shown.remove(name).then(|| Source::of_stream(name));
        let before = before.or(was_shown);
        let same =
            before.as_ref().is_some_and(|before| before.of == source.of && before.repeat == source.repeat);
        if !same {
            desk.changes += 1;
        }
        let timing = before.is_none_or(|before| before.timing() != source.timing());
        if let Some(mixer) = &mut desk.mixer {
            if timing {
                // There may be none.
                let _ = mixer.remove(name);
            }
            let set = mixer.set(name, source.settings.clone());
            if set.is_err() {
                // Checked before: it can only be new.
                let _ = mixer.add(name, source.timing(), source.settings);
            }
        }
    }

    pub(super) fn remove(&self, name: &str) {
        let mut desk = self.desk();
        desk.sources.remove(name);
        desk.changes += 1;
        if let Some(mixer) = &mut desk.mixer {
            // One that was never added is gone already.
            let _ = mixer.remove(name);
        }
    }

    /// Begins to mix with sample `first`.
    pub(super) fn begin(&self, first: i64) {
        let mut desk = self.desk();
        let mut mixer = Mixer::new(first);
        for (name, source) in &desk.sources {
            // They were checked when they were set.
            let _ = mixer.add(name, source.timing(), source.settings.clone());
        }
        for name in &desk.shown {
            // With too many sources it is not heard.
            let _ = mixer.add(name, Source::LIVE, Settings::default());
        }
        desk.mixer = Some(mixer);
        desk.changes += 1;
    }

    /// Nothing is mixed any more.
    pub(super) fn end(&self) {
        let mut desk = self.desk();
        desk.mixer = None;
        desk.changes += 1;
        drop(desk);
        self.levels.store(Arc::default());
    }

    /// The next samples, as many as `out` has.
    pub(super) fn mix(&self, out: &mut [Sample]) {
        match &mut self.desk().mixer {
            Some(mixer) => mixer.mix(out.len(), out),
            None => out.fill([0.0; 2]),
        }
    }

    /// How loud each source is in what was mixed last, 1 being full scale.
    pub(super) fn heard(&self) -> BTreeMap<String, f32> {
        let desk = self.desk();
        let heard = desk.mixer.iter().flat_map(Mixer::heard);
        heard.map(|(name, level)| (name.to_owned(), level)).collect()
    }

    /// Gives sound of a source, to be heard from sample `number` on; the samples of it that wait then.
    pub(super) fn push(&self, name: &str, number: i64, sound: &[Sample]) -> Option<usize> {
        let mut desk = self.desk();
        let mixer = desk.mixer.as_mut()?;
        mixer.push(name, number, sound).ok()?;
        mixer.waiting(name)
    }

    /// The next sample that is mixed, and the samples of a source that wait.
    pub(super) fn waiting(&self, name: &str) -> Option<(i64, usize)> {
        let desk = self.desk();
        let mixer = desk.mixer.as_ref()?;
        Some((mixer.next(), mixer.waiting(name)?))
    }

    /// Looks at the meters.
    pub(super) fn look(&self) {
        let mut desk = self.desk();
        let Some(mixer) = &mut desk.mixer else { return };
        let counts: Vec<_> = mixer.sources().map(|(name, _, counts)| (name.to_owned(), counts)).collect();
        let sources = counts.into_iter().filter_map(|(name, counts)| {
            let level = mixer.level(&name)?;
            Some((name, (level, counts)))
        });
        let levels = Levels { sources: sources.collect(), program: Some(mixer.loudness()) };
        drop(desk);
        self.levels.store(Arc::new(levels));
    }

    pub(super) fn levels(&self) -> Arc<Levels> {
        self.levels.load_full()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("no code that can panic runs under this lock")
    }
}

impl Source {
    const LIVE: Timing = Timing::Live { delay_ms: LEAD_MS };

    /// A stream as it is heard unless something else was set.
    pub(super) fn of_stream(name: &str) -> Self {
        Self { of: Origin::Stream(name.to_owned()), ..Self::unset() }
    }

    fn timing(&self) -> Timing {
        match self.of {
            Origin::File(_) => Timing::Exact,
            Origin::Stream(_) => Self::LIVE,
        }
    }

    /// The id of its asset, if it is one.
    pub fn src(&self) -> Option<&str> {
        if let Origin::File(src) = &self.of { Some(src) } else { None }
    }

    /// Its stream, if it is one.
    pub fn stream(&self) -> Option<&str> {
        if let Origin::Stream(name) = &self.of { Some(name) } else { None }
    }

    /// As it is shown and kept.
    pub fn document(&self) -> Value {
        let Settings { volume, pan, mute, fade_ms, duck } = &self.settings;
        let duck = duck.as_ref().map(|duck| json!({ "by": duck.by, "amountDb": short(duck.amount_db) }));
        json!({
            "src": self.src(), "stream": self.stream(), "loop": self.repeat, "volume": short(*volume), "pan": short(*pan), "mute": mute,
            "fadeMs": fade_ms, "duck": duck,
        })
    }

    /// `before` with a merge patch; without one, the patch must name a `src` or a `stream`.
    ///
    /// # Errors
    /// `Invalid` by field; `NotFound` for a source that isn't there, when neither is given.
    pub fn patched(name: &str, before: Option<&Self>, patch: &Value) -> Result<Self> {
        let Some(patch) = patch.as_object() else { return Err(Error::invalid("body", "must be an object")) };
        if !is_name(name) {
            return Err(Error::invalid("source", "must be 1 to 64 of A-Z, a-z, 0-9, _ and -"));
        }
        let names = |field: &str| patch.get(field).is_some_and(|value| !value.is_null());
        if before.is_none() && !names("src") && !names("stream") {
            let detail =
                format!("there is no source '{name}'; name its file in src, or its stream, to make one");
            return Err(Error::new(Kind::NotFound, detail));
        }
        let mut wrong = Vec::new();
        let mut refuse = |field: &str, message: &str| {
            wrong.push(Field { field: field.to_owned(), message: message.to_owned() });
        };
        let mut new = before.cloned().unwrap_or_else(Self::unset);
        for (field, value) in patch {
            match (field.as_str(), value) {
                ("source" | "level" | "counts", _) => {}
                ("src", Value::String(src)) => new.of = Origin::File(src.clone()),
                ("stream", Value::String(stream)) if is_name(stream) && !names("src") => {
                    new.of = Origin::Stream(stream.clone());
                }
                ("src" | "stream", Value::Null) => {}
                ("src", _) => refuse("src", "must be the id of an asset"),
                ("stream", _) => refuse("stream", "must be the name of a stream, and src must not be there"),
                ("loop", Value::Bool(repeat)) => new.repeat = *repeat,
                ("loop", _) => refuse("loop", "must be true or false"),
                ("mute", Value::Bool(mute)) => new.settings.mute = *mute,
                ("mute", _) => refuse("mute", "must be true or false"),
                ("volume" | "pan", Value::Number(number)) => {
                    let number = number.as_f64().map_or(f32::NAN, narrow);
                    *(if field == "volume" { &mut new.settings.volume } else { &mut new.settings.pan }) =
                        number;
                }
                ("volume", _) => refuse("volume", "must be a number from 0 to 2"),
                ("pan", _) => refuse("pan", "must be a number from -1 to 1"),
                ("fadeMs", value) => match value.as_u64().and_then(|ms| u32::try_from(ms).ok()) {
                    Some(ms) => new.settings.fade_ms = ms,
                    None => refuse("fadeMs", "must be a whole number of milliseconds"),
                },
                ("duck", Value::Null) => new.settings.duck = None,
                ("duck", Value::Object(duck)) => match read_duck(duck) {
                    Some(duck) => new.settings.duck = Some(duck),
                    None => refuse("duck", "must be {\"by\": a source, \"amountDb\": 0 to 60}"),
                },
                ("duck", _) => refuse("duck", "must be an object or null"),
                (other, _) => refuse(other, "is not known"),
            }
        }
        if let Err(e) = new.settings.check(name) {
            let field = match e {
                sound::Error::Volume => "volume",
                sound::Error::Pan => "pan",
                sound::Error::Fade => "fadeMs",
                _ => "duck",
            };
            refuse(field, &e.to_string());
        }
        if wrong.is_empty() { Ok(new) } else { Err(Error::invalid_fields("this source can't be", wrong)) }
    }

    fn unset() -> Self {
        Self { of: Origin::File(String::new()), repeat: false, settings: Settings::default() }
    }
}

fn read_duck(duck: &Map<String, Value>) -> Option<Duck> {
    let known = duck.keys().all(|key| key == "by" || key == "amountDb");
    let by = duck.get("by")?.as_str().filter(|by| is_name(by) && known)?;
    Some(Duck { by: by.to_owned(), amount_db: narrow(duck.get("amountDb")?.as_f64()?) })
}

#[expect(clippy::cast_possible_truncation, reason = "volumes and decibels need no more digits")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

/// As many digits as people write.
pub(super) fn short(value: f32) -> f64 {
    (f64::from(value) * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_checked_by_field_and_changes_what_it_names() {
        let music =
            Source::patched("music", None, &json!({"src": "song", "volume": 0.5, "loop": true})).unwrap();
        assert_eq!((music.src(), music.repeat, music.settings.volume), (Some("song"), true, 0.5));
        let ducked = json!({"duck": {"by": "voice", "amountDb": 12}, "fadeMs": 300, "pan": -1, "level": {}});
        let ducked = Source::patched("music", Some(&music), &ducked).unwrap();
        assert_eq!(
            ducked.document(),
            json!({
                "src": "song", "stream": null, "loop": true, "volume": 0.5, "pan": -1.0, "mute": false, "fadeMs": 300,
                "duck": {"by": "voice", "amountDb": 12.0},
            })
        );
        let back = Source::patched("music", None, &ducked.document()).unwrap();
        assert_eq!(back, ducked, "what the store has is what was set");
        for (patch, field) in [
            (json!({"volume": 2.1}), "volume"),
            (json!({"volume": "loud"}), "volume"),
            (json!({"pan": -2}), "pan"),
            (json!({"mute": 1}), "mute"),
            (json!({"fadeMs": -1}), "fadeMs"),
            (json!({"fadeMs": 1e9}), "fadeMs"),
            (json!({"duck": {"by": "voice"}}), "duck"),
            (json!({"duck": {"by": "music", "amountDb": 3}}), "duck"),
            (json!({"duck": {"by": "voice", "amountDb": 99}}), "duck"),
            (json!({"src": 7}), "src"),
            (json!({"stream": "no name"}), "stream"),
            (json!({"stream": "cam", "src": "song"}), "stream"),
            (json!({"colour": 7}), "colour"),
            (json!(7), "body"),
        ] {
            let error = Source::patched("music", Some(&music), &patch).expect_err(&patch.to_string());
            assert_eq!(error.fields()[0].field, field, "{patch}");
        }
        assert_eq!(Source::patched("music", None, &json!({})).unwrap_err().kind(), Kind::NotFound);
    }

    #[test]
    fn streams_that_are_shown_are_heard_until_somebody_says_otherwise() {
        let audio = Audio::new();
        audio.begin(0);
        audio.show(&["cam".to_owned(), "cup".to_owned()]);
        assert_eq!(audio.all().keys().collect::<Vec<_>>(), ["cam", "cup"]);
        assert_eq!(audio.of_stream("cam"), ["cam"]);
        assert!(audio.push("cam", 7, &[[0.5; 2]; 480]).is_some());
        let shown = &audio.all()["cup"];
        audio.set("cup", Source::patched("cup", Some(shown), &json!({"volume": 0.5})).unwrap());
        let other = Source::patched("talk", None, &json!({"stream": "cam"})).unwrap();
        assert_eq!(Source::patched("talk", None, &other.document()).unwrap(), other);
        audio.set("talk", other);
        audio.show(&["cam".to_owned(), "cup".to_owned()]);
        assert_eq!(audio.all().keys().collect::<Vec<_>>(), ["cup", "talk"]);
        assert_eq!(audio.of_stream("cam"), ["talk"]);
        assert_eq!(audio.push("cam", 7, &[[0.5; 2]; 480]), None, "it is heard as talk");
        audio.show(&[]);
        assert_eq!(audio.all().len(), 2, "what was set stays");
    }

    #[test]
    fn what_is_pushed_is_heard_at_its_number_and_silence_is_where_nothing_is() {
        let audio = Audio::new();
        let source = Source::patched("music", None, &json!({"src": "song"})).unwrap();
        audio.set("music", source);
        let mut out = [[1.0; 2]; 4800];
        audio.mix(&mut out);
        assert!(out.iter().all(|sample| *sample == [0.0; 2]), "nothing is mixed yet");
        audio.begin(10_000);
        let (next, waiting) = audio.waiting("music").unwrap();
        assert_eq!(waiting, 0);
        assert_eq!(audio.push("music", next, &[[0.25; 2]; 9600]), Some(9600));
        audio.mix(&mut out);
        assert!((out[4000][0] - 0.25).abs() < 0.01, "{:?}", out[4000]);
        audio.look();
        let levels = audio.levels();
        assert!((levels.sources["music"].0.peak_db + 12.0).abs() < 0.5, "{levels:?}");
        audio.remove("music");
        audio.mix(&mut out);
        assert!(out[4799][0].abs() < 0.001, "it fades out");
        audio.end();
        assert!(audio.levels().program.is_none());
    }
}
