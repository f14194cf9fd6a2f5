//! The laws on samples, which break each of them.

use super::laws::{Breach, MAX_LINES, broken, broken_by_tests};
use super::source::{File, TestFile, mark_tests};
use super::text::{Kind, tokens};

/// The plan of a room, bottom up.
const PARTS: [(&str, &[&str]); 1] = [("http", &["answer", "page", "mod"])];

/// The breaches in a source of these files and an empty root, one on a line.
fn breaches(files: &[(&str, &str)]) -> String {
    let mut files: Vec<File> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    if !files.iter().any(|file| file.path == "src/lib.rs") {
        files.push(File::new("src/lib.rs", ""));
    }
    mark_tests(&mut files);
    lines(broken(&files, &PARTS))
}

fn lines(breaches: Vec<Breach>) -> String {
    breaches.into_iter().map(|breach| breach.law).collect::<Vec<_>>().join("\n")
}

/// The breaches of one file among empty rooms.
fn alone(path: &str, text: &str) -> String {
    let rooms = [
        ("src/blob/mod.rs", "pub struct Store;\n"),
        ("src/catalog/mod.rs", "pub struct Catalog;\n"),
        ("src/cli/mod.rs", "pub struct Command;\n"),
        ("src/fuse/mod.rs", "pub struct Session;\n"),
        ("src/library/mod.rs", "pub struct Library;\n"),
        ("src/tree/mod.rs", "pub struct Node;\n"),
        ("crates/words/src/slot.rs", "pub struct Name;\n"),
        ("crates/pipeline/src/lib.rs", "pub struct Pipeline;\n"),
    ];
    let others = rooms.into_iter().filter(|(room, _)| *room != path);
    breaches(&others.chain([(path, text)]).collect::<Vec<_>>())
}

#[test]
fn a_file_that_is_compiled_for_tests_alone_may_use_a_glob_and_keeps_its_arrows() {
    let room = "pub mod dir;\n#[cfg(test)]\nmod laws;\n#[cfg(test)]\npub mod contract;\n";
    let glob = "use super::*;\n";
    let found = |path: &str, text: &str| {
        let tree = ("src/tree/mod.rs", "pub struct Node;\n");
        breaches(&[("src/blob/mod.rs", room), (path, text), tree])
    };
    assert_eq!(found("src/blob/laws.rs", glob), "");
    assert_eq!(found("src/blob/contract/random.rs", glob), "");
    assert_eq!(found("src/blob/dir.rs", glob).lines().count(), 1);
    assert_eq!(found("src/blob/laws_of_blobs.rs", glob).lines().count(), 1);
    let up = "src/blob/laws.rs: points up to tree";
    assert_eq!(found("src/blob/laws.rs", "use crate::tree::Node;\n"), up);
}

#[test]
fn an_arrow_that_points_down_is_lawful() {
    let text = "use crate::blob::Store;\nuse words::slot::Name;\nuse pipeline::Pipeline;\n";
    assert_eq!(alone("src/library/publish.rs", text), "");
    assert_eq!(alone("src/cli/mount.rs", "use crate::fuse::Session;\nuse clap::Args;\n"), "");
    assert_eq!(alone("crates/pipeline/src/x.rs", "use words::slot::Name;\n"), "");
}

#[test]
fn an_arrow_that_points_up_is_found() {
    let up = "src/library/x.rs: points up to tree";
    assert_eq!(alone("src/library/x.rs", "use crate::tree::Node;\n"), up);
    assert_eq!(alone("src/library/x.rs", "fn f() { crate::tree::g() }\n"), up);
    let group = "use crate::{blob::Store, tree::{Node, ops}};\n";
    assert_eq!(alone("src/library/x.rs", group), up);
    assert_eq!(alone("src/library/x.rs", "use super::super::tree::Node;\n"), up);
    let door = up.replace("x.rs", "mod.rs");
    assert_eq!(alone("src/library/mod.rs", "use super::tree::Node;\n"), door);
    let word = "src/fence.rs: points up to blob";
    assert_eq!(alone("src/fence.rs", "use crate::blob::Store;\n"), word);
    let inline = "#[cfg(test)]\nmod tests {\n    use crate::tree::Node;\n}\n";
    assert_eq!(alone("src/library/x.rs", inline), up);
    assert_eq!(
        alone("src/tree/x.rs", "use super::super::open;\n"),
        "src/tree/x.rs: points up to the crate's root"
    );
}

