//! `[fetch]`: the policy for downloads, when a URL is attached.

use std::time::Duration;

use toml::de::DeValue;

use super::section::Section;
use super::value;
use words::byte_count::ByteCount;
use words::download::{Allowed, Policy};

const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) fn read(section: &Section<'_>) -> Policy {
    let default = Policy::default();
    let policy = Policy {
        allow: section.list("allow", allowed).unwrap_or_default(),
        max_size: section.key("max_size", value::size),
        timeout: section.key("timeout", timeout).unwrap_or(default.timeout),
    };
    if policy.max_size == Some(ByteCount(0)) {
        section.complain("max_size", "nothing could ever be fetched");
    }
    section.finish();
    policy
}

fn allowed(value: &DeValue<'_>) -> Result<Allowed, String> {
    let wanted = "a range such as \"192.168.0.0/16\", or a host such as \"cdn.internal\"";
    let written = value::string(value, wanted)?;
    Allowed::parse(written).map_err(|error| format!("{error}; found \"{written}\""))
}

/// The program that attaches a URL waits for the download, so the time is bounded.
fn timeout(value: &DeValue<'_>) -> Result<Duration, String> {
    let span = value::span(value)?;
    if span.is_zero() || span > MAX_TIMEOUT {
        return Err("a download takes from 1s to 1h".into());
    }
    Ok(span)
}
