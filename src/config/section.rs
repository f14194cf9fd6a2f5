//! A section of a configuration: it returns the values of keys, and complains of keys that were never asked for.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Problems, nearest};
use super::value::unlike;
use words::slot::Name;

/// The longest name of a table, field, store or drop box, in bytes.
const MAX_NAME: usize = 40;

/// One table of the file. Its mistakes are added to the problems and not returned.
pub(super) struct Section<'t> {
    /// The header without brackets, such as `tables.user`; empty for the document.
    title: String,
    /// The offset of its name in the file.
    at: usize,
    /// `None` in place of a missing section.
    table: Option<&'t DeTable<'t>>,
    problems: &'t Problems<'t>,
    /// The keys that were asked for.
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Section<'t> {
    pub fn root(table: &'t DeTable<'t>, problems: &'t Problems<'t>) -> Self {
        Self {
            title: String::new(),
            at: 0,
            table: Some(table),
            problems,
            known: RefCell::default(),
        }
    }

    /// The value of a key, read by `read`. `None` if it is absent or wrong.
    pub fn key<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let (_, value) = self.find(key)?;
        read(value.get_ref()).map_err(|reason| self.wrong(key, value, &reason)).ok()
    }

    /// The value of a key without a default. Complains if it is absent.
    pub fn required<T>(
        &self,
        key: &'static str,
        hint: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing(key, hint);
        }
        self.key(key, read)
    }

    /// The values of a list, each read by `read`. Every wrong one is named at its own place.
    pub fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (_, value) = self.find(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, &unlike(value.get_ref(), "a list"));
            return None;
        };
        let item = |item: &Spanned<DeValue<'_>>| {
            read(item.get_ref()).map_err(|reason| self.wrong(key, item, &reason)).ok()
        };
        // Collected twice, because collecting into an Option stops at the first wrong value.
        let read: Vec<Option<T>> = items.iter().map(item).collect();
        read.into_iter().collect()
    }

    /// Refuses a key, if it is there, whatever its value.
    pub fn refuse(&self, key: &'static str, reason: &str) {
        if let Some((_, value)) = self.find(key) {
            self.wrong(key, value, reason);
        }
    }

    /// Complains of the value of a key, or of the section if the key is absent.
    pub fn complain(&self, key: &str, reason: &str) {
        match self.entry(key) {
            Some((_, value)) => self.wrong(key, value, reason),
            None => self.problems.add(self.at, format!("{}{reason}", self.place(key))),
        }
    }

    /// Complains of a required key that is absent.
    pub fn missing(&self, key: &str, hint: &str) {
        self.problems.add(self.at, format!("`{key}` is missing{}; {hint}", self.within()));
    }

    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The section with this name in this one. `None` if it is absent or wrong.
    pub fn section(&self, key: &'static str) -> Option<Section<'t>> {
        let (name, value) = self.find(key)?;
        self.child(name, value)
    }

    /// The section with this name in this one; an empty one if it is absent or wrong.
    pub fn section_or_empty(&self, key: &'static str) -> Section<'t> {
        let (title, problems) = (key.to_owned(), self.problems);
        let empty =
            || Self { title, at: self.at, table: None, problems, known: RefCell::default() };
        self.section(key).unwrap_or_else(empty)
    }

    /// The sections in this one, with names that the user chose, in the order of the file.
    pub fn sections(&self) -> Vec<(&'t str, Section<'t>)> {
        let mut entries: Vec<_> = self.entries().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        entries
            .into_iter()
            .filter_map(|(name, value)| Some((&**name.get_ref(), self.child(name, value)?)))
            .collect()
    }

    /// The last part of the title as the name of a table, field, store or drop box. Such names are a part of paths, of URLs and of
    /// `field@spec.ext`, so they are narrower than those of files.
    pub fn name(&self, written: &str) -> Option<Name> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if !(1..=MAX_NAME).contains(&written.len()) || !written.bytes().all(plain) {
            self.reject(
                "a table, field, store or drop box is named by 1 to 40 of the characters a-z, 0-9, _ and -",
            );
            return None;
        }
        Name::parse(written).map_err(|error| self.reject(&error.to_string())).ok()
    }

    /// Complains of the section itself.
    pub fn reject(&self, reason: &str) {
        self.problems.add(self.at, format!("[{}]: {reason}", self.title));
    }

    /// Complains of every key that was not asked for, as unknown.
    pub fn finish(&self) {
        let known = self.known.borrow();
        for (name, _) in self.entries().filter(|(name, _)| !known.contains(&&**name.get_ref())) {
            let written = &**name.get_ref();
            let hint = nearest(written, &known)
                .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            let message = format!("unknown key `{written}`{}{hint}", self.within());
            self.problems.add(name.span().start, message);
        }
    }

    fn find(&self, key: &'static str) -> Option<Entry<'t>> {
        self.known.borrow_mut().push(key);
        self.entry(key)
    }

    fn entry(&self, key: &str) -> Option<Entry<'t>> {
        self.entries().find(|(name, _)| name.get_ref() == key)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'t>> + use<'t> {
        self.table.into_iter().flatten()
    }

    fn child(
        &self,
        name: &'t Spanned<DeString<'t>>,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Option<Self> {
        let key = &**name.get_ref();
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, value, &unlike(value.get_ref(), "a section"));
            return None;
        };
        let title =
            if self.title.is_empty() { key.to_owned() } else { format!("{}.{key}", self.title) };
        let (at, problems) = (name.span().start, self.problems);
        Some(Self { title, at, table: Some(table), problems, known: RefCell::default() })
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, reason: &str) {
        self.problems.add(value.span().start, format!("{}{reason}", self.place(key)));
    }

    fn place(&self, key: &str) -> String {
        format!("`{key}`{}: ", self.within())
    }

    fn within(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!(" in [{}]", self.title) }
    }
}

type Entry<'t> = (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>);
