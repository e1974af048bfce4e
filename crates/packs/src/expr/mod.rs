//! Values made from others: numbers, texts, comparisons.

use crate::value::{Read, Value};

/// A worked-out expression of a derived value.
#[derive(Clone, Debug)]
pub struct Expr {}

impl Expr {
    /// # Errors
    /// What is wrong, and where in the text (a byte of it).
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let _ = text;
        Ok(Self {})
    }

    /// The ids of the values it is made of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Its value, as sure as the least sure of what it is made of; `None` when one of them is not there or of another kind.
    pub fn value<'a>(&self, look: &dyn Fn(&str) -> Option<&'a Read>) -> Option<Read> {
        let _ = look;
        None::<Read>.or_else(|| None::<Value>.map(|value| Read { value, confidence: 0.0 }))
    }
}
