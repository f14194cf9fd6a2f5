//! Judging while bytes are still coming: by the size so far, by the header, and by what the quotas leave.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::library::draft::{Draft, Drafts, Stage, Work};
use crate::library::error::{Error, Result};
use pipeline::policy::{self, PREFIX_MAX, Prefix};
use words::byte_count::ByteCount;
use words::refusal::{Rule, Violation};
use words::rule::Kind;
use words::schema::{Field, OnRefuse};

/// How much the prefix must grow before the header is judged again.
const PROBE_STEP: u64 = 16 << 10;

impl Draft {
    /// Judges a size that the draft is about to have.
    pub(super) fn judge_size(&self, drafts: &Drafts, work: &mut Work, size: u64) -> Result<()> {
        if work.unfit.is_none()
            && let Err(violation) = self.fits(drafts, size)
        {
            self.unfit(drafts, work, violation)?;
        }
        let most = drafts.quarantine.bounds().bytes;
        match work.unfit {
            Some(_) if size > most => {
                let violation = beyond_quarantine(size, most);
                Err(self.refuse_early(drafts, work, violation))
            }
            _ => Ok(()),
        }
    }

    /// Judges space that is about to be allocated up to `end`. A refusal is only of this call: the bytes may still fit.
    pub(super) fn judge_reserve(&self, drafts: &Drafts, end: u64) -> Result<()> {
        let refuse = |violation| drafts.refusals.refuse(&self.target, self.author, violation, None);
        Ok(self.fits(drafts, end).map_err(refuse)?)
    }

    fn fits(&self, drafts: &Drafts, size: u64) -> Result<(), Violation> {
        policy::judge_size_so_far(&self.target.field.rules, size)?;
        self.room.check(size).map_err(|excess| drafts.quotas.violation(&excess))
    }

    /// Whether the bytes are stored as they are sent. Otherwise their digest is not needed.
    pub(super) fn is_kept_as_sent(&self) -> bool {
        let Field { rules, keep_original, .. } = &*self.target.field;
        rules.kind == Kind::File || *keep_original
    }

    /// Judges the header once enough of it has come. `data` was just written at `offset`.
    pub(super) fn probe(
        &self,
        drafts: &Drafts,
        work: &mut Work,
        offset: u64,
        data: &[u8],
    ) -> Result<()> {
        let Some(at) = work.probe_at else { return Ok(()) };
        let length = work.contiguous;
        if length < at || work.unfit.is_some() {
            return Ok(());
        }
        let rules = &self.target.field.rules;
        let judged = if offset == 0 && data.len() as u64 == length {
            policy::judge_prefix(rules, &data[..data.len().min(PREFIX_MAX)])
        } else {
            let prefix = read_prefix(&work.staged()?.file, length)
                .map_err(Error::io("read the draft's header"))?;
            policy::judge_prefix(rules, &prefix)
        };
        match judged {
            Prefix::Passed => work.probe_at = None,
            Prefix::Undecided if length >= PREFIX_MAX as u64 => work.probe_at = None,
            Prefix::Undecided => work.probe_at = Some(length + PROBE_STEP.min(length.max(64))),
            Prefix::Refused(violation) => self.unfit(drafts, work, violation)?,
        }
        Ok(())
    }

    /// Refuses the draft now, or where the field hides refusals from writers, at the close.
    fn unfit(&self, drafts: &Drafts, work: &mut Work, violation: Violation) -> Result<()> {
        match self.target.field.on_refuse {
            OnRefuse::Refuse => Err(self.refuse_early(drafts, work, violation)),
            OnRefuse::Quarantine => {
                work.unfit = Some(violation);
                Ok(())
            }
        }
    }

    /// Refuses an incomplete file, and keeps nothing of it.
    fn refuse_early(&self, drafts: &Drafts, work: &mut Work, violation: Violation) -> Error {
        let refusal = drafts.refusals.refuse(&self.target, self.author, violation, None);
        work.stage = Stage::Refused(refusal.clone());
        refusal.into()
    }
}

/// The violation of a refused file that is larger than the whole quarantine, which could not keep it.
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
