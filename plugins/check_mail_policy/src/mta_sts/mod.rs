//! MTA-STS (RFC 8461): the record that says that there is a policy, the policy, and whether the
//! mail exchangers fit it. Fetching is done elsewhere.

mod judge;
mod policy;
mod record;

pub use judge::{STS_MAX_AGE, judge_policy};
pub use policy::{Mode, Policy, PolicyError};
pub(crate) use record::judge_record;
