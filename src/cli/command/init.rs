//! `mediafs init`: writes the sample configuration. Never overwrites a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::Error;
use crate::cli::print::say;
use crate::config;

/// Write a commented sample configuration, mediafs.toml
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs init                  ./mediafs.toml
  mediafs init /etc/mediafs     /etc/mediafs/mediafs.toml")]
pub struct Init {
    /// The directory to write it to; made if it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub fn run(&self) -> Result<(), Error> {
        let path = self.dir.join("mediafs.toml");
        fs::create_dir_all(&self.dir).map_err(|source| Error::File {
            action: "make",
            path: self.dir.clone(),
            source,
        })?;
        write_new(&path)?;
        say(format_args!(
            "wrote {}\nread and change it, then: mediafs --config {} mount MOUNTPOINT",
            path.display(),
            path.display()
        ))
    }
}

fn write_new(path: &Path) -> Result<(), Error> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(config::SAMPLE.as_bytes()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
        _ => Error::File { action: "write", path: path.to_owned(), source },
    })
}
