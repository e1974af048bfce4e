//! Values made from others: numbers, texts, comparisons.
//!
//! Owns the small language of a pack's derived values and of its rules' guards. Parsed once, when a pack is loaded; worked
//! out for each reading. Bounded in length and depth; whatever the text or the values, it never panics: what can't be
//! worked out (a value that was not read, a division by zero, a text where a number must be) is no value.

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::shape;
use crate::value::{Read, Value};

/// Bytes of an expression.
pub const MOST_BYTES: usize = 1000;
/// How deep parentheses and the like may be nested.
pub const MOST_DEPTH: usize = 32;

/// A worked-out expression of a derived value.
#[derive(Clone, Debug)]
pub struct Expr {
    root: Node,
    names: Vec<Arc<str>>,
}

#[derive(Clone, Debug)]
enum Node {
    Constant(Value),
    Name(Arc<str>),
    Has(Arc<str>),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Sum(Operation, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Other,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Plus,
    Minus,
    Times,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Min,
    Max,
    Abs,
    Seconds,
}

impl Expr {
    /// # Errors
    /// What is wrong, and where in the text (a byte of it).
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let (root, names) = parse::parse(text)?;
        Ok(Self { root, names })
    }

    /// The ids of the values it is made of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Its value, as sure as the least sure of what it is made of; `None` when one of them is not there or of another kind.
    ///
    /// `false and x` is false and `true or x` true whatever `x` is, also when it is not there.
    pub fn value<'a>(&self, look: &dyn Fn(&str) -> Option<&'a Read>) -> Option<Read> {
        self.root.value(look)
    }

    /// Whether it is true; `None` when that can't be said.
    pub fn holds<'a>(&self, look: &dyn Fn(&str) -> Option<&'a Read>) -> Option<bool> {
        match self.value(look)?.value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }
}

impl Node {
    fn value<'a>(&self, look: &dyn Fn(&str) -> Option<&'a Read>) -> Option<Read> {
        Some(match self {
            Self::Constant(value) => Read { value: value.clone(), confidence: 1.0 },
            Self::Name(name) => look(name)?.clone(),
            Self::Has(name) => flag(look(name).is_some(), 1.0),
            Self::Not(inside) => {
                let (inside, confidence) = inside.flag(look)?;
                flag(!inside, confidence)
            }
            Self::Negative(inside) => {
                let inside = inside.value(look)?;
                let value = arithmetic(Operation::Minus, &Value::Int(0), &inside.value)?;
                Read { value, confidence: inside.confidence }
            }
            Self::And(one, other) => decide(one.flag(look), other.flag(look), false)?,
            Self::Or(one, other) => decide(one.flag(look), other.flag(look), true)?,
            Self::Compare(comparison, one, other) => {
                let (one, other) = (one.value(look)?, other.value(look)?);
                let is = compare(*comparison, &one.value, &other.value)?;
                flag(is, one.confidence.min(other.confidence))
            }
            Self::Sum(operation, one, other) => {
                let (one, other) = (one.value(look)?, other.value(look)?);
                let value = arithmetic(*operation, &one.value, &other.value)?;
                Read { value, confidence: one.confidence.min(other.confidence) }
            }
            Self::Call(function, inside) => {
                let mut inside = inside.iter().map(|node| node.value(look));
                let first = inside.next()??;
                let mut result = match function {
                    Function::Abs if number(&first.value)? < 0.0 => {
                        Read { value: arithmetic(Operation::Minus, &Value::Int(0), &first.value)?, ..first }
                    }
                    Function::Seconds => match &first.value {
                        Value::Text(text) => Read { value: Value::Int(shape::clock(text)?), ..first },
                        _ => plain(first)?,
                    },
                    _ => plain(first)?,
                };
                for next in inside {
                    let next = plain(next?)?;
                    let less = number(&next.value)? < number(&result.value)?;
                    let confidence = result.confidence.min(next.confidence);
                    let chosen = if less == (*function == Function::Min) { next } else { result };
                    result = Read { confidence, ..chosen };
                }
                result
            }
        })
    }

    fn flag<'a>(&self, look: &dyn Fn(&str) -> Option<&'a Read>) -> Option<(bool, f32)> {
        let read = self.value(look)?;
        match read.value {
            Value::Flag(flag) => Some((flag, read.confidence)),
            _ => None,
        }
    }
}

