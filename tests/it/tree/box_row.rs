//! The row that a file in a drop box becomes.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use mediafs::tree::kernel::{Delivery, Kernel};
use mediafs::tree::{Caller, Ino};
use parking_lot::Mutex;
use words::slot::Name;

use super::NEW;
use super::instance::{Backing, Instance};
use super::simulated_kernel::How;

const ROOT: Caller = Caller { uid: 0, gid: 0, tid: 1 };

/// A kernel that records which listings it has to ask for again.
#[derive(Clone, Default)]
struct Listings(Arc<Mutex<Vec<Ino>>>);

impl Kernel for Listings {
    fn forget_attributes(&self, _ino: Ino) {}

    fn forget_listing(&self, ino: Ino) {
        self.0.lock().push(ino);
    }

    fn forget_name(&self, _parent: Ino, _name: &Name, _patience: Duration) {}

    fn delivery(&self) -> Delivery {
        Delivery::Passthrough
    }
}

/// The row is made before its file is attached, and a program may list it in between. The file's record says no longer by then
/// which row it is: the kernel was told of the table alone, and the row stayed empty for that program.
#[test]
fn a_row_that_was_listed_before_its_file_was_attached_is_listed_anew() {
    let instance = Instance::new(Backing::Memory);
    let (tree, kernel) = (instance.tree(), instance.kernel());
    let inbox = kernel.walk(ROOT, &["drop", "inbox"]).expect("a box");
    let name = OsStr::new("scan.txt");
    let (_, file) = tree.create(ROOT, inbox, name, 0o644, How::New.flags()).expect("created");
    tree.write(ROOT, file.fh, 0, NEW).expect("written");
    tree.flush(ROOT, file.fh).expect("closed");
    tree.release(file.fh);
    let listings = Listings::default();
    tree.kernel.connect(Box::new(listings.clone()));
    let finished = tree.open.boxes.finished();
    assert_eq!(finished.len(), 1);
    tree.open.boxes.receive(finished[0]);
    let row = kernel.row(ROOT, "1").expect("a row");
    assert!(listings.0.lock().contains(&row));
}
