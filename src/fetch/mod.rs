//! Downloading a file from the public internet, and from other addresses only if the operator allows them (CONTRACT 8).
//!
//! Redirects are followed here and not by the HTTP client, so that every hop is parsed, checked and resolved like the first.

mod address;
mod error;
mod resolve;
pub mod response;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;

use crate::fetch::error::MAX_REDIRECTS;
use crate::fetch::resolve::{CheckedResolver, Lookup};
use crate::fetch::response::{Fetched, Piece, Response};
use words::byte_count::ByteCount;
use words::download::Policy;
use words::locator::Url;

pub use error::Error;

/// How long a connection, TLS included, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a single read or write may take.
const READ: Duration = Duration::from_secs(20);
/// The largest header of an answer: all its lines together, in bytes.
const MAX_HEADER: usize = 32 << 10;

/// Downloads files within a policy.
pub struct Fetcher {
    policy: Arc<Policy>,
    lookup: Arc<Lookup>,
}

impl Fetcher {
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, resolve::system())
    }

    fn with_lookup(policy: Policy, lookup: Arc<Lookup>) -> Self {
        Self { policy: Arc::new(policy), lookup }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Hands the body to `take`, piece by piece, and returns after the last one. A body longer than `limit` is an error. Returns
    /// by `deadline`, whatever servers do. After an error the pieces that were taken are not a file.
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
                Response::Body(body) => return body.read(url, take),
                Response::Redirect(next) => url = next,
            }
        }
        Err(Error::Redirects { host: url.host() })
    }

    /// Sends one request on a connection of its own.
    fn ask(&self, url: &Url, limit: ByteCount, deadline: Instant) -> Result<Response, Error> {
        let wrong = |error| Error::of(url, error);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(wrong(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let request = self.agent(left, deadline).get(url.as_str());
        let response = request.header("accept-encoding", "identity").call().map_err(wrong)?;
        Response::of(response, url, limit)
    }

    /// An agent for one connection, so that no cookie and no socket is kept for the next.
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
        let (policy, lookup) = (Arc::clone(&self.policy), Arc::clone(&self.lookup));
        let resolver = CheckedResolver { policy, lookup, until };
        Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}
