//! MTA-STS (RFC 8461): the record that says that there is a policy, the policy, and whether the
//! mail exchangers fit it.

mod fetched;
mod judge;
mod policy;
mod record;

pub(crate) use fetched::{judge_fetched, policy_place};
pub use judge::{STS_MAX_AGE, judge_policy};
pub use policy::{Mode, Policy, PolicyError};
pub(crate) use record::{StsRecord, judge_record};
