//! Operations in a thread of the session: they leave it before they do what may take long, and have changed nothing then.

use std::ffi::OsStr;

use mediafs::session_thread;
use mediafs::tree::view::rendering::Lookup;
use mediafs::tree::{Error, Result};

use super::simulated_kernel::How;
use super::{DOC, NEW, occupied, writer};

fn is_elsewhere<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::Elsewhere(_)))
}

#[test]
fn a_row_json_that_was_composed_is_answered_until_something_changes() {
    let instance = occupied();
    let (tree, kernel) = (instance.tree(), instance.kernel());
    let row = kernel.row(writer(), "1").expect("a row");
    let size = || match tree.lookup(writer(), row, OsStr::new("row.json"))? {
        Lookup::Found(entry) => Ok(entry.attr.size),
        Lookup::Render(_) => Ok(0),
    };
    assert!(is_elsewhere(&session_thread::within(size)), "it is not composed there");
    let composed = size().expect("composed");
    assert_eq!(session_thread::within(size).ok(), Some(composed));
    let fd = kernel.open(writer(), DOC, How::Replace).expect("opened");
    kernel.write(fd, 0, NEW).expect("written");
    assert!(is_elsewhere(&session_thread::within(size)), "a draft is in it");
    kernel.close(writer(), fd).expect("taken");
    assert!(is_elsewhere(&session_thread::within(size)), "it was committed");
    assert!(size().is_ok() && session_thread::within(size).is_ok());
}

#[test]
fn the_status_is_composed_in_no_thread_of_the_session() {
    let instance = occupied();
    let tree = instance.tree();
    for name in ["status.json", "metrics"] {
        let path = instance.kernel().walk(writer(), &[".mediafs"]).expect("a directory");
        let look_up = || tree.lookup(writer(), path, OsStr::new(name));
        assert!(is_elsewhere(&session_thread::within(look_up)), "{name}");
        assert!(look_up().is_ok(), "{name}");
    }
}
