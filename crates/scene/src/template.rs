//! Templates and bindings: texts and properties that take their value from outside the scene.
//!
//! `{{ streams.match.readings.score.home }}` in a text stands for a value. A template is parsed once, when its layer
//! changes, and written into a reused text each frame. Where values come from is behind [`Values`].

use std::fmt::Write;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::animation::property::Property;
use crate::animation::property::get as slot_of;
use crate::layer::Layer;
use crate::read::{At, Inner, Maybe, Rule, Said, Schemas, Spoken, Within, plain, record};

record! {
    /// What a property takes its value from. JSON may give the template alone.
    pub struct Binding {
        /// A template: `{{ streams.match.readings.score.home }}`.
        value "value": String = String::new(), plain(1000, "a template such as {{ values.bid }}");
        /// Seconds for which a value is shown after it was read, set or counted; for ever unless it is said.
        max_age "maxAge": Option<f64> = None, Maybe(Within(0.0, 86_400.0));
        /// Shown in the place of a value that is older or was never there; the layer's own value unless it is said.
        otherwise "otherwise": Option<Scalar> = None, Maybe(Said);
    }
}

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Number(f64),
    Text(String),
    Flag(bool),
}

impl Scalar {
    #[must_use]
    pub fn as_datum(&self) -> Datum<'_> {
        match self {
            Self::Number(number) => Datum::Number(*number),
            Self::Text(text) => Datum::Text(text),
            Self::Flag(flag) => Datum::Flag(*flag),
        }
    }
}

impl Default for Scalar {
    fn default() -> Self {
        Self::Number(0.0)
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl Spoken for Scalar {
    fn schema() -> Value {
        json!({"type": ["number", "string", "boolean"]})
    }

    fn hear(value: &Value) -> Result<Self, String> {
        const MOST: usize = 4000;
        let clean = |text: &str| text.len() <= MOST && !text.chars().any(|c| c.is_control() && c != '\n');
        match value {
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::String(text) if clean(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
        .ok_or_else(|| format!("must be a number, true, false, or a text of at most {MOST} bytes"))
    }
}

/// A value as it is looked up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'a> {
    Number(f64),
    Text(&'a str),
    Flag(bool),
}

/// A value and when it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<'a> {
    pub value: Datum<'a>,
    /// Program time in ms.
    pub at: f64,
}

/// What is known of the world outside the scene.
///
/// Asked once a frame for each place it is shown in, so it must neither wait nor allocate.
pub trait Values {
    /// The value at a path: `["streams", "match", "readings", "score", "home"]` or `["events", "match", "goal"]` (how
    /// many there were). `None` for what was never seen.
    fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>>;
}

/// Nothing is known.
impl Values for () {
    fn get(&self, _path: &[Box<str>]) -> Option<Seen<'_>> {
        None
    }
}

/// A text with places for values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(Box<str>),
    Value(Box<[Box<str>]>),
}

const ALLOWED: &str = "must close each {{ with }}, around one of program.frame, program.time, \
    streams.<name>.readings.<value>, events.<stream>.<type> or values.<name>";

impl Template {
    /// Whether there is anything to take in.
    pub(crate) fn is_one(text: &str) -> bool {
        text.contains("{{")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        /// Places in one text.
        const MOST: usize = 64;
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}")?;
            if parts.len() > 2 * MOST {
                return None;
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            parts.push(Part::Value(place(inside.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Some(Self(parts))
    }

    /// Whether each value is there and not older than `max_age` ms.
    pub(crate) fn is_fresh(&self, known: &Known<'_>, max_age: Option<f64>) -> bool {
        self.0.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Value(path) => {
                known.get(path).is_some_and(|seen| max_age.is_none_or(|most| known.now - seen.at <= most))
            }
        })
    }

    /// Writes the text with its values in; what is not known is left out.
    pub(crate) fn write(&self, known: &Known<'_>, into: &mut String) {
        into.clear();
        for part in &self.0 {
            match part {
                Part::Text(text) => into.push_str(text),
                Part::Value(path) => {
                    if let Some(seen) = known.get(path) {
                        write_datum(seen.value, into);
                    }
                }
            }
        }
    }

    /// The value itself, where the template is nothing else.
    pub(crate) fn only<'k>(&'k self, known: &'k Known<'_>) -> Option<Datum<'k>> {
        match self.0.as_slice() {
            [Part::Value(path)] => Some(known.get(path)?.value),
            [Part::Text(text)] => Some(Datum::Text(text)),
            _ => None,
        }
    }
}

pub(crate) fn write_datum(datum: Datum<'_>, into: &mut String) {
    match datum {
        Datum::Text(text) => into.push_str(text),
        Datum::Flag(flag) => into.push_str(if flag { "true" } else { "false" }),
        // To a millionth: what a measurement adds beyond is noise on a screen.
        Datum::Number(number) => {
            let rounded = (number * 1e6).round() / 1e6;
            let shown = if rounded.is_finite() { rounded } else { number };
            write!(into, "{shown}").expect("a text takes all that is written");
        }
    }
}

/// The path between `{{` and `}}`.
fn place(text: &str) -> Option<Box<[Box<str>]>> {
    const DEEPEST: usize = 12;
    let path: Box<[Box<str>]> = text.split('.').map(Box::from).collect();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if path.len() > DEEPEST || path.iter().any(|key| key.is_empty() || !key.chars().all(allowed)) {
        return None;
    }
    let good = match &*path[0] {
        "program" => path.len() == 2 && ["frame", "time"].contains(&&*path[1]),
        "streams" => path.len() >= 3,
        "events" => path.len() == 3,
        "values" => path.len() == 2,
        _ => false,
    };
    good.then_some(path)
}

