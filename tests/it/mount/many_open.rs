//! Users who have many files open at a time, and others who must not notice.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::daemon::Mount;
use super::tool::installed;
use super::user::{MEMBER, OWNER, may_become_others};
use crate::config::Config;

/// Opens new files of scratch until that fails, then again after it has closed some.
const GREEDY: &str = "
import os, sys
row, files = sys.argv[1], []
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
def more():
    try:
        while True:
            files.append(os.open(f'{row}/x{len(files)}.part', os.O_RDWR | os.O_CREAT))
    except OSError as error:
        print(len(files), error.errno, flush=True)
more()
sys.stdin.readline()
for _ in range(50):
    os.close(files.pop())
more()
sys.stdin.readline()
";

#[test]
fn a_user_with_too_many_open_files_is_refused_and_others_work_as_before() {
    if !may_become_others() || !installed("python3") {
        return;
    }
    let config = Config::new()
        .with("mount.allow_other = true")
        .with("mount.dir_mode = '0777'")
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file");
    let Some(mount) = Mount::with_few_descriptors(config) else { return };
    let memo = mount.attach("memo", b"a memo");
    let (row, note) = (mount.row(), mount.row().join("note"));
    let mut greedy = Command::new("python3")
        .args(["-c", GREEDY])
        .arg(&row)
        .arg(OWNER.uid.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let (to, from) = (greedy.stdin.take(), greedy.stdout.take());
    let (mut to, mut from) = (to.expect("piped"), BufReader::new(from.expect("piped")));
    let mut opened = || {
        let mut line = String::new();
        from.read_line(&mut line).expect("it says");
        let (count, errno) = line.trim().split_once(' ').expect("two numbers");
        assert_eq!(errno, "24", "EMFILE");
        count.parse::<usize>().expect("a number")
    };
    let most = opened();
    assert!((80..120).contains(&most), "{most} files of three descriptors each, of 768");
    let said = OWNER.run("cat", &[&mount.path(".mediafs/last-error")]);
    assert!(said.stdout.contains("(open_files)"), "{said}");
    for _ in 0..3 {
        let script = "cat $1 && cp $1 $2 && stat $2 && ls $3 && mv $2 $3/y.part && rm $3/y.part";
        let paths: [&Path; 3] = [&memo, &note, &row];
        MEMBER.shell(script, &paths).succeeded();
    }
    to.write_all(b"\n").expect("it listens");
    assert_eq!(opened(), most, "it may have as many again");
    let ours = mount.proc("status", "FDSize:");
    assert!(ours <= 1024, "{ours}");
    drop(to);
    greedy.wait().expect("ended");
    assert!(!mount.log().contains("an operation failed"), "{}", mount.log());
}
