//! Resolving a name: all its addresses must be allowed, and the connection goes to exactly the addresses that were checked.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::fetch::address::closed;
use crate::fetch::error::{Error, Wait};
use words::download::Policy;

/// A function from a host and a port to addresses.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Lookups that may run at a time. One whose caller has given up still counts: the system's lookup cannot be cancelled.
const MAX_LOOKUPS: usize = 32;
/// Addresses of one name that are tried. The client's list holds no more.
const MAX_ADDRESSES: usize = 16;

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// The lookup of the system: `/etc/hosts`, DNS, and the other sources in `nsswitch.conf`.
pub(super) fn system() -> Arc<Lookup> {
    Arc::new(|host, port| (host, port).to_socket_addrs().map(Iterator::collect))
}

/// The resolver of one connection.
pub(super) struct CheckedResolver {
    pub(super) policy: Arc<Policy>,
    pub(super) lookup: Arc<Lookup>,
    pub(super) until: Instant,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.addresses(uri).map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let mut resolved = self.empty();
        addresses.into_iter().take(MAX_ADDRESSES).for_each(|address| resolved.push(address));
        Ok(resolved)
    }
}

impl CheckedResolver {
    fn addresses(&self, uri: &Uri) -> Result<Vec<SocketAddr>, Error> {
        let host = uri.host().unwrap_or_default();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let unknown = |source| Error::HostNotFound { host: host.to_owned(), source };
        // The system does not know addresses in brackets.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.look_up(bare, port)?.map_err(unknown)?;
        if addresses.is_empty() {
            return Err(unknown(io::ErrorKind::NotFound.into()));
        }
        for address in &addresses {
            let ip = address.ip();
            if let Some(range) = closed(ip)
                && !self.policy.allow.iter().any(|allowed| allowed.covers(host, port, ip))
            {
                return Err(Error::Address { host: host.to_owned(), address: ip, range });
            }
        }
        Ok(addresses)
    }

    /// Looks up in a thread of its own, because the system's lookup has no deadline.
    fn look_up(&self, host: &str, port: u16) -> Result<io::Result<Vec<SocketAddr>>, Error> {
        let count = LookupCount::start()?;
        let (send, receive) = mpsc::sync_channel(1);
        let (lookup, name) = (Arc::clone(&self.lookup), host.to_owned());
        let asked = thread::Builder::new().name("resolve".into()).spawn(move || {
            let _count = count;
            // The caller may have given up.
            let _ = send.send(lookup(&name, port));
        });
        if let Err(source) = asked {
            return Ok(Err(source));
        }
        let left = self.until.saturating_duration_since(Instant::now());
        receive
            .recv_timeout(left)
            .map_err(|_| Error::TimedOut { host: host.to_owned(), waiting: Wait::Resolve })
    }
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CheckedResolver").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Counts a lookup until its thread ends, also by a panic.
struct LookupCount;

impl LookupCount {
    fn start() -> Result<Self, Error> {
        // Dropped at once where there is no room.
        let count = Self;
        let running = LOOKUPS.fetch_add(1, Ordering::AcqRel);
        if running < MAX_LOOKUPS { Ok(count) } else { Err(Error::Busy) }
    }
}

impl Drop for LookupCount {
    fn drop(&mut self) {
        LOOKUPS.fetch_sub(1, Ordering::AcqRel);
    }
}
