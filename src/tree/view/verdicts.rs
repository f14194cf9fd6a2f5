//! Documents when they are closed: a verdict on what was written, under the same rules as for a draft.

use std::sync::Arc;

use crate::tree::error::Result;
use crate::tree::open::document::{Document, View};
use crate::tree::open::processes::Processes;
use crate::tree::request::Caller;
use crate::tree::show::attr::{Attr, Shown};
use crate::tree::view::row_document::RowDocuments;
use crate::tree::view::url::url_files::{UrlFiles, writing_attr};
use words::author::Author;

pub struct Verdicts {
    pub(super) rows: Arc<RowDocuments>,
    pub(super) url_files: Arc<UrlFiles>,
    pub(super) processes: Processes,
}

impl Verdicts {
    /// The attributes of an open document: it has the size of its own text.
    pub fn shown(&self, document: &Document) -> Result<Shown> {
        let size = document.size();
        Ok(Shown::fleeting(match &document.view {
            View::Row(table, id) => Attr { size, ..self.rows.stat(*table, *id)? },
            View::Url(writing) => writing_attr(writing, size),
        }))
    }

    /// A flush: a verdict if the closer is the opener, or the opener has ended.
    pub fn flush(&self, who: Caller, document: &Document) -> Result<()> {
        let opener = &document.opener;
        let speaks = opener.is(self.processes.group(who.tid)) || opener.is_gone();
        let author = self.processes.author(who);
        if speaks { self.judge(document, author) } else { Ok(()) }
    }

    /// Durable when it returns. A URL is durable once it is attached: a caller who asks for that hears its verdict. Other documents
    /// are understood at their close.
    pub fn sync(&self, document: &Document) -> Result<()> {
        match &document.view {
            View::Url(writing) => self.judge(document, writing.author),
            View::Row(..) => Ok(()),
        }
    }

    /// Understands what was written since the last verdict.
    fn judge(&self, document: &Document, author: Author) -> Result<()> {
        let Some(text) = document.take()? else { return Ok(()) };
        let verdict = match &document.view {
            View::Row(_, id) => self.rows.patch(author, *id, &text),
            View::Url(writing) => self.url_files.attach(writing, &text),
        };
        document.judged(&verdict);
        verdict
    }

    /// The last descriptor is closed. A URL that has no verdict gets one that nobody hears.
    pub fn release(&self, document: &Arc<Document>) {
        let View::Url(writing) = &document.view else { return };
        self.url_files.close(document);
        if let Err(error) = self.judge(document, writing.author) {
            tracing::debug!(slot = %writing.target.slot, %error, "a URL was not attached");
        }
        self.url_files.release(writing);
    }
}
