//! Attaching from a URL: the bytes are fetched into a draft, and from there on are a write like any other (CONTRACT 8).
//! Does not know who waits for it, nor which addresses may be reached.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::fetch;
use crate::library::draft::{Draft, Start};
use crate::library::refuse::Author;
use crate::library::settle::Verdict;
use crate::library::{Error, Library, Target};
use pipeline::policy;
use words::attachment::{Access, AttachmentId};
use words::byte_count::ByteCount;
use words::refusal::{Refusal, Rule, Violation};
use words::url::{Url, UrlError};

/// What is to be fetched, and where it goes.
#[derive(Debug, Clone)]
pub struct Order {
    pub url: Url,
    pub target: Target,
    pub author: Author,
    pub access: Access,
    /// Whatever the server does, it is over then.
    pub deadline: Instant,
    /// What the writer unlinked before, to be put back after a crash (CONTRACT 2.11).
    pub replaced: Option<AttachmentId>,
}

impl Library {
    /// Fetches and attaches. What the slot held stays until the commit; on any error it stays for good. A refusal is on
    /// record; bytes that came whole are in the quarantine.
    pub fn attach_url(&self, order: &Order) -> Result<Verdict, Error> {
        let Order { url, target, author, access, deadline, replaced } = order;
        let room = self.room(target, self.fixed(target).of(*access).uid)?;
        if let Some(excess) = &room.full {
            return Err(self.refuse_over_quota(target, *author, excess).into());
        }
        let replaced = replaced.map(|id| self.promise(id));
        let draft = Draft::new(target.clone(), *author, *access, Start::Empty, replaced)
            .within(self, room)
            .fetched_from(url.clone());
        let download = self.downloads.begin(&target.slot, url);
        let mut unfit = None;
        let mut take = |piece: fetch::body::Piece<'_>| {
            download.advance(&piece);
            match draft.write_at(self, piece.offset, piece.bytes) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    unfit = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let limit = target.field.rules.max_size;
        let fetched = self.fetcher.fetch(url, limit, *deadline, &mut take);
        let refuse = |violation| Error::from(self.refuse(target, *author, violation, None));
        match (fetched, unfit) {
            (_, Some(error)) => Err(error),
            (Err(fetch::Error::Busy), None) => Err(Error::Busy),
            (Err(error), None) => Err(refuse(unfetched(&error, limit, target))),
            (Ok(fetched), None) if fetched.length == 0 => Err(refuse(empty(&fetched.url))),
            (Ok(_), None) => draft.settle(self),
        }
    }

    /// Puts a text that is no URL on record.
    pub fn refuse_url(&self, target: &Target, author: Author, error: &UrlError) -> Refusal {
        self.refuse(target, author, unreadable(error), None)
    }
}

/// The violation of a text that is no URL.
fn unreadable(error: &UrlError) -> Violation {
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
    violation((rule, error.to_string()), measured, (allows, allowed), hint)
}

/// The violation of a URL that gave no file.
fn unfetched(error: &fetch::Error, limit: ByteCount, target: &Target) -> Violation {
    let fact = error.to_string();
    match error {
        fetch::Error::Address { address, range, .. } => violation(
            (Rule::UrlPolicy, fact),
            format!("{address} ({range})"),
            ("takes URLs of public addresses", "public addresses"),
            "copy the file itself; an operator may name the address in [fetch] allow",
        ),
        fetch::Error::Downgrade { .. } => violation(
            (Rule::UrlPolicy, fact),
            "http:".into(),
            ("follows https to https only", "https:"),
            "use the URL that it leads to, if its host is to be trusted",
        ),
        fetch::Error::Redirect { source, .. } => match unreadable(source) {
            refused if refused.rule == Rule::UrlPolicy => Violation { fact, ..refused },
            refused => answer(fact, refused.measured),
        },
        fetch::Error::HostNotFound { host, .. } | fetch::Error::Unreachable { host, .. } => {
            violation(
                (Rule::UrlHost, fact),
                host.clone(),
                ("takes URLs of hosts that can be reached", "reachable hosts"),
                "look for a typing error in the host's name, or try again later",
            )
        }
        fetch::Error::TimedOut { waiting, .. } => violation(
            (Rule::UrlTimeout, fact),
            waiting.to_string(),
            ("waits for a while only", "[fetch] timeout, 30s for a symbolic link"),
            "try again later, or download the file yourself and copy it here",
        ),
        fetch::Error::TooLarge { length, limit: most } => too_large(*length, *most, limit, target),
        fetch::Error::Truncated { received, expected, .. } => violation(
            (Rule::Truncated, fact),
            format!("{received} bytes"),
            (
                "takes whole files",
                &expected.map_or("the end of the file".into(), |bytes| format!("{bytes} bytes")),
            ),
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

/// The field's own limit speaks as it does for any other write.
fn too_large(length: u64, most: ByteCount, field: ByteCount, target: &Target) -> Violation {
    match policy::judge_size_so_far(&target.field.rules, length) {
        Err(violation) if most == field => violation,
        _ => violation(
            (Rule::MaxSize, format!("file is {} or more", ByteCount(length))),
            ByteCount(length).to_string(),
            (&format!("takes at most {most} from a URL ([fetch])"), &most.to_string()),
            "download the file yourself and copy it here",
        ),
    }
}

/// The violation of an answer that is no file.
fn answer(fact: String, measured: String) -> Violation {
    violation(
        (Rule::UrlAnswer, fact),
        measured,
        ("takes the file itself", "status 200 and a file"),
        "open the URL in a browser to see what is there",
    )
}

fn violation(
    (rule, fact): (Rule, String),
    measured: String,
    (allows, allowed): (&str, &str),
    hint: &str,
) -> Violation {
    let (allows, allowed, hint) = (allows.into(), allowed.into(), hint.into());
    Violation { rule, fact, measured, allows, allowed, hint }
}

fn empty(url: &Url) -> Violation {
    answer(format!("{} sent an empty file", url.host()), "0 bytes".into())
}
