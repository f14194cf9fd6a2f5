//! The laws of the house that a compiler does not know (docs/ARCHITECTURE.md). Reads the source of all crates as text.

mod arrows;
mod circles;
mod laws;
mod plan;
mod said;
mod samples;
mod source;
mod text;

use std::fmt::Write;

#[test]
fn the_source_keeps_the_laws_of_the_house() {
    let files = source::files();
    assert!(files.len() > 100, "the source was not found");
    let mut broken = String::new();
    for breach in laws::broken(&files, &plan::PARTS) {
        writeln!(broken, "{}", breach.law).expect("memory");
        breach.places.iter().for_each(|place| writeln!(broken, "    {place}").expect("memory"));
    }
    assert!(broken.is_empty(), "broken:\n{broken}");
}
