//! `symlink` and `readlink`: links to URLs (CONTRACT 8).

use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, made};
use crate::tree::show::attr::Entry;
use crate::tree::view::url::url_links::{Download, Linked, UrlLinks};

impl Tree {
    pub fn symlink(&self, who: Caller, parent: Ino, name: &OsStr, target: &[u8]) -> Result<Linked> {
        let symlink = UrlLinks::symlink_to(who, target)?;
        let parent = self.places.directory(parent)?;
        self.view.urls.links.make(who, &parent, &made(name)?, symlink)
    }

    /// Fetches and attaches what a link leads to that was made on a field.
    pub fn attach_link(&self, download: &Download) -> Result<Entry> {
        self.view.urls.links.attach(download)
    }

    /// Answers a link that finds no room among the downloads.
    pub fn abandon_link(&self, download: &Download) -> Result<Entry> {
        self.view.urls.links.abandon(download);
        Err(Error::TooBusy)
    }

    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match Node::at(ino)? {
            Node::Link(id) => self.view.urls.links.read(id),
            _ => Err(Error::Invalid("it is no symbolic link")),
        }
    }
}
