//! The laws, and the words of a breach of each.

use std::collections::{BTreeMap, BTreeSet};

use super::arrows::{Arrow, Tests, arrows};
use super::circles::circles;
use super::plan::{self, Parts};
use super::references::{Import, References};
use super::source::{File, Floor, TestFile};
use super::text::{self, Kind, Token};

pub const MAX_LINES: usize = 400;

#[derive(Debug, PartialEq, Eq)]
pub struct Breach {
    /// The file or the room, and the law that it breaks.
    pub law: String,
    /// The places of the breach, if it has several.
    pub places: Vec<String>,
}

impl Breach {
    fn new(law: String) -> Self {
        Self { law, places: Vec::new() }
    }
}

/// All breaches in files of the product, whose rooms have their parts in the order of this plan.
pub fn broken(files: &[File], plan: &[Parts]) -> Vec<Breach> {
    let mut broken = Vec::new();
    for file in files {
        broken.extend(text_laws(file).into_iter().map(|law| format!("{}: {law}", file.path)));
    }
    let all = arrows(files, Tests::Counted);
    broken.extend(all.iter().filter_map(|arrow| direction(files, arrow)));
    let mut broken: Vec<_> = broken.into_iter().map(Breach::new).collect();
    broken.dedup();
    let product = arrows(files, Tests::LeftOut);
    broken.extend(deeper(files, &product));
    broken.extend(parts(files, &product, plan));
    broken.extend(going_round(files, &product));
    broken.extend(names(files));
    broken
}

/// All breaches in files of tests and benches, which stand on no floor.
pub fn broken_by_tests(files: &[TestFile]) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        let laws = size_and_debris(&file.text, &text::tokens(&file.text));
        broken.extend(laws.into_iter().map(|law| Breach::new(format!("{}: {law}", file.path))));
        if !plan::is_named_elsewhere(&file.path) {
            paths.entry(file.name()).or_default().push(&file.path);
        }
    }
    paths.retain(|name, paths| paths.len() > 1 && *name != "main");
    broken.extend(paths.into_iter().map(|(name, paths)| two_meanings(name, &paths)));
    broken
}

/// The laws for the length of a file, and for remarks and code that must not stay.
fn size_and_debris(text: &str, tokens: &[Token<'_>]) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = without_tests(text).lines().count();
    if lines > MAX_LINES {
        broken.push(format!("has {lines} lines, {MAX_LINES} are allowed"));
    }
    for mark in ["TODO", "FIXME", "XXX"] {
        let marked = |token: &Token<'_>| token.kind != Kind::Literal && has_word(token.text, mark);
        broken.extend(tokens.iter().any(marked).then(|| format!("has a {mark}")));
    }
    if follows(&text::code(tokens), &["dbg", "!"]) {
        broken.push("has a dbg!".into());
    }
    broken
}

/// The laws for the text of one file of the product.
fn text_laws(file: &File) -> Vec<String> {
    let tokens = text::tokens(&file.text);
    let code = text::code(&tokens);
    let product = text::product(&code);
    let imports = References::read(&code).imports;
    let mut broken = Vec::new();
    if file.floor().is_none() {
        broken.push("stands on no floor".to_owned());
    }
    for (name, door) in plan::DOORS {
        if !file.place.starts_with(door) && names_crate(&code, &imports, name) {
            broken.push(format!("names {name}, which enters by {door} only"));
        }
    }
    broken.extend(size_and_debris(&file.text, &tokens));
    // A test may import all of the file that it stands in.
    if follows(&product, &["::", "*"]) && !file.tests_only {
        broken.push("imports by a glob".into());
    }
    if matches!(file.place.as_str(), "lib.rs" | "words/mod.rs") && follows(&code, &["use"]) {
        broken.push("re-exports".into());
    }
    if matches!(file.floor(), Some(Floor::Words | Floor::Room(2 | 3)))
        && follows(&code, &["unsafe"])
    {
        broken.push("has unsafe code on a floor that has none".into());
    }
    broken
}

/// Between rooms an arrow points down.
fn direction(files: &[File], arrow: &Arrow) -> Option<String> {
    let (from, to) = (&files[arrow.from], &files[arrow.to]);
    if from.room().is_some() && from.room() == to.room() {
        return None;
    }
    let (below, above) = (to.floor()?.height(), from.floor()?.height());
    let room = to.room().unwrap_or("the crate's root");
    match below.cmp(&above) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(format!("{}: points sideways to {room}", from.path)),
        std::cmp::Ordering::Greater => Some(format!("{}: points up to {room}", from.path)),
    }
}

