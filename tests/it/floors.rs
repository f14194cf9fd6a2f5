//! The laws of docs/ARCHITECTURE.md that no compiler checks. The test reads the source of the workspace as text.

mod arrows;
mod circles;
mod laws;
mod plan;
mod references;
mod samples;
mod source;
mod text;

use std::fmt::Write;

#[test]
fn the_source_keeps_its_laws() {
    let (files, tests) = (source::files(), source::test_files());
    assert!(files.len() > 100 && tests.len() > 50, "the source was not found");
    let mut broken = String::new();
    let breaches = laws::broken(&files, &plan::PARTS).into_iter();
    for breach in breaches.chain(laws::broken_by_tests(&tests)) {
        writeln!(broken, "{}", breach.law).expect("memory");
        breach.places.iter().for_each(|place| writeln!(broken, "    {place}").expect("memory"));
    }
    assert!(broken.is_empty(), "broken:\n{broken}");
}
