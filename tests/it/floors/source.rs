//! The files of the workspace and where each stands: its crate, module, room and floor.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::plan;
use super::text::{self, Token};

/// The crates that are read: the name by which others name them, their folder, and the beginning of its paths in the plan.
const CRATES: [(&str, &str, &str); 3] = [
    ("mediafs", "src/", ""),
    ("pipeline", "crates/pipeline/src/", "pipeline/"),
    ("words", "crates/words/src/", "words/"),
];

/// Folders of tests and benches. Their files stand on no floor.
const TESTS: [&str; 3] = ["tests/", "benches/", "crates/samples/"];

/// A file of a test or a bench.
pub struct TestFile {
    /// From the root of the workspace.
    pub path: String,
    pub text: String,
}

impl TestFile {
    /// Its name without the ending; for a `mod.rs`, that of its folder.
    pub fn name(&self) -> &str {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.rsplit('/').next().unwrap_or(path)
    }
}

/// A file of the product.
pub struct File {
    /// From the root of the workspace.
    pub path: String,
    /// As if all crates were one: `pipeline/mod.rs` is `crates/pipeline/src/lib.rs`.
    pub place: String,
    /// The path of its module, from the name of the crate on.
    pub module: Vec<String>,
    pub text: String,
    /// Compiled for tests alone: it may import all of its parent, as inline tests may.
    pub tests_only: bool,
}

/// The place of a file in the plan, bottom up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    Words,
    Room(usize),
    /// `lib.rs` and `main.rs`, above everything.
    Root,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        let (krate, folder, stands) = CRATES
            .into_iter()
            .find(|(_, folder, _)| path.starts_with(folder))
            .expect("a file of one of the crates");
        let inside = &path[folder.len()..];
        let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
        let module = module.split('/').filter(|name| *name != "lib");
        let door = if stands.is_empty() { "lib.rs" } else { "mod.rs" };
        let place = if inside == "lib.rs" { door } else { inside };
        Self {
            path: path.to_owned(),
            place: format!("{stands}{place}"),
            module: [krate].into_iter().chain(module).map(str::to_owned).collect(),
            text: text.to_owned(),
            tests_only: false,
        }
    }

    pub fn code(&self) -> Vec<Token<'_>> {
        text::code(&text::tokens(&self.text))
    }

    /// The room, which is `words` for the files in `src` itself.
    pub fn room(&self) -> Option<&str> {
        match self.place.split_once('/') {
            Some((room, _)) => Some(room),
            None => (self.floor() == Some(Floor::Words)).then_some("words"),
        }
    }

    /// The folder or file of the room that has it: `keep` of `library/keep/trash.rs`, `error` of `library/error.rs`.
    pub fn part(&self) -> Option<&str> {
        let (_, inside) = self.place.split_once('/')?;
        Some(inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(sub, _)| sub))
    }

    /// Its name without the ending; for a `mod.rs`, that of its folder.
    pub fn name(&self) -> &str {
        self.module.last().expect("a crate at least")
    }

    pub fn floor(&self) -> Option<Floor> {
        match self.place.split_once('/') {
            Some((room, _)) => plan::floor(room),
            None if matches!(self.place.as_str(), "lib.rs" | "main.rs") => Some(Floor::Root),
            None => Some(Floor::Words),
        }
    }
}

impl Floor {
    /// The height above the words, which are at 0.
    pub fn height(self) -> usize {
        match self {
            Self::Words => 0,
            Self::Room(floor) => floor,
            Self::Root => usize::MAX,
        }
    }
}

/// Every file of the crates, with those that only tests need marked.
pub fn files() -> Vec<File> {
    let texts = CRATES.iter().flat_map(|(_, folder, _)| texts(folder));
    let mut found: Vec<_> = texts.map(|(path, text)| File::new(&path, &text)).collect();
    mark_tests(&mut found);
    found
}

/// Every file of tests and benches.
pub fn test_files() -> Vec<TestFile> {
    let texts = TESTS.iter().flat_map(|folder| texts(folder));
    texts.map(|(path, text)| TestFile { path, text }).collect()
}

/// The paths and texts of all source files below a folder of the workspace, sorted.
fn texts(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                let path = path.strip_prefix(root).expect("a path in the workspace");
                found.push((path.to_str().expect("an ASCII path").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// Marks the files whose module, or one around it, is declared behind `#[cfg(test)]`.
pub fn mark_tests(files: &mut [File]) {
    let mut tests = BTreeMap::new();
    for file in files.iter() {
        let code = file.code();
        let product = modules(&text::product(&code));
        for name in modules(&code) {
            let mut module = file.module.clone();
            module.push(name.clone());
            tests.insert(module, !product.contains(&name));
        }
    }
    for file in files {
        file.tests_only = (1..=file.module.len())
            .any(|end| tests.get(&file.module[..end]).copied().unwrap_or_default());
    }
}

/// The names of the modules that are declared with a file of their own.
pub fn modules(code: &[Token<'_>]) -> Vec<String> {
    code.windows(3)
        .filter(|window| window[0].is("mod") && window[2].is(";"))
        .map(|window| window[1].text.to_owned())
        .collect()
}
