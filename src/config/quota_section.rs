//! `[quotas]`: the quotas of tables and users.

use std::collections::BTreeMap;

use super::section::Section;
use super::users::Users;
use super::value;
use words::quota::{Quota, Quotas};
use words::schema::Table;
use words::slot::Name;

/// `[quotas.tables.user]` is the quota of a table, `[quotas.uid]` of each user, `[quotas.uids.1000]` of one.
pub(super) fn read(section: &Section<'_>, tables: &[Table]) -> Quotas {
    let quotas = Quotas {
        tables: of_tables(&section.section_or_empty("tables"), tables),
        uid: quota(&section.section_or_empty("uid")),
        uids: of_users(&section.section_or_empty("uids")),
    };
    section.finish();
    quotas
}

/// Complains of a quota in another section, with the sections that have quotas.
pub(super) fn elsewhere(section: &Section<'_>) {
    for key in ["quota", "quotas"] {
        section.refuse(
            key,
            "quotas have sections of their own: [quotas.tables.NAME], [quotas.uid] and [quotas.uids.NUMBER]",
        );
    }
}

fn of_tables(section: &Section<'_>, tables: &[Table]) -> BTreeMap<Name, Quota> {
    let mut quotas = BTreeMap::new();
    for (name, child) in section.sections() {
        match tables.iter().find(|table| table.name.as_str() == name) {
            Some(table) => drop(quotas.insert(table.name.clone(), quota(&child))),
            None => child.reject("no table of this name is declared"),
        }
    }
    quotas
}

fn of_users(section: &Section<'_>) -> BTreeMap<u32, Quota> {
    let mut quotas = BTreeMap::new();
    for (name, child) in section.sections() {
        // The number of a user need not be in /etc/passwd.
        let uid = name.parse().or_else(|_| Users::read().resolve(name).map(|(uid, _)| uid));
        match uid {
            Ok(0) => child.reject("root is held to no quota of users"),
            Ok(uid) => drop(quotas.insert(uid, quota(&child))),
            Err(reason) => child.reject(&reason),
        }
    }
    quotas
}

fn quota(section: &Section<'_>) -> Quota {
    let number = |key| section.key(key, |value| value::whole(value, 0, i64::MAX));
    let quota = Quota {
        bytes: section.key("bytes", value::size).map(|size| size.0),
        files: number("files"),
        drafts: number("drafts"),
        scratch: section.key("scratch", value::size).map(|size| size.0),
    };
    section.finish();
    quota
}
