//! The table of docs/CLIENTS.md, whose cells are the expectations of the tests.

use std::fs;

use crate::mount::tool::Done;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CLIENTS.md");

/// The kind of upload.
#[derive(Debug, Clone, Copy)]
pub enum Case {
    Accepted = 1,
    /// A name with an extension that the field never takes, refused at `open`.
    Name,
    /// A text instead of a picture, refused in `write`.
    Content,
    /// A picture that is cut short, refused at `close`.
    CutShort,
}

/// A row of the table.
pub struct Client {
    name: String,
    cells: Vec<String>,
}

impl Client {
    pub fn named(name: &str) -> Self {
        let row = rows().into_iter().find(|row| row.name == name);
        row.unwrap_or_else(|| panic!("docs/CLIENTS.md has no row for {name}"))
    }

    /// Checks the exit code, if the cell has one, and that each text quoted in the
    /// cell was said. A cell with nothing but an exit code promises no output.
    pub fn said(&self, case: Case, done: &Done) {
        let cell = &self.cells[case as usize - 1];
        let context =
            format!("{}, {case:?}: the table has {cell}, and the client {done}", self.name);
        let quoted: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        let code = cell.split_once("exit ").map(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit()).next().expect("a number").parse().expect(cell)
        });
        assert!(
            code.is_some() || !quoted.is_empty(),
            "the cell promises neither a code nor words: {context}"
        );
        assert!(code.is_none_or(|code: i32| code == done.code), "{context}");
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(!quoted.is_empty() || said.is_empty(), "{context}");
        for text in quoted {
            assert!(said.contains(text), "{text:?} is missing: {context}");
        }
    }
}

fn rows() -> Vec<Client> {
    let text = fs::read_to_string(TABLE).expect("docs/CLIENTS.md");
    let from_the_table = text.lines().skip_while(|line| !line.starts_with("| client | accepted |"));
    let lines = from_the_table.skip(2).take_while(|line| line.starts_with("| "));
    lines
        .map(|line| {
            let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            let name = cells.next().expect("a name");
            Client { name, cells: cells.collect() }
        })
        .collect()
}

#[test]
fn every_row_of_the_table_has_a_test_and_a_cell_for_each_case() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients");
    let tests: String = fs::read_dir(folder)
        .expect("this folder")
        .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a source"))
        .collect();
    let rows = rows();
    assert!(rows.len() > 20, "the table was not found");
    for row in rows {
        assert_eq!(row.cells.len(), 4, "{}", row.name);
        assert!(tests.contains(&format!("{:?}", row.name)), "no test for {}", row.name);
    }
}
