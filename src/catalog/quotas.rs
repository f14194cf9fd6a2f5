//! Quotas: how much each account is charged, and how much it may have.

use words::quota::{Account, Limits, Usage};

use super::error::Result;

pub trait Quotas {
    /// Sets the quotas. From now on nothing is published, shared or moved that would let an account grow above its quota. A
    /// change that gives files to an owner ([`amend`](super::attachments::Attachments::amend)) is not held to them.
    fn limit(&self, limits: Limits);

    /// What an account is charged, see [`Usage`].
    fn usage(&self, account: Account) -> Result<Usage>;
}
