//! Other users, whose ids need no entry in passwd(5), and commands that run as one of them.

use std::ffi::OsStr;
use std::path::Path;

use super::tool::{Done, installed, run};
use crate::limits::is_root;

/// A group of two users.
pub const TEAM: u32 = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    /// The supplementary group.
    group: Option<u32>,
}

pub const ROOT: User = User { uid: 0, group: None };
/// Owns the files of the tests. Is in the team.
pub const OWNER: User = User { uid: 1001, group: Some(TEAM) };
/// Is in the team only by its supplementary group.
pub const MEMBER: User = User { uid: 1002, group: Some(TEAM) };
pub const STRANGER: User = User { uid: 1003, group: None };

/// Whether the tests can run commands as another user.
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

/// Whether a command failed for lack of permission.
pub fn is_denied(done: &Done) -> bool {
    let denied = ["Permission denied", "Operation not permitted"];
    done.code != 0 && denied.iter().any(|words| done.stderr.contains(words))
}