#[test]
fn an_arrow_that_points_sideways_is_found() {
    let sideways = "src/blob/dir.rs: points sideways to catalog";
    assert_eq!(alone("src/blob/dir.rs", "use crate::catalog::Catalog;\n"), sideways);
    let sideways = "src/blob/dir.rs: points sideways to pipeline";
    assert_eq!(alone("src/blob/dir.rs", "use pipeline::Pipeline;\n"), sideways);
    assert_eq!(alone("src/blob/dir.rs", "use crate::blob::Store;\nuse super::Store;\n"), "");
}

#[test]
fn a_file_outside_of_the_plan_is_found() {
    let text = "use words::slot::Name;\n";
    assert_eq!(alone("src/util/x.rs", text), "src/util/x.rs: stands on no floor");
}

#[test]
fn a_name_from_below_the_floor_below_is_found_except_in_tests() {
    let deeper = "tree: names catalog, which is deeper than the floor below";
    let text = "use crate::catalog::Catalog;\n";
    assert_eq!(alone("src/tree/x.rs", text), deeper);
    assert_eq!(alone("src/tree/x.rs", &format!("#[cfg(test)]\n{text}")), "");
    assert_eq!(alone("src/tree/x.rs", "use crate::library::Library;\n"), "");
    assert_eq!(alone("src/cli/x.rs", text), "");
    let passed_on = [
        ("src/catalog/mod.rs", "pub struct Catalog;\n"),
        ("src/library/mod.rs", "pub use crate::catalog::Catalog;\n"),
        ("src/tree/mod.rs", "use crate::library::Catalog;\n"),
    ];
    assert_eq!(breaches(&passed_on), deeper);
}

#[test]
fn a_part_that_names_a_higher_one_is_found() {
    let found = |answer: &str, page: &str| {
        let door = ("src/http/mod.rs", "mod answer;\nmod page;\nuse page::List;\nstruct Server;\n");
        let folder =
            [("src/http/answer/mod.rs", "mod lines;\n"), ("src/http/answer/lines.rs", answer)];
        breaches(&[
            door,
            folder[0],
            folder[1],
            ("src/http/page.rs", page),
            ("src/http/error.rs", ""),
        ])
    };
    assert_eq!(found("use super::super::error::Error;\n", "use super::answer::lines::Line;\n"), "");
    assert_eq!(found("use crate::http::page::Page;\n", ""), "http: answer points up to page");
    assert_eq!(found("use super::super::Server;\n", ""), "http: answer points up to mod");
    assert_eq!(breaches(&[("src/http/pages.rs", "")]), "http: the plan has no pages");
}

#[test]
fn an_outside_crate_away_from_its_door_is_found() {
    let wrong = "src/tree/x.rs: names rusqlite, which enters by catalog/sqlite only";
    assert_eq!(alone("src/tree/x.rs", "use rusqlite::Connection;\n"), wrong);
    assert_eq!(alone("src/tree/x.rs", "fn f(c: rusqlite::Connection) {}\n"), wrong);
    assert_eq!(alone("src/tree/x.rs", "use rusqlite as sql;\n"), wrong);
    assert_eq!(alone("src/tree/x.rs", "fn f(c: ::rusqlite::Connection) {}\n"), wrong);
    assert_eq!(alone("src/tree/x.rs", "use crate::tree::url;\nfn f(u: url::Url) {}\n"), "");
    assert_eq!(alone("src/catalog/sqlite/link.rs", "use rusqlite::Connection;\n"), "");
    assert_eq!(alone("src/fuse/x.rs", "use crate::tree::image::Image;\n"), "");
    assert_eq!(alone("src/catalog/memory.rs", "use rusqlite::Row;\n").lines().count(), 1);
    assert_eq!(alone("crates/pipeline/src/x.rs", "use png::Decoder;\n"), "");
    assert_eq!(alone("crates/words/src/x.rs", "use png::Decoder;\n").lines().count(), 1);
}

