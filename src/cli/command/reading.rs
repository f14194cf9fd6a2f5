//! `mediafs mount --read-only`: serves a library for reading alone, beside the daemon that writes or without one. A variant that is
//! not rendered yet is requested from that daemon.

use std::sync::Arc;

use crate::catalog::sqlite::Watch;
use crate::cli::assembly;
use crate::cli::control_socket::{self, Request, Response};
use crate::cli::descriptors;
use crate::cli::error::Error;
use crate::config::Config;
use crate::fuse::mount::device::Settings;
use crate::fuse::{self, Mounted, Reading};
use crate::library::read::variant_files::Renderer;
use crate::tree::open::processes::Processes;
use crate::tree::{Scope, Tree};
use words::attachment::AttachmentId;
use words::variant::Variant;

/// Mounts a library that exists.
pub fn mount(config: &Config, settings: &Settings) -> Result<Mounted, Error> {
    let root = config.library.path.clone();
    let ask = move |id: AttachmentId, variant: Variant| {
        let request = Request::Render { attachment: id.0, variant: variant.to_string() };
        matches!(control_socket::ask(&root, &request), Ok(Some(Response::Shown(_))))
    };
    let library = Arc::new(assembly::open_to_read(config, Renderer::Other(Box::new(ask)))?);
    let mut watch = Watch::open(&library.home.catalog())?;
    let tree = Arc::new(Tree::of(library, Processes::Kernel, Scope::Stored));
    let descriptors = descriptors::raise();
    let reading = Reading { descriptors, changed: Box::new(move || Ok(watch.look()?)) };
    Ok(fuse::mount(tree, settings, Some(reading))?)
}
