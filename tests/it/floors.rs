//! The laws of the house that a compiler does not know (docs/ARCHITECTURE.md): arrows point down, outside crates enter by
//! one door, files stay short. Reads the source as text; does not know what it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rooms by floor, from the second up; the files in `src` itself are the words of floor 0.
const FLOORS: [&[&str]; 5] = [
    &["blob", "catalog", "pipeline", "fetch"],
    &["library"],
    &["tree"],
    &["fuse", "http", "config"],
    &["cli"],
];

/// Outside crates, and the beginning of the paths that may name them.
const DOORS: [(&str, &str); 21] = [
    ("clap", "src/cli/"),
    ("fast_image_resize", "src/pipeline/"),
    ("fuser", "src/fuse/"),
    ("gif", "src/pipeline/"),
    ("image", "src/pipeline/"),
    ("image_webp", "src/pipeline/"),
    ("imagesize", "src/pipeline/"),
    ("libwebp_sys", "src/pipeline/"),
    ("moxcms", "src/pipeline/"),
    ("png", "src/pipeline/"),
    ("rav1d", "src/pipeline/"),
    ("ravif", "src/pipeline/"),
    ("rusqlite", "src/catalog/sqlite"),
    ("rustls", "src/fetch/"),
    ("sd_notify", "src/cli/"),
    ("signal_hook", "src/cli/"),
    ("toml", "src/config/"),
    ("tracing_subscriber", "src/cli/"),
    ("turbojpeg", "src/pipeline/"),
    ("ureq", "src/fetch/"),
    ("url", "src/url.rs"),
];

const MAX_LINES: usize = 400;

#[test]
fn the_source_keeps_the_laws_of_the_house() {
    let mut broken = Vec::new();
    let mut words = BTreeMap::new();
    let sources = sources();
    let tests = test_modules(&sources);
    for (path, text) in sources {
        let kind = if is_under(&path, &tests) { Kind::Tests } else { Kind::Product };
        broken.extend(check(&path, &text, kind));
        if let Some(word) = word(&path) {
            words.insert(word.to_owned(), uses(&path, &code(&text)));
        }
    }
    assert!(words.len() > 5, "the source was not found");
    broken.extend(cycle(&words).map(|word| format!("src/{word}.rs: is a part of a cycle")));
    assert!(broken.is_empty(), "{} laws are broken:\n{}", broken.len(), broken.join("\n"));
}

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(dir).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                let root = Path::new(env!("CARGO_MANIFEST_DIR"));
                let path = path.strip_prefix(root).expect("a path in the crate");
                found.push(placed(&path.display().to_string(), &text));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "crates/words/src", "crates/pipeline/src"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found.sort();
    found
}

/// A file of any crate, as if all were one: the words in `src`, the pipeline a room there.
fn placed(path: &str, text: &str) -> (String, String) {
    if let Some(word) = path.strip_prefix("crates/words/src/") {
        let place =
            if word == "lib.rs" { "src/words/mod.rs".into() } else { format!("src/{word}") };
        return (place, text.to_owned());
    }
    let named = text.replace("use words::", "use crate::").replace(" words::", " crate::");
    match path.strip_prefix("crates/pipeline/src/") {
        Some(inside) => {
            let inside = if inside == "lib.rs" { "mod.rs" } else { inside };
            let text = text.replace("crate::", "crate::pipeline::").replace("words::", "crate::");
            (format!("src/pipeline/{inside}"), text)
        }
        None => (path.to_owned(), named.replace("use pipeline", "use crate::pipeline")),
    }
}

/// What a file is for: one that is compiled for tests alone may be long and see all of its parent, as inline tests may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Product,
    Tests,
}

/// The modules, without `.rs`, that are declared behind `#[cfg(test)]`.
fn test_modules(sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let dir = ["/mod.rs", "/lib.rs", ".rs"].iter().find_map(|end| path.strip_suffix(end));
        for declared in code(text).split("#[cfg(test)]").skip(1) {
            let declared = declared.trim_start().trim_start_matches("pub ");
            let name = declared.strip_prefix("mod ").and_then(|rest| rest.split_once(';'));
            let name = name.map(|(name, _)| name).filter(|name| name.chars().all(is_ident));
            found.extend(name.map(|name| format!("{}/{name}", dir.unwrap_or(path))));
        }
    }
    found
}

