//! Whether those who shall get reports have agreed to (RFC 9990 section 4, RFC 9991 section 5).

use std::cell::OnceCell;

use common::proto::dns::DomainName;
use common::report::{Report, State};

use super::record::{DmarcRecord, Uris};
use super::walk::{Walk, is_record};
use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::lookup::{Texts, Unanswered};

/// How a domain stands to those who want reports sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Consent {
    /// It is of the same organization, or says yes.
    Given,
    /// It says yes, and sends the reports on to another domain, which is forbidden.
    Redirected(DomainName, DomainName),
    /// It does not say yes; the name at which it should.
    Missing(Option<DomainName>),
}

/// Domains whose consent is asked for: each takes up to nine questions.
const MOST_HOSTS: usize = 16;

/// All that the record of a domain sends reports to.
pub(crate) fn judge(
    options: &CheckMailPolicy,
    (at, record): (&DomainName, &DmarcRecord),
    answers: &Answers,
    report: &mut Report,
) {
    let name = format!("_dmarc.{at}");
    if !record.rua.is_there {
        report.note(
            "dmarc_reports",
            format!("{name}: no rua=, so nobody reports who uses the domain (RFC 9989 section 4.7)"),
        );
    }
    let asker = Asker { at, answers, organization: OnceCell::new() };
    for (tag, Uris { hosts, .. }) in [("rua", &record.rua), ("ruf", &record.ruf)] {
        for host in hosts.iter().take(MOST_HOSTS) {
            match asker.consent(host) {
                Ok(Consent::Given) => {}
                Ok(Consent::Redirected(place, other)) => {
                    let text = format!(
                        "{name}: {tag}= sends reports to {host}, and {place} sends them on to {other}, \
                         so that nobody gets them (RFC 9990 section 4)"
                    );
                    report.find("dmarc_unauthorised", State::Warning, text);
                }
                Ok(Consent::Missing(place)) => {
                    let place =
                        place.map_or_else(|| "a name too long to be".to_owned(), |place| place.to_string());
                    let text = format!(
                        "{name}: {tag}= sends reports to {host}, which does not agree: no v=DMARC1 at {place} \
                         (RFC 9990 section 4)"
                    );
                    report.find("dmarc_unauthorised", State::Warning, text);
                }
                Err(unanswered) => unanswered.report("dmarc_unknown", options, report),
            }
        }
        if let Some(left) = hosts.len().checked_sub(MOST_HOSTS).filter(|left| *left > 0) {
            let text = format!(
                "{name}: {tag}= sends reports to {} domains, {left} of which were not looked at; \
                 receivers need not serve so many (RFC 9990 section 3.5)",
                hosts.len()
            );
            report.find("dmarc_reports", State::Warning, text);
        }
    }
}

/// The domain that wants reports sent.
struct Asker<'a> {
    at: &'a DomainName,
    answers: &'a Answers,
    /// Looked for when it matters first.
    organization: OnceCell<Result<DomainName, Unanswered>>,
}

impl Asker<'_> {
    fn consent(&self, host: &DomainName) -> Result<Consent, Unanswered> {
        if host == self.at {
            return Ok(Consent::Given);
        }
        // Of two domains one of which lies in the other, most are of one organization; others are not.
        if host.is_within(self.at) || self.at.is_within(host) {
            match self.is_of_same_organization(host) {
                Ok(true) => Ok(Consent::Given),
                Ok(false) => self.authorisation(host),
                // A consent counts whatever the organization is.
                Err(unanswered) => match self.authorisation(host) {
                    Ok(Consent::Missing(_)) | Err(_) => Err(unanswered),
                    given => given,
                },
            }
        } else {
            match self.authorisation(host)? {
                Consent::Missing(_) if self.is_of_same_organization(host)? => Ok(Consent::Given),
                consent => Ok(consent),
            }
        }
    }

    fn is_of_same_organization(&self, host: &DomainName) -> Result<bool, Unanswered> {
        let own = self.organization.get_or_init(|| Walk::from(self.at, self.answers).organization());
        // Both are asked for in one round.
        let other = Walk::from(host, self.answers).organization();
        Ok(own.clone()? == other?)
    }

    fn authorisation(&self, host: &DomainName) -> Result<Consent, Unanswered> {
        let Some(place) = host.child(&format!("{}._report._dmarc", self.at)) else {
            return Ok(Consent::Missing(None));
        };
        let texts = Texts::read(self.answers, &place, is_record)?;
        if texts.records.is_empty() {
            return Ok(Consent::Missing(Some(place)));
        }
        let records = texts.records.iter().map(|text| DmarcRecord::parse(text));
        let elsewhere = records.flat_map(|record| record.rua.hosts).find(|other| other != host);
        Ok(elsewhere.map_or(Consent::Given, |other| Consent::Redirected(place, other)))
    }
}
