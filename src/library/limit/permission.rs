//! Permission, where the kernel cannot check it. The kernel checks the inodes of a path by the attributes that `stat` shows. An
//! attachment is also reached without its inode: by an alias that does not exist yet, by `row.json`, by a variant, or by a commit
//! over a file that came meanwhile. Each of those ways asks [`Person::may`], which answers as a local disk does.

use words::attachment::Access;
use words::refusal::{Rule, Violation};

/// The bits of one class: `r` and `w` of a file, `x` of a directory.
pub const READ: u32 = 4;
pub const WRITE: u32 = 2;
pub const SEARCH: u32 = 1;

/// In a directory with this bit only the owners of a file and of the directory remove the file (`inode(7)`).
const STICKY: u32 = 0o1000;

/// A user. Supplementary groups are asked for only where they decide.
#[derive(Debug, Clone, Copy)]
pub struct Person<G> {
    pub uid: u32,
    pub gid: u32,
    pub is_member: G,
}

/// An act upon an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Reads the bytes, or facts that are made of them.
    Read,
    /// Writes bytes in place.
    Write,
    /// Sets metadata: by the owner, whatever the mode, or with the permission to write.
    Describe,
    /// Takes the name from it, as `unlink` and a rename over it do. The permission to write to the row is another question.
    Displace,
}

impl<G: Fn(u32) -> bool> Person<G> {
    /// Whether this user may do that to a file with this access, in a row with that access.
    pub fn may(&self, act: Act, file: Access, row: Access) -> bool {
        match act {
            Act::Read => self.permits(file, READ),
            Act::Write => self.permits(file, WRITE),
            Act::Describe => self.uid == file.uid || self.permits(file, WRITE),
            Act::Displace => row.mode & STICKY == 0 || [0, file.uid, row.uid].contains(&self.uid),
        }
    }

    /// Whether an access permits a bit. The first class that the user is in decides, as `path_resolution(7)` says.
    pub fn permits(&self, access: Access, bit: u32) -> bool {
        let (group, others) = (access.mode >> 3 & bit, access.mode & bit);
        let granted = match self {
            Self { uid: 0, .. } => return true,
            Self { uid, .. } if *uid == access.uid => access.mode >> 6 & bit,
            Self { gid, .. } if *gid == access.gid => group,
            _ if group == others => others,
            _ if (self.is_member)(access.gid) => group,
            _ => others,
        };
        granted != 0
    }
}

/// The violation of a file that would displace another user's in a sticky row.
pub fn sticky() -> Violation {
    Violation {
        rule: Rule::Sticky,
        fact: "the file there is another user's, in a row with the sticky bit".into(),
        measured: "another user's".into(),
        allows: "loses a file there by its owner or the row's alone".into(),
        allowed: "one's own".into(),
        hint: "use another field, or ask the owner of the file or of the row".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Access = Access { uid: 1000, gid: 100, mode: 0 };

    fn may_read(mode: u32, (uid, gid): (u32, u32), member: bool) -> bool {
        Person { uid, gid, is_member: |_| member }.permits(Access { mode, ..FILE }, READ)
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
            let asked = std::cell::Cell::new(false);
            let is_member = |_| asked.replace(true);
            Person { uid: 1001, gid: 101, is_member }.permits(Access { mode, ..FILE }, READ);
            asked.get()
        };
        assert!(!asked(0o644) && asked(0o640), "asked for only where it matters");
    }

    #[test]
    fn in_a_sticky_row_the_owners_of_file_and_row_and_root_displace_a_file() {
        let row = |mode| Access { uid: 1, gid: 1, mode };
        let may = |uid, mode| {
            Person { uid, gid: 9, is_member: |_| true }.may(Act::Displace, FILE, row(mode))
        };
        assert!(may(0, 0o1777) && may(1, 0o1777) && may(FILE.uid, 0o1777));
        assert!(!may(7, 0o1777) && may(7, 0o777));
    }

    #[test]
    fn the_owner_describes_a_file_that_it_cannot_write() {
        let may = |uid, mode| {
            let person = Person { uid, gid: 9, is_member: |_| false };
            person.may(Act::Describe, Access { mode, ..FILE }, FILE)
        };
        assert!(may(FILE.uid, 0o400) && may(7, 0o602) && !may(7, 0o604));
    }
}
