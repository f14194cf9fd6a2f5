//! The laws of the house that a compiler does not know (docs/ARCHITECTURE.md). Reads the source of all crates as text.

mod arrows;
mod circles;
mod known;
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
    let (mut new, mut found) = (String::new(), Vec::new());
    for breach in laws::broken(&files, &plan::PARTS) {
        if !known::BREACHES.contains(&breach.law.as_str()) {
            writeln!(new, "{}", breach.law).expect("memory");
            breach.places.iter().for_each(|place| writeln!(new, "    {place}").expect("memory"));
        }
        found.push(breach.law);
    }
    let gone = known::BREACHES.iter().filter(|known| !found.iter().any(|law| law == **known));
    let gone: Vec<_> = gone.collect();
    assert!(new.is_empty() && gone.is_empty(), "broken:\n{new}\nmended, but known: {gone:#?}");
}