fn flag(flag: bool, confidence: f32) -> Read {
    Read { value: Value::Flag(flag), confidence }
}

/// `and` (which one `false` decides) and `or` (which one `true` does); the other one need not be known then.
fn decide(one: Option<(bool, f32)>, other: Option<(bool, f32)>, decisive: bool) -> Option<Read> {
    match (one, other) {
        (Some((a, sure)), Some((b, also))) => {
            let confidence = match (a == decisive, b == decisive) {
                (true, true) => sure.max(also),
                (true, false) => sure,
                (false, true) => also,
                (false, false) => sure.min(also),
            };
            Some(flag(if a == decisive { a } else { b }, confidence))
        }
        (Some((known, sure)), None) | (None, Some((known, sure))) if known == decisive => {
            Some(flag(known, sure))
        }
        _ => None,
    }
}

/// A number, of what is one: flags are not.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Flag(_) => None,
        _ => value.number(),
    }
}

/// A clock counts in seconds.
fn plain(read: Read) -> Option<Read> {
    let value = match read.value {
        Value::Clock { seconds, .. } => Value::Int(seconds),
        value @ (Value::Int(_) | Value::Real(_)) => value,
        Value::Text(_) | Value::Flag(_) | Value::Item(_) => return None,
    };
    Some(Read { value, ..read })
}

/// Whole where both are; a division never is.
fn arithmetic(operation: Operation, one: &Value, other: &Value) -> Option<Value> {
    let whole = |value: &Value| match value {
        Value::Int(int) | Value::Clock { seconds: int, .. } => Some(*int),
        _ => None,
    };
    if let (Some(one), Some(other)) = (whole(one), whole(other))
        && operation != Operation::Over
    {
        let result = match operation {
            Operation::Plus => one.checked_add(other),
            Operation::Minus => one.checked_sub(other),
            Operation::Times | Operation::Over => one.checked_mul(other),
        };
        return result.map(Value::Int);
    }
    let (one, other) = (number(one)?, number(other)?);
    let result = match operation {
        Operation::Plus => one + other,
        Operation::Minus => one - other,
        Operation::Times => one * other,
        Operation::Over => one / other,
    };
    result.is_finite().then_some(Value::Real(result))
}

/// Whether two values are the same thing, as `==` says.
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    compare(Comparison::Equal, one, other) == Some(true)
}

/// A clock can be compared with how it is written, a recognised picture with its name.
fn compare(comparison: Comparison, one: &Value, other: &Value) -> Option<bool> {
    let order = match (one, other) {
        (Value::Text(text), clock @ Value::Clock { .. }) => {
            shape::clock(text).zip(number(clock)).map(|(a, b)| (Value::Int(a), Value::Real(b)))
        }
        (clock @ Value::Clock { .. }, Value::Text(text)) => {
            number(clock).zip(shape::clock(text)).map(|(a, b)| (Value::Real(a), Value::Int(b)))
        }
        _ => None,
    };
    let order = match &order {
        Some((one, other)) => number(one)?.partial_cmp(&number(other)?)?,
        None => match (one, other) {
            (Value::Flag(one), Value::Flag(other)) if one == other => Ordering::Equal,
            (Value::Text(one), Value::Text(other)) if one == other => Ordering::Equal,
            (Value::Item(one), Value::Text(tag)) | (Value::Text(tag), Value::Item(one))
                if one.tag == *tag =>
            {
                Ordering::Equal
            }
            (Value::Item(one), Value::Item(other)) if one.tag == other.tag => Ordering::Equal,
            (Value::Flag(_), Value::Flag(_))
            | (Value::Text(_) | Value::Item(_), Value::Text(_) | Value::Item(_)) => {
                // Neither before nor behind: only known to be something else.
                return match comparison {
                    Comparison::Equal => Some(false),
                    Comparison::Other => Some(true),
                    _ => None,
                };
            }
            _ => number(one)?.partial_cmp(&number(other)?)?,
        },
    };
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Other => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::More => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    })
}
