//! A template of row ids, for files that arrive without one: `{counter}`, `scan-{date}-{stem}`. It makes one candidate after
//! another until one is free.

use std::fmt::Write;

use crate::slot::Name;
use crate::timestamp::Timestamp;

/// The parts of which an id is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The largest number that is an id of the table, plus one.
    Counter,
    /// A random UUID.
    Uuid,
    /// The file's name without its extension.
    Stem,
    /// `2026-11-24`, in UTC.
    Date,
    /// `153000`, in UTC.
    Time,
}

/// The values for the placeholders of a template.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    pub file: &'a Name,
    pub at: Timestamp,
    /// Sixteen random bytes.
    pub random: [u8; 16],
}

impl Template {
    /// Accepts text with the placeholders `{counter}` (once), `{uuid}`, `{stem}`, `{date}`, `{time}`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = parts(text)?;
        if parts.iter().filter(|part| **part == Part::Counter).count() > 1 {
            return Err("`{counter}` stands there twice".into());
        }
        Ok(Self { parts })
    }

    /// Whether it is `{counter}` and nothing else.
    pub fn is_counter(&self) -> bool {
        self.parts == [Part::Counter]
    }

    /// Whether it is `{uuid}` and nothing else.
    pub fn is_uuid(&self) -> bool {
        self.parts == [Part::Uuid]
    }

    /// Whether two files can get different ids.
    pub fn varies(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// Whether every id begins with a dot.
    pub fn is_hidden(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Text(text)) if text.starts_with('.'))
    }

    /// Whether every candidate has a number. Otherwise only those after the first, which was taken, get one (`-2`, `-3`).
    pub fn counts(&self) -> bool {
        self.parts.contains(&Part::Counter)
    }

    /// Whether every candidate is free without a number, because it is random.
    pub fn is_random(&self) -> bool {
        self.parts.contains(&Part::Uuid)
    }

    /// A candidate with this number, or the first one of a template that does not count. `None` if the file's name makes it no
    /// valid name.
    pub fn id(&self, values: &Values<'_>, number: Option<u64>) -> Option<Name> {
        let id = match number {
            Some(number) => {
                let (before, after) = self.around(values);
                format!("{before}{number}{after}")
            }
            None => visible(&text(&self.parts, values)),
        };
        Name::parse(&id).ok()
    }

    /// The text before and after the number of a candidate.
    pub fn around(&self, values: &Values<'_>) -> (String, String) {
        let mut parts = self.parts.splitn(2, |part| *part == Part::Counter);
        let before = visible(&text(parts.next().unwrap_or_default(), values));
        match parts.next() {
            Some(after) => (before, text(after, values)),
            None => (format!("{before}-"), String::new()),
        }
    }
}

/// The text of parts, without the number.
fn text(parts: &[Part], values: &Values<'_>) -> String {
    let at = || values.at.as_rfc3339();
    let text = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Counter => String::new(),
        Part::Uuid => uuid(values.random),
        Part::Stem => values.file.split_extension().0.to_owned(),
        Part::Date => at()[..10].to_owned(),
        Part::Time => at()[11..19].replace(':', ""),
    };
    parts.iter().map(text).collect()
}

/// Cuts the dots at the beginning, which an id may not have.
fn visible(id: &str) -> String {
    id.trim_start_matches('.').to_owned()
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (before, after) = rest.split_at(start);
        let end = after.find('}').ok_or("a `{` is not closed")?;
        parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
        parts.push(match &after[1..end] {
            "counter" => Part::Counter,
            "uuid" => Part::Uuid,
            "stem" => Part::Stem,
            "date" => Part::Date,
            "time" => Part::Time,
            other => {
                return Err(format!(
                    "there is no `{{{other}}}`; there are {{counter}}, {{uuid}}, {{stem}}, {{date}} and {{time}}"
                ));
            }
        });
        rest = &after[end + 1..];
    }
    if rest.contains('}') {
        return Err("a `}` has no `{`".into());
    }
    parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
    let is_bad = |part: &&Part| matches!(part, Part::Text(text) if Name::parse(&format!("x{text}x")).is_err());
    match parts.iter().find(is_bad) {
        Some(Part::Text(text)) => Err(format!("`{text}` cannot stand in a name")),
        _ => Ok(parts),
    }
}

/// A UUID of version 4 (RFC 9562).
fn uuid(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (at, byte) in random.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(template: &str, file: &str, number: Option<u64>) -> String {
        let file = Name::parse(file).expect("a name");
        let at = Timestamp(1_774_020_645 * 1_000_000_000);
        let values = Values { file: &file, at, random: [0xff; 16] };
        let template = Template::parse(template).expect("a template");
        template.id(&values, number).expect("an id").to_string()
    }

    #[test]
    fn an_id_is_made_of_the_parts_that_the_template_names() {
        assert_eq!(id("{counter}", "a.jpg", Some(7)), "7");
        let uuid = id("{uuid}", "a.jpg", None);
        assert_eq!(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id("scan-{stem}", "page 1.x.jpg", None), "scan-page 1.x");
        assert_eq!(id("{date}-{time}-{stem}", "a.jpg", None), "2026-03-20-153045-a");
        assert_eq!(id("{date}-{counter}-{stem}", "a.jpg", Some(7)), "2026-03-20-7-a");
    }

    #[test]
    fn a_taken_id_is_followed_by_one_with_a_number() {
        assert_eq!(id("{stem}", "a.jpg", Some(2)), "a-2");
        assert_eq!(id("{stem}", ".a", None), "a");
        assert_eq!(id("{stem}", ".a", Some(3)), "a-3");
    }

    #[test]
    fn text_that_is_no_template_is_refused_with_the_reason() {
        for (text, reason) in [
            ("{name}", "there is no `{name}`"),
            ("{stem", "not closed"),
            ("a/{stem}", "cannot stand"),
            ("{stem}}", "has no"),
            ("{counter}{counter}", "twice"),
        ] {
            let error = Template::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