/// All that a template can name, at one moment.
pub(crate) struct Known<'a> {
    pub(crate) outside: &'a dyn Values,
    pub(crate) values: &'a std::collections::BTreeMap<String, crate::store::Kept>,
    /// Program time in ms.
    pub(crate) now: f64,
    pub(crate) fps: f64,
}

impl Known<'_> {
    fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
        let here = |number: f64| Some(Seen { value: Datum::Number(number), at: self.now });
        match (&*path[0], path.get(1).map(|key| &**key)) {
            ("program", Some("time")) => here(self.now.floor()),
            // Frames lie at n / fps: what rounding to a microsecond takes off must not make it the frame before.
            ("program", Some("frame")) => here((self.now * self.fps / 1000.0 + 1e-4).floor()),
            ("values", Some(name)) => {
                self.values.get(name).map(|kept| Seen { value: kept.value.as_datum(), at: kept.at })
            }
            _ => self.outside.get(path),
        }
    }
}

/// A binding may be its template alone.
pub(crate) struct BindingRule;

impl Rule<Binding> for BindingRule {
    fn schema(&self, schemas: &mut Schemas) -> Value {
        json!({"anyOf": [{"type": "string", "maxLength": 1000}, schemas.of::<Binding>()]})
    }

    fn read<'v>(&self, target: &mut Binding, value: &'v Value, at: &mut At<'v>) {
        if value.is_string() {
            *target = Binding::default();
            plain(1000, "a template such as {{ values.bid }}").read(&mut target.value, value, at);
        } else if value.is_object() {
            Inner.read(target, value, at);
        } else {
            at.wrong("must be a template such as {{ values.bid }}, or an object with it as value");
        }
    }

    fn check(&self, target: &Binding, at: &mut At<'_>) {
        Inner.check(target, at);
    }
}

/// What a binding writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Text(crate::content::TextAt),
    Visible,
    Slot(crate::animation::property::Path),
}

/// What the name of a binding stands for; `text` is short for `content.text`.
pub(crate) fn bound(name: &str, layer: &mut Layer) -> Option<Bound> {
    use crate::content::TextAt;
    let text = match name {
        "visible" => return Some(Bound::Visible),
        "text" | "content.text" => Some(TextAt::Text),
        "content.state" => Some(TextAt::State),
        _ => name.strip_prefix("content.lines.").and_then(|index| index.parse().ok()).map(TextAt::Line),
    };
    if let Some(at) = text {
        return layer.content.text_mut(at).map(|_| Bound::Text(at));
    }
    match Property::parse(name)? {
        Property::One(path) => slot_of(layer, &path).map(|_| Bound::Slot(path)),
        Property::Two(..) => None,
    }
}

/// Looks at a layer's templates, and at what its bindings name.
pub(crate) fn check(layer: &Layer, at: &mut At<'_>) {
    use crate::content::TextAt;
    for (place, text) in layer.content.texts() {
        if Template::is_one(text) && Template::parse(text).is_none() {
            at.key("content", |at| match place {
                TextAt::Text => at.wrong_in("text", ALLOWED),
                TextAt::State => at.wrong_in("state", ALLOWED),
                TextAt::Line(index) => at.key("lines", |at| at.index(index, |at| at.wrong(ALLOWED))),
            });
        }
    }
    if layer.bind.is_empty() {
        return;
    }
    let mut probe = layer.clone();
    at.key("bind", |at| {
        for (name, binding) in &layer.bind {
            at.key(name.clone(), |at| {
                if bound(name, &mut probe).is_none() {
                    at.wrong("must be named text, visible, content.state of a sprite, or a number or colour that this layer has");
                }
                if Template::parse(&binding.value).is_none() {
                    at.wrong(ALLOWED);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::Kept;

    struct One(&'static str, Scalar, f64);

    impl Values for One {
        fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
            (path.join(".") == self.0).then(|| Seen { value: self.1.as_datum(), at: self.2 })
        }
    }

    #[test]
    fn a_template_shows_what_is_known() {
        let values = BTreeMap::from([("bid".to_owned(), Kept { value: Scalar::Number(3.2), at: 0.0 })]);
        let outside = One("streams.match.readings.score.home", Scalar::Number(2.0), 500.0);
        let known = Known { outside: &outside, values: &values, now: 1000.0 / 60.0 * 7.0, fps: 60.0 };
        for (text, expected) in [
            ("plain", "plain"),
            ("{{ streams.match.readings.score.home }} : {{streams.match.readings.score.away}}", "2 : "),
            ("Bid {{values.bid}} ETH", "Bid 3.2 ETH"),
            ("frame {{ program.frame }}, {{ program.time }} ms", "frame 7, 116 ms"),
        ] {
            let mut shown = String::from("before");
            Template::parse(text).unwrap().write(&known, &mut shown);
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let many = "{{ program.time }}".repeat(200);
        for bad in [
            "{{",
            "{{ }}",
            "{{ a }}",
            "{{ program.name }}",
            "{{ values.a.b }}",
            "{{ values.a b }}",
            "{{ streams.x }}",
            &many,
        ] {
            assert_eq!(Template::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_grows_old() {
        let values = BTreeMap::new();
        let outside = One("events.match.goal", Scalar::Number(1.0), 500.0);
        let template = Template::parse("{{ events.match.goal }}").unwrap();
        for (now, fresh) in [(500.0, true), (1500.0, true), (1501.0, false)] {
            let known = Known { outside: &outside, values: &values, now, fps: 30.0 };
            assert_eq!(template.is_fresh(&known, Some(1000.0)), fresh, "{now}");
            assert!(template.is_fresh(&known, None));
        }
    }
}
