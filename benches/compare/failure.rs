//! What ends a measurement: words for a person, with the cause joined to them.
//! Does not know which row of the table it ends.

use std::error::Error;
use std::fmt::{self, Display};

pub type Outcome<T> = Result<T, Failure>;

/// Not an `Error` itself, so that every error can become one by `?`.
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

/// Says what was being done when it failed.
pub trait While<T> {
    fn during(self, doing: impl Display) -> Outcome<T>;
}

impl<T, E: Into<Failure>> While<T> for Result<T, E> {
    fn during(self, doing: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{doing}: {}", error.into())))
    }
}
