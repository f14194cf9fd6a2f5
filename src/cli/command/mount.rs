//! `mediafs mount`: serves the tree in the foreground until a signal or an unmount ends it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use signal_hook::iterator::Handle;

use crate::catalog::sqlite::{Loss, Watch};
use crate::cli::command::{gc, move_field, orphans, refused, restore, show};
use crate::cli::control_socket::{self, Request};
use crate::cli::error::Error;
use crate::cli::signal::{Reason, Stop};
use crate::cli::{assembly, print, service, store_folders};
use crate::config::Config;
use crate::fence::Fence;
use crate::fuse::mount::device::{Settings, check_device};
use crate::fuse::mount::mountpoint::Mountpoint;
use crate::fuse::{self, Mounted, Reading};
use crate::library::read::variant_files::Renderer;
use crate::tree::kernel::change::Change;
use crate::tree::open::processes::Processes;
use crate::tree::{Scope, Tree};
use words::attachment::AttachmentId;
use words::schema::Schema;
use words::timestamp::Timestamp;
use words::variant::Variant;

/// How long open drafts may take to be closed after an unmount (CONTRACT 9).
const DRAIN: Duration = Duration::from_secs(30);
/// The least threads. A request that waits for the disk blocks its thread, and others must still be answered.
const MIN_THREADS: usize = 4;
/// The most descriptors that a mount uses, and how many of them are left for all else than stored files.
const DESCRIPTORS: u64 = 65_536;
const OTHER_DESCRIPTORS: u64 = 256;

/// Mount the tree, in the foreground, until Ctrl-C or `mediafs unmount`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs mount ./media
  mediafs --config /etc/mediafs/site.toml mount -o allow_other /srv/media
  mediafs mount --read-only -o allow_other /srv/www/media

'mounted on MOUNTPOINT' is printed once requests are answered.
Where there is no library one is made, and the log says so.
SIGINT, SIGTERM, SIGHUP and SIGQUIT unmount; open files get 30 s to be closed.")]
pub struct Mount {
    /// Mount options, separated by commas: `allow_other`, `ro`
    #[arg(short = 'o', value_name = "OPTS")]
    options: Vec<String>,

    /// Serve those who only read, as a web server does, beside the daemon that writes or without one; the same as `-o ro`
    #[arg(long)]
    read_only: bool,

    /// Go on with a library that has lost commits: what they said stays lost
    #[arg(long, conflicts_with = "read_only")]
    accept_loss: bool,

    /// An empty directory
    mountpoint: PathBuf,
}

impl Mount {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let settings = self.prepare(config)?;
        let stop = Stop::listen()?;
        if settings.read_only {
            let mounted = mount_to_read(config, &settings, &stop)?;
            return serve(&settings, &Arc::new(mounted), &Fence::default(), stop);
        }
        let loss = if self.accept_loss { Loss::Accepted } else { Loss::Refused };
        let library = Arc::new(assembly::open_or_make(config, loss)?);
        library.pipeline.warm();
        let (root, fence) = (library.home.root().to_owned(), library.fence.clone());
        let socket = control_socket::bind(&root)?;
        let mut tree = Tree::new(library, Processes::Kernel);
        tree.names = config.mount.names;
        let tree = Arc::new(tree);
        tree.share_descriptors(raise_descriptors());
        let answers = requests(Arc::clone(&tree), config.schema.clone());
        let server = control_socket::serve(&root, socket, answers)?;
        stop.begin_wait();
        let mounted = Arc::new(fuse::mount(tree, &settings, None)?);
        let outcome = serve(&settings, &mounted, &fence, stop);
        server.stop();
        outcome
    }

    /// Checks the options, the kernel, the mountpoint, and that library and mountpoint lie apart. Clears the mount of a dead daemon.
    fn prepare(&self, config: &Config) -> Result<Settings, Error> {
        let options = Options::parse(&self.options)?;
        check_device()?;
        let mountpoint = Mountpoint::prepare(&self.mountpoint)?;
        apart(mountpoint.path(), &store_folders::place(&config.library.path)?)?;
        for store in &config.stores {
            let (store, path) = (store.name.to_string(), store_folders::place(&store.path)?);
            if store_folders::overlap(&path, mountpoint.path()) {
                let mountpoint = mountpoint.path().to_owned();
                return Err(Error::StoreInside { store, path, mountpoint });
            }
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(Settings {
            mountpoint,
            allow_other: options.allow_other || config.mount.allow_other,
            threads: config.mount.threads.unwrap_or(processors.max(MIN_THREADS)),
            read_only: options.read_only || self.read_only,
        })
    }
}

