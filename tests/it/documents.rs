//! The laws of the documents: they name only what exists, and the tables of ARCHITECTURE name every part of a room.

use std::fs;
use std::path::{Path, PathBuf};

const TOP: [&str; 7] = ["src/", "crates/", "tests/", "benches/", "scripts/", "docs/", "systemd/"];

/// Paths that the recipes of DEVELOPING make as examples: they need not exist.
const EXAMPLES: [&str; 3] =
    ["crates/pipeline/src/format/heic/", "src/blob/s3/mod.rs", "src/catalog/postgres/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let entries = [root().join("docs"), root().to_owned()]
        .map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let documents =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).expect("a text"))).collect()
}

/// The texts between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a path of the repository exists, or the folder in which a placeholder such as `<name>` stands.
fn exists(path: &str) -> bool {
    let fixed = path.split(['<', '*', '{']).next().unwrap_or_default();
    let fixed =
        if fixed == path { path } else { fixed.rsplit_once('/').map_or("", |(folder, _)| folder) };
    root().join(fixed).exists()
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for named in text.lines().flat_map(quoted) {
            let is_path = TOP.iter().any(|top| named.starts_with(top)) && !named.contains(' ');
            checked += usize::from(is_path);
            if is_path && !exists(named) && !EXAMPLES.contains(&named) {
                wrong.push(format!("{}: {named}", document.display()));
            }
        }
    }
    assert!(checked > 100, "{checked} paths were found");
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
}

#[test]
fn every_part_of_a_room_stands_in_the_table_of_its_room() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("a text");
    let mut rooms = 0;
    let mut missing = Vec::new();
    for table in text.split("\n\n").filter(|part| part.starts_with("| `")) {
        let room = quoted(table).next().expect("the room's name");
        let folder = Path::new(room).join(if room.starts_with("crates/") { "src" } else { "" });
        let named: Vec<_> =
            table.lines().filter_map(|line| line.split('|').nth(1)).flat_map(quoted).collect();
        // A folder beside a file of its name has the file's tests.
        let stem = |part: &str| part.trim_end_matches(".rs").to_owned();
        let named: Vec<_> =
            named.iter().filter_map(|path| path.split('/').next()).map(stem).collect();
        rooms += 1;
        for entry in fs::read_dir(root().join(&folder)).expect("a room") {
            let part = entry.expect("an entry").file_name().into_string().expect("a name");
            let stem = stem(&part);
            let is_known =
                ["mod", "main", "lib", "error", "wait", "tests", "laws"].contains(&stem.as_str());
            if !is_known && !named.contains(&stem) {
                missing.push(format!("{room}: {part}"));
            }
        }
    }
    assert!(rooms >= 7, "{rooms} tables were found");
    assert!(missing.is_empty(), "not in docs/ARCHITECTURE.md:\n{}", missing.join("\n"));
}
