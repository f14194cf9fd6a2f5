//! The errors of commands.

use std::io;
use std::path::PathBuf;

use crate::library::home;
use crate::{blob, catalog, config, fuse, library, tree};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(
        "no configuration: neither ./mediafs.toml nor /etc/mediafs/mediafs.toml is there; \
         write one with `mediafs init`, or name one with --config FILE"
    )]
    NoConfig,
    /// The command line asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    #[error("{} is there already; nothing was changed", .0.display())]
    Exists(PathBuf),
    #[error("{} is a mount of {kind}, not of mediafs", path.display())]
    Foreign { path: PathBuf, kind: String },
    #[error("the library {} lies inside the mountpoint {}; keep it elsewhere ([library] path)", library.display(), mountpoint.display())]
    LibraryInside { library: PathBuf, mountpoint: PathBuf },
    #[error("the mountpoint {} lies inside the library {}; mount elsewhere", mountpoint.display(), library.display())]
    MountpointInside { library: PathBuf, mountpoint: PathBuf },
    #[error("the store `{store}` ({}) and the mountpoint {} lie one in the other; choose another path", path.display(), mountpoint.display())]
    StoreInside { store: String, path: PathBuf, mountpoint: PathBuf },
    #[error("{} ({}) and {} ({}) lie one in the other; choose another path", one.0, one.1.display(), other.0, other.1.display())]
    Overlap { one: (String, PathBuf), other: (String, PathBuf) },
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error("{} is the socket of a mediafs that is running", .0.display())]
    ControlTaken(PathBuf),
    #[error("cannot {action} the control socket {}; run this as the daemon's user, or as root", path.display())]
    Control {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the answer on the control socket is not one that this version understands")]
    ControlAnswer,
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Home(#[from] home::Error),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Unsound(#[from] catalog::sqlite::Unsound),
    #[error(transparent)]
    Blob(#[from] blob::Error),
    #[error(transparent)]
    Library(#[from] library::Error),
    #[error(transparent)]
    Tree(#[from] tree::Error),
    #[error(transparent)]
    Fuse(#[from] fuse::Error),
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// 2 where the command line or the configuration must change, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::NoConfig | Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
