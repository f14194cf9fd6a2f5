//! The errors of downloads, in words that a person can act on.

use std::io;
use std::net::IpAddr;

use words::byte_count::ByteCount;
use words::locator::{Url, UrlError};

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 5;

/// The part of a download that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    #[error("its name was not resolved in time")]
    Resolve,
    #[error("no connection was made in time")]
    Connect,
    #[error("it stopped sending")]
    Answer,
    /// The download as a whole.
    #[error("the file was not there in time")]
    Whole,
}

/// The failure of a download.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{host} redirects to something else: {source}")]
    Redirect {
        host: String,
        #[source]
        source: UrlError,
    },
    #[error("{host} redirects from https to http")]
    Downgrade { host: String },
    #[error("{host} leads on after {MAX_REDIRECTS} redirects")]
    Redirects { host: String },
    #[error("{} is {range}", place(host, *address))]
    Address { host: String, address: IpAddr, range: &'static str },
    #[error("{host} was not found")]
    HostNotFound {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("{host} cannot be reached ({source})")]
    Unreachable {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("{host}: {waiting}")]
    TimedOut { host: String, waiting: Wait },
    #[error("{host} answered with status {status}")]
    Status { host: String, status: u16 },
    #[error("{host} sent the file with the encoding '{encoding}', though it was asked not to")]
    Encoding { host: String, encoding: String },
    #[error("{host} did not answer as a web server does ({reason})")]
    Protocol { host: String, reason: String },
    /// `length` is the length that the server announced, or that was received before the download was stopped.
    #[error("the file has more than {limit}")]
    TooLarge { length: u64, limit: ByteCount },
    #[error("{host} ended the file after {received} bytes")]
    Truncated { host: String, received: u64, expected: Option<u64> },
    #[error("too many names are being resolved already")]
    Busy,
    #[error("the receiver took no more")]
    Stopped,
}

/// A host with its address, which is left out if the host is that address.
fn place(host: &str, address: IpAddr) -> String {
    let bare = host.trim_matches(['[', ']']);
    if bare.parse() == Ok(address) { bare.to_owned() } else { format!("{host} ({address})") }
}

impl Error {
    pub(super) fn of(url: &Url, error: ureq::Error) -> Self {
        let host = url.host();
        let timed_out = |waiting| Self::TimedOut { host: host.clone(), waiting };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => timed_out(Wait::Connect),
            ureq::Error::Timeout(ureq::Timeout::Resolve) => timed_out(Wait::Resolve),
            ureq::Error::Timeout(ureq::Timeout::PerRead | ureq::Timeout::PerWrite) => {
                timed_out(Wait::Answer)
            }
            ureq::Error::Timeout(_) => timed_out(Wait::Whole),
            ureq::Error::Other(inner) => match inner.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Protocol { host, reason: other.to_string() },
            },
            ureq::Error::Io(source) if is_network(source.kind()) => {
                Self::Unreachable { host, source }
            }
            other => Self::Protocol { host, reason: other.to_string() },
        }
    }
}

fn is_network(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::BrokenPipe
    )
}
