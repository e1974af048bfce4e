//! The `.env` file: `NAME=value` lines, as shells and container tools write them. No expansion, no line continuation.

use std::collections::BTreeMap;

/// What `text` sets, or the lines (from 1) that are neither a setting, a comment nor empty.
///
/// ```text
/// # a comment
/// PORT=4200            # a comment after a space
/// export NAME="with spaces, \" \\ and \n in double quotes"
/// TOKEN='as it is: $HOME \n # no comment'
/// ```
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<usize>> {
    let (mut set, mut wrong) = (BTreeMap::new(), Vec::new());
    for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => drop(set.insert(name.to_owned(), value)),
            None => wrong.push(i + 1),
        }
    }
    if wrong.is_empty() { Ok(set) } else { Err(wrong) }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let begins_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !begins_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    Some((name, unquoted(value.trim_start())?))
}

fn unquoted(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, rest) = rest.split_once('\'')?;
        return nothing_more(rest).then(|| value.to_owned());
    }
    if let Some(rest) = text.strip_prefix('"') {
        return double_quoted(rest);
    }
    let end = text.char_indices().find(|&(i, c)| c == '#' && text[..i].ends_with([' ', '\t']));
    let value = if text.starts_with('#') { "" } else { end.map_or(text, |(end, _)| &text[..end]) };
    Some(value.trim_end().to_owned())
}

/// The rest of a double-quoted value, after its opening quote.
fn double_quoted(text: &str) -> Option<String> {
    let (mut value, mut characters) = (String::new(), text.chars());
    loop {
        match characters.next()? {
            '"' => return nothing_more(characters.as_str()).then_some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

fn nothing_more(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_would_read_them() {
        for (line, expected) in [
            ("PORT=4200", ("PORT", "4200")),
            ("  PORT = 4200  ", ("PORT", "4200")),
            ("export PORT=4200", ("PORT", "4200")),
            ("PORT=4200\r", ("PORT", "4200")),
            ("PORT=4200 # the second port", ("PORT", "4200")),
            ("URL=http://host/#part", ("URL", "http://host/#part")),
            ("EMPTY=", ("EMPTY", "")),
            ("EMPTY=# nothing", ("EMPTY", "")),
            ("A='it is $HOME \\n # here'", ("A", "it is $HOME \\n # here")),
            ("A='x' # comment", ("A", "x")),
            (r#"A="a \"b\" \\ c\nd" # comment"#, ("A", "a \"b\" \\ c\nd")),
            ("A=b=c", ("A", "b=c")),
            ("A=it's", ("A", "it's")),
            ("\u{feff}A=1", ("A", "1")),
        ] {
            let set = parse(line).unwrap();
            assert_eq!(set.get(expected.0).map(String::as_str), Some(expected.1), "{line}");
            assert_eq!(set.len(), 1, "{line}");
        }
    }

    #[test]
    fn lines_that_make_no_sense_are_named() {
        let text = "A=1\nno sense\n\n# fine\nB='open\n1C=2\nD=\"open\nE='x'y\nF-G=1\n=1\n";
        assert_eq!(parse(text), Err(vec![2, 5, 6, 7, 8, 9, 10]));
    }

    #[test]
    fn the_last_of_two_lines_wins() {
        assert_eq!(parse("A=1\nA=2").unwrap()["A"], "2");
    }
}
