//! The YAML file: read into values with the line each stands on, every mistake of form in it collected.
//!
//! Called by [`resolve`](super::resolve) only. What the values mean is not decided here.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{NonFiniteFloatPolicy, Spanned};

use super::mistakes::{Mistake, Origin, closest};
use super::setting::Setting;
use super::table::{self, LATER_SECTIONS, SETTINGS};

/// A larger file is not a configuration.
const LARGEST: u64 = 1 << 20;

/// What a file sets, in its order.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) values: Vec<(&'static Setting, Value, Origin)>,
    pub(super) notes: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Reads `path`; a file that isn't there is a mistake only if it `must_exist`.
pub(super) fn read(path: &Path, must_exist: bool) -> Contents {
    let failed = |error: std::io::Error| {
        let problem = if error.kind() == std::io::ErrorKind::NotFound {
            "there is no such file".to_owned()
        } else {
            format!("can't be read: {error}")
        };
        let mistakes = vec![Mistake::new(at(path, 0), problem)];
        Contents { mistakes, ..Contents::default() }
    };
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)) {
        Ok(_) => parse(path, &bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => Contents::default(),
        Err(error) => failed(error),
    }
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Contents {
    match tree(bytes) {
        Ok(tree) => {
            let mut reader = Reader { path, contents: Contents::default() };
            reader.file(tree);
            reader.contents
        }
        Err((line, problem)) => {
            let mistakes = vec![Mistake::new(at(path, line), problem)];
            Contents { mistakes, ..Contents::default() }
        }
    }
}

fn at(path: &Path, line: u64) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

fn tree(bytes: &[u8]) -> Result<Node, (u64, String)> {
    if bytes.len() as u64 > LARGEST {
        return Err((0, "larger than 1 MB".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let lines = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        (lines as u64 + 1, "not UTF-8 text".to_owned())
    })?;
    // A snippet of the file in the message might show a secret.
    let options = serde_saphyr::options! {
        with_snippet: false,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    };
    let tree = serde_saphyr::from_str_with_options(text, options);
    let tree: Option<Node> =
        tree.map_err(|error| indented_by_tab(text).unwrap_or_else(|| problem(&error)))?;
    Ok(tree.unwrap_or(Node::Leaf(Value::Null)))
}

/// The parser's words for a tab name the line before it, or the wrong thing.
fn indented_by_tab(text: &str) -> Option<(u64, String)> {
    let indented = |line: &str| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty();
    let before = text.lines().take_while(|line| !indented(line)).count();
    let found = before < text.lines().count();
    found.then(|| (before as u64 + 1, "indented by a tab, must be spaces".to_owned()))
}

/// The line and the parser's sentence, which says the line again in words of its own: that part is cut off.
fn problem(error: &serde_saphyr::Error) -> (u64, String) {
    let line = error.location().map_or(0, |location| location.line());
    let sentence = match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => format!("{key} is there twice"),
        serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
        serde_saphyr::Error::NullIntoString { .. } => "a key is empty".to_owned(),
        serde_saphyr::Error::MultipleDocuments { .. } => "a second document begins, must be one".to_owned(),
        other => {
            let sentence = other.to_string();
            format!("not valid YAML: {}", sentence.split(" at line ").next().unwrap_or_default())
        }
    };
    (line, sentence)
}

/// One value of the file. Keys keep their line, because a section has no other place to point at.
#[derive(Debug)]
enum Node {
    Leaf(Value),
    List(Vec<Node>),
    Map(Vec<(String, u64, Node)>),
}

impl Node {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Map(entries) => {
                entries.into_iter().map(|(key, _, node)| (key, node.into_value())).collect()
            }
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Leaf(Value::Null))
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Leaf(Value::Null) => "empty",
            Self::Leaf(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    contents: Contents,
}

impl Reader<'_> {
    fn file(&mut self, tree: Node) {
        match tree {
            Node::Map(entries) => {
                entries.into_iter().for_each(|(key, line, node)| self.top(&key, line, node))
            }
            node if node.is_null() => {}
            node => {
                let problem =
                    format!("the file is {}, must be sections such as streams and server", node.what());
                self.mistake(1, problem);
            }
        }
    }

    fn top(&mut self, key: &str, line: u64, node: Node) {
        if LATER_SECTIONS.contains(&key) {
            self.contents.notes.push(format!("{}: {key} has no effect in this version", at(self.path, line)));
        } else if let Some(setting) = table::find(key).filter(|_| !key.contains('.')) {
            self.value(setting, line, node);
        } else if sections().any(|section| section == key) {
            self.section(key, line, node);
        } else if let Some((section, name)) = key.rsplit_once('.').filter(|_| table::find(key).is_some()) {
            self.mistake(line, format!("{key} must be written as {name} in the section {section}"));
        } else {
            let whole = SETTINGS.iter().map(|setting| setting.key).filter(|key| !key.contains('.'));
            let hint = closest(key, sections().chain(LATER_SECTIONS.iter().copied()).chain(whole))
                .or_else(|| elsewhere(key));
            self.unknown(line, key, hint);
        }
    }

    fn section(&mut self, section: &str, line: u64, node: Node) {
        let entries = match node {
            Node::Map(entries) => entries,
            node if node.is_null() => return,
            node => {
                let names: Vec<_> = names(section).collect();
                let problem = format!(
                    "{section} is {}, must be a section with the keys {}",
                    node.what(),
                    names.join(", ")
                );
                return self.mistake(line, problem);
            }
        };
        for (name, line, node) in entries {
            let key = format!("{section}.{name}");
            match table::find(&key) {
                Some(setting) => self.value(setting, line, node),
                None if names(&key).next().is_some() => self.section(&key, line, node),
                None => {
                    let hint = closest(&name, names(section)).or_else(|| elsewhere(&name));
                    self.unknown(line, &key, hint);
                }
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, line: u64, node: Node) {
        self.contents.values.push((setting, node.into_value(), at(self.path, line)));
    }

    fn unknown(&mut self, line: u64, key: &str, hint: Option<&str>) {
        let hint = hint.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        self.mistake(line, format!("{key} is not a setting{hint}"));
    }

    fn mistake(&mut self, line: u64, problem: String) {
        self.contents.mistakes.push(Mistake::new(at(self.path, line), problem));
    }
}

/// Each section once.
fn sections() -> impl Iterator<Item = &'static str> {
    let all = SETTINGS.iter().filter_map(|setting| setting.key.split_once('.')).map(|(section, _)| section);
    let mut last = "";
    all.filter(move |section| std::mem::replace(&mut last, section) != *section)
}

fn names(section: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    let own = move |key: &'static str| key.strip_prefix(section)?.strip_prefix('.');
    SETTINGS.iter().filter_map(move |setting| own(setting.key))
}

/// A setting of this name in another section.
fn elsewhere(name: &str) -> Option<&'static str> {
    let ends = |key: &str| key.rsplit_once('.').is_some_and(|(_, last)| last == name);
    SETTINGS.iter().map(|setting| setting.key).find(|key| ends(key))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a section")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value)
            .map(|number| Node::Leaf(number.into()))
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            if key.value.is_empty() {
                return Err(A::Error::custom("a key is empty"));
            }
            map.push((key.value, key.referenced.line(), entries.next_value()?));
        }
        Ok(Node::Map(map))
    }
}