fn is_under(path: &str, modules: &[String]) -> bool {
    modules.iter().any(|module| {
        path.strip_prefix(module.as_str())
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// Every law that one file breaks.
fn check(path: &str, text: &str, kind: Kind) -> Vec<String> {
    let code = code(text);
    let mut broken = Vec::new();
    for room in uses(path, &code) {
        broken.extend(arrow(path, &room));
    }
    for (name, door) in DOORS {
        if !path.starts_with(door) && names_crate(&code, name) {
            broken.push(format!("names {name}, which enters by {door} only"));
        }
    }
    let lines = split_tests(text).0.lines().count();
    if lines > MAX_LINES && kind == Kind::Product {
        broken.push(format!("has {lines} lines, {MAX_LINES} are allowed"));
    }
    let unquoted = strip(text, Comments::Kept);
    for mark in ["TODO", "FIXME", "XXX"] {
        broken.extend(has_word(&unquoted, mark).then(|| format!("has a {mark}")));
    }
    if code.contains("dbg!(") {
        broken.push("has a dbg!".into());
    }
    // A test may see all of the file that it stands in.
    if split_tests(&code).0.contains("::*") && kind == Kind::Product {
        broken.push("imports by a glob".into());
    }
    if path == "src/lib.rs" && has_word(&code, "use") {
        broken.push("re-exports".into());
    }
    if matches!(floor_of(path), Some(0 | 2 | 3)) && has_word(&code, "unsafe") {
        broken.push("has unsafe code on a floor that has none".into());
    }
    broken.into_iter().map(|law| format!("{path}: {law}")).collect()
}

/// The rooms and words that a file names by a path from the crate's root, also by climbing there with `super`.
fn uses(path: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_ident) {
            found.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    let climb = "super::".repeat(depth(path));
    for (at, _) in code.match_indices(&climb).filter(|_| depth(path) > 0) {
        let beyond = code[at + climb.len()..].trim_start_matches("super::");
        found.extend(first_names(beyond).into_iter().filter(|name| floor(name).is_some()));
    }
    found.into_iter().filter(|name| Some(name.as_str()) != room_of(path)).collect()
}

/// `a` of `a::b`, and `a`, `c` of `{a::b, c}`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| is_ident(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut deep = 0;
    let mut names = vec![name(group.trim_start())];
    for (at, c) in group.char_indices() {
        match c {
            '{' => deep += 1,
            '}' if deep == 0 => break,
            '}' => deep -= 1,
            ',' if deep == 0 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn arrow(path: &str, room: &str) -> Option<String> {
    let Some(from) = floor_of(path) else { return Some("stands on no floor".into()) };
    match floor(room) {
        // What is no room is a word, or the compiler would not know it.
        None | Some(0) => None,
        Some(to) if to < from => None,
        Some(to) if to == from => Some(format!("points sideways to {room}")),
        Some(_) => Some(format!("points up to {room}")),
    }
}

/// How many modules above a file's own lead to the crate's root.
fn depth(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    match inside.trim_end_matches("/mod") {
        "lib" | "main" => 0,
        module => module.split('/').count(),
    }
}

fn room_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split_once('/').map(|(room, _)| room)
}

fn word(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    (!name.contains('/') && name != "lib" && name != "main").then_some(name)
}

fn floor(room: &str) -> Option<usize> {
    if room == "words" {
        return Some(0);
    }
    FLOORS.iter().position(|rooms| rooms.contains(&room)).map(|at| at + 1)
}

/// The crate's root stands above everything.
fn floor_of(path: &str) -> Option<usize> {
    match (room_of(path), word(path)) {
        (Some(room), _) => floor(room),
        (None, Some(_)) => Some(0),
        (None, None) => Some(FLOORS.len() + 1),
    }
}

/// A word that leads back to itself.
fn cycle(words: &BTreeMap<String, BTreeSet<String>>) -> Option<&str> {
    words
        .keys()
        .find(|start| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&String> = words[*start].iter().collect();
            while let Some(word) = next.pop() {
                if seen.insert(word) {
                    next.extend(words.get(word).into_iter().flatten());
                }
            }
            seen.contains(start)
        })
        .map(String::as_str)
}

/// Whether `name::` begins a path here, or `use name` is said.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let begins = !before.ends_with(is_ident) && !before.trim_end().ends_with("::");
        let imported = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        begins && (after.starts_with("::") || imported)
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_ident) && !text[at + word.len()..].starts_with(is_ident)
    })
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The product and its inline tests, which stand at the end.
fn split_tests(text: &str) -> (&str, &str) {
    let mark = "#[cfg(test)]\nmod tests {";
    text.find(mark).map_or((text, ""), |at| text.split_at(at))
}

