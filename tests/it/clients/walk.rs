//! Programs that walk the tree: find, du and updatedb.

use std::path::Path;

use super::site;
use crate::mount::daemon::Mount;
use crate::mount::picture;
use crate::mount::tool::{installed, run};

/// A site with a picture and a memo.
fn filled() -> Option<Mount> {
    let mount = site()?;
    mount.attach("avatar", &picture::good(1));
    std::fs::write(mount.row_of("43").join("memo"), b"anything at all").expect("taken");
    Some(mount)
}

fn find(mount: &Mount, arguments: &[&str]) -> Vec<String> {
    let root = mount.path("models").display().to_string();
    let done = run("find", &[&[root.as_str()], arguments].concat());
    done.succeeded();
    let mut found: Vec<_> =
        done.stdout.lines().map(|line| line.trim_start_matches(&root).to_owned()).collect();
    found.sort();
    found
}

#[test]
fn find_finds_attachments_by_name_type_and_size() {
    let Some(mount) = filled() else { return };
    let all = ["", "/user", "/user/42", "/user/42/avatar", "/user/43", "/user/43/memo"];
    assert_eq!(find(&mount, &[]), all);
    assert_eq!(find(&mount, &["-type", "f", "-size", "-100c"]), ["/user/43/memo"]);
    assert_eq!(find(&mount, &["-name", "avatar", "-user", "www-data"]), ["/user/42/avatar"]);
    assert_eq!(find(&mount, &["-empty"]), [""; 0]);
    let inode = find(&mount, &["-samefile", &mount.row().join("avatar.png").display().to_string()]);
    assert_eq!(inode, ["/user/42/avatar"], "an alias is the same file");
}

#[test]
fn find_delete_detaches() {
    let Some(mount) = filled() else { return };
    find(&mount, &["-name", "memo", "-delete"]);
    assert_eq!(find(&mount, &["-type", "f"]), ["/user/42/avatar"]);
}

#[test]
fn du_counts_each_byte_once() {
    let Some(mount) = filled() else { return };
    let size = picture::good(1).len() + b"anything at all".len();
    let models = mount.path("models").display().to_string();
    let done = run("du", &["-sb", &models]);
    assert_eq!(done.stdout, format!("{size}\t{models}\n"));
    std::fs::hard_link(mount.row().join("avatar"), mount.row_of("43").join("avatar"))
        .expect("linked");
    assert_eq!(run("du", &["-sb", &models]).stdout, done.stdout, "a second name adds no bytes");
    let blocks = run("du", &["-s", "-B512", &models]).stdout;
    let blocks: u64 = blocks.split('\t').next().and_then(|it| it.parse().ok()).expect("a number");
    assert!(blocks * 512 >= size as u64, "{blocks}");
}

/// updatedb excludes filesystems by their type in /proc/mounts, and the configuration of Debian has no line for mediafs.
#[test]
fn updatedb_passes_over_the_mount_where_its_prunefs_names_it() {
    if !installed("updatedb.plocate") || !installed("plocate") {
        return;
    }
    let Some(mount) = filled() else { return };
    let mounts = std::fs::read_to_string("/proc/mounts").expect("the mounts");
    let own = mounts.lines().find(|line| line.contains(&mount.mountpoint().display().to_string()));
    assert_eq!(own.and_then(|line| line.split(' ').nth(2)), Some("fuse.mediafs"));

    let root = mount.config().parent().map(Path::to_owned).expect("a directory");
    let database = mount.outside("plocate.db", b"").display().to_string();
    let find = |prunefs: &str| {
        let root = root.display().to_string();
        let scan = ["-U", &root, "-o", &database, "--prunepaths", "", "--prune-bind-mounts", "no"];
        run("updatedb.plocate", &[&scan[..], &["--prunefs", prunefs]].concat()).succeeded();
        run("plocate", &["-d", &database, "-c", "/models/user/42"]).stdout
    };
    assert_eq!(find("proc fuse.sshfs"), "2\n", "the row and its picture");
    assert_eq!(find("proc fuse.sshfs fuse.mediafs"), "0\n");
}
