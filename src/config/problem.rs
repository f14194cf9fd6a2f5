//! Mistakes in a configuration, each with its place and a hint.

use std::cell::RefCell;

use super::error::Error;

/// Collects mistakes while a file is read.
pub(super) struct Problems<'t> {
    file: &'t str,
    text: &'t str,
    found: RefCell<Vec<(usize, String)>>,
}

impl<'t> Problems<'t> {
    pub fn of(file: &'t str, text: &'t str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    /// Adds a mistake at this offset in the text.
    pub fn add(&self, at: usize, message: String) {
        self.found.borrow_mut().push((at, message));
    }

    /// The value if there are no mistakes, else all of them in the order of the file, a line each: `mediafs.toml:14:1: unknown ...`.
    pub fn verdict<T>(self, value: Option<T>) -> Result<T, Error> {
        let mut found = self.found.take();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => {
                found.sort();
                found.dedup();
                let line =
                    |(at, message): (usize, String)| format!("{}: {message}", self.place(at));
                let lines: Vec<_> = found.into_iter().map(line).collect();
                Err(Error::Invalid(lines.join("\n")))
            }
        }
    }

    /// The file, the line and the column, in characters, of an offset. Both are counted from 1.
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) =
            (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
        format!("{}:{line}:{column}", self.file)
    }
}

/// The candidate that is nearest to a text, if the text may be a typing error of it.
pub(super) fn nearest<'c>(written: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let limit = match written.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    candidates
        .iter()
        .map(|candidate| (distance(written, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_what_was_meant() {
        let keys = ["min_size", "max_size", "max_width", "fit"];
        assert_eq!(nearest("max_sise", &keys), Some("max_size"));
        assert_eq!(nearest("maxsize", &keys), Some("max_size"));
        assert_eq!(nearest("fot", &keys), Some("fit"));
        assert_eq!(nearest("colour", &keys), None);
    }

    #[test]
    fn a_column_counts_characters_and_not_bytes() {
        let problems = Problems::of("f", "a\n\u{e9}\u{e9}x");
        problems.add(6, "here".into());
        let errors = problems.verdict(Some(())).expect_err("a problem");
        assert_eq!(errors.to_string(), "f:2:3: here");
    }
}
