//! The access policy: which owner, group and modes a table fixes, and what becomes of those that programs ask for.
//! Does not know who may ask for what: the kernel decides that, from what `stat` shows.

use crate::attachment::{Access, Amendment};

/// Permission bits of a file that no program gives any and no policy fixes: what is fetched, or tried again.
pub const FILE_MODE: u32 = 0o644;
/// The same of a row.
pub const DIR_MODE: u32 = 0o755;

/// What a table, or the mount for all of them, says of its rows and files. `None`: whoever makes one decides, and its umask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub file_mode: Option<u32>,
    pub dir_mode: Option<u32>,
}

/// What is fixed of one file or row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fixed {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// What a move brings: to the file at its new place, and with an exchange to the one that comes back for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    pub there: Fixed,
    pub back: Fixed,
}

impl Policy {
    /// This policy, with another's word on what it leaves open.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            uid: self.uid.or(other.uid),
            gid: self.gid.or(other.gid),
            file_mode: self.file_mode.or(other.file_mode),
            dir_mode: self.dir_mode.or(other.dir_mode),
        }
    }

    /// What is fixed of rows.
    pub fn rows(self) -> Fixed {
        Fixed { uid: self.uid, gid: self.gid, mode: self.dir_mode }
    }

    /// What is fixed of the files of a field, whose own mode goes first.
    pub fn files(self, mode: Option<u32>) -> Fixed {
        Fixed { uid: self.uid, gid: self.gid, mode: mode.or(self.file_mode) }
    }
}

impl Fixed {
    /// What a new file gets of what was asked for, and one that is moved in of what it had.
    pub fn of(self, asked: Access) -> Access {
        Access {
            uid: self.uid.unwrap_or(asked.uid),
            gid: self.gid.unwrap_or(asked.gid),
            mode: self.mode.unwrap_or(asked.mode),
        }
    }

    /// Whether a file could be moved in and stay as it is.
    pub fn agrees(self, access: Access) -> bool {
        self.of(access) == access
    }

    /// What is left of a `chmod` or `chown`: asking for anything but what is fixed changes nothing. Times are nobody's policy.
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
    fn what_no_policy_fixes_is_as_it_was_asked_for() {
        let open = Policy::default();
        assert_eq!((open.rows().of(ASKED), open.files(None).of(ASKED)), (ASKED, ASKED));
        let group = Policy { gid: Some(34), ..open };
        assert_eq!(group.files(None).of(ASKED), Access { gid: 34, ..ASKED });
    }

    #[test]
    fn what_a_table_fixes_is_the_same_whatever_was_asked_for() {
        assert_eq!(TABLE.rows().of(ASKED), Access { uid: 33, gid: 34, mode: 0o2750 });
        assert_eq!(TABLE.files(None).of(ASKED), Access { uid: 33, gid: 34, mode: 0o640 });
    }

    #[test]
    fn the_fields_mode_goes_before_the_tables_and_the_tables_word_before_the_mounts() {
        assert_eq!(TABLE.files(Some(0o600)).mode, Some(0o600));
        let mount = Policy { uid: Some(1), gid: Some(2), file_mode: Some(0o644), dir_mode: None };
        let table = Policy { uid: Some(33), ..Policy::default() };
        let both = Policy { uid: Some(33), gid: Some(2), file_mode: Some(0o644), dir_mode: None };
        assert_eq!((table.or(mount), TABLE.or(mount)), (both, TABLE));
    }

    #[test]
    fn a_chmod_or_chown_to_anything_but_what_is_fixed_changes_nothing() {
        let asked = Amendment {
            uid: Some(0),
            gid: Some(34),
            mode: Some(0o777),
            accessed: Some(Timestamp(1)),
            modified: Some(Timestamp(2)),
        };
        let left = Amendment { uid: None, mode: None, ..asked };
        assert_eq!(TABLE.files(None).leave(asked), left, "the fixed group may be asked for");
        assert_eq!(Fixed::default().leave(asked), asked);
        let mode = Policy { file_mode: Some(0o777), ..Policy::default() }.files(None);
        assert_eq!(mode.leave(asked), asked, "an old file comes into line");
    }

    #[test]
    fn a_file_agrees_with_what_would_not_change_it() {
        let files = TABLE.files(None);
        assert!(files.agrees(files.of(ASKED)) && !files.agrees(ASKED));
        assert!(Fixed::default().agrees(ASKED));
    }
}
