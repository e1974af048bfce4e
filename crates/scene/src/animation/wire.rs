//! The shapes of animations in JSON.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Easing;
use crate::color::Color;
use crate::id::Id;
use crate::layer::Point;
use crate::read::{At, Flag, Inner, List, Maybe, Needed, Said, Spoken, Within, Word, plain, record, words};

/// A day, in ms.
const DAY: f64 = 86_400_000.0;

record! {
    /// Changes one layer over program time: by tracks of keyframes, or by a preset.
    pub struct Animation checked by tracks_or_preset {
        id "id": Id = Id::default(), Said;
        layer_id "layerId": Id = Id::default(), Said;
        /// ms before it begins; meanwhile the layer keeps its own values.
        delay "delay": f64 = 0.0, Within(0.0, DAY);
        /// How often it is played again after the first time.
        repeat "repeat": Repeat = Repeat::Times(0), Said;
        /// Whether every second time runs backwards.
        yoyo "yoyo": bool = false, Flag;
        /// Program time in ms at which its delay begins; now unless it is said.
        start_at "startAt": Option<f64> = None, Maybe(Within(0.0, 1e13));
        tracks "tracks": Vec<Track> = Vec::new(), List { least: 0, most: 64, each: Inner };
        /// In the place of tracks.
        preset "preset": Option<Preset> = None, Maybe(Word);
        /// For a preset: whether the layer comes or goes.
        direction "direction": Direction = Direction::In, Word;
        /// For `slide`: where it comes from or goes to.
        side "side": Side = Side::Left, Word;
        /// For a preset, in ms.
        duration "duration": f64 = 500.0, Within(1.0, DAY);
        /// For a preset; it has one of its own unless it is said.
        easing "easing": Option<Easing> = None, Maybe(Said);
    }
}

words! {
    pub enum Preset {
        /// Opacity from or to 0.
        Fade "fade",
        /// Position from or to one canvas away.
        Slide "slide",
        /// Scale from or to 0.
        Scale "scale",
        /// One turn, and opacity from or to 0.
        Rotate "rotate",
        /// Scale from or to 0, and it rebounds.
        Bounce "bounce",
    }
}

words! {
    pub enum Direction {
        In "in",
        Out "out",
    }
}

words! {
    pub enum Side {
        Left "left",
        Right "right",
        Top "top",
        Bottom "bottom",
    }
}

record! {
    /// One property over time.
    pub struct Track {
        /// `opacity position position.x position.y scale scale.x scale.y rotation zIndex`,
        /// `content.<path to a number or colour>` or `effects.<index>.<parameter>`.
        property "property": String = String::new(), plain(200, "the name of a property");
        /// For `position`: an SVG path in canvas px; keyframes then say how far along it, from 0 to 1.
        path "path": Option<String> = None, Maybe(plain(20_000, "the data of an SVG path"));
        /// Whether the layer turns with the path, its own rotation added.
        auto_rotate "autoRotate": bool = false, Flag;
        keyframes "keyframes": Vec<Keyframe> = Vec::new(), List { least: 1, most: 1000, each: Inner };
    }
}

record! {
    /// A value at a time.
    pub struct Keyframe {
        /// ms since the animation began.
        t "t": f64 = 0.0, Within(0.0, DAY);
        value "value": Option<KeyValue> = None, Needed(Said);
        /// Shapes the way to the next keyframe; the last one's does nothing.
        easing "easing": Easing = Easing::default(), Said;
    }
}

/// What a property has at a keyframe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyValue {
    Number(f64),
    /// For `position` and `scale`.
    Pair(Point),
    Color(Color),
}

impl Default for KeyValue {
    fn default() -> Self {
        Self::Number(0.0)
    }
}

impl Serialize for KeyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Pair(point) => point.serialize(serializer),
            Self::Color(color) => color.serialize(serializer),
        }
    }
}

impl Spoken for KeyValue {
    fn schema() -> Value {
        let number = json!({"type": "number", "minimum": -100_000, "maximum": 100_000});
        let pair = json!({"type": "object", "properties": {"x": number, "y": number}, "required": ["x", "y"],
            "additionalProperties": false});
        json!({"anyOf": [{"type": "number", "minimum": -1e9, "maximum": 1e9}, Color::schema(), pair]})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        let pair = |object: &serde_json::Map<String, Value>| {
            let side = |key| object.get(key)?.as_f64().filter(|side| side.abs() <= 100_000.0);
            (object.len() == 2).then_some(Point { x: side("x")?, y: side("y")? })
        };
        match value {
            Value::Number(number) => number.as_f64().filter(|number| number.abs() <= 1e9).map(Self::Number),
            Value::String(text) => Color::parse(text).map(Self::Color),
            Value::Object(object) => pair(object).map(Self::Pair),
            _ => None,
        }
        .ok_or_else(|| "must be a number, a colour, or {x,y}".to_owned())
    }
}

/// How often an animation is played again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    Times(u32),
    Forever,
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Times(0)
    }
}

impl Serialize for Repeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Times(times) => serializer.serialize_u32(*times),
            Self::Forever => serializer.serialize_str("forever"),
        }
    }
}

impl Spoken for Repeat {
    fn schema() -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1_000_000}, {"const": "forever"}]})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        const MOST: u32 = 1_000_000;
        let times = value.as_u64().and_then(|times| u32::try_from(times).ok()).filter(|times| *times <= MOST);
        match value.as_str() {
            Some("forever") => Ok(Self::Forever),
            _ => times
                .map(Self::Times)
                .ok_or_else(|| format!("must be a whole number from 0 to {MOST}, or \"forever\"")),
        }
    }
}

fn tracks_or_preset(animation: &Animation, at: &mut At<'_>) {
    if animation.tracks.is_empty() == animation.preset.is_none() {
        at.wrong_in("tracks", "must be there, or else a preset: fade, slide, scale, rotate, bounce");
    }
    for (index, track) in animation.tracks.iter().enumerate() {
        if track.keyframes.windows(2).any(|pair| pair[0].t >= pair[1].t) {
            at.key("tracks", |at| {
                at.index(index, |at| at.wrong_in("keyframes", "must have times that rise"))
            });
        }
    }
}
