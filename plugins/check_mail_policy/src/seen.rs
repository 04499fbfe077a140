//! What the domain's servers said: plain data, judged later.

use common::net::ProbeError;
use serde::{Deserialize, Serialize};

use crate::answers::Answers;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// All that name servers said.
    pub(crate) answers: Answers,
    /// The deadline passed before all was answered.
    pub(crate) cut_short: Option<ProbeError>,
}
