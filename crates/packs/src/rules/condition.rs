//! What a rule waits for: `score.home increases by 1 and clock > 0`, as it is written and as it is used.

use std::sync::Arc;

use crate::expr::{self, Expr};
use crate::shape;
use crate::value::Value;

/// What is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    Value(Arc<str>),
    /// Each slot of a list by itself.
    Slots(Arc<str>),
    /// Which screen it is.
    Screen,
    /// The match as a whole.
    Match,
}

/// What must happen to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// More (or less) by `least` to `most`.
    By {
        up: bool,
        least: f64,
        most: f64,
    },
    Changes,
    Appears,
    Disappears,
    Becomes(Value),
    Passes(f64),
    FallsBelow(f64),
    Begins,
    /// The screens have been gone for so many milliseconds.
    Ends(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    pub(super) change: Change,
    pub(super) guard: Option<Expr>,
}

const FORMS: &str = "a condition is `X increases [by N [to M | or more]]`, `X decreases …`, `X changes`, `X appears`, \
    `X disappears`, `X becomes V`, `X passes N`, `X falls below N`, `match begins` or `match ends [after SECONDS]`, and may go \
    on with `and …`";

impl Condition {
    /// Bytes of a condition.
    const MOST: usize = 1000;

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > Self::MOST {
            return Err(format!("a condition has {} bytes at most", Self::MOST));
        }
        let (change, guard) = match conjunction(text) {
            Some(at) => (&text[..at], Some(&text[at + " and ".len()..])),
            None => (text, None),
        };
        let guard = guard.map(parse_guard).transpose()?;
        let words = words(change)?;
        let (subject, rest) = words.split_first().ok_or_else(|| FORMS.to_owned())?;
        let change = parse_change(rest)?;
        let subject = match (subject.strip_suffix(".*"), *subject) {
            (Some(list), _) => Subject::Slots(list.into()),
            (None, "screen") => Subject::Screen,
            (None, "match") => Subject::Match,
            (None, value) => Subject::Value(value.into()),
        };
        let whole = matches!(change, Change::Begins | Change::Ends(_));
        if whole != (subject == Subject::Match) {
            return Err("`begins` and `ends` go with `match`, and nothing else does".to_owned());
        }
        if subject == Subject::Screen && !matches!(change, Change::Becomes(_) | Change::Changes) {
            return Err("a screen changes or becomes one; it does nothing else".to_owned());
        }
        Ok(Self { subject, change, guard })
    }

    /// Whether going from one value to another is what it waits for; `None` is absence.
    pub(super) fn fits(&self, from: Option<&Value>, to: Option<&Value>) -> bool {
        match &self.change {
            Change::By { up, least, most } => {
                by(*up, from, to).is_some_and(|by| by >= least - SLACK && by <= most + SLACK)
            }
            Change::Changes => from.is_some() && to.is_some(),
            Change::Appears => from.is_none() && to.is_some(),
            Change::Disappears => from.is_some() && to.is_none(),
            Change::Becomes(_) | Change::Passes(_) | Change::FallsBelow(_) => to == Some(&Value::Flag(true)),
            Change::Begins | Change::Ends(_) => false,
        }
    }

    /// How many steps of the one allowed size lie between the values, when they are more than one and still few.
    pub(super) fn steps(&self, from: Option<&Value>, to: Option<&Value>) -> Option<u8> {
        const MOST: u8 = 4;
        let Change::By { up, least, most } = self.change else { return None };
        let by = by(up, from, to).filter(|_| most - least < SLACK)?;
        (2..=MOST).find(|steps| (by - f64::from(*steps) * least).abs() < SLACK)
    }

    /// What this condition follows of a value: the value, or whether it is where it should be.
    pub(super) fn view(&self, value: &Value) -> Option<Value> {
        match &self.change {
            Change::By { .. } => value.number().filter(|number| number.is_finite()).map(|_| value.clone()),
            Change::Becomes(wanted) => Some(Value::Flag(expr::equal(value, wanted))),
            Change::Passes(bound) => value.number().map(|number| Value::Flag(number >= *bound)),
            Change::FallsBelow(bound) => value.number().map(|number| Value::Flag(number < *bound)),
            _ => Some(value.clone()),
        }
    }
}

