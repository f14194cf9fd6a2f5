//! A slot: a place in the tree that holds an attachment, and the names that lead there. The table, row and field of a slot need
//! not exist.

use std::fmt;
use std::sync::Arc;

/// The longest name, in bytes, as on every POSIX filesystem (`NAME_MAX`).
pub const NAME_MAX: usize = 255;

/// One component of a path.
///
/// - 1 to 255 bytes of UTF-8
/// - no `/`, no control character
/// - neither `.` nor `..`
/// - no trailing space and no trailing dot, which Samba and Windows cut off. `.in.photo.jpg.` is a name all the same: `ProFTPD`
///   writes to such a file with `HiddenStores on`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Accepts a text that keeps the rules above. Errors: the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_MAX {
            return Err(NameError::TooLong);
        }
        if text.contains('/') {
            return Err(NameError::Separator);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter);
        }
        let hidden_store = text.strip_prefix(".in.").and_then(|rest| rest.strip_suffix('.'));
        if hidden_store.filter(|it| !it.is_empty()).unwrap_or(text).ends_with(['.', ' ']) {
            return Err(NameError::TrailingSpaceOrDot);
        }
        Ok(Self(text.into()))
    }

    /// Like [`Name::parse`], for bytes from the kernel or the network.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > NAME_MAX {
            return Err(NameError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::NotUtf8)?;
        Self::parse(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits at the last dot: `photo.JPG` is (`photo`, `JPG`). A leading dot starts no extension.
    pub fn split_extension(&self) -> (&str, Option<&str>) {
        match self.0.rfind('.') {
            Some(at) if at > 0 => (&self.0[..at], Some(&self.0[at + 1..])),
            _ => (&self.0, None),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", &*self.0)
    }
}

/// The rule that keeps a text from being a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name cannot be empty")]
    Empty,
    #[error("a name has at most 255 bytes")]
    TooLong,
    #[error("a name cannot contain '/'")]
    Separator,
    #[error("a name must be valid UTF-8")]
    NotUtf8,
    #[error("a name cannot contain control characters")]
    ControlCharacter,
    #[error("a name cannot end with a space or a dot")]
    TrailingSpaceOrDot,
}

/// A row of a table: `user/42`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub table: Name,
    pub id: Name,
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.table, self.id)
    }
}

/// A field of a row, or an item of a collection: `user/42/avatar`, `user/42/photos/front.jpg`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    pub row: Row,
    pub field: Name,
    /// In a list the item's name, in a dict its key; `None` in a field that holds one file.
    pub item: Option<Name>,
}

impl Slot {
    /// Accepts what `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(|part| Name::parse(part).ok());
        let row = Row { table: parts.next()??, id: parts.next()?? };
        let field = parts.next()??;
        let item = match parts.next() {
            None => None,
            Some(item) => Some(item?),
        };
        parts.next().is_none().then_some(Self { row, field, item })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.row, self.field)?;
        self.item.as_ref().map_or(Ok(()), |item| write!(out, "/{item}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_256_bytes_is_too_long_and_one_of_255_is_not() {
        assert!(Name::parse(&"a".repeat(255)).is_ok());
        assert_eq!(Name::parse(&"a".repeat(256)), Err(NameError::TooLong));
    }

    #[test]
    fn names_that_other_systems_mangle_are_refused() {
        for (text, why) in [
            ("", NameError::Empty),
            (".", NameError::TrailingSpaceOrDot),
            ("..", NameError::TrailingSpaceOrDot),
            ("a.", NameError::TrailingSpaceOrDot),
            ("a ", NameError::TrailingSpaceOrDot),
            (".in..", NameError::TrailingSpaceOrDot),
            (".in.a..", NameError::TrailingSpaceOrDot),
            ("a/b", NameError::Separator),
            ("a\nb", NameError::ControlCharacter),
        ] {
            assert_eq!(Name::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Name::parse_bytes(b"\xff"), Err(NameError::NotUtf8));
        assert!(Name::parse(".in.a.jpg.").is_ok(), "ProFTPD's HiddenStores");
    }

    #[test]
    fn an_extension_is_what_follows_the_last_dot() {
        let split = |text: &str| {
            let name = Name::parse(text).expect("a name");
            let (stem, extension) = name.split_extension();
            (stem.to_owned(), extension.map(str::to_owned))
        };
        assert_eq!(split("a.b.JPG"), ("a.b".into(), Some("JPG".into())));
        assert_eq!(split(".hidden"), (".hidden".into(), None));
        assert_eq!(split("avatar"), ("avatar".into(), None));
    }
}
