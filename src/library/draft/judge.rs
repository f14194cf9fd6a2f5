//! Judging while bytes are still coming: by the size so far, by the header, by what the quotas leave.
//! Does not judge what only the whole file tells.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::library::Library;
use crate::library::draft::{Draft, Stage, Work};
use crate::library::error::Error;
use pipeline::header::End as Bytes;
use pipeline::policy::{self, PREFIX_MAX, Prefix};
use words::byte_count::ByteCount;
use words::refusal::{Rule, Violation};
use words::rule::Kind;
use words::schema::{Field, OnRefuse};

/// How long the prefix must have grown before the header is looked at again.
const PROBE_STEP: u64 = 16 << 10;

impl Draft {
    /// Judges a size that the draft is about to have.
    pub(crate) fn judge_size(
        &self,
        library: &Library,
        work: &mut Work,
        size: u64,
    ) -> Result<(), Error> {
        if work.unfit.is_none()
            && let Err(violation) = self.fits(library, size)
        {
            self.unfit(library, work, violation)?;
        }
        let most = library.quarantine.bounds().bytes;
        match work.unfit {
            Some(_) if size > most => {
                let violation = beyond_quarantine(size, most);
                Err(self.refuse_early(library, work, violation))
            }
            _ => Ok(()),
        }
    }

    /// Judges space that is about to be allocated up to here, beyond the end. The refusal is this call's alone: the bytes may
    /// fit all the same.
    pub(crate) fn judge_reserve(&self, library: &Library, end: u64) -> Result<(), Error> {
        let refuse =
            |violation| library.refusals.refuse(&self.target, self.author, violation, None);
        Ok(self.fits(library, end).map_err(refuse)?)
    }

    fn fits(&self, library: &Library, size: u64) -> Result<(), Violation> {
        policy::judge_size_so_far(&self.target.field.rules, size)?;
        self.room.check(size).map_err(|excess| library.quotas.violation(&excess))
    }

    /// Whether what is stored will be what is sent, or both: else its digest is nobody's business.
    pub(crate) fn is_kept_as_sent(&self) -> bool {
        let Field { rules, keep_original, .. } = &*self.target.field;
        rules.kind == Kind::File || *keep_original
    }

    /// Looks at the header once enough of it is there.
    pub(crate) fn probe(
        &self,
        library: &Library,
        work: &mut Work,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        let Some(at) = work.probe_at else { return Ok(()) };
        let length = work.contiguous;
        if length < at || work.unfit.is_some() {
            return Ok(());
        }
        let rules = &self.target.field.rules;
        let judged = if offset == 0 && data.len() as u64 == length {
            policy::judge_prefix(rules, &data[..data.len().min(PREFIX_MAX)], Bytes::Open)
        } else {
            let prefix = read_prefix(work.staged()?.file(), length)
                .map_err(Error::io("read the draft's header"))?;
            policy::judge_prefix(rules, &prefix, Bytes::Open)
        };
        match judged {
            Prefix::Passed => work.probe_at = None,
            Prefix::Undecided if length >= PREFIX_MAX as u64 => work.probe_at = None,
            Prefix::Undecided => work.probe_at = Some(length + PROBE_STEP.min(length.max(64))),
            Prefix::Refused(violation) => self.unfit(library, work, violation)?,
        }
        Ok(())
    }

    /// The bytes will not be taken, whatever follows. Where their writer is not to hear of it (`on_refuse`) the rest is
    /// awaited: the close sends all of it to the quarantine.
    fn unfit(&self, library: &Library, work: &mut Work, violation: Violation) -> Result<(), Error> {
        match self.target.field.on_refuse {
            OnRefuse::Refuse => Err(self.refuse_early(library, work, violation)),
            OnRefuse::Quarantine => {
                work.unfit = Some(violation);
                Ok(())
            }
        }
    }

    /// Refuses while bytes are still coming: what is there is not complete, so it is not kept.
    fn refuse_early(&self, library: &Library, work: &mut Work, violation: Violation) -> Error {
        let refusal = library.refusals.refuse(&self.target, self.author, violation, None);
        work.stage = Stage::Refused(refusal.clone());
        refusal.into()
    }
}

impl Work {
    /// These bytes were written: they are hashed, and on their way to the disk once they are many.
    pub(crate) fn passed(&mut self, hashed: bool, offset: u64, data: &[u8]) {
        if hashed {
            self.sum.wrote(offset, data);
        }
        if let Stage::Open(staged) = &self.stage {
            self.writeback.written_to(staged.file(), offset.saturating_add(data.len() as u64));
        }
    }
}

/// What is refused in silence is awaited up to the size of the whole quarantine, which could not keep more.
fn beyond_quarantine(size: u64, most: u64) -> Violation {
    let (size, most) = (ByteCount(size), ByteCount(most));
    Violation {
        rule: Rule::MaxSize,
        fact: format!("{size} were sent of a file that is refused"),
        measured: size.to_string(),
        allows: format!("sends refused files of up to {most} to the quarantine"),
        allowed: most.to_string(),
        hint: "send a smaller file".into(),
    }
}

fn read_prefix(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).unwrap_or(PREFIX_MAX).min(PREFIX_MAX);
    let mut prefix = vec![0; length];
    file.read_exact_at(&mut prefix, 0)?;
    Ok(prefix)
}