/// How much more, or less, it is; `None` when it is not.
fn by(up: bool, from: Option<&Value>, to: Option<&Value>) -> Option<f64> {
    let by = to?.number()? - from?.number()?;
    Some(if up { by } else { -by }).filter(|by| *by > 0.0)
}

/// Numbers of bars are not exact.
const SLACK: f64 = 1e-6;

pub(super) fn parse_guard(text: &str) -> Result<Expr, String> {
    Expr::parse(text).map_err(|(at, message)| format!("in {text:?} at letter {}: {message}", at + 1))
}

/// Where the first ` and ` stands that is not inside quotes.
fn conjunction(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, letter)| {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None if text[at..].starts_with(" and ") => return Some(at),
            _ => {}
        }
        None
    })
}

/// What stands between blanks; a text in quotes is one, and keeps its quotes.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let (mut words, mut rest) = (Vec::new(), text.trim());
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' => rest[1..]
                .find(first)
                .map(|end| end + 2)
                .ok_or_else(|| format!("{rest} has no closing {first}"))?,
            _ => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

fn parse_change(words: &[&str]) -> Result<Change, String> {
    let by = |up, least, most| Change::By { up, least, most };
    Ok(match *words {
        ["changes"] => Change::Changes,
        ["appears"] => Change::Appears,
        ["disappears"] => Change::Disappears,
        ["begins"] => Change::Begins,
        ["ends"] => Change::Ends(300_000),
        ["ends", "after", seconds] => Change::Ends(millis(seconds)?),
        ["becomes", value] => Change::Becomes(constant(value)),
        ["passes", bound] => Change::Passes(number(bound)?),
        ["falls", "below", bound] => Change::FallsBelow(number(bound)?),
        [way @ ("increases" | "decreases"), ref rest @ ..] => {
            let up = way == "increases";
            match *rest {
                [] => by(up, 0.0, f64::MAX),
                ["by", step] => by(up, step_of(step)?, step_of(step)?),
                ["by", least, "or", "more"] => by(up, step_of(least)?, f64::MAX),
                ["by", least, "to", most] => {
                    let (least, most) = (step_of(least)?, step_of(most)?);
                    if most < least {
                        return Err(format!("by {least} to {most} is nothing; the larger one comes last"));
                    }
                    by(up, least, most)
                }
                _ => return Err(FORMS.to_owned()),
            }
        }
        _ => return Err(FORMS.to_owned()),
    })
}

fn unquoted(word: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|quote| word.strip_prefix(*quote)?.strip_suffix(*quote))
}

fn constant(word: &str) -> Value {
    match (unquoted(word), word) {
        (Some(text), _) => Value::Text(text.into()),
        (None, "true") => Value::Flag(true),
        (None, "false") => Value::Flag(false),
        (None, word) => match (word.parse(), word.parse::<f64>()) {
            (Ok(int), _) => Value::Int(int),
            (_, Ok(real)) if real.is_finite() => Value::Real(real),
            _ => Value::Text(word.into()),
        },
    }
}

/// A number, or a clock as it is shown.
fn number(word: &str) -> Result<f64, String> {
    let text = unquoted(word).unwrap_or(word);
    let plain = text.parse().ok().filter(|number: &f64| number.is_finite());
    let clock = || shape::clock(text).and_then(|seconds| i32::try_from(seconds).ok()).map(f64::from);
    plain.or_else(clock).ok_or_else(|| format!("{word} is neither a number nor a clock like \"45:00\""))
}

fn step_of(word: &str) -> Result<f64, String> {
    let step = number(word)?;
    if step > 0.0 { Ok(step) } else { Err(format!("by {word}: a step is more than 0")) }
}

fn millis(word: &str) -> Result<i64, String> {
    let seconds = number(word)?;
    if !(1.0..=86_400.0).contains(&seconds) {
        return Err(format!("{word} seconds are not 1 to 86400"));
    }
    Ok(super::millis(seconds))
}