#[test]
fn a_path_in_a_comment_or_a_literal_is_no_arrow() {
    let text = "//! See crate::tree.\n/* crate::fuse::x */\nconst A: &str = \"\\\"crate::cli::x\";\nconst B: &str = r#\"\"crate::cli::x\"#;\n";
    assert_eq!(alone("src/library/x.rs", text), "");
    let kinds: Vec<_> = tokens("'\"' + 'a' // x\n").iter().map(|token| token.kind).collect();
    assert_eq!(kinds, [Kind::Literal, Kind::Sign, Kind::Literal, Kind::Comment]);
    let text = "fn f<'a>(x: &'a str) { crate::tree::g('\\'') }";
    assert_eq!(alone("src/library/x.rs", text), "src/library/x.rs: points up to tree");
}

#[test]
fn a_long_file_is_found_and_its_inline_tests_do_not_count() {
    let lines = "fn f() {}\n".repeat(MAX_LINES);
    let tests = format!("#[cfg(test)]\nmod tests {{\n    use super::*;\n{lines}}}\n");
    assert_eq!(alone("src/fence.rs", &format!("{lines}{tests}")), "");
    let long = alone("src/fence.rs", &format!("{lines}fn g() {{}}\n{tests}"));
    assert_eq!(long, "src/fence.rs: has 401 lines, 400 are allowed");
}

#[test]
fn marks_debris_globs_re_exports_and_unsafe_words_are_found() {
    assert_eq!(alone("src/fence.rs", "// TODO later\n"), "src/fence.rs: has a TODO");
    assert_eq!(alone("src/fence.rs", "const T: &str = \"sedXXXXXX XXX\";\n"), "");
    assert_eq!(alone("src/fence.rs", "fn f() { dbg!(1); }\n"), "src/fence.rs: has a dbg!");
    let glob = "src/fence.rs: imports by a glob";
    assert_eq!(alone("src/fence.rs", "use std::io::*;\n"), glob);
    assert_eq!(alone("src/blob/mod.rs", "pub use dir::*;\n"), glob.replace("fence", "blob/mod"));
    assert!(alone("src/tree/x.rs", "fn f() { unsafe { g() } }\n").contains("unsafe"));
    assert_eq!(alone("crates/pipeline/src/x.rs", "fn f() { unsafe { g() } }\n"), "");
    assert_eq!(alone("src/lib.rs", "pub use words::slot::Name;\n"), "src/lib.rs: re-exports");
    let words = "crates/words/src/lib.rs: re-exports";
    assert_eq!(alone("crates/words/src/lib.rs", "pub use slot::Name;\n"), words);
}

#[test]
fn files_that_lead_back_to_themselves_are_found() {
    let circle = "fetch: a circle of 2 files with fetch/mod.rs";
    let found = |door: &str, address: &str| {
        breaches(&[("src/fetch/mod.rs", door), ("src/fetch/address.rs", address)])
    };
    assert_eq!(found("pub mod address;\n", "use super::Error;\n"), "");
    assert_eq!(found("pub mod address;\nuse address::Url;\n", "use std::fs;\n"), "");
    assert_eq!(found("pub mod address;\nuse address::Url;\n", "use super::Error;\n"), circle);
    assert_eq!(
        found("mod address;\nfn f() { address::parse() }\n", "use crate::fetch::Error;\n"),
        circle
    );
    assert_eq!(
        found("mod address;\npub use address::{Url as Host};\n", "fn f(e: super::Error) {}"),
        circle
    );
    let private = "pub(in crate::fetch) fn f() {}";
    assert_eq!(found("mod address;\nuse address::Url;\n", private), "");
    let tests = "#[cfg(test)]\nmod tests {\n    use super::address::Url;\n}\n";
    assert_eq!(found(&format!("mod address;\n{tests}"), "use super::Error;\n"), "");
}