/// The settings that `-o` may change, as in mount(8) and fstab(5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Options {
    allow_other: bool,
    read_only: bool,
}

impl Options {
    /// Reads the values of all `-o`, each a list separated by commas. Errors: [`Error::Usage`] names the option.
    fn parse(lists: &[String]) -> Result<Self, Error> {
        let mut options = Self::default();
        for option in lists.iter().flat_map(|list| list.split(',')) {
            match option {
                "allow_other" => options.allow_other = true,
                // The defaults, by the names that an fstab may give them.
                "" | "defaults" | "default_permissions" => {}
                "ro" => options.read_only = true,
                "rw" => options.read_only = false,
                other => {
                    return Err(Error::Usage(format!(
                        "unknown mount option `{other}`; known are allow_other, ro, rw, defaults and default_permissions"
                    )));
                }
            }
        }
        Ok(options)
    }
}

/// Mounts a library that exists for reading alone, beside the daemon that writes or without one. A variant that is not rendered
/// yet is requested from that daemon.
fn mount_to_read(config: &Config, settings: &Settings, stop: &Stop) -> Result<Mounted, Error> {
    let root = config.library.path.clone();
    let ask = move |id: AttachmentId, variant: Variant| {
        let request = Request::Render { attachment: id.0, variant: variant.to_string() };
        matches!(control_socket::ask::<Value>(&root, &request), Ok(Some(_)))
    };
    let library = Arc::new(assembly::open_to_read(config, Renderer::Other(Box::new(ask)))?);
    let mut watch = Watch::open(&library.home.catalog())?;
    let mut tree = Tree::of(library, Processes::Kernel, Scope::Stored);
    tree.names = config.mount.names;
    let tree = Arc::new(tree);
    let descriptors = raise_descriptors();
    stop.begin_wait();
    let reading = Reading { descriptors, changed: Box::new(move || Ok(watch.look()?)) };
    Ok(fuse::mount(tree, settings, Some(reading))?)
}

/// Raises the soft limit of open descriptors (`RLIMIT_NOFILE`) to the hard limit. Returns how many stored files may be kept open,
/// at least one.
fn raise_descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of descriptors stays");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS);
    usize::try_from(most.saturating_sub(OTHER_DESCRIPTORS).clamp(1, DESCRIPTORS)).unwrap_or(1)
}

/// Waits until a signal asks to stop or the tree is unmounted, then unmounts and drains.
fn serve(
    settings: &Settings,
    mounted: &Arc<Mounted>,
    fence: &Fence,
    mut stop: Stop,
) -> Result<(), Error> {
    let said = format!("mounted on {}\n", settings.mountpoint.path().display());
    // A closed stdout is no reason not to serve.
    print::offer(io::stdout(), said.as_bytes(), Duration::ZERO);
    service::ready();
    fence.tell(service::fenced);
    let watch = end_with_the_mount(mounted, stop.ender())?;
    let reason = stop.wait();
    tracing::info!(?reason, "unmounting");
    service::stopping();
    mounted.unmount()?;
    mounted.drain(DRAIN);
    match reason {
        Reason::Asked => Ok(()),
        // A failed session ends with an error, so that the service manager starts the daemon again.
        Reason::Ended => Ok(watch.join().unwrap_or(Ok(()))?),
    }
}

/// Checks that neither of two directories lies in the other.
fn apart(mountpoint: &Path, library: &Path) -> Result<(), Error> {
    let (mountpoint, library) = (mountpoint.to_owned(), library.to_owned());
    if library.starts_with(&mountpoint) {
        return Err(Error::LibraryInside { library, mountpoint });
    }
    if mountpoint.starts_with(&library) {
        return Err(Error::MountpointInside { library, mountpoint });
    }
    Ok(())
}

