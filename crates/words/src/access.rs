//! Access policies: the owner, group and modes that a table fixes, and their effect on those that programs ask for. The kernel
//! checks permissions, against the access that `stat` shows.

use crate::attachment::{Access, Amendment};

/// Permission bits of a file whose mode neither a program nor a policy decides, such as one that is downloaded.
pub const FILE_MODE: u32 = 0o644;
/// Permission bits of a row whose mode neither a program nor a policy decides.
pub const DIR_MODE: u32 = 0o755;

/// The policy of a table, or of the mount for all tables. A value of `None` is decided by the program that makes a row or file,
/// and by its umask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub file_mode: Option<u32>,
    pub dir_mode: Option<u32>,
}

/// The values that a policy fixes for one file or row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fixed {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// The policies at both ends of a move: for the file that moves, and for the one that an exchange brings back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    pub there: Fixed,
    pub back: Fixed,
}

impl Policy {
    /// This policy, completed by another where it fixes nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            uid: self.uid.or(other.uid),
            gid: self.gid.or(other.gid),
            file_mode: self.file_mode.or(other.file_mode),
            dir_mode: self.dir_mode.or(other.dir_mode),
        }
    }

    /// The values that are fixed for rows.
    pub fn rows(self) -> Fixed {
        Fixed { uid: self.uid, gid: self.gid, mode: self.dir_mode }
    }

    /// The values that are fixed for the files of a field. The field's own mode, if it has one, comes first.
    pub fn files(self, mode: Option<u32>) -> Fixed {
        Fixed { uid: self.uid, gid: self.gid, mode: mode.or(self.file_mode) }
    }
}

impl Fixed {
    /// The access of a file at this place: as requested (after a move, as before), except for what the policy fixes.
    pub fn of(self, asked: Access) -> Access {
        Access {
            uid: self.uid.unwrap_or(asked.uid),
            gid: self.gid.unwrap_or(asked.gid),
            mode: self.mode.unwrap_or(asked.mode),
        }
    }

    /// Whether a file with this access would keep it here.
    pub fn agrees(self, access: Access) -> bool {
        self.of(access) == access
    }

    /// The part of a `chmod` or `chown` that takes effect: a fixed value can only be set to what it is fixed to. No policy fixes
    /// times.
    pub fn leave(self, amendment: Amendment) -> Amendment {
        let kept = |asked: Option<u32>, fixed: Option<u32>| {
            asked.filter(|asked| fixed.is_none_or(|fixed| fixed == *asked))
        };
        Amendment {
            uid: kept(amendment.uid, self.uid),
            gid: kept(amendment.gid, self.gid),
            mode: kept(amendment.mode, self.mode),
            ..amendment
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::Timestamp;

    const ASKED: Access = Access { uid: 1000, gid: 100, mode: 0o4755 };
    const TABLE: Policy =
        Policy { uid: Some(33), gid: Some(34), file_mode: Some(0o640), dir_mode: Some(0o2750) };

    #[test]
    fn a_value_that_no_policy_fixes_is_as_requested() {
        let open = Policy::default();
        assert_eq!((open.rows().of(ASKED), open.files(None).of(ASKED)), (ASKED, ASKED));
        let group = Policy { gid: Some(34), ..open };
        assert_eq!(group.files(None).of(ASKED), Access { gid: 34, ..ASKED });
    }

    #[test]
    fn a_value_that_a_table_fixes_does_not_depend_on_the_request() {
        assert_eq!(TABLE.rows().of(ASKED), Access { uid: 33, gid: 34, mode: 0o2750 });
        assert_eq!(TABLE.files(None).of(ASKED), Access { uid: 33, gid: 34, mode: 0o640 });
    }

    #[test]
    fn a_fields_mode_overrides_its_tables_and_a_tables_policy_the_mounts() {
        assert_eq!(TABLE.files(Some(0o600)).mode, Some(0o600));
        let mount = Policy { uid: Some(1), gid: Some(2), file_mode: Some(0o644), dir_mode: None };
        let table = Policy { uid: Some(33), ..Policy::default() };
        let both = Policy { uid: Some(33), gid: Some(2), file_mode: Some(0o644), dir_mode: None };
        assert_eq!((table.or(mount), TABLE.or(mount)), (both, TABLE));
    }

    #[test]
    fn a_chmod_or_chown_to_another_than_the_fixed_value_changes_nothing() {
        let asked = Amendment {
            uid: Some(0),
            gid: Some(34),
            mode: Some(0o777),
            accessed: Some(Timestamp(1)),
            modified: Some(Timestamp(2)),
        };
        let left = Amendment { uid: None, mode: None, ..asked };
        assert_eq!(TABLE.files(None).leave(asked), left, "the fixed group may be set");
        assert_eq!(Fixed::default().leave(asked), asked);
        let mode = Policy { file_mode: Some(0o777), ..Policy::default() }.files(None);
        assert_eq!(
            mode.leave(asked),
            asked,
            "a file from before the policy may be brought into line"
        );
    }

    #[test]
    fn a_file_agrees_with_a_policy_that_would_not_change_it() {
        let files = TABLE.files(None);
        assert!(files.agrees(files.of(ASKED)) && !files.agrees(ASKED));
        assert!(Fixed::default().agrees(ASKED));
    }
}
