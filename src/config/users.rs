//! Users and groups by name or number, looked up in `/etc/passwd` and `/etc/group`. Those of other directories, such as LDAP, must be
//! given by number.

use std::fs;

/// The texts of `/etc/passwd` and `/etc/group`.
pub(super) struct Users {
    passwd: String,
    groups: String,
}

impl Users {
    /// Without the files numbers still work.
    pub fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self { passwd: text("/etc/passwd"), groups: text("/etc/group") }
    }

    /// The uid and gid of `user`, `user:group`, `1000` or `1000:1000`. Errors are reasons in words.
    pub fn resolve(&self, written: &str) -> Result<(u32, u32), String> {
        if let Some((user, group)) = written.split_once(':') {
            return Ok((self.user(user)?, self.group(group)?));
        }
        let uid = self.user(written)?;
        let gid = entry(written, &self.passwd).and_then(|columns| columns.get(3)?.parse().ok());
        let gid = gid.ok_or_else(|| {
            format!(
                "user {uid} is not in /etc/passwd, so its group is unknown; write \"{uid}:<group>\""
            )
        })?;
        Ok((uid, gid))
    }

    /// The uid of `user` or `1000`.
    pub fn user(&self, user: &str) -> Result<u32, String> {
        id(user, &self.passwd).ok_or_else(|| {
            format!("there is no user \"{user}\" in /etc/passwd; give a name or a number")
        })
    }

    /// The gid of `group` or `1000`.
    pub fn group(&self, group: &str) -> Result<u32, String> {
        id(group, &self.groups).ok_or_else(|| {
            format!("there is no group \"{group}\" in /etc/group; give a name or a number")
        })
    }
}

/// The number of a user or group, which is the third column of either file.
fn id(written: &str, file: &str) -> Option<u32> {
    number(written).or_else(|| entry(written, file)?.get(2)?.parse().ok())
}

/// The columns of a user or group that is given by name or by number.
fn entry<'t>(written: &str, file: &'t str) -> Option<Vec<&'t str>> {
    let column = if number(written).is_some() { 2 } else { 0 };
    let mut lines = file.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|columns| columns.get(column) == Some(&written))
}

/// Accepts digits only, and not the largest number, which stands for 'unchanged' in chown(2).
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:34:www:/var/www:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nmedia:x:500:www-data\n";

    fn users() -> Users {
        Users { passwd: PASSWD.into(), groups: GROUP.into() }
    }

    #[test]
    fn an_owner_is_found_by_name_or_by_number() {
        let found = |written| users().resolve(written);
        assert_eq!(found("www-data"), Ok((33, 34)));
        assert_eq!(found("33"), Ok((33, 34)));
        assert_eq!(found("www-data:media"), Ok((33, 500)));
        assert_eq!(found("1000:1001"), Ok((1000, 1001)));
    }

    #[test]
    fn an_unknown_owner_is_named() {
        let reason = |written| users().resolve(written).expect_err("a reason");
        assert!(reason("mary").contains("no user \"mary\""));
        assert!(reason("root:wheel").contains("no group \"wheel\""));
        assert!(reason("1000").contains("write \"1000:<group>\""));
        assert!(reason("").contains("no user"));
        assert!(reason("4294967295:0").contains("no user"));
    }
}
