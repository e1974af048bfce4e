//! From the text of an expression to its tree.
//!
//! Says what is wrong, with the byte where: a letter that means nothing, a parenthesis that is open, a text where a number
//! must be. What a value is shows only when it is read, so names fit anywhere.

use std::iter::Peekable;
use std::sync::Arc;

use super::{Comparison, Function, MOST_BYTES, MOST_DEPTH, Node, Operation};
use crate::shape;
use crate::value::Value;

type Wrong = (usize, String);

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Number(f64),
    Text(&'a str),
    Word(&'a str),
    Sign(&'a str),
}

/// What a part of an expression is, as far as that can be told before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Number,
    Text,
    /// A text in quotes that reads as a clock; also a number in comparisons.
    Clock,
    Flag,
    Any,
}

impl Sort {
    const fn said(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text | Self::Clock => "a text",
            Self::Flag => "true or false",
            Self::Any => "a value",
        }
    }
}

const SIGNS: [&str; 15] = ["==", "!=", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "(", ")", ",", "−"];

pub(super) fn parse(text: &str) -> Result<(Node, Vec<Arc<str>>), Wrong> {
    if text.len() > MOST_BYTES {
        return Err((MOST_BYTES, format!("an expression has {MOST_BYTES} bytes at most")));
    }
    let tokens = tokens(text)?;
    let mut parser =
        Parser { tokens: tokens.into_iter().peekable(), end: text.len(), depth: 0, names: Vec::new() };
    let (node, _) = parser.either()?;
    if let Some((at, token)) = parser.tokens.next() {
        return Err((at, format!("{} was not expected here", shown(&token))));
    }
    Ok((node, parser.names))
}

