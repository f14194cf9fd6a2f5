//! The errno of every refusal and error: the one table (CONTRACT 4). It is the same for every operation.

use fuser::Errno;

use crate::tree::Error;
use words::refusal::Rule;
use words::slot::NameError;

/// The errno that the kernel is answered.
pub fn errno(error: &Error) -> Errno {
    match error {
        Error::Refused(refusal) => of_rule(refusal.rule()),
        Error::BadName(reason) => of_name(*reason),
        Error::NotFound => Errno::ENOENT,
        Error::Exists | Error::AttributeExists => Errno::EEXIST,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::NotDirectory => Errno::ENOTDIR,
        Error::IsDirectory => Errno::EISDIR,
        Error::CrossDevice => Errno::EXDEV,
        Error::ReadOnly => Errno::EROFS,
        Error::NotPermitted => Errno::EPERM,
        Error::Denied => Errno::EACCES,
        Error::Invalid(_) => Errno::EINVAL,
        Error::Busy => Errno::EBUSY,
        // Samba: 'sharing violation'.
        Error::BeingRead => Errno::ETXTBSY,
        Error::Stale => Errno::ESTALE,
        Error::BadHandle => Errno::EBADF,
        Error::NoAttribute => Errno::ENODATA,
        // setxattr(2): the value is larger than the filesystem takes.
        Error::AttributeTooLong => Errno::E2BIG,
        Error::NotSupported => Errno::EOPNOTSUPP,
        Error::NoData => Errno::ENXIO,
        Error::TooLarge => Errno::EFBIG,
        Error::OverQuota(_) => Errno::EDQUOT,
        Error::NoSpace => Errno::ENOSPC,
        // The dispatcher runs an operation again that must run elsewhere, and answers with the second outcome.
        Error::TooBusy | Error::Elsewhere(_) => Errno::EAGAIN,
        Error::TooManyFiles => Errno::ENFILE,
        Error::Damaged | Error::Fenced(_) | Error::Failed(_) => Errno::EIO,
    }
}

fn of_rule(rule: Rule) -> Errno {
    match rule {
        Rule::MaxSize => Errno::EFBIG,
        Rule::Quota | Rule::MaxItems => Errno::EDQUOT,
        // Of one user; ENFILE is that of the daemon.
        Rule::OpenFiles => Errno::EMFILE,
        // setxattr(2): the errno of ext4, xfs and btrfs when an inode has no room for an attribute.
        Rule::Attributes | Rule::Space => Errno::ENOSPC,
        Rule::ContentTypes | Rule::Extension => medium_type(),
        Rule::MinSize
        | Rule::MinWidth
        | Rule::MinHeight
        | Rule::MaxWidth
        | Rule::MaxHeight
        | Rule::MinRatio
        | Rule::MaxRatio
        | Rule::MaxPixels => Errno::ERANGE,
        Rule::Truncated | Rule::Corrupt | Rule::Bomb => Errno::EBADMSG,
        Rule::Name | Rule::Json | Rule::Url | Rule::Request => Errno::EINVAL,
        Rule::RowGone => Errno::ENOENT,
        // unlink(2) in a sticky directory.
        Rule::WrongPlace | Rule::Sticky => Errno::EPERM,
        Rule::ReadOnly => Errno::EROFS,
        Rule::InUse => Errno::EBUSY,
        Rule::UrlPolicy | Rule::Owner | Rule::Permission => Errno::EACCES,
        Rule::UrlHost => Errno::EHOSTUNREACH,
        Rule::UrlTimeout => Errno::ETIMEDOUT,
        Rule::UrlBusy | Rule::Busy => Errno::EAGAIN,
        Rule::UrlAnswer => remote_io(),
        Rule::Hidden => Errno::ENOTEMPTY,
        // The first four are notices about files that are not being written any more: no request is answered with them.
        Rule::Interrupted | Rule::Expired | Rule::Unreadable | Rule::NotAField | Rule::Failed => {
            Errno::EIO
        }
    }
}

fn of_name(reason: NameError) -> Errno {
    match reason {
        NameError::TooLong => Errno::ENAMETOOLONG,
        NameError::Empty
        | NameError::Separator
        | NameError::NotUtf8
        | NameError::ControlCharacter
        | NameError::TrailingSpaceOrDot => Errno::EINVAL,
    }
}

/// `EREMOTEIO`, 'Remote I/O error', which fuser has no name for: the host answers, but not with a file.
fn remote_io() -> Errno {
    Errno::from_i32(rustix::io::Errno::REMOTEIO.raw_os_error())
}

