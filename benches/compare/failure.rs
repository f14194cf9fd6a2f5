//! The error of a measurement: a message, with its causes joined to it.

use std::error::Error;
use std::fmt::{self, Display};

pub type Outcome<T> = Result<T, Failure>;

/// Does not implement `Error`, so that `?` can turn any error into one.
#[derive(Debug, Clone)]
pub struct Failure(String);

impl Failure {
    pub fn new(words: impl Display) -> Self {
        Self(words.to_string())
    }
}

impl Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            words = format!("{words}: {source}");
            cause = source.source();
        }
        Self(words)
    }
}

/// Adds the failed operation to an error.
pub trait While<T> {
    fn during(self, doing: impl Display) -> Outcome<T>;
}

impl<T, E: Into<Failure>> While<T> for Result<T, E> {
    fn during(self, doing: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{doing}: {}", error.into())))
    }
}
