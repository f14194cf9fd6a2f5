//! `[quotas]`: what tables and users may have.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::section::Section;
use super::{users, value};
use words::quota::{Quota, Quotas};
use words::schema::Table;

/// `[quotas.tables.user]` is the quota of a table, `[quotas.uid]` of each user, `[quotas.uids.1000]` of one.
pub(super) fn read(section: &Section<'_>, tables: &[Table]) -> Quotas {
    let quotas = Quotas {
        tables: section.section("tables").map(|all| of_tables(&all, tables)).unwrap_or_default(),
        uid: section.section("uid").map(|all| quota(&all)).unwrap_or_default(),
        uids: section.section("uids").map(|all| of_users(&all)).unwrap_or_default(),
    };
    section.finish();
    quotas
}

/// Complains of a quota in another section, with the sections that have quotas.
pub(super) fn elsewhere(section: &Section<'_>) {
    for key in ["quota", "quotas"] {
        if section.known(key) {
            section.complain(
                key,
                "quotas have sections of their own: [quotas.tables.NAME], [quotas.uid] and [quotas.uids.NUMBER]",
            );
        }
    }
}

fn of_tables(section: &Section<'_>, tables: &[Table]) -> BTreeMap<words::slot::Name, Quota> {
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
        let uid = name.parse().or_else(|_| users::resolve(name).map(|(uid, _)| uid));
        match uid {
            Ok(0) => child.reject("root is held to no quota of users"),
            Ok(uid) => drop(quotas.insert(uid, quota(&child))),
            Err(reason) => child.reject(&reason),
        }
    }
    quotas
}

fn quota(section: &Section<'_>) -> Quota {
    let number = |value: &DeValue<'_>| {
        let number = value::whole(value, 0, i64::MAX)?;
        u64::try_from(number).map_err(|error| error.to_string())
    };
    let quota = Quota {
        bytes: section.key("bytes", value::size).map(|size| size.0),
        files: section.key("files", number),
        drafts: section.key("drafts", number),
        scratch: section.key("scratch", value::size).map(|size| size.0),
    };
    section.finish();
    quota
}
