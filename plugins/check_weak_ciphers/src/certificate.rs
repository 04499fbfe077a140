//! The certificates a port shows: facts and trust, taken down to be judged later.
//!
//! Up to TLS 1.2 they come with the handshakes that show the suites. TLS 1.3 hides them: one
//! handshake is completed for them, where nothing else has shown any.

mod inspector;
#[cfg(test)]
pub(crate) mod tests;

use common::net::tls::{CertificateDetails, ChainJudge, JudgedChain, KeyKind};
use common::report::quote;
use serde::{Deserialize, Serialize};

pub(crate) use inspector::Inspector;

/// The certificates of one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenCertificates {
    /// Each chain once: a server may have one for each kind of key. None where a server has no
    /// need of any, with anonymous suites.
    pub(crate) chains: Vec<SeenChain>,
    /// Why these may not be all.
    pub(crate) incomplete: Option<String>,
}

/// A chain as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenChain {
    /// How many certificates were sent.
    pub(crate) length: usize,
    /// The first of them, the server's own first of all; `None` for what is no certificate.
    pub(crate) certificates: Vec<Option<CertificateDetails>>,
    pub(crate) trust: SeenTrust,
}

/// Whether a chain can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeenTrust {
    Judged(Trust),
    /// Why there is nothing to judge it by.
    NotJudged(String),
}

/// What was found out about a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trust {
    /// The name it was held against; `None` for an address, where nobody gave a name.
    pub(crate) name: Option<String>,
    /// Why it does not lead to a trusted CA; dates aside.
    pub(crate) chain_problem: Option<String>,
    /// Why it is not for this name.
    pub(crate) name_problem: Option<String>,
    /// Unix time: the latest begin and the earliest end in the verified path, or in all of the chain
    /// when there is none.
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    /// Places in the chain of what the verified path uses.
    pub(crate) path: Option<Vec<usize>>,
}

/// Certificates of a chain that are looked at. Paths are shorter, but some servers send a whole
/// store.
const MAX_LENGTH: usize = 32;

impl SeenCertificates {
    /// What could not be looked at, in words.
    pub(crate) fn gaps(&self) -> Vec<String> {
        self.incomplete.iter().cloned().chain(self.chains.iter().flat_map(SeenChain::gaps)).collect()
    }
}

impl SeenChain {
    /// Takes a chain down, DER, the server's own certificate first.
    pub(crate) fn new(chain: &[Vec<u8>], judge: &ChainJudge) -> Self {
        let kept = chain.get(..MAX_LENGTH).unwrap_or(chain);
        Self {
            length: chain.len(),
            certificates: kept.iter().map(|der| CertificateDetails::parse(der)).collect(),
            trust: match judge.judge(kept) {
                Ok(judged) => SeenTrust::Judged(judged.into()),
                Err(error) => SeenTrust::NotJudged(error.text),
            },
        }
    }

    /// The server's own certificate, if it can be read.
    pub(crate) fn leaf(&self) -> Option<&CertificateDetails> {
        self.certificates.first()?.as_ref()
    }

    /// The certificates that matter with their places: all of the verified path; without one all
    /// that were sent, for nobody knows which of them others take.
    pub(crate) fn relevant(&self) -> impl Iterator<Item = (usize, Option<&CertificateDetails>)> {
        let path = match &self.trust {
            SeenTrust::Judged(trust) => trust.path.as_ref(),
            SeenTrust::NotJudged(_) => None,
        };
        let matters = move |place: &usize| path.is_none_or(|path| path.contains(place));
        let places = self.certificates.iter().map(Option::as_ref).enumerate();
        places.filter(move |(place, _)| matters(place))
    }

    /// The certificates whose strength counts, for a root is trusted for what it is, not for who signed it
    /// or how.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &CertificateDetails> {
        let readable = self.relevant().filter_map(|(place, one)| Some((place, one?)));
        readable.filter(|(place, one)| *place == 0 || !one.self_issued).map(|(_, one)| one)
    }

    fn gaps(&self) -> Vec<String> {
        let unjudged = match &self.trust {
            SeenTrust::Judged(_) => None,
            SeenTrust::NotJudged(why) => Some(why.clone()),
        };
        let unreadable = self
            .relevant()
            .filter(|(_, one)| one.is_none())
            .map(|(place, _)| format!("certificate {place} of the chain cannot be read"));
        let is_unreadable = |one: &&CertificateDetails| {
            matches!(one.key.kind, KeyKind::Rsa | KeyKind::Ec) && one.key.bits.is_none()
        };
        let keys = self.counted().filter(is_unreadable);
        let keys = keys.map(|one| format!("the key of {} cannot be read", quote(&one.seen.subject)));
        unjudged.into_iter().chain(unreadable).chain(keys).collect()
    }

    /// The end of what ends first, Unix time.
    pub(crate) fn not_after(&self) -> Option<i64> {
        match &self.trust {
            SeenTrust::Judged(trust) => trust.not_after,
            SeenTrust::NotJudged(_) => {
                self.relevant().filter_map(|(_, one)| one).map(|one| one.seen.not_after).min()
            }
        }
    }
}

impl From<JudgedChain> for Trust {
    fn from(judged: JudgedChain) -> Self {
        let JudgedChain { tls, path } = judged;
        Self {
            name: Some(tls.server_name).filter(|name| !name.is_empty()),
            chain_problem: tls.chain_problem,
            name_problem: tls.name_problem,
            not_before: tls.not_before,
            not_after: tls.not_after,
            path,
        }
    }
}