/// `EMEDIUMTYPE`, 'Wrong medium type', which fuser has no name for.
fn medium_type() -> Errno {
    Errno::from_i32(rustix::io::Errno::MEDIUMTYPE.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::Fenced;
    use crate::session_thread::Elsewhere;
    use words::quota::{Account, Excess, Measure};
    use words::refusal::{Refusal, RefusalId, Violation};
    use words::timestamp::Timestamp;

    fn refused(rule: Rule) -> Error {
        Error::from(Refusal {
            id: RefusalId::from_number(1),
            path: "user/42/avatar".into(),
            field: "avatar".into(),
            violation: Violation {
                rule,
                fact: String::new(),
                measured: String::new(),
                allows: String::new(),
                allowed: String::new(),
                hint: String::new(),
            },
        })
    }

    fn excess() -> Excess {
        let account = Account::Uid(1);
        Excess { account, measure: Measure::Files, used: 1, wanted: 2, allowed: 1 }
    }

    fn fenced() -> Fenced {
        Fenced { since: Timestamp(0), because: "it failed".into() }
    }

    #[test]
    fn every_rule_has_the_errno_of_the_contract() {
        const EMEDIUMTYPE: i32 = 124;
        let table = [
            (Rule::MaxSize, 27),
            (Rule::Quota, 122),
            (Rule::MaxItems, 122),
            (Rule::Attributes, 28),
            (Rule::OpenFiles, 24),
            (Rule::ContentTypes, EMEDIUMTYPE),
            (Rule::Extension, EMEDIUMTYPE),
            (Rule::MinSize, 34),
            (Rule::MinWidth, 34),
            (Rule::MinHeight, 34),
            (Rule::MaxWidth, 34),
            (Rule::MaxHeight, 34),
            (Rule::MinRatio, 34),
            (Rule::MaxRatio, 34),
            (Rule::MaxPixels, 34),
            (Rule::Truncated, 74),
            (Rule::Corrupt, 74),
            (Rule::Bomb, 74),
            (Rule::Name, 22),
            (Rule::RowGone, 2),
            (Rule::Sticky, 1),
            (Rule::Permission, 13),
            (Rule::Interrupted, 5),
            (Rule::Expired, 5),
            (Rule::NotAField, 5),
            (Rule::Url, 22),
            (Rule::UrlPolicy, 13),
            (Rule::UrlHost, 113),
            (Rule::UrlTimeout, 110),
            (Rule::UrlBusy, 11),
            (Rule::UrlAnswer, 121),
            (Rule::WrongPlace, 1),
            (Rule::ReadOnly, 30),
            (Rule::Owner, 13),
            (Rule::InUse, 16),
            (Rule::Space, 28),
            (Rule::Busy, 11),
            (Rule::Request, 22),
            (Rule::Failed, 5),
        ];
        for (rule, expected) in table {
            assert_eq!(errno(&refused(rule)).code(), expected, "{rule:?}");
        }
    }

    #[test]
    fn every_error_has_the_errno_that_programs_expect() {
        let table = [
            (Error::NotFound, "ENOENT", 2),
            (Error::Exists, "EEXIST", 17),
            (Error::NotEmpty, "ENOTEMPTY", 39),
            (Error::NotDirectory, "ENOTDIR", 20),
            (Error::IsDirectory, "EISDIR", 21),
            (Error::CrossDevice, "EXDEV", 18),
            (Error::ReadOnly, "EROFS", 30),
            (Error::NotPermitted, "EPERM", 1),
            (Error::Denied, "EACCES", 13),
            (Error::BadName(NameError::TooLong), "ENAMETOOLONG", 36),
            (Error::BadName(NameError::Empty), "EINVAL", 22),
            (Error::BadName(NameError::Separator), "EINVAL", 22),
            (Error::BadName(NameError::NotUtf8), "EINVAL", 22),
            (Error::BadName(NameError::ControlCharacter), "EINVAL", 22),
            (Error::BadName(NameError::TrailingSpaceOrDot), "EINVAL", 22),
            (Error::Invalid("x"), "EINVAL", 22),
            (Error::Busy, "EBUSY", 16),
            (Error::BeingRead, "ETXTBSY", 26),
            (Error::Stale, "ESTALE", 116),
            (Error::BadHandle, "EBADF", 9),
            (Error::NoAttribute, "ENODATA", 61),
            (Error::AttributeExists, "EEXIST", 17),
            (Error::AttributeTooLong, "E2BIG", 7),
            (Error::NotSupported, "EOPNOTSUPP", 95),
            (Error::NoData, "ENXIO", 6),
            (Error::TooLarge, "EFBIG", 27),
            (Error::OverQuota(excess()), "EDQUOT", 122),
            (Error::NoSpace, "ENOSPC", 28),
            (Error::TooBusy, "EAGAIN", 11),
            (Error::TooManyFiles, "ENFILE", 23),
            (Error::Elsewhere(Elsewhere), "EAGAIN", 11),
            (Error::Fenced(fenced()), "EIO", 5),
            (Error::Damaged, "EIO", 5),
            (Error::Failed("disk".into()), "EIO", 5),
        ];
        for (error, name, expected) in table {
            assert_eq!(errno(&error).code(), expected, "{name}");
        }
    }
}
