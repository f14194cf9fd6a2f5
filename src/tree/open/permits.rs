//! Permission where the kernel cannot be asked. The kernel checks what `stat` shows of the inodes of a path; but variants, the
//! trash and what a rename displaces depend on the permissions of other files.

use crate::tree::error::{Error, Result};
use crate::tree::open::processes::Processes;
use crate::tree::request::Caller;
use words::attachment::Access;

/// The bits of one class: `r` of a file, `x` of a directory.
pub const READ: u32 = 4;
pub const SEARCH: u32 = 1;

/// Whether the kernel would let a caller do this. Requests do not carry supplementary groups: those are read from the process,
/// where they matter.
pub fn may(processes: Processes, who: Caller, access: Access, bit: u32) -> bool {
    permits(access, who, bit, || processes.is_in(who.tid, access.gid))
}

/// Whether a caller may do what only the owner may, or root.
pub fn owned(owner: u32, who: Caller) -> Result<()> {
    if who.uid == 0 || who.uid == owner { Ok(()) } else { Err(Error::Denied) }
}

/// The first class that has the caller decides, as `path_resolution(7)` says.
fn permits(access: Access, who: Caller, bit: u32, in_group: impl FnOnce() -> bool) -> bool {
    let (group, others) = (access.mode >> 3 & bit, access.mode & bit);
    let granted = match who {
        Caller { uid: 0, .. } => return true,
        Caller { uid, .. } if uid == access.uid => access.mode >> 6 & bit,
        Caller { gid, .. } if gid == access.gid => group,
        _ if group == others => others,
        _ if in_group() => group,
        _ => others,
    };
    granted != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_read(mode: u32, (uid, gid): (u32, u32), member: bool) -> bool {
        let access = Access { uid: 1000, gid: 100, mode };
        permits(access, Caller { uid, gid, tid: 1 }, READ, || member)
    }

    #[test]
    fn the_first_class_that_somebody_is_in_decides() {
        assert!(may_read(0o600, (1000, 1), false));
        assert!(may_read(0o000, (0, 0), false));
        assert!(!may_read(0o600, (1001, 100), false));
        assert!(may_read(0o640, (1001, 100), false));
        assert!(!may_read(0o640, (1001, 101), false));
        assert!(may_read(0o644, (1001, 101), false));
        assert!(!may_read(0o044, (1000, 100), true), "the owner's bit is the owner's");
    }

    #[test]
    fn a_supplementary_group_counts_as_the_first_does() {
        assert!(may_read(0o640, (1001, 101), true));
        assert!(!may_read(0o604, (1001, 101), true), "also where it takes away");
        let asked = |mode| {
            let access = Access { uid: 1000, gid: 100, mode };
            let mut asked = false;
            let who = Caller { uid: 1001, gid: 101, tid: 1 };
            permits(access, who, READ, || std::mem::replace(&mut asked, true));
            asked
        };
        assert!(!asked(0o644) && asked(0o640), "asked for only where it matters");
    }
}