/// A room names the floor below it and the words, nothing deeper. A test makes the rooms below its own, and may name all of them.
fn deeper(files: &[File], product: &[Arrow]) -> Vec<Breach> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for arrow in product {
        let (from, to) = (&files[arrow.from], &files[arrow.to]);
        let (Some(Floor::Room(above)), Some(Floor::Room(below))) = (from.floor(), to.floor())
        else {
            continue;
        };
        let (Some(room), Some(named)) = (from.room(), to.room()) else { continue };
        if below + 1 < above && !plan::may_name(room, named) {
            found.entry((room, named)).or_default().insert(place(files, arrow));
        }
    }
    found
        .into_iter()
        .map(|((room, named), places)| Breach {
            law: format!("{room}: names {named}, which is deeper than the floor below"),
            places: places.into_iter().collect(),
        })
        .collect()
}

/// The parts of a room stand in an order, and arrows between them point down.
fn parts(files: &[File], product: &[Arrow], plan: &[Parts]) -> Vec<Breach> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let parts_of = |room| plan.iter().find(|(name, _)| *name == room).map(|(_, parts)| *parts);
    for file in files.iter().filter(|file| !file.tests_only) {
        let (Some(room), Some(part)) = (file.room(), file.part()) else { continue };
        if parts_of(room).is_some_and(|parts| plan::height(parts, part).is_none()) {
            found.entry(format!("{room}: the plan has no {part}")).or_default();
        }
    }
    for arrow in product {
        let (from, to) = (&files[arrow.from], &files[arrow.to]);
        let (Some(room), Some(above), Some(below)) = (from.room(), from.part(), to.part()) else {
            continue;
        };
        let Some(parts) = parts_of(room).filter(|_| to.room() == Some(room)) else { continue };
        if plan::height(parts, above) < plan::height(parts, below) {
            let law = format!("{room}: {above} points up to {below}");
            found.entry(law).or_default().insert(place(files, arrow));
        }
    }
    let breach =
        |(law, places): (_, BTreeSet<_>)| Breach { law, places: places.into_iter().collect() };
    found.into_iter().map(breach).collect()
}

/// No arrows lead from a file back to it.
fn going_round(files: &[File], product: &[Arrow]) -> Vec<Breach> {
    let breach = |circle: Vec<usize>| {
        let inside = |arrow: &&Arrow| circle.contains(&arrow.from) && circle.contains(&arrow.to);
        let mut seen = BTreeSet::new();
        let first = |arrow: &&Arrow| seen.insert((arrow.from, arrow.to));
        let arrows = product.iter().filter(inside).filter(first);
        let room = files[circle[0]].room().unwrap_or("the crate's root");
        Breach {
            law: format!(
                "{room}: a circle of {} files with {}",
                circle.len(),
                files[circle[0]].place
            ),
            places: arrows.map(|arrow| place(files, arrow)).collect(),
        }
    };
    circles(files.len(), product).into_iter().map(breach).collect()
}

/// A file name has one meaning in the whole source.
fn names(files: &[File]) -> Vec<Breach> {
    let mut found: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    let ours = |file: &&File| !file.tests_only && !plan::is_named_elsewhere(&file.place);
    for file in files.iter().filter(ours) {
        let family = plan::family(&file.place).unwrap_or(&file.place);
        found.entry(file.name()).or_default().insert(family, &file.path);
    }
    found
        .into_iter()
        .filter(|(name, families)| families.len() > 1 && !plan::is_shared(name))
        .map(|(name, families)| two_meanings(name, &families.into_values().collect::<Vec<_>>()))
        .collect()
}

fn two_meanings(name: &str, paths: &[&str]) -> Breach {
    Breach {
        law: format!("{name}.rs: the name of several files"),
        places: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn place(files: &[File], arrow: &Arrow) -> String {
    let (from, to) = (&files[arrow.from], &files[arrow.to]);
    format!("{}:{} names {} of {}", from.path, arrow.line, arrow.by, to.path)
}

/// Whether a path or a `use` begins with this name, which is not that of another module here.
fn names_crate(code: &[Token<'_>], imports: &[Import], name: &str) -> bool {
    let is_module =
        imports.iter().any(|import| import.name == name && import.target.path != [name]);
    (0..code.len()).filter(|at| code[*at].is(name)).any(|at| {
        let before = |back| at.checked_sub(back).map(|at| &code[at]);
        let is = |token: Option<&Token<'_>>, text| token.is_some_and(|token| token.is(text));
        let joined = before(2).is_some_and(|token| token.kind == Kind::Word || token.is(">"));
        let absolute = is(before(1), "::") && !joined;
        let imported =
            is(before(1), "use") && (is(code.get(at + 1), ";") || is(code.get(at + 1), "as"));
        let begins = !is(before(1), "::") && !is_module && is(code.get(at + 1), "::");
        imported || absolute || begins
    })
}

/// Whether these tokens follow one another.
fn follows(code: &[Token<'_>], wanted: &[&str]) -> bool {
    code.windows(wanted.len()).any(|window| window.iter().zip(wanted).all(|(a, b)| a.is(b)))
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(text::is_word_char)
            && !text[at + word.len()..].starts_with(text::is_word_char)
    })
}

/// The text above the inline tests, which stand at the end.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at])
}
