//! What is wrong with a pack, where, and what would be right.
//!
//! Made while a pack is loaded. A mistake is named by its path in the file (`screen[0].region[2].box`); the line is looked
//! up here, so that nobody else carries lines about.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// One mistake in a pack's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name in the pack's folder.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// A TOML file that problems are found in.
pub struct Source<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Source<'_> {
    /// A mistake at a byte of the text.
    #[must_use]
    pub fn at(&self, byte: usize, message: impl Into<String>) -> Problem {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Problem { file: self.file.to_owned(), line, column, message: message.into() }
    }

    /// A mistake at `path` (`screen[0].region[2].box`), or as near to it as the file goes.
    #[must_use]
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let message = format!("{path}: {}", message.into());
        let byte = DeTable::parse(self.text).map_or(0, |table| {
            let mut at = table.span().start;
            let mut value: Option<&DeValue<'_>> = None;
            for step in path.split('.') {
                let (key, mut indices) = match step.split_once('[') {
                    Some((key, rest)) => (key, rest.trim_end_matches(']').split("][").collect::<Vec<_>>()),
                    None => (step, Vec::new()),
                };
                let inside = match value {
                    None => Some(table.get_ref()),
                    Some(DeValue::Table(inside)) => Some(inside),
                    Some(_) => None,
                };
                let Some((name, found)) =
                    inside.and_then(|inside| inside.iter().find(|(name, _)| name.get_ref() == key))
                else {
                    break;
                };
                at = name.span().start;
                value = Some(found.get_ref());
                indices.reverse();
                while let Some(index) = indices.pop() {
                    let Some(DeValue::Array(items)) = value else { break };
                    let Some(item) = index.parse().ok().and_then(|index: usize| items.get(index)) else {
                        break;
                    };
                    at = item.span().start;
                    value = Some(item.get_ref());
                }
            }
            at
        });
        self.at(byte, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_the_file() {
        let text =
            "id = 'a'\n\n[[screen]]\nid = 'x'\n[[screen]]\nid = 'y'\n  [[screen.region]]\n  box = [1, 2]\n";
        let source = Source { file: "pack.toml", text };
        let line = |path: &str| source.problem(path, "wrong").line;
        assert_eq!(line("id"), 1);
        assert_eq!(line("screen[1].id"), 6);
        assert_eq!(line("screen[1].region[0].box"), 8);
        assert_eq!(line("screen[1].region[0].box[1]"), 8);
        // As near as the file goes.
        assert_eq!(line("screen[1].region[0].slant"), 7);
        assert_eq!(line("nothing"), 1);
        let problem = source.problem("screen[1].id", "taken");
        assert_eq!(problem.to_string(), "pack.toml:6:1: screen[1].id: taken");
    }
}
