//! A file on its way through the pipeline: `Candidate` (identified), `Admitted` (within the rules), `Refined` (in its normal
//! form). Each is made of the one before, so that only a refined file can be stored.

use std::fs::File;

use crate::error::Error;
use crate::format::partial::{Partial, Stop};
use crate::identify;
use crate::image_header::{self, Header};
use crate::running_digest::{self, RunningDigest};
use crate::{policy, violation};
use words::attachment::Content;
use words::digest::Digest;
use words::media_type::MediaType;
use words::rule::{Kind, Rules};

/// A complete file whose type is known.
#[derive(Debug)]
pub struct Candidate {
    file: File,
    length: u64,
    media_type: MediaType,
    header: Header,
    digest: RunningDigest,
}

/// A candidate that meets the rules, as far as they can be judged without decoding it.
#[derive(Debug)]
pub struct Admitted {
    file: File,
    content: Content,
    digest: RunningDigest,
}

/// A file to be stored: judged, decoded to its end, in its normal form and hashed.
#[derive(Debug)]
pub struct Refined {
    file: File,
    content: Content,
    digest: Digest,
    /// Whether it is the very file that was sent, not one that a worker wrote.
    untouched: bool,
}

/// A file as it was sent, to be kept beside its normal form.
#[derive(Debug)]
pub struct Sent {
    file: File,
    content: Content,
    digest: Digest,
}

impl Candidate {
    /// Identifies a file of this length by its bytes; the extension may only refine text and archives. Does not use the cursor.
    pub fn identify(file: File, length: u64, extension: Option<&str>) -> Result<Self, Error> {
        let head = identify::beginning(&file, length).map_err(Error::Input)?;
        let found = match identify::of(&Partial { head: &head, file: Some(&file) }) {
            Err(Stop::Io(error)) => return Err(Error::Input(error)),
            found => found.unwrap_or_else(|_| identify::identify(&head)),
        };
        let header = image_header::of_file(&head, &file).map_err(Error::Input)?;
        let media_type = match extension {
            Some(extension) => identify::refine_by_extension(found, extension),
            None => found,
        };
        Ok(Self { file, length, media_type, header, digest: RunningDigest::default() })
    }

    /// Adds the digest that was computed while the file was written.
    pub fn hashed(self, digest: RunningDigest) -> Self {
        Self { digest, ..self }
    }

    /// Judges everything that can be judged without decoding. Errors: [`Error::Refused`].
    pub fn admit(self, rules: &Rules) -> Result<Admitted, Error> {
        let dimensions = self.header.dimensions();
        policy::judge_final(rules, self.length, &self.media_type, dimensions)?;
        if rules.kind == Kind::Image
            && let Header::Broken(flaw) = &self.header
        {
            return Err(Error::Refused(violation::in_header(flaw)));
        }
        let content = Content { media_type: self.media_type, length: self.length, dimensions };
        Ok(Admitted { file: self.file, content, digest: self.digest })
    }
}

impl Admitted {
    pub fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The file as it was sent, hashed, for a field that keeps it. It may still turn out to be damaged when it is refined.
    pub fn sent(&self) -> Result<Sent, Error> {
        let file = self.file.try_clone().map_err(Error::Input)?;
        let content = self.content.clone();
        let digest = self.digest.clone().finish(&file, content.length).map_err(Error::Input)?;
        Ok(Sent { file, content, digest })
    }
}

impl Sent {
    /// Complete, readable from offset 0, and for reading only.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Refined {
    pub(crate) fn untouched(admitted: Admitted) -> Result<Self, Error> {
        let Admitted { file, content, digest } = admitted;
        let digest = digest.finish(&file, content.length).map_err(Error::Input)?;
        Ok(Self { file, content, digest, untouched: true })
    }

    pub(crate) fn written(file: File, content: Content) -> Result<Self, Error> {
        let digest = running_digest::of_file(&file, content.length).map_err(Error::Output)?;
        Ok(Self { file, content, digest, untouched: false })
    }

    /// Complete, readable from offset 0, and for reading only.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The digest of the bytes of [`Refined::file`].
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether these are the bytes that were sent, bit for bit.
    pub fn is_untouched(&self) -> bool {
        self.untouched
    }
}

#[cfg(test)]
mod tests;
