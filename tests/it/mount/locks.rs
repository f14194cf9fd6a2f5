//! Advisory locks are the kernel's, one set for each inode: a file, each draft, a directory (CONTRACT 9).

use super::daemon::Mount;
use super::tool::{installed, run};

/// Opens a path twice, in this process and in a child, in one way each, and tells whether the child's lock is granted while this
/// process holds its own. `$3` is the call: `lockf` is fcntl(2), which needs a handle that can write.
const CONTEND: &str = "
import fcntl, os, sys
path, ours, theirs, call = sys.argv[1:]
flags = {'read': os.O_RDONLY, 'write': os.O_RDWR}
lock = getattr(fcntl, call)
fd = os.open(path, flags[ours])
lock(fd, (fcntl.LOCK_EX if ours == 'write' or call == 'flock' else fcntl.LOCK_SH) | fcntl.LOCK_NB)
if os.fork() == 0:
    fd = os.open(path, flags[theirs])
    try:
        lock(fd, (fcntl.LOCK_EX if theirs == 'write' or call == 'flock' else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        print('granted', flush=True)
    except BlockingIOError:
        print('refused', flush=True)
    os._exit(0)
os.wait()
";

fn contend(path: &std::path::Path, ours: &str, theirs: &str, call: &str) -> String {
    let path = path.display().to_string();
    let done = run("python3", &["-c", CONTEND, &path, ours, theirs, call]);
    done.succeeded();
    done.stdout.trim().to_owned()
}

#[test]
fn readers_exclude_one_another_and_two_writers_of_a_field_do_not() {
    if !installed("python3") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"stored");
    assert_eq!(contend(&memo, "read", "read", "flock"), "refused", "one file");
    assert_eq!(contend(&memo, "write", "write", "flock"), "granted", "a draft for each");
    assert_eq!(contend(&memo, "write", "write", "lockf"), "granted");
    assert_eq!(contend(&memo, "read", "write", "lockf"), "granted", "the file and a draft");
    assert_eq!(
        contend(&mount.row(), "read", "read", "flock"),
        "refused",
        "the row is one directory"
    );
    let scratch = mount.row().join(".lock");
    std::fs::write(&scratch, "").expect("scratch");
    assert_eq!(contend(&scratch, "write", "write", "lockf"), "refused", "scratch is one file");
}