fn shown(token: &Token<'_>) -> String {
    match token {
        Token::Number(number) => number.to_string(),
        Token::Text(text) => format!("{text:?}"),
        Token::Word(word) | Token::Sign(word) => format!("`{word}`"),
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if let Some(quoted) = rest.strip_prefix(['"', '\'']) {
            let end = quoted.find(first).ok_or_else(|| (at, format!("the text has no closing {first}")))?;
            (Token::Text(&quoted[..end]), end + 2)
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
            let number = rest[..length].parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| (at, format!("{:?} is no number", &rest[..length])))?;
            (Token::Number(number), length)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = word(rest);
            (Token::Word(&rest[..length]), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(if *sign == "−" { "-" } else { sign }), sign.len())
        } else {
            let message =
                format!("{first:?} means nothing here; there are + - * / < <= > >= == != ( ) and commas");
            return Err((at, message));
        };
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

/// The length of the name at the beginning: words with dots between, `.*` being the slots of a list.
fn word(text: &str) -> usize {
    let part = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut length = part(text);
    while let Some(rest) = text[length..].strip_prefix('.') {
        let more = if rest.starts_with('*') { 1 } else { part(rest) };
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    length
}

struct Parser<'a> {
    tokens: Peekable<std::vec::IntoIter<(usize, Token<'a>)>>,
    end: usize,
    depth: usize,
    names: Vec<Arc<str>>,
}

type Parsed = Result<(Node, Sort), Wrong>;

impl<'a> Parser<'a> {
    fn at(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self, wanted: &[Token<'static>]) -> Option<Token<'a>> {
        let found = |(_, token): &(usize, Token<'a>)| wanted.iter().any(|wanted| wanted == token);
        self.tokens.next_if(found).map(|(_, token)| token)
    }

    fn deeper(&mut self) -> Result<(), Wrong> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err((self.at(), format!("this is nested more than {MOST_DEPTH} deep")));
        }
        Ok(())
    }

    fn either(&mut self) -> Parsed {
        self.logic("or", Self::both, Node::Or)
    }

    fn both(&mut self) -> Parsed {
        self.logic("and", Self::not, Node::And)
    }

    fn logic(
        &mut self,
        word: &'static str,
        part: fn(&mut Self) -> Parsed,
        make: fn(Box<Node>, Box<Node>) -> Node,
    ) -> Parsed {
        let start = self.at();
        let (mut node, mut sort) = part(self)?;
        while self.take(&[Token::Word(word)]).is_some() {
            must(start, sort, Sort::Flag, word)?;
            let at = self.at();
            let (other, found) = part(self)?;
            must(at, found, Sort::Flag, word)?;
            (node, sort) = (make(Box::new(node), Box::new(other)), Sort::Flag);
        }
        Ok((node, sort))
    }

    fn not(&mut self) -> Parsed {
        if self.take(&[Token::Word("not")]).is_none() {
            return self.comparison();
        }
        self.deeper()?;
        let at = self.at();
        let (node, sort) = self.not()?;
        must(at, sort, Sort::Flag, "not")?;
        self.depth -= 1;
        Ok((Node::Not(Box::new(node)), Sort::Flag))
    }

    fn comparison(&mut self) -> Parsed {
        const SIGNS: [Token<'static>; 7] = [
            Token::Sign("=="),
            Token::Sign("="),
            Token::Sign("!="),
            Token::Sign("<"),
            Token::Sign("<="),
            Token::Sign(">"),
            Token::Sign(">="),
        ];
        let start = self.at();
        let (one, first) = self.sum()?;
        let Some(Token::Sign(sign)) = self.take(&SIGNS) else { return Ok((one, first)) };
        let at = self.at();
        let (other, second) = self.sum()?;
        let comparison = match sign {
            "!=" => Comparison::Other,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::More,
            ">=" => Comparison::AtLeast,
            _ => Comparison::Equal,
        };
        if !matches!(comparison, Comparison::Equal | Comparison::Other) {
            for (at, sort) in [(start, first), (at, second)] {
                if matches!(sort, Sort::Text | Sort::Flag) {
                    let message = format!("`{sign}` compares numbers and clocks; this is {}", sort.said());
                    return Err((at, message));
                }
            }
        }
        let alike = |one: Sort, other: Sort| {
            one == other
                || [one, other].contains(&Sort::Any)
                || (one == Sort::Clock && other == Sort::Text)
                || (one == Sort::Text && other == Sort::Clock)
        };
        if !alike(first, second) {
            return Err((at, format!("{} can't be compared with {}", second.said(), first.said())));
        }
        if let Some(Token::Sign(_)) = self.tokens.peek().map(|(_, token)| token).filter(|t| SIGNS.contains(t))
        {
            return Err((self.at(), "compare two at a time, with `and` between".to_owned()));
        }
        Ok((Node::Compare(comparison, Box::new(one), Box::new(other)), Sort::Flag))
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&[Token::Sign("+"), Token::Sign("-")], Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.chain(&[Token::Sign("*"), Token::Sign("/")], Self::negative)
    }

    fn chain(&mut self, signs: &[Token<'static>], part: fn(&mut Self) -> Parsed) -> Parsed {
        let start = self.at();
        let (mut node, mut sort) = part(self)?;
        while let Some(Token::Sign(sign)) = self.take(signs) {
            must(start, sort, Sort::Number, sign)?;
            let at = self.at();
            let (other, found) = part(self)?;
            must(at, found, Sort::Number, sign)?;
            let operation = match sign {
                "+" => Operation::Plus,
                "-" => Operation::Minus,
                "*" => Operation::Times,
                _ => Operation::Over,
            };
            (node, sort) = (Node::Sum(operation, Box::new(node), Box::new(other)), Sort::Number);
        }
        Ok((node, sort))
    }

    fn negative(&mut self) -> Parsed {
        if self.take(&[Token::Sign("-")]).is_none() {
            return self.primary();
        }
        self.deeper()?;
        let at = self.at();
        let (node, sort) = self.negative()?;
        must(at, sort, Sort::Number, "-")?;
        self.depth -= 1;
        Ok((Node::Negative(Box::new(node)), Sort::Number))
    }

    fn primary(&mut self) -> Parsed {
        let Some((at, token)) = self.tokens.next() else {
            return Err((self.end, "here a value is missing".to_owned()));
        };
        match token {
            Token::Number(number) => Ok((Node::Constant(constant(number)), Sort::Number)),
            Token::Text(text) => {
                let sort = if shape::clock(text).is_some() { Sort::Clock } else { Sort::Text };
                Ok((Node::Constant(Value::Text(text.into())), sort))
            }
            Token::Word("true") => Ok((Node::Constant(Value::Flag(true)), Sort::Flag)),
            Token::Word("false") => Ok((Node::Constant(Value::Flag(false)), Sort::Flag)),
            Token::Word(word @ ("and" | "or" | "not")) => {
                Err((at, format!("before `{word}` a value is missing")))
            }
            Token::Word(word) if self.take(&[Token::Sign("(")]).is_some() => self.call(at, word),
            Token::Word(word) => {
                let name = self.name(word);
                Ok((Node::Name(name), Sort::Any))
            }
            Token::Sign("(") => {
                self.deeper()?;
                let inside = self.either()?;
                self.close(at)?;
                Ok(inside)
            }
            sign @ Token::Sign(_) => Err((at, format!("before {} a value is missing", shown(&sign)))),
        }
    }

    fn name(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.names.iter().find(|name| ***name == *word) {
            return Arc::clone(known);
        }
        self.names.push(word.into());
        Arc::clone(&self.names[self.names.len() - 1])
    }

    fn close(&mut self, opened: usize) -> Result<(), Wrong> {
        if self.take(&[Token::Sign(")")]).is_none() {
            return Err((self.at(), format!("the `(` at letter {} is not closed", opened + 1)));
        }
        self.depth -= 1;
        Ok(())
    }

    fn call(&mut self, at: usize, word: &str) -> Parsed {
        self.deeper()?;
        if word == "has" {
            let inside = self.at();
            let Some((_, Token::Word(name))) = self.tokens.next() else {
                return Err((inside, "has(…) takes the name of a value".to_owned()));
            };
            let name = self.name(name);
            self.close(at)?;
            return Ok((Node::Has(name), Sort::Flag));
        }
        let (function, least, most) = match word {
            "min" => (Function::Min, 2, 16),
            "max" => (Function::Max, 2, 16),
            "abs" => (Function::Abs, 1, 1),
            "seconds" => (Function::Seconds, 1, 1),
            _ => return Err((at, format!("there is no {word}(…); there are abs, has, max, min, seconds"))),
        };
        let mut inside = Vec::new();
        loop {
            let at = self.at();
            let (node, sort) = self.either()?;
            if !(function == Function::Seconds && sort == Sort::Clock) {
                must(at, sort, Sort::Number, word)?;
            }
            inside.push(node);
            if self.take(&[Token::Sign(",")]).is_none() {
                break;
            }
        }
        self.close(at)?;
        if inside.len() < least || inside.len() > most {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err((at, format!("{word}(…) takes {wanted}, not {}", inside.len())));
        }
        Ok((Node::Call(function, inside), Sort::Number))
    }
}

fn must(at: usize, found: Sort, wanted: Sort, what: &str) -> Result<(), Wrong> {
    if found == wanted || found == Sort::Any {
        return Ok(());
    }
    Err((at, format!("`{what}` takes {}; this is {}", wanted.said(), found.said())))
}

/// Whole where it is.
fn constant(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
    if number.fract() == 0.0 && number < 9e15 { Value::Int(number as i64) } else { Value::Real(number) }
}
