//! Editors on a text: vim and `sed -i`, which report refusals in the words of the table.

use std::path::Path;

use super::client_table::{Case, Client};
use super::{last_rule, plain, site};
use crate::mount::read;
use crate::mount::tool::{Done, installed, run};

const OLD: &[u8] = b"an old text\n";
/// More bytes than the field takes.
const LONG: usize = 5000;

/// Checks an editor that replaces 'old' in a text by its argument: the argument is empty for a text that is too short.
fn is_held_to_the_table(client: &str, edit: impl Fn(&str, &Path) -> Done) {
    let Some(mount) = site() else { return };
    let expected = Client::named(client);
    let note = mount.attach("note", OLD);
    expected.said(Case::Accepted, &plain(&mount, edit("new", &note)));
    assert_eq!(read(&note), b"an new text\n");

    let gif = mount.row().join("note.gif");
    expected.said(Case::Name, &plain(&mount, edit("odd", &gif)));
    let odd = read(&note);
    assert_eq!(odd, b"an new text\n");
    mount.attach("note", OLD);
    expected.said(Case::Content, &plain(&mount, edit(&"x".repeat(LONG), &note)));
    assert_eq!(last_rule(&mount), "max_size");
    assert_eq!(read(&note), OLD);
    expected.said(Case::CutShort, &plain(&mount, edit("", &note)));
    assert_eq!(last_rule(&mount), "min_size");
    assert_eq!(read(&note), OLD, "the old text stays");
}

#[test]
fn sed_answers_as_in_the_table() {
    is_held_to_the_table("sed -i", |text, note| {
        let script = if text.is_empty() { "s/.*/x/".into() } else { format!("s/old/{text}/") };
        run("sed", &["-i", &script, &note.display().to_string()])
    });
}

#[test]
fn vim_answers_as_in_the_table() {
    if !installed("vim") {
        return;
    }
    is_held_to_the_table("vim", |text, note| {
        let change =
            if text.is_empty() { "%s/.*/x/".into() } else { format!("silent! %s/old/{text}/") };
        run("vim", &["-u", "NONE", "-es", "-c", &change, "-c", "wq", &note.display().to_string()])
    });
}
