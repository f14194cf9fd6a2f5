//! The violations of URLs: the words that tell a user why nothing was attached.

use crate::fetch;
use crate::library::lookup::target::Target;
use pipeline::policy;
use words::byte_count::ByteCount;
use words::locator::{Url, UrlError};
use words::refusal::{Rule, Violation};

/// The violation of a text that is no URL.
pub(super) fn unreadable(error: &UrlError) -> Violation {
    let rule = match error {
        UrlError::Scheme(_) | UrlError::Credentials => Rule::UrlPolicy,
        UrlError::Missing
        | UrlError::TooLong(_)
        | UrlError::Character
        | UrlError::NoScheme
        | UrlError::Malformed(_)
        | UrlError::Binary => Rule::Url,
    };
    let measured = match error {
        UrlError::TooLong(length) => format!("{length} bytes"),
        UrlError::Scheme(scheme) => format!("{scheme}:"),
        other => other.to_string(),
    };
    let (allows, allowed, hint) = match error {
        UrlError::TooLong(_) => {
            ("takes URLs of up to 8 KiB", "8 KiB", "use the file's own, shorter URL")
        }
        UrlError::Credentials => (
            "takes URLs without credentials",
            "no credentials",
            "download the file yourself and copy it here",
        ),
        UrlError::Binary => (
            "takes a URL as text",
            "text",
            "write the URL itself, or convert the shortcut with `plutil -convert xml1`",
        ),
        _ => (
            "takes URLs such as https://example.org/a.jpg",
            "http:, https:",
            "write one URL on the first line, from http:// or https:// on",
        ),
    };
    violation(rule, error.to_string(), measured, allows, allowed, hint)
}

/// The violation of a URL that gave no file.
pub(super) fn unfetched(error: &fetch::Error, limit: ByteCount, target: &Target) -> Violation {
    let fact = error.to_string();
    match error {
        fetch::Error::Address { address, range, .. } => violation(
            Rule::UrlPolicy,
            fact,
            format!("{address} ({range})"),
            "takes URLs of public addresses",
            "public addresses",
            "copy the file itself; an operator may name the address in [fetch] allow",
        ),
        fetch::Error::Downgrade { .. } => violation(
            Rule::UrlPolicy,
            fact,
            "http:".into(),
            "follows https to https only",
            "https:",
            "use the URL that it leads to, if its host is to be trusted",
        ),
        fetch::Error::Redirect { source, .. } => match unreadable(source) {
            refused if refused.rule == Rule::UrlPolicy => Violation { fact, ..refused },
            refused => answer(fact, refused.measured),
        },
        fetch::Error::HostNotFound { host, .. } | fetch::Error::Unreachable { host, .. } => {
            violation(
                Rule::UrlHost,
                fact,
                host.clone(),
                "takes URLs of hosts that can be reached",
                "reachable hosts",
                "look for a typing error in the host's name, or try again later",
            )
        }
        fetch::Error::TimedOut { waiting, .. } => violation(
            Rule::UrlTimeout,
            fact,
            waiting.to_string(),
            "waits for a while only",
            "[fetch] timeout, 30s for a symbolic link",
            "try again later, or download the file yourself and copy it here",
        ),
        fetch::Error::TooLarge { length, limit: most } => too_large(*length, *most, limit, target),
        fetch::Error::Truncated { received, expected, .. } => violation(
            Rule::Truncated,
            fact,
            format!("{received} bytes"),
            "takes whole files",
            &expected.map_or("the end of the file".into(), |bytes| format!("{bytes} bytes")),
            "try again: the connection broke, or the server lied about the length",
        ),
        fetch::Error::Status { status, .. } => answer(fact, status.to_string()),
        fetch::Error::Encoding { encoding, .. } => answer(fact, encoding.clone()),
        fetch::Error::Redirects { host } | fetch::Error::Protocol { host, .. } => {
            answer(fact, host.clone())
        }
        fetch::Error::Busy | fetch::Error::Stopped => answer(fact, "nothing".into()),
    }
}

/// The violation of a file that is too large. Above the field's own limit it is the violation of any other write.
fn too_large(length: u64, most: ByteCount, field: ByteCount, target: &Target) -> Violation {
    match policy::judge_size_so_far(&target.field.rules, length) {
        Err(violation) if most == field => violation,
        _ => violation(
            Rule::MaxSize,
            format!("file is {} or more", ByteCount(length)),
            ByteCount(length).to_string(),
            &format!("takes at most {most} from a URL ([fetch])"),
            &most.to_string(),
            "download the file yourself and copy it here",
        ),
    }
}

/// The violation of an answer that is no file.
fn answer(fact: String, measured: String) -> Violation {
    violation(
        Rule::UrlAnswer,
        fact,
        measured,
        "takes the file itself",
        "status 200 and a file",
        "open the URL in a browser to see what is there",
    )
}

fn violation(
    rule: Rule,
    fact: String,
    measured: String,
    allows: &str,
    allowed: &str,
    hint: &str,
) -> Violation {
    let (allows, allowed, hint) = (allows.into(), allowed.into(), hint.into());
    Violation { rule, fact, measured, allows, allowed, hint }
}

/// The violation of an empty answer.
pub(super) fn empty(url: &Url) -> Violation {
    answer(format!("{} sent an empty file", url.host()), "0 bytes".into())
}
