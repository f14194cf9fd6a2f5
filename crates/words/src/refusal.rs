//! A refusal: why a file was not accepted, in words that a person can act on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::slot::Slot;
use crate::timestamp::Timestamp;

/// The rule that was broken. Serialises as its key, which for a rule of a field is that of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    MaxSize,
    MinSize,
    ContentTypes,
    /// The extension stands for a type that the field never takes.
    Extension,
    MinWidth,
    MinHeight,
    MaxWidth,
    MaxHeight,
    MinRatio,
    MaxRatio,
    MaxPixels,
    /// The bytes end before the image does.
    Truncated,
    /// The bytes break the rules of their format.
    Corrupt,
    /// Decoding would take more memory, time, frames or scans than allowed.
    Bomb,
    /// The name, or the id of the row, breaks the rules for names.
    Name,
    /// The file would displace another user's from a row with the sticky bit.
    Sticky,
    /// The patch changes metadata of a file that its writer may not write.
    Permission,
    /// The row was removed while the file was written.
    RowGone,
    /// The daemon or the writer ended before the file was closed.
    Interrupted,
    /// A scratch file whose lifetime has ended.
    Expired,
    /// An entry of the quarantine whose reason cannot be read. No refusal has this rule.
    Unreadable,
    /// A file was closed under a name that no field has. A notice: nothing is refused.
    NotAField,
    /// The row has files that no name shows, since the configuration has no such place: it cannot be removed.
    Hidden,
    /// The text that was written to `row.json` is no patch of the row's metadata.
    Json,
    /// The collection is full.
    MaxItems,
    /// A quota of bytes, files or open drafts is used up.
    Quota,
    /// A user has too many files open at a time.
    OpenFiles,
    /// The extended attributes of a file are too many, or too long.
    Attributes,
    /// The text that should be a URL is none.
    Url,
    /// The policy forbids the URL, or an address of its host.
    UrlPolicy,
    /// The host of the URL is not found or cannot be reached.
    UrlHost,
    /// The host of the URL was too slow.
    UrlTimeout,
    /// Too many downloads were waiting.
    UrlBusy,
    /// The host of the URL answered with something else than a file.
    UrlAnswer,
    /// The directory takes no such file.
    WrongPlace,
    /// A view, a variant or a control file.
    ReadOnly,
    /// The file is another user's.
    Owner,
    /// Another program has the file open.
    InUse,
    /// The disk of the library is full.
    Space,
    /// Too much is waiting.
    Busy,
    /// The request has no meaning for the file.
    Request,
    /// A store or the catalogue failed.
    Failed,
}

/// Prints the key: in messages, in `errors.jsonl` and in the configuration.
impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(out)
    }
}

/// A broken rule, described without the place of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub rule: Rule,
    /// The fact, as a clause: `image is 40x40`.
    pub fact: String,
    /// The measured value alone: `40x40`.
    pub measured: String,
    /// The rule of the field, as a predicate: `takes at least 64x64`.
    pub allows: String,
    /// The allowed value alone: `64x64`.
    pub allowed: String,
    /// The way out, as an imperative: `send a larger image`.
    pub hint: String,
}

#[doc(hidden)]
impl Violation {
    /// An example for tests: an image of 40x40 where 64x64 is the least.
    pub fn small_image() -> Self {
        Self {
            rule: Rule::MinWidth,
            fact: "image is 40x40".into(),
            measured: "40x40".into(),
            allows: "takes at least 64x64".into(),
            allowed: "64x64".into(),
            hint: "send a larger image".into(),
        }
    }
}

/// A violation at its place. Prints as
/// `user/42/avatar: image is 40x40; avatar takes at least 64x64 (min_width)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {}; {field} {} ({})", violation.fact, violation.allows, violation.rule)]
pub struct Refusal {
    pub id: RefusalId,
    /// The path below `/models`, `user/42/avatar`.
    pub path: String,
    /// The field's name, `avatar`.
    pub field: String,
    pub violation: Violation,
}

/// The id of a refusal, the same in the log, in `errors.jsonl` and as a directory of the quarantine. 55 bits, written as eleven
/// characters of Crockford's base 32: milliseconds since 2020 and a counter, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefusalId(u64);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: u32 = 11;
const COUNTER_BITS: u32 = 12;
const EPOCH_2020_MILLIS: i64 = 1_577_836_800_000;

impl RefusalId {
    /// The first id at this time; ids of one millisecond follow by [`RefusalId::next`].
    pub fn at(time: Timestamp) -> Self {
        let millis = (time.0 / 1_000_000).saturating_sub(EPOCH_2020_MILLIS);
        let mask = (1_u64 << (DIGITS * 5)) - 1;
        Self((u64::try_from(millis).unwrap_or(0) << COUNTER_BITS) & mask)
    }

    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Accepts exactly what `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != DIGITS as usize {
            return None;
        }
        let mut digits = text.bytes().map(|byte| ALPHABET.iter().position(|&digit| digit == byte));
        digits
            .try_fold(0, |number, digit| Some(number << 5 | u64::try_from(digit?).ok()?))
            .map(Self)
    }
}

impl Refusal {
    pub fn new(id: RefusalId, slot: &Slot, violation: Violation) -> Self {
        Self { id, path: slot.to_string(), field: slot.field.to_string(), violation }
    }

    pub fn rule(&self) -> Rule {
        self.violation.rule
    }
}

impl fmt::Display for RefusalId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..DIGITS).rev().try_for_each(|place| {
            let digit = (self.0 >> (place * 5)) & 31;
            write!(out, "{}", char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{Name, Row};

    #[test]
    fn a_refusal_names_the_fact_and_the_rule() {
        let name = |text| Name::parse(text).expect("a name");
        let slot = Slot {
            row: Row { table: name("user"), id: name("42") },
            field: name("avatar"),
            item: None,
        };
        let violation = Violation::small_image();
        let refusal = Refusal::new(RefusalId::from_number(0), &slot, violation);
        assert_eq!(
            refusal.to_string(),
            "user/42/avatar: image is 40x40; avatar takes at least 64x64 (min_width)"
        );
    }

    #[test]
    fn refusal_ids_print_as_eleven_characters_and_sort_by_time() {
        let early = RefusalId::at(Timestamp(1_763_833_507_000_000_000));
        let late = RefusalId::at(Timestamp(1_763_833_507_001_000_000));
        assert!(early < early.next() && early.next() < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(RefusalId::parse(&late.to_string()), Some(late));
        assert_eq!(RefusalId::parse("../../../.."), None);
    }

    #[test]
    fn a_rule_is_written_in_json_as_its_key() {
        let json = serde_json::to_string(&Rule::MaxSize).expect("JSON");
        assert_eq!(
            (json.as_str(), Rule::MaxSize.to_string().as_str()),
            ("\"max_size\"", "max_size")
        );
    }
}