/// Starts a thread that ends the wait for signals when the tree is unmounted from outside or the session fails.
fn end_with_the_mount(
    mounted: &Arc<Mounted>,
    ender: Handle,
) -> Result<JoinHandle<Result<(), fuse::Error>>, Error> {
    let mounted = Arc::clone(mounted);
    let watch = move || {
        let outcome = mounted.wait();
        ender.close();
        outcome
    };
    thread::Builder::new().name("unmount-watch".into()).spawn(watch).map_err(Error::Thread)
}

/// Answers the requests of other commands, for which this daemon holds the library.
fn requests(tree: Arc<Tree>, schema: Schema) -> impl Fn(Request) -> Result<Value, Error> + Send {
    move |request| {
        let library = &tree.library;
        Ok(match request {
            Request::Gc { now, dry_run, empty_trash } => {
                let swept = gc::sweep(library, gc::patience(now, empty_trash), dry_run);
                tree.kernel.tell(&Change::Variants);
                json!(swept?)
            }
            Request::Show { path } => show::find(library, &schema, &path)?,
            Request::Status {} => tree.view.control.status.value()?,
            Request::Orphans { after } => json!(orphans::page(library, after)?),
            Request::Restore(wish) => json!(restore::restore(library, &schema, &wish, |it| {
                tree.kernel.tell(&Change::Table { table: it.table, at: Timestamp::now() });
                Ok(tree.view.trash.restore(&it.retired, &it.target, it.collision, it.author)?)
            })?),
            Request::MoveField { from, to, after } => {
                let page = move_field::page(library, (&from, &to), after, |id, from, to| {
                    tree.kernel.tell(&Change::Moved { id, from, to, displaced: None });
                });
                // Rows are made for files that then stay, too.
                if let Some(table) = move_field::other_table(library, &from, &to)? {
                    tree.kernel.tell(&Change::Table { table, at: Timestamp::now() });
                }
                page?
            }
            Request::Lost { path } => json!(restore::lost(library, &schema, &path)?),
            Request::Render { attachment, variant } => render(&tree, attachment, &variant)?,
            Request::Refused { .. } | Request::Retry { .. } | Request::Drop { .. } => {
                refused::answer(&tree, &request)?
            }
        })
    }
}

/// Renders a variant for a read-only mount of the same library.
fn render(tree: &Tree, attachment: u64, variant: &str) -> Result<Value, Error> {
    let parsed = Variant::parse(variant);
    let parsed = parsed.ok_or_else(|| Error::Usage(format!("{variant} is no variant")))?;
    tree.view.variants.render_for(AttachmentId(attachment), parsed)?;
    Ok(json!({ "rendered": variant }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_library_nor_mountpoint_may_lie_inside_the_other() {
        let apart = |mountpoint, library| apart(Path::new(mountpoint), Path::new(library));
        let told =
            |mountpoint, library| apart(mountpoint, library).expect_err("a refusal").to_string();
        assert!(apart("/srv/media", "/srv/media-data").is_ok());
        assert!(told("/srv/media", "/srv/media/data").contains("inside the mountpoint"));
        assert!(told("/srv/media", "/srv/media").contains("inside the mountpoint"));
        assert!(told("/srv/data/media", "/srv/data").contains("inside the library"));
    }

    #[test]
    fn options_may_be_given_together_or_apart() {
        let parse = |lists: &[&str]| {
            let lists: Vec<_> = lists.iter().map(|&list| list.to_owned()).collect();
            Options::parse(&lists).expect("options")
        };
        assert!(parse(&["rw,allow_other"]).allow_other);
        assert!(parse(&["default_permissions", "allow_other"]).allow_other);
        assert!(!parse(&["defaults"]).allow_other);
        assert!(!parse(&[]).allow_other);
        assert!(parse(&["ro"]).read_only && !parse(&["ro,rw"]).read_only);
    }

    #[test]
    fn an_unknown_option_is_named() {
        let told = Options::parse(&["allow_others".into()]).expect_err("a refusal").to_string();
        assert!(told.contains("`allow_others`"), "{told}");
    }
}
