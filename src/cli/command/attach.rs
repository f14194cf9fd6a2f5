//! `mediafs attach`: attaches the file behind a URL through the mounted tree, as any program could. The daemon fetches it; this
//! command needs no configuration.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::Error;
use crate::cli::print::say;
use crate::fuse::mount::mounts;

/// Attach the file behind a URL
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs attach https://example.org/photo.jpg ./media/models/user/42/avatar
  mediafs attach https://example.org/front.jpg ./media/models/user/42/photos/front.jpg

The same without this command:
  echo https://example.org/photo.jpg > ./media/models/user/42/avatar.url
  ln -s https://example.org/photo.jpg ./media/models/user/42/avatar")]
pub struct Attach {
    /// http:// or https://
    url: String,

    /// A field in a mounted tree, or an item of one; `user/42/avatar` if one tree is mounted
    path: PathBuf,
}

/// A field or an item in a mounted tree.
struct Place {
    /// The tree's mountpoint.
    root: PathBuf,
    /// The directory that holds the name.
    folder: PathBuf,
    name: String,
    kind: Kind,
}

enum Kind {
    Field,
    Item,
}

impl Attach {
    pub fn run(&self) -> Result<(), Error> {
        let place = find(&self.in_mount()?)?;
        let said = place.last_error();
        let attached = match place.kind {
            Kind::Field => place.write_url(&self.url),
            Kind::Item => place.link(&self.url),
        };
        match attached {
            Ok(true) => say(format_args!("attached {}", self.path.display())),
            Ok(false) => Err(Error::Usage(format!("{} is not a field", self.path.display()))),
            // A new last-error says why. Without one, the errno is all that is known.
            Err(source) => match place.last_error() {
                told if told.is_empty() || told == said => Err(self.failed(source)),
                told => Err(Error::Refused(told.trim_end().to_owned())),
            },
        }
    }

    /// The path, or the one in the only mounted tree that `user/42/avatar` or `/models/user/42/avatar` stands for.
    fn in_mount(&self) -> Result<PathBuf, Error> {
        let path = std::path::absolute(&self.path).map_err(|source| self.failed(source))?;
        let inside = self.path.strip_prefix("/").unwrap_or(&self.path);
        let inside = inside.strip_prefix("models").unwrap_or(inside);
        let mounted = mounts::all().map_err(|source| self.failed(source))?;
        match mounted.as_slice() {
            [(root, _)] if !path.parent().is_some_and(Path::exists) => {
                Ok(root.join("models").join(inside))
            }
            _ => Ok(path),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { action: "attach to", path: self.path.clone(), source }
    }
}

impl Place {
    /// Writes the URL into `<field>.url`. `fsync` returns the verdict; the standard library ignores that of `close`. Returns false
    /// if there is no such field.
    fn write_url(&self, url: &str) -> io::Result<bool> {
        let field = self.name.split('.').next().unwrap_or_default();
        let view = format!("{field}.url");
        let path = self.folder.join(&view);
        // The view of a field is never listed. A listed file of that name is scratch: a user's if it is there before.
        if self.lists(&view)? {
            return Ok(false);
        }
        let mut file = File::create(&path)?;
        file.write_all(url.as_bytes())?;
        file.sync_all()?;
        let is_scratch = self.lists(&view)?;
        if is_scratch {
            fs::remove_file(path)?;
        }
        Ok(!is_scratch)
    }

    fn lists(&self, name: &str) -> io::Result<bool> {
        let mut names = fs::read_dir(&self.folder)?;
        Ok(names.any(|entry| entry.is_ok_and(|entry| entry.file_name() == *name)))
    }

    /// Makes a symbolic link to the URL and renames it over the item, as `ln -sf` does. Returns false if there is no such field.
    fn link(&self, url: &str) -> io::Result<bool> {
        let waiting = self.folder.join(format!(".mediafs-attach-{}", std::process::id()));
        symlink(url, &waiting)?;
        let path = self.folder.join(&self.name);
        if let Err(error) = fs::rename(&waiting, &path) {
            // A link that stays behind is forgotten after a minute.
            let _ = fs::remove_file(&waiting);
            return Err(error);
        }
        let is_scratch = fs::symlink_metadata(&path)?.is_symlink();
        if is_scratch {
            fs::remove_file(path)?;
        }
        Ok(!is_scratch)
    }

    fn last_error(&self) -> String {
        fs::read_to_string(self.root.join(".mediafs/last-error")).unwrap_or_default()
    }
}

/// Finds the mounted tree that a path lies in, and its meaning there.
fn find(path: &Path) -> Result<Place, Error> {
    let usage = |reason: &str| Error::Usage(format!("{} {reason}", path.display()));
    let is_tree = |root: &&Path| {
        mounts::on(root).is_ok_and(|mount| mount.is_some_and(|mount| mount.is_fuse()))
            && root.join(".mediafs/last-error").exists()
    };
    // The kernel's table of mounts has canonical paths.
    let above = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let folder = above.ok_or_else(|| usage("is in no directory; make the row with mkdir"))?;
    let root = folder.ancestors().find(is_tree);
    let root = root.ok_or_else(|| usage("lies in no mounted tree"))?.to_owned();
    let below = folder.strip_prefix(&root).map_err(|_| usage("lies in no mounted tree"))?;
    let kind = match below.components().count() {
        3 => Kind::Field,
        4 => Kind::Item,
        _ => return Err(usage("is no field: those are models/TABLE/ID/FIELD[/ITEM]")),
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| usage("has no name"))?.to_owned();
    Ok(Place { root, folder, name, kind })
}
