//! Mistakes in the syntax of TOML, in words for people who do not know it.

/// The offset and the message of a fault that the parser has found at this offset.
pub(super) fn explain(text: &str, at: usize, fault: &str) -> (usize, String) {
    if fault == "duplicate key" {
        return (at, twice(text, at));
    }
    bare(text, at).unwrap_or_else(|| (at, fault.replace('\n', ", ")))
}

/// `user` of `[tables.user]`, `path` of `path = "x"`: the word at an offset.
fn word(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let is_part = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

fn twice(text: &str, at: usize) -> String {
    let key = word(text, at);
    let start =
        text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    let earlier = text.get(..start).unwrap_or_default();
    if line.starts_with('[') {
        let before = earlier.lines().position(|other| other.trim() == line);
        let before = before.map_or_else(String::new, |before| format!(" in line {}", before + 1));
        return format!("{line} is there already{before}; write its keys below that one");
    }
    // The same key, after the last header above.
    let header = earlier.rfind("\n[").map_or(0, |newline| newline + 1);
    let above = earlier.get(..header).unwrap_or_default().matches('\n').count();
    let mut section = earlier.get(header..).unwrap_or_default().lines();
    let before = section.position(|other| word(other.trim_start(), 0) == key);
    let before =
        before.map_or_else(String::new, |it| format!(", first in line {}", above + it + 1));
    format!("`{key}` is set twice{before}; keep one of them")
}

/// A text without quotes: `max_size = 5 MiB`.
fn bare(text: &str, at: usize) -> Option<(usize, String)> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let from = start + key.len() + 1;
    let written = value.split('#').next()?.trim();
    let is_name = |key: &str| key.chars().all(|it| it.is_alphanumeric() || "_-.".contains(it));
    let is_text = written.starts_with(char::is_alphanumeric) && !written.contains(['"', '\'']);
    if at < from || !is_text || !is_name(key.trim()) {
        return None;
    }
    let key = key.trim();
    let blanks = value.len() - value.trim_start().len();
    Some((from + blanks, format!("`{key}`: a text stands in quotes: {key} = \"{written}\"")))
}