#[test]
fn a_name_that_the_door_passes_on_leads_to_the_file_behind_it() {
    let door = "mod error;\nmod address;\npub use error::Error;\npub use address::Url;\n";
    let error = ("src/fetch/error.rs", "pub enum Error {}\n");
    let found = |address: &str| {
        breaches(&[("src/fetch/mod.rs", door), error, ("src/fetch/address.rs", address)])
    };
    assert_eq!(found("use super::Error;\n"), "");
    assert_eq!(found("use crate::fetch::{self, Error};\nfn f() -> fetch::Error {}\n"), "");
    let circle = "fetch: a circle of 2 files with fetch/mod.rs";
    assert_eq!(found("use super::Fetcher;\n"), circle);
    assert_eq!(found("use crate::fetch;\nfn f() -> fetch::Fetcher {}\n"), circle);
}

#[test]
fn methods_of_one_type_that_call_one_another_across_files_are_found() {
    let circle = "tree: a circle of 2 files with tree/link.rs";
    let found = |link: &str, name: &str| {
        let link = format!("use super::Tree;\nimpl<'a, T: Into<u8>> Tree<'a, T> {{ {link} }}\n");
        let name = format!("impl Drop for u8 {{}}\nimpl super::Tree {{ {name} }}\n");
        let door = ("src/tree/mod.rs", "mod link;\nmod name;\npub struct Tree;\n");
        breaches(&[door, ("src/tree/link.rs", &link), ("src/tree/name.rs", &name)])
    };
    let calls = "fn link(&self) { vec![self.name()] }";
    assert_eq!(found(calls, "pub fn name(&self) { other.link() }"), "");
    assert_eq!(found(calls, "pub fn name(&self) { self\n.link() }"), circle);
    assert_eq!(found(calls, "pub fn name(&self) { x.map(Self::link) }"), circle);
    assert_eq!(found(calls, "pub fn name(&self) { super::Tree::link(x) }"), circle);
    assert_eq!(found(calls, "pub fn name(&self) { self.link() }\nfn link(&self) {}"), "");
    assert_eq!(found(calls, "pub fn name(&self) { self.link }"), "");
}

#[test]
fn a_file_name_with_two_meanings_is_found() {
    let two = [("src/tree/attach.rs", ""), ("src/cli/attach.rs", "")];
    assert_eq!(breaches(&two), "attach.rs: the name of several files");
    let folder = [("src/tree/attach/mod.rs", ""), ("src/cli/attach.rs", "")];
    assert_eq!(breaches(&folder), "attach.rs: the name of several files");
    assert_eq!(breaches(&[("src/tree/error.rs", ""), ("src/cli/error.rs", "")]), "");
    assert_eq!(breaches(&[("src/catalog/rows.rs", ""), ("src/catalog/sqlite/rows.rs", "")]), "");
    let tests = "#[cfg(test)]\nmod attach;\n";
    assert_eq!(breaches(&[("src/tree/mod.rs", tests), two[0], two[1]]), "");
}

#[test]
fn a_test_file_that_is_long_or_shares_its_name_is_found() {
    let breaches = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(path, text)| TestFile { path: (*path).to_owned(), text: (*text).to_owned() });
        lines(broken_by_tests(&files.collect::<Vec<_>>()))
    };
    let long = "fn f() {}\n".repeat(MAX_LINES + 1);
    let found = "tests/it/name.rs: has 401 lines, 400 are allowed";
    assert_eq!(breaches(&[("tests/it/name.rs", &long)]), found);
    let mark = breaches(&[("tests/it/name.rs", "// TODO later\n")]);
    assert_eq!(mark, "tests/it/name.rs: has a TODO");
    let two = [("tests/it/name/mod.rs", ""), ("benches/compare/name.rs", "")];
    assert_eq!(breaches(&two), "name.rs: the name of several files");
    let workload = ("benches/compare/workload/name.rs", "");
    assert_eq!(breaches(&[two[0], workload]), "");
    assert_eq!(breaches(&[("tests/it/main.rs", ""), ("benches/compare/main.rs", "")]), "");
}
