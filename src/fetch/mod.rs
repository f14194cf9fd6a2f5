//! Fetching: the bytes behind a URL, from the public internet, and from nowhere else unless the operator says so (CONTRACT 8).
//! Does not know what the bytes are for, nor where they are kept.
//!
//! Redirects are followed here and not by the client, so that every hop is parsed, checked and resolved like the first.

pub mod address;
mod answer;
mod locator;
mod resolve;
pub mod shortcut;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;

use crate::fetch::address::Allowed;
use crate::fetch::answer::Answer;
use crate::fetch::resolve::{Checked, Lookup};
use words::byte_count::ByteCount;

pub use locator::{Url, UrlError};

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 5;
/// How long a connection, TLS included, and a single read may take, within the whole.
const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(20);
/// The largest header of an answer, all its lines together.
const MAX_HEADER: usize = 32 << 10;

/// What an operator may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What may be reached although it is not public.
    pub allow: Vec<Allowed>,
    /// The largest body, below what its field takes.
    pub max_size: Option<ByteCount>,
    /// For everything from the name to the last byte.
    pub timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow: Vec::new(), max_size: None, timeout: Duration::from_secs(60) }
    }
}

/// Fetches within a policy.
pub struct Fetcher {
    policy: Policy,
    allow: Arc<[Allowed]>,
    lookup: Arc<Lookup>,
}

/// A part of a body, in order.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'b> {
    pub offset: u64,
    pub bytes: &'b [u8],
    /// How long the whole will be, where the server says so.
    pub expected: Option<u64>,
}

/// What was fetched, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub length: u64,
    /// Where the last redirect led.
    pub url: Url,
    /// What the server called it: a claim.
    pub content_type: Option<String>,
}

impl Fetcher {
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, resolve::system())
    }

    fn with_lookup(policy: Policy, lookup: Arc<Lookup>) -> Self {
        let allow = policy.allow.clone().into();
        Self { policy, allow, lookup }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Hands the body to `take`, piece by piece, and returns once it is whole; `limit` is the longest that is read.
    /// After any error what was taken is worthless. Done by `deadline`, whatever servers do.
    pub fn fetch(
        &self,
        url: &Url,
        limit: ByteCount,
        deadline: Instant,
        take: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Fetched, Error> {
        let limit = self.policy.max_size.map_or(limit, |most| most.min(limit));
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self.ask(&url, limit, deadline)? {
                Answer::Body(body) => return body.read(url, take),
                Answer::Redirect(next) => url = next,
            }
        }
        Err(Error::Redirects { host: url.host() })
    }

    /// One request on a connection of its own.
    fn ask(&self, url: &Url, limit: ByteCount, deadline: Instant) -> Result<Answer, Error> {
        let wrong = |error| Error::of(url, error);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(wrong(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let request = self.agent(left, deadline).get(url.as_str());
        let response = request.header("accept-encoding", "identity").call().map_err(wrong)?;
        Answer::of(response, url, limit)
    }

    /// Every connection gets an agent of its own: nothing is kept from one to the next, cookies and sockets included.
    fn agent(&self, left: Duration, until: Instant) -> Agent {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_response_header_size(MAX_HEADER)
            .user_agent(concat!("mediafs/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(left))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(READ))
            .timeout_per_write(Some(READ))
            .build();
        let checked =
            Checked { lookup: Arc::clone(&self.lookup), allow: Arc::clone(&self.allow), until };
        Agent::with_parts(config, DefaultConnector::default(), checked)
    }
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Resolve,
    Connect,
    Answer,
    /// Everything together.
    Whole,
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Resolve => "its name was not resolved in time",
            Self::Connect => "no connection was made in time",
            Self::Answer => "it stopped sending",
            Self::Whole => "the file was not there in time",
        })
    }
}

/// Why nothing was fetched.
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
    /// `length` is what the server announced, or what came before it was stopped.
    #[error("the file has more than {limit}")]
    TooLarge { length: u64, limit: ByteCount },
    #[error("{host} ended the file after {received} bytes")]
    Truncated { host: String, received: u64, expected: Option<u64> },
    #[error("too many names are being resolved already")]
    Busy,
    #[error("the receiver took no more")]
    Stopped,
}

/// A host with its address, said once where the one is the other.
fn place(host: &str, address: IpAddr) -> String {
    let bare = host.trim_matches(['[', ']']);
    if bare.parse() == Ok(address) { bare.to_owned() } else { format!("{host} ({address})") }
}

impl Error {
    fn of(url: &Url, error: ureq::Error) -> Self {
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
