//! Why a command was not done.

use crate::id::Id;
use crate::read::Problem;

/// A command that changed nothing. Each is an HTTP status by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Values that are not allowed (422).
    #[error("{}", say(.0))]
    Invalid(Vec<Problem>),
    /// There is no such layer, animation or scene (404).
    #[error("there is no {what} '{id}'")]
    Missing { what: &'static str, id: Id },
    /// The id belongs to another one (409).
    #[error("there is a {what} '{id}' already")]
    Taken { what: &'static str, id: Id },
    /// There are as many as there may be (409).
    #[error("there are {most} {what} already, and that is the most")]
    Full { what: &'static str, most: usize },
    /// It was changed since the client looked (412).
    #[error("'{id}' is at revision {revision} by now")]
    Stale { id: Id, revision: u64 },
}

fn say(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// What a change from elsewhere lacks to be done here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// Changes were missed: the whole state is needed.
    #[error("revision {got} does not follow revision {have}")]
    Missed { have: u64, got: u64 },
    /// It does not fit what is here.
    #[error("{}", say(.0))]
    Unfit(Vec<Problem>),
}
