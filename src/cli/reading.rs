//! `mediafs mount --read-only`: serves the library to those who only read, beside the daemon that writes or without one.
//! Does not write, sweep or render: what is not rendered yet the other daemon is asked for.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::control::{self, Request, Response};
use super::{Error, library};
use crate::attachment::AttachmentId;
use crate::catalog::sqlite::Watch;
use crate::config::Config;
use crate::fuse::{self, Mounted};
use crate::library::variant::Renderer;
use crate::tree::process::Processes;
use crate::tree::{Scope, Tree};
use crate::variant::Variant;

/// Descriptors that are kept at most for what is being read, and what is left for everything else.
const MAX_DESCRIPTORS: u64 = 65_536;
const OTHER_DESCRIPTORS: u64 = 256;

/// Mounts the library, which must be there.
pub fn mount(config: &Config, settings: &fuse::Settings) -> Result<Mounted, Error> {
    let root = config.library.path.clone();
    let ask = move |id: AttachmentId, variant: Variant| {
        let request = Request::Render { attachment: id.0, variant: variant.to_string() };
        matches!(control::ask(&root, &request), Ok(Some(Response::Shown(_))))
    };
    let library = Arc::new(library::open_to_read(config, Renderer::Other(Box::new(ask)))?);
    let mut watch = Watch::open(&library.home().catalog())?;
    let tree = Arc::new(Tree::of(library, Processes::Kernel, Scope::Stored));
    let look: fuse::Look = Box::new(move || Ok(watch.look()?));
    Ok(fuse::mount_to_read(tree, settings, descriptors(), look)?)
}

/// Raises the limit of descriptors as far as it goes; how many may be kept.
fn descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(MAX_DESCRIPTORS);
    let kept = most.saturating_sub(OTHER_DESCRIPTORS).clamp(1, MAX_DESCRIPTORS);
    usize::try_from(kept).unwrap_or(1)
}
