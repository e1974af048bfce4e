//! The streams file: a Twitch channel or an address a line, with a name behind it if it shall have another.
//!
//! Blank lines and what stands behind `#` at a line's start or after a space are passed over.

use super::definition::{Wish, login};
use crate::egress::Trust;
use crate::sources::Target;
use crate::streams::StreamName;

/// A line that can't be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    pub why: String,
}

/// What `text` lists, and the lines that make no sense. Of one name twice the second is such a line.
pub fn read_list(text: &str) -> (Vec<Wish>, Vec<Line>) {
    let (mut wishes, mut bad) = (Vec::<Wish>::new(), Vec::new());
    let mut seen = std::collections::HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        let wish = match *words.as_slice() {
            [] => continue,
            [source] => wish(source, None),
            [source, name] => wish(source, Some(name)),
            _ => Err("more than a channel or address and a name".to_owned()),
        };
        let why = match wish {
            Err(why) => why,
            Ok(wish) => match seen.insert(wish.name.clone(), number) {
                Some(before) => format!("'{}' stands in line {before} already", wish.name),
                None => {
                    wishes.push(wish);
                    continue;
                }
            },
        };
        bad.push(Line { number, why });
    }
    (wishes, bad)
}

fn wish(source: &str, name: Option<&str>) -> Result<Wish, String> {
    let sentence = |e: crate::base::error::Error| e.detail().to_owned();
    let target = Target::parse("source", source, Trust::Operator).map_err(sentence)?;
    let name = match name.or(login(&target)) {
        Some(name) => StreamName::parse(name).map_err(sentence)?,
        None => return Err("an address needs a name behind it, such as https://… camera2".to_owned()),
    };
    let mut wish = Wish::new(name, target, Trust::Operator);
    wish.listed = true;
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_file_and_addresses_are_read_and_nonsense_is_told_by_line() {
        let text = "\u{feff}# Popular Dota 2 streamers\r\ngorgc\r\n\r\nAdmiralBulldog # a comment\r\n\
            https://example.com/live.m3u8 court2\nhttps://example.com/live.m3u8\ngorgc\nnot-a-login!\na b c\nstatus\n";
        let (wishes, bad) = read_list(text);
        let names: Vec<_> = wishes.iter().map(|wish| wish.name.as_str()).collect();
        assert_eq!(names, ["gorgc", "admiralbulldog", "court2"]);
        assert!(wishes.iter().all(|wish| wish.listed && wish.trust == Trust::Operator));
        let lines: Vec<_> = bad.iter().map(|line| line.number).collect();
        assert_eq!(lines, [6, 7, 8, 9, 10]);
        assert_eq!(bad[1].why, "'gorgc' stands in line 2 already");
    }
}
