//! Room: what the quotas leave for one file.

use words::quota::{self, Account, Excess, Measure, Quota, Usage};

/// What the quotas leave for one file. The default is what there is without quotas: everything.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Set if not even an empty file can be taken: the quota that is used up.
    pub full: Option<Excess>,
    /// The most bytes that the file may have, and the quota that says so. None if no quota does, or if the stored bytes will not
    /// be the sent ones: then only the close tells.
    pub most: Option<(u64, Excess)>,
}

impl Room {
    /// Checks the size of the file. Errors: the quota that it would exceed.
    pub fn check(&self, size: u64) -> Result<(), Excess> {
        match self.most {
            Some((most, excess)) if size > most => {
                let wanted = excess.wanted.saturating_add(size);
                Err(Excess { wanted, ..excess })
            }
            _ => Ok(()),
        }
    }

    /// Takes another quota into account. `replaced` is what the account gets back when the file replaces another.
    pub(super) fn narrow(&mut self, account: Account, quota: Quota, used: Usage, replaced: Usage) {
        let rest = Usage {
            files: used.files.saturating_sub(replaced.files),
            bytes: used.bytes.saturating_sub(replaced.bytes),
        };
        let files = (Measure::Files, quota.files);
        let full = quota::check(account, files, used.files, rest.files.saturating_add(1)).err();
        self.full = self.full.or(full);
        let Some(allowed) = quota.bytes else { return };
        // The file may always be as large as the one that it replaces.
        let most = allowed.saturating_sub(rest.bytes).max(replaced.bytes);
        let measure = Measure::Bytes;
        let excess = Excess { account, measure, used: used.bytes, wanted: rest.bytes, allowed };
        if most == 0 {
            self.full =
                self.full.or(Some(Excess { wanted: rest.bytes.saturating_add(1), ..excess }));
        }
        if self.most.is_none_or(|(least, _)| most < least) {
            self.most = Some((most, excess));
        }
    }
}