/// The text without comments and without what stands in quotes.
fn code(text: &str) -> String {
    strip(text, Comments::Gone)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comments {
    Kept,
    Gone,
}

fn strip(text: &str, comments: Comments) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = skip(rest, code.chars().next_back());
        if skipped > 0 && c == '/' && comments == Comments::Kept {
            code.push_str(&rest[..skipped]);
            rest = &rest[skipped..];
        } else if skipped > 0 {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// The length of the comment or literal that begins here; 0 if none does.
fn skip(rest: &str, before: Option<char>) -> usize {
    let until = |from: usize, end: &str| {
        rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if rest.starts_with('r') && !before.is_some_and(is_ident) {
        let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            return until(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if rest.starts_with('"') {
        return quoted(rest);
    }
    // A lifetime has no second quote where a character has it.
    let mut chars = rest.strip_prefix('\'').unwrap_or_default().chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => until(3, "'"),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// The checker on samples: it must be able to fail.
mod checker {
    use super::{Kind, MAX_LINES, check, code, cycle, is_under, test_modules, uses};

    fn broken(path: &str, text: &str) -> String {
        check(path, text, Kind::Product).join("\n")
    }

    #[test]
    fn a_file_that_only_tests_are_compiled_from_may_be_long_and_use_a_glob_but_keeps_its_arrows() {
        let parent = "pub mod dir;\n#[cfg(test)]\nmod laws;\n#[cfg(test)]\npub mod contract;\n";
        let sources = [("src/blob/mod.rs".to_owned(), parent.to_owned())];
        let tests = test_modules(&sources);
        assert!(is_under("src/blob/laws.rs", &tests));
        assert!(is_under("src/blob/contract/random.rs", &tests));
        assert!(!is_under("src/blob/dir.rs", &tests) && !is_under("src/blob/mod.rs", &tests));
        assert!(!is_under("src/blob/laws_of_blobs.rs", &tests));
        let long = format!("use super::*;\n{}", "fn f() {}\n".repeat(MAX_LINES + 1));
        assert_eq!(check("src/blob/laws.rs", &long, Kind::Tests), Vec::<String>::new());
        assert_eq!(check("src/blob/laws.rs", "use crate::tree;\n", Kind::Tests).len(), 1);
    }

    #[test]
    fn an_arrow_that_points_down_is_lawful() {
        let text =
            "use crate::blob::BlobStore;\nuse crate::slot::Name;\nuse crate::library::draft;\n";
        assert_eq!(broken("src/library/publish.rs", text), "");
        assert_eq!(broken("src/cli/mount.rs", "use crate::fuse::session;\nuse clap::Args;\n"), "");
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let up = "src/library/x.rs: points up to tree";
        assert_eq!(broken("src/library/x.rs", "use crate::tree::Node;\n"), up);
        assert_eq!(broken("src/library/x.rs", "fn f() { crate::tree::g() }\n"), up);
        assert_eq!(broken("src/library/x.rs", "use crate::{slot::Name, tree::{Node, ops}};\n"), up);
        assert_eq!(broken("src/library/x.rs", "use super::super::tree::Node;\n"), up);
        assert_eq!(
            broken("src/library/mod.rs", "use super::tree::Node;\n"),
            up.replace("x.rs", "mod.rs")
        );
        assert_eq!(broken("src/slot.rs", "use crate::blob;\n"), "src/slot.rs: points up to blob");
    }

    #[test]
    fn an_arrow_that_points_sideways_is_found() {
        let sideways = "src/blob/dir.rs: points sideways to catalog";
        assert_eq!(broken("src/blob/dir.rs", "use crate::catalog::Catalog;\n"), sideways);
        assert_eq!(broken("src/blob/dir.rs", "use crate::blob::Error;\nuse super::Error;\n"), "");
    }

    #[test]
    fn an_unknown_room_is_found() {
        let text = "use crate::slot::Name;\n";
        assert_eq!(broken("src/util/x.rs", text), "src/util/x.rs: stands on no floor");
    }

    #[test]
    fn an_outside_crate_away_from_its_door_is_found() {
        let wrong = "src/tree/x.rs: names rusqlite, which enters by src/catalog/sqlite only";
        assert_eq!(broken("src/tree/x.rs", "use rusqlite::Connection;\n"), wrong);
        assert_eq!(broken("src/tree/x.rs", "fn f(c: rusqlite::Connection) {}\n"), wrong);
        assert_eq!(broken("src/tree/x.rs", "use rusqlite as sql;\n"), wrong);
        assert_eq!(broken("src/catalog/sqlite/link.rs", "use rusqlite::Connection;\n"), "");
        assert_eq!(broken("src/tree/x.rs", "use crate::pipeline::image::Image;\n"), "");
        assert_eq!(broken("src/catalog/memory.rs", "use rusqlite::Row;\n").lines().count(), 1);
    }

    #[test]
    fn what_stands_in_comments_and_quotes_is_no_arrow() {
        let text = "//! See crate::tree.\n/* crate::fuse */\nconst A: &str = \"\\\"crate::cli\";\nconst B: &str = r#\"\"crate::cli\"#;\n";
        assert_eq!(broken("src/library/x.rs", text), "");
        assert_eq!(code("'\"' + 'a' // x\n"), "  +    \n");
        assert!(
            uses("src/slot.rs", &code("fn f<'a>(x: &'a str) { crate::tree::g('\\'') }"))
                .contains("tree")
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_inline_tests_do_not_count() {
        let lines = "fn f() {}\n".repeat(MAX_LINES);
        let tests = format!("#[cfg(test)]\nmod tests {{\n    use super::*;\n{lines}}}\n");
        assert_eq!(broken("src/slot.rs", &format!("{lines}{tests}")), "");
        let long = broken("src/slot.rs", &format!("{lines}fn g() {{}}\n{tests}"));
        assert_eq!(long, "src/slot.rs: has 401 lines, 400 are allowed");
    }

    #[test]
    fn marks_debris_globs_and_unsafe_words_are_found() {
        assert_eq!(broken("src/slot.rs", "// TODO later\n"), "src/slot.rs: has a TODO");
        assert_eq!(broken("src/slot.rs", "const T: &str = \"sedXXXXXX XXX\";\n"), "");
        assert_eq!(broken("src/slot.rs", "fn f() { dbg!(1); }\n"), "src/slot.rs: has a dbg!");
        assert_eq!(broken("src/slot.rs", "use std::io::*;\n"), "src/slot.rs: imports by a glob");
        assert!(broken("src/tree/x.rs", "fn f() { unsafe { g() } }\n").contains("unsafe"));
        assert_eq!(broken("src/pipeline/x.rs", "fn f() { unsafe { g() } }\n"), "");
        assert_eq!(broken("src/lib.rs", "pub use slot::Name;\n"), "src/lib.rs: re-exports");
    }

    #[test]
    fn words_that_lead_back_to_themselves_are_found() {
        let words = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(from, to)| ((*from).to_owned(), [(*to).to_owned()].into())).collect()
        };
        assert_eq!(cycle(&words(&[("a", "b"), ("b", "c")])), None);
        assert_eq!(cycle(&words(&[("a", "b"), ("b", "a")])), Some("a"));
    }
}
