//! Who owns what is new: `user[:group]` by name or number, looked up in the texts of `/etc/passwd` and `/etc/group`.
//! Does not know directories of users beyond those two files; numbers work where a name does not.

use std::fs;

/// The uid and gid of `user`, `user:group`, `1000` or `1000:1000`. Errors are reasons in words.
pub(super) fn resolve(written: &str) -> Result<(u32, u32), String> {
    // A machine without the files has no names to give; the numbers still work.
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let group = fs::read_to_string("/etc/group").unwrap_or_default();
    look_up(written, &passwd, &group)
}

fn look_up(written: &str, passwd: &str, groups: &str) -> Result<(u32, u32), String> {
    let (user, group) = match written.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (written, None),
    };
    let entry = passwd.lines().map(columns).find(|columns| names(columns, user));
    let field = |at: usize| entry.as_ref().and_then(|columns| columns.get(at)?.parse().ok());
    let uid = number(user).or_else(|| field(2)).ok_or_else(|| {
        format!("there is no user \"{user}\" in /etc/passwd; give a name or a number")
    })?;
    let gid = match group {
        None => field(3).ok_or_else(|| {
            format!(
                "user {uid} is not in /etc/passwd, so its group is unknown; write \"{uid}:<group>\""
            )
        })?,
        Some(group) => number(group).or_else(|| group_id(group, groups)).ok_or_else(|| {
            format!("there is no group \"{group}\" in /etc/group; give a name or a number")
        })?,
    };
    Ok((uid, gid))
}

fn columns(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

/// Whether a line of passwd is about this user, by name or by number.
fn names(columns: &[&str], user: &str) -> bool {
    columns.first() == Some(&user) || (number(user).is_some() && columns.get(2) == Some(&user))
}

fn group_id(name: &str, groups: &str) -> Option<u32> {
    groups.lines().map(columns).find(|columns| columns.first() == Some(&name))?.get(2)?.parse().ok()
}

/// Digits only; the largest number means 'unchanged' to chown(2) and names nobody.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:34:www:/var/www:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nmedia:x:500:www-data\n";

    #[test]
    fn an_owner_is_found_by_name_or_by_number() {
        let found = |written| look_up(written, PASSWD, GROUP);
        assert_eq!(found("www-data"), Ok((33, 34)));
        assert_eq!(found("33"), Ok((33, 34)));
        assert_eq!(found("www-data:media"), Ok((33, 500)));
        assert_eq!(found("1000:1001"), Ok((1000, 1001)));
    }

    #[test]
    fn an_owner_that_is_nobody_is_named() {
        let reason = |written| look_up(written, PASSWD, GROUP).expect_err("a reason");
        assert!(reason("mary").contains("no user \"mary\""));
        assert!(reason("root:wheel").contains("no group \"wheel\""));
        assert!(reason("1000").contains("write \"1000:<group>\""));
        assert!(reason("").contains("no user"));
        assert!(reason("4294967295:0").contains("no user"));
    }
}
