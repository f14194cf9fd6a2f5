//! Names to addresses: every address of a name is checked, one that may not be reached refuses them all, and the
//! connection goes to exactly those that were checked.
//! Does not connect; knows nothing of what is asked for.

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

use crate::fetch::address::{Allowed, closed};
use crate::fetch::{Error, Wait};

/// How a host and a port become addresses.
pub(super) type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Lookups that may be under way, also those that nobody waits for any more: the system's cannot be cancelled.
const MAX_LOOKUPS: usize = 32;
/// Addresses of one name that are tried, as many as the client's list holds.
const MAX_ADDRESSES: usize = 16;

static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// The system's own: `/etc/hosts`, DNS, and whatever else `nsswitch.conf` names.
pub(super) fn system() -> Arc<Lookup> {
    Arc::new(|host, port| (host, port).to_socket_addrs().map(Iterator::collect))
}

/// Resolves for one connection.
pub(super) struct Checked {
    pub(super) lookup: Arc<Lookup>,
    pub(super) allow: Arc<[Allowed]>,
    pub(super) until: Instant,
}

impl Resolver for Checked {
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

impl Checked {
    fn addresses(&self, uri: &Uri) -> Result<Vec<SocketAddr>, Error> {
        let host = uri.host().unwrap_or_default();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let unknown = |source| Error::HostNotFound { host: host.to_owned(), source };
        // An address in brackets is no name to the system.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.look_up(bare, port)?.map_err(unknown)?;
        if addresses.is_empty() {
            return Err(unknown(io::ErrorKind::NotFound.into()));
        }
        for address in &addresses {
            let ip = address.ip();
            if let Some(range) = closed(ip)
                && !self.allow.iter().any(|allowed| allowed.covers(host, port, ip))
            {
                return Err(Error::Address { host: host.to_owned(), address: ip, range });
            }
        }
        Ok(addresses)
    }

    /// In a thread of its own, for the system's lookup knows no deadline.
    fn look_up(&self, host: &str, port: u16) -> Result<io::Result<Vec<SocketAddr>>, Error> {
        if LOOKUPS.fetch_add(1, Ordering::AcqRel) >= MAX_LOOKUPS {
            LOOKUPS.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::Busy);
        }
        let (send, receive) = mpsc::sync_channel(1);
        let (lookup, name) = (Arc::clone(&self.lookup), host.to_owned());
        let asked = thread::Builder::new().name("resolve".into()).spawn(move || {
            let _under_way = UnderWay;
            // Whoever asked may have lost patience.
            let _ = send.send(lookup(&name, port));
        });
        if let Err(source) = asked {
            LOOKUPS.fetch_sub(1, Ordering::AcqRel);
            return Ok(Err(source));
        }
        let patience = self.until.saturating_duration_since(Instant::now());
        receive
            .recv_timeout(patience)
            .map_err(|_| Error::TimedOut { host: host.to_owned(), waiting: Wait::Resolve })
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Checked").field("allow", &self.allow).finish_non_exhaustive()
    }
}

/// Counts a lookup until its thread ends, by a panic too.
struct UnderWay;

impl Drop for UnderWay {
    fn drop(&mut self) {
        LOOKUPS.fetch_sub(1, Ordering::AcqRel);
    }
}
