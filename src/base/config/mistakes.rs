//! What is wrong with a configuration, in lines that say where to look, and where each value came from.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::setting::Setting;

/// Where a value comes from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Default,
    /// `line` is 0 where it isn't known.
    File {
        path: PathBuf,
        line: u64,
    },
    /// Set through `PUT /api/config` and kept in the store.
    Stored,
    Environment(String),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Stored => f.write_str("stored by PUT /api/config"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// One line: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub origin: Origin,
    /// The setting whose value is refused; `None` for a mistake of form.
    pub key: Option<&'static str>,
    pub problem: String,
}

impl Mistake {
    pub(super) fn new(origin: Origin, problem: impl Into<String>) -> Self {
        Self { origin, key: None, problem: problem.into() }
    }

    /// `value` is not one that `setting` takes.
    pub(super) fn bad_value(origin: Origin, setting: &Setting, value: &Value) -> Self {
        let problem =
            format!("{} is {}, must be {}", setting.key, shown(setting, value), expected(setting, value));
        Self { origin, key: Some(setting.key), problem }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.problem)
    }
}

/// All that is wrong, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// What `setting` takes, with a hint when only the quotes around `value` are wrong.
pub(super) fn expected(setting: &Setting, value: &Value) -> String {
    let unquoted = value.as_str().map(|text| setting.read(text));
    let quotes = unquoted.is_some_and(|unquoted| !unquoted.is_array() && setting.check(&unquoted).is_some());
    format!("{}{}", setting.allowed(), if quotes { ", without quotes" } else { "" })
}

/// The value as a message may show it: short, on one line, never a secret.
fn shown(setting: &Setting, value: &Value) -> String {
    const LONGEST: usize = 80;
    if value.is_null() {
        return "empty".to_owned();
    }
    if setting.kind.is_secret() {
        return "***".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = (word.chars().count() / 3).clamp(1, 3);
    let distances = candidates.map(|candidate| (edits(word, candidate), candidate));
    distances.filter(|(distance, _)| *distance <= tolerance).min().map(|(_, candidate)| candidate)
}

/// How many characters must be added, removed, replaced or swapped with their neighbour to turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(a[i] != b[j]);
            let mut fewest = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                fewest = fewest.min(before[j - 1] + 1);
            }
            row.push(fewest);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_that_was_meant_and_a_stranger_finds_none() {
        let words = ["port", "ws_port", "health_port", "host", "debug"];
        for (word, meant) in [
            ("prot", Some("port")),
            ("prt", Some("port")),
            ("helth_port", Some("health_port")),
            ("ws-port", Some("ws_port")),
            ("hots", Some("host")),
            ("hosts", Some("host")),
            ("colour", None),
        ] {
            assert_eq!(closest(word, words.into_iter()), meant, "{word}");
        }
    }

    #[test]
    fn edits_are_counted_as_a_person_would() {
        for (a, b, count) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }
}
