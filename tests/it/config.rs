//! Configurations of the tests, composed key by key.

use crate::mount::daemon::Mount;

/// A configuration in TOML, with one key on a line. The library lies beside it.
#[derive(Clone)]
pub struct Config {
    text: String,
    /// The table of the next field.
    table: String,
}

impl Config {
    pub fn new() -> Self {
        Self { text: String::new(), table: String::new() }.with("library.path = 'library'")
    }

    /// Sets a key, such as `library.trash = '1h'`, and drops its earlier value.
    pub fn with(mut self, line: &str) -> Self {
        let key = |line: &str| line.split(" = ").next().map(str::to_owned);
        let others = self.text.lines().filter(|other| key(other) != key(line));
        self.text = others.chain([line]).fold(String::new(), |text, line| text + line + "\n");
        self
    }

    /// Adds a table whose ids are `integer`, `uuid` or `name`. The fields that follow belong to it.
    pub fn table(mut self, name: &str, id: &str) -> Self {
        name.clone_into(&mut self.table);
        self.with(&format!("tables.{name}.id = '{id}'"))
    }

    /// Adds a field: its type and its other keys, such as `image, min_width = 64`.
    pub fn field(self, name: &str, rules: &str) -> Self {
        let (kind, more) = rules.split_at(rules.find(',').unwrap_or(rules.len()));
        let table = &self.table;
        let line = format!("tables.{table}.fields.{name} = {{ type = '{kind}'{more} }}");
        self.with(&line)
    }

    /// Mounts the configuration. `None`, with a message, without FUSE.
    pub fn mount(&self) -> Option<Mount> {
        Mount::with(self)
    }
}

impl AsRef<str> for Config {
    fn as_ref(&self) -> &str {
        &self.text
    }
}
