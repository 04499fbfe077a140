//! What the domain's servers said: plain data, judged later.

use common::net::ProbeError;
use serde::{Deserialize, Serialize};

use crate::answers::Answers;
use crate::hosts::Hosts;
use crate::https::Fetched;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// All that name servers said.
    pub(crate) answers: Answers,
    /// The hosts that take the mail, if they were wanted.
    pub(crate) hosts: Option<Hosts>,
    /// What came of fetching the MTA-STS policy, if the domain announces one, from each address of
    /// its host.
    pub(crate) policies: Vec<Fetched>,
    /// The deadline passed before all was answered.
    pub(crate) cut_short: Option<ProbeError>,
}
