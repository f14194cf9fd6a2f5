//! A section of a configuration: it returns the values of keys, and complains of keys that were never asked for.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problems, nearest};

/// One table of the file. Its mistakes are added to the problems and not returned.
pub(super) struct Section<'t> {
    /// The header without brackets, such as `tables.user`; empty for the document.
    title: String,
    /// The offset of its name in the file.
    at: usize,
    table: &'t DeTable<'t>,
    problems: &'t Problems<'t>,
    /// The keys that were asked for.
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Section<'t> {
    pub fn root(table: &'t DeTable<'t>, problems: &'t Problems<'t>) -> Self {
        Self { title: String::new(), at: 0, table, problems, known: RefCell::default() }
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

    /// The values of a list, each read by `read`. Every wrong one is named at its own place.
    pub fn list<T>(
        &self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (_, value) = self.find(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let found = value.get_ref().type_str();
            self.wrong(key, value, &format!("expected a list, found {}", article(found)));
            return None;
        };
        let item = |item: &Spanned<DeValue<'_>>| {
            read(item.get_ref()).map_err(|reason| self.wrong(key, item, &reason)).ok()
        };
        // Collected twice, because collecting into an Option stops at the first wrong value.
        let read: Vec<Option<T>> = items.iter().map(item).collect();
        read.into_iter().collect()
    }

    /// Refuses a key whose feature does not exist yet, whatever its value.
    pub fn unsupported(&self, key: &'static str) {
        self.unsupported_unless(key, "", |_| false);
    }

    /// Refuses a key of which only some values work yet. `hint` says what to do instead.
    pub fn unsupported_unless(
        &self,
        key: &'static str,
        hint: &str,
        works: impl FnOnce(&DeValue<'_>) -> bool,
    ) {
        let Some((_, value)) = self.find(key) else { return };
        if !works(value.get_ref()) {
            self.wrong(key, value, &format!("not yet supported{hint}"));
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

    /// Whether a key is there. It then counts as asked for.
    pub fn known(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The section with this name in this one.
    pub fn section(&self, key: &'static str) -> Option<Section<'t>> {
        let (name, value) = self.find(key)?;
        self.child(name, value)
    }

    /// The sections in this one, with names that the user chose, in the order of the file.
    pub fn sections(&self) -> Vec<(&'t str, Section<'t>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        entries
            .into_iter()
            .filter_map(|(name, value)| Some((&**name.get_ref(), self.child(name, value)?)))
            .collect()
    }

    /// Complains of the section itself.
    pub fn reject(&self, reason: &str) {
        self.problems.add(self.at, format!("[{}]: {reason}", self.title));
    }

    /// Complains of every key that was not asked for, as unknown.
    pub fn finish(&self) {
        let known = self.known.borrow();
        for (name, _) in self.table.iter().filter(|(name, _)| !known.contains(&&**name.get_ref())) {
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
        self.table.iter().find(|(name, _)| name.get_ref() == key)
    }

    fn child(&self, name: &'t Spanned<Name<'t>>, value: &'t Spanned<DeValue<'t>>) -> Option<Self> {
        let key = &**name.get_ref();
        let Some(table) = value.get_ref().as_table() else {
            let found = article(value.get_ref().type_str());
            self.wrong(key, value, &format!("expected a section, found {found}"));
            return None;
        };
        let title =
            if self.title.is_empty() { key.to_owned() } else { format!("{}.{key}", self.title) };
        let at = name.span().start;
        Some(Self { title, at, table, problems: self.problems, known: RefCell::default() })
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

type Name<'t> = toml::de::DeString<'t>;
type Entry<'t> = (&'t Spanned<Name<'t>>, &'t Spanned<DeValue<'t>>);

/// A type with its article: `a string`, `an integer`.
pub(super) fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
