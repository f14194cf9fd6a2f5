//! `mediafs mount --read-only`: serves the library to those who only read, beside the daemon that writes or without one.
//! Does not write, sweep or render: what is not rendered yet the other daemon is asked for.

use std::sync::Arc;

use super::control::{self, Request, Response};
use super::{Error, descriptors, library};
use crate::catalog::sqlite::Watch;
use crate::config::Config;
use crate::fuse::{self, Mounted};
use crate::library::variant::Renderer;
use crate::tree::open::processes::Processes;
use crate::tree::{Scope, Tree};
use words::attachment::AttachmentId;
use words::variant::Variant;

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
    Ok(fuse::mount_to_read(tree, settings, descriptors::raise(), look)?)
}
