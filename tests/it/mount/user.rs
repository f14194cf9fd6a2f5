//! Other users, whose ids need no entry in passwd(5), and commands that run as one of them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use super::tool::{Done, installed, is_root, run};

/// A group of two users.
pub const TEAM: u32 = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    /// The supplementary group.
    group: Option<u32>,
}

pub const ROOT: User = User { uid: 0, group: None };
/// The owner of the files of the tests, in the team.
pub const OWNER: User = User { uid: 1001, group: Some(TEAM) };
/// A user whose own group is another than the team.
pub const MEMBER: User = User { uid: 1002, group: Some(TEAM) };
pub const STRANGER: User = User { uid: 1003, group: None };

/// Whether the tests can run commands as another user, with a message if not.
pub fn may_become_others() -> bool {
    is_root() && installed("setpriv")
}

impl User {
    pub fn run<A: AsRef<OsStr>>(self, program: &str, arguments: &[A]) -> Done {
        let (uid, gid) = (format!("--reuid={}", self.uid), format!("--regid={}", self.uid));
        let groups =
            self.group.map_or("--clear-groups".into(), |group| format!("--groups={group}"));
        let mut all: Vec<&OsStr> = [&uid, &gid, &groups, "--", program].map(OsStr::new).into();
        all.extend(arguments.iter().map(AsRef::as_ref));
        run("setpriv", &all)
    }

    /// Runs a shell script; the paths are `$1`, `$2`.
    pub fn shell(self, script: &str, paths: &[&Path]) -> Done {
        let mut arguments = vec![OsStr::new("-c"), OsStr::new(script), OsStr::new("sh")];
        arguments.extend(paths.iter().map(|path| path.as_os_str()));
        self.run("sh", &arguments)
    }
}

/// Owner, group and permission bits.
pub type Access = (u32, u32, u32);

pub fn access(path: &Path) -> Access {
    let meta = fs::symlink_metadata(path);
    let meta = meta.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (meta.uid(), meta.gid(), meta.mode() & 0o7777)
}

pub fn set_access(path: &Path, (uid, gid, mode): Access) {
    chown(path, Some(uid), Some(gid)).expect("chown");
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
}

/// Whether a command failed for lack of permission.
pub fn is_denied(done: &Done) -> bool {
    let denied = ["Permission denied", "Operation not permitted"];
    done.code != 0 && denied.iter().any(|words| done.stderr.contains(words))
}
